#!/usr/bin/env python3
"""check.py TOUR LIBUNWIND SANITIZER: each stop of the tour says what was planted, in the words that help.

LIBUNWIND is 1 if the library was built with it: otherwise no functions are named, and the stop about frames is left out.
Under a sanitizer frames are not where they were, and that stop is left out here too."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

AT = r"0x[0-9a-f]+"

# What each stop must say, in this order.
WANTED = {
    "stale": [
        rf"midden: guard: a read of {AT}, in a guarded page that came free by collection 1; there was an? entry of 16 bytes at {AT} "
        rf"until collection 1 \(copying\) moved it to {AT}, where it is now",
        r"\(the process ended by signal 11\)",
    ],
    "lost": [rf"midden: unrooted: collection 1 \(copying\): keep_two\+0x\w+ .* a reference to a string of 16 bytes .* the object is gone"],
    "barrier": [
        rf"midden: verify before collection 2: a missed write barrier: the old entry at {AT} was given at offset 8 the reference "
        rf"{AT} to a young string, .* reached by root cache -> vector {AT}\[3\] -> entry {AT}",
        "midden_collect answered corrupt",
    ],
    "inside": [
        "midden_verify answered corrupt",
        rf"the entry at {AT} holds at offset 8 the reference {AT}, which points to the inside of a cell; "
        rf"it is reached by root cache -> vector {AT}\[17\] -> entry {AT}",
    ],
    "why": [
        rf"the string {AT} \(416 bytes\) is alive:\n  root cache\n   -> vector {AT} .*\n  \[42\] -> entry {AT} .*\n  \.value -> string {AT}",
        r"midden: the roots reach 201 objects of 44032 bytes\n",
        r"vector +1 +832 +44032\nentry +100 +1600 +43200\nstring +100 +41600 +41600\n",
        rf"43\.0 KiB  vector {AT} \(832 bytes itself\), held by roots",
    ],
    "growth": [
        r"from collection 1 to 5, 5 full collections\nstring +20 -> 100 +\+33280 bytes  grew in 4 of 4\n"
        r"entry +20 -> 100 +\+1280 bytes  grew in 4 of 4\nvector +1 -> 1 +\+0 bytes  grew in 0 of 4\n",
    ],
    "fragmented": [
        r"midden_doctor:\nThe spans hold 1\d\.\d MiB and what is used of them is 1\.\d MiB.*midden_defragment would empty most",
        r"after midden_defragment and midden_trim:\nNothing is wrong with the heap\.",
        r"wrote \S+/tour-map\.html",
    ],
    "time": [
        r"midden: collection 4 mark-sweep full request: \d+ -> \d+ bytes, 10000 objects, .* pause \d+\.\d{3} ms: prepare .*, trace ",
        r"midden_pauses_read: 4 full collections, ",
        r"string +5000 +240000 +\+240000 +75 %",
        r"midden_profile_read: entry +\d+ bytes allocated, +\d+ of them live, by \d+ samples",
    ],
}
FUNCTIONS = {"stale": [r"allocated after collection 0 by .*fill_cache\+0x\w+ < run_stale", r"#0 look_up\+0x"]}


def run(tour, *arguments):
    return subprocess.run([tour, *arguments], capture_output=True, text=True, timeout=100)


def expect(condition, what, text=""):
    if not condition:
        sys.exit(f"{what}\n{text}")


def check_stop(text, name, patterns):
    expect("planted:" in text and "found by:" in text, f"{name}: what was planted is not said", text)
    at = 0
    for pattern in patterns:
        found = re.search(pattern, text[at:])
        expect(found, f"{name}: this is not said, or in another order: {pattern}", text)
        at += found.start()


def check_files(directory):
    events = json.loads((directory / "tour-timeline.json").read_text())
    expect(sum(1 for event in events if event.get("cat") == "collection" or "collection" in str(event.get("name"))) >= 4,
           "the timeline has no collections")
    page = (directory / "tour-map.html").read_text()
    for title in ("each ninth string lives", "after midden_defragment", "<svg"):
        expect(title in page, f"the map has no {title}")
    profile = (directory / "tour-profile.pb").read_bytes()
    for name in (b"read-list", b"main", b"guest.scm", b"entry", b"alloc_space"):
        expect(name in profile, f"the profile does not name {name}")


def main(tour, libunwind, sanitizer):
    listed = [line.split()[0] for line in run(tour, "--list").stdout.splitlines()]
    expect(sorted(listed) == sorted(WANTED), f"the stops are {listed}")
    with tempfile.TemporaryDirectory() as name:
        for stop in listed:
            done = run(tour, f"--directory={name}", stop)
            expect(done.returncode == 0 and done.stderr == "", f"{stop}: status {done.returncode}", done.stdout + done.stderr)
            if stop == "lost" and libunwind == "0":
                expect("left out in this build" in done.stdout, "lost: not left out", done.stdout)
            elif stop != "lost" or sanitizer == "none":
                check_stop(done.stdout, stop, WANTED[stop])
                if libunwind == "1" and sanitizer == "none":
                    for pattern in FUNCTIONS.get(stop, []):
                        expect(re.search(pattern, done.stdout), f"{stop}: this is not said: {pattern}", done.stdout)
            else:
                print("lost: frames are not the usual ones under a sanitizer: not checked")
        check_files(pathlib.Path(name))
        done = run(tour, f"--directory={name}")
        expect(done.returncode == 0 and done.stdout.count("\n== ") == len(WANTED) - 1, "all stops", done.stdout)
    done = run(tour, "nowhere")
    expect(done.returncode == 2 and "no stop is called nowhere" in done.stderr, "an unknown stop", done.stderr)
    done = run(tour, "--directory=/nonexistent", "time")
    expect(done.returncode == 1 and "/nonexistent/tour-timeline.json" in done.stdout, "no such directory", done.stdout)


main(*sys.argv[1:])
