"""The page: for each workload, CPU time against memory, and how long the pauses were; one file, no scripts."""
import html

from driver import text

COLOURS = {"mark-sweep": "#1f6fb2", "mark-compact": "#2a9d4a", "copying": "#d1541b"}
OTHERS = {"boehm": "#8b1a8b", "malloc": "#555555", "java": "#a08000", "go": "#008b8b", "bump": "#aaaaaa"}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 340, 56, 44, 14, 14
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#222}
h2{margin-top:2em;border-bottom:1px solid #ccc}svg{background:#fff}text{font-size:11px;fill:#333}
table{border-collapse:collapse;font-size:13px}td,th{padding:2px 9px;border-bottom:1px solid #e4e4e4;text-align:right}
td:first-child,th:first-child{text-align:left}.charts{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start}
.pauses{display:grid;grid-template-columns:repeat(2,270px);gap:6px}.wrong{color:#c00;font-weight:bold}
.key span{margin-right:1.2em;white-space:nowrap;font-size:13px}details{margin:.6em 0}"""


def colour(record):
    if record["family"] == "midden":
        return COLOURS[record["contestant"].split("/")[1].split("+")[0]]
    return OTHERS[record["family"]]


def dash(record):
    return ' stroke-dasharray="5 3"' if "+generational" in record["contestant"] else ""


def ticks(most):
    """Round steps from 0 to `most`."""
    step = 10.0 ** -6
    while most / step > 6:
        step *= 2.5 if f"{step:e}"[0] == "2" else 2
    return [i * step for i in range(int(most / step) + 1)]


class Axes:
    """The plane of one chart: maps figures to places, and draws its frame."""

    def __init__(self, x_most, y_most):
        self.x_most, self.y_most = x_most or 1, y_most or 1

    def place(self, x, y):
        wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - TOP
        return LEFT + wide * x / self.x_most, HEIGHT - BOTTOM - tall * y / self.y_most

    def frame(self, x_name, y_name):
        parts = [f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{x_name}</text>',
                 f'<text x="12" y="{HEIGHT / 2}" transform="rotate(-90 12 {HEIGHT / 2})" '
                 f'text-anchor="middle">{y_name}</text>']
        for value in ticks(self.x_most):
            x, y = self.place(value, 0)
            parts.append(f'<path d="M{x:.1f} {TOP}V{y:.1f}" stroke="#eee"/>'
                         f'<text x="{x:.1f}" y="{y + 15:.1f}" text-anchor="middle">{value:g}</text>')
        for value in ticks(self.y_most):
            x, y = self.place(0, value)
            parts.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#eee"/>'
                         f'<text x="{x - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        return "".join(parts)


def title(record):
    return html.escape(f"{record['contestant']} {text.heap_name(record)}: {record['cpu_s']:.3f} s CPU, "
                       f"{record['peak_rss_kib'] / 1024:.0f} MB")


def curve(axes, records):
    """One contestant: a line through its heap sizes, a dot for each."""
    points = sorted((r["peak_rss_kib"] / 1024, r["cpu_s"], title(r)) for r in records)
    places = [axes.place(x, y) for x, y, _ in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    paint = colour(records[0])
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{paint}"><title>{name}</title></circle>'
                   for (x, y), (_, _, name) in zip(places, points))
    return f'<polyline points="{line}" fill="none" stroke="{paint}" stroke-width="1.8"{dash(records[0])}/>{dots}'


def by_contestant(records):
    result = {}
    for record in records:
        result.setdefault(record["contestant"], []).append(record)
    return result


def chart(records):
    """CPU time against peak memory. What needs far more of either than midden is left out, and named."""
    limited = [r for r in records if text.is_midden(r) or r["family"] == "boehm"] or records
    x_bound = 1.6 * max(r["peak_rss_kib"] / 1024 for r in limited)
    y_bound = 1.6 * max(r["cpu_s"] for r in limited)
    inside = [r for r in records if r["peak_rss_kib"] / 1024 <= x_bound and r["cpu_s"] <= y_bound]
    if not inside:
        return ""
    axes = Axes(1.05 * max(r["peak_rss_kib"] / 1024 for r in inside), 1.08 * max(r["cpu_s"] for r in inside))
    curves = "".join(curve(axes, group) for group in by_contestant(inside).values())
    outside = sorted({f"{r['contestant']} ({r['cpu_s']:.2f} s, {r['peak_rss_kib'] / 1024:.0f} MB)"
                      for r in records if r not in inside})
    note = f"<p>Outside: {html.escape(', '.join(outside))}.</p>" if outside else ""
    return (f'<div><svg width="{WIDTH}" height="{HEIGHT}" role="img">{axes.frame("peak resident memory, MB", "CPU, s")}'
            f"{curves}</svg>{note}</div>")


def histogram(record, first, last, most):
    """Pauses of one contestant: a bar for each doubling of microseconds."""
    width, height, base = 270, 92, 74
    bar = (width - 10) / (last - first + 1)
    bars = []
    for bucket in range(first, last + 1):
        count = record["pauses"][bucket]
        tall = 46 * (count / most) ** 0.5 if count else 0
        x = 5 + bar * (bucket - first)
        bars.append(f'<rect x="{x:.1f}" y="{base - tall:.1f}" width="{bar - 1:.1f}" height="{tall:.1f}" '
                    f'fill="{colour(record)}"><title>{count} pauses of {2 ** bucket} to {2 ** (bucket + 1)} µs</title>'
                    "</rect>")
    name = html.escape(f"{record['contestant']}, longest {record['longest_pause_ms']:.2f} ms")
    return (f'<svg width="{width}" height="{height}" role="img"><text x="5" y="12">{name}</text>{"".join(bars)}'
            f'<path d="M5 {base}H{width - 5}" stroke="#999"/><text x="5" y="{height - 4}">{2 ** first} µs</text>'
            f'<text x="{width - 5}" y="{height - 4}" text-anchor="end">{2 ** (last + 1) / 1000:g} ms</text></svg>')


def histograms(records):
    """Of the heap in the middle. Heights go with the square root of the counts."""
    limits = sorted({r["heap_limit_bytes"] for r in records if r["heap_limit_bytes"]})
    if not limits:
        return ""
    limit = limits[len(limits) // 2]
    chosen = [r for r in records if r["heap_limit_bytes"] == limit and any(r["pauses"])]
    if not chosen:
        return ""
    buckets = [i for r in chosen for i, count in enumerate(r["pauses"]) if count]
    most = max(count for r in chosen for count in r["pauses"])
    drawn = "".join(histogram(r, min(buckets), max(buckets), most) for r in chosen)
    return f'<div><p>Pauses, heap {text.heap_name(chosen[0])}</p><div class="pauses">{drawn}</div></div>'


def rows(records):
    head = ("contestant", "heap", "CPU s", "wall s", "to Boehm", "to malloc", "peak RSS MB", "collections",
            "longest pause ms", "result", "figures")
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"]
    for r in records:
        cells = (r["contestant"], text.heap_name(r), text.number(r["cpu_s"], 3), text.number(r["wall_s"], 3),
                 text.number(r["cpu_to_boehm"]), text.number(r["cpu_to_malloc"]),
                 text.number(r["peak_rss_kib"] / 1024, 0), text.number(r["collections"], 0),
                 text.number(r["longest_pause_ms"]), r["status"], text.figures_text(r))
        kind = "" if r["correct"] else ' class="wrong"'
        lines.append(f"<tr{kind}>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return "<table>" + "".join(lines) + "</table>"


def key():
    parts = [f'<span><b style="color:{paint}">&#9679;</b> midden, {name}; dashed: generational</span>'
             for name, paint in COLOURS.items()]
    parts += [f'<span><b style="color:{paint}">&#9679;</b> {name}</span>' for name, paint in OTHERS.items()]
    return f'<p class="key">{"".join(parts)}</p>'


def section(name, records):
    drawn = [r for r in records if r["correct"] and not r["contestant"].endswith("/precise")]
    live = f", {records[0]['live_bytes'] / 1e6:.1f} MB alive at most" if records[0]["live_bytes"] else ""
    charts = f'<div class="charts">{chart(drawn)}{histograms(drawn)}</div>' if drawn else ""
    return (f'<h2 id="{name}">{name}</h2><p>Size {records[0]["size"]}{live}.</p>{charts}'
            f"<details><summary>All figures</summary>{rows(records)}</details>")


def page(records, command, machine):
    names = list(dict.fromkeys(record["workload"] for record in records))
    links = " · ".join(f'<a href="#{name}">{name}</a>' for name in names)
    sections = "".join(section(name, [r for r in records if r["workload"] == name]) for name in names)
    return (f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>midden: benchmarks</title><style>{STYLE}'
            f"</style><h1>midden: benchmarks</h1><p><code>{html.escape(command)}</code>, on {html.escape(machine)}. "
            "Each dot is a median; a line joins one contestant's heap sizes. Lower is quicker, further left is "
            f"smaller. Dots tell their figures when pointed at.</p>{key()}<p>{links}</p>{sections}</html>\n")
