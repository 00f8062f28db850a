/* Many heaps in one process: nothing is global. Interleaved heaps with different collectors, threads with a
 * heap each, a thousand heaps opened and closed, a forked child that goes on with its parent's heap. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counting_memory.h"
#include "harness.h"
#include "model.h"

enum { HEAPS = 10, ROUNDS = 60 };

/* Opens HEAPS worlds with all combinations in turn. */
static void open_all(world *worlds, size_t count) {
  for (size_t i = 0; i < count; i++) world_open(&worlds[i], (int)(i * 7 % combination_count()), NULL);
}

START_TEST(two_heaps_interleaved) {
  /* Every pair of collectors. */
  for (size_t a = 0; midden_collector_name(a) != NULL; a++) {
    for (size_t b = 0; midden_collector_name(b) != NULL; b++) {
      midden_config first = MIDDEN_CONFIG_DEFAULT, second = MIDDEN_CONFIG_DEFAULT;
      snprintf(first.collector, sizeof first.collector, "%s", midden_collector_name(a));
      snprintf(second.collector, sizeof second.collector, "%s", midden_collector_name(b));
      second.stack = MIDDEN_STACK_PRECISE;
      world one, two;
      world_open_config(&one, 0, &first);
      world_open_config(&two, 0, &second);
      for (size_t round = 1; round < 6; round++) {
        world_list(&one, round, 100 * round);
        world_list(&two, round, 77 * round);
        midden_collect(round % 2 ? one.mutator : two.mutator, MIDDEN_FULL);
        for (size_t k = 1; k <= round; k++) {
          world_list_check(&one, k, 100 * k);
          world_list_check(&two, k, 77 * k);
        }
      }
      world_close(&one);
      world_list_check(&two, 5, 77 * 5);
      world_close(&two);
    }
  }
}
END_TEST

START_TEST(ten_heaps_interleaved) {
  world worlds[HEAPS];
  open_all(worlds, HEAPS);
  size_t lengths[HEAPS] = {0};
  uint64_t random = 21;
  for (int step = 0; step < HEAPS * ROUNDS; step++) {
    size_t chosen = test_random_below(&random, HEAPS);
    lengths[chosen] = test_random_below(&random, 150);
    world_list(&worlds[chosen], 0, lengths[chosen]);
    if (step % 5 == 0) world_collect(&worlds[test_random_below(&random, HEAPS)]);
    size_t looked_at = test_random_below(&random, HEAPS);
    world_list_check(&worlds[looked_at], 0, lengths[looked_at]);
  }
  for (size_t i = 0; i < HEAPS; i++) {
    world_list_check(&worlds[i], 0, lengths[i]);
    world_close(&worlds[i]);
    for (size_t k = i + 1; k < HEAPS; k++) world_list_check(&worlds[k], 0, lengths[k]);
  }
}
END_TEST

/* A word of one heap is nothing to another: it neither keeps an object there nor is it rewritten. */
START_TEST(heaps_do_not_know_each_other) {
  world worlds[2];
  for (int i = 0; i < 2; i++) {
    midden_config config = MIDDEN_CONFIG_DEFAULT;
    config.stack = MIDDEN_STACK_PRECISE;
    world_open_config(&worlds[i], 0, &config);
  }
  world_list(&worlds[0], 0, 50);
  pair *holder = world_pair(&worlds[1]);
  holder->car = worlds[0].slots[0];
  worlds[1].slots[0] = (uintptr_t)holder;
  worlds[1].slots[1] = worlds[0].slots[0];
  uintptr_t foreign = worlds[0].slots[0];
  ck_assert_int_eq(midden_collect(worlds[1].mutator, MIDDEN_FULL), MIDDEN_OK);
  ck_assert_uint_eq(((pair *)worlds[1].slots[0])->car, foreign);
  ck_assert_uint_eq(worlds[1].slots[1], foreign);
  ck_assert_uint_eq(world_statistics(&worlds[1]).live_objects, 1);
  ck_assert_ptr_null(midden_object_at(worlds[1].heap, (void *)foreign));
  worlds[0].slots[0] = 0;
  ck_assert_int_eq(midden_collect(worlds[0].mutator, MIDDEN_FULL), MIDDEN_OK);
  ck_assert_uint_eq(world_statistics(&worlds[0]).live_objects, 0);
  world_close(&worlds[0]);
  world_close(&worlds[1]);
}
END_TEST

/* ---- threads ---- */

typedef struct task {
  int index;
  uint64_t seed;
  model_result result;
} task;

static void *run_model(void *context) {
  task *mine = context;
  midden_config config = combination_config(mine->index);
  model_run(&config, mine->seed, config.stress == MIDDEN_STRESS_OFF ? 3000 : 400, false,
            &mine->result);
  return NULL;
}

START_TEST(threads_with_a_heap_each) {
  enum { THREADS = 8 };
  for (size_t first = 0; first < combination_count(); first += THREADS) {
    static task tasks[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
      tasks[i].index = (int)((first + i) % combination_count());
      tasks[i].seed = first + i;
      ck_assert_int_eq(pthread_create(&threads[i], NULL, run_model, &tasks[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
      ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
      ck_assert_msg(!tasks[i].result.failed, "%s, seed %llu: %s", combination_at(tasks[i].index)->name,
                    (unsigned long long)tasks[i].seed, tasks[i].result.message);
    }
  }
}
END_TEST

/* ---- opening and closing ---- */

static size_t mappings(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) return 0;
  size_t lines = 0;
  for (int c = fgetc(maps); c != EOF; c = fgetc(maps)) lines += c == '\n';
  fclose(maps);
  return lines;
}

static void open_use_close(size_t number) {
  world here;
  world_open(&here, (int)(number % combination_count()), NULL);
  world_list(&here, 0, 20);
  world_collect(&here);
  world_list_check(&here, 0, 20);
  world_close(&here);
}

START_TEST(a_thousand_heaps_in_turn) {
  for (size_t i = 0; i < 40; i++) open_use_close(i);
  size_t before = mappings();
  for (size_t i = 0; i < 1000; i++) open_use_close(i);
  ck_assert_uint_le(mappings(), before + 8); /* of the C library's own */
}
END_TEST

START_TEST(a_hundred_heaps_at_once) {
  static world worlds[100];
  open_all(worlds, COUNT_OF(worlds));
  for (size_t i = 0; i < COUNT_OF(worlds); i++) world_list(&worlds[i], 0, i);
  for (size_t i = 0; i < COUNT_OF(worlds); i++) world_list_check(&worlds[i], 0, i);
  for (size_t i = 0; i < COUNT_OF(worlds); i++) world_close(&worlds[i * 37 % COUNT_OF(worlds)]);
}
END_TEST

/* What is reserved is released, also by a heap that was busy. */
START_TEST(closing_gives_everything_back) {
  for (int i = 0; i < (int)combination_count(); i++) {
    static counting_memory memory;
    counting_memory_open(&memory);
    midden_config config = combination_config(i);
    config.memory = &memory.face;
    config.heap_limit = (size_t)32 << 20;
    world here;
    world_open_config(&here, i, &config);
    world_list(&here, 0, 3000);
    world_leaf(&here, 1 << 20, 1);
    world_churn(&here, 500);
    midden_scope_open(here.mutator);
    for (size_t k = 0; k < 2000; k++) ck_assert_ptr_nonnull(midden_handle_new(here.mutator, NULL));
    ck_assert_uint_gt(memory.reserved_bytes, 32 << 20);
    world_close(&here);
    ck_assert_uint_eq(memory.reservations, 0);
    ck_assert_uint_eq(memory.reserved_bytes, 0);
    ck_assert_uint_eq(memory.violations, 0);
  }
}
END_TEST

/* A host's own memory is what statistics report. */
START_TEST(committed_bytes_come_from_the_hosts_memory) {
  static counting_memory memory;
  counting_memory_open(&memory);
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  config.memory = &memory.face;
  world here;
  world_open_config(&here, 0, &config);
  world_list(&here, 0, 100000);
  ck_assert_uint_le(world_statistics(&here).reserved_bytes, memory.reserved_bytes);
  ck_assert_uint_le(world_statistics(&here).committed_bytes, memory.reserved_bytes);
  uint64_t decommits = memory.decommits;
  here.slots[0] = 0;
  stack_wipe();
  midden_collect(here.mutator, MIDDEN_FULL);
  ck_assert_uint_gt(midden_trim(here.heap), 1 << 20);
  ck_assert_uint_gt(memory.decommits, decommits);
  world_close(&here);
}
END_TEST

/* ---- fork ---- */

static void use_after_fork(world *here) {
  world_list_check(here, 0, 500);
  world_churn(here, 300);
  world_collect(here);
  world_list(here, 1, 700);
  world_collect(here);
  world_list_check(here, 0, 500);
  world_list_check(here, 1, 700);
  world_verify(here);
}

START_TEST(fork_leaves_both_with_a_heap) {
  for (int i = 0; i < (int)combination_count(); i++) {
    world here;
    world_open(&here, i, NULL);
    world_list(&here, 0, 500);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
      use_after_fork(&here);
      world_close(&here);
      _exit(EXIT_SUCCESS);
    }
    use_after_fork(&here);
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS, "%s: the child failed",
                  here.combination->name);
    world_close(&here);
  }
}
END_TEST

int main(void) {
  const TTest *const tests[] = {two_heaps_interleaved,
                                ten_heaps_interleaved,
                                heaps_do_not_know_each_other,
                                threads_with_a_heap_each,
                                a_thousand_heaps_in_turn,
                                a_hundred_heaps_at_once,
                                closing_gives_everything_back,
                                committed_bytes_come_from_the_hosts_memory,
                                fork_leaves_both_with_a_heap};
  return run_once("heaps", tests, COUNT_OF(tests));
}
