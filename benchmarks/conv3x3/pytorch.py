"""The same convolutions in PyTorch, whose kernels are oneDNN's."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import torch
from peer import arguments, error, serve


def backward(x, weight, dy):
    return torch.ops.aten.convolution_backward(dy, x, weight, [weight.shape[0]], [1, 1], [1, 1], [1, 1], False, [0, 0], 1,
                                               [True, True, True])


def results(x, weight, bias, dy):
    dx, dweight, dbias = backward(x, weight, dy)
    return {"y": torch.nn.functional.conv2d(x, weight, bias, padding=1), "dx": dx, "dweight": dweight, "dbias": dbias}


def main():
    options, ours = arguments()
    errors, cases = {}, {}
    for name in sorted({key.split("/")[0] for key in ours}, reverse=True):
        given = [ours[f"{name}/{what}"] for what in ("x", "weight", "bias", "dy")]
        exact, theirs = results(*(v.double() for v in given)), results(*given)
        for what in exact:
            errors[f"{name} {what}"] = {"ours": error(ours[f"{name}/ours/{what}"], exact[what]),
                                        "theirs": error(theirs[what], exact[what])}
        cases[name + " forward"], cases[name + " backward"] = {}, {}
        for mode, layout in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
            x, weight, dy = (v.to(memory_format=layout) for v in (given[0], given[1], given[3]))
            cases[name + " forward"][mode] = lambda x=x, w=weight, b=given[2]: torch.nn.functional.conv2d(x, w, b, padding=1)
            cases[name + " backward"][mode] = lambda x=x, w=weight, d=dy: backward(x, w, d)
    with torch.inference_mode():
        serve(errors, cases)


main()
