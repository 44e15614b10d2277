/* A miner for development networks: at exponentially distributed times (as proof of work makes
 * them) it solves a real block on the tip, with what the mempool holds. A search that is not lucky
 * goes on a millisecond later, so that no step takes long. */
#include "core/gossip/gossip.h"

#define TRIES_PER_STEP  16384u
#define RETRY_NS        UINT64_C(1000000)

static struct vn_buf *search(struct gossip *g)
{
    const struct vn_config *cfg = &g->net->cfg;
    if (!g->mine_busy)
        g->mine_nonce = rng_u64(&g->mine_rng); /* so that two miners never search the same */
    uint32_t waiting = mempool_count(g->pool);
    uint32_t max = waiting < cfg->mine_max_txs ? waiting : cfg->mine_max_txs;
    uint8_t *ids = max ? mem_new(max, HASH_SIZE) : NULL;
    uint32_t count = max ? mempool_select(g->pool, ids, max) : 0;
    struct vn_buf *body = chain_mine(g->chain, ids, count, g->state_root, net_wall_s(g->net),
                                     g->mine_nonce, TRIES_PER_STEP);
    mem_free(ids);
    g->mine_busy = body == NULL;
    g->mine_nonce += TRIES_PER_STEP;
    return body;
}

bool miner_mine_now(struct gossip *g)
{
    struct vn_buf *body = search(g);
    if (!body)
        return false;
    struct reader r = reader_over(body->data, body->len);
    struct block_view view;
    wire_read_block(&r, &view);
    net_trace(g->net, &(struct vn_trace){.kind = VN_TR_MINED,
                                         .hash = view.hash,
                                         .a = view.height,
                                         .b = view.tx_count});
    enum chain_result result = blocks_add(g, NULL, &view, (struct vn_slice){body, 0, body->len},
                                          FROM_SELF, (struct vn_slice){0});
    vn_buf_unref(body);
    return result == CHAIN_ACCEPTED;
}

static void arm_next(struct gossip *g)
{
    uint64_t wait = rng_exponential_ns(&g->mine_rng, g->mine_interval_ns);
    timers_arm(&g->net->timers, &g->mine_timer, add_sat(g->net->now_ns, add_sat(wait, 1)));
}

void miner_start(struct gossip *g, uint64_t interval_ns)
{
    g->mine_interval_ns = interval_ns;
    g->mine_busy = false;
    timers_disarm(&g->net->timers, &g->mine_timer);
    if (interval_ns && !g->loading) /* else it starts when the stored chain is read */
        arm_next(g);
}

void miner_on_timer(struct gossip *g)
{
    if (g->mine_interval_ns == 0)
        return;
    if (!miner_mine_now(g) && g->mine_busy)
        timers_arm(&g->net->timers, &g->mine_timer, add_sat(g->net->now_ns, RETRY_NS));
    else
        arm_next(g);
}
