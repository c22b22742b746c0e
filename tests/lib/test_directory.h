#ifndef HF_TESTS_TEST_DIRECTORY_H
#define HF_TESTS_TEST_DIRECTORY_H
/* A directory of its own for a test, next to the test's program and so below the build tree, which
 * is a real file system where /tmp may be none. */

#include <criterion/criterion.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test_directory {
    char path[1024];
};

static inline void test_directory_make(struct test_directory *directory)
{
    char program[512] = {0};
    cr_assert(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    *strrchr(program, '/') = '\0';
    snprintf(directory->path, sizeof directory->path, "%s/directory-XXXXXX", program);
    cr_assert(mkdtemp(directory->path) != NULL);
}

static inline int test_directory_remove_entry(const char *path, const struct stat *status, int kind,
                                              struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void test_directory_remove(struct test_directory *directory)
{
    nftw(directory->path, test_directory_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* "DIRECTORY/name"; valid until the fourth call after this one. */
static inline const char *test_directory_file(const struct test_directory *directory,
                                              const char *name)
{
    static char paths[4][2048];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory->path, name);
    return path;
}

#endif
