/* Text on the wire: UTF-8 as strict as Rust's, versions, reasons. */
#include "core/wire/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TEXT(s) ((struct bytes_view){(const uint8_t *)(s), sizeof(s) - 1})

/* By code point: the shortest form, no surrogate, at most U+10FFFF. */
static bool utf8_by_definition(const uint8_t *p, size_t len)
{
    size_t i = 0;

    while (i < len) {
        const uint8_t lead = p[i];
        const size_t n = lead < 0x80             ? 1
                         : (lead & 0xe0) == 0xc0 ? 2
                         : (lead & 0xf0) == 0xe0 ? 3
                         : (lead & 0xf8) == 0xf0 ? 4
                                                 : 0;
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (n == 0 || n > len - i)
            return false;
        uint32_t point = n == 1 ? lead : lead & (0xffu >> (n + 1));
        for (size_t k = 1; k < n; k++) {
            if (p[i + k] >> 6 != 2)
                return false;
            point = point << 6 | (p[i + k] & 0x3f);
        }
        if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += n;
    }
    return true;
}

static void test_utf8_is_judged_as_its_definition_says(void **state)
{
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                    0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
                                    0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfe, 0xff};
    const size_t n = sizeof edges;
    uint8_t s[4];

    (void)state;
    for (uint32_t x = 0; x < 0x10000; x++) {
        s[0] = (uint8_t)(x >> 8);
        s[1] = (uint8_t)x;
        assert_int_equal(wire_utf8_valid(s, 2), utf8_by_definition(s, 2));
        assert_int_equal(wire_utf8_valid(s, 1), utf8_by_definition(s, 1));
    }
    for (size_t x = 0; x < n * n * n * n; x++) {
        s[0] = edges[x % n];
        s[1] = edges[x / n % n];
        s[2] = edges[x / n / n % n];
        s[3] = edges[x / n / n / n];
        assert_int_equal(wire_utf8_valid(s, 3), utf8_by_definition(s, 3));
        assert_int_equal(wire_utf8_valid(s, 4), utf8_by_definition(s, 4));
    }
    assert_true(wire_utf8_valid(NULL, 0));
}

/* The fast path over eight ASCII bytes must not step over others. */
static void test_utf8_finds_a_bad_byte_anywhere_in_long_text(void **state)
{
    uint8_t text[40];

    (void)state;
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        assert_true(wire_utf8_valid(text, sizeof text));
        text[at] = 0x80;
        assert_false(wire_utf8_valid(text, sizeof text));
        if (at + 1 < sizeof text) {
            text[at] = 0xc3;
            text[at + 1] = 0xa4;
            assert_true(wire_utf8_valid(text, sizeof text));
        }
    }
}

static void test_handshakes_with_text_that_is_not_utf8_are_refused(void **state)
{
    struct msg msg = {.kind = MSG_HANDSHAKE};
    uint8_t payload[64];

    (void)state;
    for (int bad = 0; bad < 3; bad++) { /* neither, the version, the node id */
        msg.u.handshake.version = bad == 1 ? TEXT("0\xff") : TEXT("0.");
        msg.u.handshake.node_id = bad == 2 ? TEXT("\xed\xa0\x80") : TEXT("\xed\x9f\xbf");
        const size_t size = msg_encoded_size(&msg);
        struct msg back;
        assert_in_range(size, 1, sizeof payload);
        msg_encode(&msg, payload);
        assert_int_equal(msg_decode(&back, payload, size), bad == 0);
    }
}

static void test_versions_are_compatible_up_to_the_first_dot(void **state)
{
    (void)state;
    assert_true(wire_version_compatible(TEXT("0.1.0"), TEXT("0")));
    assert_true(wire_version_compatible(TEXT("0.1.0"), TEXT("0.9.7")));
    assert_true(wire_version_compatible(TEXT("1.2.3"), TEXT("1.x")));
    assert_true(wire_version_compatible(TEXT(""), TEXT(".5")));
    assert_true(wire_version_compatible((struct bytes_view){0}, TEXT("")));
    assert_false(wire_version_compatible(TEXT("0.1.0"), TEXT("00.1")));
    assert_false(wire_version_compatible(TEXT("0.1.0"), TEXT("1.1.0")));
    assert_false(wire_version_compatible(TEXT("0.1.0"), TEXT("")));
    assert_false(wire_version_compatible(TEXT("v0.1"), TEXT("0.1")));
}

static void test_reasons_are_named_as_on_the_wire(void **state)
{
    (void)state;
    assert_string_equal(wire_reason_name(REASON_SHUTDOWN), "Shutdown");
    assert_string_equal(wire_reason_name(REASON_PROTOCOL_VIOLATION), "ProtocolViolation");
    assert_string_equal(wire_reason_name(REASON_TIMEOUT), "Timeout");
    assert_string_equal(wire_reason_name(REASONS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_is_judged_as_its_definition_says),
        cmocka_unit_test(test_utf8_finds_a_bad_byte_anywhere_in_long_text),
        cmocka_unit_test(test_handshakes_with_text_that_is_not_utf8_are_refused),
        cmocka_unit_test(test_versions_are_compatible_up_to_the_first_dot),
        cmocka_unit_test(test_reasons_are_named_as_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
