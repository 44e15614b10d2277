/* `vibesim replay` of a record ($VN_BIN): a run made again and compared, its first difference
 * located, and looked into at any moment. vibesim_other is a build that differs in one place
 * (tests/sim/other.c). */
#include "tests/unit/cli_child.h"

#include <inttypes.h>
#include <jansson.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Some 45,000 events, so that there are several checkpoints. */
static const char scenario_text[] =
    "scenario { name = 'town', duration = 120, params = { n = 10 } }\n"
    "function run(net, p)\n"
    "  net:links { latency = uniform(20 * ms, 80 * ms) }\n"
    "  local g = net:spawn(p.n, { seeds = 4, miners = 3, block_interval = 2 })\n"
    "  local guest = net:peer { behaviour = 'ping-flood', targets = g[1], rate = 5, lasts = 20 }\n"
    "  every(0.25 * s, function() for i = 1, 6 do g[i]:submit_tx {} end end)\n"
    "  at(30, function() g[4]:kill() end)\n"
    "  at(40, function() g[5]:pause() end)\n"
    "  at(50, function() g[5]:resume() end)\n"
    "  sleep(70)\n"
    "  check(g[1]:height() > 5, 'blocks were mined')\n"
    "end\n";

static struct child c;

static int setup(void **state)
{
    (void)state;
    if (child_init(&c) != 0)
        return -1;
    child_write(&c, "town.lua", scenario_text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

/* "vibesim" or "vibesim_other" of $VN_BIN with these words, which a shell reads, in the folder. */
static void run(int status, const char *program, const char *words, ...)
    __attribute__((format(printf, 3, 4)));
static void run(int status, const char *program, const char *words, ...)
{
    char command[2000],
        *bin = realpath(getenv("VN_BIN") ? getenv("VN_BIN") : "build/debug/bin", NULL);
    va_list args;
    assert_non_null(bin);
    int at = snprintf(command, sizeof command, "cd %s && VN_BIN=%s exec %s/%s ", c.folder, bin, bin,
                      program);
    va_start(args, words);
    vsnprintf(command + at, sizeof command - (size_t)at, words, args);
    va_end(args);
    free(bin);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        if (chdir(c.folder) != 0 || !freopen("out.txt", "w", stdout) ||
            !freopen("err.txt", "w", stderr))
            _exit(99);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(98);
    }
    child_wait(&c, pid);
    if (c.status != status)
        fail_msg("%s: status %d, stdout '%s', stderr '%s'", command, c.status, c.out, c.err);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in '%s'", part, text);
}

/* Status 2, one line on stderr that holds the words, nothing on stdout. */
#define REFUSES(words, ...)                                                                        \
    do {                                                                                           \
        run(2, "vibesim", __VA_ARGS__);                                                            \
        has(c.err, words);                                                                         \
        assert_int_equal(child_lines(c.err), 1);                                                   \
        assert_string_equal(c.out, "");                                                            \
    } while (0)

static char *path_of(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", c.folder, name);
    return path;
}

/* The first column of the first row of a query, as text; or carries out what is no query. */
static const char *sql(const char *db, const char *query)
{
    static char out[300];
    sqlite3 *file;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path_of(db), &file), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(file, query, -1, &stmt, NULL), SQLITE_OK);
    const int rc = sqlite3_step(stmt);
    assert_true(rc == SQLITE_ROW || rc == SQLITE_DONE);
    snprintf(out, sizeof out, "%s",
             rc == SQLITE_ROW && sqlite3_column_text(stmt, 0)
                 ? (const char *)sqlite3_column_text(stmt, 0)
                 : "");
    sqlite3_finalize(stmt);
    sqlite3_close(file);
    return out;
}

static uint64_t sql_number(const char *db, const char *query)
{
    return strtoull(sql(db, query), NULL, 10);
}

static void record(const char *program, const char *db, const char *more)
{
    run(0, program, "run town.lua --seed 7 --quiet --db %s %s", db, more);
}

/* What was printed, as JSON. */
static json_t *json(void)
{
    json_t *o = json_loads(c.out, 0, NULL);
    if (!o)
        fail_msg("no JSON: '%s'", c.out);
    return o;
}

static uint64_t number(json_t *o, const char *key)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* ---- again, and compared ---- */

static void test_a_recorded_run_has_the_same_hash_again(void **state)
{
    (void)state;
    static const char *const levels[] = {"", "--record messages", "--record events"};
    for (size_t i = 0; i < 3; i++) {
        unlink(path_of("a.db"));
        record("vibesim", "a.db", levels[i]);
        run(0, "vibesim", "replay a.db");
        has(c.out, "same trace hash: ");
        has(c.out, sql("a.db", "SELECT trace_hash FROM run"));
        has(c.out, "run 1 of a.db: town, seed 7");
        assert_false(child_exists(&c, "a.db-wal"));
        assert_int_equal(sql_number("a.db", "SELECT count(*) FROM run"), 1);
    }
    assert_in_range(sql_number("a.db", "SELECT count(*) FROM mark"), 200, 1024);
    run(0, "vibesim", "replay a.db --json");
    json_t *o = json();
    assert_string_equal(json_string_value(json_object_get(o, "verdict")), "same");
    json_decref(o);
}

static void test_a_run_by_other_words_is_found_and_made_as_it_was(void **state)
{
    (void)state;
    record("vibesim", "a.db", "--param n=7 --until 20");
    record("vibesim", "a.db", "--without 1");
    run(0, "vibesim", "replay a.db --run 1");
    run(0, "vibesim", "replay a.db --run 2");
    has(c.out, sql("a.db", "SELECT trace_hash FROM run WHERE id = 2"));
    REFUSES("holds 2 runs: say which with --run ID: 1 (town, seed 7: pass), 2 (town",
            "replay a.db");
    REFUSES("has no run 3: there are 2, from 1 to 2", "replay a.db --run 3");
}

static void test_a_run_that_was_interrupted_is_compared_as_far_as_it_came(void **state)
{
    (void)state;
    record("vibesim", "a.db", "");
    sql("a.db",
        "UPDATE run SET verdict = 'interrupted', trace_hash = '00ff', sim_ns = 30000000000");
    run(0, "vibesim", "replay a.db");
    has(c.out, "the same as far as it came: ");
    has(c.out, "up to t=29.9");
    sql("a.db", "UPDATE mark SET hash = '0123' WHERE t_ns > 20000000000");
    run(3, "vibesim", "replay a.db");
    has(c.out, "the first difference lies between t=19.9");
    sql("a.db", "DELETE FROM mark");
    sql("a.db", "UPDATE run SET trace_hash = NULL, sim_ns = NULL, events = NULL");
    run(2, "vibesim", "replay a.db");
    has(c.err, "has nothing to compare: it ended (interrupted)");
}

/* ---- another build ---- */

static void test_a_difference_is_located_to_its_event_and_node(void **state)
{
    (void)state;
    char ours[1 << 15];
    record("vibesim", "a.db", "");
    record("vibesim_other", "b.db", "");
    snprintf(ours, sizeof ours, "%s", sql("a.db", "SELECT trace_hash FROM run"));
    assert_string_not_equal(sql("b.db", "SELECT trace_hash FROM run"), ours);
    run(3, "vibesim", "replay b.db --with $VN_BIN/vibesim_other --json");
    json_t *o = json();
    const uint64_t event = number(o, "event"), t_ns = number(o, "t_ns");
    char node[24];
    snprintf(node, sizeof node, "%s", json_string_value(json_object_get(o, "node")));
    assert_string_equal(json_string_value(json_object_get(o, "what")),
                        "the same event made its node do something else");
    json_decref(o);
    /* It is the miner, at the moment when it mined. */
    char query[200];
    snprintf(query, sizeof query,
             "SELECT count(*) FROM block WHERE mined_ns = %" PRIu64
             " AND printf('node-%%04d', miner + 1) = '%s'",
             t_ns, node);
    assert_int_equal(sql_number("b.db", query), 1);
    assert_int_equal(sql_number("a.db", query), 1);
    /* Before it the two builds have the same state in all that node is, after it they have not. */
    for (uint64_t at = event - 1; at <= event; at++) {
        run(0, "vibesim", "replay b.db --event %" PRIu64 " --node %s --dump", at, node);
        memcpy(ours, c.out, sizeof ours);
        run(0, "vibesim_other", "replay b.db --event %" PRIu64 " --node %s --dump", at, node);
        assert_int_equal(strcmp(ours, c.out) == 0, at < event);
    }
    run(3, "vibesim", "replay b.db --with $VN_BIN/vibesim_other");
    has(c.out, "the first difference: event ");
    has(c.out, node);
    run(0, "vibesim", "replay b.db --with $VN_BIN/vibesim");
    has(c.out, "the same in both, event by event");
}

static void test_without_the_other_build_a_difference_lies_between_marks(void **state)
{
    (void)state;
    record("vibesim_other", "b.db", "");
    run(3, "vibesim", "replay b.db --with $VN_BIN/vibesim_other --json");
    json_t *o = json();
    const uint64_t t_ns = number(o, "t_ns"), event = number(o, "event");
    json_decref(o);
    run(3, "vibesim", "replay b.db --json");
    o = json();
    assert_string_equal(json_string_value(json_object_get(o, "verdict")), "differs");
    assert_in_range(t_ns, number(o, "equal_until_ns"), number(o, "differs_before_ns") - 1);
    assert_in_range(number(o, "differs_before_ns") - number(o, "equal_until_ns"), 1, 200000000);
    assert_true(number(o, "equal_events") < event);
    json_decref(o);
    run(3, "vibesim", "replay b.db");
    has(c.out, "another run: trace hash ");
    has(c.out, "the first difference lies between t=");
}

static void test_rows_of_events_show_what_differs_first(void **state)
{
    (void)state;
    record("vibesim_other", "b.db", "--record events");
    run(3, "vibesim", "replay b.db --with $VN_BIN/vibesim_other --json");
    json_t *o = json();
    const uint64_t t_ns = number(o, "t_ns");
    json_decref(o);
    run(3, "vibesim", "replay b.db --json");
    o = json();
    char t[40];
    snprintf(t, sizeof t, "t=%" PRIu64 ".%09" PRIu64 "s", t_ns / 1000000000, t_ns % 1000000000);
    has(json_string_value(json_object_get(o, "row")), t);
    has(json_string_value(json_object_get(o, "row")), "mined");
    has(json_string_value(json_object_get(o, "other_row")), t);
    json_decref(o);
    run(3, "vibesim", "replay b.db");
    has(c.out, "the first row of what was recorded that differs, after ");
}

static void test_two_records_are_compared(void **state)
{
    (void)state;
    record("vibesim", "a.db", "");
    record("vibesim_other", "b.db", "");
    record("vibesim", "c.db", "--param n=9");
    run(0, "vibesim", "run town.lua --seed 8 --quiet --db d.db");
    run(3, "vibesim", "replay a.db --against b.db");
    has(c.out, "the first difference lies between t=");
    record("vibesim", "b.db", "");
    run(0, "vibesim", "replay a.db --against b.db --against-run 2");
    has(c.out, "same trace hash");
    REFUSES("run 1 of a.db and run 1 of c.db cannot be compared: the parameters differs",
            "replay a.db --against c.db");
    REFUSES("cannot be compared: the seed differs, 7 and 8", "replay a.db --against d.db");
    REFUSES("b.db: holds 2 runs: say which with --against-run", "replay a.db --against b.db");
}

/* ---- looking into it ---- */

static void test_a_dump_is_the_same_however_one_came_there(void **state)
{
    (void)state;
    static const unsigned events[] = {25000, 10000, 10001, 39999, 3, 25000};
    static char straight[1 << 16];
    record("vibesim", "a.db", "");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        run(0, "vibesim", "replay a.db --event %u --node 1 --dump", events[i]);
        memcpy(straight, c.out, sizeof straight);
        child_write(&c, "script", "");
        FILE *f = fopen(path_of("script"), "w");
        assert_non_null(f);
        fprintf(f, "g end\ng %u\nd 1\n", events[i]);
        fclose(f);
        run(0, "vibesim", "replay a.db --step < script");
        const char *dump = strstr(c.out, "moment\n");
        assert_non_null(dump);
        assert_string_equal(dump, straight);
        f = fopen(path_of("script"), "w");
        assert_non_null(f);
        fprintf(f, "g %u\nb 3\nn 3\nd node-0001\n", events[i]);
        fclose(f);
        run(0, "vibesim", "replay a.db --step < script");
        assert_non_null(strstr(c.out, "moment\n"));
        assert_string_equal(strstr(c.out, "moment\n"), straight);
    }
}

static void test_a_dump_tells_all_of_a_node(void **state)
{
    (void)state;
    static const char *const sections[] = {"moment", "machine",  "node",   "chain",     "sync",
                                           "peers",  "outboxes", "queued", "limits",    "requests",
                                           "timers", "orphans",  "pool",   "addresses", "bans",
                                           "config", "disk",     "links",  "in_flight"};
    record("vibesim", "a.db", "");
    run(0, "vibesim", "replay a.db --until 29.9 --node node-0004 --dump --json");
    json_t *o = json();
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (!json_object_get(o, sections[i]))
            fail_msg("no section %s", sections[i]);
    json_t *moment = json_object_get(o, "moment");
    assert_int_equal(number(moment, "t_ns"), 29900000000);
    assert_true(json_array_size(json_object_get(o, "peers")) >= 4);
    assert_true(json_array_size(json_object_get(o, "links")) >= 4);
    assert_int_equal(2 * json_array_size(json_object_get(o, "links")),
                     json_array_size(json_object_get(o, "in_flight")));
    assert_true(json_array_size(json_object_get(o, "timers")) >= 4);
    assert_true(number(json_object_get(o, "chain"), "height") > 0);
    assert_int_equal(number(json_object_get(o, "disk"), "blocks"),
                     number(json_object_get(o, "chain"), "height"));
    json_decref(o);
    /* It is dead a little later, another one stands still, and a script's peer has no node. */
    run(0, "vibesim", "replay a.db --until 30 --node 4 --dump");
    has(c.out, "process                dead");
    assert_null(strstr(c.out, "outboxes"));
    run(0, "vibesim", "replay a.db --until 45 --node 5 --dump");
    has(c.out, "process                paused");
    has(c.out, "outboxes (");
    run(0, "vibesim", "replay a.db --node peer-0001 --dump");
    has(c.out, "links (");
    has(c.out, "t                      70.000000000 s");
}

static void test_step_goes_forwards_and_backwards_and_tells_each_event(void **state)
{
    (void)state;
    record("vibesim", "a.db", "");
    child_write(
        &c, "script",
        "n 3\nback\nb 2\ng 20000\nn\nb\n  w \n\ng 35s\nn\nb\ng 12.5\ngo end\nb\nh\nq\nnever\n");
    run(0, "vibesim", "replay a.db --step < script");
    static const char *const wanted[] = {
        "after event 0 t=0.000000000s: 0 of 0 nodes",
        "event 1 t=0.000000000s node-0001: start\n",
        "event 2 t=0.000000000s node-0001: clock: 1744100000.000000000 s since 1970\n",
        "event 3 t=0.000000000s node-0002: start\n",
        "after event 3 t=",
        "after event 2 t=",
        "after event 0 t=",
        "after event 20,000 t=",
        "event 20001 t=",
        "after event 20,001 t=",
        "after event 20,000 t=",
        "after event 20,000 t=",
        "behind event ",
        "t=35.000000000s: 9 of 10 nodes run",
        "after event ",
        "after event ",
        "behind event ",
        "t=12.500000000s: 10 of 10 nodes run",
        "; the run is over: passed; the same trace hash as recorded",
        "after event ",
        "leaves, as the end of the input does",
    };
    const char *at = c.out;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const char *found = strstr(at, wanted[i]);
        if (!found)
            fail_msg("no '%s' in '%s'", wanted[i], at);
        at = found + strlen(wanted[i]);
    }
    assert_string_equal(c.err, "");
    child_write(&c, "script", "zap\nn x\ng 1x\nd\nd 99\nw\n");
    run(2, "vibesim", "replay a.db --step --event 100 < script");
    assert_int_equal(child_lines(c.err), 5);
    has(c.err, "zap: is no command");
    has(c.err, "d 99: there is no node-0099 at t=");
    assert_int_equal(child_lines(c.out), 2);
}

/* ---- bad input ---- */

static void test_bad_input_is_refused_with_one_line_and_nothing_is_lost(void **state)
{
    (void)state;
    static char before[1 << 16], after[1 << 16];
    record("vibesim", "a.db", "--until 2");
    child_slurp(&c, "a.db", before, sizeof before);
    REFUSES("nothing.db: No such file", "replay nothing.db --run 1");
    child_write(&c, "empty.db", "");
    REFUSES("empty.db: an empty file", "replay empty.db --run 1");
    run(0, "vibesim", "replay a.db");
    REFUSES("--run: '0' is not the number of a run", "replay a.db --run 0");
    REFUSES("a.db: has no run 9", "replay a.db --run 9");
    REFUSES("--trace: is of captures, and a.db is a record", "replay a.db --trace all");
    REFUSES("--dump: say of which node", "replay a.db --dump");
    REFUSES("--node: is for --dump", "replay a.db --node 1");
    REFUSES("--node: 'x' is no node", "replay a.db --node x --dump");
    REFUSES("--event: 'x' is not the number", "replay a.db --event x --step");
    REFUSES("--event: say what to do there", "replay a.db --event 5");
    REFUSES("--until: say what to do there", "replay a.db --until 5");
    REFUSES("--event and --until: give one", "replay a.db --until 5 --event 5 --step");
    REFUSES("do different things", "replay a.db --step --hashes");
    REFUSES("the whole run is compared", "replay a.db --until 5 --hashes");
    REFUSES("there is no node-0099", "replay a.db --node 99 --dump");
    run(2, "vibesim", "replay a.db --event 99999999 --node 1 --dump");
    has(c.err, "the run is over before: it ends after ");
    run(2, "vibesim", "replay a.db --until 50 --node 1 --dump");
    has(c.err, "the run is over before: it ends after ");
    run(2, "vibesim", "replay a.db --with ./nobody");
    has(c.err, "--with: ./nobody: cannot be run");
    run(2, "vibesim", "replay a.db --with true");
    has(c.err, "does not tell what its run is like");
    /* A scenario that is another one now, or gone. */
    child_write(&c, "town.lua", "scenario { name = 'town', duration = 5 }\nfunction run() end\n");
    REFUSES("town.lua: has changed since the run", "replay a.db");
    child_write(&c, "there.lua", scenario_text);
    run(0, "vibesim", "replay a.db --scenario there.lua");
    unlink(path_of("town.lua"));
    REFUSES("town.lua", "replay a.db");
    child_write(&c, "town.lua", scenario_text);
    child_slurp(&c, "a.db", after, sizeof after);
    assert_memory_equal(before, after, sizeof before);
    /* No run; not ours; damaged; of real sockets. */
    sql("a.db", "DELETE FROM run");
    REFUSES("a.db: holds no run: record some with", "replay a.db");
    sql("foreign.db", "CREATE TABLE t(x)");
    REFUSES("foreign.db: a database of another program", "replay foreign.db");
    record("vibesim", "t.db", "--until 2");
    sql("t.db", "UPDATE run SET world = 'tcp'");
    REFUSES("was in the world tcp, which repeats nothing", "replay t.db");
}

static void test_a_locked_record_is_told(void **state)
{
    (void)state;
    sqlite3 *writer;
    record("vibesim", "a.db", "--until 2");
    assert_int_equal(sqlite3_open(path_of("a.db"), &writer), SQLITE_OK);
    assert_int_equal(sqlite3_exec(writer,
                                  "PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE;"
                                  " BEGIN EXCLUSIVE",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    REFUSES("a.db: locked by another process", "replay a.db");
    assert_int_equal(sqlite3_exec(writer, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(writer);
    run(0, "vibesim", "replay a.db");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_recorded_run_has_the_same_hash_again),
        TEST(a_run_by_other_words_is_found_and_made_as_it_was),
        TEST(a_run_that_was_interrupted_is_compared_as_far_as_it_came),
        TEST(a_difference_is_located_to_its_event_and_node),
        TEST(without_the_other_build_a_difference_lies_between_marks),
        TEST(rows_of_events_show_what_differs_first),
        TEST(two_records_are_compared),
        TEST(a_dump_is_the_same_however_one_came_there),
        TEST(a_dump_tells_all_of_a_node),
        TEST(step_goes_forwards_and_backwards_and_tells_each_event),
        TEST(bad_input_is_refused_with_one_line_and_nothing_is_lost),
        TEST(a_locked_record_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
