/* The gate as annotations of GitHub Actions; see gate_tell.h. GitHub shows ten errors a step, so
 * what is worse comes before single runs, and of a case no more than a few runs are told. */
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"

#include <inttypes.h>
#include <stdlib.h>

#define RUNS_MAX 3u

static void begin(FILE *f, const struct gate_case *c, unsigned line, const char *what)
{
    fprintf(f, "::error file=");
    gate_put_github(f, c->file, true);
    if (line)
        fprintf(f, ",line=%u", line);
    fprintf(f, ",title=");
    gate_put_github(f, c->label, true);
    fprintf(f, " %s::", what);
}

static void put_metrics(FILE *f, const struct gate_case *c)
{
    char words[GATE_WORDS_SIZE];
    for (size_t i = 0; i < c->metric_count; i++) {
        if (c->metrics[i].change != GATE_WORSE)
            continue;
        gate_metric_words(words, &c->metrics[i], "->");
        begin(f, c, 0, "is worse");
        gate_put_github(f, c->metrics[i].name, false);
        fprintf(f, " ");
        gate_put_github(f, words, false);
        fprintf(f, "\n");
    }
}

static void put_runs(FILE *f, const struct gate_case *c)
{
    uint64_t told = 0;
    for (size_t i = 0; i < c->pair_count && told < RUNS_MAX; i++) {
        const struct gate_pair *pair = &c->pairs[i];
        if (!gate_is_broken(&pair->after))
            continue;
        char *again = gate_again_words(c, pair);
        told++;
        begin(f, c, gate_line_of(c, pair->after.reason), "is broken");
        fprintf(f, "seed %" PRIu64 ": ", pair->seed);
        gate_put_github(f, pair->after.reason, false);
        fprintf(f, "%%0A");
        gate_put_github(f, again, false);
        if (told == RUNS_MAX && c->failed > told)
            fprintf(f, "%%0A... and %" PRIu64 " more seeds", c->failed - told);
        fprintf(f, "\n");
        free(again);
    }
}

static void put_never(FILE *f, const struct gate_case *c)
{
    for (size_t i = 0; !c->skipped && i < c->tally.sometime_count; i++) {
        const struct tally_sometime *s = &c->tally.sometimes[i];
        if (s->hits)
            continue;
        begin(f, c, gate_line_of(c, s->place), "is broken");
        fprintf(f, "sometimes ");
        gate_put_github(f, s->text, false);
        fprintf(f, ": no seed hit it\n");
    }
}

void gate_github(FILE *f, const struct gate *gate)
{
    for (size_t i = 0; i < gate->case_count; i++)
        if (gate->cases[i].file)
            put_metrics(f, &gate->cases[i]);
    for (size_t i = 0; i < gate->case_count; i++)
        if (gate->cases[i].file) {
            put_runs(f, &gate->cases[i]);
            put_never(f, &gate->cases[i]);
        }
}
