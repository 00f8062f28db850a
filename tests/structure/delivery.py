"""The library as its users get it: one source file, an installation, a Meson subproject.

usage: delivery.py amalgamation --source ROOT --cc CC --cxx CXX
       delivery.py install      --source ROOT --cc CC --build BUILD --sanitize MODE --version VERSION
       delivery.py subproject   --source ROOT --cc CC --version VERSION
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Werror"]


def run(*command, **options):
    """Runs a command; fails with its output when it fails; returns what it printed."""
    command = [str(word) for word in command]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{shlex.join(command)}\n{result.stdout}")
    return result.stdout.strip()


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, expected {wanted!r}")


def headers(root):
    return sorted((root / "include" / "midden").glob("*.h"))


def amalgamation(options, directory):
    """Nothing but midden.c and the headers: a C and a C++ host; each header alone."""
    root = options.source
    host = root / "tests" / "structure" / "host.c"
    public, private = f"-I{root / 'include'}", f"-I{root / 'src'}"
    run(*options.cc, "-std=gnu11", "-O1", *WARNINGS, public, private,
        root / "src" / "midden.c", host, "-o", directory / "host", "-lm")
    run(directory / "host")

    run(*options.cc, "-std=gnu11", "-O1", public, private, "-c", root / "src" / "midden.c",
        "-o", directory / "midden.o")
    run(*options.cxx, "-std=c++17", *WARNINGS, public, "-x", "c++", host, "-x", "none",
        directory / "midden.o", "-o", directory / "host++", "-lm")
    run(directory / "host++")

    for header in headers(root):
        for compiler, language in ((options.cc, ["-std=c11", "-x", "c"]),
                                   (options.cxx, ["-std=c++17", "-x", "c++"])):
            run(*compiler, *language, *WARNINGS, public, "-fsyntax-only", "-include", header, os.devnull)


def install(options, directory):
    """Every header, the library and midden.pc; a program compiles from these alone."""
    root = options.source
    run("meson", "install", "-C", options.build, "--no-rebuild", "--destdir", directory)
    pc = list(directory.rglob("midden.pc"))
    expect("number of midden.pc", len(pc), 1)
    installed = sorted(p.name for p in next(directory.rglob("include/midden")).iterdir())
    expect("installed headers", installed, [p.name for p in headers(root)])

    environment = dict(os.environ, PKG_CONFIG_PATH=str(pc[0].parent), PKG_CONFIG_SYSROOT_DIR=str(directory))
    expect("version in midden.pc", run("pkg-config", "--modversion", "midden", env=environment), options.version)
    flags = shlex.split(run("pkg-config", "--static", "--cflags", "--libs", "midden", env=environment))
    sanitize = [] if options.sanitize == "none" else [f"-fsanitize={options.sanitize}"]
    host = directory / "host"
    run(*options.cc, "-std=gnu11", *WARNINGS, *sanitize, root / "tests" / "structure" / "host.c",
        *flags, "-o", host)
    libraries = os.pathsep.join({str(p.parent) for p in directory.rglob("libmidden.*")})
    expect("midden_version()", run(host, env=dict(os.environ, LD_LIBRARY_PATH=libraries)), options.version)


SUBPROJECT = """\
project('guest', 'c', version: '1', meson_version: '>=1.0')
midden_dep = dependency('midden', fallback: 'midden')
test('host', executable('host', 'host.c', dependencies: midden_dep))
"""


def subproject(options, directory):
    """A project with a copy of midden among its subprojects builds the library and nothing else."""
    root = options.source
    (directory / "subprojects").mkdir()
    (directory / "subprojects" / "midden").symlink_to(root, target_is_directory=True)
    (directory / "meson.build").write_text(SUBPROJECT)
    (directory / "host.c").write_text((root / "tests" / "structure" / "host.c").read_text())
    environment = dict(os.environ, CC=shlex.join(options.cc))
    build = directory / "build"
    run("meson", "setup", build, directory, "--wrap-mode=nodownload", "--force-fallback-for=midden", env=environment)
    run("ninja", "-C", build, "-j2")
    expect("midden_version()", run(build / "host"), options.version)

    introspection = {name: json.loads((build / "meson-info" / f"intro-{name}.json").read_text())
                     for name in ("targets", "tests")}
    expect("tests", [test["name"] for test in introspection["tests"]], ["host"])
    programs = [t["name"] for t in introspection["targets"] if t["type"] == "executable"]
    expect("programs", programs, ["host"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["amalgamation", "install", "subproject"])
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--cc", type=shlex.split)
    parser.add_argument("--cxx", type=shlex.split)
    parser.add_argument("--sanitize", default="none")
    parser.add_argument("--version")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        globals()[options.what](options, pathlib.Path(directory).resolve())


if __name__ == "__main__":
    main()
