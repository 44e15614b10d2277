/* The gate for a person; see gate_tell.h. */
#include "vibesim/build.h"
#include "vibesim/cli_term.h"
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MIN      24
#define NAME_MAX      60
#define METRIC_COLUMN 28

struct teller {
    const struct gate *gate;
    struct term_style style;
    bool quiet;
    int name_width;
};

static const char *colour(const struct teller *t, enum term_colour c)
{
    return term_colour(&t->style, c);
}

static void tell_builds(const struct teller *t)
{
    const struct gate *gate = t->gate;
    char path[300], build[200];
    term_clean(path, sizeof path, gate->baseline);
    term_clean(build, sizeof build, gate->build_before ? gate->build_before : "");
    if (gate->build_before)
        printf("  baseline  %s: %s, %" PRIu64 " runs\n", path, build, gate->runs_before);
    else
        printf("  baseline  %s: none yet\n", path);
    term_clean(path, sizeof path, gate->db);
    printf("  now       %s: %s, %" PRIu64 " runs\n\n", path, build_name(), gate->runs);
    printf("  %-9s %-*s %6s %6s %10s  %s\n", "", t->name_width, "scenario", "runs", "hold",
           "identical", "metrics");
}

/* "14 equal", "12 compared, 1 worse". */
static void metric_counts(char out[GATE_WORDS_SIZE], const struct gate_case *c)
{
    static const enum gate_change told[] = {GATE_WORSE, GATE_BETTER, GATE_MOVED, GATE_NEW,
                                            GATE_GONE};
    size_t counts[GATE_GONE + 1] = {0}, compared = 0, len;
    for (size_t i = 0; i < c->metric_count; i++) {
        counts[c->metrics[i].change]++;
        compared += c->metrics[i].compare.pairs > 0;
    }
    bool equal = compared > 0 && counts[GATE_EQUAL] == compared;
    if (!compared)
        snprintf(out, GATE_WORDS_SIZE, "nothing to compare");
    else
        snprintf(out, GATE_WORDS_SIZE, "%zu %s", compared, equal ? "equal" : "compared");
    for (size_t i = 0; compared && i < sizeof told / sizeof *told; i++) {
        len = strlen(out);
        if (counts[told[i]])
            snprintf(out + len, GATE_WORDS_SIZE - len, ", %zu %s", counts[told[i]],
                     gate_change_name(told[i]));
    }
}

static void tell_row(const struct teller *t, const struct gate_case *c)
{
    char label[300], metrics[GATE_WORDS_SIZE];
    const char *verdict = gate_case_verdict(c);
    bool failed = strcmp(verdict, "fail") == 0;
    term_clean(label, sizeof label, c->label);
    metric_counts(metrics, c);
    const char *mark = failed                         ? t->style.failed
                       : strcmp(verdict, "pass") == 0 ? t->style.ok
                                                      : verdict;
    /* The marks are as wide as a column of eight without the terminal knowing. */
    printf("  %s%s%s%*s %-*s", colour(t, failed ? TERM_RED : TERM_GREEN), mark,
           colour(t, TERM_PLAIN), mark == verdict ? 8 - (int)strlen(mark) + 1 : 1, "",
           t->name_width, label);
    if (c->file)
        printf(" %6zu %6" PRIu64 " %10" PRIu64 "  %s\n", c->pair_count, c->held, c->identical,
               metrics);
    else
        printf(" the baseline has it, and the folder does not\n");
}

static void tell_metric(const struct teller *t, const struct gate_metric *m)
{
    char name[100], words[GATE_WORDS_SIZE];
    bool worse = m->change == GATE_WORSE;
    if (m->change != GATE_BETTER && m->change != GATE_MOVED && !worse)
        return;
    if (t->quiet && !worse)
        return;
    term_clean(name, sizeof name, m->name);
    gate_metric_words(words, m, t->style.arrow);
    printf("    %s%-7s%s %-*s %s\n",
           colour(t, worse                      ? TERM_RED
                     : m->change == GATE_BETTER ? TERM_GREEN
                                                : TERM_BOLD),
           gate_change_name(m->change), colour(t, TERM_PLAIN), METRIC_COLUMN, name, words);
}

static void tell_command(const char *what, char *command)
{
    if (command)
        printf("            %s %s\n", what, command);
    free(command);
}

static void tell_broken(const struct teller *t, const struct gate_case *c)
{
    size_t told = 0;
    for (size_t i = 0; i < c->pair_count; i++) {
        const struct gate_pair *pair = &c->pairs[i];
        char reason[700];
        if (!gate_is_broken(&pair->after))
            continue;
        if (told++ == GATE_NOTES_MAX) {
            printf("    ... and more runs that are broken (--json names all)\n");
            return;
        }
        term_clean(reason, sizeof reason, pair->after.reason);
        printf("    %sbroken %s seed %" PRIu64 ": %s\n", colour(t, TERM_RED), colour(t, TERM_PLAIN),
               pair->seed, reason);
        tell_command("Again:  ", gate_again_words(c, pair));
        tell_command("Smaller:", gate_shrink_words(t->gate, pair));
    }
}

static void tell_never(const struct teller *t, const struct gate_case *c)
{
    for (size_t i = 0; !c->skipped && i < c->tally.sometime_count; i++) {
        const struct tally_sometime *s = &c->tally.sometimes[i];
        char text[300], place[200];
        if (s->hits)
            continue;
        term_clean(text, sizeof text, s->text);
        term_clean(place, sizeof place, s->place);
        printf("    %snever  %s sometimes: %s (%s): no seed hit it\n", colour(t, TERM_RED),
               colour(t, TERM_PLAIN), text, place);
    }
}

static void tell_skip(const struct gate_case *c)
{
    for (size_t i = 0; c->skipped && i < c->pair_count; i++)
        if (c->pairs[i].after.reason && !gate_is_broken(&c->pairs[i].after)) {
            char reason[500];
            term_clean(reason, sizeof reason, c->pairs[i].after.reason);
            printf("    skipped seed %" PRIu64 ": %s\n", c->pairs[i].seed, reason);
            return;
        }
}

static bool has_details(const struct teller *t, const struct gate_case *c)
{
    bool moved = false;
    for (size_t i = 0; i < c->metric_count; i++)
        moved = moved || c->metrics[i].change == GATE_BETTER || c->metrics[i].change == GATE_MOVED;
    return c->file && (!gate_case_holds(c) || c->skipped || (moved && !t->quiet));
}

static void tell_details(const struct teller *t, const struct gate_case *c)
{
    char label[300];
    term_clean(label, sizeof label, c->label);
    printf("%s  %s%s%s\n", t->quiet ? "" : "\n", colour(t, TERM_BOLD), label,
           colour(t, TERM_PLAIN));
    for (size_t i = 0; i < c->metric_count; i++)
        tell_metric(t, &c->metrics[i]);
    tell_broken(t, c);
    tell_never(t, c);
    tell_skip(c);
}

/* What makes the gate see less than it seems to. */
static void tell_notes(const struct teller *t)
{
    const struct gate *gate = t->gate;
    uint64_t failed_before = 0;
    for (size_t i = 0; i < gate->case_count; i++)
        failed_before += gate->cases[i].file ? gate->cases[i].failed_before : 0;
    if (failed_before)
        printf("\n  %" PRIu64 " runs of the baseline failed their checks: their metrics are not "
               "compared\n",
               failed_before);
    if (gate->few)
        printf("\n  With %zu metrics to test a change cannot be told from chance by fewer than %zu "
               "seeds:\n  some scenarios have fewer\n",
               gate->tested, gate->needed);
}

void gate_text(const struct gate *gate, bool quiet)
{
    struct teller t = {.gate = gate, .quiet = quiet};
    char total[400];
    bool holds = gate_holds(gate);
    term_style_init(&t.style, stdout);
    t.name_width = NAME_MIN;
    for (size_t i = 0; i < gate->case_count; i++) {
        size_t len = strlen(gate->cases[i].label);
        if (len > (size_t)t.name_width)
            t.name_width = len < NAME_MAX ? (int)len : NAME_MAX;
    }
    if (!quiet) {
        tell_builds(&t);
        for (size_t i = 0; i < gate->case_count; i++)
            tell_row(&t, &gate->cases[i]);
    }
    for (size_t i = 0; i < gate->case_count; i++)
        if (has_details(&t, &gate->cases[i]))
            tell_details(&t, &gate->cases[i]);
    if (!quiet)
        tell_notes(&t);
    gate_total_words(total, sizeof total, gate);
    printf("%s%s%s%s  %s\n", quiet ? "" : "\n", colour(&t, holds ? TERM_GREEN : TERM_RED),
           holds ? "PASS" : "FAIL", colour(&t, TERM_PLAIN), total);
}
