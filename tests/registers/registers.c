/* The register sentinel test: while the host's function allocates and collects, the only reference to an
 * object is in one callee-saved register, of the running stack or of a coroutine that was left with it. The
 * object must survive and stay. With no register holding it, the same object must go: so the test knows
 * that nothing else kept it. With stack=pinning, where a root keeps it alive, it must stay where it is, or move.
 *
 * A plain program, without Check: check.py builds it with several compilers and levels of optimisation. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "midden/midden.h"

#if !defined(__x86_64__)
int main(void) {
  puts("registers: only x86-64 is known to this test");
  return 77;
}
#else

enum { OBJECT_BYTES = 48, ALLOCATIONS = 300 };

#define MASK ((uintptr_t)0x5a5a5a5a5a5a5a5a) /* a masked address looks like none */
#define CONTENT ((uintptr_t)0xfeedface12345678)

/* Calls function(argument) while the register holds masked ^ mask and no other callee-saved register holds
 * anything. Returns what the register holds then, masked. The address is never written to memory here. */
#define HOLDER(name) uintptr_t name(uintptr_t masked, uintptr_t mask, void (*function)(void *), void *argument)
HOLDER(hold_in_none);
HOLDER(hold_in_rbx);
HOLDER(hold_in_rbp);
HOLDER(hold_in_r12);
HOLDER(hold_in_r13);
HOLDER(hold_in_r14);
HOLDER(hold_in_r15);

#define DEFINE_HOLDER(name, load, store)                                                                  \
  __asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name ":\n"                  \
          "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\nsub $8, %rsp\n"              \
          "mov %rsi, (%rsp)\n"                                                                            \
          "xor %ebx, %ebx\nxor %ebp, %ebp\nxor %r12d, %r12d\nxor %r13d, %r13d\nxor %r14d, %r14d\n"         \
          "xor %r15d, %r15d\n" load "mov %rcx, %rdi\nxor %esi, %esi\ncall *%rdx\n"                         \
          "mov (%rsp), %rsi\nxor %eax, %eax\n" store                                                      \
          "add $8, %rsp\npop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"               \
          ".size " #name ", .-" #name "\n")
#define DEFINE_HOLDER_IN(register)                                                                        \
  DEFINE_HOLDER(hold_in_##register, "mov %rdi, %" #register "\nxor %rsi, %" #register "\n",               \
                "mov %" #register ", %rax\nxor %rsi, %rax\n")

DEFINE_HOLDER(hold_in_none, "", "");
DEFINE_HOLDER_IN(rbx);
DEFINE_HOLDER_IN(rbp);
DEFINE_HOLDER_IN(r12);
DEFINE_HOLDER_IN(r13);
DEFINE_HOLDER_IN(r14);
DEFINE_HOLDER_IN(r15);
__asm__(".section .note.GNU-stack,\"\",@progbits\n.text\n");

static const struct holder {
  const char *name;
  uintptr_t (*hold)(uintptr_t, uintptr_t, void (*)(void *), void *);
} holders[] = {{"none", hold_in_none}, {"rbx", hold_in_rbx}, {"rbp", hold_in_rbp}, {"r12", hold_in_r12},
               {"r13", hold_in_r13},   {"r14", hold_in_r14}, {"r15", hold_in_r15}};

typedef struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind leaf;
  int pinning; /* stack=pinning */
} host;

/* With stack=pinning: what keeps the object alive. */
static uintptr_t root;

static void allocate(void *context);

/* post: the masked address of a new object, which nothing but `root` refers to. */
static __attribute__((noinline)) uintptr_t make_object(host *here) {
  if (here->pinning) allocate(here); /* garbage before it, so that it would move */
  uintptr_t *object = midden_alloc_sized(here->mutator, here->leaf, OBJECT_BYTES);
  if (object == NULL) return 0;
  for (int i = 0; i < OBJECT_BYTES / 8; i++) object[i] = CONTENT;
  if (here->pinning) root = (uintptr_t)object;
  return (uintptr_t)object ^ MASK;
}

/* Overwrites dead words below. */
static __attribute__((noinline)) void wipe(void) {
  volatile char area[64 << 10];
  for (size_t i = 0; i < sizeof area; i++) area[i] = 0;
}

static __attribute__((noinline)) void allocate(void *context) {
  host *here = context;
  for (int i = 0; i < ALLOCATIONS; i++) {
    void *garbage = midden_alloc_sized(here->mutator, here->leaf, OBJECT_BYTES);
    if (garbage != NULL) memset(garbage, 0xff, OBJECT_BYTES);
  }
}

static __attribute__((noinline)) void allocate_and_collect(void *context) {
  host *here = context;
  allocate(here);
  midden_collect(here->mutator, MIDDEN_FULL);
  allocate(here);
}

/* Whether the object at a masked address is there, with its content. */
static __attribute__((noinline)) int is_there(host *here, uintptr_t masked) {
  const uintptr_t *object = (const uintptr_t *)(masked ^ MASK);
  if (here->pinning && root != (uintptr_t)object) return 0;
  if (midden_object_at(here->heap, object) != object) return 0;
  for (int i = 0; i < OBJECT_BYTES / 8; i++)
    if (object[i] != CONTENT) return 0;
  return 1;
}

static const char *what_became(const host *here, int kept) {
  return here->pinning ? (kept ? "has stayed" : "has moved") : kept ? "was kept" : "is gone";
}

/* post: the number of failures. */
static int check_holder(host *here, const struct holder *holder, void (*function)(void *), const char *how) {
  uintptr_t masked = make_object(here);
  if (masked == 0) return 1;
  wipe();
  uintptr_t after = holder->hold(masked, MASK, function, here);
  int kept = is_there(here, masked), expected = strcmp(holder->name, "none") != 0;
  if (expected && after != masked) {
    printf("registers: %s came back changed (%s)\n", holder->name, how);
    return 1;
  }
  if (kept == expected) return 0;
  printf("registers: an object referred to from %s %s (%s, %s)\n", holder->name, what_became(here, kept), how,
         midden_heap_config(here->heap)->collector);
  return 1;
}

/* ---- the same while another stack runs ---- */

static char coroutine_memory[256 << 10] __attribute__((aligned(16)));

static struct switching {
  ucontext_t main, coroutine; /* not on any stack, so what they save is not found there */
  host *here;
  midden_stack *stack;
  const struct holder *holder;
  uintptr_t masked, after;
} switching;

static void leave_coroutine(void *context) {
  (void)context;
  midden_stack_switch(switching.here->mutator, NULL);
  swapcontext(&switching.coroutine, &switching.main);
}

static void enter_coroutine(void *context) {
  (void)context;
  midden_stack_switch(switching.here->mutator, switching.stack);
  swapcontext(&switching.main, &switching.coroutine);
}

static void holding_coroutine(void) {
  switching.after = switching.holder->hold(switching.masked, MASK, leave_coroutine, NULL);
  leave_coroutine(NULL);
}

static void collecting_coroutine(void) {
  allocate_and_collect(switching.here);
  leave_coroutine(NULL);
}

static int start_coroutine(host *here, void (*body)(void)) {
  switching.here = here;
  switching.stack = midden_stack_add(here->mutator, coroutine_memory, sizeof coroutine_memory);
  if (switching.stack == NULL || getcontext(&switching.coroutine) != 0) return 0;
  switching.coroutine.uc_stack.ss_sp = coroutine_memory;
  switching.coroutine.uc_stack.ss_size = sizeof coroutine_memory;
  makecontext(&switching.coroutine, body, 0);
  return 1;
}

/* post: whether the object was kept exactly if a register held it. */
static int judge(host *here, const char *how) {
  int kept = is_there(here, switching.masked), expected = strcmp(switching.holder->name, "none") != 0;
  if (midden_stack_remove(here->mutator, switching.stack) != MIDDEN_OK) return 0;
  if (kept == expected && (!expected || switching.after == switching.masked)) return 1;
  printf("registers: an object referred to from %s %s (%s, %s)\n", switching.holder->name, what_became(here, kept),
         how, midden_heap_config(here->heap)->collector);
  return 0;
}

/* The coroutine is left with the register; the main stack collects. */
static int check_left_coroutine(host *here, const struct holder *holder) {
  switching.holder = holder;
  switching.masked = make_object(here);
  wipe();
  if (!start_coroutine(here, holding_coroutine)) return 1;
  enter_coroutine(NULL);
  allocate_and_collect(here);
  int kept = is_there(here, switching.masked);
  enter_coroutine(NULL);
  int good = judge(here, "in a coroutine that was left");
  return !(good && kept == (strcmp(holder->name, "none") != 0));
}

/* The main stack is left with the register; a coroutine collects. */
static int check_left_main(host *here, const struct holder *holder) {
  switching.holder = holder;
  switching.masked = make_object(here);
  wipe();
  if (!start_coroutine(here, collecting_coroutine)) return 1;
  switching.after = holder->hold(switching.masked, MASK, enter_coroutine, NULL);
  return !judge(here, "on the main stack, while a coroutine runs");
}

static int check_switches(host *here) {
  int failures = 0;
  for (size_t i = 0; i < sizeof holders / sizeof holders[0]; i++) {
    failures += check_left_coroutine(here, &holders[i]);
    failures += check_left_main(here, &holders[i]);
  }
  return failures;
}

static int check_heap(const char *options, void (*function)(void *)) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  host here = {NULL, NULL, {0, 0, 0}, strstr(options, "stack=pinning") != NULL};
  int failures = 0;
  if (midden_config_parse(&config, options, &error) != MIDDEN_OK ||
      midden_heap_open(&config, &here.heap, &error) != MIDDEN_OK ||
      (here.mutator = midden_attach(here.heap, NULL, &error)) == NULL) {
    printf("registers: %s\n", error.message);
    return 1;
  }
  here.leaf = midden_kind_define(here.heap, &(midden_shape){.name = "leaf"}, NULL);
  root = 0;
  if (midden_root_add(here.heap, &root) != MIDDEN_OK) return 1;
  for (int round = 0; round < 3; round++)
    for (size_t i = 0; i < sizeof holders / sizeof holders[0]; i++)
      failures += check_holder(&here, &holders[i], function, options);
  failures += check_switches(&here);
  midden_statistics statistics;
  midden_statistics_read(here.heap, &statistics);
  if (statistics.collections < 3 * sizeof holders / sizeof holders[0]) {
    printf("registers: only %llu collections\n", (unsigned long long)statistics.collections);
    failures++;
  }
  if (midden_heap_close(here.heap) != MIDDEN_OK) failures++;
  return failures;
}

int main(void) {
  int failures = 0;
  for (size_t i = 0; midden_collector_name(i) != NULL; i++) {
    char options[128];
    if (strcmp(midden_collector_name(i), "none") == 0) continue;
    snprintf(options, sizeof options, "collector=%s,poison=yes", midden_collector_name(i));
    failures += check_heap(options, allocate_and_collect);
    snprintf(options, sizeof options, "collector=%s,poison=yes,stress=alloc:50", midden_collector_name(i));
    failures += check_heap(options, allocate);
    if (strcmp(midden_collector_name(i), "mark-sweep") == 0) continue; /* moves nothing: there is nothing to see */
    snprintf(options, sizeof options, "collector=%s,poison=yes,stack=pinning", midden_collector_name(i));
    failures += check_heap(options, allocate_and_collect);
  }
  if (failures == 0) puts("registers: every callee-saved register is found");
  return failures == 0 ? 0 : 1;
}

#endif
