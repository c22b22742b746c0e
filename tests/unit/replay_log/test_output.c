/* What is made appears whole or not at all, also when the program is told to end meanwhile. */

#include "replay_log/output.h"
#include "test_directory.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct test_directory directory;

/* Whoever runs the tests may ignore signals: hanging up under nohup, the interrupt where a shell
 * runs them in the background. */
static void set_up(void)
{
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    test_directory_make(&directory);
}

static void tear_down(void)
{
    test_directory_remove(&directory);
}

static const char *path_of(const char *name)
{
    return test_directory_file(&directory, name);
}

static bool is_there(const char *name)
{
    struct stat status;
    return lstat(path_of(name), &status) == 0;
}

/* A folder with a file in it, and a file beside it. Asserts nothing, because Criterion's assertions
 * tell the runner, through a socket that a forked child must not use. */
static bool make_half(struct output_folder *folder, struct output_file *file)
{
    if (!output_folder_begin(folder, path_of("folder"), "/usr"))
        return false;
    const int fd = output_create(path_of("folder.partial/inside"));
    return fd >= 0 && output_write(fd, "inside", "x", 1) && output_close(fd, "inside") &&
           output_file_begin(file, path_of("file"), "/usr");
}

TestSuite(output, .init = set_up, .fini = tear_down);

Test(output, has_its_name_when_it_is_whole_and_not_before)
{
    struct output_folder folder;
    struct output_file file;
    cr_assert(make_half(&folder, &file));
    cr_expect(!is_there("folder") && !is_there("file"));
    cr_expect(output_file_finish(&file) && output_folder_finish(&folder));
    cr_expect(is_there("folder/inside") && is_there("file"));
    cr_expect(!is_there("folder.partial") && !is_there("file.partial"));
}

Test(output, a_signal_ends_the_program_and_leaves_nothing_behind)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        int status;
        const pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            struct output_folder folder;
            struct output_file file;
            if (!make_half(&folder, &file))
                _exit(1);
            raise(signals[i]);
            output_heed_signals();
            _exit(0);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
        cr_expect(!is_there("folder.partial") && !is_there("file.partial"));
        cr_expect(!is_there("folder") && !is_there("file"));
    }
}

Test(output, a_signal_that_comes_with_the_last_step_finds_it_whole)
{
    int status;
    const pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        struct output_file file;
        if (!output_file_begin(&file, path_of("file"), "/usr"))
            _exit(1);
        raise(SIGTERM);
        (void)output_file_finish(&file);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    cr_expect(is_there("file") && !is_there("file.partial"));
}

Test(output, signals_are_as_they_were_when_nothing_is_made_any_more)
{
    struct sigaction now;
    struct output_folder folder;
    struct output_file file;
    signal(SIGHUP, SIG_IGN);
    cr_assert(make_half(&folder, &file));
    sigaction(SIGHUP, NULL, &now);
    cr_expect(now.sa_handler == SIG_IGN, "nohup still holds");
    output_file_abandon(&file);
    sigaction(SIGINT, NULL, &now);
    cr_expect(now.sa_handler != SIG_DFL);
    output_folder_abandon(&folder);
    sigaction(SIGINT, NULL, &now);
    cr_expect(now.sa_handler == SIG_DFL);
}

Test(output, what_another_run_makes_is_left_alone)
{
    struct output_folder folder;
    cr_assert_eq(mkdir(path_of("folder.partial"), 0700), 0);
    cr_expect(!output_folder_begin(&folder, path_of("folder"), "/usr"));
    output_folder_abandon(&folder);
    cr_expect(is_there("folder.partial"));
    cr_expect(!output_may_be_made(path_of("folder"), "/usr"));
}
