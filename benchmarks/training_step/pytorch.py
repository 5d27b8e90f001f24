"""The same training step in PyTorch."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import torch
from digit_network import golden_network, gradients_of, modes, prepared
from peer import arguments, error, serve


def main():
    options, ours = arguments()
    x, t, target = ours["x"], ours["t"], ours["target"]
    exact = gradients_of(golden_network(torch.float64), x.double(), t, target.double())
    theirs = gradients_of(golden_network(), x, t, target)
    errors = {name: {"ours": error(ours["ours/" + name], exact[name]), "theirs": error(theirs[name], exact[name])}
              for name in exact}

    def stepper(memory_format, compiled, low):
        network = prepared(memory_format, compiled)
        optimiser = torch.optim.Adam(network.parameters(), lr=2e-4, fused=True)
        images = x.to(memory_format=memory_format)

        def step():
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = torch.nn.functional.mse_loss(network(images, t), target)
            loss.backward()
            optimiser.step()
        return step

    serve(errors, {"batch 128": {name: stepper(f, c, low) for name, f, c, low in modes(options.quick)}})


main()
