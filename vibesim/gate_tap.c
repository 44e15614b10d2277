/* The gate in the Test Anything Protocol (https://testanything.org/tap-version-14-specification);
 * see gate_tell.h. */
#include "vibesim/cli.h"
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

struct tap {
    FILE *f;
    const struct gate *gate;
    uint64_t number;
};

static void begin_point(struct tap *t, bool ok, const struct gate_case *c, const char *kind,
                        const char *what)
{
    fprintf(t->f, "%sok %" PRIu64 " - ", ok ? "" : "not ", ++t->number);
    gate_put_tap(t->f, c->label);
    fprintf(t->f, ": %s", kind);
    gate_put_tap(t->f, what);
}

/* A line of the YAML behind a point: a text in JSON is one in YAML 1.2, too. */
static void put_yaml(struct tap *t, const char *indent, const char *key, const char *text)
{
    char *clean = gate_utf8(text);
    json_t *s = json_string(clean);
    char *quoted = json_dumps(s, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    if (!quoted)
        abort();
    fprintf(t->f, "%s%s: %s\n", indent, key, quoted);
    free(quoted);
    json_decref(s);
    free(clean);
}

static void put_broken(struct tap *t, const struct gate_case *c)
{
    fprintf(t->f, "  ---\n  broken:\n");
    for (size_t i = 0; i < c->pair_count; i++) {
        const struct gate_pair *pair = &c->pairs[i];
        if (!gate_is_broken(&pair->after))
            continue;
        char *again = gate_again_words(c, pair), *shrink = gate_shrink_words(t->gate, pair);
        fprintf(t->f, "    - seed: %" PRIu64 "\n", pair->seed);
        put_yaml(t, "      ", "message", pair->after.reason);
        put_yaml(t, "      ", "again", again);
        if (shrink)
            put_yaml(t, "      ", "shrink", shrink);
        free(again);
        free(shrink);
    }
    fprintf(t->f, "  ...\n");
}

static void put_case(struct tap *t, const struct gate_case *c)
{
    char words[GATE_WORDS_SIZE];
    gate_case_words(words, c);
    begin_point(t, c->failed == 0, c, "", words);
    fprintf(t->f, "%s\n", c->skipped && c->skipped == c->pair_count ? " # SKIP" : "");
    if (c->failed)
        put_broken(t, c);
    for (size_t i = 0; !c->skipped && i < c->tally.sometime_count; i++) {
        const struct tally_sometime *s = &c->tally.sometimes[i];
        begin_point(t, s->hits > 0, c, "sometimes ", s->text);
        fprintf(t->f, "\n");
    }
    for (size_t i = 0; i < c->metric_count; i++) {
        const struct gate_metric *m = &c->metrics[i];
        if (!m->compare.pairs)
            continue;
        begin_point(t, m->change != GATE_WORSE, c, "metric ", m->name);
        fprintf(t->f, "\n");
        if (m->change != GATE_WORSE)
            continue;
        gate_metric_words(words, m, "->");
        fprintf(t->f, "  ---\n");
        put_yaml(t, "  ", "message", words);
        fprintf(t->f, "  ...\n");
    }
}

static uint64_t points(const struct gate_case *c)
{
    uint64_t n = 1 + (c->skipped ? 0 : c->tally.sometime_count);
    for (size_t i = 0; i < c->metric_count; i++)
        n += c->metrics[i].compare.pairs > 0;
    return n;
}

void gate_tap(FILE *f, const struct gate *gate)
{
    struct tap t = {.f = f, .gate = gate};
    uint64_t all = 0;
    for (size_t i = 0; i < gate->case_count; i++)
        all += gate->cases[i].file ? points(&gate->cases[i]) : 0;
    fprintf(f, "TAP version 14\n1..%" PRIu64 "\n", all);
    for (size_t i = 0; i < gate->case_count; i++)
        if (gate->cases[i].file)
            put_case(&t, &gate->cases[i]);
}
