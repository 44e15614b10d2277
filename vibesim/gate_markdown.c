/* The gate as Markdown (GitHub's, with tables); see gate_tell.h. */
#include "vibesim/build.h"
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_case(FILE *f, const struct gate_case *c)
{
    char words[GATE_WORDS_SIZE];
    const char *verdict = gate_case_verdict(c);
    bool failed = strcmp(verdict, "fail") == 0;
    gate_case_words(words, c);
    fprintf(f, "| %s%s%s | ", failed ? "**" : "", verdict, failed ? "**" : "");
    gate_put_markdown(f, c->label);
    if (c->file)
        fprintf(f, " | %s |\n", words);
    else
        fprintf(f, " | the baseline has it, and the folder does not |\n");
}

static bool is_told(const struct gate_metric *m)
{
    return m->change == GATE_WORSE || m->change == GATE_BETTER || m->change == GATE_MOVED;
}

static void put_metrics(FILE *f, const struct gate *gate)
{
    bool any = false;
    for (size_t i = 0; i < gate->case_count; i++)
        for (size_t k = 0; gate->cases[i].file && k < gate->cases[i].metric_count; k++) {
            const struct gate_metric *m = &gate->cases[i].metrics[k];
            char words[GATE_WORDS_SIZE];
            if (!is_told(m))
                continue;
            if (!any)
                fprintf(f, "\n| | Scenario | Metric | Change |\n|---|---|---|---|\n");
            any = true;
            gate_metric_words(words, m, "->");
            fprintf(f, "| %s | ",
                    m->change == GATE_WORSE ? "**worse**" : gate_change_name(m->change));
            gate_put_markdown(f, gate->cases[i].label);
            fprintf(f, " | ");
            gate_put_markdown(f, m->name);
            fprintf(f, " | ");
            gate_put_markdown(f, words);
            fprintf(f, " |\n");
        }
}

/* A block of code in a list: its lines are indented, so that nothing in them ends it. */
static void put_command(FILE *f, char *command)
{
    if (!command)
        return;
    fprintf(f, "      ");
    for (const char *p = command; *p; p++)
        fputc((unsigned char)*p < 0x20 ? ' ' : *p, f);
    fprintf(f, "\n");
    free(command);
}

static void put_broken(FILE *f, const struct gate *gate, const struct gate_case *c)
{
    size_t told = 0;
    for (size_t i = 0; c->file && i < c->pair_count; i++) {
        const struct gate_pair *pair = &c->pairs[i];
        if (!gate_is_broken(&pair->after) || told++ >= GATE_NOTES_MAX)
            continue;
        fprintf(f, "\n- ");
        gate_put_markdown(f, c->label);
        fprintf(f, ", seed %" PRIu64 ": ", pair->seed);
        gate_put_markdown(f, pair->after.reason);
        fprintf(f, "\n\n");
        put_command(f, gate_again_words(c, pair));
        put_command(f, gate_shrink_words(gate, pair));
    }
    if (told > GATE_NOTES_MAX)
        fprintf(f, "\n- ... and %zu more broken runs\n", told - GATE_NOTES_MAX);
    for (size_t i = 0; c->file && !c->skipped && i < c->tally.sometime_count; i++)
        if (!c->tally.sometimes[i].hits) {
            fprintf(f, "\n- ");
            gate_put_markdown(f, c->label);
            fprintf(f, ": sometimes ");
            gate_put_markdown(f, c->tally.sometimes[i].text);
            fprintf(f, ": no seed hit it\n");
        }
}

void gate_markdown(FILE *f, const struct gate *gate)
{
    char total[400];
    gate_total_words(total, sizeof total, gate);
    fprintf(f, "## vibesim check: %s\n\n%s.\n\n", gate_holds(gate) ? "pass" : "**fail**", total);
    fprintf(f, "| | Scenario | Runs |\n|---|---|---|\n");
    for (size_t i = 0; i < gate->case_count; i++)
        put_case(f, &gate->cases[i]);
    put_metrics(f, gate);
    for (size_t i = 0; i < gate->case_count; i++)
        put_broken(f, gate, &gate->cases[i]);
    fprintf(f, "\nBaseline: ");
    gate_put_markdown(f, gate->build_before ? gate->build_before : "none yet");
    fprintf(f, ". Now: ");
    gate_put_markdown(f, build_name());
    fprintf(f, ".\n");
}
