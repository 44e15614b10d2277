/* NewTransaction: checked by T1-T4 and, if new and valid, pooled and relayed to the others. One
 * that is known costs its sender nothing unless the same link sends it again; one that does not
 * fit, or is more than the link may bring us (core/peer/limits.h), is dropped. */
#include "core/base/buf.h"
#include "core/gossip/account.h"
#include "core/gossip/gossip.h"
#include "core/gossip/relay.h"

/* Is the buffer exactly this frame, so that its memo is about it? */
static bool memo_usable(struct vn_slice payload, uint32_t used)
{
    return payload.off == FRAME_HEADER && used == payload.len &&
           payload.buf->len == payload.len + FRAME_HEADER;
}

static enum rule check(struct gossip *g, const struct tx_view *tx, struct vn_slice payload,
                       uint32_t used)
{
    struct vn_buf *buf = payload.buf;
    bool memo = memo_usable(payload, used);
    int id_ok = memo && (buf_memo(buf) & BUF_TX_ID_OK);
    net_worked(g->net, tx->raw.len);
    enum rule rule = rule_check_tx(tx, net_wall_s(g->net), id_ok);
    if (memo && rule != RULE_T1_ID)
        buf_remember(buf, BUF_TX_ID_OK);
    return rule;
}

static void refused(struct gossip *g, struct peer *peer, const struct tx_view *tx, enum rule rule)
{
    struct net *net = g->net;
    net_trace(net, &(struct vn_trace){.kind = VN_TR_TX_BAD,
                                      .link = peer->link,
                                      .addr = &peer->remote,
                                      .hash = tx->tx_id,
                                      .text = rule_name(rule)});
    if (rule == RULE_T4_AHEAD || rule == RULE_T4_TOO_OLD)
        return; /* the clock that is off may be ours: it must not ban all who relay to us */
    net_score(net, peer, SCORE_INVALID_TX);
}

enum mempool_result tx_accept(struct gossip *g, struct peer *from, const struct tx_view *tx,
                              struct vn_slice raw, struct vn_slice frame)
{
    enum mempool_result result = mempool_add(g->pool, tx, raw);
    if (result != MEMPOOL_ADDED)
        return result;
    if (!timer_armed(&g->expire_timer))
        timers_arm(&g->net->timers, &g->expire_timer, add_sat(g->net->now_ns, TX_EXPIRE_CHECK_NS));
    net_trace(g->net, &(struct vn_trace){
                          .kind = VN_TR_TX_NEW, .link = from ? from->link : 0, .hash = tx->tx_id});
    if (from) {
        mempool_seen_from(g->pool, tx->tx_id, from->slot);
        mempool_brought_by(g->pool, tx->tx_id, from->slot);
        net_score(g->net, from, SCORE_GOOD_TX);
    }
    relay_frame(g, frame, MSG_NEW_TRANSACTION, from, NULL);
    return result;
}

void on_new_transaction(struct gossip *g, struct peer *peer, const struct tx_view *tx,
                        struct vn_slice payload, uint32_t used)
{
    if (mempool_knows(g->pool, tx->tx_id)) {
        if (mempool_seen_from(g->pool, tx->tx_id, peer->slot)) {
            net_score(g->net, peer, SCORE_DUPLICATE_TX);
            net_charge(g->net, peer, LIMIT_UNASKED, used);
        }
        return;
    }
    if (!net_charge(g->net, peer, LIMIT_TX, payload.len))
        return;
    enum rule rule = check(g, tx, payload, used);
    if (rule != RULE_OK) {
        refused(g, peer, tx, rule);
        return;
    }
    if (account_full(g, peer, tx->raw.len))
        return;
    struct vn_slice raw = {payload.buf, payload.off + used - (uint32_t)tx->raw.len,
                           (uint32_t)tx->raw.len};
    struct vn_slice frame = net_frame_of(payload, used);
    tx_accept(g, peer, tx, raw, frame);
    vn_slice_unref(frame);
}
