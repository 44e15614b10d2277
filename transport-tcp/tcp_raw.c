/* Scripted peers: an owner that hands on what it hears. What it does not read stays in the kernel;
 * what it is to write waits without bound. */
#include "transport-tcp/tcp_raw.h"

struct tcp_raw {
    struct tcp_owner owner; /* first */
    struct tcp_raw_ops ops;
    struct vn_addr from;
    uint64_t next_dialled; /* odd */
    void (*on_gone)(void *ctx);
    void *gone_ctx;
};

static struct tcp_raw *raw_of(struct tcp_owner *owner)
{
    return (struct tcp_raw *)owner;
}

static void on_up(struct tcp_owner *owner, struct tcp_link *link)
{
    const struct tcp_raw_ops *ops = &raw_of(owner)->ops;
    if (ops->on_link)
        ops->on_link(ops->ctx, link->id, &link->remote);
}

static void on_bytes(struct tcp_owner *owner, struct tcp_link *link, struct vn_slice data)
{
    const struct tcp_raw_ops *ops = &raw_of(owner)->ops;
    if (ops->on_bytes)
        ops->on_bytes(ops->ctx, link->id, data);
}

static void on_sent(struct tcp_owner *owner, struct tcp_link *link, uint64_t bytes)
{
    (void)owner;
    (void)link;
    (void)bytes;
}

static void on_down(struct tcp_owner *owner, struct tcp_link *link, enum vn_why why)
{
    const struct tcp_raw_ops *ops = &raw_of(owner)->ops;
    if (ops->on_close)
        ops->on_close(ops->ctx, link->id, why);
    if (owner->stats.throttled)
        tcp_listen_resume(owner);
}

static void on_gone(struct tcp_owner *owner)
{
    struct tcp_raw *raw = raw_of(owner);
    void (*told)(void *ctx) = raw->on_gone;
    void *ctx = raw->gone_ctx;
    mem_free(raw);
    if (told)
        told(ctx);
}

struct tcp_raw *tcp_raw_new(struct vn_tcp *tcp, const struct vn_addr *listen, void *user,
                            const struct tcp_raw_ops *ops, char *why, size_t size)
{
    struct tcp_raw *raw = mem_new(1, sizeof *raw);
    raw->owner = (struct tcp_owner){.on_up = on_up,
                                    .on_bytes = on_bytes,
                                    .on_sent = on_sent,
                                    .on_down = on_down,
                                    .on_gone = on_gone,
                                    .takes = true,
                                    .user = user,
                                    .handles = 1}; /* its own */
    raw->ops = *ops;
    raw->next_dialled = 1;
    tcp_owner_init(&raw->owner, tcp);
    if (listen) {
        raw->from = *listen;
        raw->from.port = 0;
        if (!tcp_listen(&raw->owner, listen, 1, 128, why, size)) {
            tcp_raw_free(raw, NULL, NULL);
            return NULL;
        }
        tcp_listen_resume(&raw->owner);
    }
    return raw;
}

void tcp_raw_free(struct tcp_raw *raw, void (*told)(void *ctx), void *ctx)
{
    raw->on_gone = told;
    raw->gone_ctx = ctx;
    tcp_owner_close(&raw->owner);
    tcp_owner_handle_gone(&raw->owner);
}

uint64_t tcp_raw_dial(struct tcp_raw *raw, const struct vn_addr *remote)
{
    uint64_t id = raw->next_dialled;
    raw->next_dialled += 2;
    tcp_owner_dial(&raw->owner, id, remote, &raw->from);
    return id;
}

bool tcp_raw_send(struct tcp_raw *raw, uint64_t id, struct vn_slice data)
{
    struct tcp_link *link = tcp_owner_find(&raw->owner, id);
    if (!link || link->state != LINK_UP || link->failed) {
        vn_slice_unref(data);
        return false;
    }
    tcp_write(link, &data, 1);
    return true;
}

bool tcp_raw_close(struct tcp_raw *raw, uint64_t id)
{
    struct tcp_link *link = tcp_owner_find(&raw->owner, id);
    if (!link || link->state > LINK_UP || link->failed)
        return false;
    link->told = true;
    tcp_link_close(link);
    return true;
}

bool tcp_raw_read(struct tcp_raw *raw, uint64_t id, bool on)
{
    struct tcp_link *link = tcp_owner_find(&raw->owner, id);
    if (!link || link->state != LINK_UP || link->failed)
        return false;
    tcp_link_read(link, on);
    return true;
}

struct tcp_owner *tcp_raw_owner(struct tcp_raw *raw)
{
    return &raw->owner;
}
