#!/usr/bin/env python3
"""Runs the experiments of this folder: trains, draws, scores and writes a table of each. A second call continues where
the first stopped: what lies in the folder of runs is not done again.

An experiment is a file NAME.toml: `runs` (epochs and seeds), `models` (what `digits train` gets), `samplers` (what
`digits sample` gets), and `schedules` that a model's words may name as {NAME}.
"""
import argparse
import hashlib
import json
import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Refused(Exception):
    pass


def read(name):
    """One experiment: a title, runs (epochs and seeds), models (what `digits train` gets) and samplers."""
    path = HERE / f"{name}.toml"
    if not path.exists():
        raise Refused(f'there is no experiment "{name}"; there are: {", ".join(names())}')
    with open(path, "rb") as file:
        experiment = tomllib.load(file)
    for model in experiment.get("models", []):
        model["schedules"] = experiment.get("schedules", {})
    for key in ("title", "runs", "models", "samplers"):
        if key not in experiment:
            raise Refused(f'{path.name} lacks "{key}"')
    for model in experiment["models"]:
        for key in ("name", "train"):
            if key not in model:
                raise Refused(f'a model of {path.name} lacks "{key}"')
    return experiment


def schedule_file(name, of, options):
    """Writes a schedule of a blur: the noise grows from 0.01 to sigma_max in the first part of time, `noise_until`, the
    width from 0.3 to 14 pixels in what is left after `level_from`, both by a constant factor."""
    def grown(first, last, part):
        return first * (last / first) ** min(1.0, max(0.0, part))

    points = []
    for i in range(257):
        t = i / 256
        points.append([t, grown(0.3, 14.0, (t - of["level_from"]) / (1 - of["level_from"])),
                       grown(0.01, of["sigma_max"], t / of["noise_until"])])
    folder = options.out / "schedules"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug(name)}.json"
    about = {"recipe": "blur", "name": name}
    path.write_text(json.dumps({"format": "softscore schedule 1", "about": about, "points": points}))
    return path


def names():
    return sorted(path.stem for path in HERE.glob("*.toml"))


def slug(text):
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")


class Run:
    """One model of one seed: a checkpoint that is trained on from one number of epochs to the next."""

    def __init__(self, model, seed, options):
        self.flags, self.seed, self.options = model["train"], seed, options
        # Schedules are named by their file, wherever this is called from, or made here.
        self.words, used = [], hashlib.sha256()
        for word in shlex.split(self.flags):
            named = re.fullmatch(r"\{(.+)\}", word)
            if named and named[1] not in model["schedules"]:
                raise Refused(f'the model "{model["name"]}" names the schedule {named[1]}, which the file does not have')
            if named or word.endswith(".json"):
                word = schedule_file(named[1], model["schedules"][named[1]], options) if named else ROOT / word
                used.update(word.read_bytes())
            self.words.append(str(word))
        # A run under another schedule of the same name is another run.
        suffix = f"-{used.hexdigest()[:8]}" if used.digest() != hashlib.sha256().digest() else ""
        self.folder = options.out / "runs" / (slug(self.flags) + suffix) / f"seed-{seed}"

    def at(self, epochs):
        return self.folder / f"epochs-{epochs}"

    def trained(self, epochs):
        return (self.at(epochs) / "checkpoint.safetensors").exists()

    def train(self, epochs):
        # A run of fewer epochs is the beginning of this one, bit for bit: the longest of them is trained on.
        work = self.folder / f"to-{epochs}"
        checkpoint = work / "checkpoint.safetensors"
        shared = ["--data", self.options.data, "--count", "64", "--out", work, *self.options.thread_words]
        if not checkpoint.exists():
            shorter = [int(path.name.split("-")[1]) for path in self.folder.glob("epochs-*")]
            shorter = [fewer for fewer in shorter if fewer < epochs and self.trained(fewer)]
            if shorter:
                work.mkdir(parents=True, exist_ok=True)
                for name in ("loss.csv", checkpoint.name):
                    copy(self.at(max(shorter)) / name, work / name)
        if checkpoint.exists():
            call(self.options.digits, "resume", "--checkpoint", checkpoint, "--epochs", epochs, *shared)
        else:
            call(self.options.digits, "train", *self.words, "--seed", self.seed, "--epochs", epochs, *shared)
        self.at(epochs).mkdir(parents=True, exist_ok=True)
        kept = sorted(path.name for path in work.glob("*.png")) + ["loss.csv", checkpoint.name]
        for name in kept:  # the last says that the others are there
            copy(work / name, self.at(epochs) / name)
        shutil.rmtree(work)

    def samples(self, epochs, sampler):
        return self.at(epochs) / f"{slug(sampler['flags'])}-{sampler['count']}.npy"

    def draw(self, epochs, sampler):
        call(self.options.digits, "sample", "--checkpoint", self.at(epochs) / "checkpoint.safetensors",
             *shlex.split(sampler["flags"]), "--count", sampler["count"], "--out", self.samples(epochs, sampler),
             *self.options.thread_words)

    def scores(self, epochs, sampler):
        return self.samples(epochs, sampler).with_suffix(".json")

    def score(self, epochs, sampler):
        printed = call(self.options.digits, "score", self.samples(epochs, sampler), "--data", self.options.data,
                       listen=True)
        lines = re.findall(r"^  (\S.*?)\s+([-\d.einf]+)$", printed, re.MULTILINE)
        found = {words: float(number) for words, number in lines}
        if not found:
            raise Refused(f"digits score printed no scores of {self.samples(epochs, sampler)}")
        part = self.scores(epochs, sampler).with_suffix(".part")
        part.write_text(json.dumps(found, indent=1))
        part.rename(self.scores(epochs, sampler))


def copy(source, target):
    """Puts the whole file there or none."""
    shutil.copyfile(source, target.with_name(target.name + ".part"))
    target.with_name(target.name + ".part").rename(target)


def call(program, *arguments, listen=False):
    words = [str(program), *map(str, arguments)]
    if listen:
        ended = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    else:
        ended = subprocess.run(words)
    if ended.returncode == 130:
        raise KeyboardInterrupt
    if ended.returncode != 0:
        raise Refused(f"{shlex.join(words)} ended with {ended.returncode}")
    return ended.stdout


def steps_of(experiment, options):
    """All that is to be done, in order: (words, is it done, do it)."""
    for model in experiment["models"]:
        stages = sorted(model.get("runs", experiment["runs"]), key=lambda stage: stage["epochs"])
        for seed in sorted({seed for stage in stages for seed in stage["seeds"]}):
            run = Run(model, seed, options)
            for stage in (stage for stage in stages if seed in stage["seeds"]):
                epochs = stage["epochs"]
                words = f"{model['name']}, seed {seed}, {epochs} epochs"
                yield (f"{words}: training", lambda r=run, e=epochs: r.trained(e), lambda r=run, e=epochs: r.train(e))
                for sampler in samplers_of(model, experiment):
                    at = f"{words}: {sampler['name']}"
                    yield (f"{at}, {sampler['count']} images",
                           lambda r=run, e=epochs, s=sampler: r.samples(e, s).exists(),
                           lambda r=run, e=epochs, s=sampler: r.draw(e, s))
                    yield (f"{at}, scores", lambda r=run, e=epochs, s=sampler: r.scores(e, s).exists(),
                           lambda r=run, e=epochs, s=sampler: r.score(e, s))


def samplers_of(model, experiment):
    for sampler in model.get("samplers", experiment["samplers"]):
        yield {"count": experiment.get("count", 1000), **sampler}


def spread(values):
    """Mean and, of several seeds, the standard deviation."""
    mean = statistics.mean(values)
    return f"{mean:.3g}" if len(values) == 1 else f"{mean:.3g} ± {statistics.stdev(values):.2g}"


def table_of(name, experiment, options):
    columns, rows = [], []
    for model in experiment["models"]:
        for stage in sorted(model.get("runs", experiment["runs"]), key=lambda stage: stage["epochs"]):
            for sampler in samplers_of(model, experiment):
                paths = [Run(model, seed, options).scores(stage["epochs"], sampler) for seed in stage["seeds"]]
                found = [json.loads(path.read_text()) for path in paths if path.exists()]
                if not found:
                    continue
                columns += [column for column in found[0] if column not in columns]
                seeds = ", ".join(map(str, stage["seeds"]))
                if len(found) < len(paths):
                    seeds = f"{len(found)} of {len(paths)}"
                rows.append([model["name"], str(stage["epochs"]), sampler["name"], seeds, found])
    lines = [f"## {experiment['title']}", "", "| model | epochs | sampler | seeds | " + " | ".join(columns) + " |",
             "|---" * (4 + len(columns)) + "|"]
    for *words, found in rows:
        cells = [spread([scores.get(column, float("nan")) for scores in found]) for column in columns]
        lines.append("| " + " | ".join(words + cells) + " |")
    lines += ["", f"`./dev experiments {name}`; the models are those of"]
    lines += [f"`digits train {model['train']}`," for model in experiment["models"]]
    lines[-1] = lines[-1][:-1] + "."
    return "\n".join(lines) + "\n"


def carry_out(name, options):
    experiment = read(name)
    steps = list(steps_of(experiment, options))
    left = [step for step in steps if not step[1]()]
    print(f"{experiment['title']}: {len(steps)} steps, {len(steps) - len(left)} of them done", flush=True)
    began = time.monotonic()
    for i, (words, done, act) in enumerate(left):
        if not done():  # two models may share a run
            minutes = (time.monotonic() - began) / 60
            print(f"[{len(steps) - len(left) + i + 1} of {len(steps)}, {minutes:.0f} min] {words}", flush=True)
            act()
    table = table_of(name, experiment, options)
    path = options.out / f"{name}.md"
    path.write_text(table)
    print(f"\n{table}\nwritten to {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog="experiments: " + ", ".join(names()))
    parser.add_argument("names", metavar="NAME", nargs="*", help="which experiments; see below")
    parser.add_argument("--digits", type=pathlib.Path, default=ROOT / "build/release/examples/digits/digits",
                        help="the program digits (that of the release build)")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data/mnist",
                        help="folder of MNIST's files (data/mnist)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out/experiments",
                        help="folder for runs and tables (out/experiments)")
    parser.add_argument("--threads", help="threads to compute with; the results do not depend on it (all)")
    parser.add_argument("--list", action="store_true", help="name the experiments and what each asks")
    parser.add_argument("--table", action="store_true", help="print the tables of what has been done, and do no more")
    options = parser.parse_args()
    options.thread_words = ["--threads", options.threads] if options.threads else []
    if options.list or not options.names:
        for name in names():
            print(f"{name:24} {read(name)['title']}")
        return
    if not options.data.is_dir():
        raise Refused(f"--data {options.data} is not a folder; it must hold MNIST's four IDX files")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        if options.table:
            print(table_of(name, read(name), options))
        else:
            carry_out(name, options)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nstopped; the same command continues from here", file=sys.stderr)
        sys.exit(130)
    except Refused as refused:
        print(f"experiments: {refused}", file=sys.stderr)
        sys.exit(2)
