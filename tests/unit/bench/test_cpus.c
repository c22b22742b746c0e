#include "bench/cpus.h"

#include <criterion/criterion.h>
#include <unistd.h>

/* Lists of CPUs. */

Test(cpus, numbers_and_ranges_are_taken)
{
    cpu_set_t cpus;
    cr_assert(cpus_parse("0", &cpus));
    cr_expect_eq(CPU_COUNT(&cpus), 1);
    cr_expect(CPU_ISSET(0, &cpus));
    cr_assert(cpus_parse("1,4-6,9", &cpus));
    cr_expect_eq(CPU_COUNT(&cpus), 5);
    cr_expect(CPU_ISSET(1, &cpus) && CPU_ISSET(4, &cpus) && CPU_ISSET(5, &cpus) &&
              CPU_ISSET(6, &cpus) && CPU_ISSET(9, &cpus));
    cr_assert(cpus_parse("3-3,3", &cpus));
    cr_expect_eq(CPU_COUNT(&cpus), 1);
    cr_assert(cpus_parse("1023", &cpus));
}

Test(cpus, what_is_no_list_is_refused)
{
    static const char *const bad[] = {"",
                                      ",",
                                      "1,",
                                      ",1",
                                      "1,,2",
                                      "-1",
                                      "1-",
                                      "2-1",
                                      " 1",
                                      "1 ",
                                      "1;2",
                                      "0x1",
                                      "+1",
                                      "all",
                                      "1-2-3",
                                      "1024",
                                      "99999999999999999999"};
    cpu_set_t cpus;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(cpus_parse(bad[i], &cpus), "'%s'", bad[i]);
    }
}

Test(cpus, none_that_is_there_is_told)
{
    cpu_set_t cpus;
    cr_assert(cpus_parse("1023", &cpus));
    if (sysconf(_SC_NPROCESSORS_CONF) < 1024) {
        cr_expect_not_null(cpus_use(&cpus));
    }
    cr_assert_eq(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    cr_expect_null(cpus_use(&cpus), "those that it has anyhow");
}

Test(cpus, threads_take_turns_on_those_that_they_may_use)
{
    cpu_set_t allowed;
    cpu_set_t one;
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    uint32_t count = (uint32_t)CPU_COUNT(&allowed);
    int before = -1;
    for (uint32_t place = 0; place < count; place++) {
        cr_assert_null(cpus_use(&allowed));
        cr_assert_null(cpus_pin(count + place));
        cr_assert_eq(sched_getaffinity(0, sizeof one, &one), 0);
        cr_assert_eq(CPU_COUNT(&one), 1);
        int cpu = before + 1;
        while (!CPU_ISSET(cpu, &one)) {
            cpu++;
        }
        cr_expect(CPU_ISSET(cpu, &allowed));
        cr_expect_gt(cpu, before);
        before = cpu;
    }
}
