/* What the heap's debugging tools are told of the interpreter: names of slots and roots, how objects are shown in
 * snapshots, and the Scheme calls that an allocation is made in. */
#ifndef SCHEME_INSPECT_H
#define SCHEME_INSPECT_H

#include "heap.h"

/* Names the kinds' slots and the roots, and tells the profile about calls. pre: kinds and roots are there. false: no
 * memory. */
bool inspect_open(struct vm *vm);

/* Fills the label of an object for a snapshot: midden_label_function, with the vm as its context. */
void inspect_label(void *vm, const void *object, size_t size, uint16_t kind_id, midden_label *label);

/* Writes a snapshot of the heap. post: as midden_snapshot_file. */
midden_status inspect_snapshot(struct vm *vm, const char *path, midden_error *error);

#endif
