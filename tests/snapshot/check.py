"""Heap snapshots: a strict reading of the format, and what is in those of a known host.

usage: check.py HOST DIFF VIEWER COLLECTOR...   the whole test
       check.py --file FILE...                  reads these files strictly, and nothing else

HOST is the program of host.c; DIFF is scripts/midden-snapshot-diff, VIEWER docs/snapshot-viewer.html, whose logic is
tried where there is `node`.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SECTIONS = ["snapshot", "nodes", "edges", "trace_function_infos", "trace_tree", "samples", "locations", "strings"]
NODE_FIELDS = ["type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness"]
NODE_TYPES = ["hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic",
              "concatenated string", "sliced string", "symbol", "bigint"]
EDGE_FIELDS = ["type", "name_or_index", "to_node"]
EDGE_TYPES = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"]
NUMBERED = ("element", "hidden")
NOT_HOLDING = ("weak",)


class Wrong(Exception):
    pass


def require(condition, what):
    if not condition:
        raise Wrong(what)


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    require(len(names) == len(set(names)), f"a name comes twice in {names}")
    return dict(pairs)


def no_constant(name):
    raise Wrong(f"{name} is no number")


class Node:
    def __init__(self, fields, strings):
        self.type = NODE_TYPES[fields[0]]
        self.name = strings[fields[1]]
        self.id, self.size, self.edge_count = fields[2:5]
        self.edges = []  # (type, name, node)

    def to(self, name):
        found = [node for _, edge, node in self.edges if edge == name]
        require(len(found) == 1, f"{self.name} has {len(found)} edges {name!r}: {[e[:2] for e in self.edges]}")
        return found[0]


class Snapshot:
    """Reads a file, and requires everything that the format promises."""

    def __init__(self, path):
        text = pathlib.Path(path).read_bytes().decode("utf-8", errors="strict")
        document = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
        require(list(document) == SECTIONS, f"sections {list(document)}")
        self.head = document["snapshot"]
        self.check_meta(self.head["meta"])
        for name in ("trace_function_infos", "trace_tree", "samples", "locations"):
            require(document[name] == [], f"{name} is not empty")
        require(self.head["trace_function_count"] == 0, "trace_function_count")
        self.strings = document["strings"]
        require(all(isinstance(text, str) for text in self.strings), "strings that are none")
        require(len(set(self.strings)) == len(self.strings), "a string comes twice")
        for name in ("nodes", "edges"):
            require(all(type(number) is int and 0 <= number < 2 ** 53 for number in document[name]),
                    f"{name}: not all are natural numbers below 2^53")
        self.read_nodes(document["nodes"])
        self.read_edges(document["edges"])
        self.check_strings(document)
        self.check_reachability()

    def check_meta(self, meta):
        require(meta["node_fields"] == NODE_FIELDS and meta["edge_fields"] == EDGE_FIELDS, "fields")
        require(meta["node_types"][0][:len(NODE_TYPES)] == NODE_TYPES, "node types")
        require(meta["node_types"][1:] == ["string"] + ["number"] * 5, "types of a node's fields")
        require(meta["edge_types"] == [EDGE_TYPES, "string_or_number", "node"], "edge types")
        for name in ("trace_function_info_fields", "trace_node_fields", "sample_fields", "location_fields"):
            require(isinstance(meta[name], list), name)

    def read_nodes(self, numbers):
        width = len(NODE_FIELDS)
        require(len(numbers) == width * self.head["node_count"], "node_count")
        self.nodes = []
        for at in range(0, len(numbers), width):
            fields = numbers[at:at + width]
            require(fields[0] < len(NODE_TYPES) and fields[1] < len(self.strings), f"node {at}: {fields}")
            require(fields[5] == 0 and fields[6] == 0, f"node {at}: traces, detachedness")
            self.nodes.append(Node(fields, self.strings))
        ids = [node.id for node in self.nodes]
        require(len(set(ids)) == len(ids) and 0 not in ids, "ids are not unique")
        require(self.nodes[0].type == "synthetic" and self.nodes[0].name == "", "the first node is not the root")

    def read_edges(self, numbers):
        width, nodes = len(EDGE_FIELDS), len(NODE_FIELDS)
        require(len(numbers) == width * self.head["edge_count"], "edge_count")
        require(sum(node.edge_count for node in self.nodes) == self.head["edge_count"], "the sum of edge counts")
        at = 0
        for node in self.nodes:
            for _ in range(node.edge_count):
                kind, name, to = numbers[at:at + width]
                at += width
                require(kind < len(EDGE_TYPES), f"an edge of type {kind}")
                kind = EDGE_TYPES[kind]
                require(to % nodes == 0 and to // nodes < len(self.nodes), f"to_node {to}")
                if kind not in NUMBERED:
                    require(name < len(self.strings), f"an edge named {name}")
                    name = self.strings[name]
                    require(name != "", "an edge without a name")
                node.edges.append((kind, name, self.nodes[to // nodes]))

    def check_strings(self, document):
        used = set(document["nodes"][1::len(NODE_FIELDS)])
        edges = document["edges"]
        used |= {edges[i + 1] for i in range(0, len(edges), 3) if EDGE_TYPES[edges[i]] not in NUMBERED}
        require(used == set(range(len(self.strings))), "strings that nobody refers to")

    def check_reachability(self):
        """Every node is reached from the root by edges that hold; and nothing leads back to it."""
        reached, waiting = {id(self.nodes[0])}, [self.nodes[0]]
        while waiting:
            for kind, _, to in waiting.pop().edges:
                require(to is not self.nodes[0], "an edge to the root")
                if kind not in NOT_HOLDING and id(to) not in reached:
                    reached.add(id(to))
                    waiting.append(to)
        lost = [node.name for node in self.nodes if id(node) not in reached]
        require(not lost, f"not reached: {lost[:5]}")

    def group(self, name):
        roots = self.nodes[0].to(1)
        require(roots.name == "(GC roots)", roots.name)
        found = [node for _, _, node in roots.edges if node.name == name]
        require(len(found) <= 1, f"{name} comes twice")
        return found[0] if found else None

    def count(self, name):
        return sum(node.type == "object" and node.name == name for node in self.nodes)


TEXT = "said \"hi\"\\\n\x01 é \ufffd \ufffd\ufffd\ufffd"


def check_first(snapshot, precise):
    """The known little graph, node by node and edge by edge."""
    globals_ = snapshot.group("(registered roots)")
    require([(kind, name) for kind, name, _ in globals_.edges] ==
            [("property", f"root globals[{i}]") for i in range(3)], f"{globals_.edges}")
    table, pairs, key = (node for _, _, node in globals_.edges)
    require((table.type, table.name, table.size) == ("object", "table", 16), "the table")
    vector = table.to("buckets")
    require(vector.name == "vector" and vector.size >= 64, "the vector")
    require([edge[:2] for edge in vector.edges] == [("element", 3), ("element", 5)], f"{vector.edges}")
    entry = vector.to(3)
    require([edge[:2] for edge in entry.edges] == [("property", "key"), ("property", "value")], f"{entry.edges}")
    require((entry.to("key").type, entry.to("key").name) == ("string", "three"), "the key's label")
    value = entry.to("value")
    require(value.name == TEXT, f"{value.name!r} is not {TEXT!r}")
    external = value.to("external memory")
    require((external.type, external.size) == ("native", 5000), "external memory")
    require(key.name == "the key" and [edge[:2] for edge in pairs.edges] ==
            [("weak", "[0].key"), ("weak", "[0].value")], f"{pairs.edges}")
    require([edge[:2] for edge in key.edges] == [("internal", "(value of an ephemeron)")], f"{key.edges}")
    require(key.edges[0][2] is pairs.to("[0].value"), "the ephemeron's value")
    weak = snapshot.group("(weak slots)")
    require(len(weak.edges) == 1 and weak.edges[0][0] == "weak" and weak.edges[0][2] is vector.to(5), "the weak slot")
    if precise:
        groups = [node.name for _, _, node in snapshot.nodes[0].to(1).edges]
        require(groups == ["(registered roots)", "(weak slots)"], f"{groups}")
        kinds = {"table": 1, "vector": 1, "entry": 2, "pairs": 1}
        require({name: snapshot.count(name) for name in kinds} == kinds, "kinds")
        require(sum(node.type == "string" for node in snapshot.nodes) == 6, "strings")
        require(len(snapshot.nodes) == 4 + 5 + 6 + 1, f"{len(snapshot.nodes)} nodes")


def check_second(snapshot, precise):
    entry, length = snapshot.group("(registered roots)").to("root globals[3]"), 1
    while entry.edges:
        entry, length = entry.to("value"), length + 1
    require(length == 100, f"a list of {length}")
    if precise:
        require(snapshot.count("entry") == 101, f"{snapshot.count('entry')} entries")


def object_ids(snapshot):
    return {node.id: node for node in snapshot.nodes if node.type != "synthetic"}


def check_identity(first, second):
    """An object has one id in both, wherever it has moved."""
    for path in (["root globals[0]"], ["root globals[0]", "buckets"], ["root globals[0]", "buckets", 3, "value"],
                 ["root globals[1]"], ["root globals[2]"]):
        a, b = first.group("(registered roots)"), second.group("(registered roots)")
        for name in path:
            a, b = a.to(name), b.to(name)
        require(a.id == b.id, f"{path} was {a.id} and is {b.id}")


def check_diff(diff, first, second, identify, moved):
    text = subprocess.run([sys.executable, diff, first, second], check=True, capture_output=True, text=True).stdout
    entries = re.search(r"^entry +(\d+) +(\d+) +([+-]\d+) +([+-]\d+)$", text, re.MULTILINE)
    require(entries is not None, text)
    a, b, objects, size = map(int, entries.groups())
    require(b - a == objects and size == 16 * objects and objects >= 98, text)
    known = re.search(r"^(\d+) objects are new, (\d+) are gone$", text, re.MULTILINE)
    if identify or not moved:
        require(known is not None and int(known.group(1)) >= 100, text)
    else:
        require(known is None and "moved" in text, text)


def check_host(host, diff, page, options, identify):
    with tempfile.TemporaryDirectory() as directory:
        paths = [str(pathlib.Path(directory) / name) for name in ("a.heapsnapshot", "b.heapsnapshot")]
        subprocess.run([host, options, *paths] + (["identify"] if identify else []), check=True)
        first, second = map(Snapshot, paths)
        precise = "stack=conservative" not in options
        check_first(first, precise)
        check_second(second, precise and "collector=none" not in options)
        moved = first.head["midden"]["moved_epoch"] != second.head["midden"]["moved_epoch"]
        if identify:
            check_identity(first, second)
        require(moved == ("collector=copying" in options) or "mark-compact" in options, "moved_epoch")
        check_diff(diff, *paths, identify, moved)
        if identify and "stack=precise" in options and "mark-sweep" in options:
            check_viewer(page, paths[0])
            check_viewer(page, paths[1])
        return pathlib.Path(paths[0]).read_text()


LOGIC = """
const graph = readSnapshot(require("fs").readFileSync(process.argv[1], "utf8"));
console.log(JSON.stringify({ids: [...graph.id], retained: [...graph.retained], kinds: summarise(graph),
                            paths: [...graph.id.keys()].map(node => pathTo(graph, node).length)}));
"""


def naive_reach(snapshot, without=None):
    """Distances from the root by edges that hold, not through one node."""
    found, waiting = {snapshot.nodes[0]: 0}, [snapshot.nodes[0]]
    for node in waiting:
        for kind, _, to in node.edges:
            if kind not in NOT_HOLDING and to is not without and to not in found:
                found[to] = found[node] + 1
                waiting.append(to)
    return found


def check_viewer(page, path):
    """What the page computes is what a naive search finds."""
    if not shutil.which("node"):
        print("there is no node: the viewer's logic is not tried")
        return
    logic = re.search(r'<script id="logic">(.*?)</script>', pathlib.Path(page).read_text(), re.DOTALL).group(1)
    text = subprocess.run(["node", "-e", logic + LOGIC, path], check=True, capture_output=True, text=True).stdout
    answer, snapshot = json.loads(text), Snapshot(path)
    distances, total = naive_reach(snapshot), sum(node.size for node in snapshot.nodes)
    for node, number, retained, steps in zip(snapshot.nodes, answer["ids"], answer["retained"], answer["paths"], strict=True):
        left = 0 if node is snapshot.nodes[0] else sum(other.size for other in naive_reach(snapshot, node))
        require(number == node.id and retained == total - left, f"{node.name} retains {total - left}, not {retained}")
        require(steps == distances[node], f"the path to {node.name} has {steps} steps")
    kinds = {kind["name"]: kind for kind in answer["kinds"]}
    require(kinds["entry"]["count"] == snapshot.count("entry") and kinds["(string)"]["retained"] > 0, "kinds")


BREAKS = [  # each makes a good snapshot bad
    (r'"node_count":\d+', '"node_count":7'),
    (r'"edge_count":\d+', '"edge_count":7'),
    (r'"edges":\[1,1,7,', '"edges":[1,1,8,'),
    (r'"edges":\[1,1,7,', '"edges":[9,1,7,'),
    (r'"nodes":\[9,0,1,0,1,', '"nodes":[9,0,1,0,2,'),
    (r'"nodes":\[9,0,1,', '"nodes":[3,0,1,'),
    (r'"nodes":\[9,0,1,', '"nodes":[9,0,3,'),
    (r'"nodes":\[9,0,1,', '"nodes":[9,9999,1,'),
    (r'"strings":\[', '"strings":["nobody refers to me",'),
    (r'"samples":\[\],\n', ""),
    (r"\]\}\n$", "]"),
    (r'"weak"\]', '"weak","more"]'),
]


def self_test(good):
    """The checker must find what is broken on purpose."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "broken.heapsnapshot"
        for pattern, replacement in BREAKS:
            bad, count = re.subn(pattern, replacement, good, count=1)
            require(count == 1, f"{pattern} is not in the snapshot")
            path.write_text(bad)
            try:
                Snapshot(path)
            except (Wrong, ValueError):
                continue
            raise Wrong(f"this passes: {pattern} -> {replacement}")


def main(arguments):
    if arguments[0] == "--file":
        for path in arguments[1:]:
            snapshot = Snapshot(path)
            print(f"{path}: {len(snapshot.nodes)} nodes, {snapshot.head['edge_count']} edges")
        return
    host, diff, page, *collectors = arguments
    text = ""
    for collector in collectors:
        for stack in ("precise", "conservative", "pinning"):
            generations = ["", ",generational=yes"] if collector != "none" else [""]
            for generation in generations:
                options = f"collector={collector},stack={stack}{generation}"
                for identify in (False, True):
                    try:
                        text = check_host(host, diff, page, options, identify)
                    except Wrong as wrong:
                        sys.exit(f"{options}, identify={identify}: {wrong}")
    self_test(text)


if __name__ == "__main__":
    main(sys.argv[1:])
