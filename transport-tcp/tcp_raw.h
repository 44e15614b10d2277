/* A scripted peer: listens, dials and talks as its user says, without a core. For tests, and for
 * worlds in which scripts play strangers. */
#ifndef TCP_RAW_H
#define TCP_RAW_H

#include "transport-tcp/tcp_internal.h"

struct tcp_raw;

/* Each may be NULL. They are called from the loop, and may call everything but tcp_raw_free. */
struct tcp_raw_ops {
    void *ctx;
    void (*on_link)(void *ctx, uint64_t link, const struct vn_addr *remote);
    void (*on_bytes)(void *ctx, uint64_t link, struct vn_slice data); /* borrowed */
    /* Not after tcp_raw_close. */
    void (*on_close)(void *ctx, uint64_t link, enum vn_why why);
};

/* Listens on *listen (NULL: it does not) and dials from its IP. NULL, and one line in why. */
struct tcp_raw *tcp_raw_new(struct vn_tcp *tcp, const struct vn_addr *listen, void *user,
                            const struct tcp_raw_ops *ops, char *why, size_t size);
/* Resets its links and stops listening; gone when the loop says so, before vn_tcp_close tells. */
void tcp_raw_free(struct tcp_raw *raw, void (*on_gone)(void *ctx), void *ctx);

/* The new link's id (odd); on_link or on_close follows. */
uint64_t tcp_raw_dial(struct tcp_raw *raw, const struct vn_addr *remote);
/* Without bound. The reference is given away. False: there is no such open link. */
bool tcp_raw_send(struct tcp_raw *raw, uint64_t link, struct vn_slice data);
/* Sends what waits, then closes. False: there is no such link. */
bool tcp_raw_close(struct tcp_raw *raw, uint64_t link);
/* Takes no more bytes from the link, or goes on. */
bool tcp_raw_read(struct tcp_raw *raw, uint64_t link, bool on);

struct tcp_owner *tcp_raw_owner(struct tcp_raw *raw);

#endif
