"""The digit CNN in PyTorch, with the weights of the golden file."""
import math

import torch
from safetensors.torch import load_file
from torch import nn

from peer import GOLDEN


class Block(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 7, padding=3)
        self.norm = nn.LayerNorm((channels_out, 28, 28))

    def forward(self, x):
        return nn.functional.gelu(self.norm(self.conv(x)))


class DigitCNN(nn.Module):
    def __init__(self, widths=(16, 32, 32, 16)):
        super().__init__()
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip((1, *widths), widths))
        self.final = nn.Conv2d(widths[-1], 1, 3, padding=1)
        sizes = (32, 128, 128, 128, widths[0])
        self.time = nn.Sequential()
        for k, (a, b) in enumerate(zip(sizes, sizes[1:])):
            self.time.append(nn.Linear(a, b))
            if k < 3:
                self.time.append(nn.GELU())
        frequencies = [0.0] + [2 * math.pi * 1.5**k for k in range(15)]
        self.register_buffer("frequencies", torch.tensor(frequencies, dtype=torch.float64), persistent=False)

    def forward(self, x, t):
        angle = t.double()[:, None] * self.frequencies
        features = torch.cat([torch.sin(angle), torch.cos(angle) - 1], 1).to(x.dtype)
        x = self.blocks[0](x) + self.time(features)[:, :, None, None]
        for block in self.blocks[1:]:
            x = block(x)
        return self.final(x)


def golden_network(dtype=torch.float32):
    network = DigitCNN()
    weights = {n.removeprefix("param/"): v for n, v in load_file(GOLDEN).items() if n.startswith("param/")}
    network.load_state_dict(weights)
    return network.to(dtype)


def gradients_of(network, x, t, target):
    """Output, loss and the gradient in each parameter."""
    network.zero_grad()
    out = network(x, t)
    loss = nn.functional.mse_loss(out, target)
    loss.backward()
    return {"output": out.detach(), "loss": loss.detach().reshape(1),
            **{"grad/" + n: p.grad for n, p in network.named_parameters()}}


def modes(quick):
    """Ways to run a network: name, memory format, whether compiled, whether in bfloat16."""
    yield "eager", torch.contiguous_format, False, False
    yield "channels_last", torch.channels_last, False, False
    yield "bfloat16", torch.contiguous_format, False, True
    if not quick:
        yield "compile", torch.contiguous_format, True, False
        yield "bfloat16 compile", torch.contiguous_format, True, True


def prepared(memory_format, compiled):
    network = golden_network().to(memory_format=memory_format)
    return torch.compile(network) if compiled else network
