#!/usr/bin/env python3
"""Reads a folder that save_diffusers wrote with diffusers itself, where PyTorch is: every key is there and no other, the
weights have the bits of the file, and a pipeline samples from them.

    pip install torch diffusers safetensors
    python check_folder.py FOLDER [OTHER]     OTHER: a folder whose weights must be the same bits
"""
import pathlib, sys

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file


def weights(folder):
    return load_file(pathlib.Path(folder) / "diffusion_pytorch_model.safetensors")


def main(folder, other=None):
    model, report = UNet2DModel.from_pretrained(folder, output_loading_info=True)
    for kind, names in report.items():
        assert not names, f"{kind}: {names}"
    state, stored = model.state_dict(), weights(folder)
    assert set(state) == set(stored)
    for name, value in stored.items():
        assert value.dtype == torch.float32 and torch.equal(state[name], value), name
    if other:
        theirs = weights(other)
        assert all(torch.equal(stored[name], theirs[name].float()) for name in stored), "other weights"
    if (pathlib.Path(folder) / "scheduler_config.json").exists():
        pipeline = DDPMPipeline(unet=model, scheduler=DDPMScheduler.from_pretrained(folder))
        images = pipeline(batch_size=2, num_inference_steps=5, output_type="np").images
        assert images.shape[0] == 2 and (images == images).all()
    print(f"{folder}: {len(stored)} tensors, nothing missing, unexpected or mismatched")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3): sys.exit(__doc__)
    main(*sys.argv[1:])
