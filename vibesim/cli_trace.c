/* The lines of --trace; see cli_trace.h. Most events name their link alone: who is at its other end
 * is learnt from the peer states, which are heard for that whether or not they are shown. */
#include "vibesim/cli_trace.h"

#include "trace/words.h"
#include "vibesim/cli_term.h"
#include "vibesim/progress.h"
#include "vibesim/record.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 400u

struct trace_link {
    uint64_t link;
    uint32_t peer;
};

struct trace_links {
    struct trace_link *all;
    uint32_t count, capacity;
};

static const struct trace_host nobody = {.number = 0};

void trace_init(struct cli_trace *t, const struct trace_filter *filter, bool json)
{
    *t = (struct cli_trace){.filter = filter, .json = json, .out = stderr};
}

bool trace_open(struct cli_trace *t, const char *path, char *why, size_t size)
{
    FILE *out = fopen(path, "we");
    if (!out) {
        snprintf(why, size, "--trace-file: %s: %s: name a file that can be written", path,
                 strerror(errno));
        return false;
    }
    t->path = path;
    t->out = out;
    return true;
}

static bool exists(const struct cli_trace *t, struct trace_host h)
{
    return h.number <= (h.peer ? t->peers : t->nodes);
}

static void tell_missing(const struct cli_trace *t, struct trace_host h)
{
    char name[24];
    words_host(name, h.peer, h.number);
    term_error("--trace: the run had no %s: its last is %s-%04u", name, h.peer ? "peer" : "node",
               h.peer ? t->peers : t->nodes);
}

bool trace_close(struct cli_trace *t)
{
    errno = 0;
    bool ok = fflush(t->out) == 0 && !ferror(t->out);
    if (!ok)
        term_error("--trace-file: %s: %s: free some space or name another file",
                   t->path ? t->path : "stderr",
                   errno ? strerror(errno) : "not everything was written");
    if (t->path)
        fclose(t->out);
    for (uint32_t i = 0; i < t->filter->count; i++) {
        const struct trace_term *term = &t->filter->terms[i];
        if (!exists(t, term->a))
            tell_missing(t, term->a);
        if (!exists(t, term->b))
            tell_missing(t, term->b);
    }
    for (uint32_t i = 0; i < t->host_count; i++)
        free(t->links[i].all);
    free(t->links);
    free(t->hosts);
    return ok;
}

uint64_t trace_mask(const struct cli_trace *t)
{
    const uint64_t own = (UINT64_C(1) << VN_TR_KINDS) - 1;
    return (trace_filter_kinds(t->filter) & own) | UINT64_C(1) << VN_TR_PEER_STATE;
}

/* ---- hosts and links ---- */

static void *grown(void *array, size_t count, size_t size)
{
    void *p = realloc(array, count * size);
    if (!p)
        abort();
    return p;
}

void trace_node(struct cli_trace *t, const char *role)
{
    bool peer = strcmp(role, "peer") == 0;
    if ((t->host_count & (t->host_count - 1)) == 0) {
        size_t room = t->host_count ? 2 * (size_t)t->host_count : 1;
        t->hosts = grown(t->hosts, room, sizeof *t->hosts);
        t->links = grown(t->links, room, sizeof *t->links);
    }
    t->hosts[t->host_count] = (struct trace_host){peer, peer ? ++t->peers : ++t->nodes};
    t->links[t->host_count++] = (struct trace_links){NULL, 0, 0};
}

static struct trace_link *find_link(struct trace_links *links, uint64_t link)
{
    for (uint32_t i = 0; i < links->count; i++)
        if (links->all[i].link == link)
            return &links->all[i];
    return NULL;
}

static void learn_link(struct trace_links *links, uint64_t link, uint32_t peer)
{
    struct trace_link *known = find_link(links, link);
    if (!known && links->count == links->capacity) {
        links->capacity = links->capacity ? 2 * links->capacity : 16;
        links->all = grown(links->all, links->capacity, sizeof *links->all);
    }
    if (!known)
        known = &links->all[links->count++];
    *known = (struct trace_link){link, peer};
}

static void forget_link(struct trace_links *links, uint64_t link)
{
    struct trace_link *known = find_link(links, link);
    if (known)
        *known = links->all[--links->count];
}

static struct trace_host other_end(struct cli_trace *t, uint32_t host, const struct vn_trace *trace,
                                   uint32_t peer)
{
    struct trace_links *links = &t->links[host];
    const struct trace_link *known = trace->link ? find_link(links, trace->link) : NULL;
    if (peer == UINT32_MAX && known)
        peer = known->peer;
    if (trace->kind == VN_TR_PEER_STATE && trace->link) {
        bool up = trace->b == VN_PEER_CONNECTING || trace->b == VN_PEER_CONNECTED ||
                  trace->b == VN_PEER_READY;
        if (up && peer != UINT32_MAX)
            learn_link(links, trace->link, peer);
        else if (!up)
            forget_link(links, trace->link);
    }
    return peer < t->host_count ? t->hosts[peer] : nobody;
}

/* ---- lines ---- */

static void put(struct cli_trace *t, uint64_t t_ns, const char *kind, struct trace_host host,
                struct trace_host other, const char *text)
{
    char clean[TEXT_MAX], who[24] = "", peer[24] = "";
    term_clean(clean, sizeof clean, text);
    if (host.number)
        words_host(who, host.peer, host.number);
    if (other.number)
        words_host(peer, other.peer, other.number);
    if (t->progress)
        progress_clear(t->progress);
    if (!t->json) {
        fprintf(t->out, "t=%" PRIu64 ".%06" PRIu64 "s %s%s%s\n", t_ns / 1000000000u,
                t_ns / 1000u % 1000000u, who, who[0] ? ": " : "", clean);
        return;
    }
    json_t *words = json_string(clean);
    json_t *o = json_pack("{s:I, s:s, s:s?, s:s?, s:o}", "t_ns", (json_int_t)t_ns, "kind", kind,
                          "node", who[0] ? who : NULL, "peer", peer[0] ? peer : NULL, "text",
                          words ? words : json_string("?"));
    json_dumpf(o, t->out, JSON_SORT_KEYS | JSON_COMPACT);
    fputc('\n', t->out);
    json_decref(o);
}

/* Kinds that the story has no words for. */
static void other_words(char *out, size_t size, const struct vn_trace *trace, const char *peer)
{
    char detail[TEXT_MAX - 100];
    record_words(detail, sizeof detail, trace);
    bool in = trace->kind == VN_TR_MSG_IN;
    if (in || trace->kind == VN_TR_MSG_OUT)
        snprintf(out, size, "%s %s %s %s, %" PRIu64 " bytes", in ? "receives" : "sends",
                 vn_message_name((uint32_t)trace->a), in ? "from" : "to", peer, trace->b);
    else if (trace->kind == VN_TR_PEER_STATE)
        snprintf(out, size, "link to %s: %s", peer, detail);
    else
        snprintf(out, size, "%s%s%s%s%s", vn_trace_name(trace->kind), trace->link ? " from " : "",
                 trace->link ? peer : "", detail[0] ? ": " : "", detail);
}

void trace_words(char *out, size_t size, const struct vn_trace *trace, const char *peer)
{
    const struct words w = {trace->kind, trace->a, trace->b,
                            trace->hash, peer,     trace->text ? trace->text : ""};
    switch ((enum vn_trace_kind)trace->kind) {
    case VN_TR_TIP:
    case VN_TR_BAN:
    case VN_TR_UNBAN:
    case VN_TR_DISCONNECT:
    case VN_TR_SCORE:
    case VN_TR_BLOCK_BAD:
        words_event(out, size, &w);
        return;
    case VN_TR_PEER_STATE:
    case VN_TR_MSG_IN:
    case VN_TR_MSG_OUT:
    case VN_TR_BLOCK_NEW:
    case VN_TR_BLOCK_ORPHAN:
    case VN_TR_MINED:
    case VN_TR_TX_NEW:
    case VN_TR_TX_BAD:
    case VN_TR_VIOLATION:
    case VN_TR_SYNC:
    case VN_TR_KINDS:
        other_words(out, size, trace, peer);
        return;
    }
}

void trace_event(struct cli_trace *t, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                 uint32_t peer_host)
{
    if (host >= t->host_count)
        return;
    char text[TEXT_MAX], peer[24] = "a peer";
    struct trace_host other = other_end(t, host, trace, peer_host);
    if (!trace_filter_wants(t->filter, trace->kind, t->hosts[host], other))
        return;
    if (other.number)
        words_host(peer, other.peer, other.number);
    trace_words(text, sizeof text, trace, peer);
    put(t, t_ns, trace_kind_name(trace->kind), t->hosts[host], other, text);
}

void trace_step(struct cli_trace *t, uint64_t t_ns, const char *kind, int64_t host,
                const char *detail)
{
    struct trace_host who = host >= 0 && host < (int64_t)t->host_count ? t->hosts[host] : nobody;
    char text[TEXT_MAX];
    if (!trace_filter_wants(t->filter, TRACE_STEP, who, nobody))
        return;
    /* The detail begins with the host's name; the line has it already. */
    const char *words = who.number && detail ? strstr(detail, ": ") : NULL;
    snprintf(text, sizeof text, "%s%s%s", kind, words ? " " : "", words ? words + 2 : "");
    if (!who.number)
        snprintf(text, sizeof text, "%s %s", kind, detail ? detail : "");
    put(t, t_ns, "step", who, nobody, text);
}

void trace_log(struct cli_trace *t, uint64_t t_ns, const char *text)
{
    char line[TEXT_MAX];
    if (!trace_filter_wants(t->filter, TRACE_LOG, nobody, nobody))
        return;
    snprintf(line, sizeof line, "log: %s", text);
    put(t, t_ns, "log", nobody, nobody, line);
}

void trace_check(struct cli_trace *t, uint64_t t_ns, const char *name, bool ok, const char *detail)
{
    char text[TEXT_MAX];
    if (!trace_filter_wants(t->filter, TRACE_CHECK, nobody, nobody))
        return;
    snprintf(text, sizeof text, "check %s: %s%s%s", ok ? "holds" : "failed", name,
             detail ? ": " : "", detail ? detail : "");
    put(t, t_ns, "check", nobody, nobody, text);
}
