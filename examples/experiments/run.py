#!/usr/bin/env python3
"""Runs the experiments of this folder: trains, draws, scores and writes a table of each. A second call continues where
the first stopped: what lies in the folder of runs is not done again.

An experiment is a file NAME.toml: `runs` (epochs and seeds), `models` (what `digits train` gets), `samplers` (what
`digits sample` gets), `restorations` (what `restore` gets), and `schedules` that a model's words may name as {NAME}.
"""
import argparse
import csv
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

from picture import write_picture

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Refused(Exception):
    pass


def read(name):
    """One experiment of this folder, or of any file that ends in .toml."""
    path = pathlib.Path(name) if name.endswith(".toml") else HERE / f"{name}.toml"
    if not path.exists():
        raise Refused(f'there is no experiment "{name}"; there are: {", ".join(names())}')
    with open(path, "rb") as file:
        experiment = tomllib.load(file)
    experiment["called"] = name
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
        by = f"{self.options.judge.stem}-judge" if self.options.judge else "components"
        samples = self.samples(epochs, sampler)
        return samples.with_name(f"{samples.stem}-by-{by}.json")

    def score(self, epochs, sampler):
        samples = self.samples(epochs, sampler)
        write_picture(samples, samples.with_suffix(".png"))
        printed = call(self.options.digits, "score", samples, "--data", self.options.data, *self.options.thread_words,
                       *(["--features", self.options.judge] if self.options.judge else []), listen=True)
        found = read_scores(printed)
        if not found["the images"]:
            raise Refused(f"digits score printed no scores of {samples}")
        put(self.scores(epochs, sampler), json.dumps(found, indent=1))

    def restored(self, epochs, restoration):
        by = f"-{self.options.judge.stem}-judge" if self.options.judge else ""
        words = f"restore-{slug(restoration.get('flags', ''))}-{restoration['count']}{by}"
        return self.at(epochs) / words / "restored.csv"

    def restore(self, epochs, restoration):
        call(self.options.restore, self.at(epochs) / "checkpoint.safetensors",
             *shlex.split(restoration.get("flags", "")), "--count", restoration["count"], "--data", self.options.data,
             *(["--judge", self.options.judge] if self.options.judge else []),
             "--out", self.restored(epochs, restoration).parent, *self.options.thread_words)


FEATURES = ("features", "features, infinite", "kernel distance", None, "precision", "recall", "inception score")


def read_scores(printed):
    """What `digits score` prints, of the images and of its controls: the distance by components, and a judge's numbers."""
    by_components, _, by_judge = printed.partition("\nin the features of ")
    found = {"training images": {}, "the images": {}, "uniform noise": {}, "the test images themselves": {}}
    ours = {"held-out training images": "training images", "the images of the file": "the images"}
    for words, number in re.findall(r"^  (\S.*?)\s+([-\d.einf]+)$", by_components, re.MULTILINE):
        found[ours.get(words, words)]["components"] = float(number)
    for line in by_judge.splitlines()[2:]:
        name = next((name for name in found if line.strip().startswith(name)), None)
        if name is None:
            raise Refused(f"digits score printed a line that is not known: {line}")
        numbers = line.strip()[len(name):].replace("+-", " ").replace("%", " ").split()
        found[name] |= {column: float(number) for column, number in zip(FEATURES, numbers) if column and number != "-"}
    return found


def put(path, text):
    """Puts the whole text there or none."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.rename(path)


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
                for restoration in restorations_of(model, experiment):
                    yield (f"{words}: {restoration['name']}, {restoration['count']} images restored",
                           lambda r=run, e=epochs, s=restoration: r.restored(e, s).exists(),
                           lambda r=run, e=epochs, s=restoration: r.restore(e, s))


def samplers_of(model, experiment):
    for sampler in model.get("samplers", experiment["samplers"]):
        yield {"count": experiment.get("count", 1000), **sampler}


def restorations_of(model, experiment):
    for restoration in model.get("restorations", experiment.get("restorations", [])):
        yield {"count": 100, **restoration}


def spread(values):
    """Mean and, of several seeds, the standard deviation."""
    mean = statistics.mean(values)
    return f"{mean:.3g}" if len(values) == 1 else f"{mean:.3g} ± {statistics.stdev(values):.2g}"


def rows_of(experiment, options, kinds, path_of):
    """The results of all seeds of each model, number of epochs, and sampler or restoration, as far as there are some."""
    for model in experiment["models"]:
        for stage in sorted(model.get("runs", experiment["runs"]), key=lambda stage: stage["epochs"]):
            for kind in kinds(model, experiment):
                paths = [path_of(Run(model, seed, options), stage["epochs"], kind) for seed in stage["seeds"]]
                found = [path.read_text() for path in paths if path.exists()]
                seeds = ", ".join(map(str, stage["seeds"]))
                if len(found) < len(paths):
                    seeds = f"{len(found)} of {len(paths)}"
                if found:
                    yield model["name"], str(stage["epochs"]), kind, seeds, found


def table(head, rows):
    return ["| " + " | ".join(words) + " |" for words in (head, ["---"] * len(head), *rows)]


def score_lines(experiment, options):
    rows, controls = [], {}
    for name, epochs, sampler, seeds, texts in rows_of(experiment, options, samplers_of, Run.scores):
        found = [json.loads(text) for text in texts]
        rows.append(([name, epochs, sampler["name"], seeds], [scores["the images"] for scores in found]))
        for control in ("training images", "uniform noise", "the test images themselves"):
            numbers = found[0][control]
            if control.startswith("the"):  # beside themselves: only what does not compare says anything
                numbers = {column: numbers[column] for column in ("inception score",) if column in numbers}
            controls.setdefault((control, "" if control.startswith("the") else sampler["count"]), numbers)
    if not rows:
        return []
    rows += [([f"{count} {control}".strip(), "", "", ""], [scores]) for (control, count), scores in
             sorted(controls.items(), key=lambda row: (row[0][0], row[0][1] or 0)) if scores]
    columns = [column for column in ("components", *FEATURES) if column and any(column in found[0] for _, found in rows)]
    cells = [words + [spread([scores[column] for scores in found]) if column in found[0] else ""
                      for column in columns] for words, found in rows]
    return table(["model", "epochs", "sampler", "seeds", *columns], cells) + [""]


def restoration_lines(experiment, options):
    rows = []
    for name, epochs, restoration, seeds, texts in rows_of(experiment, options, restorations_of, Run.restored):
        found = [list(csv.DictReader(text.splitlines())) for text in texts]
        for lines in zip(*found):
            of = lines[0]
            if of["method"] == "truth" and not of["named_right"]:
                continue
            named = [100 * float(line["named_right"]) for line in lines if line["named_right"]]
            psnr = [float(line["psnr"]) for line in lines]
            rows.append([name, epochs, restoration["name"], seeds, of["problem"], of["method"], of["evaluations"],
                         "" if of["method"] == "truth" else spread(psnr),
                         spread([float(line["ssim"]) for line in lines]), spread(named) + " %" if named else ""])
    if not rows:
        return []
    head = ["model", "epochs", "restoration", "seeds", "problem", "method", "evaluations", "PSNR", "SSIM", "named right"]
    return table(head, rows) + [""]


def table_of(experiment, options):
    lines = [f"## {experiment['title']}", "", *score_lines(experiment, options),
             *restoration_lines(experiment, options), f"`./dev experiments {experiment['called']}`; the models are those of"]
    lines += [f"`digits train {model['train']}`," for model in experiment["models"]]
    lines[-1] = lines[-1][:-1] + "."
    if options.judge:
        lines.append(f"The features are those of the judge `{options.judge.name}`.")
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
    text = table_of(experiment, options)
    path = options.out / f"{pathlib.Path(name).stem if name.endswith('.toml') else name}.md"
    path.write_text(text)
    print(f"\n{text}\nwritten to {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog="experiments: " + ", ".join(names()))
    parser.add_argument("names", metavar="NAME", nargs="*", help="which experiments, by name (see below) or file")
    parser.add_argument("--digits", type=pathlib.Path, default=ROOT / "build/release/examples/digits/digits",
                        help="the program digits (that of the release build)")
    parser.add_argument("--restore", type=pathlib.Path, help="the program restore (that of the same build)")
    parser.add_argument("--judge", type=pathlib.Path, help="whose features to compare, a file of the program judge "
                        "(examples/judge/NAME.safetensors, NAME being that of the folder of data)")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data/mnist",
                        help="folder of MNIST's files (data/mnist)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out/experiments",
                        help="folder for runs and tables (out/experiments)")
    parser.add_argument("--threads", help="threads to compute with; the results do not depend on it (all)")
    parser.add_argument("--list", action="store_true", help="name the experiments and what each asks")
    parser.add_argument("--table", action="store_true", help="print the tables of what has been done, and do no more")
    options = parser.parse_args()
    options.thread_words = ["--threads", options.threads] if options.threads else []
    options.restore = options.restore or options.digits.parent.parent / "restore"
    if options.judge and not options.judge.is_file():
        raise Refused(f"--judge {options.judge} is not a file")
    if not options.judge:
        usual = ROOT / "examples/judge" / f"{options.data.resolve().name}.safetensors"
        options.judge = usual if usual.is_file() else None
    if options.list or not options.names:
        for name in names():
            print(f"{name:24} {read(name)['title']}")
        return
    if not options.data.is_dir():
        raise Refused(f"--data {options.data} is not a folder; it must hold MNIST's four IDX files")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        if options.table:
            print(table_of(read(name), options))
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
