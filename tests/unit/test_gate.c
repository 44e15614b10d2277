/* The gate's model and judgement (vibesim/gate.h), what a recorded run tells in numbers
 * (gate_figures.h), and text that may be anything in the files that it writes (gate_words.h,
 * gate_tell.h). */
#include "vibesim/gate.h"

#include "vibesim/cli.h"
#include "vibesim/gate_figures.h"
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"

#include <math.h>

#include "tests/unit/recorder_folder.h"

/* ---- a gate made by hand ---- */

static struct gate gate;

static int setup_gate(void **state)
{
    (void)state;
    gate_init(&gate, "base.db");
    gate.db = "check.db";
    return 0;
}

static int teardown_gate(void **state)
{
    (void)state;
    gate_free(&gate);
    return 0;
}

/* A case whose n runs hold on both sides. */
static struct gate_case *a_case(const char *name, size_t n)
{
    struct gate_case *c = gate_add_case(&gate, name);
    c->label = gate_copy(name);
    c->file = gate_copy("dir/a,b:c.lua");
    c->params = gate_copy("{}");
    c->options = gate_copy("{}");
    for (size_t i = 0; i < n; i++) {
        struct gate_pair *pair = gate_add_pair(c, i + 1);
        pair->before = (struct gate_run){.there = true, .id = (int64_t)i + 1};
        pair->after = pair->before;
    }
    return c;
}

/* Figures 100, 101 ... before, and `factor` times as much after. */
static struct gate_metric *a_metric(struct gate_case *c, const char *name, double factor)
{
    for (size_t i = 0; i < c->pair_count; i++) {
        gate_set_figure(c, i, false, name, 100 + (double)i);
        gate_set_figure(c, i, true, name, (100 + (double)i) * factor);
    }
    return &c->metrics[c->metric_count - 1];
}

static void names_say_which_way_is_better(void **state)
{
    static const char *const less[] = {"heal_s", "x_ms", "a_us",     "b_ns",   "held_bytes",
                                       "bytes",  "tips", "messages", "events", "stale_blocks"};
    static const char *const unsaid[] = {"_s", "height", "tip_height", "heals", "bytes_max", "s"};
    (void)state;
    for (size_t i = 0; i < sizeof less / sizeof *less; i++)
        assert_int_equal(gate_better_by_name(less[i]), ENGINE_BETTER_LESS);
    for (size_t i = 0; i < sizeof unsaid / sizeof *unsaid; i++)
        assert_int_equal(gate_better_by_name(unsaid[i]), ENGINE_BETTER_UNSAID);
}

static void a_metric_is_judged_by_size_direction_and_proof(void **state)
{
    (void)state;
    struct gate_case *c = a_case("x", 20);
    a_metric(c, "worse_s", 1.03);
    a_metric(c, "better_s", 0.97);
    a_metric(c, "within_s", 1.019);
    a_metric(c, "moved", 0.5);
    a_metric(c, "equal_s", 1);
    gate_judge(&gate);
    static const enum gate_change wanted[] = {GATE_WORSE, GATE_BETTER, GATE_WITHIN, GATE_MOVED,
                                              GATE_EQUAL};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(c->metrics[i].change, wanted[i]);
    assert_false(gate_holds(&gate));
    assert_int_equal(gate.worse, 1);
    assert_int_equal(gate.compared, 5);
    assert_int_equal(gate.tested, 4);
    assert_string_equal(gate_case_verdict(c), "fail");
    gate.threshold = 0.04;
    gate_judge(&gate);
    assert_int_equal(c->metrics[0].change, GATE_WITHIN);
    assert_true(gate_holds(&gate));
    assert_string_equal(gate_case_verdict(c), "pass");
}

/* Eight pairs of one sign are p = 2/256: proof alone, and none among two that chance could have
 * moved; metrics that cannot differ do not count. */
static void the_more_metrics_may_differ_the_more_proof_is_asked(void **state)
{
    (void)state;
    struct gate_case *c = a_case("x", 8);
    a_metric(c, "a_s", 2);
    a_metric(c, "b_s", 1);
    a_metric(c, "c_s", 1);
    gate_judge(&gate);
    assert_int_equal(c->metrics[0].change, GATE_WORSE);
    assert_true(c->metrics[0].p == 2.0 / 256);
    assert_false(gate.few);
    struct gate_metric *d = a_metric(c, "d_s", 1);
    d->after[3] = 104;
    gate_judge(&gate);
    assert_true(c->metrics[0].p == 4.0 / 256);
    assert_int_equal(c->metrics[0].change, GATE_WITHIN);
    assert_int_equal(gate.needed, 9);
    assert_true(gate.few);
    gate.alpha = 0.05;
    gate_judge(&gate);
    assert_int_equal(c->metrics[0].change, GATE_WORSE);
}

static void runs_that_do_not_hold_are_not_compared(void **state)
{
    (void)state;
    struct gate_case *c = a_case("x", 20);
    a_metric(c, "a_s", 1);
    for (size_t i = 0; i < 10; i++) {
        c->metrics[0].after[i] = 1e6;
        (i % 2 ? &c->pairs[i].after : &c->pairs[i].before)->status = CLI_CHECK_FAILED;
    }
    gate_judge(&gate);
    assert_int_equal(c->metrics[0].change, GATE_EQUAL);
    assert_int_equal(c->metrics[0].compare.pairs, 10);
    assert_int_equal(c->failed, 5);
    assert_int_equal(c->failed_before, 5);
    assert_int_equal(gate.paired, 20);
    assert_false(gate_holds(&gate));
}

static void what_one_side_alone_tells_is_new_or_gone(void **state)
{
    (void)state;
    struct gate_case *c = a_case("x", 3);
    gate_set_figure(c, 1, true, "new_s", 5);
    gate_set_figure(c, 1, false, "gone_s", 5);
    gate_set_figure(c, 0, false, "never_together_s", 5);
    gate_set_figure(c, 1, true, "never_together_s", 6);
    gate_judge(&gate);
    assert_int_equal(c->metrics[0].change, GATE_NEW);
    assert_int_equal(c->metrics[1].change, GATE_GONE);
    assert_int_equal(c->metrics[2].change, GATE_WITHIN);
    assert_int_equal(gate.compared, 0);
    assert_true(gate_holds(&gate));
}

static void a_sometimes_that_no_seed_hit_fails_the_gate_unless_runs_were_skipped(void **state)
{
    (void)state;
    struct gate_case *c = a_case("x", 2);
    tally_add_sometime(&c->tally, "rare", "x.lua:3", false);
    gate_judge(&gate);
    assert_false(gate_holds(&gate));
    assert_string_equal(gate_case_verdict(c), "fail");
    c->pairs[0].after.status = CLI_SKIPPED;
    gate_judge(&gate);
    assert_true(gate_holds(&gate));
    c->pairs[1].after.status = CLI_SKIPPED;
    gate_judge(&gate);
    assert_string_equal(gate_case_verdict(c), "skip");
}

static void equal_hashes_are_counted_as_identical_runs(void **state)
{
    (void)state;
    struct gate_case *c = a_case("x", 4);
    for (size_t i = 0; i < 4; i++) {
        c->pairs[i].before.has_hash = c->pairs[i].after.has_hash = i > 0;
        c->pairs[i].before.hash = 7;
        c->pairs[i].after.hash = i < 3 ? 7 : 8;
    }
    gate_judge(&gate);
    assert_int_equal(gate.identical, 2);
    assert_int_equal(gate.paired, 4);
}

static void pairs_stay_in_the_order_of_seeds_with_their_figures(void **state)
{
    (void)state;
    struct gate_case *c = gate_add_case(&gate, "x");
    for (uint64_t i = 0; i < 40; i++) /* 0, 13, 26, 39, 12, ...: all of 0..39 */
        gate_add_pair(c, i * 13 % 40 * 10)->after.id = 1;
    for (size_t i = 0; i < 40; i++)
        gate_set_figure(c, i, i % 2 == 0, "m", (double)c->pairs[i].seed);
    gate_add_pair(c, 205); /* grows, too */
    assert_int_equal(c->pair_count, 41);
    assert_ptr_equal(gate_find_pair(c, 205), &c->pairs[21]);
    assert_null(gate_find_pair(c, 204));
    assert_true(isnan(c->metrics[0].after[21]) && isnan(c->metrics[0].before[21]));
    for (size_t i = 0; i < 41; i++) {
        const double *figures = i == 21                         ? NULL
                                : (i > 21 ? i - 1 : i) % 2 == 0 ? c->metrics[0].after
                                                                : c->metrics[0].before;
        assert_true(!figures || figures[i] == (double)c->pairs[i].seed);
    }
    bool kept[41] = {false};
    kept[0] = kept[21] = kept[40] = true;
    gate_keep_pairs(c, kept);
    assert_int_equal(c->pair_count, 3);
    assert_int_equal(c->pairs[1].seed, 205);
    assert_true(c->metrics[0].after[0] == 0 && isnan(c->metrics[0].after[1]));
    assert_true(c->metrics[0].before[2] == 390);
}

/* ---- texts ---- */

#define HOSTILE "a<b>&\"'|\n\r\t\x01\x7f%:,#\\`*\xff\xc3\xa9\xef\xbf\xbf z"

static char *printed(void (*put)(FILE *, const char *), const char *text)
{
    char *out;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    assert_non_null(f);
    put(f, text);
    fclose(f);
    return out;
}

static void property(FILE *f, const char *text)
{
    gate_put_github(f, text, true);
}

static void message(FILE *f, const char *text)
{
    gate_put_github(f, text, false);
}

static void any_text_is_taken_as_each_form_of_file_wants_it(void **state)
{
    static const struct {
        void (*put)(FILE *, const char *);
        const char *wanted;
    } forms[] = {
        {gate_put_xml, "a&lt;b&gt;&amp;&quot;&#39;|&#10;&#13;&#9;\xef\xbf\xbd\xef\xbf\xbd%:,#\\`*"
                       "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd z"},
        {gate_put_markdown, "a&lt;b&gt;&amp;\"'\\|     %\\:,\\#\\\\\\`\\*\xef\xbf\xbd\xc3\xa9"
                            "\xef\xbf\xbd z"},
        {gate_put_tap, "a<b>&\"'|?????%:,\\#\\\\`*\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd z"},
        {message, "a<b>&\"'|%0A%0D???%25:,#\\`*\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd z"},
        {property, "a<b>&\"'|%0A%0D???%25%3A%2C#\\`*\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *got = printed(forms[i].put, HOSTILE);
        assert_string_equal(got, forms[i].wanted);
        free(got);
        got = printed(forms[i].put, "\xf0\x9f"); /* ends within a character */
        assert_string_equal(got, i < 5 ? "\xef\xbf\xbd\xef\xbf\xbd" : "");
        free(got);
    }
}

static void changes_are_told_in_percent(void **state)
{
    (void)state;
    char words[GATE_WORDS_SIZE];
    struct gate_case *c = a_case("x", 20);
    struct gate_metric *m = a_metric(c, "x_s", 1.061);
    gate_judge(&gate);
    gate_metric_words(words, m, "->");
    assert_string_equal(words, "109.5 -> 116.2, +6.1 % [+6.1, +6.1], p=1.9e-06");
    gate_share_words(words, HUGE_VAL);
    assert_string_equal(words, "from 0");
    gate_share_words(words, -0.5);
    assert_string_equal(words, "-50.0 %");
    gate_share_words(words, 12.3);
    assert_string_equal(words, "+1230 %");
}

static void the_command_that_repeats_a_run_has_all_of_it(void **state)
{
    (void)state;
    struct gate_case *c = a_case("x", 1);
    struct engine_param *params = calloc(2, sizeof *params);
    uint32_t *left_out = calloc(2, sizeof *left_out);
    params[0] = (struct engine_param){strdup("n"), strdup("3")};
    params[1] = (struct engine_param){strdup("mode"), strdup("it's a")};
    left_out[0] = 3;
    left_out[1] = 5;
    c->again.args.params = params;
    c->again.args.param_count = 2;
    c->again.args.until_ns = 30500000000u;
    c->again.args.left_out = left_out;
    c->again.args.left_out_count = 2;
    c->again.args.salt = 9;
    char *again = gate_again_words(c, &c->pairs[0]);
    assert_string_equal(again,
                        "vibesim run dir/a,b:c.lua --seed 1 --param n=3 --param 'mode=it'\\''s a' "
                        "--until 30.5 --without 3,5 --salt 9");
    free(again);
    assert_null(gate_shrink_words(&gate, &c->pairs[0])); /* it holds */
    c->pairs[0].after.status = CLI_CHECK_FAILED;
    char *shrink = gate_shrink_words(&gate, &c->pairs[0]);
    assert_string_equal(shrink, "vibesim shrink check.db --run 1");
    free(shrink);
    assert_int_equal(gate_line_of(c, "dir/a,b:c.lua:12: x"), 12);
    assert_int_equal(gate_line_of(c, "dir/a,b:c.lua:12"), 12);
    assert_int_equal(gate_line_of(c, "dir/a,b:c.lua:12x"), 0);
    assert_int_equal(gate_line_of(c, "other.lua:12: x"), 0);
}

/* What a form of file makes of a gate with everything in it. */
static char *told(void (*tell)(FILE *, const struct gate *))
{
    char *out;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    assert_non_null(f);
    tell(f, &gate);
    fclose(f);
    return out;
}

static void a_gate_of_everything(void)
{
    struct gate_case *c = a_case("a " HOSTILE, 20);
    a_metric(c, "m " HOSTILE " _s", 1.5);
    tally_add_sometime(&c->tally, "rare " HOSTILE, "dir/a,b:c.lua:7", false);
    c->pairs[4].after = (struct gate_run){.there = true,
                                          .id = 5,
                                          .status = CLI_CHECK_FAILED,
                                          .wall_ms = 1234,
                                          .verdict = strdup("fail"),
                                          .reason = strdup("dir/a,b:c.lua:3: " HOSTILE)};
    c->pairs[5].after = (struct gate_run){.there = true,
                                          .status = CLI_CHECK_FAILED,
                                          .verdict = strdup("crashed"),
                                          .reason = strdup("killed by SIGSEGV")};
    struct gate_case *skipped = a_case("b", 1);
    skipped->pairs[0].after = (struct gate_run){.there = true,
                                                .status = CLI_SKIPPED,
                                                .verdict = strdup("skip"),
                                                .reason = strdup("no " HOSTILE)};
    struct gate_case *gone = a_case("c", 1);
    free(gone->file);
    gone->file = NULL;
    gate_judge(&gate);
}

static void must_have(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not there: %s\n%.3000s", part, text);
}

static void junit_has_a_test_for_each_run_and_metric(void **state)
{
    (void)state;
    a_gate_of_everything();
    char *xml = told(gate_junit);
    /* 20 runs, a sometimes and a metric; a run. */
    must_have(xml, "<testsuites name=\"vibesim check\" tests=\"23\" failures=\"3\" errors=\"1\" "
                   "skipped=\"1\">");
    must_have(xml, " name=\"seed 5\" file=\"dir/a,b:c.lua\" time=\"1.234\">\n"
                   "      <failure type=\"fail\" message=\"dir/a,b:c.lua:3: a&lt;b");
    must_have(xml, "vibesim run dir/a,b:c.lua --seed 5\nvibesim shrink check.db --run 5</failure>");
    must_have(xml, "<error type=\"crashed\" message=\"killed by SIGSEGV\">");
    must_have(xml, "<failure type=\"never\" message=\"no seed hit it\">");
    must_have(xml, "<failure type=\"worse\" message=\"110.5 -&gt;");
    must_have(xml, "<skipped message=\"no a&lt;b");
    FILE *parser = popen("python3 -c 'import sys, xml.dom.minidom as m;"
                         " m.parseString(sys.stdin.buffer.read())'",
                         "w");
    assert_non_null(parser);
    fputs(xml, parser);
    assert_int_equal(pclose(parser), 0);
    free(xml);
}

static void tap_has_as_many_points_as_it_plans(void **state)
{
    (void)state;
    a_gate_of_everything();
    char *tap = told(gate_tap);
    assert_int_equal(strncmp(tap, "TAP version 14\n1..4\nnot ok 1 - a a<b>", 36), 0);
    must_have(tap, "    - seed: 5\n      message: \"dir/a,b:c.lua:3: a<b>&\\\"'|\\n");
    must_have(tap, "\nnot ok 2 - a a<b>");
    must_have(tap, "\nnot ok 3 - a a<b>");
    must_have(tap, "\nok 4 - b: 0 of 1 runs hold, 1 skipped # SKIP\n");
    assert_null(strstr(tap, "ok 5"));
    free(tap);
}

static void annotations_stay_on_their_lines(void **state)
{
    (void)state;
    a_gate_of_everything();
    char *out = told(gate_github);
    size_t lines = 0;
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
        assert_int_equal(strncmp(line, "::error file=dir/a%2Cb%3Ac.lua,", 31), 0);
        lines++;
        if (lines == 1)
            must_have(line, " is worse::m a<b>");
        if (lines == 2)
            must_have(line, ",line=3,title=a a<b>&\"'|%0A");
        if (lines == 4)
            must_have(line, ",line=7,title=");
    }
    assert_int_equal(lines, 4);
    free(out);
}

static void the_summary_has_rows_that_stay_rows(void **state)
{
    (void)state;
    a_gate_of_everything();
    char *out = told(gate_markdown);
    must_have(out, "## vibesim check: **fail**");
    must_have(out, "| **fail** | a a&lt;b&gt;&amp;\"'\\|     %");
    must_have(out, "| skip | b | 0 of 1 runs hold, 1 skipped |\n");
    must_have(out, "| gone | c | the baseline has it");
    must_have(out, "| **worse** | a ");
    must_have(out, "\n      vibesim run dir/a,b:c.lua --seed 5\n");
    free(out);
}

/* ---- figures ---- */

static const uint8_t hash_a[32] = {0xaa}, hash_b[32] = {0xbb}, hash_0[32] = {0};

/* Two blocks on heights 1 and 1, found by node 0 and 1; a third of nobody. */
static void record_blocks(struct recorder *r)
{
    for (uint32_t i = 0; i < 4; i++)
        recorder_node(r, i, i < 2 ? "miner" : "node", NULL, "1");
    recorder_block(r, hash_a, 1, NULL, 0, 1000000000u);
    recorder_block(r, hash_b, 1, NULL, 1, 2000000000u);
    recorder_arrival(r, hash_a, 0, 1000000000u); /* the finder's own is no propagation */
    recorder_arrival(r, hash_a, 1, 1300000000u);
    recorder_arrival(r, hash_a, 2, 1100000000u);
    recorder_arrival(r, hash_a, 3, 1200000000u);
    recorder_arrival(r, hash_b, 1, 2000000000u);
    recorder_arrival(r, hash_b, 0, 2400000000u);
    recorder_arrival(r, hash_0, 0, 2900000000u);
    for (uint32_t i = 0; i < 3; i++) /* the fourth is down */
        recorder_node_final(r, i, i == 1 ? 0 : 1, i == 1 ? hash_0 : hash_a);
}

static double figure(const struct figures *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->all[i].name, name) == 0)
            return f->all[i].value;
    fail_msg("no %s", name);
    return 0;
}

static void read_one(struct figures *f, void (*record)(struct recorder *))
{
    char why[300] = "";
    struct read_run run;
    struct recorder *r = recorder_open(in_folder("run.db"), &a_run, why, sizeof why);
    assert_non_null(r);
    record(r);
    assert_true(recorder_finish(r, &a_result, why, sizeof why));
    struct reader *reader = reader_open(in_folder("run.db"), why, sizeof why);
    assert_non_null(reader);
    assert_true(reader_run(reader, 1, &run, why, sizeof why));
    if (!figures_read(f, reader, &run, why, sizeof why))
        fail_msg("%s", why);
    reader_close(reader);
}

static void every_run_tells_propagation_traffic_and_tips(void **state)
{
    struct figures f;
    (void)state;
    read_one(&f, record_blocks);
    assert_true(figure(&f, "propagation_p50_s") == 0.2);
    assert_true(figure(&f, "propagation_p95_s") == 0.4);
    assert_true(figure(&f, "propagation_p99_s") == 0.4);
    assert_true(figure(&f, "tip_height") == 1);
    assert_true(figure(&f, "tips") == 2);
    assert_true(figure(&f, "stale_blocks") == 1);
    assert_true(figure(&f, "messages") == 200);
    assert_true(figure(&f, "bytes") == 30000);
    assert_true(figure(&f, "events") == 1000);
    assert_int_equal(f.count, 9);
    figures_free(&f);
}

static void record_metrics(struct recorder *r)
{
    recorder_metric(r, "lag_s", 0, 1);
    recorder_metric(r, "bytes", -1, 5);
    recorder_metric(r, "lag_s", 1, 4);
    recorder_metric(r, "none", -1, (double)NAN);
    recorder_metric(r, "endless", -1, HUGE_VAL);
}

static void metrics_of_several_nodes_are_their_mean_and_no_numbers_are_left_out(void **state)
{
    struct figures f;
    (void)state;
    read_one(&f, record_metrics);
    assert_true(figure(&f, "lag_s") == 2.5);
    assert_true(figure(&f, "bytes") == 5); /* the scenario's own */
    assert_int_equal(f.count, 4);          /* and messages, events: no block, no node */
    figures_free(&f);
}

#define G(f) cmocka_unit_test_setup_teardown(f, setup_gate, teardown_gate)
#define F(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_say_which_way_is_better),
        G(a_metric_is_judged_by_size_direction_and_proof),
        G(the_more_metrics_may_differ_the_more_proof_is_asked),
        G(runs_that_do_not_hold_are_not_compared),
        G(what_one_side_alone_tells_is_new_or_gone),
        G(a_sometimes_that_no_seed_hit_fails_the_gate_unless_runs_were_skipped),
        G(equal_hashes_are_counted_as_identical_runs),
        G(pairs_stay_in_the_order_of_seeds_with_their_figures),
        cmocka_unit_test(any_text_is_taken_as_each_form_of_file_wants_it),
        G(changes_are_told_in_percent),
        G(the_command_that_repeats_a_run_has_all_of_it),
        G(junit_has_a_test_for_each_run_and_metric),
        G(tap_has_as_many_points_as_it_plans),
        G(annotations_stay_on_their_lines),
        G(the_summary_has_rows_that_stay_rows),
        F(every_run_tells_propagation_traffic_and_tips),
        F(metrics_of_several_nodes_are_their_mean_and_no_numbers_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
