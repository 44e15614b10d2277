/* What a run leaves for other programs to show: --pcap, a packet capture for Wireshark of what went
 * over the simulated links, and --perfetto, a trace for ui.perfetto.dev of what nodes did. Both are
 * written as the run goes on, in memory that its nodes and open links bound, and change nothing of
 * it but that hosts never run apart (engine_options.by_time). */
#ifndef VIBESIM_EXPORT_H
#define VIBESIM_EXPORT_H

#include "scenarios/engine.h"
#include "vibesim/seeds.h"

struct export_args {
    const char *pcap, *perfetto; /* files, argv's; NULL: not given */
    struct seeds pcap_nodes;     /* count 0: all */
};

/* ---- arguments: false, told, where something is wrong ---- */

bool export_parse_pcap(const char *text, struct export_args *args);
bool export_parse_pcap_nodes(const char *text, struct export_args *args);
bool export_parse_perfetto(const char *text, struct export_args *args);
/* Whether they go together with the others. many: several runs are asked for, of which file and
 * seed are the first. */
bool export_check(const struct export_args *args, bool many, const char *file, uint64_t seed,
                  enum engine_world world);
/* An export must not be written over another file of the run; others: option, file, option, file
 * ... NULL, of which files may be NULL. */
bool export_check_files(const struct export_args *args, const char *const *others);
void export_args_free(struct export_args *args);

/* ---- a run ---- */

struct export;

/* NULL, told, if a file cannot be made; then none is open. about: what run it is, in words. */
struct export *export_open(const struct export_args *args, const char *program, const char *about);
/* What it has to hear, as struct engine_observer's trace_mask. */
uint64_t export_mask(const struct export *e);

/* As struct engine_observer's. */
void export_node(struct export *e, uint32_t host, const char *role);
void export_trace(struct export *e, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                  uint32_t peer_host);
void export_step(struct export *e, uint64_t t_ns, const char *kind, int64_t host,
                 const char *detail);
void export_decision(struct export *e, uint64_t t_ns, uint32_t no, const char *kind,
                     const char *params, bool taken);
void export_decision_over(struct export *e, uint64_t t_ns, uint32_t no);
void export_result(struct export *e, uint64_t t_ns, const char *name, bool ok, const char *detail);
void export_log(struct export *e, uint64_t t_ns, const char *text);
void export_wire(struct export *e, uint64_t t_ns, const struct sim_wire *wire);
void export_info(struct export *e, uint64_t t_ns, uint32_t host, const struct vn_info *info);

/* Completes the files of a run that ended at t_ns and frees e. False, told, if one is not whole. */
bool export_close(struct export *e, uint64_t t_ns);

#endif
