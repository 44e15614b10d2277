/* What a run tells a person; see cli_report.h. cli_json.c has the words for programs. */
#include "vibesim/cli_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What a person reads to the end; the record has the rest. */
#define STEPS_MAX   60u
#define LINES_MAX   40u
#define NAME_COLUMN 36

const char *report_verdict_name(enum cli_verdict verdict)
{
    static const char *const names[] = {"pass", "fail", "error", "interrupted", "skip"};
    return names[verdict];
}

void report_init(struct report *r, const struct args_run *args, const struct engine_about *about,
                 struct progress *progress)
{
    memset(r, 0, sizeof *r);
    r->args = args;
    r->about = about;
    r->progress = progress;
    r->human = !args->json && !args->quiet;
    term_style_init(&r->style, stdout);
}

void report_deinit(struct report *r)
{
    for (size_t i = 0; i < r->check_count; i++) {
        free(r->checks[i].name);
        free(r->checks[i].kind);
        free(r->checks[i].detail);
    }
    for (size_t i = 0; i < r->metric_count; i++)
        free(r->metrics[i].name);
    free(r->checks);
    free(r->metrics);
}

/* Room for one more element behind `count`, growing at powers of two. */
static void *with_room(void *array, size_t count, size_t size)
{
    if (count && (count & (count - 1)))
        return array;
    void *grown = realloc(array, (count ? 2 * count : 1) * size);
    if (!grown)
        abort();
    return grown;
}

/* Cleaned, so that no text of a scenario can move the cursor or end a line. */
static char *keep(const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (!copy)
        abort();
    term_clean(copy, size, text);
    return copy;
}

/* ", nodes=2, word=x" for {"nodes":2,"word":"x"}. */
static void print_params(const char *json)
{
    const char *key;
    json_t *value, *params = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    json_object_foreach(params, key, value)
    {
        char name[64], text[128], *word = NULL;
        if (!json_is_string(value))
            word = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        term_clean(name, sizeof name, key);
        term_clean(text, sizeof text, word ? word : json_string_value(value));
        printf(", %s=%s", name, text);
        free(word);
    }
    json_decref(params);
}

void report_title(const struct term_style *style, const struct engine_about *about,
                  const char *what, const char *params)
{
    char name[128], words[512];
    term_clean(name, sizeof name, about->name);
    term_clean(words, sizeof words, about->about);
    printf("%s%s%s %s %s", term_colour(style, TERM_BOLD), name, term_colour(style, TERM_PLAIN),
           style->dot, what);
    print_params(params);
    printf("\n");
    if (words[0])
        printf("%s\n", words);
    printf("\n");
    fflush(stdout);
}

void report_begin(struct report *r, const char *params)
{
    char seed[40];
    snprintf(seed, sizeof seed, "seed %" PRIu64 "%s", r->args->seed,
             r->args->swarm ? ", swarm" : "");
    if (r->human)
        report_title(&r->style, r->about, seed, params);
}

static void print_at(const struct report *r, uint64_t t_ns, const char *what, const char *text)
{
    char t[32], clean[400], kind[64];
    term_seconds(t, t_ns);
    term_clean(clean, sizeof clean, text ? text : "");
    term_clean(kind, sizeof kind, what);
    progress_clear(r->progress);
    printf("  %s%10s s%s  ", term_colour(&r->style, TERM_DIM), t,
           term_colour(&r->style, TERM_PLAIN));
    if (kind[0])
        printf("%-10s ", kind);
    printf("%s\n", clean);
    fflush(stdout);
}

void report_step(struct report *r, uint64_t t_ns, const char *kind, const char *detail)
{
    if (!r->human || r->steps_shown > STEPS_MAX)
        return;
    if (r->steps_shown++ < STEPS_MAX)
        print_at(r, t_ns, kind, detail);
    else
        printf("  %13s%s\n", "", "... more steps are in the record (table event)");
}

void report_log(struct report *r, uint64_t t_ns, const char *text)
{
    if (r->human)
        print_at(r, t_ns, "", text);
}

void report_story(struct report *r, const char *line)
{
    if (r->story_count < REPORT_STORY)
        term_clean(r->story[r->story_count++], sizeof r->story[0], line);
}

void report_check(struct report *r, uint64_t t_ns, const char *name, const char *kind, bool ok,
                  const char *detail)
{
    r->checks = with_room(r->checks, r->check_count, sizeof *r->checks);
    struct report_check *c = &r->checks[r->check_count++];
    c->name = keep(name ? name : "");
    c->kind = keep(kind ? kind : "");
    c->detail = keep(detail);
    c->t_ns = t_ns;
    c->ok = ok;
}

void report_metric(struct report *r, const char *name, int64_t host, double value)
{
    r->metrics = with_room(r->metrics, r->metric_count, sizeof *r->metrics);
    struct report_metric *m = &r->metrics[r->metric_count++];
    m->name = keep(name ? name : "");
    m->host = host;
    m->value = value;
}

bool report_failed(const struct report_check *c)
{
    return !c->ok && strcmp(c->kind, "sometimes") != 0;
}

static void print_check(const struct report *r, const struct report_check *c)
{
    char t[32];
    term_seconds(t, c->t_ns);
    const char *plain = term_colour(&r->style, TERM_PLAIN);
    if (c->ok)
        printf("  %s%s%s  %s\n", term_colour(&r->style, TERM_GREEN), r->style.ok, plain, c->name);
    else if (!report_failed(c))
        printf("  %s  %s%s%s: of some seed it must be true\n", r->style.never, c->name,
               c->detail ? ", " : "", c->detail ? c->detail : "");
    else
        printf("  %s%s%s  %s, at %s s%s%s\n", term_colour(&r->style, TERM_RED), r->style.failed,
               plain, c->name, t, c->detail ? ": " : "", c->detail ? c->detail : "");
}

/* Those that do not (or do) make the run fail, and how many there were. */
static size_t print_checks(const struct report *r, bool failed)
{
    size_t n = 0;
    for (size_t i = 0; i < r->check_count; i++)
        if (report_failed(&r->checks[i]) == failed && n++ < LINES_MAX)
            print_check(r, &r->checks[i]);
    if (n > LINES_MAX)
        printf("  ... and %zu more that %s\n", n - LINES_MAX, failed ? "failed" : "hold");
    return n;
}

static void print_metrics(const struct report *r)
{
    size_t shown = 0;
    if (r->metric_count)
        printf("\n");
    for (size_t i = 0; i < r->metric_count && shown < LINES_MAX; i++, shown++) {
        const struct report_metric *m = &r->metrics[i];
        char name[96];
        if (m->host >= 0)
            snprintf(name, sizeof name, "%s (node %" PRId64 ")", m->name, m->host);
        else
            snprintf(name, sizeof name, "%s", m->name);
        printf("  %-*s %.10g\n", NAME_COLUMN, name, m->value);
    }
    if (shown < r->metric_count)
        printf("  ... and %zu more metrics (table metric)\n", r->metric_count - shown);
}

static void print_size(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    int u = 0;
    for (; v >= 1000.0 && u < 4; u++)
        v /= 1000.0;
    printf("%.*f %s", u ? 1 : 0, v, units[u]);
}

static void print_totals(const struct report *r, const struct report_end *end)
{
    const struct engine_result *result = end->result;
    char sim[32], wall[32], events[32], rate[32], messages[32];
    term_seconds(sim, result->sim_ns);
    term_seconds(wall, end->wall_ms * 1000000u);
    term_number(events, result->events);
    term_number(rate, result->events * 1000u / (end->wall_ms ? end->wall_ms : 1));
    term_number(messages, result->messages);
    printf("\n  time    %s s simulated in %s s\n", sim, wall);
    printf("  events  %s (%s a second), %s messages, ", events, rate, messages);
    print_size(result->bytes);
    printf("\n  tip     height %" PRIu64 ", ", result->tip_height);
    if (result->tips == 1)
        printf("one tip");
    else
        printf("%u different tips", result->tips);
    printf(" among %u node%s", result->nodes, result->nodes == 1 ? "" : "s");
    if (result->peers)
        printf(" (and %u scripted peer%s)", result->peers, result->peers == 1 ? "" : "s");
    if (r->args->world == ENGINE_SIM)
        printf("\n  trace   %016" PRIx64 "\n", result->trace_hash);
    else
        printf("\n  world   %s, speed %u\n", args_world_name(r->args->world), r->args->speed);
    for (size_t i = 0; i < r->args->cores.count; i++) {
        char build[128];
        term_clean(build, sizeof build, r->args->cores.all[i].api->build);
        printf("  core    %s: %s\n", r->args->cores.all[i].name, build);
    }
    if (end->run_id)
        printf("  record  %s, run %" PRId64 "\n", r->args->db, end->run_id);
}

static void print_story(const struct report *r)
{
    if (!r->story_count)
        return;
    printf("\n  The last %u events that matter:\n", r->story_count);
    for (uint32_t i = 0; i < r->story_count; i++)
        printf("    %s\n", r->story[i]);
}

/* Seconds without zeros at their end. */
static void put_until(FILE *f, uint64_t ns)
{
    char part[16];
    snprintf(part, sizeof part, ".%09u", (unsigned)(ns % 1000000000u));
    for (size_t len = strlen(part); len && strchr("0.", part[len - 1]); len--)
        part[len - 1] = 0;
    fprintf(f, " --until %" PRIu64 "%s", ns / 1000000000u, part);
}

/* Ascending numbers, as ranges where they can be. */
static void put_decisions(FILE *f, const char *option, const uint32_t *numbers, size_t count)
{
    fprintf(f, " %s%s", option, count ? "" : " none");
    for (size_t i = 0; i < count; i++) {
        size_t first = i;
        while (i + 1 < count && numbers[i + 1] == numbers[i] + 1)
            i++;
        fprintf(f, "%s%" PRIu32, first ? "," : " ", numbers[first]);
        if (i > first)
            fprintf(f, "..%" PRIu32, numbers[i]);
    }
}

static void put_cores(FILE *f, const struct args_run *args)
{
    for (size_t i = 0; i < args->cores.count; i++) {
        char both[1024], word[1024];
        snprintf(both, sizeof both, "%s=%s", args->cores.all[i].name, args->cores.more[i].file);
        term_quote(word, sizeof word, both);
        fprintf(f, " --core %s", word);
    }
}

void report_cores(const struct args_run *args)
{
    put_cores(stdout, args);
}

void report_command_put(FILE *f, const struct args_run *args, const char *file, uint64_t seed)
{
    char word[1024];
    term_quote(word, sizeof word, file);
    fprintf(f, "vibesim run %s --seed %" PRIu64, word, seed);
    if (args->swarm)
        fprintf(f, " --swarm");
    if (args->audit)
        fprintf(f, " --audit");
    for (size_t i = 0; i < args->param_count; i++) {
        char both[1024];
        snprintf(both, sizeof both, "%s=%s", args->params[i].key, args->params[i].value);
        term_quote(word, sizeof word, both);
        fprintf(f, " --param %s", word);
    }
    put_cores(f, args);
    if (args->until_ns)
        put_until(f, args->until_ns);
    if (args->left_out_count)
        put_decisions(f, "--without", args->left_out, args->left_out_count);
    if (args->has_only)
        put_decisions(f, "--only", args->only, args->only_count);
    if (args->salt)
        fprintf(f, " --salt %" PRIu64, args->salt);
    if (args->world != ENGINE_SIM)
        fprintf(f, " --world %s --speed %u", args_world_name(args->world), args->speed);
    if (args->verify)
        fprintf(f, " --verify");
}

void report_command(const struct args_run *args, const char *file, uint64_t seed)
{
    report_command_with(args, file, seed, "");
}

void report_command_with(const struct args_run *args, const char *file, uint64_t seed,
                         const char *words)
{
    report_command_put(stdout, args, file, seed);
    printf("%s\n", words);
}

static void print_verdict(const struct report *r, const struct report_end *end, size_t failed)
{
    bool pass = end->verdict == VERDICT_PASS;
    static const char *const words[] = {"PASS", "FAIL", "ERROR", "INTERRUPTED", "SKIP"};
    char reason[640], name[128];
    size_t hold = 0;
    for (size_t i = 0; i < r->check_count; i++)
        hold += r->checks[i].ok;
    term_clean(name, sizeof name, r->about->name);
    term_clean(reason, sizeof reason, end->reason ? end->reason : "");
    if (r->human)
        printf("\n");
    printf("%s%s%s  %s seed %" PRIu64 " trace ",
           term_colour(&r->style, pass ? TERM_GREEN : TERM_RED), words[end->verdict],
           term_colour(&r->style, TERM_PLAIN), name, r->args->seed);
    if (r->args->world == ENGINE_SIM)
        printf("%016" PRIx64 ", ", end->result->trace_hash);
    else
        printf("-, ");
    if (failed)
        printf("%zu of %zu checks failed\n", failed, r->check_count);
    else if (end->verdict != VERDICT_PASS && end->verdict != VERDICT_INTERRUPTED)
        printf("%s\n", reason);
    else
        printf("%zu check%s%s\n", hold, hold == 1 ? "" : "s",
               !pass       ? " so far"
               : hold == 1 ? " holds"
                           : " hold");
}

void report_end(struct report *r, const struct report_end *end)
{
    progress_clear(r->progress);
    if (r->human && r->check_count)
        printf("\n");
    if (r->human)
        print_checks(r, false);
    size_t failed = print_checks(r, true);
    bool again = end->verdict == VERDICT_FAIL || end->verdict == VERDICT_ERROR;
    if (r->human) {
        print_metrics(r);
        print_totals(r, end);
        if (again)
            print_story(r);
    }
    if (end->verified == VERIFY_EQUAL) {
        char events[32];
        term_number(events, end->result->events);
        printf("%sverified: two runs, %s events, same hash\n", r->human ? "\n  " : "", events);
    }
    if (again) {
        printf("\n  Again: ");
        report_command(r->args, r->args->file, r->args->seed);
    }
    print_verdict(r, end, failed);
}
