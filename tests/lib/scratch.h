#ifndef HF_TESTS_SCRATCH_H
#define HF_TESTS_SCRATCH_H
/* Folders for what a test writes, below the build tree: HOLDFAST_SCRATCH_DIR comes from the
 * build. */

enum { SCRATCH_PATH_BYTES = 512 };

/* Makes an empty folder of this name and process and writes its path (SCRATCH_PATH_BYTES). */
void scratch_make(const char *name, char *path_out);

/* Removes the folder with all that is in it. */
void scratch_remove(const char *path);

/* A copy of a whole folder, as "cp -a" makes it. */
void scratch_copy(const char *from, const char *to);

#endif
