#!/usr/bin/env python3
"""Keeps the documentation's programs equal to the programs that are compiled and run.

A document asks for a program with a line of its own, followed by a code block that this script fills:

    <!-- quote examples/embed/main.cpp -->          the whole file
    <!-- quote examples/embed/main.cpp:sampling --> the lines between "// begin sampling" and "// end sampling"

The tables between "<!-- components -->" and "<!-- end of components -->" are those of tools/components.py.

usage: docs.py            fills the code blocks
       docs.py --check    names those that differ, links that lead nowhere, and names and sentences of ours in `code` that
                          are nowhere in the sources
"""
import pathlib
import re
import subprocess
import sys
import textwrap

import components

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUOTE = re.compile(r"(<!-- quote (?P<file>[^\s:]+)(?::(?P<part>[\w-]+))? -->\n+```(?P<kind>\w*)\n)(?P<text>.*?)(\n?```)",
                   re.DOTALL)
TABLES = re.compile(r"(<!-- components -->\n\n).*?(<!-- end of components -->)", re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)|<img[^>]* src=\"([^\"]+)\"")
MARK = re.compile(r"^[ \t]*// (begin|end) [\w-]+\n?", re.MULTILINE)


def quoted(file, part):
    text = (ROOT / file).read_text()
    if part:
        found = re.search(rf"^[ ]*// begin {part}\n(.*?)^[ ]*// end {part}$", text, re.DOTALL | re.MULTILINE)
        if not found:
            raise ValueError(f"{file} has no part \"{part}\"")
        text = found[1]
    return textwrap.dedent(MARK.sub("", text)).rstrip("\n")


def sources():
    """All that the repository's programs and scripts say, with broken string literals joined."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.?pp", "*.cu*", "*.txt", "*.cmake", "*.json", "*.py",
                             "dev"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    text = "\n".join((ROOT / name).read_text(errors="replace") for name in listed if (ROOT / name).is_file())
    return re.sub(r'"\s*\n\s*"', "", text)


def strangers(prose, text):
    """Inline code that names something with an underscore, or quotes a sentence of the library, and is not in the text."""
    codes = [re.sub(r"\s*\n\s*", " ", code) for code in re.findall(r"`([^`]+)`", prose)]
    known = set(re.findall(r"\w+", text))
    names = {name for code in codes for name in re.findall(r"\b[a-z][a-z0-9]*_[a-z0-9_]*\b", code)}
    sentences = {code for code in codes if code.startswith("softscore: ")}
    return sorted(names - known) + sorted(sentence for sentence in sentences if sentence not in text)


def main(check):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, stdout=subprocess.PIPE,
                           text=True, check=True).stdout.split()
    complaints = []
    said = sources() if check else ""
    for name in names:
        path = ROOT / name
        if not path.is_file():
            continue
        text = path.read_text()

        def fill(block):
            try:
                return block[1] + quoted(block["file"], block["part"]) + "\n```"
            except (OSError, ValueError) as problem:
                complaints.append(f"{name}: {problem}")
                return block[0]

        wanted = TABLES.sub(lambda block: block[1] + components.page() + "\n\n" + block[2], QUOTE.sub(fill, text))
        if wanted != text:
            if check:
                complaints.append(f"{name}: a quoted program has changed (./dev docs copies it again)")
            else:
                path.write_text(wanted)
                print(f"{name} is up to date again")
        if check:
            complaints += [f"{name}: `{stranger}` is nowhere in the sources"
                           for stranger in strangers(re.sub(r"```.*?```", "", text, flags=re.DOTALL), said)]
        # What stands in code is no link.
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        for found in LINK.finditer(prose):
            target = found[1] or found[2]
            if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
                complaints.append(f"{name}: the link to {target} leads nowhere")
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
