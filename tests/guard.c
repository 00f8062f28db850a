/* Guard mode: a stale pointer faults at its first use, and the report says what it led to; a fault that is none of ours
 * goes where it would have gone; nothing else changes. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "children.h"
#include "harness.h"

/* What a child does. */
typedef struct errand {
  int index;
  const char *options;
  bool writes;
} errand;

/* The places that reports must name. They are not inlined, and not left before the fault. */
__attribute__((noinline)) static uintptr_t read_stale_pointer(uintptr_t *const *holder) {
  uintptr_t word = **(uintptr_t *volatile const *)holder;
  __asm__ volatile("" : : "r"(word) : "memory");
  return word;
}
__attribute__((noinline)) static void write_stale_pointer(uintptr_t **holder) {
  **(uintptr_t *volatile *)holder = 7;
  __asm__ volatile("" : : : "memory");
}
/* By these, so that no compiler looks inside. */
static uintptr_t (*volatile stale_reader)(uintptr_t *const *) = read_stale_pointer;
static void (*volatile stale_writer)(uintptr_t **) = write_stale_pointer;
__attribute__((noinline)) static pair *make_named_pair(world *here) {
  pair *made = world_pair(here);
  __asm__ volatile("" : : "r"(made) : "memory");
  return made;
}

static bool has_stacks(void) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  midden_heap *heap;
  if (midden_config_parse(&config, "stack=precise,unrooted=lost", &error) != MIDDEN_OK) return false;
  midden_status status = midden_heap_open(&config, &heap, &error);
  if (status == MIDDEN_OK) midden_heap_close(heap);
  return status == MIDDEN_OK;
}

static void expect_text(const outcome *result, const char *wanted) {
  ck_assert_msg(strstr(result->text, wanted) != NULL, "\"%s\" is not in the report:\n%s", wanted, result->text);
}

static midden_word *keep(world *here, const void *object) {
  here->slots[0] = (uintptr_t)object;
  return &here->slots[0];
}

/* A copy that the heap does not know, in memory of malloc. */
static uintptr_t **hide(const void *object) {
  uintptr_t **holder = malloc(sizeof *holder);
  *holder = (uintptr_t *)(uintptr_t)object;
  return holder;
}

static void use_after_move(void *context) {
  const errand *does = context;
  world here;
  world_open(&here, does->index, does->options);
  for (int i = 0; i < 5000; i++) make_named_pair(&here); /* so that it is in a span that comes free under compaction */
  pair *object = make_named_pair(&here);
  midden_word *slot = keep(&here, object);
  uintptr_t **holder = hide(object);
  midden_collect(here.mutator, MIDDEN_FULL);
  fprintf(stderr, "from %#zx; to %#zx; in %llu;\n", (size_t)*holder, (size_t)*slot,
          (unsigned long long)world_statistics(&here).collections);
  if (does->writes) stale_writer(holder);
  else stale_reader(holder);
}

START_TEST(a_moved_object_is_named) {
  for (int writes = 0; writes < 2; writes++) {
    outcome result;
    errand does = {_i, "guard=report", writes};
    run_child(use_after_move, &does, &result);
    ck_assert_msg(result.signal == SIGSEGV, "signal %d, status %d:\n%s", result.signal, result.status, result.text);
    char from[32], to[32], number[16], wanted[200];
    ck_assert_int_eq(sscanf(result.text, "from %31[^;]; to %31[^;]; in %15[^;];", from, to, number), 3);
    ck_assert_str_ne(from, to);
    snprintf(wanted, sizeof wanted, "a pair of 16 bytes at %s until collection %s (%s) moved it to %s, where it is now", from, number,
             combination_at(_i)->collector, to);
    expect_text(&result, wanted);
#if defined(__x86_64__)
    snprintf(wanted, sizeof wanted, "guard: a %s of %s, in a guarded page that came free by collection %s",
             writes ? "write" : "read", from, number);
    expect_text(&result, wanted);
#endif
    if (!has_stacks()) continue;
    expect_text(&result, writes ? "#0 write_stale_pointer+0x" : "#0 read_stale_pointer+0x");
    expect_text(&result, "use_after_move+0x");
    expect_text(&result, " (guard 0x");
  }
}
END_TEST

START_TEST(the_allocation_is_named) {
  if (!has_stacks()) return;
  outcome result;
  errand does = {_i, "guard=report:1", false};
  run_child(use_after_move, &does, &result);
  ck_assert_int_eq(result.signal, SIGSEGV);
  expect_text(&result, "it was allocated after collection 0 by world_pair+0x");
  expect_text(&result, " < make_named_pair+0x");
  expect_text(&result, " < use_after_move+0x");
}
END_TEST

/* Sizes above 32 KiB are objects with pages of their own. */
static void use_after_death(void *context) {
  const errand *does = context;
  world here;
  world_open(&here, does->index, does->options);
  uintptr_t **holder = hide(world_leaf(&here, does->writes ? 100000 : 48, 1));
  stack_wipe();
  midden_collect(here.mutator, MIDDEN_FULL);
  midden_collect(here.mutator, MIDDEN_FULL);
  stale_reader(holder);
}

START_TEST(a_dead_object_is_named) {
  for (int large = 0; large < 2; large++) {
    outcome result;
    errand does = {_i, "guard=report", large};
    run_child(use_after_death, &does, &result);
    ck_assert_msg(result.signal == SIGSEGV, "signal %d, status %d:\n%s", result.signal, result.status, result.text);
    expect_text(&result, large ? "a leaf of 106496 bytes at" : "a leaf of 48 bytes at");
    expect_text(&result, "until collection 1 (");
    expect_text(&result, "found it dead and freed it");
  }
}
END_TEST

static void use_block_after_free(void *context) {
  const errand *does = context;
  world here;
  world_open(&here, does->index, does->options);
  void *block = midden_block_alloc(here.mutator, 200000);
  uintptr_t **holder = hide(block);
  midden_block_free(here.mutator, block);
  stale_writer(holder);
}

START_TEST(a_block_that_was_given_back_is_named) {
  outcome result;
  errand does = {_i, "guard=report", true};
  run_child(use_block_after_free, &does, &result);
  ck_assert_int_eq(result.signal, SIGSEGV);
  expect_text(&result, "a page of blocks of 204800 bytes that were given back");
}
END_TEST

/* ---- whose signal it is ---- */

static midden_heap *heap_of_handler;

static void explaining_handler(int number, siginfo_t *info, void *context) {
  char text[600];
  (void)number, (void)context;
  size_t length = midden_explain(heap_of_handler, info->si_addr, text, sizeof text);
  if (write(STDERR_FILENO, "host: ", 6) != 6 || write(STDERR_FILENO, text, length) != (ssize_t)length) _exit(1);
  _exit(7);
}

static void own_handler(void) {
  struct sigaction action = {.sa_sigaction = explaining_handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
}

static void use_after_move_with_handler(void *context) {
  const errand *does = context;
  world here;
  own_handler();
  world_open(&here, does->index, does->options);
  heap_of_handler = here.heap;
  uintptr_t **holder = hide(world_pair(&here));
  keep(&here, *holder);
  midden_collect(here.mutator, MIDDEN_FULL);
  stale_reader(holder);
}

/* guard=fault: only the fault; the host's handler asks for the sentence. guard=report: both. */
START_TEST(the_hosts_handler_is_called) {
  outcome result;
  errand does = {_i, "guard=fault", false};
  run_child(use_after_move_with_handler, &does, &result);
  ck_assert_int_eq(result.status, 7);
  ck_assert_ptr_null(strstr(result.text, "midden: guard"));
  expect_text(&result, "host: 0x");
  expect_text(&result, "a pair of 16 bytes");
  does.options = "guard=report";
  run_child(use_after_move_with_handler, &does, &result);
  ck_assert_int_eq(result.status, 7);
  ck_assert_ptr_nonnull(strstr(result.text, "midden: guard: a "));
  ck_assert_ptr_nonnull(strstr(result.text, "\nhost: 0x"));
}
END_TEST

static uintptr_t *foreign_page(void) {
  void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(page, MAP_FAILED);
  return page;
}

static void fault_elsewhere(void *context) {
  const errand *does = context;
  world here;
  if (does->writes) own_handler();
  world_open(&here, does->index, "guard=report");
  heap_of_handler = here.heap;
  uintptr_t **holder = hide(foreign_page());
  stale_reader(holder);
}

START_TEST(other_faults_are_not_ours) {
  outcome result;
  errand does = {_i, NULL, true};
  run_child(fault_elsewhere, &does, &result);
  ck_assert_int_eq(result.status, 7);
  ck_assert_ptr_null(strstr(result.text, "midden: guard"));
  expect_text(&result, "outside the heap");
  does.writes = false;
  run_child(fault_elsewhere, &does, &result);
  ck_assert_int_eq(result.signal, SIGSEGV);
  ck_assert_str_eq(result.text, "");
}
END_TEST

/* A signal that is sent has no address and does not come again by itself. */
static void send_it(void *context) {
  const errand *does = context;
  world here;
  world_open(&here, does->index, "guard=report");
  raise(SIGSEGV);
}

START_TEST(a_signal_that_is_sent) {
  outcome result;
  errand does = {_i, NULL, false};
  run_child(send_it, &does, &result);
  ck_assert_int_eq(result.signal, SIGSEGV);
  ck_assert_str_eq(result.text, "");
}
END_TEST

static sigjmp_buf back;
static void jumping_handler(int number) { siglongjmp(back, number); }

static void recover_twice(void *context) {
  const errand *does = context;
  world here;
  struct sigaction action = {.sa_handler = jumping_handler};
  sigaction(SIGSEGV, &action, NULL);
  world_open(&here, does->index, "guard=report");
  uintptr_t **holder = hide(world_pair(&here)), **foreign = hide(foreign_page());
  keep(&here, *holder);
  midden_collect(here.mutator, MIDDEN_FULL);
  for (volatile int i = 0; i < 4; i++) {
    if (sigsetjmp(back, 1) == 0) stale_reader(i % 2 ? holder : foreign);
  }
  world_close(&here);
  struct sigaction now;
  sigaction(SIGSEGV, NULL, &now);
  if (now.sa_handler != jumping_handler) _exit(3);
  fprintf(stderr, "recovered\n");
}

/* The host's handler jumps out of the signal, again and again, and is back in place at the end. */
START_TEST(a_host_that_recovers) {
  outcome result;
  errand does = {_i, NULL, false};
  run_child(recover_twice, &does, &result);
  ck_assert_msg(result.status == 0 && result.signal == 0, "signal %d, status %d:\n%s", result.signal, result.status, result.text);
  expect_text(&result, "recovered");
  const char *first = strstr(result.text, "midden: guard: a ");
  ck_assert_ptr_nonnull(first);
  ck_assert_ptr_nonnull(strstr(first + 1, "midden: guard: a "));
}
END_TEST

static void *handler_now(void) {
  struct sigaction now;
  sigaction(SIGSEGV, NULL, &now);
  return (void *)now.sa_sigaction;
}

START_TEST(the_handler_goes_with_the_last_heap) {
  world first, second;
  void *before = handler_now();
  world_open(&first, _i, "guard=fault");
  ck_assert_ptr_eq(handler_now(), before);
  world_close(&first);
  world_open(&first, _i, "guard=report");
  void *ours = handler_now();
  ck_assert_ptr_ne(ours, before);
  world_open(&second, _i, "guard=report");
  ck_assert_ptr_eq(handler_now(), ours);
  world_close(&first);
  ck_assert_ptr_eq(handler_now(), ours);
  world_close(&second);
  ck_assert_ptr_eq(handler_now(), before);
  /* A handler that the host sets above ours stays; ours is not set above it the next time. */
  world_open(&first, _i, "guard=report");
  own_handler();
  void *hosts = handler_now();
  world_close(&first);
  ck_assert_ptr_eq(handler_now(), hosts);
  world_open(&first, _i, "guard=report");
  ck_assert_ptr_eq(handler_now(), hosts);
  world_close(&first);
  ck_assert_ptr_eq(handler_now(), hosts);
}
END_TEST

int main(void) {
  const unsigned moved = COLLECTING | MOVING | PRECISE | CALM;
  const test_entry tests[] = {
      {a_moved_object_is_named, moved | ONE_GENERATION},
      {the_allocation_is_named, moved | ONE_GENERATION},
      {a_dead_object_is_named, COLLECTING | PRECISE | CALM},
      {a_block_that_was_given_back_is_named, CALM},
      {the_hosts_handler_is_called, EVACUATING | PRECISE | CALM},
      {other_faults_are_not_ours, CALM},
      {a_signal_that_is_sent, CALM},
      {a_host_that_recovers, EVACUATING | PRECISE | CALM},
      {the_handler_goes_with_the_last_heap, CALM},
  };
  return run_combinations("guard", tests, COUNT_OF(tests));
}
