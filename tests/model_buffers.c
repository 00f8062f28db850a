/* The model's buffers, and a pool of them that only this thread uses: what is lent, owned, given back and refused,
 * and its account. See model_internal.h.
 *
 * A buffer that the model drops owns its bytes until a collection finds it dead, so figures are exact only then. */
#include <string.h>

#include "model_internal.h"

enum { CHUNK = 512, LARGEST_LEASE = 6000 };

static midden_buffer *buffer_at(const model *here, size_t i) { return (midden_buffer *)here->buffer_words[i]; }
static size_t in_chunks(size_t size) { return (size + CHUNK - 1) / CHUNK * CHUNK; }

static midden_pool_statistics read_pool(model *here) {
  midden_pool_statistics statistics = {0};
  if (midden_pool_statistics_read(here->pool, &statistics) != MIDDEN_OK) model_fail(here, "midden_pool_statistics_read");
  return statistics;
}

/* ---- Opening and closing ---- */

static void open_pool(model *here) {
  size_t total = 4096 * (2 + model_below(here, 4)), initial = model_below(here, 2) ? 4096 : total;
  midden_pool_options options = {.total_bytes = total, .initial_bytes = initial, .chunk_bytes = CHUNK, .name = "model"};
  midden_status status = midden_pool_open(here->mutator, &options, &here->pool, NULL);
  if (status == MIDDEN_NO_MEMORY) return;
  if (status != MIDDEN_OK) model_fail(here, "midden_pool_open: %s", midden_status_name(status));
  here->pool_total = total;
  here->pool_capacity = initial;
}

bool model_buffers_open(model *here) {
  if (midden_root_range_add(here->heap, here->buffer_words, MODEL_BUFFERS) != MIDDEN_OK) model_fail(here, "buffers");
  return !here->result->failed;
}

static void release_lease(model *here, size_t i) {
  if (here->leases[i].address == NULL) return;
  model_bytes_check(here, &here->leased[i], "lease", i);
  midden_lease copy = here->leases[i];
  if (midden_pool_release(here->pool, &here->leases[i]) != MIDDEN_OK) model_fail(here, "midden_pool_release");
  if (here->leases[i].address != NULL) model_fail(here, "a lease that was given back is not empty");
  if (midden_pool_release(here->pool, &copy) != MIDDEN_BAD_ARGUMENT) model_fail(here, "a lease could be given back twice");
  here->leased[i].bytes = NULL;
}

static void release_buffer(model *here, size_t i) {
  model_buffer *buffer = &here->buffers[i];
  model_bytes_check(here, &buffer->owns, "buffer", i);
  if (midden_buffer_release(here->mutator, buffer_at(here, i)) != MIDDEN_OK) model_fail(here, "midden_buffer_release");
  if (midden_buffer_address(buffer_at(here, i)) != NULL) model_fail(here, "buffer %zu is not empty", i);
  *buffer = (model_buffer){.made = true};
}

static void drop_buffer(model *here, size_t i) {
  model_bytes_check(here, &here->buffers[i].owns, "buffer", i);
  here->buffer_words[i] = 0;
  here->buffers[i] = (model_buffer){.made = false};
}

/* With leases out, held or owned, it stays; when they are back, it goes. */
static void close_pool(model *here) {
  size_t held = 0;
  for (size_t i = 0; i < MODEL_LEASES; i++) held += here->leases[i].address != NULL;
  for (size_t i = 0; i < MODEL_BUFFERS; i++) held += here->buffers[i].leased;
  if (here->config.collecting == MIDDEN_COLLECTING_ASKED) midden_collect(here->mutator, MIDDEN_FULL); /* it would not */
  midden_status status = midden_pool_close(here->mutator, here->pool);
  bool sure = here->exact && strcmp(here->config.collector, "none") != 0;
  if (held > 0 && status != MIDDEN_IN_USE) model_fail(here, "a pool of which %zu leases are out: %s", held, midden_status_name(status));
  if (held == 0 && status != MIDDEN_OK && (sure || status != MIDDEN_IN_USE))
    model_fail(here, "midden_pool_close: %s", midden_status_name(status));
  if (status == MIDDEN_OK) {
    here->pool = NULL;
    here->pool_capacity = here->pool_total = 0;
    return;
  }
  midden_lease lease;
  if (midden_pool_acquire(here->pool, 1, MIDDEN_AT_ONCE, "model", &lease) != MIDDEN_CLOSED) model_fail(here, "a shut pool lends");
  if (midden_pool_grow(here->mutator, here->pool, 1) != MIDDEN_CLOSED) model_fail(here, "a shut pool grows");
}

static void give_back_all(model *here) {
  for (size_t i = 0; i < MODEL_LEASES; i++) release_lease(here, i);
  for (size_t i = 0; i < MODEL_BUFFERS; i++)
    if (here->buffers[i].leased) release_buffer(here, i);
}

void model_buffers_close(model *here) {
  if (here->pool != NULL) give_back_all(here);
  if (here->pool != NULL) close_pool(here);
}

void model_buffers_shrink(model *here) {
  for (size_t i = 0; i < MODEL_BUFFERS; i += 2) drop_buffer(here, i);
  for (size_t i = 0; i < MODEL_LEASES; i += 2) release_lease(here, i);
}

/* ---- Buffers ---- */

static void note_refusal(model *here, const char *what, midden_status status) {
  if (status != MIDDEN_NO_MEMORY) model_fail(here, "%s: %s", what, midden_status_name(status));
  here->result->refused++;
}

/* `buffer` becomes number i; what was there is garbage. */
static void keep_buffer(model *here, size_t i, midden_buffer *buffer, bool leased, size_t size) {
  here->allocations++;
  here->requested += sizeof *buffer;
  drop_buffer(here, i);
  here->buffer_words[i] = (uintptr_t)buffer;
  here->buffers[i] = (model_buffer){{midden_buffer_address(buffer), size, 0}, true, leased};
  if (midden_buffer_size(buffer) != size) model_fail(here, "a buffer of %zu bytes has %zu", size, midden_buffer_size(buffer));
  if (midden_kind_id_of(here->mutator, buffer) != midden_buffer_kind(here->heap, NULL).id) model_fail(here, "no buffer");
}

void model_use_buffer(model *here) {
  size_t i = model_below(here, MODEL_BUFFERS), choice = model_below(here, 4);
  size_t size = 1 + model_below(here, model_below(here, 10) == 0 ? 40000 : 900);
  if (choice == 0 && here->buffers[i].made) {
    release_buffer(here, i);
  } else if (choice == 1) {
    drop_buffer(here, i);
  } else {
    midden_buffer *buffer = midden_buffer_new(here->mutator, size);
    if (buffer == NULL) {
      note_refusal(here, "midden_buffer_new", midden_last_status(here->mutator));
      return;
    }
    keep_buffer(here, i, buffer, false, size);
    model_bytes_fill(here, &here->buffers[i].owns);
  }
}

/* ---- The pool ---- */

static bool overlap(const midden_lease *lease, const unsigned char *bytes, size_t size) {
  const unsigned char *mine = lease->address;
  return bytes != NULL && mine < bytes + in_chunks(size) && bytes < mine + in_chunks(lease->size);
}

static void check_lease(model *here, const midden_lease *lease, size_t size) {
  if (lease->size != size || (uintptr_t)lease->address % CHUNK != 0) model_fail(here, "a lease of %zu bytes is wrong", size);
  for (size_t i = 0; i < MODEL_LEASES; i++)
    if (overlap(lease, here->leased[i].bytes, here->leased[i].size)) model_fail(here, "lease %zu is lent twice", i);
  for (size_t i = 0; i < MODEL_BUFFERS; i++)
    if (here->buffers[i].leased && overlap(lease, here->buffers[i].owns.bytes, here->buffers[i].owns.size))
      model_fail(here, "the bytes of buffer %zu are lent again", i);
}

/* What acquiring may answer: LIMIT if and only if it can never be, TIMED_OUT only where something is in the way. */
static void check_answer(model *here, midden_status status, size_t size, size_t used) {
  if (status == MIDDEN_CLOSED) return;
  bool never = in_chunks(size) > here->pool_total;
  if ((status == MIDDEN_LIMIT) != never) model_fail(here, "%zu bytes of %zu: %s", size, here->pool_total, midden_status_name(status));
  if (status == MIDDEN_TIMED_OUT && used == 0 && in_chunks(size) <= here->pool_capacity) model_fail(here, "an unused pool lends nothing");
  if (status != MIDDEN_OK && status != MIDDEN_LIMIT && status != MIDDEN_TIMED_OUT && status != MIDDEN_NO_MEMORY)
    model_fail(here, "acquiring: %s", midden_status_name(status));
}

static void take_lease(model *here, size_t i, size_t size) {
  release_lease(here, i);
  size_t used = read_pool(here).used_bytes;
  midden_status status = midden_pool_acquire(here->pool, size, MIDDEN_AT_ONCE, MIDDEN_HERE, &here->leases[i]);
  check_answer(here, status, size, used);
  if (status != MIDDEN_OK) return;
  if (read_pool(here).used_bytes != used + in_chunks(size)) model_fail(here, "%zu bytes were lent and not counted", size);
  check_lease(here, &here->leases[i], size);
  here->leased[i] = (model_bytes){here->leases[i].address, size, 0};
  model_bytes_fill(here, &here->leased[i]);
}

static void acquire_buffer(model *here, size_t i, size_t size) {
  midden_buffer *buffer = NULL;
  midden_status status = midden_buffer_acquire(here->mutator, here->pool, size, MIDDEN_AT_ONCE, MIDDEN_HERE, &buffer);
  check_answer(here, status, size, read_pool(here).used_bytes);
  if (status == MIDDEN_NO_MEMORY) here->result->refused++;
  if (status != MIDDEN_OK) return;
  midden_lease lease = buffer->bytes;
  model_buffer before = here->buffers[i];
  here->buffers[i].leased = false; /* it is about to be dropped */
  check_lease(here, &lease, size);
  here->buffers[i] = before;
  keep_buffer(here, i, buffer, true, size);
  model_bytes_fill(here, &here->buffers[i].owns);
}

static void adopt_lease(model *here, size_t i, size_t lease) {
  if (here->leases[lease].address == NULL) return;
  model_bytes content = here->leased[lease];
  midden_buffer *buffer = midden_buffer_adopt(here->mutator, here->pool, &here->leases[lease]);
  if (buffer == NULL) {
    note_refusal(here, "midden_buffer_adopt", midden_last_status(here->mutator));
    return;
  }
  if (here->leases[lease].address != NULL) model_fail(here, "an adopted lease is not empty");
  here->leased[lease].bytes = NULL;
  keep_buffer(here, i, buffer, true, content.size);
  here->buffers[i].owns.seed = content.seed;
}

static void grow_pool(model *here) {
  size_t bytes = 1 + model_below(here, 6000), rounded = (bytes + 4095) / 4096 * 4096;
  midden_status status = midden_pool_grow(here->mutator, here->pool, bytes);
  bool beyond = bytes > here->pool_total - here->pool_capacity;
  if (status == MIDDEN_CLOSED) return;
  if (beyond != (status == MIDDEN_LIMIT)) model_fail(here, "growing a pool: %s", midden_status_name(status));
  if (status == MIDDEN_OK) here->pool_capacity += rounded;
  else if (!beyond) note_refusal(here, "midden_pool_grow", status);
}

void model_use_pool(model *here) {
  size_t i = model_below(here, MODEL_BUFFERS), lease = model_below(here, MODEL_LEASES), choice = model_below(here, 40);
  size_t size = 1 + model_below(here, model_below(here, 12) == 0 ? 5 * LARGEST_LEASE : LARGEST_LEASE);
  if (here->pool == NULL) {
    if (choice < 8) open_pool(here);
    return;
  }
  if (choice < 14) take_lease(here, lease, size);
  else if (choice < 22) release_lease(here, lease);
  else if (choice < 30) acquire_buffer(here, i, size);
  else if (choice < 35) adopt_lease(here, i, lease);
  else if (choice < 38) grow_pool(here);
  else if (choice == 38) close_pool(here);
  else give_back_all(here);
}

/* ---- Comparing ---- */

static void check_pool(model *here, bool certain) {
  midden_pool_statistics pool = read_pool(here);
  size_t leases = 0, owned = 0, used = 0;
  for (size_t i = 0; i < MODEL_LEASES; i++) {
    leases += here->leases[i].address != NULL;
    used += here->leases[i].address != NULL ? in_chunks(here->leases[i].size) : 0;
  }
  for (size_t i = 0; i < MODEL_BUFFERS; i++) {
    owned += here->buffers[i].leased;
    used += here->buffers[i].leased ? in_chunks(here->buffers[i].owns.size) : 0;
  }
  if (pool.capacity_bytes != here->pool_capacity || pool.total_bytes != here->pool_total || pool.waiting + pool.held_bytes != 0)
    model_fail(here, "the pool has %zu of %zu bytes, not %zu", pool.capacity_bytes, pool.total_bytes, here->pool_capacity);
  if (pool.leases - pool.owned_leases != leases || pool.owned_leases < owned || pool.used_bytes < used ||
      pool.used_bytes > pool.capacity_bytes || (certain && (pool.owned_leases != owned || pool.used_bytes != used)))
    model_fail(here, "%zu leases, %zu owned, %zu bytes are counted in the pool; held are %zu, %zu, %zu", pool.leases,
               pool.owned_leases, pool.used_bytes, leases + owned, owned, used);
}

void model_check_buffers(model *here, const midden_statistics *statistics, bool certain) {
  size_t owners = 0, bytes = 0;
  for (size_t i = 0; i < MODEL_BUFFERS; i++) {
    const model_buffer *buffer = &here->buffers[i];
    if (!buffer->made) continue;
    if (midden_buffer_address(buffer_at(here, i)) != buffer->owns.bytes) model_fail(here, "the bytes of buffer %zu moved", i);
    model_bytes_check(here, &buffer->owns, "buffer", i);
    if (buffer->owns.bytes == NULL || buffer->leased) continue;
    owners++;
    bytes += midden_block_size(here->mutator, buffer->owns.bytes);
  }
  for (size_t i = 0; i < MODEL_LEASES; i++) model_bytes_check(here, &here->leased[i], "lease", i);
  if (here->pool != NULL && !here->result->failed) check_pool(here, certain);
  if (statistics->pool_bytes != here->pool_capacity) model_fail(here, "%zu bytes of pools are on the account", statistics->pool_bytes);
  if (statistics->buffers < owners || statistics->buffer_bytes < bytes ||
      (certain && (statistics->buffers != owners || statistics->buffer_bytes != bytes)))
    model_fail(here, "%zu buffers of %zu bytes are counted, and %zu of %zu held", statistics->buffers,
               statistics->buffer_bytes, owners, bytes);
}

void model_count_buffers(const model *here, uint64_t *objects, uint64_t *bytes) {
  for (size_t i = 0; i < MODEL_BUFFERS; i++) {
    if (!here->buffers[i].made) continue;
    ++*objects;
    *bytes += midden_size_of(here->heap, (const void *)here->buffer_words[i]);
  }
}
