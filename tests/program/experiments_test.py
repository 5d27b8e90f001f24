#!/usr/bin/env python3
"""Runs a tiny experiment from beginning to end, twice: experiments_test.py RUN.PY DIGITS FOLDER."""
import pathlib
import random
import shutil
import struct
import subprocess
import sys

run, digits, folder = (pathlib.Path(word) for word in sys.argv[1:])

EXPERIMENT = """
title = "A tiny experiment"
runs = [{ epochs = 1, seeds = [0, 1] }, { epochs = 2, seeds = [0] }]
count = 24
samplers = [{ name = "momentum, 3", flags = "--sampler momentum --steps 3" }]

[[models]]
name = "blur"
train = "--recipe blur --network 16 --batch-size 50 --schedule {short}"

[[models]]
name = "noise"
train = "--recipe ddpm --network 16 --batch-size 50 --steps 4"
runs = [{ epochs = 1, seeds = [0, 1] }]
samplers = [{ name = "DDIM, 3", flags = "--sampler ddim --steps 3" }]
restorations = [{ name = "4 steps", flags = "--steps 4", count = 6 }]

[schedules]
short = { sigma_max = 0.1, noise_until = 0.5, level_from = 0.5 }
"""


def write_data(at):
    """The four files of MNIST's format, with bright rectangles as images."""
    at.mkdir(parents=True)
    draw = random.Random(5)
    for name, count in (("train", 200), ("t10k", 60)):
        pixels = bytearray(count * 784)
        for image in range(count):
            top, left, height, width = (draw.randrange(4, 12) for _ in range(4))
            for row in range(top, top + height):
                first = image * 784 + row * 28 + left
                pixels[first : first + width] = bytes([draw.randrange(128, 256)]) * width
        (at / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 2051, count, 28, 28) + pixels)
        (at / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, count) + bytes(i % 10 for i in range(count)))


def experiment(*words):
    ended = subprocess.run([sys.executable, run, folder / "tiny.toml", "--digits", digits, "--data", folder / "mnist",
                            "--out", folder / "out", "--threads", "2", *words], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


shutil.rmtree(folder, ignore_errors=True)
write_data(folder / "mnist")
(folder / "tiny.toml").write_text(EXPERIMENT)

printed = experiment()
# Of the blur three runs, of noise two, each trained, drawn from and scored; restorations of the latter.
assert "A tiny experiment: 17 steps, 0 of them done" in printed, printed
assert "[17 of 17" in printed, printed
table = (folder / "out/tiny.md").read_text()
rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
second = [i for i, row in enumerate(rows) if row[0] == "model"][1]
scores, restored = rows[:second], rows[second:]
assert scores[0][4:] == ["components", "features", "kernel distance", "precision", "recall", "inception score"], table
assert [row[:4] for row in scores[2:5]] == [["blur", "1", "momentum, 3", "0, 1"], ["blur", "2", "momentum, 3", "0"],
                                            ["noise", "1", "DDIM, 3", "0, 1"]], table
assert [row[0] for row in scores[5:]] == ["the test images themselves", "24 training images", "24 uniform noise"], table
assert all("±" in cell for row in (scores[2], scores[4]) for cell in row[4:6]) and "±" not in scores[3][4], table
drawn, held, noise = (float(row[4].split()[0]) for row in (scores[2], scores[6], scores[7]))
assert 0 < held < noise and 0 < drawn, table
assert len(restored) == 2 + 2 * 8 and restored[2][2:7] == ["4 steps", "0, 1", "in-painting", "truth", "0"], table
assert restored[2][7:9] == ["", "1 ± 0"] and all(row[9].endswith("%") for row in restored[2:]), table
assert "nan" not in table and "`digits train --recipe ddpm --network 16" in table and "mnist.safetensors" in table, table
for at in ("epochs-1", "epochs-2"):
    found = {path.name for path in (folder / "out/runs").glob(f"recipe-blur-*/seed-0/{at}/*")}
    assert {"checkpoint.safetensors", "loss.csv", "samples.png", "nearest.png",
            "sampler-momentum-steps-3-24.png"} <= found, found

# A second call has nothing to do, and one whose scores are lost computes these again, to the same numbers.
assert "17 steps, 17 of them done" in experiment()
next((folder / "out/runs").glob("**/*-by-*.json")).unlink()
assert "17 steps, 16 of them done" in experiment()
assert (folder / "out/tiny.md").read_text() == table
assert table in experiment("--table")
