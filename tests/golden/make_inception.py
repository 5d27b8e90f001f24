#!/usr/bin/env python3
"""Writes inception.safetensors: pytorch-fid's Inception with random weights, as PyTorch evaluates it in float64.

    python3 make_inception.py inception.safetensors

The network is written here from Szegedy et al. 2016 and the differences that pytorch-fid lists, under torchvision's
names; only PyTorch, numpy and safetensors are needed. Weights and images are drawn from strings (drawn_numbers.hpp), so
that the file has results alone. The metadata hold PyTorch's own float32 errors, and the names and sizes of all weights.
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

MASK = (1 << 64) - 1


def uniform(text, count):
    """Numbers in [0, 1) from the 64-bit FNV-1a hash of the text and splitmix64."""
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


class weights:
    """Draws each array when it is first asked for, rounded to float32."""

    def __init__(self):
        self.drawn = {}

    def __call__(self, name, *sizes):
        if name not in self.drawn:
            s = 2 * uniform("inception:" + name, int(np.prod(sizes))) - 1
            if name.endswith(".conv.weight"):
                v = s * np.sqrt(6 / np.prod(sizes[1:]))
            elif name == "fc.weight":
                v = s * np.sqrt(3 / sizes[1])
            elif name.endswith(".bn.weight"):
                v = 1 + 0.3 * s
            elif name.endswith(".bn.running_var"):
                v = 1 + 0.9 * s
            else:
                v = 0.2 * s
            self.drawn[name] = torch.from_numpy(v.astype(np.float32).reshape(sizes))
        return self.drawn[name]


def network(p, images, of):
    """Features and scores of images in [0, 1], in the precision `of`."""
    get = lambda name, *sizes: p(name, *sizes).to(of)

    def conv(name, x, width, kernel=1, stride=1, padding=0):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        x = F.conv2d(x, get(name + ".conv.weight", width, x.shape[1], *kernel), None, stride, padding)
        mean, var = get(name + ".bn.running_mean", width), get(name + ".bn.running_var", width)
        gain, shift = get(name + ".bn.weight", width), get(name + ".bn.bias", width)
        return F.relu(F.batch_norm(x, mean, var, gain, shift, False, 0.0, 1e-3))

    halved = lambda x: F.max_pool2d(x, 3, 2)
    mean = lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    most = lambda x: F.max_pool2d(x, 3, 1, 1)
    row, column = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}

    def a(n, x, pool):
        five = conv(n + "5x5_2", conv(n + "5x5_1", x, 48), 64, 5, padding=2)
        three = conv(n + "3x3dbl_2", conv(n + "3x3dbl_1", x, 64), 96, 3, padding=1)
        three = conv(n + "3x3dbl_3", three, 96, 3, padding=1)
        return torch.cat([conv(n + "1x1", x, 64), five, three, conv(n + "_pool", mean(x), pool)], 1)

    def b(n, x):
        twice = conv(n + "3x3dbl_2", conv(n + "3x3dbl_1", x, 64), 96, 3, padding=1)
        return torch.cat([conv(n + "3x3", x, 384, 3, 2), conv(n + "3x3dbl_3", twice, 96, 3, 2), halved(x)], 1)

    def c(n, x, width):
        once = conv(n + "7x7_2", conv(n + "7x7_1", x, width), width, **row)
        once = conv(n + "7x7_3", once, 192, **column)
        twice = conv(n + "7x7dbl_2", conv(n + "7x7dbl_1", x, width), width, **column)
        twice = conv(n + "7x7dbl_4", conv(n + "7x7dbl_3", twice, width, **row), width, **column)
        twice = conv(n + "7x7dbl_5", twice, 192, **row)
        return torch.cat([conv(n + "1x1", x, 192), once, twice, conv(n + "_pool", mean(x), 192)], 1)

    def d(n, x):
        three = conv(n + "3x3_2", conv(n + "3x3_1", x, 192), 320, 3, 2)
        seven = conv(n + "7x7x3_2", conv(n + "7x7x3_1", x, 192), 192, **row)
        seven = conv(n + "7x7x3_4", conv(n + "7x7x3_3", seven, 192, **column), 192, 3, 2)
        return torch.cat([three, seven, halved(x)], 1)

    def e(n, x, pooled):
        def fork(m, y, names):
            return [conv(m + names[0], y, 384, (1, 3), padding=(0, 1)), conv(m + names[1], y, 384, (3, 1), padding=(1, 0))]

        once = fork(n + "3x3_", conv(n + "3x3_1", x, 384), ("2a", "2b"))
        twice = conv(n + "3x3dbl_2", conv(n + "3x3dbl_1", x, 448), 384, 3, padding=1)
        twice = fork(n + "3x3dbl_", twice, ("3a", "3b"))
        return torch.cat([conv(n + "1x1", x, 320), *once, *twice, conv(n + "_pool", pooled(x), 192)], 1)

    x = shown(images.to(of))
    x = conv("Conv2d_2a_3x3", conv("Conv2d_1a_3x3", x, 32, 3, 2), 32, 3)
    x = halved(conv("Conv2d_2b_3x3", x, 64, 3, padding=1))
    x = halved(conv("Conv2d_4a_3x3", conv("Conv2d_3b_1x1", x, 80), 192, 3))
    for letter, pool in zip("bcd", (32, 64, 64)):
        x = a(f"Mixed_5{letter}.branch", x, pool)
    x = b("Mixed_6a.branch", x)
    for letter, width in zip("bcde", (128, 160, 160, 192)):
        x = c(f"Mixed_6{letter}.branch", x, width)
    x = d("Mixed_7a.branch", x)
    x = e("Mixed_7c.branch", e("Mixed_7b.branch", x, mean), most)
    features = x.mean((2, 3))
    return features, F.linear(features, get("fc.weight", 1008, 2048), get("fc.bias", 1008))


def shown(images):
    """pytorch-fid's resizing and scaling; gray images are repeated first."""
    if images.shape[1] == 1:
        images = images.repeat(1, 3, 1, 1)
    return 2 * F.interpolate(images, size=(299, 299), mode="bilinear", align_corners=False) - 1


def drawn_images(text, *sizes):
    return torch.from_numpy(uniform(text, int(np.prod(sizes))).astype(np.float32).reshape(sizes))


def error(narrow, wide):
    return ((narrow.double() - wide).abs().max() / wide.abs().max()).item()


tensors, metadata = {}, {}
p = weights()
images = drawn_images("inception images", 2, 3, 37, 52)
with torch.no_grad():
    wide, narrow = network(p, images, torch.float64), network(p, images, torch.float32)
for what, of_wide, of_narrow in zip(("features", "scores"), wide, narrow):
    tensors[what] = of_wide.numpy()
    metadata[what + "_float32_error"] = repr(error(of_narrow, of_wide))
metadata["weights"] = "\n".join(" ".join([name, *map(str, v.shape)]) for name, v in p.drawn.items())
tensors["weight_sums"] = np.array([v.double().sum().item() for v in p.drawn.values()])

# Resizing: larger, smaller, gray, the same size and a single row; every 97th number.
for sizes in ((1, 3, 37, 52), (1, 3, 400, 310), (2, 1, 28, 28), (1, 3, 299, 299), (1, 1, 1, 5)):
    name = "x".join(map(str, sizes))
    images = drawn_images("resized " + name, *sizes)
    of_wide = shown(images.double())
    tensors["resized/" + name] = of_wide.flatten()[::97].contiguous().numpy()
    metadata["resized/" + name] = repr(error(shown(images), of_wide))

save_file(tensors, sys.argv[1], metadata)
print({k: v for k, v in metadata.items() if k != "weights"}, sum(v.numel() for v in p.drawn.values()))
