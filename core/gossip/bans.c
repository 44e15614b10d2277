/* See bans.h. */
#include "core/gossip/bans.h"

#include <string.h>

#define KEY_SIZE    32u
#define RECORD_SIZE (8 + KEY_SIZE) /* end and key; then when it was said */

/* At most so much is left of a ban whose record does not tell when it was said: a year. */
#define LEFT_MAX_NS (UINT64_C(31536000) * 1000000000)

/* A jump of the wall clock from which on the times in the store are put right. */
#define JUMP_NS (UINT64_C(60) * 1000000000)

/* What is left of a ban that was said at wall time `said` to end at `until`. */
static uint64_t left_ns(uint64_t said, uint64_t until, uint64_t wall_ns)
{
    uint64_t from = wall_ns > said ? wall_ns : said;
    return until > from ? until - from : 0;
}

void bans_load(struct gossip *g, struct vn_slice record)
{
    const uint8_t *data = vn_slice_data(record);
    struct net *net = g->net;
    if (record.len != RECORD_SIZE && record.len != RECORD_SIZE + 8)
        return;
    uint64_t until = get_be64(data);
    uint64_t said = until > LEFT_MAX_NS ? until - LEFT_MAX_NS : 0;
    if (record.len > RECORD_SIZE)
        said = get_be64(data + RECORD_SIZE);
    uint64_t left = left_ns(said, until, net_wall_ns(net));
    if (left == 0) { /* who never comes back would stay for ever */
        net_store_ban(net, data + 8);
        return;
    }
    struct reputation *rep = scores_get(&net->scores, data + 8);
    if (rep && rep->banned_until_ns == 0) {
        net->shamed = true;
        score_set_ban(&net->scores, rep, add_sat(net->now_ns, left), net->now_ns);
    }
}

void bans_leave(struct gossip *g, const struct vn_store_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].op != VN_STORE_BAN)
            continue;
        if (g->bans_pending_count == g->bans_pending_capacity) {
            g->bans_pending_capacity = g->bans_pending_capacity ? g->bans_pending_capacity * 2 : 4;
            g->bans_pending =
                mem_resize(g->bans_pending, g->bans_pending_capacity, sizeof *g->bans_pending);
        }
        memcpy(g->bans_pending[g->bans_pending_count++], items[i].key, KEY_SIZE);
    }
}

void bans_durable(struct gossip *g)
{
    mem_free(g->bans_pending);
    g->bans_pending = NULL;
    g->bans_pending_count = g->bans_pending_capacity = 0;
}

void bans_tell_again(struct gossip *g)
{
    for (uint32_t i = 0; i < g->bans_pending_count; i++)
        net_store_ban(g->net, g->bans_pending[i]);
    bans_durable(g);
}

void bans_on_clock(struct gossip *g, uint64_t was_ns)
{
    uint64_t is_ns = net_wall_ns(g->net);
    uint64_t jump_ns = is_ns > was_ns ? is_ns - was_ns : was_ns - is_ns;
    if (g->loading || jump_ns < JUMP_NS || g->net->scores.bans == 0)
        return;
    for (const struct reputation *rep = g->net->scores.first; rep; rep = rep->next)
        if (rep->banned_until_ns != 0)
            net_store_ban(g->net, rep->key);
}
