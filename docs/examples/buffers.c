/* Bytes for I/O: the code of docs/running.md on buffers and pools, run by a test.
 *
 * usage: buffers [OPTIONS] */
#include <midden/midden.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_buffer *input; /* a root */
  int ends[2];          /* of a pipe */
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "buffers: %s\n", what);
  exit(1);
}

static void open_host(struct host *host, const char *options) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  require(midden_config_parse(&config, options, &error) == MIDDEN_OK, error.message);
  require(midden_heap_open(&config, &host->heap, &error) == MIDDEN_OK, error.message);
  host->mutator = midden_attach(host->heap, NULL, &error);
  require(host->mutator != NULL, error.message);
  require(midden_root_add(host->heap, &host->input) == MIDDEN_OK, "root");
  require(pipe(host->ends) == 0, "pipe");
}

/* ---- buffers ---- */

static ssize_t read_some(struct host *host) {
  host->input = midden_buffer_new(host->mutator, 4000); /* may collect */
  require(host->input != NULL, "out of memory");
  return read(host->ends[0], midden_buffer_address(host->input), midden_buffer_size(host->input));
}

static void buffers(struct host *host) {
  require(write(host->ends[1], "kept", 5) == 5 && read_some(host) == 5, "pipe");
  char *bytes = midden_buffer_address(host->input);
  midden_collect(host->mutator, MIDDEN_FULL); /* the object may move, the bytes do not */
  require(midden_buffer_address(host->input) == bytes && strcmp(bytes, "kept") == 0, "moved");

  midden_buffer_release(host->mutator, host->input); /* or a collection does it, some time */
  require(midden_buffer_address(host->input) == NULL, "released");
}

/* ---- a pool ---- */

struct server {
  midden_pool *pool;
  int input;
  midden_lease ready; /* filled, for the interpreter */
};

/* A thread of the server: it knows the pool, and no heap. */
static void *read_requests(void *context) {
  struct server *server = context;
  midden_lease lease;
  while (midden_pool_acquire(server->pool, 4000, MIDDEN_FOREVER, MIDDEN_HERE, &lease) == MIDDEN_OK) {
    ssize_t got = read(server->input, lease.address, lease.size);
    if (got > 0) {
      server->ready = lease;
      break;
    }
    midden_pool_release(server->pool, &lease);
  }
  return NULL;
}

/* The pool is used up: whoever waits is told in time, and what could never fit at once. */
static void answers(midden_pool *pool) {
  midden_lease all, more;
  require(midden_pool_acquire(pool, 16 << 10, MIDDEN_FOREVER, MIDDEN_HERE, &all) == MIDDEN_OK, "acquire");
  uint64_t millisecond = 1000000;
  midden_status late = midden_pool_acquire(pool, 100, 5 * millisecond, MIDDEN_HERE, &more);
  midden_status never = midden_pool_acquire(pool, 1 << 20, MIDDEN_FOREVER, MIDDEN_HERE, &more);
  require(late == MIDDEN_TIMED_OUT && never == MIDDEN_LIMIT, "answers");
  midden_pool_release(pool, &all);
}

static void pools(struct host *host) {
  midden_pool *pool;
  midden_error error;
  midden_pool_options options = {.total_bytes = 16 << 10, .name = "requests"};
  require(midden_pool_open(host->mutator, &options, &pool, &error) == MIDDEN_OK, "pool");
  answers(pool);

  struct server server = {.pool = pool, .input = host->ends[0]};
  pthread_t thread;
  require(pthread_create(&thread, NULL, read_requests, &server) == 0, "thread");
  require(write(host->ends[1], "GET", 4) == 4, "pipe");
  pthread_join(thread, NULL);

  /* What the thread has read becomes an object of the heap, without a copy. */
  host->input = midden_buffer_adopt(host->mutator, pool, &server.ready);
  require(host->input && strcmp(midden_buffer_address(host->input), "GET") == 0, "adopt");
  midden_buffer_release(host->mutator, host->input);

  midden_pool_shut(pool); /* threads that wait are woken; join them, and then */
  if (midden_pool_close(host->mutator, pool) == MIDDEN_IN_USE) fprintf(stderr, "leases are out, see the report\n");
}

int main(int argc, char **argv) {
  struct host host = {0};
  open_host(&host, argc > 1 ? argv[1] : "");
  buffers(&host);
  pools(&host);
  require(midden_heap_close(host.heap) == MIDDEN_OK, "close");
  return 0;
}
