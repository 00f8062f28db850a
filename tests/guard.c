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
#include "counting_memory.h"
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

/* ---- the quarantine ---- */

/* Many times the heap's address range is allocated: pages are used again, and nothing fails or is lost. */
START_TEST(it_gives_way) {
  world here;
  world_open(&here, _i, "guard=report,heap-limit=1M,heap-initial=64K,verify=off");
  world_list(&here, 0, 500);
  size_t guarded = 0;
  for (size_t round = 0; round < 60; round++) {
    for (size_t i = 0; i < 40; i++) {
      size_t size = round % 3 == 0 ? 40000 : 1000;
      EXPECT(midden_alloc_sized(here.mutator, here.leaf, size) != NULL, "refused in round %zu", round);
      for (size_t k = 0; k < 40 && size == 1000; k++) {
        EXPECT(midden_alloc_sized(here.mutator, here.leaf, size) != NULL, "refused in round %zu", round);
      }
    }
    guarded |= world_statistics(&here).guarded_bytes;
  }
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_gt(guarded, 0);
  ck_assert_uint_gt(statistics.guard_reused_bytes, 0);
  ck_assert_uint_le(statistics.span_bytes + statistics.free_bytes, statistics.limit_bytes + statistics.limit_bytes / 16);
  world_list_check(&here, 0, 500);
  world_verify(&here);
  world_close(&here);
}
END_TEST

/* Under copying nothing that may move stays: what a full collection leaves behind is guarded, all of it. */
START_TEST(all_is_evacuated) {
  world here;
  world_open(&here, _i, "guard=fault");
  world_list(&here, 0, 3000);
  midden_statistics before = world_statistics(&here);
  midden_collect(here.mutator, MIDDEN_FULL);
  midden_statistics after = world_statistics(&here);
  ck_assert_uint_eq(after.objects_moved - before.objects_moved, after.live_objects);
  ck_assert_uint_ge(after.guarded_bytes, before.span_bytes);
  world_list_check(&here, 0, 3000);
  world_close(&here);
}
END_TEST

START_TEST(combinations_that_cannot_be) {
  midden_config config = combination_config(_i);
  counting_memory memory;
  midden_error error = {MIDDEN_OK, ""};
  midden_heap *heap;
  config.guard_sites = 3;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_CONFLICT);
  ck_assert_ptr_nonnull(strstr(error.message, "guard_sites"));
  config.guard_sites = 0;
  config.guard = (midden_guard)9;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_BAD_ARGUMENT);
  config.guard = MIDDEN_GUARD_OFF;
  config.unrooted = MIDDEN_UNROOTED_LOST;
  bool possible = config.stack == MIDDEN_STACK_PRECISE && combination_at(_i)->collects;
  midden_status expected = !possible ? MIDDEN_CONFLICT : has_stacks() ? MIDDEN_OK : MIDDEN_UNSUPPORTED;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), expected);
  if (expected == MIDDEN_OK) midden_heap_close(heap);
  else ck_assert_msg(strstr(error.message, "unrooted=off") != NULL, "%s", error.message);
  config.unrooted = MIDDEN_UNROOTED_OFF;
  counting_memory_open(&memory);
  config.guard = MIDDEN_GUARD_FAULT;
  config.memory = &memory.face;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_CONFLICT);
  ck_assert_ptr_nonnull(strstr(error.message, "guard=off"));
  ck_assert_uint_eq(memory.reserved_bytes, 0);
}
END_TEST

/* ---- midden_explain ---- */

static void expect_explained(const world *here, uintptr_t address, const char *wanted) {
  char text[800];
  size_t length = midden_explain(here->heap, (void *)address, text, sizeof text);
  ck_assert_uint_eq(length, strlen(text));
  ck_assert_msg(strstr(text, wanted) != NULL, "\"%s\" is not in \"%s\"", wanted, text);
}

START_TEST(every_address_has_a_sentence) {
  world here;
  world_open(&here, _i, _i % 2 ? "guard=fault" : NULL);
  uintptr_t object = here.slots[0] = (uintptr_t)world_leaf(&here, 100, 1);
  char wanted[100];
  snprintf(wanted, sizeof wanted, "%#zx, a leaf of 104 bytes", (size_t)object);
  expect_explained(&here, object, wanted);
  snprintf(wanted, sizeof wanted, "%#zx, 9 bytes into the leaf of 104 bytes at %#zx", (size_t)object + 9, (size_t)object);
  expect_explained(&here, object + 9, wanted);
  expect_explained(&here, object + 104 * 3, "a free cell of 104 bytes for the kind leaf");
  expect_explained(&here, (object & ~(uintptr_t)8191) + 8000000, "a page that was never used");
  expect_explained(&here, 4096, "outside the heap (");
  expect_explained(&here, (uintptr_t)&here, "outside the heap (");
  void *block = midden_block_alloc(here.mutator, 64);
  expect_explained(&here, (uintptr_t)block + 5, "in the block of 64 bytes at");
  midden_block_free(here.mutator, block);
  midden_pool *pool;
  midden_lease lease;
  midden_pool_options options = {.name = "packets", .total_bytes = 65536};
  ck_assert_int_eq(midden_pool_open(here.mutator, &options, &pool, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(pool, 100, MIDDEN_AT_ONCE, "test", &lease), MIDDEN_OK);
  expect_explained(&here, (uintptr_t)lease.address, "of the pool packets");
  midden_pool_release(pool, &lease);
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_OK);
  char text[8] = "unused";
  ck_assert_uint_eq(midden_explain(NULL, NULL, text, sizeof text), 0);
  ck_assert_str_eq(text, "unused");
  ck_assert_uint_gt(midden_explain(here.heap, text, text, sizeof text), sizeof text);
  ck_assert_uint_eq(strlen(text), 7);
  ck_assert_uint_gt(midden_explain(here.heap, text, NULL, 0), 20);
  world_close(&here);
}
END_TEST

/* Every address that some objects ever had leads to where they are now, or to their death. */
START_TEST(histories_are_followed) {
  enum { OBJECTS = 60, ROUNDS = 8 };
  world here;
  world_open(&here, _i, "guard=report");
  uintptr_t places[ROUNDS][OBJECTS];
  uint64_t first = world_statistics(&here).collections;
  for (size_t i = 0; i < OBJECTS; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 8 + 16 * (i % 5), i);
  for (size_t round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < OBJECTS; i++) places[round][i] = here.slots[i];
    midden_collect(here.mutator, MIDDEN_FULL);
  }
  for (size_t i = 0; i < OBJECTS; i += 2) here.slots[i] = 0;
  midden_collect(here.mutator, MIDDEN_FULL);
  for (size_t round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < OBJECTS; i++) {
      char wanted[100];
      uint64_t last = world_statistics(&here).collections;
      size_t moves = ROUNDS - round + (i % 2);
      ck_assert_uint_eq(last, first + ROUNDS + 1);
      snprintf(wanted, sizeof wanted, "it is at %#zx now, after %zu moves", (size_t)here.slots[i], moves);
      if (i % 2 == 0) snprintf(wanted, sizeof wanted, "collection %llu (copying) found it dead", (unsigned long long)last);
      expect_explained(&here, places[round][i], wanted);
    }
  }
  world_close(&here);
}
END_TEST

/* The oldest records go first, and it says so. */
START_TEST(what_is_forgotten) {
  world here;
  world_open(&here, _i, "guard=report,heap-limit=64M,verify=off");
  uintptr_t old = here.slots[0] = (uintptr_t)world_leaf(&here, 64, 1);
  midden_collect(here.mutator, MIDDEN_FULL);
  world_list(&here, 1, 40000);
  expect_explained(&here, old, "a leaf of 64 bytes");
  for (int i = 0; i < 10; i++) midden_collect(here.mutator, MIDDEN_FULL);
  expect_explained(&here, old, "is forgotten");
  world_close(&here);
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
      {it_gives_way, COLLECTING | CALM},
      {all_is_evacuated, EVACUATING | PRECISE | CALM},
      {combinations_that_cannot_be, CALM},
      {every_address_has_a_sentence, CALM},
      {histories_are_followed, EVACUATING | PRECISE | CALM},
      {what_is_forgotten, EVACUATING | PRECISE | CALM},
  };
  return run_combinations("guard", tests, COUNT_OF(tests));
}
