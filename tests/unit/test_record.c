/* Which of what happens in a run becomes a row, and in which words. */
#include "vibesim/record.h"

#include "tests/unit/recorder_folder.h"

static struct record record;
static const char *path;

static void record_into_file(enum record_level level)
{
    path = in_folder("run.db");
    record_init(&record, must_open(path), level);
}

static void finish_record(void)
{
    must_finish(record.recorder);
    record_deinit(&record);
}

static const uint8_t *hash_of(uint8_t first)
{
    static uint8_t hashes[4][32];
    static unsigned turn;
    uint8_t *hash = hashes[turn++ % 4];
    memset(hash, 0, 32);
    hash[0] = first;
    return hash;
}

static void give(enum vn_trace_kind kind, uint32_t host, uint8_t hash, uint64_t a, uint64_t b)
{
    struct vn_trace trace = {.kind = kind, .hash = hash_of(hash), .a = a, .b = b};
    record_trace(&record, 1000 * a, host, &trace, UINT32_MAX);
}

static void test_record_knows_the_parent_of_a_mined_block(void **state)
{
    (void)state;
    record_into_file(RECORD_SUMMARY);
    give(VN_TR_MINED, 5, 0x10, 1, 0); /* on the genesis block: no trace names it */
    give(VN_TR_TIP, 5, 0x10, 1, 0);
    give(VN_TR_MINED, 5, 0x20, 2, 0); /* told before the tip ... */
    give(VN_TR_TIP, 5, 0x20, 2, 0);
    give(VN_TR_TIP, 5, 0x30, 3, 0); /* ... and after it */
    give(VN_TR_MINED, 5, 0x30, 3, 0);
    give(VN_TR_TIP, 5, 0x40, 9, 0); /* many blocks at once, mined elsewhere */
    give(VN_TR_MINED, 5, 0x50, 10, 0);
    give(VN_TR_MINED, 6, 0x60, 7, 0); /* a node that never told its tip */
    give(VN_TR_TIP, 900, 0x70, 1, 0); /* more nodes than before */
    give(VN_TR_MINED, 900, 0x80, 2, 0);
    finish_record();
    assert_string_equal(query(path, "SELECT height, substr(hash, 1, 2), substr(parent, 1, 2), miner"
                                    " FROM block ORDER BY hash"),
                        "1|10|NULL|5\n2|20|10|5\n3|30|20|5\n10|50|40|5\n7|60|NULL|6\n2|80|70|900");
}

static void test_record_summary_bounds_what_may_be_many(void **state)
{
    (void)state;
    record_into_file(RECORD_SUMMARY);
    for (uint64_t i = 0; i < 12000; i++) {
        give(VN_TR_TIP, 1, 1, i, 1); /* reorganisations */
        give(VN_TR_TIP, 1, 1, i, 0); /* extensions are no event rows */
        give(VN_TR_MSG_IN, 1, 1, 7, 16);
    }
    finish_record();
    assert_string_equal(query(path, "SELECT kind, count(*), max(seq) FROM event GROUP BY kind"
                                    " ORDER BY kind"),
                        "capped|1|10000\ntip|10000|9999");
}

static void test_record_messages_bounds_nothing(void **state)
{
    (void)state;
    record_into_file(RECORD_MESSAGES);
    for (uint64_t i = 0; i < 12000; i++) {
        give(VN_TR_TIP, 1, 1, i, 1);
        give(VN_TR_MSG_IN, 1, 1, 7, 16);
        give(VN_TR_MSG_OUT, 1, 1, 7, 16); /* one row a message */
    }
    finish_record();
    assert_string_equal(query(path, "SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind"),
                        "msg-in|12000\ntip|12000");
}

static void test_record_events_has_a_row_and_a_name_for_every_trace(void **state)
{
    (void)state;
    record_into_file(RECORD_EVENTS);
    for (uint32_t kind = 0; kind < VN_TR_KINDS; kind++)
        give((enum vn_trace_kind)kind, 1, 1, 1, 1);
    finish_record();
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%d|%d", (int)VN_TR_KINDS, (int)VN_TR_KINDS);
    assert_string_equal(query(path, "SELECT count(*), count(DISTINCT kind) FROM event"
                                    " WHERE kind <> '?'"),
                        wanted);
}

static void test_record_mask_asks_for_what_a_level_records(void **state)
{
    (void)state;
    assert_int_equal(record_mask(RECORD_NONE), 0);
    assert_false(record_mask(RECORD_SUMMARY) >> VN_TR_MSG_IN & 1);
    assert_true(record_mask(RECORD_MESSAGES) >> VN_TR_MSG_IN & 1);
    assert_false(record_mask(RECORD_MESSAGES) >> VN_TR_MSG_OUT & 1);
    for (uint32_t kind = 0; kind < VN_TR_KINDS; kind++)
        assert_true(record_mask(RECORD_EVENTS) >> kind & 1);
}

static void test_record_words_say_what_columns_do_not(void **state)
{
    (void)state;
    char words[160];
    struct vn_trace state_change = {.kind = VN_TR_PEER_STATE,
                                    .a = VN_PEER_CONNECTING,
                                    .b = VN_PEER_FAILED,
                                    .c = VN_WHY_TIMEOUT};
    record_words(words, sizeof words, &state_change);
    assert_string_equal(words, "connecting -> failed (timeout)");
    struct vn_trace score = {
        .kind = VN_TR_SCORE, .a = (uint64_t)-30, .b = (uint64_t)-20, .c = 1, .text = "B5-tx-root"};
    record_words(words, sizeof words, &score);
    assert_string_equal(words, "-20 to -30: B5-tx-root (misbehaviour)");
    struct vn_trace tip = {.kind = VN_TR_TIP, .a = 7, .b = 2, .hash = hash_of(0xab)};
    record_words(words, sizeof words, &tip);
    assert_int_equal(strncmp(words, "height 7, 2 blocks replaced, ab00", 33), 0);
    struct vn_trace message = {.kind = VN_TR_MSG_IN, .a = 7, .b = 16};
    record_words(words, sizeof words, &message);
    assert_string_equal(words, "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_record_knows_the_parent_of_a_mined_block),
        CASE(test_record_summary_bounds_what_may_be_many),
        CASE(test_record_messages_bounds_nothing),
        CASE(test_record_events_has_a_row_and_a_name_for_every_trace),
        CASE(test_record_mask_asks_for_what_a_level_records),
        CASE(test_record_words_say_what_columns_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
