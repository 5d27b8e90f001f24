#!/usr/bin/env python3
"""How even the steps of a searched schedule of the blur are, by exact optimal transport between subsets of the clouds.

usage: exact_edges.py SCHEDULE.json train-images-idx3-ubyte[.gz] [IMAGES]

Needs NumPy and SciPy. The levels are those of the schedule's points after its noise has grown; the images are the first
ones of the file, the blur is that of operator/gaussian_blur.hpp, and every cloud has the same noise of 0.1.
"""
import gzip
import json
import sys

import numpy as np
from scipy.optimize import linear_sum_assignment


def blurred(images, width):
    """Rows and columns by a Gaussian of `width` pixels over 2 x 28 + 1 taps that sum to 1, zeros around the image."""
    side = images.shape[-1]
    taps = np.exp(-0.5 * (np.arange(-side, side + 1) / width) ** 2)
    taps /= taps.sum()
    rows = np.array([[taps[i - j + side] for j in range(side)] for i in range(side)])
    return rows @ images @ rows.T


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        points = json.load(file)["points"]
    sigma = points[-1][2]
    levels = sorted({level for _, level, s in points if s == sigma})
    opened = gzip.open(sys.argv[2]) if sys.argv[2].endswith(".gz") else open(sys.argv[2], "rb")
    count = int(sys.argv[3]) if len(sys.argv) == 4 else 1000
    with opened as file:
        file.read(16)
        images = np.frombuffer(file.read(count * 784), np.uint8).reshape(-1, 28, 28) / 255.0
    noise = sigma * np.random.default_rng(0).standard_normal(images.shape)
    clouds = [(blurred(images, level) + noise).reshape(len(images), -1) for level in levels]
    edges = []
    for a, b in zip(clouds, clouds[1:]):
        cost = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * a @ b.T
        row, column = linear_sum_assignment(cost)
        edges.append(np.sqrt(cost[row, column].mean()))
    print(f"{len(levels)} levels, {len(images)} images: exact edges of {min(edges):.4f} to {max(edges):.4f}, "
          f"mean {np.mean(edges):.4f}, deviation {np.std(edges):.4f}")
    print(" ".join(f"{edge:.3f}" for edge in edges))


if __name__ == "__main__":
    main()
