#ifndef HF_BASE_MEMORY_H
#define HF_BASE_MEMORY_H
/* Memory for tables and buffers, mapped once at start. Address space is reserved then; pages are
 * taken from the system as they are first touched, as huge pages where the system gives them. */

#include <stddef.h>

/* Returns zeroed memory aligned to at least 4096 bytes, or NULL when the system refuses.
 * `bytes` is at least 1. */
void *memory_map(size_t bytes);

/* The same for a table that will soon be used all over: all pages are taken now, so that nobody
 * waits for them later (in a virtual machine each huge page costs a fraction of a millisecond). */
void *memory_map_touched(size_t bytes);

/* The same for memory of which scattered parts are used: never taken as huge pages, so that
 * touching a byte costs a small page. */
void *memory_map_sparse(size_t bytes);

/* Takes the pages now that hold these bytes of mapped memory, and leaves what is in them. May run
 * beside whoever uses the memory. Without it, or before Linux 5.14, they are taken as they are
 * touched. `bytes` is at least 1. */
void memory_touch(void *memory, size_t bytes);

/* Gives the pages back to the system; the addresses stay, and read as zero. `memory` and `bytes`
 * are multiples of 4096. */
void memory_forget(void *memory, size_t bytes);

/* Gives back what memory_map() or memory_map_sparse() returned for the same `bytes`. NULL is
 * allowed. */
void memory_unmap(void *memory, size_t bytes);

#endif
