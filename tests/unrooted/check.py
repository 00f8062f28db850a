#!/usr/bin/env python3
"""check.py ROOT: the reports of unrooted= about a host with a planted bug, and about the same host without it, for each
compiler that is installed at -O0 and -O2, under each collector."""
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
COMPILERS = ("gcc", "clang")
LEVELS = ("-O0", "-O2")
MOVING = ("mark-compact", "copying")


def libunwind_flags():
    found = subprocess.run(["pkg-config", "--cflags", "--libs", "libunwind"], capture_output=True, text=True)
    return shlex.split(found.stdout) if found.returncode == 0 else None


def run(program, options, mode):
    done = subprocess.run([program, f"stack=precise,{options}", mode], capture_output=True, text=True, timeout=60)
    figures = re.search(r"good 1 lost (\d+) stale (\d+)", done.stdout)
    if done.returncode != 0 or not figures:
        sys.exit(f"{options} {mode}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stderr, int(figures[1]), int(figures[2])


def expect(condition, what, text):
    if not condition:
        sys.exit(f"{what}\n{text}")


def check_program(program, compiler_and_level):
    for collector in ("mark-sweep", *MOVING):
        for generational in ("no", "yes"):
            options = f"collector={collector},generational={generational},unrooted="
            where = f"{compiler_and_level} {options}"
            text, lost, stale = run(program, options + "lost", "lost")
            expect(re.search(rf"unrooted: collection \d+ \({collector}\): keep_two\+0x[0-9a-f]+ \(\S+ 0x[0-9a-f]+\) holds, in \S+ ?\S* "
                             r".*a reference to a string of 16 bytes at 0x[0-9a-f]+ that no root leads to", text),
                   f"{where}: keep_two is not named", text)
            expect(lost >= 3 and stale == 0, f"{where}: counted {lost} lost, {stale} stale", text)
            expect("in all 3 times: keep_two+0x" in text, f"{where}: found three times, and not said so", text)
            expect(text.count("collection") == 1, f"{where}: not one report", text)
            text, lost, stale = run(program, options + "lost", "far")
            expect(re.search(r"unrooted: collection 1 \S+: keep_far\+0x", text) and "use_registers" not in text,
                   f"{where}: keep_far is not named, or another is", text)
            text, lost, stale = run(program, options + "all", "stale")
            if collector in MOVING[1:]:
                expect(re.search(r"keep_copy\+0x[0-9a-f]+ .*no root to a pair of 16 bytes at 0x\w+, which lives and has moved to 0x\w+", text),
                       f"{where}: keep_copy is not named", text)
                expect(stale >= 3, f"{where}: counted {stale} stale", text)
            elif collector == "mark-sweep":
                expect(text == "" and stale == 0, f"{where}: nothing moves, and there is a report", text)
            for mode in ("fixed", "stale"):
                text, lost, stale = run(program, options + "lost", mode)
                expect(text == "" and lost == 0 and stale == 0, f"{where} {mode}: a false report", text)
            text, lost, stale = run(program, options + "all,stress=alloc:1", "fixed")
            expect(text == "" and lost == 0 and stale == 0, f"{where} under stress: a false report", text)


def main():
    root = pathlib.Path(sys.argv[1])
    flags = libunwind_flags()
    compilers = [name for name in COMPILERS if shutil.which(name)]
    if not compilers or flags is None:
        print("unrooted: no compiler of", ", ".join(COMPILERS), "or no libunwind")
        return SKIPPED
    text = (root / "src" / "midden.c").read_text()
    expect("registers_builtin.c" in text and "backtrace_none.c" in text, "src/midden.c names other files", text)
    text = text.replace("registers_builtin.c", "registers_libunwind.c").replace("backtrace_none.c", "backtrace_libunwind.c")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "library.c").write_text(text)
        for compiler in compilers:
            for level in LEVELS:
                includes = ["-std=gnu11", f"-I{root}/include", f"-I{root}/src"]
                program = directory / "host"
                subprocess.run([compiler, level, *includes, pathlib.Path(__file__).with_name("host.c"), directory / "library.c",
                                "-o", program, "-lm", *flags], check=True)
                check_program(program, f"{compiler} {level}")
                print(f"{compiler} {level}: ok")
    return 0


sys.exit(main())
