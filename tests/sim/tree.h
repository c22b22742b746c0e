#ifndef HF_SIM_TREE_H
#define HF_SIM_TREE_H
/* The names of the simulated disk: files and folders, as they are now and as they are on the
 * medium. A folder keeps its changes since the last sync in order; a loss of power leaves the first
 * few of them. */

#include "content.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIM_NAME_BYTES_MAX = 96, SIM_PATH_BYTES_MAX = 512 };

struct sim_change;
struct sim_entry;

struct sim_names {
    struct sim_entry *entries;
    uint32_t count;
    uint32_t room;
};

struct sim_node {
    struct sim_node *previous; /* of all, in order of their making */
    struct sim_node *next;
    uint32_t reference_count; /* by names, changes and users */
    uint32_t open_count;      /* descriptors */
    bool is_folder;
    bool has_name; /* now */
    int lock_fd;   /* -1: not locked */
    char path[SIM_PATH_BYTES_MAX];
    struct sim_content content; /* of a file */
    struct sim_names now;       /* of a folder */
    struct sim_names medium;
    struct sim_change *changes; /* not synced yet, oldest first */
    uint32_t change_count;
    uint32_t change_room;
    uint64_t changes_synced; /* all that came before */
};

struct sim_entry {
    char name[SIM_NAME_BYTES_MAX];
    struct sim_node *node;
};

void sim_tree_begin(void);

/* NULL when there is none; `error_out` says -ENOENT or -ENOTDIR. Paths are absolute. */
struct sim_node *sim_tree_find(const char *path, int *error_out);

/* Changes of names: 0 or -ENOENT, -ENOTDIR, -EEXIST, -EISDIR, -ENAMETOOLONG. */
int sim_tree_add(const char *path, bool is_folder, struct sim_node **node_out);
int sim_tree_remove(const char *path);                 /* a file */
int sim_tree_remove_folder(const char *path);          /* an empty one */
int sim_tree_rename(const char *from, const char *to); /* within a folder */

/* All names of this path stand for the same on the medium. */
bool sim_tree_is_on_medium(const char *path);

struct sim_node *sim_node_acquire(struct sim_node *node);
void sim_node_release(struct sim_node *node);

/* All changes of a folder so far, synced ones included. */
uint64_t sim_node_change_count(const struct sim_node *folder);
/* The first so many changes are on the medium. */
void sim_node_sync_names(struct sim_node *folder, uint64_t change_count);

/* All nodes, in order of their making. */
struct sim_node *sim_tree_first(void);

/* Of each folder's unsynced changes the first few stay, or all, or none; then what has no name on
 * the medium is gone. Nobody uses a node. */
void sim_tree_power_loss(void);

#endif
