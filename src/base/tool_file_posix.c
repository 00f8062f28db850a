/* Files that tools write, on POSIX systems: see tool_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/tool_file.h"

#define NAME_MOST 256
#define NUMBER_MOST 9999

static int open_numbered(const char *name, const char *percent) {
  char numbered[NAME_MOST];
  for (unsigned number = 1; number <= NUMBER_MOST; number++) {
    int length = snprintf(numbered, sizeof numbered, "%.*s%u%s", (int)(percent - name), name, number, percent + 1);
    if (length < 0 || (size_t)length >= sizeof numbered) {
      errno = ENAMETOOLONG;
      return -1;
    }
    int descriptor = open(numbered, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
  return -1;
}

midden_status mdn_file_create(const char *name, const char *what, FILE **file, midden_error *error) {
  const char *percent = strrchr(name, '%');
  int descriptor = percent ? open_numbered(name, percent) : open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    return mdn_error(error, MIDDEN_IO_ERROR, "%s: the file \"%s\" cannot be opened: %s", what, name, strerror(errno));
  }
  /* Two heaps in one file would spoil it. The lock ends with the file; where there are no locks, there is none. */
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(descriptor);
    return mdn_error(error, MIDDEN_CONFLICT,
                     "%s: another heap is writing to \"%s\": with a %% in its name, each has a file of its own", what,
                     name);
  }
  FILE *opened = ftruncate(descriptor, 0) == 0 || errno == EINVAL ? fdopen(descriptor, "w") : NULL;
  if (!opened) {
    mdn_error(error, MIDDEN_IO_ERROR, "%s: the file \"%s\" cannot be emptied: %s", what, name, strerror(errno));
    close(descriptor);
    return MIDDEN_IO_ERROR;
  }
  *file = opened;
  return MIDDEN_OK;
}

midden_status mdn_file_flush(FILE *file, bool close, const char *what, midden_error *error) {
  errno = 0;
  bool failed = ferror(file) != 0;
  if (fflush(file) != 0) failed = true;
  int reason = errno;
  if (close && fclose(file) != 0) failed = true;
  if (!failed) return MIDDEN_OK;
  return mdn_error(error, MIDDEN_IO_ERROR, "%s: writing failed: %s", what, reason ? strerror(reason) : "input/output error");
}
