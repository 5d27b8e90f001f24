#!/usr/bin/env python3
"""Folders of weights, there and back between this library and diffusers, where PyTorch is.

    pip install torch diffusers safetensors accelerate
    python tools/diffusers_round_trip.py PROGRAM [FOLDER]

PROGRAM: the built tests/diffusers_folder (golden/diffusers_folder.cpp). FOLDER: where the folders are written (a temporary one otherwise). It checks that
(a) diffusers reads a folder trained and written here without a missing, unexpected or mismatched key, has the bits of its float32 weights, and draws
images from it by the DDPM and the DDIM pipeline; (b) networks and schedulers that diffusers wrote come through this library with the same bits and
settings, give diffusers' float64 output within 1e-5 of its largest entry, and can be loaded there again; (c) pickled and split weights are refused here,
and the line of Python of docs/how-to/diffusers.md converts them."""
import json, pathlib, subprocess, sys, tempfile

try:
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
    from diffusers.utils import logging
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    sys.exit(f"{missing.name} is not installed, but this script needs it: pip install torch diffusers safetensors accelerate")

WEIGHTS = "diffusion_pytorch_model.safetensors"
SMALL = dict(sample_size=16, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4)
CONFIGS = {
    "plain": dict(SMALL, down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D")),
    "resnet": dict(SMALL, down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
                   resnet_time_scale_shift="scale_shift", attn_norm_num_groups=8, attention_head_dim=4, downsample_type="resnet", norm_eps=1e-6),
    "skip": dict(SMALL, block_out_channels=(16, 32), down_block_types=("SkipDownBlock2D", "AttnDownBlock2D"),
                 up_block_types=("AttnUpBlock2D", "SkipUpBlock2D"), attention_head_dim=None, downsample_padding=0),
    "classes": dict(SMALL, sample_size=(16, 24), down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
                    num_class_embeds=5, time_embedding_dim=24, flip_sin_to_cos=False, freq_shift=1, center_input_sample=True, mid_block_scale_factor=1.5),
}
SCHEDULERS = {
    "plain": DDPMScheduler(variance_type="fixed_large"),
    "resnet": DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="trailing", clip_sample_range=2.0),
    "skip": DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="linspace",
                          thresholding=True, sample_max_value=1.5, clip_sample=False),
    "classes": DDPMScheduler(num_train_timesteps=10, trained_betas=[0.01 * k for k in range(1, 11)], prediction_type="sample", steps_offset=1),
}


def run(program, *words):
    subprocess.run([program, *map(str, words)], check=True)


def require(holds, what):
    if not holds: sys.exit(f"FAILS: {what}")


def same_bits(a, b):
    return set(a) == set(b) and all(v.dtype == b[n].dtype and torch.equal(v, b[n]) for n, v in a.items())


def loaded(folder):
    """The model of a folder; nothing may be missing, unexpected or mismatched, and its weights have the bits of the file."""
    model, info = UNet2DModel.from_pretrained(folder, output_loading_info=True)
    require(not any(info.values()), f"{folder}: {info}")
    stored = load_file(folder / WEIGHTS)
    require(all(v.dtype == torch.float32 for v in stored.values()), f"{folder}: weights of float32")
    require(same_bits(model.state_dict(), stored), f"{folder}: the bits of the weights")
    print(f"{folder.parent.name}: {len(stored)} tensors; " + ", ".join(f"{n.removesuffix('_keys')} {len(v)}" for n, v in info.items()) + "; same bits")
    return model


def draws(pipeline, images=2, steps=5):
    pipeline.set_progress_bar_config(disable=True)
    out = pipeline(batch_size=images, num_inference_steps=steps, output_type="np", generator=torch.Generator().manual_seed(0)).images
    require(out.shape[0] == images and bool((out >= 0).all() and (out <= 1).all() and out.std() > 0), "images of a pipeline")
    return f"{type(pipeline).__name__} draws {'x'.join(map(str, out.shape))}, mean {out.mean():.3f}, deviation {out.std():.3f}"


def settings(scheduler):
    """What decides a chain and a run; a threshold between 1 and 1 is clipping."""
    c = {n: v for n, v in scheduler.config.items() if n[0] != "_"}
    clips = c["clip_sample"] and not c["thresholding"]
    for n, used in (("clip_sample_range", clips), ("dynamic_thresholding_ratio", c["thresholding"]), ("sample_max_value", c["thresholding"])):
        if not used: c.pop(n)
    if c["trained_betas"] is not None: c["trained_betas"] = list(c["trained_betas"])
    return c


def ours_to_diffusers(program, place):
    run(program, "make", place / "made")
    model = loaded(place / "made/unet")
    pipeline = DDPMPipeline.from_pretrained(place / "made")
    require(same_bits(pipeline.unet.state_dict(), model.state_dict()), "made: the pipeline's weights")
    print("made: " + draws(pipeline))
    print("made: " + draws(DDIMPipeline(pipeline.unet, DDIMScheduler.from_config(pipeline.scheduler.config))))


def diffusers_to_ours(program, place, name):
    torch.manual_seed(len(name))
    model, scheduler = UNet2DModel(**CONFIGS[name]).eval(), SCHEDULERS[name]
    kind = DDIMPipeline if isinstance(scheduler, DDIMScheduler) else DDPMPipeline
    kind(model, scheduler).save_pretrained(place / name)
    size = model.config.sample_size
    high, wide = size if isinstance(size, (tuple, list)) else (size, size)
    i = {"x": torch.randn(3, 3, high, wide), "t": torch.tensor([0.0, float(scheduler.config.num_train_timesteps // 2), scheduler.config.num_train_timesteps - 1.0])}
    if model.config.num_class_embeds: i["class_labels"] = torch.tensor([0, 4, 2])
    save_file(i, place / f"{name}_in.safetensors")
    run(program, "evaluate", place / name, place / f"{name}_in.safetensors", place / f"{name}_out.safetensors")
    ours = load_file(place / f"{name}_out.safetensors")["output"]
    run(program, "copy", place / name, place / f"{name}_copy")
    require(same_bits(loaded(place / f"{name}_copy/unet").state_dict(), model.state_dict()), f"{name}: weights through this library")
    again = type(scheduler).from_pretrained(place / f"{name}_copy/scheduler")
    require(settings(again) == settings(scheduler), f"{name}: scheduler {settings(again)} was {settings(scheduler)}")
    require(torch.equal(again.alphas_cumprod, scheduler.alphas_cumprod), f"{name}: the chain")
    was, now = (json.loads((place / n / "model_index.json").read_text()) for n in (name, f"{name}_copy"))
    require({k: v for k, v in was.items() if k != "_diffusers_version"} == now, f"{name}: model_index.json")
    with torch.no_grad(): theirs = model.double()(i["x"].double(), i["t"], i.get("class_labels")).sample
    error = float((ours.double() - theirs).abs().max() / theirs.abs().max())
    require(error <= 1e-5, f"{name}: output {error:.1e}")
    line = f"{name}: output within {error:.1e} of diffusers in float64; scheduler as it was"
    if not model.config.num_class_embeds:
        pipeline = kind.from_pretrained(place / f"{name}_copy")
        line += "; " + draws(pipeline)
    print(line)


def converted(program, place):
    model = UNet2DModel.from_pretrained(place / "plain/unet")
    for name, form in (("pickled", dict(safe_serialization=False)), ("split", dict(max_shard_size="40KB"))):
        model.save_pretrained(place / name, **form)
        words = [program, "evaluate", place / name, place / "plain_in.safetensors", place / f"{name}_out.safetensors"]
        refused = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        require(refused.returncode == 1 and name in refused.stderr and refused.stderr.count("\n") == 1, f"{name} weights: {refused.stderr}")
        UNet2DModel.from_pretrained(place / name).save_pretrained(place / f"{name}_converted", max_shard_size="100GB")
        run(program, "evaluate", place / f"{name}_converted", *words[3:])
        outputs = [load_file(place / f"{n}_out.safetensors")["output"] for n in ("plain", name)]
        require(torch.equal(*outputs), f"{name} weights after conversion")
        print(f"{name} weights: refused, and after conversion the same output")


def main(program, folder):
    logging.disable_progress_bar()
    torch.set_num_threads(2)
    place = pathlib.Path(folder)
    ours_to_diffusers(program, place)
    for name in CONFIGS: diffusers_to_ours(program, place, name)
    converted(program, place)
    print("all good")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3): sys.exit(__doc__)
    if len(sys.argv) == 3:
        pathlib.Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
        main(sys.argv[1], sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as temporary: main(sys.argv[1], temporary)
