/* A socket's life: see tcp_internal.h for its states.
 *
 * Reading goes into the space that the owner names, or into the loop's buffer, and is handed on at
 * once. An end of stream or an error is noted and told in the next flush, as is the end of writing
 * out. Closing politely means: write everything, send the end of stream, and read until the other
 * end closes too (for LINGER_NS at most), since a socket closed with bytes unread answers with a
 * reset, which may overtake what was written last (RFC 1122, 4.2.2.13). */
#include "transport-tcp/tcp_internal.h"
#include "transport-tcp/tcp_shape.h"

#include <string.h>
#include <sys/socket.h>

#define LINGER_NS  UINT64_C(2000000000)
#define CLOSING_NS UINT64_C(10000000000)
#define KEPT_SPARE 65536u
#define LINGER_MAX 256u /* beyond that many there is no waiting for the other end */

/* ---- lists ---- */

static void list_put(struct tcp_link **first, struct tcp_link *link)
{
    link->prev = NULL;
    link->next = *first;
    if (*first)
        (*first)->prev = link;
    *first = link;
}

static void list_take(struct tcp_link **first, struct tcp_link *link)
{
    if (link->prev)
        link->prev->next = link->next;
    else
        *first = link->next;
    if (link->next)
        link->next->prev = link->prev;
    link->next = link->prev = NULL;
}

/* The owner will not hear of it again. */
static void disown(struct tcp_link *link)
{
    struct tcp_owner *owner = link->owner;
    if (link->state == LINK_CLOSING) {
        owner->stats.closing--;
    } else {
        list_take(&owner->links, link);
        owner->stats.links--;
    }
    u64map_remove(&owner->by_id, link->id);
    link->owner = NULL;
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct tcp_link *link = (struct tcp_link *)handle;
    struct vn_tcp *tcp = link->tcp;
    assert(!link->out && !link->owner);
    if (link->dirty) /* whoever takes it from that list frees it */
        link->freed = true;
    else
        mem_free(link);
    tcp_file_give(tcp);
}

/* Off the loop's lists and away from its owner. */
static void detach(struct tcp_link *link)
{
    if (link->state == LINK_CLOSING || link->state == LINK_LINGERING) {
        list_take(&link->tcp->ending, link);
        link->tcp->ending_count--;
    } else if (link->state == LINK_GHOST) {
        list_take(&link->tcp->ghosts, link);
    }
    if (link->owner)
        disown(link);
}

static void die(struct tcp_link *link)
{
    uv_os_fd_t fd;
    if (link->state == LINK_DEAD)
        return;
    if (link->abort && uv_fileno((uv_handle_t *)&link->handle, &fd) == 0) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    tcp_shape_free(link);
    tcp_write_drop(link);
    detach(link);
    link->state = LINK_DEAD;
    uv_close((uv_handle_t *)&link->handle, on_closed);
}

void tcp_link_haunt(struct tcp_link *link, enum tcp_ghost ghost)
{
    if (link->state == LINK_CONNECTING) { /* there is no other end */
        die(link);
        return;
    }
    if (link->state >= LINK_LINGERING)
        return;
    tcp_write_drop(link);
    tcp_shape_drop(link);
    detach(link);
    link->state = LINK_GHOST;
    link->ghost = (uint8_t)ghost;
    list_put(&link->tcp->ghosts, link);
    tcp_link_read(link, ghost == GHOST_HALF);
    if (ghost == GHOST_LATE)
        tcp_shape_end(link, true);
}

void tcp_link_rest(struct tcp_link *link)
{
    assert(link->state == LINK_GHOST);
    if (link->shape && link->ghost != GHOST_LATE) {
        link->ghost = GHOST_LATE;
        tcp_shape_end(link, true);
    } else {
        die(link);
    }
}

void tcp_link_drop(struct tcp_link *link, bool abort)
{
    link->abort = abort;
    if (link->shape && !link->failed && link->state < LINK_LINGERING)
        tcp_link_haunt(link, GHOST_LATE);
    else
        die(link);
}

void tcp_link_abort(struct tcp_link *link)
{
    link->abort = true;
    tcp_link_fail(link, VN_WHY_RESET);
}

void tcp_link_fail(struct tcp_link *link, enum vn_why why)
{
    if (link->failed || link->state >= LINK_LINGERING)
        return;
    link->failed = true;
    link->why = (uint8_t)why;
    tcp_dirty(link);
}

void tcp_link_close(struct tcp_link *link)
{
    if (link->state == LINK_CONNECTING) {
        tcp_link_fail(link, VN_WHY_LOCAL_CLOSED);
        return;
    }
    if (link->state != LINK_UP)
        return;
    list_take(&link->owner->links, link);
    link->owner->stats.links--;
    link->owner->stats.closing++;
    link->state = LINK_CLOSING;
    link->close_ns = vn_tcp_now_ns(link->tcp);
    list_put(&link->tcp->ending, link);
    link->tcp->ending_count++;
    if (link->shape)
        tcp_shape_end(link, false);
    tcp_dirty(link);
}

/* All is written: the end of stream, and then what the other end still sends goes unread. */
static void linger(struct tcp_link *link)
{
    uv_os_fd_t fd;
    if (link->tcp->ending_count > LINGER_MAX || uv_fileno((uv_handle_t *)&link->handle, &fd) != 0 ||
        shutdown(fd, SHUT_WR) != 0) {
        die(link);
        return;
    }
    link->state = LINK_LINGERING;
    link->close_ns = vn_tcp_now_ns(link->tcp);
    tcp_link_read(link, true);
}

/* It is over: written out, failed, or given up. */
static void settle_end(struct tcp_link *link)
{
    struct tcp_owner *owner = link->owner;
    bool closing = link->state == LINK_CLOSING;
    enum vn_why why = closing ? VN_WHY_LOCAL_CLOSED : (enum vn_why)link->why;
    bool told = link->told;
    tcp_write_drop(link);
    if (closing && !link->failed) {
        disown(link);
        linger(link);
    } else if (link->ghost != GHOST_NONE) {
        tcp_link_haunt(link, (enum tcp_ghost)link->ghost);
    } else if (link->shape && why == VN_WHY_LOCAL_CLOSED) { /* the other end is not to hear yet */
        link->abort = true;
        tcp_link_haunt(link, GHOST_LATE);
    } else {
        die(link);
    }
    if (!told)
        owner->on_down(owner, link, why);
}

void tcp_link_settle(struct tcp_link *link)
{
    if (link->freed) {
        mem_free(link);
        return;
    }
    struct tcp_owner *owner = link->owner;
    if (!owner)
        return;
    uint64_t sent = tcp_shape_sent(link, tcp_write_flush(link));
    if (sent > 0 && link->state == LINK_UP && !link->failed)
        owner->on_sent(owner, link, sent);
    bool closing = link->state == LINK_CLOSING;
    if (!link->failed && !(closing && !link->out && tcp_shape_idle(link)))
        return;
    settle_end(link);
}

void tcp_ending_drop(struct vn_tcp *tcp, const struct tcp_owner *owner)
{
    struct tcp_link *link = tcp->ending;
    while (link) {
        struct tcp_link *next = link->next;
        if (!owner)
            die(link);
        else if (link->owner == owner)
            tcp_link_drop(link, true);
        link = next;
    }
    while (!owner && tcp->ghosts)
        die(tcp->ghosts);
}

/* Who does not take what we said last, or does not close, has had time enough. */
void tcp_on_ending_timer(uv_timer_t *timer)
{
    struct vn_tcp *tcp = timer->data;
    struct tcp_link *link = tcp->ending;
    uint64_t now_ns = vn_tcp_now_ns(tcp);
    while (link) {
        struct tcp_link *next = link->next;
        if (link->state == LINK_LINGERING && now_ns - link->close_ns > LINGER_NS)
            die(link);
        else if (link->state == LINK_CLOSING && now_ns - link->close_ns > CLOSING_NS)
            tcp_link_fail(link, VN_WHY_LOCAL_CLOSED);
        link = next;
    }
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tcp_link *link = (struct tcp_link *)handle;
    struct vn_tcp *tcp = link->tcp;
    struct tcp_owner *owner = link->state == LINK_UP ? link->owner : NULL;
    (void)suggested;
    if (!owner || !owner->on_alloc || !owner->on_alloc(owner, link, &tcp->reading))
        tcp->reading = tcp_read_space(tcp);
    *buf = uv_buf_init((char *)tcp->reading.buf->data + tcp->reading.off, tcp->reading.len);
}

/* Hands on what was read. The owner may keep a part of the buffer, and all of it stays with that
 * part then: of a peer that sends little it gets not the loop's large buffer but one of the size of
 * what came, so that nobody pins more than twice that and KEPT_SPARE (PROTOCOL-0.1, section 1). */
static void hand_on(struct tcp_link *link, struct vn_slice data)
{
    const bool large =
        data.buf == link->tcp->read_buf && 2 * (uint64_t)data.len + KEPT_SPARE < data.buf->len;
    if (large) {
        struct vn_buf *exact = vn_buf_new(data.len);
        memcpy(exact->data, vn_slice_data(data), data.len);
        data = (struct vn_slice){exact, 0, data.len};
    }
    link->owner->stats.bytes_in += data.len;
    link->owner->stats.reads++;
    link->owner->on_bytes(link->owner, link, data);
    if (large)
        vn_slice_unref(data);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct tcp_link *link = (struct tcp_link *)stream;
    struct vn_tcp *tcp = link->tcp;
    (void)buf;
    if (n > 0 && link->state == LINK_UP && !link->failed)
        hand_on(link, (struct vn_slice){tcp->reading.buf, tcp->reading.off, (uint32_t)n});
    tcp_read_done(tcp);
    if (link->state == LINK_GHOST && n != 0) { /* its machine knows nothing of it */
        link->abort = true;
        die(link);
    }
    if (n >= 0)
        return;
    uv_read_stop(stream);
    if (link->state == LINK_LINGERING)
        die(link);
    else
        tcp_link_fail(link, n == UV_EOF ? VN_WHY_REMOTE_CLOSED : VN_WHY_RESET);
}

void tcp_link_read(struct tcp_link *link, bool on)
{
    link->reading = on;
    if (link->state < LINK_UP || link->state == LINK_DEAD)
        return;
    if (!on || (link->owner && link->owner->standing))
        uv_read_stop((uv_stream_t *)&link->handle);
    else if (uv_read_start((uv_stream_t *)&link->handle, on_alloc, on_read) < 0)
        tcp_link_fail(link, VN_WHY_RESET);
}

/* ---- the beginning ---- */

struct tcp_link *tcp_link_new(struct vn_tcp *tcp, struct tcp_owner *owner, uint64_t id,
                              const struct vn_addr *remote)
{
    bool good = tcp_file_take(tcp);
    struct tcp_link *link = mem_new(1, sizeof *link);
    uv_tcp_init(tcp->loop, &link->handle);
    link->id = id;
    link->tcp = tcp;
    link->owner = owner;
    link->handle.data = owner->user;
    link->remote = *remote;
    link->reading = true;
    list_put(&owner->links, link);
    u64map_put(&owner->by_id, link);
    owner->stats.links++;
    if (tcp->shaper)
        tcp_shape_new(link);
    if (!good)
        tcp_link_fail(link, VN_WHY_UNREACHABLE);
    return link;
}

void tcp_link_up(struct tcp_link *link)
{
    link->state = LINK_UP;
    uv_tcp_nodelay(&link->handle, 1);
    tcp_link_read(link, link->reading);
    link->owner->on_up(link->owner, link);
}

struct vn_addr tcp_link_local(const struct tcp_link *link)
{
    struct sockaddr_storage sys = {0};
    int len = sizeof sys;
    struct vn_addr addr = {0};
    if (uv_tcp_getsockname(&link->handle, (struct sockaddr *)&sys, &len) == 0)
        tcp_addr_from_sys(&sys, &addr);
    return addr;
}
