/* Byte buffers for I/O: objects of the heap that own bytes outside the cells.
 *
 * The object is small, of an ordinary kind, and may move; its bytes never do, so that read(2), a decoder, or another
 * thread can use their address while the collector runs. The bytes go when the object is released, or else when a
 * collection finds it dead: whoever works on them keeps the object reachable until he is done, by a root, a handle or
 * midden_pin.
 *
 * The bytes are a raw block (block.h), from the same pages and under the same limit as objects, and are recycled like
 * any; or a lease of a pool (pool.h), whose memory was counted when the pool was opened. Either way they count once.
 * There are no views of a part: two objects that own the same bytes are the host's to make, one of them holding the other.
 *
 * A buffer is known by its kind: midden_kind_id_of(mutator, object) == midden_buffer_kind(heap, NULL).id. All functions:
 * owner thread, not from inside a collection, unless it says otherwise. */
#ifndef MIDDEN_BUFFER_H
#define MIDDEN_BUFFER_H

#include "midden/allocate.h"
#include "midden/pool.h"

MIDDEN_BEGIN_DECLARATIONS

/* The object. The fields are the library's: read them by the inlines below. */
typedef struct midden_buffer {
  midden_lease bytes;
  midden_pool *pool; /* NULL: a block */
} midden_buffer;

/* The kind of all buffers of a heap: a leaf. Defined when it is first asked for or needed. post: as for
 * midden_kind_define. Does not collect. */
MIDDEN_API midden_kind midden_buffer_kind(midden_heap *heap, midden_error *error);

/* A buffer of `size` bytes (0 is taken as 1), content undefined, aligned as a block: to 8, to 16 if size is a multiple of
 * 16, and to 8 KiB above 32 KiB. MAY COLLECT AND MOVE. post: a buffer; or NULL after an emergency collection and the
 * pressure callback, and midden_last_status says why. */
MIDDEN_API midden_buffer *midden_buffer_new(midden_mutator *mutator, size_t size);

/* A buffer whose bytes are a lease of a pool: waits for it as midden_pool_acquire does, with the same answers. If it would
 * have to wait while buffers of this heap have leases of the pool, it collects first: they may be dead. (While the
 * heap's thread waits, nothing is collected: a program that waits for its own garbage would wait for ever. With
 * collect=asked that is up to the host: it collects before it waits without a time-out.)
 * MAY COLLECT AND MOVE. post: MIDDEN_OK and *buffer; or *buffer untouched and a status of midden_pool_acquire, or
 * NO_MEMORY for the object. */
MIDDEN_API midden_status midden_buffer_acquire(midden_mutator *mutator, midden_pool *pool, size_t size, uint64_t timeout_ns,
                                               const char *site, midden_buffer **buffer);

/* Makes a lease, such as one that an I/O thread has filled, a buffer's own. MAY COLLECT AND MOVE. post: a buffer, and
 * *lease is empty; or NULL, *lease is as it was, and midden_last_status says why: BAD_ARGUMENT (no lease of this pool, or
 * it has an owner), NO_MEMORY, MISUSE. */
MIDDEN_API midden_buffer *midden_buffer_adopt(midden_mutator *mutator, midden_pool *pool, midden_lease *lease);

/* Gives the bytes back now; the object stays, with no bytes and size 0. post: MIDDEN_OK, also when it has none any more;
 * BAD_ARGUMENT: not a buffer of this heap; MISUSE. With poison=yes the bytes are filled with MIDDEN_POISON_BUFFER.
 * Does not collect or move. */
MIDDEN_API midden_status midden_buffer_release(midden_mutator *mutator, midden_buffer *buffer);

/* The bytes: the same address until they are released, wherever the object moves; then NULL. pre: a buffer. */
static inline void *midden_buffer_address(const midden_buffer *buffer) { return buffer->bytes.address; }

/* Their number, as asked for; 0 when they are released. pre: a buffer. */
static inline size_t midden_buffer_size(const midden_buffer *buffer) { return buffer->bytes.size; }

MIDDEN_END_DECLARATIONS

#endif
