#include "data_names.h"

#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096 };

static void core_path(const char *data, uint64_t era, uint32_t core, char *to)
{
    snprintf(to, PATH_BYTES, "%s/era-%06" PRIu64 "/core-%03u", data, era, core);
}

static void note_segment(struct data_names *names, uint64_t number)
{
    names->segment_count++;
    if (names->segment_first == 0 || number < names->segment_first)
        names->segment_first = number;
    if (number > names->segment_last)
        names->segment_last = number;
}

static void note_snapshot(struct data_names *names, uint64_t lsn)
{
    names->snapshot_count++;
    if (lsn > names->snapshot_newest_lsn)
        names->snapshot_newest_lsn = lsn;
}

static void note_name(struct data_names *names, const char *name)
{
    uint64_t number;
    int bytes = 0;
    if (sscanf(name, "%12" SCNu64 ".log%n", &number, &bytes) == 1 && bytes == 16 &&
        name[bytes] == '\0')
        note_segment(names, number);
    else if (sscanf(name, "snapshot-%20" SCNu64 "%n", &number, &bytes) == 1 && bytes == 29 &&
             name[bytes] == '\0')
        note_snapshot(names, number);
    else if (strncmp(name, "torn-", 5) == 0)
        names->torn_count++;
    else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        names->other_count++;
}

struct data_names data_names_of(const char *data, uint64_t era, uint32_t core)
{
    struct data_names names = {0};
    char path[PATH_BYTES];
    core_path(data, era, core, path);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return names;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        note_name(&names, entry->d_name);
    closedir(folder);
    return names;
}

void data_names_newest_era(const char *data, uint64_t *era_out, uint32_t *cores_out)
{
    char path[PATH_BYTES], line[256];
    bool is_found = false;
    snprintf(path, sizeof path, "%s/MANIFEST", data);
    FILE *file = fopen(path, "re");
    check_must(file != NULL, "%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file) != NULL)
        is_found |= sscanf(line, "era %" SCNu64 " cores %" SCNu32, era_out, cores_out) == 2;
    fclose(file);
    check_must(is_found, "%s names no era", path);
}

uint32_t data_names_cores(const char *data, uint64_t era)
{
    char path[PATH_BYTES];
    struct stat info;
    uint32_t cores = 0;
    for (core_path(data, era, cores, path); stat(path, &info) == 0;
         core_path(data, era, cores, path))
        cores++;
    return cores;
}
