"""AddressSanitizer and memcheck report the bugs of bugs.c, each at the place that makes it, and nothing else.

usage: memory_check.py sanitizer BUGS COLLECTOR...
       memory_check.py memcheck VALGRIND BUGS COLLECTOR...
"""
import concurrent.futures
import os
import re
import subprocess
import sys

MOVING = ("copying", "mark-compact")
NEVER_COLLECTS = ("none",)

# Cells lie close together, so memcheck may name the neighbour of the one that is meant.
# The bug, the function that makes it, what memcheck says of the access and of the place.
ALL_BUGS = {
    "swept": ("read_wrongly", "Invalid read of size 1", r"\d+ bytes (inside|after|before) a block of size 16 free'd"),
    "page": ("read_wrongly", "Invalid read of size 1", r"\d+ bytes (inside|after|before) a block of size 16 free'd"),
    "moved": ("read_wrongly", "Invalid read of size 1", r"\d+ bytes (inside|after|before) a block of size 16 free'd"),
    "next-cell": ("write_wrongly", "Invalid write of size 1", r"\d+ bytes after a block of size 16 alloc'd"),
    "tail": ("write_wrongly", "Invalid write of size 1", r"0 bytes after a block of size 131 alloc'd"),
    "fixed-tail": ("write_wrongly", "Invalid write of size 1", r"0 bytes after a block of size 20 alloc'd"),
    "large-tail": ("write_wrongly", "Invalid write of size 1", r"0 bytes after a block of size 100,000 alloc'd"),
    "block-overrun": ("write_wrongly", "Invalid write of size 1", r"0 bytes after a block of size 129 alloc'd"),
    "block-freed": ("read_wrongly", "Invalid read of size 1", r"50 bytes inside a block of size 100 free'd"),
    "block-shrunk": ("read_wrongly", "Invalid read of size 1", r"0 bytes after a (recently re-allocated )?block of size 130 alloc'd"),
    "large-block-freed": ("read_wrongly", "Invalid read of size 1", r"inside a block of size 100,000 free'd"),
    "buffer-freed": ("read_wrongly", "Invalid read of size 1", r"299 bytes inside a block of size 300 free'd"),
    "lease-overrun": ("write_wrongly", "Invalid write of size 1", r"0 bytes after a block of size 5,000 alloc'd"),
    "lease-freed": ("read_wrongly", "Invalid read of size 1", r"0 bytes inside a block of size 5,000 free'd"),
}
UNWRITTEN = {
    "unwritten-block": ("branch_wrongly", "Conditional jump or move depends on uninitialised value", ""),
    "unwritten-object": ("branch_wrongly", "Conditional jump or move depends on uninitialised value", ""),
}


def applies(bug, collector):
    if bug in ("swept", "page", "fixed-tail", "unwritten-object") and collector in NEVER_COLLECTS:
        return False
    return bug != "moved" or collector in MOVING


def settings(collectors, every):
    """Pairs of a bug and options; for `every` bug its own collectors, and runs without a bug."""
    for collector in collectors:
        for bug in every:
            if applies(bug, collector):
                yield bug, f"collector={collector},stack=precise"
    for collector in collectors:
        for stack in ("conservative", "precise"):
            yield "none", f"collector={collector},stack={stack},heap-limit=64M"
        if collector not in NEVER_COLLECTS:
            yield "none", f"collector={collector},stack=conservative,stress=alloc:7,verify=both,poison=yes,heap-limit=64M"
            yield "none", f"collector={collector},generational=yes,stress=alloc:5,verify=before,heap-limit=64M"


def run(command, environment):
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    return result.returncode, result.stdout + result.stderr


def sanitizer_error(code, output, function):
    """What is wrong with the report; None: nothing."""
    if function is None:
        return "reported, or failed" if code != 0 or "done" not in output else None
    if code == 0 or "AddressSanitizer: use-after-poison" not in output:
        return "not reported"
    top = re.search(r"#0 \S+ in (\w+)", output)
    return None if top and top.group(1) == function else f"not reported in {function}"


def memcheck_error(code, output, bug, expected):
    if expected is None:
        return "reported, or failed" if code != 0 or "done" not in output or "ERROR SUMMARY: 0 errors" not in output else None
    function, access, place = expected
    if code != 9 or "ERROR SUMMARY: 1 errors from 1 contexts" not in output:
        return "not reported, or something else too"
    # Its instruction is sometimes taken for part of the call before.
    pattern = access + r".*\n==\d+==    at \S+ (" + function + r"[.\w]*|bug_" + bug.replace("-", "_") + r") \("
    if not re.search(pattern, output):
        return f"not reported as {access} in {function}"
    return None if re.search(place, output) else f"the place is not described as {place}"


def check_sanitizer(bugs, setting):
    bug, options = setting
    # With fake stacks, which keep locals elsewhere: the scan must find them there.
    environment = dict(os.environ, ASAN_OPTIONS="detect_stack_use_after_return=1:abort_on_error=0:detect_leaks=0:symbolize=1")
    code, output = run([bugs, bug, options], environment)
    error = sanitizer_error(code, output, ALL_BUGS[bug][0] if bug != "none" else None)
    return error and f"{bug} {options}: {error}\n{output}"


def check_memcheck(valgrind, bugs, setting):
    bug, options = setting
    code, output = run([valgrind, "--error-exitcode=9", "--leak-check=full", "-q", "-v", bugs, bug, options], dict(os.environ))
    error = memcheck_error(code, output, bug, {**ALL_BUGS, **UNWRITTEN}[bug] if bug != "none" else None)
    return error and f"{bug} {options}: {error}\n{output}"


def main(tool, *arguments):
    if tool == "sanitizer":
        bugs, collectors = arguments[0], arguments[1:]
        tasks = list(settings(collectors, ALL_BUGS))
        check = lambda setting: check_sanitizer(bugs, setting)
    else:
        valgrind, bugs, collectors = arguments[0], arguments[1], arguments[2:]
        # Slower: each bug under one collector that it can happen with, and the moving ones under both.
        chosen = {collector: [] for collector in collectors}
        for bug in {**ALL_BUGS, **UNWRITTEN}:
            fitting = [collector for collector in collectors if applies(bug, collector)]
            for collector in fitting if bug == "moved" else fitting[:1]:
                chosen[collector].append(bug)
        tasks = [(bug, f"collector={collector},stack=precise,heap-limit=64M") for collector in chosen for bug in chosen[collector]]
        tasks += [setting for setting in settings(collectors, ())]
        check = lambda setting: check_memcheck(valgrind, bugs, setting)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = [error for error in pool.map(check, tasks) if error]
    if len(tasks) < 20:
        errors.append(f"only {len(tasks)} runs were made")
    sys.exit("\n".join(errors) if errors else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
