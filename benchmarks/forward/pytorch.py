"""The same evaluations in PyTorch."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
from digit_network import forward_errors, forward_modes, golden_network
from peer import arguments, serve


def main():
    options, ours = arguments()
    serve(forward_errors(ours, golden_network),
          {f"batch {count}": forward_modes(ours, golden_network, count, options.quick) for count in (128, 16, 1)})


main()
