#ifndef HF_TESTS_DATA_NAMES_H
#define HF_TESTS_DATA_NAMES_H
/* What the names in a data directory, or in an archive, say: MANIFEST's newest era, segments and
 * snapshots of each core. Nothing is read but MANIFEST. */

#include <stdbool.h>
#include <stdint.h>

/* One core's folder. Numbers and LSNs are 0 when there is none. */
struct data_names {
    uint64_t segment_first, segment_last;
    uint64_t segment_count; /* last - first + 1 when no number is missing */
    uint32_t snapshot_count;
    uint64_t snapshot_newest_lsn;
    uint32_t torn_count;
    uint32_t other_count; /* files of any other name */
};
struct data_names data_names_of(const char *data, uint64_t era, uint32_t core);

/* The last "era N cores C" of MANIFEST; the test ends when there is none. */
void data_names_newest_era(const char *data, uint64_t *era_out, uint32_t *cores_out);

/* The cores of this era by its folders; 0 when it is not there. */
uint32_t data_names_cores(const char *data, uint64_t era);

#endif
