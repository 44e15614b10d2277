/* See net.h. This file: what time and behaviour do to a link: timers, scores, bans. */
#include "core/peer/net.h"

#include "core/peer/timeout.h"

#include <string.h>

#define NS_PER_S         UINT64_C(1000000000)
#define ANSWER_PACE      16384u /* bytes a second of an unfinished answer that is worth its time */
#define ANSWER_WAITS_MAX 4u     /* waits in all that such an answer gets */

void net_score(struct net *net, struct peer *peer, enum score_event event)
{
    if (!peer->rep)
        return;
    if (score_is_useful(event))
        peer->useful_ns = net->now_ns;
    score_decay(peer->rep, net->now_ns, net->cfg.score_half_life_ns);
    bool crossed = score_apply(peer->rep, event);
    net->shamed = net->shamed || peer->rep->score <= SCORE_PROBATION;
    if (net_traces(net, VN_TR_SCORE))
        net_trace(net, &(struct vn_trace){.kind = VN_TR_SCORE,
                                          .link = peer->link,
                                          .addr = &peer->remote,
                                          .a = (uint64_t)(int64_t)peer->rep->score,
                                          .b = (uint64_t)(int64_t)score_points(event),
                                          .c = score_is_evidence(event),
                                          .text = score_name(event)});
    if (crossed)
        net_ban(net, peer->rep, net->cfg.ban_ns);
}

void net_identify(struct net *net, struct peer *peer, const uint8_t key[32])
{
    peer->rep = scores_get(&net->scores, key);
    if (!peer->rep)
        return;
    peer->rep->users++;
    if (!peer->rep->limits)
        return;
    limits_inherit(&peer->limits, peer->rep->limits);
    peer->given = peer->rep->given;
}

void net_unidentify(struct net *net, struct peer *peer)
{
    struct reputation *rep = peer->rep;
    peer->rep = NULL; /* the shell outlives its hold on the entry */
    if (!rep)
        return;
    rep->users--;
    if (!limits_owing(&peer->limits, net->now_ns)) {
        mem_free(rep->limits);
        rep->limits = NULL;
        return;
    }
    if (!rep->limits)
        rep->limits = mem_new(1, sizeof *rep->limits);
    *rep->limits = peer->limits;
    rep->given = peer->given;
}

int32_t net_score_of(const struct net *net, const struct reputation *rep)
{
    return rep ? score_at(rep, net->now_ns, net->cfg.score_half_life_ns) : 0;
}

void net_violation(struct net *net, struct peer *peer, const char *what)
{
    if (peer->closed)
        return;
    net_trace(
        net, &(struct vn_trace){
                 .kind = VN_TR_VIOLATION, .link = peer->link, .addr = &peer->remote, .text = what});
    net_score(net, peer, SCORE_VIOLATION);
    net_close(net, peer, VN_WHY_PROTOCOL);
}

/* ---- limits ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

bool net_charge(struct net *net, struct peer *peer, enum limit_kind kind, uint64_t bytes)
{
    bool probation = net_on_probation(net, peer);
    switch (limits_take(&peer->limits, &net->cfg, kind, bytes, probation, net->now_ns)) {
    case LIMIT_PASS:
        break;
    case LIMIT_WAIT:
        peer->owes = peer->owes || kind != LIMIT_SERVE;
        net_update_reading(net, peer);
        break;
    case LIMIT_DROP:
        return false;
    case LIMIT_OFFENCE:
        net_violation(net, peer, limits_offence(kind));
        return false;
    }
    return true;
}

uint64_t net_ready_ns(const struct net *net, const struct peer *peer, enum limit_kind kind)
{
    bool probation = net_on_probation(net, peer);
    return limits_ready_ns(&peer->limits, &net->cfg, kind, probation, net->now_ns);
}

/* When a link that owes may be read again, or its requests be answered; VN_NEVER: it does not wait
 * for tokens. */
static uint64_t tokens_at_ns(const struct net *net, const struct peer *peer)
{
    uint64_t at = VN_NEVER;
    if (peer->owes)
        at = net_ready_ns(net, peer, LIMIT_BLOCK);
    if (peer->served_count > 0 && peer->errands->load_token == 0) {
        uint64_t serve = net_ready_ns(net, peer, LIMIT_SERVE);
        at = serve != 0 ? earlier(at, serve) : at;
    }
    return at;
}

/* ---- bans ---- */

void net_store_ban(struct net *net, const uint8_t key[32])
{
    const struct reputation *rep = scores_find(&net->scores, key);
    struct vn_slice said = {0};
    uint64_t until_ns = 0;
    if (score_banned(rep, net->now_ns)) {
        uint64_t wall_ns = net_wall_ns(net);
        until_ns = add_sat(wall_ns, rep->banned_until_ns - net->now_ns);
        said = (struct vn_slice){vn_buf_new(8), 0, 8};
        put_be64(said.buf->data, wall_ns);
    }
    net_store(net, VN_STORE_BAN, key, 32, until_ns, said);
}

void net_ban(struct net *net, struct reputation *rep, uint64_t for_ns)
{
    uint64_t until_ns = for_ns ? add_sat(net->now_ns, for_ns) : 0;
    score_set_ban(&net->scores, rep, until_ns, net->now_ns);
    net_store_ban(net, rep->key);
    if (until_ns == 0) {
        net_trace(net, &(struct vn_trace){.kind = VN_TR_UNBAN});
        return;
    }
    net->shamed = true;
    for (struct peer *peer = net->first; peer; peer = peer->next) {
        if (peer->rep != rep || peer->closed)
            continue;
        net_trace(net, &(struct vn_trace){.kind = VN_TR_BAN,
                                          .link = peer->link,
                                          .addr = &peer->remote,
                                          .a = add_sat(net_wall_ns(net), for_ns)});
        net_close(net, peer, VN_WHY_BANNED);
    }
}

bool net_addr_key(const struct net *net, const struct vn_addr *addr, uint8_t key[32])
{
    if (!score_by_id(net->cfg.ban_by, addr)) {
        score_key_ip(key, addr);
        return true;
    }
    const struct addr_entry *entry = addrs_find(&net->addrs, addr);
    return entry && net_entry_key(net, entry, key);
}

bool net_entry_key(const struct net *net, const struct addr_entry *entry, uint8_t key[32])
{
    if (!score_by_id(net->cfg.ban_by, &entry->addr)) {
        score_key_ip(key, &entry->addr);
        return true;
    }
    if (entry->id_key)
        memcpy(key, entry->id_key, 32);
    return entry->id_key != NULL;
}

bool net_banned(struct net *net, struct reputation *rep)
{
    if (!rep || rep->banned_until_ns == 0)
        return false;
    if (score_banned(rep, net->now_ns))
        return true;
    net_ban(net, rep, 0);
    return false;
}

/* ---- timers ---- */

/* When patience with the link ends, or it is to be pinged. */
static uint64_t patience_ns(const struct net *net, const struct peer *peer)
{
    const struct vn_config *cfg = &net->cfg;
    if (!peer->up)
        return add_sat(peer->began_ns, cfg->connect_timeout_ns);
    if (!peer_ready(peer))
        return timeout_handshake_ns(cfg, peer);
    uint64_t at = timeout_idle_ns(cfg, peer);
    if (!peer->read_stopped && peer->errands->ping_ns == 0)
        at = earlier(at, add_sat(peer->last_seen_ns, cfg->ping_after_ns));
    for (uint32_t kind = 0; kind < REQUEST_KINDS; kind++)
        at = earlier(at, peer->errands->requests[kind].deadline_ns);
    return earlier(at, timeout_stall_ns(cfg, peer));
}

static uint64_t peer_deadline(const struct net *net, const struct peer *peer)
{
    const uint64_t tokens = peer_ready(peer) ? tokens_at_ns(net, peer) : VN_NEVER;
    return earlier(tokens, patience_ns(net, peer));
}

void net_deadline_audit(const struct net *net, const struct peer *peer, struct audit *audit)
{
    const uint64_t at = timer_armed(&peer->timer) ? peer->timer.at_ns : VN_NEVER;
    audit_at_most(audit, "when a link's timer fires", at, patience_ns(net, peer));
    audit_true(audit, "a link that owes is woken by nobody", !peer->owes || at != VN_NEVER);
    if (peer->owes && !net->shamed) { /* probation changes how soon, and ends by itself */
        const uint64_t ready_ns = net_ready_ns(net, peer, LIMIT_BLOCK);
        audit_at_most(audit, "when a link that owes is read again", at,
                      ready_ns > net->now_ns ? ready_ns : net->now_ns);
    }
}

void net_peer_rearm(struct net *net, struct peer *peer)
{
    if (peer->closed)
        return;
    uint64_t at = peer_deadline(net, peer);
    if (!timer_armed(&peer->timer) || peer->timer.at_ns != at)
        timers_arm(&net->timers, &peer->timer, at);
}

static void send_ping(struct net *net, struct peer *peer)
{
    peer_errands_begin(peer);
    struct errands *errands = peer->own_errands;
    errands->ping_ns = net->now_ns;
    errands->ping_nonce = rng_u64(&net->ping_rng);
    struct msg msg = {.kind = MSG_PING, .u.ping.nonce = errands->ping_nonce};
    net_send_msg(net, peer, &msg, LANE_CONTROL);
}

bool net_answer_coming(const struct net *net, const struct peer *peer, enum request_kind kind)
{
    const struct request *request = &peer->errands->requests[kind];
    uint64_t waited_ns = net->now_ns - request->sent_ns;
    return request_open(request) && waited_ns < ANSWER_WAITS_MAX * net->cfg.response_timeout_ns &&
           peer->framer.part.len >= waited_ns / NS_PER_S * ANSWER_PACE;
}

static uint32_t requests_due(struct net *net, struct peer *peer)
{
    uint32_t due = 0;
    for (uint32_t kind = 0; kind < REQUEST_KINDS; kind++) {
        struct request *request = &peer->own_errands->requests[kind];
        if (request->deadline_ns > net->now_ns || !request_open(request))
            continue;
        if (net_answer_coming(net, peer, (enum request_kind)kind)) {
            request->deadline_ns = add_sat(net->now_ns, net->cfg.response_timeout_ns);
            continue;
        }
        request->deadline_ns = VN_NEVER;
        request->abandoned++;
        request->timeouts++;
        due |= 1u << kind;
    }
    if (due)
        net_score(net, peer, SCORE_SLOW_RESPONSE);
    return due;
}

static void timed_out(struct net *net, struct peer *peer, enum vn_why why)
{
    net_score(net, peer, SCORE_TIMEOUT);
    net_close(net, peer, why);
}

uint32_t net_peer_timer(struct net *net, struct timer *timer, struct peer **out)
{
    struct peer *peer = (struct peer *)(void *)((char *)timer - offsetof(struct peer, timer));
    const struct vn_config *cfg = &net->cfg;
    *out = peer;
    uint32_t due = 0;
    if (!peer->up) {
        if (add_sat(peer->began_ns, cfg->connect_timeout_ns) <= net->now_ns)
            net_close(net, peer, VN_WHY_UNREACHABLE);
    } else if (!peer_ready(peer)) {
        if (timeout_handshake_ns(cfg, peer) <= net->now_ns)
            timed_out(net, peer, VN_WHY_TIMEOUT);
    } else if (timeout_stall_ns(cfg, peer) <= net->now_ns) {
        timed_out(net, peer, VN_WHY_STALLED);
    } else if (timeout_idle_ns(cfg, peer) <= net->now_ns) {
        timed_out(net, peer, VN_WHY_TIMEOUT);
    } else {
        if (!peer->read_stopped && peer->errands->ping_ns == 0 &&
            add_sat(peer->last_seen_ns, cfg->ping_after_ns) <= net->now_ns)
            send_ping(net, peer);
        due = requests_due(net, peer);
        peer_errands_end(peer);
    }
    if (peer->owes)
        net_update_reading(net, peer);
    net_peer_rearm(net, peer);
    return due;
}
