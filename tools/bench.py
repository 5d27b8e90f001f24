#!/usr/bin/env python3
"""The benchmarks of ./dev bench: ours against other libraries, in turn in one run, answers compared first.

usage: ./dev bench [NAMES...] [options]      all problems, or those whose name contains one of NAMES

  --list          the problems and their contenders
  --peers         install the other libraries (PyTorch, diffusers, SciPy, POT; from PyPI) into build/peers-venv, and stop
  --rounds N      how often ours and each peer take turns (default 5)
  --threads N     threads of the peers (default: all cores, as ours use)
  --cases REGEX   only the cases whose name the regular expression is found in
  --unchecked     U-Nets without the comparison of answers, which takes longer than a round
  --quick         two rounds, and no torch.compile, which takes minutes to start
  --alone         ours only
  --compile       the time that headers take to compile, beside Eigen, xtensor and TBB
  --label TEXT    sections of their own, "Forward, TEXT", for another machine than the page's
  --write         put the results into docs/reference/benchmarks.md, whose other sections stay
"""
import argparse
import json
import math
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench_page
from bench_page import FOLDER, ROOT, VENV, positive, problems, quantity, say, table

CORES = len(os.sched_getaffinity(0))  # that this process may use
# Cases of which a process is run apart for its peak memory.
APART = {"unet": ("(c) training, batch 8", "(c) training, batch 8, recomputed")}
# Both sides round differently; more than this is a mistake. Relative to the largest entry.
MOST_ERROR = 1e-3


def peers_of(problem):
    return sorted(p for p in (FOLDER / problem).glob("*.py"))


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def widest_vectors():
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"


def run_ours(program, *arguments):
    """Google Benchmark's JSON, and the peak memory of the process in bytes."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([str(program), *arguments, "--benchmark_format=json"], stdout=out,
                                   stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"bench: {program.parent.name} failed")
        out.seek(0)
        return json.loads(out.read()), usage.ru_maxrss * 1024


class Peer:
    """A running peer; it times one round whenever it is told to."""

    def __init__(self, script, answers, options):
        # Their idle threads look for work for about a millisecond, as always, and sleep while ours are timed: a passive
        # OMP_WAIT_POLICY made PyTorch 10 % slower, and evaluations of one image twice as slow.
        environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads))
        command = [str(VENV / "bin" / "python"), str(script), "--answers", str(answers), "--threads",
                   str(options.threads), "--cases", options.cases]
        self.name = script.stem
        command += ["--quick"] * options.quick + ["--unchecked"] * options.unchecked
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment,
                                        stderr=subprocess.PIPE if options.quick else subprocess.DEVNULL)
        self.start = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            trouble = self.process.stderr.read() if self.process.stderr else "run it with --quick to see why"
            raise SystemExit(f"bench: the peer {self.name} failed: {trouble}")
        return json.loads(line)

    def round(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.read()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def fastest(modes):
    """The median of the best mode in float32."""
    return min(statistics.median(seconds) for mode, seconds in modes.items() if not mode.startswith("bfloat16"))


def memory_apart(program, problem, options):
    """Notes on processes that do nothing but one case."""
    notes = []
    for case in APART.get(problem, ()):
        if not re.search(options.cases, case):
            continue
        _, used = run_ours(program, "--cases", "^" + re.sub(r"([().])", r"\\\1", case) + "$")
        sides = {"ours": used}
        for script in peers_of(problem) if not options.alone and "recomputed" not in case else ():
            command = [str(VENV / "bin" / "python"), str(script), "--memory", case, str(options.threads)]
            sides[script.stem] = int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        notes.append(f"Peak memory of a process that does nothing but {case}: " +
                     ", ".join(f"{name} {used / 2**20:.0f} MiB" for name, used in sides.items()) + ".")
    return notes


def case_of(benchmark):
    return re.sub(r"/min_time:.*", "", benchmark["name"])


def measure(problem, options):
    """Rows (case, ours, mode, theirs, ratio, least and most ratio), notes, rates of ours, and everybody's versions."""
    program = options.build / "benchmarks" / problem / "softscore"
    if not program.exists():
        raise SystemExit(f"bench: {program} is not built")
    chosen = ["--cases", options.cases] if options.cases else []
    peers, notes, versions = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        if peers_of(problem) and not options.alone:
            answers = pathlib.Path(folder) / "answers.safetensors"
            subprocess.run([str(program), *chosen, "--answer", str(answers)], check=True)
            peers = [Peer(script, answers, options) for script in peers_of(problem)]
        for peer in peers:
            versions.update(peer.start["versions"])
            if not peer.start["errors"]:
                continue
            worst = max(peer.start["errors"].items(), key=lambda item: item[1]["ours"])
            wrong = [name for name, e in peer.start["errors"].items() if not e["ours"] <= MOST_ERROR]
            if wrong:
                raise SystemExit(f"bench: {problem} disagrees with float64: {wrong}: {peer.start['errors'][wrong[0]]}")
            theirs = max(e["theirs"] for e in peer.start["errors"].values())
            worse = {name: e for name, e in peer.start["errors"].items() if e["ours"] > e["theirs"]}
            notes.append(f"Errors against float64, relative to the largest entry: ours at most {worst[1]['ours']:.1e} "
                         f"({worst[0]}), theirs at most {theirs:.1e}. Ours is smaller or equal in "
                         f"{len(peer.start['errors']) - len(worse)} of {len(peer.start['errors'])} results"
                         + (", and larger in these:\n" if worse else ".")
                         + "".join(f"\n- {name}: {e['ours']:.1e} against {e['theirs']:.1e}" for name, e in worse.items()))
        ours, rates, memory, contexts = {}, {}, {}, None
        theirs = {}
        for number in range(options.rounds):
            say(f"  {problem}: round {number + 1} of {options.rounds}")
            result, used = run_ours(program, *chosen)
            contexts = result["context"]
            memory["ours"] = max(memory.get("ours", 0), used)
            for b in result["benchmarks"]:
                ours.setdefault(case_of(b), []).append(b["real_time"] * 1e-6)
                for unit in ("flops", "bytes"):
                    if unit in b:
                        rates.setdefault(case_of(b), (unit, []))[1].append(b[unit])
            for peer in peers:
                result = peer.round()
                memory[peer.name] = max(memory.get(peer.name, 0), result["memory"])
                for case, modes in result["seconds"].items():
                    for mode, seconds in modes.items():
                        theirs.setdefault((case, peer.name), {}).setdefault(mode, []).append(seconds)
        for peer in peers:
            peer.stop()
    versions["compiler"], versions["lanes"] = contexts["compiler"], contexts["float lanes"]
    rows = []
    for case, seconds in ours.items():
        row = (case, quantity(statistics.median(seconds)))
        found = [(name, modes) for (of, name), modes in theirs.items() if of == case]
        if not found:
            rows.append((*row, "", "", "", ""))
        for name, modes in found:
            # In float32 and below separately, each at its best.
            for low in (False, True):
                of_kind = {m: s for m, s in modes.items() if m.startswith("bfloat16") == low}
                if not of_kind:
                    continue
                mode = min(of_kind, key=lambda m: statistics.median(of_kind[m]))
                ratios = [b / a for a, b in zip(seconds, of_kind[mode])]
                rows.append((*row, f"{name}, {mode}", quantity(statistics.median(of_kind[mode])),
                             f"{statistics.median(of_kind[mode]) / statistics.median(seconds):.2f}",
                             f"{min(ratios):.2f} to {max(ratios):.2f}"))
    for case in ours:
        alone = case + ", one thread"
        if alone in ours:
            gains = [f"{statistics.median(ours[alone]) / statistics.median(ours[case]):.2f} times as fast on {CORES} "
                     "threads as on one"]
            gains += [f"{name} {fastest(modes) / fastest(theirs[case, name]):.2f} times"
                      for (of, name), modes in theirs.items() if of == alone and (case, name) in theirs]
            notes.append(f"{case}: {', '.join(gains)}.")
    peak = max((statistics.median(v) for case, (unit, v) in rates.items() if case.startswith("peak") and unit == "flops"),
               default=math.inf)
    if any(unit == "flops" and statistics.median(v) > peak for unit, v in rates.values()):
        notes.append("A convolution counts the multiply-adds of its direct sum; a rate above the peak is what its "
                     "transforms save.")
    if peers_of(problem):
        notes.append("Peak memory of the processes: " +
                     ", ".join(f"{name} {used / 2**20:.0f} MiB" for name, used in memory.items()) + ".")
    notes += memory_apart(program, problem, options)
    return rows, notes, rates, versions


def rate_table(rates):
    """Each phase, and its share of the machine's own peak of the same unit where that was measured."""
    peaks = {unit: statistics.median(values) for case, (unit, values) in rates.items() if case.startswith("peak")}
    rows = []
    for case, (unit, values) in rates.items():
        value = statistics.median(values)
        share = f"{100 * value / peaks[unit]:.0f} %" if unit in peaks else ""
        rows.append((case, f"{value / 1e9:.1f} {'GFLOP/s' if unit == 'flops' else 'GB/s'}", share))
    if peaks:
        return table(("case", "rate", "of the machine's peak"), rows)
    return table(("case", "rate"), [row[:2] for row in rows])


def compile_times(options):
    """User and system seconds of the compiler for one header, the least of some turns."""
    include = ROOT / "include"
    third_party = set()
    for path in include.rglob("*.hpp"):
        for line in path.read_text().splitlines():
            found = re.match(r"\s*#\s*include <((?:Eigen|xtensor|oneapi)/[^>]+)>", line)
            if found:
                third_party.add(found[1])
    cases = {"Eigen, xtensor and TBB alone": sorted(third_party),
             "the umbrella softscore.hpp": ["softscore/softscore.hpp"],
             "softscore/sampling.hpp": ["softscore/sampling.hpp"]}
    for path in sorted(include.rglob("concept.hpp")):
        name = str(path.relative_to(include))
        cases[name] = [name]
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "one.cpp"
        for number in range(options.rounds):
            say(f"  compile: round {number + 1} of {options.rounds}")
            for case, headers in cases.items():
                # Names that a library had in other versions are left out.
                source.write_text("".join(f"#if __has_include(<{h}>)\n#include <{h}>\n#endif\n" for h in headers))
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([options.compiler, "-std=c++20", "-O2", f"-I{include}", "-isystem",
                                "/usr/include/eigen3", "-c", str(source), "-o", str(source.with_suffix(".o"))], check=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                times.setdefault(case, []).append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    base = statistics.median(times["Eigen, xtensor and TBB alone"])
    return [(case, f"{min(t):.2f} s", f"{statistics.median(t):.2f} s", f"{statistics.median(t) / base:.2f}")
            for case, t in times.items()]


def install_peers():
    if not (VENV / "bin" / "python").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", str(VENV)], check=True)
    subprocess.run([str(VENV / "bin" / "pip"), "install", "-q", "torch", "numpy", "safetensors", "diffusers", "scipy", "pot"],
                   check=True)
    say(f"the peers are in {VENV.relative_to(ROOT)}")


def main():
    parser = argparse.ArgumentParser(prog="bench", usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=positive)
    parser.add_argument("--threads", type=positive, default=CORES)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--label", default="")
    parser.add_argument("--cases", default="")
    for flag in ("help", "list", "peers", "quick", "alone", "compile", "write", "unchecked"):
        parser.add_argument("--" + flag, action="store_true")
    parser.add_argument("-h", dest="help", action="store_true")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    if options.help:
        return say(__doc__.rstrip())
    if options.list:
        for problem in problems():
            say(f"{problem:16} softscore" + "".join(f", {p.stem}" for p in peers_of(problem)))
        return
    if options.peers:
        return install_peers()
    chosen = [p for p in problems() if not options.names or any(n in p for n in options.names)]
    if not chosen and not options.compile:
        raise SystemExit(f"bench: no problem is named {' or '.join(options.names)}; ./dev bench --list")
    if options.compile and not options.names:
        chosen = []
    if not options.alone and any(peers_of(p) for p in chosen) and not (VENV / "bin" / "python").exists():
        if options.write:
            raise SystemExit("bench: the peers are not installed (./dev bench --peers), and --write would put ours alone on "
                             "the page; say --alone if it shall")
        say("The peers are not installed (./dev bench --peers); ours run alone.")
        options.alone = True
    if options.write and (options.unchecked or options.cases and not options.label):
        raise SystemExit("bench: --write wants answers that were compared, and all cases or a --label")
    if options.write:
        bench_page.read()  # a page that cannot be written to is said before minutes go by
    machine = [f"{cpu()}, {CORES} cores, {widest_vectors()}"]
    rounds = bench_page.in_turn(options.rounds)
    sections = {}

    def measured_section(title, *arguments):
        title += f", {options.label}" if options.label else ""
        sections[title] = bench_page.section(title, *arguments)
        say("\n" + sections[title])  # at once, so that nothing is lost when a later one fails

    if options.compile:
        if not shutil.which(options.compiler):
            raise SystemExit(f"bench: there is no compiler {options.compiler}")
        began = time.strftime("%Y-%m-%d")
        head = ("what is included", "least", "median", "times Eigen, xtensor and TBB")
        compiler = subprocess.run([options.compiler, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        measured_section(
            bench_page.COMPILE, [*machine, compiler.splitlines()[0], rounds, began], table(head, compile_times(options)),
            ["Processor time of the compiler for one file that includes nothing else."])
    for problem in chosen:
        began = time.strftime("%Y-%m-%d")
        rows, notes, rates, versions = measure(problem, options)
        parts = []
        if not rates or any(row[2] for row in rows):
            parts.append(table(("case", "ours", "peer, its best mode", "theirs", "ratio", "of the rounds"), rows))
        if rates:
            parts.append(rate_table(rates))
        measured = [*machine, f"{versions['compiler']}, {versions['lanes']} floats side by side",
                    *(f"{name} {versions[name]}" for name in ("torch", "diffusers", "SciPy", "POT") if name in versions),
                    rounds, began]
        measured_section(bench_page.title_of(problem), measured, "\n\n".join(parts), notes)
    if options.write:
        bench_page.write(sections)


main()
