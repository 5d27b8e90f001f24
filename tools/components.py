"""The table cmake/softscore-components.cmake, for the other scripts."""
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "cmake" / "softscore-components.cmake"
INCLUDE = ROOT / "include"


class Row:
    """A package or a component: each key of the table with its words."""

    def __init__(self, words):
        self.name, self.values = words[0], {}
        for word in words[1:]:
            if re.fullmatch(r"[A-Z_]+", word) and word in KEYS:
                key = word
                self.values[key] = []
            else:
                self.values[key].append(word)

    def __getitem__(self, key):
        return self.values.get(key, [])


KEYS = set("CALLED TARGET FIND FILE PKG_CONFIG FLAG DEBIAN HEADERS INCLUDES HAS SHOWN NEEDS PACKAGES".split())


def read():
    """The packages and the components, by name, in the order of the table."""
    text = re.sub(r"^#.*", "", TABLE.read_text(), flags=re.MULTILINE)
    rows = {"package": {}, "component": {}}
    for kind, words in re.findall(r'^softscore_(package|component)\(((?:"[^"]*"|[^")])*)\)', text, re.MULTILINE):
        row = Row(shlex.split(words))
        rows[kind][row.name] = row
    return rows["package"], rows["component"]


def with_needs(components, *names):
    """These components and those that they need, each after what it needs."""
    ordered = []
    for name in names:
        ordered += with_needs(components, *components[name]["NEEDS"]) + [name]
    return list(dict.fromkeys(ordered))


def component_of(components, header):
    """The component of a header, which is named as below include/softscore; None if it has none."""
    found = [(len(entry), name) for name, row in components.items() for entry in row["HEADERS"]
             if header == entry or entry.endswith("/") and header.startswith(entry)]
    return max(found)[1] if found else None


def page():
    """The tables of docs/reference/components.md."""
    packages, components = read()
    lines = ["| component | what it has | include, for example | needs | needs of others, with Debian's package |",
             "|---|---|---|---|---|"]
    for name, row in components.items():
        others = [packages[package] for package in row["PACKAGES"] if packages[package]["TARGET"]]
        words = ", ".join(it["CALLED"][0] + "".join(f" (`{debian}`)" for debian in it["DEBIAN"]) for it in others)
        lines.append(f"| `{name}` | {row['HAS'][0]} | `softscore/{row['SHOWN'][0]}` | "
                     f"{', '.join(f'`{need}`' for need in row['NEEDS'])} | {words} |")
    lines += ["", "| component | headers in `softscore/`, and folders of which the other rows name no part |", "|---|---|"]
    lines += [f"| `{name}` | {', '.join(f'`{header}`' for header in row['HEADERS'])} |" for name, row in components.items()]
    return "\n".join(lines)
