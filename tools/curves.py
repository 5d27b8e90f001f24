#!/usr/bin/env python3
"""Keeps the loss curves of the recipes: one line an epoch in docs/curves, drawn in docs/images/loss-curves.svg.

usage: curves.py                          draws the picture again
       curves.py NAME out/NAME/loss.csv   takes the curve from a run's loss.csv, as NAME, and draws
"""
import csv
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CURVES = ROOT / "docs" / "curves"
PICTURE = ROOT / "docs" / "images" / "loss-curves.svg"
# What is drawn: the file, the words beside it, its color.
LINES = [("pytorch-ddpm", "PyTorch 2.15", "#8a8a8a"), ("ddpm", "softscore", "#1f6feb"),
         ("ddpm-large", "softscore, large network", "#c2410c")]
REPORTED = [("Knottenbelt n.d., small", 0.021), ("large", 0.0185)]


def take(name, path):
    """Mean training loss of an epoch, and the test loss after it."""
    epochs = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            losses = epochs.setdefault(int(row["epoch"]), ([], []))
            losses[0].append(float(row["loss"]))
            if row["test_loss"]:
                losses[1].append(float(row["test_loss"]))
    lines = [f"{epoch},{sum(train) / len(train):.5f},{test[-1]:.5f}\n" for epoch, (train, test) in epochs.items() if test]
    (CURVES / f"{name}.csv").write_text("epoch,train,test\n" + "".join(lines))


def test_losses(name):
    path = CURVES / f"{name}.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [(int(row["epoch"]), float(row["test"])) for row in csv.DictReader(file)]


def draw():
    wide, high, left, right, top, bottom = 760, 340, 60, 190, 14, 40
    curves = [(points, words, color) for name, words, color in LINES if (points := test_losses(name))]
    losses = [loss for points, _, _ in curves for _, loss in points] + [loss for _, loss in REPORTED]
    most, least = 1.05 * max(losses), min(losses) / 1.08
    last = max([2] + [epoch for points, _, _ in curves for epoch, _ in points])
    x = lambda epoch: left + (wide - left - right) * (epoch - 1) / (last - 1)
    y = lambda loss: top + (high - top - bottom) * math.log(most / loss) / math.log(most / least)
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="13" '
           'role="img" aria-label="Test loss of ddpm over epochs">', f'<rect width="{wide}" height="{high}" fill="#ffffff"/>']
    for tick in (t for t in (0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.2, 0.5, 1) if least < t < most):
        svg.append(f'<line x1="{left}" x2="{wide - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#e5e5e5"/>'
                   f'<text x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" fill="#555">{tick:g}</text>')
    for epoch in (1, *range(5, last + 1, 5)):
        svg.append(f'<text x="{x(epoch):.1f}" y="{high - bottom + 18}" text-anchor="middle" fill="#555">{epoch}</text>')
    svg.append(f'<text x="{wide - right}" y="{high - 6}" text-anchor="end" fill="#555">epoch</text>')
    for words, loss in REPORTED:
        svg.append(f'<line x1="{left}" x2="{wide - right}" y1="{y(loss):.1f}" y2="{y(loss):.1f}" stroke="#555" '
                   f'stroke-dasharray="3 4"/><text x="{wide - right + 6}" y="{y(loss) + 4:.1f}" fill="#555">{words}: {loss:g}'
                   '</text>')
    for number, (points, words, color) in enumerate(curves):
        line = " ".join(f"{x(epoch):.1f},{y(loss):.1f}" for epoch, loss in points)
        svg.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        at = top + 16 + 20 * number
        svg.append(f'<line x1="{left + 200}" x2="{left + 230}" y1="{at}" y2="{at}" stroke="{color}" stroke-width="3"/>'
                   f'<text x="{left + 238}" y="{at + 4}" fill="#333">{words}</text>')
    PICTURE.write_text("\n".join(svg) + "\n</svg>\n")


if len(sys.argv) == 3:
    take(*sys.argv[1:])
elif len(sys.argv) != 1:
    sys.exit(__doc__)
draw()
