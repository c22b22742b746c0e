#ifndef HF_BENCH_DIST_H
#define HF_BENCH_DIST_H
/* Which item a click is about: all alike, some more than others, or one above all. A table turns
 * random bits into a choice in constant time. One thread makes it, any may ask it. */

#include <stdbool.h>
#include <stdint.h>

enum dist_kind {
    DIST_UNIFORM, /* all alike */
    DIST_ZIPF,    /* the n-th weighs 1 / n^exponent */
    DIST_HOT,     /* the first has a share of all, the others divide the rest */
};

struct dist {
    enum dist_kind kind;
    double value; /* exponent, or share */
};

struct dist_table {
    uint32_t count;
    uint64_t *keep;  /* per column, of 2^64: how often the column itself is the choice */
    uint32_t *other; /* and what is the choice else */
};

/* "uniform", "zipf:S" with S above 0 up to 10, "hot:P%" (or hot:0.9). False when it is none. */
bool dist_parse(const char *text, struct dist *dist_out);

/* The share of all clicks that item number `rank` of `count` gets; they add up to 1. `harmonic` is
 * dist_harmonic()'s. */
double dist_share(const struct dist *dist, uint32_t rank, uint32_t count, double harmonic);

/* What the shares of a Zipf distribution are divided by; asked for once. */
double dist_harmonic(const struct dist *dist, uint32_t count);

/* For choices among `count` entries, each as often as its weight; at least one is above 0. False
 * when there is no memory; destroy is fine then too. */
bool dist_table_create(struct dist_table *table_out, const double *weights, uint32_t count);
void dist_table_destroy(struct dist_table *table);

/* The choice that 64 random bits make. */
static inline uint32_t dist_table_pick(const struct dist_table *table, uint64_t random)
{
    unsigned __int128 product = (unsigned __int128)random * table->count;
    uint32_t column = (uint32_t)(product >> 64);
    return (uint64_t)product < table->keep[column] ? column : table->other[column];
}

#endif
