/* Which link sent which recent block. */
#include "core/gossip/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 150u

static void hash_of(uint8_t hash[32], uint32_t n)
{
    memset(hash, 0, 32);
    memcpy(hash, &n, sizeof n);
}

static bool note(struct seen *seen, uint32_t block, uint32_t slot)
{
    uint8_t hash[32];
    hash_of(hash, block);
    return seen_note(seen, hash, slot);
}

static bool has(const struct seen *seen, uint32_t block, uint32_t slot)
{
    uint8_t hash[32];
    hash_of(hash, block);
    return seen_has(seen, hash, slot);
}

static void test_seen_tells_a_second_time_from_the_first(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen, SLOTS);
    assert_false(has(&seen, 1, 5));
    assert_false(note(&seen, 1, 5));
    assert_true(has(&seen, 1, 5));
    assert_true(note(&seen, 1, 5));
    seen_deinit(&seen);
}

static void test_seen_keeps_links_and_blocks_apart(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen, SLOTS);
    for (uint32_t slot = 0; slot < SLOTS; slot += 3)
        assert_false(note(&seen, slot % 2, slot));
    for (uint32_t block = 0; block < 2; block++)
        for (uint32_t slot = 0; slot < SLOTS; slot++)
            assert_int_equal(has(&seen, block, slot), slot % 3 == 0 && slot % 2 == block);
    seen_deinit(&seen);
}

static void test_seen_never_knows_a_slot_out_of_range(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen, 64);
    for (uint32_t i = 0; i < 2; i++) {
        assert_false(note(&seen, 1, 64));
        assert_false(note(&seen, 1, UINT32_MAX)); /* a link without a slot */
    }
    assert_false(has(&seen, 1, 64));
    assert_int_equal(seen.count, 0);
    seen_deinit(&seen);
}

static void test_seen_remembers_the_newest_128_blocks_and_forgets_the_oldest(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen, SLOTS);
    for (uint32_t block = 0; block < 1000; block++) {
        assert_false(note(&seen, block, 7));
        for (uint32_t old = block < 130 ? 0 : block - 130; old <= block; old++)
            assert_int_equal(has(&seen, old, 7), old + SEEN_MAX > block);
        assert_true(seen.count <= SEEN_MAX);
    }
    seen_deinit(&seen);
}

static void test_seen_forgets_the_bits_of_a_forgotten_block(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen, SLOTS);
    for (uint32_t block = 0; block < SEEN_MAX; block++)
        note(&seen, block, 1);
    note(&seen, 5000, 2); /* takes the place of block 0 */
    assert_false(has(&seen, 5000, 1));
    assert_true(has(&seen, 5000, 2));
    seen_deinit(&seen);
}

static void test_seen_new_owner_of_a_slot_inherits_nothing(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen, SLOTS);
    for (uint32_t block = 0; block < 200; block++) {
        note(&seen, block, 70);
        note(&seen, block, 71);
    }
    seen_reset_slot(&seen, 70);
    seen_reset_slot(&seen, UINT32_MAX);
    for (uint32_t block = 0; block < 200; block++) {
        assert_false(has(&seen, block, 70));
        assert_int_equal(has(&seen, block, 71), block >= 200 - SEEN_MAX);
    }
    seen_deinit(&seen);
}

static void test_seen_takes_no_memory_before_the_first_block(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen, SLOTS);
    assert_null(seen.entries);
    seen_reset_slot(&seen, 3);
    assert_false(has(&seen, 1, 3));
    assert_null(seen.entries);
    seen_deinit(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen_tells_a_second_time_from_the_first),
        cmocka_unit_test(test_seen_keeps_links_and_blocks_apart),
        cmocka_unit_test(test_seen_never_knows_a_slot_out_of_range),
        cmocka_unit_test(test_seen_remembers_the_newest_128_blocks_and_forgets_the_oldest),
        cmocka_unit_test(test_seen_forgets_the_bits_of_a_forgotten_block),
        cmocka_unit_test(test_seen_new_owner_of_a_slot_inherits_nothing),
        cmocka_unit_test(test_seen_takes_no_memory_before_the_first_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
