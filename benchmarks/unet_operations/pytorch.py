"""The same operations in PyTorch: oneDNN's convolutions, its own group norm, its fused attention."""
import pathlib
import re
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import torch
from peer import arguments, error, serve
from torch.nn import functional as F


def attention(name, given):
    """y from q, k and v side by side, (N,3C,H,W)."""
    heads = int(re.search(r"(\d+) heads", name)[1])

    def function(qkv):
        n, _, height, width = qkv.shape
        q, k, v = qkv.reshape(n, 3, heads, -1, height * width).transpose(3, 4).unbind(1)
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(2, 3).reshape(n, -1, height, width)
    return function, ("qkv",)


def norm(name, given):
    return lambda x, weight, bias: F.silu(F.group_norm(x, 32, weight, bias)), ("x", "weight", "bias")


def convolution(name, given):
    return lambda x, weight, bias: F.conv2d(x, weight, bias, padding=1), ("x", "weight", "bias")


def operation(name, given):
    """The function and the names of its arguments."""
    return (attention if "attention" in name else norm if "norm" in name else convolution)(name, given)


def results(name, given, dtype):
    function, names = operation(name, given)
    inputs = [given[n].to(dtype).requires_grad_() for n in names]
    y = function(*inputs)
    return {"y": y.detach(), **{"d" + n: d for n, d in zip(names, torch.autograd.grad(y, inputs, given["dy"].to(dtype)))}}


def timed(name, given, layout):
    """Forward without a graph, and backward along one that is kept."""
    function, names = operation(name, given)
    inputs = [given[n].to(memory_format=layout) if given[n].dim() == 4 else given[n] for n in names]
    dy = given["dy"].to(memory_format=layout)

    def forward():
        with torch.inference_mode():
            function(*inputs)

    graph = []

    def backward():
        if not graph:
            leaves = [i.clone().requires_grad_() for i in inputs]
            graph.extend([function(*leaves), leaves])
        torch.autograd.grad(graph[0], graph[1], dy, retain_graph=True)
    return forward, backward


def attention_core(name, given):
    """The same on q, k and v as attention takes them: a network pays for their order elsewhere."""
    heads = int(re.search(r"(\d+) heads", name)[1])
    n, channels, height, width = given["dy"].shape

    def ordered(x, count):
        return x.reshape(n, count, heads, channels // heads, height * width).transpose(3, 4).contiguous().unbind(1)

    q, k, v = (x.clone() for x in ordered(given["qkv"], 3))
    (dy,) = ordered(given["dy"], 1)

    def forward():
        with torch.inference_mode():
            F.scaled_dot_product_attention(q, k, v)

    graph = []

    def backward():
        if not graph:
            leaves = [i.clone().requires_grad_() for i in (q, k, v)]
            graph.extend([F.scaled_dot_product_attention(*leaves), leaves])
        torch.autograd.grad(graph[0], graph[1], dy, retain_graph=True)
    return forward, backward


def main():
    options, ours = arguments()
    errors, cases = {}, {}
    for name in dict.fromkeys(key.split("/")[0] for key in ours):
        given = {key.removeprefix(name + "/"): value for key, value in ours.items() if key.startswith(name + "/")}
        exact, theirs = results(name, given, torch.float64), results(name, given, torch.float32)
        for what in exact:
            errors[f"{name} {what}"] = {"ours": error(given["ours/" + what], exact[what]),
                                        "theirs": error(theirs[what], exact[what])}
        modes = {"core": attention_core(name, given)} if "attention" in name else {
            "contiguous": timed(name, given, torch.contiguous_format),
            "channels_last": timed(name, given, torch.channels_last)}
        cases[name + ", forward"] = {mode: functions[0] for mode, functions in modes.items()}
        cases[name + ", backward"] = {mode: functions[1] for mode, functions in modes.items()}
    serve(errors, cases)


main()
