/* A list of changes that stays within a bound: once it is too long, what stays is the last change
 * of each thing in each interval of time, and the interval doubles as often as it takes. */
#ifndef VIBESIM_PAGE_CHANGE_H
#define VIBESIM_PAGE_CHANGE_H

#include <stddef.h>
#include <stdint.h>

struct change {
    uint64_t t_ns;
    uint32_t a, b; /* what changes: a node, or a link between two */
    uint32_t value;
};

/* All zero but `most` is an empty one. */
struct changes {
    struct change *list; /* by time */
    size_t count, room;
    size_t most;          /* in the end */
    uint64_t interval_ns; /* 0: nothing was left out */
};

/* Times must not decrease. */
void change_add(struct changes *c, const struct change *change);
/* Makes it at most `most` long. */
void change_end(struct changes *c);
void change_free(struct changes *c);

#endif
