/* `vibesim check`: reads the baseline, plans, runs, judges, tells; see cli_check.h and gate.h.
 *
 * All that is wrong with the input is told before anything is run or written. A new baseline is
 * recorded beside the old one, as FILE.new, and takes its place in one step once all is judged; so
 * there is a whole baseline at any moment, and the old one stays as FILE.old. */
#include "vibesim/cli_check.h"

#include "store/reader.h"
#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_term.h"
#include "vibesim/gate_baseline.h"
#include "vibesim/gate_make.h"
#include "vibesim/gate_plan.h"
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"
#include "vibesim/many.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DB "check.db"

/* ---- files ---- */

static char *beside(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *name = malloc(size);
    if (!name)
        abort();
    snprintf(name, size, "%s%s", path, suffix);
    return name;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return strcmp(a, b) == 0 ||
           (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

static bool tap_on_stdout(const struct args_check *args)
{
    return args->tap && strcmp(args->tap, "-") == 0;
}

/* Whether the file could be written: after hours of runs it is late to learn that there is no such
 * folder. */
static bool check_writable(const char *option, const char *path)
{
    struct stat st;
    if (!path || strcmp(path, "-") == 0)
        return true;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        abort();
    bool there = stat(path, &st) == 0;
    int wrong = there && S_ISDIR(st.st_mode) ? EISDIR
                : access(there ? path : folder, W_OK) != 0 ? errno
                                                           : 0;
    free(folder);
    if (wrong)
        term_error("%s: %s cannot be written (%s): name another file", option, path,
                   strerror(wrong));
    return wrong == 0;
}

static bool check_outputs(const struct args_check *args)
{
    const struct {
        const char *option, *path;
    } outputs[] = {{"--junit", args->junit}, {"--tap", args->tap}, {"--markdown", args->markdown}};
    const size_t n = sizeof outputs / sizeof *outputs;
    for (size_t i = 0; i < n; i++) {
        const char *path = outputs[i].path;
        if (!check_writable(outputs[i].option, path))
            return false;
        bool record = path && (same_file(path, args->baseline) ||
                               same_file(path, args->run.db ? args->run.db : DB));
        if (record)
            term_error("%s: %s is a record: name another file", outputs[i].option, path);
        if (record)
            return false;
        for (size_t k = 0; path && k < i; k++)
            if (outputs[k].path && strcmp(path, outputs[k].path) == 0) {
                term_error("%s and %s: both are to be written to %s: name two files",
                           outputs[k].option, outputs[i].option, path);
                return false;
            }
    }
    return true;
}

/* Writes a file of the result, or behind one. False, told. */
static bool write_file(const char *path, const char *mode, const struct gate *gate,
                       void (*tell)(FILE *f, const struct gate *gate))
{
    FILE *f = fopen(path, mode);
    bool ok = f != NULL;
    if (f) {
        tell(f, gate);
        ok = !ferror(f);
        ok = fclose(f) == 0 && ok;
    }
    if (!ok)
        term_error("%s: cannot be written: %s", path, strerror(errno));
    return ok;
}

static bool write_files(const struct args_check *args, const struct gate *gate)
{
    bool ok = true;
    const char *summary = getenv("GITHUB_STEP_SUMMARY");
    if (args->junit)
        ok = write_file(args->junit, "w", gate, gate_junit) && ok;
    if (args->tap && !tap_on_stdout(args))
        ok = write_file(args->tap, "w", gate, gate_tap) && ok;
    if (args->markdown)
        ok = write_file(args->markdown, "w", gate, gate_markdown) && ok;
    if (args->github && summary && *summary)
        ok = write_file(summary, "a", gate, gate_markdown) && ok;
    return ok;
}

/* ---- the baseline ---- */

static bool read_baseline(struct gate *gate, const struct args_check *args)
{
    char why[1600];
    bool there = access(args->baseline, F_OK) == 0 || errno != ENOENT;
    if (!there && args->update)
        return true;
    if (!there)
        term_error("--baseline: %s: there is no such file: vibesim check --baseline %s "
                   "--update-baseline makes it",
                   args->baseline, args->baseline);
    else if (!gate_baseline_read(gate, why, sizeof why))
        term_error("--baseline: %s", why);
    else if (gate->case_count == 0 && !args->update)
        term_error("--baseline: %s: holds no run: vibesim check --baseline %s --update-baseline "
                   "records some",
                   args->baseline, args->baseline);
    else
        return true;
    return false;
}

/* What an interrupted or refused update left, if it is what it seems to be. */
static bool remove_leftover(const char *path)
{
    static const char *const files[] = {"-wal", "-shm", ""};
    char why[1024];
    struct reader *reader = access(path, F_OK) == 0 ? reader_open(path, why, sizeof why) : NULL;
    if (!reader && access(path, F_OK) == 0) {
        term_error("--update-baseline: %s is in the way: move it away (%s)", path, why);
        return false;
    }
    reader_close(reader);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *name = beside(path, files[i]);
        unlink(name);
        free(name);
    }
    return true;
}

/* A log beside a closed record is another program's that has it open: renaming it would part them.
 */
static bool in_use(const char *path)
{
    char *log = beside(path, "-wal");
    bool there = access(log, F_OK) == 0;
    free(log);
    return there;
}

/* Gives the old baseline its second name: not by renaming it, so that there is a baseline at any
 * moment, unless the file system knows one name a file alone. */
static bool keep_old(const char *path, const char *old)
{
    if (unlink(old) != 0 && errno != ENOENT)
        return false;
    return link(path, old) == 0 || (errno == EPERM && rename(path, old) == 0);
}

/* Puts the new baseline in the place of the old one. False, told, with both files where they are.
 */
static bool replace(const struct gate *gate)
{
    char *old = beside(gate->baseline, ".old");
    const char *what = NULL;
    bool there = access(gate->baseline, F_OK) == 0;
    if (there && in_use(gate->baseline))
        what = "another program has it open";
    else if (there && !keep_old(gate->baseline, old))
        what = strerror(errno);
    else if (rename(gate->db, gate->baseline) != 0)
        what = strerror(errno);
    if (what)
        term_error("--update-baseline: %s cannot be replaced (%s): the new one is %s",
                   gate->baseline, what, gate->db);
    free(old);
    return !what;
}

/* After all is told. Returns the status to leave with. */
static int update(const struct gate *gate, const struct args_check *args, int status)
{
    bool broken = gate->failed > 0 || gate->never > 0;
    if (broken && !args->force) {
        term_error("--update-baseline: a check is broken, so %s stays as it is: what ran is in %s "
                   "(--force takes it all the same)",
                   gate->baseline, gate->db);
        return status;
    }
    if (!replace(gate))
        return CLI_BAD;
    if (!args->run.json && !args->run.quiet && !tap_on_stdout(args))
        printf("      %s is the new baseline%s\n", gate->baseline,
               gate->build_before ? ", and the old one has .old behind its name" : "");
    /* What is worse is taken, and what is broken, if it was asked for. */
    return status == CLI_CHECK_FAILED ? CLI_OK : status;
}

/* ---- all of it ---- */

/* The worst of the runs, of metrics and of `sometimes`. A scenario that is skipped (it wants a
 * build of the core that is not here) must not stop all others: the gate is skipped if all of it
 * was. */
static int status_of(const struct gate *gate)
{
    int status = gate_holds(gate) ? CLI_OK : CLI_CHECK_FAILED;
    for (size_t i = 0; i < gate->case_count; i++)
        for (size_t k = 0; k < gate->cases[i].pair_count; k++)
            if (gate_is_broken(&gate->cases[i].pairs[k].after))
                status = many_worse(status, gate->cases[i].pairs[k].after.status);
    return gate->skipped == gate->runs ? CLI_SKIPPED : status;
}

/* One build must make one run of a seed. False, told, if it made another one for the baseline. */
static bool check_repeats(const struct gate *gate, const struct args_check *args)
{
    if (args->run.salt || !gate->build_before || strcmp(gate->build_before, build_name()) != 0)
        return true;
    for (size_t i = 0; i < gate->case_count; i++)
        for (size_t k = 0; k < gate->cases[i].pair_count; k++) {
            const struct gate_pair *pair = &gate->cases[i].pairs[k];
            if (!pair->before.has_hash || !pair->after.has_hash ||
                pair->before.hash == pair->after.hash)
                continue;
            term_error("not deterministic: %s seed %" PRIu64
                       ": this very build made another run of "
                       "it for the baseline (trace hash %016" PRIx64 ", now %016" PRIx64
                       "): vibesim run %s --seed %" PRIu64 " --verify may tell where they part",
                       gate->cases[i].label, pair->seed, pair->before.hash, pair->after.hash,
                       gate->cases[i].file, pair->seed);
            return false;
        }
    return true;
}

static void tell(const struct gate *gate, const struct args_check *args)
{
    if (tap_on_stdout(args))
        gate_tap(stdout, gate);
    else if (args->run.json)
        gate_json(stdout, gate);
    else
        gate_text(gate, args->run.quiet);
    fflush(stdout);
    if (args->github)
        gate_github(args->run.json ? stderr : stdout, gate);
}

static int run_gate(struct gate *gate, const struct args_check *args)
{
    if (!check_outputs(args) || !read_baseline(gate, args) || !gate_plan(gate, args))
        return CLI_BAD;
    if (args->update && !remove_leftover(gate->db))
        return CLI_BAD;
    int status = gate_make(gate, args);
    if (status != CLI_OK)
        return status;
    gate_judge(gate);
    tell(gate, args);
    status = status_of(gate);
    if (!check_repeats(gate, args))
        status = many_worse(status, CLI_NOT_DETERMINISTIC);
    if (!write_files(args, gate))
        status = many_worse(status, CLI_BAD);
    if (args->update)
        status = update(gate, args, status);
    return term_stdout_ok() ? status : CLI_BAD;
}

int cli_check(const struct args_check *args)
{
    struct gate gate;
    char *new = beside(args->baseline, ".new");
    signal(SIGXFSZ, SIG_IGN); /* a size limit is told like a full disk */
    gate_init(&gate, args->baseline);
    gate.threshold = args->threshold;
    gate.alpha = args->alpha;
    gate.db = args->update ? new : args->run.db ? args->run.db : DB;
    int status = CLI_BAD;
    if (same_file(gate.db, args->baseline))
        term_error("--db: %s is the baseline: name another file", gate.db);
    else
        status = run_gate(&gate, args);
    gate_free(&gate);
    free(new);
    return status;
}
