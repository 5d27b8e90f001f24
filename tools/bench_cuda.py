#!/usr/bin/env python3
"""./dev bench cuda: ours on a GPU, and PyTorch's on the same one where there is a Python that has it, in turn.

usage: bench_cuda.py PROGRAM [--python PATH] [--rounds N]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

PEER = pathlib.Path(__file__).resolve().parent.parent / "benchmarks" / "cuda" / "pytorch.py"


def run(command):
    """What the program printed, or None and the reason."""
    result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        return None, (result.stderr.strip().splitlines() or [f"it returned {result.returncode}"])[-1]
    return json.loads(result.stdout), ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--python")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    seconds = {}
    for _ in range(options.rounds):
        ours, reason = run([options.program])
        if ours is None:
            print(f"nothing was measured: {reason}")
            return 0
        device = ours.pop("device")
        theirs = {}
        if options.python:
            theirs, reason = run([options.python, PEER])
            if theirs is None:
                print(f"PyTorch was not measured: {reason}")
                options.python, theirs = None, {}
        for who, result in (("softscore", ours), ("PyTorch", theirs)):
            for work, modes in result.items():
                for mode, value in modes.items():
                    seconds.setdefault((work, f"{who}, {mode}"), []).append(value)
    print(f"{device}; medians of {options.rounds} rounds, least and most")
    for (work, who), values in sorted(seconds.items()):
        best = statistics.median(seconds[work, "softscore, graphs"])
        ratio = statistics.median(values) / best
        print(f"{work:14} {who:28} {statistics.median(values) * 1e3:9.3f} ms  ({min(values) * 1e3:.3f} to "
              f"{max(values) * 1e3:.3f})  {ratio:.2f} times softscore's")
    return 0


sys.exit(main())
