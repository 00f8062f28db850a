/* What the heap's debugging tools are told of the interpreter: see inspect.h. None of these functions allocates or stores
 * in the heap: the tools call them while they look at it. */
#include "inspect.h"

#include <string.h>

#include "hashtable.h"
#include "ports.h"

/* ---- slots ---- */

struct slot_names {
  enum kind kind;
  const char *names[7];
};

static const struct slot_names fixed_slots[] = {
    {KIND_PAIR, {"car", "cdr"}},
    {KIND_WEAK_PAIR, {"car", "cdr"}},
    {KIND_BOX, {"content"}},
    {KIND_STRING, {"characters"}},
    {KIND_SYMBOL, {"name"}},
    {KIND_CODE, {"constants", "name"}},
    {KIND_RECORD_TYPE, {"name", "field_count", "fields"}},
    {KIND_CONDITION, {"kind", "message", "irritants"}},
    {KIND_SEGMENT, {"older", "older_height"}},
    {KIND_EPHEMERON, {"key", "datum"}},
    {KIND_HASHTABLE, {"entries", "index", "used", "size", "by", "is_weak", "epoch"}},
};

/* The number of a word of the object. */
static size_t word_of(const midden_slot *slot) {
  return (size_t)((const char *)slot->address - (const char *)slot->object) / sizeof(value);
}

/* The first word is the length. */
static void name_element(void *context, const midden_slot *slot, char *text, size_t capacity) {
  (void)context;
  if (slot->address && word_of(slot) > 0)
    snprintf(text, capacity, "[%zu]", word_of(slot) - 1);
}

static void name_captured(void *context, const midden_slot *slot, char *text, size_t capacity) {
  (void)context;
  if (slot->address && word_of(slot) > 0)
    snprintf(text, capacity, "captured %zu", word_of(slot));
  else if (slot->address)
    snprintf(text, capacity, "code");
}

/* By the fields of the record's type, a list of symbols, the last one first. */
static void name_field(void *context, const midden_slot *slot, char *text, size_t capacity) {
  const struct vm *vm = context;
  if (!slot->address)
    return;
  if (word_of(slot) == 0) {
    snprintf(text, capacity, "type");
    return;
  }
  value type = ((const struct record *)slot->object)->type;
  if (!is_kind(vm, type, KIND_RECORD_TYPE))
    return;
  value fields = record_type_of(type)->fields;
  size_t count = (size_t)fixnum_of(record_type_of(type)->field_count);
  for (size_t i = word_of(slot); i < count && is_pair(fields); i++)
    fields = cdr(fields);
  if (is_pair(fields) && is_symbol(vm, car(fields)))
    string_copy_text(symbol_of(car(fields))->name, text, capacity);
}

static bool name_kinds(struct vm *vm) {
  static const struct {
    enum kind kind;
    midden_slot_name_function function;
  } functions[] = {{KIND_VECTOR, name_element}, {KIND_CLOSURE, name_captured}, {KIND_RECORD, name_field}};
  midden_status status = MIDDEN_OK;
  for (size_t i = 0; status == MIDDEN_OK && i < sizeof fixed_slots / sizeof fixed_slots[0]; i++) {
    const struct slot_names *slots = &fixed_slots[i];
    size_t count = 0;
    while (count < 7 && slots->names[count])
      count++;
    status = midden_kind_name_slots(vm->heap, vm->kinds[slots->kind], slots->names, count);
  }
  for (size_t i = 0; status == MIDDEN_OK && i < sizeof functions / sizeof functions[0]; i++)
    status = midden_kind_name_slots_by(vm->heap, vm->kinds[functions[i].kind], functions[i].function, vm);
  return status == MIDDEN_OK;
}

/* ---- calls ---- */

/* What a procedure is called. post: NULL: this is none of the program's. */
static const char *call_name(struct vm *vm, value procedure, char *text, size_t capacity) {
  const struct builtin *builtin = builtin_of(procedure);
  if (builtin)
    return builtin->name;
  value name = code_of(closure_of(procedure)->code)->name;
  if (name == NIL)
    return "the top level";
  if (!is_symbol(vm, name))
    return "a lambda expression";
  string_copy_text(symbol_of(name)->name, text, capacity);
  return text;
}

/* The frames of the live stack; those of captured segments are not told. vm->frame is where the last instruction that
 * could allocate was; what allocates without being one may find it stale, so each step is checked. */
static size_t guest_calls(void *context, midden_mutator *mutator, midden_guest_frame *frames, size_t capacity) {
  struct vm *vm = context;
  size_t count = 0;
  (void)mutator;
  const value *frame = vm->frame;
  while (frame && frame >= vm->base + LINKAGE && frame < vm->top && count < capacity && count < CALLS_TOLD) {
    if (!is_procedure(frame[0]))
      break;
    frames[count] = (midden_guest_frame){call_name(vm, frame[0], vm->call_names[count], sizeof vm->call_names[count]), NULL, 0};
    count++;
    size_t step = frame[-1] / sizeof(value);
    if (step == 0 || step > (size_t)(frame - vm->base))
      break;
    frame -= step;
  }
  return count;
}

/* ---- snapshots ---- */

void inspect_label(void *context, const void *object, size_t size, uint16_t kind_id, midden_label *label) {
  struct vm *vm = context;
  (void)size;
  switch ((enum kind)vm->kind_of_id[kind_id]) {
  case KIND_STRING:
    label->type = MIDDEN_NODE_STRING;
    string_copy_text(tagged(object, TAG_OBJECT), label->name, sizeof label->name);
    break;
  case KIND_FLONUM:
    label->type = MIDDEN_NODE_NUMBER;
    snprintf(label->name, sizeof label->name, "%g", ((const struct flonum *)object)->number);
    break;
  case KIND_CLOSURE: {
    label->type = MIDDEN_NODE_CLOSURE;
    const char *name = call_name(vm, tagged(object, TAG_PROCEDURE), label->name, sizeof label->name);
    if (name != label->name)
      snprintf(label->name, sizeof label->name, "%s", name);
    break;
  }
  case KIND_CODE:
    label->type = MIDDEN_NODE_CODE;
    break;
  default:
    break;
  }
}

midden_status inspect_snapshot(struct vm *vm, const char *path, midden_error *error) {
  midden_snapshot_options options = {.label = inspect_label, .label_context = vm};
  return midden_snapshot_file(vm->heap, &options, path, error);
}

bool inspect_open(struct vm *vm) {
  return name_kinds(vm) && midden_root_name(vm->heap, &vm->roots, "the interpreter's registers") == MIDDEN_OK &&
         midden_profile_guest(vm->heap, guest_calls, vm) == MIDDEN_OK;
}
