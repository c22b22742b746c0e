#ifndef HF_BASE_DIAG_H
#define HF_BASE_DIAG_H
/* Lines for the operator: one event, one line on stderr, written at once. For start, stop and
 * trouble, never for every request. Any thread. */

enum diag_level { DIAG_INFO, DIAG_WARNING, DIAG_ERROR };

/* The line is "2026-01-31T12:00:00.123Z LEVEL text"; a newline is added. Text over 1000 bytes is
 * cut. */
__attribute__((format(printf, 2, 3))) void diag(enum diag_level level, const char *format, ...);

/* Lines below `level` are dropped from now on. Starts at DIAG_INFO. Call it before threads run. */
void diag_set_level(enum diag_level level);

#endif
