/* Stacks: bounds, switching, scanning. See stacks.h. */
#include "roots/stacks.h"

#include <string.h>

#include "base/assertion.h"
#include "base/bits.h"
#include "base/os.h"
#include "roots/fake_stack.h"

/* The hint is a local of a function whose other locals may lie above it, so the scan starts this much
 * higher, where the stack is known to go on. */
#define HINT_SLACK ((size_t)4096)
#define FOREIGN_STACK_MOST ((size_t)64 << 20)

/* Words are read that AddressSanitizer guards: red zones between the locals of other frames. */
#define READS_ANY_STACK __attribute__((no_sanitize("address")))

bool mdn_stacks_attach(struct stacks *stacks, const void *hint) {
  const char *here = __builtin_frame_address(0);
  const char *address = hint ? hint : here;
  const char *low, *bottom;
  struct midden_stack *attached = &stacks->attached;
  bool own = mdn_os_stack_bounds(&low, &bottom) && here >= low && here < bottom;
  void *begin, *end;
  bool fake = fake_stack_frame(fake_stack_current(), (uintptr_t)address, &begin, &end);
  if (own && (fake || (address >= here && address <= bottom))) {
    bool near_end = !hint || fake || (size_t)(bottom - address) < HINT_SLACK;
    attached->high = near_end ? bottom : address + HINT_SLACK;
  } else if (!own && !fake && hint && address >= here) {
    attached->high = address + sizeof(midden_word); /* a stack of the host's making: nothing is known above */
  } else {
    return false;
  }
  attached->low = own ? low : NULL;
  attached->high = (const char *)((uintptr_t)attached->high & ~(sizeof(midden_word) - 1));
  stacks->running = NULL;
  return true;
}

midden_stack *mdn_stacks_add(struct stacks *stacks, struct arena *arena, void *low, size_t bytes) {
  struct midden_stack *stack = mdn_arena_allocate(arena, sizeof *stack);
  if (!stack) return NULL;
  stack->low = (const char *)round_up((uintptr_t)low, sizeof(midden_word));
  stack->high = (const char *)(((uintptr_t)low + bytes) & ~(sizeof(midden_word) - 1));
  stack->next = stacks->coroutines;
  stacks->coroutines = stack;
  return stack;
}

static struct midden_stack **find(struct stacks *stacks, const midden_stack *stack) {
  struct midden_stack **link = &stacks->coroutines;
  while (*link && *link != stack) link = &(*link)->next;
  return *link ? link : NULL;
}

midden_status mdn_stacks_remove(struct stacks *stacks, struct arena *arena, midden_stack *stack) {
  struct midden_stack **link = stack ? find(stacks, stack) : NULL;
  if (!link || stacks->running == stack) return MIDDEN_MISUSE;
  *link = stack->next;
  mdn_arena_free(arena, stack, sizeof *stack);
  return MIDDEN_OK;
}

void mdn_stacks_release(struct stacks *stacks, struct arena *arena) {
  while (stacks->coroutines) {
    struct midden_stack *next = stacks->coroutines->next;
    mdn_arena_free(arena, stacks->coroutines, sizeof *stacks->coroutines);
    stacks->coroutines = next;
  }
}

READS_ANY_STACK static void keep_words(struct midden_stack *stack, const midden_word *words, size_t count) {
  for (size_t i = 0; i < count && stack->register_count < STACK_REGISTERS; i++) {
    stack->registers[stack->register_count++] = words[i];
  }
}

/* The registers as they are now, and the words between here and the place where the stack is left: our own
 * functions in between have saved there those registers of the host's that they use themselves. */
static __attribute__((noinline)) void keep_registers(void *context, const midden_word *registers, size_t count) {
  struct midden_stack *stack = context;
  const midden_word *here = __builtin_frame_address(0);
  stack->register_count = 0;
  keep_words(stack, here, (size_t)(stack->left_at - (const char *)here) / sizeof *here);
  keep_words(stack, registers, count);
  CHECK(stack->register_count < STACK_REGISTERS);
}

midden_status mdn_stacks_switch(struct stacks *stacks, midden_stack *to, struct midden_frame **frames,
                                const char *left_at) {
  if (to && !find(stacks, to)) return MIDDEN_BAD_ARGUMENT;
  struct midden_stack *from = stacks->running ? stacks->running : &stacks->attached;
  struct midden_stack *target = to ? to : &stacks->attached;
  if (from == target) return MIDDEN_OK;
  from->left_at = left_at;
  mdn_registers_call(keep_registers, from);
  from->frames = *frames;
  *frames = target->frames;
  target->frames = NULL;
  target->left_at = NULL;
  target->register_count = 0;
  stacks->running = to;
  return MIDDEN_OK;
}

bool mdn_stacks_covers(const struct stacks *stacks, const char *stack_pointer) {
  const struct midden_stack *stack = stacks->running ? stacks->running : &stacks->attached;
  if (stack_pointer > stack->high) return false;
  if (stack->low) return stack_pointer >= stack->low;
  /* Attached on a stack of the host's making, whose low end is not known: tell others apart from it. */
  for (const struct midden_stack *other = stacks->coroutines; other; other = other->next) {
    if (stack_pointer >= other->low && stack_pointer < other->high) return false;
  }
  const char *low, *bottom;
  if (mdn_os_stack_bounds(&low, &bottom) && stack_pointer >= low && stack_pointer < bottom) return false;
  return (size_t)(stack->high - stack_pointer) <= FOREIGN_STACK_MOST;
}

/* Under AddressSanitizer: the fake frames that words of this range point to. */
READS_ANY_STACK static void visit_fake_frames(const midden_word *first, size_t count, midden_visitor *visitor) {
  void *fake_stack = fake_stack_current();
  if (!fake_stack) return;
  for (size_t i = 0; i < count; i++) {
    void *begin, *end;
    if (fake_stack_frame(fake_stack, first[i], &begin, &end)) {
      visitor->ambiguous(visitor, begin, (size_t)((char *)end - (char *)begin) / sizeof(midden_word));
    }
  }
}

static void visit_words(const char *low, const char *high, midden_visitor *visitor) {
  const midden_word *first = (const midden_word *)(const void *)round_up((uintptr_t)low, sizeof(midden_word));
  if ((const char *)first >= high) return;
  size_t count = (size_t)(high - (const char *)first) / sizeof(midden_word);
  visitor->ambiguous(visitor, first, count);
  if (FAKE_STACKS) visit_fake_frames(first, count, visitor);
}

static void visit_left(const struct midden_stack *stack, midden_visitor *visitor) {
  if (!stack->left_at) return;
  visitor->ambiguous(visitor, stack->registers, stack->register_count);
  visit_words(stack->left_at, stack->high, visitor);
}

void mdn_stacks_visit(const struct stacks *stacks, const char *stack_pointer, const midden_word *registers,
                      size_t register_count, midden_visitor *visitor) {
  visitor->ambiguous(visitor, registers, register_count);
  const struct midden_stack *running = stacks->running ? stacks->running : &stacks->attached;
  visit_words(stack_pointer, running->high, visitor);
  visit_left(&stacks->attached, visitor);
  for (const struct midden_stack *stack = stacks->coroutines; stack; stack = stack->next) visit_left(stack, visitor);
}

void mdn_frames_visit(const struct midden_frame *frame, midden_visitor *visitor) {
  for (; frame; frame = frame->previous) {
    for (size_t i = 0; i < frame->place->count; i++) visitor->edge(visitor, frame->slots[i]);
  }
}

void mdn_stacks_visit_frames(const struct stacks *stacks, midden_visitor *visitor) {
  mdn_frames_visit(stacks->attached.frames, visitor);
  for (const struct midden_stack *stack = stacks->coroutines; stack; stack = stack->next) {
    mdn_frames_visit(stack->frames, visitor);
  }
}

#define WIPED ((size_t)3 << 10)

__attribute__((noinline)) void mdn_stacks_wipe(void) {
  char bytes[WIPED];
  memset(bytes, 0, sizeof bytes);
  __asm__ volatile("" : : "r"(bytes) : "memory"); /* or there would be no need to write them */
}
