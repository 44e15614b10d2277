/* What the swarm does: one function a kind draws whom it strikes and how hard, and hands it to
 * faults.h. Whom a fault meets depends on dice and on what the script asked for, not on what was
 * carried out; a node that the script keeps in trouble of that sort, or the swarm itself, is
 * spared, and then there is no fault this time. */
#include "scenarios/swarm.h"

#include "scenarios/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HAPPENS       0.25 /* an enabled point, each time (BUGGIFY) */
#define LASTING_MIN   1000000u
#define SKEW_MAX_S    1800.0 /* to either side: two nodes stay within the two hours of B3 */
#define DRIFT_MAX_PPM 1000u

/* ---- dice ---- */

static bool happens(struct run *run, enum swarm_kind kind, enum swarm_point point)
{
    bool now = rng_chance(&run->swarm->dice[kind], HAPPENS);
    return now && run->swarm->point[point];
}

static double between(struct rng *rng, double lo, double hi)
{
    double u = rng_unit(rng);
    return lo + u * (hi - lo);
}

/* At most until the heal. */
static uint64_t draw_lasting(struct run *run, enum swarm_kind kind)
{
    struct swarm *s = run->swarm;
    uint64_t left = s->heal_ns - run_now(run);
    uint64_t ns = sim_dist_sample_ns(&s->spec->faults[kind].lasting, &s->dice[kind]);
    ns = ns > LASTING_MIN ? ns : LASTING_MIN;
    return ns < left ? ns : left;
}

static struct swarm_host *host_of(struct run *run, uint32_t host)
{
    struct swarm *s = run->swarm;
    if (host >= s->host_count) {
        uint32_t count = run->host_count;
        struct swarm_host *grown = realloc(s->hosts, count * sizeof *grown);
        if (!grown)
            abort();
        memset(grown + s->host_count, 0, (count - s->host_count) * sizeof *grown);
        s->hosts = grown;
        s->host_count = count;
    }
    return &s->hosts[host];
}

/* The nodes in their order, malloc'ed; *n may be 0. */
static uint32_t *all_nodes(const struct run *run, uint32_t *n)
{
    uint32_t *hosts = run_alloc((size_t)run->host_count * sizeof *hosts);
    *n = 0;
    for (uint32_t i = 0; i < run->host_count; i++)
        if (run->hosts[i].role != HOST_PEER)
            hosts[(*n)++] = i;
    return hosts;
}

/* A node; false if there is none. */
static bool pick(struct run *run, enum swarm_kind kind, uint32_t *host)
{
    if (run->nodes == 0)
        return false;
    uint64_t left = rng_below(&run->swarm->dice[kind], run->nodes);
    *host = 0;
    while (run->hosts[*host].role == HOST_PEER || left-- > 0)
        ++*host;
    return true;
}

/* na of the nodes and the rest, each in node order (selection sampling: Knuth, TAOCP 2, 3.4.2 S).
 * The two sides lie in one array, which the caller frees. */
static uint32_t *split(struct run *run, enum swarm_kind kind, uint32_t na,
                       struct fault_sides *sides)
{
    uint32_t n;
    uint32_t *nodes = all_nodes(run, &n);
    uint32_t *both = run_alloc((size_t)n * sizeof *both);
    uint32_t ia = 0;
    uint32_t ib = na;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t draw = rng_below(&run->swarm->dice[kind], n - i);
        both[draw < na - ia ? ia++ : ib++] = nodes[i];
    }
    free(nodes);
    *sides = (struct fault_sides){.a = both, .na = na, .b = both + na, .nb = n - na};
    return both;
}

static void need(struct run *run, bool able, const char *what)
{
    if (!able)
        run_skip(run->L, what);
}

/* ---- hosts ---- */

static void do_kill(struct run *run)
{
    uint32_t host;
    if (!pick(run, SWARM_KILL, &host))
        return;
    struct swarm_host *own = host_of(run, host);
    struct fault_kill kill = {.lasting_ns = draw_lasting(run, SWARM_KILL)};
    kill.silently = happens(run, SWARM_KILL, POINT_SILENTLY);
    kill.lose_disk = happens(run, SWARM_KILL, POINT_LOSE_DISK);
    if (run->hosts[host].down || run->hosts[host].paused || own->process_ns > run_now(run))
        return;
    need(run, !kill.silently || run->world.power_off, "cut a node's power");
    own->process_ns = run_now(run) + kill.lasting_ns;
    if (!fault_kill(run, host, &kill))
        return;
    own->killed = true;
    own->lose_disk = kill.lose_disk;
    swarm_at(run, own->process_ns, SWARM_END, SWARM_KILL, host);
}

static void do_pause(struct run *run)
{
    uint32_t host;
    if (!pick(run, SWARM_PAUSE, &host))
        return;
    struct swarm_host *own = host_of(run, host);
    uint64_t lasting_ns = draw_lasting(run, SWARM_PAUSE);
    if (run->hosts[host].down || run->hosts[host].paused || own->process_ns > run_now(run))
        return;
    need(run, run->world.pause && run->world.resume, "do node:pause");
    own->process_ns = run_now(run) + lasting_ns;
    if (fault_pause(run, host, lasting_ns))
        swarm_at(run, own->process_ns, SWARM_END, SWARM_PAUSE, host);
}

static void do_skew(struct run *run)
{
    struct rng *rng = &run->swarm->dice[SWARM_SKEW];
    uint32_t host;
    if (!pick(run, SWARM_SKEW, &host))
        return;
    struct swarm_host *own = host_of(run, host);
    struct fault_skew skew = {.lasting_ns = draw_lasting(run, SWARM_SKEW)};
    skew.by = between(rng, -SKEW_MAX_S, SKEW_MAX_S);
    uint64_t drift = rng_below(rng, 2 * DRIFT_MAX_PPM + 1);
    if (happens(run, SWARM_SKEW, POINT_DRIFT))
        skew.drift = (double)drift - DRIFT_MAX_PPM;
    if (run->hosts[host].skewed || own->clock_ns > run_now(run))
        return;
    need(run, run->world.clock, "do node:skew");
    own->clock_ns = run_now(run) + skew.lasting_ns;
    if (fault_skew(run, host, &skew))
        swarm_at(run, own->clock_ns, SWARM_END, SWARM_SKEW, host);
}

/* One of the usual ways, or one of the rare ones. */
static void draw_disk(struct run *run, struct sim_disk_faults *f)
{
    struct rng *rng = &run->swarm->dice[SWARM_DISK];
    double u = rng_unit(rng);
    uint64_t way = rng_below(rng, 4);
    uint64_t lie = rng_below(rng, 5);
    bool torn = happens(run, SWARM_DISK, POINT_TORN);
    bool lies = happens(run, SWARM_DISK, POINT_LIE);
    bool rotten = happens(run, SWARM_DISK, POINT_ROTTEN);
    sim_disk_faults_init(f);
    if (torn)
        f->torn = u;
    else if (lies)
        f->lie = (uint32_t)lie + 1;
    else if (rotten)
        f->corrupt = u / 10;
    else if (way == 0)
        f->slow = 1 + u * 1000;
    else if (way == 1)
        f->fail_stores = f->fail_loads = u;
    else
        *(way == 2 ? &f->full : &f->hang) = true;
}

static void do_disk(struct run *run)
{
    uint32_t host;
    struct sim_disk_faults faults;
    if (!pick(run, SWARM_DISK, &host))
        return;
    struct swarm_host *own = host_of(run, host);
    uint64_t lasting_ns = draw_lasting(run, SWARM_DISK);
    draw_disk(run, &faults);
    if (run->hosts[host].bad_disk || own->disk_ns > run_now(run))
        return;
    need(run, run->world.disk, "do node:disk");
    const char *cannot =
        run->world.disk_cannot ? run->world.disk_cannot(run->world.self, &faults) : NULL;
    need(run, !cannot, cannot);
    own->disk_ns = run_now(run) + lasting_ns;
    if (fault_disk(run, host, &faults, lasting_ns))
        swarm_at(run, own->disk_ns, SWARM_END, SWARM_DISK, host);
}

/* Nothing is ended that the script asked for meanwhile. */
void swarm_fault_end(struct run *run, enum swarm_kind kind, uint32_t host)
{
    const struct host *asked = &run->hosts[host];
    struct swarm_host *own = host_of(run, host);
    if (kind == SWARM_KILL && own->killed && !asked->down)
        fault_start(run, host, own->lose_disk);
    if (kind == SWARM_KILL)
        own->killed = false;
    if (kind == SWARM_PAUSE && !asked->paused)
        fault_resume(run, host);
    if (kind == SWARM_SKEW && !asked->skewed)
        fault_clock_right(run, host);
    if (kind == SWARM_DISK && !asked->bad_disk)
        fault_disk_good(run, host);
}

/* ---- links ---- */

/* A side of 1..most nodes; 0 if there are not two nodes. */
static uint32_t side(struct run *run, enum swarm_kind kind, uint32_t most)
{
    if (run->nodes < 2)
        return 0;
    return 1 + (uint32_t)rng_below(&run->swarm->dice[kind], most > 0 ? most : 1);
}

static void do_partition(struct run *run)
{
    struct fault_sides sides;
    uint32_t na = side(run, SWARM_PARTITION, run->nodes / 2);
    if (na == 0)
        return;
    struct sim_cut_params cut = {.lasting_ns = draw_lasting(run, SWARM_PARTITION)};
    cut.one_way = happens(run, SWARM_PARTITION, POINT_ONE_WAY);
    uint32_t *both = split(run, SWARM_PARTITION, na, &sides);
    fault_partition(run, &sides, &cut);
    free(both);
}

static void do_blackhole(struct run *run)
{
    struct fault_sides sides;
    uint32_t na = side(run, SWARM_BLACKHOLE, run->nodes / 8);
    if (na == 0)
        return;
    struct sim_cut_params cut = {.lasting_ns = draw_lasting(run, SWARM_BLACKHOLE)};
    cut.one_way = happens(run, SWARM_BLACKHOLE, POINT_ONE_WAY);
    uint32_t *both = split(run, SWARM_BLACKHOLE, na, &sides);
    sides.b = NULL;
    sides.nb = 0;
    fault_blackhole(run, &sides, &cut);
    free(both);
}

static void do_flap(struct run *run)
{
    struct rng *rng = &run->swarm->dice[SWARM_FLAP];
    struct fault_sides sides;
    uint32_t na = side(run, SWARM_FLAP, run->nodes / 2);
    if (na == 0)
        return;
    struct sim_cut_params cut = {.lasting_ns = draw_lasting(run, SWARM_FLAP)};
    cut.every_ns = 2 * NS_PER_S + rng_below(rng, 28 * NS_PER_S);
    cut.down_ns = cut.every_ns / 20 + rng_below(rng, cut.every_ns / 2);
    uint32_t *both = split(run, SWARM_FLAP, na, &sides);
    fault_flap(run, &sides, &cut);
    free(both);
}

/* What becomes of the links: some of four things. Bytes that change are no part of it: they excuse
 * honest nodes from the first invariant, and would hide more than they show. */
static void draw_degrade(struct run *run, struct sim_degrade *by)
{
    struct rng *rng = &run->swarm->dice[SWARM_DEGRADE];
    struct sim_link_params *to = &by->to;
    sim_link_params_init(to);
    by->fields = 1 + (uint32_t)rng_below(rng, 15); /* latency, jitter, loss, rate: not none */
    double latency = between(rng, 0.05, 1);
    double jitter = between(rng, 0, 0.3);
    to->latency = (struct sim_dist){.kind = SIM_CONSTANT, .a = latency};
    to->jitter = (struct sim_dist){.kind = SIM_UNIFORM, .a = 0, .b = jitter};
    to->loss = between(rng, 0, 0.2);
    to->rate_bps = 64000 + rng_below(rng, 1936000);
    if (!(by->fields & SIM_DEGRADE_LOSS))
        to->loss = 0;
    if (!(by->fields & SIM_DEGRADE_RATE))
        to->rate_bps = 0;
}

static void do_degrade(struct run *run)
{
    struct sim_degrade by = {0};
    struct fault_sides sides;
    bool refused;
    uint32_t na = side(run, SWARM_DEGRADE, run->nodes / 2);
    if (na == 0)
        return;
    by.lasting_ns = draw_lasting(run, SWARM_DEGRADE);
    draw_degrade(run, &by);
    need(run, run->world.degrade, "do net:degrade");
    uint32_t *both = split(run, SWARM_DEGRADE, na, &sides);
    fault_degrade(run, &sides, &by, &refused);
    free(both);
}

/* All links of one node, seen from its end or from the others'. */
static void do_links(struct run *run, enum swarm_kind kind)
{
    struct fault_sides sides;
    const char *word = swarm_kind_name(kind);
    char what[40];
    uint32_t na = side(run, kind, 1);
    if (na == 0)
        return;
    uint32_t *both = split(run, kind, na, &sides);
    bool turned = rng_chance(&run->swarm->dice[kind], 0.5);
    struct fault_sides other = {.a = sides.b, .na = sides.nb, .b = sides.a, .nb = sides.na};
    bool able = fault_links_can(run, word);
    if (able)
        fault_links(run, word, turned ? &other : &sides);
    free(both);
    snprintf(what, sizeof what, "do net:%s", word);
    need(run, able, what);
}

void swarm_fault(struct run *run, enum swarm_kind kind)
{
    switch (kind) {
    case SWARM_KILL:
        do_kill(run);
        break;
    case SWARM_PAUSE:
        do_pause(run);
        break;
    case SWARM_SKEW:
        do_skew(run);
        break;
    case SWARM_DISK:
        do_disk(run);
        break;
    case SWARM_PARTITION:
        do_partition(run);
        break;
    case SWARM_BLACKHOLE:
        do_blackhole(run);
        break;
    case SWARM_FLAP:
        do_flap(run);
        break;
    case SWARM_DEGRADE:
        do_degrade(run);
        break;
    case SWARM_RESET_LINKS:
    case SWARM_HALF_OPEN:
    case SWARM_FORGET_LINKS:
        do_links(run, kind);
        break;
    case SWARM_PEER:
    case SWARM_KINDS:
        break;
    }
}
