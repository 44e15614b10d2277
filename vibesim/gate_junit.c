/* The gate as JUnit XML; see gate_tell.h. */
#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"

#include <inttypes.h>
#include <stdlib.h>

struct counts {
    uint64_t tests, failures, errors, skipped;
};

static void attribute(FILE *f, const char *name, const char *value)
{
    fprintf(f, " %s=\"", name);
    gate_put_xml(f, value);
    fputc('"', f);
}

static void put_counts(FILE *f, const struct counts *n)
{
    fprintf(f,
            " tests=\"%" PRIu64 "\" failures=\"%" PRIu64 "\" errors=\"%" PRIu64
            "\" skipped=\"%" PRIu64 "\"",
            n->tests, n->failures, n->errors, n->skipped);
}

/* A run that came to no verdict is an error; one whose checks failed is a failure. */
static bool is_error(const struct gate_run *run)
{
    return gate_is_broken(run) && (run->status != CLI_CHECK_FAILED || run->id == 0);
}

static struct counts count(const struct gate_case *c)
{
    struct counts n = {0};
    for (size_t i = 0; c->file && i < c->pair_count; i++) {
        const struct gate_run *run = &c->pairs[i].after;
        n.tests++;
        n.errors += is_error(run);
        n.failures += gate_is_broken(run) && !is_error(run);
        n.skipped += run->status == CLI_SKIPPED;
    }
    for (size_t i = 0; c->file && !c->skipped && i < c->tally.sometime_count; i++) {
        n.tests++;
        n.failures += c->tally.sometimes[i].hits == 0;
    }
    for (size_t i = 0; c->file && i < c->metric_count; i++) {
        n.tests += c->metrics[i].compare.pairs > 0;
        n.failures += c->metrics[i].change == GATE_WORSE;
    }
    return n;
}

static void open_test(FILE *f, const struct gate_case *c, const char *kind, const char *name)
{
    fprintf(f, "    <testcase");
    attribute(f, "classname", c->label);
    fprintf(f, " name=\"%s", kind);
    gate_put_xml(f, name);
    fputc('"', f);
    attribute(f, "file", c->file);
}

static void put_problem(FILE *f, const char *element, const char *type, const char *message,
                        const char *more, const char *still_more)
{
    fprintf(f, "      <%s", element);
    attribute(f, "type", type);
    attribute(f, "message", message);
    fputc('>', f);
    gate_put_xml(f, message);
    if (more)
        fputc('\n', f);
    gate_put_xml(f, more ? more : "");
    if (still_more)
        fputc('\n', f);
    gate_put_xml(f, still_more ? still_more : "");
    fprintf(f, "</%s>\n", element);
}

static void put_run(FILE *f, const struct gate *gate, const struct gate_case *c,
                    const struct gate_pair *pair)
{
    char seed[24];
    const struct gate_run *run = &pair->after;
    snprintf(seed, sizeof seed, "%" PRIu64, pair->seed);
    open_test(f, c, "seed ", seed);
    fprintf(f, " time=\"%" PRIu64 ".%03" PRIu64 "\"", run->wall_ms / 1000, run->wall_ms % 1000);
    if (run->status == CLI_OK) {
        fprintf(f, "/>\n");
        return;
    }
    fprintf(f, ">\n");
    if (run->status == CLI_SKIPPED) {
        fprintf(f, "      <skipped");
        attribute(f, "message", run->reason);
        fprintf(f, "/>\n");
    } else {
        char *again = gate_again_words(c, pair), *shrink = gate_shrink_words(gate, pair);
        put_problem(f, is_error(run) ? "error" : "failure", run->verdict, run->reason, again,
                    shrink);
        free(again);
        free(shrink);
    }
    fprintf(f, "    </testcase>\n");
}

static void put_sometime(FILE *f, const struct gate_case *c, const struct tally_sometime *s)
{
    open_test(f, c, "sometimes ", s->text);
    fprintf(f, s->hits ? "/>\n" : ">\n");
    if (s->hits)
        return;
    put_problem(f, "failure", "never", "no seed hit it", *s->place ? s->place : NULL, NULL);
    fprintf(f, "    </testcase>\n");
}

static void put_metric(FILE *f, const struct gate_case *c, const struct gate_metric *m)
{
    char words[GATE_WORDS_SIZE];
    if (!m->compare.pairs)
        return;
    gate_metric_words(words, m, "->");
    open_test(f, c, "metric ", m->name);
    fprintf(f, m->change == GATE_WORSE ? ">\n" : "/>\n");
    if (m->change != GATE_WORSE)
        return;
    put_problem(f, "failure", "worse", words, NULL, NULL);
    fprintf(f, "    </testcase>\n");
}

static void put_property(FILE *f, const char *name, const char *value)
{
    fprintf(f, "      <property name=\"%s\"", name);
    attribute(f, "value", value);
    fprintf(f, "/>\n");
}

static void put_case(FILE *f, const struct gate *gate, const struct gate_case *c)
{
    const struct counts n = count(c);
    fprintf(f, "  <testsuite");
    attribute(f, "name", c->label);
    put_counts(f, &n);
    attribute(f, "file", c->file);
    fprintf(f, ">\n    <properties>\n");
    put_property(f, "baseline", gate->build_before ? gate->build_before : "none");
    put_property(f, "build", build_name());
    put_property(f, "params", c->params);
    fprintf(f, "    </properties>\n");
    for (size_t i = 0; i < c->pair_count; i++)
        put_run(f, gate, c, &c->pairs[i]);
    for (size_t i = 0; !c->skipped && i < c->tally.sometime_count; i++)
        put_sometime(f, c, &c->tally.sometimes[i]);
    for (size_t i = 0; i < c->metric_count; i++)
        put_metric(f, c, &c->metrics[i]);
    fprintf(f, "  </testsuite>\n");
}

void gate_junit(FILE *f, const struct gate *gate)
{
    struct counts all = {0};
    for (size_t i = 0; i < gate->case_count; i++) {
        const struct counts n = count(&gate->cases[i]);
        all.tests += n.tests;
        all.failures += n.failures;
        all.errors += n.errors;
        all.skipped += n.skipped;
    }
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"vibesim check\"");
    put_counts(f, &all);
    fprintf(f, ">\n");
    for (size_t i = 0; i < gate->case_count; i++)
        if (gate->cases[i].file)
            put_case(f, gate, &gate->cases[i]);
    fprintf(f, "</testsuites>\n");
}
