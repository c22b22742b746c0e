/* Makes the golden data directories of the present format: a small sale with every type of record,
 * two eras, snapshots, unused segments (tests/lib/data_story.h), byte for byte the same each time.
 *
 *     golden_data whole|late NEWDIR
 *
 * Prints the state's hash as the story knows it, which has never been on a disk. check_data.py
 * compares with what is committed. */

#include "data_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static struct data_builder builder;
    if (argc != 3 || (strcmp(argv[1], "whole") != 0 && strcmp(argv[1], "late") != 0)) {
        fputs("usage: golden_data whole|late NEWDIR\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "whole") == 0)
        data_story_whole(&builder);
    else
        data_story_late(&builder);
    data_builder_save(&builder, argv[2]);
    printf("%016" PRIx64 "\n", stock_hash(builder.stock));
    data_builder_end(&builder);
    return 0;
}
