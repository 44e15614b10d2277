/* Metrics and `sometimes` over several runs; see tally.h. */
#include "vibesim/tally.h"

#include <stdlib.h>
#include <string.h>

static void *grown(void *array, size_t count, size_t size)
{
    void *p = realloc(array, count * size);
    if (!p)
        abort();
    return p;
}

static char *copy(const char *text)
{
    char *p = strdup(text);
    if (!p)
        abort();
    return p;
}

static struct tally_metric *metric_of(struct tally *t, const char *name)
{
    for (size_t i = 0; i < t->metric_count; i++) {
        size_t at = (t->hint + i) % t->metric_count;
        if (strcmp(t->metrics[at].name, name) == 0) {
            t->hint = at;
            return &t->metrics[at];
        }
    }
    t->metrics = grown(t->metrics, t->metric_count + 1, sizeof *t->metrics);
    t->hint = t->metric_count;
    t->metrics[t->metric_count] = (struct tally_metric){.name = copy(name)};
    return &t->metrics[t->metric_count++];
}

void tally_add_metric(struct tally *t, const char *name, double value)
{
    struct tally_metric *m = metric_of(t, name);
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 16;
        m->values = grown(m->values, m->capacity, sizeof *m->values);
    }
    m->values[m->count++] = value;
    t->hint++;
}

void tally_add_sometime(struct tally *t, const char *text, const char *place, bool hit)
{
    size_t i = 0;
    while (i < t->sometime_count && strcmp(t->sometimes[i].text, text) != 0)
        i++;
    if (i == t->sometime_count) {
        t->sometimes = grown(t->sometimes, ++t->sometime_count, sizeof *t->sometimes);
        t->sometimes[i] = (struct tally_sometime){.text = copy(text), .place = copy("")};
    }
    struct tally_sometime *s = &t->sometimes[i];
    if (place && !*s->place) {
        free(s->place);
        s->place = copy(place);
    }
    s->runs++;
    s->hits += hit;
}

/* Total: equal numbers are alike, and there is no NaN. */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct tally_spread tally_spread(struct tally_metric *m)
{
    qsort(m->values, m->count, sizeof *m->values, by_value);
    double low = m->values[(m->count - 1) / 2], high = m->values[m->count / 2];
    return (struct tally_spread){
        .min = m->values[0],
        .median = low + (high - low) / 2,
        .max = m->values[m->count - 1],
        .p95 = m->values[(m->count * 95 + 99) / 100 - 1],
    };
}

uint64_t tally_never(const struct tally *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->sometime_count; i++)
        n += t->sometimes[i].hits == 0;
    return n;
}

void tally_clear(struct tally *t)
{
    for (size_t i = 0; i < t->metric_count; i++) {
        free(t->metrics[i].name);
        free(t->metrics[i].values);
    }
    for (size_t i = 0; i < t->sometime_count; i++) {
        free(t->sometimes[i].text);
        free(t->sometimes[i].place);
    }
    free(t->metrics);
    free(t->sometimes);
    *t = (struct tally){0};
}
