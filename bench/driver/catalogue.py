"""The workloads and the contestants, and which of them do not go together."""
import dataclasses
import os
import shutil

MULTIPLES = (1.5, 2.0, 3.0, 5.0)
COLLECTORS = ("mark-sweep", "mark-compact", "copying")
SHARED = "its objects are shared: none has one owner who could free it"
UNOWNED = "its table follows objects that nobody frees"
NO_SOURCE = "only gcbench and trees are written in this language"


@dataclasses.dataclass(frozen=True)
class Workload:
    """A workload at a size: `name` is what records call it, `program` what the binaries are called."""
    name: str
    program: str
    size: int
    quick: int
    # Heap limits in MiB, for a workload of which nothing stays alive; else multiples of the live size.
    limits: tuple = ()
    skip: dict = dataclasses.field(default_factory=dict)  # family of contestants: reason
    quick_too: bool = True
    prefix: str = ""  # in front of midden's options: what its shim is to do


WORKLOADS = [
    Workload("gcbench", "gcbench", 18, 16),
    Workload("trees", "trees", 16, 14),
    Workload("lru", "lru", 40000, 15000),
    Workload("table", "table", 100000, 40000),
    Workload("lists", "lists", 300000, 100000),
    Workload("arrays", "arrays", 100000, 40000),
    Workload("strings", "strings", 40000, 15000),
    Workload("bytes", "bytes", 2000, 500),
    Workload("phases", "phases", 1000000, 200000),
    Workload("phases-defragmented", "phases", 1000000, 200000, prefix="defragment,",
             skip=dict.fromkeys(("malloc", "boehm", "bump"), "it has no midden_defragment")),
    Workload("lua", "lua", 10000, 4000),
    Workload("scheme", "scheme", 60000, 20000, skip={"malloc": SHARED}),
    Workload("ephemerons", "ephemerons", 40000, 15000, skip={"malloc": UNOWNED}),
    Workload("recursion", "recursion", 10000, 4000),
    *(Workload(f"allocation-{size}", "allocation", size, size, limits=(1, 64), quick_too=size == 32)
      for size in (16, 32, 64, 256, 1024)),
]
LARGE = [
    Workload("gcbench-large", "gcbench", 21, 21),
    Workload("trees-large", "trees", 20, 20),
    Workload("lua-large", "lua", 100000, 100000),
    Workload("scheme-large", "scheme", 400000, 400000, skip={"malloc": SHARED}),
]
# What README shows.
README = ("gcbench", "gcbench-large", "trees", "lru", "table", "strings", "lua", "scheme")
README_MULTIPLE = 3.0
LIBRARIES = {"mimalloc": "libmimalloc.so.2", "jemalloc": "libjemalloc.so.2"}
LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
                   "/usr/local/lib")
BUMP_MOST = 6 << 30  # bytes that the contestant without free may take


@dataclasses.dataclass(frozen=True)
class Contestant:
    """`family` decides what it is compared with and whether it has a heap limit."""
    name: str
    family: str
    command: tuple  # before OPTIONS and SIZE; {workload} is replaced
    options: str = ""
    environment: tuple = ()
    fallback: str = ""  # options to use instead where the first ones run out of memory

    @property
    def limited(self):
        return self.family in ("midden", "boehm", "java", "go")

    def arguments(self, workload, size, limit, fallback=False):
        """The command for a workload, with a heap limit in bytes where there is one."""
        command = [part.format(workload=workload.program) for part in self.command]
        if self.family == "java":
            name = {"gcbench": "GCBench", "trees": "Trees"}[workload.program]
            return [*command, f"-Xmx{max(limit >> 10, 2048)}k", name, str(size)]
        options = self.options
        if self.family == "midden":
            options = f"{workload.prefix}{options},heap-limit={limit},{self.fallback if fallback else 'growth=fixed'}"
        elif self.family == "boehm":
            options = f"heap-limit={limit},{self.fallback if fallback else self.options}"
        elif self.family == "bump":
            options = "area=1048576" if workload.limits else f"heap-limit={BUMP_MOST}"
        elif self.family == "go":
            return [*command, str(size)]
        return [*command, options, str(size)]

    def variables(self, limit):
        result = dict(self.environment)
        if self.family == "go":
            result |= {"GOGC": "off", "GOMEMLIMIT": str(limit), "GOMAXPROCS": "1"}
        return result

    def why_not(self, workload):
        """The reason for which it does not run a workload, or None."""
        if self.family in ("java", "go") and workload.program not in ("gcbench", "trees"):
            return NO_SOURCE
        if self.family == "bump" and workload.name.endswith("-large"):
            return "without free it would take all memory"
        return workload.skip.get(self.family)


def midden(folder, stacks):
    for stack in stacks:
        program = os.path.join(folder, "{workload}-midden" + ("-precise" if stack == "precise" else ""))
        for collector in COLLECTORS:
            for generational in ("no", "yes"):
                name = f"midden/{collector}" + ("+generational" if generational == "yes" else "")
                yield Contestant(name + ("/precise" if stack == "precise" else ""), "midden", (program,),
                                 f"collector={collector},generational={generational}", fallback="growth=ratio")


def find_library(name):
    for folder in LIBRARY_FOLDERS:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return None


def contestants(folder, stacks):
    """All contestants, and reasons for those that are missing. `folder`: where the programs are."""
    missing = []
    result = list(midden(folder, stacks))
    if os.path.exists(os.path.join(folder, "gcbench-boehm")):
        result.append(Contestant("boehm", "boehm", (os.path.join(folder, "{workload}-boehm"),), "expand=1",
                                 fallback="expand=0"))
    else:
        missing.append("boehm: its library (bdw-gc) is not installed")
    malloc = (os.path.join(folder, "{workload}-malloc"),)
    result.append(Contestant("malloc/glibc", "malloc", malloc))
    for name, library in LIBRARIES.items():
        path = find_library(library)
        if path:
            result.append(Contestant(f"malloc/{name}", "malloc", malloc, environment=(("LD_PRELOAD", path),)))
        else:
            missing.append(f"malloc/{name}: {library} is not installed")
    result.append(Contestant("bump", "bump", (os.path.join(folder, "{workload}-bump"),)))
    classes = os.path.join(folder, "java")
    if shutil.which("java") and os.path.exists(os.path.join(classes, "Trees.class")):
        for name, option in (("serial", "-XX:+UseSerialGC"), ("parallel", "-XX:+UseParallelGC")):
            result.append(Contestant(f"java/{name}", "java", ("java", option, "-cp", classes)))
    else:
        missing.append("java: no java and javac")
    if os.path.exists(os.path.join(folder, "go", "trees")):
        result.append(Contestant("go", "go", (os.path.join(folder, "go", "{workload}"),)))
    else:
        missing.append("go: no go")
    return result, missing
