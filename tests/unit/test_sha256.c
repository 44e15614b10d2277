/* SHA-256: the examples of FIPS 180-4 (NIST CSRC), and parts against the whole. */
#include "core/base/bytes.h"
#include "core/crypto/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_hash(const uint8_t hash[32], const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    char text[65] = {0};

    for (int i = 0; i < 32; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    assert_string_equal(text, hex);
}

static void test_sha256_gives_the_published_digests(void **state)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t *million = malloc(1000000);
    uint8_t hash[32];

    (void)state;
    sha256(hash, NULL, 0);
    assert_hash(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256(hash, "abc", 3);
    assert_hash(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(hash, two_blocks, strlen(two_blocks));
    assert_hash(hash, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', 1000000);
    sha256(hash, million, 1000000);
    assert_hash(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void test_sha256_in_parts_is_that_of_the_whole(void **state)
{
    uint8_t data[150], whole[32], parts[32];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + 3);
    sha256(whole, data, sizeof data);
    for (size_t a = 0; a <= sizeof data; a++) {
        for (size_t b = a; b <= sizeof data; b++) {
            struct sha256 s;
            sha256_init(&s);
            sha256_update(&s, data, a);
            sha256_update(&s, data + a, b - a);
            sha256_update(&s, data + b, sizeof data - b);
            sha256_final(&s, parts);
            assert_memory_equal(parts, whole, 32);
        }
    }
}

static void test_sha256_context_may_be_copied_to_go_on_twice(void **state)
{
    struct sha256 prefix, copy;
    uint8_t hash[32];

    (void)state;
    sha256_init(&prefix);
    sha256_update(&prefix, "ab", 2);
    copy = prefix;
    sha256_update(&copy, "x", 1);
    sha256_final(&copy, hash);
    copy = prefix;
    sha256_update(&copy, "c", 1);
    sha256_final(&copy, hash);
    assert_hash(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_sha256_pair_hashes_both_and_may_overwrite_either(void **state)
{
    uint8_t both[64], want[32], a[32], b[32], out[32];

    (void)state;
    for (size_t i = 0; i < sizeof both; i++)
        both[i] = (uint8_t)(200 - i);
    sha256(want, both, sizeof both);
    memcpy(a, both, 32);
    memcpy(b, both + 32, 32);
    sha256_pair(out, a, b);
    assert_memory_equal(out, want, 32);
    sha256_pair(b, a, b);
    assert_memory_equal(b, want, 32);
    memcpy(b, both + 32, 32);
    sha256_pair(a, a, b);
    assert_memory_equal(a, want, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_gives_the_published_digests),
        cmocka_unit_test(test_sha256_in_parts_is_that_of_the_whole),
        cmocka_unit_test(test_sha256_context_may_be_copied_to_go_on_twice),
        cmocka_unit_test(test_sha256_pair_hashes_both_and_may_overwrite_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
