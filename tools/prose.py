#!/usr/bin/env python3
"""Holds the pages to docs/style.md: no sentence of over 40 words, and none of the phrases of its table.

usage: prose.py [PAGES...]     README, CONTRIBUTING, CHANGELOG and docs/, or the pages named

The phrases are the regular expressions of the column "looked for" of the style page. Code, quotations, titles and formulas
are not prose; a cell of a table is.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STYLE = ROOT / "docs" / "style.md"
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"]
MOST_WORDS = 40
ITEM = re.compile(r"\s*([-*]|\d+\.)\s")
ROW = re.compile(r"\s*\|")
CELL = re.compile(r"(?<!\\)\|")
# Points that end no sentence.
ABBREVIATION = re.compile(r"(\b(al|Eq|Eqs|e\.g|i\.e|n\.d|vs|cf|No|Fig|Sec)|\b[A-Z])\.$")
END = re.compile(r"[.!?][)\"]*(?=\s|$)")
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


def phrases():
    """Pairs of what the style page looks for and what it wants instead."""
    found, column = [], None
    for line in STYLE.read_text().splitlines():
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
    return pattern.sub(lambda found: found.expand(replacement) + "\n" * (found[0].count("\n") - found.expand(replacement).count("\n")),
                       text)


def blocks(text):
    """Pairs of a line number and the text of a paragraph, an item of a list, a heading or a cell of a table."""
    text = re.sub(r"^\s*```.*?^\s*```|<!--.*?-->", lambda code: "\n" * code[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    block, start, formulas, indented, in_list = [], 0, set(), True, False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        table = ROW.match(line)
        # Four spaces after an empty line are code, unless they continue an item.
        indented = line.startswith("    ") and indented and not in_list
        special = not line.strip() or table or indented or line.startswith(("#", ">"))
        if block and (special or ITEM.match(line)):
            yield start, "\n".join(block)
            block = []
        if line.startswith("#"):
            yield number, line.lstrip("# ")
        elif table:
            row = cells(line)
            if not formulas and "formula" in row:
                formulas = {row.index("formula")}
            yield from ((number, cell) for column, cell in enumerate(row) if column not in formulas)
        elif not special:
            if not block:
                start = number
            block.append(line.strip())
        if not table:
            formulas = set()
        if line.strip() and not indented:
            in_list = bool(ITEM.match(line)) or (in_list and line.startswith("  "))
        indented = indented or not line.strip()


def sentences(text):
    """Pairs of the lines before a sentence and the sentence."""
    start = 0
    for end in END.finditer(text):
        if ABBREVIATION.search(text, start, end.start() + 1) and end.end() < len(text):
            continue
        yield text[:start].count("\n"), text[start:end.end()]
        start = end.end()
    yield text[:start].count("\n"), text[start:]


def complaints(path, unwanted):
    name = path.relative_to(ROOT)
    for number, text in blocks(path.read_text()):
        for pattern, word in NOT_PROSE:
            text = without(pattern, word, text)
        for before, sentence in sentences(text):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            # A sentence that begins on a line of its own has that line break in front.
            line = number + before + len(sentence[:len(sentence) - len(sentence.lstrip())].split("\n")) - 1
            if len(words) > MOST_WORDS:
                yield f"{name}:{line} has a sentence of {len(words)} words: {' '.join(words[:8])} ..."
        for pattern, instead in unwanted:
            for found in pattern.finditer(text.replace("\n", " ")):
                line = number + text[:found.start()].count("\n")
                yield f"{name}:{line} says \"{found[0]}\"; write {instead}"


def main(arguments):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *(arguments or PAGES)], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    unwanted = phrases()
    if not unwanted:
        print("docs/style.md has no table with a column \"looked for\"")
        return 1
    found = [complaint for name in sorted(set(listed)) if (ROOT / name).is_file() and ROOT / name != STYLE
             for complaint in complaints(ROOT / name, unwanted)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
