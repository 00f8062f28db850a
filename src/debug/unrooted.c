/* Unrooted references, for hosts with precise roots: before each collection the C stack is searched for references that
 * no root, frame or handle accounts for, and after it those are reported whose object is gone, or has moved.
 *
 * What is found may be dead: a slot that the function does not use any more. So each place is reported once, and what
 * was found is counted. The words between the collection and the host's own frames are the library's, and are left
 * out; registers are taken as the innermost frame of the host's sees them. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "debug/frames.h"
#include "debug/installers.h"
#include "debug/stack_text.h"
#include "heap/heap.h"

#define SUSPECTS_MOST ((size_t)4096)      /* references looked at in one collection */
#define PLACES_MOST ((size_t)256)         /* different ones that are told apart */
#define REPORTS_PER_COLLECTION 16

enum fate { FATE_STAYS, FATE_LOST, FATE_MOVED };

struct suspect {
  uintptr_t slot;   /* on the stack; 0: a register */
  size_t number;    /* of the register */
  uintptr_t cell, to;
  size_t size;
  uint16_t kind;
  enum fate fate;
};

/* What was reported: a place in the program, with a kind of objects and what became of one. */
struct unrooted_place {
  uintptr_t address;
  uint64_t count;
  uint16_t kind;
  enum fate fate;
};

struct detector {
  struct observer observer; /* first */
  struct move_watch watch;
  midden_heap *heap;
  struct frames frames;
  struct suspect suspects[SUSPECTS_MOST];
  size_t suspect_count;
  struct unrooted_place places[PLACES_MOST];
  size_t place_count;
  bool full; /* a place was not told apart any more */
  uintptr_t *slots; /* registered ones on this stack, sorted */
  size_t slot_count, slot_capacity;
  bool slots_refused;
};

static struct detector *detector_of(struct observer *observer) { return (struct detector *)observer; }
static struct detector *detector_of_watch(struct move_watch *watch) {
  return (struct detector *)((uintptr_t)watch - offsetof(struct detector, watch));
}

/* ---- registered slots on the stack ---- */

struct slot_visitor {
  midden_visitor visitor; /* first */
  struct detector *detector;
  uintptr_t low, high;
};

static void note_slot(midden_visitor *visitor, midden_word *slot) {
  struct slot_visitor *noting = (struct slot_visitor *)visitor;
  struct detector *detector = noting->detector;
  uintptr_t address = (uintptr_t)slot;
  if (address < noting->low || address >= noting->high) return;
  void *slots = detector->slots;
  if (!mdn_arena_grow(&detector->heap->core.arena, &slots, &detector->slot_capacity, detector->slot_count + 1, sizeof address)) {
    detector->slots_refused = true;
    return;
  }
  detector->slots = slots;
  detector->slots[detector->slot_count++] = address;
}

static void note_slots(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) note_slot(visitor, first + i);
}
static void note_weak_slot(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  (void)strength;
  note_slot(visitor, slot);
  if (companion) note_slot(visitor, companion);
}
static void note_pair(midden_visitor *visitor, midden_word *key, midden_word *value) {
  note_slot(visitor, key);
  note_slot(visitor, value);
}
static void note_nothing(midden_visitor *visitor, uintptr_t word) { (void)visitor, (void)word; }
static void note_no_words(midden_visitor *visitor, const midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count;
}

static int compare_slots(const void *left, const void *right) {
  uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;
  return (a > b) - (a < b);
}

static void find_registered_slots(struct detector *detector, uintptr_t low, uintptr_t high) {
  struct slot_visitor noting = {{note_slot, note_nothing, note_slots, note_no_words, note_weak_slot, note_pair}, detector, low, high};
  detector->slot_count = 0;
  detector->slots_refused = false;
  mdn_core_visit_precise(&detector->heap->core, &noting.visitor);
  if (detector->slot_count) qsort(detector->slots, detector->slot_count, sizeof *detector->slots, compare_slots);
}

static bool is_registered(const struct detector *detector, uintptr_t slot) {
  return detector->slot_count && bsearch(&slot, detector->slots, detector->slot_count, sizeof slot, compare_slots);
}

/* ---- the search ---- */

/* Whether a word refers to an object, as the host's words do: then there is a suspect. */
static void suspect(struct detector *detector, uintptr_t word, uintptr_t slot, size_t number) {
  const struct core *core = &detector->heap->core;
  size_t offset;
  if (!reference_offset(&core->form, false, core->space.base, core->space.extent, word, &offset)) return;
  uintptr_t cell = core->space.base + offset;
  if (mdn_space_cell_at(&core->space, cell) != cell) return;
  if (detector->suspect_count == SUSPECTS_MOST || (slot && is_registered(detector, slot))) return;
  const struct span *span = space_span_of(&core->space, cell);
  detector->suspects[detector->suspect_count++] = (struct suspect){
      .slot = slot, .number = number, .cell = cell, .size = span->cell_size, .kind = span->kind};
}

/* Words of other functions' frames: AddressSanitizer guards the gaps between their locals. */
__attribute__((no_sanitize("address"))) static void search_words(struct detector *detector, uintptr_t low, uintptr_t high) {
  for (uintptr_t slot = round_up(low, sizeof(midden_word)); slot + sizeof(midden_word) <= high; slot += sizeof(midden_word)) {
    suspect(detector, *(const midden_word *)slot, slot, 0);
  }
}

/* The end of the running stack; where the system does not know it, of what could be walked. */
static uintptr_t bottom_of_stack(const struct frames *frames) {
  const char *low, *high;
  uintptr_t here = frames->list[frames->first].stack_pointer;
  if (mdn_os_stack_bounds(&low, &high) && here >= (uintptr_t)low && here < (uintptr_t)high) return (uintptr_t)high;
  return frames->list[frames->count - 1].stack_pointer;
}

static midden_status search_before(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  struct detector *detector = detector_of(observer);
  struct frames *frames = &detector->frames;
  (void)heap, (void)collected;
  detector->suspect_count = 0;
  if (!mdn_frames_walk(frames)) return MIDDEN_OK;
  uintptr_t low = frames->list[frames->first].stack_pointer, high = bottom_of_stack(frames);
  find_registered_slots(detector, low, high);
  if (detector->slots_refused) return MIDDEN_OK; /* without them there would be false reports */
  search_words(detector, low, high);
  for (size_t i = 0; i < BACKTRACE_REGISTERS; i++) suspect(detector, frames->list[frames->first].registers[i], 0, i);
  return MIDDEN_OK;
}

/* ---- what became of the objects ---- */

static void decide_settled(struct move_watch *watch, struct core *core, bool minor) {
  struct detector *detector = detector_of_watch(watch);
  (void)minor;
  for (size_t i = 0; i < detector->suspect_count; i++) {
    struct suspect *at = &detector->suspects[i];
    if (!weak_live(&core->space, at->cell)) {
      at->fate = FATE_LOST;
    } else if ((at->to = weak_now(&core->space, at->cell)) != at->cell) {
      at->fate = FATE_MOVED;
    }
  }
}

static void decide_moved(struct move_watch *watch, struct core *core, where_function where) {
  struct detector *detector = detector_of_watch(watch);
  for (size_t i = 0; i < detector->suspect_count; i++) {
    struct suspect *at = &detector->suspects[i];
    if (at->fate != FATE_STAYS || !(space_page_entry(&core->space, at->cell) & PAGE_EVACUATE)) continue;
    at->to = where(core, at->cell);
    if (at->to != at->cell) at->fate = FATE_MOVED;
  }
}

/* ---- reports ---- */

static const char *suspect_kind(const struct detector *detector, uint16_t kind) {
  return detector->heap->core.kinds.kinds[kind].name;
}

static void report_suspect(struct detector *detector, const struct suspect *at, const struct backtrace_frame *frame,
                           const struct collected *collected) {
  char place[256], held[48];
  struct text text = mdn_text_open(place, sizeof place);
  if (frame) mdn_stack_text_place(&text, frame->address, true);
  else mdn_text_add(&text, "a frame beyond those that could be walked");
  text = mdn_text_open(held, sizeof held);
  if (at->slot) mdn_text_add(&text, "in the slot at %#zx", (size_t)at->slot);
  else mdn_text_add(&text, "in a register");
  if (at->fate == FATE_LOST) {
    mdn_heap_report(detector->heap, true,
                    "midden: unrooted: collection %llu (%s): %s holds, %s, a reference to a %s of %zu bytes at %#zx that no "
                    "root leads to: the object is gone",
                    (unsigned long long)collected->number, collected->collector, place, held, suspect_kind(detector, at->kind),
                    at->size, (size_t)at->cell);
  } else {
    mdn_heap_report(detector->heap, true,
                    "midden: unrooted: collection %llu (%s): %s holds, %s, a reference that is no root to a %s of %zu bytes at "
                    "%#zx, which lives and has moved to %#zx: this copy is stale",
                    (unsigned long long)collected->number, collected->collector, place, held, suspect_kind(detector, at->kind),
                    at->size, (size_t)at->cell, (size_t)at->to);
  }
}

/* The entry for a place, a new one with count 0 if need be. post: NULL if there are too many. */
static struct unrooted_place *unrooted_place_for(struct detector *detector, uintptr_t address, const struct suspect *at) {
  for (size_t i = 0; i < detector->place_count; i++) {
    struct unrooted_place *place = &detector->places[i];
    if (place->address == address && place->kind == at->kind && place->fate == at->fate) return place;
  }
  if (detector->place_count == PLACES_MOST) return NULL;
  struct unrooted_place *place = &detector->places[detector->place_count++];
  *place = (struct unrooted_place){.address = address, .kind = at->kind, .fate = at->fate};
  return place;
}

static midden_status report_after(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  struct detector *detector = detector_of(observer);
  unsigned reports = 0;
  for (size_t i = 0; i < detector->suspect_count; i++) {
    const struct suspect *at = &detector->suspects[i];
    if (at->fate == FATE_STAYS || (at->fate == FATE_MOVED && heap->config.unrooted != MIDDEN_UNROOTED_ALL)) continue;
    if (at->fate == FATE_LOST) heap->figures.unrooted_lost++;
    else heap->figures.unrooted_stale++;
    const struct backtrace_frame *frame = at->slot ? mdn_frames_holder(&detector->frames, at->slot)
                                                   : mdn_frames_register_holder(&detector->frames, at->number);
    struct unrooted_place *place = unrooted_place_for(detector, frame ? frame->address : 0, at);
    if (!place) detector->full = true;
    if (!place || (place->count == 0 && reports == REPORTS_PER_COLLECTION)) continue; /* told another time, if ever */
    if (place->count++ > 0) continue;
    reports++;
    report_suspect(detector, at, frame, collected);
  }
  detector->suspect_count = 0;
  return MIDDEN_OK;
}

/* At the end: how often each was found that was found again. */
static void report_counts(struct observer *observer, midden_heap *heap) {
  const struct detector *detector = detector_of(observer);
  for (size_t i = 0; i < detector->place_count; i++) {
    const struct unrooted_place *place = &detector->places[i];
    char name[256];
    if (place->count < 2) continue;
    struct text text = mdn_text_open(name, sizeof name);
    mdn_stack_text_place(&text, place->address, true);
    mdn_heap_report(heap, true, "midden: unrooted: in all %llu times: %s, kind %s, %s", (unsigned long long)place->count, name,
                    suspect_kind(detector, place->kind), place->fate == FATE_LOST ? "object gone" : "copy stale");
  }
  if (!detector->full) return;
  mdn_heap_report(heap, true, "midden: unrooted: there were more than %zu different places; the others are only counted",
                  PLACES_MOST);
}

midden_status mdn_unrooted_install(midden_heap *heap, midden_error *error) {
  if (heap->config.unrooted == MIDDEN_UNROOTED_OFF) return MIDDEN_OK;
  if (!mdn_backtrace_possible()) {
    return mdn_error(error, MIDDEN_UNSUPPORTED,
                     "unrooted names functions by libunwind, which this build has not: build with -Dlibunwind=enabled or "
                     "choose unrooted=off");
  }
  struct detector *detector = mdn_observer_new(heap, sizeof *detector, error);
  if (!detector) return MIDDEN_NO_MEMORY;
  detector->observer = (struct observer){.before = search_before, .after = report_after, .close = report_counts};
  detector->watch = (struct move_watch){heap->core.watches, decide_settled, decide_moved};
  detector->heap = heap;
  heap->core.watches = &detector->watch;
  mdn_observer_add(heap, &detector->observer);
  return MIDDEN_OK;
}
