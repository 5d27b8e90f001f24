"""The plain CNN in PyTorch: with which weights, how it is compared with ours, and in which ways it is timed."""
import math

import torch
from safetensors.torch import load_file
from torch import nn

from peer import GOLDEN, error

TIME = 0.4  # of an evaluation


class Block(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 7, padding=3)
        self.norm = nn.LayerNorm((channels_out, 28, 28))

    def forward(self, x):
        return nn.functional.gelu(self.norm(self.conv(x)))


class PlainCNN(nn.Module):
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


def network_of(tensors, dtype=torch.float32, **arguments):
    """The network with the tensors named param/..."""
    network = PlainCNN(**arguments)
    network.load_state_dict({n.removeprefix("param/"): v for n, v in tensors.items() if n.startswith("param/")})
    return network.to(dtype)


def golden_network(dtype=torch.float32):
    return network_of(load_file(GOLDEN), dtype)


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


def evaluated(network, x):
    with torch.inference_mode():
        return network(x, torch.full((len(x),), TIME, dtype=torch.float64))


def training_errors(ours, make):
    """Of output, loss and all gradients, ours and theirs; make(dtype) gives the network."""
    x, t, target = ours["x"], ours["t"], ours["target"]
    exact = gradients_of(make(torch.float64), x.double(), t, target.double())
    theirs = gradients_of(make(), x, t, target)
    return {name: {"ours": error(ours["ours/" + name], exact[name]), "theirs": error(theirs[name], exact[name])}
            for name in exact}


def forward_errors(ours, make):
    exact = evaluated(make(torch.float64), ours["x"].double())
    return {"evaluation": {"ours": error(ours["ours/evaluated"], exact),
                           "theirs": error(evaluated(make(), ours["x"]), exact)}}


def prepared(make, memory_format, compiled):
    network = make().to(memory_format=memory_format)
    return torch.compile(network) if compiled else network


def training_modes(ours, make, quick):
    """Ways to do a training step: {mode: function}."""
    def stepper(memory_format, compiled, low):
        network = prepared(make, memory_format, compiled)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, fused=True)
        images, t, target = ours["x"].to(memory_format=memory_format), ours["t"], ours["target"]

        def step():
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = torch.nn.functional.mse_loss(network(images, t), target)
            loss.backward()
            optimizer.step()
        return step

    return {name: stepper(f, c, low) for name, f, c, low in modes(quick)}


def forward_modes(ours, make, count, quick):
    """Ways to evaluate `count` images."""
    def evaluation(memory_format, compiled, low):
        network = prepared(make, memory_format, compiled)
        images, times = ours["x"][:count].to(memory_format=memory_format), torch.full((count,), TIME, dtype=torch.float64)

        def evaluate():
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=low):
                network(images, times)
        return evaluate

    return {name: evaluation(f, c, low) for name, f, c, low in modes(quick)}
