/* Loaded files, by the dynamic linker; faults, by the processor's state: see os_program.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/os_program.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <ucontext.h>

struct search {
  uintptr_t address;
  char *name;
  size_t capacity, offset;
  bool found;
};

static void copy_name(struct search *search, const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  if (!*name) name = program_invocation_short_name; /* the program itself has no path here */
  size_t length = strlen(name);
  if (length >= search->capacity) length = search->capacity - 1;
  memcpy(search->name, name, length);
  search->name[length] = 0;
}

static int look_at_file(struct dl_phdr_info *file, size_t size, void *context) {
  struct search *search = context;
  (void)size;
  for (unsigned i = 0; i < file->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &file->dlpi_phdr[i];
    uintptr_t start = (uintptr_t)(file->dlpi_addr + part->p_vaddr);
    if (part->p_type != PT_LOAD || search->address - start >= part->p_memsz) continue;
    search->found = true;
    search->offset = search->address - (uintptr_t)file->dlpi_addr;
    copy_name(search, file->dlpi_name);
    return 1;
  }
  return 0;
}

bool mdn_os_program_file(uintptr_t address, char *name, size_t capacity, size_t *offset) {
  struct search search = {.address = address, .name = name, .capacity = capacity};
  dl_iterate_phdr(look_at_file, &search);
  if (search.found) *offset = search.offset;
  return search.found;
}

#if defined(__x86_64__) && defined(REG_ERR)
const char *mdn_os_fault_access(const void *context) {
  const ucontext_t *state = context;
  const int trap_page_fault = 14, wrote = 2;
  if (state->uc_mcontext.gregs[REG_TRAPNO] != trap_page_fault) return NULL;
  return state->uc_mcontext.gregs[REG_ERR] & wrote ? "write" : "read";
}
#else
const char *mdn_os_fault_access(const void *context) {
  (void)context;
  return NULL;
}
#endif
