/* store/reader: a record read back. */
#include "tests/unit/recorder_folder.h"

#include "store/reader.h"

static struct reader *must_read(const char *path)
{
    char why[512] = "";
    struct reader *r = reader_open(path, why, sizeof why);
    if (!r)
        fail_msg("%s", why);
    return r;
}

static void must_not_read(const char *path, const char *words)
{
    char why[512] = "";
    assert_null(reader_open(path, why, sizeof why));
    if (!strstr(why, words) || strncmp(why, path, strlen(path)) != 0 || strchr(why, '\n'))
        fail_msg("expected '%s: ... %s', got '%s'", path, words, why);
}

/* Rows as text, one a line. */
static char told[2000];

static bool tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool tell(const char *format, ...)
{
    size_t used = strlen(told);
    va_list args;
    va_start(args, format);
    vsnprintf(told + used, sizeof told - used, format, args);
    va_end(args);
    return true;
}

static bool tell_run(void *ctx, const struct read_run *r)
{
    (void)ctx;
    return tell("%lld %s %llu %s %s %s %d %llx\n", (long long)r->id, r->scenario,
                (unsigned long long)r->seed, r->file, r->options, r->verdict, r->has_hash,
                (unsigned long long)r->trace_hash);
}

static bool tell_job(void *ctx, const struct read_run *r)
{
    (void)ctx;
    return tell("%llu:%llu ", (unsigned long long)r->job, (unsigned long long)r->seed);
}

static bool tell_node(void *ctx, const struct read_node *n)
{
    (void)ctx;
    return tell("%u %s %s %lld\n", n->no, n->role, n->region ? n->region : "-",
                (long long)n->final_height);
}

static bool tell_event(void *ctx, const struct read_event *e)
{
    uint32_t *most = ctx;
    tell("%llu %s %s\n", (unsigned long long)e->seq, e->kind, e->msg);
    return --*most > 0;
}

static bool tell_check(void *ctx, const struct read_check *c)
{
    (void)ctx;
    return tell("%s %s %d\n", c->name, c->kind, c->ok);
}

static bool tell_metric(void *ctx, const struct read_metric *m)
{
    (void)ctx;
    return tell("%s %lld %d %g\n", m->name, (long long)m->node, m->is_null, m->value);
}

static bool tell_block(void *ctx, const struct read_block *b)
{
    (void)ctx;
    return tell("%.4s %llu %lld\n", b->hash, (unsigned long long)b->height, (long long)b->miner);
}

static bool tell_arrival(void *ctx, const struct read_arrival *a)
{
    (void)ctx;
    return tell("%.4s %u %llu\n", a->block_hash, a->node, (unsigned long long)a->t_ns);
}

static bool tell_decision(void *ctx, const struct read_decision *d)
{
    (void)ctx;
    return tell("%u %s %s %d\n", d->no, d->kind, d->params, d->taken);
}

static bool tell_mark(void *ctx, const struct read_mark *m)
{
    (void)ctx;
    return tell("%llu %llu %llx\n", (unsigned long long)m->t_ns, (unsigned long long)m->events,
                (unsigned long long)m->hash);
}

static void record_everything(const char *path)
{
    struct recorder *r = must_open(path);
    const uint8_t hash[32] = {0xab, 0xcd};
    recorder_node(r, 0, "miner", NULL, "0.1.0");
    recorder_node(r, 1, "node", "eu", "0.1.0");
    recorder_node_final(r, 1, 7, hash);
    put_events(r, 5, 10);
    recorder_check(r, "zebra", "check", true, 1, NULL);
    recorder_check(r, "ant", "always", false, 2, "no");
    recorder_metric(r, "later", -1, 2.5);
    recorder_metric(r, "early", 1, 0.0 / 0.0);
    recorder_block(r, hash, 3, NULL, -1, 9);
    recorder_arrival(r, hash, 1, 30);
    recorder_arrival(r, hash, 0, 20);
    recorder_decision(r, 2, 4, "kill", "{\"host\":1}", false);
    recorder_mark(r, 16, 2, 0xffffffffffffffff);
    recorder_mark(r, 32, 4, 1);
    must_finish(r);
}

static void must_tell(const char *expected)
{
    assert_string_equal(told, expected);
    told[0] = 0;
}

static void test_reader_gives_back_every_row_in_order(void **state)
{
    (void)state;
    char why[200];
    uint32_t most = 2;
    record_everything(in_folder("run.db"));
    struct reader *r = must_read(in_folder("run.db"));
    told[0] = 0;
    assert_true(reader_runs(r, tell_run, NULL, why, sizeof why));
    must_tell("1 partition-heal 18446744073709551615 scenarios/partition-heal.lua {} pass 1 "
              "123456789abcdef\n");
    assert_true(reader_nodes(r, 1, tell_node, NULL, why, sizeof why));
    must_tell("0 miner - -1\n1 node eu 7\n");
    assert_true(reader_events(r, 1, tell_event, &most, why, sizeof why));
    must_tell("5 msg-in Ping\n6 msg-in Ping\n"); /* it said that two are enough */
    assert_true(reader_checks(r, 1, tell_check, NULL, why, sizeof why));
    must_tell("zebra check 1\nant always 0\n");
    assert_true(reader_metrics(r, 1, tell_metric, NULL, why, sizeof why));
    must_tell("later -1 0 2.5\nearly 1 1 0\n");
    assert_true(reader_blocks(r, 1, tell_block, NULL, why, sizeof why));
    must_tell("abcd 3 -1\n");
    assert_true(reader_arrivals(r, 1, tell_arrival, NULL, why, sizeof why));
    must_tell("abcd 0 20\nabcd 1 30\n");
    assert_true(reader_decisions(r, 1, tell_decision, NULL, why, sizeof why));
    must_tell("2 kill {\"host\":1} 0\n");
    assert_true(reader_marks(r, 1, tell_mark, NULL, why, sizeof why));
    must_tell("16 2 ffffffffffffffff\n32 4 1\n");
    reader_close(r);
    assert_int_equal(files_in_folder(), 1);
}

static void test_reader_finds_a_run_by_its_number_or_says_which_there_are(void **state)
{
    (void)state;
    char why[300] = "";
    struct read_run run;
    const char *path = in_folder("run.db");
    must_finish(must_open(path));
    must_finish(must_open(path));
    struct reader *r = must_read(path);
    assert_true(reader_run(r, 2, &run, why, sizeof why));
    assert_int_equal(run.id, 2);
    assert_true(reader_run(r, 1, &run, why, sizeof why));
    assert_int_equal(run.id, 1);
    assert_false(reader_run(r, 7, &run, why, sizeof why));
    assert_non_null(strstr(why, "has no run 7: there are 2, from 1 to 2"));
    assert_int_equal(reader_count(r), 2);
    reader_close(r);
    run_sql(path, "DELETE FROM run");
    r = must_read(path);
    assert_int_equal(reader_count(r), 0);
    assert_false(reader_run(r, 1, &run, why, sizeof why));
    assert_non_null(strstr(why, "holds no run"));
    reader_close(r);
}

static void test_reader_refuses_what_it_cannot_understand_and_leaves_it(void **state)
{
    (void)state;
    must_not_read(in_folder("none.db"), "No such file");
    must_not_read(folder, "not a regular file");
    FILE *f = fopen(in_folder("notes.txt"), "w");
    fputs("notes", f);
    fclose(f);
    must_not_read(in_folder("notes.txt"), "not an SQLite database");
    f = fopen(in_folder("empty.db"), "w");
    fclose(f);
    must_not_read(in_folder("empty.db"), "an empty file");
    run_sql(in_folder("stranger.db"), "CREATE TABLE run(id)");
    must_not_read(in_folder("stranger.db"), "another program");
    must_finish(must_open(in_folder("old.db")));
    run_sql(in_folder("old.db"), RECORD_AS_SCHEMA_2);
    must_not_read(in_folder("old.db"),
                  "an older VibeNet (schema 2, this one reads 3): vibesim merge");
    must_finish(must_open(in_folder("new.db")));
    run_sql(in_folder("new.db"), "PRAGMA user_version = 9");
    must_not_read(in_folder("new.db"), "a newer VibeNet");
    must_finish(must_open(in_folder("lacking.db")));
    run_sql(in_folder("lacking.db"), "DROP TABLE arrival");
    must_not_read(in_folder("lacking.db"), "damaged");
    assert_string_equal(query(in_folder("old.db"), "PRAGMA user_version"), "2");
}

static void test_reader_reads_names_that_are_no_plain_words(void **state)
{
    (void)state;
    char why[200];
    const char *path = in_folder("a record?mode=rwc#%41.db");
    must_finish(must_open(path));
    struct reader *r = must_read(path);
    struct read_run run;
    assert_true(reader_run(r, 1, &run, why, sizeof why));
    assert_string_equal(reader_path(r), path);
    reader_close(r);
}

static void test_reader_needs_no_right_to_write(void **state)
{
    (void)state;
    char why[200];
    struct read_run run;
    must_finish(must_open(in_folder("run.db")));
    assert_int_equal(chmod(in_folder("run.db"), 0400), 0);
    assert_int_equal(chmod(folder, 0500), 0);
    struct reader *r = must_read(in_folder("run.db"));
    assert_true(reader_run(r, 1, &run, why, sizeof why));
    reader_close(r);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(files_in_folder(), 1);
}

static void test_reader_reads_beside_a_writer(void **state)
{
    (void)state;
    char why[200];
    struct read_run run;
    struct recorder *w = must_open(in_folder("run.db"));
    struct reader *r = must_read(in_folder("run.db"));
    assert_true(reader_run(r, 1, &run, why, sizeof why));
    assert_string_equal(run.verdict, "interrupted");
    assert_false(run.has_hash);
    reader_close(r);
    must_finish(w);
}

static void test_reader_gives_the_runs_of_a_sweep_by_their_jobs(void **state)
{
    (void)state;
    char why[200];
    static const struct {
        const char *sweep;
        uint64_t job, seed;
    } runs[] = {{"s", 7, 1}, {NULL, 0, 2}, {"s", 2, 3}, {"other", 3, 4}, {"s", 3, 5}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct recorder_run row = a_run;
        row.sweep = runs[i].sweep;
        row.job = runs[i].job;
        row.seed = runs[i].seed;
        must_finish(recorder_open(in_folder("run.db"), &row, why, sizeof why));
    }
    struct reader *r = must_read(in_folder("run.db"));
    told[0] = 0;
    assert_true(reader_sweep_runs(r, "s", 0, UINT64_MAX, tell_job, NULL, why, sizeof why));
    must_tell("2:3 3:5 7:1 ");
    assert_true(reader_sweep_runs(r, "s", 3, 6, tell_job, NULL, why, sizeof why));
    must_tell("3:5 ");
    reader_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reader_gives_back_every_row_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reader_finds_a_run_by_its_number_or_says_which_there_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_refuses_what_it_cannot_understand_and_leaves_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_gives_the_runs_of_a_sweep_by_their_jobs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reader_reads_names_that_are_no_plain_words, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reader_needs_no_right_to_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_reads_beside_a_writer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
