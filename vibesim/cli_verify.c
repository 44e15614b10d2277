/* Compares two runs event by event; see cli_verify.h. Memory is bounded by stdio's buffer. */
#include "vibesim/cli_verify.h"

#include "vibesim/cli_term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct verify_entry {
    uint64_t t_ns;
    uint32_t host, kind;
    uint64_t hash;
};

bool verify_init(struct verify *v)
{
    memset(v, 0, sizeof *v);
    const char *folder = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/vibesim-verify-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = mkstemp(path);
    if (fd >= 0)
        unlink(path);
    v->file = fd >= 0 ? fdopen(fd, "w+b") : NULL;
    if (v->file) {
        setvbuf(v->file, NULL, _IOFBF, 1u << 18);
        return true;
    }
    snprintf(v->error, sizeof v->error, "--verify: no temporary file (%.80s: %s): set TMPDIR", path,
             strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

void verify_deinit(struct verify *v)
{
    if (v->file)
        fclose(v->file);
    v->file = NULL;
}

static bool io_failed(struct verify *v, const char *doing)
{
    snprintf(v->error, sizeof v->error,
             "--verify: %s the temporary file: %s: it takes 24 bytes an event, set TMPDIR to a "
             "folder with room",
             doing, errno ? strerror(errno) : "it is shorter than it was");
    return false;
}

static const char *event_name(uint32_t kind)
{
    static const char *const names[VN_EV_COUNT] = {
        [VN_EV_START] = "start",       [VN_EV_LINK_UP] = "link-up", [VN_EV_LINK_DOWN] = "link-down",
        [VN_EV_BYTES] = "bytes",       [VN_EV_SENT] = "sent",       [VN_EV_TIMER] = "timer",
        [VN_EV_CLOCK] = "clock",       [VN_EV_STORED] = "stored",   [VN_EV_LOADED] = "loaded",
        [VN_EV_RESOLVED] = "resolved", [VN_EV_COMMAND] = "command"};
    return kind < VN_EV_COUNT && names[kind] ? names[kind] : "an event of a script";
}

static void tell_difference(struct verify *v, uint64_t number, const struct verify_entry *a,
                            const struct verify_entry *b)
{
    char t[32], where[80] = "";
    term_seconds(t, a->t_ns);
    if (a->t_ns != b->t_ns || a->host != b->host) {
        char t2[32];
        term_seconds(t2, b->t_ns);
        snprintf(where, sizeof where, " at t=%s s (%+lld ns), node %u", t2,
                 (long long)(b->t_ns - a->t_ns), b->host);
    }
    snprintf(v->difference, sizeof v->difference,
             "event %llu at t=%s s, node %u: run 1 gave %s (hash %016llx), run 2 %s (hash "
             "%016llx)%s",
             (unsigned long long)number, t, a->host, event_name(a->kind),
             (unsigned long long)a->hash, event_name(b->kind), (unsigned long long)b->hash, where);
}

bool verify_event(struct verify *v, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                  uint64_t hash)
{
    if (v->error[0] || v->difference[0])
        return false;
    struct verify_entry now = {t_ns, host, kind, hash}, first;
    v->events[v->second]++;
    errno = 0;
    if (!v->second)
        return fwrite(&now, sizeof now, 1, v->file) == 1 || io_failed(v, "cannot write");
    if (fread(&first, sizeof first, 1, v->file) != 1) {
        if (ferror(v->file) || v->events[1] <= v->events[0])
            return io_failed(v, "cannot read");
        char t[32];
        term_seconds(t, t_ns);
        snprintf(v->difference, sizeof v->difference,
                 "event %llu at t=%s s, node %u: run 1 ended before it, run 2 gave %s",
                 (unsigned long long)number, t, host, event_name(kind));
        return false;
    }
    if (first.t_ns == t_ns && first.host == host && first.kind == kind && first.hash == hash)
        return true;
    tell_difference(v, number, &first, &now);
    return false;
}

bool verify_rewind(struct verify *v)
{
    errno = 0;
    v->second = true;
    if (v->error[0])
        return false;
    return fseek(v->file, 0, SEEK_SET) == 0 || io_failed(v, "cannot write");
}

bool verify_end(struct verify *v, const struct engine_result *first,
                const struct engine_result *second)
{
    if (v->difference[0])
        return false;
    if (v->events[1] < v->events[0])
        snprintf(v->difference, sizeof v->difference,
                 "run 2 ended after %llu events, run 1 had %llu", (unsigned long long)v->events[1],
                 (unsigned long long)v->events[0]);
    else if (first->trace_hash != second->trace_hash)
        snprintf(
            v->difference, sizeof v->difference,
            "all events are equal, but run 1 ended with trace hash %016llx, run 2 with %016llx",
            (unsigned long long)first->trace_hash, (unsigned long long)second->trace_hash);
    else if (first->outcome != second->outcome || strcmp(first->reason, second->reason) != 0)
        snprintf(v->difference, sizeof v->difference,
                 "all events are equal, but run 1 ended with '%.120s', run 2 with '%.120s'",
                 first->reason, second->reason);
    return !v->difference[0];
}
