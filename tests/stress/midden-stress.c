/* midden-stress: runs the model (a random object graph with a shadow outside the heap) against the
 * collectors of the installed library, and prints one line for each combination. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

enum { OPERATIONS_PER_ROUND = 2000, COLLECTORS_MAXIMUM = 32, EXIT_DISAGREED = 1, EXIT_USAGE = 2 };

typedef struct arguments {
  const char *collector; /* "all" or a name */
  const char *stack;     /* "all" or one of stack_modes */
  const char *options;   /* applied to each heap, last */
  double seconds;        /* for all combinations together */
  uint64_t seed;
  uint64_t operations;   /* in a round */
  bool one_round;        /* --seconds=0: one round of each */
  bool switching;        /* the collector changes under way */
} arguments;

static const char *const stack_modes[] = {"conservative", "precise", "pinning"};
enum { STACK_MODES = sizeof stack_modes / sizeof stack_modes[0] };

static const char usage[] =
    "Usage: midden-stress [OPTION]...\n"
    "Builds random object graphs in a heap, collects at random, and compares each graph with a copy\n"
    "that is kept outside the heap. Prints one line for each combination of collector, stack mode,\n"
    "stress and generations: the seed of its first round, then what it did. Each round opens a new heap\n"
    "and uses the next seed.\n"
    "\n"
    "  --collector=all|NAME      which collectors (default all)\n"
    "  --stack=conservative|precise|pinning|all\n"
    "                            which stack modes (default all)\n"
    "  --seconds=N               time for all combinations together (default 10); 0: one round of each\n"
    "  --operations=N            operations in each round (default 2000)\n"
    "  --seed=N                  seed of the first round (default: from the clock)\n"
    "  --switch=yes|no           change the collector of the heap at random, between operations and to any\n"
    "                            that the heap's options allow; the line's is the first (default no)\n"
    "  --options=OPTIONS         heap options, as name=value,..., after verify=both,poison=yes; with a\n"
    "                            stress= or generational= among them only that is run, else stress\n"
    "                            off, alloc:7 and random, without and with generations\n"
    "  --help                    this text and the heap options\n"
    "\n"
    "Exit status: 0 if every graph agreed with its copy, 1 if one did not, 2 for bad arguments.\n";

static int complain(const char *format, const char *text, const char *accepted) {
  fputs("midden-stress: ", stderr);
  fprintf(stderr, format, text);
  fprintf(stderr, "; %s\n", accepted);
  return EXIT_USAGE;
}

static void print_help(void) {
  fputs(usage, stdout);
  size_t length = midden_config_help(NULL, 0);
  char *text = malloc(length + 1);
  if (text == NULL) return;
  midden_config_help(text, length + 1);
  printf("\nHeap options:\n%s%s", text, length > 0 && text[length - 1] == '\n' ? "" : "\n");
  free(text);
}

static bool parse_number(const char *text, uint64_t *number) {
  char *end;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  unsigned long long value = strtoull(text, &end, 0);
  if (*end != '\0' || errno != 0) return false;
  *number = value;
  return true;
}

static bool known_collector(const char *name) {
  for (size_t i = 0; midden_collector_name(i) != NULL; i++)
    if (strcmp(midden_collector_name(i), name) == 0) return true;
  return strcmp(name, "all") == 0;
}

static bool known_stack_mode(const char *name) {
  for (size_t i = 0; i < STACK_MODES; i++)
    if (strcmp(stack_modes[i], name) == 0) return true;
  return strcmp(name, "all") == 0;
}

static void list_collectors(char *text, size_t capacity) {
  size_t length = (size_t)snprintf(text, capacity, "accepted are all");
  for (size_t i = 0; midden_collector_name(i) != NULL && length < capacity; i++)
    length += (size_t)snprintf(text + length, capacity - length, ", %s", midden_collector_name(i));
}

/* If argument is "--name=value", returns the value. */
static const char *value_of(const char *argument, const char *name) {
  size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

/* post: 0; or the exit status after a complaint, or -1 after the help. */
static int parse_argument(arguments *chosen, const char *argument) {
  const char *value;
  char accepted[400];
  uint64_t number;
  if (strcmp(argument, "--help") == 0) {
    print_help();
    return -1;
  }
  if ((value = value_of(argument, "--collector")) != NULL) {
    list_collectors(accepted, sizeof accepted);
    if (!known_collector(value)) return complain("--collector: no collector is called \"%s\"", value, accepted);
    chosen->collector = value;
  } else if ((value = value_of(argument, "--stack")) != NULL) {
    if (!known_stack_mode(value))
      return complain("--stack: \"%s\" is no stack mode", value, "accepted are all, conservative, precise, pinning");
    chosen->stack = value;
  } else if ((value = value_of(argument, "--seconds")) != NULL) {
    if (!parse_number(value, &number) || number > 1000000)
      return complain("--seconds: \"%s\" is no number of seconds", value, "accepted are 0 to 1000000");
    chosen->seconds = (double)number;
    chosen->one_round = number == 0;
  } else if ((value = value_of(argument, "--operations")) != NULL) {
    if (!parse_number(value, &chosen->operations) || chosen->operations == 0)
      return complain("--operations: \"%s\" is no number of operations", value, "accepted is 1 and more");
  } else if ((value = value_of(argument, "--seed")) != NULL) {
    if (!parse_number(value, &chosen->seed))
      return complain("--seed: \"%s\" is no seed", value, "accepted are numbers of 64 bits");
  } else if ((value = value_of(argument, "--switch")) != NULL) {
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
      return complain("--switch: \"%s\" is neither", value, "accepted are yes, no");
    chosen->switching = strcmp(value, "yes") == 0;
  } else if ((value = value_of(argument, "--options")) != NULL) {
    midden_config config = MIDDEN_CONFIG_DEFAULT;
    midden_error error = {MIDDEN_OK, ""};
    if (midden_config_parse(&config, value, &error) != MIDDEN_OK)
      return complain("--options: %s", error.message, "see --help");
    chosen->options = value;
  } else {
    return complain("unknown argument \"%s\"", argument, "see --help");
  }
  return 0;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* What the rounds of one combination did together. */
typedef struct totals {
  uint64_t rounds, operations, collections, moved, verifications, comparisons;
} totals;

static void add(totals *sum, const model_result *result) {
  sum->rounds++;
  sum->operations += result->operations;
  sum->collections += result->heap.collections;
  sum->moved += result->heap.objects_moved;
  sum->verifications += result->heap.verifications;
  sum->comparisons += result->comparisons;
}

/* One of the combinations. An empty text: as --options says. */
typedef struct combination {
  const char *collector, *stack, *stress, *generational;
} combination;

static const char *or_by_options(const char *text) { return *text ? text : "by --options"; }

static void print_heading(void) {
  printf("%-13s %-12s %-14s %-12s %12s %7s %11s %11s %11s %13s %11s\n", "collector", "stack", "stress", "generational",
         "seed", "rounds", "operations", "collections", "moved", "verifications", "comparisons");
}

static void print_name(const combination *one) {
  printf("%-13s %-12s %-14s %-12s ", one->collector, one->stack, or_by_options(one->stress),
         or_by_options(one->generational));
}

static void print_line(const combination *one, uint64_t seed, const totals *sum) {
  print_name(one);
  printf("%12llu %7llu %11llu %11llu %11llu %13llu %11llu\n", (unsigned long long)seed, (unsigned long long)sum->rounds,
         (unsigned long long)sum->operations, (unsigned long long)sum->collections, (unsigned long long)sum->moved,
         (unsigned long long)sum->verifications, (unsigned long long)sum->comparisons);
  fflush(stdout);
}

/* The options of one combination as one string, in the order in which they apply. */
static void join_options(const arguments *chosen, const char *checks, const combination *one, char *text,
                         size_t capacity) {
  snprintf(text, capacity, "%s%s%s%s%s%s%s%s%scollector=%s,stack=%s", checks, *one->stress ? "stress=" : "", one->stress,
           *one->stress ? "," : "", *one->generational ? "generational=" : "", one->generational,
           *one->generational ? "," : "", chosen->options, *chosen->options ? "," : "", one->collector, one->stack);
}

/* Whether a heap opens with these options. */
static midden_status try_options(const char *options, midden_config *config, midden_error *error) {
  midden_heap *heap = NULL;
  *config = (midden_config)MIDDEN_CONFIG_DEFAULT;
  midden_status status = midden_config_parse(config, options, error);
  if (status == MIDDEN_OK) status = midden_heap_open(config, &heap, error);
  if (status == MIDDEN_OK) midden_heap_close(heap);
  return status;
}

/* The configuration of one combination, if the library accepts it. post: its options as a string. */
static midden_status configure(const arguments *chosen, const combination *one, midden_config *config, char *options,
                               size_t capacity, midden_error *error) {
  /* A collector that never collects refuses checks around collections. */
  static const char *const checks[] = {"verify=both,poison=yes,", "poison=yes,"};
  midden_status status = MIDDEN_CONFLICT;
  for (size_t i = 0; i < 2 && status == MIDDEN_CONFLICT; i++) {
    join_options(chosen, checks[i], one, options, capacity);
    status = try_options(options, config, error);
  }
  return status;
}

/* post: whether all rounds agreed. */
static bool run_combination(const arguments *chosen, const combination *one, double seconds) {
  char options[1024];
  midden_config config;
  midden_error error = {MIDDEN_OK, ""};
  totals sum = {0, 0, 0, 0, 0, 0};
  if (configure(chosen, one, &config, options, sizeof options, &error) != MIDDEN_OK) {
    print_name(one);
    puts(error.message);
    return false;
  }
  double end = now() + seconds;
  uint64_t seed = chosen->seed;
  model_result result;
  do {
    model_run(&config, seed++, chosen->operations, chosen->switching, &result);
    add(&sum, &result);
  } while (!result.failed && !chosen->one_round && now() < end);
  print_line(one, chosen->seed, &sum);
  if (!result.failed) return true;
  printf("DISAGREED after %llu operations: %s\n", (unsigned long long)result.operations, result.message);
  printf("replay: midden-stress --collector=%s --stack=%s --seconds=0 --operations=%llu --seed=%llu%s --options=%s\n",
         one->collector, one->stack, (unsigned long long)chosen->operations, (unsigned long long)(seed - 1),
         chosen->switching ? " --switch=yes" : "", options);
  return false;
}

/* Whether an option string sets an option. */
static bool sets(const char *options, const char *name) {
  size_t length = strlen(name);
  for (const char *at = options; at != NULL; at = strchr(at, ',')) {
    at += *at == ',';
    if (strncmp(at, name, length) == 0 && at[length] == '=') return true;
  }
  return false;
}

static bool chosen_among(const char *choice, const char *name) {
  return strcmp(choice, "all") == 0 || strcmp(choice, name) == 0;
}

/* Adds a combination, unless the library refuses it as one that cannot work. */
static void add_combination(const arguments *chosen, combination one, combination *table, size_t *count,
                            midden_error *error) {
  char options[1024];
  midden_config config;
  if (configure(chosen, &one, &config, options, sizeof options, error) != MIDDEN_CONFLICT) table[(*count)++] = one;
}

/* Fills a table with the combinations to run. post: how many; if none, *error says why. */
static size_t list_combinations(const arguments *chosen, const char *random_stress, combination *table,
                                size_t capacity, midden_error *error) {
  const char *stresses[] = {"off", "alloc:7", random_stress}, *generations[] = {"no", "yes"};
  size_t stress_count = 3, generation_count = 2, count = 0;
  if (sets(chosen->options, "stress")) stress_count = 1, stresses[0] = "";
  if (sets(chosen->options, "generational")) generation_count = 1, generations[0] = "";
  for (size_t c = 0; midden_collector_name(c) != NULL; c++) {
    if (!chosen_among(chosen->collector, midden_collector_name(c))) continue;
    for (size_t s = 0; s < STACK_MODES; s++) {
      if (!chosen_among(chosen->stack, stack_modes[s])) continue;
      for (size_t k = 0; k < stress_count; k++)
        for (size_t g = 0; g < generation_count && count < capacity; g++)
          add_combination(chosen, (combination){midden_collector_name(c), stack_modes[s], stresses[k], generations[g]}, table,
                          &count, error);
    }
  }
  return count;
}

/* Runs all combinations. post: the exit status. */
static int run_all(const arguments *chosen) {
  static combination table[COLLECTORS_MAXIMUM * STACK_MODES * 6];
  char random_stress[40];
  midden_error error = {MIDDEN_OK, ""};
  bool agreed = true;
  snprintf(random_stress, sizeof random_stress, "random:%u", (unsigned)(chosen->seed % 1000000));
  size_t count = list_combinations(chosen, random_stress, table, sizeof table / sizeof table[0], &error);
  if (count == 0) return complain("%s", error.message, "so there is nothing to run");
  print_heading();
  for (size_t i = 0; i < count; i++)
    if (!run_combination(chosen, &table[i], chosen->seconds / (double)count)) agreed = false;
  puts(agreed ? "every graph agreed with its copy" : "a graph DISAGREED with its copy");
  return agreed ? EXIT_SUCCESS : EXIT_DISAGREED;
}

int main(int argument_count, char **argument_values) {
  arguments chosen = {"all", "all", "", 10, (uint64_t)time(NULL), OPERATIONS_PER_ROUND, false, false};
  for (int i = 1; i < argument_count; i++) {
    int status = parse_argument(&chosen, argument_values[i]);
    if (status != 0) return status < 0 ? EXIT_SUCCESS : status;
  }
  return run_all(&chosen);
}
