/* See admit.h. */
#include "core/peer/admit.h"

#include <string.h>

/* Of very many candidates only the youngest are compared with each other. */
#define LOOKED_AT 256u

/* ---- links in their handshake ---- */

static bool rate_allows(struct net *net, struct peer *newcomer)
{
    const struct limit limit = {net->cfg.accept_rate, net->cfg.accept_burst};
    if (!newcomer->rep)
        return true; /* judged by its id, which is not known yet */
    struct bucket *bucket = &newcomer->rep->accepts;
    if (limit_bucket_ready_ns(bucket, limit, 1, net->now_ns) > 0)
        return false;
    limit_bucket_take(bucket, limit, 1, net->now_ns);
    return true;
}

static bool address_allows(const struct net *net, const struct peer *newcomer)
{
    uint32_t max = net->cfg.max_inbound_per_ip, count = 0;
    if (max == 0 || (newcomer->rep && newcomer->rep->users <= max))
        return true;
    for (const struct peer *p = net->first; p; p = p->next)
        count += p->inbound && !p->closed && addr_same_ip(&p->remote, &newcomer->remote);
    return count <= max;
}

static bool pending(const struct peer *peer)
{
    return peer->inbound && !peer->closed && !peer_ready(peer);
}

/* Links are listed in the order of their creation. */
static struct peer *oldest_pending(const struct net *net, const struct peer *newcomer)
{
    struct peer *oldest = NULL;
    for (struct peer *p = net->first; p; p = p->next) {
        if (!pending(p) || p == newcomer)
            continue;
        if (addr_same_ip(&p->remote, &newcomer->remote))
            return p;
        oldest = oldest ? oldest : p;
    }
    return oldest;
}

bool admit_accepted(struct net *net, struct peer *newcomer)
{
    bool shared = addr_is_loopback(&newcomer->remote);
    if (!shared && (!address_allows(net, newcomer) || !rate_allows(net, newcomer)))
        return false;
    if (net->inbound <= (uint64_t)net->cfg.max_inbound + net->cfg.max_pending)
        return true;
    struct peer *oldest = oldest_pending(net, newcomer);
    if (oldest)
        net_close(net, oldest, VN_WHY_TOO_MANY);
    return oldest != NULL;
}

/* ---- ready links ---- */

/* Those who may have to go, in the order of their creation; the protected ones are taken out. */
struct candidates {
    struct peer **peers;
    uint32_t count;
};

static void take_out(struct candidates *c, uint32_t index)
{
    memmove(&c->peers[index], &c->peers[index + 1], (--c->count - index) * sizeof *c->peers);
}

/* Is a better than b, by round trip? Unknown ones are worst. */
static bool nearer(const struct peer *a, const struct peer *b)
{
    return a->rtt_ns != 0 && (b->rtt_ns == 0 || a->rtt_ns < b->rtt_ns);
}

static bool more_useful(const struct peer *a, const struct peer *b)
{
    return a->useful_ns > b->useful_ns;
}

/* Takes out those that are best, as far as they are any good at all. */
static void protect(struct candidates *c, bool (*better)(const struct peer *, const struct peer *))
{
    static const struct peer nothing;
    for (uint32_t round = 0; round < ADMIT_PROTECTED && c->count > 0; round++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < c->count; i++)
            if (better(c->peers[i], c->peers[best]))
                best = i;
        if (!better(c->peers[best], &nothing))
            return;
        take_out(c, best);
    }
}

/* The same for those in best standing, of which there may be more than links. */
static void protect_preferred(const struct net *net, struct candidates *c)
{
    uint32_t share = net->cfg.max_inbound / ADMIT_PREFERRED_SHARE;
    uint32_t rounds = share < ADMIT_PREFERRED ? share : ADMIT_PREFERRED;
    for (; rounds > 0 && c->count > 0; rounds--) {
        uint32_t best = 0;
        int32_t best_score = net_score_of(net, c->peers[0]->rep);
        for (uint32_t i = 1; i < c->count; i++) {
            int32_t score = net_score_of(net, c->peers[i]->rep);
            if (score > best_score) {
                best = i;
                best_score = score;
            }
        }
        if (best_score < SCORE_PREFERRED)
            return;
        take_out(c, best);
    }
}

/* The ready inbound links that are not too young to be judged. */
static struct candidates collect(const struct net *net)
{
    struct candidates c = {.peers = mem_new(net->ready_in + 1, sizeof(struct peer *))};
    for (struct peer *p = net->first; p; p = p->next)
        if (p->inbound && !p->closed && peer_ready(p) &&
            net->now_ns - p->ready_ns >= ADMIT_GRACE_NS)
            c.peers[c.count++] = p;
    return c;
}

static struct peer *worst_on_probation(const struct net *net)
{
    struct peer *worst = NULL;
    for (struct peer *p = net->first; p && net->shamed; p = p->next)
        if (p->inbound && !p->closed && peer_ready(p) && net_on_probation(net, p) &&
            (!worst || net_score_of(net, p->rep) <= net_score_of(net, worst->rep)))
            worst = p;
    return worst;
}

static bool same_group(const struct vn_addr *a, const struct vn_addr *b)
{
    size_t prefix = a->family != VN_AF_IPV4 ? 4 : a->ip[0] == 127 ? 4 : 2;
    return a->family == b->family && memcmp(a->ip, b->ip, prefix) == 0;
}

static uint32_t group_size(const struct candidates *c, const struct vn_addr *addr)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < c->count; i++)
        size += same_group(&c->peers[i]->remote, addr);
    return size;
}

/* The youngest link of the largest group, if that is larger than the newcomer's becomes. */
static struct peer *of_the_largest_group(const struct candidates *c, const struct peer *newcomer)
{
    struct peer *victim = NULL;
    uint32_t largest = group_size(c, &newcomer->remote) + 1;
    for (uint32_t i = c->count; i-- > 0;) {
        uint32_t size = group_size(c, &c->peers[i]->remote);
        if (size > largest) {
            largest = size;
            victim = c->peers[i];
        }
    }
    return victim;
}

/* Has it had its turn, where others wait for one? */
static bool turn_is_over(const struct net *net, const struct peer *peer)
{
    uint64_t since_ns = peer->useful_ns > peer->ready_ns ? peer->useful_ns : peer->ready_ns;
    return net->now_ns - since_ns >= ADMIT_IDLE_NS || net->now_ns - peer->ready_ns >= ADMIT_TURN_NS;
}

/* Of those who had their turn the one that brought something new longest ago; the youngest of those
 * that never did. */
static struct peer *least_useful(const struct net *net, const struct candidates *c)
{
    struct peer *victim = NULL;
    for (uint32_t i = c->count; i-- > 0;)
        if (turn_is_over(net, c->peers[i]) &&
            (!victim || c->peers[i]->useful_ns < victim->useful_ns))
            victim = c->peers[i];
    return victim;
}

struct peer *admit_victim(const struct net *net, const struct peer *newcomer)
{
    struct peer *victim = worst_on_probation(net);
    if (victim || net->ready_in == 0)
        return victim;
    struct candidates c = collect(net);
    protect_preferred(net, &c);
    protect(&c, nearer);
    protect(&c, more_useful);
    uint32_t older = c.count / 2;
    if (c.count - older > LOOKED_AT)
        older = c.count - LOOKED_AT;
    c.count -= older;
    memmove(c.peers, c.peers + older, c.count * sizeof *c.peers);
    victim = of_the_largest_group(&c, newcomer);
    if (!victim)
        victim = least_useful(net, &c);
    mem_free(c.peers);
    return victim;
}
