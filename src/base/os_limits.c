/* Limits of the process on Linux: see os_limits.h. A file that is not there, or not as expected, is no limit. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/os_limits.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/bits.h"
#include "base/os.h"

#define PATH_BYTES 4352
#define AUTOMATIC_LEAST ((size_t)16 << 20)

/* The number in a file; "max" and nonsense: SIZE_MAX. */
static size_t read_limit(const char *path) {
  char text[32];
  FILE *file = fopen(path, "re");
  if (!file) return SIZE_MAX;
  const char *line = fgets(text, sizeof text, file);
  fclose(file);
  if (!line || *line < '0' || *line > '9') return SIZE_MAX;
  unsigned long long number = strtoull(line, NULL, 10);
  return number > 0 && number < SIZE_MAX ? (size_t)number : SIZE_MAX;
}

/* The lowest limit of a group and those above it. In a container the group's path may be the host's, and what is
 * mounted the container's own: then only the upper ones exist, which is right too. */
static size_t limit_of_group(const char *root, const char *mount, const char *group, const char *file) {
  char path[PATH_BYTES];
  size_t lowest = SIZE_MAX, length = strlen(group);
  for (;;) {
    while (length > 0 && group[length - 1] == '/') length--;
    int needed = snprintf(path, sizeof path, "%s%s%.*s/%s", root, mount, (int)length, group, file);
    if (needed < (int)sizeof path) lowest = size_minimum(lowest, read_limit(path));
    if (length == 0) return lowest;
    while (length > 0 && group[length - 1] != '/') length--;
  }
}

/* Whether a comma-separated list has the word. */
static bool lists(const char *list, const char *word) {
  size_t length = strlen(word);
  for (const char *at = list; at; at = strchr(at, ',')) {
    at += *at == ',';
    if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == 0)) return true;
  }
  return false;
}

/* One line of /proc/self/cgroup: "hierarchy:controllers:path"; hierarchy 0 has no controllers and is version 2. */
static size_t limit_of_line(const char *root, char *line) {
  line[strcspn(line, "\n")] = 0;
  char *controllers = strchr(line, ':');
  char *group = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!group) return SIZE_MAX;
  *controllers++ = 0;
  *group++ = 0;
  if (lists(controllers, "memory")) return limit_of_group(root, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
  if (strcmp(line, "0") != 0 || *controllers) return SIZE_MAX;
  return limit_of_group(root, "/sys/fs/cgroup", group, "memory.max");
}

size_t mdn_os_container_limit(const char *root) {
  char line[PATH_BYTES];
  size_t lowest = SIZE_MAX;
  snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
  FILE *file = fopen(line, "re");
  if (!file) return SIZE_MAX;
  while (fgets(line, sizeof line, file)) lowest = size_minimum(lowest, limit_of_line(root, line));
  fclose(file);
  return lowest;
}

size_t mdn_os_address_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return (size_t)limit.rlim_cur;
}

size_t mdn_os_automatic_limit(void) {
  size_t limit = mdn_os_physical_memory(), container = mdn_os_container_limit("");
  if (container < SIZE_MAX) limit = size_minimum(limit, container / 4 * 3);
  size_t address = mdn_os_address_limit();
  if (address < SIZE_MAX) limit = size_minimum(limit, address / 2);
  return size_maximum(limit & ~(size_t)8191, AUTOMATIC_LEAST);
}
