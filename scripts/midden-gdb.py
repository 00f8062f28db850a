"""Commands for gdb that look into the heaps of a program that uses midden.

  (gdb) source /usr/share/midden/midden-gdb.py
  (gdb) midden heap [HEAP]     what the heap holds
  (gdb) midden kinds           objects and bytes of each kind
  (gdb) midden spans [KIND]    the spans, in address order
  (gdb) midden object ADDR     what an address means to the heap
  (gdb) midden why ADDR        a shortest path from a root to the object

They read memory only, and call no function of the process: they work at any stop, with core files, and in the middle
of a collection, when what they say is what stands there in between. They need the library's debug information. HEAP is
an expression for a midden_heap * or a midden_mutator *; without one, $midden_heap is taken, or else a variable of such
a type that is found in the frames of the selected thread or among the program's globals.
"""
import struct

import gdb

PAGE_SHIFT, GRANULE_SHIFT = 13, 4
PAGE = 1 << PAGE_SHIFT
PAGE_LARGE, PAGE_BLOCK = 1 << 26, 1 << 27
HEAP_SIGNATURE = 0x6D696464656E4850
MUTATOR_SIGNATURE = 0x6D696464656E4D55
LAYOUTS = ("none", "all", "bitmap", "elements", "ambiguous", "trace", "weak", "pairs")
NONE, ALL, BITMAP, ELEMENTS, AMBIGUOUS, TRACE, WEAK, PAIRS = range(8)
WORD_MASK = (1 << 64) - 1


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""


def words_at(address, count):
    return struct.unpack(f"<{count}Q", read(address, 8 * count))


def record(name):
    """The library's structure of that name."""
    try:
        return gdb.lookup_type("struct " + name)
    except gdb.error:
        raise gdb.GdbError(f"no debug information for struct {name}: build the library with -g")


def field_offset(structure, name):
    """The offset of a field, also of one inside an anonymous union or structure."""
    for field in structure.fields():
        if field.name == name:
            return field.bitpos // 8
        if not field.name and field.type.code in (gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_STRUCT):
            inner = field_offset(field.type, name)
            if inner is not None:
                return field.bitpos // 8 + inner
    return None


def text_of(value):
    return value.string(errors="replace") if int(value) else "?"


def bytes_text(count):
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 10240 or unit == "GiB":
            return f"{count} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return ""


class Span:
    """One span in use, from its bytes in the table."""

    def __init__(self, values, base):
        (self.start, self.cell_size, self.first_page, self.pages, self.cells, self.reciprocal, self.used, self.position,
         self.kind) = values
        self.large = self.reciprocal == 0
        self.end = self.start + (self.pages << PAGE_SHIFT)
        self.granule = (self.start - base) >> GRANULE_SHIFT

    def cell_at(self, address):
        """The number of the cell that the address lies in, or None for the waste at the span's end."""
        number = 0 if self.large else (address - self.start) // self.cell_size
        return number if number < self.cells else None


class Heap:
    """A heap as it stands in memory."""

    def __init__(self, value):
        self.value = value
        self.address = int(value.address)
        self.core = core = value["core"]
        self.space = space = core["space"]
        self.base, self.extent = int(space["base"]), int(space["extent"])
        self.frontier = int(space["pages"]["frontier"])
        self.page_map = words_at(int(space["page_map"]), self.frontier)
        granule_bytes = self.frontier << (PAGE_SHIFT - GRANULE_SHIFT - 3)
        self.alloc_bits = read(int(space["alloc_bits"]), granule_bytes)
        self.mark_bits = read(int(space["mark_bits"]), granule_bytes)
        self.pin_bits = read(int(space["pin_bits"]), granule_bytes)
        form = core["form"]
        self.low_tags = int(form["low_tags"])
        self.high_mask, self.high_match = int(form["high_mask"]), int(form["high_match"])
        self.kinds = [core["kinds"]["kinds"][i] for i in range(int(core["kinds"]["count"]))]
        self.layouts = [int(kind["layout"]) for kind in self.kinds]
        self.read_spans()
        self.runs = self.unused_runs()

    def read_spans(self):
        names = ("start", "cell_size", "first_page", "page_count", "cells", "reciprocal", "used", "position", "kind", "state")
        codes = {1: "B", 2: "H", 4: "I", 8: "Q"}
        structure = record("span")
        places = [(field_offset(structure, name), codes[structure[name].type.sizeof]) for name in names]
        count = int(self.space["span_frontier"])
        table = read(int(self.space["spans"]), count * structure.sizeof)
        self.spans = {}
        for i in range(1, count):
            values = [struct.unpack_from("<" + code, table, i * structure.sizeof + at)[0] for at, code in places]
            if values[-1]:
                self.spans[i] = Span(values[:-1], self.base)
                self.spans[i].index = i

    def unused_runs(self):
        """The rests of the mutators' runs: their alloc bits are set, but no object is there yet."""
        runs = []
        for mutator in self.mutators():
            count = int(self.core["kinds"]["cursor_count"])
            cursors = int(mutator["face"]["cursors"].address)
            cells = words_at(cursors, 2 * count)
            runs += [(low, high) for low, high in zip(cells[::2], cells[1::2]) if low != high]
        return sorted(runs)

    def handed_out(self, span):
        """The cells of a span that are in use: without the rests of runs."""
        return span.used - sum((high - low) // span.cell_size for low, high in self.runs if span.start <= low < span.end)

    def block_is_free(self, span, cell):
        """Whether a raw block waits to be handed out: in a list, or never yet."""
        descriptor = self.space["spans"][span.index]
        if span.large:
            return False
        if int(descriptor["fresh"]) <= cell < int(descriptor["fresh_end"]):
            return True
        size_class = int(descriptor["size_class"])
        for block in (int(descriptor["free_blocks"]), int(self.core["blocks"]["hot"][size_class]["waiting"])):
            while block:
                if block == cell:
                    return True
                block = words_at(block, 1)[0]
        return False

    def mutators(self):
        mutator = self.core["mutators"]
        while int(mutator):
            yield mutator.dereference()
            mutator = mutator["next"]

    def kind_name(self, kind):
        return text_of(self.kinds[kind]["name"]) if 0 < kind < len(self.kinds) else "?"

    def contains(self, address):
        return self.base <= address < self.base + self.extent

    def span_of(self, address):
        """The span and the page map's word for an address in the range; None for a page that is in no span."""
        page = (address - self.base) >> PAGE_SHIFT
        entry = self.page_map[page] if page < self.frontier else 0
        return self.spans.get(entry >> 32), entry

    def bit(self, bits, address):
        granule = (address - self.base) >> GRANULE_SHIFT
        return bits[granule >> 3] >> (granule & 7) & 1

    def in_run(self, cell):
        return any(low <= cell < high for low, high in self.runs)

    def cell_of(self, address):
        """The object that an address lies in: its start and its span; or None."""
        if not self.contains(address):
            return None
        span, entry = self.span_of(address)
        if not span or entry & PAGE_BLOCK:
            return None
        number = span.cell_at(address)
        if number is None:
            return None
        cell = span.start + number * span.cell_size
        if not self.bit(self.alloc_bits, cell) or self.in_run(cell):
            return None
        return cell, span

    def reference(self, word):
        """The object that a word refers to by the heap's tags, or None."""
        address = word & ~self.high_mask & ~7 & WORD_MASK
        if not self.contains(address) or not self.low_tags >> (word & 7) & 1 or word & self.high_mask != self.high_match:
            return None
        found = self.cell_of(address)
        return found if found and found[0] == address else None

    def ambiguous(self, word):
        """What a word of a stack may mean: the object that it points into, or the one that ends there."""
        for address in dict.fromkeys((word, word & ~self.high_mask & WORD_MASK)):
            for candidate in (address, address - 1):
                found = self.cell_of(candidate)
                if found:
                    return found
        return None


def as_heap(value):
    """The heap that a value of type midden_heap * or midden_mutator * stands for, or None."""
    target = value.type.strip_typedefs()
    if target.code != gdb.TYPE_CODE_PTR:
        return None
    name = target.target().strip_typedefs().unqualified().tag
    try:
        if name == "midden_heap":
            heap = value.cast(record("midden_heap").pointer()).dereference()
        elif name == "midden_mutator":
            if int(value.dereference()["signature"]) != MUTATOR_SIGNATURE:
                return None
            structure = record("mutator")
            mutator = gdb.Value(int(value) - field_offset(structure, "face")).cast(structure.pointer())
            heap = mutator["heap"].dereference()
        else:
            return None
        return heap if int(heap["signature"]) == HEAP_SIGNATURE else None
    except gdb.MemoryError:
        return None


def heap_in_frames():
    frame = gdb.selected_frame()
    for _ in range(200):
        try:
            block = frame.block()
        except RuntimeError:
            block = None
        while block and not block.is_global:
            for symbol in block:
                if symbol.is_variable or symbol.is_argument:
                    try:
                        heap = as_heap(symbol.value(frame))
                    except gdb.error:
                        heap = None
                    if heap:
                        return heap
            block = block.superblock
        frame = frame.older()
        if not frame:
            return None
    return None


def heap_in_globals():
    for name in ("midden_heap", "midden_mutator"):
        listing = gdb.execute(f"info variables -q -t {name}", to_string=True)
        for line in listing.splitlines():
            if not line.rstrip().endswith(";") or "*" not in line:
                continue
            variable = line.rstrip("; ").split("*")[-1].split("[")[0].strip()
            try:
                heap = as_heap(gdb.parse_and_eval(variable))
            except gdb.error:
                heap = None
            if heap:
                return heap
    return None


def find_heap(expression=""):
    if expression:
        heap = as_heap(gdb.parse_and_eval(expression))
        if not heap:
            raise gdb.GdbError(f"{expression} is no open heap, and no mutator of one")
        return Heap(heap)
    chosen = gdb.convenience_variable("midden_heap")
    heap = as_heap(chosen) if chosen is not None and chosen.type.code != gdb.TYPE_CODE_VOID else None
    if not heap:
        try:
            heap = heap_in_frames()
        except gdb.error:
            heap = None
    heap = heap or heap_in_globals()
    if not heap:
        raise gdb.GdbError("no heap found: name one, or `set $midden_heap = EXPRESSION`")
    return Heap(heap)


# ---- what it holds ----


def centrals_of(heap):
    central = heap.core["active"]
    while int(central):
        yield central.dereference()
        central = central["next_active"]


class Usage:
    """Objects, bytes of cells, spans and pages of one kind."""

    def __init__(self):
        self.objects = self.bytes = self.spans = self.pages = 0


def usage_by_kind(heap):
    usage = {}
    for central in centrals_of(heap):
        of = usage.setdefault(int(central["kind"]), Usage())
        of.objects += int(central["used_cells"])
        of.bytes += int(central["used_bytes"])
        of.spans += int(central["span_count"])
        of.pages += int(central["pages"])
    for low, high in heap.runs:
        span, _ = heap.span_of(low)
        if span and span.kind in usage:
            usage[span.kind].objects -= (high - low) // span.cell_size
            usage[span.kind].bytes -= high - low
    return usage


def show_heap(heap):
    config, pages, figures = heap.value["config"], heap.space["pages"], heap.value["figures"]
    usage = usage_by_kind(heap).values()
    used, dirty = int(pages["used_pages"]), int(pages["dirty_pages"])
    blocks = [span for span in heap.spans.values() if heap.span_of(span.start)[1] & PAGE_BLOCK]
    store = heap.core["blocks"]["hot"]
    low, high = store.type.range()
    count = sum(int(store[i]["used"]) for i in range(low, high + 1))
    collector = config["collector"].string()
    print(f"heap at {heap.address:#x}: collector={collector}, "
          f"stack={'conservative' if int(heap.core['conservative']) else 'precise'}, "
          f"generational={'yes' if int(heap.core['generational']) else 'no'}"
          f"{', inside a collection or a walk' if int(heap.value['collecting']) else ''}")
    print(f"  objects  {sum(u.objects for u in usage)} of {len(heap.kinds) - 1} kinds, "
          f"{bytes_text(sum(u.bytes for u in usage))}")
    print(f"  blocks   {count} in {bytes_text(sum(span.pages for span in blocks) << PAGE_SHIFT)} of pages")
    print(f"  spans    {len(heap.spans)} in {bytes_text(used << PAGE_SHIFT)}, of at most "
          f"{bytes_text(int(pages['limit_pages']) << PAGE_SHIFT)}")
    print(f"  free     {bytes_text(dirty << PAGE_SHIFT)} kept, "
          f"{bytes_text((heap.frontier - used - dirty) << PAGE_SHIFT)} returned")
    print(f"  range    {heap.base:#x} to {heap.base + heap.extent:#x}, used up to "
          f"{heap.base + (heap.frontier << PAGE_SHIFT):#x}")
    print(f"  roots    {int(heap.core['registry']['count'])} registered, {int(heap.core['pins']['count'])} objects pinned "
          f"by the host, {len(list(heap.mutators()))} mutators")
    print(f"  so far   {int(figures['collections'])} collections, of these {int(figures['minor_collections'])} minor, "
          f"{int(figures['total_pause_ns']) / 1e6:.3f} ms in all")


def show_kinds(heap):
    print(f"{'id':>4} {'kind':<24} {'layout':<10} {'size':>9} {'objects':>10} {'bytes':>12} {'spans':>7} {'pages':>7}")
    usage = usage_by_kind(heap)
    for i in range(1, len(heap.kinds)):
        of = usage.get(i, Usage())
        size = int(heap.kinds[i]["size"])
        print(f"{i:>4} {heap.kind_name(i):<24} {LAYOUTS[heap.layouts[i]]:<10} {size if size else 'variable':>9} "
              f"{of.objects:>10} {of.bytes:>12} {of.spans:>7} {of.pages:>7}")


def show_spans(heap, wanted):
    chosen = None
    if wanted:
        named = [i for i in range(1, len(heap.kinds)) if wanted in (heap.kind_name(i), str(i))]
        if not named and wanted != "blocks":
            raise gdb.GdbError(f"no kind is called {wanted}; \"midden kinds\" lists them")
        chosen = named[0] if named else None
    print(f"{'start':>16} {'pages':>6} {'what':<24} {'cell':>8} {'used':>7} {'cells':>7}  full")
    for span in sorted(heap.spans.values(), key=lambda span: span.start):
        block = bool(heap.span_of(span.start)[1] & PAGE_BLOCK)
        if wanted and (block != (wanted == "blocks") or (not block and span.kind != chosen)):
            continue
        used = heap.handed_out(span)
        what = "(blocks)" if block else heap.kind_name(span.kind) + (" (large)" if span.large else "")
        print(f"{span.start:>16x} {span.pages:>6} {what:<24} {span.cell_size:>8} {used:>7} {span.cells:>7} "
              f"{100 * used // span.cells:>4} %")


# ---- one address ----


def describe(heap, cell, span):
    return f"{heap.kind_name(span.kind)} at {cell:#x}, {span.cell_size} bytes"


def state_of_cell(heap, span, cell, entry):
    if entry & PAGE_BLOCK:
        return "a free raw block" if heap.block_is_free(span, cell) else "a raw block in use"
    if not heap.bit(heap.alloc_bits, cell):
        return "a free cell"
    return "a free cell: in a mutator's run, not handed out yet" if heap.in_run(cell) else "an object"


def show_object(heap, address):
    if not heap.contains(address):
        print(f"{address:#x} is outside the heap's range {heap.base:#x} to {heap.base + heap.extent:#x}")
        return
    page = (address - heap.base) >> PAGE_SHIFT
    span, entry = heap.span_of(address)
    if not span:
        print(f"{address:#x} is in page {page}, which {'is free' if page < heap.frontier else 'was never used'}")
        return
    number = span.cell_at(address)
    if number is None:
        print(f"{address:#x} is in the unused rest at the end of the span at {span.start:#x}")
        return
    cell = span.start + number * span.cell_size
    state = state_of_cell(heap, span, cell, entry)
    kind = "none" if entry & PAGE_BLOCK else f"{heap.kind_name(span.kind)} (kind {span.kind})"
    print(f"{address:#x} is {state}")
    print(f"  kind     {kind}{', large' if span.large else ''}")
    print(f"  cell     {cell:#x}, {span.cell_size} bytes{f'; the address is {address - cell} bytes into it' if address != cell else ''}")
    if not entry & PAGE_BLOCK:
        print(f"  marked   {'yes' if heap.bit(heap.mark_bits, cell) else 'no'} (in the last collection)"
              f"{', pinned' if heap.bit(heap.pin_bits, cell) else ''}")
    print(f"  span     {span.start:#x}, {span.pages} pages, cell {number} of {span.cells}, {heap.handed_out(span)} in use")
    print(f"  page     {page}")
    if state == "an object":
        count = min(span.cell_size // 8, 8)
        print("  words    " + " ".join(f"{word:#x}" for word in words_at(cell, count)) + (" ..." if span.cell_size > 64 else ""))


# ---- paths ----


def bits_of(bitmap, count):
    return [i for i in range(min(count, 64)) if bitmap >> i & 1]


class Edges:
    """What one object refers to: (offset, word, ambiguous) of what it holds, and (key, value, offset) of ephemerons."""

    def __init__(self, heap, cell, span):
        kind, layout = heap.kinds[span.kind], heap.layouts[span.kind]
        self.held, self.ephemerons = [], []
        if layout == NONE:
            return
        words = words_at(cell, span.cell_size // 8)
        fixed = int(kind["fixed_bytes"]) // 8
        if layout in (AMBIGUOUS, TRACE):
            self.held = [(8 * i, word, True) for i, word in enumerate(words)]
        elif layout == ALL:
            self.hold(words, range(len(words)))
        else:
            self.hold(words, bits_of(int(kind["bitmap"]), len(words)))
        if layout == ELEMENTS:
            step, bitmap = int(kind["element_bytes"]) // 8, int(kind["element_bitmap"])
            for first in range(fixed, len(words) - step + 1, step):
                self.hold(words, [first + i for i in bits_of(bitmap, step)])
        elif layout == PAIRS:
            self.add_pairs(words, fixed, int(kind["pairs"]))

    def hold(self, words, indexes):
        self.held += [(8 * i, words[i], False) for i in indexes if words[i]]

    def add_pairs(self, words, fixed, weakness):
        for i in range(fixed, len(words) - 1, 2):
            if weakness == 0:
                self.ephemerons.append((words[i], words[i + 1], 8 * (i + 1)))
            elif weakness == 1:
                self.hold(words, [i])


def symbol_text(address):
    text = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
    return "" if text.startswith("No symbol") else f" ({text.split(' in section')[0]})"


def registered_roots(heap):
    registry = heap.core["registry"]
    for i in range(int(registry["count"])):
        root = registry["roots"][i]
        kind, first, count = int(root["type"]), int(root["first"]), int(root["count"])
        if kind == 2:
            continue
        for k, word in enumerate(words_at(first, count)):
            where = first + 8 * k
            yield word, kind == 1, f"the {'ambiguous ' if kind else ''}root at {where:#x}{symbol_text(where) if count < 64 else ''}"


def frame_roots(frame):
    while int(frame):
        for i in range(int(frame["count"])):
            slot = int(frame["slots"][i])
            yield words_at(slot, 1)[0], False, f"a local of {text_of(frame['function'])} at {slot:#x}, by its MIDDEN_FRAME"
        frame = frame["previous"]


def handle_roots(mutator):
    block = mutator["handles"]["newest"]
    while int(block):
        for i in range(int(block["used"])):
            yield int(block["slots"][i]), False, f"the handle at {int(block['slots'][i].address):#x}"
        block = block["previous"]


def table_roots(heap):
    pins = heap.core["pins"]
    for i in range(int(pins["capacity"])):
        address = int(pins["entries"][i]["address"])
        if address:
            yield address, True, "a pin of the host's"
    finalizer = heap.core["finalizers"]["queue"]
    while int(finalizer):
        yield int(finalizer["object"]), False, "the queue of finalizers"
        finalizer = finalizer["next"]


class StackFrames:
    """The frames of the selected thread by the addresses of their parts of the stack."""

    def __init__(self):
        self.limits, frame = [], gdb.newest_frame()
        for _ in range(10000):
            if not frame:
                break
            try:
                self.limits.append((int(frame.read_register("sp")), frame.name() or "?"))
            except (ValueError, gdb.error):
                break
            frame = frame.older()

    def name(self, address):
        found = "?"
        for low, name in self.limits:
            if address < low:
                break
            found = name
        return found


def thread_stack_roots(mutator):
    """The words of the running stack and the registers, of the thread whose stack pointer lies in it."""
    stacks = mutator["stacks"]
    running = stacks["running"].dereference() if int(stacks["running"]) else stacks["attached"]
    low, high = int(running["low"]), int(running["high"])
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        pointer = int(frame.read_register("sp")) & ~7
        if not max(low, high - (64 << 20)) <= pointer < high:
            continue
        frame.select()
        for register in frame.architecture().registers("general"):
            try:
                yield int(frame.read_register(register.name)) & WORD_MASK, True, f"the register {register.name}"
            except (gdb.error, ValueError):
                continue
        frames = StackFrames()
        for i, word in enumerate(words_at(pointer, (high - pointer) // 8)):
            yield word, True, lambda at=pointer + 8 * i: f"the stack at {at:#x}, in {frames.name(at)}"
        return


def left_stack_roots(stack):
    at, high = int(stack["left_at"]), int(stack["high"])
    if not at:
        return
    for i in range(int(stack["register_count"])):
        yield int(stack["registers"][i]), True, "a register of a stack that is not running"
    for i, word in enumerate(words_at((at + 7) & ~7, (high - at) // 8)):
        yield word, True, f"the stack at {at + 8 * i:#x}, which is not running"
    yield from frame_roots(stack["frames"])


def roots_of(heap):
    yield from registered_roots(heap)
    for mutator in heap.mutators():
        yield from frame_roots(mutator["face"]["frames"])
        yield from handle_roots(mutator)
    yield from table_roots(heap)
    if not int(heap.core["conservative"]):
        return
    for mutator in heap.mutators():
        yield from thread_stack_roots(mutator)
        yield from left_stack_roots(mutator["stacks"]["attached"])
        stack = mutator["stacks"]["coroutines"]
        while int(stack):
            yield from left_stack_roots(stack.dereference())
            stack = stack["next"]


class Search:
    """Breadth first from the roots to one object."""

    def __init__(self, heap, target):
        self.heap, self.target = heap, target
        self.came_from = {}  # cell: (parent cell or None, text or offset, span)
        self.queue = []
        self.waiting = {}  # key's cell: values of ephemerons that wait for it

    def reach(self, word, ambiguous, parent, how):
        found = self.heap.ambiguous(word) if ambiguous else self.heap.reference(word)
        if found and found[0] not in self.came_from:
            self.came_from[found[0]] = (parent, how, found[1])
            self.queue.append(found[0])
            for value, holder, offset in self.waiting.pop(found[0], ()):
                self.reach(value, False, holder, offset)

    def scan(self, cell):
        edges = Edges(self.heap, cell, self.came_from[cell][2])
        for offset, word, ambiguous in edges.held:
            self.reach(word, ambiguous, cell, offset)
        for key, value, offset in edges.ephemerons:
            found = self.heap.reference(key)
            if not found or found[0] in self.came_from:
                self.reach(value, False, cell, offset)
            else:
                self.waiting.setdefault(found[0], []).append((value, cell, offset))

    def run(self):
        for word, ambiguous, how in roots_of(self.heap):
            if word:
                self.reach(word, ambiguous, None, how)
        done = 0
        while done < len(self.queue) and self.target not in self.came_from:
            self.scan(self.queue[done])
            done += 1
        return self.target in self.came_from

    def path(self):
        cell, steps = self.target, []
        while cell is not None:
            parent, how, span = self.came_from[cell]
            steps.append((cell, how, span))
            cell = parent
        return reversed(steps)


def show_why(heap, address):
    found = heap.cell_of(address)
    if not found:
        show_object(heap, address)
        return
    thread, frame = gdb.selected_thread(), gdb.selected_frame()
    try:
        search = Search(heap, found[0])
        reached = search.run()
    finally:
        thread.switch()
        frame.select()
    registry = heap.core["registry"]
    scanners = sum(1 for i in range(int(registry["count"])) if int(registry["roots"][i]["type"]) == 2)
    if reached:
        for cell, how, span in search.path():
            if isinstance(how, int):
                print(f"  at offset {how} refers to the {describe(heap, cell, span)}")
            else:
                print(f"{how() if callable(how) else how} refers to the {describe(heap, cell, span)}")
            if heap.layouts[span.kind] == TRACE and cell != found[0]:
                print("  (its trace function was not called: all its words are taken for references)")
        return
    print(f"nothing that can be read here reaches the {describe(heap, *found)}: garbage, unless "
          + (f"one of {scanners} root scanners visits it (functions are not called)" if scanners else "a register or a stack of another thread has it"))


# ---- commands and printers ----


class Midden(gdb.Command):
    """Looks into a heap of midden: midden heap, kinds, spans, object, why."""

    def __init__(self):
        super().__init__("midden", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Subcommand(gdb.Command):
    def __init__(self, name, document, function):
        self.__doc__ = document
        self.function = function
        super().__init__("midden " + name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        self.function(argument.strip())


def address_in(text):
    if not text:
        raise gdb.GdbError("an address, or an expression for one")
    return int(gdb.parse_and_eval(text)) & WORD_MASK


Midden()
Subcommand("heap", "midden heap [HEAP]: what a heap holds.", lambda text: show_heap(find_heap(text)))
Subcommand("kinds", "midden kinds: objects and bytes of each kind.", lambda text: show_kinds(find_heap(text)))
Subcommand("spans", "midden spans [KIND]: spans of a kind, by name or number, of blocks, or all.",
           lambda text: show_spans(find_heap(), text))
Subcommand("object", "midden object ADDR: what an address means to the heap.",
           lambda text: show_object(find_heap(), address_in(text)))
Subcommand("why", "midden why ADDR: a shortest path from a root to the object that the address lies in.",
           lambda text: show_why(find_heap(), address_in(text)))


class PointerPrinter:
    """A midden_heap * or midden_mutator *: with what it stands for."""

    def __init__(self, value, name):
        self.value, self.name = value, name

    def to_string(self):
        if not int(self.value):
            return "NULL"
        heap = as_heap(self.value)
        if not heap:
            return f"{int(self.value):#x} (no open {'heap' if self.name == 'midden_heap' else 'mutator'})"
        if self.name == "midden_mutator":
            return f"{int(self.value):#x} (mutator of the heap at {int(heap.address):#x})"
        return (f"{int(self.value):#x} (heap: {heap['config']['collector'].string()}, "
                f"{int(heap['figures']['collections'])} collections, "
                f"{int(heap['core']['space']['pages']['used_pages'])} pages)")


class KindPrinter:
    """A midden_kind: with its name, if a heap is in sight."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        number, size = int(self.value["id"]), int(self.value["cell_size"])
        try:
            name = find_heap().kind_name(number)
        except (gdb.error, gdb.GdbError):
            name = "?"
        size_text = "no kind" if number == 0 else "variable size" if size == 0xFFFFFFFF else f"cells of {size} bytes"
        return f"kind {number} {name}, {size_text}" if number else size_text


def printer_of(value):
    target = value.type.strip_typedefs()
    if target.code == gdb.TYPE_CODE_PTR:
        name = target.target().strip_typedefs().unqualified().tag
        if name in ("midden_heap", "midden_mutator"):
            return PointerPrinter(value, name)
    elif target.code == gdb.TYPE_CODE_STRUCT and (target.unqualified().tag == "midden_kind" or str(value.type) == "midden_kind"):
        return KindPrinter(value)
    return None


gdb.pretty_printers.append(printer_of)
