#!/usr/bin/env python3
"""The losses of a U-Net in training, here and in PyTorch, from the same first weights and draws.

    pip install torch diffusers safetensors accelerate
    python tools/compare_training.py PROGRAM DATA [--steps 300] [--batch-size 32] [--widths 32,64,64] [--labels] [--flip]

PROGRAM: the built program images. DATA: a folder of CIFAR-10's binary batches. Both train the network that diffusers makes and
initializes. The order of the images, their flips, times and noise are those of this library (core/noise.hpp, data/loader.hpp), computed
again here. It prints the means of both losses over blocks of steps, and ends with 1 if the means of all steps differ by more than 1 %."""
import argparse, csv, gzip, pathlib, subprocess, sys, tempfile

import numpy as np

try:
    import torch
    from diffusers import DDPMScheduler, UNet2DModel
except ImportError as missing:
    sys.exit(f"{missing.name} is not installed, but this script needs it: pip install torch diffusers safetensors accelerate")

TRAINING, TIMES, SHUFFLE, FLIPS = 2, 3, 4, 13  # places in noise_stream
U32 = np.uint64(0xFFFFFFFF)


def words(stream, step, image, block):
    """random_words of core/noise.hpp under seed 0: Philox4x32-10 (Salmon et al. 2011), four arrays of 32-bit words."""
    shape = np.broadcast_shapes(np.shape(image), np.shape(block))
    c = [np.broadcast_to(np.asarray(x, np.uint64), shape) for x in (block, step, image, stream << 24)]
    k0, k1 = np.uint64(0), np.uint64(0)
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(q >> np.uint64(32)) ^ c[1] ^ k0, q & U32, (p >> np.uint64(32)) ^ c[3] ^ k1, p & U32]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & U32, (k1 + np.uint64(0xBB67AE85)) & U32
    return c


def bits(stream, step, image, index):
    """The 64 bits behind the uniform number of an element."""
    index = np.asarray(index, np.uint64)
    w = words(stream, step, image, index // np.uint64(2))
    odd = index % np.uint64(2) == 1
    return (np.where(odd, w[2], w[0]) << np.uint64(32)) | np.where(odd, w[3], w[1])


def uniform(stream, step, image, index):
    return (bits(stream, step, image, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normals(step, batch, elements):
    w = words(TRAINING, step, np.arange(batch)[:, None], np.arange((elements + 3) // 4)[None, :])
    radius = [np.sqrt(-2 * np.log(w[k].astype(np.float64) * 2.0**-32 + 2.0**-33)) for k in (0, 2)]
    turn = [2 * np.pi * w[k].astype(np.float64) * 2.0**-32 for k in (1, 3)]
    z = np.stack([radius[0] * np.cos(turn[0]), radius[0] * np.sin(turn[0]), radius[1] * np.cos(turn[1]), radius[1] * np.sin(turn[1])], -1)
    return z.reshape(batch, -1)[:, :elements].astype(np.float32)


def order(images, epoch):
    """The permutation of an epoch (shuffling_loader)."""
    raw = bits(SHUFFLE, 0, epoch, np.arange(images))
    numbers = list(range(images))
    for i in range(images - 1, 0, -1):
        j = int(raw[i]) * (i + 1) >> 64
        numbers[i], numbers[j] = numbers[j], numbers[i]
    return numbers


def times(step, batch, chain):
    """Stratified indices from 0 on (time_distribution)."""
    turn = uniform(TIMES, step, 0, 0) + np.arange(batch) / batch
    u = turn - np.floor(turn)
    return np.minimum(chain - 1, (u * chain).astype(np.int64))


def cifar(folder, count):
    files = sorted(p for p in folder.iterdir() if p.name.startswith("data_batch") and ".bin" in p.name)
    if not files: sys.exit(f"{folder} must have CIFAR-10's data_batch_1.bin, but has not")
    raw = b"".join((gzip.open(p) if p.suffix == ".gz" else p.open("rb")).read() for p in files)
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)
    if count > len(records): sys.exit(f"the images of all steps are {count}, but there are {len(records)}: ask for fewer steps or a smaller batch")
    records = records[np.arange(count) * len(records) // count]
    return records[:, 1:].astype(np.float32).reshape(-1, 3, 32, 32) / np.float32(255) * 2 - 1, records[:, 0].astype(np.int64)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--widths", default="32,64,64")
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--labels", action="store_true", help="train with the labels")
    parser.add_argument("--flip", action="store_true", help="mirror images at random")
    chosen = parser.parse_args()
    widths = tuple(int(w) for w in chosen.widths.split(","))
    levels, batch = len(widths), chosen.batch_size
    images, labels = cifar(chosen.data, chosen.steps * batch)

    torch.manual_seed(0)
    network = UNet2DModel(sample_size=32, in_channels=3, out_channels=3, block_out_channels=widths, layers_per_block=2,
                          norm_num_groups=min(32, min(widths) // 2), attention_head_dim=32,
                          down_block_types=("DownBlock2D",) * (levels - 1) + ("AttnDownBlock2D",),
                          up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * (levels - 1),
                          num_class_embeds=10 if chosen.labels else None)
    scheduler = DDPMScheduler()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        network.save_pretrained(folder / "model")
        scheduler.save_pretrained(folder / "model" / "scheduler")
        command = [chosen.program, "train", "--from", folder / "model", "--data", chosen.data, "--images", str(len(images)), "--test-images", "0",
                   "--epochs", "1", "--batch-size", str(batch), "--learning-rate", str(chosen.learning_rate), "--warmup-steps", "0",
                   "--count", "1", "--labels", "0" if chosen.labels else "none", "--steps", "1", "--out", folder / "run"]
        command += ["--label-dropout", "0"] if chosen.labels else ["--no-labels"]
        command += ["--flip"] if chosen.flip else []
        subprocess.run([str(word) for word in command], check=True)
        with open(folder / "run" / "loss.csv") as file: ours = np.array([float(row["loss"]) for row in csv.DictReader(file)])

    optimizer = torch.optim.Adam(network.parameters(), lr=chosen.learning_rate)
    gain = scheduler.alphas_cumprod
    numbers, theirs = order(len(images), 0), []
    network.train()
    for step in range(chosen.steps):
        places = numbers[step * batch:(step + 1) * batch]
        x = images[places]
        if chosen.flip:
            mirrored = uniform(FLIPS, step, np.arange(batch), 0) < 0.5
            x = np.where(mirrored[:, None, None, None], x[..., ::-1], x)
        t = torch.from_numpy(times(step, batch, len(gain)))
        noise = torch.from_numpy(normals(step, batch, x[0].size).reshape(x.shape))
        a = gain[t][:, None, None, None]
        noisy = a.sqrt() * torch.from_numpy(np.ascontiguousarray(x)) + (1 - a).sqrt() * noise
        of = torch.from_numpy(labels[places]) if chosen.labels else None
        loss = torch.nn.functional.mse_loss(network(noisy, t, class_labels=of).sample, noise)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        theirs.append(loss.item())
    theirs = np.array(theirs)

    block = max(1, chosen.steps // 10)
    print("steps           softscore     PyTorch  difference")
    for first in range(0, chosen.steps, block):
        a, b = ours[first:first + block].mean(), theirs[first:first + block].mean()
        print(f"{first + 1:5} to {min(first + block, chosen.steps):5}  {a:10.6f}  {b:10.6f}  {100 * (a / b - 1):8.3f} %")
    difference = ours.mean() / theirs.mean() - 1
    print(f"all             {ours.mean():10.6f}  {theirs.mean():10.6f}  {100 * difference:8.3f} %; "
          f"first step {ours[0]:.7f} and {theirs[0]:.7f}; largest of a step {100 * np.abs(ours / theirs - 1).max():.2f} %")
    return 0 if abs(difference) <= 0.01 else 1


if __name__ == "__main__":
    sys.exit(main())
