"""Running: one program once, the live size of a workload, and rounds of all contestants in turn."""
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time

MEDIANS = ("cpu_s", "wall_s", "peak_rss_kib", "collections", "minor_collections", "longest_pause_ms",
           "total_pause_ms")
# What a program prints that is nobody's figure but the driver's.
KNOWN = {"contestant", "checksum", "correct", "pauses", "peak_committed_kib", "live_bytes", *MEDIANS}
OUT_OF_MEMORY = 3  # exit status of the programs
LEAST_LIMIT = 64 << 10


def execute(command, variables, timeout):
    """Runs a program: what it printed, its values (CPU time is user and system, of the whole process), its status."""
    with tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True,
                                   env=dict(os.environ, **variables))
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        errors.seek(0)
        message = errors.read()
    values = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    result = {"cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": wall, "message": message,
              "checksum": values.get("checksum"), "status": "right"}
    return result, values, process.returncode


def run_once(command, variables, timeout):
    """Runs a benchmark, which checks its own result."""
    result, values, returned = execute(command, variables, timeout)
    result |= {"pauses": [int(count) for count in values.get("pauses", "").split()],
               "figures": {name: float(value) for name, value in values.items() if name not in KNOWN},
               "live_bytes": int(values.get("live_bytes", 0))}
    for name in MEDIANS[2:]:
        result[name] = float(values.get(name, 0))
    if returned == OUT_OF_MEMORY:
        result["status"] = "out of memory"
    elif result["wall_s"] >= timeout:
        result["status"] = "too slow"
    elif returned != 0 or values.get("correct") != "1":
        result["status"] = "WRONG"
    return result


def probe(folder, workload, size):
    """The most bytes that are alive in a workload, in midden's cells, and the checksum that all must give."""
    program = os.path.join(folder, f"{workload.program}-midden-precise")
    result = run_once([program, "probe,collector=mark-compact", str(size)], {}, 600)
    if result["status"] != "right":
        raise SystemExit(f"{workload.name}: the live size cannot be measured: {result['message']}")
    return result["live_bytes"], result["checksum"]


def heap_limits(workload, live, multiples):
    """Pairs of a multiple (None: a limit of its own) and a limit in bytes."""
    if workload.limits:
        return [(None, limit << 20) for limit in workload.limits]
    return [(multiple, max(int(live * multiple) + 8191 & ~8191, LEAST_LIMIT)) for multiple in multiples]


def entries_of(contestants, limits):
    """What a round runs: each contestant, at each limit where it has one."""
    return [(contestant, multiple, limit) for contestant in contestants
            for multiple, limit in (limits if contestant.limited else [(None, 0)])]


def run_entry(workload, size, entry, before, timeout):
    """One run; with the contestant's other setting if it needs that, or if a run before did."""
    contestant, _, limit = entry
    fallback = bool(before) and before[-1]["fallback"]
    while True:
        command = contestant.arguments(workload, size, limit, fallback)
        result = run_once(command, contestant.variables(limit), timeout)
        result["fallback"] = fallback
        if result["status"] != "out of memory" or fallback or not contestant.fallback:
            return result
        fallback = True


def run_rounds(workload, size, entries, arguments, deadline):
    """Results by entry: all entries in turn, so that a disturbance meets all of them. What fails is not repeated."""
    runs = {entry: [] for entry in entries}
    for number in range(arguments.rounds):
        if number > 0 and time.monotonic() > deadline:
            break
        for entry in entries:
            contestant, _, limit = entry
            if runs[entry] and runs[entry][-1]["status"] != "right":
                continue
            runs[entry].append(run_entry(workload, size, entry, runs[entry], arguments.timeout))
    return runs


def ratio(mine, reference, figure="cpu_s"):
    """The median over the rounds of one contestant's CPU time, or another figure, to another's in the same round."""
    pairs = [(a[figure], b[figure]) for a, b in zip(mine, reference)
             if a["status"] == b["status"] == "right" and b[figure] > 0]
    return statistics.median(a / b for a, b in pairs) if pairs else None


def find(runs, name, limit):
    """The runs of another contestant that those at this limit are compared with."""
    for (contestant, _, at), found in runs.items():
        if contestant.name == name and (at == limit or not contestant.limited):
            return found
    return []


def instructions(command, variables):
    """How many instructions a program executes, by callgrind; None if that does not work."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    counted = run_once([*tool, *command], variables, 3600)
    match = re.search(r"Collected : (\d+)", counted["message"])
    return int(match.group(1)) if match else None


def record(workload, size, live, entry, runs, checksum):
    contestant, multiple, limit = entry
    mine = runs[entry]
    status = mine[-1]["status"]
    if status == "right" and any(run["checksum"] != checksum for run in mine):
        status = "WRONG"
    pauses = [sum(counts) for counts in zip(*(run["pauses"] for run in mine))]
    return {
        "workload": workload.name, "size": size, "contestant": contestant.name, "family": contestant.family,
        "options": contestant.fallback if mine[-1]["fallback"] else contestant.options,
        "heap_multiple": multiple, "heap_limit_bytes": limit or None,
        "live_bytes": live or None, "rounds": len(mine),
        **{name: statistics.median(run[name] for run in mine) for name in MEDIANS},
        "pauses": pauses,
        "figures": {name: statistics.median(run["figures"][name] for run in mine if name in run["figures"])
                    for name in mine[-1]["figures"]},
        "cpu_to_boehm": ratio(mine, find(runs, "boehm", limit)) if limit else None,
        "cpu_to_malloc": ratio(mine, find(runs, "malloc/glibc", limit)),
        "status": status, "correct": status == "right",
    }


def measure(folder, workload, contestants, arguments, deadline):
    """Records for all contestants that run the workload, and lines about those that do not."""
    size = arguments.size or (workload.quick if arguments.quick else workload.size)
    live, checksum = probe(folder, workload, size)
    reasons = {}
    for contestant in contestants:
        if contestant.why_not(workload):
            reasons.setdefault(contestant.why_not(workload), []).append(contestant.name)
    skipped = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    entries = entries_of([contestant for contestant in contestants if not contestant.why_not(workload)],
                         heap_limits(workload, live, arguments.heap))
    runs = run_rounds(workload, size, entries, arguments, deadline)
    records = [record(workload, size, live, entry, runs, checksum) for entry in entries]
    if arguments.callgrind:
        for (contestant, _, limit), made in zip(entries, records):
            if contestant.family in ("midden", "boehm", "bump") or contestant.name == "malloc/glibc":
                made["instructions"] = instructions(contestant.arguments(workload, size, limit),
                                                    contestant.variables(limit))
    return records, skipped
