#!/usr/bin/env python3
"""Programs of files that are compiled with unlike flags: ./dev check abi.

usage: abi.py [--folder DIR]

Every pair of two files (tests/abi/part.cpp) out of two compilers, the instruction sets x86-64, x86-64-v3 and x86-64-v4
and the strengths -O0 and -O3, linked in both orders and run: both draw noise of the same bits, their networks agree
within 1e-5, each catches the other's errors and reads shared types. Files for unlike instruction sets or of unlike
compilers have no code of the library in common, and a backend handed from one to the other does not link. Objects are kept in DIR (build/check/abi)
and made again when a header is newer. Prints a table; returns 1 if a pair fails.
"""
import argparse
import concurrent.futures
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests/abi"
LEVELS = {"x86-64": "sse2", "x86-64-v3": "avx2", "x86-64-v4": "avx512vl"}
STRENGTHS = ("-O0", "-O3")


def run(*command):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "LC_ALL": "C"})


def must(*command):
    result = run(*command)
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{result.stdout}")
    return result.stdout


def newest_source():
    return max(p.stat().st_mtime for folder in (ROOT / "include", TESTS) for p in folder.rglob("*") if p.is_file())


def has(feature, folder):
    """Whether this machine runs code with the feature."""
    source = folder / "feature.cpp"
    source.write_text(f"int main() {{ return __builtin_cpu_supports(\"{feature}\") ? 0 : 1; }}\n")
    must("g++", source, "-o", folder / "feature")
    return run(folder / "feature").returncode == 0


class variant:
    """One way to compile a file."""

    def __init__(self, compiler, level, strength):
        self.compiler, self.level, self.strength = compiler, level, strength

    def __str__(self):
        return f"{self.compiler} {self.level} {self.strength}"

    def compile(self, folder, source, name, *flags):
        out = folder / f"{name}-{str(self).replace(' ', '_')}.o"
        if not out.exists() or out.stat().st_mtime < newest_source():
            must(self.compiler, "-std=c++20", f"-I{ROOT / 'include'}", f"-march={self.level}", self.strength, *flags,
                 "-c", TESTS / source, "-o", out)
        return out


def weak_symbols(path):
    """The names of the library in an object that the linker merges with those of other objects."""
    found = set()
    for line in must("nm", "-C", path).splitlines():
        kind, _, name = line[17:].partition(" ")
        # A template of the standard library that names one of our types is not ours.
        if kind in "WVu" and "softscore" in name and not re.match(r"[^(]*\bstd::\w+<[^(]*\(", name):
            found.add(name)
    return found


# What files of unlike flags share on purpose: the exception, which one throws and the other catches, and two flags that
# belong to the process.
SHARED = ("softscore::error", "typeinfo for softscore::error", "typeinfo name for softscore::error",
          "vtable for softscore::error", "DW.ref._ZTIN9softscore5errorE", "softscore::tbb_threads::")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/check/abi")
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)

    compilers = [c for c in ("g++", "clang++") if shutil.which(c)]
    levels = [level for level, feature in LEVELS.items() if has(feature, folder)]
    left = [level for level in LEVELS if level not in levels]
    if left:
        print(f"left out, as this machine does not run it: {', '.join(left)}")
    variants = [variant(*each) for each in itertools.product(compilers, levels, STRENGTHS)]

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {}
        for v in variants:
            for part in ("first", "second"):
                jobs[v, part] = pool.submit(v.compile, folder, "part.cpp", part, f"-DPART={part}")
            for name in ("gives", "takes"):
                jobs[v, name] = pool.submit(v.compile, folder, f"{name}.cpp", name)
        objects = {}
        for number, (key, job) in enumerate(jobs.items(), 1):
            objects[key] = job.result()
            print(f"\rcompiled {number} of {len(jobs)} objects", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        main_object = variant("g++", "x86-64", "-O1").compile(folder, "main.cpp", "main")

        def complaints_of(pair):
            one, other = pair
            found = []
            first, second = objects[one, "first"], objects[other, "second"]
            for number, order in enumerate(((first, second), (second, first))):
                program = folder / f"{first.stem}-{second.stem}-{number}"
                must("g++", main_object, *order, "-ltbb", "-o", program)
                result = run(program)
                if result.returncode:
                    found.append(f"{one} and {other}, order {number + 1}: {result.stdout.strip()} (exit {result.returncode})")
                program.unlink()
            program = folder / f"{one}-{other}-handed".replace(" ", "_")
            linked = run("g++", objects[one, "gives"], objects[other, "takes"], "-ltbb", "-o", program)
            if (one.compiler, one.level) == (other.compiler, other.level):
                if linked.returncode or run(program).returncode:
                    found.append(f"{one} and {other}: a backend handed over must link and work: {linked.stdout}")
            else:
                if not linked.returncode:
                    found.append(f"{one} and {other}: a backend handed over must not link")
                common = weak_symbols(first) & weak_symbols(second)
                found += [f"{one} and {other} share {name}" for name in sorted(common) if not name.startswith(SHARED)]
            program.unlink(missing_ok=True)
            return found

        pairs = list(itertools.product(variants, variants))
        complaints = []
        for number, found in enumerate(pool.map(complaints_of, pairs), 1):
            complaints += found
            print(f"\rran {number} of {len(pairs)} pairs", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    for complaint in complaints:
        print(complaint)
    print(f"{len(pairs)} pairs of {len(variants)} variants, in two orders each: {len(complaints)} faults")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
