#include "compare/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* What an option sets: a text or a number. */
struct entry {
    const char *name;
    const char *help;
    const char **text;
    uint64_t *number;
};

enum { ENTRIES_MAX = 16 };

__attribute__((noreturn)) static void usage(const struct entry *entries, int count)
{
    fprintf(stderr, "Usage: %s [OPTION VALUE...]\n", program_invocation_short_name);
    for (int i = 0; i < count; i++) {
        fprintf(stderr, "  --%-14s %s\n", entries[i].name, entries[i].help);
    }
    exit(1);
}

static bool read_number(const char *text, uint64_t *number_out)
{
    char *end;
    errno = 0;
    *number_out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
}

/* False when something is not an option, or not a number where one is needed. */
static bool read_all(const struct entry *entries, int count, int argc, char **argv)
{
    struct option longs[ENTRIES_MAX + 1] = {0};
    for (int i = 0; i < count; i++) {
        longs[i] = (struct option){entries[i].name, required_argument, NULL, 0};
    }
    int index;
    int got;
    while ((got = getopt_long(argc, argv, "", longs, &index)) == 0) {
        const struct entry *entry = &entries[index];
        if (entry->text != NULL) {
            *entry->text = optarg;
        } else if (!read_number(optarg, entry->number)) {
            return false;
        }
    }
    return got == -1 && optind == argc;
}

void load_options_parse(struct load_options *options_out, const char *default_port,
                        const char **script_out, int argc, char **argv)
{
    struct load_options *o = options_out;
    *o = (struct load_options){
        .host = "127.0.0.1",
        .port = default_port,
        .connections = 50,
        .pipeline = 16,
        .batch = 1,
        .duration_ms = 5000,
        .items = 100,
        .units = 1000000000,
        .buyers = 1000000,
    };
    const struct entry entries[ENTRIES_MAX] = {
        {"host", "where the server listens (127.0.0.1)", &o->host, NULL},
        {"port", "its port", &o->port, NULL},
        {"connections", "connections (50)", NULL, &o->connections},
        {"pipeline", "requests in flight on each (16)", NULL, &o->pipeline},
        {"batch", "reservations in a request (1)", NULL, &o->batch},
        {"requests", "in all; 0 = no end (0)", NULL, &o->requests},
        {"duration-ms", "stop after so long; 0 = never (5000)", NULL, &o->duration_ms},
        {"items", "items to create (100)", NULL, &o->items},
        {"units", "units of each (1000000000)", NULL, &o->units},
        {"buyers", "different buyers (1000000)", NULL, &o->buyers},
        {"server-pid", "also report its CPU time", NULL, &o->server_pid},
        {"script", "file of the procedure", script_out, NULL},
    };
    int count = script_out != NULL ? 12 : 11;
    if (!read_all(entries, count, argc, argv) || o->connections == 0 || o->pipeline == 0 ||
        o->batch == 0 || o->items == 0 || o->buyers == 0 ||
        (o->requests == 0 && o->duration_ms == 0)) {
        usage(entries, count);
    }
}
