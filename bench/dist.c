#include "bench/dist.h"

#include "base/assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The alias method, in the form of M. D. Vose, "A linear algorithm for generating random numbers
 * with a given distribution", IEEE Transactions on Software Engineering 17(9), 1991. There are as
 * many columns as entries, all of the same height. A column holds a part of its own entry, and what
 * is free above is filled by a part of one other: so a column by chance, and a height in it by
 * chance, choose each entry as often as it weighs. One multiplication gives both, the column from
 * the upper half of the product and the height from the lower. */

static bool parse_value(const char *text, double *value_out, const char **rest_out)
{
    if (*text < '0' || *text > '9') {
        return false; /* strtod() would take blanks, signs and words */
    }
    char *end;
    *value_out = strtod(text, &end);
    *rest_out = end;
    return isfinite(*value_out);
}

bool dist_parse(const char *text, struct dist *dist)
{
    enum { EXPONENT_MAX = 10 };
    const char *rest;
    *dist = (struct dist){.kind = DIST_UNIFORM};
    if (strcmp(text, "uniform") == 0) {
        return true;
    }
    if (strncmp(text, "zipf:", strlen("zipf:")) == 0) {
        dist->kind = DIST_ZIPF;
        return parse_value(text + strlen("zipf:"), &dist->value, &rest) && *rest == 0 &&
               dist->value > 0 && dist->value <= EXPONENT_MAX;
    }
    if (strncmp(text, "hot:", strlen("hot:")) == 0) {
        dist->kind = DIST_HOT;
        if (!parse_value(text + strlen("hot:"), &dist->value, &rest)) {
            return false;
        }
        if (strcmp(rest, "%") == 0) {
            dist->value /= 100;
            rest++;
        }
        return *rest == 0 && dist->value <= 1;
    }
    return false;
}

double dist_harmonic(const struct dist *dist, uint32_t count)
{
    double sum = 0;
    for (uint32_t rank = count; dist->kind == DIST_ZIPF && rank > 0; rank--) {
        sum += pow(rank, -dist->value); /* small ones first lose nothing */
    }
    return sum;
}

double dist_share(const struct dist *dist, uint32_t rank, uint32_t count, double harmonic)
{
    switch (dist->kind) {
    case DIST_ZIPF:
        return pow((double)rank + 1, -dist->value) / harmonic;
    case DIST_HOT:
        if (count == 1) {
            return 1;
        }
        return rank == 0 ? dist->value : (1 - dist->value) / (count - 1);
    case DIST_UNIFORM:
        break;
    }
    return 1.0 / count;
}

static void fill_up(struct dist_table *table, uint32_t column)
{
    table->keep[column] = UINT64_MAX;
    table->other[column] = column;
}

/* `heights` are the weights, scaled so that a column's height is 1; they are used up. `columns` has
 * room for all: those that are too low gather at its front, those too high at its end. */
static void fill(struct dist_table *table, double *heights, uint32_t *columns)
{
    uint32_t low_count = 0;
    uint32_t high_begin = table->count;
    for (uint32_t i = 0; i < table->count; i++) {
        columns[heights[i] < 1 ? low_count++ : --high_begin] = i;
    }
    while (low_count > 0 && high_begin < table->count) {
        uint32_t low = columns[--low_count];
        uint32_t high = columns[high_begin];
        table->keep[low] = (uint64_t)(heights[low] * 0x1p64);
        table->other[low] = high;
        heights[high] -= 1 - heights[low];
        if (heights[high] < 1) {
            high_begin++;
            columns[low_count++] = high;
        }
    }
    /* What is left is full, but for rounding that no choice shows. */
    for (uint32_t i = 0; i < low_count; i++) {
        fill_up(table, columns[i]);
    }
    for (uint32_t i = high_begin; i < table->count; i++) {
        fill_up(table, columns[i]);
    }
}

bool dist_table_create(struct dist_table *table, const double *weights, uint32_t count)
{
    *table = (struct dist_table){
        .count = count,
        .keep = malloc(count * sizeof table->keep[0]),
        .other = malloc(count * sizeof table->other[0]),
    };
    double *heights = malloc(count * sizeof heights[0]);
    uint32_t *columns = malloc(count * sizeof columns[0]);
    bool good = table->keep != NULL && table->other != NULL && heights != NULL && columns != NULL;
    if (good) {
        double sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            sum += weights[i];
        }
        hf_assert(sum > 0);
        for (uint32_t i = 0; i < count; i++) {
            heights[i] = weights[i] / sum * count;
        }
        fill(table, heights, columns);
    }
    free(heights);
    free(columns);
    return good;
}

void dist_table_destroy(struct dist_table *table)
{
    free(table->keep);
    free(table->other);
    *table = (struct dist_table){0};
}
