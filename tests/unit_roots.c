/* Unit: registry, handles and stacks, seen through a visitor that writes down what it is shown. */
#include <string.h>

#include "counting_memory.h"
#include "harness.h"
#include "roots/handles.h"
#include "roots/registers.h"
#include "roots/registry.h"
#include "roots/stacks.h"

enum { SEEN = 4096 };

typedef struct listener {
  midden_visitor visitor;
  uintptr_t precise[SEEN], ambiguous[SEEN]; /* the words in the slots */
  size_t precise_count, ambiguous_count;
} listener;

static void listen_edge(midden_visitor *visitor, midden_word *slot) {
  listener *here = (listener *)visitor;
  ck_assert_uint_lt(here->precise_count, SEEN);
  here->precise[here->precise_count++] = *slot;
}
static void listen_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) listen_edge(visitor, first + i);
}
static void listen_pinned(midden_visitor *visitor, uintptr_t word) {
  listener *here = (listener *)visitor;
  here->ambiguous[here->ambiguous_count++] = word;
}
/* Reads stacks, red zones included. */
__attribute__((no_sanitize("address"))) static void listen_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  listener *here = (listener *)visitor;
  for (size_t i = 0; i < count && here->ambiguous_count < SEEN; i++) here->ambiguous[here->ambiguous_count++] = first[i];
}

static void start(listener *here) {
  memset(here, 0, sizeof *here);
  here->visitor = (midden_visitor){listen_edge, listen_pinned, listen_range, listen_ambiguous, NULL, NULL};
}

static counting_memory memory;
static struct arena arena;

static void open_arena(void) {
  counting_memory_open(&memory);
  mdn_arena_open(&arena, &memory.face);
}

static void scan(midden_visitor *visitor, void *context) { midden_visit(visitor, context); }

/* Adds and removes at random, and compares with a list of what should be there. */
START_TEST(registry_against_a_list) {
  open_arena();
  struct root_registry registry = {NULL, 0, 0};
  static midden_word words[64];
  enum { ABSENT, PRECISE_ROOT, AMBIGUOUS_ROOT, SCANNER } states[64] = {ABSENT};
  uint64_t random = 5;
  for (size_t i = 0; i < 64; i++) words[i] = 1000 + i;
  for (int step = 0; step < 4000; step++) {
    size_t i = test_random_below(&random, 64);
    if (states[i] == ABSENT) {
      states[i] = PRECISE_ROOT + (int)test_random_below(&random, 3);
      struct root root = {.type = states[i] == PRECISE_ROOT ? ROOT_PRECISE : states[i] == SCANNER ? ROOT_SCANNER : ROOT_AMBIGUOUS,
                          .count = 1, .first = &words[i], .scan = scan, .context = &words[i]};
      EXPECT(mdn_registry_add(&registry, &arena, root) == MIDDEN_OK, "add");
    } else {
      midden_status status = states[i] == SCANNER ? mdn_registry_remove_scanner(&registry, scan, &words[i])
                                                  : mdn_registry_remove(&registry, &words[i]);
      EXPECT(status == MIDDEN_OK, "remove");
      states[i] = ABSENT;
    }
    static listener heard;
    start(&heard);
    mdn_registry_visit_precise(&registry, &heard.visitor);
    mdn_registry_visit_ambiguous(&registry, &heard.visitor);
    size_t precise = 0, ambiguous = 0;
    for (size_t k = 0; k < 64; k++) {
      size_t times = 0;
      for (size_t n = 0; n < heard.precise_count; n++) times += heard.precise[n] == words[k];
      EXPECT(times == (states[k] == PRECISE_ROOT || states[k] == SCANNER), "word %zu is seen %zu times", k, times);
      precise += times;
      ambiguous += states[k] == AMBIGUOUS_ROOT;
    }
    EXPECT(precise == heard.precise_count && ambiguous == heard.ambiguous_count, "others were seen");
  }
  mdn_arena_close(&arena);
}
END_TEST

/* Handles stay where they are, whatever is opened above them; closing forgets exactly what is above. */
START_TEST(handles_are_a_stack) {
  open_arena();
  struct handles handles = {NULL, NULL};
  midden_scope scopes[60];
  midden_handle kept[60][40];
  size_t counts[60] = {0}, depth = 0;
  uint64_t random = 8, serial = 1;
  for (int step = 0; step < 20000; step++) {
    size_t choice = test_random_below(&random, 10);
    if (choice == 0 && depth < 60) {
      scopes[depth] = mdn_handles_open(&handles);
      counts[depth++] = 0;
    } else if (choice == 1 && depth > 0) {
      depth = test_random_below(&random, depth);
      mdn_handles_close(&handles, scopes[depth]);
    } else if (depth > 0 && counts[depth - 1] < 40) {
      midden_handle handle = mdn_handles_new(&handles, &arena, serial);
      EXPECT(handle != NULL && *handle == serial, "handle");
      kept[depth - 1][counts[depth - 1]++] = handle;
      serial++;
    }
    if (step % 50 != 0) continue;
    static listener heard;
    start(&heard);
    mdn_handles_visit(&handles, &heard.visitor);
    size_t expected = 0;
    uint64_t sum = 0, heard_sum = 0;
    for (size_t d = 0; d < depth; d++) {
      expected += counts[d];
      for (size_t k = 0; k < counts[d]; k++) sum += *kept[d][k];
    }
    for (size_t k = 0; k < heard.precise_count; k++) heard_sum += heard.precise[k];
    EXPECT(heard.precise_count == expected && heard_sum == sum, "%zu handles, not %zu", heard.precise_count, expected);
  }
  mdn_handles_release(&handles, &arena);
  mdn_arena_close(&arena);
  ck_assert_uint_eq(memory.reservations, 0);
}
END_TEST

static bool heard_word(const listener *here, uintptr_t word) {
  for (size_t i = 0; i < here->ambiguous_count; i++)
    if (here->ambiguous[i] == word) return true;
  return false;
}

/* A made-up coroutine stack is scanned from where it was left to its end, and not below. */
START_TEST(stacks_are_scanned_from_where_they_were_left) {
  open_arena();
  static struct stacks stacks; /* not in this frame, which is kept with the registers */
  ck_assert(mdn_stacks_attach(&stacks, NULL));
  static midden_word low[256], other[16];
  for (size_t i = 0; i < 256; i++) low[i] = 5000 + i;
  for (size_t i = 0; i < 16; i++) other[i] = 9000 + i;
  midden_stack *stack = mdn_stacks_add(&stacks, &arena, low, sizeof low);
  midden_stack *never_run = mdn_stacks_add(&stacks, &arena, other, sizeof other);
  ck_assert_ptr_nonnull(stack);
  ck_assert_ptr_nonnull(never_run);
  struct midden_frame *frames = (struct midden_frame *)&stacks, *of_attached = frames;
  const char *here = __builtin_frame_address(0);
  ck_assert_int_eq(mdn_stacks_switch(&stacks, stack, &frames, here), MIDDEN_OK);
  ck_assert_ptr_null(frames); /* the coroutine has no frames yet */
  ck_assert_int_eq(mdn_stacks_remove(&stacks, &arena, stack), MIDDEN_MISUSE);
  frames = (struct midden_frame *)low;
  /* It is left at word 100: from a place of its own, so the registers are those of this call. */
  stacks.running = NULL;
  stack->left_at = (const char *)&low[100];
  static listener heard;
  start(&heard);
  mdn_stacks_visit(&stacks, here, NULL, 0, &heard.visitor);
  for (size_t i = 0; i < 256; i++) EXPECT(heard_word(&heard, 5000 + i) == (i >= 100), "word %zu", i);
  for (size_t i = 0; i < 16; i++) EXPECT(!heard_word(&heard, 9000 + i), "word %zu of a stack that never ran", i);
  ck_assert_ptr_eq(stacks.attached.frames, of_attached);
  ck_assert_int_eq(mdn_stacks_remove(&stacks, &arena, stack), MIDDEN_OK);
  ck_assert_int_eq(mdn_stacks_remove(&stacks, &arena, stack), MIDDEN_MISUSE);
  ck_assert_int_eq(mdn_stacks_switch(&stacks, stack, &frames, here), MIDDEN_BAD_ARGUMENT);
  mdn_stacks_release(&stacks, &arena);
  mdn_arena_close(&arena);
}
END_TEST

/* Frames are shown innermost first, each variable once. */
START_TEST(frames_are_walked) {
  midden_word variables[6] = {1, 2, 3, 4, 5, 6};
  void *const first[] = {&variables[0], &variables[1]}, *const second[] = {&variables[2]},
                        *const third[] = {&variables[3], &variables[4], &variables[5]};
  static const midden_frame_place of_outer = {3, "outer", NULL}, of_middle = {1, "middle", NULL}, of_inner = {2, "inner", NULL};
  midden_frame outer = {NULL, third, &of_outer}, middle = {&outer, second, &of_middle}, inner = {&middle, first, &of_inner};
  static listener heard;
  start(&heard);
  mdn_frames_visit(&inner, &heard.visitor);
  ck_assert_uint_eq(heard.precise_count, 6);
  for (size_t i = 0; i < 6; i++) ck_assert_uint_eq(heard.precise[i], i + 1);
  start(&heard);
  mdn_frames_visit(NULL, &heard.visitor);
  ck_assert_uint_eq(heard.precise_count, 0);
}
END_TEST

/* ---- what calls that have returned leave behind ---- */

enum { LEFT_WORDS = 600, LOOKED_AT = 250, GAPS_MOST = 8 };
#define LEFT ((uintptr_t)0x1e571e571e571e57)

/* Fills the stack below the caller, with more than is looked at afterwards. */
static __attribute__((noinline)) void leave_words(void) {
  volatile uintptr_t words[LEFT_WORDS];
  for (size_t i = 0; i < LEFT_WORDS; i++) words[i] = LEFT;
  __asm__ volatile("" : : "r"(words) : "memory");
}

/* What a frame in the same place finds that writes nothing. post: how many words are of those that were left. */
static __attribute__((noinline, no_sanitize("address"))) size_t count_left(void) {
  uintptr_t words[LOOKED_AT];
  size_t count = 0;
  __asm__ volatile("" : "=m"(words)); /* they have a value, whatever it is */
  for (size_t i = 0; i < LOOKED_AT; i++) count += words[i] == LEFT;
  return count;
}

static void count_registers(void *context, const midden_word *registers, size_t count) {
  size_t *left = context;
  *left = 0;
  for (size_t i = 0; i < count; i++) *left += registers[i] == LEFT;
}

START_TEST(the_stack_is_wiped) {
  leave_words();
  ck_assert_uint_gt(count_left(), LOOKED_AT / 2); /* or this test sees nothing */
  leave_words();
  mdn_stacks_wipe();
  ck_assert_uint_le(count_left(), GAPS_MOST);
}
END_TEST

/* Of libunwind's structure most is not filled. (It was not cleared, and showed a hundred words.) */
START_TEST(registers_show_no_old_words) {
  size_t left = SIZE_MAX;
  leave_words();
  mdn_registers_call(count_registers, &left);
  ck_assert_uint_le(left, 2);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {registry_against_a_list, handles_are_a_stack,
                                stacks_are_scanned_from_where_they_were_left, frames_are_walked,
                                the_stack_is_wiped, registers_show_no_old_words};
  return run_once("roots", tests, COUNT_OF(tests));
}
