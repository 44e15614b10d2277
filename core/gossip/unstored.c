/* See unstored.h. */
#include "core/gossip/unstored.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

#define CAPACITY_MIN 8u

static void drop(struct unstored *u, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        u->bytes -= u->bodies[i].len;
        vn_slice_unref(u->bodies[i]);
    }
}

/* An idle node holds nothing: most blocks are durable before the next one comes. */
static void free_if_empty(struct unstored *u)
{
    if (u->count > 0)
        return;
    mem_free(u->bodies);
    *u = (struct unstored){0};
}

void unstored_clear(struct unstored *u)
{
    drop(u, 0, u->count);
    u->count = 0;
    free_if_empty(u);
}

void unstored_cut(struct unstored *u, uint64_t height)
{
    if (height >= unstored_end(u))
        return;
    uint32_t kept = height > u->first ? (uint32_t)(height - u->first) : 0;
    drop(u, kept, u->count);
    u->count = kept;
    free_if_empty(u);
}

void unstored_release(struct unstored *u, uint64_t height)
{
    if (u->count == 0 || height <= u->first)
        return;
    uint64_t below = height - u->first;
    uint32_t gone = below < u->count ? (uint32_t)below : u->count;
    drop(u, 0, gone);
    u->count -= gone;
    u->first += gone;
    memmove(u->bodies, u->bodies + gone, u->count * sizeof *u->bodies);
    free_if_empty(u);
}

void unstored_push(struct unstored *u, uint64_t height, struct vn_slice body)
{
    assert(body.len > 0 && (u->count == 0 || height == unstored_end(u)));
    if (u->count == 0)
        u->first = height;
    if (u->count == u->capacity) {
        u->capacity = u->capacity ? u->capacity * 2 : CAPACITY_MIN;
        u->bodies = mem_resize(u->bodies, u->capacity, sizeof *u->bodies);
    }
    u->bodies[u->count++] = body;
    u->bytes += body.len;
}

struct vn_slice unstored_at(const struct unstored *u, uint64_t height)
{
    if (height < u->first || height >= unstored_end(u))
        return (struct vn_slice){0};
    return u->bodies[height - u->first];
}

void unstored_audit(const struct unstored *u, struct audit *audit)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < u->count; i++)
        bytes += u->bodies[i].len;
    audit_equal(audit, "bytes of blocks that no disk is known to have", u->bytes, bytes);
    audit_true(audit, "memory for blocks that all are durable", u->count > 0 || !u->bodies);
}
