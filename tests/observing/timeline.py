"""The timeline of a heap is what Perfetto reads, and says what the statistics say.

usage: timeline.py HOST COLLECTOR...
       timeline.py --self-test     proves that the checks can fail
"""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile
from decimal import Decimal

KEYS = {
    "B": {"ph", "pid", "tid", "ts", "name"},
    "E": {"ph", "pid", "tid", "ts"},
    "X": {"ph", "pid", "tid", "ts", "dur", "name"},
    "C": {"ph", "pid", "tid", "ts", "name", "args"},
    "M": {"ph", "pid", "tid", "ts", "name", "args"},
}
STEPS = {"prepare", "roots", "trace", "liveness", "free", "move", "sweep", "return"}


class Wrong(Exception):
    pass


def expect(condition, *what):
    if not condition:
        raise Wrong(" ".join(map(str, what)))


def strict(text):
    def pairs(items):
        expect(len(dict(items)) == len(items), "a key comes twice", items)
        return dict(items)

    def constant(name):
        raise Wrong(f"{name} is no JSON")

    return json.loads(text, parse_float=Decimal, object_pairs_hook=pairs, parse_constant=constant)


def check_form(events):
    """Each event by itself."""
    for event in events:
        phase = event.get("ph")
        expect(phase in KEYS, "an event type that is not read:", event)
        expect(KEYS[phase] <= set(event) <= KEYS[phase] | {"args"}, "keys of", event)
        for key in ("pid", "tid"):
            expect(isinstance(event[key], int) and event[key] >= 0, key, "of", event)
        for key in {"ts", "dur"} & set(event):
            expect(isinstance(event[key], Decimal) and event[key] >= 0, key, "of", event)
            expect(event[key].as_tuple().exponent == -3, "not nanoseconds:", event)
        if phase == "C":
            expect(all(isinstance(value, int) and value >= 0 for value in event["args"].values()), "counter", event)
        if phase == "M":
            expect(event["name"] in {"process_name", "thread_name"} and set(event["args"]) == {"name"}, "name", event)
    expect(len({event["pid"] for event in events}) == 1, "one heap, one process")


def check_tracks(events, closed):
    """Names, order and nesting. Returns the events of each track but their names."""
    names = {event["tid"] for event in events if event["ph"] == "M" and event["name"] == "thread_name"}
    tracks = {}
    for event in events:
        if event["ph"] != "M":
            expect(event["tid"] in names, "a track without a name:", event)
            tracks.setdefault((event["tid"], event["ph"] == "C"), []).append(event)
    for (track, counter), members in tracks.items():
        last, open_events = Decimal(0), []
        for event in members:
            expect(event["ts"] >= last, "time goes back at", event)
            last = event["ts"]
            while open_events and open_events[-1] is not None and open_events[-1] <= event["ts"]:
                open_events.pop()
            if event["ph"] == "B":
                expect(None not in open_events, "it runs twice:", event)
                open_events.append(None)
            elif event["ph"] == "E":
                expect(open_events == [None], "an end without a beginning:", event)
                open_events.pop()
            elif event["ph"] == "X":
                end = event["ts"] + event["dur"]
                inside = open_events and open_events[-1] is not None
                expect(not inside or end <= open_events[-1], "it ends after what contains it:", event)
                open_events.append(end)
        expect(not closed or None not in open_events, "track", track, "has no end")
    return {track: members for (track, counter), members in tracks.items() if not counter}


def check_collections(track, statistics):
    """The collections and their steps, against the statistics."""
    collections = [event for event in track if event["name"].endswith(" collection")]
    steps = [event for event in track if not event["name"].endswith(" collection")]
    expect(len(collections) == statistics["collections"], len(collections), "collections of", statistics)
    minor = [event for event in collections if event["name"] == "minor collection"]
    expect(len(minor) == statistics["minor"], len(minor), "minor collections of", statistics)
    durations = [int(event["dur"] * 1000) for event in collections]
    expect(sum(durations) == statistics["total"], "the pauses add up to", sum(durations), "in", statistics)
    expect(max(durations, default=0) == statistics["longest"], "the longest is", max(durations, default=0))
    for name in ("moved", "pinned"):
        expect(sum(event["args"][name] for event in collections) == statistics[name], name, statistics)
    expect([event["args"]["number"] for event in collections] == list(range(1, len(collections) + 1)), "numbers")
    if collections:
        expect(collections[-1]["args"]["live"] == statistics["live"], "live bytes")
        expect(collections[-1]["args"]["objects"] == statistics["objects"], "live objects")
    for event in collections:
        end = event["ts"] + event["dur"]
        inside = [step for step in steps if event["ts"] <= step["ts"] <= end and step["ts"] + step["dur"] <= end]
        expect(len(inside) >= 4 and all(step["name"] in STEPS for step in inside), "steps of", event)
        at = event["ts"]
        for step in inside:
            expect(step["ts"] == at, "a gap before", step)
            at += step["dur"]
        expect(at == end, "the steps end before", event)
        steps = [step for step in steps if step not in inside]
    expect(not steps, "steps of no collection:", steps)
    return collections


def check_mutators(tracks, collections):
    """Mutators run when no collection does, and wait while one does."""
    pauses = {(event["ts"], event["dur"]) for event in collections}
    for track, members in tracks.items():
        if track == 0:
            continue
        waits = [(event["ts"], event["dur"]) for event in members if event.get("name") == "waiting"]
        expect(set(waits) <= pauses and len(set(waits)) == len(waits), "mutator", track, "waits for nothing")
        if track == 1:
            expect(set(waits) == pauses, "mutator 1 does not wait for each collection")
        others = {event["name"].split()[0] for event in members if "name" in event}
        expect(others <= {"running", "waiting", "refill", "large"}, "events of mutator", track, others)


def check_counters(events, collections):
    counters = [event for event in events if event["ph"] == "C"]
    expect(all(set(event["args"]) == {"used", "live", "committed"} for event in counters), "counters")
    by_time = {}
    for event in counters:
        by_time.setdefault(event["ts"], []).append(event["args"])
    for event in collections:
        before, after = by_time[event["ts"]][0], by_time[event["ts"] + event["dur"]][-1]
        expect(before["used"] == event["args"]["used_before"], "used before", event)
        expect(after["used"] == after["live"] == event["args"]["live"], "used after", event)


def check(text, statistics, closed=True):
    events = strict(text)
    check_form(events)
    tracks = check_tracks(events, closed)
    collections = check_collections(tracks.get(0, []), statistics)
    check_mutators(tracks, collections)
    check_counters(events, collections)
    return events


def run(host, options, mode, status=0):
    result = subprocess.run([host, options, mode], capture_output=True, text=True)
    expect(result.returncode == status, mode, "ended with", result.returncode, result.stdout, result.stderr)
    heaps = []
    for line in result.stdout.splitlines():
        words = line.split()
        if words[0] == "heap":
            heaps.append({words[i]: int(words[i + 1]) for i in range(1, len(words), 2)})
    return heaps, result


def check_host(host, collectors, folder):
    for collector in collectors:
        for generational in ("no", "yes") if collector != "none" else ("no",):
            options = f"collector={collector},generational={generational},heap-initial=64K"
            path = folder / "timeline.json"
            heaps, _ = run(host, f"{options},timeline={path}", "timeline")
            events = check(path.read_text(), heaps[0])
            names = {event["args"]["name"] for event in events if event["ph"] == "M"}
            expect({"mutator 1", "mutator 4", "collections"} <= names, "names", names)
    # A process that ends early leaves all of it but the closing bracket.
    heaps, _ = run(host, f"timeline={path}", "die")
    text = path.read_text()
    expect(not text.rstrip().endswith("]"), "who closed it?")
    whole = check(text + "]", heaps[0], closed=False)
    lines = text.splitlines()
    for end in range(2, len(lines), 1 + len(lines) // 10):  # or what was written of it
        expect(len(strict("\n".join(lines[:end]).rstrip(",") + "]")) <= len(whole), "lines")
    # Two heaps: a file each, or a sentence.
    heaps, _ = run(host, f"timeline={folder}/two-%.json", "two")
    first, second = (check((folder / f"two-{n}.json").read_text(), heaps[n - 1]) for n in (1, 2))
    expect(first[0]["pid"] != second[0]["pid"], "two heaps are one process")
    _, result = run(host, f"timeline={folder}/same.json", "two", status=1)
    expect("another heap is writing to" in result.stdout, result.stdout)
    # No room on the disk: said once, and the program goes on.
    if pathlib.Path("/dev/full").exists():
        _, result = run(host, "timeline=/dev/full", "timeline")
        expect(result.stderr.count("\n") == 1 and "option timeline: writing failed" in result.stderr, result.stderr)


def self_test(host, folder):
    """Each of these changes makes a good timeline a bad one."""
    path = folder / "timeline.json"
    heaps, _ = run(host, f"collector=mark-sweep,timeline={path}", "timeline")
    good = check(path.read_text(), heaps[0])

    def first(events, **wanted):
        return next(event for event in events if all(event.get(key) == value for key, value in wanted.items()))

    def phase(events):
        first(events, ph="X")["ph"] = "i"

    def late(events):
        first(events, ph="X", name="full collection")["ts"] += 1000000

    def long(events):
        first(events, ph="X", name="sweep")["dur"] += 1

    def lost(events):
        events.remove(first(events, ph="E"))

    def fewer(events):
        events.remove(first(events, ph="X", name="waiting"))

    def size(events):
        [event for event in events if event["ph"] == "C"][-1]["args"]["used"] += 8

    def nameless(events):
        events.remove([event for event in events if event["ph"] == "M"][-1])

    for spoil in (phase, late, long, lost, fewer, size, nameless):
        bad = copy.deepcopy(good)
        spoil(bad)
        try:
            check(json.dumps(bad, default=lambda number: Number(number)), heaps[0])
        except Wrong:
            continue
        raise Wrong(f"{spoil.__name__} was not noticed")


class Number(float):
    """A Decimal as JSON, with its three decimals."""

    def __repr__(self):
        return f"{self:.3f}"


def main(arguments):
    with tempfile.TemporaryDirectory() as name:
        if arguments[0] == "--self-test":
            self_test(arguments[1], pathlib.Path(name))
        else:
            check_host(arguments[0], arguments[1:], pathlib.Path(name))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Wrong as wrong:
        sys.exit(f"timeline: {wrong}")
