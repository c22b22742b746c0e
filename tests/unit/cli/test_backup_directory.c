#include "cli/backup_directory.h"
#include "test_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The folders and the manifest of a backup, below a scratch folder. */

static struct test_directory scratch;
static struct backup_directory directory;

static void set_up(void)
{
    test_directory_make(&scratch);
}

static void tear_down(void)
{
    backup_directory_abandon(&directory);
    test_directory_remove(&scratch);
}

/* The n-th sync from now on fails, in place of the C library's; 0 = none. */
static int failing_sync;

int fsync(int fd)
{
    if (failing_sync > 0 && --failing_sync == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

TestSuite(backup_directory, .init = set_up, .fini = tear_down);

static const char *path_of(const char *name)
{
    return test_directory_file(&scratch, name);
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(path_of(name), &status) == 0;
}

static void make_file(const char *name)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, 0600);
    cr_assert_geq(fd, 0, "%s", name);
    close(fd);
}

static void make_folder(const char *name)
{
    cr_assert_eq(mkdir(path_of(name), 0700), 0, "%s", name);
}

static bool create(const char *name, uint32_t core_count)
{
    return backup_directory_init(&directory, path_of(name)) &&
           backup_directory_create(&directory, core_count);
}

#define expect_refusal(made, text)                                                                 \
    do {                                                                                           \
        cr_expect_not(made);                                                                       \
        cr_expect(strstr(directory.message, text), "%s", directory.message);                       \
    } while (0)

/* ---- the good case ---- */

static struct log_manifest manifest;

static void read_manifest(const char *name)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    FILE *file = fopen(path_of(name), "rb");
    cr_assert_not_null(file);
    size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    const char *wrong = log_manifest_decode(text, bytes, &manifest);
    cr_assert_null(wrong, "%s", wrong);
}

Test(backup_directory, one_that_is_finished_has_its_name_and_says_what_it_is)
{
    cr_assert(create("shop", 3), "%s", directory.message);
    cr_expect_not(exists("shop"), "not before it is whole");
    cr_expect(exists("shop.partial/era-000002/core-002"));
    char path[BACKUP_PATH_BYTES];
    backup_directory_snapshot_path(&directory, 2, path);
    cr_expect_str_eq(path,
                     path_of("shop.partial/era-000002/core-002/snapshot-00000000000000000000"));
    cr_assert(backup_directory_finish(&directory), "%s", directory.message);
    cr_expect(exists("shop/era-000002/core-000") && exists("shop/era-000002/core-002"));
    cr_expect_not(exists("shop.partial"));
    read_manifest("shop/MANIFEST");
    cr_expect(id128_equal(manifest.server_id, directory.server_id));
    cr_expect_not(id128_is_zero(manifest.server_id));
    cr_expect_eq(manifest.era_count, 1);
    cr_expect_eq(manifest.eras[0].number, 2);
    cr_expect_eq(manifest.eras[0].core_count, 3);
    cr_expect(log_manifest_needs_snapshots(&manifest));
    backup_directory_abandon(&directory);
    cr_expect(exists("shop/MANIFEST"), "what is finished can't be abandoned");
}

Test(backup_directory, each_has_a_server_id_of_its_own)
{
    cr_assert(create("a", 1));
    struct id128 first = directory.server_id;
    backup_directory_abandon(&directory);
    cr_assert(create("b", 1));
    cr_expect_not(id128_equal(first, directory.server_id));
}

Test(backup_directory, empty_folder_is_taken)
{
    make_folder("shop");
    cr_assert(create("shop//", 1), "%s", directory.message);
    cr_assert(backup_directory_finish(&directory), "%s", directory.message);
    cr_expect(exists("shop/MANIFEST"));
}

Test(backup_directory, name_without_a_slash_is_in_the_working_directory)
{
    cr_assert_eq(chdir(scratch.path), 0);
    cr_assert(backup_directory_init(&directory, "shop") && backup_directory_create(&directory, 1),
              "%s", directory.message);
    cr_assert(backup_directory_finish(&directory), "%s", directory.message);
    cr_expect(exists("shop/MANIFEST"));
}

Test(backup_directory, one_that_is_abandoned_leaves_nothing)
{
    cr_assert(create("shop", 4));
    make_file("shop.partial/era-000002/core-003/snapshot-00000000000000000000");
    backup_directory_abandon(&directory);
    cr_expect_not(exists("shop") || exists("shop.partial"));
    backup_directory_abandon(&directory);
}

/* A core's folder, the era's, the manifest and the folder that it is in; then the one above. */
Test(backup_directory, one_whose_last_sync_fails_is_there_and_is_told_to_be)
{
    enum { SYNC_COUNT = 5 };
    for (int sync = 1; sync <= SYNC_COUNT; sync++) {
        cr_assert(create("shop", 1), "%s", directory.message);
        failing_sync = sync;
        cr_expect_not(backup_directory_finish(&directory));
        cr_assert_eq(failing_sync, 0, "sync %d", sync);
        cr_expect_eq(exists("shop"), sync == SYNC_COUNT);
        cr_expect_eq(directory.is_there, sync == SYNC_COUNT);
        backup_directory_abandon(&directory);
        cr_expect_not(exists("shop.partial"));
    }
    cr_expect(exists("shop/MANIFEST"));
    char expected[BACKUP_MESSAGE_BYTES];
    snprintf(expected, sizeof expected,
             "the backup is there, whole and under its name, but may not survive a loss of power: "
             "%s: cannot sync this folder: Input/output error; run 'sync', or take another backup",
             scratch.path);
    cr_expect_str_eq(directory.message, expected);
}

/* ---- what is in the way ---- */

Test(backup_directory, folder_with_something_in_it_is_refused)
{
    make_folder("shop");
    make_file("shop/MANIFEST");
    expect_refusal(create("shop", 1), "shop: exists and is not empty; name a directory that");
    cr_expect_not(exists("shop.partial"));
}

Test(backup_directory, folder_that_is_filled_meanwhile_is_refused)
{
    cr_assert(create("shop", 1));
    make_folder("shop");
    make_file("shop/mine");
    expect_refusal(backup_directory_finish(&directory), "shop: cannot give the backup this name");
    backup_directory_abandon(&directory);
    cr_expect(exists("shop/mine"));
    cr_expect_not(exists("shop.partial"));
}

Test(backup_directory, file_or_link_of_this_name_is_refused)
{
    make_file("file");
    expect_refusal(create("file", 1), "file: cannot read this folder: Not a directory");
    make_folder("folder");
    cr_assert_eq(symlink(path_of("folder"), path_of("link")), 0);
    expect_refusal(create("link", 1), "link: cannot read this folder");
}

Test(backup_directory, missing_parent_is_told)
{
    expect_refusal(create("nowhere/shop", 1), "nowhere/shop: cannot make this folder: No such file "
                                              "or directory; make the folder above it first");
}

Test(backup_directory, parent_that_may_not_be_written_is_told)
{
    if (geteuid() == 0)
        return; /* may write everywhere */
    make_folder("locked");
    cr_assert_eq(chmod(path_of("locked"), 0500), 0);
    expect_refusal(create("locked/shop", 1), "locked: cannot write in this folder: Permission");
}

Test(backup_directory, path_that_is_too_long_or_empty_is_told)
{
    static char path[BACKUP_PATH_BYTES];
    memset(path, 'a', sizeof path - 1);
    expect_refusal(backup_directory_init(&directory, path), "the path of the directory has 4095");
    expect_refusal(backup_directory_init(&directory, ""), "the path of the directory has 0 bytes");
}

/* ---- what an earlier attempt has left ---- */

Test(backup_directory, what_an_earlier_attempt_left_is_removed)
{
    make_folder("shop.partial");
    make_file("shop.partial/MANIFEST");
    make_folder("shop.partial/era-000002");
    make_folder("shop.partial/era-000002/core-000");
    make_folder("shop.partial/era-000002/core-063");
    make_file("shop.partial/era-000002/core-063/snapshot-00000000000000000000");
    cr_assert(create("shop", 1), "%s", directory.message);
    cr_expect_not(exists("shop.partial/MANIFEST") || exists("shop.partial/era-000002/core-063"));
    cr_expect(exists("shop.partial/era-000002/core-000"));
}

Test(backup_directory, what_no_backup_makes_is_not_removed)
{
    static const char *const foreign[] = {
        "shop.partial/notes", "shop.partial/era-000002/core-000/000000000001.log",
        "shop.partial/era-000002/core-00", "shop.partial/era-000002/core-064",
        "shop.partial/era-000001"};
    make_folder("shop.partial");
    make_folder("shop.partial/era-000002");
    make_folder("shop.partial/era-000002/core-000");
    make_file("shop.partial/era-000002/core-000/snapshot-00000000000000000000");
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        make_file(foreign[i]);
        expect_refusal(create("shop", 1), "shop.partial: is in the way");
        cr_expect(strstr(directory.message, strrchr(foreign[i], '/') + 1));
        cr_expect(exists("shop.partial/era-000002/core-000/snapshot-00000000000000000000"));
        cr_assert_eq(unlink(path_of(foreign[i])), 0, "it is still there");
    }
}

Test(backup_directory, link_in_what_is_left_is_not_followed)
{
    make_folder("valuable");
    make_file("valuable/snapshot-00000000000000000000");
    make_folder("shop.partial");
    make_folder("shop.partial/era-000002");
    cr_assert_eq(symlink(path_of("valuable"), path_of("shop.partial/era-000002/core-000")), 0);
    expect_refusal(create("shop", 1), "something in it that no backup makes ('core-000')");
    cr_expect(exists("valuable/snapshot-00000000000000000000"));
}

Test(backup_directory, two_backups_at_a_time_do_not_meet)
{
    static struct backup_directory other;
    cr_assert(create("shop", 1));
    cr_assert(backup_directory_init(&other, path_of("shop")));
    cr_expect_not(backup_directory_create(&other, 1));
    cr_expect(strstr(other.message, "another backup is being written there"), "%s", other.message);
    backup_directory_abandon(&other);
    cr_expect(exists("shop.partial/era-000002/core-000"), "the first one goes on");
    cr_assert(backup_directory_finish(&directory));
}

Test(backup_directory, trouble_says_what_to_do)
{
    char message[BACKUP_MESSAGE_BYTES];
    backup_trouble(message, "/b/x", "write this file", -ENOSPC);
    cr_expect_str_eq(message,
                     "/b/x: cannot write this file: No space left on device; make room, or "
                     "name a directory on another disk");
}
