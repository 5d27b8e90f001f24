"""The same evaluations in PyTorch."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import torch
from digit_network import golden_network, modes, prepared
from peer import arguments, error, serve


def main():
    options, ours = arguments()
    x, t = ours["x"], ours["t"]
    with torch.inference_mode():
        exact = golden_network(torch.float64)(x.double(), t)
        theirs = golden_network()(x, t)
    errors = {"output": {"ours": error(ours["ours/output"], exact), "theirs": error(theirs, exact)}}

    def evaluation(count, memory_format, compiled, low):
        network = prepared(memory_format, compiled)
        images, times = x[:count].to(memory_format=memory_format), t[:count]

        def evaluate():
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=low):
                network(images, times)
        return evaluate

    serve(errors, {f"batch {count}": {name: evaluation(count, f, c, low) for name, f, c, low in modes(options.quick)}
                   for count in (128, 16, 1)})


main()
