#include "bench/options.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <string.h>

/* Each test is one command line and what becomes of it. */

static struct bench_options options;
static char error[256];

/* The arguments after the program's name, ended by NULL. */
static enum options_outcome parse(const char *first, ...)
{
    static char *argv[64];
    int argc = 0;
    argv[argc++] = (char *)"holdfast-bench";
    va_list rest;
    va_start(rest, first);
    for (const char *next = first; next != NULL; next = va_arg(rest, const char *)) {
        argv[argc++] = (char *)next;
    }
    va_end(rest);
    argv[argc] = NULL;
    return options_parse(argc, argv, &options, error, sizeof error);
}

Test(options, without_any_is_a_flash_sale_on_the_default_port)
{
    cr_assert_eq(parse(NULL), OPTIONS_RUN);
    cr_assert_eq(options.scenario, SCENARIO_FLASH);
    cr_assert_str_eq(options.host, "127.0.0.1");
    cr_assert_str_eq(options.port, "7411");
    cr_assert_eq(options.requests, 1000000);
    cr_assert_eq(options.units, 10000);
    cr_assert_eq(options.buyers, 200000);
    cr_assert_eq(options.items, 0);
    cr_assert_float_eq(options.pay_share, 0.6, 1e-9);
    cr_assert_eq(options.rate, 0, "a closed loop");
}

Test(options, scenario_brings_its_own_values_but_given_ones_win)
{
    cr_assert_eq(parse("--pay-share", "25%", "--verify", "--scenario", "reserve", NULL),
                 OPTIONS_RUN);
    cr_assert_eq(options.scenario, SCENARIO_RESERVE);
    cr_assert_eq(options.units, -1);
    cr_assert_float_eq(options.pay_share, 0.25, 1e-9);
    cr_assert_float_eq(options.cancel_share, 0, 1e-9);
}

Test(options, counts_and_durations_take_suffixes)
{
    cr_assert_eq(parse("--requests=2M", "--buyers", "250k", "--hold-time", "1h30m",
                       "--reconnect=30s", "--pay-delay", "20ms", NULL),
                 OPTIONS_RUN);
    cr_assert_eq(options.requests, 2000000);
    cr_assert_eq(options.buyers, 250000);
    cr_assert_eq(options.hold_ms, 90 * 60 * 1000);
    cr_assert_eq(options.reconnect_ms, 30000);
    cr_assert_eq(options.pay_delay_ms, 20);
}

Test(options, server_is_taken_in_all_forms_that_holdfast_takes)
{
    static const char *const cases[][3] = {
        {"127.0.0.1:80", "127.0.0.1", "80"},
        {"localhost", "localhost", "7411"},
        {"[::1]:9000", "::1", "9000"},
        {"[::1]", "::1", "7411"},
        {"::1", "::1", "7411"},
        {"h:65535", "h", "65535"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(parse("--server", cases[i][0], NULL), OPTIONS_RUN, "%s", cases[i][0]);
        cr_expect_str_eq(options.host, cases[i][1]);
        cr_expect_str_eq(options.port, cases[i][2]);
    }
}

Test(options, duration_without_requests_has_no_end_of_requests)
{
    cr_assert_eq(parse("--scenario", "soldout", "--duration", "5s", NULL), OPTIONS_RUN);
    cr_assert_eq(options.requests, 0);
    cr_assert_eq(options.duration_ms, 5000);
}

Test(options, rate_makes_the_loop_open_with_equal_steps_unless_told_otherwise)
{
    cr_assert_eq(parse("--rate", "250k", NULL), OPTIONS_RUN);
    cr_assert_eq(options.rate, 250000);
    cr_assert_eq(options.arrival, PLAN_CONSTANT);
    cr_assert_eq(options.requests, 1000000);
    cr_assert_eq(parse("--arrival", "poisson", "--rate", "1", NULL), OPTIONS_RUN);
    cr_assert_eq(options.arrival, PLAN_POISSON);
    cr_assert_eq(parse("--arrival=constant", "--rate=1G", NULL), OPTIONS_RUN);
    cr_assert_eq(options.arrival, PLAN_CONSTANT);
}

Test(options, timeline_has_an_interval_and_each_file_may_come_alone)
{
    cr_assert_eq(parse("--timeline", "t.csv", NULL), OPTIONS_RUN);
    cr_assert_str_eq(options.timeline, "t.csv");
    cr_assert_null(options.histograms);
    cr_assert_eq(options.interval_ms, 100);
    cr_assert_eq(parse("--histograms", "h.csv", "--interval", "1s", NULL), OPTIONS_RUN);
    cr_assert_null(options.timeline);
    cr_assert_str_eq(options.histograms, "h.csv");
    cr_assert_eq(options.interval_ms, 1000);
}

Test(options, a_thread_needs_a_connection)
{
    cr_assert_eq(parse(NULL), OPTIONS_RUN);
    cr_assert_eq(options.threads, 1);
    cr_assert_eq(parse("--threads", "64", NULL), OPTIONS_RUN);
    cr_assert_eq(options.threads, 64);
    cr_assert_eq(parse("--threads", "65", NULL), OPTIONS_WRONG);
    cr_expect_not_null(strstr(error, "--connection"), "%s", error);
    cr_assert_eq(parse("--threads", "3", "--connections", "3", NULL), OPTIONS_RUN);
    cr_assert_eq(parse("--threads", "0", NULL), OPTIONS_WRONG);
    cr_assert_eq(parse("--threads", "257", "--connections", "1k", NULL), OPTIONS_WRONG);
}

Test(options, warmup_runs_and_cpus_are_none_unless_given)
{
    cr_assert_eq(parse(NULL), OPTIONS_RUN);
    cr_assert_eq(options.warmup_ms, 0);
    cr_assert_eq(options.runs, 1);
    cr_assert_null(options.cpus);
    cr_assert_eq(parse("--warmup", "2s", "--runs", "5", "--cpus", "1,3-4", NULL), OPTIONS_RUN);
    cr_assert_eq(options.warmup_ms, 2000);
    cr_assert_eq(options.runs, 5);
    cr_assert_str_eq(options.cpus, "1,3-4");
}

Test(options, clicks_are_spread_evenly_unless_told_otherwise)
{
    cr_assert_eq(parse(NULL), OPTIONS_RUN);
    cr_assert_eq(options.dist.kind, DIST_UNIFORM);
    cr_assert_eq(parse("--dist", "zipf:1.1", NULL), OPTIONS_RUN);
    cr_assert_eq(options.dist.kind, DIST_ZIPF);
    cr_assert_float_eq(options.dist.value, 1.1, 1e-12);
    cr_assert_eq(parse("--dist=hot:90%", NULL), OPTIONS_RUN);
    cr_assert_eq(options.dist.kind, DIST_HOT);
    cr_assert_float_eq(options.dist.value, 0.9, 1e-12);
}

Test(options, mixed_goes_on_for_a_number_of_clicks_or_a_time)
{
    cr_assert_eq(parse("--scenario", "mixed", NULL), OPTIONS_RUN);
    cr_assert_eq(options.requests, 1000000);
    cr_assert_eq(options.hold_ms, 1000);
    cr_assert_eq(options.pay_delay_ms, 100);
    cr_assert_float_eq(options.pay_share + options.cancel_share, 0.7, 1e-9);
    cr_assert_not(options.open_ended);
    cr_assert_eq(parse("--scenario", "mixed", "--duration", "5s", "--pay-delay", "0s", NULL),
                 OPTIONS_RUN);
    cr_assert_eq(options.requests, BENCH_KEPT_REQUESTS_MAX);
    cr_assert_eq(options.pay_delay_ms, 0);
    cr_assert(options.open_ended);
    cr_assert_eq(parse("--scenario", "mixed", "--requests", "65M", NULL), OPTIONS_WRONG);
}

Test(options, ramp_has_rates_from_the_first_to_at_most_the_last)
{
    cr_assert_eq(parse("--rate", "7", NULL), OPTIONS_RUN);
    cr_assert_eq(options_rate_count(&options), 1);
    cr_assert_eq(options_rate_at(&options, 0), 7);
    cr_assert_eq(parse("--ramp", "1k:4500:1k", "--requests", "10", "--arrival", "poisson", NULL),
                 OPTIONS_RUN);
    cr_assert_eq(options_rate_count(&options), 4);
    cr_assert_eq(options_rate_at(&options, 0), 1000);
    cr_assert_eq(options_rate_at(&options, 3), 4000);
    cr_assert_eq(options.rate, 1000, "an open loop");
    cr_assert_eq(parse("--ramp=5:5:1", "--requests", "10", NULL), OPTIONS_RUN);
    cr_assert_eq(options_rate_count(&options), 1);
}

Test(options, storm_has_one_item_a_rate_and_ten_seconds_unless_told_otherwise)
{
    cr_assert_eq(parse("--scenario", "storm", NULL), OPTIONS_RUN);
    cr_assert_eq(options.scenario, SCENARIO_STORM);
    cr_assert_eq(options.items, 1);
    cr_assert_eq(options.units, 100000);
    cr_assert_eq(options.hold_ms, 10000);
    cr_assert_eq(options.duration_ms, 5000);
    cr_assert_eq(options.rate, 2000);
    cr_assert_eq(options.requests, 0);
    cr_assert_eq(parse("--scenario", "storm", "--items", "5", "--units", "1M", "--rate", "10k",
                       "--hold-time", "1m", "--duration", "2s", NULL),
                 OPTIONS_RUN);
    cr_assert_eq(options.items, 5);
    cr_assert_eq(options.units, 1000000);
    cr_assert_eq(options.hold_ms, 60000);
    cr_assert_eq(options.duration_ms, 2000);
    cr_assert_eq(options.rate, 10000);
}

Test(options, storm_refuses_what_it_cannot_do)
{
    cr_expect_eq(parse("--scenario", "storm", "--requests", "10", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--scenario", "storm", "--warmup", "1s", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--scenario", "storm", "--verify", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--scenario", "storm", "--units", "unlimited", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--scenario", "storm", "--units", "17M", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--scenario", "storm", "--items", "1001", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--scenario", "storm", "--pay-share", "50%", NULL), OPTIONS_WRONG);
}

Test(options, units_may_be_unlimited)
{
    cr_assert_eq(parse("--items", "3", "--units", "unlimited", NULL), OPTIONS_RUN);
    cr_assert_eq(options.units, -1);
}

Test(options, values_that_are_none_are_named)
{
    static const char *const bad[][2] = {
        {"--requests", "12x"},
        {"--requests", ""},
        {"--requests", "-5"},
        {"--requests", "0"},
        {"--connections", "5000"},
        {"--batch", "8193"},
        {"--rate", "0"},
        {"--rate", "2G"},
        {"--rate", "0.5"},
        {"--arrival", "uniform"},
        {"--arrival", ""},
        {"--interval", "9ms"},
        {"--interval", "100"},
        {"--hold-time", "15"},
        {"--warmup", "0s"},
        {"--runs", "0"},
        {"--runs", "1001"},
        {"--cpus", "one"},
        {"--ramp", "1k"},
        {"--ramp", "1k:2k"},
        {"--ramp", "1k:2k:0"},
        {"--ramp", "0:2k:1k"},
        {"--ramp", "2k:1k:1k"},
        {"--ramp", "1k:2k:1k:"},
        {"--ramp", "1k::1k"},
        {"--ramp", "1:1M:1"},
        {"--ramp", "1:2G:1G"},
        {"--dist", "zipf"},
        {"--dist", "hot:200%"},
        {"--hold-time", "m"},
        {"--hold-time", "30m1h"},
        {"--pay-share", "1.5"},
        {"--pay-share", "nan"},
        {"--server", ""},
        {"--server", "host:"},
        {"--server", "host:+80"},
        {"--server", "host:1k"},
        {"--server", "[::1"},
        {"--server", "[]:80"},
        {"--server", "[::1]80"},
        {"--server", ":7411"},
        {"--server", "host:0"},
        {"--server", "host:x"},
        {"--server", "host:65536"},
        {"--requests", "99999999999999999999"},
        {"--buyers", "99999999999999999M"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(parse(bad[i][0], bad[i][1], NULL), OPTIONS_WRONG, "%s %s", bad[i][0],
                     bad[i][1]);
        cr_expect_not_null(strstr(error, bad[i][0]), "%s %s: %s", bad[i][0], bad[i][1], error);
    }
}

Test(options, unknown_ones_missing_values_and_stray_words_are_named)
{
    cr_assert_eq(parse("--fast", NULL), OPTIONS_WRONG);
    cr_assert_not_null(strstr(error, "--fast"));
    cr_assert_eq(parse("--seed", NULL), OPTIONS_WRONG);
    cr_assert_not_null(strstr(error, "--seed"));
    cr_assert_eq(parse("now", NULL), OPTIONS_WRONG);
    cr_assert_not_null(strstr(error, "now"));
    cr_assert_eq(parse("--scenario", "slow", NULL), OPTIONS_WRONG);
    cr_assert_not_null(strstr(error, "slow"));
}

Test(options, those_that_contradict_each_other_are_refused)
{
    cr_expect_eq(parse("--pay-share", "0.7", "--cancel-share", "0.4", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--duration", "5s", NULL), OPTIONS_WRONG, "flash remembers requests");
    cr_expect_eq(parse("--requests", "65M", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--scenario", "reserve", "--pay-share", "0.5", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--settle", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--arrival", "poisson", NULL), OPTIONS_WRONG);
    cr_expect_not_null(strstr(error, "--rate is missing"), "%s", error);
    cr_expect_eq(parse("--interval", "1s", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--timeline", "f", "--histograms", "f", NULL), OPTIONS_WRONG);
    cr_expect_not_null(strstr(error, "a file of its own"), "%s", error);
    cr_expect_eq(parse("--csv", "f", "--hgrm", "f", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--plot", "f", "--timeline", "f", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--plot", "f", "--runs", "2", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--plot", "f", "--interval", "1s", NULL), OPTIONS_RUN);
    cr_expect_eq(
        parse("--plot", "f", "--interval", "1s", "--ramp", "1:2:1", "--requests", "1", NULL),
        OPTIONS_WRONG);
    cr_expect_eq(parse("--ramp", "1k:2k:1k", NULL), OPTIONS_WRONG);
    cr_expect_not_null(strstr(error, "how long"), "%s", error);
    cr_expect_eq(parse("--ramp", "1k:2k:1k", "--requests", "5", "--rate", "5", NULL),
                 OPTIONS_WRONG);
    cr_expect_eq(parse("--ramp", "1k:2k:1k", "--requests", "5", "--hgrm", "f", NULL),
                 OPTIONS_WRONG);
    cr_expect_eq(parse("--ramp", "1:500:1", "--requests", "5", "--runs", "3", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--timeline", "f", "--runs", "2", NULL), OPTIONS_WRONG);
    cr_expect_not_null(strstr(error, "leave out --runs"), "%s", error);
    cr_expect_eq(parse("--items", "10k", "--runs", "1000", NULL), OPTIONS_RUN);
    cr_expect_eq(parse("--items", "10001", "--runs", "1000", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--units", "5", NULL), OPTIONS_WRONG, "no items to have them");
    cr_expect_eq(parse("--items", "10", "--units", "5", NULL), OPTIONS_WRONG);
    cr_expect_eq(parse("--connections", "4096", "--pipeline", "1024", "--batch", "8192", NULL),
                 OPTIONS_WRONG);
}

Test(options, help_and_version_are_told)
{
    cr_assert_eq(parse("--help", NULL), OPTIONS_HELP);
    cr_assert_eq(parse("--version", NULL), OPTIONS_VERSION);
}

Test(options, a_value_out_of_bounds_is_told_the_bounds)
{
    cr_assert_eq(parse("--items", "20M", NULL), OPTIONS_WRONG);
    cr_assert_str_eq(error, "--items: '20M' is not a count such as 500, 250k, 2M or 1G from 1 to "
                            "10000000");
    cr_assert_eq(parse("--duration", "25h", NULL), OPTIONS_WRONG);
    cr_assert_str_eq(error, "--duration: '25h' is not a duration such as 250ms, 10s or 1h30m from "
                            "1ms to 1d");
    cr_assert_eq(parse("--ramp", "10k:1k:1k", NULL), OPTIONS_WRONG);
    cr_assert_not_null(strstr(error, "A not above B"));
}

Test(options, a_long_wrong_value_does_not_push_out_what_it_should_be)
{
    static char host[300];
    memset(host, 'a', sizeof host - 1);
    cr_assert_eq(parse("--server", host, NULL), OPTIONS_WRONG);
    cr_assert_not_null(strstr(error, "is not HOST or HOST:PORT"));
}
