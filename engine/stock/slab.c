#include "stock/slab.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

int slab_init(struct slab *slab, size_t entry_bytes, uint32_t slot_count)
{
    memset(slab, 0, sizeof *slab);
    slab->entry_bytes = entry_bytes;
    slab->slot_count = slot_count;
    slab->memory = memory_map(entry_bytes * slot_count);
    return slab->memory == NULL ? -1 : 0;
}

void slab_deinit(struct slab *slab)
{
    memory_unmap(slab->memory, slab->entry_bytes * slab->slot_count);
    slab->memory = NULL;
}

uint64_t slab_touch(const struct slab *slab, uint32_t first_slot, uint32_t slot_count)
{
    hf_assert(slot_count <= slab->slot_count - first_slot);
    size_t bytes = slot_count * slab->entry_bytes;
    memory_touch(slab_at(slab, first_slot), bytes);
    return bytes;
}

uint32_t slab_take(struct slab *slab)
{
    hf_assert(!slab_is_full(slab));
    uint32_t slot = slab_next(slab);
    uint8_t *entry = slab_at(slab, slot);
    if (slab->free_head != 0) {
        memcpy(&slab->free_head, entry, sizeof slab->free_head);
        memset(entry, 0, sizeof slab->free_head);
    } else {
        slab->touched_count++;
    }
    slab->used_count++;
    return slot;
}

void slab_release(struct slab *slab, uint32_t slot)
{
    hf_assert(slot < slab->touched_count);
    uint8_t *entry = slab_at(slab, slot);
    memset(entry, 0, slab->entry_bytes);
    memcpy(entry, &slab->free_head, sizeof slab->free_head);
    slab->free_head = slot + 1;
    slab->used_count--;
}
