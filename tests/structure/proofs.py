"""tests/README.md says for each line of what midden offers where its proof is: that file and that case exist.

usage: proofs.py ROOT | --self-test
A proof is written `file: case, case`; the file is tests/<file>.c, a case one of its START_TESTs that main names,
or a function of it. A check that is no Check program is written as its path, `structure/symbols.py`. Every
conformance_* and promises_* program proves something.
"""
import pathlib
import re
import sys
import tempfile

PROOF = re.compile(r"`([a-z_0-9]+): ([a-z_0-9, ]+)`")
PATH = re.compile(r"`([a-z_]+/[a-z_.-]+)`")
TEST = re.compile(r"^START_TEST\((\w+)\)", re.MULTILINE)
FUNCTION = re.compile(r"^(?:static |__attribute__\(\(\w+\)\) )*\w+(?: \**|\*+ ?)(\w+)\([^;]*$", re.MULTILINE)
HEADING = "## What is promised, and where it is proved"


def section(text):
    """The lines of the table, without its head."""
    if HEADING not in text:
        return None
    part = text.split(HEADING, 1)[1].split("\n## ", 1)[0]
    return [line for line in part.splitlines() if line.startswith("|")][2:]


def cases(source):
    """The tests of a program that main names, and its functions."""
    run = set(re.findall(r"\w+", source.partition("\nint main(")[2]))
    return set(TEST.findall(source)) & run | set(FUNCTION.findall(source))


def proof_errors(name, wanted, folder):
    path = folder / f"{name}.c"
    if not path.exists():
        return [f"tests/README.md: there is no tests/{name}.c"]
    known = cases(path.read_text())
    return [f"tests/README.md: {name} has no case {case}, or does not run it" for case in wanted if case not in known]


def errors(root):
    folder = root / "tests"
    rows = section((folder / "README.md").read_text())
    if not rows:
        return [f"tests/README.md: no table below '{HEADING}'"]
    found = []
    for row in rows:
        proofs = PROOF.findall(row)
        paths = PATH.findall(row)
        found += [f"tests/README.md: there is no tests/{path}" for path in paths if not (folder / path).exists()]
        if not proofs and not paths:
            found.append(f"tests/README.md: no proof in the line {row}")
        for name, wanted in proofs:
            found += proof_errors(name, [case.strip() for case in wanted.split(",")], folder)
    named = {name for row in rows for name, _ in PROOF.findall(row)}
    for path in sorted(folder.glob("conformance_*.c")) + sorted(folder.glob("promises_*.c")):
        if path.stem not in named:
            found.append(f"tests/README.md: {path.name} proves nothing in the table")
    return found


def self_test():
    """It finds what is missing: a file, a case, a case that main leaves out, a line without a proof."""
    table = f"{HEADING}\n\n| line | proof |\n|---|---|\n"
    source = "static void work(void) {\n}\nSTART_TEST(runs) {\n}\nSTART_TEST(forgotten) {\n}\nint main(void) {\n  {{runs, ANYWHERE}};\n}\n"
    expected = {
        "| a | `conformance_a: runs` |": 0,
        "| a | `conformance_a: runs, gone` |": 1,
        "| a | `conformance_a: forgotten` |": 1,
        "| a | `conformance_a: runs, work` |": 0,
        "| a | `conformance_a: runs` `nowhere: runs` |": 1,
        "| a | `conformance_a: runs` |\n| b | nothing |": 1,
        "| a | `conformance_a: runs` `structure/gone.py` |": 1,
        "| a | `helper: help` |": 1,  # and conformance_a is in no line
        "": 1,
    }
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "tests").mkdir()
        (root / "tests/conformance_a.c").write_text(source)
        (root / "tests/helper.c").write_text("static void help(int a) {\n}\n")
        for rows, count in expected.items():
            (root / "tests/README.md").write_text(table + rows + "\n\n## Next\n")
            if len(errors(root)) != count:
                sys.exit(f"proofs: {rows!r} gives {errors(root)}")
    print("proofs: what is missing is found")


if sys.argv[1] == "--self-test":
    self_test()
else:
    problems = errors(pathlib.Path(sys.argv[1]))
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)
