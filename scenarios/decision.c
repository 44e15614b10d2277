/* See decision.h. */
#include "scenarios/decision.h"

#include "scenarios/run.h"
#include "scenarios/swarm.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HOSTS_ROOM 24u /* of a range's text, and of what closes a set */

/* All that callers write fits but for sets of hosts, texts and values, which look at the room. */
static void put(struct decision *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct decision *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(d->json + d->len, sizeof d->json - d->len, fmt, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof d->json - d->len);
    d->len += (size_t)n;
}

static bool room(const struct decision *d, size_t n)
{
    return d->len + n + HOSTS_ROOM < DECISION_JSON;
}

void decision_begin(struct decision *d, const char *kind)
{
    d->kind = kind;
    d->last_key = NULL;
    d->mends = false;
    d->len = 0;
    put(d, "{");
}

static void put_key(struct decision *d, const char *key)
{
    assert(!d->last_key || strcmp(d->last_key, key) < 0);
    put(d, "%s\"%s\":", d->last_key ? "," : "", key);
    d->last_key = key;
}

void decision_number(struct decision *d, const char *key, uint64_t value)
{
    put_key(d, key);
    put(d, "%" PRIu64, value);
}

void decision_real(struct decision *d, const char *key, double value)
{
    put_key(d, key);
    put(d, "%.17g", value);
}

void decision_flag(struct decision *d, const char *key, bool value)
{
    put_key(d, key);
    put(d, "%s", value ? "true" : "false");
}

void decision_text(struct decision *d, const char *key, const char *value)
{
    put_key(d, key);
    put(d, "\"");
    for (; *value && room(d, 6); value++) {
        uint8_t c = (uint8_t)*value;
        if (c == '"' || c == '\\')
            put(d, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            put(d, "\\u%04x", c);
        else
            put(d, "%c", c);
    }
    put(d, "\"");
}

void decision_dist(struct decision *d, const char *key, const struct sim_dist *dist)
{
    static const char *const names[] = {
        [SIM_CONSTANT] = "constant",       [SIM_UNIFORM] = "uniform",    [SIM_NORMAL] = "normal",
        [SIM_LOGNORMAL] = "lognormal",     [SIM_PARETO] = "pareto",      [SIM_LOMAX] = "lomax",
        [SIM_EXPONENTIAL] = "exponential", [SIM_EMPIRICAL] = "empirical"};
    const double ab[] = {dist->a, dist->b};
    bool one = dist->kind == SIM_CONSTANT || dist->kind == SIM_EXPONENTIAL;
    const double *values = dist->kind == SIM_EMPIRICAL ? dist->values : ab;
    size_t n = dist->kind == SIM_EMPIRICAL ? dist->n : one ? 1 : 2;
    put_key(d, key);
    put(d, "{\"%s\":[", names[dist->kind]);
    for (size_t i = 0; i < n; i++) {
        if (!room(d, 32)) {
            put(d, ",\"+%zu\"", n - i);
            break;
        }
        put(d, "%s%.17g", i > 0 ? "," : "", values[i]);
    }
    put(d, "]}");
}

void decision_hosts(struct decision *d, const char *key, const uint32_t *hosts, uint32_t n)
{
    put_key(d, key);
    put(d, "[");
    uint32_t end;
    for (uint32_t i = 0; i < n; i = end) {
        end = i + 1;
        while (end < n && hosts[end] == hosts[end - 1] + 1)
            end++;
        const char *comma = i > 0 ? "," : "";
        if (!room(d, HOSTS_ROOM)) {
            put(d, "%s\"+%" PRIu32 "\"", comma, n - i);
            break;
        }
        if (end - i > 1)
            put(d, "%s\"%" PRIu32 "-%" PRIu32 "\"", comma, hosts[i], hosts[end - 1]);
        else
            put(d, "%s%" PRIu32, comma, hosts[i]);
    }
    put(d, "]");
}

static bool is_among(const uint32_t *list, size_t count, uint32_t no)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == no)
            return true;
    return false;
}

static bool is_left_out(const struct engine_options *o, uint32_t no)
{
    return is_among(o->without, o->without_count, no) ||
           (o->has_only && !is_among(o->only, o->only_count, no));
}

bool decision_take(struct run *run, struct decision *d)
{
    const struct engine_observer *o = &run->options->observer;
    uint32_t no = ++run->decisions;
    const char *refusal = swarm_refuses(run, d);
    bool taken = !is_left_out(run->options, no) && !refusal;
    put(d, "}");
    if (o->on_decision)
        o->on_decision(o->ctx, run_now(run), no, d->kind, d->json, taken);
    if (!taken && !run->options->has_only) /* what is left is told, where that is less */
        run_step(run, "left out", -1, "%s, decision %" PRIu32 "%s", d->kind, no,
                 refusal ? refusal : "");
    return taken;
}
