/* The run recorder: what it writes. */
#include "tests/unit/recorder_folder.h"

static void test_recorder_writes_the_tables_of_the_design(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    must_finish(must_open(path));
    static const char *const wanted[][2] = {
        {"run", "id|scenario|scenario_sha256|seed|params|world|build|started_utc|wall_ms|sim_ns|"
                "events|messages|bytes|trace_hash|verdict|reason|file|options|sweep_id|job"},
        {"node", "run_id|no|role|region|version|final_height|final_tip"},
        {"event", "run_id|seq|t_ns|node|kind|peer|link|msg|bytes|detail"},
        {"check_result", "run_id|name|kind|ok|t_ns|detail"},
        {"metric", "run_id|name|node|value"},
        {"block", "run_id|hash|height|parent|miner|mined_ns"},
        {"arrival", "run_id|block_hash|node|t_ns"},
        {"decision", "run_id|no|t_ns|kind|params|taken"},
        {"mark", "run_id|t_ns|events|hash"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT group_concat(name, '|') FROM pragma_table_info('%s')",
                 wanted[i][0]);
        assert_string_equal(query(path, sql), wanted[i][1]);
    }
    assert_string_equal(query(path, "PRAGMA application_id"), "1449747022"); /* "VibN" */
    assert_string_equal(query(path, "PRAGMA user_version"), "3");
    assert_string_equal(query(path, "PRAGMA journal_mode"), "wal");
}

static void must_come_up_to_date(const char *path, const char *as_old)
{
    must_finish(must_open(path));
    run_sql(path, as_old);
    struct recorder *r = must_open(path);
    recorder_decision(r, 1, 2, "heal", "{}", true);
    recorder_mark(r, 1, 2, 3);
    must_finish(r);
    assert_string_equal(query(path, "PRAGMA user_version"), "3");
    assert_string_equal(query(path, "SELECT id, file, options FROM run ORDER BY id"),
                        "1|NULL|NULL\n2|scenarios/partition-heal.lua|{}");
    assert_string_equal(query(path, "SELECT run_id || kind FROM decision"), "2heal");
    assert_string_equal(query(path, "SELECT * FROM mark"), "2|1|2|0000000000000003");
    assert_string_equal(query(path, "SELECT count(*) FROM sweep"), "0");
}

static void test_recorder_brings_files_of_older_schemas_up_to_date(void **state)
{
    (void)state;
    must_come_up_to_date(in_folder("one.db"), RECORD_AS_SCHEMA_1);
    must_come_up_to_date(in_folder("two.db"), RECORD_AS_SCHEMA_2);
}

static void test_recorder_keeps_every_value_it_is_given(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    uint8_t hash[32], parent[32];
    memset(hash, 0xab, sizeof hash);
    memset(parent, 0x01, sizeof parent);
    recorder_node(r, 0, "miner", NULL, "0.1.0");
    recorder_node(r, 1, "node", "eu", "0.1.0");
    recorder_node_final(r, 1, 7, hash);
    struct recorder_event e = {.seq = 5,
                               .t_ns = 6,
                               .node = 1,
                               .kind = "msg-in",
                               .peer = 0,
                               .link = 9,
                               .msg = "NewBlock",
                               .bytes = 300,
                               .detail = "it's"};
    recorder_event(r, &e);
    struct recorder_event step = {
        .seq = 6, .t_ns = UINT64_MAX, .node = UINT32_MAX, .kind = "heal", .peer = -1};
    recorder_event(r, &step);
    recorder_check(r, "one tip", "check", false, 8, "2 tips");
    recorder_metric(r, "depth", -1, 2.5);
    recorder_block(r, hash, 7, parent, 0, 10);
    recorder_arrival(r, hash, 1, 11);
    recorder_decision(r, 3, 12, "kill", "{\"node\":1}", false);
    recorder_mark(r, 1 << 20, 5, 0xfedcba9876543210u);
    recorder_arrival(r, hash, 1, 99); /* again, later: the first one counts */
    must_finish(r);

    assert_string_equal(query(path,
                              "SELECT scenario, scenario_sha256, seed, params, world, build,"
                              " wall_ms, sim_ns, events, messages, bytes, trace_hash, verdict,"
                              " reason FROM run"),
                        "partition-heal|00ff|18446744073709551615|{\"nodes\":8}|sim|0.1.0 test|12|"
                        "300000000000|1000|200|30000|0123456789abcdef|pass|NULL");
    assert_string_equal(query(path, "SELECT started_utc LIKE '20__-__-__T__:__:__Z' FROM run"),
                        "1");
    assert_string_equal(query(path, "SELECT no, role, region, version, final_height,"
                                    " final_tip = replace(hex(zeroblob(32)), '00', 'ab')"
                                    " FROM node ORDER BY no"),
                        "0|miner|NULL|0.1.0|NULL|NULL\n1|node|eu|0.1.0|7|1");
    assert_string_equal(query(path, "SELECT * FROM event ORDER BY seq"),
                        "1|5|6|1|msg-in|0|9|NewBlock|300|it's\n"
                        "1|6|9223372036854775807|NULL|heal|NULL|NULL|NULL|NULL|NULL");
    assert_string_equal(query(path, "SELECT * FROM check_result"), "1|one tip|check|0|8|2 tips");
    assert_string_equal(query(path, "SELECT * FROM metric"), "1|depth|NULL|2.5");
    assert_string_equal(query(path,
                              "SELECT substr(hash, 1, 4), height, substr(parent, 1, 4), miner,"
                              " mined_ns FROM block"),
                        "abab|7|0101|0|10");
    assert_string_equal(query(path, "SELECT length(block_hash), node, t_ns FROM arrival"),
                        "64|1|11");
    assert_string_equal(query(path, "SELECT no, t_ns, kind, params, taken FROM decision"),
                        "3|12|kill|{\"node\":1}|0");
    assert_string_equal(query(path, "SELECT * FROM mark"), "1|1048576|5|fedcba9876543210");
}

static void test_recorder_cuts_long_texts_between_characters(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    char detail[200], name[3000];
    memset(detail, 'x', sizeof detail - 1);
    detail[sizeof detail - 1] = 0;
    memcpy(detail + 119, "\xe2\x82\xac", 3); /* a euro sign across the 120th byte */
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct recorder_event e = {.seq = 1, .kind = "log", .node = 0, .peer = -1, .detail = detail};
    recorder_event(r, &e);
    recorder_check(r, name, "check", true, 0, NULL);
    must_finish(r);
    assert_string_equal(query(path, "SELECT length(CAST(detail AS BLOB)) FROM event"), "119");
    assert_string_equal(query(path, "SELECT length(name) FROM check_result"), "2000");
}

static void test_recorder_shows_a_run_as_interrupted_until_it_is_finished(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    int go[2];
    char any;
    assert_int_equal(pipe(go), 0);
    /* A process of its own, since SQLite's locks are the process's; made before the recorder's
     * thread is, which might hold a lock of the allocator when it is copied. */
    pid_t child = fork();
    if (child == 0)
        _exit(read(go[0], &any, 1) != 1 ||
              strcmp(query(path, "SELECT verdict FROM run"), "interrupted") != 0);
    struct recorder *r = must_open(path);
    assert_int_equal(write(go[1], "", 1), 1);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    close(go[0]);
    close(go[1]);
    must_finish(r);
    assert_string_equal(query(path, "SELECT verdict FROM run"), "pass");
}

static void test_recorder_appends_runs_to_its_own_file(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    must_finish(must_open(path));
    struct recorder *r = must_open(path);
    assert_int_equal(recorder_run_id(r), 2);
    put_events(r, 0, 3);
    must_finish(r);
    assert_string_equal(query(path, "SELECT id, verdict FROM run ORDER BY id"), "1|pass\n2|pass");
    assert_string_equal(query(path, "SELECT run_id, count(*) FROM event"), "2|3");
    assert_int_equal(files_in_folder(), 1); /* no -wal, no -shm */
}

static void test_recorder_keeps_a_name_that_sqlite_would_read_as_memory(void **state)
{
    (void)state;
    char before[400];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    must_finish(must_open(":memory:"));
    assert_int_equal(chdir(before), 0);
    assert_string_equal(query(in_folder(":memory:"), "SELECT count(*) FROM run"), "1");
}

static void test_recorder_abandon_leaves_no_trace_of_the_run(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    put_events(r, 0, 10);
    recorder_abandon(r);
    assert_int_equal(files_in_folder(), 0);

    must_finish(must_open(path));
    r = must_open(path);
    recorder_node(r, 0, "node", NULL, NULL);
    put_events(r, 0, 10);
    recorder_abandon(r);
    assert_string_equal(query(path,
                              "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM node),"
                              " (SELECT count(*) FROM event)"),
                        "1|0|0");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_recorder_writes_the_tables_of_the_design),
        CASE(test_recorder_brings_files_of_older_schemas_up_to_date),
        CASE(test_recorder_keeps_every_value_it_is_given),
        CASE(test_recorder_cuts_long_texts_between_characters),
        CASE(test_recorder_shows_a_run_as_interrupted_until_it_is_finished),
        CASE(test_recorder_appends_runs_to_its_own_file),
        CASE(test_recorder_keeps_a_name_that_sqlite_would_read_as_memory),
        CASE(test_recorder_abandon_leaves_no_trace_of_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
