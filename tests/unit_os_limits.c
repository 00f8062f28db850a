/* Limits of containers, read from files in a folder that stands for the system's root. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/os.h"
#include "base/os_limits.h"
#include "harness.h"

static char root[64];

static void begin(void) {
  strcpy(root, "/tmp/midden-limits-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(root));
}

static void end(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", root);
  ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s%s", root, path);
  for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
    *slash = 0;
    mkdir(name, 0700);
    *slash = '/';
  }
  FILE *file = fopen(name, "w");
  ck_assert_msg(file != NULL, "%s", name);
  fputs(text, file);
  fclose(file);
}

START_TEST(nothing_there) {
  begin();
  ck_assert_uint_eq(mdn_os_container_limit(root), SIZE_MAX);
  put("/proc/self/cgroup", "nonsense\n0::\n4:memory\n::\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), SIZE_MAX);
  put("/proc/self/cgroup", "0::/a/b\n4:memory:/c\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), SIZE_MAX);
  end();
}
END_TEST

START_TEST(version_2) {
  begin();
  put("/proc/self/cgroup", "0::/system/session/program\n");
  put("/sys/fs/cgroup/system/session/program/memory.max", "max\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), SIZE_MAX);
  put("/sys/fs/cgroup/system/session/program/memory.max", "400000000\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), 400000000);
  put("/sys/fs/cgroup/system/memory.max", "300000000\n"); /* an ancestor's is lower */
  ck_assert_uint_eq(mdn_os_container_limit(root), 300000000);
  put("/sys/fs/cgroup/system/session/memory.max", "350000000\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), 300000000);
  end();
}
END_TEST

/* In a container, the group's path is the host's, and what is mounted is the container's own group. */
START_TEST(inside_a_container) {
  begin();
  put("/proc/self/cgroup", "0::/docker/0123456789abcdef\n");
  put("/sys/fs/cgroup/memory.max", "123456789\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), 123456789);
  put("/proc/self/cgroup", "0::/\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), 123456789);
  end();
}
END_TEST

START_TEST(version_1) {
  begin();
  put("/proc/self/cgroup", "11:cpu,cpuacct:/x\n4:hugetlb,memory:/docker/abc\n3:memoryless:/y\n0::/z\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "222222222\n");
  put("/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "1\n");
  put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2\n");
  ck_assert_uint_eq(mdn_os_container_limit(root), 222222222);
  put("/sys/fs/cgroup/z/memory.max", "111111111\n"); /* both versions */
  ck_assert_uint_eq(mdn_os_container_limit(root), 111111111);
  end();
}
END_TEST

START_TEST(address_space) {
  struct rlimit before, limit;
  ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
  size_t automatic = mdn_os_automatic_limit();
  ck_assert_uint_le(automatic, mdn_os_physical_memory());
  ck_assert_uint_ge(automatic, 16 << 20);
  if (before.rlim_cur == RLIM_INFINITY) ck_assert_uint_eq(mdn_os_address_limit(), SIZE_MAX);
  limit = before;
  limit.rlim_cur = (rlim_t)1 << 45; /* more than any machine has: harmless under sanitizers, too */
  if (setrlimit(RLIMIT_AS, &limit) != 0) return;
  ck_assert_uint_eq(mdn_os_address_limit(), (size_t)1 << 45);
  setrlimit(RLIMIT_AS, &before);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {nothing_there, version_2, inside_a_container, version_1, address_space};
  return run_once("limits of the process", tests, COUNT_OF(tests));
}
