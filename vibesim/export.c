/* The exports of a run: arguments, files, and whom to tell what; see export.h. */
#include "vibesim/export.h"

#include "trace/words.h"
#include "vibesim/cli_term.h"
#include "vibesim/export_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct export
{
    const struct export_args *args;
    struct export_pcap pcap;
    struct export_perfetto perfetto;
    uint32_t nodes, peers;
};

/* ---- arguments ---- */

static bool parse_file(const char *option, const char *text, const char **file)
{
    if (!*text)
        term_error("%s: the name of the file is empty", option);
    *file = text;
    return *text != 0;
}

bool export_parse_pcap(const char *text, struct export_args *args)
{
    return parse_file("--pcap", text, &args->pcap);
}

bool export_parse_perfetto(const char *text, struct export_args *args)
{
    return parse_file("--perfetto", text, &args->perfetto);
}

bool export_parse_pcap_nodes(const char *text, struct export_args *args)
{
    char why[300];
    if (args->pcap_nodes.count > 0) {
        term_error("--pcap-nodes: is given twice: write one list, like 1..5,9");
        return false;
    }
    if (seeds_parse(&args->pcap_nodes, text, why, sizeof why) &&
        args->pcap_nodes.ranges[0].first > 0)
        return true;
    term_error("--pcap-nodes: '%s' is not a list of nodes, numbers from 1 on as in node-0001, "
               "like 1..5,9",
               text);
    return false;
}

void export_args_free(struct export_args *args)
{
    seeds_free(&args->pcap_nodes);
}

bool export_check(const struct export_args *args, bool many, const char *file, uint64_t seed,
                  enum engine_world world)
{
    const char *option = args->pcap ? "--pcap" : "--perfetto";
    if (many && (args->pcap || args->perfetto))
        term_error("%s: is of a single run: vibesim run %s --seed %llu %s FILE", option, file,
                   (unsigned long long)seed, option);
    else if (args->pcap && world == ENGINE_TCP)
        term_error("--pcap: writes what goes over simulated links, and in the world tcp real "
                   "packets go over the loopback: leave out --pcap or --world tcp, or capture "
                   "there with tcpdump -i lo");
    else if (args->pcap_nodes.count > 0 && !args->pcap)
        term_error("--pcap-nodes: say where to: --pcap FILE");
    else
        return true;
    return false;
}

/* Whether both names are of one file. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) &&
                                 x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

static bool check_file(const char *option, const char *path, const char *const *others)
{
    for (; path && *others; others += 2)
        if (others[1] && strcmp(option, others[0]) != 0 && same_file(path, others[1])) {
            term_error("%s: %s is given to %s as well: name another file", option, path, others[0]);
            return false;
        }
    return true;
}

bool export_check_files(const struct export_args *args, const char *const *others)
{
    const char *const each_other[] = {"--perfetto", args->perfetto, NULL};
    return check_file("--pcap", args->pcap, others) &&
           check_file("--pcap", args->pcap, each_other) &&
           check_file("--perfetto", args->perfetto, others);
}

/* ---- files ---- */

void *export_room(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    const uint32_t grown = *capacity > 0 ? 2 * *capacity : 8;
    array = realloc(array, grown * size);
    if (!array)
        abort();
    memset((char *)array + *capacity * size, 0, (grown - *capacity) * size);
    *capacity = grown;
    return array;
}

static void tell_unopened(const char *option, const char *path)
{
    term_error("%s: %s: %s: name a file that can be written", option, path, strerror(errno));
}

struct export *export_open(const struct export_args *args, const char *program, const char *about)
{
    struct export *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->args = args;
    if (args->pcap && !pcapng_open(&e->pcap.file, args->pcap, program, about)) {
        tell_unopened("--pcap", args->pcap);
        free(e);
        return NULL;
    }
    if (args->perfetto && !perfetto_open(&e->perfetto.file, args->perfetto)) {
        tell_unopened("--perfetto", args->perfetto);
        if (args->pcap)
            pcapng_close(&e->pcap.file);
        free(e);
        return NULL;
    }
    if (args->pcap)
        export_pcap_init(&e->pcap, &args->pcap_nodes);
    if (args->perfetto)
        export_perfetto_init(&e->perfetto);
    signal(SIGPIPE, SIG_IGN); /* a reader that goes is told like a full disk */
    return e;
}

static bool tell_closed(const char *option, const char *path, bool whole, int error)
{
    if (!whole)
        term_error("%s: %s: %s: the file ends early, and what is in it is whole: free some space "
                   "or name another file",
                   option, path, strerror(error));
    return whole;
}

bool export_close(struct export *e, uint64_t t_ns)
{
    bool ok = true;
    if (e->args->pcap) {
        const bool whole = pcapng_close(&e->pcap.file);
        ok = tell_closed("--pcap", e->args->pcap, whole, e->pcap.file.out.error);
        export_pcap_deinit(&e->pcap);
    }
    if (e->args->perfetto) {
        export_perfetto_deinit(&e->perfetto, t_ns);
        const bool whole = perfetto_close(&e->perfetto.file);
        ok = tell_closed("--perfetto", e->args->perfetto, whole, e->perfetto.file.out.error) && ok;
    }
    free(e);
    return ok;
}

/* ---- what happens ---- */

uint64_t export_mask(const struct export *e)
{
    const uint64_t all = (UINT64_C(1) << VN_TR_KINDS) - 1;
    return e->args->perfetto ? all & ~(UINT64_C(1) << VN_TR_TX_NEW) : 0;
}

void export_node(struct export *e, uint32_t host, const char *role)
{
    (void)host; /* they come in order */
    const bool peer = strcmp(role, "peer") == 0;
    const uint32_t number = peer ? ++e->peers : ++e->nodes;
    char name[24];
    words_host(name, peer, number);
    if (e->args->pcap)
        export_pcap_host(&e->pcap, peer, number, name);
    if (e->args->perfetto)
        export_perfetto_host(&e->perfetto, peer, name);
}

void export_wire(struct export *e, uint64_t t_ns, const struct sim_wire *wire)
{
    if (e->args->pcap)
        export_pcap_wire(&e->pcap, t_ns, wire);
    if (e->args->perfetto)
        export_perfetto_wire(&e->perfetto, t_ns, wire);
}

void export_trace(struct export *e, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                  uint32_t peer_host)
{
    if (e->args->perfetto)
        export_perfetto_trace(&e->perfetto, t_ns, host, trace, peer_host);
}

void export_info(struct export *e, uint64_t t_ns, uint32_t host, const struct vn_info *info)
{
    if (e->args->perfetto)
        export_perfetto_info(&e->perfetto, t_ns, host, info);
}

void export_step(struct export *e, uint64_t t_ns, const char *kind, int64_t host,
                 const char *detail)
{
    if (e->args->perfetto)
        export_perfetto_step(&e->perfetto, t_ns, kind, host, detail);
}

void export_decision(struct export *e, uint64_t t_ns, uint32_t no, const char *kind,
                     const char *params, bool taken)
{
    if (e->args->perfetto)
        export_perfetto_decision(&e->perfetto, t_ns, no, kind, params, taken);
}

void export_decision_over(struct export *e, uint64_t t_ns, uint32_t no)
{
    if (e->args->perfetto)
        export_perfetto_decision_over(&e->perfetto, t_ns, no);
}

void export_result(struct export *e, uint64_t t_ns, const char *name, bool ok, const char *detail)
{
    if (e->args->perfetto)
        export_perfetto_check(&e->perfetto, t_ns, name, ok, detail);
}

void export_log(struct export *e, uint64_t t_ns, const char *text)
{
    if (e->args->perfetto)
        export_perfetto_log(&e->perfetto, t_ns, text);
}
