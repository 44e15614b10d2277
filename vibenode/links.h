/* Who is at the other end of a link: traces of messages and blocks name links by number alone. */
#ifndef VIBENODE_LINKS_H
#define VIBENODE_LINKS_H

#include "core/node.h"

struct links {
    struct links_slot *slots; /* open addressing, a power of two of them */
    uint32_t capacity, count;
};

void links_free(struct links *links);

/* Notes LINK_UP, and forgets at LINK_DOWN; other events change nothing. */
void links_event(struct links *links, const struct vn_event *event);

/* NULL if the link is not up. Valid until the next event. */
const struct vn_addr *links_find(const struct links *links, uint64_t link);

#endif
