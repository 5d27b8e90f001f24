"""The same U-Nets in PyTorch: training steps, evaluations, and DDIM as diffusers has it."""
import pathlib
import re
import resource
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import torch
from peer import arguments, error, serve
from torch.nn.functional import mse_loss
from unet_models import BATCHES, MODELS, UNet, side_of

TIME = 400  # of an evaluation


def part(tensors, prefix):
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


class Model:
    """A network with the weights of ours, where there are any, and its input."""

    def __init__(self, name, given):
        self.name, self.given, self.kept = name, given, {}

    def network(self, dtype=torch.float32, memory_format=torch.contiguous_format):
        network, values = UNet(MODELS[self.name]), part(self.given, "param/")
        if values:
            network.load_state_dict(values)
        return network.to(dtype=dtype, memory_format=memory_format)

    def batch(self, images):
        """x, t, labels and target, as many as asked for."""
        def first(name):
            found = self.given[name]
            return found.repeat(-(-images // len(found)), *[1] * (found.dim() - 1))[:images]

        labels = first("labels").long() if "labels" in self.given else None
        return first("x"), first("t"), labels, first("target")

    def prepared(self, mode):
        """One network for all cases of a mode, with its optimizer; made when it is first asked for."""
        if mode not in self.kept:
            network = self.network(memory_format=torch.channels_last if "last" in mode else torch.contiguous_format)
            optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, fused=True)
            self.kept[mode] = (torch.compile(network) if "compile" in mode else network), optimizer
        return self.kept[mode]


def results(network, x, t, labels, target):
    """Output, loss, gradients, and the output at one time."""
    x = x.requires_grad_()
    out = network(x, t, labels)
    loss = mse_loss(out, target)
    loss.backward()
    with torch.no_grad():
        evaluated = network(x, torch.full((len(x),), float(TIME)), labels)
    return {"output": out.detach(), "loss": loss.detach().reshape(1), "dx": x.grad, "evaluated": evaluated,
            **{"grad/" + n: p.grad for n, p in network.named_parameters()}}


def errors_of(model):
    """Of each result, and of the gradients the largest. Where a gradient is zero but for rounding, as those of a key's
    bias and of what a norm of single channels removes, there is nothing to compare."""
    given = model.given
    x, t, labels, target = model.batch(len(given["x"]))
    exact = results(model.network(torch.float64), x.double(), t, labels, target.double())
    theirs = results(model.network(), x.clone(), t, labels, target)
    sizes = {name: float(value.abs().max()) for name, value in exact.items()}
    least = 1e-9 * max(size for name, size in sizes.items() if name.startswith("grad/"))
    errors = {}
    for name, value in exact.items():
        if sizes[name] < least:
            continue
        found = {"ours": error(given["ours/" + name], value), "theirs": error(theirs[name], value)}
        row = f"{model.name} " + ("gradients" if name.startswith("grad/") else name)
        errors[row] = {side: max(e, errors.get(row, found)[side]) for side, e in found.items()}
    return errors


def modes(model, alone, quick):
    """Ways to run a network; fewer on one thread alone, where only the gain of a second one is of interest."""
    yield "contiguous"
    yield "channels_last"
    if alone:
        return
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    if "avx512_bf16" in flags or "amx_bf16" in flags:  # elsewhere it is emulated, and many times slower
        yield "bfloat16"
        yield "bfloat16 channels_last"
    if model == "(a)" and not quick:
        yield "compile"


def low(mode):
    return torch.autocast("cpu", torch.bfloat16, enabled="bfloat16" in mode)


def on_threads(count, function):
    def run():
        threads = torch.get_num_threads()
        torch.set_num_threads(count)
        function()
        torch.set_num_threads(threads)
    return run


def training(model, images, mode):
    x, t, labels, target = model.batch(images)
    if "last" in mode:
        x, target = x.to(memory_format=torch.channels_last), target.to(memory_format=torch.channels_last)

    def step():
        network, optimizer = model.prepared(mode)
        optimizer.zero_grad(set_to_none=True)
        with low(mode):
            loss = mse_loss(network(x, t, labels), target)
        loss.backward()
        optimizer.step()
    return step


def forward(model, images, mode):
    x, _, labels, _ = model.batch(images)
    t = torch.full((images,), TIME)
    x = x.to(memory_format=torch.channels_last) if "last" in mode else x

    def evaluate():
        network, _ = model.prepared(mode)
        with torch.inference_mode(), low(mode):
            network(x, t, labels)
    return evaluate


def sampling(model, mode):
    """16 images by 50 steps of DDIM (Song, Meng and Ermon 2021), with the betas of diffusers' DDIMScheduler."""
    bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0).tolist()

    def draw():
        network, _ = model.prepared(mode)
        x = torch.randn(16, model.given["x"].shape[1], *model.given["x"].shape[2:])
        x = x.to(memory_format=torch.channels_last) if "last" in mode else x
        with torch.inference_mode():
            for t in range(980, -1, -20):
                a, b = bar[t], bar[t - 20] if t >= 20 else bar[0]
                with low(mode):
                    noise = network(x, torch.full((16,), t)).float()
                start = ((x - (1 - a)**0.5 * noise) / a**0.5).clamp(-1, 1)
                x = b**0.5 * start + (1 - b)**0.5 * noise
    return draw


def cases_of(model, options):
    """{case: {mode: function}}, as ours names them."""
    def each(make, *arguments):
        return {mode: make(model, *arguments, mode) for mode in modes(model.name, False, options.quick)}

    def alone(make, *arguments):
        return {mode: on_threads(1, make(model, *arguments, mode)) for mode in modes(model.name, True, options.quick)}

    cases = {}
    for images in BATCHES[model.name]:
        batch = f", batch {images}" if len(BATCHES[model.name]) > 1 else ""
        for what, make in (("training", training), ("forward", forward)):
            cases[f"{model.name} {what}{batch}"] = each(make, images)
            if options.threads > 1:
                cases[f"{model.name} {what}{batch}, one thread"] = alone(make, images)
    cases[f"{model.name} forward, one image"] = each(forward, 1)
    if model.name == "(a)":
        cases["(a) sampling"] = each(sampling)
    return cases


def memory(case):
    """Peak memory of a process that does training steps and nothing else."""
    name, images = re.match(r"(\(.\)) training(?:, batch (\d+))?", case).groups()
    config, count = MODELS[name], int(images or BATCHES[name][0])
    given = {"x": torch.randn(count, config.channels, side_of(config), side_of(config)), "t": torch.arange(count)}
    given |= {"target": given["x"], "labels": torch.zeros(count)} if config.classes else {"target": given["x"]}
    step = training(Model(name, given), count, "contiguous")
    for _ in range(3):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    if sys.argv[1] == "--memory":
        torch.set_num_threads(int(sys.argv[3]))
        print(memory(sys.argv[2]))
        return
    options, ours = arguments()
    errors, cases = {}, {}
    for name in MODELS:
        if name + "/x" not in ours:
            continue
        model = Model(name, part(ours, name + "/"))
        if not options.unchecked:
            errors.update(errors_of(model))
        cases.update(cases_of(model, options))
    serve(errors, cases, slow=("(a) sampling",))


main()
