/* What is done to links while they are up: cuts, flapping, degraded parameters, links that one end
 * or a router forgets, and how long TCP bears it.
 *
 * Cuts overlap freely: a direction passes when nothing holds it. What is stopped is remembered in
 * one list; whatever lets something pass again goes through it and lets each stream that is free go
 * on at the next instant at which its sender would have retransmitted. A flapping cut needs no
 * event to begin: whether it holds follows from the time.
 *
 * A stream that has been stopped for USER_TIMEOUT ends at the side that waits for acknowledgements:
 * the sender of what is stuck, and whoever waits for the refunds that are. The other side is not
 * told, and learns it when what it sends is answered with a reset. */
#include "transport-sim/sim_internal.h"

#include <string.h>

/* Linux, tcp_retries2 = 15: "yields a hypothetical timeout of 924.6 seconds and is a lower bound"
 * (Documentation/networking/ip-sysctl); RFC 1122, 4.2.3.5 asks for at least 100 s. */
#define USER_TIMEOUT (924600 * 1000000ull)
#define TIMES_MAX    (SIM_LAST_NS / 4)

/* ---- whether something passes ---- */

static bool cut_holds(const struct sim *sim, const struct sim_cut_rule *cut, uint32_t src,
                      uint32_t dst)
{
    if (cut->every_ns > 0 && (sim->now_ns - cut->since_ns) % cut->every_ns >= cut->down_ns)
        return false;
    bool there = net_set_has(&cut->a, src) && (cut->all || net_set_has(&cut->b, dst));
    bool back = net_set_has(&cut->a, dst) && (cut->all || net_set_has(&cut->b, src));
    return there || (back && !cut->one_way);
}

bool link_fault_is_cut_slow(const struct sim *sim, const struct sim_link *link, unsigned d)
{
    const uint32_t src = link->host[d];
    const uint32_t dst = link->host[1 - d];
    if (src == dst) /* a loopback passes no network */
        return false;
    if (link->forgotten || sim_host_at(sim, dst)->dark)
        return true;
    for (uint32_t i = 0; i < sim->cut_count; i++)
        if (cut_holds(sim, &sim->cuts[i], src, dst))
            return true;
    return false;
}

/* ---- what waits ---- */

void link_fault_block(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    if (link->dir[d].blocked)
        return;
    link->dir[d].blocked = 1;
    sim->blocked = sim_room(sim, sim->blocked, sim->blocked_count, &sim->blocked_capacity,
                            sizeof *sim->blocked);
    sim->blocked[sim->blocked_count++] =
        (struct sim_blocked){.since_ns = sim->now_ns, .link = index, .gen = link->gen, .d = d};
    link_event(sim, index, link, d, SIM_EV_STUCK, 0, sim_bounded(sim->now_ns + USER_TIMEOUT));
}

/* RFC 6298 (2.4) with Linux's minimum, net/tcp.h TCP_RTO_MIN, for a round trip that hardly varies.
 */
uint64_t link_fault_rto_ns(const struct sim_link *link)
{
    uint64_t rtt = link->dir[0].latency_ns + link->dir[1].latency_ns;
    return rtt > SIM_RTO_NS ? rtt : SIM_RTO_NS;
}

/* The first retransmission at or after now of a sender that has had no answer since since_ns: the
 * timeout doubles with each (RFC 6298, 5.5), up to a minute (2.5). */
static uint64_t resume_ns(const struct sim *sim, const struct sim_link *link, uint64_t since_ns)
{
    uint64_t rto = link_fault_rto_ns(link);
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

void link_fault_resume(struct sim *sim)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sim->blocked_count; i++) {
        struct sim_blocked wait = sim->blocked[i];
        struct sim_link *link = sim_link_at(sim, wait.link);
        if (!link->live || link->gen != wait.gen)
            continue;
        if (link_fault_is_cut(sim, link, wait.d))
            sim->blocked[kept++] = wait;
        else
            stream_resume(sim, wait.link, link, wait.d, resume_ns(sim, link, wait.since_ns));
    }
    sim->blocked_count = kept;
}

static bool stuck_since(const struct sim *sim, uint32_t index, const struct sim_link *link,
                        unsigned d, uint64_t since_ns)
{
    for (uint32_t i = 0; i < sim->blocked_count; i++) {
        const struct sim_blocked *b = &sim->blocked[i];
        if (b->link == index && b->gen == link->gen && b->d == d && b->since_ns == since_ns)
            return true;
    }
    return false;
}

void link_fault_on_stuck(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    unsigned d = event->kind >> 4 & 1;
    if (!link || !stuck_since(sim, event->arg, link, d, sim->now_ns - USER_TIMEOUT))
        return;
    bool unacknowledged = link->dir[d].halves > 0 || tcp_waits(link, 1 - d);
    if (unacknowledged && link->state[1 - d] == SIM_END_GONE) /* and its kernel still sends */
        link_give_up(sim, event->arg, link, 1 - d);
    else if (unacknowledged)
        link_lose(sim, event->arg, link, 1 - d, VN_WHY_RESET);
    link = link_of_event(sim, event);
    if (link && link->dir[d].head)
        link_give_up(sim, event->arg, link, d);
}

/* ---- cuts ---- */

static void fault_event(struct sim *sim, uint32_t id, uint64_t t_ns)
{
    if (t_ns < SIM_LAST_NS)
        sim_put(sim, &(struct sim_event){.t_ns = t_ns,
                                         .dst = SIM_NO_HOST,
                                         .src = SIM_NO_HOST,
                                         .seq = id,
                                         .kind = SIM_EV_FAULT,
                                         .arg = id});
}

/* When something changes by itself: it flaps up, or is over. */
static uint64_t cut_next_ns(const struct sim *sim, const struct sim_cut_rule *cut)
{
    if (cut->every_ns == 0)
        return cut->end_ns;
    uint64_t up_ns = cut->since_ns + cut->down_ns;
    if (sim->now_ns >= up_ns)
        up_ns += ((sim->now_ns - up_ns) / cut->every_ns + 1) * cut->every_ns;
    return up_ns < cut->end_ns ? up_ns : cut->end_ns;
}

uint32_t sim_cut_with(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b,
                      uint32_t nb, const struct sim_cut_params *params)
{
    bool flaps = params->every_ns > 0 || params->down_ns > 0;
    if (params->lasting_ns > TIMES_MAX || params->every_ns > TIMES_MAX ||
        (flaps && (params->down_ns == 0 || params->down_ns >= params->every_ns)))
        return 0;
    sim->cuts = sim_room(sim, sim->cuts, sim->cut_count, &sim->cut_capacity, sizeof *sim->cuts);
    struct sim_cut_rule *cut = &sim->cuts[sim->cut_count++];
    *cut = (struct sim_cut_rule){.since_ns = sim->now_ns,
                                 .end_ns = VN_NEVER,
                                 .every_ns = params->every_ns,
                                 .down_ns = params->down_ns,
                                 .one_way = params->one_way,
                                 .all = b == NULL,
                                 .id = ++sim->fault_ids};
    cut->a = net_set_new(sim, a, na);
    if (b)
        cut->b = net_set_new(sim, b, nb);
    if (params->lasting_ns > 0)
        cut->end_ns = sim->now_ns + params->lasting_ns;
    sim->barriers++;
    fault_event(sim, cut->id, cut_next_ns(sim, cut));
    return cut->id;
}

uint32_t sim_cut(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                 bool one_way)
{
    static const uint32_t nobody = SIM_NO_HOST;
    const struct sim_cut_params params = {.one_way = one_way};
    return sim_cut_with(sim, a, na, b ? b : &nobody, b ? nb : 0, &params);
}

void sim_cut_heal(struct sim *sim, uint32_t id)
{
    for (uint32_t i = 0; i < sim->cut_count; i++) {
        if (sim->cuts[i].id != id)
            continue;
        net_set_free(sim, &sim->cuts[i].a);
        net_set_free(sim, &sim->cuts[i].b);
        sim->cuts[i] = sim->cuts[--sim->cut_count];
        sim->barriers--;
        link_fault_resume(sim);
        return;
    }
}

/* ---- degraded links ---- */

void sim_degrade_apply(const struct sim_degrade *by, struct sim_link_params *p)
{
    const uint32_t fields = by->fields;
    if (fields & SIM_DEGRADE_LATENCY)
        p->latency = by->to.latency;
    if (fields & SIM_DEGRADE_JITTER)
        p->jitter = by->to.jitter;
    if (fields & SIM_DEGRADE_LOSS)
        p->loss = by->to.loss;
    if (fields & SIM_DEGRADE_RATE)
        p->rate_bps = by->to.rate_bps;
    if (fields & SIM_DEGRADE_QUEUE) {
        p->queue_bytes = by->to.queue_bytes;
        p->queue_ns = by->to.queue_ns;
    }
    if (fields & SIM_DEGRADE_REORDER) {
        p->reorder = by->to.reorder;
        p->reorder_by = by->to.reorder_by;
    }
    if (fields & SIM_DEGRADE_DUPLICATE)
        p->duplicate = by->to.duplicate;
    if (fields & SIM_DEGRADE_CORRUPT)
        p->corrupt = by->to.corrupt;
}

uint16_t link_fault_params_for(struct sim *sim, uint32_t a, uint32_t b, uint16_t made_with)
{
    uint16_t index = made_with;
    if (sim->degrade_count == 0)
        return index;
    struct sim_link_params p = sim->params[made_with].p;
    for (uint32_t i = 0; i < sim->degrade_count; i++) {
        const struct sim_degrade_rule *rule = &sim->degrades[i];
        if ((net_set_has(&rule->a, a) && net_set_has(&rule->b, b)) ||
            (net_set_has(&rule->a, b) && net_set_has(&rule->b, a)))
            sim_degrade_apply(&rule->change, &p);
    }
    net_params_intern(sim, &p, &index);
    return index;
}

/* Gives every link that is up, or under way, the parameters that hold now. */
static void links_refresh(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->link_count; i++) {
        struct sim_link *link = sim_link_at(sim, i);
        if (!link->live || link->host[1] == SIM_NO_HOST)
            continue;
        uint16_t params = link_fault_params_for(sim, link->host[0], link->host[1], link->made_with);
        if (params == link->params)
            continue;
        link->params = params;
        link->dir[0].latency_ns = link_latency_ns(sim, link, 0);
        link->dir[1].latency_ns = link_latency_ns(sim, link, 1);
        tcp_open(sim, link);
    }
}

uint32_t sim_degrade(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b,
                     uint32_t nb, const struct sim_degrade *degrade)
{
    struct sim_link_params p;
    sim_link_params_init(&p);
    sim_degrade_apply(degrade, &p);
    /* Each kind of link there is may need one kind more. */
    if (!sim_link_params_check(&p) || degrade->lasting_ns > TIMES_MAX ||
        sim->params_count > UINT16_MAX / 2)
        return 0;
    sim->degrades = sim_room(sim, sim->degrades, sim->degrade_count, &sim->degrade_capacity,
                             sizeof *sim->degrades);
    struct sim_degrade_rule *rule = &sim->degrades[sim->degrade_count++];
    *rule =
        (struct sim_degrade_rule){.end_ns = VN_NEVER, .id = ++sim->fault_ids, .change = *degrade};
    rule->a = net_set_new(sim, a, na);
    rule->b = net_set_new(sim, b, nb);
    if (degrade->lasting_ns > 0) {
        rule->end_ns = sim->now_ns + degrade->lasting_ns;
        fault_event(sim, rule->id, rule->end_ns);
    }
    links_refresh(sim);
    return rule->id;
}

void sim_restore(struct sim *sim, uint32_t id)
{
    for (uint32_t i = 0; i < sim->degrade_count; i++) {
        if (sim->degrades[i].id != id)
            continue;
        net_set_free(sim, &sim->degrades[i].a);
        net_set_free(sim, &sim->degrades[i].b);
        sim->degrade_count--;
        for (uint32_t j = i; j < sim->degrade_count; j++) /* the latest wins: keep the order */
            sim->degrades[j] = sim->degrades[j + 1];
        links_refresh(sim);
        return;
    }
}

void link_fault_on_event(struct sim *sim, const struct sim_event *event)
{
    const uint32_t id = event->arg;
    for (uint32_t i = 0; i < sim->cut_count; i++) {
        const struct sim_cut_rule *cut = &sim->cuts[i];
        if (cut->id != id)
            continue;
        if (cut->end_ns <= sim->now_ns) {
            sim_cut_heal(sim, id);
        } else {
            fault_event(sim, id, cut_next_ns(sim, cut));
            link_fault_resume(sim);
        }
        return;
    }
    sim_restore(sim, id);
}

/* ---- links that are forgotten ---- */

static uint32_t each_link(struct sim *sim, uint32_t a, uint32_t b,
                          void (*fn)(struct sim *sim, uint32_t index, struct sim_link *link,
                                     unsigned e))
{
    uint32_t count = 0;
    if (a >= sim->host_count || b >= sim->host_count)
        return 0;
    const struct sim_host *host = sim_host_at(sim, b);
    for (uint32_t slot = 0; slot < host->slot_count; slot++) {
        uint32_t ref = host->slots[slot];
        if (ref & SIM_SLOT_FREE)
            continue;
        struct sim_link *link = sim_link_at(sim, ref / 2);
        unsigned e = ref % 2;
        if (link->host[1 - e] != a || link->state[0] != SIM_END_OPEN ||
            link->state[1] != SIM_END_OPEN)
            continue;
        fn(sim, ref / 2, link, e);
        count++;
    }
    return count;
}

static void lose_end(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e)
{
    if (link->tcp)
        tcp_drop_unsent(sim, link, e);
    link_lose(sim, index, link, e, VN_WHY_RESET);
}

static void forget(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e)
{
    (void)index;
    (void)e;
    sim->barriers += !link->forgotten;
    link->forgotten = 1;
}

uint32_t sim_half_open(struct sim *sim, uint32_t a, uint32_t b)
{
    return a == b ? 0 : each_link(sim, a, b, lose_end);
}

uint32_t sim_forget_links(struct sim *sim, uint32_t a, uint32_t b)
{
    return a == b ? 0 : each_link(sim, a, b, forget);
}

/* ---- who got changed bytes ---- */

static uint64_t pair_key(uint32_t a, uint32_t b)
{
    return ((uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a)) + 1;
}

/* Where the pair is, or would go. */
static uint32_t mangled_place(const struct sim *sim, uint64_t key)
{
    uint32_t low = 0, high = sim->mangled_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sim->mangled[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void link_fault_note_mangled(struct sim *sim, uint32_t a, uint32_t b)
{
    uint64_t key = pair_key(a, b);
    uint32_t at = mangled_place(sim, key);
    if (at < sim->mangled_count && sim->mangled[at] == key)
        return;
    sim->mangled = sim_room(sim, sim->mangled, sim->mangled_count, &sim->mangled_capacity,
                            sizeof *sim->mangled);
    memmove(&sim->mangled[at + 1], &sim->mangled[at],
            (sim->mangled_count - at) * sizeof *sim->mangled);
    sim->mangled[at] = key;
    sim->mangled_count++;
}

bool sim_mangled(const struct sim *sim, uint32_t a, uint32_t b)
{
    uint64_t key = pair_key(a, b);
    uint32_t at = mangled_place(sim, key);
    return at < sim->mangled_count && sim->mangled[at] == key;
}

void link_fault_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->cut_count; i++) {
        net_set_free(sim, &sim->cuts[i].a);
        net_set_free(sim, &sim->cuts[i].b);
    }
    for (uint32_t i = 0; i < sim->degrade_count; i++) {
        net_set_free(sim, &sim->degrades[i].a);
        net_set_free(sim, &sim->degrades[i].b);
    }
    mem_free(sim->mangled);
    mem_free(sim->cuts);
    mem_free(sim->degrades);
    mem_free(sim->blocked);
}
