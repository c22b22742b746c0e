#ifndef HOLDFAST_H
#define HOLDFAST_H
/* Holdfast client library: reserve, pay and give back stock of a flash sale, from C and C++.
 *
 *     hf_options options;
 *     hf_options_init(&options);
 *     options.server = "127.0.0.1:7411";
 *     hf_client *client;
 *     hf_error error = hf_open(&options, &client);
 *     if (error != HF_ERROR_NONE)
 *         return fail(hf_error_text(error));
 *
 *     hf_reserve_request request = {0};
 *     request.item_id = hf_key64("SHOE-42-BLACK");
 *     request.id = hf_id_random();     // keep it: with it a lost answer can be asked for again
 *     request.buyer_id = 1001;
 *     request.quantity = 1;
 *     hf_reply reply;
 *     switch (hf_reserve(client, &request, &reply)) {
 *     case HF_APPLIED:  pay_before(reply.expires_ms); break;
 *     case HF_REFUSED:  tell_the_buyer(hf_result_text(reply.result)); break;
 *     case HF_NOT_SENT: try_again_or_give_up(hf_error_text(reply.error)); break;
 *     case HF_UNKNOWN:  repeat_with_the_same_id(); break;
 *     }
 *     hf_close(client);
 *
 * THE FOUR OUTCOMES
 *
 * HF_APPLIED   The server did it, and it is durable. With is_repeat it had been done before under
 *              the same id: the first answer again. `state` is the reservation's state now, which
 *              after a repeat may be that it was confirmed, cancelled or has expired since.
 * HF_REFUSED   The server answered that it does not do it, `result` says why. Nothing changed.
 * HF_NOT_SENT  The request never left this machine, `error` says why. Nothing changed.
 * HF_UNKNOWN   The request left and no answer came. It may or may not have been done.
 *
 * Only HF_UNKNOWN leaves something to do, and there are two ways:
 *   - To have it done: call again with the same request under the same id. The id is the
 *     idempotency key, so it is done once at most, and if it was done before, the answer is the
 *     first one again, with is_repeat. This also holds after the server was restarted.
 *   - To know only: hf_get() with the id. HF_REFUSED with HF_RESULT_UNKNOWN_RESERVATION means that
 *     it was not done (ask through the same client: requests to an item overtake each other only
 *     while the same connection lasts).
 * The library itself does the first while the deadline allows it (hf_options.resend): requests that
 * were under way on a connection that broke are sent again on the next one. So HF_UNKNOWN is seen
 * only when the deadline passes without an answer, and when the client is closed.
 *
 * THREADS
 *
 * Every function may be called from any thread at any time between hf_open() and hf_close(). Each
 * client has one thread of its own, which talks to the server over one TCP connection for each
 * core of the server and sends every request to the core that owns the item. Calls that gather
 * while it is busy leave together, as the columns of one frame: there is no delay to tune, and
 * many threads on one client are faster than many clients.
 * Requests under way at the same time may be carried out in any order. One that must come after
 * another is to be made when the other was answered.
 *
 * Callbacks run in the client's thread, one at a time, each exactly once, never inside the call
 * that they belong to. A callback may start further asynchronous calls. It must not block: nothing
 * is received meanwhile. Synchronous calls, hf_drain() and hf_close() made from a callback are
 * refused with HF_ERROR_IN_CALLBACK. What a callback is given is valid until it returns.
 *
 * A client does not survive fork() in the child. No function needs or changes signal handlers.
 *
 * DEADLINES
 *
 * Every call has one: deadline_ms, counted from the call, 0 meaning that of the options. No call
 * takes longer, to within a few milliseconds. A request that is still waiting for a connection then
 * is answered HF_NOT_SENT, one that was sent HF_UNKNOWN.
 *
 * Times named in requests and replies (expires_ms, opens_at_ms, ...) are milliseconds since 1970
 * (UTC) on the clock of the server.
 *
 * A SERVER THAT CAN'T
 *
 * LOADING     A server that was just started reads its log before it serves. Calls wait for that,
 *             as for a connection: the library asks again by itself, about when the server said
 *             that it would be ready, and once a second at least. A call whose deadline passes
 *             meanwhile is HF_REFUSED with HF_RESULT_LOADING. With hf_options.fail_fast each is so
 *             at once. hf_ping() is answered all the same, and hf_get_stat() at once with how far
 *             loading has come. So a program that repeats what is HF_UNKNOWN, with a deadline
 *             longer than a restart takes, does not notice a restart but by the time it takes.
 * READ_ONLY   The server's disk has no room for what would have to be recorded. It is a refusal,
 *             told at once: nothing was done. New holds are refused first, and confirming and
 *             cancelling go on for as long as there is any room; reading always does. The server
 *             goes on by itself when somebody has made room.
 * OVERLOADED  A queue inside the server is full. It is a refusal, told at once: try again after a
 *             pause. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HF_API __attribute__((visibility("default")))
#else
#define HF_API
#endif

/* ---------------------------------------------------------------------------------------------
 * Words
 * ------------------------------------------------------------------------------------------- */

typedef enum hf_outcome {
    HF_APPLIED = 0,
    HF_REFUSED = 1,
    HF_NOT_SENT = 2,
    HF_UNKNOWN = 3
} hf_outcome;

/* The server's answer. docs/guarantees.md tells for each operation in what order the checks are
 * made. A newer server may give numbers that are not listed here, as refusals. */
typedef enum hf_result {
    HF_RESULT_NONE = 0, /* no answer: see `error` */
    HF_RESULT_OK = 1,
    HF_RESULT_DUPLICATE = 2,   /* done before, under the same id with the same content */
    HF_RESULT_ID_CONFLICT = 3, /* the id was used before with other content */
    HF_RESULT_UNKNOWN_ITEM = 4,
    HF_RESULT_NOT_OPEN = 5, /* expires_ms of the reply tells when the sale opens */
    HF_RESULT_CLOSED = 6,
    HF_RESULT_PAUSED = 7,
    HF_RESULT_SOLD_OUT = 8,     /* nothing is left */
    HF_RESULT_INSUFFICIENT = 9, /* some are left, but fewer than asked for */
    HF_RESULT_BUYER_LIMIT = 10,
    HF_RESULT_HOLD_CAP = 11,
    HF_RESULT_INVALID = 12, /* invalid_field of the reply names the field */
    HF_RESULT_UNKNOWN_RESERVATION = 13,
    HF_RESULT_EXPIRED = 14,
    HF_RESULT_CANCELLED = 15,
    HF_RESULT_ALREADY_CONFIRMED = 16,
    HF_RESULT_RATE_LIMITED = 17,
    HF_RESULT_OVERLOADED = 18, /* nothing was done, try again after a pause */
    HF_RESULT_TICKET = 19,
    HF_RESULT_CAPACITY = 20,  /* a table of the server is full */
    HF_RESULT_READ_ONLY = 21, /* the disk is full, nothing was done */
    HF_RESULT_DEADLINE = 22,
    HF_RESULT_LOADING = 23, /* the server was not ready before the deadline, nothing was done */
    HF_RESULT_UNAUTHENTICATED = 24,
    HF_RESULT_FORBIDDEN = 25,
    HF_RESULT_UNKNOWN_SNAPSHOT = 26 /* only from hf_snapshot_read() */
} hf_result;

/* Why a request was not sent or not answered, or a function of this library refused. */
typedef enum hf_error {
    HF_ERROR_NONE = 0,
    HF_ERROR_ARGUMENT = 1,        /* an option or argument is missing or out of range */
    HF_ERROR_MEMORY = 2,          /* the system refused memory, a thread or a descriptor */
    HF_ERROR_RESOLVE = 3,         /* the host name has no address */
    HF_ERROR_CONNECT = 4,         /* no connection: hf_trouble() says more */
    HF_ERROR_CONNECTION_LOST = 5, /* the connection broke while the request was under way */
    HF_ERROR_DEADLINE = 6,        /* the deadline passed */
    HF_ERROR_FULL = 7,            /* in_flight_max requests are under way */
    HF_ERROR_CLOSED = 8,          /* the client is being closed */
    HF_ERROR_IN_CALLBACK = 9,     /* not allowed in a callback: it would wait for itself */
    HF_ERROR_WRONG_SERVER = 10,   /* not the server named by hf_options.server_id */
    HF_ERROR_VERSION = 11,        /* the server speaks another version of the protocol */
    HF_ERROR_REJECTED = 12,       /* the server could not read the frame: hf_trouble() says more */
    HF_ERROR_NO_SUCH_CORE = 13,   /* the server has fewer cores */
    HF_ERROR_TURNED_AWAY = 14     /* a repeat was refused before it was known what became of the
                                     first: `result` tells how */
} hf_error;

/* The state of a reservation. */
typedef enum hf_state {
    HF_STATE_NONE = 0, /* there is none */
    HF_STATE_HELD = 1,
    HF_STATE_CONFIRMED = 2,
    HF_STATE_CANCELLED = 3,
    HF_STATE_EXPIRED = 4,
    HF_STATE_REFUNDED = 5
} hf_state;

/* The field that HF_RESULT_INVALID is about. */
typedef enum hf_field {
    HF_FIELD_NONE = 0,
    HF_FIELD_ITEM_ID = 1,
    HF_FIELD_RESERVATION_ID = 2,
    HF_FIELD_BUYER_ID = 3,
    HF_FIELD_QUANTITY = 4,
    HF_FIELD_HOLD_MS = 5,
    HF_FIELD_EXPIRES_MS = 6,
    HF_FIELD_STOCK = 7,
    HF_FIELD_BUYER_LIMIT = 8,
    HF_FIELD_HOLD_CAP = 9,
    HF_FIELD_OPENS_AT_MS = 10,
    HF_FIELD_CLOSES_AT_MS = 11,
    HF_FIELD_SKU = 12
} hf_field;

enum {
    HF_SKU_BYTES_MAX = 64, /* without the closing NUL */
    HF_ID_TEXT_BYTES = 33, /* 32 hex digits and the closing NUL */
    HF_SERVER_ID_BYTES = 16,
    HF_CORE_COUNT_MAX = 64,          /* of a server */
    HF_SNAPSHOT_PIECE_BYTES = 65536, /* of hf_snapshot_read() */
    HF_SNAPSHOT_DEADLINE_MS = 600000 /* of hf_snapshot(), when none is named */
};

#define HF_UNLIMITED (-1) /* stock or available: there is no limit */

/* Static text; "?" for a number that is unknown here. Names are the identifiers without prefix,
 * such as "SOLD_OUT"; texts are for people, such as "nothing left". */
HF_API const char *hf_outcome_name(hf_outcome outcome);
HF_API const char *hf_result_name(hf_result result);
HF_API const char *hf_result_text(hf_result result);
HF_API const char *hf_error_name(hf_error error);
HF_API const char *hf_error_text(hf_error error);
HF_API const char *hf_state_name(hf_state state);
HF_API const char *hf_field_name(hf_field field);

/* Version of the library, such as "0.1.0". */
HF_API const char *hf_version(void);

/* ---------------------------------------------------------------------------------------------
 * Ids
 * ------------------------------------------------------------------------------------------- */

/* Names a reservation within its item. Made by the caller, never zero. */
typedef struct hf_id {
    uint64_t high;
    uint64_t low;
} hf_id;

/* A new random id. Aborts when the system has no randomness to give. */
HF_API hf_id hf_id_random(void);

/* 32 lower-case hex digits, high half first. */
HF_API void hf_id_format(hf_id id, char text_out[HF_ID_TEXT_BYTES]);

/* Reads exactly 32 hex digits of either case. False, and nothing is set, when `text` is not that.
 */
HF_API bool hf_id_parse(const char *text, hf_id *id_out);

/* XXH3-64 of a text: the customary way to make an item id of a SKU, or a buyer id of a name. */
HF_API uint64_t hf_key64(const char *text);

/* ---------------------------------------------------------------------------------------------
 * Opening
 * ------------------------------------------------------------------------------------------- */

typedef struct hf_client hf_client;

typedef struct hf_options {
    /* Set by hf_options_init(). Tells which fields the caller knows, so that a program goes on
     * working with a later library. */
    size_t struct_bytes;

    /* "host:port", "host", "1.2.3.4:port" or "[v6 address]:port". The port is 7411 if not named.
     * Default "127.0.0.1:7411". A name is looked up once, in hf_open(); all its addresses are
     * tried in turn. */
    const char *server;

    /* Shown in the server's log; up to 64 bytes. Default: none. */
    const char *client_name;

    /* The only server to talk to, HF_SERVER_ID_BYTES bytes (see hf_server_info), or NULL for any.
     * Another one answers HF_ERROR_WRONG_SERVER to every call. Default NULL. */
    const uint8_t *server_id;

    /* For calls that name no deadline. Default 5000. */
    uint32_t deadline_ms;

    /* For one attempt to connect, the greeting included. Default 2000. */
    uint32_t connect_timeout_ms;

    /* Requests under way or waiting, in all. Their memory is allocated by hf_open(), about half a
     * KiB each. Default 16384; at most 4194304. */
    uint32_t in_flight_max;

    /* While there is no connection: true answers HF_NOT_SENT at once, false lets calls wait for
     * one until their deadline. Likewise while the server is loading: true answers HF_REFUSED with
     * HF_RESULT_LOADING at once. Default false. */
    bool fail_fast;

    /* Send again, until the deadline, what was under way on a connection that broke. What is sent
     * again is done once at most, since it carries its id. hf_item_update() is never sent again.
     * Default true. */
    bool resend;
} hf_options;

/* Fills in the defaults. Call it as hf_options_init(&options). */
HF_API void hf_options_init_sized(hf_options *options, size_t struct_bytes);
#define hf_options_init(options) hf_options_init_sized((options), sizeof(hf_options))

/* Starts a client. Returns HF_ERROR_NONE, HF_ERROR_ARGUMENT, HF_ERROR_RESOLVE or HF_ERROR_MEMORY;
 * `*client_out` is NULL then. Connecting goes on in the background, and after a connection was lost
 * again with growing pauses (10 ms to 1 s): that the server can't be reached is told by the calls.
 * NULL for `options` means the defaults. */
HF_API hf_error hf_open(const hf_options *options, hf_client **client_out);

/* Ends a client. Always returns: whatever is under way is answered first, HF_NOT_SENT or
 * HF_UNKNOWN with HF_ERROR_CLOSED, and its callbacks have returned. To let it finish instead, call
 * hf_drain() before. Calls that other threads are waiting in return; none may be started any more
 * once this is called. Returns HF_ERROR_NONE, or HF_ERROR_IN_CALLBACK having done nothing. NULL is
 * allowed. */
HF_API hf_error hf_close(hf_client *client);

/* Waits until nothing is under way, at most `timeout_ms`. HF_ERROR_NONE, HF_ERROR_DEADLINE or
 * HF_ERROR_IN_CALLBACK. */
HF_API hf_error hf_drain(hf_client *client, uint32_t timeout_ms);

/* What last went wrong with a connection, for a person: "127.0.0.1:7411: connection refused".
 * Empty when nothing has. Writes at most `text_bytes`, the closing NUL included. */
HF_API void hf_trouble(hf_client *client, char *text_out, size_t text_bytes);

/* ---------------------------------------------------------------------------------------------
 * Reservations
 * ------------------------------------------------------------------------------------------- */

/* Set a request to zero before filling it in: zero is each field's default. */

/* Hold units of an item for a buyer. */
typedef struct hf_reserve_request {
    hf_id id; /* new: hf_id_random() */
    uint64_t item_id;
    uint64_t buyer_id;    /* 0 = anonymous: no limits per buyer */
    uint32_t quantity;    /* 1 to 1,000,000 */
    uint32_t deadline_ms; /* 0 = that of the options */
    uint64_t hold_ms;     /* how long to hold; 0 = the item's hold time; at most thirty days */
    uint64_t user_data;   /* kept, and given back by hf_get() */
} hf_reserve_request;

/* Turn a hold into a sale. What is not confirmed goes back at once. */
typedef struct hf_confirm_request {
    hf_id id;
    uint64_t item_id;
    uint32_t quantity; /* 0 = all that is held */
    uint32_t deadline_ms;
} hf_confirm_request;

/* Give a hold back. */
typedef struct hf_cancel_request {
    hf_id id;
    uint64_t item_id;
    uint32_t deadline_ms;
} hf_cancel_request;

/* Keep a hold at least until expires_ms. Never shortens it. */
typedef struct hf_extend_request {
    hf_id id;
    uint64_t item_id;
    uint64_t expires_ms;
    uint32_t deadline_ms;
} hf_extend_request;

/* Ask what became of a reservation. */
typedef struct hf_get_request {
    hf_id id;
    uint64_t item_id;
    uint32_t deadline_ms;
} hf_get_request;

typedef struct hf_reply {
    hf_outcome outcome;
    hf_result result; /* with HF_APPLIED and HF_REFUSED, and HF_ERROR_TURNED_AWAY */
    hf_error error;   /* with HF_NOT_SENT and HF_UNKNOWN */
    hf_state state;   /* of the reservation after this request */
    hf_field invalid_field;
    bool is_repeat; /* HF_RESULT_DUPLICATE: it had been done before */
    uint32_t quantity;
    uint32_t quantity_confirmed;
    uint64_t sequence;   /* of the hold among those of its item: 1, 2, 3, ... without gap */
    uint64_t expires_ms; /* when the hold ends or ended; with HF_RESULT_NOT_OPEN: opens */
    int64_t available;   /* units of the item free after this, or HF_UNLIMITED */
    /* only from hf_get() */
    uint64_t buyer_id;
    uint64_t user_data;
    uint64_t created_ms;
} hf_reply;

typedef void (*hf_reply_fn)(const hf_reply *reply, void *context);

/* Each waits for the answer, and returns reply_out->outcome. While in_flight_max requests are under
 * way they wait for room first. */
HF_API hf_outcome hf_reserve(hf_client *client, const hf_reserve_request *request,
                             hf_reply *reply_out);
HF_API hf_outcome hf_confirm(hf_client *client, const hf_confirm_request *request,
                             hf_reply *reply_out);
HF_API hf_outcome hf_cancel(hf_client *client, const hf_cancel_request *request,
                            hf_reply *reply_out);
HF_API hf_outcome hf_extend(hf_client *client, const hf_extend_request *request,
                            hf_reply *reply_out);
HF_API hf_outcome hf_get(hf_client *client, const hf_get_request *request, hf_reply *reply_out);

/* The same without waiting. The request is copied. HF_ERROR_NONE: accepted, `callback` will be
 * called with the reply. HF_ERROR_FULL: in_flight_max requests are under way, try again when some
 * have been answered (in a callback there always is room for one more). HF_ERROR_CLOSED: the client
 * is being closed. The callback is not called then, and nothing was sent. */
HF_API hf_error hf_reserve_async(hf_client *client, const hf_reserve_request *request,
                                 hf_reply_fn callback, void *context);
HF_API hf_error hf_confirm_async(hf_client *client, const hf_confirm_request *request,
                                 hf_reply_fn callback, void *context);
HF_API hf_error hf_cancel_async(hf_client *client, const hf_cancel_request *request,
                                hf_reply_fn callback, void *context);
HF_API hf_error hf_extend_async(hf_client *client, const hf_extend_request *request,
                                hf_reply_fn callback, void *context);
HF_API hf_error hf_get_async(hf_client *client, const hf_get_request *request, hf_reply_fn callback,
                             void *context);

/* ---------------------------------------------------------------------------------------------
 * Items
 * ------------------------------------------------------------------------------------------- */

/* What the seller sets. */
typedef struct hf_item_settings {
    uint64_t item_id;               /* not zero */
    char sku[HF_SKU_BYTES_MAX + 1]; /* may be empty; never changes */
    bool paused;
    int64_t stock;         /* units for sale in all, or HF_UNLIMITED */
    uint32_t buyer_limit;  /* units per buyer over the whole sale, unpaid included; 0 = no limit */
    uint32_t hold_cap;     /* open holds per buyer; 0 = no limit */
    uint64_t hold_ms;      /* hold time when a request names none; 0 = 15 minutes */
    uint64_t opens_at_ms;  /* 0 = open from the start */
    uint64_t closes_at_ms; /* the first moment at which the sale is closed; 0 = never */
} hf_item_settings;

typedef struct hf_item {
    hf_item_settings settings;
    int64_t available; /* units free, or HF_UNLIMITED */
    uint64_t held;
    uint64_t sold;
    uint64_t next_sequence; /* that the next hold will get */
    uint64_t created_ms;
} hf_item;

/* Creating an item again with the same settings is HF_APPLIED with is_repeat; with others it is
 * refused with HF_RESULT_ID_CONFLICT. */
typedef struct hf_item_create_request {
    hf_item_settings settings;
    bool validate_only; /* answer as if, but change nothing */
    uint32_t deadline_ms;
} hf_item_create_request;

/* Bits that name the settings to change. */
enum {
    HF_UPDATE_STOCK = 1 << 0,
    HF_UPDATE_BUYER_LIMIT = 1 << 1,
    HF_UPDATE_HOLD_CAP = 1 << 2,
    HF_UPDATE_HOLD_MS = 1 << 3,
    HF_UPDATE_OPENS_AT_MS = 1 << 4,
    HF_UPDATE_CLOSES_AT_MS = 1 << 5,
    HF_UPDATE_PAUSED = 1 << 6
};

/* Stock below what is held and sold is refused with HF_RESULT_INSUFFICIENT. */
typedef struct hf_item_update_request {
    hf_item_settings settings; /* item_id and the settings named in `fields` */
    uint32_t fields;           /* HF_UPDATE_... */
    uint32_t deadline_ms;
} hf_item_update_request;

typedef struct hf_item_get_request {
    uint64_t item_id;
    uint32_t deadline_ms;
} hf_item_get_request;

typedef struct hf_item_reply {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    hf_field invalid_field;
    bool is_repeat;
    bool has_item;
    hf_item item; /* as it is after this, if has_item */
} hf_item_reply;

typedef void (*hf_item_reply_fn)(const hf_item_reply *reply, void *context);

/* As for reservations. */
HF_API hf_outcome hf_item_create(hf_client *client, const hf_item_create_request *request,
                                 hf_item_reply *reply_out);
HF_API hf_outcome hf_item_update(hf_client *client, const hf_item_update_request *request,
                                 hf_item_reply *reply_out);
HF_API hf_outcome hf_item_get(hf_client *client, const hf_item_get_request *request,
                              hf_item_reply *reply_out);

HF_API hf_error hf_item_create_async(hf_client *client, const hf_item_create_request *request,
                                     hf_item_reply_fn callback, void *context);
HF_API hf_error hf_item_update_async(hf_client *client, const hf_item_update_request *request,
                                     hf_item_reply_fn callback, void *context);
HF_API hf_error hf_item_get_async(hf_client *client, const hf_item_get_request *request,
                                  hf_item_reply_fn callback, void *context);

/* Where a walk through all items stands. Set it to zero to begin. */
typedef struct hf_item_cursor {
    uint32_t core;
    uint32_t position;
    bool is_at_end;
} hf_item_cursor;

typedef struct hf_item_page {
    hf_outcome outcome; /* HF_APPLIED: the page was read */
    hf_result result;
    hf_error error;
    uint32_t count; /* items written; may be 0 before the end is reached */
} hf_item_page;

/* Reads on from `cursor`, up to `count_max` items, and moves it. Items come core by core, in order
 * of creation. Go on until cursor->is_at_end. */
HF_API hf_outcome hf_item_list(hf_client *client, hf_item_cursor *cursor, uint32_t deadline_ms,
                               hf_item *items_out, uint32_t count_max, hf_item_page *page_out);

/* ---------------------------------------------------------------------------------------------
 * The server
 * ------------------------------------------------------------------------------------------- */

typedef struct hf_server_info {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    uint8_t server_id[HF_SERVER_ID_BYTES]; /* made with its data directory */
    char server_version[65];
    uint64_t features;
    uint64_t now_ms; /* its clock, just now */
    uint64_t round_trip_us;
    uint32_t core_count;
    uint32_t body_bytes_max; /* the largest frame body that it takes */
    uint32_t batch_rows_max;
} hf_server_info;

/* Asks core 0 for a sign of life, and tells what the server said of itself. */
HF_API hf_outcome hf_get_server_info(hf_client *client, uint32_t deadline_ms,
                                     hf_server_info *info_out);

typedef struct hf_ping_reply {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    uint64_t now_ms; /* the server's clock */
    uint64_t round_trip_us;
} hf_ping_reply;

HF_API hf_outcome hf_ping(hf_client *client, uint32_t core, uint32_t deadline_ms,
                          hf_ping_reply *reply_out);

#define HF_ALL_CORES UINT32_MAX

/* Counters since start, and what there is now. */
typedef struct hf_stat {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    uint32_t core; /* or HF_ALL_CORES */
    uint32_t core_count;
    uint64_t now_ms;
    uint64_t uptime_ms;
    uint64_t items;
    uint64_t reservations; /* all that are remembered; the next four by state */
    uint64_t held;
    uint64_t confirmed;
    uint64_t cancelled;
    uint64_t expired;
    uint64_t buyers;
    uint64_t units_held;
    uint64_t units_sold;
    uint64_t connections;
    uint64_t frames;
    uint64_t rows;
    uint64_t rows_accepted;
    uint64_t rows_refused;
    uint64_t rows_forwarded;     /* that arrived at a core which does not own the item */
    uint64_t rows_filtered;      /* for unknown items, refused by the filter alone */
    uint64_t rows_filter_missed; /* for unknown items, let through by the filter */
    uint64_t bad_frames;
    uint64_t log_groups;
    uint64_t log_records;
    uint64_t log_bytes;
    uint64_t log_last_lsn;    /* the largest of the cores */
    uint64_t log_durable_lsn; /* likewise */
    uint64_t expiries;
    uint64_t expiry_late_ms_max; /* how late after the deadline a hold was ended at worst */
    uint64_t state_hash;         /* 0 unless asked for */
    /* with HF_RESULT_LOADING, and then only these, the core, the number of cores and the time */
    uint64_t load_bytes;      /* to be read, of snapshots and logs */
    uint64_t load_bytes_done; /* of them were read */
    uint64_t load_ready_ms;   /* when it will be done, as far as can be told; 0 = not yet known */
    /* of the newest snapshot, 0 when there is none */
    uint64_t snapshot_lsn;      /* of the last record that is in it; the largest of the cores */
    uint64_t snapshot_taken_ms; /* the earliest of the cores, 0 when one has none */
    uint64_t snapshots;         /* taken since the start */
    uint64_t log_bytes_behind;  /* of the log behind the newest one, which a restart would read */
    bool lacks_space;           /* the disk is full: HF_RESULT_READ_ONLY, or soon */
} hf_stat;

/* Counters of one core, or with HF_ALL_CORES their sum over all. The state hash holds each core
 * up for as long as it takes to walk its whole state. While the server is loading the outcome is
 * HF_REFUSED with HF_RESULT_LOADING, at once, and stat_out tells how far it has come; with
 * HF_ALL_CORES that is so as long as one core is loading. */
HF_API hf_outcome hf_get_stat(hf_client *client, uint32_t core, bool with_state_hash,
                              uint32_t deadline_ms, hf_stat *stat_out);

/* ---------------------------------------------------------------------------------------------
 * Snapshots
 * ------------------------------------------------------------------------------------------- */

/* What one core has written down of its state. docs/log-format.md tells what is in the file. */
typedef struct hf_core_snapshot {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    uint32_t core;
    uint64_t lsn;   /* of the last record that is in it, which names it */
    uint64_t bytes; /* of its file; 0 when the file is older than the server's last start */
    uint64_t items;
    uint64_t reservations;
    uint64_t buyers; /* pairs of a buyer and an item */
    uint64_t state_hash;
    uint64_t took_ms; /* until the answer came */
} hf_core_snapshot;

typedef struct hf_snapshot_reply {
    /* HF_APPLIED when all were taken, else the worst of them: of the first core that has it */
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    uint32_t core_count; /* 1, or that of the server, or 0 when that is not known */
    hf_core_snapshot cores[HF_CORE_COUNT_MAX];
} hf_snapshot_reply;

/* Lets a core, or with HF_ALL_CORES each of them, all at the same time, write a snapshot of what
 * it has done until now, and waits until it is on disk; the slowest core decides. A core that has
 * changed nothing since its newest snapshot tells of that one. It takes seconds to minutes,
 * by the size of the state, and holds nobody up: 0 for `deadline_ms` is HF_SNAPSHOT_DEADLINE_MS
 * here, whatever the options say. HF_UNKNOWN is no harm, ask again.
 * HF_RESULT_READ_ONLY: the disk has no room for it or refuses to take it, the server's own log
 * says more; or the server keeps nothing on disk (--durability off). */
HF_API hf_outcome hf_snapshot(hf_client *client, uint32_t core, uint32_t deadline_ms,
                              hf_snapshot_reply *reply_out);

typedef struct hf_snapshot_piece {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    uint32_t bytes;      /* written to data_out: a multiple of 4096; 0 at the end of the file */
    uint64_t file_bytes; /* of the whole file */
} hf_snapshot_piece;

/* Reads the piece at `offset`, a multiple of 4096, of a core's snapshot into `data_out`, which has
 * room for HF_SNAPSHOT_PIECE_BYTES. The next piece is at `offset` + bytes. The server keeps a
 * snapshot for a minute after each piece that is read of it; it keeps one for each core so.
 * HF_RESULT_UNKNOWN_SNAPSHOT: there is none of this LSN, or not any more.
 * HF_RESULT_OVERLOADED: the core is reading another piece, it reads one at a time.
 * HF_RESULT_READ_ONLY: its disk does not give it. */
HF_API hf_outcome hf_snapshot_read(hf_client *client, uint32_t core, uint64_t lsn, uint64_t offset,
                                   uint32_t deadline_ms, void *data_out,
                                   hf_snapshot_piece *piece_out);

#ifdef __cplusplus
}
#endif

#endif
