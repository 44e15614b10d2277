/* The pool's bounds, what blocks do to it, who sent what, and all of it against a naive model. */
#include "tests/unit/chain_fixture.h"

#include "core/chain/mempool.h"

#define TXS 64u

/* Transactions of a few senders: number i is of sender i / 8. Some carry data. */
struct fixture {
    struct vn_buf *txs[TXS];
    struct tx_book *book;
    struct mempool *pool;
};

static void fixture_init(struct fixture *f, const struct mempool_limits *limits)
{
    for (uint32_t i = 0; i < TXS; i++)
        f->txs[i] = fixture_tx(i / 8, i, FIXTURE_TIME + i * 60, i % 3 * 40);
    f->book = tx_book_new(3);
    f->pool = mempool_new(limits, 3, f->book);
}

static void fixture_deinit(struct fixture *f)
{
    mempool_free(f->pool);
    tx_book_free(f->book);
    for (uint32_t i = 0; i < TXS; i++) {
        assert_int_equal(f->txs[i]->refs, 1);
        vn_buf_unref(f->txs[i]);
    }
}

static const uint8_t *id_of(const struct fixture *f, uint32_t i)
{
    return f->txs[i]->data;
}

static enum mempool_result add(struct fixture *f, uint32_t i)
{
    struct vn_slice raw = fixture_whole(f->txs[i]);
    struct tx_view tx = fixture_tx_view(raw);
    return mempool_add(f->pool, &tx, raw);
}

static uint32_t has(const struct fixture *f, uint32_t i)
{
    return mempool_has(f->pool, id_of(f, i));
}

static void connect(struct fixture *f, uint32_t i, uint64_t time)
{
    mempool_connect(f->pool, id_of(f, i), 1, time);
}

static const struct mempool_limits roomy = {.max = 100, .per_sender = 100, .slots = 70};

static void test_an_empty_pool_is_small(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &roomy);
    assert_true(mempool_bytes(f.pool) < 300);
    assert_int_equal(mempool_count(f.pool), 0);
    mempool_expire(f.pool, UINT64_MAX);
    mempool_reset_slot(f.pool, 0);
    fixture_deinit(&f);
}

static void test_added_transactions_are_selected_in_order_of_arrival(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &roomy);
    static const uint32_t order[] = {5, 1, 9, 0, 33};
    uint8_t out[5 * 32];
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(add(&f, order[i]), MEMPOOL_ADDED);
        assert_int_equal(add(&f, order[i]), MEMPOOL_KNOWN);
    }
    assert_int_equal(mempool_count(f.pool), 5);
    assert_int_equal(mempool_select(f.pool, out, 3), 3);
    assert_int_equal(mempool_select(f.pool, out, 5), 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_memory_equal(out + 32 * i, id_of(&f, order[i]), 32);
    assert_ptr_equal(mempool_raw(f.pool, id_of(&f, 9)).buf, f.txs[9]);
    assert_int_equal(mempool_raw(f.pool, id_of(&f, 8)).len, 0);
    fixture_deinit(&f);
}

static void test_a_full_pool_drops_the_newcomer(void **state)
{
    (void)state;
    struct fixture f;
    const struct mempool_limits limits = {.max = 3, .per_sender = 100};
    fixture_init(&f, &limits);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(add(&f, i), i < 3 ? MEMPOOL_ADDED : MEMPOOL_FULL);
    assert_int_equal(add(&f, 0), MEMPOOL_KNOWN);
    assert_int_equal(has(&f, 0), 1);
    assert_int_equal(has(&f, 4), 0);
    connect(&f, 1, FIXTURE_TIME);
    assert_int_equal(add(&f, 4), MEMPOOL_ADDED);
    fixture_deinit(&f);
}

static void test_a_sender_has_a_share(void **state)
{
    (void)state;
    struct fixture f;
    const struct mempool_limits limits = {.max = 100, .per_sender = 2};
    fixture_init(&f, &limits);
    assert_int_equal(add(&f, 0), MEMPOOL_ADDED);
    assert_int_equal(add(&f, 1), MEMPOOL_ADDED);
    assert_int_equal(add(&f, 2), MEMPOOL_FULL);
    assert_int_equal(add(&f, 8), MEMPOOL_ADDED); /* another sender */
    connect(&f, 0, FIXTURE_TIME);                /* makes room */
    assert_int_equal(add(&f, 2), MEMPOOL_ADDED);
    assert_int_equal(add(&f, 3), MEMPOOL_FULL);
    mempool_disconnect(f.pool, id_of(&f, 0), 1); /* above the share, but first */
    assert_int_equal(has(&f, 0), 1);
    connect(&f, 1, FIXTURE_TIME);
    assert_int_equal(add(&f, 3), MEMPOOL_FULL);
    connect(&f, 2, FIXTURE_TIME);
    assert_int_equal(add(&f, 3), MEMPOOL_ADDED);
    fixture_deinit(&f);
}

static void test_the_pool_is_bounded_in_bytes(void **state)
{
    (void)state;
    struct fixture f;
    const struct mempool_limits limits = {.max = 100, .per_sender = 100, .bytes_max = 400};
    fixture_init(&f, &limits);
    assert_int_equal(add(&f, 0), MEMPOOL_ADDED); /* 157 bytes */
    assert_int_equal(add(&f, 2), MEMPOOL_FULL);  /* 245 */
    assert_int_equal(add(&f, 3), MEMPOOL_ADDED); /* 157 */
    assert_int_equal(add(&f, 6), MEMPOOL_FULL);
    connect(&f, 3, FIXTURE_TIME);
    assert_int_equal(add(&f, 6), MEMPOOL_ADDED);
    connect(&f, 6, FIXTURE_TIME);
    connect(&f, 0, FIXTURE_TIME); /* 471 bytes taken: the first taken goes */
    assert_int_equal(has(&f, 3), 0);
    assert_int_equal(has(&f, 6), 2);
    assert_int_equal(has(&f, 0), 2);
    fixture_deinit(&f);
}

static void test_a_small_transaction_does_not_pin_a_large_read(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &roomy);
    struct vn_buf *read = vn_buf_new(1000);
    memset(read->data, 0, read->len);
    memcpy(read->data + 10, f.txs[0]->data, f.txs[0]->len);
    struct vn_slice raw = {.buf = read, .off = 10, .len = f.txs[0]->len};
    struct tx_view tx = fixture_tx_view(raw);
    assert_int_equal(mempool_add(f.pool, &tx, raw), MEMPOOL_ADDED);
    assert_int_equal(read->refs, 1);
    vn_buf_unref(read);
    struct vn_slice kept = mempool_raw(f.pool, id_of(&f, 0));
    assert_memory_equal(vn_slice_data(kept), f.txs[0]->data, f.txs[0]->len);
    fixture_deinit(&f);
}

static void test_a_block_takes_and_a_reorganisation_puts_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &roomy);
    uint8_t ids[4 * 32], out[8 * 32];
    static const uint32_t in_block[] = {2, 0, 9, 3}; /* 9 was never pooled */
    for (uint32_t i = 0; i < 5; i++)
        add(&f, i);
    for (uint32_t i = 0; i < 4; i++)
        memcpy(ids + 32 * i, id_of(&f, in_block[i]), 32);
    mempool_connect(f.pool, ids, 4, FIXTURE_TIME);
    assert_int_equal(mempool_count(f.pool), 2);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(has(&f, in_block[i]), 2);
    assert_int_equal(mempool_raw(f.pool, id_of(&f, 9)).len, 0);
    assert_int_equal(add(&f, 9), MEMPOOL_KNOWN);
    assert_int_equal(add(&f, 2), MEMPOOL_KNOWN);

    mempool_disconnect(f.pool, ids, 4);
    assert_int_equal(has(&f, 9), 0);
    static const uint32_t order[] = {2, 0, 3, 1, 4};
    assert_int_equal(mempool_select(f.pool, out, 8), 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_memory_equal(out + 32 * i, id_of(&f, order[i]), 32);
    fixture_deinit(&f);
}

static void test_what_was_there_first_comes_back_to_a_full_pool(void **state)
{
    (void)state;
    struct fixture f;
    const struct mempool_limits limits = {.max = 2, .per_sender = 100};
    fixture_init(&f, &limits);
    add(&f, 0);
    add(&f, 1);
    connect(&f, 0, FIXTURE_TIME);
    connect(&f, 1, FIXTURE_TIME);
    add(&f, 2);
    add(&f, 3);
    mempool_disconnect(f.pool, id_of(&f, 1), 1);
    mempool_disconnect(f.pool, id_of(&f, 0), 1);
    assert_int_equal(mempool_count(f.pool), 4);
    assert_int_equal(add(&f, 4), MEMPOOL_FULL);
    fixture_deinit(&f);
}

static void test_a_transaction_in_two_blocks_is_taken_until_both_go(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &roomy);
    add(&f, 0);
    connect(&f, 0, FIXTURE_TIME);
    connect(&f, 0, FIXTURE_TIME);
    mempool_disconnect(f.pool, id_of(&f, 0), 1);
    assert_int_equal(has(&f, 0), 2);
    mempool_disconnect(f.pool, id_of(&f, 0), 1);
    assert_int_equal(has(&f, 0), 1);
    mempool_disconnect(f.pool, id_of(&f, 0), 1);
    assert_int_equal(has(&f, 0), 1);
    fixture_deinit(&f);
}

static void test_known_ids_of_blocks_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    const struct mempool_limits limits = {.max = 5, .per_sender = 100};
    fixture_init(&f, &limits);
    uint8_t ids[20 * 32];
    for (uint32_t i = 0; i < 20; i++)
        memcpy(ids + 32 * i, id_of(&f, i), 32);
    mempool_connect(f.pool, ids, 20, FIXTURE_TIME);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(has(&f, i), i < 15 ? 0 : 2);
    mempool_disconnect(f.pool, ids, 20);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(has(&f, i), 0);
    fixture_deinit(&f);
}

static void test_old_transactions_expire_pooled_or_taken(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &roomy);
    for (uint32_t i = 0; i < 10; i++)
        add(&f, i);
    connect(&f, 0, FIXTURE_TIME + 9999); /* its own time counts */
    connect(&f, 7, FIXTURE_TIME);
    connect(&f, 20, FIXTURE_TIME + 60); /* unknown: the block's time counts */
    mempool_expire(f.pool, FIXTURE_TIME + 3600);
    assert_int_equal(has(&f, 0), 2);
    mempool_expire(f.pool, FIXTURE_TIME + 3601);
    assert_int_equal(has(&f, 0), 0);
    assert_int_equal(has(&f, 1), 1);
    assert_int_equal(has(&f, 20), 2);
    mempool_expire(f.pool, FIXTURE_TIME + 3660 + 1);
    assert_int_equal(has(&f, 1), 0);
    assert_int_equal(has(&f, 20), 0);
    assert_int_equal(has(&f, 2), 1);
    assert_int_equal(has(&f, 7), 2);
    mempool_expire(f.pool, FIXTURE_TIME + 9 * 60 + 3601);
    assert_int_equal(mempool_count(f.pool), 0);
    assert_int_equal(has(&f, 7), 0);
    assert_int_equal(add(&f, 11), MEMPOOL_ADDED);
    fixture_deinit(&f);
}

static void test_the_second_copy_from_a_slot_is_told(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, &roomy);
    assert_false(mempool_seen_from(f.pool, id_of(&f, 0), 3));
    add(&f, 0);
    add(&f, 1);
    static const uint32_t slots[] = {0, 3, 63, 64, 69};
    for (uint32_t i = 0; i < 5; i++) {
        assert_false(mempool_seen_from(f.pool, id_of(&f, 0), slots[i]));
        assert_true(mempool_seen_from(f.pool, id_of(&f, 0), slots[i]));
        assert_false(mempool_seen_from(f.pool, id_of(&f, 1), slots[i]));
    }
    connect(&f, 0, FIXTURE_TIME);
    assert_true(mempool_seen_from(f.pool, id_of(&f, 0), 64));
    assert_false(mempool_seen_from(f.pool, id_of(&f, 0), MEMPOOL_NO_SLOT));
    assert_false(mempool_seen_from(f.pool, id_of(&f, 0), MEMPOOL_NO_SLOT));
    mempool_reset_slot(f.pool, 64);
    mempool_reset_slot(f.pool, 70);
    mempool_reset_slot(f.pool, MEMPOOL_NO_SLOT);
    assert_false(mempool_seen_from(f.pool, id_of(&f, 0), 64));
    assert_false(mempool_seen_from(f.pool, id_of(&f, 1), 64));
    assert_true(mempool_seen_from(f.pool, id_of(&f, 0), 0));
    assert_true(mempool_seen_from(f.pool, id_of(&f, 1), 63));
    fixture_deinit(&f);
}

/* ---- the model ------------------------------------------------------------------------------ */

#define SLOTS 67u

/* Two lists of transaction numbers, kept by shifting, and what is known of each number. */
struct model {
    uint32_t pooled[TXS], taken[TXS];
    uint32_t pooled_count, taken_count;
    uint32_t blocks[TXS];
    bool bytes[TXS];
    uint64_t time[TXS];
    bool seen[TXS][SLOTS];
};

static void model_remove(uint32_t *list, uint32_t *count, uint32_t tx)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (list[i] != tx)
            list[k++] = list[i];
    *count = k;
}

static bool model_in(const uint32_t *list, uint32_t count, uint32_t tx)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == tx)
            return true;
    return false;
}

static uint32_t model_has(const struct model *m, uint32_t tx)
{
    if (model_in(m->pooled, m->pooled_count, tx))
        return 1;
    return model_in(m->taken, m->taken_count, tx) ? 2 : 0;
}

static uint64_t model_bytes(const struct fixture *f, const struct model *m, const uint32_t *list,
                            uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += m->bytes[list[i]] ? f->txs[list[i]]->len : 0;
    return bytes;
}

static void model_forget(struct model *m, uint32_t tx)
{
    model_remove(m->pooled, &m->pooled_count, tx);
    model_remove(m->taken, &m->taken_count, tx);
    m->blocks[tx] = 0;
    memset(m->seen[tx], 0, sizeof m->seen[tx]);
}

static enum mempool_result model_add(struct fixture *f, struct model *m, uint32_t tx,
                                     const struct mempool_limits *limits)
{
    if (model_has(m, tx))
        return MEMPOOL_KNOWN;
    uint32_t of_sender = 0;
    for (uint32_t i = 0; i < m->pooled_count; i++)
        of_sender += m->pooled[i] / 8 == tx / 8;
    uint64_t bytes = model_bytes(f, m, m->pooled, m->pooled_count) + f->txs[tx]->len;
    if (m->pooled_count >= limits->max || of_sender >= limits->per_sender ||
        bytes > limits->bytes_max)
        return MEMPOOL_FULL;
    m->pooled[m->pooled_count++] = tx;
    m->bytes[tx] = true;
    m->time[tx] = FIXTURE_TIME + tx * 60;
    return MEMPOOL_ADDED;
}

static void model_connect(struct fixture *f, struct model *m, uint32_t tx, uint64_t time,
                          const struct mempool_limits *limits)
{
    uint32_t state = model_has(m, tx);
    if (state == 0) {
        m->bytes[tx] = false;
        m->time[tx] = time;
    }
    model_remove(m->pooled, &m->pooled_count, tx);
    m->blocks[tx]++;
    if (state != 2)
        m->taken[m->taken_count++] = tx;
    while (m->taken_count > limits->max ||
           model_bytes(f, m, m->taken, m->taken_count) > limits->bytes_max)
        model_forget(m, m->taken[0]);
}

static void model_disconnect(struct model *m, uint32_t tx)
{
    if (model_has(m, tx) != 2 || --m->blocks[tx] > 0)
        return;
    if (!m->bytes[tx]) {
        model_forget(m, tx);
        return;
    }
    model_remove(m->taken, &m->taken_count, tx);
    memmove(m->pooled + 1, m->pooled, m->pooled_count * sizeof m->pooled[0]);
    m->pooled[0] = tx;
    m->pooled_count++;
}

static void compare(const struct fixture *f, const struct model *m)
{
    uint8_t out[TXS * 32];
    struct audit audit = {0};
    mempool_audit(f->pool, &audit);
    assert_null(audit.what);
    assert_int_equal(mempool_count(f->pool), m->pooled_count);
    assert_int_equal(mempool_select(f->pool, out, TXS), m->pooled_count);
    for (uint32_t i = 0; i < m->pooled_count; i++)
        assert_memory_equal(out + 32 * i, id_of(f, m->pooled[i]), 32);
    for (uint32_t tx = 0; tx < TXS; tx++) {
        uint32_t state = model_has(m, tx);
        assert_int_equal(has(f, tx), state);
        assert_int_equal(f->txs[tx]->refs, state && m->bytes[tx] ? 2 : 1);
    }
}

/* Blocks on a stack, so that the last connected one is the first to go. */
struct block_stack {
    uint32_t txs[32][6];
    uint32_t counts[32];
    uint32_t depth;
};

static void connect_random(struct fixture *f, struct model *m, struct block_stack *stack,
                           struct rng *rng, uint64_t now, const struct mempool_limits *limits)
{
    uint8_t ids[6 * 32];
    uint32_t count = 0;
    uint32_t *txs = stack->txs[stack->depth];
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t tx = (uint32_t)rng_below(rng, TXS);
        if (model_in(txs, count, tx))
            continue;
        memcpy(ids + 32 * count, id_of(f, tx), 32);
        txs[count++] = tx;
    }
    stack->counts[stack->depth++] = count;
    mempool_connect(f->pool, ids, count, now);
    for (uint32_t i = 0; i < count; i++)
        model_connect(f, m, txs[i], now, limits);
}

static void disconnect_last(struct fixture *f, struct model *m, struct block_stack *stack)
{
    uint8_t ids[6 * 32];
    uint32_t count = stack->counts[--stack->depth];
    const uint32_t *txs = stack->txs[stack->depth];
    for (uint32_t i = 0; i < count; i++)
        memcpy(ids + 32 * i, id_of(f, txs[i]), 32);
    mempool_disconnect(f->pool, ids, count);
    for (uint32_t i = count; i-- > 0;)
        model_disconnect(m, txs[i]);
}

static void expire(struct fixture *f, struct model *m, uint64_t now)
{
    mempool_expire(f->pool, now);
    for (uint32_t tx = 0; tx < TXS; tx++)
        if (model_has(m, tx) && m->time[tx] + 3600 < now)
            model_forget(m, tx);
}

static void random_step(struct fixture *f, struct model *m, struct block_stack *stack,
                        struct rng *rng, uint64_t now, const struct mempool_limits *limits)
{
    uint32_t tx = (uint32_t)rng_below(rng, TXS);
    uint32_t slot = (uint32_t)rng_below(rng, SLOTS);
    uint64_t kind = rng_below(rng, 100);
    if (kind < 55) {
        enum mempool_result expected = model_add(f, m, tx, limits);
        assert_int_equal(add(f, tx), expected);
    } else if (kind < 65 && stack->depth < 32) {
        connect_random(f, m, stack, rng, now, limits);
    } else if (kind < 74 && stack->depth > 0) {
        disconnect_last(f, m, stack);
    } else if (kind < 90) {
        bool expected = model_has(m, tx) && m->seen[tx][slot];
        assert_int_equal(mempool_seen_from(f->pool, id_of(f, tx), slot), expected);
        m->seen[tx][slot] = model_has(m, tx) != 0;
    } else if (kind < 93) {
        mempool_reset_slot(f->pool, slot);
        for (uint32_t i = 0; i < TXS; i++)
            m->seen[i][slot] = false;
    } else {
        expire(f, m, now);
    }
}

/* What another pool with the same book does must not be noticed. */
static void random_step_of_another(struct fixture *other, struct rng *rng)
{
    const uint32_t tx = (uint32_t)rng_below(rng, TXS);
    const uint64_t kind = rng_below(rng, 20);
    if (kind < 10)
        add(other, tx);
    else if (kind < 14)
        connect(other, tx, FIXTURE_TIME);
    else if (kind < 19)
        mempool_seen_from(other->pool, id_of(other, tx), (uint32_t)rng_below(rng, SLOTS));
    else
        mempool_expire(other->pool, UINT64_MAX);
}

static void test_pools_that_share_a_book_do_not_notice_each_other(void **state)
{
    (void)state;
    const struct mempool_limits limits = {
        .max = 30, .per_sender = 8, .slots = SLOTS, .bytes_max = 20000};
    struct fixture f[2];
    struct model m = {0};
    struct block_stack stack = {0};
    struct rng rng = fixture_rng("shared book");
    struct tx_book *book = tx_book_new(5);
    for (uint32_t i = 0; i < 2; i++) {
        fixture_init(&f[i], &limits);
        mempool_free(f[i].pool);
        f[i].pool = mempool_new(&limits, i, book);
    }
    for (uint32_t step = 0; step < 6000; step++) {
        random_step(&f[0], &m, &stack, &rng, FIXTURE_TIME + step, &limits);
        random_step_of_another(&f[1], &rng);
        compare(&f[0], &m);
    }
    fixture_deinit(&f[0]);
    fixture_deinit(&f[1]);
    tx_book_free(book);
}

static void test_random_operations_agree_with_a_model(void **state)
{
    (void)state;
    const struct mempool_limits limits = {
        .max = 12, .per_sender = 4, .slots = SLOTS, .bytes_max = 2100};
    struct rng rng = fixture_rng("mempool");
    for (uint32_t round = 0; round < 20; round++) {
        struct fixture f;
        struct model m = {0};
        struct block_stack stack = {0};
        fixture_init(&f, &limits);
        for (uint32_t step = 0; step < 1500; step++) {
            random_step(&f, &m, &stack, &rng, FIXTURE_TIME + step * 4, &limits);
            compare(&f, &m);
        }
        fixture_deinit(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_pool_is_small),
        cmocka_unit_test(test_pools_that_share_a_book_do_not_notice_each_other),
        cmocka_unit_test(test_added_transactions_are_selected_in_order_of_arrival),
        cmocka_unit_test(test_a_full_pool_drops_the_newcomer),
        cmocka_unit_test(test_a_sender_has_a_share),
        cmocka_unit_test(test_the_pool_is_bounded_in_bytes),
        cmocka_unit_test(test_a_small_transaction_does_not_pin_a_large_read),
        cmocka_unit_test(test_a_block_takes_and_a_reorganisation_puts_back),
        cmocka_unit_test(test_what_was_there_first_comes_back_to_a_full_pool),
        cmocka_unit_test(test_a_transaction_in_two_blocks_is_taken_until_both_go),
        cmocka_unit_test(test_known_ids_of_blocks_are_bounded),
        cmocka_unit_test(test_old_transactions_expire_pooled_or_taken),
        cmocka_unit_test(test_the_second_copy_from_a_slot_is_told),
        cmocka_unit_test(test_random_operations_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
