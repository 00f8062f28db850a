#!/usr/bin/env python3
"""check.py ROOT: builds registers.c with the whole library as one file, for each compiler that is installed,
at -O0, -O2 and -O3, with each way of capturing registers, and runs it."""
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
COMPILERS = ("gcc", "clang")
LEVELS = ("-O0", "-O2", "-O3")


def libunwind_flags():
    found = subprocess.run(["pkg-config", "--cflags", "--libs", "libunwind"], capture_output=True, text=True)
    return shlex.split(found.stdout) if found.returncode == 0 else None


def variants(root, directory):
    """Name, source file and flags of each way of capturing registers."""
    library = root / "src" / "midden.c"
    yield "builtin", library, []
    flags = libunwind_flags()
    if flags is None:
        return
    text = library.read_text()
    if "registers_builtin.c" not in text:
        sys.exit("registers: src/midden.c names no registers_builtin.c")
    changed = directory / "midden_libunwind.c"
    changed.write_text(text.replace("registers_builtin.c", "registers_libunwind.c"))
    yield "libunwind", changed, flags


def main():
    root = pathlib.Path(sys.argv[1])
    compilers = [name for name in COMPILERS if shutil.which(name)]
    if not compilers or not shutil.which("pkg-config"):
        print("registers: no compiler of", ", ".join(COMPILERS), "or no pkg-config")
        return SKIPPED
    failed = passed = 0
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for way, library, flags in variants(root, directory):
            for compiler in compilers:
                for level in LEVELS:
                    program = directory / "registers"
                    subprocess.run(
                        [compiler, "-std=gnu11", level, f"-I{root}/include", f"-I{root}/src",
                         pathlib.Path(__file__).with_name("registers.c"), library, "-o", program, "-lm", *flags],
                        check=True)
                    done = subprocess.run([program], capture_output=True, text=True, timeout=120)
                    if done.returncode == SKIPPED:
                        print(done.stdout, end="")
                        return SKIPPED
                    good = done.returncode == 0
                    print(f"{compiler} {level} {way}: {'ok' if good else f'FAILED ({done.returncode})'}")
                    if not good:
                        print(done.stdout + done.stderr, end="")
                    passed += good
                    failed += not good
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
