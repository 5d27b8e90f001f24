#!/usr/bin/env python3
"""Checks the pages against docs/style.md: the length of sentences, and the phrases of its table.

usage: prose.py [PAGES...]     README, CONTRIBUTING, CHANGELOG and docs/, or the pages named

The style page states the limit, "at most N words", and the phrases: regular expressions in the column "looked for" of
its table. Code, quotations, titles and formulas are not prose; a cell of a table is.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STYLE = ROOT / "docs" / "style.md"
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"]

ITEM = re.compile(r"\s*([-*]|\d+\.)\s")
ROW = re.compile(r"\s*\|")
CELL = re.compile(r"(?<!\\)\|")
# Fenced code and comments.
NO_TEXT = re.compile(r"^[ ]*```.*?^[ ]*```|<!--.*?-->", re.DOTALL | re.MULTILINE)
# Points that end no sentence.
ABBREVIATION = re.compile(r"\b(al|Eq|e\.g|i\.e|n\.d|vs|cf)\.$")
END = re.compile(r"[.!?][)\"]*(\s+|$)|\s*\Z")
# What is not prose, and the word that stands for it.
NOT_PROSE = [
    (re.compile(r"`[^`]+`"), "code"),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"\1"),
    (re.compile(r"(?<![\w*])\*[^*\s][^*]*\*(?![\w*])"), "title"),
    (re.compile(r"\"[^\"]*\""), "quotation"),
]


def cells(row):
    return [cell.strip() for cell in CELL.split(row.strip())[1:-1]]


def most_words(style):
    return int(re.search(r"at most (\d+) words", style)[1])


def phrases(style):
    """Pairs of what the style page looks for and what it wants instead."""
    found, column = [], None
    for line in style.splitlines():
        row = cells(line) if ROW.match(line) else []
        if "looked for" in row:
            column = row.index("looked for")
        elif not row:
            column = None
        elif column is not None:
            found += [(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), row[1])
                      for pattern in re.findall(r"`([^`]+)`", row[column].replace(r"\|", "|"))]
    return found


def without(pattern, replacement, text):
    """The text with all matches replaced, and as many lines as before."""
    def one(found):
        new = found.expand(replacement)
        return new + "\n" * (found[0].count("\n") - new.count("\n"))
    return pattern.sub(one, text)


def blocks(text):
    """Pairs of a line number and the text of a heading, a paragraph, an item of a list or a cell of a table."""
    text = without(NO_TEXT, "", text)
    lines, start, formulas, after_empty, in_list = [], 0, None, True, False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        empty, row = not line.strip(), bool(ROW.match(line))
        # Four spaces after an empty line are code, and so is what follows with four, except within a list.
        code = not empty and after_empty and line.startswith("    ") and not in_list
        alone = empty or row or code or line.startswith(("#", ">"))
        if lines and (alone or ITEM.match(line)):
            yield start, "\n".join(lines)
            lines = []
        if line.startswith("#"):
            yield number, line.lstrip("# ")
        elif row:
            if formulas is None:
                formulas = {k for k, cell in enumerate(cells(line)) if cell == "formula"}
            yield from ((number, cell) for k, cell in enumerate(cells(line)) if k not in formulas)
        elif not alone:
            start = start if lines else number
            lines.append(line.strip())
        if not row:
            formulas = None
        if not empty and not code:
            in_list = bool(ITEM.match(line)) or (in_list and line.startswith("  "))
        after_empty = empty or code


def sentences(text):
    """Pairs of the position of a sentence and the sentence."""
    start = 0
    for end in END.finditer(text + "\n"):
        if ABBREVIATION.search(text, start, end.start() + 1) and end.end() < len(text):
            continue
        yield start, text[start:end.start()]
        start = end.end()


def complaints(path, most, unwanted):
    name = path.relative_to(ROOT)
    for number, text in blocks(path.read_text()):
        for pattern, word in NOT_PROSE:
            text = without(pattern, word, text)
        for at, sentence in sentences(text):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if len(words) > most:
                line = number + text.count("\n", 0, at)
                yield f"{name}:{line} has a sentence of {len(words)} words: {' '.join(words[:8])} ..."
        for pattern, instead in unwanted:
            for found in pattern.finditer(text.replace("\n", " ")):
                line = number + text.count("\n", 0, found.start())
                yield f"{name}:{line} says \"{found[0]}\"; the style page has: {instead}"


def main(arguments):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *(arguments or PAGES)], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    style = STYLE.read_text()
    most, unwanted = most_words(style), phrases(style)
    if not unwanted:
        print("docs/style.md has no table with a column \"looked for\"")
        return 1
    found = [complaint for name in sorted(set(listed)) if (ROOT / name).is_file() and ROOT / name != STYLE
             for complaint in complaints(ROOT / name, most, unwanted)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
