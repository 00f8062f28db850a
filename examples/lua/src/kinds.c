/* The kinds of Lua's objects, and what the dead of them leave behind. */
#include "guest.h"

#include "lfunc.h"
#include "ltable.h"

/* Lua's allocation function is called only if somebody has put one of his own in front. */
static void free_buffer(struct guest *guest, void *block, size_t size) {
  global_State *g = guest->state;
  if (size == 0) return;
  if (l_unlikely(g->frealloc != guest_allocate)) {
    g->frealloc(g->ud, block, size, 0);
  } else if (guest->phase != GUEST_CLOSING) {
    midden_block_free(guest->mutator, block);
  }
  g->GCdebt -= (l_mem)size;
}

static void free_table_buffers(struct guest *guest, Table *h) {
  free_buffer(guest, h->array, luaH_realasize(h) * sizeof(TValue));
  if (!isdummy(h)) free_buffer(guest, h->node, (size_t)sizenode(h) * sizeof(Node));
}

static void free_prototype_buffers(struct guest *guest, Proto *f) {
  free_buffer(guest, f->code, (size_t)f->sizecode * sizeof *f->code);
  free_buffer(guest, f->p, (size_t)f->sizep * sizeof *f->p);
  free_buffer(guest, f->k, (size_t)f->sizek * sizeof *f->k);
  free_buffer(guest, f->lineinfo, (size_t)f->sizelineinfo * sizeof *f->lineinfo);
  free_buffer(guest, f->abslineinfo, (size_t)f->sizeabslineinfo * sizeof *f->abslineinfo);
  free_buffer(guest, f->locvars, (size_t)f->sizelocvars * sizeof *f->locvars);
  free_buffer(guest, f->upvalues, (size_t)f->sizeupvalues * sizeof *f->upvalues);
}

static void table_dies(void *object, size_t size, void *context) {
  struct guest *guest = context;
  (void)size;
  if (guest->phase != GUEST_CLOSING) free_table_buffers(guest, object);
}

static void prototype_dies(void *object, size_t size, void *context) {
  struct guest *guest = context;
  (void)size;
  if (guest->phase != GUEST_CLOSING) free_prototype_buffers(guest, object);
}

static bool free_buffers_of(void *context, void *object, size_t size, uint16_t kind) {
  struct guest *guest = context;
  (void)size;
  if (kind == guest->table.id) free_table_buffers(guest, object);
  if (kind == guest->prototype.id) free_prototype_buffers(guest, object);
  return true;
}

void guest_free_all_buffers(struct guest *guest) { midden_each(guest->heap, free_buffers_of, guest); }

midden_status guest_define_kinds(struct guest *guest, midden_error *error) {
  /* A chunk of userdata is aligned as malloc would align it. Everything else is written whole before it is seen, but
   * for what the C stack may lead to: so cells that are traced come zeroed. */
  const struct {
    midden_kind *kind;
    midden_shape shape;
  } kinds[] = {
      {&guest->short_string, {.name = "string", .flags = MIDDEN_KIND_PINNED | MIDDEN_KIND_UNZEROED}},
      {&guest->long_string, {.name = "long string", .flags = MIDDEN_KIND_PINNED | MIDDEN_KIND_UNZEROED}},
      {&guest->table,
       {.name = "table", .size = sizeof(Table), .refs = MIDDEN_REFS_TRACE, .trace = guest_trace_table,
        .flags = MIDDEN_KIND_TRACE_PINS, .on_free = table_dies}},
      {&guest->lua_closure, {.name = "function", .refs = MIDDEN_REFS_TRACE, .trace = guest_trace_lua_closure}},
      {&guest->c_closure, {.name = "C function", .refs = MIDDEN_REFS_TRACE, .trace = guest_trace_c_closure}},
      {&guest->upvalue,
       {.name = "upvalue", .size = sizeof(UpVal), .refs = MIDDEN_REFS_TRACE, .trace = guest_trace_upvalue}},
      {&guest->userdata,
       {.name = "userdata", .refs = MIDDEN_REFS_TRACE, .trace = guest_trace_userdata, .alignment = 16,
        .flags = MIDDEN_KIND_PINNED}},
      {&guest->prototype,
       {.name = "prototype", .size = sizeof(Proto), .refs = MIDDEN_REFS_TRACE, .trace = guest_trace_prototype,
        .flags = MIDDEN_KIND_PINNED, .on_free = prototype_dies}},
      {&guest->thread,
       {.name = "thread", .size = sizeof(thread_block), .refs = MIDDEN_REFS_TRACE, .trace = guest_trace_thread,
        .flags = MIDDEN_KIND_PINNED | MIDDEN_KIND_TRACE_PINS}},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    midden_shape shape = kinds[i].shape;
    shape.trace_context = shape.on_free_context = guest;
    *kinds[i].kind = midden_kind_define(guest->heap, &shape, error);
    if (kinds[i].kind->id == 0) return MIDDEN_NO_MEMORY;
  }
  return MIDDEN_OK;
}
