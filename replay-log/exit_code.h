#ifndef HF_REPLAY_LOG_EXIT_CODE_H
#define HF_REPLAY_LOG_EXIT_CODE_H
/* What the program returns to the shell. */

enum exit_code {
    EXIT_GOOD = 0,
    EXIT_USAGE = 1,
    EXIT_TORN = 2,
    EXIT_DAMAGED = 3,
    EXIT_IO = 4,
    EXIT_VERSION = 5,
    EXIT_DIFFERENT = 10,
    EXIT_LOST = 11,
};

/* The worse of two findings about one directory: damage is said before all else. */
static inline enum exit_code exit_code_worse(enum exit_code a, enum exit_code b)
{
    static const int RANKS[] = {
        [EXIT_GOOD] = 0, [EXIT_TORN] = 1,    [EXIT_VERSION] = 2,
        [EXIT_IO] = 3,   [EXIT_DAMAGED] = 4, [EXIT_USAGE] = 5,
    };
    return RANKS[a] >= RANKS[b] ? a : b;
}

#endif
