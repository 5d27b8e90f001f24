"""The same steps by the schedulers of diffusers."""
import itertools
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import diffusers
import torch
from peer import arguments, error, serve
from schedules import exact_step, given_noise, scheduler


def main():
    options, ours = arguments()
    phi, x = ours["phi"], ours["x"]
    errors, cases = {}, {}
    for name in ("ddpm", "ddim"):
        theirs, exact = x, x.double()
        with torch.inference_mode(), given_noise([ours["noise/0"], ours["noise/1"]]):
            chosen = scheduler(name)
            for i in range(2):
                theirs = chosen.step(phi, chosen.timesteps[i], theirs).prev_sample
                exact = exact_step(name, 1000 - 10 * i, exact, phi.double(), ours[f"noise/{i}"].double())
        errors[name] = {"ours": error(ours["ours/" + name], exact), "theirs": error(theirs, exact)}

        def step(chosen=chosen, turn=itertools.cycle(range(99)), state=[x], generator=torch.Generator().manual_seed(1)):
            i = next(turn)
            if i == 0:
                state[0] = x
            with torch.inference_mode():
                state[0] = chosen.step(phi, chosen.timesteps[i], state[0], generator=generator).prev_sample
        cases[name.upper()] = {"eager": step}
    serve(errors, cases, {"diffusers": diffusers.__version__})


main()
