"""The same sampling: PyTorch's network under the scheduler of diffusers."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import diffusers
import torch
from digit_network import golden_network, modes, prepared
from peer import arguments, error, serve
from schedules import exact_step, given_noise, scheduler


def draw(network, chosen, x, generator=None):
    for t in chosen.timesteps:
        times = torch.full((len(x),), (int(t) + 1) / 1000)
        x = chosen.step(network(x, times), t, x, generator=generator).prev_sample
    return x


def main():
    options, ours = arguments()
    x, noise = ours["x"], ours["noise"]
    with torch.inference_mode():
        # The scheduler adds noise to its last step too, where ours returns the estimate; it gets zeros there.
        with given_noise([*noise, torch.zeros_like(x)]):
            theirs = draw(golden_network(), scheduler("ddpm"), x)
        exact, network = x.double(), golden_network(torch.float64)
        for i in range(100):
            index = 1000 - 10 * i
            times = torch.full((len(x),), index / 1000, dtype=torch.float64)
            exact = exact_step("ddpm", index, exact, network(exact, times), noise[i].double() if i < 99 else None)
    errors = {"drawn": {"ours": error(ours["ours/drawn"], exact), "theirs": error(theirs, exact)}}

    def drawing(memory_format, compiled, low):
        network, chosen = prepared(golden_network, memory_format, compiled), scheduler("ddpm")
        start = torch.randn(64, 1, 28, 28).to(memory_format=memory_format)
        generator = torch.Generator().manual_seed(1)

        def draw_all():
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=low):
                draw(network, chosen, start, generator)
        return draw_all

    serve(errors, {"64 images, 100 steps": {name: drawing(f, c, low) for name, f, c, low in modes(options.quick)}},
          {"diffusers": diffusers.__version__})


main()
