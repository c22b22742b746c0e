#include "bench/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The text behind the colon of the first line that begins with "model name". */
static void learn_cpu(char *cpu, size_t cpu_bytes)
{
    snprintf(cpu, cpu_bytes, "?");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", strlen("model name")) == 0 && colon != NULL) {
            const char *text = colon + 1 + strspn(colon + 1, " ");
            snprintf(cpu, cpu_bytes, "%.*s", (int)strcspn(text, "\n"), text);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

void machine_learn(struct machine *machine)
{
    *machine = (struct machine){
        .cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
        .memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
    };
    learn_cpu(machine->cpu, sizeof machine->cpu);
    struct utsname name;
    if (uname(&name) == 0) {
        snprintf(machine->kernel, sizeof machine->kernel, "%.64s %.64s %.64s", name.sysname,
                 name.release, name.machine);
    }
}
