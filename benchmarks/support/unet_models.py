"""The U-Nets that are timed, in plain PyTorch: diffusers' UNet2DModel with its parameter names."""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Config:
    """Blocks of one letter per level: a has attention."""

    def __init__(self, channels, widths, blocks, heads=8, groups=32, classes=0, padding=1, sine_first=False, shift=0,
                 eps=1e-5):
        self.channels, self.widths, self.blocks, self.heads, self.groups = channels, widths, blocks, heads, groups
        self.classes, self.padding, self.sine_first, self.shift, self.eps = classes, padding, sine_first, shift, eps


MODELS = {"(a)": Config(3, (32, 64, 64), "-a-"),
          "(b)": Config(3, (64, 128, 128, 256), "--aa"),
          "(c)": Config(3, (128, 256, 256, 256), "-a--", heads=None, padding=0, sine_first=True, shift=1, eps=1e-6),
          "(d)": Config(1, (32, 64, 64), "-aa", groups=8, classes=10)}
BATCHES = {"(a)": (32,), "(b)": (16,), "(c)": (8, 32), "(d)": (64,)}


def side_of(config):
    """Of its images: digits or not."""
    return 28 if config.classes else 32


class Resnet(nn.Module):
    def __init__(self, c, inputs, outputs):
        super().__init__()
        self.norm1 = nn.GroupNorm(c.groups, inputs, c.eps)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * c.widths[0], outputs)
        self.norm2 = nn.GroupNorm(c.groups, outputs, c.eps)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(embedding)[:, :, None, None]
        return self.conv_shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, c, channels):
        super().__init__()
        self.heads = channels // c.heads if c.heads else 1
        self.group_norm = nn.GroupNorm(c.groups, channels, c.eps)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(channels, channels))

    def forward(self, x):
        n, channels, height, width = x.shape
        h = self.group_norm(x.flatten(2)).transpose(1, 2)
        q, k, v = (of(h).unflatten(2, (self.heads, -1)).transpose(1, 2) for of in (self.to_q, self.to_k, self.to_v))
        h = self.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + h.transpose(1, 2).unflatten(2, (height, width))


class Downsample(nn.Module):
    def __init__(self, c, channels):
        super().__init__()
        self.padded = c.padding == 0
        self.conv = nn.Conv2d(channels, channels, 3, 2, padding=c.padding)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.padded else x)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks with attention where there is any, and what changes the resolution."""

    def __init__(self, c, block, sizes, down=None, up=None):
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(c, *size) for size in sizes)
        if block == "a":
            self.attentions = nn.ModuleList(Attention(c, size[1]) for size in sizes)
        self.attends = block == "a"
        if down:
            self.downsamplers = nn.ModuleList([Downsample(c, down)])
        if up:
            self.upsamplers = nn.ModuleList([Upsample(up)])

    def step(self, k, x, embedding):
        x = self.resnets[k](x, embedding)
        return self.attentions[k](x) if self.attends else x


class Middle(nn.Module):
    def __init__(self, c, channels):
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(c, channels, channels) for _ in range(2))
        self.attentions = nn.ModuleList([Attention(c, channels)])

    def forward(self, x, embedding):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, embedding)), embedding)


class Mlp(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(inputs, outputs), nn.Linear(outputs, outputs)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class UNet(nn.Module):
    layers = 2  # of a level down, one more up

    def __init__(self, c):
        super().__init__()
        self.c, widths, last = c, c.widths, len(c.widths) - 1
        self.conv_in = nn.Conv2d(c.channels, widths[0], 3, padding=1)
        self.time_embedding = Mlp(widths[0], 4 * widths[0])
        if c.classes:
            self.class_embedding = nn.Embedding(c.classes, 4 * widths[0])
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for k, (block, of) in enumerate(zip(c.blocks, widths)):
            sizes = [(width if j == 0 else of, of) for j in range(self.layers)]
            self.down_blocks.append(Level(c, block, sizes, down=of if k < last else None))
            skips += [of] * (self.layers + (k < last))
            width = of
        self.mid_block = Middle(c, width)
        for k, (block, of) in enumerate(zip(reversed(c.blocks), reversed(widths))):
            sizes = []
            for _ in range(self.layers + 1):
                sizes.append((width + skips.pop(), of))
                width = of
            self.up_blocks.append(Level(c, block, sizes, up=of if k < last else None))
        self.conv_norm_out = nn.GroupNorm(c.groups, widths[0], c.eps)
        self.conv_out = nn.Conv2d(widths[0], c.channels, 3, padding=1)

    def features(self, t, dtype):
        half = self.c.widths[0] // 2
        rates = torch.exp(-math.log(10000) / (half - self.c.shift) * torch.arange(half, dtype=torch.float64))
        angles = t.double()[:, None] * rates
        parts = (angles.sin(), angles.cos()) if self.c.sine_first else (angles.cos(), angles.sin())
        return torch.cat(parts, 1).to(dtype)

    def forward(self, x, t, labels=None):
        embedding = self.time_embedding(self.features(t, x.dtype))
        if labels is not None:
            embedding = embedding + self.class_embedding(labels)
        embedding = F.silu(embedding)
        x = self.conv_in(x)
        skips = [x]
        for level in self.down_blocks:
            for k in range(self.layers):
                x = level.step(k, x, embedding)
                skips.append(x)
            if hasattr(level, "downsamplers"):
                x = level.downsamplers[0](x)
                skips.append(x)
        x = self.mid_block(x, embedding)
        for level in self.up_blocks:
            for k in range(self.layers + 1):
                x = level.step(k, torch.cat([x, skips.pop()], 1), embedding)
            if hasattr(level, "upsamplers"):
                x = level.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))
