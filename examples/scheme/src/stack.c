/* The VM stack: address space reserved once, so that frames never move, backed by memory as it
 * is touched.
 *
 * Invariant: every word below soft_limit + STACK_SLACK was zeroed or written since the last
 * collection, or was scanned by it. So a register that was not written yet holds no reference to
 * an object that is gone, and frames need no maps of live registers. stack_scrub, which runs in
 * every collection, upholds it; because soft_limit follows the stack's height in small steps,
 * there is never much to clear. */
#include <sys/mman.h>
#include <string.h>

#include "errors.h"
#include "vm.h"

enum {
  STACK_STEP = 1024,     /* words */
  STACK_SLACK = 512,     /* words that a frame may use above the soft limit without asking */
  STACK_RESERVE = 65536, /* words kept for the handler of "recursion too deep" */
  STACK_PAGE = 4096,
  STACK_RETURNED = 1 << 20 /* bytes: what is above the stack goes back to the system if it is more */
};

static const size_t stack_sizes[] = {(size_t)128 << 20, (size_t)64 << 20, (size_t)8 << 20};

bool stack_open(struct vm *vm) {
  for (size_t i = 0; i < sizeof stack_sizes / sizeof stack_sizes[0]; i++) {
    void *memory = mmap(NULL, stack_sizes[i], PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
      continue; /* address space may be limited */
    vm->base = memory;
    vm->hard_limit = vm->base + stack_sizes[i] / sizeof(value) - STACK_RESERVE - STACK_SLACK;
    vm->soft_limit = vm->base + STACK_STEP;
    vm->top = vm->base;
    return true;
  }
  return false;
}

void stack_close(struct vm *vm) {
  if (vm->base)
    munmap(vm->base, (size_t)(vm->hard_limit + STACK_RESERVE + STACK_SLACK - vm->base) * sizeof(value));
}

void stack_link_base(struct vm *vm) {
  vm->base[0] = (value)code_of(vm->roots.underflow_code)->instructions;
  vm->base[1] = 0;
}

value *stack_reset(struct vm *vm) {
  stack_link_base(vm);
  vm->top = vm->base + LINKAGE;
  vm->roots.segment = FALSE_VALUE;
  vm->roots.height = make_fixnum(0);
  vm->roots.winders = NIL;
  vm->roots.handlers = NIL;
  vm->overflowing = false;
  return vm->base + LINKAGE;
}

bool stack_grow(struct vm *vm, value *frame) {
  value *limit = vm->overflowing ? vm->hard_limit + STACK_RESERVE - STACK_STEP : vm->hard_limit;
  if (frame <= limit) {
    vm->soft_limit = frame + STACK_STEP;
    return true;
  }
  if (vm->overflowing) {
    fprintf(stderr, "error: the stack overflowed again while its overflow was being handled\n");
    vm->aborting = true;
    return false;
  }
  vm->overflowing = true;
  raise_error(vm, CONDITION_STACK, "recursion too deep", 0, NULL);
  return false;
}

void stack_scrub(struct vm *vm) {
  value *end = vm->soft_limit + STACK_SLACK;
  if (vm->top >= end)
    return;
  char *from = (char *)vm->top,
       *page = (char *)(((uintptr_t)from + STACK_PAGE - 1) & ~(uintptr_t)(STACK_PAGE - 1));
  char *last = (char *)((uintptr_t)end & ~(uintptr_t)(STACK_PAGE - 1));
  if (last > page + STACK_RETURNED && madvise(page, (size_t)(last - page), MADV_DONTNEED) == 0) {
    memset(from, 0, (size_t)(page - from));
    from = last;
  }
  memset(from, 0, (size_t)((char *)end - from));
  if (vm->soft_limit > vm->top + STACK_STEP)
    vm->soft_limit = vm->top + STACK_STEP;
}
