/* What roots are called. */
#include <stdio.h>
#include <string.h>

#include "debug/names.h"
#include "roots/backtrace.h"

const char *mdn_root_group(enum graph_root_type type) {
  static const char *const names[GRAPH_ROOT_TYPES] = {
      "(registered roots)", "(scanners)",  "(frames)",    "(handles)",          "(pins)",       "(finalizer queue)",
      "(ambiguous ranges)", "(C stack)",   "(registers)", "(coroutine stacks)", "(finalizers)", "(weak slots)"};
  return names[type];
}

/* The index-th of names with commas between, as MIDDEN_FRAME has written them; a comma in parentheses is none. */
static int find_variable(const char *names, size_t index, const char **start) {
  int depth = 0;
  const char *at = names;
  *start = at;
  for (; *at; at++) {
    depth += (*at == '(' || *at == '[') - (*at == ')' || *at == ']');
    if (*at != ',' || depth) continue;
    if (index-- == 0) break;
    *start = at + 1 + strspn(at + 1, " \n");
  }
  return (int)(at - *start);
}

static void name_variable(const struct graph_root *root, char *text, size_t capacity) {
  const struct midden_frame_place *frame = ((const struct midden_frame *)root->where)->place;
  const char *function = frame->function ? frame->function : "a function", *start = "";
  int length = frame->variables ? find_variable(frame->variables, root->index, &start) : 0;
  if (length > 0) {
    snprintf(text, capacity, "variable %.*s of %s, in a frame", length, start, function);
  } else {
    snprintf(text, capacity, "variable %zu of %s, in a frame", root->index, function);
  }
}

static void name_registered(const struct graph_root *root, const char *what, char *text, size_t capacity) {
  char place[32] = "", at[32];
  if (root->index != SIZE_MAX) snprintf(place, sizeof place, "[%zu]", root->index);
  snprintf(at, sizeof at, "%p", root->where);
  snprintf(text, capacity, "%s %s%s", what, root->name ? root->name : at, place);
}

static void name_scanned(const struct graph_root *root, char *text, size_t capacity) {
  if (root->name) {
    snprintf(text, capacity, "root scanner %s, slot %zu", root->name, root->index);
  } else {
    snprintf(text, capacity, "root scanner %p, slot %zu", root->where, root->index);
  }
}

static void name_on_stack(const struct graph_root *root, bool whole, char *text, size_t capacity) {
  char function[160] = "";
  if (whole && mdn_backtrace_holder(root->where, function, sizeof function)) {
    snprintf(text, capacity, "the C stack, in %s", function);
  } else {
    snprintf(text, capacity, "the C stack, at %p", root->where);
  }
}

void mdn_root_text(const struct graph_root *root, bool whole, char *text, size_t capacity) {
  switch (root->type) {
    case GRAPH_REGISTERED:
      name_registered(root, "root", text, capacity);
      break;
    case GRAPH_RANGE_AMBIGUOUS:
      name_registered(root, "ambiguous root", text, capacity);
      break;
    case GRAPH_SCANNER:
      name_scanned(root, text, capacity);
      break;
    case GRAPH_FRAME:
      name_variable(root, text, capacity);
      break;
    case GRAPH_HANDLE:
      snprintf(text, capacity, "handle %p", root->where);
      break;
    case GRAPH_PIN:
      snprintf(text, capacity, "a pin (midden_pin)");
      break;
    case GRAPH_QUEUE:
      snprintf(text, capacity, "the queue of finalizers");
      break;
    case GRAPH_STACK:
      name_on_stack(root, whole, text, capacity);
      break;
    case GRAPH_REGISTER:
      snprintf(text, capacity, "a register");
      break;
    case GRAPH_COROUTINE:
      snprintf(text, capacity, "the stack of a coroutine, at %p", root->where);
      break;
    case GRAPH_FINALIZER:
      snprintf(text, capacity, "a finalizer's registration");
      break;
    default:
      snprintf(text, capacity, "weak slot %p", root->where);
      break;
  }
}
