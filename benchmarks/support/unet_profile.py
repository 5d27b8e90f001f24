"""usage: unet_profile.py MODEL [channels_last]

A training step of one of the U-Nets, such as "(a)", in PyTorch by operation, as benchmarks/unet/profile.cpp prints ours.
"""
import os
import re
import sys
import time

import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from unet_models import BATCHES, MODELS, UNet, side_of

STEPS = 3
KINDS = (("dot_product|flash_attention", "attention"), ("group_norm", "group norm"), ("silu", "SiLU"),
         ("addmm|aten::mm", "dense and 1x1 of attention"), ("aten::cat", "concatenate"), ("_fused_adam", "Adam"),
         ("copy_", "copies"), ("aten::add", "add"), ("upsample", "resampling"), ("aten::sum", "sum"))


def kind(row):
    backward = ", backward" if "ackward" in row.key else ""
    if "mkldnn_convolution" in row.key or "aten::convolution_backward" == row.key:
        shapes = row.input_shapes[1:] if backward else row.input_shapes
        strided = " stride 2" if backward and row.input_shapes[0][2] != row.input_shapes[1][2] else ""
        return f"conv {shapes[1][2]}x{shapes[1][3]}{strided}{backward}"
    return next((name + backward for pattern, name in KINDS if re.search(pattern, row.key)), row.key)


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in MODELS:
        raise SystemExit(__doc__)
    name, layout = sys.argv[1], torch.channels_last if "channels_last" in sys.argv else torch.contiguous_format
    config, images = MODELS[name], BATCHES[name][0]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = UNet(config).to(memory_format=layout)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, fused=True)
    x = torch.randn(images, config.channels, side_of(config), side_of(config)).to(memory_format=layout)
    labels = torch.arange(images) % config.classes if config.classes else None

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.mse_loss(network(x, torch.arange(images), labels), x).backward()
        optimizer.step()

    step()
    begin = time.perf_counter()
    for _ in range(STEPS):
        step()
    each = (time.perf_counter() - begin) / STEPS
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as run:
        for _ in range(STEPS):
            step()
    found = {}
    for row in run.key_averages(group_by_input_shape=True):
        spent, calls = found.get(kind(row), (0, 0))
        found[kind(row)] = spent + row.self_cpu_time_total / 1e3 / STEPS, calls + row.count / STEPS
    whole = sum(spent for spent, _ in found.values())
    print(f"{name}, {images} images: {1e3 * each:.1f} ms a step, {whole:.1f} with the profiler\n")
    print("| operation | calls | a step | share |\n|---|---|---|---|")
    for of, (spent, calls) in sorted(found.items(), key=lambda item: -item[1][0])[:25]:
        print(f"| {of} | {calls:.0f} | {spent:.2f} ms | {100 * spent / whole:.1f} % |")


main()
