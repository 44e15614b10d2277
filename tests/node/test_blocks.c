/* NewBlock through the door: relay, each rule's price, orphans, the clock, duplicates. */
#include "tests/node/rig.h"

#include <string.h>

struct scene {
    struct rig rig;
    struct rig_link *from, *b, *c;
    struct vn_buf *line[12];
};

static void scene_init(struct scene *s)
{
    rig_init_started(&s->rig, NULL);
    s->from = rig_ready_idle(&s->rig, rig_addr(7, 5000), "from");
    s->b = rig_ready_idle(&s->rig, rig_addr(8, 5000), "b");
    s->c = rig_ready_idle(&s->rig, rig_addr(9, 5000), "c");
    forge_line(s->line, 11, 1);
}

static void scene_deinit(struct scene *s)
{
    forge_drop(s->line, 12);
    rig_deinit(&s->rig);
}

static void expect_block(struct rig_link *link, const struct vn_buf *block)
{
    const struct msg *msg = rig_take(link, MSG_NEW_BLOCK);
    assert_int_equal(msg->u.block.raw.len, block->len);
    assert_memory_equal(msg->u.block.raw.data, block->data, block->len);
}

static void test_a_valid_block_is_relayed_once_to_all_but_its_sender(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    rig_frame(&s.rig, s.from, forge_new_block(s.line[1]));
    expect_block(s.b, s.line[1]);
    expect_block(s.c, s.line[1]);
    rig_expect_quiet(s.from);
    rig_frame(&s.rig, s.b, forge_new_block(s.line[1])); /* flooding makes that normal */
    assert_int_equal(rig_peer(&s.rig, s.b).score, 0);
    assert_int_equal(rig_peer(&s.rig, s.from).score, 10);
    rig_expect_quiet(s.from);
    rig_expect_quiet(s.b);
    rig_expect_quiet(s.c);
    struct vn_info info = rig_info(&s.rig);
    assert_int_equal(info.height, 1);
    assert_memory_equal(info.tip, forge_view(s.line[1]).hash, 32);
    assert_int_equal(info.total_difficulty_lo, 2 * FORGE_D0);
    scene_deinit(&s);
}

static void test_a_block_is_not_relayed_to_who_sent_it_meanwhile(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    rig_frame(&s.rig, s.b, forge_new_block(s.line[2])); /* an orphan, from b and c */
    rig_frame(&s.rig, s.c, forge_new_block(s.line[2]));
    rig_frame(&s.rig, s.from, forge_new_block(s.line[1]));
    assert_int_equal(rig_info(&s.rig).height, 2);
    assert_non_null(rig_next(s.b)); /* asked for what lies between */
    expect_block(s.b, s.line[1]);
    rig_expect_quiet(s.b);
    expect_block(s.from, s.line[2]);
    expect_block(s.c, s.line[1]);
    rig_expect_quiet(s.c);
    scene_deinit(&s);
}

static void test_only_the_same_link_pays_for_sending_a_block_again(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    rig_frame(&s.rig, s.from, forge_new_block(s.line[1]));
    int32_t before = rig_peer(&s.rig, s.from).score;
    rig_frame(&s.rig, s.from, forge_new_block(s.line[1]));
    assert_int_equal(rig_peer(&s.rig, s.from).score, before - 2);
    before = rig_peer(&s.rig, s.b).score;
    rig_frame(&s.rig, s.b, forge_new_block(s.line[1]));
    assert_int_equal(rig_peer(&s.rig, s.b).score, before);
    rig_frame(&s.rig, s.b, forge_new_block(s.line[1]));
    assert_int_equal(rig_peer(&s.rig, s.b).score, before - 2);
    scene_deinit(&s);
}

static void test_trailing_bytes_are_not_relayed(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct vn_buf *frame = vn_buf_new(FRAME_HEADER + 4 + s.line[1]->len + 9);
    memset(frame->data, 0xee, frame->len);
    put_be32(frame->data, frame->len - FRAME_HEADER);
    put_le32(frame->data + 4, MSG_NEW_BLOCK);
    memcpy(frame->data + 8, s.line[1]->data, s.line[1]->len);
    rig_frame(&s.rig, s.from, frame);
    expect_block(s.b, s.line[1]); /* the rig asserts that a payload holds nothing else */
    assert_int_equal(rig_info(&s.rig).height, 1);
    scene_deinit(&s);
}

/* ---- invalid blocks ---- */

typedef void (*spoil)(struct block_view *view);

static uint8_t noise[32] = {1, 2, 3};
static uint8_t twins[64]; /* the same id twice */

static void spoil_height(struct block_view *v)
{
    v->height++;
}
static void spoil_timestamp(struct block_view *v)
{
    v->timestamp = FORGE_GENESIS_S - 1;
}
static void spoil_ids(struct block_view *v)
{
    v->tx_count = 2;
    v->tx_ids = twins;
}
static void spoil_root(struct block_view *v)
{
    v->tx_root = noise;
}
static void spoil_difficulty(struct block_view *v)
{
    v->difficulty++;
}
static void spoil_total(struct block_view *v)
{
    v->total_difficulty++;
}
static void spoil_hash(struct block_view *v)
{
    v->hash = noise;
}
static void spoil_poh_seq(struct block_view *v)
{
    v->poh_seq = UINT64_MAX;
}
static void spoil_poh_hash(struct block_view *v)
{
    v->poh_hash = noise;
}
static void spoil_genesis(struct block_view *v)
{
    v->height = 0;
}

static void test_each_broken_rule_costs_a_hundred_and_a_ban(void **state)
{
    (void)state;
    static const struct {
        spoil spoil;
        bool solve;
        const char *rule;
    } cases[] = {
        {spoil_genesis, true, "B0-genesis"},
        {spoil_height, true, "B1-height"},
        {spoil_timestamp, true, "B3-timestamp-backwards"},
        {spoil_ids, true, "B4-tx-duplicate"},
        {spoil_root, true, "B5-tx-root"},
        {spoil_difficulty, false, "B6-difficulty"},
        {spoil_total, false, "B7-total-difficulty"},
        {spoil_hash, false, "B8-hash"},
        {spoil_poh_seq, false, "B10-poh-seq"},
        {spoil_poh_hash, false, "B10-poh-hash"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        scene_init(&s);
        struct block_view view = forge_view(s.line[1]);
        cases[i].spoil(&view);
        struct vn_buf *bad = forge_block(view, cases[i].solve);
        rig_frame(&s.rig, s.from, forge_new_block(bad));
        vn_buf_unref(bad);
        assert_string_equal(rig_last(&s.rig, VN_TR_BLOCK_BAD)->text, cases[i].rule);
        assert_int_equal((int64_t)rig_last(&s.rig, VN_TR_SCORE)->b, -100);
        rig_take_disconnect(s.from, REASON_PROTOCOL_VIOLATION);
        assert_int_equal(s.from->close_why, VN_WHY_BANNED);
        assert_int_equal(rig_info(&s.rig).banned, 1);
        assert_int_equal(rig_info(&s.rig).height, 0);
        rig_expect_quiet(s.b);
        scene_deinit(&s);
    }
}

static void give_bad(struct scene *s, struct rig_link *link)
{
    struct block_view view = forge_view(s->line[1]);
    view.tx_root = noise;
    struct vn_buf *bad = forge_block(view, true);
    rig_frame(&s->rig, link, forge_new_block(bad));
    vn_buf_unref(bad);
}

static void test_good_standing_keeps_no_link_open_after_an_invalid_block(void **state)
{
    (void)state;
    for (int32_t earned = 1; earned <= 100; earned += 99) {
        struct scene s;
        scene_init(&s);
        for (int32_t i = 0; i < earned; i++) {
            struct forge_tx spec = {.sender = 1 + (uint64_t)i / 50, .nonce = (uint64_t)i};
            struct vn_buf *tx = forge_tx(spec);
            rig_frame(&s.rig, s.from, forge_new_tx(tx));
            vn_buf_unref(tx);
        }
        give_bad(&s, s.from);
        rig_take_disconnect(s.from, REASON_PROTOCOL_VIOLATION);
        assert_int_equal(s.from->close_why, VN_WHY_PROTOCOL);
        assert_int_equal(rig_info(&s.rig).banned, 0);
        struct rig_link *again = rig_ready_idle(&s.rig, rig_addr(7, 5001), "from again");
        assert_int_equal(rig_peer(&s.rig, again).score, earned - 100); /* 1: on probation */
        give_bad(&s, again);
        assert_int_equal(again->close_why, VN_WHY_BANNED);
        assert_int_equal(rig_info(&s.rig).banned, 1);
        scene_deinit(&s);
    }
}

static void test_a_block_without_work_is_invalid(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct block_view view = forge_view(s.line[1]);
    uint8_t hash[32], target[32];
    rule_target(target, FORGE_D0);
    for (view.nonce = 0;; view.nonce++) { /* a true hash above the target */
        rule_block_hash(hash, &view);
        if (memcmp(hash, target, 32) > 0)
            break;
    }
    view.hash = hash;
    struct vn_buf *bad = forge_block(view, false);
    rig_frame(&s.rig, s.from, forge_new_block(bad));
    vn_buf_unref(bad);
    assert_string_equal(rig_last(&s.rig, VN_TR_BLOCK_BAD)->text, "B9-work");
    rig_take_disconnect(s.from, REASON_PROTOCOL_VIOLATION);
    scene_deinit(&s);
}

static void test_a_block_ahead_of_the_clock_is_dropped_without_penalty(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    uint64_t limit = FORGE_NOW_S + 3 + 7200; /* the scene takes 3 s */
    struct vn_buf *late = forge_child_at(s.line[0], 5, limit + 1);
    int32_t before = rig_peer(&s.rig, s.from).score;
    rig_frame(&s.rig, s.from, forge_new_block(late));
    assert_int_equal(rig_peer(&s.rig, s.from).score, before);
    assert_int_equal(rig_info(&s.rig).height, 0);
    rig_expect_quiet(s.b);
    rig_run(&s.rig, 2 * S); /* its time has come; another link sends it */
    rig_frame(&s.rig, s.b, forge_new_block(late));
    assert_int_equal(rig_info(&s.rig).height, 1);
    vn_buf_unref(late);
    scene_deinit(&s);
}

static void test_an_orphan_costs_nothing_and_brings_a_request_to_its_sender(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    int32_t before = rig_peer(&s.rig, s.from).score;
    rig_frame(&s.rig, s.from, forge_new_block(s.line[9]));
    assert_int_equal(rig_peer(&s.rig, s.from).score, before);
    assert_int_equal(rig_info(&s.rig).orphans, 1);
    const struct msg *ask = rig_next(s.from);
    assert_non_null(ask);
    assert_true(ask->kind == MSG_REQUEST_BLOCK || ask->kind == MSG_REQUEST_BLOCK_RANGE);
    rig_expect_quiet(s.b); /* an orphan is not relayed */
    scene_deinit(&s);
}

static void test_an_orphan_that_no_parent_can_save_is_invalid_at_once(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct block_view view = forge_view(s.line[5]);
    view.hash = noise;
    struct vn_buf *bad = forge_block(view, false);
    rig_frame(&s.rig, s.from, forge_new_block(bad));
    vn_buf_unref(bad);
    rig_take_disconnect(s.from, REASON_PROTOCOL_VIOLATION);
    assert_int_equal(rig_info(&s.rig).orphans, 0);
    scene_deinit(&s);
}

static void test_orphans_are_bounded(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    for (uint64_t i = 0; i < 300; i++) {
        struct vn_buf *orphan = forge_child(s.line[5], 100 + i);
        rig_frame(&s.rig, s.from, forge_new_block(orphan));
        vn_buf_unref(orphan);
    }
    assert_int_equal(rig_info(&s.rig).orphans, 100);
    assert_false(s.from->closed);
    scene_deinit(&s);
}

static void test_a_side_branch_is_relayed_and_a_longer_one_becomes_the_chain(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    for (uint32_t i = 1; i <= 2; i++)
        rig_frame(&s.rig, s.from, forge_new_block(s.line[i]));
    struct vn_buf *branch[5];
    branch[0] = vn_buf_ref(s.line[0]);
    forge_extend(branch, 4, 2);
    while (rig_next(s.c))
        ;
    for (uint32_t i = 1; i <= 2; i++)
        rig_frame(&s.rig, s.b, forge_new_block(branch[i]));
    assert_memory_equal(rig_info(&s.rig).tip, forge_view(s.line[2]).hash, 32); /* seen first */
    rig_frame(&s.rig, s.b, forge_new_block(branch[3]));
    assert_memory_equal(rig_info(&s.rig).tip, forge_view(branch[3]).hash, 32);
    assert_int_equal(rig_last(&s.rig, VN_TR_TIP)->b, 2);
    for (uint32_t i = 1; i <= 3; i++)
        expect_block(s.c, branch[i]);
    uint8_t hash[32];
    assert_true(vn_node_block_hash(s.rig.node, 1, hash));
    assert_memory_equal(hash, forge_view(branch[1]).hash, 32);
    assert_false(vn_node_block_hash(s.rig.node, 4, hash));
    forge_drop(branch, 5);
    scene_deinit(&s);
}

static void test_a_copy_with_another_unhashed_field_never_takes_the_first_ones_place(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    rig_frame(&s.rig, s.from, forge_new_block(s.line[1]));
    struct block_view view = forge_view(s.line[1]);
    view.poh_seq = 7; /* the hash does not cover it */
    struct vn_buf *twin = forge_block(view, false);
    rig_frame(&s.rig, s.b, forge_new_block(twin));
    vn_buf_unref(twin);
    assert_true(s.b->closed);
    rig_frame(&s.rig, s.from, forge_new_block(s.line[2]));
    assert_int_equal(rig_info(&s.rig).height, 2);
    scene_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_valid_block_is_relayed_once_to_all_but_its_sender),
        cmocka_unit_test(test_a_block_is_not_relayed_to_who_sent_it_meanwhile),
        cmocka_unit_test(test_only_the_same_link_pays_for_sending_a_block_again),
        cmocka_unit_test(test_trailing_bytes_are_not_relayed),
        cmocka_unit_test(test_each_broken_rule_costs_a_hundred_and_a_ban),
        cmocka_unit_test(test_good_standing_keeps_no_link_open_after_an_invalid_block),
        cmocka_unit_test(test_a_block_without_work_is_invalid),
        cmocka_unit_test(test_a_block_ahead_of_the_clock_is_dropped_without_penalty),
        cmocka_unit_test(test_an_orphan_costs_nothing_and_brings_a_request_to_its_sender),
        cmocka_unit_test(test_an_orphan_that_no_parent_can_save_is_invalid_at_once),
        cmocka_unit_test(test_orphans_are_bounded),
        cmocka_unit_test(test_a_side_branch_is_relayed_and_a_longer_one_becomes_the_chain),
        cmocka_unit_test(test_a_copy_with_another_unhashed_field_never_takes_the_first_ones_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
