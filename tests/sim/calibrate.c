/* How often the gate raises an alarm: calibrate BEFORE.db AFTER.db GATES SEEDS [toss].
 *
 * Both records hold one scenario with the same seeds. GATES times as many seeds are drawn from
 * those, and judged as `vibesim check` would. toss: of each seed it is tossed which of its two runs
 * is the one before, so that not even the chance in these records can tell them apart. Prints how
 * many gates raise an alarm, how many of them of a propagation metric, and why. */
#include "core/base/rng.h"
#include "vibesim/cli.h"
#include "vibesim/gate.h"
#include "vibesim/gate_baseline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "calibrate: %s\n", what);
    exit(2);
}

/* Reads a record of one scenario; the figures are those of before. */
static void read_record(struct gate *gate, const char *path)
{
    char why[1024];
    gate_init(gate, path);
    gate->salted = true;
    if (!gate_baseline_read(gate, why, sizeof why))
        die(why);
    if (gate->case_count != 1)
        die("a record of one scenario with one set of parameters is needed");
}

/* A gate over some seeds of the two records. */
static void draw(struct gate *gate, const struct gate_case *before, const struct gate_case *after,
                 const size_t *chosen, size_t seeds, struct rng *toss)
{
    static char file[] = "calibrate.lua";
    gate_init(gate, "");
    struct gate_case *c = gate_add_case(gate, before->name);
    c->file = gate_copy(file);
    for (size_t i = 0; i < seeds; i++) {
        struct gate_pair *pair = gate_add_pair(c, i);
        pair->before = (struct gate_run){.there = true, .status = CLI_OK};
        pair->after = pair->before;
    }
    for (size_t i = 0; i < seeds; i++) {
        const bool turned = toss && rng_below(toss, 2) == 1;
        for (size_t k = 0; k < before->metric_count; k++)
            gate_set_figure(c, i, turned, before->metrics[k].name,
                            before->metrics[k].before[chosen[i]]);
        for (size_t k = 0; k < after->metric_count; k++)
            gate_set_figure(c, i, !turned, after->metrics[k].name,
                            after->metrics[k].before[chosen[i]]);
    }
    gate_judge(gate);
}

/* The first `seeds` places of a shuffled list. */
static void choose(size_t *places, size_t count, size_t seeds, struct rng *rng)
{
    for (size_t i = 0; i < seeds; i++) {
        size_t at = i + (size_t)rng_below(rng, count - i), place = places[at];
        places[at] = places[i];
        places[i] = place;
    }
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = "calibration";
    struct gate before, after;
    struct rng rng;
    size_t alarms = 0, of_propagation = 0;
    if (argc != 5 && argc != 6)
        die("calibrate BEFORE.db AFTER.db GATES SEEDS [toss]");
    read_record(&before, argv[1]);
    read_record(&after, argv[2]);
    const size_t gates = (size_t)atoi(argv[3]), seeds = (size_t)atoi(argv[4]);
    const size_t count = before.cases[0].pair_count;
    if (seeds < 1 || seeds > count || count != after.cases[0].pair_count)
        die("both records need the same seeds, and more than are drawn");
    size_t *places = calloc(count, sizeof *places);
    if (!places)
        die("no memory");
    for (size_t i = 0; i < count; i++) {
        places[i] = i;
        if (before.cases[0].pairs[i].seed != after.cases[0].pairs[i].seed)
            die("both records need the same seeds");
    }
    rng_fork(&rng, seed, "gates", 0);
    for (size_t i = 0; i < gates; i++) {
        struct gate gate;
        bool propagation = false;
        choose(places, count, seeds, &rng);
        draw(&gate, &before.cases[0], &after.cases[0], places, seeds, argc == 6 ? &rng : NULL);
        alarms += gate.worse > 0;
        for (size_t k = 0; k < gate.cases[0].metric_count; k++) {
            const struct gate_metric *m = &gate.cases[0].metrics[k];
            propagation = propagation ||
                          (m->change == GATE_WORSE && strncmp(m->name, "propagation_", 12) == 0);
            if (i == 0)
                fprintf(stderr, "  %-20s %+.2f %% [%+.2f, %+.2f] p=%.3g %s\n", m->name,
                        100 * m->compare.change, 100 * m->compare.low, 100 * m->compare.high, m->p,
                        gate_change_name(m->change));
        }
        of_propagation += propagation;
        gate_free(&gate);
    }
    printf("%zu of %zu gates raise an alarm, %zu of propagation\n", alarms, gates, of_propagation);
    free(places);
    gate_free(&before);
    gate_free(&after);
    return 0;
}
