"""The probes are in the file, as SystemTap's notes, by the names and with the arguments that the document gives.

usage: probes.py ROOT PROGRAM
Reads the notes of the ELF file (section .note.stapsdt) itself.
"""
import pathlib
import re
import struct
import sys


def notes(data):
    """Provider, name and number of arguments of each probe of a 64-bit ELF file of this machine's byte order."""
    if data[:4] != b"\x7fELF" or data[4] != 2:
        sys.exit("probes: not a 64-bit ELF file")
    order = "<" if data[5] == 1 else ">"
    section_table, = struct.unpack_from(order + "Q", data, 0x28)
    entry_bytes, count, names_index = struct.unpack_from(order + "HHH", data, 0x3A)
    headers = [struct.unpack_from(order + "IIQQQQIIQQ", data, section_table + i * entry_bytes) for i in range(count)]
    names = headers[names_index][4]
    for header in headers:
        name = data[names + header[0] : data.index(b"\0", names + header[0])]
        if name != b".note.stapsdt":
            continue
        at, end = header[4], header[4] + header[5]
        while at < end:
            owner_bytes, bytes_, kind = struct.unpack_from(order + "III", data, at)
            at += 12
            owner = data[at : at + owner_bytes].rstrip(b"\0")
            at += (owner_bytes + 3) // 4 * 4
            if owner == b"stapsdt" and kind == 3:
                provider, probe, arguments = data[at + 24 : at + bytes_].split(b"\0")[:3]
                yield provider.decode(), probe.decode(), len(arguments.split())
            at += (bytes_ + 3) // 4 * 4


def documented(root):
    """| `name` | argument, argument | when |: the table of docs/debugging.md."""
    text = (root / "docs" / "debugging.md").read_text().split("## Probes")[1].split("\n## ")[0]
    return {name: len(arguments.split(", ")) for name, arguments in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.M)}


def main(root, program):
    wanted = documented(root)
    found = {}
    for provider, name, arguments in notes(pathlib.Path(program).read_bytes()):
        if provider == "midden":
            found.setdefault(name, set()).add(arguments)
    if found != {name: {count} for name, count in wanted.items()} or not wanted:
        sys.exit(f"probes: the file has {found}, the document {wanted}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
