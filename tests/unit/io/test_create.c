/* Where io_uring is missing, or too old: what io_create() says. */

#include "io/io.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* What a container's profile does. */
static void block(uint32_t call, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static enum io_status create(char *message)
{
    struct io *io = NULL;
    enum io_status status = io_create(&(struct io_options){.op_count_max = 8}, &io, message);
    cr_assert_null(io);
    cr_assert_lt(strlen(message), 256);
    return status;
}

static enum io_status create_blocked(int error, char *message)
{
    block(SYS_io_uring_setup, error);
    return create(message);
}

Test(create, when_a_profile_forbids_io_uring_says_what_to_allow)
{
    char message[256];
    cr_assert_eq(create_blocked(EPERM, message), IO_BLOCKED);
    cr_assert(strstr(message, "seccomp") != NULL || strstr(message, "sysctl") != NULL, "%s",
              message);
}

Test(create, when_the_kernel_has_no_io_uring_is_blocked)
{
    char message[256];
    cr_assert_eq(create_blocked(ENOSYS, message), IO_BLOCKED);
    cr_assert(strstr(message, "seccomp") != NULL, "%s", message);
}

Test(create, when_no_set_of_flags_is_known_is_unsupported)
{
    char message[256];
    cr_assert_eq(create_blocked(EINVAL, message), IO_UNSUPPORTED);
    cr_assert(strstr(message, "5.11") != NULL, "%s", message);
}

Test(create, without_memory_says_so)
{
    char message[256];
    cr_assert_eq(create_blocked(ENOMEM, message), IO_NO_MEMORY);
    cr_assert(strstr(message, "ulimit") != NULL, "%s", message);
}

Test(create, when_only_registering_is_forbidden_says_what_to_allow)
{
    char message[256];
    block(SYS_io_uring_register, EPERM);
    cr_assert_eq(create(message), IO_BLOCKED);
    cr_assert(strstr(message, "io_uring_register") != NULL || strstr(message, "sysctl") != NULL,
              "%s", message);
}

/* ---- an older kernel ---- */

struct io_uring;
int io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe, unsigned count);

static uint32_t unknown_from; /* this opcode and all that came after it; 0: none is unknown */

/* Stands before liburing's own: the kernel's answer, as an older one would give it. */
int io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe, unsigned count)
{
    int (*real)(struct io_uring *, struct io_uring_probe *, unsigned) =
        (int (*)(struct io_uring *, struct io_uring_probe *, unsigned))dlsym(
            RTLD_NEXT, "io_uring_register_probe");
    int result = real(ring, probe, count);
    if (unknown_from != 0 && probe->last_op >= unknown_from) {
        probe->last_op = (uint8_t)(unknown_from - 1);
        for (uint32_t i = unknown_from; i < count; i++)
            probe->ops[i].flags = 0;
    }
    return result;
}

Test(create, when_operations_are_unknown_names_them_and_the_kernel_that_has_them)
{
    char message[256];
    unknown_from = IORING_OP_RENAMEAT;
    cr_assert_eq(create(message), IO_UNSUPPORTED);
    cr_expect(strstr(message, "(renameat, unlinkat)") != NULL, "%s", message);
    cr_expect(strstr(message, "5.11") != NULL, "%s", message);
    unknown_from = 1;
    cr_assert_eq(create(message), IO_UNSUPPORTED);
    cr_expect(strstr(message, "accept, recv") != NULL, "%s", message);
    cr_expect(strstr(message, "unlinkat)") != NULL, "%s", message);
    cr_expect(strstr(message, "5.11") != NULL, "%s", message);
}
