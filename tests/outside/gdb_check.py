"""The commands of scripts/midden-gdb.py say of a small host what is so: at a breakpoint, and of a core file.

usage: gdb_check.py GDB SCRIPT HOST
Skipped (status 77) where gdb may not trace, or HOST has a sanitizer that gdb's traced start does not suit.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
COMMANDS = {
    "heap": "midden heap",
    "kinds": "midden kinds",
    "spans": "midden spans",
    "node spans": "midden spans node",
    "block spans": "midden spans blocks",
    "no kind": "midden spans gibberish",
    "node": "midden object list_head",
    "inside": "midden object ~(unsigned long)large + 100",
    "freed": "midden object ~(unsigned long)freed",
    "block": "midden object block",
    "free block": "midden object (char *)block + 480",
    "outside": "midden object &list_head",
    "virgin": "midden object (char *)(~(unsigned long)large & ~0xfffff) + 0x800000",
    "why text": "midden why ~(unsigned long)last_payload",
    "why local": "midden why ~(unsigned long)on_stack",
    "why value": "midden why ~(unsigned long)by_key",
    "why large": "midden why ~(unsigned long)large + 5000",
    "why not": "midden why ~(unsigned long)unreachable",
    "why freed": "midden why ~(unsigned long)freed",
    "mutator": "print mutator",
    "kind": "print node_kind",
    "global heap": "print the_heap",
    "by name": "midden heap the_heap",
    "no heap": "midden heap list_head",
}


def run_gdb(gdb, script, before, arguments):
    """What each of COMMANDS prints."""
    command = [gdb, "-batch", "-nx", "-ex", "set width 0", "-ex", f"source {script}", *before]
    for name, text in COMMANDS.items():
        # An error must not end the batch: Python catches it.
        command += ["-ex", f"echo \\n=== {name}\\n", "-ex",
                    f"python\ntry:\n  gdb.execute({text!r})\nexcept gdb.error as error:\n  print(error)"]
    result = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=100)
    output = result.stdout
    if re.search(r"ptrace|warning: Error disabling address space|Couldn't get registers", output + result.stderr) and \
            "=== heap" in output and "collector=" not in output:
        print("skipped: gdb may not trace a process here:", result.stderr)
        sys.exit(SKIPPED)
    parts = re.split(r"^=== (.*)$", output, flags=re.MULTILINE)
    return {parts[i]: parts[i + 1].strip() for i in range(1, len(parts), 2)}, output + result.stderr


EXPECTED = {
    "heap": [r"collector=mark-sweep, stack=conservative, generational=no", r"objects  (2[789]|3\d) of 3 kinds",
             r"blocks   1 in", r"of at most 16384\.0 KiB|of at most 16\.0 MiB", r"roots    1 registered, 2 objects pinned by the host, 1 mutators",
             r"1 collections, of these 0 minor"],
    "kinds": [r"^ +1 node +all +16 +10 +160 +1 +\d+$", r"^ +2 text +none +variable +(1[6-9]|2\d) ", r"^ +3 table +pairs +variable +1 +16 "],
    "spans": [r"^ *[0-9a-f]+ +\d+ text \(large\) +106496 +1 +1 +100 %$", r"^ *[0-9a-f]+ +\d+ \(blocks\) +48 +1 +\d+ "],
    "node spans": [r"\A.*\n *[0-9a-f]+ +\d+ node +16 +10 +\d+ .*\Z"],
    "block spans": [r"\A.*\n *[0-9a-f]+ +\d+ \(blocks\) +48 +1 +\d+ .*\Z"],
    "no kind": [r"no kind is called gibberish"],
    "node": [r"is an object$", r"kind     node \(kind 1\)$", r"16 bytes$", r"marked   no", r"cell 9 of \d+, 10 in use",
             r"words    0x[0-9a-f]+ 0x[0-9a-f]+$"],
    "inside": [r"is an object$", r"text \(kind 2\), large", r"106496 bytes; the address is 100 bytes into it"],
    "freed": [r"is a free cell$", r"text \(kind 2\)", r"208 bytes", r"marked   no"],
    "block": [r"is a raw block in use$", r"48 bytes"],
    "free block": [r"is a free raw block$"],
    "outside": [r"is outside the heap's range"],
    "virgin": [r"which was never used"],
    "why text": [r"\Athe root at 0x[0-9a-f]+ \(list_head\) refers to the node at 0x[0-9a-f]+, 16 bytes\n"
                 r"(  at offset 0 refers to the node at 0x[0-9a-f]+, 16 bytes\n){9}"
                 r"  at offset 8 refers to the text at 0x[0-9a-f]+, 40 bytes\Z"],
    "why local": [r"(the stack at 0x[0-9a-f]+, in hold_on_stack|the register \w+) refers to the text at 0x[0-9a-f]+, 208 bytes"],
    "why value": [r"\Athe handle at 0x[0-9a-f]+ refers to the table at 0x[0-9a-f]+, 16 bytes\n"
                  r"  at offset 8 refers to the text at 0x[0-9a-f]+, 80 bytes\Z"],
    "why large": [r"\A(the handle|the stack) at .* refers to the text at 0x[0-9a-f]+, 106496 bytes\Z"],
    "why not": [r"\Anothing that can be read here reaches the text at 0x[0-9a-f]+, 65536 bytes: garbage"],
    "why freed": [r"is a free cell$"],
    "mutator": [r"0x[0-9a-f]+ \(mutator of the heap at 0x[0-9a-f]+\)"],
    "kind": [r"kind 1 node, cells of 16 bytes"],
    "global heap": [r"0x[0-9a-f]+ \(heap: mark-sweep, 1 collections, \d+ pages\)"],
    "by name": [r"heap at 0x[0-9a-f]+: collector=mark-sweep"],
    "no heap": [r"list_head is no open heap, and no mutator of one"],
}


def errors_in(what, answers, output):
    errors = [f"{what}: {name}: {pattern!r} is not in\n{answers.get(name)}" for name, patterns in EXPECTED.items()
              for pattern in patterns if not re.search(pattern, answers.get(name, ""), re.MULTILINE)]
    return errors + ([output] if errors else [])


def main(gdb, script, host):
    with tempfile.TemporaryDirectory() as name:
        core = pathlib.Path(name) / "core"
        before = ["-ex", "break stop_here", "-ex", "run"]
        live, output = run_gdb(gdb, script, [*before, "-ex", f"gcore {core}"], [host])
        errors = errors_in("at the breakpoint", live, output)
        if not errors and not core.exists():
            errors = [f"no core file was written: {output}"]
        if not errors:
            dead, output = run_gdb(gdb, script, [], [host, core])
            errors = errors_in("core file", dead, output)
            errors += [f"{part}: live\n{live[part]}\ncore file\n{dead[part]}" for part in live
                       if not part.startswith("why local") and live[part].split("= ")[-1] != dead[part].split("= ")[-1]]
    sys.exit("\n".join(errors) if errors else 0)


if __name__ == "__main__":
    os.environ.pop("DEBUGINFOD_URLS", None)
    main(*sys.argv[1:])
