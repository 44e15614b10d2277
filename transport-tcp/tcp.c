/* What the nodes of one loop share: see tcp.h.
 *
 * One turn of libuv's loop: its callbacks step nodes, whose links gather what they are to write;
 * after them (check), and before it sleeps (prepare: for what timers and calls from outside did),
 * the flush goes over the links on the dirty list. Flushing tells owners what was sent or is over,
 * and so can make more links dirty: some rounds of that, and if there is still more, the loop looks
 * for new input before it goes on, without sleeping. */
#include "transport-tcp/tcp_internal.h"

#include <stdlib.h>
#include <sys/resource.h>

#define FLUSH_ROUNDS    16u
#define FILES_RESERVED  64u
#define ENDING_CHECK_MS 500u

void vn_tcp_options_init(struct vn_tcp_options *options)
{
    struct rlimit limit = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t files = limit.rlim_cur < UINT32_MAX ? limit.rlim_cur : UINT32_MAX;
    *options = (struct vn_tcp_options){
        .size = sizeof *options,
        .window = 1u << 20,
        .read_bytes = 256u << 10,
        .max_files = (uint32_t)(files > 2 * FILES_RESERVED ? files - FILES_RESERVED : files / 2),
        .speed = 1,
    };
}

static bool options_check(const struct vn_tcp_options *o)
{
    return o->size == sizeof *o && o->loop && o->window >= 4096 && o->window <= 1u << 30 &&
           o->read_bytes >= 4096 && o->read_bytes <= 64u << 20 && o->speed >= 1 &&
           o->speed <= 1000 && o->max_files > 0;
}

/* ---- the clock ---- */

uint64_t vn_tcp_now_ns(const struct vn_tcp *tcp)
{
    uint64_t now_ns = (tcp->stopped_at_ns ? tcp->stopped_at_ns : uv_hrtime()) - tcp->stopped_ns;
    if (tcp->options.speed == 1)
        return now_ns;
    return tcp->began_ns + (now_ns - tcp->began_ns) * tcp->options.speed;
}

uint64_t tcp_ms_until(const struct vn_tcp *tcp, uint64_t t_ns)
{
    const uint64_t ms_ns = UINT64_C(1000000) * tcp->options.speed;
    uint64_t now_ns = vn_tcp_now_ns(tcp);
    return t_ns <= now_ns ? 0 : (t_ns - now_ns - 1) / ms_ns + 1;
}

/* ---- the flush ---- */

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

void tcp_dirty(struct tcp_link *link)
{
    struct vn_tcp *tcp = link->tcp;
    if (link->dirty)
        return;
    if (!tcp->dirty)
        uv_idle_start(&tcp->idle, on_idle); /* no sleep before the next flush */
    link->dirty = true;
    link->next_dirty = NULL;
    *tcp->dirty_tail = link;
    tcp->dirty_tail = &link->next_dirty;
}

static void flush(struct vn_tcp *tcp)
{
    for (uint32_t round = 0; tcp->dirty && round < FLUSH_ROUNDS; round++) {
        struct tcp_link *link = tcp->dirty;
        tcp->dirty = NULL;
        tcp->dirty_tail = &tcp->dirty;
        while (link) { /* the handle of a dropped one lives until libuv gives it back */
            struct tcp_link *next = link->next_dirty;
            link->dirty = false;
            tcp_link_settle(link);
            link = next;
        }
    }
    if (!tcp->dirty)
        uv_idle_stop(&tcp->idle);
}

static void on_prepare(uv_prepare_t *prepare)
{
    flush(prepare->data);
}

static void on_check(uv_check_t *check)
{
    flush(check->data);
}

/* ---- buffers to read into ---- */

struct vn_slice tcp_read_space(struct vn_tcp *tcp)
{
    if (!tcp->read_buf)
        tcp->read_buf = vn_buf_new(tcp->options.read_bytes);
    return (struct vn_slice){tcp->read_buf, 0, tcp->read_buf->len};
}

/* One that a node kept a part of is the node's from now on. */
void tcp_read_done(struct vn_tcp *tcp)
{
    struct vn_buf *buf = tcp->read_buf;
    if (!buf || tcp->reading.buf != buf)
        return;
    if (buf->refs == 1) {
        buf->memo = 0;
        buf->memo_by = NULL;
        return;
    }
    vn_buf_unref(buf);
    tcp->read_buf = NULL;
}

/* ---- descriptors ---- */

bool tcp_file_take(struct vn_tcp *tcp)
{
    return ++tcp->files <= tcp->options.max_files;
}

void tcp_file_give(struct vn_tcp *tcp)
{
    assert(tcp->files > 0);
    tcp->files--;
    if (tcp->handles == 0)
        tcp_free_if_done(tcp);
}

/* ---- beginning and end ---- */

struct vn_tcp *vn_tcp_new(const struct vn_tcp_options *options)
{
    if (!options_check(options))
        return NULL;
    struct vn_tcp *tcp = mem_new(1, sizeof *tcp);
    tcp->options = *options;
    tcp->loop = options->loop;
    tcp->began_ns = uv_hrtime();
    tcp->dirty_tail = &tcp->dirty;
    uv_prepare_init(tcp->loop, &tcp->prepare);
    uv_check_init(tcp->loop, &tcp->check);
    uv_idle_init(tcp->loop, &tcp->idle);
    uv_timer_init(tcp->loop, &tcp->ending_timer);
    tcp->handles = 4;
    tcp->prepare.data = tcp->check.data = tcp->idle.data = tcp->ending_timer.data = tcp;
    uv_prepare_start(&tcp->prepare, on_prepare);
    uv_check_start(&tcp->check, on_check);
    uv_timer_start(&tcp->ending_timer, tcp_on_ending_timer, ENDING_CHECK_MS, ENDING_CHECK_MS);
    /* None of them is a reason to go on. */
    uv_unref((uv_handle_t *)&tcp->prepare);
    uv_unref((uv_handle_t *)&tcp->check);
    uv_unref((uv_handle_t *)&tcp->ending_timer);
    return tcp;
}

static void outs_free(struct vn_tcp *tcp)
{
    while (tcp->free_outs) {
        struct tcp_out *out = tcp->free_outs;
        tcp->free_outs = out->next_free;
        mem_free(out->slices);
        mem_free(out);
    }
}

/* When libuv has given back all handles, those of links included. */
void tcp_free_if_done(struct vn_tcp *tcp)
{
    if (tcp->handles > 0 || tcp->files > 0)
        return;
    void (*done)(void *ctx) = tcp->on_closed;
    void *ctx = tcp->closed_ctx;
    while (tcp->dirty) {
        struct tcp_link *link = tcp->dirty;
        tcp->dirty = link->next_dirty;
        assert(link->freed);
        mem_free(link);
    }
    vn_buf_unref(tcp->read_buf);
    outs_free(tcp);
    mem_free(tcp);
    if (done)
        done(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct vn_tcp *tcp = handle->data;
    tcp->handles--;
    tcp_free_if_done(tcp);
}

void vn_tcp_close(struct vn_tcp *tcp, void (*on_closed)(void *ctx), void *ctx)
{
    tcp_ending_drop(tcp, NULL);
    tcp->on_closed = on_closed;
    tcp->closed_ctx = ctx;
    uv_close((uv_handle_t *)&tcp->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&tcp->check, on_handle_closed);
    uv_close((uv_handle_t *)&tcp->idle, on_handle_closed);
    uv_close((uv_handle_t *)&tcp->ending_timer, on_handle_closed);
}
