/* Heap snapshots in the JSON format of V8, which Chrome's DevTools load: nodes, edges and strings in flat arrays. Written
 * as it goes; only the strings and what each node needs in advance (its place, its edges' number) are kept. */
#include "debug/snapshot.h"

#include <errno.h>
#include <string.h>

#include "debug/names.h"

/* Identifiers, all less than 2^53, so that JavaScript's numbers hold them: odd and small for what is made up; even for
 * addresses; odd from 2^51 on for identity hashes; and beyond 2^52 for external memory. */
#define ID_OF_GRANULE(granule) (2 * (uint64_t)(granule) + 2)
#define ID_OF_HASH(hash) (UINT64_C(1) << 51 | ((hash) & ((UINT64_C(1) << 50) - 1)) << 1 | 1)
#define ID_OF_EXTERNAL (UINT64_C(1) << 52)

static uint64_t object_id(const struct snapshot *snapshot, uint32_t node) {
  const struct core *core = snapshot->graph->core;
  uintptr_t cell = graph_cell(snapshot->graph, node);
  const uint64_t *hash = mdn_address_find(&core->identities.table, cell);
  return hash ? ID_OF_HASH(*hash) : ID_OF_GRANULE(space_granule(&core->space, cell));
}

/* ---- nodes ---- */

static void write_node(struct snapshot *snapshot, unsigned type, const char *name, uint64_t id, uint64_t size, size_t edges) {
  const uint64_t fields[] = {type, mdn_strings_number(&snapshot->strings, name), id, size, edges, 0, 0};
  for (size_t i = 0; i < NODE_FIELDS; i++) {
    mdn_output_text(&snapshot->output, i > 0 ? "," : snapshot->separate ? ",\n" : "");
    mdn_output_number(&snapshot->output, fields[i]);
  }
  snapshot->separate = true;
}

static void write_object(struct snapshot *snapshot, uint32_t node) {
  const struct graph *graph = snapshot->graph;
  const struct kind *kind = graph_kind(graph, node);
  midden_label label = {.type = MIDDEN_NODE_OBJECT};
  snprintf(label.name, sizeof label.name, "%s", kind->name);
  if (snapshot->options && snapshot->options->label) {
    snapshot->options->label(snapshot->options->label_context, (const void *)graph_cell(graph, node), graph_size(graph, node),
                             kind->id, &label);
    label.name[sizeof label.name - 1] = 0;
    if ((unsigned)label.type > MIDDEN_NODE_NATIVE) label.type = MIDDEN_NODE_OBJECT;
  }
  write_node(snapshot, label.type, label.name, object_id(snapshot, node), graph_size(graph, node),
             ((const uint32_t *)snapshot->counts.items)[node]);
}

static void write_nodes(struct snapshot *snapshot) {
  const struct graph *graph = snapshot->graph;
  uint64_t id = 1;
  write_node(snapshot, NODE_SYNTHETIC, "", id, 0, 1);
  write_node(snapshot, NODE_SYNTHETIC, "(GC roots)", id += 2, 0, snapshot->groups);
  for (int type = 0; type < GRAPH_ROOT_TYPES; type++) {
    id += 2;
    if (!snapshot->group_places[type]) continue;
    write_node(snapshot, NODE_SYNTHETIC, mdn_root_group((enum graph_root_type)type), id, 0, snapshot->group_counts[type]);
  }
  for (uint32_t node = 0; node < graph->nodes; node++) {
    if (snapshot_place(snapshot, node)) write_object(snapshot, node);
  }
  for (uint32_t node = 0; snapshot->externals && node < graph->nodes; node++) {
    uint64_t bytes = snapshot_place(snapshot, node) ? snapshot_external(snapshot, node) : 0;
    if (bytes) write_node(snapshot, MIDDEN_NODE_NATIVE, "external memory", ID_OF_EXTERNAL | object_id(snapshot, node), bytes, 0);
  }
}

/* ---- strings ---- */

/* The length of the UTF-8 character at `at`; 0 if there is none. */
static size_t character_length(const unsigned char *at) {
  size_t length = at[0] < 0x80 ? 1 : at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : (at[0] & 0xf0) == 0xe0 ? 3 : at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
  }
  bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
  bool no_character = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
  return overlong || no_character ? 0 : length;
}

static void write_string(struct output *output, const char *text) {
  mdn_output_text(output, "\"");
  for (const char *at = text; *at;) {
    size_t length = character_length((const unsigned char *)at);
    unsigned char first = (unsigned char)*at;
    if (length == 0) {
      mdn_output_text(output, "\\ufffd");
    } else if (first < 0x20 || first == '"' || first == '\\' || first == 0x7f) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", first);
      mdn_output_text(output, escape);
    } else {
      mdn_output_bytes(output, at, length);
    }
    at += length ? length : 1;
  }
  mdn_output_text(output, "\"");
}

static void write_strings(struct snapshot *snapshot) {
  for (size_t i = 0; i < snapshot->strings.starts.count; i++) {
    if (i > 0) mdn_output_text(&snapshot->output, ",\n");
    write_string(&snapshot->output, mdn_strings_at(&snapshot->strings, i));
  }
}

/* ---- the document ---- */

static const char meta[] =
    "\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\",\"edge_count\",\"trace_node_id\",\"detachedness\"],\n"
    "\"node_types\":[[\"hidden\",\"array\",\"string\",\"object\",\"code\",\"closure\",\"regexp\",\"number\",\"native\","
    "\"synthetic\",\"concatenated string\",\"sliced string\",\"symbol\",\"bigint\"],\"string\",\"number\",\"number\","
    "\"number\",\"number\",\"number\"],\n"
    "\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],\n"
    "\"edge_types\":[[\"context\",\"element\",\"property\",\"internal\",\"hidden\",\"shortcut\",\"weak\"],"
    "\"string_or_number\",\"node\"],\n"
    "\"trace_function_info_fields\":[\"function_id\",\"name\",\"script_name\",\"script_id\",\"line\",\"column\"],\n"
    "\"trace_node_fields\":[\"id\",\"function_info_index\",\"count\",\"size\",\"children\"],\n"
    "\"sample_fields\":[\"timestamp_us\",\"last_assigned_id\"],\n"
    "\"location_fields\":[\"object_index\",\"script_id\",\"line\",\"column\"]},\n";

static void write_snapshot_head(struct snapshot *snapshot) {
  const midden_heap *heap = snapshot->graph->heap;
  char head[256];
  bool identified = snapshot->options && snapshot->options->identify;
  snprintf(head, sizeof head, "\"midden\":{\"version\":\"%s\",\"collector\":\"%s\",\"moved_epoch\":%llu,\"ids\":\"%s\"},\n"
                              "\"node_count\":%zu,\"edge_count\":%zu,\"trace_function_count\":0}",
           midden_version(), heap->collector->name, (unsigned long long)heap->core.moved_epoch,
           identified ? "identity" : "address", snapshot->nodes, snapshot->edges);
  mdn_output_text(&snapshot->output, "{\"snapshot\":{");
  mdn_output_text(&snapshot->output, meta);
  mdn_output_text(&snapshot->output, head);
}

static void begin_section(struct snapshot *snapshot, const char *text) {
  mdn_output_text(&snapshot->output, text);
  snapshot->separate = false;
}

static void write_document(struct snapshot *snapshot) {
  write_snapshot_head(snapshot);
  begin_section(snapshot, ",\n\"nodes\":[");
  write_nodes(snapshot);
  begin_section(snapshot, "],\n\"edges\":[");
  mdn_snapshot_write_edges(snapshot);
  begin_section(snapshot, "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[],\n\"strings\":[");
  write_strings(snapshot);
  mdn_output_text(&snapshot->output, "]}\n");
}

/* ---- what must be known before ---- */

/* Those that hold come first in the document's order of groups; objects are counted from behind them. */
static void place_all(struct snapshot *snapshot) {
  size_t place = 2;
  for (int type = 0; type < GRAPH_ROOT_TYPES; type++) {
    if (snapshot->group_counts[type]) snapshot->group_places[type] = place++;
  }
  uint32_t *places = snapshot->places.items;
  for (uint32_t node = 0; node < snapshot->graph->nodes; node++) {
    if (places[node]) places[node] = (uint32_t)place++;
  }
  snapshot->first_external = snapshot->next_external = place;
  snapshot->nodes = place + snapshot->externals;
}

static midden_status identify_all(struct snapshot *snapshot) {
  struct graph *graph = snapshot->graph;
  for (uint32_t node = 0; node < graph->nodes; node++) {
    if (!snapshot_place(snapshot, node) || mdn_identity_of(&graph->heap->core, graph_cell(graph, node))) continue;
    return mdn_error(snapshot->error, MIDDEN_NO_MEMORY, "midden_snapshot: the system refused memory for identity hashes");
  }
  return MIDDEN_OK;
}

static midden_status prepare(struct snapshot *snapshot) {
  struct graph *graph = snapshot->graph;
  if (!mdn_reach_from(&snapshot->reach, 0, graph->weak_roots, snapshot->error) ||
      !mdn_graph_table(graph, &snapshot->places, graph->nodes, sizeof(uint32_t), snapshot->error) ||
      !mdn_graph_table(graph, &snapshot->counts, graph->nodes, sizeof(uint32_t), snapshot->error)) {
    return MIDDEN_NO_MEMORY;
  }
  for (uint32_t node = 0; node < graph->nodes; node++) {
    ((uint32_t *)snapshot->places.items)[node] = reach_has(&snapshot->reach, node);
  }
  if (snapshot->options && snapshot->options->identify && identify_all(snapshot) != MIDDEN_OK) return MIDDEN_NO_MEMORY;
  mdn_snapshot_count_edges(snapshot);
  place_all(snapshot);
  return MIDDEN_OK;
}

static midden_status answer_snapshot(struct graph *graph, void *context, midden_error *error) {
  struct snapshot *snapshot = context;
  snapshot->graph = graph;
  snapshot->error = error;
  snapshot->strings.memory = graph->memory;
  if (!mdn_reach_open(&snapshot->reach, graph, error)) return MIDDEN_NO_MEMORY;
  midden_status status = prepare(snapshot);
  if (status == MIDDEN_OK) {
    write_document(snapshot);
    if (snapshot->strings.refused) {
      status = mdn_error(error, MIDDEN_NO_MEMORY, "midden_snapshot: the system refused memory for the names");
    }
  }
  mdn_reach_close(&snapshot->reach);
  mdn_table_close(&snapshot->places, graph->memory);
  mdn_table_close(&snapshot->counts, graph->memory);
  mdn_strings_close(&snapshot->strings);
  return status;
}

midden_status midden_snapshot(midden_heap *heap, const midden_snapshot_options *options, const midden_writer *writer,
                              midden_error *error) {
  if (!writer || !writer->write) return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_snapshot: a writer");
  struct snapshot snapshot = {.options = options};
  mdn_output_open(&snapshot.output, heap, writer);
  midden_status status = mdn_graph_with(heap, "midden_snapshot", answer_snapshot, &snapshot, error);
  return status == MIDDEN_OK ? mdn_output_close(&snapshot.output, "the snapshot", error) : status;
}

midden_status midden_snapshot_file(midden_heap *heap, const midden_snapshot_options *options, const char *path,
                                   midden_error *error) {
  if (!path) return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_snapshot_file: a path");
  if (heap_enter(heap) != MIDDEN_OK) {
    return mdn_error(error, MIDDEN_MISUSE, "midden_snapshot_file: not an open heap of this thread, or inside a collection");
  }
  FILE *file = fopen(path, "w");
  if (!file) return mdn_output_refused(path, errno, error);
  midden_writer writer = mdn_output_file(file);
  midden_status status = midden_snapshot(heap, options, &writer, error);
  errno = 0;
  if (fclose(file) != 0 && status == MIDDEN_OK) status = mdn_output_refused(path, errno, error);
  if (status != MIDDEN_OK) remove(path);
  return status;
}
