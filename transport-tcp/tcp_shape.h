/* What holds back what links write, between the core and the socket: for worlds that impose delay,
 * rate and cuts on real sockets. Without a shaper nothing of this is there.
 *
 * Each link has a queue of what it was given, each piece with a time in the nodes' clock before
 * which it does not leave. A piece that is due asks whether it may pass; it leaves into tcp_write.c
 * then, or waits for a time, or for tcp_shape_retry. What comes behind it waits for it. A dial and
 * the end of a stream are pieces, too. SENT is told when the kernel took the bytes, so a core's
 * window is taken up by what is held back. */
#ifndef TCP_SHAPE_H
#define TCP_SHAPE_H

#include "transport-tcp/tcp_internal.h"

/* The link's own `ctx` is at tcp_shape_ctx. */
struct tcp_shaper {
    void *ctx;
    /* A link was made, or ends for good; its `remote` is known. */
    void (*on_link)(void *ctx, struct tcp_link *link);
    void (*on_gone)(void *ctx, struct tcp_link *link);
    /* A slice to be written: tcp_shape_put it, whole or in pieces. Its reference is given away. */
    void (*on_write)(void *ctx, struct tcp_link *link, struct vn_slice slice, uint64_t now_ns);
    /* A dial that is made now: when it leaves, or why there is no way (other than VN_WHY_NONE). */
    enum vn_why (*on_dial)(void *ctx, struct tcp_link *link, uint64_t now_ns, uint64_t *due_ns);
    /* When an end of stream that is made now leaves. */
    uint64_t (*end_ns)(void *ctx, struct tcp_link *link, uint64_t now_ns);
    /* now_ns or less: the link's next piece may leave; later: ask again then; VN_NEVER: at
     * tcp_shape_retry. */
    uint64_t (*pass_ns)(void *ctx, struct tcp_link *link, uint64_t now_ns);
};

/* Before any link is made; *shaper is borrowed. */
static inline void tcp_shape_set(struct vn_tcp *tcp, const struct tcp_shaper *shaper)
{
    assert(tcp->files == 0);
    tcp->shaper = shaper;
}

/* From on_write: these bytes leave at due_ns (or with the piece before them, if that is later).
 * The reference is given away. added: they are more than was given, and nobody hears of them. */
void tcp_shape_put(struct tcp_link *link, struct vn_slice slice, uint64_t due_ns, bool added);
/* Asks for all pieces that are due. */
void tcp_shape_retry(struct vn_tcp *tcp);
/* Nothing passes on this link any more. */
void tcp_shape_lose(struct tcp_link *link);
/* Where the shaper keeps what it knows of the link, NULL at first; NULL for a link without shape.
 */
void **tcp_shape_ctx(struct tcp_link *link);

/* ---- for the rest of transport-tcp ---- */

void tcp_shape_new(struct tcp_link *link);
void tcp_shape_free(struct tcp_link *link);
void tcp_shape_write(struct tcp_link *link, const struct vn_slice *slices, uint32_t count);
void tcp_shape_dial(struct tcp_link *link, const struct vn_addr *from);
/* The end of stream; abort: instead of what is held, and it ends the ghost. */
void tcp_shape_end(struct tcp_link *link, bool abort);
/* Drops what is held. */
void tcp_shape_drop(struct tcp_link *link);
/* Nothing is held. */
bool tcp_shape_idle(const struct tcp_link *link);
/* Of so many bytes that left, how many the owner gave. */
uint64_t tcp_shape_sent(struct tcp_link *link, uint64_t bytes);

#endif
