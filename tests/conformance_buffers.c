/* Byte buffers: the object moves and dies like any, its bytes stay where they are until then and go with it. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

enum { BUFFERS = 300 };

static midden_buffer *buffer_at(const world *here, size_t slot) { return (midden_buffer *)here->slots[slot]; }

static midden_buffer *make_buffer(world *here, size_t slot, size_t size, uint64_t seed) {
  midden_buffer *buffer = midden_buffer_new(here->mutator, size);
  EXPECT(buffer != NULL, "%zu bytes: %s", size, midden_status_name(midden_last_status(here->mutator)));
  EXPECT(midden_buffer_size(buffer) == size, "size of %zu bytes", size);
  leaf_fill(midden_buffer_address(buffer), size, seed);
  here->slots[slot] = (uintptr_t)buffer;
  return buffer;
}

/* The object may be elsewhere, the bytes are where they were. */
START_TEST(bytes_stay) {
  world here;
  world_open(&here, _i, NULL);
  void *addresses[40];
  uintptr_t objects[40];
  for (size_t i = 0; i < 40; i++) addresses[i] = midden_buffer_address(make_buffer(&here, i, i == 7 ? 70000 : 64 + i * 50, i));
  size_t moved = 0;
  for (int round = 0; round < 5; round++) {
    world_churn(&here, 100);
    for (size_t i = 0; i < 40; i++) objects[i] = ~here.slots[i]; /* no reference */
    stack_wipe();
    world_collect(&here);
    for (size_t i = 0; i < 40; i++) {
      EXPECT(midden_buffer_address(buffer_at(&here, i)) == addresses[i], "buffer %zu has other bytes", i);
      EXPECT_LEAF(addresses[i], i == 7 ? 70000 : 64 + i * 50, i);
      moved += here.slots[i] != ~objects[i];
    }
  }
  if (here.combination->moves == MOVES_ALWAYS && here.combination->stack == MIDDEN_STACK_PRECISE) ck_assert_uint_gt(moved, 0);
  world_close(&here);
}
END_TEST

/* What nobody reaches gives its bytes back, in minor collections too; exactly so with precise roots. */
START_TEST(the_dead_give_back) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < BUFFERS; i++) make_buffer(&here, i, 16 + i * 7, i);
  midden_statistics full = world_statistics(&here);
  ck_assert_uint_eq(full.buffers, BUFFERS);
  ck_assert_uint_eq(full.buffer_bytes, full.block_bytes);
  for (size_t i = 0; i < BUFFERS; i++)
    if (i % 3) here.slots[i] = 0;
  midden_collect(here.mutator, here.combination->generational ? MIDDEN_MINOR : MIDDEN_FULL);
  if (here.combination->stress == MIDDEN_STRESS_OFF) ck_assert_uint_eq(world_statistics(&here).buffers, BUFFERS / 3);
  world_collect(&here);
  midden_statistics rest = world_statistics(&here);
  ck_assert_uint_eq(rest.buffers, BUFFERS / 3);
  ck_assert_uint_eq(rest.blocks, BUFFERS / 3);
  size_t bytes = 0;
  for (size_t i = 0; i < BUFFERS; i += 3) {
    bytes += midden_good_size(16 + i * 7);
    EXPECT_LEAF(midden_buffer_address(buffer_at(&here, i)), 16 + i * 7, i);
  }
  ck_assert_uint_eq(rest.buffer_bytes, bytes);
  world_close(&here);
}
END_TEST

static void check_accounts(world *here, const size_t *sizes) {
  midden_statistics statistics = world_statistics(here);
  size_t bytes = 0, owners = 0;
  for (size_t i = 0; i < BUFFERS; i++) {
    bytes += sizes[i] ? midden_good_size(sizes[i]) : 0;
    owners += sizes[i] > 0;
  }
  EXPECT(statistics.buffers >= owners && statistics.buffer_bytes >= bytes, "fewer buffers than are held");
  EXPECT(statistics.buffers == statistics.blocks && statistics.buffer_bytes == statistics.block_bytes, "blocks differ");
  EXPECT(statistics.external_bytes == 0, "counted twice");
  EXPECT(statistics.span_bytes >= statistics.block_span_bytes, "spans");
}

/* Made, released, dropped at random, against what each should hold. */
START_TEST(buffers_at_random) {
  world here;
  uint64_t random = 23;
  size_t sizes[BUFFERS] = {0};
  uint64_t seeds[BUFFERS] = {0};
  world_open(&here, _i, "heap-initial=256K");
  size_t steps = world_count(&here, 20000, combination_at(_i)->stress_value == 1 ? 600 : 3000);
  for (size_t step = 0; step < steps; step++) {
    size_t i = test_random_below(&random, BUFFERS);
    midden_buffer *buffer = buffer_at(&here, i);
    if (sizes[i]) EXPECT_LEAF(midden_buffer_address(buffer), sizes[i], seeds[i]);
    if (buffer != NULL && test_random_below(&random, 2)) {
      EXPECT(midden_buffer_release(here.mutator, buffer) == MIDDEN_OK, "release");
      EXPECT(midden_buffer_address(buffer) == NULL && midden_buffer_size(buffer) == 0, "released and not empty");
      sizes[i] = 0;
    } else {
      sizes[i] = test_random_below(&random, 40) ? 1 + test_random_below(&random, 3000) : 33000 + test_random_below(&random, 60000);
      seeds[i] = test_random(&random);
      make_buffer(&here, i, sizes[i], seeds[i]);
    }
    if (step % 700 == 0) midden_collect(here.mutator, step % 1400 ? MIDDEN_FULL : MIDDEN_MINOR);
    if (step % 20 == 0) check_accounts(&here, sizes);
  }
  world_verify(&here);
  for (size_t i = 0; i < BUFFERS; i++) {
    EXPECT(!sizes[i] || leaf_is(midden_buffer_address(buffer_at(&here, i)), sizes[i], seeds[i]), "buffer %zu", i);
    here.slots[i] = 0;
  }
  stack_wipe();
  world_collect(&here);
  if (here.combination->collects && here.combination->stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).blocks, 0);
  world_close(&here);
}
END_TEST

/* Dead buffers make way for new ones, many times over the limit; living ones do not, until they are released. */
START_TEST(the_limit_of_buffers) {
  world here;
  world_open(&here, _i, "heap-limit=2M,heap-initial=64K,verify=off");
  for (size_t i = 0; i < 2000; i++) {
    EXPECT(midden_buffer_new(here.mutator, 20000) != NULL, "garbage was in the way of buffer %zu", i);
    size_t spans = world_statistics(&here).span_bytes;
    EXPECT(spans <= 2 << 20, "%zu bytes", spans);
  }
  size_t count = 0;
  midden_buffer *buffer;
  while ((buffer = midden_buffer_new(here.mutator, 20000)) != NULL) here.slots[count++] = (uintptr_t)buffer;
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  ck_assert_uint_ge(count, 70);
  ck_assert_ptr_null(midden_buffer_new(here.mutator, SIZE_MAX));
  ck_assert_ptr_null(midden_buffer_new(here.mutator, (size_t)3 << 20));
  size_t held = world_statistics(&here).buffers;
  ck_assert_uint_ge(held, count);
  for (size_t i = 0; i < count; i += 2) ck_assert_int_eq(midden_buffer_release(here.mutator, buffer_at(&here, i)), MIDDEN_OK);
  for (size_t i = 0; i < count; i += 2) make_buffer(&here, i, 20000, i);
  world_close(&here);
}
END_TEST

/* The bytes fit and the object does not: they go back. */
START_TEST(no_room_for_the_object) {
  world here;
  world_open(&here, _i, "heap-limit=512K,heap-initial=64K,verify=off");
  ck_assert_uint_ne(midden_buffer_kind(here.heap, NULL).id, 0);
  void *blocks[100];
  size_t count = 0;
  while ((blocks[count] = midden_block_alloc(here.mutator, 8192)) != NULL) count++;
  ck_assert_int_eq(midden_block_free(here.mutator, blocks[--count]), MIDDEN_OK); /* one block waits, no page is free */
  ck_assert_ptr_null(midden_buffer_new(here.mutator, 8192));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  ck_assert_uint_eq(world_statistics(&here).blocks, count);
  ck_assert_uint_eq(world_statistics(&here).buffers + world_statistics(&here).buffer_bytes, 0);
  world_close(&here);
}
END_TEST

/* Buffers pace the collector although their objects are small. */
START_TEST(buffers_pace) {
  world here;
  world_open(&here, _i, "heap-initial=1M,heap-limit=256M,verify=off");
  for (size_t i = 0; i < 5000; i++) ck_assert_ptr_nonnull(midden_buffer_new(here.mutator, 10000));
  ck_assert_uint_ge(world_statistics(&here).collections, 2); /* 200 KB of objects, 50 MB of bytes */
  ck_assert_uint_le(world_statistics(&here).peak_committed_bytes, 16 << 20);
  world_close(&here);
}
END_TEST

START_TEST(releasing) {
  world here;
  world_open(&here, _i, NULL);
  midden_buffer *buffer = make_buffer(&here, 0, 800, 1);
  uintptr_t *words = midden_buffer_address(buffer);
  ck_assert_uint_eq(midden_kind_id_of(here.mutator, buffer), midden_buffer_kind(here.heap, NULL).id);
  ck_assert_str_eq(midden_kind_name(here.heap, midden_buffer_kind(here.heap, NULL).id), "buffer");
  ck_assert_int_eq(midden_buffer_release(here.mutator, buffer), MIDDEN_OK);
  ck_assert_uint_eq(freed_word((uintptr_t)(words + 10)), MIDDEN_POISON_BUFFER);
  ck_assert_uint_eq(world_statistics(&here).buffers + world_statistics(&here).buffer_bytes, 0);
  midden_buffer *other = make_buffer(&here, 1, 800, 2);
  ck_assert_int_eq(midden_buffer_release(here.mutator, buffer_at(&here, 0)), MIDDEN_OK); /* again: not the other's */
  ck_assert_uint_eq(world_statistics(&here).buffers, 1);
  EXPECT_LEAF(midden_buffer_address(buffer_at(&here, 1)), 800, 2);
  (void)other;
  midden_buffer *empty = midden_buffer_new(here.mutator, 0);
  ck_assert_ptr_nonnull(midden_buffer_address(empty));
  ck_assert_uint_eq(midden_buffer_size(empty), 1);
  world_close(&here); /* what is left goes with the heap */
}
END_TEST

START_TEST(no_buffers) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_pair(&here);
  ck_assert_int_eq(midden_buffer_release(here.mutator, (void *)here.slots[0]), MIDDEN_BAD_ARGUMENT);
  make_buffer(&here, 1, 100, 1);
  ck_assert_int_eq(midden_buffer_release(here.mutator, (void *)here.slots[0]), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_buffer_release(here.mutator, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_buffer_release(here.mutator, (void *)(here.slots[1] + 8)), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_buffer_release(here.mutator, midden_buffer_address(buffer_at(&here, 1))), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_buffer_release(NULL, buffer_at(&here, 1)), MIDDEN_MISUSE);
  ck_assert_ptr_null(midden_buffer_new(NULL, 10));
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_uint_eq(midden_buffer_kind(NULL, &error).id, 0);
  ck_assert_int_eq(error.status, MIDDEN_MISUSE);
  world_close(&here);
}
END_TEST

/* ---- bytes in use by another thread while the collector runs ---- */

enum { STREAM = 200000 };

struct reading {
  int pipe_end;
  unsigned char *bytes;
  size_t done;
};

static void *read_all(void *context) {
  struct reading *reading = context;
  while (reading->done < STREAM) {
    ssize_t got = read(reading->pipe_end, reading->bytes + reading->done, STREAM - reading->done);
    if (got <= 0) break;
    reading->done += (size_t)got;
  }
  return NULL;
}

START_TEST(io_while_collecting) {
  world here;
  world_open(&here, _i, NULL);
  int ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  make_buffer(&here, 0, STREAM, 0);
  make_buffer(&here, 1, 1000, 5);
  struct reading reading = {ends[0], midden_buffer_address(buffer_at(&here, 0)), 0};
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, read_all, &reading), 0);
  for (size_t sent = 0; sent < STREAM; sent += 1000) {
    ck_assert_int_eq(write(ends[1], midden_buffer_address(buffer_at(&here, 1)), 1000), 1000);
    world_pair(&here);
    if (sent % 20000 == 0) world_collect(&here);
  }
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_uint_eq(reading.done, STREAM);
  unsigned char *bytes = midden_buffer_address(buffer_at(&here, 0));
  for (size_t at = 0; at < STREAM; at += 1000) EXPECT_LEAF(bytes + at, 1000, 5);
  close(ends[0]), close(ends[1]);
  world_close(&here);
}
END_TEST

/* ---- buffers with leases of a pool ---- */

static char collected_line[512];
static size_t collected_lines;
static void note_line(void *context, const char *line) {
  (void)context;
  if (strstr(line, "a collection gave them back") == NULL) return;
  collected_lines++;
  strncpy(collected_line, line, sizeof collected_line - 1);
}

static midden_pool *open_pool(world *here, size_t total) {
  midden_pool *pool = NULL;
  midden_error error = {MIDDEN_OK, ""};
  midden_pool_options options = {.total_bytes = total, .name = "sockets", .report_collected = true};
  EXPECT(midden_pool_open(here->mutator, &options, &pool, &error) == MIDDEN_OK, "%s", error.message);
  return pool;
}

static midden_pool_statistics read_pool(midden_pool *pool) {
  midden_pool_statistics statistics;
  EXPECT(midden_pool_statistics_read(pool, &statistics) == MIDDEN_OK, "statistics");
  return statistics;
}

START_TEST(adopted_leases) {
  world here;
  world_open(&here, _i, NULL);
  midden_pool *pool = open_pool(&here, 16384);
  ck_assert_uint_eq(world_statistics(&here).pool_bytes, 16384);
  ck_assert_uint_eq(world_statistics(&here).external_bytes, 16384); /* once, lent or not */
  midden_lease lease, copy;
  ck_assert_int_eq(midden_pool_acquire(pool, 5000, MIDDEN_AT_ONCE, MIDDEN_HERE, &lease), MIDDEN_OK);
  leaf_fill(lease.address, 5000, 3);
  copy = lease;
  here.slots[0] = (uintptr_t)midden_buffer_adopt(here.mutator, pool, &lease);
  ck_assert_ptr_nonnull(buffer_at(&here, 0));
  ck_assert_ptr_null(lease.address);
  ck_assert_int_eq(midden_pool_release(pool, &copy), MIDDEN_BAD_ARGUMENT); /* the buffer owns it */
  ck_assert_ptr_null(midden_buffer_adopt(here.mutator, pool, &copy));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_BAD_ARGUMENT);
  ck_assert_ptr_null(midden_buffer_adopt(here.mutator, pool, &lease));
  world_collect(&here);
  EXPECT_LEAF(midden_buffer_address(buffer_at(&here, 0)), 5000, 3);
  ck_assert_uint_eq(midden_buffer_size(buffer_at(&here, 0)), 5000);
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_IN_USE);
  EXPECT_LEAF(midden_buffer_address(buffer_at(&here, 0)), 5000, 3);
  ck_assert_uint_eq(read_pool(pool).owned_leases, 1);
  ck_assert_int_eq(midden_buffer_release(here.mutator, buffer_at(&here, 0)), MIDDEN_OK);
  ck_assert_uint_eq(read_pool(pool).leases + read_pool(pool).owned_leases, 0);
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_OK);
  ck_assert_uint_eq(world_statistics(&here).pool_bytes + world_statistics(&here).external_bytes, 0);
  world_close(&here);
}
END_TEST

/* Dead owners give back, the report names where it was acquired, and whoever waits for garbage gets it. */
START_TEST(dead_owners_give_back) {
  world here;
  midden_config config = combination_config(_i);
  config.report = note_line;
  collected_lines = 0;
  world_open_config(&here, _i, &config);
  midden_pool *pool = open_pool(&here, 32768);
  midden_buffer *buffer = NULL;
  for (size_t i = 0; i < 40; i++) { /* five times what there is; none is released */
    ck_assert_int_eq(midden_buffer_acquire(here.mutator, pool, 4096, MIDDEN_FOREVER, "socket.scm:7", &buffer), MIDDEN_OK);
    memset(midden_buffer_address(buffer), 1, 4096);
  }
  buffer = NULL;
  midden_pool_statistics statistics = read_pool(pool);
  ck_assert_uint_eq(statistics.acquisitions, 40);
  ck_assert_uint_ge(statistics.collected, 32);
  ck_assert_uint_eq(statistics.waits, 0);
  ck_assert_uint_eq(collected_lines, statistics.collected);
  ck_assert_str_eq(collected_line, "midden: pool sockets: 4096 bytes, acquired at socket.scm:7, were not released: a collection gave them back");
  stack_wipe();
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_OK); /* finds the last ones dead */
  world_close(&here);
}
END_TEST

/* A pool, leases and buffers that are left when the heap is closed. */
START_TEST(the_heap_is_closed) {
  world here;
  world_open(&here, _i, NULL);
  midden_pool *pool = open_pool(&here, 32768);
  midden_pool *second = open_pool(&here, 4096);
  midden_lease lease;
  midden_buffer *buffer;
  ck_assert_int_eq(midden_pool_acquire(second, 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &lease), MIDDEN_OK);
  ck_assert_int_eq(midden_buffer_acquire(here.mutator, pool, 9000, MIDDEN_AT_ONCE, MIDDEN_HERE, &buffer), MIDDEN_OK);
  here.slots[0] = (uintptr_t)buffer;
  make_buffer(&here, 1, 3000, 1);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {bytes_stay, ANYWHERE},
      {the_dead_give_back, COLLECTING | PRECISE | CALM},
      {buffers_at_random, ANYWHERE},
      {the_limit_of_buffers, COLLECTING | CALM},
      {no_room_for_the_object, CALM},
      {buffers_pace, COLLECTING | CALM},
      {releasing, ANYWHERE},
      {no_buffers, ANYWHERE},
      {io_while_collecting, MILD},
      {adopted_leases, ANYWHERE},
      {dead_owners_give_back, COLLECTING | PRECISE},
      {the_heap_is_closed, ANYWHERE},
  };
  return run_combinations("buffers", tests, COUNT_OF(tests));
}
