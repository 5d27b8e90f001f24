#!/usr/bin/env python3
"""./dev bench cuda: ours on a GPU, and PyTorch's on the same one where there is a Python that has it, in turn.

usage: ./dev bench cuda [options]        (of this file: bench_cuda.py PROGRAM [options], or bench_cuda.py --from FILE...)

  --python PATH   the Python that has PyTorch; else build/peers-venv's or one on PATH, if it sees a GPU
  --rounds N      how often ours and PyTorch's take turns (default 5)
  --alone         ours only
  --write         put the results into docs/reference/benchmarks.md, section "On a GPU"; its other sections stay
  --from FILE...  measure nothing; read what both programs printed elsewhere, in the order it was taken: lines of JSON, of
                  which ours have "device". Other lines, a log's, are skipped
  --date DATE     with --from: the day it was taken, as 2026-11-28 (default today)
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

import bench_page
from bench_page import ROOT, VENV, positive, quantity, say, table

PEER = ROOT / "benchmarks" / "cuda" / "pytorch.py"
WORKS = "A training step takes a batch of 128; sampling draws 64 images in 100 steps of DDPM."
MISSING = 77  # what both programs return where there is no device


def fail(text):
    raise SystemExit(f"bench cuda: {text}")


def day(text):
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-28") from None


def records(text, source):
    """The results among the lines: {"device": ..., work: {mode: seconds}}, PyTorch's with "versions" or nothing for it."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            result = json.loads(line)
        except ValueError:
            if line.lstrip().startswith('{"'):
                fail(f"{source}:{number} begins as a result and is no JSON; it may have been cut off")
            continue
        if not isinstance(result, dict):
            continue
        works = {key: value for key, value in result.items() if key not in ("device", "versions")}
        if (not works or not isinstance(result.get("device", ""), str) or not isinstance(result.get("versions", {}), dict)
                or not all(isinstance(modes, dict) and modes for modes in works.values())):
            fail(f"{source}:{number} is JSON but no result: it lacks a work with its modes, as "
                 '"training step": {"graphs": 0.0024}')
        for work, modes in works.items():
            for mode, value in modes.items():
                if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
                    fail(f"{source}:{number}: {work}, {mode} is {json.dumps(value)}, which is no number of seconds")
        found.append(result)
    return found


def read(files):
    results = []
    for file in files:
        try:
            results += records(file.read_text(encoding="utf-8", errors="replace"), file)
        except OSError as problem:
            fail(f"{file} cannot be read: {problem.strerror}")
    if not any("device" in result for result in results):
        fail(f"{', '.join(map(str, files))} holds no result of ours, which is a line of JSON with \"device\"")
    return results


def run(command):
    """The one result that the program printed, or None; and the reason, and whether it is that there is no device."""
    try:
        result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as problem:
        return None, f"{command[0]} cannot be run: {problem.strerror}", False
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"it returned {result.returncode}"])[-1]
        return None, reason, result.returncode == MISSING
    found = records(result.stdout, command[-1])
    if len(found) != 1:
        return None, f"{command[-1]} printed {len(found)} results and not one", False
    return found[0], "", False


def python_with_torch():
    """The first Python that has PyTorch and whose PyTorch sees a GPU, or None."""
    folders = [pathlib.Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for python in dict.fromkeys([VENV / "bin" / "python", *(folder / "python3" for folder in folders)]):
        if os.access(python, os.X_OK) and subprocess.run(
                [python, "-c", "import torch, sys; sys.exit(not torch.cuda.is_available())"], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def measure(options):
    """The results of all rounds in their order; none where there is no device."""
    results, python, alone = [], options.python, options.alone
    for number in range(options.rounds):
        say(f"  round {number + 1} of {options.rounds}")
        ours, reason, missing = run([options.program])
        if missing:
            say(f"nothing was measured: {reason}")
            return []
        if ours is None or "device" not in ours:
            fail(f"ours failed: {reason or 'it named no device'}")
        results.append(ours)
        if alone:
            continue
        python = python or python_with_torch()
        theirs, reason = None, ("neither build/peers-venv nor a python3 on PATH has a PyTorch that sees a GPU (--python names "
                                "one)")
        if python:
            theirs, reason, _ = run([python, PEER])
        if theirs:
            results.append(theirs)
            continue
        if options.write:
            fail(f"PyTorch was not measured, and --write would put ours alone on the page (say --alone if it shall): {reason}")
        say(f"PyTorch was not measured: {reason}")
        alone = True
    return results


def same(what, values):
    """The one value that all results have."""
    values = list(dict.fromkeys(values))
    if len(values) > 1:
        fail(f"the results are of more than one {what}: {', '.join(map(str, values))}")
    return values[0]


def precision(mode):
    return "TF32" if "TF32" in mode else "float32"


def section_of(results, date):
    """The page's section. Ours is held against PyTorch's fastest mode in the same precision."""
    sides = {"ours": [r for r in results if "device" in r], "PyTorch": [r for r in results if "device" not in r]}
    device = same("device", [r["device"] for r in sides["ours"]])
    seconds = {}
    for who, of_side in sides.items():
        for result in of_side:
            for work, modes in result.items():
                if work not in ("device", "versions"):
                    for mode, value in modes.items():
                        seconds.setdefault(work, {}).setdefault(who, {}).setdefault(mode, []).append(value)
        uneven = [(work, mode) for work, by_side in seconds.items() for mode, values in by_side.get(who, {}).items()
                  if len(values) != len(of_side)]
        if uneven:
            fail(f"{uneven[0][0]}, {uneven[0][1]} of {who} is not in every one of its {len(of_side)} results")
    rows = []
    for work, by_side in seconds.items():
        theirs = {mode: statistics.median(values) for mode, values in by_side.get("PyTorch", {}).items()}
        for who, modes in by_side.items():
            for mode, values in modes.items():
                rivals = [m for m in theirs if who == "ours" and precision(m) == precision(mode)]
                best = min(rivals, key=theirs.get, default=None)
                rows.append((work, who, mode, quantity(statistics.median(values)),
                             f"{quantity(min(values))} to {quantity(max(values))}",
                             f"{theirs[best] / statistics.median(values):.2f}" if best else "", best or ""))
    ours, theirs = len(sides["ours"]), len(sides["PyTorch"])
    measured, notes = [device], [WORKS]
    if theirs:
        version = same("version of PyTorch", [r.get("versions", {}).get("torch", "of a version not written down")
                                              for r in sides["PyTorch"]])
        measured.append(f"torch {version}")
        notes.append("A ratio is PyTorch's fastest mode in the same precision, which is named beside it, over ours.")
    else:
        rows = [row[:5] for row in rows]
        notes.append("PyTorch was not measured.")
    measured.append(bench_page.in_turn(ours) if theirs in (0, ours) else
                    f"ours {ours}, PyTorch's {bench_page.in_turn(theirs)}")
    head = ("work", "whose", "mode", "median", "least to most", "ratio", "against")[:7 if theirs else 5]
    return bench_page.section(bench_page.DEVICE, [*measured, date], table(head, rows), notes)


def main():
    parser = argparse.ArgumentParser(prog="bench cuda", usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("program", nargs="?")
    parser.add_argument("--python")
    parser.add_argument("--rounds", type=positive)
    parser.add_argument("--from", dest="files", nargs="+", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--date", type=day)
    for flags in (("--alone",), ("--write",), ("--help", "-h")):
        parser.add_argument(*flags, action="store_true")
    options = parser.parse_args()
    if options.help:
        return say(__doc__.rstrip())
    if options.files and (options.program or options.python or options.rounds or options.alone):
        parser.error("--from measures nothing, so it takes no program, no --python, no --rounds and no --alone")
    if not options.files and not options.program:
        parser.error("name the program that measures ours, or results with --from")
    if options.date and not options.files:
        parser.error("--date goes with --from; what is measured now is of today")
    options.rounds = options.rounds or 5
    date = options.date or datetime.date.today().isoformat()
    if options.write:
        bench_page.read()  # a page that cannot be written to is said before minutes go by
    results = read(options.files) if options.files else measure(options)
    if not results:
        return
    text = section_of(results, date)
    say("\n" + text.rstrip())
    if options.write:
        bench_page.write({bench_page.DEVICE: text})


main()
