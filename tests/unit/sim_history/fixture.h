#ifndef HF_SIM_HISTORY_FIXTURE_H
#define HF_SIM_HISTORY_FIXTURE_H
/* A sale as the simulator would play it, with the disk and the world in the hand of the test: the
 * real stock decides, the log is made in memory, and the history hears of everything in the order
 * that the test chooses. So any history can be told, right or wrong.
 *
 * Include it once per program: it stands in for the simulator's functions. */

#include "disk.h"
#include "history.h"
#include "log_builder.h"
#include "world.h"

#include "log/manifest.h"

#include <criterion/criterion.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    SALE_ITEM = 7,
    SALE_BUYER = 40,
    SALE_STOCK = 10,
    SALE_HOLD_MS = 1000,
    SALE_RETENTION_MS = 5000,
    SALE_RECORDS_MAX = 1 << 14,
    SALE_FILES_MAX = 8,
};
#define SALE_START_MS 1700000000000ull

#define SALE_FOLDER "/data/era-000001/core-000"

static uint64_t sale_segment_bytes = 32 << 10;

/* What is neither a segment nor MANIFEST. */
struct sale_file {
    char path[128];
    uint8_t *bytes;
    uint64_t byte_count;
    bool is_synced; /* its content is on the medium */
    bool is_safe;   /* and its name */
};

static struct sale {
    struct stock *stock;
    struct log_builder log;
    uint64_t now_ms;
    struct stock_record records[SALE_RECORDS_MAX]; /* committed */
    uint32_t record_count;
    uint32_t written_count; /* in groups that are on the disk */
    char manifest[LOG_MANIFEST_BYTES_MAX];
    size_t manifest_bytes;
    struct sale_file files[SALE_FILES_MAX]; /* without a path: none */
    uint32_t gone_count;                    /* of the first segments: they are no more */
    bool has_disk_failed;
    const char *said; /* by the server since its start, NULL: nothing */
    sim_disk_observer_fn observer;
} sale;

/* ---- findings ---- */

static struct {
    jmp_buf back;
    bool is_expected;
    char check[32];
    char text[40000];
} finding;

void sim_fail(const char *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding.text, sizeof finding.text, format, arguments);
    va_end(arguments);
    snprintf(finding.check, sizeof finding.check, "%s", check);
    if (!finding.is_expected)
        cr_assert_fail("finding: %s: %s", check, finding.text);
    longjmp(finding.back, 1);
}

/* The statement is found to be wrong, by the check of this name, and the text says `about`. */
#define EXPECT_FINDING(name, about, statement)                                                     \
    do {                                                                                           \
        finding.is_expected = true;                                                                \
        if (setjmp(finding.back) == 0) {                                                           \
            statement;                                                                             \
            cr_assert_fail("nothing was found");                                                   \
        }                                                                                          \
        finding.is_expected = false;                                                               \
        cr_assert_str_eq(finding.check, name, "%s: %s", finding.check, finding.text);              \
        cr_assert(strstr(finding.text, about) != NULL, "%s", finding.text);                        \
    } while (0)

/* ---- the world and the disk ---- */

uint64_t sim_now_ns(void)
{
    return (sale.now_ms - SALE_START_MS) * SIM_MS;
}

void sim_disk_observe(sim_disk_observer_fn observer)
{
    sale.observer = observer;
}

static const char *sale_segment_path(uint32_t index)
{
    static char path[128];
    snprintf(path, sizeof path, SALE_FOLDER "/%012u.log", index + 1);
    return path;
}

/* The path need not have a file. */
static inline struct sale_file *sale_other_file(const char *path)
{
    for (uint32_t i = 0; i < SALE_FILES_MAX; i++)
        if (sale.files[i].path[0] != '\0' && strcmp(path, sale.files[i].path) == 0)
            return &sale.files[i];
    return NULL;
}

/* The bytes of a file, or NULL. */
static const uint8_t *sale_file(const char *path, uint64_t *bytes_out)
{
    const struct sale_file *other = sale_other_file(path);
    if (strcmp(path, "/data/MANIFEST") == 0) {
        *bytes_out = sale.manifest_bytes;
        return (const uint8_t *)sale.manifest;
    }
    if (other != NULL) {
        *bytes_out = other->byte_count;
        return other->bytes;
    }
    *bytes_out = sale.log.segment_bytes;
    for (uint32_t i = sale.gone_count; i < sale.log.segment_count; i++)
        if (strcmp(path, sale_segment_path(i)) == 0)
            return sale.log.bytes[i];
    return NULL;
}

int64_t sim_disk_size(const char *path)
{
    uint64_t bytes;
    return sale_file(path, &bytes) == NULL ? -1 : (int64_t)bytes;
}

void sim_disk_read(const char *path, uint64_t offset, void *to, uint64_t bytes)
{
    uint64_t file_bytes;
    const uint8_t *file = sale_file(path, &file_bytes);
    cr_assert(file != NULL && offset + bytes <= file_bytes);
    memcpy(to, file + offset, bytes);
}

/* Only of what the witness looks for: folders, and snapshots in them. */
void sim_disk_list(const char *path, void (*entry)(void *context, const char *name), void *context)
{
    const size_t path_bytes = strlen(path);
    if (strcmp(path, "/data") == 0)
        entry(context, "era-000001");
    if (strcmp(path, "/data/era-000001") == 0)
        entry(context, "core-000");
    for (uint32_t i = 0; i < SALE_FILES_MAX; i++) {
        const char *file = sale.files[i].path;
        if (strncmp(file, path, path_bytes) == 0 && file[path_bytes] == '/' &&
            strchr(file + path_bytes + 1, '/') == NULL)
            entry(context, file + path_bytes + 1);
    }
}

/* Segments and MANIFEST are, whatever the test does. */
bool sim_disk_is_synced(const char *path)
{
    const struct sale_file *other = sale_other_file(path);
    return other == NULL || other->is_synced;
}

bool sim_disk_is_safe(const char *path)
{
    const struct sale_file *other = sale_other_file(path);
    return other == NULL || (other->is_synced && other->is_safe);
}

bool sim_disk_is_zero(const char *path)
{
    uint64_t byte_count;
    const uint8_t *bytes = sale_file(path, &byte_count);
    uint64_t i = 0;
    cr_assert(bytes != NULL);
    while (i < byte_count && bytes[i] == 0)
        i++;
    return i == byte_count;
}

bool sim_disk_has_failed(sim_disk_is_such_fn is_such)
{
    return sale.has_disk_failed && is_such("io_prep_write", SALE_FOLDER, 1);
}

void sim_diag_forget(void)
{
    sale.said = NULL;
}

bool sim_diag_has(const char *text)
{
    return sale.said != NULL && strstr(sale.said, text) != NULL;
}

/* ---- files that come and go ---- */

static inline struct sale_file *sale_add_file(const char *path, const uint8_t *bytes,
                                              uint64_t byte_count)
{
    uint32_t i = 0;
    while (sale.files[i].path[0] != '\0')
        cr_assert_lt(++i, SALE_FILES_MAX);
    snprintf(sale.files[i].path, sizeof sale.files[i].path, "%s", path);
    sale.files[i].bytes = malloc(byte_count);
    cr_assert_not_null(sale.files[i].bytes);
    memcpy(sale.files[i].bytes, bytes, byte_count);
    sale.files[i].byte_count = byte_count;
    sale.files[i].is_synced = true;
    return &sale.files[i];
}

static inline void sale_drop_file(struct sale_file *file)
{
    free(file->bytes);
    memset(file, 0, sizeof *file);
}

/* sale_segment_path() has one text for all, which the witness changes by what it looks at. */
static inline void sale_see(enum sim_disk_event_kind kind, const char *path, const char *to_path)
{
    char path_copy[128], to_path_copy[128] = "";
    snprintf(path_copy, sizeof path_copy, "%s", path);
    if (to_path != NULL)
        snprintf(to_path_copy, sizeof to_path_copy, "%s", to_path);
    sale.observer(
        &(struct sim_disk_event){.kind = kind, .path = path_copy, .to_path = to_path_copy});
}

/* The names in the log's folder reach the medium. */
static inline void sale_sync_folder(void)
{
    for (uint32_t i = 0; i < SALE_FILES_MAX; i++)
        sale.files[i].is_safe = true;
    sale_see(SIM_DISK_SYNCED, SALE_FOLDER, NULL);
}

/* The first segment that is there goes. */
static inline void sale_remove_segment(void)
{
    sale_see(SIM_DISK_REMOVED, sale_segment_path(sale.gone_count), NULL);
    sale.gone_count++;
}

/* ---- the engine ---- */

static struct stock_options sale_tables(void)
{
    return (struct stock_options){.item_count_max = 8,
                                  .reservation_count_max = 4096,
                                  .buyer_count_max = 4096,
                                  .retention_ms = SALE_RETENTION_MS,
                                  .hash_key = 1};
}

/* The record is in the log's open group, which is closed then or later, and nowhere else. */
static inline void sale_append(const struct stock_record *record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    if (sale.log.time_ms < record->time_ms)
        sale.log.time_ms = record->time_ms;
    log_builder_record(&sale.log, bytes, stock_record_encode(record, bytes));
}

/* The record is in the state, and nowhere else. */
static inline void sale_commit(const struct stock_record *record)
{
    struct stock_record copy = *record;
    const char *wrong = stock_check(sale.stock, &copy);
    cr_assert(wrong == NULL, "%s", wrong);
    stock_commit(sale.stock, &copy);
}

static inline void sale_do(const struct stock_record *record)
{
    if (record->type == STOCK_RECORD_NONE)
        return;
    cr_assert_lt(sale.record_count, SALE_RECORDS_MAX);
    sale_append(record);
    sale_commit(record);
    sale.records[sale.record_count++] = *record;
}

/* These bytes reach the medium, where the history sees them. */
static inline void sale_see_written(uint32_t index, uint64_t offset, const uint8_t *data,
                                    uint32_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s", sale_segment_path(index));
    sale.observer(&(struct sim_disk_event){
        .kind = SIM_DISK_WRITTEN, .path = path, .offset = offset, .data = data, .bytes = bytes});
}

/* The open group reaches the disk. */
static inline void sale_write(void)
{
    if (sale.log.record_count == 0)
        return;
    const uint32_t bytes = log_group_bytes(sale.log.payload_bytes);
    log_builder_close_group(&sale.log);
    const uint32_t index = sale.log.used_count - 1;
    const uint64_t offset = sale.log.offset - bytes;
    sale_see_written(index, offset, sale.log.bytes[index] + offset, bytes);
    sale.written_count = sale.record_count;
}

/* Expires and forgets what is due. */
static inline void sale_work_off(void)
{
    struct stock_record record;
    while (stock_decide_due(sale.stock, sale.now_ms, &record))
        sale_do(&record);
}

/* ---- calls ---- */

static inline struct history_call sale_row(enum stock_op op, uint64_t id)
{
    struct history_call call = {.op = HISTORY_ROW};
    call.request.op = (uint8_t)op;
    call.request.item_id = SALE_ITEM;
    call.request.reservation_id = (struct id128){.high = 9, .low = id};
    call.request.buyer_id = SALE_BUYER;
    call.request.quantity = op == STOCK_OP_RESERVE ? 1 : 0;
    return call;
}

static inline struct stock_item_settings sale_settings(int64_t stock)
{
    return (struct stock_item_settings){.item_id = SALE_ITEM,
                                        .stock = stock,
                                        .hold_ms = SALE_HOLD_MS,
                                        .sku = "PHONE",
                                        .sku_bytes = 5};
}

static inline uint32_t sale_ask(struct history_call call)
{
    return history_ask(&call, sale.now_ms);
}

/* What the engine would answer now, and the record that it would make. */
static inline struct stock_reply sale_decide(struct history_call call, struct stock_record *record)
{
    struct stock_reply reply = {0};
    record->type = STOCK_RECORD_NONE;
    switch (call.op) {
    case HISTORY_ROW:
        stock_prepare(sale.stock, &call.request, 1);
        stock_decide(sale.stock, &call.request, sale.now_ms, &reply, record);
        break;
    case HISTORY_ITEM_CREATE:
        stock_decide_item_create(sale.stock, &call.settings, sale.now_ms, &reply, record);
        break;
    case HISTORY_ITEM_UPDATE:
        stock_decide_item_update(sale.stock, &call.settings, call.update_mask, sale.now_ms, &reply,
                                 record);
        break;
    default: {
        struct stock_item_view view;
        bool is_known = stock_item_find(sale.stock, call.settings.item_id, &view);
        reply.code = is_known ? STOCK_OK : STOCK_UNKNOWN_ITEM;
        break;
    }
    }
    return reply;
}

/* Decides and does it; the group stays open. */
static inline struct stock_reply sale_run(struct history_call call)
{
    struct stock_record record;
    struct stock_reply reply = sale_decide(call, &record);
    sale_do(&record);
    return reply;
}

/* Items are answered as they are now. */
static inline void sale_answer(uint32_t call_number, struct history_call call,
                               struct stock_reply reply)
{
    struct stock_item_view view;
    bool has_view =
        call.op != HISTORY_ROW && stock_item_find(sale.stock, call.settings.item_id, &view);
    history_answer(call_number, &reply, has_view ? &view : NULL, sale.now_ms);
}

/* The whole way of a call, as it should be. */
static inline struct stock_reply sale_call(struct history_call call)
{
    uint32_t number = sale_ask(call);
    struct stock_reply reply = sale_run(call);
    sale_write();
    sale_answer(number, call, reply);
    return reply;
}

static inline struct stock_reply sale_reserve(uint64_t id)
{
    return sale_call(sale_row(STOCK_OP_RESERVE, id));
}

static inline void sale_create(int64_t stock)
{
    struct history_call call = {.op = HISTORY_ITEM_CREATE, .settings = sale_settings(stock)};
    cr_assert_eq(sale_call(call).code, STOCK_OK);
}

static inline struct history_call sale_update(uint32_t mask, int64_t stock)
{
    return (struct history_call){
        .op = HISTORY_ITEM_UPDATE, .update_mask = mask, .settings = sale_settings(stock)};
}

static inline struct history_call sale_item_get(void)
{
    return (struct history_call){.op = HISTORY_ITEM_GET, .settings = {.item_id = SALE_ITEM}};
}

/* ---- the server's life ---- */

static inline void sale_begin_with(struct history_options options)
{
    static struct log_manifest manifest;
    manifest = (struct log_manifest){
        .version = LOG_FORMAT_VERSION, .era_count = 1, .eras = {{.number = 1, .core_count = 1}}};
    memset(&sale, 0, sizeof sale);
    sale.now_ms = SALE_START_MS;
    sale.stock = stock_create(&options.tables);
    log_builder_init(&sale.log, sale_segment_bytes);
    manifest.server_id = sale.log.server_id;
    sale.manifest_bytes = log_manifest_encode(&manifest, sale.manifest);
    options.directory = "/data";
    history_begin(&options);
    history_server_starts();
    history_server_started(0);
    history_server_serves();
}

static inline void sale_begin(void)
{
    sale_begin_with((struct history_options){.tables = sale_tables(), .is_sync = true});
}

/* kill -9: what is in the open group is gone, and the start reads the log. */
static inline void sale_crash(void)
{
    struct stock_options tables = sale_tables();
    history_server_ended(false, 0, sale.now_ms);
    sale.log.payload_bytes = 0;
    sale.log.record_count = 0;
    sale.record_count = sale.written_count;
    stock_destroy(&sale.stock);
    sale.stock = stock_create(&tables);
    for (uint32_t i = 0; i < sale.record_count; i++)
        sale_commit(&sale.records[i]);
}

static inline void sale_start(void)
{
    history_server_starts();
    history_server_started(stock_hash(sale.stock));
    history_server_serves();
}

/* A clean stop, and the judgement. */
static inline void sale_end(void)
{
    sale_write();
    history_server_ended(true, stock_hash(sale.stock), sale.now_ms);
    history_end(sale.now_ms, 10);
}

/* A sale with one item of SALE_STOCK units. */
static inline void sale_open(void)
{
    sale_begin();
    sale_create(SALE_STOCK);
}

#endif
