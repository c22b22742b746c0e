#include "holdfast.h"

/* Names and texts of the library's enums, one table each. */

#define RESULTS(X)                                                                                 \
    X(NONE, "no answer")                                                                           \
    X(OK, "done")                                                                                  \
    X(DUPLICATE, "already done: this is the first answer again")                                   \
    X(ID_CONFLICT, "this id was used before with other content")                                   \
    X(UNKNOWN_ITEM, "no such item")                                                                \
    X(NOT_OPEN, "the sale has not opened yet")                                                     \
    X(CLOSED, "the sale is over")                                                                  \
    X(PAUSED, "the sale is paused")                                                                \
    X(SOLD_OUT, "nothing left")                                                                    \
    X(INSUFFICIENT, "some left, but fewer than asked for")                                         \
    X(BUYER_LIMIT, "over this buyer's limit for the item")                                         \
    X(HOLD_CAP, "this buyer has too many open holds on the item")                                  \
    X(INVALID, "a field is out of range")                                                          \
    X(UNKNOWN_RESERVATION, "no such reservation")                                                  \
    X(EXPIRED, "the hold has expired")                                                             \
    X(CANCELLED, "the hold was cancelled")                                                         \
    X(ALREADY_CONFIRMED, "the reservation is confirmed already")                                   \
    X(RATE_LIMITED, "too many requests, retry later")                                              \
    X(OVERLOADED, "the server is overloaded, retry later")                                         \
    X(TICKET, "no valid ticket")                                                                   \
    X(CAPACITY, "a table of the server is full")                                                   \
    X(READ_ONLY, "the server's disk is full, retry when there is room")                            \
    X(DEADLINE, "the request's deadline passed before it was run")                                 \
    X(LOADING, "the server is reading its log, retry later")                                       \
    X(UNAUTHENTICATED, "not authenticated")                                                        \
    X(FORBIDDEN, "not allowed")                                                                    \
    X(UNKNOWN_SNAPSHOT, "no such snapshot, or not any more")

#define ERRORS(X)                                                                                  \
    X(NONE, "no error")                                                                            \
    X(ARGUMENT, "an argument is missing or out of range")                                          \
    X(MEMORY, "the system refused memory, a thread or a descriptor")                               \
    X(RESOLVE, "the host name has no address")                                                     \
    X(CONNECT, "the server can't be reached")                                                      \
    X(CONNECTION_LOST, "the connection broke while the request was under way")                     \
    X(DEADLINE, "the deadline passed")                                                             \
    X(FULL, "too many requests under way in this client")                                          \
    X(CLOSED, "the client is being closed")                                                        \
    X(IN_CALLBACK, "not allowed in a callback")                                                    \
    X(WRONG_SERVER, "another server than the one asked for")                                       \
    X(VERSION, "the server speaks another version of the protocol")                                \
    X(REJECTED, "the server could not read the request")                                           \
    X(NO_SUCH_CORE, "the server has no such core")                                                 \
    X(TURNED_AWAY, "a repeat was refused, what became of the first is not known")

/* clang-format off */
#define RESULT_NAME(name, text) [HF_RESULT_##name] = #name,
#define RESULT_TEXT(name, text) [HF_RESULT_##name] = text,
#define ERROR_NAME(name, text) [HF_ERROR_##name] = #name,
#define ERROR_TEXT(name, text) [HF_ERROR_##name] = text,
/* clang-format on */

static const char *look_up(const char *const *table, unsigned count, int number)
{
    return number >= 0 && (unsigned)number < count && table[number] ? table[number] : "?";
}

#define LOOK_UP(table, number) look_up(table, sizeof(table) / sizeof((table)[0]), (int)(number))

const char *hf_result_name(hf_result result)
{
    static const char *const names[] = {RESULTS(RESULT_NAME)};
    return LOOK_UP(names, result);
}

const char *hf_result_text(hf_result result)
{
    static const char *const texts[] = {RESULTS(RESULT_TEXT)};
    return LOOK_UP(texts, result);
}

const char *hf_error_name(hf_error error)
{
    static const char *const names[] = {ERRORS(ERROR_NAME)};
    return LOOK_UP(names, error);
}

const char *hf_error_text(hf_error error)
{
    static const char *const texts[] = {ERRORS(ERROR_TEXT)};
    return LOOK_UP(texts, error);
}

const char *hf_outcome_name(hf_outcome outcome)
{
    static const char *const names[] = {"APPLIED", "REFUSED", "NOT_SENT", "UNKNOWN"};
    return LOOK_UP(names, outcome);
}

const char *hf_state_name(hf_state state)
{
    static const char *const names[] = {"NONE",      "HELD",    "CONFIRMED",
                                        "CANCELLED", "EXPIRED", "REFUNDED"};
    return LOOK_UP(names, state);
}

const char *hf_field_name(hf_field field)
{
    static const char *const names[] = {
        "none",       "item_id", "reservation_id", "buyer_id", "quantity",    "hold_ms",
        "expires_ms", "stock",   "buyer_limit",    "hold_cap", "opens_at_ms", "closes_at_ms",
        "sku",
    };
    return LOOK_UP(names, field);
}

const char *hf_version(void)
{
    return HOLDFAST_VERSION;
}
