/* `vibesim check` from its command line to its files, with real runs of tiny scenarios. Since one
 * build makes equal runs of equal seeds, what another build would have done is written into the
 * baseline by hand. */
#include "vibesim/cli.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "tests/unit/cli_child.h"

static struct child child;

/* What the seed of a run cannot change stays; figures are drawn, and one is of no direction. */
#define METRICS                                                                                    \
    "metric('took_s', 10 + math.random()) metric('good', 5 + math.random()) "                      \
    "metric('odd', 3 + math.random()) "

static const char tame[] =
    "scenario { name = 'tame', duration = 5, params = { n = 1 }, better = { good = 'more' } }\n"
    "function run(net, p) net:spawn(p.n) " METRICS
    "sometimes('it happens', math.random() < 0.9) check(true, 'fine') end\n";

/* Fails with seed 3. Its name is hostile, and so is what it checks. */
static const char wild[] = "scenario { name = 'w<i>|ld', duration = 5 }\n"
                           "local seen\n"
                           "function run(net) local g = net:spawn(1) " METRICS "\n"
                           "  check(math.random(1, 10) ~= 7, 'a \"check\" & more: 100%, #1') end\n";

/* ---- running ---- */

#define RUN(...)   run_args((const char *const[]){__VA_ARGS__, NULL})
#define CHECK(...) RUN("check", __VA_ARGS__)

static void run_args(const char *const *args)
{
    child_run(&child, cli_main, args);
}

static void in_folder(char out[400], const char *name)
{
    snprintf(out, 400, "%s/%s", child.folder, name);
}

static void sql(const char *file, const char *text)
{
    char path[400], *error = NULL;
    sqlite3 *db;
    in_folder(path, file);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    sqlite3_close(db);
}

static int64_t number(const char *file, const char *text)
{
    char path[400];
    sqlite3 *db;
    sqlite3_stmt *s;
    in_folder(path, file);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* A hash of a file's bytes, 0 if it is not there. */
static uint64_t bytes_of(const char *name)
{
    char path[400];
    uint64_t h = 0;
    in_folder(path, name);
    FILE *f = fopen(path, "rb");
    for (int c; f && (c = fgetc(f)) != EOF;)
        h = (h ^ (uint64_t)(c + 1)) * 1099511628211u;
    if (f)
        fclose(f);
    return h;
}

static void must_be(int status)
{
    if (child.status != status)
        fail_msg("status %d, wanted %d\n%.3000s\n%.1000s", child.status, status, child.out,
                 child.err);
}

static void must_say(const char *words)
{
    if (!strstr(child.out, words))
        fail_msg("not said: %s\n%.4000s\n%.1000s", words, child.out, child.err);
}

/* Refused: one line on stderr with these words, and nothing else happened. */
static void must_refuse(const char *words)
{
    must_be(CLI_BAD);
    if (strncmp(child.err, "vibesim: ", 9) != 0 || child_lines(child.err) != 1 ||
        !strstr(child.err, words) || child.out[0])
        fail_msg("wanted one line with '%s', got %s\n%s", words, child.err, child.out);
}

static int make_folder(void **state)
{
    (void)state;
    unsetenv("GITHUB_ACTIONS");
    unsetenv("GITHUB_STEP_SUMMARY");
    if (child_init(&child) != 0)
        return -1;
    child_write(&child, "tame.lua", tame);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return child_deinit(&child);
}

/* A baseline of 20 seeds of tame.lua. */
static void make_baseline(void)
{
    CHECK("tame.lua", "--baseline", "base.db", "--update-baseline");
    must_be(CLI_OK);
}

/* ---- what holds and what does not ---- */

static void an_unchanged_build_is_identical_and_passes(void **state)
{
    (void)state;
    make_baseline();
    must_say("base.db is the new baseline\n");
    assert_false(child_exists(&child, "base.db.new"));
    assert_false(child_exists(&child, "base.db.old"));
    assert_false(child_exists(&child, "check.db"));
    assert_int_equal(number("base.db", "SELECT count(*) FROM run"), 20);
    uint64_t before = bytes_of("base.db");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("20 of 20 pairs bit-identical");
    must_say("equal\n");
    must_say("\nPASS  20 of 20 runs of 1 scenario hold; 0 of ");
    assert_true(before == bytes_of("base.db"));
    assert_int_equal(number("check.db", "SELECT count(*) FROM run"), 20);
    CHECK("tame.lua", "--baseline", "base.db", "--seeds", "3,5..7", "--quiet");
    must_be(CLI_OK);
    assert_string_equal(child.out, "PASS  4 of 4 runs of 1 scenario hold; 0 of 9 metrics worse; 4 "
                                   "of 4 pairs bit-identical\n");
}

static void what_got_worse_fails_and_what_got_better_or_is_small_does_not(void **state)
{
    (void)state;
    make_baseline();
    sql("base.db", "UPDATE metric SET value = value / 1.1 WHERE name = 'took_s'");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_CHECK_FAILED);
    must_say("1 worse");
    must_say("worse   took_s");
    must_say("+10.0 % [+10.0, +10.0], p=1.9e-06\n");
    must_say("FAIL  20 of 20 runs of 1 scenario hold; 1 of 9 metrics worse");
    CHECK("tame.lua", "--baseline", "base.db", "--threshold", "10.5");
    must_be(CLI_OK);
    CHECK("tame.lua", "--baseline", "base.db", "--alpha", "0.000001");
    must_be(CLI_OK);
    sql("base.db", "UPDATE metric SET value = value * 1.21 WHERE name = 'took_s'");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("better  took_s");
}

static void the_scenario_says_which_way_is_better(void **state)
{
    (void)state;
    make_baseline();
    sql("base.db", "UPDATE metric SET value = value * 2 WHERE name IN ('good', 'odd')");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_CHECK_FAILED);
    must_say("worse   good");
    must_say("moved   odd");
    sql("base.db", "UPDATE metric SET value = value / 4 WHERE name = 'good'");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("better  good");
    must_say("moved   odd");
}

static void another_run_of_a_seed_by_the_same_build_is_told_apart(void **state)
{
    (void)state;
    make_baseline();
    sql("base.db", "UPDATE run SET trace_hash = '00000000000000aa' WHERE seed = '5'");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_NOT_DETERMINISTIC);
    assert_non_null(strstr(child.err, "not deterministic: tame seed 5: this very build"));
    sql("base.db", "UPDATE run SET build = 'another'");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("19 of 20 pairs bit-identical");
}

static void few_seeds_prove_nothing_and_it_is_said(void **state)
{
    (void)state;
    make_baseline();
    sql("base.db", "UPDATE metric SET value = value / 2 WHERE name = 'took_s';"
                   "UPDATE run SET trace_hash = '00000000000000aa', build = 'another'");
    CHECK("tame.lua", "--baseline", "base.db", "--seeds", "1..7");
    must_be(CLI_OK);
    must_say("fewer than 8 seeds");
    CHECK("tame.lua", "--baseline", "base.db", "--seeds", "1..8");
    must_be(CLI_CHECK_FAILED);
    assert_null(strstr(child.out, "fewer than"));
}

/* The seed with which wild.lua fails, 1..20. */
static void make_wild_baseline(void)
{
    child_write(&child, "wild.lua", wild);
    RUN("run", "wild.lua", "--seeds", "1..20", "--db", "base.db", "--quiet");
    must_be(CLI_CHECK_FAILED);
    assert_in_range(number("base.db", "SELECT count(*) FROM run WHERE verdict = 'fail'"), 1, 8);
    sql("base.db", "UPDATE run SET verdict = 'pass', reason = NULL");
}

static void a_broken_check_is_told_with_the_commands_that_repeat_and_shrink_it(void **state)
{
    (void)state;
    make_wild_baseline();
    CHECK("wild.lua", "--baseline", "base.db");
    must_be(CLI_CHECK_FAILED);
    char words[200];
    long long id = number("check.db", "SELECT min(id) FROM run WHERE verdict = 'fail'");
    long long seed = number("check.db", "SELECT seed FROM run WHERE verdict = 'fail' ORDER BY id");
    snprintf(words, sizeof words, "broken  seed %lld: wild.lua:4: ", seed);
    must_say(words);
    snprintf(words, sizeof words, "Again:   vibesim run wild.lua --seed %lld\n", seed);
    must_say(words);
    snprintf(words, sizeof words, "Smaller: vibesim shrink check.db --run %lld\n", id);
    must_say(words);
    snprintf(words, sizeof words, "%lld", seed);
    RUN("run", "wild.lua", "--seed", words, "--record", "none");
    must_be(CLI_CHECK_FAILED);
}

static void what_failed_in_the_baseline_is_said_and_not_compared(void **state)
{
    (void)state;
    make_baseline();
    sql("base.db", "UPDATE metric SET value = value / 2 WHERE name = 'took_s' AND run_id <= 14;"
                   "UPDATE run SET verdict = 'fail' WHERE id <= 14");
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("14 runs of the baseline failed their checks");
    must_say("9 equal");
}

static void a_sometimes_that_no_seed_hits_fails(void **state)
{
    (void)state;
    child_write(&child, "rare.lua",
                "scenario { name = 'rare', duration = 5 }\n"
                "function run(net) net:spawn(1) sometimes('never ever', false) end\n");
    CHECK("rare.lua", "--baseline", "base.db", "--update-baseline", "--seeds", "1..3");
    must_be(CLI_CHECK_FAILED);
    must_say("never   sometimes: never ever (rare.lua:2): no seed hit it");
    assert_false(child_exists(&child, "base.db"));
}

/* ---- which runs ---- */

static void the_baseline_says_which_parameters_and_seeds_are_run(void **state)
{
    (void)state;
    RUN("run", "tame.lua", "--seeds", "4,18446744073709551615", "--db", "base.db", "--quiet");
    RUN("run", "tame.lua", "--seeds", "1..2", "--param", "n=2", "--db", "base.db", "--quiet");
    RUN("run", "tame.lua", "--seeds", "9", "--until", "2.5", "--db", "base.db", "--quiet");
    CHECK("tame.lua", "--baseline", "base.db");
    must_say("5 of 5 runs of 1 scenario hold");
    must_say("5 of 5 pairs bit-identical");
    must_say("tame {\"n\":2}");
    must_say("tame {\"n\":1} {\"until_ns\":2500000000}");
    assert_int_equal(number("check.db", "SELECT count(*) FROM run WHERE params = '{\"n\":2}'"), 2);
    CHECK("tame.lua", "--baseline", "base.db", "--param", "n=2");
    must_say("2 of 2 pairs bit-identical");
}

static void new_and_gone_scenarios_are_reported_and_judged_by_their_checks(void **state)
{
    (void)state;
    char path[400];
    in_folder(path, "all");
    assert_int_equal(mkdir(path, 0755), 0);
    child_write(&child, "all/tame.lua", tame);
    child_write(&child, "all/module.lua", "return { x = 1 }\n");
    CHECK("all", "--baseline", "base.db", "--update-baseline");
    must_be(CLI_OK);
    child_write(&child, "all/new.lua",
                "scenario { name = 'new', duration = 5 }\n"
                "function run(net) net:spawn(1) check(true, 'x') end\n");
    sql("base.db", "UPDATE run SET scenario = 'old' WHERE id > 10");
    CHECK("all/", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("gone      old ");
    must_say("new       new ");
    must_say("\nPASS  30 of 30 runs of 2 scenarios hold");
    child_write(&child, "all/new.lua",
                "scenario { name = 'new', duration = 5 }\n"
                "function run(net) net:spawn(1) check(false, 'x') end\n");
    CHECK("all", "--baseline", "base.db");
    must_be(CLI_CHECK_FAILED);
    must_say("20 broken");
    child_write(&child, "all/new.lua", "scenario { name = 'new', duration = 5 }\nfunction run(");
    CHECK("all", "--baseline", "base.db");
    must_refuse("all/new.lua:2: ");
    for (const char *const *name =
             (const char *const[]){"all/tame.lua", "all/module.lua", "all/new.lua", NULL};
         *name; name++) {
        in_folder(path, *name);
        unlink(path);
    }
}

static void what_needs_another_core_is_skipped_and_stops_nothing(void **state)
{
    (void)state;
    child_write(&child, "mixed.lua",
                "scenario { name = 'mixed', duration = 5, cores = { 'old' } }\n"
                "function run(net) net:spawn(1) end\n");
    CHECK("mixed.lua", "--baseline", "base.db", "--update-baseline");
    must_be(CLI_SKIPPED);
    must_say("skip ");
    CHECK("mixed.lua", "tame.lua", "--baseline", "base.db", "--update-baseline");
    must_be(CLI_OK);
    must_say("skipped seed 1: ");
    CHECK("mixed.lua", "tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("PASS  20 of 40 runs of 2 scenarios hold, 20 skipped");
}

static void salt_shows_what_chance_alone_does(void **state)
{
    (void)state;
    child_write(&child, "dice.lua",
                "scenario { name = 'dice', duration = 40 }\n"
                "function run(net) net:links { jitter = uniform(0, 9 * ms) } net:spawn(2) sleep(30)"
                " check(true, 'x') end\n");
    CHECK("dice.lua", "--baseline", "base.db", "--update-baseline");
    must_be(CLI_OK);
    CHECK("dice.lua", "--baseline", "base.db", "--salt", "7");
    must_be(CLI_OK);
    must_say("; 0 of 20 pairs bit-identical");
    CHECK("dice.lua", "--baseline", "check.db", "--db", "x.db");
    must_refuse("was salted, which is to calibrate the gate alone");
}

/* ---- the files ---- */

/* Whether python3 takes the file's text with this expression of `text`. */
static void must_parse(const char *name, const char *expression)
{
    char command[900];
    snprintf(command, sizeof command,
             "python3 -c 'import sys, json, xml.dom.minidom\n"
             "text = open(sys.argv[1], \"rb\").read()\nassert %s' '%s/%s'",
             expression, child.folder, name);
    if (system(command) != 0) {
        char text[4000];
        child_slurp(&child, name, text, sizeof text);
        fail_msg("%s is not as it should be: %s\n%s", name, expression, text);
    }
}

static void all_forms_of_the_result_are_well_formed(void **state)
{
    (void)state;
    make_wild_baseline();
    CHECK("wild.lua", "--baseline", "base.db", "--json", "--junit", "j.xml", "--tap", "t.tap",
          "--markdown", "m.md");
    must_be(CLI_CHECK_FAILED);
    json_t *o = json_loads(child.out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "verdict")), "fail");
    json_t *one = json_array_get(json_object_get(o, "cases"), 0);
    long long broken = (long long)json_array_size(json_object_get(one, "broken"));
    assert_int_equal(broken, number("check.db", "SELECT count(*) FROM run WHERE verdict = 'fail'"));
    assert_string_equal(json_string_value(json_object_get(one, "scenario")), "w<i>|ld");
    json_decref(o);
    char expression[300];
    snprintf(expression, sizeof expression,
             "len(xml.dom.minidom.parseString(text).getElementsByTagName(\"failure\")) == %lld",
             broken);
    must_parse("j.xml", expression);
    must_parse("j.xml", "len(xml.dom.minidom.parseString(text).getElementsByTagName(\"testcase\"))"
                        " == 20 + 9");
    must_parse("t.tap", "text.startswith(b\"TAP version 14\\n1..10\\nnot ok 1 - w<i>|ld: \")");
    must_parse("t.tap", "sum(l.startswith((b\"ok \", b\"not ok \")) for l in text.split(b\"\\n\"))"
                        " == 10");
    must_parse("m.md", "b\"| **fail** | w&lt;i&gt;\\\\|ld | \" in text");
    CHECK("wild.lua", "--baseline", "base.db", "--tap", "-");
    must_be(CLI_CHECK_FAILED);
    assert_int_equal(strncmp(child.out, "TAP version 14\n1..10\n", 21), 0);
}

static void annotations_and_a_summary_are_for_github(void **state)
{
    (void)state;
    make_wild_baseline();
    char summary[400];
    in_folder(summary, "summary.md");
    child_write(&child, "summary.md", "What was there.\n");
    setenv("GITHUB_STEP_SUMMARY", summary, 1);
    CHECK("wild.lua", "--baseline", "base.db", "--quiet");
    assert_null(strstr(child.out, "::error"));
    CHECK("wild.lua", "--baseline", "base.db", "--quiet", "--github");
    must_be(CLI_CHECK_FAILED);
    must_say("\n::error file=wild.lua,line=4,title=w<i>|ld is broken::seed ");
    must_say(": a \"check\" & more: 100%25, #1");
    must_say("%0Avibesim run wild.lua --seed ");
    must_parse("summary.md", "text.startswith(b\"What was there.\\n## vibesim check\")");
    setenv("GITHUB_ACTIONS", "true", 1);
    CHECK("wild.lua", "--baseline", "base.db", "--json");
    assert_non_null(strstr(child.err, "::error file=wild.lua,line=4"));
    assert_null(strstr(child.out, "::error"));
    must_parse("summary.md", "text.count(b\"## vibesim check\") == 2");
    unsetenv("GITHUB_ACTIONS");
    unsetenv("GITHUB_STEP_SUMMARY");
}

/* ---- a new baseline ---- */

static void an_update_keeps_the_old_baseline_and_takes_what_is_worse(void **state)
{
    (void)state;
    make_baseline();
    sql("base.db", "UPDATE metric SET value = value / 2 WHERE name = 'took_s'");
    uint64_t old = bytes_of("base.db");
    CHECK("tame.lua", "--baseline", "base.db", "--update-baseline", "--seeds", "11..24");
    must_be(CLI_OK);
    must_say("worse   took_s");
    assert_true(bytes_of("base.db.old") == old);
    assert_int_equal(number("base.db", "SELECT count(*) FROM run"), 14);
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
    must_say("14 of 14 pairs bit-identical");
}

static void an_update_takes_a_changed_scenario_with_the_old_seeds(void **state)
{
    (void)state;
    RUN("run", "tame.lua", "--seeds", "5..7", "--db", "base.db", "--quiet");
    char text[1000];
    snprintf(text, sizeof text, "%s-- changed\n", tame);
    child_write(&child, "tame.lua", text);
    CHECK("tame.lua", "--baseline", "base.db");
    must_refuse("tame.lua: has changed since the baseline");
    CHECK("tame.lua", "--baseline", "base.db", "--update-baseline");
    must_be(CLI_OK);
    assert_int_equal(number("base.db", "SELECT min(seed) * 10 + count(*) FROM run"), 53);
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
}

static void a_broken_check_makes_no_baseline_unless_forced(void **state)
{
    (void)state;
    make_wild_baseline();
    uint64_t old = bytes_of("base.db");
    for (int i = 0; i < 2; i++) { /* the second time over what the first one left */
        CHECK("wild.lua", "--baseline", "base.db", "--update-baseline");
        must_be(CLI_CHECK_FAILED);
        assert_non_null(strstr(child.err, "a check is broken, so base.db stays as it is: what ran "
                                          "is in base.db.new"));
        assert_true(bytes_of("base.db") == old);
        assert_int_equal(number("base.db.new", "SELECT count(*) FROM run"), 20);
    }
    CHECK("wild.lua", "--baseline", "base.db", "--update-baseline", "--force");
    must_be(CLI_OK);
    must_say("FAIL  ");
    assert_true(bytes_of("base.db.old") == old);
    assert_int_equal(number("base.db", "SELECT count(*) > 0 FROM run WHERE verdict = 'fail'"), 1);
    assert_false(child_exists(&child, "base.db.new"));
    child_write(&child, "base.db.new", "mine");
    CHECK("wild.lua", "--baseline", "base.db", "--update-baseline");
    must_refuse("base.db.new is in the way: move it away");
}

static void an_update_does_not_lose_other_scenarios(void **state)
{
    (void)state;
    make_baseline();
    sql("base.db", "UPDATE run SET scenario = 'other' WHERE id > 10");
    CHECK("tame.lua", "--baseline", "base.db", "--update-baseline");
    must_refuse("--update-baseline would lose what it has of other: leave out the files");
    sql("base.db", "UPDATE run SET scenario = 'tame', params = '{\"n\":2}' WHERE id > 10");
    CHECK("tame.lua", "--baseline", "base.db", "--update-baseline", "--param", "n=1");
    must_refuse("would lose what it has of tame with other parameters: leave out --param");
}

/* ---- bad input ---- */

static void a_baseline_that_cannot_be_used_is_refused(void **state)
{
    static const struct {
        const char *sql, *words;
    } bad[] = {
        {"UPDATE run SET verdict = 'interrupted' WHERE id = 4",
         "--baseline: base.db: run 4 (tame, seed 4) was interrupted"},
        {"UPDATE run SET verdict = 'error', reason = 'killed by SIGSEGV' WHERE id = 4",
         "run 4 (tame, seed 4) did not come to its end (killed by SIGSEGV)"},
        {"UPDATE run SET build = 'another' WHERE id = 4", "is of the build another and the first"},
        {"UPDATE run SET world = 'tcp' WHERE id = 4",
         "was in the world tcp, which repeats nothing"},
        {"UPDATE run SET options = '{\"salt\":1}' WHERE id = 4", "was salted"},
        {"UPDATE run SET scenario_sha256 = 'ab' WHERE id = 4",
         "is of another text of the scenario"},
        {"UPDATE run SET seed = '3', trace_hash = '00' WHERE id = 4",
         "run 4 (tame, seed 3) and run 3 have one seed and different trace hashes"},
        {"UPDATE run SET build = NULL WHERE id = 4", "does not tell its scenario and build"},
        {"UPDATE run SET options = '{\"x\":1}' WHERE id = 4", "with an option that this vibesim"},
        {"UPDATE run SET options = 'x'", "are no JSON object: its record is damaged"},
        {"UPDATE run SET params = '[]'", "are no JSON object: its record is damaged"},
        {"UPDATE run SET params = '{\"m\":1}'", "has no parameter 'm'"},
        {"DELETE FROM run", "--baseline: base.db: holds no run: vibesim check --baseline base.db"},
        {"PRAGMA user_version = 2", "base.db: written by an older VibeNet (schema 2"},
        {"PRAGMA user_version = 99", "base.db: written by a newer VibeNet (schema 99"},
        {"PRAGMA application_id = 5", "base.db: a database of another program"},
        {"DROP TABLE metric", "base.db: the database is damaged"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RUN("run", "tame.lua", "--seeds", "1..5", "--db", "base.db", "--quiet");
        sql("base.db", bad[i].sql);
        uint64_t before = bytes_of("base.db");
        CHECK("tame.lua", "--baseline", "base.db");
        must_refuse(bad[i].words);
        assert_true(bytes_of("base.db") == before);
        assert_false(child_exists(&child, "check.db"));
        char path[400];
        in_folder(path, "base.db");
        unlink(path);
    }
    CHECK("tame.lua", "--baseline", "base.db");
    must_refuse(
        "base.db: there is no such file: vibesim check --baseline base.db --update-baseline");
    child_write(&child, "base.db", "");
    CHECK("tame.lua", "--baseline", "base.db");
    must_refuse("base.db: an empty file");
    child_write(&child, "base.db", "plain text");
    CHECK("tame.lua", "--baseline", "base.db", "--update-baseline");
    must_refuse("base.db: not an SQLite database");
    CHECK("tame.lua", "--baseline", ".");
    must_refuse(".: not a regular file");
}

static void runs_that_cannot_be_compared_are_refused(void **state)
{
    (void)state;
    RUN("run", "tame.lua", "--seeds", "1..5", "--db", "base.db", "--quiet");
    CHECK("tame.lua", "--baseline", "base.db", "--seeds", "4..6");
    must_refuse("base.db: has no run of tame with the seed 6");
    CHECK("tame.lua", "--baseline", "base.db", "--param", "n=3");
    must_refuse("base.db: has tame with the parameters {\"n\":1} and not with {\"n\":3}");
    child_write(&child, "twin.lua", tame);
    CHECK("tame.lua", "twin.lua", "--baseline", "base.db");
    must_refuse("tame.lua and twin.lua are both named tame");
    child_write(&child, "tame.lua",
                "scenario { name = 'tame', duration = 6 }\nfunction run(net) net:spawn(1) end\n");
    CHECK("tame.lua", "--baseline", "base.db");
    must_refuse("tame.lua: has changed since the baseline (the SHA-256 of its text was ");
    assert_false(child_exists(&child, "check.db"));
}

static void a_locked_baseline_is_told_as_such(void **state)
{
    (void)state;
    char path[400];
    sqlite3 *db;
    RUN("run", "tame.lua", "--seeds", "1..5", "--db", "base.db", "--quiet");
    in_folder(path, "base.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
                                  "UPDATE run SET reason = 'x'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    CHECK("tame.lua", "--baseline", "base.db");
    must_refuse("base.db: locked by another process");
    sqlite3_close(db);
    CHECK("tame.lua", "--baseline", "base.db");
    must_be(CLI_OK);
}

static void a_command_line_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    RUN("run", "tame.lua", "--seeds", "1..5", "--db", "base.db", "--quiet");
    static const struct {
        const char *args[8], *words;
    } bad[] = {
        {{"tame.lua"}, "check: name a baseline: --baseline FILE"},
        {{"tame.lua", "--baseline"}, "--baseline: needs a value, a file"},
        {{"tame.lua", "--baseline="}, "--baseline: the name of the file is empty"},
        {{"tame.lua", "--baseline=base.db", "--threshold=x"}, "--threshold: 'x' is not a number"},
        {{"tame.lua", "--baseline=base.db", "--threshold=-1"}, "--threshold: '-1' is not"},
        {{"tame.lua", "--baseline=base.db", "--threshold=nan"}, "--threshold: 'nan' is not"},
        {{"tame.lua", "--baseline=base.db", "--alpha=0"}, "--alpha: '0' is not a probability"},
        {{"tame.lua", "--baseline=base.db", "--alpha=0.6"}, "--alpha: '0.6' is not"},
        {{"tame.lua", "--baseline=base.db", "--force"}, "--force: is of --update-baseline"},
        {{"tame.lua", "--baseline=base.db", "--update-baseline", "--db=x.db"}, "leave out one"},
        {{"tame.lua", "--baseline=base.db", "--update-baseline", "--salt=1"}, "makes no baseline"},
        {{"tame.lua", "--baseline=base.db", "--tap=-", "--json"}, "standard output has the JSON"},
        {{"tame.lua", "--baseline=base.db", "--db=base.db"}, "--db: base.db is the baseline"},
        {{"tame.lua", "--baseline=base.db", "--db=./base.db"}, "--db: ./base.db is the baseline"},
        {{"tame.lua", "--baseline=base.db", "--junit=none/j.xml"}, "--junit: none/j.xml cannot be"},
        {{"tame.lua", "--baseline=base.db", "--markdown=."}, "--markdown: . cannot be written"},
        {{"tame.lua", "--baseline=base.db", "--tap=base.db"}, "--tap: base.db is a record"},
        {{"tame.lua", "--baseline=base.db", "--tap=x", "--junit=x"}, "name two files"},
        {{"tame.lua", "--baseline=base.db", "--treshold=3"}, "did you mean --threshold?"},
        {{"none.lua", "--baseline=base.db"}, "none.lua: there is no such file"},
        {{"tame.lua", "--baseline=base.db", "--db=none/c.db"}, "there is no folder none"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *args[10] = {"check"};
        for (size_t k = 0; k < 8 && bad[i].args[k]; k++)
            args[k + 1] = bad[i].args[k];
        run_args(args);
        must_refuse(bad[i].words);
        assert_false(child_exists(&child, "check.db"));
        assert_false(child_exists(&child, "x"));
    }
    CHECK("--help");
    must_be(CLI_OK);
    must_say("Usage: vibesim check ");
}

/* Waits until the record has a run, then sends the signal. */
static void a_signal_ends_the_gate_and_nothing_is_judged(void **state)
{
    (void)state;
    child_write(&child, "slow.lua",
                "scenario { name = 'slow', duration = 1000000 }\n"
                "function run(net) local g = net:spawn(8, { miners = 2, block_interval = 1 })\n"
                "  if math.random() < 0.5 then sleep(10) else sleep(900000) end end\n");
    RUN("run", "slow.lua", "--seeds", "1..12", "--until", "1", "--db", "base.db", "--quiet");
    sql("base.db", "UPDATE run SET options = '{}'");
    uint64_t before = bytes_of("base.db");
    pid_t pid = child_start(&child, cli_main,
                            (const char *const[]){"check", "slow.lua", "--baseline", "base.db",
                                                  "--junit", "j.xml", NULL});
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int i = 0; i < 40 || !child_exists(&child, "check.db"); i++)
        nanosleep(&pause, NULL);
    kill(pid, SIGINT);
    child_wait(&child, pid);
    must_be(CLI_INTERRUPTED);
    assert_non_null(strstr(child.err, "interrupted: "));
    assert_non_null(strstr(child.err, "of 12 runs are done"));
    assert_null(strstr(child.out, "PASS"));
    assert_null(strstr(child.out, "FAIL"));
    assert_false(child_exists(&child, "j.xml"));
    assert_true(bytes_of("base.db") == before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_unchanged_build_is_identical_and_passes),
        T(what_got_worse_fails_and_what_got_better_or_is_small_does_not),
        T(the_scenario_says_which_way_is_better),
        T(another_run_of_a_seed_by_the_same_build_is_told_apart),
        T(few_seeds_prove_nothing_and_it_is_said),
        T(a_broken_check_is_told_with_the_commands_that_repeat_and_shrink_it),
        T(what_failed_in_the_baseline_is_said_and_not_compared),
        T(a_sometimes_that_no_seed_hits_fails),
        T(the_baseline_says_which_parameters_and_seeds_are_run),
        T(new_and_gone_scenarios_are_reported_and_judged_by_their_checks),
        T(what_needs_another_core_is_skipped_and_stops_nothing),
        T(salt_shows_what_chance_alone_does),
        T(all_forms_of_the_result_are_well_formed),
        T(annotations_and_a_summary_are_for_github),
        T(an_update_keeps_the_old_baseline_and_takes_what_is_worse),
        T(an_update_takes_a_changed_scenario_with_the_old_seeds),
        T(a_broken_check_makes_no_baseline_unless_forced),
        T(an_update_does_not_lose_other_scenarios),
        T(a_baseline_that_cannot_be_used_is_refused),
        T(runs_that_cannot_be_compared_are_refused),
        T(a_locked_baseline_is_told_as_such),
        T(a_command_line_that_makes_no_sense_is_refused),
        T(a_signal_ends_the_gate_and_nothing_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
