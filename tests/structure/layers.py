"""Includes point down the layers, and only the benchmarks know the Boehm collector.

usage: layers.py ROOT        checks the repository
       layers.py --self-test proves that the check can fail
"""
import pathlib
import re
import sys
import tempfile

# What a file of each folder of src/ may include from src/, besides its own folder.
BELOW = {
    "base": set(),
    "alloc": {"base"},
    "roots": {"base"},
    "gc": {"base", "alloc", "roots"},
    "heap": {"base", "alloc", "roots", "gc"},
    "debug": {"base", "alloc", "roots", "gc", "heap"},
}
# The composition root: it joins the checks of src/debug to a heap that is being opened.
EXCEPTIONS = {("heap/open.c", "debug")}
# Generated: includes every source file.
AMALGAMATION = "midden.c"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(path):
    return INCLUDE.findall(path.read_text())


def c_files(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in {".c", ".h", ".cc"}) if folder.is_dir() else []


def layer_errors(src):
    """Upward, sideways and unknown includes of src/; also the number of includes seen."""
    errors, seen = [], 0
    for path in c_files(src):
        name = path.relative_to(src).as_posix()
        if name == AMALGAMATION:
            continue
        layer = name.split("/")[0]
        if "/" not in name or layer not in BELOW:
            errors.append(f"{name}: not in a known folder of src/")
            continue
        for quote, target in includes(path):
            if quote == "<" or target.startswith("midden/"):
                continue
            seen += 1
            if (path.parent / target).is_file():
                found = (path.parent / target).resolve().relative_to(src.resolve())
            elif (src / target).is_file():
                found = pathlib.Path(target)
            else:
                errors.append(f"{name}: {target} does not exist")
                continue
            there = found.parts[0]
            if there == layer or there in BELOW[layer] or (name, there) in EXCEPTIONS:
                continue
            errors.append(f"{name}: includes {found}, which is not below {layer}/")
    return errors, seen


def boehm_errors(root):
    return [
        f"{path.relative_to(root)}: includes {target}"
        for folder in ("include", "src", "examples", "tests", "docs")
        for path in c_files(root / folder)
        for _, target in includes(path)
        if target in {"gc.h", "gc/gc.h"}
    ]


def private_errors(root):
    """Examples are hosts: they include public headers only."""
    internal = {p.relative_to(root / "src").as_posix() for p in c_files(root / "src")}
    return [
        f"{path.relative_to(root)}: includes {target} of src/"
        for folder in ("include", "examples", "docs")
        for path in c_files(root / folder)
        for quote, target in includes(path)
        if quote == '"' and not (path.parent / target).is_file() and target in internal
    ]


def check(root):
    errors, seen = layer_errors(root / "src")
    if seen == 0:
        errors.append("no include was checked")
    return errors + boehm_errors(root) + private_errors(root)


def self_test():
    good = {
        "src/base/bits.h": "",
        "src/alloc/span.h": '#include "base/bits.h"\n',
        "src/debug/verify.h": "",
        "src/heap/open.c": '#include "debug/verify.h"\n#include <stdio.h>\n',
        "bench/boehm.c": "#include <gc.h>\n",
    }
    bad = {
        "src/base/up.c": '#include "alloc/span.h"\n',
        "src/roots/sideways.c": '#include "alloc/span.h"\n',
        "src/heap/other.c": '#include "debug/verify.h"\n',
        "src/gc/relative.c": '#include "../debug/verify.h"\n',
        "src/gc/absent.c": '#include "gc/absent.h"\n',
        "src/misc/file.c": "",
        "tests/boehm.c": "#  include <gc/gc.h>\n",
        "examples/private.c": '#include "alloc/span.h"\n',
    }
    for extra in [None, *bad]:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for path, text in {**good, **({extra: bad[extra]} if extra else {})}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            errors = check(root)
            if len(errors) != (1 if extra else 0):
                sys.exit(f"self-test: {extra}: {errors}")
    with tempfile.TemporaryDirectory() as name:
        if not check(pathlib.Path(name)):
            sys.exit("self-test: an empty tree passes")


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    else:
        found = check(pathlib.Path(sys.argv[1]))
        sys.exit("\n".join(found) if found else 0)
