/* See dialer.h. */
#include "core/peer/dialer.h"

#include "core/peer/anchors.h"

#define FEELERS_MAX 1u

static bool usable(const void *ctx, const struct addr_entry *entry)
{
    const struct net *net = ctx;
    uint8_t key[32];
    if (net->scores.bans == 0 || !net_entry_key(net, entry, key))
        return true;
    return !score_banned(scores_find(&net->scores, key), net->now_ns);
}

/* ... and not on probation. */
static bool welcome(const void *ctx, const struct addr_entry *entry)
{
    const struct net *net = ctx;
    uint8_t key[32];
    if (!net_entry_key(net, entry, key))
        return true;
    const struct reputation *rep = scores_find(&net->scores, key);
    return !score_banned(rep, net->now_ns) && net_score_of(net, rep) > SCORE_PROBATION;
}

/* Anchors come first, those on probation last. */
static struct addr_entry *pick(struct net *net, uint64_t *next_ns)
{
    struct addr_entry *entry = anchors_pick(net, net->shamed ? welcome : usable);
    if (!entry && net->shamed)
        entry = addrs_pick(&net->addrs, net->now_ns, &net->dial_rng, welcome, net, next_ns);
    if (!entry)
        entry = addrs_pick(&net->addrs, net->now_ns, &net->dial_rng, usable, net, next_ns);
    return entry;
}

static void dial(struct net *net, struct addr_entry *entry, enum vn_link_class link_class)
{
    uint64_t link = net->next_link;
    net->next_link += 2;
    entry->link = link;
    struct peer *peer = net_peer_new(net, link, &entry->addr, link_class);
    if (addr_given_up(entry, &net->policy))
        peer->state = VN_PEER_FAILED; /* where it was left */
    net_set_state(net, peer, VN_PEER_CONNECTING, VN_WHY_NONE);
    net_peer_rearm(net, peer);
    struct action_entry *action = net_push_action(net, VN_ACT_DIAL, link);
    action->remote = entry->addr;
    action->why = link_class;
}

/* A ban that ends wakes nobody: look again when one may have. retry_failed_ns may be 0, and the
 * timer must move on. */
static uint64_t look_again_ns(const struct net *net)
{
    uint64_t wait = net->cfg.retry_failed_ns;
    if (net->scores.bans == 0)
        return VN_NEVER;
    return add_sat(net->now_ns, wait > net->cfg.backoff_base_ns ? wait : net->cfg.backoff_base_ns);
}

void dialer_run(struct net *net)
{
    net->dial_wanted = false;
    timers_disarm(&net->timers, &net->dial_timer);
    while (net->online && net->outbound < net->cfg.max_outbound) {
        uint64_t next_ns;
        struct addr_entry *entry = pick(net, &next_ns);
        if (!entry) {
            uint64_t look_ns = look_again_ns(net);
            timers_arm(&net->timers, &net->dial_timer, next_ns < look_ns ? next_ns : look_ns);
            return;
        }
        dial(net, entry, VN_CLASS_PEER);
    }
}

static void arm_feeler(struct net *net)
{
    if (net->cfg.feeler_interval_ns == 0)
        return;
    uint64_t wait = rng_exponential_ns(&net->feeler_rng, net->cfg.feeler_interval_ns);
    timers_arm(&net->timers, &net->feeler_timer, add_sat(net->now_ns, wait));
}

void dialer_start(struct net *net)
{
    if (net->shut)
        return;
    net->online = true;
    arm_feeler(net);
    dialer_run(net);
}

void dialer_feel(struct net *net)
{
    if (!net->online)
        return;
    arm_feeler(net);
    uint64_t next_ns;
    struct addr_entry *entry = NULL;
    if (net->feelers < FEELERS_MAX)
        entry = addrs_pick(&net->addrs, net->now_ns, &net->feeler_rng, usable, net, &next_ns);
    if (entry)
        dial(net, entry, VN_CLASS_FEELER);
}

/* Another ready outbound link, drawn at random, or NULL. */
static struct peer *draw_outbound(struct net *net, const struct peer *but)
{
    uint32_t count = 0;
    for (const struct peer *p = net->first; p; p = p->next)
        count += peer_ready(p) && !p->inbound && p->link_class == VN_CLASS_PEER && p != but;
    if (count == 0)
        return NULL;
    uint64_t chosen = rng_below(&net->feeler_rng, count);
    for (struct peer *p = net->first; p; p = p->next)
        if (peer_ready(p) && !p->inbound && p->link_class == VN_CLASS_PEER && p != but &&
            chosen-- == 0)
            return p;
    return NULL;
}

void dialer_promote(struct net *net, struct peer *peer)
{
    if (peer->closed || peer->inbound || peer->link_class != VN_CLASS_FEELER)
        return;
    peer->link_class = VN_CLASS_PEER;
    net->feelers--;
    net->outbound++;
    if (net->outbound <= net->cfg.max_outbound)
        return;
    struct peer *loser = draw_outbound(net, peer);
    if (loser)
        net_close(net, loser, VN_WHY_SHUTDOWN);
}

bool dialer_connect(struct net *net, const struct vn_addr *addr)
{
    struct addr_entry *entry = net_addr_add(net, addr, false);
    if (!net->online || !entry || entry->link != 0 || entry->self || !usable(net, entry))
        return false;
    dial(net, entry, VN_CLASS_PEER);
    return true;
}
