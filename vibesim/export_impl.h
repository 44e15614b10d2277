/* What the files of the exports share: the two writers. Nobody else includes this. */
#ifndef VIBESIM_EXPORT_IMPL_H
#define VIBESIM_EXPORT_IMPL_H

#include "core/base/map.h"
#include "trace/pcapng.h"
#include "trace/perfetto.h"
#include "transport-sim/sim.h"
#include "vibesim/export.h"

/* ---- export_pcap.c: what went over links, as packets ---- */

struct pcap_link;

struct export_pcap {
    struct pcapng file;
    const struct seeds *nodes; /* borrowed; count 0: all */
    struct u64map links;       /* by sim_wire.link */
    struct pcap_link *all;     /* the same, as a list */
    bool *wanted;              /* by host */
    uint32_t host_count;
};

void export_pcap_init(struct export_pcap *x, const struct seeds *nodes);
/* The next host: number counts nodes, or scripted peers, from 1. */
void export_pcap_host(struct export_pcap *x, bool peer, uint32_t number, const char *name);
void export_pcap_wire(struct export_pcap *x, uint64_t t_ns, const struct sim_wire *wire);
void export_pcap_deinit(struct export_pcap *x);

/* ---- export_perfetto.c: what nodes did, on tracks ---- */

struct perfetto_host;
struct perfetto_span;

struct export_perfetto {
    struct perfetto file;
    struct perfetto_host *hosts;
    uint32_t host_count, host_capacity;
    uint32_t begun;              /* hosts whose life has begun in the file */
    uint32_t links;              /* that had an end up so far */
    struct perfetto_span *spans; /* faults that last */
    uint32_t span_count, span_capacity;
};

void export_perfetto_init(struct export_perfetto *x);
/* The next host. */
void export_perfetto_host(struct export_perfetto *x, bool peer, const char *name);
void export_perfetto_trace(struct export_perfetto *x, uint64_t t_ns, uint32_t host,
                           const struct vn_trace *trace, uint32_t peer_host);
void export_perfetto_step(struct export_perfetto *x, uint64_t t_ns, const char *kind, int64_t host,
                          const char *detail);
void export_perfetto_decision(struct export_perfetto *x, uint64_t t_ns, uint32_t no,
                              const char *kind, const char *params, bool taken);
void export_perfetto_decision_over(struct export_perfetto *x, uint64_t t_ns, uint32_t no);
void export_perfetto_check(struct export_perfetto *x, uint64_t t_ns, const char *name, bool ok,
                           const char *detail);
void export_perfetto_log(struct export_perfetto *x, uint64_t t_ns, const char *text);
void export_perfetto_wire(struct export_perfetto *x, uint64_t t_ns, const struct sim_wire *wire);
void export_perfetto_info(struct export_perfetto *x, uint64_t t_ns, uint32_t host,
                          const struct vn_info *info);
/* Ends all that is under way, and frees. */
void export_perfetto_deinit(struct export_perfetto *x, uint64_t t_ns);

/* ---- export.c ---- */

/* Room for one more than count, the new part zeroed. Aborts when memory is out. */
void *export_room(void *array, uint32_t count, uint32_t *capacity, size_t size);

#endif
