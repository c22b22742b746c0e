#ifndef HF_CLIENT_LIST_H
#define HF_CLIENT_LIST_H
/* Intrusive circular doubly linked list. The link lives in its owner; the list owns nothing. */

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

/* The struct of `type` whose member `member` is the link `link`. */
#define list_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
    head->next = head;
    head->previous = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_push_tail(struct list *head, struct list *link)
{
    link->previous = head->previous;
    link->next = head;
    head->previous->next = link;
    head->previous = link;
}

static inline void list_push_head(struct list *head, struct list *link)
{
    list_push_tail(head->next, link);
}

/* Takes the link out of its list and leaves it unlinked. Harmless when it is in none. */
static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

/* Takes out and returns the first or last link, or NULL when the list is empty. */
static inline struct list *list_pop_head(struct list *head)
{
    struct list *link = head->next;
    if (link == head)
        return NULL;
    list_remove(link);
    return link;
}

static inline struct list *list_pop_tail(struct list *head)
{
    struct list *link = head->previous;
    if (link == head)
        return NULL;
    list_remove(link);
    return link;
}

/* Moves all links of `from` behind those of `to`. */
static inline void list_move_all(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->previous = to->previous;
    from->previous->next = to;
    to->previous->next = from->next;
    to->previous = from->previous;
    list_init(from);
}

#endif
