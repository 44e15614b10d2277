/* See peer.h. */
#include "core/peer/peer.h"

#include "core/peer/addrs.h"

#include <string.h>

/* From (row) to (column). */
static const bool legal[VN_PEER_STATES][VN_PEER_STATES] = {
    [VN_PEER_DISCONNECTED] = {[VN_PEER_CONNECTING] = true, /* we dial */
                              [VN_PEER_CONNECTED] = true,  /* it dialled us */
                              [VN_PEER_BANNED] = true},
    [VN_PEER_CONNECTING] = {[VN_PEER_CONNECTED] = true,    /* link up */
                            [VN_PEER_DISCONNECTED] = true, /* the dial failed */
                            [VN_PEER_FAILED] = true,       /* ... once too often */
                            [VN_PEER_BANNED] = true},
    [VN_PEER_CONNECTED] = {[VN_PEER_READY] = true,        /* handshake complete */
                           [VN_PEER_DISCONNECTED] = true, /* refused, timed out or closed */
                           [VN_PEER_FAILED] = true,
                           [VN_PEER_BANNED] = true},
    [VN_PEER_READY] = {[VN_PEER_DISCONNECTED] = true, /* closed */
                       [VN_PEER_BANNED] = true},
    [VN_PEER_FAILED] = {[VN_PEER_CONNECTING] = true, /* tried again */
                        [VN_PEER_CONNECTED] = true,  /* it dialled us */
                        [VN_PEER_BANNED] = true},
    [VN_PEER_BANNED] = {[VN_PEER_DISCONNECTED] = true}, /* the ban is over, or lifted */
};

/* Bytes of Pongs and requests that are not served. */
#define CONTROL_BYTES_STOP  65536u
#define CONTROL_BYTES_START 32768u
#define SERVED_STOP         64u
#define SERVED_START        32u

/* A full default window of requests. */
#define SERVED_MAX 16384u

bool peer_overfed(const struct peer *peer)
{
    uint32_t control = peer->outbox.lane_bytes[LANE_CONTROL];
    return control > (peer->read_stopped ? CONTROL_BYTES_START : CONTROL_BYTES_STOP) ||
           peer->served_count > (peer->read_stopped ? SERVED_START : SERVED_STOP);
}

bool peer_asks_too_much(const struct peer *peer)
{
    return peer->served_count >= SERVED_MAX;
}

bool peer_state_legal(enum vn_peer_state from, enum vn_peer_state to)
{
    return legal[from][to];
}

bool peer_listens_at(const struct peer *peer, const struct vn_addr *addr)
{
    const struct vn_addr listen = peer_listen(peer);
    return addr_equal(&listen, addr);
}

const char *peer_node_id(const struct peer *peer)
{
    return peer->names ? peer->names->shown : "";
}

const char *peer_version(const struct peer *peer)
{
    return peer->names ? peer->names->shown + strlen(peer->names->shown) + 1 : "";
}

/* ---- what is under way ---- */

static const struct errands no_errands = {
    .requests =
        {[REQUEST_BLOCK] = {.deadline_ns = VN_NEVER}, [REQUEST_RANGE] = {.deadline_ns = VN_NEVER}},
};

void peer_errands_init(struct peer *peer)
{
    peer->errands = &no_errands;
}

void peer_errands_begin(struct peer *peer)
{
    if (peer->errands != &no_errands)
        return;
    peer->own_errands = mem_new(1, sizeof *peer->own_errands);
    *peer->own_errands = no_errands;
}

void peer_errands_deinit(struct peer *peer)
{
    if (peer->errands != &no_errands) {
        mem_free(peer->own_errands->served);
        mem_free(peer->own_errands);
    }
    peer_errands_init(peer);
}

uint64_t peer_errands_bytes(const struct peer *peer)
{
    if (peer->errands == &no_errands)
        return 0;
    return sizeof *peer->errands + (uint64_t)peer->errands->served_cap * sizeof(struct served);
}

void peer_errands_end(struct peer *peer)
{
    const struct errands *errands = peer->errands;
    if (peer->served_count > 0 || errands->load_token != 0 || errands->ping_ns != 0 ||
        errands->pongs_owed > 0)
        return;
    for (uint32_t kind = 0; kind < REQUEST_KINDS; kind++) {
        const struct request *request = &errands->requests[kind];
        if (request->deadline_ns != VN_NEVER || request->abandoned > 0 || request->timeouts > 0)
            return;
    }
    peer_errands_deinit(peer);
}

void peer_errands_audit(const struct peer *peer, struct audit *audit)
{
    const struct errands *errands = peer->errands;
    audit_at_most(audit, "requests to be answered, in their place",
                  (uint64_t)errands->served_head + peer->served_count, errands->served_cap);
    audit_true(audit, "an empty queue of requests has memory",
               peer->served_count > 0 || !errands->served);
    audit_true(audit, "a disk is asked for a request that is gone",
               peer->served_count > 0 || errands->load_token == 0);
    if (peer->closed)
        audit_equal(audit, "errands of a link that ended", peer_errands_bytes(peer), 0);
}
