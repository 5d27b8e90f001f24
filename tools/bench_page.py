"""docs/reference/benchmarks.md: sections that are measured apart, so that writing some leaves the others as they were."""
import argparse
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"
VENV = ROOT / "build" / "peers-venv"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
COMPILE, DEVICE = "Compile time", "On a GPU"
HEAD = """# Benchmarks

Written by `./dev bench --write` and `./dev bench cuda --write`, which replace the sections that they measure and keep the
others; so each says where and when it was measured. Ours and each peer take turns in one run; a figure is the median over
the rounds, a ratio that of the medians, with the least and the most of the rounds beside it. Ratios above 1 are in our
favor.

Sections measured before 2026-11-30 let PyTorch's idle threads sleep at once (OMP_WAIT_POLICY=PASSIVE). That cost it about
a tenth of a training step and half the speed of an evaluation of one image, so the ratios of these sections are too high.
"""


def say(text=""):
    print(text, flush=True)


def positive(text):
    """A count, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def problems():
    return sorted(p.parent.name for p in FOLDER.glob("*/softscore.cpp"))


def title_of(problem):
    words = problem.replace("_", " ")
    return words[0].upper() + words[1:]


def quantity(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return f"{seconds * factor:.3g} {unit}"


def table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(str(c).ljust(w) for c, w in zip(row, widths)) + " |"
    return "\n".join([line(head), "|" + "|".join("-" * (w + 2) for w in widths) + "|", *map(line, rows)])


def in_turn(rounds):
    return f"{rounds} round{'s' * (rounds != 1)} in turn"


def section(title, measured, body, notes=()):
    """The section's text; `measured` is the list of what its line says: the machine, versions, rounds, the date."""
    return "\n\n".join([f"## {title}", f"Measured on {'; '.join(measured)}.", body, *notes]) + "\n"


def read():
    """The page's head and its sections by title."""
    try:
        text = PAGE.read_text(encoding="utf-8")
    except FileNotFoundError:
        return HEAD, {}
    except (OSError, UnicodeDecodeError) as problem:
        raise SystemExit(f"bench: {PAGE} cannot be read: {problem}") from None
    head, sections, title, fenced = "", {}, None, False
    for line in text.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            title = line[3:].strip()
            if title in sections:
                raise SystemExit(f"bench: {PAGE.name} has two sections \"{title}\"; --write would not know which to replace")
            sections[title] = ""
        if title is None:
            head += line
        else:
            sections[title] += line
    return head, sections


def write(measured):
    """Puts sections, by title, into the page. All others stay, also those that nothing measures any more."""
    head, sections = read()
    if head.strip() != HEAD.strip():
        say(f"the head of {PAGE.name} was another one and is written anew")
    known = {COMPILE, DEVICE, *map(title_of, problems()), *measured}
    for title in sections:
        if title not in known and title.split(", ")[0] not in known:  # "Forward, another machine" belongs to Forward
            say(f"kept, though no problem of benchmarks/ has this title: \"{title}\"")
    sections.update(measured)
    texts = [HEAD, *(sections[title] for title in sorted(sections, key=str.casefold))]
    page = PAGE.resolve()
    unfinished = page.with_name(f".{page.name}.{os.getpid()}")
    try:
        unfinished.write_text("\n\n".join(text.strip() for text in texts) + "\n", encoding="utf-8")
        os.replace(unfinished, page)
    except OSError as problem:
        raise SystemExit(f"bench: {page} cannot be written: {problem.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"written to {PAGE.relative_to(ROOT)}: {', '.join(measured)} (others kept: {len(sections) - len(measured)})")
