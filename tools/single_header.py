#!/usr/bin/env python3
"""Writes one header that has all headers of a component, and of those that it needs, in it.

usage: single_header.py [COMPONENT] [-o FILE]      softscore (the default), core, tbb, io, analysis, train

Headers of other libraries stay includes. A program may use one such header in some files and another one, or the folder
of headers, in others. Each header that is in two of them is guarded by a name of its own. Everything lies in a namespace
whose name has the first digits of a digest of the whole library. So files with single headers of unlike versions, or
with the folder, have functions and classes of their own, and handing an object of one to the other does not link.
"""
import argparse
import hashlib
import pathlib
import re
import sys

import components

INCLUDE = components.INCLUDE
OURS = re.compile(r"^ *# *include <(softscore/[^>]+)>.*\n", re.MULTILINE)


def digest():
    """Eight hexadecimal digits of all headers."""
    texts = [(str(path.relative_to(INCLUDE)), path.read_text()) for path in sorted(INCLUDE.rglob("*")) if path.is_file()]
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:8]


def guard(name):
    name = name.removeprefix("softscore/").removesuffix(".hpp").replace("/", "_IN_")  # a/b_c.hpp is not a_b/c.hpp
    return "SOFTSCORE_SINGLE_" + re.sub(r"[^a-zA-Z0-9]", "_", name).upper()


def text_of(name, version):
    """The header without its #pragma once, its includes of ours before it."""
    text = (INCLUDE / name).read_text()
    text, pragmas = re.subn(r"^#pragma once\n", "", text, flags=re.MULTILINE)
    if pragmas != 1:
        raise ValueError(f"{name} has {pragmas} times #pragma once")
    if name == "softscore/core/config.hpp":
        text, found = re.subn(r"\bv0_##vectors", f"v0_{version}_##vectors", text)
        if found != 1:
            raise ValueError(f"{name} no longer spells the namespace v0_##vectors")
    depth = 0
    for line in text.splitlines():
        depth += bool(re.match(r" *# *if", line)) - bool(re.match(r" *# *endif", line))
        if depth and OURS.match(line + "\n"):
            raise ValueError(f"{name} includes one of ours in a condition: {line}")
    return text


def single(component):
    packages, rows = components.read()
    parts = components.with_needs(rows, component)
    version, seen, written = digest(), set(), []

    def take(name):
        if name in seen:
            return
        seen.add(name)
        text = text_of(name, version)
        for other in OURS.findall(text):
            take(other)
        body = OURS.sub("", text).strip("\n")
        written.append(f"#ifndef {guard(name)}\n#define {guard(name)}\n// {name}\n{body}\n#endif\n")

    for path in sorted(INCLUDE.rglob("*.hpp")):
        name = str(path.relative_to(INCLUDE))
        part = components.component_of(rows, name.removeprefix("softscore/"))
        if part in parts and part != "softscore":  # its own need a BLAS, or are the umbrella
            take(name)
    if len({guard(name) for name in seen}) != len(seen):
        raise ValueError("two headers have the same guard")
    others = ", ".join(packages[package]["CALLED"][0] for part in parts for package in rows[part]["PACKAGES"]
                       if packages[package]["TARGET"])
    return f"""// softscore, {", ".join(part for part in parts if part != "softscore")}: written by tools/single_header.py.
// It needs {others}.
#if defined(SOFTSCORE_SINGLE_HEADER) ? SOFTSCORE_SINGLE_HEADER != 0x{version} : defined(SOFTSCORE_ABI)
#error "a file that includes a single header of softscore includes no other version of it and none of its folder of headers"
#endif
""" + "\n".join(written) + f"""
#ifndef SOFTSCORE_SINGLE_HEADER
#define SOFTSCORE_SINGLE_HEADER 0x{version}
#endif
"""


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("  ")[0].strip(), description=__doc__.split("\n")[0])
    hosts = ("softscore", "core", "tbb", "io", "analysis", "train")
    parser.add_argument("component", nargs="?", default="softscore", choices=hosts)
    parser.add_argument("-o", dest="file", type=pathlib.Path)
    options = parser.parse_args()
    text = single(options.component)
    if options.file:
        options.file.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
