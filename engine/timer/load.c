#include "timer/state.h"

#include "base/memory.h"

#include <string.h>

/* The end of loading. All nodes hold notes; one pass over them, in the order of slots, finds out
 *
 *   - whether that is the order wanted, as after a sale that went on undisturbed: then the slots
 * are linked as they stand,
 *   - which durations most deadlines have, as far as there are lanes,
 *   - in which bytes the deadlines differ.
 *
 * Sorting is by radix, from the lowest byte that differs to the highest, between two arrays. An
 * entry has all that is needed in 16 bytes:
 *
 *     words[1]   | made: upper 16 |          deadline: 48 bits          |
 *     words[0]   | zeros: 4 | made: lower 28 |     slot: 32 bits        |
 *
 * Then entries with one deadline are put in order among each other: by the time at which they were
 * made, and by their ties. Few are sorted by comparing, and many by radix once more; in a sale that
 * begins with a rush thousands of deadlines are made in one millisecond.
 *
 * Linking in the final order pushes to the end of a lane each time and never fails there, and
 * appends to the heap without moving anything. A duration has a lane for all of its deadlines or
 * for none. */

enum {
    MADE_LOW_BITS = 28,
    DEADLINE_BITS = 48,
    LOOK_AHEAD = 24,      /* entries whose node is asked for before it is linked */
    FEW = TIMER_TIES_MAX, /* up to so many are sorted by comparing */
};
#define DEADLINE_MASK ((1ull << DEADLINE_BITS) - 1)

struct sort_entry {
    uint64_t words[2];
};

static uint32_t entry_slot(const struct sort_entry *entry)
{
    return (uint32_t)entry->words[0];
}

static uint64_t entry_deadline_ms(const struct sort_entry *entry)
{
    return entry->words[1] & DEADLINE_MASK;
}

static uint64_t entry_made_ms(const struct sort_entry *entry)
{
    return entry->words[1] >> DEADLINE_BITS << MADE_LOW_BITS | entry->words[0] >> 32;
}

static struct sort_entry entry_of(const struct node *node, uint32_t slot)
{
    uint64_t deadline_ms = node_deadline_ms(node);
    uint64_t made_ms = deadline_ms - node_noted_duration(node);
    uint64_t made_low = made_ms & ((1u << MADE_LOW_BITS) - 1);
    return (struct sort_entry){
        .words = {made_low << 32 | slot, made_ms >> MADE_LOW_BITS << DEADLINE_BITS | deadline_ms}};
}

/* How the caller orders what is equal else. */
struct ties {
    timer_ties_fn of;
    const void *context;
};

static bool is_after(const struct sort_entry *a, struct timer_tie tie_a, const struct sort_entry *b,
                     struct timer_tie tie_b)
{
    if (entry_deadline_ms(a) != entry_deadline_ms(b))
        return entry_deadline_ms(a) > entry_deadline_ms(b);
    if (entry_made_ms(a) != entry_made_ms(b))
        return entry_made_ms(a) > entry_made_ms(b);
    return tie_a.first != tie_b.first ? tie_a.first > tie_b.first : tie_a.second > tie_b.second;
}

/* ---- looking at the notes ---- */

/* The durations that may have most deadlines. Each deadline votes for its duration; when there is
 * no room for another one, all lose a vote. So whatever has more than one in 33 of all stays. */
struct poll {
    uint64_t durations_ms[TIMER_LANE_COUNT];
    uint32_t votes[TIMER_LANE_COUNT];
    uint32_t count;
};

static void poll_take_one_from_all(struct poll *poll)
{
    for (uint32_t i = poll->count; i-- > 0;) {
        if (--poll->votes[i] > 0)
            continue;
        poll->count--;
        poll->votes[i] = poll->votes[poll->count];
        poll->durations_ms[i] = poll->durations_ms[poll->count];
    }
}

static void poll_vote(struct poll *poll, uint64_t duration_ms)
{
    for (uint32_t i = 0; i < poll->count; i++) {
        if (poll->durations_ms[i] == duration_ms) {
            poll->votes[i]++;
            return;
        }
    }
    if (poll->count == TIMER_LANE_COUNT) {
        poll_take_one_from_all(poll);
        return;
    }
    poll->durations_ms[poll->count] = duration_ms;
    poll->votes[poll->count++] = 1;
}

static bool same_times(const struct sort_entry *a, const struct sort_entry *b)
{
    return a->words[1] == b->words[1] && a->words[0] >> 32 == b->words[0] >> 32;
}

/* Two entries that stand in the order of their slots may stay so. */
static bool may_stay(const struct sort_entry *a, const struct sort_entry *b,
                     const struct ties *ties)
{
    struct timer_tie pair[2] = {{0, 0}, {0, 0}};
    const uint32_t slots[2] = {entry_slot(a), entry_slot(b)};
    if (same_times(a, b))
        ties->of(ties->context, slots, 2, pair);
    return !is_after(a, pair[0], b, pair[1]);
}

struct survey {
    struct poll poll;
    struct sort_entry differing; /* bits in which not all entries are alike */
    bool is_in_order;
};

static struct survey survey_notes(const struct timer *timer, const struct ties *ties)
{
    struct survey survey = {.is_in_order = true};
    struct sort_entry first = {{0}};
    struct sort_entry previous = {{0}};
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < timer->load_slot_end; slot++) {
        const struct node *node = slot_node(timer, slot);
        if (node->next == 0)
            continue;
        struct sort_entry entry = entry_of(node, slot);
        poll_vote(&survey.poll, entry_deadline_ms(&entry) - entry_made_ms(&entry));
        if (count++ == 0)
            first = entry;
        else if (survey.is_in_order)
            survey.is_in_order = may_stay(&previous, &entry, ties);
        survey.differing.words[1] |= entry.words[1] ^ first.words[1];
        previous = entry;
    }
    hf_assert(count == timer->set_count);
    return survey;
}

/* ---- sorting by radix ---- */

/* Where a byte stands. */
struct place {
    uint8_t word;
    uint8_t shift;
};
static const struct place DEADLINE[] = {{1, 0}, {1, 8}, {1, 16}, {1, 24}, {1, 32}, {1, 40}};
static const struct place MADE[] = {{0, 32}, {0, 40}, {0, 48}, {0, 56}, {1, 48}, {1, 56}};
static const struct place TIE[] = {{1, 0},  {1, 8},  {1, 16}, {1, 24},
                                   {1, 32}, {1, 40}, {1, 48}, {1, 56}};
enum { DEADLINE_BYTES = 6, MADE_BYTES = 6, TIE_BYTES = 8 };

static uint8_t byte_at(const struct sort_entry *entry, struct place place)
{
    return (uint8_t)(entry->words[place.word] >> place.shift);
}

/* What is equal in this byte keeps its order. */
static void sort_by_byte(const struct sort_entry *from, struct sort_entry *to, uint32_t count,
                         struct place place)
{
    uint32_t ends[256] = {0};
    for (uint32_t i = 0; i < count; i++)
        ends[byte_at(&from[i], place)]++;
    uint32_t end = 0;
    for (uint32_t value = 0; value < 256; value++) {
        uint32_t value_count = ends[value];
        ends[value] = end;
        end += value_count;
    }
    for (uint32_t i = 0; i < count; i++)
        to[ends[byte_at(&from[i], place)]++] = from[i];
}

/* The entries, and as much room again. They change places with each pass. */
struct arrays {
    struct sort_entry *entries;
    struct sort_entry *room;
    uint32_t count;
};

/* By the bytes from the lowest to the highest, as far as entries differ in them. */
static void sort_by_bytes(struct arrays *arrays, const struct sort_entry *differing,
                          const struct place *places, uint32_t place_count)
{
    for (uint32_t i = 0; i < place_count; i++) {
        if (byte_at(differing, places[i]) == 0)
            continue;
        sort_by_byte(arrays->entries, arrays->room, arrays->count, places[i]);
        struct sort_entry *sorted = arrays->room;
        arrays->room = arrays->entries;
        arrays->entries = sorted;
    }
}

static void fill(const struct timer *timer, struct sort_entry *entries)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < timer->load_slot_end; slot++) {
        const struct node *node = slot_node(timer, slot);
        if (node->next != 0)
            entries[count++] = entry_of(node, slot);
    }
}

/* ---- equal deadlines ---- */

/* Of FEW entries at most. */
static void fetch_ties(const struct sort_entry *entries, uint32_t count, const struct ties *ties,
                       struct timer_tie *ties_out)
{
    uint32_t slots[FEW];
    for (uint32_t i = 0; i < count; i++)
        slots[i] = entry_slot(&entries[i]);
    ties->of(ties->context, slots, count, ties_out);
}

/* Sorts by one part of the ties, which takes the place of the times. */
static void sort_by_tie(struct arrays *arrays, bool is_by_first, const struct ties *ties)
{
    struct sort_entry *entries = arrays->entries;
    struct sort_entry differing = {{0}};
    for (uint32_t begin = 0; begin < arrays->count; begin += FEW) {
        struct timer_tie some[FEW];
        uint32_t some_count = arrays->count - begin < FEW ? arrays->count - begin : FEW;
        fetch_ties(entries + begin, some_count, ties, some);
        for (uint32_t i = 0; i < some_count; i++) {
            struct sort_entry *entry = &entries[begin + i];
            entry->words[0] = entry_slot(entry);
            entry->words[1] = is_by_first ? some[i].first : some[i].second;
            differing.words[1] |= entry->words[1] ^ entries[0].words[1];
        }
    }
    sort_by_bytes(arrays, &differing, TIE, TIE_BYTES);
}

static bool all_are_made_at_once(const struct sort_entry *entries, uint32_t count)
{
    uint32_t i = 1;
    while (i < count && same_times(&entries[i], &entries[0]))
        i++;
    return i == count;
}

/* Gives the entries their times back: the same ones ... */
static void set_times(struct arrays *arrays, const struct sort_entry *times)
{
    for (uint32_t i = 0; i < arrays->count; i++) {
        struct sort_entry *entry = &arrays->entries[i];
        entry->words[0] = times->words[0] >> 32 << 32 | entry_slot(entry);
        entry->words[1] = times->words[1];
    }
}

/* ... or those that are noted in the nodes, by which they are sorted then. */
static void sort_by_made(const struct timer *timer, struct arrays *arrays)
{
    struct sort_entry *entries = arrays->entries;
    struct sort_entry differing = {{0}};
    for (uint32_t i = 0; i < arrays->count; i++) {
        uint32_t slot = entry_slot(&entries[i]);
        entries[i] = entry_of(slot_node(timer, slot), slot);
        differing.words[0] |= entries[i].words[0] ^ entries[0].words[0];
        differing.words[1] |= entries[i].words[1] ^ entries[0].words[1];
    }
    sort_by_bytes(arrays, &differing, MADE, MADE_BYTES);
}

static void sort_many(const struct timer *timer, struct sort_entry *entries, uint32_t count,
                      struct sort_entry *room, const struct ties *ties)
{
    struct arrays arrays = {entries, room, count};
    const struct sort_entry times = entries[0];
    bool is_made_at_once = all_are_made_at_once(entries, count);
    sort_by_tie(&arrays, false, ties);
    sort_by_tie(&arrays, true, ties);
    if (is_made_at_once)
        set_times(&arrays, &times);
    else
        sort_by_made(timer, &arrays);
    if (arrays.entries != entries)
        memcpy(entries, arrays.entries, count * sizeof *entries);
}

/* Runs of few entries that wait until there are FEW: fetching a tie costs a cache miss, and so the
 * misses of several runs overlap. */
struct waiting {
    uint32_t places[FEW];
    uint32_t count;
};

static void sort_waiting(struct sort_entry *entries, struct waiting *waiting,
                         const struct ties *ties)
{
    struct sort_entry some[FEW];
    struct timer_tie some_ties[FEW];
    for (uint32_t i = 0; i < waiting->count; i++)
        some[i] = entries[waiting->places[i]];
    fetch_ties(some, waiting->count, ties, some_ties);
    for (uint32_t i = 1; i < waiting->count; i++) {
        struct sort_entry entry = some[i];
        struct timer_tie tie = some_ties[i];
        uint32_t to = i;
        for (; to > 0 && is_after(&some[to - 1], some_ties[to - 1], &entry, tie); to--) {
            some[to] = some[to - 1];
            some_ties[to] = some_ties[to - 1];
        }
        some[to] = entry;
        some_ties[to] = tie;
    }
    for (uint32_t i = 0; i < waiting->count; i++)
        entries[waiting->places[i]] = some[i];
    waiting->count = 0;
}

/* Orders entries that are sorted by their deadlines among those that have the same one. */
static void sort_equal_deadlines(const struct timer *timer, struct arrays *arrays,
                                 const struct ties *ties)
{
    struct sort_entry *entries = arrays->entries;
    struct waiting waiting = {.count = 0};
    uint32_t end;
    for (uint32_t begin = 0; begin < arrays->count; begin = end) {
        uint64_t deadline_ms = entry_deadline_ms(&entries[begin]);
        end = begin + 1;
        while (end < arrays->count && entry_deadline_ms(&entries[end]) == deadline_ms)
            end++;
        if (end - begin == 1)
            continue;
        if (end - begin > FEW) {
            sort_many(timer, entries + begin, end - begin, arrays->room, ties);
            continue;
        }
        if (waiting.count + (end - begin) > FEW)
            sort_waiting(entries, &waiting, ties);
        for (uint32_t place = begin; place < end; place++)
            waiting.places[waiting.count++] = place;
    }
    if (waiting.count > 0)
        sort_waiting(entries, &waiting, ties);
}

/* ---- linking ---- */

static void give_lanes(struct timer *timer, const struct poll *poll)
{
    for (uint32_t i = 0; i < poll->count; i++)
        (void)timer_lane_for(timer, poll->durations_ms[i]);
}

static void link_slots(struct timer *timer)
{
    for (uint32_t slot = 0; slot < timer->load_slot_end; slot++) {
        const struct node *node = slot_node(timer, slot);
        if (node->next != 0)
            timer_link(timer, slot, node_deadline_ms(node), node_noted_duration(node));
    }
}

static void link_entries(struct timer *timer, const struct sort_entry *entries)
{
    uint64_t previous_ms = 0;
    for (uint32_t i = 0; i < timer->set_count; i++) {
        if (i + LOOK_AHEAD < timer->set_count)
            timer_prefetch(timer, entry_slot(&entries[i + LOOK_AHEAD]));
        uint64_t deadline_ms = entry_deadline_ms(&entries[i]);
        hf_assert(deadline_ms >= previous_ms);
        previous_ms = deadline_ms;
        timer_link(timer, entry_slot(&entries[i]), deadline_ms,
                   deadline_ms - entry_made_ms(&entries[i]));
    }
}

/* False when memory is refused. */
static bool sort_and_link(struct timer *timer, const struct survey *survey, const struct ties *ties)
{
    size_t bytes = 2 * (size_t)timer->set_count * sizeof(struct sort_entry);
    struct sort_entry *memory = memory_map(bytes);
    if (memory == NULL)
        return false;
    struct arrays arrays = {memory, memory + timer->set_count, timer->set_count};
    fill(timer, arrays.entries);
    sort_by_bytes(&arrays, &survey->differing, DEADLINE, DEADLINE_BYTES);
    sort_equal_deadlines(timer, &arrays, ties);
    give_lanes(timer, &survey->poll);
    link_entries(timer, arrays.entries);
    memory_unmap(memory, bytes);
    return true;
}

/* ---- public ---- */

void timer_load_begin(struct timer *timer)
{
    hf_assert(!timer->is_loading);
    hf_assert(timer->set_count == 0);
    timer->is_loading = true;
    timer->load_slot_end = 0;
}

bool timer_load_end(struct timer *timer, timer_ties_fn ties_of, const void *context)
{
    hf_assert(timer->is_loading);
    const struct ties ties = {ties_of, context};
    const struct survey survey = survey_notes(timer, &ties);
    if (survey.is_in_order) {
        give_lanes(timer, &survey.poll);
        link_slots(timer);
    } else if (!sort_and_link(timer, &survey, &ties)) {
        return false;
    }
    timer->is_loading = false;
    return true;
}
