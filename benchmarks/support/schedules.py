"""The schedulers of diffusers on ours: 100 steps of a linear beta schedule of 1000, and the same steps in float64."""
import contextlib
import math
from unittest import mock

import torch
from diffusers import DDIMScheduler, DDPMScheduler

COMMON = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear",
          "clip_sample": False, "timestep_spacing": "trailing"}


def scheduler(name):
    chosen = DDPMScheduler(variance_type="fixed_large", **COMMON) if name == "ddpm" else DDIMScheduler(**COMMON)
    chosen.set_timesteps(100)
    return chosen


def abar(index):
    """The signal's share of the variance after `index` of 1000 steps."""
    return math.exp(sum(math.log1p(-(1e-4 + i * (0.02 - 1e-4) / 999)) for i in range(index)))


def exact_step(name, index, x, phi, noise):
    """From index to index - 10, by the papers' formulas in the precision of x."""
    now, then = abar(index), abar(index - 10)
    clean = (x - math.sqrt(1 - now) * phi) / math.sqrt(now)
    if index == 10:
        return clean
    if name == "ddim":
        return math.sqrt(then) * clean + math.sqrt(1 - then) * phi
    alpha = now / then
    mean = (math.sqrt(then) * (1 - alpha) * clean + math.sqrt(alpha) * (1 - then) * x) / (1 - now)
    return mean + math.sqrt(1 - alpha) * noise


@contextlib.contextmanager
def given_noise(draws):
    """Lets the ancestral scheduler draw these arrays."""
    remaining = iter(draws)
    with mock.patch("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *a, **k: next(remaining)):
        yield
