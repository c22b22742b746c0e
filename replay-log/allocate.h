#ifndef HF_REPLAY_LOG_ALLOCATE_H
#define HF_REPLAY_LOG_ALLOCATE_H
/* Memory of a program that ends, with a line that says so, when there is none. free() gives it
 * back.
 */

#include <stddef.h>

/* All zero. */
void *allocate(size_t count, size_t bytes);
/* With any content: for buffers. */
void *allocate_buffer(size_t bytes);
/* Larger, with what was in it; what is new has any content. */
void *allocate_again(void *memory, size_t bytes);
/* For a list that grows: room for one more entry. `*room` is how many fit. */
void *with_room(void *list, size_t count, size_t *room, size_t entry_bytes);
char *allocate_text(const char *text);

#endif
