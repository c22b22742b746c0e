#include "bench/outputs.h"

#include "bench/hgrm.h"
#include "bench/warnings.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static FILE *open_file(struct outputs *outputs, const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        snprintf(outputs->trouble, sizeof outputs->trouble, "cannot write '%.128s': %s", path,
                 strerror(errno));
    }
    return file;
}

bool outputs_open(struct outputs *outputs, const struct bench_options *options)
{
    memset(outputs, 0, sizeof *outputs);
    if (options->csv != NULL && (outputs->csv = open_file(outputs, options->csv)) == NULL) {
        return false;
    }
    if (options->hgrm != NULL && (outputs->hgrm = open_file(outputs, options->hgrm)) == NULL) {
        return false;
    }
    if (outputs->csv != NULL) {
        fputs("run,rate,answered,accepted,repeated,refused,lost,seconds,per_second", outputs->csv);
        for (int i = 0; i < FIGURES_QUANTILES; i++) {
            fprintf(outputs->csv, ",%s_us", figures_quantiles[i].name);
        }
        fputs(",server_cpu_us,own_cpu_us,stood_still", outputs->csv);
        for (int i = 0; i < FIGURES_QUANTILES; i++) {
            fprintf(outputs->csv, ",outside_%s_us", figures_quantiles[i].name);
        }
        fputs(",warnings\n", outputs->csv);
    }
    return true;
}

static void put_known(FILE *file, double value)
{
    putc(',', file);
    if (!isnan(value)) {
        fprintf(file, "%.3f", value);
    }
}

static void put_line(FILE *file, uint32_t number, const struct bench_options *options,
                     const struct load_result *result, const struct figures *figures)
{
    const struct histogram *kinds = result->latency.kinds;
    char warnings[WARNINGS_MAX][WARNING_BYTES];
    fprintf(file,
            "%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%.6f,%.1f",
            number, options->rate, load_answered(result, WIRE_RESERVE), kinds[LOAD_ACCEPTED].count,
            kinds[LOAD_REPEATED].count, kinds[LOAD_REFUSED].count, result->lost[WIRE_RESERVE],
            (double)result->clicks_elapsed_ns / 1e9, figures->per_second);
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        put_known(file, figures->clicks_us[i]);
    }
    put_known(file, figures->server_cpu_us);
    put_known(file, figures->own_cpu_us);
    put_known(file, figures->stood_still);
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        put_known(file, figures->outside_clicks_us[i]);
    }
    fprintf(file, ",%d\n", warnings_find(result, warnings));
    fflush(file);
}

void outputs_run(struct outputs *outputs, uint32_t number, const struct bench_options *options,
                 const struct load_result *result, const struct figures *figures)
{
    if (outputs->csv != NULL) {
        put_line(outputs->csv, number, options, result, figures);
    }
    if (outputs->hgrm != NULL) {
        load_add_clicks(&outputs->clicks, &result->latency);
    }
}

static void close_file(struct outputs *outputs, FILE *file, const char *path)
{
    if (file == NULL) {
        return;
    }
    bool good = ferror(file) == 0;
    good = fclose(file) == 0 && good;
    if (!good && outputs->trouble[0] == 0) {
        snprintf(outputs->trouble, sizeof outputs->trouble, "cannot write '%.128s': %s", path,
                 strerror(errno));
    }
}

bool outputs_close(struct outputs *outputs, const struct bench_options *options)
{
    if (outputs->hgrm != NULL) {
        hgrm_write(outputs->hgrm, &outputs->clicks);
    }
    close_file(outputs, outputs->csv, options->csv);
    close_file(outputs, outputs->hgrm, options->hgrm);
    outputs->csv = NULL;
    outputs->hgrm = NULL;
    return outputs->trouble[0] == 0;
}
