#ifndef HF_STOCK_SLAB_H
#define HF_STOCK_SLAB_H
/* Private to the room: entries of one size under 32-bit slot numbers. The slot that comes next is
 * known before it is taken. Released entries are zeroed but for their first four bytes, which hold
 * the free list, and come back last-in first-out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab {
    void *memory; /* the entries, one behind the other */
    size_t entry_bytes;
    uint32_t slot_count;
    uint32_t touched_count; /* slots 0 .. touched_count - 1 were taken at least once */
    uint32_t used_count;
    uint32_t free_head; /* slot + 1; 0 = none */
};

/* Returns 0, or -1 when memory is refused. */
int slab_init(struct slab *slab, size_t entry_bytes, uint32_t slot_count);
void slab_deinit(struct slab *slab);

/* Takes the memory of these slots from the system before they are used; at least one. Returns how
 * many bytes that is. */
uint64_t slab_touch(const struct slab *slab, uint32_t first_slot, uint32_t slot_count);

static inline void *slab_at(const struct slab *slab, uint32_t slot)
{
    return (uint8_t *)slab->memory + slot * slab->entry_bytes;
}

static inline bool slab_is_full(const struct slab *slab)
{
    return slab->used_count == slab->slot_count;
}

/* The slot that slab_take() will return; the slab is not full. */
static inline uint32_t slab_next(const struct slab *slab)
{
    return slab->free_head != 0 ? slab->free_head - 1 : slab->touched_count;
}

/* Takes a slot, whose entry is all zeros. */
uint32_t slab_take(struct slab *slab);
void slab_release(struct slab *slab, uint32_t slot);

#endif
