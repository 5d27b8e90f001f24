#!/usr/bin/env python3
"""Writes metrics.safetensors: metrics of images and of learned features, and a classifier, as other libraries compute them in float64.

    python3 make_metrics.py metrics.safetensors

It needs numpy, scipy, scikit-image, scikit-learn, PyTorch and safetensors.
"""
import sys

import numpy as np
import scipy.linalg
import skimage.metrics
import sklearn.metrics.pairwise
import sklearn.neighbors
import torch
from safetensors.numpy import save_file

random = np.random.default_rng(20)
tensors = {}


def kernel_distance(a, b):
    """The unbiased squared MMD of Binkowski et al. 2018 under scikit-learn's polynomial kernel."""
    kernel = lambda x, y: sklearn.metrics.pairwise.polynomial_kernel(x, y, degree=3, coef0=1)
    aa, bb, n, m = kernel(a, a), kernel(b, b), len(a), len(b)
    return (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1)) - 2 * kernel(a, b).mean()


def frechet(a, b):
    """Heusel et al. 2017, with scipy's square root of a matrix."""
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(s @ t).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t - 2 * root)


def inside(x, centers, k):
    """The share of x in the balls of Kynkaanniemi et al. 2019 around the centers."""
    near = sklearn.neighbors.NearestNeighbors(n_neighbors=k + 1).fit(centers)
    radii = near.kneighbors(centers)[0][:, -1]
    return (sklearn.metrics.pairwise.euclidean_distances(x, centers) <= radii).any(1).mean()


def inception_score(p, splits):
    """Salimans et al. 2016, as their code cuts the rows."""
    scores = []
    for i in range(splits):
        part = p[i * len(p) // splits : (i + 1) * len(p) // splits]
        kl = part * (np.log(part) - np.log(part.mean(0, keepdims=True)))
        scores.append(np.exp(kl.sum(1).mean()))
    return [np.mean(scores), np.std(scores)]


# Features as those of a network: positive, correlated, of unlike sizes.
mix = random.normal(size=(12, 12))
a = np.maximum(random.normal(size=(150, 12)) @ mix, 0) * np.linspace(0.2, 2, 12)
b = np.maximum((random.normal(size=(130, 12)) * 1.1 + 0.2) @ mix, 0) * np.linspace(0.2, 2, 12)
tensors["a"], tensors["b"] = a, b
tensors["frechet"] = np.array([frechet(a, b)])
tensors["kernel_distance"] = np.array([kernel_distance(a, b), kernel_distance(a, a[::-1])])
tensors["precision_recall"] = np.array([[inside(b, a, k), inside(a, b, k)] for k in (1, 3, 5)])
scores = random.normal(size=(103, 7)) * 2
p = np.exp(scores - scores.max(1, keepdims=True))
p /= p.sum(1, keepdims=True)
tensors["probabilities"] = p
tensors["inception_score"] = np.array([inception_score(p, s) for s in (1, 4, 10)])
sizes = np.array([50.0, 75, 100, 150, 200, 400])
distances = 3.5 + 120 / sizes + random.normal(size=6) * 0.01
slope, infinite = np.polyfit(1 / sizes, distances, 1)
tensors["line/sizes"], tensors["line/distances"] = sizes, distances
tensors["line/fit"] = np.array([infinite, slope])

# A classifier of widths 4 and 8, 6 features and 3 classes, and its cross-entropy with label smoothing.
torch.manual_seed(3)
torch.set_default_dtype(torch.float64)


class classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = torch.nn.ModuleList()
        before = 2
        for width in (4, 8):
            stage = torch.nn.Module()
            stage.conv1 = torch.nn.Conv2d(before, width, 3, padding=1)
            stage.norm1 = torch.nn.GroupNorm(width // 2, width)
            stage.conv2 = torch.nn.Conv2d(width, width, 3, padding=1)
            stage.norm2 = torch.nn.GroupNorm(width // 2, width)
            self.stages.append(stage)
            before = width
        self.features = torch.nn.Linear(32, 6)
        self.scores = torch.nn.Linear(6, 3)

    def forward(self, x):
        silu = torch.nn.functional.silu
        for stage in self.stages:
            x = silu(stage.norm1(stage.conv1(x)))
            x = torch.nn.functional.max_pool2d(silu(stage.norm2(stage.conv2(x))), 2)
        features = silu(self.features(x.flatten(1)))
        return features, self.scores(features)


net = classifier()
with torch.no_grad():
    for parameter in net.parameters():
        parameter.copy_((parameter + 0.1 * torch.randn_like(parameter)).float().double())
x = torch.randn(5, 2, 9, 8).float().double()
labels = torch.tensor([2, 0, 1, 1, 2])
features, scores = net(x)
loss = torch.nn.functional.cross_entropy(scores, labels, reduction="none", label_smoothing=0.1)
scores.retain_grad()
loss.mean().backward()
for name, parameter in net.named_parameters():
    tensors["param/" + name] = parameter.detach().numpy().astype(np.float32)
    tensors["grad/" + name] = parameter.grad.numpy()
tensors["x"], tensors["labels"] = x.numpy().astype(np.float32), labels.numpy().astype(np.int32)
tensors["features"], tensors["scores"] = features.detach().numpy(), scores.detach().numpy()
tensors["loss"], tensors["grad_scores"] = loss.detach().numpy(), scores.grad.numpy()

# Restored images of two channels and their truths: each image has four times the error of the one before it.
random = np.random.default_rng(2004)
truth = random.uniform(size=(4, 2, 13, 16))
restored = truth + random.normal(size=truth.shape) * np.array([0.01, 0.04, 0.16, 0.64]).reshape(4, 1, 1, 1)
ssim_of = lambda x, y, span: skimage.metrics.structural_similarity(
    x, y, data_range=span, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
psnr_of = lambda x, y, span: skimage.metrics.peak_signal_noise_ratio(y, x, data_range=span)
tensors["restored"], tensors["truth"] = restored, truth
for name, of in (("psnr", psnr_of), ("ssim", ssim_of)):
    tensors[name] = np.array([[of(x, y, span) for x, y in zip(restored, truth)] for span in (1.0, 2.0)])

save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, sys.argv[1])
