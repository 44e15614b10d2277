/* Numbers for transactions: one an id, the same for all pools, used again when nobody holds them.
 */
#include "tests/unit/chain_fixture.h"

#include "core/chain/tx_book.h"

static void id_of(uint32_t i, uint8_t id[32])
{
    memset(id, 0, 32);
    memcpy(id, &i, sizeof i);
}

static uint32_t take(struct tx_book *book, uint32_t i)
{
    uint8_t id[32];
    id_of(i, id);
    return tx_book_take(book, id);
}

static uint32_t find(const struct tx_book *book, uint32_t i)
{
    uint8_t id[32];
    id_of(i, id);
    return tx_book_find(book, id);
}

static void test_an_id_has_one_number_as_long_as_somebody_knows_it(void **state)
{
    (void)state;
    uint8_t id[32];
    struct tx_book *book = tx_book_new(1);
    assert_int_equal(find(book, 7), TX_NO_NUMBER);
    const uint32_t number = take(book, 7);
    assert_int_equal(take(book, 7), number);
    assert_int_not_equal(take(book, 8), number);
    id_of(7, id);
    assert_memory_equal(tx_book_id(book, number), id, 32);
    tx_book_give(book, number);
    assert_int_equal(find(book, 7), number);
    tx_book_give(book, number);
    assert_int_equal(find(book, 7), TX_NO_NUMBER);
    tx_book_give(book, find(book, 8));
    tx_book_free(book);
}

static void test_numbers_stay_as_small_as_the_most_that_were_known_at_once(void **state)
{
    (void)state;
    struct tx_book *book = tx_book_new(1);
    uint32_t held[50] = {0};
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t *number = &held[i * 7 % 50];
        if (i >= 50)
            tx_book_give(book, *number);
        *number = take(book, i);
        assert_in_range(*number, 0, 49);
        assert_int_equal(find(book, i), *number);
    }
    for (uint32_t i = 0; i < 50; i++)
        tx_book_give(book, held[i]);
    tx_book_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_id_has_one_number_as_long_as_somebody_knows_it),
        cmocka_unit_test(test_numbers_stay_as_small_as_the_most_that_were_known_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
