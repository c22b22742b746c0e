/* Entries as bytes: what goes in comes out, and what is not one is refused, whatever it is. */

#include "random.h"

#include "stock/entry.h"
#include "stock/stock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct stock_entry item_entry(uint8_t sku_bytes)
{
    struct stock_entry entry = {
        .type = STOCK_ENTRY_ITEM,
        .item = {.settings = {.item_id = 0x1112131415161718u,
                              .stock = 0x2122232425262728,
                              .buyer_limit = 0x31323334u,
                              .hold_cap = 0x41424344u,
                              .hold_ms = 0x5152535455565758u,
                              .opens_at_ms = 0x6162636465666768u,
                              .closes_at_ms = 0x7172737475767778u,
                              .paused = sku_bytes % 2 == 1,
                              .sku_bytes = sku_bytes},
                 .created_ms = 0x8182838485868788u,
                 .held = 0x9192939495969798u,
                 .sold = 0xA1A2A3A4A5A6A7A8u,
                 .next_sequence = 0xB1B2B3B4B5B6B7B8u},
    };
    memset(entry.item.settings.sku, 'a', sku_bytes);
    return entry;
}

static struct stock_entry buyer_entry(void)
{
    return (struct stock_entry){
        .type = STOCK_ENTRY_BUYER,
        .buyer = {.item_id = 0x1112131415161718u,
                  .buyer_id = 0x2122232425262728u,
                  .units_held = 0x31323334u,
                  .units_sold = 0x41424344u,
                  .open_holds = 0x51525354u},
    };
}

static struct stock_entry reservation_entry(void)
{
    return (struct stock_entry){
        .type = STOCK_ENTRY_RESERVATION,
        .reservation = {.hold = {.item_id = 0x1112131415161718u,
                                 .reservation_id = {0x2122232425262728u, 0x3132333435363738u},
                                 .buyer_id = 0x4142434445464748u,
                                 .sequence = 0x5152535455565758u,
                                 .expires_ms = 0x6162636465666768u,
                                 .user_data = 0x7172737475767778u,
                                 .quantity = 0x81828384u,
                                 .quantity_confirmed = 0x91929394u},
                        .created_ms = 0xA1A2A3A4A5A6A7A8u,
                        .set_ms = 0xB1B2B3B4B5B6B7B8u,
                        .state = 0xC1},
    };
}

static void expect_bytes(struct stock_entry entry, const uint8_t *expected, uint32_t count)
{
    uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
    memset(bytes, 0xAA, sizeof bytes);
    cr_assert_eq(stock_entry_encode(&entry, bytes), count);
    cr_expect_arr_eq(bytes, expected, count);
}

Test(entry, bytes_of_an_item_stand_where_the_drawing_says)
{
    const uint8_t expected[96] = {
        96,   0,    16,   1,    3,    0,    0,    0,    0x88, 0x87, 0x86, 0x85, 0x84, 0x83,
        0x82, 0x81, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25,
        0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 0x44, 0x43, 0x42, 0x41, 0x58, 0x57,
        0x56, 0x55, 0x54, 0x53, 0x52, 0x51, 0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61,
        0x78, 0x77, 0x76, 0x75, 0x74, 0x73, 0x72, 0x71, 0x98, 0x97, 0x96, 0x95, 0x94, 0x93,
        0x92, 0x91, 0xA8, 0xA7, 0xA6, 0xA5, 0xA4, 0xA3, 0xA2, 0xA1, 0xB8, 0xB7, 0xB6, 0xB5,
        0xB4, 0xB3, 0xB2, 0xB1, 'a',  'a',  'a',  0,    0,    0,    0,    0};
    expect_bytes(item_entry(3), expected, sizeof expected);
}

Test(entry, bytes_of_a_buyer_stand_where_the_drawing_says)
{
    const uint8_t expected[32] = {32,   0,    17,   0,    0x54, 0x53, 0x52, 0x51, 0x18, 0x17, 0x16,
                                  0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23,
                                  0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 0x44, 0x43, 0x42, 0x41};
    expect_bytes(buyer_entry(), expected, sizeof expected);
}

Test(entry, bytes_of_a_reservation_stand_where_the_drawing_says)
{
    const uint8_t expected[88] = {
        88,   0,    18,   0xC1, 0x84, 0x83, 0x82, 0x81, 0xA8, 0xA7, 0xA6, 0xA5, 0xA4, 0xA3, 0xA2,
        0xA1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23,
        0x22, 0x21, 0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 0x48, 0x47, 0x46, 0x45, 0x44,
        0x43, 0x42, 0x41, 0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51, 0x68, 0x67, 0x66, 0x65,
        0x64, 0x63, 0x62, 0x61, 0x78, 0x77, 0x76, 0x75, 0x74, 0x73, 0x72, 0x71, 0x94, 0x93, 0x92,
        0x91, 0,    0,    0,    0,    0xB8, 0xB7, 0xB6, 0xB5, 0xB4, 0xB3, 0xB2, 0xB1};
    expect_bytes(reservation_entry(), expected, sizeof expected);
}

static void expect_comes_back(struct stock_entry in)
{
    uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
    uint8_t again[STOCK_ENTRY_BYTES_MAX];
    struct stock_entry out;
    memset(bytes, 0xAA, sizeof bytes);
    memset(again, 0x55, sizeof again);
    memset(&out, 0xAA, sizeof out);
    uint32_t count = stock_entry_encode(&in, bytes);
    cr_expect_eq(count % 8, 0);
    cr_assert_null(stock_entry_decode(bytes, count, &out));
    cr_expect_eq(out.type, in.type);
    cr_expect_eq(stock_entry_hash(&out), stock_entry_hash(&in));
    cr_assert_eq(stock_entry_encode(&out, again), count);
    cr_expect_arr_eq(again, bytes, count);
}

Test(entry, of_every_type_and_length_of_sku_comes_back)
{
    for (uint8_t sku_bytes = 0; sku_bytes <= STOCK_SKU_BYTES_MAX; sku_bytes++)
        expect_comes_back(item_entry(sku_bytes));
    expect_comes_back(buyer_entry());
    expect_comes_back(reservation_entry());
}

/* Decodes from memory of exactly that size, so that AddressSanitizer sees any step too far. */
static const char *decode(const uint8_t *bytes, uint32_t count, struct stock_entry *out)
{
    uint8_t *exact = malloc(count + 1);
    cr_assert_not_null(exact);
    uint8_t *from = exact + 1; /* not aligned either */
    memcpy(from, bytes, count);
    const char *problem = stock_entry_decode(from, count, out);
    free(exact);
    return problem;
}

static void expect_length_matters(struct stock_entry entry)
{
    uint8_t bytes[STOCK_ENTRY_BYTES_MAX + 8] = {0};
    struct stock_entry out;
    uint32_t count = stock_entry_encode(&entry, bytes);
    cr_expect_null(decode(bytes, count, &out));
    for (uint32_t other = 0; other <= count + 8; other++) {
        if (other == count)
            continue;
        cr_expect_not_null(decode(bytes, other, &out), "%u bytes of %u", other, count);
        uint8_t says_other[STOCK_ENTRY_BYTES_MAX + 8];
        memcpy(says_other, bytes, sizeof bytes);
        says_other[0] = (uint8_t)other;
        cr_expect_not_null(decode(says_other, count, &out));
        cr_expect_not_null(decode(says_other, other, &out), "%u bytes that say so", other);
    }
}

Test(entry, cut_or_lengthened_is_refused)
{
    expect_length_matters(item_entry(8));
    expect_length_matters(item_entry(13));
    expect_length_matters(buyer_entry());
    expect_length_matters(reservation_entry());
}

static void expect_byte_refused(struct stock_entry entry, uint32_t offset, uint8_t value)
{
    uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
    struct stock_entry out;
    uint32_t count = stock_entry_encode(&entry, bytes);
    bytes[offset] = value;
    cr_expect_not_null(decode(bytes, count, &out), "byte %u = %u", offset, value);
}

Test(entry, garbled_is_refused)
{
    const uint8_t no_types[] = {0, 1, 8, 15, 19, 255};
    for (size_t i = 0; i < sizeof no_types; i++) {
        expect_byte_refused(item_entry(5), 2, no_types[i]);
        expect_byte_refused(buyer_entry(), 2, no_types[i]);
        expect_byte_refused(reservation_entry(), 2, no_types[i]);
    }
    expect_byte_refused(buyer_entry(), 1, 1);        /* length */
    expect_byte_refused(buyer_entry(), 2, 18);       /* another type */
    expect_byte_refused(reservation_entry(), 2, 16); /* another type */
    expect_byte_refused(buyer_entry(), 3, 1);        /* must be zero */
    expect_byte_refused(reservation_entry(), 79, 1); /* must be zero */
    expect_byte_refused(item_entry(5), 3, 2);        /* unknown flag */
    expect_byte_refused(item_entry(5), 4, 9);        /* SKU longer than the entry */
    expect_byte_refused(item_entry(5), 4, 65);
    expect_byte_refused(item_entry(5), 7, 1);
    expect_byte_refused(item_entry(5), 93, 1); /* behind the SKU */
}

Test(entry, decode_accepts_only_what_encode_writes)
{
    /* Random damage: whatever is still accepted must be written back as the same bytes. */
    struct test_random random;
    test_random_init(&random, 6);
    for (int i = 0; i < 200000; i++) {
        struct stock_entry entry = i % 3 == 0   ? item_entry((uint8_t)(i % 65))
                                   : i % 3 == 1 ? buyer_entry()
                                                : reservation_entry();
        uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
        uint8_t again[STOCK_ENTRY_BYTES_MAX];
        uint32_t count = stock_entry_encode(&entry, bytes);
        for (uint32_t n = test_random_below(&random, 4); n > 0; n--)
            bytes[test_random_below(&random, count)] ^=
                (uint8_t)(1u << test_random_below(&random, 8));
        if (stock_entry_decode(bytes, count, &entry) != NULL)
            continue;
        cr_assert_eq(stock_entry_encode(&entry, again), count);
        cr_assert_eq(memcmp(bytes, again, count), 0);
    }
}
