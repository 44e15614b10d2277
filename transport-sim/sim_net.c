/* The network between hosts: addresses, and the parameters of links between sets of hosts. */
#include "transport-sim/sim_internal.h"

#include "core/base/exact.h"

#include <string.h>

#define LOSS_MAX          0.5
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

uint32_t sim_addr_host(const struct vn_addr *addr)
{
    uint32_t block = (uint32_t)addr->ip[1] << 8 | addr->ip[2];
    uint32_t last = addr->ip[3];
    if (addr->family != VN_AF_IPV4 || addr->ip[0] != 127 || block < ADDRESS_BLOCKS_SKIPPED ||
        last < 1 || last > ADDRESSES_A_BLOCK)
        return SIM_NO_HOST;
    return (block - ADDRESS_BLOCKS_SKIPPED) * ADDRESSES_A_BLOCK + last - 1;
}

uint32_t sim_host_of(const struct sim *sim, const struct vn_addr *addr)
{
    uint32_t number = sim_addr_host(addr);
    return number < sim->host_count ? number : SIM_NO_HOST;
}

/* ---- sets of hosts ---- */

static size_t set_words(const struct sim_set *set)
{
    return (set->count + 63u) / 64u;
}

struct sim_set net_set_new(struct sim *sim, const uint32_t *hosts, uint32_t n)
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

void net_set_free(struct sim *sim, struct sim_set *set)
{
    sim->stats.memory -= set_words(set) * sizeof *set->bits;
    mem_free(set->bits);
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
                                       .jitter = {.kind = SIM_CONSTANT, .a = 0},
                                       .reorder_by = {.kind = SIM_UNIFORM, .a = 0, .b = 0.2}};
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

static bool is_share(double x)
{
    return x >= 0 && x <= 1;
}

bool sim_link_params_check(const struct sim_link_params *params)
{
    return params && sim_dist_check(&params->latency, NULL, 0) &&
           sim_dist_check(&params->jitter, NULL, 0) &&
           sim_dist_check(&params->reorder_by, NULL, 0) && params->loss >= 0 &&
           params->loss <= LOSS_MAX && is_share(params->reorder) && is_share(params->duplicate) &&
           is_share(params->corrupt) && (params->queue_bytes == 0 || params->queue_ns == 0) &&
           (params->queue_bytes == 0 || params->queue_bytes >= SIM_QUEUE_MIN);
}

static bool params_equal(const struct sim_link_params *a, const struct sim_link_params *b)
{
    return dist_equal(&a->latency, &b->latency) && dist_equal(&a->jitter, &b->jitter) &&
           same_number(a->loss, b->loss) && a->rate_bps == b->rate_bps &&
           a->queue_bytes == b->queue_bytes && a->queue_ns == b->queue_ns &&
           same_number(a->reorder, b->reorder) && dist_equal(&a->reorder_by, &b->reorder_by) &&
           same_number(a->duplicate, b->duplicate) && same_number(a->corrupt, b->corrupt);
}

bool net_params_intern(struct sim *sim, const struct sim_link_params *params, uint16_t *index)
{
    for (uint32_t i = 0; i < sim->params_count; i++) {
        if (params_equal(&sim->params[i].p, params)) {
            *index = (uint16_t)i;
            return true;
        }
    }
    if (sim->params_count > UINT16_MAX)
        return false;
    sim->params =
        sim_room(sim, sim->params, sim->params_count, &sim->params_capacity, sizeof *sim->params);
    const uint64_t least_ns = sim_dist_at_ns(&params->latency, 0);
    sim->lookahead_ns = least_ns < sim->lookahead_ns ? least_ns : sim->lookahead_ns;
    sim->mangles |= params->corrupt > 0 || params->duplicate > 0;
    *index = (uint16_t)sim->params_count;
    sim->params[sim->params_count++] =
        (struct sim_params){.p = *params, .log_keep = exact_log(1.0 - params->loss)};
    return true;
}

bool sim_links_default(struct sim *sim, const struct sim_link_params *params)
{
    return sim_link_params_check(params) && net_params_intern(sim, params, &sim->params_default);
}

bool sim_links_between(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b,
                       uint32_t nb, const struct sim_link_params *params)
{
    struct sim_rule rule = {0};
    if (!sim_link_params_check(params) || !net_params_intern(sim, params, &rule.params))
        return false;
    rule.a = net_set_new(sim, a, na);
    rule.b = net_set_new(sim, b, nb);
    /* A rule for the same sets is wholly covered by this one. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sim->rule_count; i++) {
        struct sim_rule *old = &sim->rules[i];
        if (set_equal(&old->a, &rule.a) && set_equal(&old->b, &rule.b)) {
            net_set_free(sim, &old->a);
            net_set_free(sim, &old->b);
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
    if (a < 1 || a > SIM_REGIONS_MAX || b < 1 || b > SIM_REGIONS_MAX ||
        !sim_link_params_check(params) || !net_params_intern(sim, params, &index))
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
        if ((net_set_has(&rule->a, a) && net_set_has(&rule->b, b)) ||
            (net_set_has(&rule->a, b) && net_set_has(&rule->b, a)))
            return rule->params;
    }
    if (sim->region_params) {
        uint32_t cell = region_cell(sim_host_at(sim, a)->region, sim_host_at(sim, b)->region);
        if (sim->region_params[cell] > 0)
            return (uint16_t)(sim->region_params[cell] - 1);
    }
    return sim->params_default;
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
        net_set_free(sim, &sim->rules[i].a);
        net_set_free(sim, &sim->rules[i].b);
    }
    mem_free(sim->params);
    mem_free(sim->region_params);
    mem_free(sim->rules);
}
