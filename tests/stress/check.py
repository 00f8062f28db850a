#!/usr/bin/env python3
"""check.py PROGRAM COLLECTOR...: midden-stress as its reader meets it: lines, exit statuses, errors, replay."""
import re
import subprocess
import sys

PROGRAM = sys.argv[1]
COLLECTORS = sys.argv[2:]


def run(*arguments):
    """AddressSanitizer says once that it has doubts about the coroutines of the model: that is no finding."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120)
    errors = [line for line in done.stderr.splitlines(True) if "ASan doesn't fully support makecontext" not in line]
    return done.returncode, done.stdout, "".join(errors)


def expect(condition, *what):
    if not condition:
        sys.exit("midden-stress: " + " ".join(str(part) for part in what))


def check_lines():
    status, output, errors = run("--seconds=0", "--seed=7", "--operations=300")
    expect(status == 0 and errors == "", "a run ends with", status, errors)
    lines = [line.split() for line in output.splitlines()[1:-1]]
    expect({line[0] for line in lines} == set(COLLECTORS), "collectors in the output:", output)
    expect({line[1] for line in lines} == {"conservative", "precise", "pinning"}, "stack modes in the output:", output)
    expect({line[3] for line in lines} == {"no", "yes"}, "generations in the output:", output)
    for line in lines:
        seed, rounds, operations, collections = map(int, line[4:8])
        expect((seed, rounds, operations) == (7, 1, 300), "a line's figures:", line)
        expect((collections > 0) == (line[0] != "none"), "collections in", line)


def check_replay():
    """The same seed gives the same line, but for what time decides."""
    arguments = ("--seconds=0", "--seed=99", "--collector=copying", "--stack=precise")
    expect(run(*arguments)[1] == run(*arguments)[1], "a seed does not replay")
    expect(run(*arguments)[1] != run("--seed=100", *arguments[:1], *arguments[2:])[1], "seeds make no difference")


def check_choices():
    output = run("--seconds=0", "--collector=mark-sweep", "--stack=precise", "--options=stress=alloc:3,generational=no")[1]
    expect(len(output.splitlines()) == 3, "one combination was asked for:", output)
    status, output, _ = run("--help")
    expect(status == 0 and "--collector=all|NAME" in output and "heap-limit:" in output, "--help:", output)


def without_moved(output):
    return [line.split()[:8] + line.split()[9:] for line in output.splitlines()]


def check_switching():
    """Collectors that move nothing by themselves do, after a switch; and the same seed switches in the same way."""
    arguments = ("--seconds=0", "--seed=5", "--collector=mark-sweep", "--stack=precise", "--switch=yes")
    status, output, errors = run(*arguments)
    expect(status == 0 and errors == "", "switching ends with", status, output, errors)
    moved = [int(line.split()[8]) for line in output.splitlines()[1:-1]]
    without = [int(line.split()[8]) for line in run(*arguments[:4], "--switch=no")[1].splitlines()[1:-1]]
    expect(sum(moved) > sum(without), "switching moves", moved, "objects, and staying", without)
    # But for objects that an address, which differs from run to run, has pinned or not.
    expect(without_moved(run(*arguments)[1]) == without_moved(output), "a seed does not replay switches")


def check_errors():
    for argument, words in {
        "--collector=fast": ('"fast"', "copying"),
        "--stack=deep": ('"deep"', "precise"),
        "--seconds=soon": ('"soon"', "1000000"),
        "--seed=x": ('"x"', "numbers"),
        "--switch=often": ('"often"', "yes, no"),
        "--operations=0": ('"0"', "1 and more"),
        "--options=heap-limit=lots": ("heap-limit", "lots"),
        "--verbose": ("--verbose", "--help"),
    }.items():
        status, output, errors = run(argument)
        expect(status == 2 and output == "", argument, "ends with", status, output)
        expect(all(word in errors for word in words), argument, "says", errors)
    status, _, errors = run("--collector=none", "--options=stress=alloc:1")
    expect(status == 2 and re.search("choose another collector", errors), "what cannot work:", status, errors)


check_lines()
check_replay()
check_choices()
check_switching()
check_errors()
print("midden-stress: lines, replay, choices and errors are as they should be")
