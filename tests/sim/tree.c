#include "tree.h"

#include "base/assert.h"
#include "private.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum change_kind { CHANGE_ADD, CHANGE_REMOVE, CHANGE_RENAME };

struct sim_change {
    enum change_kind kind;
    char name[SIM_NAME_BYTES_MAX];
    char to_name[SIM_NAME_BYTES_MAX]; /* renamed */
    struct sim_node *node;            /* added */
};

static struct {
    struct sim_node *root;
    struct sim_node *first;
    struct sim_node *last;
} tree;

/* ---- tables of names ---- */

static struct sim_entry *find_entry(const struct sim_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (strcmp(names->entries[i].name, name) == 0)
            return &names->entries[i];
    return NULL;
}

static void add_entry(struct sim_names *names, const char *name, struct sim_node *node)
{
    names->entries =
        sim_array_room(names->entries, sizeof *names->entries, names->count, &names->room);
    struct sim_entry *entry = &names->entries[names->count++];
    memset(entry, 0, sizeof *entry);
    (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->node = sim_node_acquire(node);
}

static void remove_entry(struct sim_names *names, struct sim_entry *entry)
{
    struct sim_node *node = entry->node;
    uint32_t index = (uint32_t)(entry - names->entries);
    names->count--;
    memmove(entry, entry + 1, (names->count - index) * sizeof *entry);
    sim_node_release(node);
}

static void remove_all_entries(struct sim_names *names)
{
    while (names->count > 0)
        remove_entry(names, &names->entries[names->count - 1]);
    sim_free(names->entries);
    memset(names, 0, sizeof *names);
}

static void apply(struct sim_names *names, const struct sim_change *change)
{
    struct sim_entry *entry = find_entry(names, change->name);
    if (change->kind == CHANGE_ADD) {
        hf_assert(entry == NULL);
        add_entry(names, change->name, change->node);
        return;
    }
    hf_assert(entry != NULL);
    if (change->kind == CHANGE_RENAME) {
        struct sim_node *node = sim_node_acquire(entry->node);
        struct sim_entry *replaced = find_entry(names, change->to_name);
        if (replaced != NULL)
            remove_entry(names, replaced);
        add_entry(names, change->to_name, node);
        sim_node_release(node);
        entry = find_entry(names, change->name);
    }
    remove_entry(names, entry);
}

/* ---- nodes ---- */

static struct sim_node *make_node(const char *path, bool is_folder)
{
    struct sim_node *node = sim_alloc(sizeof *node);
    node->is_folder = is_folder;
    node->lock_fd = -1;
    (void)snprintf(node->path, sizeof node->path, "%s", path);
    node->previous = tree.last;
    if (tree.last == NULL)
        tree.first = node;
    else
        tree.last->next = node;
    tree.last = node;
    return node;
}

static void drop_changes(struct sim_node *folder, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (folder->changes[i].node != NULL)
            sim_node_release(folder->changes[i].node);
    folder->change_count -= count;
    memmove(folder->changes, folder->changes + count,
            folder->change_count * sizeof *folder->changes);
}

static void free_node(struct sim_node *node)
{
    if (node->change_count > 0)
        drop_changes(node, node->change_count);
    sim_free(node->changes);
    remove_all_entries(&node->now);
    remove_all_entries(&node->medium);
    sim_content_free(&node->content);
    if (node->previous == NULL)
        tree.first = node->next;
    else
        node->previous->next = node->next;
    if (node->next == NULL)
        tree.last = node->previous;
    else
        node->next->previous = node->previous;
    sim_free(node);
}

struct sim_node *sim_node_acquire(struct sim_node *node)
{
    node->reference_count++;
    return node;
}

/* As deep as folders are nested. NOLINTNEXTLINE(misc-no-recursion) */
void sim_node_release(struct sim_node *node)
{
    hf_assert(node->reference_count > 0);
    if (--node->reference_count == 0)
        free_node(node);
}

void sim_tree_begin(void)
{
    if (tree.root != NULL)
        sim_node_release(tree.root);
    hf_assert(tree.first == NULL);
    tree.root = sim_node_acquire(make_node("", true));
}

struct sim_node *sim_tree_first(void)
{
    return tree.first;
}

/* ---- paths ---- */

/* The next name of a path behind slashes; NULL at its end. */
static const char *next_name(const char *path, char *name)
{
    while (*path == '/')
        path++;
    size_t bytes = strcspn(path, "/");
    if (bytes == 0)
        return NULL;
    if (bytes >= SIM_NAME_BYTES_MAX)
        bytes = SIM_NAME_BYTES_MAX - 1; /* no such name is ever made */
    memcpy(name, path, bytes);
    name[bytes] = '\0';
    return path + strcspn(path, "/");
}

struct sim_node *sim_tree_find(const char *path, int *error_out)
{
    char name[SIM_NAME_BYTES_MAX];
    struct sim_node *node = tree.root;
    hf_assert(path[0] == '/');
    while ((path = next_name(path, name)) != NULL) {
        if (!node->is_folder) {
            *error_out = -ENOTDIR;
            return NULL;
        }
        struct sim_entry *entry = find_entry(&node->now, name);
        if (entry == NULL) {
            *error_out = -ENOENT;
            return NULL;
        }
        node = entry->node;
    }
    return node;
}

/* The folder that holds the last name of a path; negative errno when there is none. */
static int find_folder(const char *path, struct sim_node **folder_out, const char **name_out)
{
    char parent[SIM_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    hf_assert(slash != NULL);
    if (strlen(path) >= sizeof parent || strlen(slash + 1) >= SIM_NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    (void)snprintf(parent, sizeof parent, "%.*s/", (int)(slash - path), path);
    int error = 0;
    *name_out = slash + 1;
    *folder_out = sim_tree_find(parent, &error);
    if (*folder_out == NULL)
        return error;
    return (*folder_out)->is_folder ? 0 : -ENOTDIR;
}

/* ---- changes ---- */

static struct sim_node *node_named(const struct sim_node *folder, const char *name)
{
    const struct sim_entry *entry = find_entry(&folder->now, name);
    return entry == NULL ? NULL : entry->node;
}

static void change(struct sim_node *folder, enum change_kind kind, const char *name,
                   const char *to_name, struct sim_node *node)
{
    folder->changes = sim_array_room(folder->changes, sizeof *folder->changes, folder->change_count,
                                     &folder->change_room);
    struct sim_change *added = &folder->changes[folder->change_count++];
    memset(added, 0, sizeof *added);
    added->kind = kind;
    (void)snprintf(added->name, sizeof added->name, "%s", name);
    (void)snprintf(added->to_name, sizeof added->to_name, "%s", to_name);
    added->node = node == NULL ? NULL : sim_node_acquire(node);
    if (node_named(folder, to_name) != NULL)
        node_named(folder, to_name)->has_name = false;
    if (kind == CHANGE_REMOVE)
        node_named(folder, name)->has_name = false;
    if (kind == CHANGE_ADD)
        node->has_name = true;
    apply(&folder->now, added);
}

int sim_tree_add(const char *path, bool is_folder, struct sim_node **node_out)
{
    struct sim_node *folder;
    const char *name;
    int error = find_folder(path, &folder, &name);
    if (error != 0)
        return error;
    if (find_entry(&folder->now, name) != NULL)
        return -EEXIST;
    *node_out = make_node(path, is_folder);
    change(folder, CHANGE_ADD, name, "", *node_out);
    return 0;
}

static int remove_node(const char *path, bool is_folder)
{
    struct sim_node *folder;
    const char *name;
    int error = find_folder(path, &folder, &name);
    if (error != 0)
        return error;
    const struct sim_entry *entry = find_entry(&folder->now, name);
    if (entry == NULL)
        return -ENOENT;
    if (entry->node->is_folder != is_folder)
        return is_folder ? -ENOTDIR : -EISDIR;
    if (is_folder && entry->node->now.count > 0)
        return -ENOTEMPTY;
    change(folder, CHANGE_REMOVE, name, "", NULL);
    return 0;
}

int sim_tree_remove(const char *path)
{
    return remove_node(path, false);
}

int sim_tree_remove_folder(const char *path)
{
    return remove_node(path, true);
}

int sim_tree_rename(const char *from, const char *to)
{
    struct sim_node *folder;
    struct sim_node *to_folder;
    const char *name;
    const char *to_name;
    int error = find_folder(from, &folder, &name);
    if (error == 0)
        error = find_folder(to, &to_folder, &to_name);
    if (error != 0)
        return error;
    hf_assert(folder == to_folder);
    const struct sim_entry *entry = find_entry(&folder->now, name);
    if (entry == NULL)
        return -ENOENT;
    struct sim_node *node = entry->node;
    if (strcmp(name, to_name) == 0)
        return 0;
    change(folder, CHANGE_RENAME, name, to_name, NULL);
    (void)snprintf(node->path, sizeof node->path, "%s", to);
    return 0;
}

bool sim_tree_is_on_medium(const char *path)
{
    char name[SIM_NAME_BYTES_MAX];
    const struct sim_node *node = tree.root;
    while ((path = next_name(path, name)) != NULL) {
        const struct sim_entry *now = find_entry(&node->now, name);
        const struct sim_entry *medium = find_entry(&node->medium, name);
        if (now == NULL || medium == NULL || now->node != medium->node)
            return false;
        node = now->node;
    }
    return true;
}

uint64_t sim_node_change_count(const struct sim_node *folder)
{
    return folder->changes_synced + folder->change_count;
}

void sim_node_sync_names(struct sim_node *folder, uint64_t change_count)
{
    if (change_count <= folder->changes_synced)
        return;
    uint32_t count = (uint32_t)(change_count - folder->changes_synced);
    hf_assert(count <= folder->change_count);
    for (uint32_t i = 0; i < count; i++)
        apply(&folder->medium, &folder->changes[i]);
    folder->changes_synced += count;
    drop_changes(folder, count);
}

/* ---- losing power ---- */

static void lose_names(struct sim_node *folder)
{
    uint32_t count = folder->change_count;
    uint64_t mode = sim_between(SIM_CHANCE_DISK, 0, 2);
    uint32_t kept = (uint32_t)sim_between(SIM_CHANCE_DISK, 0, count);
    if (mode != 2)
        kept = mode == 0 ? 0 : count;
    sim_node_sync_names(folder, folder->changes_synced + kept);
    drop_changes(folder, folder->change_count);

    struct sim_names now = {0};
    for (uint32_t i = 0; i < folder->medium.count; i++)
        add_entry(&now, folder->medium.entries[i].name, folder->medium.entries[i].node);
    remove_all_entries(&folder->now);
    folder->now = now;
}

/* A file has the path that its name on the medium gives it. NOLINTNEXTLINE(misc-no-recursion) */
static void name_paths(struct sim_node *folder)
{
    for (uint32_t i = 0; i < folder->now.count; i++) {
        char path[SIM_PATH_BYTES_MAX + SIM_NAME_BYTES_MAX];
        struct sim_node *node = folder->now.entries[i].node;
        (void)snprintf(path, sizeof path, "%s/%s", folder->path, folder->now.entries[i].name);
        hf_assert(strlen(path) < sizeof node->path);
        memcpy(node->path, path, strlen(path) + 1);
        node->has_name = true;
        if (node->is_folder)
            name_paths(node);
    }
}

void sim_tree_power_loss(void)
{
    /* A folder that goes takes others with it, of any place in the list. */
    for (struct sim_node *node = tree.first; node != NULL; node = node->next)
        (void)sim_node_acquire(node);
    for (struct sim_node *node = tree.first; node != NULL; node = node->next)
        if (node->is_folder && (node->change_count > 0))
            lose_names(node);
    for (struct sim_node *node = tree.first; node != NULL;) {
        struct sim_node *next = node->next;
        sim_node_release(node);
        node = next;
    }
    name_paths(tree.root);
}
