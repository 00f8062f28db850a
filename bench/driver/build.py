"""Building the programs: those in C with Meson, those in Java and Go when there are compilers."""
import json
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OTHERS = os.path.join(ROOT, "bench", "others")


def newest(folder, extension):
    return max(os.path.getmtime(os.path.join(path, name))
               for path, _, names in os.walk(folder) for name in names if name.endswith(extension))


def is_old(program, extension):
    return not os.path.exists(program) or os.path.getmtime(program) < newest(OTHERS, extension)


def build_java(folder):
    if shutil.which("java") and shutil.which("javac") and is_old(os.path.join(folder, "Trees.class"), ".java"):
        sources = [os.path.join(OTHERS, name) for name in os.listdir(OTHERS) if name.endswith(".java")]
        subprocess.run(["javac", "-d", folder, *sources], check=True)


def build_go(folder):
    environment = dict(os.environ, GOPROXY="off", GOFLAGS="-mod=mod -buildvcs=false")
    for name in ("gcbench", "trees"):
        program = os.path.join(folder, name)
        if shutil.which("go") and is_old(program, ".go"):
            subprocess.run(["go", "build", "-o", program, "./" + name], cwd=OTHERS, env=environment, check=True)


def configure(directory, options):
    """Sets `directory` up as a release build if it is new; then, or if it has other values, with these options too."""
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        settings = {"buildtype": "release", "tests": "disabled", "examples": "disabled", **options}
        subprocess.run(["meson", "setup", directory, ROOT, *(f"-D{name}={value}" for name, value in settings.items())],
                       check=True, stdout=subprocess.DEVNULL)
        return
    with open(os.path.join(directory, "meson-info", "intro-buildoptions.json")) as file:
        present = {option["name"]: option["value"] for option in json.load(file)}
    changed = [f"-D{name}={value}" for name, value in options.items() if present.get(name) != value]
    if changed:
        subprocess.run(["meson", "setup", "--reconfigure", directory, *changed], check=True, stdout=subprocess.DEVNULL)


def build(directory, others, options=None, target="all"):
    """Builds in `directory` with options of its Meson project; returns the folder of the benchmarks' programs."""
    configure(directory, options or {})
    built = subprocess.run(["ninja", "-C", directory, target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if built.returncode != 0:
        raise SystemExit(built.stdout)
    folder = os.path.join(directory, "bench")
    if others:
        build_java(os.path.join(folder, "java"))
        build_go(os.path.join(folder, "go"))
    return folder
