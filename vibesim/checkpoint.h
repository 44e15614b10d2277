/* Checkpoints of a process: copies of it, made by fork, that stand still until they are woken.
 *
 * A process that computes something long (a run) calls checkpoint_make now and then. Each call
 * leaves a copy of the process behind, which takes no memory but for the pages that the original
 * changes afterwards. Who controls it (another process, the one of the terminal) can have any copy
 * go on from where it was made: the copy forks once more, and that process goes on, so that the
 * copy can be woken again. The one process that goes on is the head; orders go to it, and answers
 * come back.
 *
 *     controller --orders--> head        (one process that computes)
 *        |  <--answers--
 *        +--wake--> checkpoint, checkpoint, checkpoint ...   (asleep, each on a line of its own)
 *
 * There are never more than CHECKPOINTS_MAX, fewer where memory is short: when they become too
 * many, every other one goes and the distance doubles, so that they are always spread evenly.
 *
 * Processes must have one thread and hold nothing that two must not share (a database, a lock). A
 * checkpoint whose controller has gone ends by itself. SIGCHLD is ignored in all processes of the
 * run, SIGINT in those that sleep. */
#ifndef VIBESIM_CHECKPOINT_H
#define VIBESIM_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECKPOINTS_MAX     64u
#define CHECKPOINT_FIRST    10000u /* the distance that they begin with, in steps */
#define CHECKPOINT_TEXT_MAX 1024u  /* bytes of an order or an answer */

/* Where a computation stands, or shall go: after so many steps, and at a time that grows with them.
 * UINT64_MAX: wherever that is. */
struct checkpoint_place {
    uint64_t steps, t_ns;
};

/* ---- in the process that computes ---- */

struct checkpoint_run {
    int line;
    uint64_t due; /* after how many steps the next checkpoint is wanted */
};

static inline bool checkpoint_due(const struct checkpoint_run *run, uint64_t steps)
{
    return steps >= run->due;
}

/* Leaves a copy of the process behind, which is at that place. False here and now; true in each
 * process that goes on from the copy later: that one has had no order yet. */
bool checkpoint_make(struct checkpoint_run *run, struct checkpoint_place at);

/* Waits for an order of `size` bytes. Does not return if the controller has gone, or does not want
 * this process any more. */
void checkpoint_hear(struct checkpoint_run *run, void *order, size_t size);
void checkpoint_tell(struct checkpoint_run *run, const void *answer, size_t size);

/* ---- in the process that controls ---- */

struct checkpoints;

/* Starts the first head, in which life(run, ctx) is called: it begins with checkpoint_make at 0,
 * which this waits for. NULL with a line in why. Standard streams are
 * flushed first, and shared. */
struct checkpoints *checkpoints_start(void (*life)(struct checkpoint_run *run, void *ctx),
                                      void *ctx, char *why, size_t size);
/* Ends all processes of the run. */
void checkpoints_free(struct checkpoints *c);

/* Makes the nearest checkpoint that is not beyond `to` the head's place, unless the head stands
 * between it and `to` anyway; head: where it stands, as the caller knows from its answers. False
 * with a line in why. *moved: the head is another one. */
bool checkpoints_seek(struct checkpoints *c, struct checkpoint_place head,
                      struct checkpoint_place to, bool *moved, char *why, size_t size);

/* Gives the head an order and waits for its answer. False, with a line in why: the head has died;
 * checkpoints_seek makes another one. */
bool checkpoints_order(struct checkpoints *c, const void *order, size_t order_size, void *answer,
                       size_t answer_size, char *why, size_t size);

/* How many there are, and how far apart at most those are that were made last. */
uint32_t checkpoints_count(const struct checkpoints *c);
uint64_t checkpoints_distance(const struct checkpoints *c);

#endif
