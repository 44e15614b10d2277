/* `vibesim report`: what it refuses, what it leaves alone, and the data of its page. The page
 * itself is looked at by tests/report. */
#include "vibesim/cli.h"
#include "vibesim/page_change.h"
#include "vibesim/page_curve.h"
#include "vibesim/page_json.h"
#include "vibesim/page_run.h"
#include "vibesim/page_watch.h"
#include "vibesim/page_write.h"

#include "tests/unit/cli_vibesim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>

static const char pair_text[] =
    "scenario { name = 'pair</script>', duration = 60, params = { n = 3, text = 'x' } }\n"
    "function run(net, p)\n"
    "  local g = net:spawn(p.n, { miners = 1, block_interval = 2 })\n"
    "  sleep(5)\n"
    "  local cut = net:partition(g[1], g[2])\n"
    "  sleep(10) cut:heal() sleep(10)\n"
    "  log('</script>\\xff<b>')\n"
    "  metric('height</script>', g[1]:height())\n"
    "  check(p.text ~= 'bad', 'node-0002 is bad', '<i>')\n"
    "end\n";

static int setup(void **state)
{
    (void)state;
    int status = child_init(&child);
    child_write(&child, "pair.lua", pair_text);
    return status;
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&child);
}

static void must_refuse(const char *words)
{
    must_tell_in_one_line(words);
    if (child_exists(&child, "report.html"))
        fail_msg("a page was left behind");
}

static void must_not_hold_parts(void)
{
    DIR *dir = opendir(child.folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strstr(e->d_name, ".part-"))
            fail_msg("%s was left behind", e->d_name);
    closedir(dir);
}

static char page[8u << 20];

/* The data in a page. */
static json_t *data_of(const char *name)
{
    json_error_t error;
    child_slurp(&child, name, page, sizeof page);
    char *from = strstr(page, "id=\"data\">");
    assert_non_null(from);
    from += strlen("id=\"data\">");
    char *to = strstr(from, "</script>");
    assert_non_null(to);
    json_t *data = json_loadb(from, (size_t)(to - from), 0, &error);
    if (!data)
        fail_msg("%s", error.text);
    return data;
}

static json_t *at(json_t *value, const char *path)
{
    char copy[200];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *rest, *key = strtok_r(copy, ".", &rest); key; key = strtok_r(NULL, ".", &rest))
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(key))
                                     : json_object_get(value, key);
    if (!value)
        fail_msg("there is no %s", path);
    return value;
}

static void record_both(void)
{
    RUN(0, "run", "pair.lua", "--seeds", "1..3", "--db", "p.db", "--quiet");
    RUN(1, "run", "pair.lua", "--seed", "4", "--param", "text=bad", "--db", "p.db", "--quiet");
}

static void sql(const char *name, const char *text)
{
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s", child.folder, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- the page ---- */

static void test_page_holds_the_groups_and_draws_what_failed(void **state)
{
    (void)state;
    record_both();
    RUN(0, "report", "p.db", "-o", "p.html");
    assert_non_null(strstr(child.out, "4 runs, 1 drawn (1 made again)"));
    json_t *d = data_of("p.html");
    assert_int_equal(json_array_size(at(d, "groups")), 2);
    assert_int_equal(json_integer_value(at(d, "groups.0.verdicts.pass")), 3);
    assert_int_equal(json_integer_value(at(d, "groups.1.verdicts.fail")), 1);
    assert_int_equal(json_array_size(at(d, "groups.0.metrics.0.values")), 3);
    assert_int_equal(json_array_size(at(d, "groups.0.curve.p50")), CURVE_POINTS);
    assert_int_equal(json_array_size(at(d, "runs")), 1);
    assert_int_equal(json_integer_value(at(d, "runs.0.id")), 4);
    assert_true(json_is_true(at(d, "runs.0.drawn.same")));
    assert_string_equal(json_string_value(at(d, "runs.0.command")),
                        "vibesim run pair.lua --seed 4 --param n=3 --param text=bad");
    assert_string_equal(json_string_value(at(d, "runs.0.shrink")), "vibesim shrink p.db --run 4");
    assert_int_equal(json_array_size(at(d, "runs.0.drawn.nodes")), 3);
    assert_true(json_array_size(at(d, "runs.0.drawn.links")) >= 4);
    assert_string_equal(json_string_value(at(d, "runs.0.drawn.decisions.0.2")), "partition");
    assert_true(json_array_size(at(d, "runs.0.drawn.flow.messages")) > 10);
    json_decref(d);
}

static void test_page_keeps_hostile_texts_in_their_place(void **state)
{
    (void)state;
    record_both();
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet");
    json_t *d = data_of("p.html");
    assert_string_equal(json_string_value(at(d, "groups.0.scenario")), "pair</script>");
    assert_string_equal(json_string_value(at(d, "groups.0.metrics.0.name")), "height</script>");
    assert_null(strstr(page, "pair</script>"));
    assert_null(strstr(page, "<b>"));
    json_decref(d);
}

static void test_page_of_one_record_is_always_the_same(void **state)
{
    (void)state;
    static char first[sizeof page];
    record_both();
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet", "--jobs", "1");
    child_slurp(&child, "p.html", first, sizeof first);
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet", "--jobs", "3");
    child_slurp(&child, "p.html", page, sizeof page);
    assert_string_equal(page, first);
}

static void test_page_bounds_what_it_holds_of_many_runs(void **state)
{
    (void)state;
    record_both();
    sql("p.db",
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)"
        " INSERT INTO run(id, scenario, scenario_sha256, seed, params, world, build,"
        " started_utc, wall_ms, verdict, options) SELECT i, 'many', '', i, '{}', 'sim', 'b',"
        " 'now', 61000, iif(i > 2500, 'fail', 'pass'), '{}' FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 3000 UNION ALL SELECT i + 1 FROM n WHERE i < 3399)"
        " INSERT INTO run(id, scenario, scenario_sha256, seed, params, world, build,"
        " started_utc, verdict, options) SELECT i, 'kinds', '', i, '{\"n\":' || i || '}',"
        " 'sim', 'b', 'now', 'pass', iif(i < 3010, '{\"swarm\":true}', '{}') FROM n");
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet");
    json_t *d = data_of("p.html");
    assert_int_equal(json_array_size(at(d, "groups")), 300);
    assert_int_equal(json_integer_value(at(d, "groups.2.count")), 2990);
    assert_int_equal(json_array_size(at(d, "groups.2.runs")), 1500 + 499);
    assert_int_equal(json_integer_value(at(d, "groups.3.count")), 10); /* swarm */
    assert_int_equal(json_integer_value(at(d, "groups_left_out")), 390 - 296);
    assert_string_equal(json_string_value(at(d, "runs.1.why")), "it took 61 s (--run 2501 asks for "
                                                                "it)");
    json_decref(d);
}

static void test_page_goes_to_standard_output(void **state)
{
    (void)state;
    record_both();
    RUN(0, "report", "p.db", "-o", "-");
    json_t *d = data_of("out.txt");
    json_decref(d);
    assert_false(child_exists(&child, "-"));
}

static void test_page_says_why_a_run_cannot_be_made_again(void **state)
{
    (void)state;
    record_both();
    child_write(&child, "pair.lua",
                "scenario { name = 'other', duration = 1 }\nfunction run() end\n");
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet");
    json_t *d = data_of("p.html");
    assert_true(json_is_false(at(d, "runs.0.again")));
    assert_non_null(strstr(json_string_value(at(d, "runs.0.why")), "has changed since"));
    assert_int_equal(json_array_size(at(d, "runs.0.drawn.nodes")), 3);
    assert_true(json_array_size(at(d, "runs.0.drawn.tips")) > 10);
    assert_int_equal(json_integer_value(at(d, "runs.0.drawn.blocks.1.2")), 0); /* its parent */
    assert_int_equal(json_integer_value(at(d, "runs.0.drawn.blocks.1.3")), 0); /* its miner */
    json_decref(d);
}

static void test_run_whose_process_dies_again_leaves_the_others(void **state)
{
    (void)state;
    static struct rerun broken; /* has no engine */
    struct page_run runs[2] = {{.loaded = true, .rerun = &broken}, {.why = "it was not asked for"}};
    static const volatile sig_atomic_t no_interrupt;
    signal(SIGSEGV, SIG_DFL); /* not cmocka's handler */
    assert_true(page_runs_again(runs, 2, 2, NULL, NULL, &no_interrupt));
    assert_null(runs[0].again);
    assert_non_null(strstr(runs[0].why, "its process died when it was made again ("));
    assert_string_equal(runs[1].why, "it was not asked for");
}

static void test_page_draws_a_typical_run_where_all_hold(void **state)
{
    (void)state;
    RUN(0, "run", "pair.lua", "--seeds", "1..3", "--db", "p.db", "--quiet");
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet");
    json_t *d = data_of("p.html");
    assert_int_equal(json_array_size(at(d, "runs")), 1);
    json_decref(d);
}

static void test_page_compares_two_runs_and_two_records(void **state)
{
    (void)state;
    record_both();
    RUN(0, "run", "pair.lua", "--seeds", "7,8", "--db", "new.db", "--quiet");
    RUN(0, "report", "p.db", "--run", "1", "--run", "4", "--compare", "-o", "p.html", "--quiet");
    json_t *d = data_of("p.html");
    assert_string_equal(json_string_value(at(d, "pairs.0.1.label")), "run 4");
    assert_string_equal(json_string_value(at(d, "pairs.0.1.params.text")), "bad");
    assert_int_equal(json_array_size(at(d, "runs")), 2);
    json_decref(d);
    RUN(0, "report", "new.db", "--baseline", "p.db", "-o", "p.html", "--quiet");
    d = data_of("p.html");
    assert_int_equal(json_array_size(at(d, "pairs")), 1);
    assert_int_equal(json_integer_value(at(d, "pairs.0.0.count")), 3);
    assert_int_equal(json_integer_value(at(d, "pairs.0.1.count")), 2);
    json_decref(d);
}

/* ---- what is refused ---- */

static void test_page_of_no_record_is_refused(void **state)
{
    (void)state;
    child_write(&child, "text.db", "hello");
    child_write(&child, "empty.db", "");
    RUN(2, "report");
    must_refuse("name a record");
    RUN(2, "report", "none.db");
    must_refuse("none.db");
    RUN(2, "report", "text.db");
    must_refuse("text.db");
    RUN(2, "report", "empty.db");
    must_refuse("empty.db");
}

static void test_page_of_an_empty_record_is_refused(void **state)
{
    (void)state;
    record_both();
    sql("p.db", "DELETE FROM run; DELETE FROM node; DELETE FROM event; DELETE FROM check_result;"
                "DELETE FROM metric; DELETE FROM block; DELETE FROM arrival; DELETE FROM decision");
    RUN(2, "report", "p.db");
    must_refuse("p.db: holds no run");
}

static void test_page_of_a_locked_record_is_refused_and_nothing_is_lost(void **state)
{
    (void)state;
    char path[400];
    sqlite3 *db;
    record_both();
    snprintf(path, sizeof path, "%s/p.db", child.folder);
    sqlite3_open(path, &db);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    RUN(2, "report", "p.db");
    must_refuse("p.db: locked by another process: try again when that has ended");
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    RUN(0, "report", "p.db", "-o", "p.html");
    assert_non_null(strstr(child.out, "4 runs"));
}

static void test_page_of_runs_that_are_no_pair_is_refused(void **state)
{
    (void)state;
    record_both();
    child_write(&child, "lone.lua",
                "scenario { name = 'lone', duration = 1 }\n"
                "function run(net) net:spawn(1) sleep(1) end\n");
    RUN(0, "run", "lone.lua", "--db", "p.db", "--quiet");
    RUN(0, "run", "lone.lua", "--db", "lone.db", "--quiet");
    RUN(0, "run", "pair.lua", "--param", "n=4", "--db", "four.db", "--quiet");
    RUN(2, "report", "p.db", "--run", "1", "--run", "5", "--compare");
    must_refuse(
        "runs 1 and 5 cannot be compared: they are of the scenarios pair</script> and lone");
    RUN(2, "report", "p.db", "--run", "1", "--compare");
    must_refuse("--compare needs two runs, and 1 is given");
    RUN(2, "report", "p.db", "--run", "1", "--run", "1");
    must_refuse("--run: 1 is given twice");
    RUN(2, "report", "p.db", "--run", "9");
    must_refuse("has no run 9");
    RUN(2, "report", "lone.db", "--baseline", "four.db");
    must_refuse("have no runs that can be compared: they are of the scenarios");
    RUN(2, "report", "p.db", "--baseline", "four.db");
    must_refuse("have no runs that can be compared: they are of the parameters {\"n\":4");
    RUN(2, "report", "p.db", "--baseline", "none.db");
    must_refuse("none.db");
}

static void test_page_takes_the_place_of_nothing_but_a_page(void **state)
{
    (void)state;
    char text[sizeof pair_text + 1];
    record_both();
    RUN(2, "report", "p.db", "-o", "p.db");
    must_refuse("-o: p.db is the record");
    RUN(2, "report", "p.db", "-o", "pair.lua");
    must_refuse("-o: pair.lua is there and is no page");
    child_slurp(&child, "pair.lua", text, sizeof text);
    assert_string_equal(text, pair_text);
    RUN(2, "report", "p.db", "-o", "no/such/folder.html");
    must_refuse("no/such/folder.html: cannot be written");
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet");
    RUN(0, "report", "p.db", "-o", "p.html", "--quiet");
    assert_int_equal(child_lines(child.out), 0);
    must_not_hold_parts();
}

/* ---- its parts ---- */

static void test_text_that_is_not_utf8_loses_only_those_bytes(void **state)
{
    (void)state;
    json_t *t = page_text("a\xff\xc3\xa9\xed\xa0\x80z\xe2\x82", 100);
    assert_string_equal(json_string_value(t), "a?\xc3\xa9???z??");
    json_decref(t);
    t = page_text("\xc3\xa9\xc3\xa9", 3);
    assert_string_equal(json_string_value(t), "\xc3\xa9?");
    json_decref(t);
}

static void test_curve_gives_nearest_ranks_and_never(void **state)
{
    (void)state;
    struct curve c = {0};
    for (uint64_t block = 1; block <= 100; block++) {
        uint64_t times[4] = {0, block, 10 * block, 100 * block};
        curve_add(&c, times, block <= 90 ? 4 : 3, 4);
    }
    assert_int_equal(curve_at(&c, 0, 50), 0);        /* 2 % of four nodes: one of them */
    assert_int_equal(curve_at(&c, 24, 50), 50);      /* half of the nodes: two */
    assert_int_equal(curve_at(&c, 25, 50), 10 * 50); /* more than half: three */
    assert_int_equal(curve_at(&c, 49, 90), 100 * 90);
    assert_true(curve_at(&c, 49, 91) == CURVE_NEVER);
    assert_int_equal(curve_at(&c, 49, 1), 100);
    curve_free(&c);
}

static void test_changes_are_thinned_to_what_is_true_in_the_end(void **state)
{
    (void)state;
    struct changes c = {.most = 100};
    for (uint32_t i = 0; i < 5000; i++)
        change_add(&c, &(struct change){i * UINT64_C(1000000), i % 7, 0, i});
    change_end(&c);
    assert_true(c.count <= 100 && c.count >= 50 && c.interval_ns > 0);
    for (size_t i = 1; i < c.count; i++)
        assert_true(c.list[i].t_ns >= c.list[i - 1].t_ns);
    for (uint32_t thing = 0; thing < 7; thing++) {
        uint32_t last = 0;
        for (size_t i = 0; i < c.count; i++)
            last = c.list[i].a == thing ? c.list[i].value : last;
        assert_int_equal(last % 7, thing);
        assert_true(last >= 4993);
    }
    change_free(&c);
}

static void test_changes_within_the_bound_are_all_kept(void **state)
{
    (void)state;
    struct changes c = {.most = 100};
    for (uint32_t i = 0; i < 100; i++)
        change_add(&c, &(struct change){i, 1, 0, i});
    change_end(&c);
    assert_int_equal(c.count, 100);
    assert_int_equal(c.interval_ns, 0);
    change_free(&c);
}

static void test_large_network_is_drawn_in_part_and_says_so(void **state)
{
    (void)state;
    struct watch *w = watch_new(10000);
    for (uint32_t host = 0; host < 10000; host++)
        watch_node(w, host, host < 9900 ? "node" : "peer", NULL, "0.1.0");
    for (uint32_t t = 0; t < 40000; t++) {
        const uint32_t host = 34 * (t % 290);
        watch_link(w, t * UINT64_C(1000000), host, host + 34, 1, t / 290 % 2 == 0);
        watch_message(w, t, host, host + 34, "Ping", 10, true);
    }
    json_t *o = watch_json(w);
    assert_in_range(json_array_size(at(o, "nodes")), 300, WATCH_DRAWN_MAX);
    assert_in_range(json_array_size(at(o, "links")), 4, 4 * WATCH_LINKS_MAX);
    assert_in_range(json_array_size(at(o, "flow.messages")), 1, WATCH_SHOWN_MAX);
    assert_non_null(strstr(json_string_value(at(o, "notes.0")), "of 10000 nodes"));
    assert_int_equal(json_array_size(at(o, "notes")), 3);
    json_decref(o);
    watch_free(w);
}

static void test_branches_are_told_from_the_chain_that_most_end_on(void **state)
{
    (void)state;
    uint8_t hash[5][32] = {{1}, {2}, {3}, {4}, {5}};
    struct watch *w = watch_new(3);
    for (uint32_t host = 0; host < 3; host++)
        watch_node(w, host, "node", NULL, NULL);
    watch_block(w, 1, hash[0], 1, NULL, 0);
    watch_block(w, 2, hash[1], 2, hash[0], 0);
    watch_block(w, 2, hash[2], 2, hash[0], 1);
    watch_block(w, 3, hash[3], 3, hash[2], 1);
    watch_block(w, 4, hash[4], 3, hash[1], 2);
    watch_tip(w, 5, 0, hash[4], 3, 0);
    watch_tip(w, 5, 1, hash[3], 3, 0);
    watch_tip(w, 5, 2, hash[4], 3, 2);
    json_t *o = watch_json(w);
    const int branches[] = {0, 0, 1, 1, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(json_integer_value(json_array_get(json_array_get(at(o, "blocks"), i), 5)),
                         branches[i]);
    assert_int_equal(json_integer_value(at(o, "nodes.2.10")), 2); /* the deepest */
    json_decref(o);
    watch_free(w);
}

static void test_killed_node_loses_the_links_that_it_dialled(void **state)
{
    (void)state;
    struct watch *w = watch_new(3);
    for (uint32_t host = 0; host < 3; host++)
        watch_node(w, host, "node", NULL, NULL);
    watch_link(w, 1000, 0, 1, 1, true);
    watch_link(w, 1000, 1, 0, 2, true); /* the same, from its other side */
    watch_link(w, 2000, 2, 0, 5, true);
    watch_step(w, 5000, "kill", 0, "node-0001");
    json_t *o = watch_json(w);
    json_t *links = at(o, "links");
    const int wanted[] = {1, 0, 1, 1, 1, 2, 0, 1, 3, 0, 1, 0};
    assert_int_equal(json_array_size(links), 12);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(json_integer_value(json_array_get(links, i)), wanted[i]);
    json_decref(o);
    watch_free(w);
}

static void test_flow_takes_the_named_host_and_whom_it_talks_with(void **state)
{
    (void)state;
    struct watch *w = watch_new(20);
    for (uint32_t host = 0; host < 20; host++)
        watch_node(w, host, "node", NULL, NULL);
    for (uint64_t t = 0; t < 100; t++) {
        watch_message(w, 10000 * t, 10, 11, "Ping", 10, true);
        if (t % 10 == 0)
            watch_message(w, 10000 * t, 4, 7, "Pong", 10, true);
    }
    watch_message(w, 2000000, 4, 8, "Pong", 10, true); /* after the moment */
    watch_moment(w, 1500000, "node-0005 is behind");
    watch_message(w, 2000000, 4, 9, "Pong", 10, true);
    json_t *o = watch_json(w);
    assert_int_equal(json_array_size(at(o, "flow.lanes")), 3);
    assert_int_equal(json_integer_value(at(o, "flow.lanes.0")), 4);
    assert_int_equal(json_integer_value(at(o, "flow.lanes.1")), 7);
    json_decref(o);
    watch_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_page_holds_the_groups_and_draws_what_failed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_page_keeps_hostile_texts_in_their_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_page_of_one_record_is_always_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_page_bounds_what_it_holds_of_many_runs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_page_goes_to_standard_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_says_why_a_run_cannot_be_made_again, setup,
                                        teardown),
        cmocka_unit_test(test_run_whose_process_dies_again_leaves_the_others),
        cmocka_unit_test_setup_teardown(test_page_draws_a_typical_run_where_all_hold, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_page_compares_two_runs_and_two_records, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_page_of_no_record_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_of_an_empty_record_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_of_a_locked_record_is_refused_and_nothing_is_lost,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_of_runs_that_are_no_pair_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_page_takes_the_place_of_nothing_but_a_page, setup,
                                        teardown),
        cmocka_unit_test(test_text_that_is_not_utf8_loses_only_those_bytes),
        cmocka_unit_test(test_curve_gives_nearest_ranks_and_never),
        cmocka_unit_test(test_changes_are_thinned_to_what_is_true_in_the_end),
        cmocka_unit_test(test_changes_within_the_bound_are_all_kept),
        cmocka_unit_test(test_large_network_is_drawn_in_part_and_says_so),
        cmocka_unit_test(test_branches_are_told_from_the_chain_that_most_end_on),
        cmocka_unit_test(test_killed_node_loses_the_links_that_it_dialled),
        cmocka_unit_test(test_flow_takes_the_named_host_and_whom_it_talks_with),
    };
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
