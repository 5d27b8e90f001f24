#!/usr/bin/env python3
"""The checks of ./dev check: one line each, and the reasons below a line that fails.

usage: check.py [--list] [NAMES...]      all checks but the long ones, or those named
"""
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import components as component_table

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
JOBS = os.cpu_count() or 1
# Lowest first: a room includes only itself and rooms before it.
ROOMS = ("core io backend operator corruption nn denoiser objective sampler optim compiled data metric schedule train").split()
# What comes before a room, or a header, and stays out of it all the same: training does not know its own judges.
APART_FROM = {"train/": {"metric"}, "metric/elbo.hpp": {"data", "sampler"}}
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror".split()
FLAGS = ["-std=c++20", f"-I{INCLUDE}", "-isystem", "/usr/include/eigen3"]
# Programs that use every room; between them they instantiate most of the library.
TIDY = ["examples/embed/main.cpp", "examples/custom_degradation.cpp"]


def tracked(*patterns):
    """Files of the repository: those in git and those about to be."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z", *patterns], cwd=ROOT,
                           stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


def sources():
    return tracked("*.hpp", "*.cpp", "*.cuh", "*.cu")


def headers():
    return [h for h in tracked("include/softscore/*.hpp")
            if "cuda" not in h.relative_to(INCLUDE).parts and h.name != "cuda.hpp"]


def short(path):
    return str(pathlib.Path(path).relative_to(ROOT))


def run(command, **options):
    return subprocess.run([str(c) for c in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **options)


def in_parallel(work, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [complaint for complaints in pool.map(work, items) for complaint in complaints]


def lines_of(path):
    return enumerate(path.read_text(errors="replace").splitlines(), 1)


def beginning(output):
    """What a person reads of a compiler's output."""
    lines = output.rstrip().splitlines()
    return "\n".join(lines[:30] + [f"({len(lines) - 30} more lines)"] * (len(lines) > 30))


def code_of(line):
    """The line without its comment."""
    return line.split("//")[0]


def format():
    """every source file is as clang-format 19 writes it"""
    def one(path):
        wanted = run(["clang-format-19", path])
        return [] if wanted.stdout == path.read_text() else [f"{short(path)} (./dev format fixes it)"]
    return in_parallel(one, sources())


def rooms():
    """a room includes only itself and the rooms below it"""
    complaints = []
    for path in tracked("include/softscore/*"):
        parts = path.relative_to(INCLUDE / "softscore").parts
        if len(parts) == 1:
            continue  # the umbrella
        if parts[0] not in ROOMS:
            complaints.append(f"{short(path)} is in no room of the list")
            continue
        for number, line in lines_of(path):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not found:
                continue
            if found[1] == '"':
                complaints.append(f"{short(path)}:{number} includes {found[2]} in quotes; write <softscore/room/file.hpp>")
            if not found[2].startswith("softscore/"):
                continue
            room = found[2].split("/")[1]
            if any(room in rooms and short(path).startswith("include/softscore/" + these)
                   for these, rooms in APART_FROM.items()):
                complaints.append(f"{short(path)}:{number} includes {found[2]}, which it stays apart from")
            if room not in ROOMS or ROOMS.index(room) > ROOMS.index(parts[0]):
                complaints.append(f"{short(path)}:{number} is in {parts[0]} and includes {found[2]} from above it")
    return complaints


def raw():
    """an address is taken from a view only under backend/ and compiled/ and in core/view.hpp"""
    complaints = []
    for path in tracked("include/softscore/*"):
        parts = path.relative_to(INCLUDE / "softscore").parts
        if parts[0] in ("backend", "compiled") or parts == ("core", "view.hpp"):
            continue
        complaints += [f"{short(path)}:{n} calls raw()" for n, line in lines_of(path)
                       if re.search(r"(?<![\w.>:])raw\(", code_of(line))]
    return complaints


def shims():
    """a package of others is included only by the headers that the table of components names, as a package of theirs"""
    packages, _ = component_table.read()
    complaints = []
    for path in tracked("include/softscore/*"):
        name = str(path.relative_to(INCLUDE / "softscore"))
        for number, line in lines_of(path):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)
            package = found and package_of(packages, found[1])
            if package and name not in package["HEADERS"]:
                complaints.append(f"{short(path)}:{number} includes {found[1]}; only {' and '.join(package['HEADERS'])} does")
    return complaints


def package_of(packages, name):
    """The package of others whose header an #include names, or None."""
    return next((row for row in packages.values() if any(name.startswith(it) for it in row["INCLUDES"])), None)


# Headers with such names are the compiler's or the system's.
SYSTEMS = re.compile(r"[a-z_0-9]+|sys/.*|(fcntl|pthread|unistd|immintrin)\.h")


def components():
    """each header reaches only what its component in cmake/softscore-components.cmake needs, and says so if that is missing"""
    packages, rows = component_table.read()
    direct = direct_includes("*.hpp", "*.cuh")
    reached, complaints = reached_headers(direct), []
    for header, others in direct.items():
        name = header.removeprefix("softscore/")
        component = component_table.component_of(rows, name)
        if component is None:
            complaints.append(f"include/{header} is of no component")
            continue
        offered = component_table.with_needs(rows, component)
        linked = {package for part in offered for package in rows[part]["PACKAGES"]}
        for other in others:
            if other.startswith("softscore/"):
                part = component_table.component_of(rows, other.removeprefix("softscore/"))
                # The umbrella includes the backend for GPUs in files that a CUDA compiler compiles.
                if part not in offered and (name, part) != ("softscore.hpp", "cuda"):
                    complaints.append(f"include/{header} is of {component}, which does not need {part}, and includes {other}")
            elif not SYSTEMS.fullmatch(other):
                package = package_of(packages, other)
                if package is None or package.name not in linked:
                    complaints.append(f"include/{header} is of {component}, which does not need {other}")
        own = [package for package in rows[component]["PACKAGES"]
               if packages[package]["INCLUDES"] and packages[package]["TARGET"]]
        if own and name in rows[component]["HEADERS"] and not any(
                package_of(packages, other) in map(packages.get, own) for other in reached[header]):
            complaints.append(f"include/{header} reaches nothing of {', '.join(own)}, so it need not be of {component}")
    for component, row in rows.items():
        for entry in row["HEADERS"] + row["SHOWN"]:
            if not (INCLUDE / "softscore" / entry).exists():
                complaints.append(f"{entry} of the component {component} does not exist")
    for package in packages.values():
        component = next(name for name, row in rows.items() if package.name in row["PACKAGES"])
        sentence = (f"needs {package['CALLED'][0]}: link softscore::{component} "
                    f"(find_package(softscore COMPONENTS {component}))")
        for header in package["HEADERS"] if package["INCLUDES"] and package["TARGET"] else []:
            text = (INCLUDE / "softscore" / header).read_text().replace("\\\n", "")
            if not re.search(rf'#error +"softscore/{re.escape(header)} {re.escape(sentence)}"', text):
                complaints.append(f'{header} has no #error "softscore/{header} {sentence}"')
    return complaints


def namespaces():
    """headers open the namespace of the instruction set; what lies outside is marked as shared and always inlined"""
    inside = re.compile(r"^(?:inline )?namespace softscore::inline SOFTSCORE_ABI\b")
    # A line that defines a function of a shared block or of a type in it; one that only names a friend defines none.
    function = re.compile(r"^(?: {2})?(?!SOFTSCORE_SHARED|struct|class|enum|namespace|using|//|static_assert)\S.*\(.*\)"
                          r"(?: const)?(?: : .*)?(?: \{.*|\s*= default;)$")
    complaints = []
    for path in tracked("include/softscore/*"):
        block = None
        text = path.read_text()
        if "SOFTSCORE_ABI" in text and path.name != "config.hpp" and "#include <softscore/core/config.hpp>" not in text:
            complaints.append(f"{short(path)} opens SOFTSCORE_ABI and does not include <softscore/core/config.hpp>")
        for number, line in lines_of(path):
            if re.match(r"^(inline )?namespace softscore\b", line):
                block = "inside" if inside.match(line) else "shared" if line == "namespace softscore {  // shared" else None
                if block is None:
                    complaints.append(f"{short(path)}:{number} opens neither softscore::inline SOFTSCORE_ABI nor a block "
                                      "marked // shared")
            elif block == "shared" and function.match(line) and "SOFTSCORE_SHARED" not in line:
                complaints.append(f"{short(path)}:{number} declares a shared function without SOFTSCORE_SHARED")
    return complaints


def abi():
    """files compiled with unlike flags in one program: all pairs of compilers, instruction sets and strengths (half an hour)"""
    result = run([sys.executable, ROOT / "tools/abi.py"])
    print(result.stdout)
    return result.stdout.splitlines() if result.returncode else []


def paths():
    """no tracked file names a place on somebody's machine"""
    pattern = re.compile(rb"(?<![\w.])/(?:home|root|work|Users|mnt)/\w")
    complaints = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            continue
        complaints += [f"{short(path)}:{n} names {found[0].decode()}..." for n, line in
                       enumerate(data.splitlines(), 1) for found in [pattern.search(line)] if found]
    return complaints


def documents():
    """quoted programs are up to date and links lead somewhere"""
    result = run([sys.executable, ROOT / "tools/docs.py", "--check"])
    return result.stdout.splitlines() if result.returncode else []


def prose():
    """pages have no sentence that docs/style.md calls too long and none of the phrases that it looks for"""
    result = run([sys.executable, ROOT / "tools/prose.py"])
    return result.stdout.splitlines() if result.returncode else []


def equations():
    """the equation map and the code cite the same sources, and every file in it exists"""
    result = run([sys.executable, ROOT / "tools/equations.py"])
    return result.stdout.splitlines() if result.returncode else []


def concepts():
    """concept headers include neither Eigen, xtensor nor TBB, not even through others"""
    heavy = re.compile(r"/(eigen3?|xtensor|xtl|tbb|oneapi)/", re.IGNORECASE)

    def one(path):
        result = run(["g++", *FLAGS, "-M", path])
        if result.returncode:
            return [f"{short(path)} does not compile: {result.stdout.splitlines()[0]}"]
        found = sorted({h for h in re.findall(r"\S+", result.stdout) if heavy.search(h)})
        return [f"{short(path)} reaches {found[0]} and {len(found) - 1} more such headers"] if found else []
    return in_parallel(one, [h for h in headers() if h.name in ("concept.hpp", "archetype.hpp")])


def umbrella():
    """softscore.hpp reaches every header of the components that softscore::softscore links"""
    _, rows = component_table.read()
    result = run(["g++", *FLAGS, "-M", INCLUDE / "softscore" / "softscore.hpp"])
    reached = {pathlib.Path(name).resolve() for name in re.findall(r"[^\s\\]+", result.stdout) if name.endswith(".hpp")}
    return [f"{short(path)} is not reached" for path in headers() if path not in reached and
            component_table.component_of(rows, str(path.relative_to(INCLUDE / "softscore"))) in rows["softscore"]["NEEDS"]]


def direct_includes(*kinds):
    """Our headers, by the names that an #include gives them, and what each includes."""
    return {str(path.relative_to(INCLUDE)): re.findall(r"^ *# *include <(.+?)>", path.read_text(), re.MULTILINE)
            for kind in kinds for path in tracked(f"include/softscore/{kind}")}


def reached_headers(includes):
    """The names of all that each of these headers includes, through others too."""
    reached = {}

    def reach(name):
        if name not in reached:
            reached[name] = set()  # what includes itself adds nothing more
            for other in includes.get(name, []):
                reached[name] |= {other} | reach(other)
        return reached[name]
    for name in includes:
        reach(name)
    return reached


def chosen_bases(names, reached, count):
    """The headers of which a precompiled form saves the most time where others include them."""
    def weight(name):
        return 1 if name.startswith("softscore/") else 40 if "/" in name and not name.startswith("sys/") else 3
    cost = {name: sum(map(weight, reached[name])) for name in names}
    saved, bases = dict.fromkeys(names, 0), []
    for _ in range(count):
        base = max(names, key=lambda b: sum(max(0, cost[b] - saved[h]) for h in names if b in reached[h]))
        bases.append(base)
        for name in names:
            if base in reached[name]:
                saved[name] = max(saved[name], cost[base])
    return sorted(bases, key=lambda base: -cost[base])


def compiled_twice(compiler):
    """Compiles a unit for each header, which includes nothing but it, twice. Most of the time goes to what it includes,
    so the unit reads the precompiled form of a header that it reaches anyway; what passed is not compiled again until a
    header of ours that it reaches changes."""
    if not shutil.which(compiler):
        return None
    folder = ROOT / "build" / "check" / compiler
    folder.mkdir(parents=True, exist_ok=True)
    names, reached = [str(path.relative_to(INCLUDE)) for path in headers()], reached_headers(direct_includes("*.hpp"))
    contents = {name: (INCLUDE / name).read_bytes() for name in reached if (INCLUDE / name).is_file()}
    command = [compiler, *FLAGS, *WARNINGS, "-O0"]
    installed = pathlib.Path("/var/lib/dpkg/status")  # changes with any package, and so with the headers of others
    version = run([compiler, "--version"]).stdout, installed.exists() and installed.stat().st_mtime_ns

    def flat(name):
        return folder / name.replace("/", "-")

    def digest(name):
        texts = [contents[other] for other in sorted(reached[name] | {name}) if other in contents]
        return hashlib.sha256(repr((version, command, texts)).encode()).hexdigest()

    def passed(name):
        record = flat(name).with_suffix(".passed")
        return record.exists() and record.read_text() == digest(name)

    def precompile(base):
        form = flat(base).with_suffix(".hpp.gch")
        form.unlink(missing_ok=True)
        flat(base).write_text(f"#include <{base}>\n")
        run([*command, "-x", "c++-header", flat(base), "-o", form])  # where it fails, its own unit says why
        return []

    def one(name):
        # A compiler may be wrong about a precompiled form, so that what fails on one is judged without it.
        forms = [["-include", flat(base)] for base in bases if base in reached[name]][:1] + [[]]
        source = flat(name).with_suffix(".cpp")
        source.write_text(f"#include <{name}>\n#include <{name}>\n")
        for form in forms:
            result = run([*command, *form, "-S", source, "-o", "/dev/null"])
            if result.returncode == 0:
                flat(name).with_suffix(".passed").write_text(digest(name))
                return []
        return [f"include/{name}\n{beginning(result.stdout)}"]

    left = [name for name in names if not passed(name)]
    bases = chosen_bases(names, reached, 16) if len(left) > 32 else []
    in_parallel(precompile, bases)
    return in_parallel(one, left)


def headers_gcc():
    """each header compiles alone and twice, with g++"""
    return compiled_twice("g++")


def headers_clang():
    """each header compiles alone and twice, with clang++"""
    return compiled_twice("clang++")


def tidy():
    """clang-tidy finds nothing in the programs that use every room"""
    def one(path):
        result = run(["clang-tidy-19", "--quiet", path, "--", *FLAGS])
        return [] if result.returncode == 0 else [beginning(result.stdout)]
    return in_parallel(one, [ROOT / name for name in TIDY if (ROOT / name).exists()])


CHECKS = [format, rooms, raw, shims, components, namespaces, paths, documents, prose, equations, concepts, umbrella, headers_gcc,
          headers_clang, tidy]
# Long ones, run only when named.
ON_REQUEST = [abi]


def main(arguments):
    known = {check.__name__: check for check in CHECKS + ON_REQUEST}
    if arguments == ["--list"]:
        for name, check in known.items():
            print(f"{name:14} {check.__doc__}")
        return 0
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"check.py: there is no check \"{unknown[0]}\"; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = 0
    names = arguments or [check.__name__ for check in CHECKS]
    for name in names:
        start = time.monotonic()
        try:
            complaints = known[name]()
        except FileNotFoundError as missing:
            complaints = [f"{missing.filename} is not installed (./dev setup check installs it)"]
        seconds = time.monotonic() - start
        verdict = "none" if complaints is None else "FAIL" if complaints else "pass"
        note = " (no such compiler here)" if complaints is None else ""
        print(f"{verdict}  {name:14} {known[name].__doc__}{note} [{seconds:.0f} s]", flush=True)
        for complaint in complaints or []:
            print("      " + complaint.replace("\n", "\n      "), flush=True)
        failed += bool(complaints)
    print(f"{len(names) - failed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
