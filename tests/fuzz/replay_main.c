/* Runs a fuzz target on files: each argument is an input, or a folder of inputs. So the corpus, and
 * with it every finding, stays a test in builds that know nothing of libFuzzer. Prints each name
 * before it is run: the last one is the one that failed. */

#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The bytes in memory of exactly their number, so that a sanitizer sees a read behind them. */
static uint8_t *read_file(const char *path, size_t *bytes_out)
{
    FILE *file = fopen(path, "rbe");
    struct stat what;
    if (file == NULL || fstat(fileno(file), &what) != 0) {
        perror(path);
        exit(2);
    }
    *bytes_out = (size_t)what.st_size;
    uint8_t *bytes = malloc(*bytes_out > 0 ? *bytes_out : 1);
    hf_assert(bytes != NULL);
    hf_assert(fread(bytes, 1, *bytes_out, file) == *bytes_out);
    (void)fclose(file);
    return bytes;
}

static unsigned run_file(const char *path)
{
    size_t bytes;
    uint8_t *data = read_file(path, &bytes);
    (void)puts(path);
    (void)fflush(stdout);
    hf_assert(LLVMFuzzerTestOneInput(data, bytes) == 0);
    free(data);
    return 1;
}

static unsigned run_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    unsigned run_count = 0;
    for (int i = 0; i < count; i++) {
        char name[4096];
        (void)snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_count += run_file(name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return run_count;
}

int main(int argc, char **argv)
{
    unsigned run_count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat what;
        bool is_folder = stat(argv[i], &what) == 0 && S_ISDIR(what.st_mode);
        run_count += is_folder ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%u inputs\n", run_count);
    return run_count > 0 ? 0 : 1;
}
