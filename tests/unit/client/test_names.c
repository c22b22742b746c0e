#include "address.h"
#include "holdfast.h"

#include <criterion/criterion.h>
#include <string.h>

/* Ids, names, addresses: what needs no server. */

Test(id, text_of_an_id_reads_back)
{
    char text[HF_ID_TEXT_BYTES];
    hf_id id = {0x0123456789abcdef, 0xfedcba9876543210};
    hf_id_format(id, text);
    cr_expect_str_eq(text, "0123456789abcdeffedcba9876543210");
    hf_id again = {0, 0};
    cr_expect(hf_id_parse(text, &again));
    cr_expect(again.high == id.high && again.low == id.low);
    cr_expect(hf_id_parse("0123456789ABCDEFFEDCBA9876543210", &again));
    cr_expect(again.high == id.high && again.low == id.low);
}

Test(id, other_texts_are_refused_and_leave_the_id_alone)
{
    static const char *const texts[] = {"",
                                        "0",
                                        "0123456789abcdeffedcba987654321",
                                        "0123456789abcdeffedcba98765432100",
                                        "0123456789abcdeffedcba987654321g",
                                        " 123456789abcdeffedcba9876543210",
                                        "0x23456789abcdeffedcba9876543210",
                                        "0123456789abcdef-fedcba987654321"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        hf_id id = {1, 2};
        cr_expect_not(hf_id_parse(texts[i], &id), "%s", texts[i]);
        cr_expect(id.high == 1 && id.low == 2);
    }
}

Test(id, random_ids_differ)
{
    hf_id a = hf_id_random();
    hf_id b = hf_id_random();
    cr_expect(a.high != b.high && a.low != b.low);
}

Test(key, key_of_a_text_is_its_xxh3)
{
    cr_expect_eq(hf_key64(""), 0x2d06800538d394c2); /* published test value */
    cr_expect_neq(hf_key64("a"), hf_key64("b"));
}

Test(names, every_number_has_a_name_and_a_text)
{
    for (int i = 0; i <= HF_RESULT_UNKNOWN_SNAPSHOT; i++) {
        cr_expect_str_neq(hf_result_name((hf_result)i), "?");
        cr_expect_str_neq(hf_result_text((hf_result)i), "?");
    }
    for (int i = 0; i <= HF_ERROR_TURNED_AWAY; i++) {
        cr_expect_str_neq(hf_error_name((hf_error)i), "?");
        cr_expect_str_neq(hf_error_text((hf_error)i), "?");
    }
    cr_expect_str_eq(hf_result_name(HF_RESULT_SOLD_OUT), "SOLD_OUT");
    cr_expect_str_eq(hf_state_name(HF_STATE_REFUNDED), "REFUNDED");
    cr_expect_str_eq(hf_field_name(HF_FIELD_SKU), "sku");
    cr_expect_str_eq(hf_outcome_name(HF_UNKNOWN), "UNKNOWN");
}

Test(names, unknown_numbers_have_a_question_mark)
{
    cr_expect_str_eq(hf_result_name((hf_result)999), "?");
    cr_expect_str_eq(hf_error_text((hf_error)-1), "?");
}

Test(address, host_and_port_in_all_customary_forms)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } cases[] = {{"127.0.0.1:80", "127.0.0.1", 80},
                 {"shop.example", "shop.example", 7411},
                 {"[::1]:99", "::1", 99},
                 {"[::1]", "::1", 7411},
                 {"::1", "::1", 7411},
                 {"h:65535", "h", 65535}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[ADDRESS_HOST_BYTES];
        uint16_t port;
        cr_expect(address_split(cases[i].text, host, &port), "%s", cases[i].text);
        cr_expect_str_eq(host, cases[i].host);
        cr_expect_eq(port, cases[i].port);
    }
}

Test(address, malformed_ones_are_refused)
{
    static const char *const texts[] = {"",      ":80",     "h:",       "h:0",   "h:65536",
                                        "h:+80", "h:80 ",   "[::1",     "[]:80", "[::1]80",
                                        "h:8x",  "[::1]:0", "h:000080", "h:-1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char host[ADDRESS_HOST_BYTES];
        uint16_t port;
        cr_expect_not(address_split(texts[i], host, &port), "%s", texts[i]);
    }
}

Test(address, numeric_ones_resolve_to_what_they_say)
{
    struct address_list list;
    cr_expect_eq(address_resolve("127.0.0.1:7411", &list), HF_ERROR_NONE);
    cr_expect_eq(list.count, 1);
    cr_expect_str_eq(list.addresses[0].text, "127.0.0.1:7411");
    cr_expect_eq(address_resolve("[::1]:7411", &list), HF_ERROR_NONE);
    cr_expect_str_eq(list.addresses[0].text, "[::1]:7411");
}
