/* One heap of timers for a node: a binary heap of intrusive entries, ordered by (at_ns, the order
 * of arming), so that equal deadlines fire in a fixed order. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include "core/base/audit.h"

#include <stdbool.h>
#include <stdint.h>

struct timer {
    uint64_t at_ns;
    uint64_t order;
    uint32_t index; /* position in the heap + 1; 0: not armed */
    uint32_t kind;  /* the owner's */
};

struct timers {
    struct timer **heap;
    uint32_t count;
    uint32_t capacity;
    uint64_t next_order;
    uint64_t next_ns; /* of the first, or UINT64_MAX */
};

void timers_init(struct timers *timers);
void timers_deinit(struct timers *timers);

/* Arms, or moves, the timer to at_ns. UINT64_MAX disarms it. */
void timers_arm(struct timers *timers, struct timer *timer, uint64_t at_ns);
void timers_disarm(struct timers *timers, struct timer *timer);

/* The earliest deadline, or UINT64_MAX. */
static inline uint64_t timers_next_ns(const struct timers *timers)
{
    return timers->next_ns;
}

/* Takes the earliest timer that is due at now_ns (at_ns <= now_ns), disarmed; NULL if none is. */
struct timer *timers_pop_due(struct timers *timers, uint64_t now_ns);

/* See audit.h. */
void timers_audit(const struct timers *timers, struct audit *audit);

static inline bool timer_armed(const struct timer *timer)
{
    return timer->index != 0;
}

#endif
