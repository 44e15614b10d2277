/* The second invariant that stands in every scenario: every node's books add up (vn_node_audit).
 * One node is looked at whenever something settled or the script goes on, in turn, so that what goes
 * wrong is seen near where it did; each before it is killed, and all at the end. When that is depends on nothing but
 * the run, so that one that fails does so again. */
#include "scenarios/run.h"

#include <stdio.h>

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
    snprintf(run->violation, sizeof run->violation, "%s%s: %s: %llu in its books, %llu counted", name,
             link, audit.what, (unsigned long long)audit.kept, (unsigned long long)audit.counted);
}

void audit_turn(struct run *run)
{
    if (run->host_count == 0)
        return;
    run->audited = (run->audited + 1) % run->host_count;
    audit_host(run, run->audited);
}

void audit_all(struct run *run)
{
    for (uint32_t host = 0; host < run->host_count; host++)
        audit_host(run, host);
}
