/* First-class continuations: the VM stack as a chain of segments in the heap.
 *
 * Capturing moves the whole stack, once, into a segment, and leaves the stack empty. From then on
 * a return from the lowest frame underflows, and just one frame is copied back; a segment is
 * never written again, so all continuations that were captured above it share it. A program that
 * captures in a loop (ctak, generators) pays for the frames that are new since the last capture,
 * not for the depth of the stack. After Hieb, Dybvig and Bruggeman, "Representing control in the
 * presence of first-class continuations" (1990).
 *
 * What is below the live stack is (roots.segment, roots.height): the first `height` words of the
 * segment, then what its `older` names. Frames hold distances and return addresses into code that
 * does not move, so they can be copied anywhere. */
#include <string.h>

#include "heap.h"

value *continuation_capture(struct vm *vm, value *frame) {
  int64_t size = frame - vm->base;
  if (size == LINKAGE)
    return frame; /* nothing new: what is below is captured already */
  vm->top = frame + 2;
  struct segment *segment =
      heap_allocate_sized(vm, KIND_SEGMENT, sizeof *segment + (size_t)size * sizeof(value));
  if (!segment)
    return NULL;
  heap_initialise(&segment->older, vm->roots.segment);
  segment->older_height = vm->roots.height;
  for (int64_t i = 0; i < size; i++)
    heap_initialise(&segment->words[i], vm->base[i]);
  vm->roots.segment = tagged(segment, TAG_OBJECT);
  vm->roots.height = make_fixnum(size);
  stack_link_base(vm);
  value *moved = vm->base + LINKAGE;
  moved[0] = frame[0];
  moved[1] = frame[1];
  return moved;
}

value continuation_make(struct vm *vm) {
  value continuation = make_closure(vm, vm->roots.continuation_code, CONTINUATION_SLOTS);
  if (continuation == FAIL)
    return FAIL;
  struct closure *closure = closure_of(continuation);
  heap_initialise(&closure->slots[CONTINUATION_SEGMENT], vm->roots.segment);
  heap_initialise(&closure->slots[CONTINUATION_HEIGHT], vm->roots.height);
  heap_initialise(&closure->slots[CONTINUATION_WINDERS], vm->roots.winders);
  heap_initialise(&closure->slots[CONTINUATION_HANDLERS], vm->roots.handlers);
  return continuation;
}

void continuation_install(struct vm *vm, value continuation) {
  const struct closure *closure = closure_of(continuation);
  vm->roots.segment = closure->slots[CONTINUATION_SEGMENT];
  vm->roots.height = closure->slots[CONTINUATION_HEIGHT];
  vm->roots.winders = closure->slots[CONTINUATION_WINDERS];
  vm->roots.handlers = closure->slots[CONTINUATION_HANDLERS];
  vm->overflowing = false;
}

/* The top of the captured part is a linkage: the address to return to, and the distance down to
 * the frame that it returns into. That frame's own linkage is then the new top. */
value *continuation_resume(struct vm *vm, const union word **resume_at, value result) {
  if (vm->roots.segment == FALSE_VALUE)
    return NULL;
  const struct segment *segment = segment_of(vm->roots.segment);
  int64_t height = fixnum_of(vm->roots.height);
  *resume_at = (const union word *)segment->words[height - 2];
  int64_t distance = (int64_t)(segment->words[height - 1] / sizeof(value));
  int64_t start = height - distance;
  value *frame = vm->base + LINKAGE;
  if (frame + distance > vm->soft_limit && !stack_grow(vm, frame + distance))
    return NULL;
  stack_link_base(vm); /* the return that led here left its result there */
  memcpy(frame, &segment->words[start], (size_t)(distance - LINKAGE) * sizeof(value));
  frame[distance - LINKAGE] = result;
  if (start == LINKAGE) {
    vm->roots.height = segment->older_height;
    vm->roots.segment = segment->older;
  } else {
    vm->roots.height = make_fixnum(start);
  }
  return frame;
}
