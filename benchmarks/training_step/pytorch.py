"""The same training step in PyTorch."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
from digit_network import golden_network, training_errors, training_modes
from peer import arguments, serve


def main():
    options, ours = arguments()
    serve(training_errors(ours, golden_network),
          {"batch 128": training_modes(ours, golden_network, options.quick)})


main()
