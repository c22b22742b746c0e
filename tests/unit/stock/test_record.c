/* Records as bytes: what goes in comes out, and what is not one is refused, whatever it is. */

#include "random.h"

#include "stock/stock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct stock_record hold_record(uint8_t type)
{
    return (struct stock_record){
        .type = type,
        .time_ms = 0x0102030405u,
        .hold = {.item_id = 0x1112131415161718u,
                 .reservation_id = {.high = 0x2122232425262728u, .low = 0x3132333435363738u},
                 .buyer_id = 0x4142434445464748u,
                 .sequence = 0x5152535455565758u,
                 .expires_ms = 0x6162636465666768u,
                 .user_data = 0x7172737475767778u,
                 .quantity = 0x81828384u,
                 .quantity_confirmed = 0x91929394u}};
}

static struct stock_record item_record(uint8_t type, uint8_t sku_bytes)
{
    struct stock_record record = {.type = type,
                                  .time_ms = 5,
                                  .item = {.item_id = 6,
                                           .stock = STOCK_UNLIMITED,
                                           .buyer_limit = 7,
                                           .hold_cap = 8,
                                           .hold_ms = 9,
                                           .opens_at_ms = 10,
                                           .closes_at_ms = 11,
                                           .paused = sku_bytes % 2 == 1,
                                           .sku_bytes = sku_bytes}};
    memset(record.item.sku, 'a', sku_bytes);
    return record;
}

Test(record, hold_bytes_stand_where_the_drawing_says)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record record = hold_record(STOCK_RECORD_CONFIRMED);
    const uint8_t expected[80] = {
        80,   0,    4,    0,    0x84, 0x83, 0x82, 0x81, 0x05, 0x04, 0x03, 0x02, 0x01, 0,
        0,    0,    0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25,
        0x24, 0x23, 0x22, 0x21, 0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 0x48, 0x47,
        0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51,
        0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61, 0x78, 0x77, 0x76, 0x75, 0x74, 0x73,
        0x72, 0x71, 0x94, 0x93, 0x92, 0x91, 0,    0,    0,    0};
    memset(bytes, 0xAA, sizeof bytes);
    cr_assert_eq(stock_record_encode(&record, bytes), sizeof expected);
    cr_expect_arr_eq(bytes, expected, sizeof expected);
}

Test(record, every_type_of_hold_comes_back)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    for (uint8_t type = STOCK_RECORD_HELD; type <= STOCK_RECORD_FORGOTTEN; type++) {
        struct stock_record in = hold_record(type);
        struct stock_record out;
        uint32_t record_bytes = stock_record_encode(&in, bytes);
        cr_assert_null(stock_record_decode(bytes, record_bytes, &out));
        cr_expect_eq(out.type, type);
        cr_expect_eq(out.time_ms, in.time_ms);
        cr_expect_eq(out.lsn, 0);
        cr_expect_eq(out.item_slot, STOCK_SLOT_NONE);
        cr_expect_eq(out.reservation_slot, STOCK_SLOT_NONE);
        cr_expect_eq(memcmp(&out.hold, &in.hold, sizeof in.hold), 0);
    }
}

Test(record, item_with_every_length_of_sku_comes_back)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    for (uint8_t sku_bytes = 0; sku_bytes <= STOCK_SKU_BYTES_MAX; sku_bytes++) {
        uint8_t type = sku_bytes % 2 ? STOCK_RECORD_ITEM_CREATED : STOCK_RECORD_ITEM_UPDATED;
        struct stock_record in = item_record(type, sku_bytes);
        struct stock_record out;
        memset(bytes, 0xAA, sizeof bytes);
        uint32_t record_bytes = stock_record_encode(&in, bytes);
        cr_expect_eq(record_bytes % 8, 0);
        cr_assert_null(stock_record_decode(bytes, record_bytes, &out));
        cr_expect_eq(out.type, type);
        cr_expect_eq(out.item.item_id, 6);
        cr_expect_eq(out.item.stock, STOCK_UNLIMITED);
        cr_expect_eq(out.item.buyer_limit, 7);
        cr_expect_eq(out.item.hold_cap, 8);
        cr_expect_eq(out.item.hold_ms, 9);
        cr_expect_eq(out.item.opens_at_ms, 10);
        cr_expect_eq(out.item.closes_at_ms, 11);
        cr_expect_eq(out.item.paused, in.item.paused);
        cr_expect_eq(out.item.sku_bytes, sku_bytes);
        cr_expect_eq(memcmp(out.item.sku, in.item.sku, STOCK_SKU_BYTES_MAX), 0);
    }
}

/* Decodes from memory of exactly that size, so that AddressSanitizer sees any step too far. */
static const char *decode(const uint8_t *bytes, uint32_t record_bytes, struct stock_record *out)
{
    uint8_t *exact = malloc(record_bytes + 1);
    cr_assert_not_null(exact);
    uint8_t *from = exact + 1; /* not aligned either */
    memcpy(from, bytes, record_bytes);
    const char *problem = stock_record_decode(from, record_bytes, out);
    free(exact);
    return problem;
}

static void expect_length_matters(struct stock_record record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX + 8] = {0};
    struct stock_record out;
    uint32_t record_bytes = stock_record_encode(&record, bytes);
    cr_expect_null(decode(bytes, record_bytes, &out));
    for (uint32_t other = 0; other <= record_bytes + 8; other++) {
        if (other == record_bytes)
            continue;
        cr_expect_not_null(decode(bytes, other, &out), "%u bytes of %u", other, record_bytes);
        uint8_t says_other[STOCK_RECORD_BYTES_MAX + 8];
        memcpy(says_other, bytes, sizeof bytes);
        says_other[0] = (uint8_t)other;
        cr_expect_not_null(decode(says_other, record_bytes, &out));
        cr_expect_not_null(decode(says_other, other, &out), "%u bytes that say so", other);
    }
}

Test(record, cut_or_lengthened_is_refused)
{
    expect_length_matters(hold_record(STOCK_RECORD_HELD));
    expect_length_matters(item_record(STOCK_RECORD_ITEM_CREATED, 8));
    expect_length_matters(item_record(STOCK_RECORD_ITEM_UPDATED, 13));
}

static void expect_byte_refused(struct stock_record record, uint32_t offset, uint8_t value)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record out;
    uint32_t record_bytes = stock_record_encode(&record, bytes);
    bytes[offset] = value;
    cr_expect_not_null(decode(bytes, record_bytes, &out), "byte %u = %u", offset, value);
}

Test(record, garbled_is_refused)
{
    struct stock_record hold = hold_record(STOCK_RECORD_HELD);
    struct stock_record item = item_record(STOCK_RECORD_ITEM_CREATED, 5);
    const uint8_t no_types[] = {0, 9, 100, 255};
    for (size_t i = 0; i < sizeof no_types; i++) {
        expect_byte_refused(hold, 2, no_types[i]);
        expect_byte_refused(item, 2, no_types[i]);
    }
    expect_byte_refused(hold, 1, 1);  /* length */
    expect_byte_refused(hold, 2, 1);  /* an item of the size of a hold */
    expect_byte_refused(item, 2, 3);  /* and the other way round */
    expect_byte_refused(hold, 3, 1);  /* must be zero */
    expect_byte_refused(hold, 79, 1); /* must be zero */
    expect_byte_refused(hold, 15, 1); /* a time far away */
    expect_byte_refused(item, 3, 2);  /* unknown flag */
    expect_byte_refused(item, 4, 9);  /* SKU longer than the record */
    expect_byte_refused(item, 4, 0);
    expect_byte_refused(item, 4, 65);
    expect_byte_refused(item, 4, 255);
    expect_byte_refused(item, 5, 1);
    expect_byte_refused(item, 69, 1); /* behind the SKU */
}

Test(record, decode_accepts_only_what_encode_writes)
{
    /* Random damage: whatever is still accepted must be written back as the same bytes. */
    struct test_random random;
    test_random_init(&random, 5);
    for (int i = 0; i < 200000; i++) {
        struct stock_record record = i % 2 ? hold_record((uint8_t)(3 + i % 6))
                                           : item_record((uint8_t)(1 + i % 2), (uint8_t)(i % 65));
        uint8_t bytes[STOCK_RECORD_BYTES_MAX];
        uint8_t again[STOCK_RECORD_BYTES_MAX];
        uint32_t record_bytes = stock_record_encode(&record, bytes);
        for (uint32_t n = test_random_below(&random, 4); n > 0; n--)
            bytes[test_random_below(&random, record_bytes)] ^=
                (uint8_t)(1u << test_random_below(&random, 8));
        if (stock_record_decode(bytes, record_bytes, &record) != NULL)
            continue;
        cr_assert_eq(stock_record_encode(&record, again), record_bytes);
        cr_assert_eq(memcmp(bytes, again, record_bytes), 0);
    }
}

Test(record, types_have_names)
{
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_NONE), "NONE");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_ITEM_CREATED), "ITEM_CREATED");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_ITEM_UPDATED), "ITEM_UPDATED");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_HELD), "HELD");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_CONFIRMED), "CONFIRMED");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_CANCELLED), "CANCELLED");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_EXTENDED), "EXTENDED");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_EXPIRED), "EXPIRED");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_FORGOTTEN), "FORGOTTEN");
    cr_expect_str_eq(stock_record_type_name(99), "?");
}
