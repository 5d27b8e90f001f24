"""The same training step and sampling in PyTorch on a GPU: eager and in a CUDA graph, TF32 off and on. One line of JSON."""
import json
import pathlib
import sys
import time

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import torch
from digit_network import PlainCNN


def seconds_of(function, count):
    for _ in range(5):
        function()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(count):
        function()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / count


def captured(function):
    """The function as a graph, after some calls on another stream, as PyTorch wants it."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


def training_step(as_graph):
    """DDPM's loss, clipping at norm 1, Adam and an average, on images that are on the device already."""
    network = PlainCNN().cuda()
    parameters = list(network.parameters())
    average = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=2e-4, fused=True, capturable=True)
    images = torch.rand(128, 1, 28, 28, device="cuda")
    kept = torch.linspace(0.9999, 0.0001, 1000, device="cuda")

    def step():
        optimizer.zero_grad(set_to_none=not as_graph)
        index = torch.randint(0, 1000, (128,), device="cuda")
        noise, a = torch.randn_like(images), kept[index].sqrt()[:, None, None, None]
        noisy = a * images + (1 - a * a).sqrt() * noise
        loss = torch.nn.functional.mse_loss(network(noisy, (index + 1) / 1000), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        torch._foreach_lerp_(average, parameters, 1e-3)

    return seconds_of(captured(step) if as_graph else step, 500)


@torch.no_grad()
def sampling(as_graph):
    """One step of DDPM's sampler on 64 images, a hundred times."""
    network = PlainCNN().cuda().eval()
    x = torch.randn(64, 1, 28, 28, device="cuda")
    t = torch.full((64,), 0.5, device="cuda")

    def step():
        x.copy_(0.999 * (x - 0.01 * network(x, t)) + 0.01 * torch.randn_like(x))

    one = captured(step) if as_graph else step
    return seconds_of(lambda: [one() for _ in range(100)], 10)


def main():
    if not torch.cuda.is_available():
        print("there is no device, or this PyTorch cannot use it", file=sys.stderr)
        return 77
    result = {"versions": {"torch": torch.__version__}}
    for tf32 in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
        for as_graph in (False, True):
            mode = ("graph" if as_graph else "eager") + (", TF32" if tf32 else "")
            result.setdefault("training step", {})[mode] = training_step(as_graph)
            result.setdefault("sampling", {})[mode] = sampling(as_graph)
    print(json.dumps(result))
    return 0


sys.exit(main())
