/* `vibesim replay`: steps a node through a capture (trace/replay.h) and tells whether it lives the
 * same life: whether its hash is the captured one wherever the capture has one.
 *
 * A capture that ends early, since its node was killed or its disk was full, is replayed to its
 * last whole record, and that is told; a damaged one likewise, with status 2. If the node aborts in
 * the replay, as it may have done in its life, the event in which it did is told. */
#include "vibesim/cli_replay.h"

#include "trace/replay.h"
#include "trace/words.h"
#include "vibesim/cli.h"
#include "vibesim/cli_replay_run.h"
#include "vibesim/cli_term.h"
#include "vibesim/cli_trace.h"
#include "vibesim/progress.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_EVERY 1024u /* events between two looks at the clock; a power of two */

const char replay_help[] =
    "Usage: vibesim replay CAPTURE [options]\n"
    "       vibesim replay DB [--run ID] [options]\n"
    "\n"
    "Of a capture, all that a node was given, as vibenode writes it: another node, of this build,\n"
    "is given the same, and must have the same trace hash wherever the capture has one: after\n"
    "every 10000 events and at the end. No network is used and nothing is stored.\n"
    "\n"
    "  --until N          stops after that many events\n"
    "  --trace WHAT       a line for each thing that the node does, as it does, to stderr: all, "
    "or\n"
    "                     kinds=KIND,KIND... Kinds: peer-state msg-in msg-out block-new block-bad\n"
    "                     block-orphan mined tip tx-new tx-bad score ban unban disconnect\n"
    "                     violation sync\n"
    "  --json             the result as a JSON object on standard output\n"
    "\n"
    "A capture holds its node's seed and what its peers said, their addresses among it:\n"
    "vibesim redact makes a copy to share.\n"
    "\n"
    "Of a record (vibesim run --db): one of its runs is made again, and must have the same trace\n"
    "hash; or is looked into. The record is not changed.\n"
    "\n"
    "  --run ID           which one [the only one]\n"
    "  --scenario FILE    where the run's scenario is now [where it was]\n"
    "  --with PROGRAM     runs it beside another vibesim, event by event, and names the first\n"
    "                     event that differs, and its node\n"
    "  --against DB       compares what was recorded with a run of another record instead\n"
    "  --against-run ID   which one [the only one]\n"
    "  --node K --dump    the whole state of a node (3, node-0003, peer-0001): peers, outboxes,\n"
    "                     limits, timers, chain, orphans, pool, addresses, bans, disk, links;\n"
    "                     at the end of the run, or\n"
    "  --event N          after that event, or\n"
    "  --until T          when all up to T seconds has happened\n"
    "  --step             a debugger from there on, forwards and backwards; h tells its commands\n"
    "  --hashes           a line for each event: number, ns, host, kind, its hash after it and\n"
    "                     after what came of it; this is what --with reads\n"
    "  --json             the result, or the state, as a JSON object on standard output\n"
    "\n"
    "Exit status: 0 the same, as far as the file goes (a capture that ends early, since its node\n"
    "was killed, is replayed to its last whole record; a run that was interrupted, to there), 3\n"
    "another trace hash: told is between which events the first difference lies, 2 bad usage or a\n"
    "bad or damaged file, 130 interrupted.\n"
    "\n"
    "Examples:\n"
    "  vibesim replay node.vncap\n"
    "  vibesim replay node.vncap --trace kinds=tip,ban,disconnect\n"
    "  vibesim replay node.vncap --until 20000 --json | jq .trace_hash\n"
    "  git bisect run sh -c 'cmake --build build/release && build/release/bin/vibesim replay f'\n"
    "  vibesim replay heal.db --run 3\n"
    "  vibesim replay heal.db --run 3 --with build/clang-release/bin/vibesim\n"
    "  vibesim replay heal.db --run 3 --until 42.5 --node 7 --dump\n"
    "  vibesim replay heal.db --run 3 --event 120000 --step\n";

struct session {
    const struct args_replay *args;
    struct progress progress;
    struct vn_config config; /* the captured one */
    const char *build;       /* ours */
    uint64_t first_ns;
    bool began;
};

/* ---- while it runs ---- */

/* What the node is doing, for when it does not come back from it. */
static volatile uint64_t event_no;
static volatile uint32_t event_kind;

static void on_death(int sig)
{
    char line[128] = "vibesim: the node of the replay was ended in event ", digits[24];
    size_t n = strlen(line), at = sizeof digits;
    for (uint64_t v = event_no; v > 0 || at == sizeof digits; v /= 10)
        digits[--at] = (char)('0' + v % 10);
    memcpy(line + n, digits + at, sizeof digits - at);
    n += sizeof digits - at;
    const char *kind = words_event_kind(event_kind);
    line[n++] = ' ';
    line[n++] = '(';
    memcpy(line + n, kind, strlen(kind));
    n += strlen(kind);
    memcpy(line + n, ")\n", 2);
    const ssize_t written = write(STDERR_FILENO, line, n + 2);
    (void)written;
    signal(sig, SIG_DFL);
    raise(sig);
}

static void on_progress(void *ctx, const struct replay_progress *now)
{
    struct session *s = ctx;
    event_no = now->events;
    event_kind = now->kind;
    if (!s->began)
        s->first_ns = now->now_ns;
    s->began = true;
    if (now->events & (PROGRESS_EVERY - 1))
        return;
    progress_update_replay(&s->progress,
                           &(struct progress_replay){now->bytes, now->bytes_all, now->events});
}

static void address_text(char out[64], const struct vn_addr *addr)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    const bool v6 = addr->family == VN_AF_IPV6;
    inet_ntop(v6 ? AF_INET6 : AF_INET, addr->ip, ip, sizeof ip);
    snprintf(out, 64, "%s%s%s:%u", v6 ? "[" : "", ip, v6 ? "]" : "", addr->port);
}

static void on_trace(void *ctx, const struct vn_trace *trace)
{
    struct session *s = ctx;
    char peer[96] = "a peer", addr[64], text[400], clean[400];
    static const struct trace_host nobody = {.number = 0};
    if (!trace_filter_wants(&s->args->trace, trace->kind, nobody, nobody))
        return;
    if (trace->addr)
        address_text(addr, trace->addr);
    if (trace->addr && trace->link)
        snprintf(peer, sizeof peer, "%s (link %" PRIu64 ")", addr, trace->link);
    else if (trace->link)
        snprintf(peer, sizeof peer, "link %" PRIu64, trace->link);
    else if (trace->addr)
        snprintf(peer, sizeof peer, "%s", addr);
    trace_words(text, sizeof text, trace, peer);
    term_clean(clean, sizeof clean, text);
    const uint64_t t_ns = trace->now_ns > s->first_ns ? trace->now_ns - s->first_ns : 0;
    progress_clear(&s->progress);
    fprintf(stderr, "event %" PRIu64 " t=%" PRIu64 ".%06" PRIu64 "s %s\n", event_no,
            t_ns / 1000000000u, t_ns / 1000u % 1000000u, clean);
}

/* ---- the result ---- */

static void hash_text(char out[20], uint64_t hash)
{
    snprintf(out, 20, "%016" PRIx64, hash);
}

static void tip_text(char out[65], const uint8_t tip[32])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", tip[i]);
}

static const char *verdict_of(const struct replay_result *r)
{
    return r->differs ? "differs" : r->hashes ? "same" : "nothing-compared";
}

/* Notes are what a person should know to judge the verdict. */
static void notes(const struct session *s, const struct capture_reader *reader,
                  const struct replay_result *r, void (*tell)(void *ctx, const char *line),
                  void *ctx)
{
    char line[1000];
    const char *build = capture_reader_build(reader), *missing = capture_reader_missing(reader);
    if (strcmp(build, s->build) != 0) {
        snprintf(line, sizeof line, "captured by another build, %s; this is %s", build, s->build);
        tell(ctx, line);
    }
    if (missing[0]) {
        snprintf(line, sizeof line,
                 "the capture does not tell these fields of the configuration, which have their "
                 "defaults: %s",
                 missing);
        tell(ctx, line);
    }
    if (capture_reader_redacted(reader))
        tell(ctx, "a redacted copy: addresses and node ids are made up");
    if (capture_reader_torn(reader) && !capture_reader_damage(reader)[0]) {
        snprintf(line, sizeof line,
                 "the capture ends early, after event %" PRIu64
                 ": %s; this is its last whole record",
                 r->events,
                 capture_reader_live(reader) ? "its node is still running"
                                             : "its node was killed, or its disk was full");
        tell(ctx, line);
    }
    if (r->hashes == 0 && !r->differs)
        tell(ctx, "nothing was compared: there is no hash before its end (one comes after every "
                  "10000 events)");
}

static void note_line(void *ctx, const char *line)
{
    char clean[1000];
    (void)ctx;
    term_clean(clean, sizeof clean, line);
    printf("note      %s\n", clean);
}

static void note_json(void *ctx, const char *line)
{
    json_t *text = json_string(line);
    json_array_append_new(ctx, text ? text : json_string("?"));
}

static void print_verdict(const struct replay_result *r)
{
    struct term_style style;
    char here[20], captured[20], at[32], agreed[32], hashes[32];
    term_style_init(&style, stdout);
    hash_text(here, r->hash);
    hash_text(captured, r->hash_captured);
    term_number(at, r->differs_at);
    term_number(agreed, r->agreed);
    term_number(hashes, r->hashes);
    if (r->differs)
        printf("%s%s%s  another trace hash after event %s: %s, captured was %s; the first "
               "difference lies between events %s and %s\n",
               term_colour(&style, TERM_RED), style.failed, term_colour(&style, TERM_PLAIN), at,
               here, captured, agreed, at);
    else if (r->hashes)
        printf("%s%s%s  same trace hash%s: %s compared, up to event %s\n",
               term_colour(&style, TERM_GREEN), style.ok, term_colour(&style, TERM_PLAIN),
               r->whole ? "" : " as far as it was compared", hashes, agreed);
    printf("          trace hash %s\n", here);
}

static void print_result(const struct session *s, const struct capture_reader *reader,
                         const struct replay_result *r)
{
    char file[300], id[80], build[300], listen[64], time[32], n[4][32], tip[65];
    term_clean(file, sizeof file, s->args->file);
    term_clean(id, sizeof id, s->config.node_id);
    term_clean(build, sizeof build, capture_reader_build(reader));
    address_text(listen, &s->config.listen);
    term_seconds(time, r->last_ns - r->first_ns);
    term_number(n[0], r->events);
    term_number(n[1], r->drains);
    term_number(n[2], r->messages);
    term_number(n[3], capture_reader_at(reader));
    tip_text(tip, r->info.tip);
    printf("capture   %s, %s bytes\n", file, n[3]);
    printf("build     %s\n", build);
    printf("node      %s, announces %s\n", id, listen);
    printf("replayed  %s s: %s events, %s drains, %s messages received\n", time, n[0], n[1], n[2]);
    printf("tip       height %" PRIu64 ", %s\n", r->info.height, tip);
    notes(s, reader, r, note_line, NULL);
    print_verdict(r);
}

static void set(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static void set_text(json_t *o, const char *key, const char *text)
{
    json_t *s = json_string(text);
    json_object_set_new(o, key, s ? s : json_string("?"));
}

static void print_json(const struct session *s, const struct capture_reader *reader,
                       const struct replay_result *r)
{
    json_t *o = json_object(), *lines = json_array();
    char hash[20], tip[65];
    notes(s, reader, r, note_json, lines);
    hash_text(hash, r->hash);
    tip_text(tip, r->info.tip);
    set_text(o, "file", s->args->file);
    set_text(o, "build", capture_reader_build(reader));
    set_text(o, "this_build", s->build);
    set_text(o, "node_id", s->config.node_id);
    set_text(o, "verdict", verdict_of(r));
    set_text(o, "trace_hash", hash);
    set_text(o, "tip", tip);
    set_text(o, "damage", capture_reader_damage(reader));
    set(o, "bytes", capture_reader_at(reader));
    set(o, "duration_ns", r->last_ns - r->first_ns);
    set(o, "events", r->events);
    set(o, "drains", r->drains);
    set(o, "messages", r->messages);
    set(o, "hashes", r->hashes);
    set(o, "agreed", r->agreed);
    set(o, "height", r->info.height);
    json_object_set_new(o, "torn", json_boolean(capture_reader_torn(reader)));
    json_object_set_new(o, "stopped", json_boolean(r->stopped));
    json_object_set_new(o, "redacted", json_boolean(capture_reader_redacted(reader)));
    json_object_set_new(o, "notes", lines);
    if (r->differs) {
        hash_text(hash, r->hash_captured);
        set_text(o, "captured_hash", hash);
        set(o, "differs_at", r->differs_at);
    }
    json_dumpf(o, stdout, JSON_SORT_KEYS | JSON_INDENT(2));
    printf("\n");
    json_decref(o);
}

static int run(struct session *s, struct capture_reader *reader)
{
    char why[400];
    struct replay_result result;
    const struct replay_options options = {
        .until = s->args->until_events,
        .on_trace = s->args->trace.count ? on_trace : NULL,
        .trace_mask = trace_filter_kinds(&s->args->trace) & ((UINT64_C(1) << VN_TR_KINDS) - 1),
        .on_progress = on_progress,
        .ctx = s,
    };
    capture_reader_config(reader, &s->config);
    signal(SIGABRT, on_death);
    progress_init(&s->progress, s->args->json ? NULL : stderr, "");
    const bool made = replay_run(reader, &options, &result, why, sizeof why);
    progress_clear(&s->progress);
    signal(SIGABRT, SIG_DFL);
    if (!made) {
        term_error("%s: %s", s->args->file, why);
        return CLI_BAD;
    }
    if (s->args->json)
        print_json(s, reader, &result);
    else
        print_result(s, reader, &result);
    const char *damage = capture_reader_damage(reader);
    if (damage[0])
        term_error("%s: %s: replayed up to there", s->args->file, damage);
    if (!term_stdout_ok() || damage[0])
        return CLI_BAD;
    return result.differs ? CLI_NOT_DETERMINISTIC : CLI_OK;
}

/* Whether the file is to be a record: a database, or nothing at all where a record was meant. */
static bool is_record(const struct args_replay *args)
{
    static const char magic[] = "SQLite format 3";
    char head[sizeof magic] = "";
    FILE *f = fopen(args->file, "rbe");
    const size_t got = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    return got == 0 ? args_replay_record_only(args) != NULL
                    : got == sizeof head && memcmp(head, magic, sizeof magic) == 0;
}

/* Whether these options are for a capture. False, told. */
static bool usable(const struct args_replay *args)
{
    const char *other = args_replay_record_only(args);
    if (other)
        term_error("%s: is of records, and %s is none: vibesim run FILE.lua --db FILE makes them",
                   other, args->file);
    else if (args->until && !args->until_events)
        term_error("--until: '%s' is not a number of events, from 1 on", args->until);
    else
        return true;
    return false;
}

int cli_replay(const struct args_replay *args)
{
    char why[700];
    if (is_record(args))
        return cli_replay_run(args);
    if (!usable(args))
        return CLI_BAD;
    struct session s = {.args = args, .build = vn_api(VN_API_VERSION)->build};
    struct capture_reader *reader = capture_reader_new(args->file, why, sizeof why);
    if (!reader) {
        term_error("%s", why);
        return CLI_BAD;
    }
    const int status = run(&s, reader);
    capture_reader_free(reader);
    return status;
}
