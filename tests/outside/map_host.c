/* A heap with known content, for map_check.py: writes maps of it, and prints what they must show.
 *
 * usage: map_host OPTIONS DIRECTORY */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "midden/midden.h"

static midden_heap *heap;
static midden_mutator *mutator;
static midden_kind pair_kind, text_kind, odd_kind, code_kind;
static void *kept[3000];

static void require(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "map_host: %s\n", what);
  exit(1);
}

static void print_kind(const char *when, midden_kind kind) {
  midden_usage usage;
  require(midden_usage_of_kind(heap, kind.id, &usage) == MIDDEN_OK, "no usage");
  printf("%s %u %zu %zu %zu\n", when, kind.id, usage.objects, usage.bytes, usage.span_bytes / 8192);
}

static void print_expected(const char *when) {
  print_kind(when, pair_kind);
  print_kind(when, text_kind);
  print_kind(when, odd_kind);
  print_kind(when, code_kind);
  midden_statistics figures;
  midden_statistics_read(heap, &figures);
  printf("%s blocks %zu %zu %zu\n", when, figures.blocks, figures.block_bytes, figures.block_span_bytes / 8192);
  printf("%s pages %zu %zu %zu\n", when, figures.span_bytes / 8192, figures.free_bytes / 8192, figures.host_pins);
}

static void define_kinds(void) {
  pair_kind = midden_kind_define(heap, &(midden_shape){.name = "pair", .size = 16, .refs = MIDDEN_REFS_ALL}, NULL);
  text_kind = midden_kind_define(heap, &(midden_shape){.name = "text"}, NULL);
  odd_kind = midden_kind_define(heap, &(midden_shape){.name = "<odd> & \"x\" \xff\xc3\xa9 ]]>", .size = 48}, NULL);
  code_kind = midden_kind_define(heap, &(midden_shape){.name = "code", .size = 128, .flags = MIDDEN_KIND_PINNED}, NULL);
  require(code_kind.id != 0 && odd_kind.id != 0, "no kinds");
}

static void fill_heap(void) {
  for (size_t i = 0; i < 3000; i++) {
    kept[i] = i % 3 == 0   ? midden_alloc(mutator, pair_kind)
              : i % 3 == 1 ? midden_alloc_sized(mutator, text_kind, 100 + i % 200)
                           : midden_alloc(mutator, odd_kind);
    require(kept[i] != NULL, "no memory");
  }
  kept[0] = midden_alloc_sized(mutator, text_kind, 100000); /* 13 pages */
  kept[2] = midden_alloc(mutator, code_kind);
  require(midden_pin(mutator, kept[1]) == MIDDEN_OK, "not pinned");
  for (size_t i = 0; i < 100; i++) memset(midden_block_alloc(mutator, 200), 1, 200);
}

static void check_errors(midden_map *map) {
  midden_error error = {MIDDEN_OK, ""};
  require(midden_map_save(&map, 1, "/dev/full", &error) == MIDDEN_IO_ERROR && strstr(error.message, "No space"), "full disk");
  require(midden_map_save(&map, 1, "/no/such/directory/map.html", &error) == MIDDEN_IO_ERROR, "no directory");
  require(strstr(error.message, "/no/such/directory/map.html") && strstr(error.message, "No such file"), error.message);
  require(midden_map_save(&map, 1, NULL, &error) == MIDDEN_BAD_ARGUMENT, "no path");
  require(midden_map_write(&map, 1, NULL, NULL) == MIDDEN_BAD_ARGUMENT, "no writer");
  require(midden_map_save(&map, 0, "never-made.html", NULL) == MIDDEN_BAD_ARGUMENT, "no maps");
  require(midden_map_save(NULL, 1, "never-made.html", NULL) == MIDDEN_BAD_ARGUMENT, "no maps");
  require(fopen("never-made.html", "r") == NULL, "a file was made nevertheless");
  midden_map *maps[9] = {map, NULL};
  require(midden_map_save(maps, 2, "/dev/null", NULL) == MIDDEN_BAD_ARGUMENT, "a capture that is none");
  require(midden_map_save(maps, 9, "/dev/null", NULL) == MIDDEN_BAD_ARGUMENT, "too many");
  require(midden_map_capture(heap, NULL, &error) == NULL && error.status == MIDDEN_BAD_ARGUMENT, "no title");
  require(midden_map_capture(NULL, "x", &error) == NULL && error.status == MIDDEN_MISUSE, "no heap");
  require(midden_heap_map(NULL, "/dev/null", &error) == MIDDEN_MISUSE, "no heap");
  midden_map_free(NULL);
}

/* Takes so many pieces, and then no more. */
static bool take_piece(void *context, const char *bytes, size_t count) {
  int *left = context;
  return bytes && count > 0 && (*left)-- > 0;
}

static void check_writer(midden_map *map) {
  midden_error error = {MIDDEN_OK, ""};
  for (int pieces = 0; pieces < 3; pieces++) {
    int left = pieces;
    midden_writer writer = {take_piece, &left};
    require(midden_map_write(&map, 1, &writer, &error) == MIDDEN_IO_ERROR && left == -1, "called again after it refused");
    require(strstr(error.message, "the map of the heap could not be written") != NULL, error.message);
  }
  int enough = 10000;
  midden_writer writer = {take_piece, &enough};
  require(midden_map_write(&map, 1, &writer, NULL) == MIDDEN_OK, "not written");
}

static const char *in_directory(const char *directory, const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return path;
}

int main(int count, char **arguments) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  require(count == 3 && midden_config_parse(&config, arguments[1], &error) == MIDDEN_OK, "usage: map_host OPTIONS DIRECTORY");
  require(midden_heap_open(&config, &heap, &error) == MIDDEN_OK, error.message);
  mutator = midden_attach(heap, NULL, NULL);
  define_kinds();
  require(midden_heap_map(heap, in_directory(arguments[2], "empty.html"), NULL) == MIDDEN_OK, "an empty heap");
  require(midden_root_range_add(heap, kept, 3000) == MIDDEN_OK, "no roots");
  fill_heap();
  midden_map *maps[2];
  maps[0] = midden_map_capture(heap, "before <first>", &error);
  print_expected("before");
  for (size_t i = 2; i < 3000; i += 3) kept[i] = NULL; /* all of the odd kind, and the code */
  bool collects = midden_collect(mutator, MIDDEN_FULL) == MIDDEN_OK;
  midden_trim(heap);
  maps[1] = midden_map_capture(heap, "after", &error);
  require(maps[0] && maps[1], error.message);
  print_expected("after");
  printf("collects %d\n", collects);
  check_errors(maps[0]);
  check_writer(maps[1]);
  require(midden_alloc_sized(mutator, text_kind, (size_t)70 << 20) != NULL, "no memory for much");
  require(midden_heap_map(heap, in_directory(arguments[2], "large.html"), &error) == MIDDEN_OK, error.message);
  require(midden_heap_close(heap) == MIDDEN_OK, "not closed");
  require(midden_map_save(maps, 2, in_directory(arguments[2], "both.html"), &error) == MIDDEN_OK, error.message);
  midden_map_free(maps[0]);
  midden_map_free(maps[1]);
  return 0;
}
