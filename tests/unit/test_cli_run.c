/* `vibesim run` against an engine that does what a real one should never do: differ between two
 * runs, fail half way, hang until it is interrupted, fill the disk. This file is that engine: what
 * a scenario's first line says is what it does. */
#include "scenarios/engine.h"
#include "vibesim/cli.h"
#include "vibesim/cli_args.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "tests/unit/cli_child.h"

/* ---- the engine ---------------------------------------------------------------------------------
 */

struct engine {
    struct engine_about about;
    uint32_t runs;
};

struct engine *engine_load(const char *path, char *why, size_t size)
{
    struct engine *e = calloc(1, sizeof *e);
    FILE *f = fopen(path, "rb");
    if (!e || !f || !fgets(e->about.name, sizeof e->about.name, f) ||
        strcmp(e->about.name, "broken") == 0) {
        snprintf(why, size, "%s:1: broken", path);
        if (f)
            fclose(f);
        free(e);
        return NULL;
    }
    fclose(f);
    snprintf(e->about.about, sizeof e->about.about, "About.");
    e->about.duration_s = 10;
    return e;
}

void engine_free(struct engine *engine)
{
    free(engine);
}

const struct engine_about *engine_about(const struct engine *engine)
{
    return &engine->about;
}

const struct engine_pinned *engine_pinned(const struct engine *engine)
{
    static const struct engine_pinned none;
    (void)engine;
    return &none;
}

const char *engine_text(const struct engine *engine)
{
    return engine ? "" : NULL;
}

void engine_modules(const struct engine *engine,
                    void (*each)(void *ctx, const char *name, const char *text), void *ctx)
{
    (void)engine;
    (void)each;
    (void)ctx;
}

const char *engine_sha256(const struct engine *engine)
{
    return engine ? "abcd" : NULL;
}

bool engine_params(const struct engine *engine, const struct engine_param *params, size_t count,
                   char *json, size_t json_size, char *why, size_t size)
{
    (void)engine;
    snprintf(json, json_size, "{\"n\":%s}", count ? params[0].value : "2");
    if (count && strcmp(params[0].key, "n") != 0)
        snprintf(why, size, "--param: no parameter '%s'", params[0].key);
    return !count || strcmp(params[0].key, "n") == 0;
}

bool engine_swarm_params(const struct engine *engine, uint64_t seed,
                         const struct engine_param *params, size_t count, char *json,
                         size_t json_size, char *why, size_t size)
{
    (void)engine;
    (void)params;
    (void)count;
    (void)why;
    (void)size;
    snprintf(json, json_size, "{\"n\":%llu}", (unsigned long long)seed * 10);
    return true;
}

void engine_options_init(struct engine_options *options)
{
    memset(options, 0, sizeof *options);
}

static bool does(const struct engine *engine, const char *what)
{
    return strcmp(engine->about.name, what) == 0;
}

static void tell(const struct engine_observer *o, const struct engine *engine)
{
    if (!o->on_check)
        return;
    struct vn_trace mined = {.kind = VN_TR_MINED, .a = 1, .hash = (const uint8_t[32]){1, 2}};
    struct vn_trace arrived = {.kind = VN_TR_BLOCK_NEW, .a = 1, .hash = mined.hash, .link = 3};
    struct vn_trace message = {.kind = VN_TR_MSG_IN, .a = 7, .b = 16, .link = 3};
    o->on_node(o->ctx, 0, "miner", NULL, "0.1.0");
    o->on_node(o->ctx, 1, "node", "EU", "0.1.0");
    o->on_step(o->ctx, 1000000000, "partition", -1, "1 | 1\033[31m\nnodes");
    o->on_log(o->ctx, 1500000000, "hello");
    if (o->on_trace) {
        o->on_trace(o->ctx, 2000000000, 0, &mined, UINT32_MAX);
        o->on_trace(o->ctx, 2100000000, 1, &arrived, 0);
        if (o->trace_mask & UINT64_C(1) << VN_TR_MSG_IN)
            o->on_trace(o->ctx, 2100000000, 1, &message, 0);
    }
    o->on_check(o->ctx, 3000000000, "one tip", "check", !does(engine, "fail"),
                does(engine, "fail") ? "2 tips" : NULL);
    o->on_metric(o->ctx, "depth", -1, 2.5);
}

/* Gives 20,000 events; true if it was asked to stop. */
static bool give_events(const struct engine *engine, const struct engine_options *options)
{
    const struct engine_observer *o = &options->observer;
    for (uint64_t i = 0; i < 20000; i++) {
        bool late = engine->runs == 2 && i == 12345;
        bool odd = does(engine, "differ") && late;
        uint64_t hash = late && (odd || does(engine, "state")) ? 6 : 5;
        if (does(engine, "shorter") && engine->runs == 2 && i == 19999)
            return false;
        if (o->on_event)
            o->on_event(o->ctx, i, i * 1000000, (uint32_t)i % 2, odd ? VN_EV_TIMER : VN_EV_BYTES,
                        hash);
        if (options->interrupt && *options->interrupt)
            return true;
    }
    return false;
}

/* Messages without end, to fill what there is to fill. */
static void give_messages(const struct engine_options *options)
{
    const struct engine_observer *o = &options->observer;
    struct vn_trace message = {.kind = VN_TR_MSG_IN, .a = 7, .b = 16, .link = 3};
    const uint64_t many = 3000000;
    uint64_t i = 0;
    for (; i < many && !*options->interrupt; i++) {
        o->on_trace(o->ctx, i, 0, &message, 1);
        if (i % 1000 == 0)
            o->on_progress(o->ctx, i, many, i, i, 2, 1);
    }
    if (i == many)
        fprintf(stderr, "nobody stopped the run\n");
}

void engine_run(struct engine *engine, const struct engine_options *options,
                void (*on_final)(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32]),
                void *final_ctx, struct engine_result *result)
{
    memset(result, 0, sizeof *result);
    engine->runs++;
    if (does(engine, "early")) {
        result->outcome = ENGINE_BAD_SCENARIO;
        snprintf(result->reason, sizeof result->reason, "early:3: no such option");
        return;
    }
    tell(&options->observer, engine);
    bool stopped = give_events(engine, options);
    if (does(engine, "fill"))
        give_messages(options);
    while (does(engine, "hang") && !*options->interrupt)
        usleep(1000);
    stopped = stopped || *options->interrupt;
    *result = (struct engine_result){
        .outcome = stopped                ? ENGINE_INTERRUPTED
                   : does(engine, "fail") ? ENGINE_FAIL
                   : does(engine, "skip") ? ENGINE_SKIPPED
                   : does(engine, "late") ? ENGINE_BAD_SCENARIO
                                          : ENGINE_PASS,
        .sim_ns = 10000000000,
        .events = 20000,
        .messages = 77,
        .bytes = 12345,
        .trace_hash = does(engine, "hash") ? engine->runs : 0xfeedu,
        .nodes = 2,
        .tip_height = 1,
        .tips = 1,
    };
    if (result->outcome == ENGINE_FAIL)
        snprintf(result->reason, sizeof result->reason, "one tip: 2 tips");
    if (result->outcome == ENGINE_SKIPPED)
        snprintf(result->reason, sizeof result->reason, "the world %s at %u cannot (it.lua:3)",
                 args_world_name(options->world), options->speed);
    if (result->outcome == ENGINE_BAD_SCENARIO)
        snprintf(result->reason, sizeof result->reason, "late:9: a limit was hit");
    if (result->outcome == ENGINE_FAIL && options->observer.on_story)
        options->observer.on_story(options->observer.ctx, "t=3.0s node-0001: tip 0102");
    if (on_final) {
        on_final(final_ctx, 0, 1, (const uint8_t[32]){1, 2});
        on_final(final_ctx, 1, 1, (const uint8_t[32]){1, 2});
    }
}

/* ---- the tests ----------------------------------------------------------------------------------
 */

static struct child c;

static int setup(void **state)
{
    (void)state;
    return child_init(&c);
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

/* words: what the engine is to do, then options. */
static void run_args(const char *const *words)
{
    const char *args[CHILD_ARGS] = {"run", "it.lua"};
    for (int i = 1; words[i]; i++)
        args[1 + i] = words[i];
    child_write(&c, "it.lua", words[0]);
    child_run(&c, cli_main, args);
}

#define RUN(...) run_args((const char *const[]){__VA_ARGS__, NULL})

static void ended(int status, const char *out, const char *err)
{
    if (c.status != status || !strstr(c.out, out) || !strstr(c.err, err) || (!*err && c.err[0]))
        fail_msg("expected status %d, '%s', '%s': got %d, '%s', '%s'", status, out, err, c.status,
                 c.out, c.err);
}

/* All rows of a query on the record: columns joined by '|', rows by newlines. */
static const char *query(const char *sql)
{
    static char out[4096];
    char path[300];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    out[0] = 0;
    snprintf(path, sizeof path, "%s/run.db", c.folder);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            size_t used = strlen(out);
            snprintf(out + used, sizeof out - used, "%s%s",
                     i      ? "|"
                     : used ? "\n"
                            : "",
                     text ? text : "NULL");
        }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return out;
}

static void test_run_that_passes_ends_with_0_and_a_whole_record(void **state)
{
    (void)state;
    RUN("pass", "--seed", "18446744073709551615", "--param", "n=3");
    ended(0, "PASS", "");
    assert_non_null(strstr(c.out, "000000000000feed"));
    assert_string_equal(query("SELECT scenario, scenario_sha256, seed, params, verdict, reason,"
                              " trace_hash, events, messages FROM run"),
                        "pass|abcd|18446744073709551615|{\"n\":3}|pass|NULL|000000000000feed|20000"
                        "|77");
    assert_string_equal(query("SELECT no, role, final_height FROM node ORDER BY no"),
                        "0|miner|1\n1|node|1");
    assert_string_equal(query("SELECT name, ok FROM check_result"), "one tip|1");
    assert_string_equal(query("SELECT name, value FROM metric"), "depth|2.5");
    assert_string_equal(query("SELECT substr(hash, 1, 6), height, miner, mined_ns FROM block"),
                        "010200|1|0|2000000000");
    assert_string_equal(query("SELECT node, t_ns FROM arrival"), "1|2100000000");
    assert_string_equal(query("SELECT seq, kind, node FROM event ORDER BY seq"),
                        "0|partition|NULL\n1|log|NULL\n2|check-ok|NULL");
}

static void test_run_records_messages_when_asked(void **state)
{
    (void)state;
    RUN("pass", "--record", "messages");
    ended(0, "PASS", "");
    assert_string_equal(query("SELECT node, peer, link, msg, bytes FROM event"
                              " WHERE kind = 'msg-in'"),
                        "1|0|3|Ping|16");
    RUN("pass", "--record", "events");
    assert_string_equal(query("SELECT count(*) FROM event WHERE run_id = 2 AND kind = 'mined'"),
                        "1");
}

static void test_run_that_fails_ends_with_1_and_tells_how_to_repeat_it(void **state)
{
    (void)state;
    RUN("fail", "--seed", "9", "--param", "n=it's", "--record", "none");
    ended(1, "FAIL", "");
    assert_non_null(strstr(c.out, "FAILED  one tip, at 3.000 s: 2 tips\n"));
    assert_non_null(strstr(c.out, "events that matter:\n    t=3.0s node-0001: tip 0102\n"));
    assert_non_null(strstr(c.out, "vibesim run it.lua --seed 9 --param 'n=it'\\''s'\n"));
    RUN("fail", "--quiet");
    ended(1, "FAILED  one tip", "");
    assert_string_equal(query("SELECT verdict, reason FROM run"), "fail|one tip: 2 tips");
}

static void test_run_that_its_world_cannot_do_ends_with_77_and_the_reason(void **state)
{
    (void)state;
    RUN("skip", "--world", "tcp", "--speed", "7");
    ended(77, "SKIP", "");
    assert_non_null(strstr(c.out, " trace -, the world tcp at 7 cannot (it.lua:3)\n"));
    assert_null(strstr(c.out, "Again"));
    assert_string_equal(query("SELECT world, verdict, reason, trace_hash FROM run"),
                        "tcp|skip|the world tcp at 7 cannot (it.lua:3)|NULL");
    RUN("fail", "--world", "tcp", "--speed", "7", "--record", "none");
    ended(1, "vibesim run it.lua --seed 1 --world tcp --speed 7\n", "");
    RUN("pass", "--world", "tcp", "--json", "--record", "none");
    json_t *o = json_loads(c.out, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_null(json_object_get(o, "trace_hash")));
    assert_string_equal(json_string_value(json_object_get(o, "world")), "tcp");
    json_decref(o);
}

static void test_run_keeps_control_characters_off_the_terminal(void **state)
{
    (void)state;
    RUN("pass");
    ended(0, "1 | 1?[31m?nodes", "");
    assert_null(strchr(c.out, '\033'));
}

static void test_run_that_is_wrong_at_once_leaves_no_record(void **state)
{
    (void)state;
    RUN("early");
    ended(2, "", "vibesim: early:3: no such option\n");
    assert_int_equal(child_lines(c.err), 1);
    assert_string_equal(c.out, "early - seed 1, n=2\nAbout.\n\n");
    assert_false(child_exists(&c, "run.db"));
    RUN("broken");
    ended(2, "", "vibesim: it.lua:1: broken\n");
    assert_false(child_exists(&c, "run.db"));
}

static void test_run_that_goes_wrong_later_is_recorded_with_its_reason(void **state)
{
    (void)state;
    RUN("late");
    ended(2, "ERROR", "vibesim: late:9: a limit was hit\n");
    assert_string_equal(query("SELECT verdict, reason FROM run"), "error|late:9: a limit was hit");
}

static void test_verify_passes_equal_runs_and_records_the_first_alone(void **state)
{
    (void)state;
    RUN("pass", "--verify");
    ended(0, "verified: two runs, 20,000 events, same hash\n", "");
    assert_string_equal(query("SELECT count(*), (SELECT count(*) FROM check_result) FROM run"),
                        "1|1");
}

static void test_verify_names_the_first_event_that_differs(void **state)
{
    (void)state;
    RUN("differ", "--verify");
    ended(3, "ERROR",
          "vibesim: not deterministic: event 12345 at t=12.345 s, node 1: run 1 gave bytes (hash "
          "0000000000000005), run 2 timer (hash 0000000000000006)\n");
    assert_string_equal(query("SELECT verdict, substr(reason, 1, 30) FROM run"),
                        "error|not deterministic: event 12345");
    RUN("state", "--verify", "--quiet");
    ended(3, "ERROR",
          "run 1 gave bytes (hash 0000000000000005), run 2 bytes (hash 0000000000000006)");
    RUN("shorter", "--verify", "--quiet");
    ended(3, "ERROR", "run 2 ended after 19999 events, run 1 had 20000");
    RUN("hash", "--verify", "--quiet");
    ended(3, "ERROR", "all events are equal, but run 1 ended with trace hash 0000000000000001");
}

static void test_json_is_one_object_and_nothing_else(void **state)
{
    (void)state;
    RUN("fail", "--json", "--quiet", "--seed", "18446744073709551615", "--verify");
    ended(1, "{", "");
    json_t *o = json_loads(c.out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    static const char *const keys[] = {
        "scenario", "seed",  "params",  "verdict", "reason", "checks", "trace_hash", "events",
        "messages", "bytes", "wall_ms", "sim_ns",  "nodes",  "db",     "run_id",     "verified"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(json_object_get(o, keys[i]));
    assert_string_equal(json_string_value(json_object_get(o, "seed")), "18446744073709551615");
    assert_string_equal(json_string_value(json_object_get(o, "verdict")), "fail");
    assert_true(json_is_true(json_object_get(o, "verified")));
    json_t *check = json_array_get(json_object_get(o, "checks"), 0);
    assert_true(json_is_false(json_object_get(check, "ok")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "params"), "n")), 2);
    json_decref(o);
}

static void test_run_interrupted_ends_with_130_and_a_valid_record(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        const char *const args[] = {"run", "it.lua", NULL};
        child_write(&c, "it.lua", "hang");
        child_write(&c, "out.txt", "");
        pid_t pid = child_start(&c, cli_main, args);
        do { /* until it runs */
            usleep(10000);
            child_slurp(&c, "out.txt", c.out, sizeof c.out);
        } while (!strstr(c.out, "hello"));
        kill(pid, signals[i]);
        child_wait(&c, pid);
        ended(130, "INTERRUPTED", "");
        assert_string_equal(query("SELECT verdict, reason FROM run ORDER BY id DESC LIMIT 1"),
                            "interrupted|stopped by a signal");
        assert_string_equal(query("PRAGMA integrity_check"), "ok");
    }
}

static int with_files_of(rlim_t size, int argc, char **argv)
{
    struct rlimit limit = {size, size};
    signal(SIGXFSZ, SIG_DFL); /* whatever started the tests may ignore it */
    return setrlimit(RLIMIT_FSIZE, &limit) == 0 ? cli_main(argc, argv) : 97;
}

static int with_small_files(int argc, char **argv)
{
    return with_files_of(1 << 20, argc, argv);
}

static int with_tiny_files(int argc, char **argv)
{
    return with_files_of(8192, argc, argv);
}

static void test_run_whose_disk_fills_up_ends_with_2_and_a_valid_record(void **state)
{
    (void)state;
    const char *const args[] = {"run", "it.lua", "--record", "messages", NULL};
    child_write(&c, "it.lua", "fill");
    child_run(&c, with_small_files, args);
    ended(2, "ERROR", "vibesim: run.db: no room for the record");
    assert_int_equal(child_lines(c.err), 1);
    assert_string_equal(query("PRAGMA integrity_check"), "ok");
    assert_string_not_equal(query("SELECT verdict FROM run"), "pass");
}

static void test_run_without_room_for_a_record_ends_with_2_and_no_file(void **state)
{
    (void)state;
    const char *const args[] = {"run", "it.lua", NULL};
    child_write(&c, "it.lua", "pass");
    child_run(&c, with_tiny_files, args);
    ended(2, "", "vibesim: run.db: no room for the record");
    assert_int_equal(child_lines(c.err), 1);
    assert_false(child_exists(&c, "run.db"));
}

static void test_verify_without_room_for_its_file_ends_with_2(void **state)
{
    (void)state;
    assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
    RUN("pass", "--verify");
    unsetenv("TMPDIR");
    ended(2, "", "vibesim: --verify: no temporary file (/nonexistent/vibesim-verify-");
    assert_int_equal(child_lines(c.err), 1);
    assert_false(child_exists(&c, "run.db"));
}

static void test_run_tells_when_its_output_cannot_be_written(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    child_write(&c, "it.lua", "pass");
    char path[300];
    snprintf(path, sizeof path, "%s/out.txt", c.folder);
    unlink(path);
    assert_int_equal(symlink("/dev/full", path), 0);
    const char *const args[] = {"run", "it.lua", NULL};
    pid_t pid = child_start(&c, cli_main, args);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 2);
    child_slurp(&c, "err.txt", c.err, sizeof c.err);
    assert_non_null(strstr(c.err, "vibesim: standard output: "));
    unlink(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    /* Marks and colours as in a plain environment. */
    setenv("LC_ALL", "C", 1);
    const struct CMUnitTest tests[] = {
        CASE(test_run_that_passes_ends_with_0_and_a_whole_record),
        CASE(test_run_records_messages_when_asked),
        CASE(test_run_that_fails_ends_with_1_and_tells_how_to_repeat_it),
        CASE(test_run_that_its_world_cannot_do_ends_with_77_and_the_reason),
        CASE(test_run_keeps_control_characters_off_the_terminal),
        CASE(test_run_that_is_wrong_at_once_leaves_no_record),
        CASE(test_run_that_goes_wrong_later_is_recorded_with_its_reason),
        CASE(test_verify_passes_equal_runs_and_records_the_first_alone),
        CASE(test_verify_names_the_first_event_that_differs),
        CASE(test_json_is_one_object_and_nothing_else),
        CASE(test_run_interrupted_ends_with_130_and_a_valid_record),
        CASE(test_run_whose_disk_fills_up_ends_with_2_and_a_valid_record),
        CASE(test_run_without_room_for_a_record_ends_with_2_and_no_file),
        CASE(test_verify_without_room_for_its_file_ends_with_2),
        CASE(test_run_tells_when_its_output_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
