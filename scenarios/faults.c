/* See faults.h. Failure mode: the world does not know a host, or has lost it already: nothing
 * happens, and nothing is told. */
#include "scenarios/faults.h"

#include "scenarios/run.h"

#include "core/base/exact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double seconds_of(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void decision_lasting(struct decision *d, uint64_t lasting_ns)
{
    if (lasting_ns > 0)
        decision_real(d, "lasting", seconds_of(lasting_ns));
}

/* " for 30 s", or nothing. */
static const char *lasting_text(uint64_t lasting_ns, char out[40])
{
    out[0] = 0;
    if (lasting_ns > 0)
        snprintf(out, 40, " for %.6g s", seconds_of(lasting_ns));
    return out;
}

/* ---- hosts: kill and pause ---- */

bool fault_kill(struct run *run, uint32_t host, const struct fault_kill *kill)
{
    struct decision decision;
    char text[40];
    decision_begin(&decision, "kill");
    decision_lasting(&decision, kill->lasting_ns);
    if (kill->lose_disk)
        decision_flag(&decision, "lose_disk", true);
    decision_number(&decision, "node", host);
    if (kill->silently)
        decision_flag(&decision, "silently", true);
    bool taken = decision_take(run, &decision);
    if (!taken || !run->world.alive(run->world.self, host))
        return false;
    audit_host(run, host);
    if (kill->silently)
        run->world.power_off(run->world.self, host);
    else
        run->world.kill(run->world.self, host);
    run->dirty = true;
    lasting_text(kill->lasting_ns, text);
    run_step(run, "kill", host, "%s%s", kill->silently ? "silently" : "",
             kill->silently || !text[0] ? text : text + 1);
    return true;
}

bool fault_start(struct run *run, uint32_t host, bool lose_disk)
{
    if (run->world.alive(run->world.self, host))
        return false;
    run->world.start(run->world.self, host, lose_disk);
    run->hosts[host].quit = false;
    run->dirty = true;
    run_step(run, "restart", host, "%s", lose_disk ? "without its disk" : "");
    return true;
}

bool fault_pause(struct run *run, uint32_t host, uint64_t lasting_ns)
{
    struct decision decision;
    char text[40];
    decision_begin(&decision, "pause");
    decision_lasting(&decision, lasting_ns);
    decision_number(&decision, "node", host);
    if (!decision_take(run, &decision) || !run->world.pause(run->world.self, host))
        return false;
    run->dirty = true;
    run_step(run, "pause", host, "%s", lasting_ns > 0 ? lasting_text(lasting_ns, text) + 1 : "");
    return true;
}

bool fault_resume(struct run *run, uint32_t host)
{
    if (!run->world.resume || !run->world.resume(run->world.self, host))
        return false;
    run->dirty = true;
    run_step(run, "resume", host, "%s", "");
    return true;
}

/* ---- hosts: clocks ---- */

static int64_t signed_ns(double seconds)
{
    int64_t ns = (int64_t)exact_ns_from_seconds(seconds < 0 ? -seconds : seconds);
    return seconds < 0 ? -ns : ns;
}

static void tell_skew(struct run *run, uint32_t host, const struct fault_skew *s)
{
    char drift[40] = "";
    char jump[80] = "";
    if (s->drift > 0 || s->drift < 0)
        snprintf(drift, sizeof drift, ", drifts by %.9g ppm", s->drift);
    if (s->jump > 0 || s->jump < 0)
        snprintf(jump, sizeof jump, ", jumps by %.9g s every %.9g s", s->jump,
                 seconds_of(s->jump_every_ns));
    run_step(run, "skew", host, "by %.9g s%s%s", s->by, drift, jump);
}

bool fault_skew(struct run *run, uint32_t host, const struct fault_skew *s)
{
    const struct sim_clock clock = {.skew_ns = signed_ns(s->by),
                                    .drift_ppm = (int32_t)s->drift,
                                    .jump_ns = signed_ns(s->jump),
                                    .jump_every_ns = s->jump_every_ns};
    struct decision decision;
    decision_begin(&decision, "skew");
    decision_real(&decision, "by", s->by);
    decision_real(&decision, "drift", s->drift);
    decision_real(&decision, "jump", s->jump);
    decision_real(&decision, "jump_every", seconds_of(s->jump_every_ns));
    decision_lasting(&decision, s->lasting_ns);
    decision_number(&decision, "node", host);
    if (!decision_take(run, &decision))
        return false;
    run->world.clock(run->world.self, host, &clock);
    run->dirty = true;
    tell_skew(run, host, s);
    return true;
}

void fault_clock_right(struct run *run, uint32_t host)
{
    static const struct sim_clock right;
    run->world.clock(run->world.self, host, &right);
    run->dirty = true;
    run_step(run, "skew", host, "right again");
}

/* ---- hosts: disks ---- */

static void decide_disk(struct decision *d, uint32_t host, const struct sim_disk_faults *f,
                        uint64_t lasting_ns)
{
    decision_begin(d, "disk");
    decision_real(d, "corrupt", f->corrupt);
    decision_real(d, "fail_loads", f->fail_loads);
    decision_real(d, "fail_stores", f->fail_stores);
    decision_flag(d, "full", f->full);
    decision_flag(d, "hang", f->hang);
    decision_lasting(d, lasting_ns);
    if (f->own_latency)
        decision_dist(d, "latency", &f->latency);
    decision_number(d, "lie", f->lie);
    decision_number(d, "node", host);
    decision_real(d, "slow", f->slow);
    decision_real(d, "torn", f->torn);
}

/* For the story: what is wrong, the worst first. */
static void tell_disk(struct run *run, uint32_t host, const struct sim_disk_faults *f)
{
    if (f->hang)
        run_step(run, "disk", host, "hangs");
    else if (f->full)
        run_step(run, "disk", host, "full");
    else
        run_step(run, "disk", host, "fails %.9g/%.9g, corrupt %.9g, torn %.9g, lie %u, slow %.9g",
                 f->fail_stores, f->fail_loads, f->corrupt, f->torn, f->lie, f->slow);
}

bool fault_disk(struct run *run, uint32_t host, const struct sim_disk_faults *faults,
                uint64_t lasting_ns)
{
    struct decision decision;
    decide_disk(&decision, host, faults, lasting_ns);
    if (!decision_take(run, &decision))
        return false;
    run->world.disk(run->world.self, host, faults);
    run->dirty = true;
    tell_disk(run, host, faults);
    return true;
}

void fault_disk_good(struct run *run, uint32_t host)
{
    run->world.disk(run->world.self, host, NULL);
    run->dirty = true;
    run_step(run, "disk", host, "good again");
}

/* ---- links: what goes on until it is healed ---- */

const char *fault_class_name(enum fault_class class)
{
    static const char *const names[FAULT_CLASSES] = {"partition", "flap", "degradation"};
    return names[class];
}

static void note(struct run *run, enum fault_class class, uint32_t id, uint64_t lasting_ns)
{
    if (run->ongoing_count == run->ongoing_capacity) {
        run->ongoing_capacity = run->ongoing_capacity ? 2 * run->ongoing_capacity : 16;
        run->ongoing = realloc(run->ongoing, run->ongoing_capacity * sizeof *run->ongoing);
        if (!run->ongoing)
            abort();
    }
    uint64_t end_ns = lasting_ns > 0 ? run_now(run) + lasting_ns : UINT64_MAX;
    run->ongoing[run->ongoing_count++] = (struct fault_ongoing){
        .class = class, .id = id, .decision = run->decisions, .end_ns = end_ns};
    run->dirty = true;
}

static uint32_t cut(struct run *run, enum fault_class class, const struct fault_sides *s,
                    const struct sim_cut_params *params)
{
    uint32_t id = run->world.cut(run->world.self, s->a, s->na, s->b, s->nb, params);
    note(run, class, id, params->lasting_ns);
    return id;
}

static void decision_sides(struct decision *d, const char *kind, const struct fault_sides *s)
{
    decision_begin(d, kind);
    decision_hosts(d, "a", s->a, s->na);
    decision_hosts(d, "b", s->b, s->nb);
}

uint32_t fault_partition(struct run *run, const struct fault_sides *s,
                         const struct sim_cut_params *params)
{
    struct decision decision;
    char text[40];
    decision_sides(&decision, "partition", s);
    decision_lasting(&decision, params->lasting_ns);
    decision_flag(&decision, "one_way", params->one_way);
    if (!decision_take(run, &decision))
        return 0;
    uint32_t id = cut(run, FAULT_CUT, s, params);
    run_step(run, "partition", -1, "%u %s %u hosts%s", s->na, params->one_way ? "-/->" : "|", s->nb,
             lasting_text(params->lasting_ns, text));
    return id;
}

uint32_t fault_blackhole(struct run *run, const struct fault_sides *s,
                         const struct sim_cut_params *params)
{
    struct decision decision;
    char text[40];
    decision_begin(&decision, "blackhole");
    decision_hosts(&decision, "hosts", s->a, s->na);
    decision_lasting(&decision, params->lasting_ns);
    decision_flag(&decision, "one_way", params->one_way);
    if (!decision_take(run, &decision))
        return 0;
    uint32_t id = cut(run, FAULT_CUT, s, params);
    run_step(run, "blackhole", -1, "%u hosts%s%s", s->na, params->one_way ? ", what they send" : "",
             lasting_text(params->lasting_ns, text));
    return id;
}

uint32_t fault_flap(struct run *run, const struct fault_sides *s,
                    const struct sim_cut_params *params)
{
    struct decision decision;
    char text[40];
    decision_sides(&decision, "flap", s);
    decision_real(&decision, "down", seconds_of(params->down_ns));
    decision_real(&decision, "every", seconds_of(params->every_ns));
    decision_lasting(&decision, params->lasting_ns);
    if (!decision_take(run, &decision))
        return 0;
    uint32_t id = cut(run, FAULT_FLAP, s, params);
    run_step(run, "flap", -1, "%u ~ %u hosts, %.6g of every %.6g s%s", s->na, s->nb,
             seconds_of(params->down_ns), seconds_of(params->every_ns),
             lasting_text(params->lasting_ns, text));
    return id;
}

static void decide_degrade(struct decision *d, const struct fault_sides *s,
                           const struct sim_degrade *by)
{
    const struct sim_link_params *to = &by->to;
    decision_sides(d, "degrade", s);
    if (by->fields & SIM_DEGRADE_RATE)
        decision_number(d, "bandwidth", to->rate_bps);
    if (by->fields & SIM_DEGRADE_CORRUPT)
        decision_real(d, "corrupt", to->corrupt);
    if (by->fields & SIM_DEGRADE_DUPLICATE)
        decision_real(d, "duplicate", to->duplicate);
    if (by->fields & SIM_DEGRADE_JITTER)
        decision_dist(d, "jitter", &to->jitter);
    decision_lasting(d, by->lasting_ns);
    if (by->fields & SIM_DEGRADE_LATENCY)
        decision_dist(d, "latency", &to->latency);
    if (by->fields & SIM_DEGRADE_LOSS)
        decision_real(d, "loss", to->loss);
    if (by->fields & SIM_DEGRADE_QUEUE && to->queue_ns == 0)
        decision_number(d, "queue", to->queue_bytes);
    if (by->fields & SIM_DEGRADE_QUEUE && to->queue_ns > 0)
        decision_real(d, "queue_time", seconds_of(to->queue_ns));
    if (by->fields & SIM_DEGRADE_REORDER) {
        decision_real(d, "reorder", to->reorder);
        decision_dist(d, "reorder_by", &to->reorder_by);
    }
}

uint32_t fault_degrade(struct run *run, const struct fault_sides *s, const struct sim_degrade *by,
                       bool *refused)
{
    struct decision decision;
    char text[40];
    *refused = false;
    decide_degrade(&decision, s, by);
    if (!decision_take(run, &decision))
        return 0;
    uint32_t id = run->world.degrade(run->world.self, s->a, s->na, s->b, s->nb, by);
    *refused = id == 0;
    if (*refused)
        return 0;
    note(run, FAULT_DEGRADE, id, by->lasting_ns);
    run_step(run, "degrade", -1, "%u ~ %u hosts%s", s->na, s->nb,
             lasting_text(by->lasting_ns, text));
    return id;
}

static void end_one(struct run *run, const struct fault_ongoing *fault)
{
    if (fault->class == FAULT_DEGRADE)
        run->world.restore(run->world.self, fault->id);
    else
        run->world.heal(run->world.self, fault->id);
    run->dirty = true;
    const struct engine_observer *o = &run->options->observer;
    if (o->on_decision_over)
        o->on_decision_over(o->ctx, run_now(run), fault->decision);
}

void fault_end(struct run *run, enum fault_class class, uint32_t id)
{
    static const char *const words[FAULT_CLASSES] = {"heal", "stop", "restore"};
    size_t i = run->ongoing_count;
    while (i > 0 && (run->ongoing[i - 1].class != class || run->ongoing[i - 1].id != id))
        i--;
    if (i == 0)
        return;
    end_one(run, &run->ongoing[i - 1]);
    memmove(&run->ongoing[i - 1], &run->ongoing[i],
            (run->ongoing_count - i) * sizeof *run->ongoing);
    run->ongoing_count--;
    run_step(run, words[class], -1, "%s %u", fault_class_name(class), id);
}

/* ---- links that end, or ought to ---- */

static uint32_t (*links_word(const struct run *run, const char *word))(void *, uint32_t, uint32_t)
{
    return strcmp(word, "reset_links") == 0 ? run->world.reset_links
           : strcmp(word, "half_open") == 0 ? run->world.half_open
                                            : run->world.forget_links;
}

bool fault_links_can(const struct run *run, const char *word)
{
    return links_word(run, word) != NULL;
}

uint32_t fault_links(struct run *run, const char *word, const struct fault_sides *s)
{
    uint32_t (*fn)(void *self, uint32_t a, uint32_t b) = links_word(run, word);
    uint32_t n = 0;
    struct decision decision;
    decision_sides(&decision, word, s);
    if (!decision_take(run, &decision))
        return 0;
    for (uint32_t i = 0; i < s->na; i++)
        for (uint32_t j = 0; j < s->nb; j++)
            if (s->a[i] != s->b[j])
                n += fn(run->world.self, s->a[i], s->b[j]);
    run->dirty = true;
    run_step(run, word, -1, "%lld links", (long long)n);
    return n;
}

/* ---- healing ---- */

static uint32_t heal_links(struct run *run)
{
    uint32_t healed = 0;
    for (size_t i = 0; i < run->ongoing_count; i++) {
        healed += run->ongoing[i].end_ns > run_now(run);
        end_one(run, &run->ongoing[i]);
    }
    run->ongoing_count = 0;
    return healed;
}

void faults_heal(struct run *run)
{
    static const struct sim_clock right;
    const struct world *w = &run->world;
    run_step(run, "heal", -1, "everything; %u faults of links", heal_links(run));
    for (uint32_t host = 0; host < run->host_count; host++) {
        if (run->hosts[host].role == HOST_PEER)
            continue;
        if (w->disk)
            w->disk(w->self, host, NULL);
        if (w->clock)
            w->clock(w->self, host, &right);
        fault_resume(run, host);
        if (run->hosts[host].down)
            fault_start(run, host, false);
    }
    run->dirty = true;
}

void faults_forget(struct run *run)
{
    for (uint32_t host = 0; host < run->host_count; host++) {
        struct host *h = &run->hosts[host];
        h->down = h->paused = h->skewed = h->bad_disk = false;
    }
}
