/* What links are like and what passes between hosts, as transport-sim/sim_net.c and
 * sim_link_fault.c have it: rules between sets of hosts, regions, a default; degraded links; cuts.
 * What a link was made with is copied into its ends. */
#include "scenarios/world_tcp.h"

#include <string.h>

/* ---- sets ---- */

static struct tw_set set_new(const uint32_t *hosts, uint32_t n)
{
    struct tw_set set = {0};
    for (uint32_t i = 0; i < n; i++)
        if (hosts[i] / 64 >= set.words)
            set.words = hosts[i] / 64 + 1;
    set.bits = mem_new(set.words + 1, sizeof *set.bits);
    for (uint32_t i = 0; i < n; i++)
        set.bits[hosts[i] / 64] |= UINT64_C(1) << hosts[i] % 64;
    return set;
}

static bool set_has(const struct tw_set *set, uint32_t host)
{
    return host / 64 < set->words && (set->bits[host / 64] >> host % 64 & 1) != 0;
}

static bool between(const struct tw_set *a, const struct tw_set *b, uint32_t x, uint32_t y)
{
    return (set_has(a, x) && set_has(b, y)) || (set_has(a, y) && set_has(b, x));
}

static void sets_free(struct tw_set *a, struct tw_set *b)
{
    mem_free(a->bits);
    mem_free(b->bits);
}

/* ---- parameters ---- */

bool world_links_between(struct tw *w, const uint32_t *a, uint32_t na, const uint32_t *b,
                         uint32_t nb, const struct sim_link_params *params)
{
    if (!sim_link_params_check(params))
        return false;
    w->rules = mem_resize(w->rules, w->rule_count + 1, sizeof *w->rules);
    w->rules[w->rule_count++] = (struct tw_rule){set_new(a, na), set_new(b, nb), *params};
    return true;
}

bool world_links_regions(struct tw *w, uint32_t a, uint32_t b, const struct sim_link_params *params)
{
    if (a < 1 || a > SIM_REGIONS_MAX || b < 1 || b > SIM_REGIONS_MAX ||
        !sim_link_params_check(params))
        return false;
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    if (!w->regions[low][high])
        w->regions[low][high] = mem_new(1, sizeof *params);
    *w->regions[low][high] = *params;
    return true;
}

void world_link_made(struct tw *w, struct tw_link *end)
{
    end->made_with = w->links;
    if (end->dst == TW_NOBODY)
        return;
    uint32_t a = w->hosts[end->src]->params.region, b = w->hosts[end->dst]->params.region;
    const struct sim_link_params *region = w->regions[a < b ? a : b][a < b ? b : a];
    if (region)
        end->made_with = *region;
    for (uint32_t i = w->rule_count; i-- > 0;) {
        if (!between(&w->rules[i].a, &w->rules[i].b, end->src, end->dst))
            continue;
        end->made_with = w->rules[i].params;
        return;
    }
}

void world_link_params(struct tw *w, struct tw_link *end)
{
    end->params = end->made_with;
    for (uint32_t i = 0; i < w->degrade_count; i++)
        if (end->dst != TW_NOBODY &&
            between(&w->degrades[i].a, &w->degrades[i].b, end->src, end->dst))
            sim_degrade_apply(&w->degrades[i].change, &end->params);
    end->latency_ns = sim_dist_at_ns(&end->params.latency, end->there);
    end->rtt_ns = end->latency_ns + sim_dist_at_ns(&end->params.latency, end->back);
}

static void refresh(struct tw *w)
{
    for (struct tw_link *end = w->ends; end; end = end->next)
        world_link_params(w, end);
}

uint32_t world_degrade(struct tw *w, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                       const struct sim_degrade *degrade)
{
    struct sim_link_params params = w->links;
    sim_degrade_apply(degrade, &params);
    if (!sim_link_params_check(&params))
        return 0;
    w->degrades = mem_resize(w->degrades, w->degrade_count + 1, sizeof *w->degrades);
    w->degrades[w->degrade_count++] = (struct tw_degrade){
        .a = set_new(a, na),
        .b = set_new(b, nb),
        .change = *degrade,
        .id = ++w->last_id,
        .end_ns = degrade->lasting_ns > 0 ? w->now_ns + degrade->lasting_ns : VN_NEVER};
    refresh(w);
    world_tick_arm(w);
    return w->last_id;
}

void world_restore(struct tw *w, uint32_t id)
{
    for (uint32_t i = 0; i < w->degrade_count; i++) {
        if (w->degrades[i].id != id)
            continue;
        sets_free(&w->degrades[i].a, &w->degrades[i].b);
        w->degrade_count--; /* the latest wins: they stay in order */
        memmove(&w->degrades[i], &w->degrades[i + 1], (w->degrade_count - i) * sizeof *w->degrades);
        refresh(w);
        return;
    }
}

/* ---- cuts ---- */

uint32_t world_cut(struct tw *w, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                   const struct sim_cut_params *params)
{
    bool flaps = params->every_ns > 0 || params->down_ns > 0;
    if (flaps && (params->down_ns == 0 || params->down_ns >= params->every_ns))
        return 0;
    w->cuts = mem_resize(w->cuts, w->cut_count + 1, sizeof *w->cuts);
    w->cuts[w->cut_count++] = (struct tw_cut){
        .a = set_new(a, na),
        .b = set_new(b, b ? nb : 0),
        .params = *params,
        .all = b == NULL,
        .id = ++w->last_id,
        .since_ns = w->now_ns,
        .end_ns = params->lasting_ns > 0 ? w->now_ns + params->lasting_ns : VN_NEVER};
    world_tick_arm(w);
    return w->last_id;
}

void world_heal(struct tw *w, uint32_t id)
{
    for (uint32_t i = 0; i < w->cut_count; i++) {
        if (w->cuts[i].id != id)
            continue;
        sets_free(&w->cuts[i].a, &w->cuts[i].b);
        w->cuts[i] = w->cuts[--w->cut_count];
        tcp_shape_retry(w->tcp);
        return;
    }
}

/* When the cut lets pass: t_ns, later, or VN_NEVER. */
static uint64_t cut_until(const struct tw_cut *cut, uint32_t src, uint32_t dst, uint64_t t_ns)
{
    bool there = set_has(&cut->a, src) && (cut->all || set_has(&cut->b, dst));
    bool back = set_has(&cut->a, dst) && (cut->all || set_has(&cut->b, src));
    if (!there && !(back && !cut->params.one_way))
        return t_ns;
    if (cut->params.every_ns == 0 || t_ns < cut->since_ns)
        return VN_NEVER;
    uint64_t into_ns = (t_ns - cut->since_ns) % cut->params.every_ns;
    return into_ns >= cut->params.down_ns ? t_ns : t_ns + cut->params.down_ns - into_ns;
}

uint64_t world_passes_at(const struct tw *w, uint32_t src, uint32_t dst, uint64_t t_ns)
{
    if (src == dst) /* a loopback passes no network */
        return t_ns;
    if (w->hosts[dst]->dark)
        return VN_NEVER;
    uint64_t at_ns = t_ns;
    for (uint32_t i = 0; i < w->cut_count; i++) {
        uint64_t until_ns = cut_until(&w->cuts[i], src, dst, t_ns);
        at_ns = until_ns > at_ns ? until_ns : at_ns;
    }
    return at_ns;
}

uint64_t world_net_tick(struct tw *w, uint64_t t_ns)
{
    uint64_t next_ns = VN_NEVER;
    for (uint32_t i = w->cut_count; i-- > 0;)
        if (w->cuts[i].end_ns <= t_ns)
            world_heal(w, w->cuts[i].id);
    for (uint32_t i = w->degrade_count; i-- > 0;)
        if (w->degrades[i].end_ns <= t_ns)
            world_restore(w, w->degrades[i].id);
    for (uint32_t i = 0; i < w->cut_count; i++)
        next_ns = w->cuts[i].end_ns < next_ns ? w->cuts[i].end_ns : next_ns;
    for (uint32_t i = 0; i < w->degrade_count; i++)
        next_ns = w->degrades[i].end_ns < next_ns ? w->degrades[i].end_ns : next_ns;
    return next_ns;
}

/* ---- who got changed bytes ---- */

static uint64_t pair_key(uint32_t a, uint32_t b)
{
    return (uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a);
}

bool world_mangled(const struct tw *w, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < w->mangled_count; i++)
        if (w->mangled[i] == pair_key(a, b))
            return true;
    return false;
}

void world_mangled_note(struct tw *w, uint32_t a, uint32_t b)
{
    if (world_mangled(w, a, b))
        return;
    w->mangled = mem_resize(w->mangled, w->mangled_count + 1, sizeof *w->mangled);
    w->mangled[w->mangled_count++] = pair_key(a, b);
}

void world_net_free(struct tw *w)
{
    for (uint32_t i = 0; i < w->rule_count; i++)
        sets_free(&w->rules[i].a, &w->rules[i].b);
    for (uint32_t i = 0; i < w->cut_count; i++)
        sets_free(&w->cuts[i].a, &w->cuts[i].b);
    for (uint32_t i = 0; i < w->degrade_count; i++)
        sets_free(&w->degrades[i].a, &w->degrades[i].b);
    for (uint32_t i = 0; i <= SIM_REGIONS_MAX; i++)
        for (uint32_t k = 0; k <= SIM_REGIONS_MAX; k++)
            mem_free(w->regions[i][k]);
    mem_free(w->rules);
    mem_free(w->cuts);
    mem_free(w->degrades);
    mem_free(w->mangled);
}
