"""The allocation profile is a message of profile.proto, and says who allocated how much.

usage: profile.py HOST NATIVE COLLECTOR...
NATIVE is 1 if the library can walk the C stack. Where there is `go tool pprof`, it reads the profiles too.
"""
import collections
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

TYPES = [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")]


def expect(condition, *what):
    if not condition:
        sys.exit("profile: " + " ".join(map(str, what)))


# ---- protocol buffers ----


def varint(data, at):
    value = shift = 0
    while True:
        expect(at < len(data) and shift < 70, "a varint without an end")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """The fields of a message: number, and a whole number or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            expect(tag & 7 == 2, "wire type", tag & 7)
            length, at = varint(data, at)
            expect(at + length <= len(data), "a field longer than its message")
            value, at = data[at : at + length], at + length
        yield tag >> 3, value


def message(data, repeated=()):
    result = {number: [] for number in repeated}
    for number, value in fields(data):
        if number in repeated:
            result[number].append(value)
        else:
            expect(number not in result, "field", number, "comes twice")
            result[number] = value
    return result


def packed(data):
    values, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


# ---- profile.proto ----


def decode(data):
    """The profile's samples: stack of (function, file, line), innermost first; values; labels."""
    top = message(data, repeated=(1, 2, 4, 5, 6, 13))
    texts = [text.decode() for text in top[6]]
    expect(texts[0] == "", "the first text is not empty")
    types = [message(entry) for entry in top[1]]
    expect([(texts[entry[1]], texts[entry[2]]) for entry in types] == TYPES, "sample types", types)
    expect(texts[top[14]] == "inuse_space", "the default type")
    period_type = message(top[11])
    expect((texts[period_type[1]], texts[period_type[2]]) == ("space", "bytes"), "period type")
    expect(top[9] > 10**18 and top[10] > 0, "times")
    functions = {}
    for entry in map(message, top[5]):
        expect(entry[1] > 0 and entry[1] not in functions, "function ids", entry)
        functions[entry[1]] = (texts[entry[2]], texts[entry.get(4, 0)])
    locations = {}
    for entry in (message(data, repeated=(4,)) for data in top[4]):
        expect(entry[1] > 0 and entry[1] not in locations and len(entry[4]) == 1, "locations", entry)
        line = message(entry[4][0])
        locations[entry[1]] = (*functions[line[1]], line.get(2, 0))
    samples = []
    for entry in (message(data, repeated=(3,)) for data in top[2]):
        values = packed(entry[2])
        expect(len(values) == 4 and values[0] > 0 and values[2] <= values[0] and values[3] <= values[1], "values", values)
        labels = {texts[label[1]]: texts[label[2]] for label in map(message, entry[3])}
        samples.append(([locations[number] for number in packed(entry[1])], values, labels))
    return samples, top[12]


# ---- checks ----


def run(host, options, mode, path):
    result = subprocess.run([host, f"{options}:{path}", mode], capture_output=True, text=True)
    expect(result.returncode == 0 and not result.stderr, mode, result.returncode, result.stdout, result.stderr)
    sites = {}
    for line in result.stdout.splitlines():
        words = line.split()
        if words[0] == "site":
            sites[words[1]] = [int(words[i]) for i in (3, 5, 7)]
    return sites, *decode(path.read_bytes())


def totals(samples, matches):
    chosen = [values for stack, values, _ in samples if matches(stack)]
    return [sum(column) for column in zip(*chosen)] if chosen else [0, 0, 0, 0]


def check_estimate(what, found, right, size, interval):
    """Within five standard deviations: the estimate is the number of samples, which is binomial, over p."""
    objects, allocated, live = right
    p = 1 - math.exp(-size / interval)
    for index, count in ((0, objects), (2, live // size)):
        bound = 5 * math.sqrt(count * (1 - p) / p) + 2
        expect(abs(found[index] - count) <= bound, what, "has", found, "of", right, "bound", bound)
        expect(abs(found[index + 1] - found[index] * size) <= size + found[index] * 1e-3, what, "bytes", found)


def check_sites(sites, samples, interval):
    sizes = {name: values[1] // values[0] for name, values in sites.items()}
    for name, right in sites.items():
        found = totals(samples, lambda stack: stack[0][0] == name)
        check_estimate(name, found, right, sizes[name], interval)
        expect(totals(samples, lambda stack: name in [frame[0] for frame in stack]) == found, name, "is not innermost")
    for stack, _, labels in samples:
        names = [frame[0] for frame in stack]
        expect(names[0] in sites and "main" in names, "stack", names)
        expect(labels == {"kind": 'a "pair"\\' if names[0] == "plant_kept" else "text"}, names, labels)


def check_guest(sites, samples, interval):
    by_stack = collections.defaultdict(lambda: [0, 0, 0, 0])
    for stack, values, _ in samples:
        by_stack[tuple(stack)] = [a + b for a, b in zip(by_stack[tuple(stack)], values)]
    main = ("main", "main.scm", 1)
    right = {
        (("make-garbage", "garbage.scm", 12), main): "plant_garbage",
        (("make-list", "list.scm", 3), ("make-garbage", "garbage.scm", 14), main): "plant_kept",
        (main,): "plant_large",
    }
    expect(set(by_stack) == set(right), "the guest's stacks are", set(by_stack))
    for stack, name in right.items():
        check_estimate(name, by_stack[stack], sites[name], sites[name][1] // sites[name][0], interval)


def check_pprof(path, names):
    """What Go's viewer makes of it."""
    if not shutil.which("go"):
        return
    result = subprocess.run(
        ["go", "tool", "pprof", "-top", "-sample_index=alloc_space", "-nodecount=100", path], capture_output=True, text=True
    )
    if "no such tool" in result.stderr:
        return
    expect(result.returncode == 0 and "Type: alloc_space" in result.stdout, result.stdout, result.stderr)
    for name in names:
        line = [line for line in result.stdout.splitlines() if line.split()[-1:] == [name]]
        expect(len(line) == 1 and not line[0].split()[0] == "0", "pprof has no", name, result.stdout)


def main(host, native, collectors, folder):
    path = folder / "profile.pb"
    exact = None
    for collector in collectors:
        for options in ("", ",generational=yes,nursery=64K"):
            if collector == "none" and options:
                continue
            common = f"collector={collector},stack=precise,heap-initial=64K{options}"
            sites, samples, period = run(host, f"{common},profile=1K", "guest", path)
            expect(period == 1024, "the period is", period)
            if collector != "none":
                check_guest(sites, samples, 1024)
            # The same samples whatever collects, and in each run.
            allocated = sorted((stack, values[:2]) for stack, values, _ in samples)
            expect(exact in (None, allocated), "other samples under", common)
            exact = allocated
            if native and collector != "none":
                sites, samples, _ = run(host, f"{common},profile=1K", "sites", path)
                check_sites(sites, samples, 1024)
    if native:
        check_pprof(path, ["plant_garbage", "plant_kept", "plant_large"])
    run(host, "profile=4K", "guest", path)
    check_pprof(path, ["make-garbage", "make-list", "main"])
    # Every object, exactly.
    sites, samples, _ = run(host, "collector=copying,stack=precise,profile=1", "guest", path)
    found = totals(samples, lambda stack: stack[0][0] == "make-list")
    objects, size, live = sites["plant_kept"]
    expect(found == [objects, size, live // 16, live], "every object:", found, sites["plant_kept"])
    if not native:
        _, samples, _ = run(host, "profile=1K", "sites", path)
        expect({stack[0][0] for stack, _, _ in samples} == {'a "pair"\\', "text"}, "without stacks, kinds stand for them")
        check_pprof(path, ["text"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(sys.argv[1], sys.argv[2] == "1", sys.argv[3:], pathlib.Path(name))
