/* A map from links to addresses; see links.h. Link numbers are never used twice and are not a
 * peer's to choose, so a multiplication spreads them well enough. Slots are emptied by moving back
 * what follows (Knuth, The Art of Computer Programming, vol. 3, 6.4, algorithm R). */
#include "vibenode/links.h"

#include <stdlib.h>

#define CAPACITY_MIN 64u

struct links_slot {
    uint64_t link; /* 0: empty */
    struct vn_addr addr;
};

static uint32_t home_of(const struct links *links, uint64_t link)
{
    return (uint32_t)(link * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (links->capacity - 1);
}

/* Where the link is, or where it would be put. */
static uint32_t slot_of(const struct links *links, uint64_t link)
{
    uint32_t i = home_of(links, link);
    while (links->slots[i].link && links->slots[i].link != link)
        i = (i + 1) & (links->capacity - 1);
    return i;
}

static void links_grow(struct links *links)
{
    struct links old = *links;
    links->capacity = old.capacity ? old.capacity * 2 : CAPACITY_MIN;
    links->slots = calloc(links->capacity, sizeof *links->slots);
    if (!links->slots)
        abort();
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.slots[i].link)
            links->slots[slot_of(links, old.slots[i].link)] = old.slots[i];
    free(old.slots);
}

static void links_add(struct links *links, uint64_t link, const struct vn_addr *addr)
{
    if (link == 0)
        return;
    if (links->count + 1 > links->capacity / 2)
        links_grow(links);
    struct links_slot *slot = &links->slots[slot_of(links, link)];
    links->count += slot->link == 0;
    *slot = (struct links_slot){.link = link, .addr = *addr};
}

static void links_remove(struct links *links, uint64_t link)
{
    if (links->count == 0 || link == 0)
        return;
    uint32_t mask = links->capacity - 1;
    uint32_t gap = slot_of(links, link);
    if (!links->slots[gap].link)
        return;
    for (uint32_t i = (gap + 1) & mask; links->slots[i].link; i = (i + 1) & mask) {
        uint32_t home = home_of(links, links->slots[i].link);
        if (((i - home) & mask) < ((i - gap) & mask))
            continue; /* its home lies behind the gap */
        links->slots[gap] = links->slots[i];
        gap = i;
    }
    links->slots[gap].link = 0;
    links->count--;
}

void links_event(struct links *links, const struct vn_event *event)
{
    if (event->kind == VN_EV_LINK_UP)
        links_add(links, event->u.link_up.link, &event->u.link_up.remote);
    else if (event->kind == VN_EV_LINK_DOWN)
        links_remove(links, event->u.link_down.link);
}

const struct vn_addr *links_find(const struct links *links, uint64_t link)
{
    if (links->count == 0 || link == 0)
        return NULL;
    const struct links_slot *slot = &links->slots[slot_of(links, link)];
    return slot->link ? &slot->addr : NULL;
}

void links_free(struct links *links)
{
    free(links->slots);
    *links = (struct links){0};
}
