/* Each rule has a case that breaks it alone, and its boundary values. The golden vectors are
 * another test's. */
#include "tests/unit/chain_fixture.h"

#include "core/chain/text.h"

#include <stdio.h>
#include <stdlib.h>

static const struct chain_params params = {.genesis_timestamp = FIXTURE_TIME, .difficulty = 16};

/* A genesis, a valid child of it, and the child as a draft to break. */
struct family {
    struct vn_buf *genesis, *child;
    struct block_view genesis_view;
    struct parent_view parent;
    struct draft draft;
    uint64_t now;
};

static void family_init(struct family *f)
{
    uint8_t ids[3 * 32];
    for (uint32_t i = 0; i < 3; i++)
        fixture_hash(ids + 32 * i, "id", i);
    f->genesis = rule_genesis(&params);
    f->child = fixture_child_ids(&params, f->genesis, 1, ids, 3);
    f->genesis_view = fixture_view(fixture_whole(f->genesis));
    f->parent = fixture_parent(&f->genesis_view);
    draft_from(&f->draft, f->child);
    f->now = FIXTURE_TIME + 100;
}

static void family_deinit(struct family *f)
{
    vn_buf_unref(f->genesis);
    vn_buf_unref(f->child);
}

/* The verdict, the same with and without a known verdict on the body. */
static enum rule verdict(const struct family *f)
{
    enum rule rule = rule_check_block(&f->draft.view, &f->parent, &params, f->now, -1);
    int body = (int)rule_check_body(&f->draft.view);
    assert_int_equal(rule, rule_check_block(&f->draft.view, &f->parent, &params, f->now, body));
    return rule;
}

static void solve(struct family *f)
{
    draft_solve(&f->draft, params.difficulty, true);
}

static void set_ids(struct family *f, const uint8_t *ids, uint64_t count)
{
    f->draft.view.tx_ids = ids;
    f->draft.view.tx_count = count;
    rule_tx_root(f->draft.tx_root, ids, count);
    solve(f);
}

static void test_a_mined_block_is_valid(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    assert_int_equal(verdict(&f), RULE_OK);
    family_deinit(&f);
}

static void test_height_must_follow_the_parent(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.view.height = 2;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B1_HEIGHT);
    f.draft.view.height = 0;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B1_HEIGHT);
    f.parent.height = UINT64_MAX; /* + 1 must not wrap to 0 */
    assert_int_equal(verdict(&f), RULE_B1_HEIGHT);
    f.parent.height = UINT64_MAX - 1;
    f.draft.view.height = UINT64_MAX;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_OK);
    family_deinit(&f);
}

static void test_prev_hash_must_be_the_parents(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.prev_hash[31] ^= 1;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B2_PREV_HASH);
    family_deinit(&f);
}

static void test_timestamp_may_stand_still_but_not_go_back(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.view.timestamp = f.parent.timestamp;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_OK);
    f.draft.view.timestamp = f.parent.timestamp - 1;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B3_TIMESTAMP_BACKWARDS);
    family_deinit(&f);
}

static void test_timestamp_may_be_two_hours_ahead(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.view.timestamp = f.now + 7200;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_OK);
    f.draft.view.timestamp = f.now + 7201;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B3_TIMESTAMP_AHEAD);
    f.draft.view.timestamp = UINT64_MAX;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B3_TIMESTAMP_AHEAD);
    f.now = UINT64_MAX - 7199; /* + 7200 must not wrap */
    assert_int_equal(verdict(&f), RULE_OK);
    family_deinit(&f);
}

static void test_a_block_holds_ten_thousand_ids(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    uint8_t *ids = test_malloc(10001 * 32);
    for (uint64_t i = 0; i < 10001; i++)
        fixture_hash(ids + 32 * i, "id", i);
    set_ids(&f, ids, 10000);
    assert_int_equal(verdict(&f), RULE_OK);
    set_ids(&f, ids, 10001);
    assert_int_equal(verdict(&f), RULE_B4_TX_COUNT);
    test_free(ids);
    family_deinit(&f);
}

static void test_ids_must_differ_wherever_they_stand(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    uint8_t ids[300 * 32] = {0};
    for (uint32_t i = 0; i < 300; i++)
        put_be32(ids + 32 * i + 28, i * 2654435761u); /* equal but for the last bytes */
    set_ids(&f, ids, 300);
    assert_int_equal(verdict(&f), RULE_OK);
    static const uint32_t pairs[][2] = {{0, 1}, {0, 299}, {298, 299}, {17, 211}};
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t kept[32];
        memcpy(kept, ids + 32 * pairs[i][1], 32);
        memcpy(ids + 32 * pairs[i][1], ids + 32 * pairs[i][0], 32);
        set_ids(&f, ids, 300);
        assert_int_equal(verdict(&f), RULE_B4_TX_DUPLICATE);
        memcpy(ids + 32 * pairs[i][1], kept, 32);
    }
    memcpy(ids + 32, ids, 32);
    set_ids(&f, ids, 2);
    assert_int_equal(verdict(&f), RULE_B4_TX_DUPLICATE);
    family_deinit(&f);
}

/* Every size of a list, and every pair of places in it. */
static void test_no_pair_of_equal_ids_is_missed(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    uint8_t ids[21 * 32];
    for (uint32_t count = 2; count <= 21; count++)
        for (uint32_t a = 0; a < count; a++)
            for (uint32_t b = a; b < count; b++) {
                for (uint32_t i = 0; i < count; i++)
                    fixture_hash(ids + 32 * i, "other", i);
                memmove(ids + 32 * b, ids + 32 * a, 32);
                f.draft.view.tx_ids = ids;
                f.draft.view.tx_count = count;
                rule_tx_root(f.draft.tx_root, ids, count);
                enum rule rule = rule_check_body(&f.draft.view);
                assert_int_equal(rule, a == b ? RULE_B8_HASH : RULE_B4_TX_DUPLICATE);
            }
    family_deinit(&f);
}

static void test_a_repeated_last_id_shares_the_root_and_is_refused(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    uint8_t ids[4 * 32], root[32];
    memcpy(ids, f.draft.view.tx_ids, 3 * 32);
    memcpy(ids + 3 * 32, ids + 2 * 32, 32);
    f.draft.view.tx_ids = ids;
    f.draft.view.tx_count = 4;
    rule_tx_root(root, ids, 4);
    assert_memory_equal(root, f.draft.tx_root, 32);
    assert_int_equal(verdict(&f), RULE_B4_TX_DUPLICATE);
    family_deinit(&f);
}

static void test_tx_root_must_be_that_of_the_ids(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.tx_root[0] ^= 0x80;
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B5_TX_ROOT);
    family_deinit(&f);
    family_init(&f);
    f.draft.view.tx_count = 2;
    assert_int_equal(verdict(&f), RULE_B5_TX_ROOT);
    family_deinit(&f);
}

static void test_difficulty_must_be_the_chains(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.view.difficulty++;
    f.draft.view.total_difficulty++;
    assert_int_equal(verdict(&f), RULE_B6_DIFFICULTY);
    family_deinit(&f);
}

static void test_total_difficulty_must_add_up_without_overflow(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.view.total_difficulty++;
    assert_int_equal(verdict(&f), RULE_B7_TOTAL_DIFFICULTY);
    f.parent.total_difficulty = ~(u128)0 - params.difficulty;
    f.draft.view.total_difficulty = ~(u128)0;
    assert_int_equal(verdict(&f), RULE_OK);
    f.parent.total_difficulty = ~(u128)0;
    f.draft.view.total_difficulty = (u128)params.difficulty - 1;
    assert_int_equal(verdict(&f), RULE_B7_TOTAL_DIFFICULTY);
    family_deinit(&f);
}

static void test_hash_must_be_that_of_the_text(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.hash[31] ^= 1;
    assert_int_equal(verdict(&f), RULE_B8_HASH);
    family_deinit(&f);
}

static void test_hash_must_not_exceed_the_target(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    draft_solve(&f.draft, params.difficulty, false);
    assert_int_equal(verdict(&f), RULE_B9_WORK);

    /* The boundary itself, with the verdict on the body given: no text is known with that hash. */
    rule_target(f.draft.hash, params.difficulty);
    assert_int_equal(rule_check_block(&f.draft.view, &f.parent, &params, f.now, RULE_OK), RULE_OK);
    f.draft.hash[0]++;
    memset(f.draft.hash + 1, 0, 31);
    assert_int_equal(rule_check_block(&f.draft.view, &f.parent, &params, f.now, RULE_OK),
                     RULE_B9_WORK);
    family_deinit(&f);
}

static void test_poh_must_step_by_one(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    f.draft.view.poh_seq = 2;
    assert_int_equal(verdict(&f), RULE_B10_POH_SEQ);
    f.draft.view.poh_seq = 0;
    f.parent.poh_seq = UINT64_MAX; /* + 1 must not wrap */
    assert_int_equal(verdict(&f), RULE_B10_POH_SEQ);
    f.draft.view.poh_seq = UINT64_MAX;
    f.parent.poh_seq = UINT64_MAX - 1;
    assert_int_equal(verdict(&f), RULE_OK);
    f.draft.poh_hash[5] ^= 4;
    assert_int_equal(verdict(&f), RULE_B10_POH_HASH);
    family_deinit(&f);
}

/* Everything is broken; repaired from the first rule on, each verdict is the next rule. */
static void test_the_first_broken_rule_is_named(void **state)
{
    (void)state;
    struct family f;
    family_init(&f);
    const struct draft good = f.draft;
    struct block_view *view = &f.draft.view;
    static const uint8_t duplicates[3 * 32];
    view->height = 9;
    f.draft.prev_hash[0] ^= 1;
    view->timestamp = 0;
    view->tx_ids = duplicates;
    f.draft.tx_root[0] ^= 1;
    view->difficulty = 17;
    view->total_difficulty = 0;
    memset(f.draft.hash, 0xff, 32);
    view->poh_seq = 7;
    f.draft.poh_hash[0] ^= 1;

    assert_int_equal(verdict(&f), RULE_B1_HEIGHT);
    view->height = 1;
    assert_int_equal(verdict(&f), RULE_B2_PREV_HASH);
    memcpy(f.draft.prev_hash, good.prev_hash, 32);
    assert_int_equal(verdict(&f), RULE_B3_TIMESTAMP_BACKWARDS);
    view->timestamp = UINT64_MAX;
    assert_int_equal(verdict(&f), RULE_B3_TIMESTAMP_AHEAD);
    view->timestamp = good.view.timestamp;
    assert_int_equal(verdict(&f), RULE_B4_TX_DUPLICATE);
    view->tx_ids = good.view.tx_ids;
    assert_int_equal(verdict(&f), RULE_B5_TX_ROOT);
    memcpy(f.draft.tx_root, good.tx_root, 32);
    assert_int_equal(verdict(&f), RULE_B6_DIFFICULTY);
    view->difficulty = params.difficulty;
    assert_int_equal(verdict(&f), RULE_B7_TOTAL_DIFFICULTY);
    view->total_difficulty = good.view.total_difficulty;
    assert_int_equal(verdict(&f), RULE_B8_HASH);
    draft_solve(&f.draft, params.difficulty, false);
    assert_int_equal(verdict(&f), RULE_B9_WORK);
    solve(&f);
    assert_int_equal(verdict(&f), RULE_B10_POH_SEQ);
    view->poh_seq = 1;
    assert_int_equal(verdict(&f), RULE_B10_POH_HASH);
    memcpy(f.draft.poh_hash, good.poh_hash, 32);
    assert_int_equal(verdict(&f), RULE_OK);
    family_deinit(&f);
}

static void test_an_orphan_is_bound_by_its_height(void **state)
{
    (void)state;
    struct vn_buf *blocks[6] = {rule_genesis(&params)};
    for (uint32_t i = 1; i < 6; i++)
        blocks[i] = fixture_child(&params, blocks[i - 1], i);
    struct draft draft;
    draft_from(&draft, blocks[5]);
    struct parent_view implied = rule_implied_parent(&draft.view, &params);
    assert_int_equal(rule_check_block(&draft.view, &implied, &params, UINT64_MAX, -1), RULE_OK);
    draft.view.poh_seq++;
    assert_int_equal(rule_check_block(&draft.view, &implied, &params, UINT64_MAX, -1),
                     RULE_B10_POH_SEQ);
    draft.view.poh_seq--;
    draft.view.total_difficulty += params.difficulty;
    assert_int_equal(rule_check_block(&draft.view, &implied, &params, UINT64_MAX, -1),
                     RULE_B7_TOTAL_DIFFICULTY);
    for (uint32_t i = 0; i < 6; i++)
        vn_buf_unref(blocks[i]);
}

/* ---- what the rules are made of ------------------------------------------------------------- */

/* t * d as five words, least significant first, plus carry word. */
static void multiply(uint64_t out[5], const uint8_t t[32], uint64_t d)
{
    u128 carry = 0;
    for (uint32_t i = 0; i < 4; i++) {
        carry += (u128)get_be64(t + 24 - 8 * i) * d;
        out[i] = (uint64_t)carry;
        carry >>= 64;
    }
    out[4] = (uint64_t)carry;
}

static void test_target_is_the_floor_of_the_division(void **state)
{
    (void)state;
    struct rng rng = fixture_rng("target");
    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t d = rng_u64(&rng);
        d >>= rng_below(&rng, 64);
        d += d == 0;
        uint8_t target[32];
        uint64_t product[5];
        rule_target(target, d);
        multiply(product, target, d);
        assert_int_equal(product[4], 0); /* T d <= 2^256 - 1 */
        /* T d + d > 2^256 - 1: what is missing is less than d */
        assert_int_equal(~product[1] | ~product[2] | ~product[3], 0);
        assert_true(UINT64_MAX - product[0] < d);
    }
    static const uint64_t edges[] = {1, UINT64_MAX};
    uint8_t target[32];
    rule_target(target, edges[0]);
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(target[i], 0xff);
    rule_target(target, edges[1]);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(get_be64(target + 8 * i), 1);
}

/* The definition, level by level. */
static void naive_root(uint8_t out[32], const uint8_t *ids, size_t count)
{
    uint8_t *level = test_malloc((count + 1) * 32);
    memcpy(level, ids, count * 32);
    while (count > 1) {
        if (count % 2 == 1) {
            memcpy(level + count * 32, level + (count - 1) * 32, 32);
            count++;
        }
        for (size_t i = 0; i < count / 2; i++)
            sha256(level + 32 * i, level + 64 * i, 64);
        count /= 2;
    }
    memcpy(out, level, 32);
    test_free(level);
}

static void test_tx_root_agrees_with_its_definition(void **state)
{
    (void)state;
    uint8_t *ids = test_malloc(10000 * 32);
    for (uint64_t i = 0; i < 10000; i++)
        fixture_hash(ids + 32 * i, "id", i);
    for (size_t count = 1; count <= 10000; count += count < 140 ? 1 : 1643) {
        uint8_t expected[32], root[32];
        naive_root(expected, ids, count);
        rule_tx_root(root, ids, count);
        assert_memory_equal(root, expected, 32);
    }
    test_free(ids);
}

static void test_hash_text_is_decimal_and_lower_case_hex(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 9, 10, 1744067299, UINT64_MAX - 1, UINT64_MAX};
    struct vn_buf *genesis = rule_genesis(&params);
    struct draft draft;
    draft_from(&draft, genesis);
    fixture_hash(draft.prev_hash, "prev", 0);
    fixture_hash(draft.state_root, "state", 0);
    fixture_hash(draft.tx_root, "root", 0);
    for (uint32_t i = 0; i < 6; i++) {
        draft.view.height = numbers[i];
        draft.view.timestamp = numbers[(i + 1) % 6];
        draft.view.nonce = numbers[(i + 2) % 6];
        char hex[3][65];
        for (uint32_t k = 0; k < 32; k++) {
            snprintf(hex[0] + 2 * k, 3, "%02x", draft.prev_hash[k]);
            snprintf(hex[1] + 2 * k, 3, "%02x", draft.state_root[k]);
            snprintf(hex[2] + 2 * k, 3, "%02x", draft.tx_root[k]);
        }
        char text[400];
        int len = snprintf(text, sizeof text, "%llu:%s:%llu:%s:%s:%llu",
                           (unsigned long long)draft.view.height, hex[0],
                           (unsigned long long)draft.view.timestamp, hex[1], hex[2],
                           (unsigned long long)draft.view.nonce);
        uint8_t expected[32], hash[32];
        sha256(expected, text, (size_t)len);
        rule_block_hash(hash, &draft.view);
        assert_memory_equal(hash, expected, 32);
    }
    vn_buf_unref(genesis);
}

static void test_every_rule_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (uint32_t a = 0; a < RULES; a++) {
        assert_non_null(rule_name((enum rule)a));
        for (uint32_t b = 0; b < a; b++)
            assert_string_not_equal(rule_name((enum rule)a), rule_name((enum rule)b));
    }
    assert_string_equal(rule_name(RULES), "?");
}

/* ---- transactions --------------------------------------------------------------------------- */

static enum rule tx_verdict(struct tx_view *tx, uint64_t now)
{
    uint8_t id[32];
    rule_tx_id(id, tx);
    const uint8_t *own = tx->tx_id;
    tx->tx_id = id;
    enum rule rule = rule_check_tx(tx, now, 0);
    tx->tx_id = own;
    return rule;
}

static void test_tx_id_must_be_that_of_the_fields(void **state)
{
    (void)state;
    struct vn_buf *buf = fixture_tx(1, 1, FIXTURE_TIME, 4);
    struct tx_view tx = fixture_tx_view(fixture_whole(buf));
    assert_int_equal(rule_check_tx(&tx, FIXTURE_TIME, 0), RULE_OK);
    uint64_t *const fields[] = {&tx.value, &tx.gas_price, &tx.gas_limit, &tx.nonce, &tx.timestamp};
    for (uint32_t i = 0; i < 5; i++) {
        ++*fields[i];
        assert_int_equal(rule_check_tx(&tx, FIXTURE_TIME, 0), RULE_T1_ID);
        assert_int_equal(rule_check_tx(&tx, FIXTURE_TIME, 1), RULE_OK);
        --*fields[i];
    }
    tx.data.len--;
    assert_int_equal(rule_check_tx(&tx, FIXTURE_TIME, 0), RULE_T1_ID);
    vn_buf_unref(buf);
}

static void test_empty_and_absent_data_share_an_id(void **state)
{
    (void)state;
    struct vn_buf *buf = fixture_tx(1, 1, FIXTURE_TIME, 0);
    struct tx_view tx = fixture_tx_view(fixture_whole(buf));
    tx.has_data = true;
    assert_int_equal(rule_check_tx(&tx, FIXTURE_TIME, 0), RULE_OK);
    vn_buf_unref(buf);
}

static void test_tx_must_be_pending(void **state)
{
    (void)state;
    struct vn_buf *buf = fixture_tx(1, 1, FIXTURE_TIME, 0);
    const struct tx_view good = fixture_tx_view(fixture_whole(buf));
    struct tx_view tx = good;
    for (tx.status = TX_INCLUDED; tx.status < TX_STATUSES; tx.status++)
        assert_int_equal(tx_verdict(&tx, FIXTURE_TIME), RULE_T2_NOT_PENDING);
    tx = good;
    tx.block_height = 1;
    assert_int_equal(tx_verdict(&tx, FIXTURE_TIME), RULE_T2_NOT_PENDING);
    tx = good;
    tx.gas_used = 1;
    assert_int_equal(tx_verdict(&tx, FIXTURE_TIME), RULE_T2_NOT_PENDING);
    vn_buf_unref(buf);
}

static void test_tx_cost_must_fit_64_bits(void **state)
{
    (void)state;
    static const struct {
        uint64_t value, price, limit;
        enum rule rule;
    } cases[] = {
        {UINT64_MAX, 0, UINT64_MAX, RULE_OK},
        {0, UINT64_MAX, 1, RULE_OK},
        {1, UINT64_MAX, 1, RULE_T3_OVERFLOW},
        {UINT64_MAX, 1, 1, RULE_T3_OVERFLOW},
        {0, UINT64_C(1) << 32, UINT64_C(1) << 32, RULE_T3_OVERFLOW}, /* 2^64 wraps to 0 */
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, RULE_T3_OVERFLOW},
        {UINT64_MAX - 6, 2, 3, RULE_OK},
        {UINT64_MAX - 5, 2, 3, RULE_T3_OVERFLOW},
    };
    struct vn_buf *buf = fixture_tx(1, 1, FIXTURE_TIME, 0);
    struct tx_view tx = fixture_tx_view(fixture_whole(buf));
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tx.value = cases[i].value;
        tx.gas_price = cases[i].price;
        tx.gas_limit = cases[i].limit;
        assert_int_equal(tx_verdict(&tx, FIXTURE_TIME), cases[i].rule);
    }
    vn_buf_unref(buf);
}

static void test_tx_time_is_bounded_on_both_sides(void **state)
{
    (void)state;
    static const struct {
        uint64_t timestamp, now;
        enum rule rule;
    } cases[] = {
        {10000 - 3600, 10000, RULE_OK},
        {10000 - 3601, 10000, RULE_T4_TOO_OLD},
        {10000 + 7200, 10000, RULE_OK},
        {10000 + 7201, 10000, RULE_T4_AHEAD},
        {0, 3600, RULE_OK},
        {0, 3601, RULE_T4_TOO_OLD},
        {0, 0, RULE_OK},
        {UINT64_MAX, UINT64_MAX, RULE_OK},
        {UINT64_MAX, 0, RULE_T4_AHEAD},
        {0, UINT64_MAX, RULE_T4_TOO_OLD},
        {UINT64_MAX, UINT64_MAX - 7201, RULE_T4_AHEAD},
        {UINT64_MAX, UINT64_MAX - 7200, RULE_OK},
        {UINT64_MAX - 3600, UINT64_MAX, RULE_OK},
        {UINT64_MAX - 3601, UINT64_MAX, RULE_T4_TOO_OLD},
    };
    struct vn_buf *buf = fixture_tx(1, 1, FIXTURE_TIME, 0);
    struct tx_view tx = fixture_tx_view(fixture_whole(buf));
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tx.timestamp = cases[i].timestamp;
        assert_int_equal(tx_verdict(&tx, cases[i].now), cases[i].rule);
    }
    vn_buf_unref(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mined_block_is_valid),
        cmocka_unit_test(test_height_must_follow_the_parent),
        cmocka_unit_test(test_prev_hash_must_be_the_parents),
        cmocka_unit_test(test_timestamp_may_stand_still_but_not_go_back),
        cmocka_unit_test(test_timestamp_may_be_two_hours_ahead),
        cmocka_unit_test(test_a_block_holds_ten_thousand_ids),
        cmocka_unit_test(test_ids_must_differ_wherever_they_stand),
        cmocka_unit_test(test_no_pair_of_equal_ids_is_missed),
        cmocka_unit_test(test_a_repeated_last_id_shares_the_root_and_is_refused),
        cmocka_unit_test(test_tx_root_must_be_that_of_the_ids),
        cmocka_unit_test(test_difficulty_must_be_the_chains),
        cmocka_unit_test(test_total_difficulty_must_add_up_without_overflow),
        cmocka_unit_test(test_hash_must_be_that_of_the_text),
        cmocka_unit_test(test_hash_must_not_exceed_the_target),
        cmocka_unit_test(test_poh_must_step_by_one),
        cmocka_unit_test(test_the_first_broken_rule_is_named),
        cmocka_unit_test(test_an_orphan_is_bound_by_its_height),
        cmocka_unit_test(test_target_is_the_floor_of_the_division),
        cmocka_unit_test(test_tx_root_agrees_with_its_definition),
        cmocka_unit_test(test_hash_text_is_decimal_and_lower_case_hex),
        cmocka_unit_test(test_every_rule_has_a_name_of_its_own),
        cmocka_unit_test(test_tx_id_must_be_that_of_the_fields),
        cmocka_unit_test(test_empty_and_absent_data_share_an_id),
        cmocka_unit_test(test_tx_must_be_pending),
        cmocka_unit_test(test_tx_cost_must_fit_64_bits),
        cmocka_unit_test(test_tx_time_is_bounded_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
