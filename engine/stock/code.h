#ifndef HF_STOCK_CODE_H
#define HF_STOCK_CODE_H
/* Business results. Being refused is a normal answer, not an error. The numbers are those of
 * holdfast.v1.Result on the wire and never change; docs/guarantees.md tells what a client may
 * conclude from each. */

/* X(name, number, text) */
#define STOCK_CODES(X)                                                                             \
    X(OK, 1, "done")                                                                               \
    X(DUPLICATE, 2, "already done: this is the first answer again")                                \
    X(ID_CONFLICT, 3, "this id was used before with other content")                                \
    X(UNKNOWN_ITEM, 4, "no such item")                                                             \
    X(NOT_OPEN, 5, "the sale has not opened yet")                                                  \
    X(CLOSED, 6, "the sale is over")                                                               \
    X(PAUSED, 7, "the sale is paused")                                                             \
    X(SOLD_OUT, 8, "nothing left")                                                                 \
    X(INSUFFICIENT, 9, "some left, but fewer than asked for")                                      \
    X(BUYER_LIMIT, 10, "over this buyer's limit for the item")                                     \
    X(HOLD_CAP, 11, "this buyer has too many open holds on the item")                              \
    X(INVALID, 12, "a field is out of range")                                                      \
    X(UNKNOWN_RESERVATION, 13, "no such reservation")                                              \
    X(EXPIRED, 14, "the hold has expired")                                                         \
    X(CANCELLED, 15, "the hold was cancelled")                                                     \
    X(ALREADY_CONFIRMED, 16, "the reservation is confirmed already")                               \
    X(RATE_LIMITED, 17, "too many requests, retry later")                                          \
    X(OVERLOADED, 18, "the server is overloaded, retry later")                                     \
    X(TICKET, 19, "no valid ticket")                                                               \
    X(CAPACITY, 20, "a table of the server is full")                                               \
    X(READ_ONLY, 21, "the server takes no new holds now")                                          \
    X(DEADLINE, 22, "the request's deadline passed before it was run")                             \
    X(LOADING, 23, "the server is reading its log, retry later")                                   \
    X(UNAUTHENTICATED, 24, "not authenticated")                                                    \
    X(FORBIDDEN, 25, "not allowed")                                                                \
    X(UNKNOWN_SNAPSHOT, 26, "no such snapshot, or not any more")

enum stock_code {
#define STOCK_CODE_ENUM(name, number, text) STOCK_##name = (number),
    STOCK_CODES(STOCK_CODE_ENUM)
#undef STOCK_CODE_ENUM
};

/* "SOLD_OUT", or "?" for a number that is no code. Static memory. */
const char *stock_code_name(int code);

#endif
