#ifndef HF_TESTS_FLIPS_FILES_H
#define HF_TESTS_FLIPS_FILES_H
/* The files of a directory that was built, in memory, and what a test does to one of them: a byte
 * is changed, or the file is cut. Each can be undone. There they are read from (input.c), because
 * to open files would be most of the work. */

#include "data_builder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flip_kind {
    FLIP_MANIFEST,
    FLIP_SEGMENT,
    FLIP_SNAPSHOT,
    FLIP_NOTHING, /* a file that means nothing */
};

struct flip_file {
    enum flip_kind kind;
    uint32_t era_index; /* of the builder */
    uint32_t core;
    uint32_t index;  /* of the segment, or the snapshot, in the builder */
    char path[1024]; /* as whoever reads them names it */
    uint8_t *bytes;  /* as it was built */
    uint64_t byte_count;
    uint8_t *now; /* as it is now */
    uint64_t now_count;
};

enum { FLIP_FILE_COUNT_MAX = 128 };

struct flip_files {
    struct flip_file list[FLIP_FILE_COUNT_MAX];
    uint32_t count;
};

/* Reads all that data_builder_save() has written below this path. */
void flip_files_read(struct flip_files *files, const struct data_builder *builder,
                     const char *path);
void flip_files_free(struct flip_files *files);

/* One byte is another one: which bits change depends on the offset, so that all are changed. */
void flip_byte(struct flip_file *file, uint64_t offset);
void flip_byte_back(struct flip_file *file, uint64_t offset);

/* The file has only so many bytes. */
void flip_cut(struct flip_file *file, uint64_t byte_count);
void flip_cut_back(struct flip_file *file);

/* From now on what is read below `path` is read from these files, and not from the disk. */
void flip_input_set(struct flip_files *files, const char *path);

#endif
