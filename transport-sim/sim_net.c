/* The network between hosts: addresses, parameters between sets of hosts, and cuts.
 *
 * Cuts overlap freely: a direction passes when no cut holds it. What a cut stops is remembered in
 * one list; a heal goes through it and lets each stream that is free again go on at the next
 * instant at which its sender would have retransmitted. */
#include "transport-sim/sim_internal.h"

#include "core/base/exact.h"

#include <string.h>

#define ADDRESSES_A_BLOCK 254u
/* 127.0.0.x is left out: 127.0.0.1 is special to many (a core bans by node id there). */
#define ADDRESS_BLOCKS_SKIPPED 1u

struct vn_addr sim_host_addr(uint32_t number)
{
    uint32_t block = number / ADDRESSES_A_BLOCK + ADDRESS_BLOCKS_SKIPPED;
    struct vn_addr addr = {.family = VN_AF_IPV4, .port = SIM_PORT};
    addr.ip[0] = 127;
    addr.ip[1] = (uint8_t)(block >> 8);
    addr.ip[2] = (uint8_t)block;
    addr.ip[3] = (uint8_t)(number % ADDRESSES_A_BLOCK + 1);
    return addr;
}

uint32_t sim_host_of(const struct sim *sim, const struct vn_addr *addr)
{
    uint32_t block = (uint32_t)addr->ip[1] << 8 | addr->ip[2];
    uint32_t last = addr->ip[3];
    if (addr->family != VN_AF_IPV4 || addr->ip[0] != 127 || block < ADDRESS_BLOCKS_SKIPPED ||
        last < 1 || last > ADDRESSES_A_BLOCK)
        return SIM_NO_HOST;
    uint32_t number = (block - ADDRESS_BLOCKS_SKIPPED) * ADDRESSES_A_BLOCK + last - 1;
    return number < sim->host_count ? number : SIM_NO_HOST;
}

/* ---- sets of hosts ---- */

static size_t set_words(const struct sim_set *set)
{
    return (set->count + 63u) / 64u;
}

/* Numbers of hosts that do not exist are left out. */
static struct sim_set set_new(struct sim *sim, const uint32_t *hosts, uint32_t n)
{
    struct sim_set set = {0};
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (hosts[i] >= sim->host_count)
            continue;
        least = hosts[i] < least ? hosts[i] : least;
        most = hosts[i] > most ? hosts[i] : most;
    }
    if (least > most)
        return set;
    set.first = least;
    set.count = most - least + 1;
    set.bits = sim_resize(sim, NULL, 0, set_words(&set) * sizeof *set.bits);
    for (uint32_t i = 0; i < n; i++) {
        if (hosts[i] >= sim->host_count)
            continue;
        uint32_t bit = hosts[i] - least;
        set.bits[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    return set;
}

static void set_free(struct sim *sim, struct sim_set *set)
{
    sim->stats.memory -= set_words(set) * sizeof *set->bits;
    mem_free(set->bits);
}

static inline bool set_has(const struct sim_set *set, uint32_t host)
{
    uint32_t bit = host - set->first;
    return bit < set->count && (set->bits[bit / 64] >> bit % 64 & 1) != 0;
}

static bool set_equal(const struct sim_set *a, const struct sim_set *b)
{
    return a->first == b->first && a->count == b->count &&
           (a->count == 0 || memcmp(a->bits, b->bits, set_words(a) * sizeof *a->bits) == 0);
}

/* ---- parameters of links ---- */

void sim_link_params_init(struct sim_link_params *params)
{
    *params = (struct sim_link_params){.latency = {.kind = SIM_CONSTANT, .a = 0.05},
                                       .jitter = {.kind = SIM_CONSTANT, .a = 0}};
}

static bool same_number(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool dist_equal(const struct sim_dist *a, const struct sim_dist *b)
{
    return a->kind == b->kind && same_number(a->a, b->a) && same_number(a->b, b->b) &&
           a->values == b->values && a->n == b->n;
}

static bool params_check(const struct sim_link_params *params)
{
    return params && sim_dist_check(&params->latency, NULL, 0) &&
           sim_dist_check(&params->jitter, NULL, 0) && params->loss >= 0 && params->loss <= 0.5;
}

/* The index of equal parameters, new or old; false when there are too many different ones. */
static bool params_intern(struct sim *sim, const struct sim_link_params *params, uint16_t *index)
{
    for (uint32_t i = 0; i < sim->params_count; i++) {
        const struct sim_link_params *p = &sim->params[i].p;
        if (dist_equal(&p->latency, &params->latency) && dist_equal(&p->jitter, &params->jitter) &&
            same_number(p->loss, params->loss) && p->rate_bps == params->rate_bps) {
            *index = (uint16_t)i;
            return true;
        }
    }
    if (sim->params_count > UINT16_MAX)
        return false;
    sim->params =
        sim_room(sim, sim->params, sim->params_count, &sim->params_capacity, sizeof *sim->params);
    *index = (uint16_t)sim->params_count;
    sim->params[sim->params_count++] =
        (struct sim_params){.p = *params, .log_keep = exact_log(1.0 - params->loss)};
    return true;
}

bool sim_links_default(struct sim *sim, const struct sim_link_params *params)
{
    return params_check(params) && params_intern(sim, params, &sim->params_default);
}

bool sim_links_between(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b,
                       uint32_t nb, const struct sim_link_params *params)
{
    struct sim_rule rule = {0};
    if (!params_check(params) || !params_intern(sim, params, &rule.params))
        return false;
    rule.a = set_new(sim, a, na);
    rule.b = set_new(sim, b, nb);
    /* A rule for the same sets is wholly covered by this one. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sim->rule_count; i++) {
        struct sim_rule *old = &sim->rules[i];
        if (set_equal(&old->a, &rule.a) && set_equal(&old->b, &rule.b)) {
            set_free(sim, &old->a);
            set_free(sim, &old->b);
        } else {
            sim->rules[kept++] = *old;
        }
    }
    sim->rule_count = kept;
    sim->rules =
        sim_room(sim, sim->rules, sim->rule_count, &sim->rule_capacity, sizeof *sim->rules);
    sim->rules[sim->rule_count++] = rule;
    return true;
}

/* Where the table holds the parameters of two regions, none among them. */
static uint32_t region_cell(uint32_t a, uint32_t b)
{
    return a * (SIM_REGIONS_MAX + 1) + b;
}

bool sim_links_regions(struct sim *sim, uint32_t a, uint32_t b,
                       const struct sim_link_params *params)
{
    const size_t cells = (SIM_REGIONS_MAX + 1) * (SIM_REGIONS_MAX + 1);
    uint16_t index;
    if (a < 1 || a > SIM_REGIONS_MAX || b < 1 || b > SIM_REGIONS_MAX || !params_check(params) ||
        !params_intern(sim, params, &index))
        return false;
    if (!sim->region_params)
        sim->region_params = sim_resize(sim, NULL, 0, cells * sizeof *sim->region_params);
    sim->region_params[region_cell(a, b)] = index + 1u;
    sim->region_params[region_cell(b, a)] = index + 1u;
    return true;
}

uint16_t net_params_for(const struct sim *sim, uint32_t a, uint32_t b)
{
    for (uint32_t i = sim->rule_count; i-- > 0;) {
        const struct sim_rule *rule = &sim->rules[i];
        if ((set_has(&rule->a, a) && set_has(&rule->b, b)) ||
            (set_has(&rule->a, b) && set_has(&rule->b, a)))
            return rule->params;
    }
    if (sim->region_params) {
        uint32_t cell = region_cell(sim_host_at(sim, a)->region, sim_host_at(sim, b)->region);
        if (sim->region_params[cell] > 0)
            return (uint16_t)(sim->region_params[cell] - 1);
    }
    return sim->params_default;
}

/* ---- cuts ---- */

uint32_t sim_cut(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                 bool one_way)
{
    sim->cuts = sim_room(sim, sim->cuts, sim->cut_count, &sim->cut_capacity, sizeof *sim->cuts);
    struct sim_cut_rule *cut = &sim->cuts[sim->cut_count++];
    cut->a = set_new(sim, a, na);
    cut->b = set_new(sim, b, nb);
    cut->one_way = one_way;
    cut->id = ++sim->cut_ids;
    return cut->id;
}

bool net_is_cut_slow(const struct sim *sim, uint32_t src, uint32_t dst)
{
    if (src == dst) /* a loopback passes no network */
        return false;
    for (uint32_t i = 0; i < sim->cut_count; i++) {
        const struct sim_cut_rule *cut = &sim->cuts[i];
        if ((set_has(&cut->a, src) && set_has(&cut->b, dst)) ||
            (!cut->one_way && set_has(&cut->b, src) && set_has(&cut->a, dst)))
            return true;
    }
    return false;
}

void net_block(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    if (link->dir[d].blocked)
        return;
    link->dir[d].blocked = 1;
    sim->blocked = sim_room(sim, sim->blocked, sim->blocked_count, &sim->blocked_capacity,
                            sizeof *sim->blocked);
    sim->blocked[sim->blocked_count++] =
        (struct sim_blocked){.since_ns = sim->now_ns, .link = index, .gen = link->gen, .d = d};
}

/* RFC 6298 (2.4) with Linux's minimum, net/tcp.h TCP_RTO_MIN, for a round trip that hardly varies.
 */
uint64_t net_rto_ns(const struct sim_link *link)
{
    uint64_t rtt = link->dir[0].latency_ns + link->dir[1].latency_ns;
    return rtt > SIM_RTO_NS ? rtt : SIM_RTO_NS;
}

/* The first retransmission at or after now of a sender that has had no answer since since_ns: the
 * timeout doubles with each (RFC 6298, 5.5), up to a minute (2.5). */
static uint64_t resume_ns(const struct sim *sim, const struct sim_link *link, uint64_t since_ns)
{
    uint64_t rto = net_rto_ns(link);
    uint64_t t = since_ns + rto;
    while (t < sim->now_ns) {
        rto = rto < SIM_RTO_MAX / 2 ? rto * 2 : SIM_RTO_MAX;
        if (rto == SIM_RTO_MAX) {
            uint64_t missed = (sim->now_ns - t + rto - 1) / rto;
            return t + missed * rto;
        }
        t += rto;
    }
    return t;
}

static void blocked_resume(struct sim *sim)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sim->blocked_count; i++) {
        struct sim_blocked wait = sim->blocked[i];
        struct sim_link *link = sim_link_at(sim, wait.link);
        if (!link->live || link->gen != wait.gen)
            continue;
        if (net_is_cut(sim, link->host[wait.d], link->host[1 - wait.d]))
            sim->blocked[kept++] = wait;
        else
            stream_resume(sim, wait.link, link, wait.d, resume_ns(sim, link, wait.since_ns));
    }
    sim->blocked_count = kept;
}

void sim_cut_heal(struct sim *sim, uint32_t cut)
{
    for (uint32_t i = 0; i < sim->cut_count; i++) {
        if (sim->cuts[i].id != cut)
            continue;
        set_free(sim, &sim->cuts[i].a);
        set_free(sim, &sim->cuts[i].b);
        sim->cuts[i] = sim->cuts[--sim->cut_count];
        blocked_resume(sim);
        return;
    }
}

void sim_net_init(struct sim *sim)
{
    struct sim_link_params params;
    sim_link_params_init(&params);
    sim_links_default(sim, &params);
}

void net_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->rule_count; i++) {
        set_free(sim, &sim->rules[i].a);
        set_free(sim, &sim->rules[i].b);
    }
    for (uint32_t i = 0; i < sim->cut_count; i++) {
        set_free(sim, &sim->cuts[i].a);
        set_free(sim, &sim->cuts[i].b);
    }
    mem_free(sim->params);
    mem_free(sim->region_params);
    mem_free(sim->rules);
    mem_free(sim->cuts);
    mem_free(sim->blocked);
}
