/* The capture of a run: every event and every drain step, in order, with deep copies of what they
 * point to; and its replay into another node. */
#ifndef NODE_TAPE_H
#define NODE_TAPE_H

#include "core/node.h"

struct tape_entry {
    struct vn_event event; /* kind 0: one call of vn_node_next_action */
    struct vn_command command;
    struct vn_slice *slices; /* LOADED */
};

struct tape {
    struct tape_entry *entries;
    uint32_t count, capacity;
};

void tape_event(struct tape *tape, const struct vn_event *event);
void tape_drain(struct tape *tape);
void tape_deinit(struct tape *tape);

/* Plays all of it; actions are released unperformed. */
void tape_play(const struct tape *tape, struct vn_node *node);

#endif
