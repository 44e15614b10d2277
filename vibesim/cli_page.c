/* See cli_page.h. Happy path: the record is read into groups of runs; those to be drawn are chosen
 * and made again in worker processes; the page is written beside its name and renamed. Failure
 * modes: bad usage and files that are no records, before anything is made; a run that cannot be
 * made again, of which the page tells what the record has. */
#include "vibesim/cli_page.h"

#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_session.h"
#include "vibesim/cli_words.h"
#include "vibesim/page_group.h"
#include "vibesim/page_json.h"
#include "vibesim/page_run.h"
#include "vibesim/page_write.h"
#include "vibesim/pool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNS_MAX    16u    /* drawn, if asked for */
#define WALL_MS_MAX 60000u /* a run that took longer is made again only if somebody names it */
#define RUNS_CHOSEN 3u     /* failed runs that are drawn if nobody asks */

static const char help[] =
    "Usage: vibesim report DB [-o FILE] [options]\n"
    "       vibesim report DB --run A --run B --compare\n"
    "       vibesim report NEW.db --baseline OLD.db\n"
    "\n"
    "Makes one page of a record, to be opened in a browser; it needs no network and can be sent "
    "to\n"
    "others. It holds the verdicts of all runs, their metrics, how blocks spread, and of some "
    "runs\n"
    "the network over time, the nodes, and the messages before the failure. What the record does\n"
    "not hold is found by making these runs again (unasked only those that took a minute at the\n"
    "most).\n"
    "\n"
    "  -o, --out FILE     where to write the page; - is standard output [report.html]\n"
    "  --run ID           a run to draw; may be given up to 16 times [the first 3 that failed, or\n"
    "                     else one that is typical]\n"
    "  --compare          the two runs that are given, side by side; of one scenario\n"
    "  --baseline OLD.db  each scenario's runs beside those of an older record with the same\n"
    "                     parameters\n"
    "  --scenario FILE    where the drawn runs' scenario is now [where it was]\n"
    "  --as-recorded      makes no run again: draws what the record holds\n"
    "  --jobs N           how many runs are made at once, 1 to 256 [as many as there are\n"
    "                     processors]; changes no result\n"
    "  --quiet            says nothing\n"
    "\n"
    "Exit status: 0 the page was written, 2 bad usage or a record that cannot be read or "
    "compared,\n"
    "130 interrupted.\n"
    "\n"
    "Examples:\n"
    "  vibesim run scenarios/churn.lua --seeds 1..20 --db churn.db\n"
    "  vibesim report churn.db -o churn.html\n"
    "  vibesim report churn.db --run 3 --run 7 --compare -o pair.html\n"
    "  vibesim report new.db --baseline old.db -o change.html\n";

struct args {
    const char *db, *out, *scenario, *baseline;
    int64_t runs[RUNS_MAX];
    size_t run_count;
    uint64_t jobs;
    bool compare, as_recorded, quiet, help;
};

static const char *const names[] = {
    "--out",         "-o",     "--run",   "--compare", "--baseline", "--scenario",
    "--as-recorded", "--jobs", "--quiet", "--help",    NULL};

/* ---- arguments ---- */

static bool option_run(struct args *a, const char *value)
{
    uint64_t id;
    if (!words_number("--run", value, INT64_MAX, &id))
        return false;
    for (size_t i = 0; i < a->run_count; i++)
        if (a->runs[i] == (int64_t)id) {
            term_error("--run: %" PRIu64 " is given twice", id);
            return false;
        }
    if (a->run_count == RUNS_MAX) {
        term_error("--run: at most %u runs are drawn in one page", RUNS_MAX);
        return false;
    }
    a->runs[a->run_count++] = (int64_t)id;
    return true;
}

static bool option(struct args *a, struct words *w, const char *name)
{
    bool *flag = words_is(name, "--compare")       ? &a->compare
                 : words_is(name, "--as-recorded") ? &a->as_recorded
                 : words_is(name, "--quiet")       ? &a->quiet
                 : words_is(name, "--help")        ? &a->help
                                                   : NULL;
    if (flag)
        return words_switch(flag, w, name);
    const char *value = words_value(w, name, "a number or a file");
    if (!value)
        return false;
    if (words_is(name, "--run"))
        return option_run(a, value);
    if (words_is(name, "--jobs"))
        return words_number(name, value, POOL_WORKERS_MAX, &a->jobs);
    if (!*value)
        term_error("%s: the name of the file is empty", name);
    *(words_is(name, "--scenario")   ? &a->scenario
      : words_is(name, "--baseline") ? &a->baseline
                                     : &a->out) = value;
    return *value != 0;
}

static bool makes_sense(const struct args *a)
{
    if (!a->db)
        term_error("report: name a record: vibesim report DB -o FILE.html");
    else if (a->compare && a->baseline)
        term_error("report: --compare is of two runs of one record, --baseline of two records: "
                   "give one of them");
    else if (a->compare && a->run_count != 2)
        term_error("report: --compare needs two runs, and %zu %s given: --run A --run B --compare",
                   a->run_count, a->run_count == 1 ? "is" : "are");
    else
        return true;
    return false;
}

static bool parse(struct args *a, int argc, char **argv)
{
    struct words w = {.argc = argc, .argv = argv, .names = names};
    const char *name, *word;
    bool wrong = false;
    *a = (struct args){.out = "report.html", .jobs = pool_processors()};
    while (words_next(&w, &name, &word, &wrong)) {
        if (name) {
            if (!option(a, &w, name))
                return false;
        } else if (a->db) {
            term_error("report: one record at a time, and %s is given already (an older one to "
                       "compare with: --baseline)",
                       a->db);
            return false;
        } else {
            a->db = word;
        }
    }
    return !wrong && (a->help || makes_sense(a));
}

/* ---- what the page must not replace ---- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A page takes the place of an older page, and of nothing else. */
static bool may_write(const struct args *a, char *why, size_t size)
{
    char head[16] = "";
    struct stat st;
    if (strcmp(a->out, "-") == 0 || stat(a->out, &st) != 0)
        return true;
    if (S_ISDIR(st.st_mode)) {
        snprintf(why, size, "-o: %s is a folder: name a file", a->out);
        return false;
    }
    if (same_file(a->out, a->db) || (a->baseline && same_file(a->out, a->baseline))) {
        snprintf(why, size, "-o: %s is the record: name another file", a->out);
        return false;
    }
    int fd = open(a->out, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0 || strncmp(head, "<!doctype html>", 15) == 0)
        return true;
    snprintf(why, size, "-o: %s is there and is no page: name another file", a->out);
    return false;
}

/* ---- which runs are drawn ---- */

struct chosen {
    const struct args *args;
    size_t failed;
    int64_t failed_ids[RUNS_CHOSEN];
    /* Runs that hold, of the first group that has any. */
    size_t group;
    struct held {
        int64_t id;
        uint64_t events;
    } * held;
    size_t held_count, held_room;
};

static void look(void *ctx, const struct read_run *run, size_t group)
{
    struct chosen *c = ctx;
    const bool pass = strcmp(run->verdict, "pass") == 0;
    if (!pass && strcmp(run->verdict, "skip") != 0) {
        if (c->failed < RUNS_CHOSEN)
            c->failed_ids[c->failed] = run->id;
        c->failed++;
    }
    if (!pass || (c->held_count && group != c->group))
        return;
    if (c->held_count == c->held_room) {
        c->held_room = c->held_room ? 2 * c->held_room : 64;
        c->held = realloc(c->held, c->held_room * sizeof *c->held);
        if (!c->held)
            abort();
    }
    c->group = group;
    c->held[c->held_count++] = (struct held){run->id, run->events};
}

static int by_events(const void *a, const void *b)
{
    const struct held *x = a, *y = b;
    if (x->events != y->events)
        return x->events < y->events ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The runs to draw; returns how many. */
static size_t choose(struct chosen *c, int64_t ids[RUNS_MAX])
{
    size_t count = c->args->run_count;
    memcpy(ids, c->args->runs, count * sizeof *ids);
    if (count == 0) {
        count = c->failed < RUNS_CHOSEN ? c->failed : RUNS_CHOSEN;
        memcpy(ids, c->failed_ids, count * sizeof *ids);
    }
    if (count == 0 && c->held_count) { /* as many events as the half of them has */
        qsort(c->held, c->held_count, sizeof *c->held, by_events);
        ids[count++] = c->held[c->held_count / 2].id;
    }
    return count;
}

/* ---- the data ---- */

struct page {
    const struct args *args;
    struct groups groups, older;
    struct groups pair[2]; /* of --compare */
    struct chosen chosen;
    struct page_run runs[RUNS_MAX];
    size_t run_count;
    uint64_t total;
    struct progress progress;
};

static struct reader *open_record(const char *path, char *why, size_t size)
{
    struct reader *r = reader_open(path, why, size);
    if (!r || reader_count(r))
        return r;
    snprintf(why, size, "%s: holds no run: record some with vibesim run FILE.lua --db %s", path,
             path);
    reader_close(r);
    return NULL;
}

/* Two runs of different scenarios are no pair. */
static bool read_pair(struct page *p, struct reader *r, char *why, size_t size)
{
    char difference[700];
    for (int i = 0; i < 2; i++) {
        struct read_run run;
        if (!reader_run(r, p->args->runs[i], &run, why, size) ||
            !groups_add(&p->pair[i], r, &run, why, size))
            return false;
    }
    const struct group *a = p->pair[0].list, *b = p->pair[1].list;
    if (strcmp(a->scenario, b->scenario) == 0)
        return true;
    group_difference(a, b, difference, sizeof difference);
    snprintf(why, size, "runs %" PRId64 " and %" PRId64 " cannot be compared: they are of %s",
             p->args->runs[0], p->args->runs[1], difference);
    return false;
}

static bool read_record(struct page *p, char *why, size_t size)
{
    int64_t ids[RUNS_MAX];
    const struct page_ask ask = {.again = !p->args->as_recorded,
                                 .wall_ms_max = p->args->run_count ? 0 : WALL_MS_MAX,
                                 .file = p->args->scenario};
    struct reader *r = open_record(p->args->db, why, size);
    bool ok = r && groups_read(&p->groups, r, look, &p->chosen, why, size);
    ok = ok && (!p->args->compare || read_pair(p, r, why, size));
    const size_t count = ok ? choose(&p->chosen, ids) : 0;
    for (size_t i = 0; ok && i < count; i++) {
        ok = page_run_read(&p->runs[i], r, ids[i], &ask, why, size);
        p->run_count++;
    }
    p->total = r ? reader_count(r) : 0;
    reader_close(r);
    return ok;
}

/* The group of the older record that this one is compared with, or NULL. */
static struct group *older_of(struct page *p, const struct group *g)
{
    char difference[700];
    for (size_t i = p->older.count; i-- > 0;) { /* the latest */
        group_difference(&p->older.list[i], g, difference, sizeof difference);
        if (!difference[0])
            return &p->older.list[i];
    }
    return NULL;
}

static bool read_baseline(struct page *p, char *why, size_t size)
{
    char difference[700];
    struct reader *r = open_record(p->args->baseline, why, size);
    bool ok = r && groups_read(&p->older, r, NULL, NULL, why, size);
    reader_close(r);
    for (size_t i = 0; ok && i < p->groups.count; i++)
        if (older_of(p, &p->groups.list[i]))
            return true;
    if (!ok)
        return false;
    group_difference(p->older.list, p->groups.list, difference, sizeof difference);
    for (size_t i = 0; i < p->older.count * p->groups.count; i++) {
        const struct group *a = &p->older.list[i / p->groups.count];
        const struct group *b = &p->groups.list[i % p->groups.count];
        if (strcmp(a->scenario, b->scenario) == 0)
            group_difference(a, b, difference, sizeof difference); /* tells more */
    }
    snprintf(why, size, "%s and %s have no runs that can be compared: they are of %s",
             p->args->baseline, p->args->db, difference);
    return false;
}

static json_t *side(struct group *g, const char *label)
{
    json_t *o = group_json(g);
    json_object_set_new(o, "label", page_text(label, 200));
    return o;
}

static json_t *comparison(struct page *p)
{
    json_t *pairs = json_array();
    char a[240], b[240];
    if (p->args->compare) {
        snprintf(a, sizeof a, "run %" PRId64, p->args->runs[0]);
        snprintf(b, sizeof b, "run %" PRId64, p->args->runs[1]);
        json_array_append_new(
            pairs, json_pack("[o, o]", side(p->pair[0].list, a), side(p->pair[1].list, b)));
        return pairs;
    }
    for (size_t i = 0; p->args->baseline && i < p->groups.count; i++) {
        struct group *old = older_of(p, &p->groups.list[i]);
        if (old)
            json_array_append_new(pairs, json_pack("[o, o]", side(old, p->args->baseline),
                                                   side(&p->groups.list[i], p->args->db)));
    }
    return pairs;
}

static json_t *data_of(struct page *p)
{
    json_t *o = json_object(), *groups = json_array(), *runs = json_array();
    char word[4200];
    for (size_t i = 0; i < p->groups.count; i++)
        json_array_append_new(groups, group_json(&p->groups.list[i]));
    for (size_t i = 0; i < p->run_count; i++)
        json_array_append_new(runs, page_run_json(&p->runs[i]));
    json_object_set_new(o, "format", json_integer(1));
    json_object_set_new(o, "made_by", json_string(build_name()));
    json_object_set_new(o, "db", page_text(p->args->db, 400));
    term_quote(word, sizeof word, p->args->db);
    json_object_set_new(o, "db_word", page_text(word, sizeof word)); /* as a shell reads it */
    json_object_set_new(o, "baseline", page_text(p->args->baseline, 400));
    json_object_set_new(o, "total", page_whole(p->total));
    json_object_set_new(o, "failed", page_whole(p->chosen.failed));
    json_object_set_new(o, "groups", groups);
    json_object_set_new(o, "groups_left_out", page_whole(p->groups.left_out));
    json_object_set_new(o, "pairs", comparison(p));
    json_object_set_new(o, "runs", runs);
    return o;
}

/* ---- all of it ---- */

static void on_tick(void *ctx, size_t done)
{
    struct page *p = ctx;
    const struct progress_runs runs = {.done = done, .all = p->run_count};
    progress_update_runs(&p->progress, &runs);
}

static bool make_again(struct page *p)
{
    session_signals();
    progress_init(&p->progress, p->args->quiet ? NULL : stderr, "");
    bool ok = page_runs_again(p->runs, p->run_count, (uint32_t)p->args->jobs, on_tick, p,
                              session_interrupt());
    progress_clear(&p->progress);
    return ok;
}

static void tell(const struct page *p, uint64_t bytes)
{
    size_t again = 0;
    for (size_t i = 0; i < p->run_count; i++)
        again += p->runs[i].again != NULL;
    if (p->args->quiet || strcmp(p->args->out, "-") == 0)
        return;
    printf("%s: %" PRIu64 " runs, %zu drawn (%zu made again), %" PRIu64 " kB\n", p->args->out,
           p->total, p->run_count, again, (bytes + 999) / 1000);
}

static int make(struct page *p)
{
    char why[2000] = "";
    uint64_t bytes = 0;
    if (!may_write(p->args, why, sizeof why) || !read_record(p, why, sizeof why) ||
        (p->args->baseline && !read_baseline(p, why, sizeof why))) {
        term_error("%s", why);
        return CLI_BAD;
    }
    if (!make_again(p)) {
        if (*session_interrupt())
            return CLI_INTERRUPTED;
        term_error("no worker process can be started");
        return CLI_BAD;
    }
    json_t *data = data_of(p);
    bool ok = page_write_file(p->args->out, data, &bytes, why, sizeof why);
    json_decref(data);
    if (!ok) {
        term_error("%s", why);
        return CLI_BAD;
    }
    tell(p, bytes);
    return term_stdout_ok() ? CLI_OK : CLI_BAD;
}

int cli_page(int argc, char **argv)
{
    struct args args;
    if (!parse(&args, argc, argv))
        return CLI_BAD;
    if (args.help) {
        fputs(help, stdout);
        return term_stdout_ok() ? CLI_OK : CLI_BAD;
    }
    struct page *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->args = p->chosen.args = &args;
    int status = make(p);
    for (size_t i = 0; i < p->run_count; i++)
        page_run_free(&p->runs[i]);
    free(p->chosen.held);
    groups_free(&p->groups);
    groups_free(&p->older);
    groups_free(&p->pair[0]);
    groups_free(&p->pair[1]);
    free(p);
    return status;
}
