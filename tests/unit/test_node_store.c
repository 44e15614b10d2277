/* A node's store: what its STOREs and LOADs mean, against a model. */
#include "tests/unit/node_store_fixture.h"

static void check_random_loads(struct node_store *store, const struct model *model, uint64_t *dice)
{
    for (int i = 0; i < 3; i++) {
        const uint64_t from = model->first + below(dice, model->count + 3);
        const uint64_t to = from + below(dice, 30);
        check_load(store, model, VN_LOAD_BLOCKS, from, to, below(dice, 20000));
    }
    const enum vn_load_op op = below(dice, 2) ? VN_LOAD_ADDRS : VN_LOAD_BANS;
    check_load(store, model, op, below(dice, MODEL_KEYS), 0, below(dice, 400));
}

static void test_node_store_holds_what_a_model_of_it_holds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        static struct model model;
        static struct batch batch;
        uint64_t dice = seed, token = 0;
        memset(&model, 0, sizeof model);
        struct node_store *store = must_open();
        check_same(store, &model);
        for (int round = 0; round < 60; round++) {
            const uint64_t first = token;
            for (uint64_t n = 1 + below(&dice, 4); n > 0; n--) {
                batch_random(&batch, &model, &dice, 3000);
                submit_batch(store, ++token, &batch);
            }
            for (uint64_t t = first + 1; t <= token; t++)
                assert_int_equal(await_stored(store, t), VN_OK);
            check_random_loads(store, &model, &dice);
            if (below(&dice, 12) == 0) {
                assert_true(node_store_close(store));
                store = must_open();
            }
            check_same(store, &model);
        }
        assert_true(node_store_close(store));
        remove_all(data);
    }
}

static void test_node_store_load_sees_the_stores_before_it_and_none_after(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model models[20];
    struct node_store *store = must_open();
    uint64_t dice = 7;
    hold_worker(store);
    for (int i = 0; i < 20; i++) {
        if (i > 0)
            models[i] = models[i - 1];
        for (int k = 0; k < 2; k++) {
            batch_random(&batch, &models[i], &dice, 500);
            submit_batch(store, 100, &batch);
        }
        submit_load(store, 200, VN_LOAD_BLOCKS, models[i].first, UINT64_MAX, UINT64_MAX);
        submit_load(store, 201, VN_LOAD_BANS, 0, 0, UINT64_MAX);
    }
    let_go();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(await_stored(store, 100), VN_OK);
        assert_int_equal(await_stored(store, 100), VN_OK);
        struct vn_event event = await_loaded(store, 200);
        assert_null(loaded_fault(&models[i], VN_LOAD_BLOCKS, models[i].first, UINT64_MAX,
                                 UINT64_MAX, &event));
        event = await_loaded(store, 201);
        assert_null(loaded_fault(&models[i], VN_LOAD_BANS, 0, 0, UINT64_MAX, &event));
    }
    assert_true(node_store_close(store));
}

/* The lengths of the blocks that a LOAD gives, as text. */
static const char *lengths(struct node_store *store, uint64_t from, uint64_t to, uint64_t max_bytes)
{
    static char text[200];
    size_t used = 0;
    submit_load(store, 9, VN_LOAD_BLOCKS, from, to, max_bytes);
    const struct vn_event event = await_loaded(store, 9);
    assert_int_equal(event.u.loaded.status, VN_OK);
    text[0] = 0;
    for (uint32_t i = 0; i < event.u.loaded.count; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%u ", event.u.loaded.slices[i].len);
    return text;
}

static void test_node_store_load_ends_before_its_bytes_but_gives_one(void **state)
{
    (void)state;
    static struct batch batch;
    struct node_store *store = must_open();
    for (uint32_t h = 5; h < 10; h++) /* of 50, 60, ... 90 bytes */
        batch_block(&batch, NULL, h, h, h * 10);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    assert_string_equal(lengths(store, 5, 9, 1000), "50 60 70 80 90 ");
    assert_string_equal(lengths(store, 5, UINT64_MAX, 350), "50 60 70 80 90 ");
    assert_string_equal(lengths(store, 5, UINT64_MAX, 349), "50 60 70 80 ");
    assert_string_equal(lengths(store, 5, 9, 110), "50 60 ");
    assert_string_equal(lengths(store, 5, 9, 109), "50 ");
    assert_string_equal(lengths(store, 5, 9, 0), "50 ");
    assert_string_equal(lengths(store, 7, 8, 1000), "70 80 ");
    assert_string_equal(lengths(store, 9, 100, 1000), "90 ");
    assert_string_equal(lengths(store, 10, 100, 1000), "");
    assert_string_equal(lengths(store, 4, 100, 1000), "");
    assert_string_equal(lengths(store, 8, 7, 1000), "");
    assert_string_equal(lengths(store, UINT64_MAX, UINT64_MAX, 1000), "");
    assert_true(node_store_close(store));
}

static void test_node_store_block_forgets_all_above_it(void **state)
{
    (void)state;
    static struct batch batch;
    struct node_store *store = must_open();
    for (uint32_t h = 1; h <= 9; h++)
        batch_block(&batch, NULL, h, h, h * 10);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    batch_block(&batch, NULL, 4, 44, 444);
    assert_int_equal(store_batch(store, 2, &batch), VN_OK);
    assert_string_equal(lengths(store, 1, 100, 10000), "10 20 30 444 ");
    /* In one batch too, and what does not connect from below starts anew. */
    batch_block(&batch, NULL, 5, 5, 55);
    batch_block(&batch, NULL, 3, 3, 33);
    batch_block(&batch, NULL, 4, 4, 44);
    assert_int_equal(store_batch(store, 3, &batch), VN_OK);
    assert_string_equal(lengths(store, 1, 100, 10000), "10 20 33 44 ");
    assert_true(node_store_close(store));
}

/* A batch with a sound part, and one item that makes no sense: it must be refused whole, and alone.
 */
static void refuse_batch(struct node_store *store, struct batch *batch)
{
    static struct batch sound;
    struct node_store_stats stats;
    hold_worker(store); /* all three are one transaction */
    batch_addr(&sound, NULL, 2, 11, 8);
    submit_batch(store, 1, &sound);
    batch_addr(batch, NULL, 5, 5, 8);
    submit_batch(store, 2, batch);
    batch_addr(&sound, NULL, 2, 12, 8);
    submit_batch(store, 3, &sound);
    let_go();
    assert_int_equal(await_stored(store, 1), VN_OK);
    assert_int_equal(await_stored(store, 2), VN_ERR_ARGUMENT);
    assert_int_equal(await_stored(store, 3), VN_OK);
    node_store_stats(store, &stats);
    assert_non_null(strstr(stats.error, "a batch makes no sense"));
}

static void test_node_store_refuses_a_batch_that_makes_no_sense_whole_and_alone(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store *store = must_open();
    for (uint32_t h = 3; h <= 6; h++)
        batch_block(&batch, &model, h, h, 100);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);

    batch_block(&batch, NULL, 8, 1, 10); /* a gap */
    refuse_batch(store, &batch);
    batch_block(&batch, NULL, 4, 1, 10); /* a gap that the batch itself makes */
    batch_block(&batch, NULL, 6, 1, 10);
    refuse_batch(store, &batch);
    batch_block(&batch, NULL, UINT64_MAX, 1, 10);
    refuse_batch(store, &batch);
    batch_block(&batch, NULL, 7, 1, 0); /* no body */
    refuse_batch(store, &batch);
    batch_block(&batch, NULL, 7, 1, 10);
    batch.items[0].key_len = 31; /* no hash */
    refuse_batch(store, &batch);
    batch_addr(&batch, NULL, 1, 1, 8);
    batch.items[0].key_len = 41;
    refuse_batch(store, &batch);
    batch_addr(&batch, NULL, 1, 1, 8);
    batch.items[0].op = 4;
    refuse_batch(store, &batch);
    batch_addr(&batch, NULL, 1, 1, (16u << 20) + 1);
    refuse_batch(store, &batch);
    submit_load(store, 5, (enum vn_load_op)4, 0, 0, 1);
    assert_int_equal(await_loaded(store, 5).u.loaded.status, VN_ERR_ARGUMENT);

    model.addrs[2] = (struct model_value){0, 12, 8, true};
    check_same(store, &model);
    struct node_store_stats stats;
    node_store_stats(store, &stats);
    assert_int_equal(stats.failed, 8);
    assert_int_equal(stats.stores, 1 + 4 * 8);
    assert_int_equal(stats.commits, 1 + 2 * 8 + 1); /* the large value ended one */
    assert_true(node_store_close(store));
}

static void test_node_store_takes_all_that_waits_into_one_transaction(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store_stats stats;
    struct node_store *store = must_open();
    hold_worker(store);
    uint64_t dice = 3;
    for (uint64_t token = 1; token <= 12; token++) {
        batch_random(&batch, &model, &dice, 300);
        submit_batch(store, token, &batch);
    }
    struct vn_event event;
    assert_false(node_store_next(store, &event));
    node_store_stats(store, &stats);
    assert_int_equal(stats.waiting, 12);
    assert_int_equal(stats.commits, 1);
    let_go();
    for (uint64_t token = 1; token <= 12; token++)
        assert_int_equal(await_stored(store, token), VN_OK);
    node_store_stats(store, &stats);
    assert_int_equal(stats.stores, 13);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.commits, 2);
    check_same(store, &model);
    assert_true(node_store_close(store));
}

static void test_node_store_ends_a_transaction_that_is_large(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store_stats stats;
    struct node_store *store = must_open();
    hold_worker(store);
    for (uint32_t h = 1; h <= 24; h++) {
        batch_block(&batch, &model, h, h, 300 << 10);
        if (h % 3 == 0) /* less than 1 MiB: three of them are more than 2 MiB */
            submit_batch(store, h, &batch);
    }
    let_go();
    for (uint32_t h = 3; h <= 24; h += 3)
        assert_int_equal(await_stored(store, h), VN_OK);
    node_store_stats(store, &stats);
    assert_int_equal(stats.commits, 1 + 3);
    check_same(store, &model);
    assert_true(node_store_close(store));
}

static void test_node_store_drops_references_when_the_answer_was_taken(void **state)
{
    (void)state;
    static struct batch batch;
    struct node_store *store = must_open();
    batch_block(&batch, NULL, 1, 1, 1000);
    struct vn_buf *buf = vn_buf_ref(batch.items[0].value.buf);
    batch_addr(&batch, NULL, 1, 1, 0);
    batch.items[1].value = (struct vn_slice){vn_buf_ref(buf), 0, 8};
    submit_batch(store, 1, &batch);
    submit_load(store, 2, VN_LOAD_ADDRS, 0, 0, 100);
    assert_int_equal(buf->refs, 3);
    struct vn_event event;
    assert_true(await(store, &event));
    assert_int_equal(event.kind, VN_EV_STORED);
    await_loaded(store, 2);
    assert_int_equal(buf->refs, 1);
    /* And those of answers that nobody takes. */
    batch_addr(&batch, NULL, 1, 1, 0);
    batch.items[0].value = (struct vn_slice){vn_buf_ref(buf), 0, 8};
    submit_batch(store, 3, &batch);
    assert_true(node_store_close(store));
    assert_int_equal(buf->refs, 1);
    vn_buf_unref(buf);
}

static void test_node_store_close_carries_out_all_that_was_submitted(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store *store = must_open();
    uint64_t dice = 11;
    for (uint64_t token = 1; token <= 50; token++) {
        batch_random(&batch, &model, &dice, 2000);
        submit_batch(store, token, &batch);
        if (token % 9 == 0)
            submit_load(store, token, VN_LOAD_BLOCKS, 1, 100, 100000);
    }
    assert_true(node_store_close(store));
    assert_int_not_equal(access(in_data("node.db-wal"), F_OK), 0); /* written back */
    store = must_open();
    check_same(store, &model);
    batch_block(&batch, NULL, 1000, 1, 10); /* fails, and nobody asks */
    submit_batch(store, 1, &batch);
    assert_false(node_store_close(store));
}

static void test_node_store_answers_may_be_kept_after_it_is_closed(void **state)
{
    (void)state;
    static struct batch batch;
    struct node_store *store = must_open();
    batch_block(&batch, NULL, 1, 77, 100);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    submit_load(store, 2, VN_LOAD_BLOCKS, 1, 1, 1);
    const struct vn_event event = await_loaded(store, 2);
    const struct vn_slice kept = vn_slice_ref(event.u.loaded.slices[0]);
    assert_true(node_store_close(store));
    uint8_t wanted[100];
    fill(wanted, sizeof wanted, 77);
    assert_memory_equal(vn_slice_data(kept), wanted, sizeof wanted);
    assert_int_equal(kept.buf->refs, 1);
    vn_slice_unref(kept);
}

static void test_node_store_loads_many_large_blocks_in_pieces(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    enum { BLOCK = 320 << 10, BLOCKS = 30 };
    struct node_store *store = must_open();
    for (uint32_t h = 1; h <= BLOCKS; h++) {
        batch_block(&batch, &model, h, h, BLOCK);
        if (h % 10 == 0)
            assert_int_equal(store_batch(store, h, &batch), VN_OK);
    }
    uint64_t next = 1;
    uint32_t pieces = 0;
    while (next <= BLOCKS) {
        submit_load(store, 1, VN_LOAD_BLOCKS, next, UINT64_MAX, 4 << 20);
        const struct vn_event event = await_loaded(store, 1);
        assert_null(loaded_fault(&model, VN_LOAD_BLOCKS, next, UINT64_MAX, 4 << 20, &event));
        next += event.u.loaded.count;
        pieces++;
    }
    assert_int_equal(pieces, 3); /* twelve fit in 4 MiB */
    assert_true(node_store_close(store));
}

static void test_node_store_keeps_the_ends_of_bans_to_the_nanosecond(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store *store = must_open();
    batch_ban(&batch, &model, 1, 1, 1, 8);
    batch_ban(&batch, &model, 2, INT64_MAX, 1, 8);
    batch_ban(&batch, &model, 3, (uint64_t)INT64_MAX + 1, 1, 8);
    batch_ban(&batch, &model, 4, UINT64_MAX, 1, 0);
    batch_ban(&batch, &model, 6, 5, 1, 8);
    batch_ban(&batch, &model, 6, 0, 1, 0);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    check_same(store, &model);
    assert_true(node_store_close(store));
}

static void test_node_store_counts_what_it_does(void **state)
{
    (void)state;
    static struct batch batch;
    struct node_store_stats stats;
    struct node_store *store = must_open();
    batch_block(&batch, NULL, 1, 1, 100);
    batch_addr(&batch, NULL, 1, 1, 8);
    batch_ban(&batch, NULL, 1, 0, 0, 0);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    check_load(store, &(struct model){0}, VN_LOAD_BANS, 0, 0, 0);
    node_store_stats(store, &stats);
    assert_int_equal(stats.stores, 1);
    assert_int_equal(stats.commits, 1);
    assert_int_equal(stats.items, 3);
    assert_int_equal(stats.bytes, 108);
    assert_int_equal(stats.loads, 1);
    assert_int_equal(stats.failed, 0);
    assert_false(stats.failing);
    assert_string_equal(stats.error, "");
    assert_true(stats.commit_ns > 0);
    assert_int_equal(stats.commit_ns_max, stats.commit_ns);
    batch_block(&batch, NULL, 9, 1, 100);
    assert_int_equal(store_batch(store, 2, &batch), VN_ERR_ARGUMENT);
    node_store_stats(store, &stats);
    assert_true(stats.failing);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.items, 3);
    assert_non_null(strstr(stats.error, "node.db: a batch makes no sense (a block that does not"));
    batch_block(&batch, NULL, 2, 1, 100);
    assert_int_equal(store_batch(store, 3, &batch), VN_OK);
    node_store_stats(store, &stats);
    assert_false(stats.failing);
    assert_true(node_store_close(store));
}

static void *ask_for_stats(void *arg)
{
    struct node_store_stats stats;
    do
        node_store_stats(arg, &stats);
    while (stats.stores < 200);
    return NULL;
}

static void test_node_store_tells_its_figures_to_any_thread(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store *store = must_open();
    pthread_t asker;
    uint64_t dice = 2;
    assert_int_equal(pthread_create(&asker, NULL, ask_for_stats, store), 0);
    for (uint64_t token = 1; token <= 200; token++) {
        batch_random(&batch, &model, &dice, 300);
        submit_batch(store, token, &batch);
        if (token > 4)
            assert_int_equal(await_stored(store, token - 4), VN_OK);
    }
    for (uint64_t token = 197; token <= 200; token++)
        assert_int_equal(await_stored(store, token), VN_OK);
    pthread_join(asker, NULL);
    check_same(store, &model);
    assert_true(node_store_close(store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_node_store_holds_what_a_model_of_it_holds),
        CASE(test_node_store_load_sees_the_stores_before_it_and_none_after),
        CASE(test_node_store_load_ends_before_its_bytes_but_gives_one),
        CASE(test_node_store_block_forgets_all_above_it),
        CASE(test_node_store_refuses_a_batch_that_makes_no_sense_whole_and_alone),
        CASE(test_node_store_takes_all_that_waits_into_one_transaction),
        CASE(test_node_store_ends_a_transaction_that_is_large),
        CASE(test_node_store_drops_references_when_the_answer_was_taken),
        CASE(test_node_store_close_carries_out_all_that_was_submitted),
        CASE(test_node_store_answers_may_be_kept_after_it_is_closed),
        CASE(test_node_store_loads_many_large_blocks_in_pieces),
        CASE(test_node_store_keeps_the_ends_of_bans_to_the_nanosecond),
        CASE(test_node_store_counts_what_it_does),
        CASE(test_node_store_tells_its_figures_to_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
