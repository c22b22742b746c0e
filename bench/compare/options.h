#ifndef HF_COMPARE_OPTIONS_H
#define HF_COMPARE_OPTIONS_H
/* The options of a load, the same for every server. */

#include <stdint.h>

enum { LOAD_BUYER_LIMIT = 1000000 }; /* units of an item per buyer; never reached */

struct load_options {
    const char *host;
    const char *port;
    uint64_t connections;
    uint64_t pipeline; /* requests in flight on each */
    uint64_t batch;    /* reservations in a request */
    uint64_t requests; /* 0 = no end */
    uint64_t duration_ms;
    uint64_t items;
    uint64_t units; /* per item */
    uint64_t buyers;
    uint64_t server_pid;
};

/* Reads the command line over the defaults. `script_out` takes --script, the file of the procedure;
 * NULL for a load that has none. Wrong usage ends the program with the list of options. */
void load_options_parse(struct load_options *options_out, const char *default_port,
                        const char **script_out, int argc, char **argv);

#endif
