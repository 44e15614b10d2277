/* trace/redact_names.h: other names, which keep what a node decides by. */
#include "trace/redact_names.h"

#include "core/base/bytes.h"
#include "core/crypto/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vn_addr v4(uint32_t ip)
{
    struct vn_addr addr = {.family = VN_AF_IPV4, .port = 8765};
    put_be32(addr.ip, ip);
    return addr;
}

static uint32_t renamed_v4(struct redact_names *names, uint32_t ip)
{
    struct vn_addr addr = v4(ip);
    redact_names_addr(names, &addr);
    assert_int_equal(addr.family, VN_AF_IPV4);
    assert_int_equal(addr.port, 8765);
    return get_be32(addr.ip);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void test_different_addresses_stay_different_and_groups_together(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct redact_names *names = redact_names_new("me", false);
    uint32_t *made = calloc(COUNT, sizeof *made);
    for (uint32_t i = 0; i < COUNT; i++) { /* two of each group */
        const uint32_t group = i / 2 % 57000, ip = (1 + group / 256) << 24 | group % 256 << 16;
        if (ip >> 24 == 127) {
            made[i] = i; /* below all that are made up, which are different likewise */
            continue;
        }
        made[i] = renamed_v4(names, ip | (i % 2 ? 0x0102u : 0xfffe));
        assert_true(made[i] >> 24 != 127 && made[i] >> 24 != 0 && made[i] >> 24 < 224);
        assert_true(renamed_v4(names, ip | (i % 2 ? 0x0102u : 0xfffe)) == made[i]);
        if (i % 2)
            assert_true(made[i] >> 16 == made[i - 1] >> 16);
        if (i % 2 && i > 2)
            assert_true(made[i] >> 16 != made[i - 2] >> 16);
    }
    qsort(made, COUNT, sizeof *made, by_number);
    for (uint32_t i = 1; i < COUNT; i++)
        assert_true(made[i] != made[i - 1]);
    free(made);
    redact_names_free(names);
}

static void test_a_whole_group_has_room(void **state)
{
    (void)state;
    struct redact_names *names = redact_names_new("me", false);
    uint8_t *seen = calloc(65536, 1);
    for (uint32_t i = 0; i < 65536; i++) {
        const uint32_t made = renamed_v4(names, 203u << 24 | 7u << 16 | i);
        assert_int_equal(made >> 16, 10u << 8);
        assert_int_equal(seen[made & 0xffff]++, 0);
    }
    assert_int_equal(redact_names_addrs(names), 65536);
    free(seen);
    redact_names_free(names);
}

static void test_addresses_that_tell_nothing_stay(void **state)
{
    (void)state;
    struct redact_names *names = redact_names_new("me", false);
    const uint32_t stay[] = {0, 0x7f000001, 0x7f123456, 0xe0000001, 0xffffffff};
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
        assert_true(renamed_v4(names, stay[i]) == stay[i]);
    struct vn_addr loopback = {.family = VN_AF_IPV6, .ip = {[15] = 1}}, was = loopback;
    redact_names_addr(names, &loopback);
    assert_memory_equal(&loopback, &was, sizeof was);
    assert_int_equal(redact_names_addrs(names), 0);
    struct vn_addr odd = {.family = 9, .ip = {1, 2, 3}};
    redact_names_addr(names, &odd); /* nobody's, but it might be somebody's bytes */
    assert_int_equal(odd.ip[0] | odd.ip[1] | odd.ip[2], 0);
    redact_names_free(names);
}

static void test_ipv6_addresses_keep_their_groups(void **state)
{
    (void)state;
    struct redact_names *names = redact_names_new("me", false);
    struct vn_addr a = {.family = VN_AF_IPV6, .ip = {0x20, 1, 0xd, 0xb8, 1, [15] = 1}};
    struct vn_addr b = a, c = a, again = a;
    b.ip[4] = 2;
    c.ip[3] = 0xb9;
    redact_names_addr(names, &a);
    redact_names_addr(names, &b);
    redact_names_addr(names, &c);
    redact_names_addr(names, &again);
    assert_memory_equal(a.ip, again.ip, 16);
    assert_int_equal(a.ip[0], 0xfd);
    assert_memory_equal(a.ip, b.ip, 4);
    assert_memory_not_equal(a.ip, b.ip, 16);
    assert_memory_not_equal(a.ip, c.ip, 4);
    redact_names_free(names);
}

/* The new name of an id, in a place that is used again. */
static const char *renamed(struct redact_names *names, const char *id)
{
    static char out[8][80];
    static unsigned at;
    char *text = out[at++ % 8];
    strcpy(text, id);
    redact_names_id(names, (uint8_t *)text, strlen(id));
    assert_int_equal(strlen(text), strlen(id));
    return text;
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void test_ids_keep_their_length_and_their_place_beside_the_own_one(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct redact_names *names = redact_names_new("mid", keep);
        if (keep)
            assert_string_equal(renamed(names, "mid"), "mid");
        const char *ids[] = {"a",  "zz", "mi", "midd", "mia", "mif", "b", "A", "\xc3\xa4\xc3\xa4",
                             "mid"};
        const size_t count = sizeof ids / sizeof *ids;
        for (size_t i = 0; i < count; i++) {
            char made[80];
            strcpy(made, renamed(names, ids[i]));
            assert_string_equal(renamed(names, ids[i]), made);
            assert_int_equal(sign(strcmp(made, renamed(names, "mid"))),
                             sign(strcmp(ids[i], "mid")));
            for (size_t k = 0; k < i; k++)
                assert_string_not_equal(renamed(names, ids[k]), made);
        }
        assert_int_equal(redact_names_ids(names), count - 1);
        assert_int_equal(redact_names_short_ids(names), 0);
        assert_string_equal(renamed(names, ""), "");
        redact_names_free(names);
    }
}

static void test_ids_without_room_for_another_name_are_counted(void **state)
{
    (void)state;
    struct redact_names *names = redact_names_new("0", false);
    for (char c = 'a'; c <= 'z'; c++)
        renamed(names, (char[]){c, 0});
    assert_int_equal(redact_names_short_ids(names), 13);
    renamed(names, "long enough");
    assert_int_equal(redact_names_short_ids(names), 13);
    redact_names_free(names);
}

static void test_bans_follow_who_is_banned(void **state)
{
    (void)state;
    struct redact_names *names = redact_names_new("me", false);
    uint8_t by_ip[32] = {'a', VN_AF_IPV4, 203, 0, 113, 7}, by_id[32], unknown[32], expected[32];
    struct vn_addr addr = v4(203u << 24 | 113u << 8 | 7);
    const char *made = renamed(names, "alice");
    redact_names_addr(names, &addr);
    redact_names_ban_key(names, by_ip);
    assert_memory_equal(by_ip + 2, addr.ip, 16);
    assert_int_equal(by_ip[0], 'a');
    sha256(by_id, "alice", 5);
    sha256(expected, made, 5);
    redact_names_ban_key(names, by_id);
    assert_memory_equal(by_id, expected, 32);
    sha256(unknown, "eve", 3);
    memcpy(expected, unknown, 32);
    redact_names_ban_key(names, unknown);
    assert_memory_not_equal(unknown, expected, 32);
    redact_names_ban_key(names, expected);
    assert_memory_equal(unknown, expected, 32);
    redact_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_different_addresses_stay_different_and_groups_together),
        cmocka_unit_test(test_a_whole_group_has_room),
        cmocka_unit_test(test_addresses_that_tell_nothing_stay),
        cmocka_unit_test(test_ipv6_addresses_keep_their_groups),
        cmocka_unit_test(test_ids_keep_their_length_and_their_place_beside_the_own_one),
        cmocka_unit_test(test_ids_without_room_for_another_name_are_counted),
        cmocka_unit_test(test_bans_follow_who_is_banned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
