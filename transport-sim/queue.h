/* The event queue: a radix heap over 64-bit times (Ahuja, Mehlhorn, Orlin, Tarjan 1990), monotone:
 * no event is put before the time of the last one taken. Events of one time come out by
 * (destination, source, the source's own sequence), a total order that no global counter decides.
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 32 bytes. What `kind` and `arg` mean is the caller's. */
struct sim_event {
    uint64_t t_ns;
    uint32_t dst;
    uint32_t src;
    uint64_t seq; /* the source's own; where all of these are equal, kind and arg decide */
    uint32_t kind;
    uint32_t arg;
};

/* The total order: events that are equal here are equal in every byte. */
static inline bool sim_event_before(const struct sim_event *a, const struct sim_event *b)
{
    if (a->t_ns != b->t_ns)
        return a->t_ns < b->t_ns;
    if (a->dst != b->dst)
        return a->dst < b->dst;
    if (a->src != b->src)
        return a->src < b->src;
    if (a->seq != b->seq)
        return a->seq < b->seq;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return a->arg < b->arg;
}

struct sim_queue;

struct sim_queue *sim_queue_new(void);
void sim_queue_free(struct sim_queue *q);

/* event->t_ns >= the time of the last event taken. */
void sim_queue_put(struct sim_queue *q, const struct sim_event *event);

/* Takes the least event whose time is at most limit_ns; false if there is none. */
bool sim_queue_take(struct sim_queue *q, uint64_t limit_ns, struct sim_event *out);

/* The *count events that will probably be taken next, in their order: a hint, to fetch memory
 * early. Good until the next call. */
const struct sim_event *sim_queue_ahead(const struct sim_queue *q, size_t *count);

/* The time of the least event, or UINT64_MAX. */
uint64_t sim_queue_next_ns(struct sim_queue *q);
size_t sim_queue_count(const struct sim_queue *q);
size_t sim_queue_bytes(const struct sim_queue *q);

#endif
