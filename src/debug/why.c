/* Why is it alive: a shortest path from a root, in lines. */
#include "debug/names.h"
#include <stdio.h>

#include "debug/output.h"
#include "debug/path.h"

#define SHOWN_FIRST 30 /* steps of a long path that are printed at its beginning and end */
#define SHOWN_LAST 20

struct why {
  uintptr_t hidden; /* the object's address, complemented: this lies on the stack, which would hold the object otherwise */
  struct output output;
  struct graph *graph;
  struct reach reach;
  uint32_t node;
};

static const char *object_text(const struct graph *graph, uint32_t node, char text[160]) {
  snprintf(text, 160, "%.80s %#zx (%zu bytes)", graph_kind(graph, node)->name, (size_t)graph_cell(graph, node),
           graph_size(graph, node));
  return text;
}

static void print_step(struct why *why, const struct path *path, size_t index) {
  struct graph_edge edge = {.strength = EDGE_STRONG};
  struct slot_name name = {.text = ""};
  char object[160];
  bool from_root = index + 2 == path->steps.count;
  if (from_root) edge.strength = mdn_path_root(&why->reach, path)->strength;
  else if (mdn_path_edge(&why->reach, path, index, &edge)) mdn_slot_name(why->graph, &edge, &name);
  uint32_t node = ((const uint32_t *)path->steps.items)[index];
  mdn_output_line(&why->output, "  %s -> %s%s", name.text, object_text(why->graph, node, object), mdn_edge_remark(edge.strength));
}

static midden_status print_path(struct why *why, midden_error *error) {
  struct path path;
  char root[256];
  if (!mdn_path_find(&why->reach, why->node, &path, error)) return MIDDEN_NO_MEMORY;
  mdn_root_text(mdn_path_root(&why->reach, &path), true, root, sizeof root);
  mdn_output_line(&why->output, "  %s", root);
  size_t objects = path.steps.count - 1;
  for (size_t index = objects; index-- > 0;) {
    if (objects > SHOWN_FIRST + SHOWN_LAST && index == objects - SHOWN_FIRST - 1) {
      mdn_output_line(&why->output, "  ... %zu more ...", objects - SHOWN_FIRST - SHOWN_LAST);
      index = SHOWN_LAST;
      continue;
    }
    print_step(why, &path, index);
  }
  mdn_table_close(&path.steps, why->graph->memory);
  return MIDDEN_OK;
}

/* One attempt after the other, the strongest first; each adds to what was reached. */
static midden_status find_reason(struct why *why, midden_error *error) {
  struct graph *graph = why->graph;
  struct reach *reach = &why->reach;
  char object[160];
  const char *text = object_text(graph, why->node, object), *says = "is alive:";
  bool found = false, done = mdn_reach_from(reach, 0, graph->stack_roots, error);
  if (done && !(found = reach_has(reach, why->node))) {
    done = mdn_reach_from(reach, graph->stack_roots, graph->weak_roots, error);
    says = "is alive by the C stack alone, which may only be asking:";
  }
  if (done && !found && !(found = reach_has(reach, why->node))) {
    done = mdn_reach_finalizers(reach, error);
    says = "is reachable from no root, and waits for a finalizer, which the next full collection will queue:";
  }
  if (done && !found && !(found = reach_has(reach, why->node))) {
    done = mdn_reach_weakly(reach, error);
    says = "is reachable through weak references or keys only, and the next full collection will free it:";
  }
  if (done && !found) found = reach_has(reach, why->node);
  if (!done) return MIDDEN_NO_MEMORY;
  if (found) {
    mdn_output_line(&why->output, "midden: the %s %s", text, says);
    return print_path(why, error);
  }
  mdn_output_line(&why->output, "midden: the %s is reachable from no root: the next full collection will free it", text);
  return MIDDEN_OK;
}

static midden_status answer_why(struct graph *graph, void *context, midden_error *error) {
  struct why *why = context;
  uintptr_t object = ~why->hidden;
  if (!object || mdn_space_cell_at(&graph->core->space, object) != object) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_why: %#zx is not the start of an object", (size_t)object);
  }
  why->graph = graph;
  why->node = graph_node(graph, object);
  if (!mdn_reach_open(&why->reach, graph, error)) return MIDDEN_NO_MEMORY;
  midden_status status = find_reason(why, error);
  mdn_reach_close(&why->reach);
  return status;
}

midden_status midden_why(midden_heap *heap, const void *object, const midden_writer *writer, midden_error *error) {
  struct why why = {.hidden = ~(uintptr_t)object};
  mdn_output_open(&why.output, heap, writer);
  midden_status status = mdn_graph_with(heap, "midden_why", answer_why, &why, error);
  return status == MIDDEN_OK ? mdn_output_close(&why.output, "the path", error) : status;
}
