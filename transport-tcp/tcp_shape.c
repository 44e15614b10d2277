/* The queues behind tcp_shape.h: per link a ring of pieces, and a timer of libuv for the first of
 * them. A shape outlives its link by the time that libuv needs to give its timer back. */
#include "transport-tcp/tcp_shape.h"

enum held_kind { HELD_BYTES, HELD_ADDED, HELD_DIAL, HELD_END, HELD_ABORT };

struct held {
    struct vn_slice slice;
    uint64_t due_ns;
    enum held_kind kind;
};

struct tcp_shape {
    struct tcp_link *link;
    struct vn_tcp *tcp;
    struct tcp_shape *next, *prev; /* of all in the loop */
    void *ctx;
    uv_timer_t timer;
    struct vn_addr from; /* of the dial */
    struct held *held;   /* a ring */
    uint32_t first, count, capacity;
    uint64_t bytes; /* held, those that count in queued_bytes */
    uint64_t added; /* bytes that left and that nobody hears of */
    bool lost;
    bool releasing;
};

/* ---- the ring ---- */

static struct held *held_at(const struct tcp_shape *shape, uint32_t i)
{
    return &shape->held[(shape->first + i) & (shape->capacity - 1)];
}

static void grow(struct tcp_shape *shape)
{
    uint32_t capacity = shape->capacity ? shape->capacity * 2 : 16;
    struct held *held = mem_new(capacity, sizeof *held);
    for (uint32_t i = 0; i < shape->count; i++)
        held[i] = *held_at(shape, i);
    mem_free(shape->held);
    shape->held = held;
    shape->first = 0;
    shape->capacity = capacity;
}

static void count_bytes(struct tcp_shape *shape, int64_t bytes)
{
    shape->bytes += (uint64_t)bytes;
    if (shape->link->owner)
        shape->link->owner->stats.queued_bytes += (uint64_t)bytes;
}

static void push(struct tcp_shape *shape, enum held_kind kind, struct vn_slice slice,
                 uint64_t due_ns)
{
    if (shape->count == shape->capacity)
        grow(shape);
    if (shape->count > 0 && held_at(shape, shape->count - 1)->due_ns > due_ns)
        due_ns = held_at(shape, shape->count - 1)->due_ns;
    *held_at(shape, shape->count++) = (struct held){slice, due_ns, kind};
    count_bytes(shape, slice.len);
}

static struct held pop(struct tcp_shape *shape)
{
    struct held held = *held_at(shape, 0);
    shape->first = (shape->first + 1) & (shape->capacity - 1);
    shape->count--;
    count_bytes(shape, -(int64_t)held.slice.len);
    return held;
}

/* ---- letting go ---- */

static void let_go(struct tcp_shape *shape, struct held held)
{
    struct tcp_link *link = shape->link;
    switch (held.kind) {
    case HELD_ADDED:
    case HELD_BYTES:
        shape->added += held.kind == HELD_ADDED ? held.slice.len : 0;
        tcp_write_now(link, &held.slice, 1);
        return;
    case HELD_DIAL:
        tcp_dial_now(link, &shape->from);
        return;
    case HELD_END: /* the flush sees that nothing is held any more */
        tcp_dirty(link);
        return;
    case HELD_ABORT:
        tcp_link_rest(link);
        return;
    }
}

static void on_timer(uv_timer_t *timer);

/* Lets go what may, and arms the timer for what may not yet. */
static void release(struct tcp_shape *shape)
{
    struct vn_tcp *tcp = shape->tcp;
    const struct tcp_shaper *shaper = tcp->shaper;
    if (shape->releasing) /* a dial that fails at once, and the like */
        return;
    shape->releasing = true;
    uv_timer_stop(&shape->timer);
    while (shape->count > 0 && !shape->lost) {
        uint64_t now_ns = vn_tcp_now_ns(tcp);
        uint64_t t_ns = held_at(shape, 0)->due_ns;
        if (t_ns <= now_ns)
            t_ns = shaper->pass_ns(shaper->ctx, shape->link, now_ns);
        if (t_ns > now_ns) {
            if (t_ns != VN_NEVER)
                uv_timer_start(&shape->timer, on_timer, tcp_ms_until(tcp, t_ns), 0);
            break;
        }
        struct held held = pop(shape);
        let_go(shape, held);
        if (held.kind == HELD_ABORT) /* the link, and this, are gone */
            return;
    }
    shape->releasing = false;
}

static void on_timer(uv_timer_t *timer)
{
    release(timer->data);
}

void tcp_shape_retry(struct vn_tcp *tcp)
{
    struct tcp_shape *shape = tcp->shapes;
    while (shape) {
        struct tcp_shape *next = shape->next;
        release(shape);
        shape = next;
    }
}

/* ---- what is given ---- */

void tcp_shape_put(struct tcp_link *link, struct vn_slice slice, uint64_t due_ns, bool added)
{
    push(link->shape, added ? HELD_ADDED : HELD_BYTES, slice, due_ns);
}

void tcp_shape_write(struct tcp_link *link, const struct vn_slice *slices, uint32_t count)
{
    const struct tcp_shaper *shaper = link->tcp->shaper;
    uint64_t now_ns = vn_tcp_now_ns(link->tcp);
    for (uint32_t i = 0; i < count; i++) {
        if (slices[i].len > 0)
            shaper->on_write(shaper->ctx, link, slices[i], now_ns);
        else
            vn_slice_unref(slices[i]);
    }
    release(link->shape);
}

void tcp_shape_dial(struct tcp_link *link, const struct vn_addr *from)
{
    const struct tcp_shaper *shaper = link->tcp->shaper;
    uint64_t now_ns = vn_tcp_now_ns(link->tcp);
    uint64_t due_ns = now_ns;
    enum vn_why why = shaper->on_dial(shaper->ctx, link, now_ns, &due_ns);
    if (why != VN_WHY_NONE) {
        tcp_link_fail(link, why);
        return;
    }
    link->shape->from = *from;
    push(link->shape, HELD_DIAL, (struct vn_slice){0}, due_ns);
    release(link->shape);
}

void tcp_shape_end(struct tcp_link *link, bool abort)
{
    const struct tcp_shaper *shaper = link->tcp->shaper;
    uint64_t due_ns = shaper->end_ns(shaper->ctx, link, vn_tcp_now_ns(link->tcp));
    if (abort)
        tcp_shape_drop(link);
    push(link->shape, abort ? HELD_ABORT : HELD_END, (struct vn_slice){0}, due_ns);
    release(link->shape);
}

void tcp_shape_drop(struct tcp_link *link)
{
    struct tcp_shape *shape = link->shape;
    while (shape && shape->count > 0)
        vn_slice_unref(pop(shape).slice);
}

void tcp_shape_lose(struct tcp_link *link)
{
    if (!link->shape)
        return;
    link->shape->lost = true;
    uv_timer_stop(&link->shape->timer);
}

bool tcp_shape_idle(const struct tcp_link *link)
{
    return !link->shape || link->shape->count == 0;
}

uint64_t tcp_shape_sent(struct tcp_link *link, uint64_t bytes)
{
    struct tcp_shape *shape = link->shape;
    if (!shape || shape->added == 0)
        return bytes;
    uint64_t added = shape->added < bytes ? shape->added : bytes;
    shape->added -= added;
    return bytes - added;
}

void **tcp_shape_ctx(struct tcp_link *link)
{
    return link->shape ? &link->shape->ctx : NULL;
}

/* ---- beginning and end ---- */

void tcp_shape_new(struct tcp_link *link)
{
    struct vn_tcp *tcp = link->tcp;
    struct tcp_shape *shape = mem_new(1, sizeof *shape);
    shape->link = link;
    shape->tcp = tcp;
    uv_timer_init(tcp->loop, &shape->timer);
    uv_unref((uv_handle_t *)&shape->timer);
    shape->timer.data = shape;
    tcp->handles++;
    shape->next = tcp->shapes;
    if (shape->next)
        shape->next->prev = shape;
    tcp->shapes = shape;
    link->shape = shape;
    if (tcp->shaper->on_link)
        tcp->shaper->on_link(tcp->shaper->ctx, link);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct tcp_shape *shape = handle->data;
    struct vn_tcp *tcp = shape->tcp;
    mem_free(shape->held);
    mem_free(shape);
    tcp->handles--;
    tcp_free_if_done(tcp);
}

void tcp_shape_free(struct tcp_link *link)
{
    struct tcp_shape *shape = link->shape;
    if (!shape)
        return;
    tcp_shape_drop(link);
    if (shape->tcp->shaper->on_gone)
        shape->tcp->shaper->on_gone(shape->tcp->shaper->ctx, link);
    if (shape->prev)
        shape->prev->next = shape->next;
    else
        shape->tcp->shapes = shape->next;
    if (shape->next)
        shape->next->prev = shape->prev;
    link->shape = NULL;
    uv_close((uv_handle_t *)&shape->timer, on_timer_closed);
}
