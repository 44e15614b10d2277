/* store/recorder_merge: several records into a new one, or nothing at all. */
#include "store/recorder_merge.h"

#include "tests/unit/recorder_folder.h"

static char why[600];

/* A record of one run of that seed, with a row in each table. */
static const char *make_record(const char *name, uint64_t seed, const char *sweep, uint64_t job)
{
    const uint8_t hash[32] = {(uint8_t)seed};
    struct recorder_run run = a_run;
    run.seed = seed;
    run.sweep = sweep;
    run.job = job;
    struct recorder *r = recorder_open(in_folder(name), &run, why, sizeof why);
    if (!r)
        fail_msg("%s", why);
    recorder_node(r, 0, "miner", NULL, "0.1.0");
    recorder_check(r, "zebra", "check", true, 5, NULL);
    recorder_check(r, "ant", "check", true, 5, NULL);
    recorder_metric(r, "depth", -1, (double)seed);
    recorder_block(r, hash, 1, NULL, 0, 9);
    recorder_arrival(r, hash, 0, 10);
    recorder_decision(r, 1, 2, "kill", "{}", true);
    put_events(r, 0, 3);
    must_finish(r);
    return in_folder(name);
}

static void look(struct merge_input *in, const char *name)
{
    if (!merge_look(in, in_folder(name), why, sizeof why))
        fail_msg("%s", why);
}

static void must_not_write(struct merge_input *ins, size_t count, const sig_atomic_t *stop,
                           const char *words)
{
    const uint32_t before = files_in_folder();
    assert_false(merge_write(in_folder("out.db"), ins, count, stop, why, sizeof why));
    if (!strstr(why, words) || strchr(why, '\n') || !*words != !*why)
        fail_msg("expected '%s', got '%s'", words, why);
    assert_int_equal(files_in_folder(), before);
}

static void test_merge_takes_every_row_of_every_table(void **state)
{
    (void)state;
    struct merge_input ins[2];
    make_record("a.db", 1, NULL, 0);
    make_record("b.db", 2, NULL, 0);
    look(&ins[0], "b.db");
    look(&ins[1], "a.db");
    assert_int_equal(ins[0].runs, 1);
    assert_int_equal(ins[0].build_count, 1);
    assert_string_equal(ins[0].builds[0], a_run.build);
    if (!merge_write(in_folder("out.db"), ins, 2, NULL, why, sizeof why))
        fail_msg("%s", why);
    const char *out = in_folder("out.db");
    assert_string_equal(query(out, "SELECT id, seed FROM run ORDER BY id"), "1|2\n2|1");
    static const char *const tables[] = {"node", "metric", "block", "arrival", "decision"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "SELECT run_id FROM %s ORDER BY run_id", tables[i]);
        assert_string_equal(query(out, sql), "1\n2");
    }
    assert_string_equal(query(out, "SELECT run_id, name FROM check_result ORDER BY rowid"),
                        "1|zebra\n1|ant\n2|zebra\n2|ant"); /* as they were told */
    assert_string_equal(query(out, "SELECT run_id, count(*) FROM event GROUP BY 1 ORDER BY 1"),
                        "1|3\n2|3");
    assert_string_equal(query(out, "PRAGMA journal_mode"), "wal"); /* as every record */
    assert_string_equal(query(out, "PRAGMA integrity_check"), "ok");
    assert_int_equal(files_in_folder(), 3);
    merge_input_free(&ins[0]);
    merge_input_free(&ins[1]);
}

static void test_merge_orders_runs_of_a_sweep_by_their_jobs(void **state)
{
    (void)state;
    struct merge_input in;
    make_record("a.db", 1, NULL, 0);
    make_record("a.db", 2, "s", 9);
    make_record("a.db", 3, "s", 4);
    run_sql(in_folder("a.db"),
            "INSERT INTO sweep VALUES('s', 1, 1, '{}', 'x', 10, 0)"); /* it is not complete */
    look(&in, "a.db");
    assert_int_equal(in.shard_count, 1);
    assert_int_equal(in.shards[0].made, 2);
    assert_false(in.shards[0].row.complete);
    assert_int_equal(in.build_count, 2); /* the sweep's, too */
    assert_true(merge_write(in_folder("out.db"), &in, 1, NULL, why, sizeof why));
    assert_string_equal(query(in_folder("out.db"), "SELECT id, seed, job FROM run ORDER BY id"),
                        "1|3|4\n2|2|9\n3|1|NULL");
    assert_string_equal(query(in_folder("out.db"), "SELECT * FROM sweep"), "s|1|1|{}|x|10|0");
    merge_input_free(&in);
}

static void test_merge_reads_older_schemas_and_leaves_them(void **state)
{
    (void)state;
    struct merge_input ins[2];
    make_record("one.db", 1, NULL, 0);
    make_record("two.db", 2, NULL, 0);
    run_sql(in_folder("one.db"), RECORD_AS_SCHEMA_1);
    run_sql(in_folder("two.db"), RECORD_AS_SCHEMA_2);
    look(&ins[0], "one.db");
    look(&ins[1], "two.db");
    assert_int_equal(ins[0].version, 1);
    assert_int_equal(ins[1].version, 2);
    assert_true(merge_write(in_folder("out.db"), ins, 2, NULL, why, sizeof why));
    assert_string_equal(query(in_folder("out.db"), "SELECT seed, file FROM run ORDER BY id"),
                        "1|NULL\n2|NULL");
    assert_string_equal(query(in_folder("out.db"), "SELECT run_id FROM decision"), "2");
    assert_string_equal(query(in_folder("one.db"), "PRAGMA user_version"), "1");
    merge_input_free(&ins[0]);
    merge_input_free(&ins[1]);
}

static void test_merge_that_is_stopped_leaves_nothing(void **state)
{
    (void)state;
    struct merge_input in;
    static const sig_atomic_t stop = 1;
    make_record("a.db", 1, NULL, 0);
    look(&in, "a.db");
    must_not_write(&in, 1, &stop, "");
    merge_input_free(&in);
}

static void test_merge_goes_over_no_file_that_came_meanwhile(void **state)
{
    (void)state;
    struct merge_input in;
    make_record("a.db", 1, NULL, 0);
    make_record("out.db", 5, NULL, 0);
    look(&in, "a.db");
    must_not_write(&in, 1, NULL, "out.db: cannot be put in its place (File exists)");
    assert_string_equal(query(in_folder("out.db"), "SELECT seed FROM run"), "5");
    merge_input_free(&in);
}

static void test_merge_of_a_damaged_record_names_it(void **state)
{
    (void)state;
    struct merge_input ins[2];
    make_record("a.db", 1, NULL, 0);
    make_record("b.db", 2, NULL, 0);
    look(&ins[0], "a.db");
    look(&ins[1], "b.db");
    /* What no record of ours can hold: a table like ours, without its rules. */
    run_sql(in_folder("b.db"), "DROP TABLE metric; CREATE TABLE metric(run_id, name, node, value);"
                               "INSERT INTO metric VALUES(1, NULL, NULL, 3)");
    must_not_write(ins, 2, NULL, "b.db: ");
    run_sql(in_folder("b.db"), "DROP TABLE run; CREATE VIEW run AS SELECT 1 AS id");
    must_not_write(ins, 2, NULL, "b.db: ");
    merge_input_free(&ins[0]);
    merge_input_free(&ins[1]);
}

static void test_merge_reads_where_nothing_can_be_written(void **state)
{
    (void)state;
    struct merge_input in;
    char out[600];
    make_record("a.db", 1, NULL, 0);
    assert_int_equal(chmod(in_folder("a.db"), 0400), 0);
    snprintf(out, sizeof out, "%s.merged", folder);
    assert_int_equal(chmod(folder, 0500), 0);
    look(&in, "a.db");
    const bool ok = merge_write(out, &in, 1, NULL, why, sizeof why);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_true(ok);
    assert_string_equal(query(out, "SELECT seed FROM run"), "1");
    assert_int_equal(unlink(out), 0);
    merge_input_free(&in);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_merge_takes_every_row_of_every_table),
        CASE(test_merge_orders_runs_of_a_sweep_by_their_jobs),
        CASE(test_merge_reads_older_schemas_and_leaves_them),
        CASE(test_merge_that_is_stopped_leaves_nothing),
        CASE(test_merge_goes_over_no_file_that_came_meanwhile),
        CASE(test_merge_of_a_damaged_record_names_it),
        CASE(test_merge_reads_where_nothing_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
