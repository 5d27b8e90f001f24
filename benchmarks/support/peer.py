"""What every peer shares: it compares answers with ours, then times on request.

A peer is started by tools/bench.py as PROGRAM --answers FILE --threads N [--quick]. It prints one JSON line with the
errors of both sides against float64, and then one JSON line of seconds for every line "go" that it reads.
"""
import argparse
import json
import pathlib
import re
import resource
import sys
import time

import numpy
import torch
from safetensors.torch import load_file

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "plain_cnn.safetensors"
LEAST_SECONDS = 0.4
chosen = [""]  # a regular expression: the cases to time


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--cases", default="", help="a regular expression: the cases to time")
    parser.add_argument("--unchecked", action="store_true", help="without errors where these take long")
    parser.add_argument("--quick", action="store_true", help="without torch.compile, which takes a minute to start")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    chosen[:] = [options.cases]
    return options, load_file(options.answers)


def error(value, exact):
    """The largest difference over the largest entry."""
    exact = exact.double()
    return float((value.double() - exact).abs().max() / exact.abs().max())


def seconds_of(function, least=LEAST_SECONDS):
    """The mean of enough calls."""
    calls, spent = 0, 0.0
    begin = time.perf_counter()
    while spent < least:
        function()
        calls += 1
        spent = time.perf_counter() - begin
    return spent / calls


def serve(errors, cases, versions=None, slow=()):
    """errors: {what: {"ours": error, "theirs": error}}; cases: {case: {mode: function}}; slow: the cases that take many
    seconds, which are not warmed up and timed once in each of the first two rounds only. Only the cases that were asked
    for are timed."""
    cases = {case: modes for case, modes in cases.items() if re.search(chosen[0], case)}
    for case, modes in cases.items():
        for function in modes.values() if case not in slow else ():
            function()  # compiles, where that is asked for
            seconds_of(function)
    print(json.dumps({"errors": errors, "versions": {"torch": torch.__version__, **(versions or {})}}), flush=True)
    for turn, line in enumerate(sys.stdin):
        if line.strip() != "go":
            break
        times = {}
        for case, modes in cases.items():
            if case in slow and turn >= 2:
                continue
            times[case] = {}
            for mode, function in modes.items():
                if case not in slow:
                    seconds_of(function, 0.05)  # the caches belonged to the others
                times[case][mode] = seconds_of(function)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": times, "memory": memory}), flush=True)
