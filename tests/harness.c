/* Combinations, and the body of main: see harness.h. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLLECTORS_MAXIMUM = 16, COMBINATIONS_MAXIMUM = COLLECTORS_MAXIMUM * 3 * 4 * 2, TEST_TIMEOUT_SECONDS = 600 };

/* The known collectors. A new one needs no entry: see harness.h for what it is held to then. */
static const struct known_collector {
  const char *name;
  bool collects;
  moving moves;
} known_collectors[] = {
    {"none", false, MOVES_NEVER},
    {"mark-sweep", true, MOVES_NEVER},
    {"mark-compact", true, MOVES_SOMETIMES},
    {"copying", true, MOVES_ALWAYS},
};

static const struct stress_choice {
  const char *name;
  midden_stress stress;
  uint64_t value;
} stress_choices[] = {
    {"calm", MIDDEN_STRESS_OFF, 0},
    {"alloc:1", MIDDEN_STRESS_ALLOC, 1},
    {"alloc:7", MIDDEN_STRESS_ALLOC, 7},
    {"random", MIDDEN_STRESS_RANDOM, 20240229},
};

static const char *const stack_names[] = {
    [MIDDEN_STACK_CONSERVATIVE] = "conservative", [MIDDEN_STACK_PRECISE] = "precise", [MIDDEN_STACK_PINNING] = "pinning"};

static combination combinations[COMBINATIONS_MAXIMUM];
static size_t combinations_made;

static const struct known_collector *known(const char *name) {
  static const struct known_collector unknown = {"?", true, MOVES_SOMETIMES};
  for (size_t i = 0; i < COUNT_OF(known_collectors); i++)
    if (strcmp(known_collectors[i].name, name) == 0) return &known_collectors[i];
  return &unknown;
}

bool collector_collects(const char *name) { return known(name)->collects; }
moving collector_moves(const char *name) { return known(name)->moves; }

static void make_combination(const char *collector, midden_stack_mode stack, const struct stress_choice *stress,
                             bool generational) {
  combination *made = &combinations[combinations_made++];
  made->collector = collector;
  made->stack = stack;
  made->stress = stress->stress;
  made->stress_value = stress->value;
  made->generational = generational;
  made->collects = collector_collects(collector);
  made->moves = collector_moves(collector);
  snprintf(made->name, sizeof made->name, "%s/%s/%s%s", collector, stack_names[stack], stress->name,
           generational ? "/generational" : "");
}

/* Those of one collector with some of the stack modes. */
static void make_combinations(const char *collector, const midden_stack_mode *stacks, size_t stack_count) {
  for (int generational = 0; generational < 2; generational++) {
    for (size_t s = 0; s < COUNT_OF(stress_choices); s++) {
      /* Stress and generations are collecting: a collector that cannot refuses them (see misuse.c). */
      bool collecting = generational || stress_choices[s].stress != MIDDEN_STRESS_OFF;
      if (collecting && !collector_collects(collector)) continue;
      for (size_t i = 0; i < stack_count; i++) make_combination(collector, stacks[i], &stress_choices[s], generational);
    }
  }
}

size_t combination_count(void) {
  static const midden_stack_mode everywhere[] = {MIDDEN_STACK_CONSERVATIVE, MIDDEN_STACK_PRECISE},
                                 asked_for[] = {MIDDEN_STACK_PINNING};
  if (combinations_made != 0) return combinations_made;
  size_t count = 0;
  while (count < COLLECTORS_MAXIMUM && midden_collector_name(count) != NULL) count++;
  for (size_t c = 0; c < count; c++) make_combinations(midden_collector_name(c), everywhere, COUNT_OF(everywhere));
  for (size_t c = 0; c < count; c++) make_combinations(midden_collector_name(c), asked_for, COUNT_OF(asked_for));
  if (combinations_made == 0) {
    fputs("this build has no collector\n", stderr);
    exit(EXIT_FAILURE);
  }
  return combinations_made;
}

const combination *combination_at(int index) {
  if ((size_t)index >= combination_count()) abort();
  return &combinations[index];
}

static bool meets(const combination *where, unsigned requirements) {
  if ((requirements & COLLECTING) && !where->collects) return false;
  if ((requirements & NEVER_COLLECTING) && where->collects) return false;
  if ((requirements & MOVING) && where->moves == MOVES_NEVER) return false;
  if ((requirements & EVACUATING) && where->moves != MOVES_ALWAYS) return false;
  if ((where->stack == MIDDEN_STACK_PINNING) != ((requirements & PINNING) != 0)) return false;
  if ((requirements & CONSERVATIVE) && where->stack != MIDDEN_STACK_CONSERVATIVE) return false;
  if ((requirements & PRECISE) && where->stack != MIDDEN_STACK_PRECISE) return false;
  if ((requirements & CALM) && where->stress != MIDDEN_STRESS_OFF) return false;
  if ((requirements & MILD) && where->stress == MIDDEN_STRESS_ALLOC && where->stress_value == 1) return false;
  if ((requirements & STRESSED) && where->stress == MIDDEN_STRESS_OFF) return false;
  if ((requirements & GENERATIONAL) && !where->generational) return false;
  if ((requirements & ONE_GENERATION) && where->generational) return false;
  return true;
}

static int run_suite(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int ran = srunner_ntests_run(runner);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  if (ran == 0) fputs("no test ran\n", stderr);
  return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int run_combinations(const char *suite_name, const test_entry *tests, size_t count) {
  Suite *suite = suite_create(suite_name);
  for (int i = 0; i < (int)combination_count(); i++) {
    const combination *where = combination_at(i);
    TCase *test_case = tcase_create(where->name);
    tcase_set_timeout(test_case, TEST_TIMEOUT_SECONDS);
    for (size_t t = 0; t < count; t++)
      if (meets(where, tests[t].requirements)) tcase_add_loop_test(test_case, tests[t].test, i, i + 1);
    suite_add_tcase(suite, test_case);
  }
  return run_suite(suite);
}

int run_once(const char *suite_name, const TTest *const *tests, size_t count) {
  Suite *suite = suite_create(suite_name);
  TCase *test_case = tcase_create(suite_name);
  tcase_set_timeout(test_case, TEST_TIMEOUT_SECONDS);
  for (size_t t = 0; t < count; t++) tcase_add_test(test_case, tests[t]);
  suite_add_tcase(suite, test_case);
  return run_suite(suite);
}

bool long_tests(void) {
  const char *text = getenv("MIDDEN_TEST_LONG");
  return text != NULL && strcmp(text, "1") == 0;
}

uint64_t test_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}
