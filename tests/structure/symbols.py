"""What the library adds to the program that links it: names with its prefixes, no state, no signal handler or exit hook.

usage: symbols.py ARCHIVE
       symbols.py --exported MODULE    what a shared module exports: the public names, and nothing else
"""
import re
import subprocess
import sys

PREFIXES = ("midden_", "mdn_")
# What would change the process for everybody in it.
FOREIGN = re.compile(r"(signal|bsd_signal|sysv_signal|sigaction|sigaltstack|sigprocmask|pthread_sigmask|setitimer|timer_create"
                     r"|atexit|__cxa_atexit|on_exit|pthread_atfork|__register_atfork|setlocale|putenv|setenv|exit|_exit)")
UNDEFINED = re.compile(r"\*UND\*\t[0-9a-f]+ +(?:\.\S+ )?(\S+)$", re.MULTILINE)
# The handler of guard=report: one file has it, and one variable that belongs to the process.
GUARD_SIGNALS = "debug_guard_signals.c.o"
GUARD_STATE = "guard_process"
GUARD_CALLS = {"sigaction", "pthread_sigmask"}
# A line of objdump --syms: address, seven columns of flags, section, size, visibility, name.
SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.\S+ )?(\S+)$", re.MULTILINE)


def exported(module):
    lines = subprocess.run(["nm", "--dynamic", "--defined-only", "--extern-only", module], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    names = [line.split()[-1] for line in lines]
    # AddressSanitizer exports its own, one for each variable.
    errors = [f"{name}: exported, and not midden_*" for name in names
              if not name.startswith(("midden_", "__asan_", "__odr_asan"))]
    if not any(name == "midden_heap_open" for name in names):
        errors.append("midden_heap_open is not exported")
    sys.exit("\n".join(errors) if errors else 0)


def main(archive):
    text = subprocess.run(["objdump", "--syms", archive], check=True, capture_output=True, text=True).stdout
    errors, functions = [], 0
    for flags, section, name in SYMBOL.findall(text):
        if section in ("*UND*", "*ABS*") or "d" in flags and name == section:
            continue
        functions += "F" in flags
        if flags[0] in "gu!" and not name.startswith(PREFIXES):
            errors.append(f"{name}: external, without the prefix {' or '.join(PREFIXES)}")
        # Constant tables with pointers are in .data.rel.ro: written by the loader only.
        if name != GUARD_STATE and re.match(r"\.(bss|tbss|tdata|data)(\.|$)", section) and not section.startswith(".data.rel.ro"):
            errors.append(f"{name}: writable, in {section}: the library has no global state")
        if section == "*COM*":
            errors.append(f"{name}: a common symbol")
    wanted = UNDEFINED.findall(text)
    for member in re.split(r"^(?=\S+: +file format)", text, flags=re.MULTILINE):
        allowed = GUARD_CALLS if member.split(":")[0].endswith(GUARD_SIGNALS) else set()
        errors += [f"{name}: is called, and changes the process" for name in UNDEFINED.findall(member)
                   if FOREIGN.fullmatch(name) and name not in allowed]
    if not wanted:
        errors.append("no function that is called was seen")
    if functions == 0:
        errors.append("no function was seen")
    sys.exit("\n".join(errors) if errors else 0)


if __name__ == "__main__":
    if sys.argv[1] == "--exported":
        exported(sys.argv[2])
    main(sys.argv[1])
