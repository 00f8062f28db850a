"""What is printed: a table for each workload, a summary, README's table, and on what it was measured."""
import os
import platform
import re
import statistics


def machine():
    return f"{os.cpu_count()} cores of {platform.machine()}, {platform.system()} {platform.release().split('-')[0]}"


def number(value, digits=2):
    return "" if value is None else f"{value:.{digits}f}"


def heap_name(record):
    if record["heap_multiple"]:
        return f"{record['heap_multiple']:g}x"
    return f"{record['heap_limit_bytes'] >> 20} MiB" if record["heap_limit_bytes"] else ""


def rows_text(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def figures_text(record):
    figures = [f"{name} {value:.2f}" for name, value in record["figures"].items()]
    if record.get("instructions"):
        figures.append(f"{record['instructions'] / 1e6:.0f} M instructions")
    return ", ".join(figures)


def table(records):
    rows = [("contestant", "heap", "CPU s", "to Boehm", "to malloc", "peak RSS MB", "collections", "longest pause ms",
             "result", "figures")]
    for record in records:
        figures = (number(record["cpu_s"]), number(record["cpu_to_boehm"]), number(record["cpu_to_malloc"]),
                   number(record["peak_rss_kib"] / 1024, 0), number(record["collections"], 0),
                   number(record["longest_pause_ms"], 1))
        rows.append((record["contestant"], heap_name(record), *(figures if record["correct"] else [""] * 6),
                     record["status"], figures_text(record)))
    return rows_text(rows)


def is_midden(record, precise=False):
    return record["family"] == "midden" and record["contestant"].endswith("/precise") == precise


def best_of(records):
    """The quickest right record."""
    return min((r for r in records if r["correct"]), key=lambda r: r["cpu_s"], default=None)


def by_name(records, name):
    return next((r for r in records if r["contestant"] == name and r["correct"]), None)


def short_name(record):
    return record["contestant"].removeprefix("midden/") if record else ""


def generational_ratio(records):
    """The best CPU time of a collector with generations to the same collector's without."""
    ratios = []
    for record in records:
        young = by_name(records, record["contestant"] + "+generational")
        if young and record["correct"] and record["cpu_s"] > 0:
            ratios.append(young["cpu_s"] / record["cpu_s"])
    return min(ratios, default=None)


def groups(records):
    """Records with a limit, by workload and limit, in their order."""
    result = {}
    for record in records:
        if record["heap_limit_bytes"]:
            result.setdefault((record["workload"], record["heap_limit_bytes"]), []).append(record)
    return result


def summary(records):
    """For each workload and heap: mark-sweep and the best conservative midden against Boehm and malloc."""
    rows = [("workload", "heap", "Boehm CPU s", "mark-sweep : Boehm", "best : Boehm", "best : malloc",
             "generational : not", "best")]
    for group in groups(records).values():
        limited = [record for record in group if is_midden(record)]
        best, sweep, boehm = best_of(limited), by_name(group, "midden/mark-sweep"), by_name(group, "boehm")
        rows.append((group[0]["workload"], heap_name(group[0]), number(boehm and boehm["cpu_s"]),
                     number(sweep and sweep["cpu_to_boehm"]), number(best and best["cpu_to_boehm"]),
                     number(best and best["cpu_to_malloc"]), number(generational_ratio(limited)), short_name(best)))
    return rows_text(rows)


BEGIN, END = "<!-- measured: begin", "<!-- measured: end -->"


def readme_table(records, multiple):
    rows = [("workload", "live MB", "Boehm, CPU s", "mark-sweep : Boehm", "best midden : Boehm",
             "best midden : glibc malloc", "best midden")]
    for (name, _), group in groups(records).items():
        if group[0]["heap_multiple"] != multiple:
            continue
        limited = [record for record in group if is_midden(record)]
        best, sweep, boehm = best_of(limited), by_name(group, "midden/mark-sweep"), by_name(group, "boehm")
        rows.append((name, number(group[0]["live_bytes"] / 1e6, 1), number(boehm and boehm["cpu_s"]),
                     number(sweep and sweep["cpu_to_boehm"]) or "–", number(best and best["cpu_to_boehm"]) or "–",
                     number(best and best["cpu_to_malloc"]) or "–", short_name(best)))
    return rows_text(rows)


def write_readme(path, records, multiple, command, machine):
    """Puts the measured table between README's markers."""
    with open(path) as file:
        text = file.read()
    rounds = statistics.mode(record["rounds"] for record in records)
    block = (f"{BEGIN}. Written by the command below. -->\n"
             f"`{command}`, medians of {rounds} rounds, on {machine}.\nCPU time with the conservative stack, in heaps "
             f"of {multiple:g} times the live size; less than 1 is quicker; –: one of\nthe two ran out of memory, or "
             "cannot run it. Method and settings: [docs/benchmarks.md](docs/benchmarks.md).\n\n"
             f"{readme_table(records, multiple)}\n{END}")
    replaced, count = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{path}: the markers of the measured table are missing")
    with open(path, "w") as file:
        file.write(replaced)
