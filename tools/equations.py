#!/usr/bin/env python3
"""Holds docs/reference/equations.md against the code.

Every row of the map names a header and a test that exist, and both cite the row's source: a publication by author and year
("Ho et al. 2020", in the header with the place, as in "Ho et al. 2020, Algorithm 2"), a decision by its file
("docs/decisions/0006"). For what no publication has, the header says so ("textbook", "our own", "own derivation") and the
test names the header's subject. Conversely every publication that a header cites has a row that names the header, and no
file but the map speaks of formulas by private numbers.

usage: equations.py      prints what is wrong, one line each; exit code 1 if anything is
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include/softscore"
TESTS = ROOT / "tests"
MAP = "docs/reference/equations.md"
NAME = r"\b(?!RFC )[A-Z][\w'-]+"
WORK = rf"{NAME}(?:(?:, {NAME})* and {NAME}| et al\.)? (?:(?:1[89]|20)\d\d[a-z]?\b|n\.d\.)"
PUBLICATION = re.compile(rf"(?P<cited>(?P<work>{WORK})(?:, [^*]+?)?), \*[^*]+\*")
DECISION = re.compile(r"\[decision \d+\]\(\.\./(?P<cited>decisions/\d{4})[\w-]*\.md\)")
UNPUBLISHED = ("textbook", "our own", "own derivation")
PRIVATE = re.compile(r"\bEQUATIONS\b|\bthe DESIGN\b|\b00[0-4](?:'s|,? (?:Eq|Alg|App|Thm|s\d))")


def text_of(path):
    """The text of a file, with comments that are broken over lines made whole."""
    return re.sub(r"\s+", " ", re.sub(r"\n[ \t]*//+", " ", path.read_text(errors="replace")))


def rows():
    """Line number and cells by column of every row of the map's tables."""
    columns = []
    for number, line in enumerate((ROOT / MAP).read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            columns = []
        elif not columns:
            columns = cells
        elif not all(re.fullmatch(r"-+", cell) for cell in cells):
            yield number, dict(zip(columns, cells))


def check_row(row, text):
    """What is wrong with a row, the publications that it cites, and its headers."""
    complaints, works = [], set()
    headers, tests = ({name: folder / name for name in re.findall(r"`([\w/.]+)`", row.get(column, ""))}
                      for column, folder in (("header", HEADERS), ("test", TESTS)))
    for column, files in (("header", headers), ("test", tests)):
        if column in row and not files:
            complaints.append(f"names no {column}")
        complaints += [f"names {name}, which is not there" for name, path in files.items() if not path.is_file()]
    if any(not path.is_file() for path in [*headers.values(), *tests.values()]):
        return complaints, works, headers

    def demand(files, cited):
        complaints.extend(f'has the source "{cited}", which {name} does not cite' for name, path in files.items()
                          if cited not in text(path))

    for source in row["source"].split("; "):
        if found := PUBLICATION.fullmatch(source):
            works.add(found["work"])
            demand(headers, found["cited"])
            demand(tests, found["work"])
        elif found := DECISION.fullmatch(source):
            demand({**headers, **tests}, f"docs/{found['cited']}")
        elif source not in UNPUBLISHED:
            complaints.append(f'has the source "{source}": neither a publication with its title nor a decision nor '
                              + ", ".join(UNPUBLISHED))
        elif not headers:
            demand(tests, source)
        else:
            demand(headers, source)
            complaints += [f"has no test that names {path.stem}" for path in headers.values()
                           if not any(path.stem in text(test) for test in tests.values())]
    return complaints, works, headers


def main():
    complaints, listed, mapped, kept = [], set(), {}, {}

    def text(path):
        if path not in kept:
            kept[path] = text_of(path)
        return kept[path]

    for number, row in rows():
        if "cited as" in row:
            listed.add(row["cited as"])
            continue
        wrong, works, headers = check_row(row, text)
        complaints += [f"{MAP}:{number} {complaint}" for complaint in wrong]
        for work in works:
            mapped.setdefault(work, set()).update(headers)
    complaints += [f'{MAP} has no title for "{work}"' for work in sorted(mapped.keys() - listed)]
    complaints += [f'{MAP} lists "{work}", which no row cites' for work in sorted(listed - mapped.keys())]
    for path in sorted(p for p in HEADERS.rglob("*") if p.suffix in (".hpp", ".cuh")):
        file = str(path.relative_to(HEADERS))
        complaints += [f'include/softscore/{file} cites "{work}", and no row of {MAP} names it with that source'
                       for work in sorted(set(re.findall(WORK, text(path)))) if file not in mapped.get(work, ())]
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, stdout=subprocess.PIPE,
                             check=True).stdout.decode().split("\0")
    for name in tracked:
        path = ROOT / name
        if path.suffix not in (".hpp", ".cpp", ".cuh", ".cu", ".md", ".txt", ".cmake") or not path.is_file():
            continue
        complaints += [f'{name} says "{found}", a private number' for found in PRIVATE.findall(text(path))]
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
