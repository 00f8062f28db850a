/* Child processes: see children.h. */
#include "children.h"

#include <check.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* AddressSanitizer would take the signal and exit. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "handle_segv=0:allow_user_segv_handler=1"; }

static size_t read_all(int descriptor, char *text, size_t capacity) {
  size_t length = 0;
  for (ssize_t count; length + 1 < capacity; length += (size_t)count) {
    count = read(descriptor, text + length, capacity - 1 - length);
    if (count <= 0) break;
  }
  text[length] = 0;
  return length;
}

void run_child(void (*body)(void *context), void *context, outcome *result) {
  int ends[2], status;
  ck_assert_int_eq(pipe(ends), 0);
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body(context);
    _exit(0);
  }
  close(ends[1]);
  read_all(ends[0], result->text, sizeof result->text);
  close(ends[0]);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
