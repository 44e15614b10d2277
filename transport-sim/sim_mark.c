/* Marks: what a run was like up to a time, in one number, for as many times as are worth keeping.
 *
 * A trace hash says that two runs differ; marks say from when on. Each hash that a host has
 * at the end of a cycle, which covers its events and what came of them, is mixed with the host's
 * number and added to the sum of the stretch of simulated time in which it happened. A sum does not
 * depend on the order of its terms, so that it is the same whether hosts run by time or apart
 * (sim_window.c), and no host is looked at that has nothing to do. When a run outgrows
 * SIM_HASH_MARKS stretches, two neighbours become one. */
#include "transport-sim/sim_internal.h"

#define SHIFT_FIRST 20u /* 1.05 ms */

void mark_init(struct sim *sim)
{
    sim->marks.shift = SHIFT_FIRST;
}

static void thin(struct sim_marks *marks)
{
    for (uint32_t i = 0; i < SIM_HASH_MARKS / 2; i++) {
        marks->of[i].hash = marks->of[2 * i].hash + marks->of[2 * i + 1].hash;
        marks->of[i].events = marks->of[2 * i].events + marks->of[2 * i + 1].events;
    }
    for (uint32_t i = SIM_HASH_MARKS / 2; i < SIM_HASH_MARKS; i++)
        marks->of[i].hash = marks->of[i].events = 0;
    marks->count = (marks->count + 1) / 2;
    marks->shift++;
}

void mark_add(struct sim *sim, uint32_t host, uint64_t hash)
{
    struct sim_marks *marks = &sim->marks;
    while (sim->now_ns >> marks->shift >= SIM_HASH_MARKS)
        thin(marks);
    const uint32_t at = (uint32_t)(sim->now_ns >> marks->shift);
    /* The multipliers are those of splitmix64 (see sim_draw). */
    uint64_t z = hash + (host + UINT64_C(1)) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    marks->of[at].hash += z ^ z >> 27;
    marks->of[at].events += marks->given;
    marks->given = 0;
    if (at >= marks->count)
        marks->count = at + 1;
}

uint32_t sim_hash_marks(const struct sim *sim, struct sim_hash_mark *out)
{
    const struct sim_marks *marks = &sim->marks;
    uint64_t hash = 0, events = 0;
    for (uint32_t i = 0; i < marks->count; i++) {
        hash += marks->of[i].hash;
        events += marks->of[i].events;
        out[i] = (struct sim_hash_mark){(i + UINT64_C(1)) << marks->shift, events, hash};
    }
    return marks->count;
}
