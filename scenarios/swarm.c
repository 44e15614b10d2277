/* A swarm from its draw to its end; see swarm.h.
 *
 * Happy path: swarm_begin tosses for each kind, tells how they fell, and arms each kind's first
 * fault and the heal. A fault arms the next of its kind and, if it lasts, its own end. The heal
 * ends all that goes on and registers the check of liveness. Failure modes: the world cannot do a
 * fault (the run is skipped); the run ends before the heal (--until: told, and nothing is judged).
 */
#include "scenarios/swarm.h"

#include "scenarios/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM       "swarm"
#define ENABLED      0.25 /* a point, in a run (BUGGIFY) */
#define EVERY_MIN_NS 1000000u
#define ALIVE        "after the faults all agree on a tip that grows"

struct swarm_event {
    struct swarm_event *next;
    enum swarm_event_kind event;
    enum swarm_kind kind;
    uint32_t host;
};

/* ---- parameters ---- */

static bool is_given(const char *name, const struct engine_param *given, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(given[i].key, name) == 0)
            return true;
    return false;
}

static void draw_param(struct param *p, const struct swarm_choice *choice, struct rng *rng)
{
    if (choice->count > 0) {
        const struct param *chosen = &choice->list[rng_below(rng, choice->count)];
        free(p->text);
        *p = *chosen;
        p->text = chosen->text ? run_strdup(chosen->text) : NULL;
    } else if (p->type == PARAM_WHOLE) {
        uint64_t span = (uint64_t)choice->range.b - (uint64_t)choice->range.a + 1;
        p->whole = (lua_Integer)((uint64_t)choice->range.a + rng_below(rng, span));
        p->number = (double)p->whole;
    } else {
        p->number = sim_dist_sample(&choice->range, rng);
    }
}

/* A stream for each name, so that a parameter more moves no other. */
void swarm_draw_params(const struct engine *engine, uint64_t seed, struct param *params,
                       const struct engine_param *given, size_t given_count)
{
    uint8_t all[32];
    uint8_t own[32];
    run_seed(all, seed);
    rng_fork_seed(own, all, STREAM, 0);
    for (size_t i = 0; i < engine->swarm->choice_count; i++) {
        const struct swarm_choice *choice = &engine->swarm->choices[i];
        struct param *p = &params[choice->param];
        char name[sizeof p->name + 8];
        struct rng rng;
        if (is_given(p->name, given, given_count) ||
            is_given(p->name, engine->pinned.params, engine->pinned.param_count))
            continue;
        snprintf(name, sizeof name, "param %s", p->name);
        rng_fork(&rng, own, name, 0);
        draw_param(p, choice, &rng);
    }
}

/* ---- the draw ---- */

void swarm_at(struct run *run, uint64_t t_ns, enum swarm_event_kind event, enum swarm_kind kind,
              uint32_t host)
{
    struct swarm_event *e = run_alloc(sizeof *e);
    *e = (struct swarm_event){
        .next = run->swarm->events, .event = event, .kind = kind, .host = host};
    run->swarm->events = e;
    schedule_wake(run, t_ns, WAKE_SWARM, e);
}

/* The kind's next fault, if it is before the heal: a Poisson process. */
static void arm(struct run *run, enum swarm_kind kind, uint64_t since_ns)
{
    struct swarm *s = run->swarm;
    uint64_t gap = rng_exponential_ns(&s->dice[kind], s->spec->faults[kind].every_ns);
    uint64_t t_ns = since_ns + (gap > EVERY_MIN_NS ? gap : EVERY_MIN_NS);
    if (t_ns < s->heal_ns)
        swarm_at(run, t_ns, SWARM_FIRE, kind, 0);
}

/* Each kind is in or out with the same chance, but all are not out. */
static void toss(struct swarm *s, const uint8_t own[32])
{
    enum swarm_kind allowed[SWARM_KINDS];
    uint32_t count = 0;
    bool any = false;
    struct rng rng;
    rng_fork(&rng, own, "kinds", 0);
    for (unsigned k = 0; k < SWARM_KINDS; k++) {
        bool on = rng_chance(&rng, 0.5); /* drawn for all, so that one more moves no other */
        if (!s->spec->faults[k].allowed)
            continue;
        allowed[count++] = (enum swarm_kind)k;
        s->on[k] = on;
        any = any || on;
    }
    uint64_t one = rng_below(&rng, count);
    if (!any)
        s->on[allowed[one]] = true;
    for (unsigned p = 0; p < POINTS; p++)
        s->point[p] = rng_chance(&rng, ENABLED);
}

/* "on kill pause; off skew" */
static void tell_draw(struct run *run)
{
    const struct engine_observer *o = &run->options->observer;
    struct swarm *s = run->swarm;
    char *text = run->result->swarm;
    size_t size = sizeof run->result->swarm;
    size_t at = 0;
    for (int on = 1; on >= 0; on--) {
        at += (size_t)snprintf(text + at, size - at, "%s", on ? "on" : "; off");
        size_t none = at;
        for (unsigned k = 0; k < SWARM_KINDS; k++)
            if (s->spec->faults[k].allowed && s->on[k] == (on == 1))
                at += (size_t)snprintf(text + at, size - at, " %s",
                                       swarm_kind_name((enum swarm_kind)k));
        if (at == none)
            at += (size_t)snprintf(text + at, size - at, " none");
    }
    if (o->on_step)
        o->on_step(o->ctx, run_now(run), "swarm", -1, text);
}

void swarm_begin(struct run *run)
{
    const struct swarm_spec *spec = run->engine->swarm;
    struct swarm *s = run->swarm = run_alloc(sizeof *s);
    uint8_t own[32];
    s->spec = spec;
    s->heal_ns = spec->from_ns + spec->lasting_ns;
    rng_fork_seed(own, run->seed, STREAM, 0);
    toss(s, own);
    tell_draw(run);
    swarm_at(run, s->heal_ns, SWARM_HEAL, SWARM_KINDS, 0);
    run->pending++; /* the run does not end before the heal */
    for (unsigned k = 0; k < SWARM_KINDS; k++) {
        rng_fork(&s->dice[k], own, swarm_kind_name((enum swarm_kind)k), 0);
        if (s->on[k] && spec->faults[k].inject)
            arm(run, (enum swarm_kind)k, spec->from_ns);
    }
    /* What the scenario does in its own time may wait for the heal. */
    if (run->options->until_ns == 0)
        run->end_ns += s->heal_ns + spec->settle_ns;
}

void swarm_free(struct run *run)
{
    struct swarm *s = run->swarm;
    if (!s)
        return;
    while (s->events) {
        struct swarm_event *e = s->events;
        s->events = e->next;
        free(e);
    }
    free(s->hosts);
    free(s);
}

/* ---- liveness ---- */

/* What the running nodes stand on. */
struct standing {
    uint32_t nodes, astray; /* astray: on another tip than the first */
    bool mining;
    uint64_t height; /* the greatest */
};

static struct standing look(const struct run *run)
{
    struct standing s = {0};
    struct vn_info first, info;
    for (uint32_t i = 0; i < run->host_count; i++) {
        struct vn_info *into = s.nodes == 0 ? &first : &info;
        if (run->hosts[i].role == HOST_PEER || run->hosts[i].quit ||
            !run->world.info(run->world.self, i, into))
            continue;
        s.astray += s.nodes > 0 && memcmp(first.tip, into->tip, sizeof first.tip) != 0;
        s.nodes++;
        s.height = into->height > s.height ? into->height : s.height;
        s.mining = s.mining || run->hosts[i].mines;
    }
    return s;
}

/* A condition. A tip does not grow where the script has stopped all miners since. */
static int lives(lua_State *L)
{
    const struct run *run = run_of(L);
    struct standing s = look(run);
    bool grows = !s.mining || s.height > run->swarm->height;
    lua_pushboolean(L, s.nodes > 0 && s.astray == 0 && grows);
    lua_pushfstring(L, "%d of %d nodes on another tip, the highest at %I, at the heal %I",
                    (int)s.astray, (int)s.nodes, (LUAI_UACINT)s.height,
                    (LUAI_UACINT)run->swarm->height);
    return 2;
}

static void heal(struct run *run)
{
    struct swarm *s = run->swarm;
    for (uint32_t i = 0; i < s->host_count; i++)
        if (s->hosts[i].killed)
            fault_start(run, i, s->hosts[i].lose_disk);
    faults_heal(run);
    struct standing now = look(run);
    s->healed = true;
    s->height = now.height;
    run->pending--;
    if (!now.mining) {
        run_step(run, "swarm", -1, "no node mines: no tip has to grow");
        return;
    }
    lua_pushcfunction(run->L, lives);
    checks_eventually(run, s->spec->where, ALIVE, s->spec->settle_ns);
}

void swarm_finish(struct run *run)
{
    if (run->swarm && !run->swarm->healed)
        run_step(run, "swarm", -1, "the run ends before the faults do: no liveness is judged");
}

uint64_t swarm_deadline(const struct run *run, uint64_t t_ns)
{
    const struct swarm *s = run->swarm;
    uint64_t settled_ns = s && !s->healed ? s->heal_ns + s->spec->settle_ns : 0;
    return t_ns > settled_ns ? t_ns : settled_ns;
}

/* ---- what happens ---- */

void swarm_wake(struct run *run, void *event)
{
    const struct swarm_event *e = event;
    if (run->swarm->healed)
        return;
    switch (e->event) {
    case SWARM_FIRE:
        arm(run, e->kind, run_now(run));
        swarm_fault(run, e->kind);
        break;
    case SWARM_END:
        swarm_fault_end(run, e->kind, e->host);
        break;
    case SWARM_HEAL:
        heal(run);
        break;
    }
}

static enum swarm_kind kind_of(const char *word)
{
    unsigned k = 0;
    if (strcmp(word, "restart") == 0)
        return SWARM_KILL;
    while (k < SWARM_KINDS && strcmp(swarm_kind_name((enum swarm_kind)k), word) != 0)
        k++;
    return (enum swarm_kind)k;
}

const char *swarm_refuses(const struct run *run, const struct decision *decision)
{
    const struct swarm *s = run->swarm;
    if (!s || decision->mends)
        return NULL;
    if (s->healed)
        return ": the faults are over";
    enum swarm_kind kind = kind_of(decision->kind);
    bool off = kind < SWARM_KINDS && s->spec->faults[kind].allowed && !s->on[kind];
    return off ? ": its kind is off in this seed" : NULL;
}
