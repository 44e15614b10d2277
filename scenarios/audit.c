/* The second invariant that stands in every scenario: every node's books add up (vn_node_audit).
 * One node is looked at every so many times that something settled, in turn; each before it is
 * killed, and all at the end; with options.audit each whenever it has drained, so that what goes
 * wrong is seen where it does. When that is depends on nothing but the run, so that one that fails
 * does so again. */
#include "scenarios/run.h"

#include <stdio.h>

#define TURNS 64u /* so many times something settles for one look */

void audit_host(struct run *run, uint32_t host)
{
    struct vn_audit audit;
    if (run->violated || !run->world.audit || run->hosts[host].role == HOST_PEER ||
        run->world.audit(run->world.self, host, &audit))
        return;
    char name[24], link[40] = "";
    run_host_name(run, host, name);
    if (audit.link)
        snprintf(link, sizeof link, ", link %llu", (unsigned long long)audit.link);
    run->violated = invariant_books;
    run->dirty = true;
    snprintf(run->violation, sizeof run->violation,
             "%s%s: %s: %llu in its books where %llu is right", name, link, audit.what,
             (unsigned long long)audit.kept, (unsigned long long)audit.counted);
}

void audit_turn(struct run *run)
{
    if (run->host_count > 0 && ++run->audit_turns % TURNS == 0)
        audit_host(run, run->audit_turns / TURNS % run->host_count);
}

void audit_all(struct run *run)
{
    const volatile sig_atomic_t *interrupt = run->options->interrupt;
    for (uint32_t host = 0; host < run->host_count && !(interrupt && *interrupt); host++)
        audit_host(run, host);
}

void audit_drained(struct run *run, uint32_t host)
{
    if (run->violated || host >= run->host_count) /* or it is just being spawned */
        return;
    audit_host(run, host);
    if (!run->violated)
        return;
    run->stopped = true;
    run->world.stop(run->world.self);
}
