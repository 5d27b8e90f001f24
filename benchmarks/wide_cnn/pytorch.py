"""The same wide network in PyTorch, with our weights."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import torch
from digit_network import forward_errors, forward_modes, network_of, training_errors, training_modes
from peer import arguments, serve


def main():
    options, ours = arguments()

    def make(dtype=torch.float32):
        return network_of(ours, dtype, widths=(16, 32, 64, 32, 16))

    serve({**training_errors(ours, make), **forward_errors(ours, make)},
          {"training step": training_modes(ours, make, options.quick),
           "forward": forward_modes(ours, make, 128, options.quick)})


main()
