#ifndef HF_SIM_CONTENT_H
#define HF_SIM_CONTENT_H
/* The content of one simulated file: what reads give now, and what is on the medium. Sparse, in
 * pages; a page of zeros takes no memory. */

#include <stdbool.h>
#include <stdint.h>

enum { SIM_SECTOR_BYTES = 512, SIM_PAGE_BYTES = 4096 };

struct sim_page;

struct sim_content {
    uint64_t now_bytes; /* the file's size */
    uint64_t medium_bytes;
    uint64_t allocated_bytes; /* of the disk's capacity */
    struct sim_page *pages;   /* beyond page_count all is zero */
    uint32_t page_count;
    uint32_t *unsynced; /* pages of which now and medium may differ */
    uint32_t unsynced_count;
    uint32_t unsynced_room;
    uint32_t sync_count; /* under way */
    uint64_t sync_until; /* the latest write that one of them covers */
};

/* How far a write gets. */
enum sim_reach {
    SIM_REACH_NOW,    /* until the next sync */
    SIM_REACH_MEDIUM, /* at once */
    SIM_REACH_LOST,   /* read now, and on the medium never, whatever is synced later */
};

void sim_content_free(struct sim_content *content);

/* Grows the file as needed. `data` is NULL for zeros. */
void sim_content_write(struct sim_content *content, uint64_t offset, const uint8_t *data,
                       uint64_t bytes, enum sim_reach reach);

/* `is_direct`: around the cache, without what a failed write or sync has dropped. */
void sim_content_read(const struct sim_content *content, uint64_t offset, uint8_t *to,
                      uint64_t bytes, bool is_direct);

/* The number of the last write so far, to any content. */
uint64_t sim_content_last_write(void);

/* A sync covers what was written before it began, and that is on the medium when it ends. */
void sim_content_sync_begin(struct sim_content *content);
void sim_content_sync_end(struct sim_content *content, uint64_t last_write, enum sim_reach reach);

/* Which unsynced sectors a loss of power leaves. */
enum sim_survival {
    SIM_SURVIVE_NONE,
    SIM_SURVIVE_ALL,
    SIM_SURVIVE_FEW,
    SIM_SURVIVE_HALF,
    SIM_SURVIVE_MOST,
    SIM_SURVIVE_FIRST, /* those written before some moment */
    SIM_SURVIVE_PAGES, /* whole pages or nothing of them */
    SIM_SURVIVE_COUNT,
};
void sim_content_power_loss(struct sim_content *content, enum sim_survival survival);

void sim_content_flip(struct sim_content *content, uint64_t offset, uint32_t bit);

/* A loss of power would change nothing of it. */
bool sim_content_is_synced(const struct sim_content *content);

/* Direct reads give nothing but zeros. */
bool sim_content_is_zero(const struct sim_content *content);

#endif
