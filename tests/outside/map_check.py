"""Maps of a known heap show what its statistics say: as numbers in the tables, and as squares.

usage: map_check.py HOST COLLECTOR...
"""
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

SVG, HTML = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xhtml}"
ODD = '<odd> & "x" ?\u00e9 ]]>'
NAMES = {"1": "pair", "2": "text", "3": ODD, "4": "code", "blocks": "(raw blocks)"}


class Capture:
    """One picture and its table."""

    def __init__(self, element):
        self.title = element.find(f"{HTML}h2").text
        self.picture = element.find(f"{SVG}svg")
        self.unit, self.pages = (int(self.picture.get(name)) for name in ("data-unit", "data-pages"))
        self.squares = [square.get("class").split() for square in self.picture.iter(f"{SVG}rect")]
        self.texts = [square.find(f"{SVG}title").text for square in self.picture.iter(f"{SVG}rect")]
        self.marks = collections.Counter(mark.get("class") for mark in self.picture.iter() if mark.tag in (f"{SVG}path", f"{SVG}circle"))
        self.rows, self.classes = {}, {}
        for row in element.iter(f"{HTML}tr"):
            if row.get("data-name"):
                self.rows[row.get("data-name")] = tuple(int(row.get(f"data-{what}")) for what in ("objects", "bytes", "pages"))
                swatch = [part for part in row.iter() if part.tag.endswith("}rect")]
                self.classes[row.get("data-name")] = swatch[0].get("class")

    def count(self, name):
        return sum(name in square for square in self.squares)


def captures_of(path):
    text = path.read_text(encoding="utf-8")
    outside = re.findall(r"(?:src|href)\s*=|url\(|@import|https?://(?!www\.w3\.org/)", text)
    assert not outside, f"{path.name} refers to something else: {outside}"
    document = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    buttons = [button.get("data-mode") for button in document.iter(f"{HTML}button")]
    assert buttons == ["full", "kind", "age"], buttons
    return [Capture(element) for element in document.iter(f"{HTML}div") if element.get("class") == "capture"]


def check_numbers(capture, expected, pages, errors):
    for key, wanted in expected.items():
        found = capture.rows.get(NAMES[key], (0, 0, 0))
        if found != wanted:
            errors.append(f"{capture.title}: {NAMES[key]} has {found} objects, bytes, pages; the statistics say {wanted}")
        squares = capture.count(capture.classes[NAMES[key]]) if NAMES[key] in capture.classes else 0
        if squares != wanted[2]:
            errors.append(f"{capture.title}: {NAMES[key]} has {squares} squares and {wanted[2]} pages")
    spans, free, _ = pages
    shown = sum(row[2] for name, row in capture.rows.items() if not name.startswith("(free"))
    if shown != spans or capture.rows["(free, kept)"][2] != free:
        errors.append(f"{capture.title}: {shown} pages and {capture.rows['(free, kept)'][2]} free, not {spans} and {free}")
    if sum(row[2] for row in capture.rows.values()) != capture.pages or len(capture.squares) != capture.pages:
        errors.append(f"{capture.title}: {len(capture.squares)} squares for {capture.pages} pages")
    if capture.count("free") != free or capture.count("back") != capture.rows["(free, returned)"][2]:
        errors.append(f"{capture.title}: {capture.count('free')} squares are free and kept, {capture.count('back')} returned")


def check_marks(capture, collector, errors):
    wanted = {"large": 13, "block": capture.rows["(raw blocks)"][2]}
    errors += [f"{capture.title}: {capture.count(name)} squares are {name}, not {number}" for name, number in wanted.items()
               if capture.count(name) != number]
    if capture.marks["corner"] != 1 or capture.marks["hatch"] != wanted["block"]:
        errors.append(f"{capture.title}: marks {capture.marks}")
    if capture.marks["mark"] != capture.count("pinned") or capture.marks["mark"] == 0:
        errors.append(f"{capture.title}: {capture.marks['mark']} marks of pins for {capture.count('pinned')} pinned squares")
    if not any("large: 106496 bytes, 100 % full" in text for text in capture.texts):
        errors.append(f"{capture.title}: no text tells of the large object")
    if not any(re.match(r"page \d+ at 0x[0-9a-f]+: pair, cells of 16 bytes, \d+ % full, \d+ % old", text) for text in capture.texts):
        errors.append(f"{capture.title}: no text tells of a pair's page")


def check_both(path, lines, collector):
    errors, collects = [], lines["collects"] == [["1"]]
    captures = captures_of(path)
    if [capture.title for capture in captures] != ["before <first>", "after"]:
        return [f"titles: {[capture.title for capture in captures]}"]
    for capture, when in zip(captures, ("before", "after")):
        facts = {line[0]: tuple(int(n) for n in line[1:]) for line in lines[when]}
        check_numbers(capture, {key: facts[key] for key in NAMES}, facts["pages"], errors)
        check_marks(capture, collector, errors)
    before, after = captures
    young = before.count("a0") - before.count("block")
    if young != sum(before.rows[name][2] for name in ("pair", "text", ODD, "code")):
        errors.append(f"{young} squares are all new before the first collection")
    if collects:
        ages = [re.search(r" (\d+) % full, (\d+) % old", text) for text in after.texts]
        young = [age.group() for age in ages if age and age.group(1) != "0" and age.group(2) != "100"]
        if young or after.count("a4") == 0:
            errors.append(f"right after a collection not all is old: {young}")
        if after.rows.get(ODD, (0,))[0] != 0 or before.rows[ODD][0] != 1000:
            errors.append(f"the dead: {before.rows[ODD]}, then {after.rows.get(ODD)}")
        if after.rows["(free, returned)"][2] == 0:
            errors.append("nothing was returned")
    return errors


def check_large(path):
    (capture,) = captures_of(path)
    errors = []
    if capture.unit != 4 and capture.unit != 2 or len(capture.squares) != -(-capture.pages // capture.unit) or len(capture.squares) > 4096:
        errors.append(f"{len(capture.squares)} squares of {capture.unit} for {capture.pages} pages")
    if capture.pages < (70 << 20) / 8192 or capture.count("large") < (70 << 20) / 8192 / capture.unit - 1:
        errors.append(f"{capture.count('large')} squares are large, of {capture.pages} pages")
    if not any(re.match(r"pages \d+ to \d+ at 0x[0-9a-f]+: mostly ", text) for text in capture.texts):
        errors.append("no text tells of several pages")
    return errors


def check(host, options, collector):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        result = subprocess.run([host, options, directory], capture_output=True, text=True, timeout=100)
        if result.returncode != 0:
            return [f"status {result.returncode}: {result.stderr}"]
        lines = collections.defaultdict(list)
        for line in result.stdout.splitlines():
            first, *rest = line.split()
            lines[first].append(rest)
        (empty,) = captures_of(directory / "empty.html")
        errors = [] if empty.pages == 0 and not empty.squares else [f"an empty heap has {empty.pages} pages"]
        return errors + check_both(directory / "both.html", lines, collector) + check_large(directory / "large.html")


def main(host, collectors):
    errors = []
    for collector in collectors:
        for more in ("",) if collector == "none" else ("", ",generational=yes"):
            options = f"collector={collector},heap-limit=128M,heap-initial=4M,stack=precise{more}"
            errors += [f"{options}: {error}" for error in check(host, options, collector)]
    sys.exit("\n".join(errors) if errors else 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
