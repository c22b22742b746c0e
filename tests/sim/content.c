/* A page has a buffer for its content now and one for the medium. They are one and the same buffer
 * while the page is clean, and NULL stands for zeros. For each sector that differs, or may, a bit
 * says whether the next sync will write it (unsynced) or a failed one has dropped it (lost). */

#include "content.h"

#include "base/assert.h"
#include "private.h"
#include "world.h"

#include <string.h>

enum { SECTORS_PER_PAGE = SIM_PAGE_BYTES / SIM_SECTOR_BYTES };

struct sim_page {
    uint8_t *now;
    uint8_t *medium;
    uint64_t written; /* number of the last write */
    uint8_t unsynced; /* a bit per sector */
    uint8_t lost;
    bool is_listed; /* among the content's unsynced */
};

static const uint8_t zeros[SIM_PAGE_BYTES];
static uint64_t write_count;

/* ---- buffers ---- */

static bool is_zero(const uint8_t *data, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += SIM_PAGE_BYTES) {
        uint64_t left = bytes - at;
        if (memcmp(data + at, zeros, left < SIM_PAGE_BYTES ? left : SIM_PAGE_BYTES) != 0)
            return false;
    }
    return true;
}

static const uint8_t *read_only(const uint8_t *buffer)
{
    return buffer == NULL ? zeros : buffer;
}

static void drop_now(struct sim_page *page)
{
    if (page->now != page->medium)
        sim_free(page->now);
    page->now = NULL;
}

static uint8_t *copy_of(const uint8_t *buffer)
{
    uint8_t *copy = sim_alloc(SIM_PAGE_BYTES);
    if (buffer != NULL)
        memcpy(copy, buffer, SIM_PAGE_BYTES);
    return copy;
}

/* The medium gets these sectors as they are now. */
static void write_back(struct sim_page *page, uint8_t sectors)
{
    page->unsynced &= (uint8_t)~sectors;
    page->lost &= (uint8_t)~sectors;
    if (page->now == page->medium)
        return;
    if (page->unsynced == 0 && page->lost == 0) {
        sim_free(page->medium);
        page->medium = page->now;
        return;
    }
    if (page->medium == NULL)
        page->medium = copy_of(NULL);
    for (uint32_t i = 0; i < SECTORS_PER_PAGE; i++)
        if (sectors & 1u << i)
            memcpy(page->medium + i * SIM_SECTOR_BYTES, read_only(page->now) + i * SIM_SECTOR_BYTES,
                   SIM_SECTOR_BYTES);
}

/* ---- writing ---- */

static struct sim_page *page_at(struct sim_content *content, uint64_t page_index)
{
    if (page_index >= content->page_count) {
        uint32_t count = content->page_count == 0 ? 4 : content->page_count;
        while (count <= page_index)
            count *= 2;
        content->pages = sim_grow(content->pages, count * sizeof *content->pages);
        memset(content->pages + content->page_count, 0,
               (count - content->page_count) * sizeof *content->pages);
        content->page_count = count;
    }
    return &content->pages[page_index];
}

static void list_unsynced(struct sim_content *content, struct sim_page *page)
{
    if (page->is_listed)
        return;
    page->is_listed = true;
    content->unsynced = sim_array_room(content->unsynced, sizeof *content->unsynced,
                                       content->unsynced_count, &content->unsynced_room);
    content->unsynced[content->unsynced_count++] = (uint32_t)(page - content->pages);
}

static uint8_t sectors_of(uint32_t from, uint32_t bytes)
{
    uint32_t first = from / SIM_SECTOR_BYTES;
    uint32_t end = (from + bytes + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES;
    return (uint8_t)((1u << end) - (1u << first));
}

static void write_page(struct sim_content *content, uint64_t page_index, uint32_t from,
                       const uint8_t *data, uint32_t bytes, enum sim_reach reach)
{
    bool is_data_zero = data == NULL || is_zero(data, bytes);
    if (is_data_zero &&
        (page_index >= content->page_count ||
         (content->pages[page_index].now == NULL && content->pages[page_index].medium == NULL)))
        return;
    struct sim_page *page = page_at(content, page_index);
    uint8_t sectors = sectors_of(from, bytes);
    /* A sync under way covers what is overwritten here: it may have been there already. */
    if (page->unsynced != 0 && page->written <= content->sync_until)
        write_back(page, page->unsynced);

    if (is_data_zero && bytes == SIM_PAGE_BYTES) {
        drop_now(page);
    } else {
        if (page->now == page->medium)
            page->now = copy_of(page->medium);
        else if (page->now == NULL)
            page->now = copy_of(NULL);
        if (is_data_zero)
            memset(page->now + from, 0, bytes);
        else
            memcpy(page->now + from, data, bytes);
    }
    page->written = ++write_count;
    page->unsynced &= (uint8_t)~sectors;
    page->lost &= (uint8_t)~sectors;
    if (reach == SIM_REACH_MEDIUM) {
        write_back(page, sectors);
        return;
    }
    if (reach == SIM_REACH_NOW)
        page->unsynced |= sectors;
    else
        page->lost |= sectors;
    list_unsynced(content, page);
}

void sim_content_write(struct sim_content *content, uint64_t offset, const uint8_t *data,
                       uint64_t bytes, enum sim_reach reach)
{
    for (uint64_t done = 0; done < bytes;) {
        uint32_t from = (uint32_t)((offset + done) % SIM_PAGE_BYTES);
        uint64_t left = bytes - done;
        uint32_t part = SIM_PAGE_BYTES - from;
        if (left < part)
            part = (uint32_t)left;
        write_page(content, (offset + done) / SIM_PAGE_BYTES, from,
                   data == NULL ? NULL : data + done, part, reach);
        done += part;
    }
    if (offset + bytes > content->now_bytes)
        content->now_bytes = offset + bytes;
    if (reach == SIM_REACH_MEDIUM && offset + bytes > content->medium_bytes)
        content->medium_bytes = offset + bytes;
}

void sim_content_flip(struct sim_content *content, uint64_t offset, uint32_t bit)
{
    hf_assert(offset < content->now_bytes);
    hf_assert(bit < 8);
    struct sim_page *page = page_at(content, offset / SIM_PAGE_BYTES);
    bool is_clean = page->now == page->medium;
    if (page->now == NULL)
        page->now = copy_of(NULL);
    if (is_clean)
        page->medium = page->now;
    else if (page->medium == NULL)
        page->medium = copy_of(NULL);
    page->now[offset % SIM_PAGE_BYTES] ^= (uint8_t)(1u << bit);
    if (!is_clean)
        page->medium[offset % SIM_PAGE_BYTES] ^= (uint8_t)(1u << bit);
}

/* ---- reading ---- */

static const struct sim_page *page_to_read(const struct sim_content *content, uint64_t page_index)
{
    return page_index < content->page_count ? &content->pages[page_index] : NULL;
}

/* The page's content, which may be put together in `merged`. */
static const uint8_t *content_of(const struct sim_page *page, bool is_direct, uint8_t *merged)
{
    if (page == NULL)
        return zeros;
    if (!is_direct || page->lost == 0)
        return read_only(page->now);
    memcpy(merged, read_only(page->now), SIM_PAGE_BYTES);
    for (uint32_t i = 0; i < SECTORS_PER_PAGE; i++)
        if (page->lost & 1u << i)
            memcpy(merged + i * SIM_SECTOR_BYTES, read_only(page->medium) + i * SIM_SECTOR_BYTES,
                   SIM_SECTOR_BYTES);
    return merged;
}

void sim_content_read(const struct sim_content *content, uint64_t offset, uint8_t *to,
                      uint64_t bytes, bool is_direct)
{
    uint8_t merged[SIM_PAGE_BYTES];
    for (uint64_t done = 0; done < bytes;) {
        uint64_t page_index = (offset + done) / SIM_PAGE_BYTES;
        uint32_t from = (uint32_t)((offset + done) % SIM_PAGE_BYTES);
        uint64_t left = bytes - done;
        uint32_t part = SIM_PAGE_BYTES - from;
        if (left < part)
            part = (uint32_t)left;
        const struct sim_page *page = page_to_read(content, page_index);
        memcpy(to + done, content_of(page, is_direct, merged) + from, part);
        done += part;
    }
}

bool sim_content_is_zero(const struct sim_content *content)
{
    uint8_t merged[SIM_PAGE_BYTES];
    for (uint32_t i = 0; i < content->page_count; i++)
        if (!is_zero(content_of(&content->pages[i], true, merged), SIM_PAGE_BYTES))
            return false;
    return true;
}

/* ---- syncing ---- */

bool sim_content_is_synced(const struct sim_content *content)
{
    for (uint32_t i = 0; i < content->unsynced_count; i++) {
        const struct sim_page *page = &content->pages[content->unsynced[i]];
        if (page->unsynced != 0 || page->lost != 0)
            return false;
    }
    return content->now_bytes == content->medium_bytes;
}

uint64_t sim_content_last_write(void)
{
    return write_count;
}

void sim_content_sync_begin(struct sim_content *content)
{
    content->sync_count++;
    content->sync_until = write_count;
}

void sim_content_sync_end(struct sim_content *content, uint64_t last_write, enum sim_reach reach)
{
    uint32_t kept_count = 0;
    hf_assert(content->sync_count > 0);
    if (--content->sync_count == 0)
        content->sync_until = 0;
    if (reach == SIM_REACH_NOW) /* it failed, and will be made by the next one */
        return;
    for (uint32_t i = 0; i < content->unsynced_count; i++) {
        struct sim_page *page = &content->pages[content->unsynced[i]];
        if (page->unsynced != 0 && page->written <= last_write) {
            if (reach == SIM_REACH_MEDIUM) {
                write_back(page, page->unsynced);
            } else {
                page->lost |= page->unsynced;
                page->unsynced = 0;
            }
        }
        page->is_listed = page->unsynced != 0 || page->lost != 0;
        if (page->is_listed)
            content->unsynced[kept_count++] = content->unsynced[i];
    }
    content->unsynced_count = kept_count;
    if (reach == SIM_REACH_MEDIUM)
        content->medium_bytes = content->now_bytes;
}

/* ---- losing power ---- */

static uint8_t surviving_sectors(const struct sim_page *page, enum sim_survival survival,
                                 uint64_t survives_until)
{
    static const uint32_t permille[SIM_SURVIVE_COUNT] = {
        [SIM_SURVIVE_FEW] = 100,
        [SIM_SURVIVE_HALF] = 500,
        [SIM_SURVIVE_MOST] = 900,
    };
    switch (survival) {
    case SIM_SURVIVE_NONE:
        return 0;
    case SIM_SURVIVE_ALL:
        return page->unsynced;
    case SIM_SURVIVE_FIRST:
        return page->written <= survives_until ? page->unsynced : 0;
    case SIM_SURVIVE_PAGES:
        return sim_happens(SIM_CHANCE_DISK, 500) ? page->unsynced : 0;
    default:
        break;
    }
    uint8_t sectors = 0;
    for (uint32_t i = 0; i < SECTORS_PER_PAGE; i++)
        if (sim_happens(SIM_CHANCE_DISK, permille[survival]))
            sectors |= (uint8_t)(1u << i);
    return sectors & page->unsynced;
}

static uint64_t surviving_size(const struct sim_content *content, enum sim_survival survival)
{
    if (survival == SIM_SURVIVE_NONE || content->now_bytes == content->medium_bytes)
        return content->medium_bytes;
    if (survival == SIM_SURVIVE_ALL)
        return content->now_bytes;
    return sim_happens(SIM_CHANCE_DISK, 500) ? content->now_bytes : content->medium_bytes;
}

/* What lies beyond the file's end is gone. */
static void cut(struct sim_content *content, uint64_t bytes)
{
    uint64_t index = bytes / SIM_PAGE_BYTES;
    uint32_t from = (uint32_t)(bytes % SIM_PAGE_BYTES);
    for (; index < content->page_count; index++, from = 0) {
        struct sim_page *page = &content->pages[index];
        if (page->medium != NULL)
            memset(page->medium + from, 0, SIM_PAGE_BYTES - from);
    }
}

void sim_content_power_loss(struct sim_content *content, enum sim_survival survival)
{
    uint64_t first_write = write_count;
    for (uint32_t i = 0; i < content->unsynced_count; i++) {
        uint64_t written = content->pages[content->unsynced[i]].written;
        if (written < first_write)
            first_write = written;
    }
    uint64_t survives_until = sim_between(SIM_CHANCE_DISK, first_write, write_count);
    for (uint32_t i = 0; i < content->unsynced_count; i++) {
        struct sim_page *page = &content->pages[content->unsynced[i]];
        uint8_t sectors = surviving_sectors(page, survival, survives_until);
        if (sectors != 0)
            write_back(page, sectors);
        drop_now(page);
        page->now = page->medium;
        page->unsynced = 0;
        page->lost = 0;
        page->is_listed = false;
    }
    content->unsynced_count = 0;
    content->sync_count = 0;
    content->sync_until = 0;
    uint64_t bytes = surviving_size(content, survival);
    if (bytes < content->now_bytes)
        cut(content, bytes);
    content->now_bytes = bytes;
    content->medium_bytes = bytes;
    content->allocated_bytes = (bytes + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES * SIM_PAGE_BYTES;
}

void sim_content_free(struct sim_content *content)
{
    for (uint32_t i = 0; i < content->page_count; i++) {
        drop_now(&content->pages[i]);
        sim_free(content->pages[i].medium);
    }
    sim_free(content->pages);
    sim_free(content->unsynced);
    memset(content, 0, sizeof *content);
}
