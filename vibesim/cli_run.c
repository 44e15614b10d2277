/* `vibesim run`: loads the scenarios and their parameters, then makes one run of one file here, or
 * many in worker processes (cli_seeds.c). All that is wrong with the input is told before any file
 * is made. */
#include "vibesim/cli_run.h"

#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_list.h"
#include "vibesim/cli_seeds.h"
#include "vibesim/cli_session.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* In swarm mode each run draws its own (cli_session.c): what all have in common is what was given.
 */
static bool read_params(struct loaded *loaded, const struct args_run *args, char *why, size_t size)
{
    if (!args->swarm)
        return engine_params(loaded->engine, args->params, args->param_count, loaded->params,
                             sizeof loaded->params, why, size);
    if (!engine_swarm_params(loaded->engine, args->seed, args->params, args->param_count,
                             loaded->params, sizeof loaded->params, why, size))
        return false;
    json_t *given = json_object();
    for (size_t i = 0; i < args->param_count; i++)
        json_object_set_new(given, args->params[i].key, json_string(args->params[i].value));
    size_t n = json_dumpb(given, loaded->params, sizeof loaded->params - 1, JSON_COMPACT);
    loaded->params[n < sizeof loaded->params ? n : 0] = 0;
    json_decref(given);
    return true;
}

bool run_load(struct loaded *loaded, const struct args_run *args, const char *file)
{
    struct stat st;
    char why[1024] = "";
    if (stat(file, &st) != 0) {
        char near[512];
        bool found = list_nearest(file, near, sizeof near);
        term_error("%s: there is no such file: %s%s", file, found ? "did you mean " : "",
                   found ? near : "vibesim list shows the scenarios");
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        term_error("%s: is a folder: vibesim list %s shows its scenarios", file, file);
        return false;
    }
    loaded->engine = engine_load(file, why, sizeof why);
    if (loaded->engine && read_params(loaded, args, why, sizeof why))
        return true;
    term_error("%s", why);
    engine_free(loaded->engine);
    loaded->engine = NULL;
    return false;
}

void run_options(struct engine_options *options, const struct args_run *args)
{
    engine_options_init(options);
    options->seed = args->seed;
    options->params = args->params;
    options->param_count = args->param_count;
    options->until_ns = args->until_ns;
    options->without = args->left_out;
    options->without_count = args->left_out_count;
    options->swarm = args->swarm;
    options->audit = args->audit;
    options->has_only = args->has_only;
    options->only = args->only;
    options->only_count = args->only_count;
    options->cores = args->cores.all;
    options->core_count = args->cores.count;
    options->salt = args->salt;
    options->world = args->world;
    options->speed = args->speed;
}

void run_pin(struct args_run *args, const struct engine *engine)
{
    const struct engine_pinned *pinned = engine_pinned(engine);
    if (pinned->has_seed && !args->seed_given && !args->seeds.count)
        args->seed = pinned->seed;
    args->swarm = args->swarm || pinned->swarm;
    args->audit = args->audit || (pinned->audit && args->world == ENGINE_SIM);
    if (pinned->until_ns && !args->until_ns)
        args->until_ns = pinned->until_ns;
    if (pinned->has_only && !args->has_only) {
        args->has_only = true;
        args->only = pinned->only;
        args->only_count = pinned->only_count;
    }
}

/* Whether both names are of one file. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A trace must not be written over what the run reads or records. */
static bool check_trace_file(const struct args_run *args)
{
    const char *path = args->trace_file;
    bool record = path && args->record != RECORD_NONE &&
                  (strcmp(path, args->db) == 0 || same_file(path, args->db));
    if (path && (same_file(path, args->file) || record))
        term_error("--trace-file: %s is the %s: name another file", path,
                   record ? "record" : "scenario");
    else
        return true;
    return false;
}

/* The result for people or programs, and the status to leave with. */
static int tell(struct session *s, int status)
{
    if (s->args->json)
        report_json(&s->report, &s->end);
    else if (session_began(s))
        report_end(&s->report, &s->end);
    if (status == CLI_BAD || status == CLI_NOT_DETERMINISTIC)
        term_error("%s%s", status == CLI_BAD ? "" : "not deterministic: ", s->reason);
    return term_stdout_ok() || status != CLI_OK ? status : CLI_BAD;
}

/* Nor an export over any of them. */
static bool check_exports(const struct args_run *args)
{
    const char *const files[] = {"the scenario",
                                 args->file,
                                 "--trace-file",
                                 args->trace_file,
                                 "--db",
                                 args->record != RECORD_NONE ? args->db : NULL,
                                 NULL};
    return export_check_files(&args->exports, files);
}

/* What is exported, if anything is. False, told, if it cannot be. */
static bool open_exports(struct session *s)
{
    const struct args_run *args = s->args;
    char about[1024], program[120];
    if (!args->exports.pcap && !args->exports.perfetto)
        return true;
    snprintf(about, sizeof about, "%s, seed %llu, parameters %s", engine_about(s->engine)->name,
             (unsigned long long)args->seed, s->params);
    snprintf(program, sizeof program, "vibesim %s", build_name());
    struct export *e = export_open(&args->exports, program, about);
    if (e)
        session_export(s, e);
    return e != NULL;
}

static int run_traced(const struct args_run *args, struct loaded *loaded)
{
    static struct session s; /* too large for a stack */
    struct cli_trace trace;
    char why[1024];
    bool traced = args->trace.count > 0;
    int status = CLI_BAD;
    if (!check_trace_file(args) || !check_exports(args))
        return CLI_BAD;
    trace_init(&trace, &args->trace, args->json);
    if (!session_open(&s, args, loaded->engine, loaded->params, traced ? &trace : NULL)) {
        term_error("%s", s.reason);
        return CLI_BAD;
    }
    if (!open_exports(&s)) {
        session_abandon(&s);
        return CLI_BAD;
    }
    if (args->trace_file && !trace_open(&trace, args->trace_file, why, sizeof why)) {
        term_error("%s", why);
        if (s.export)
            export_close(s.export, 0);
        session_abandon(&s);
        return CLI_BAD;
    }
    session_signals();
    status = tell(&s, session_run(&s));
    if (traced && !trace_close(&trace) && status == CLI_OK)
        status = CLI_BAD;
    if (s.export && !export_close(s.export, s.first.sim_ns) && status == CLI_OK)
        status = CLI_BAD;
    session_close(&s);
    return status;
}

static int run_one(const struct args_run *args)
{
    static struct loaded loaded;
    struct args_run pinned = *args;
    if (!run_load(&loaded, args, args->file))
        return CLI_BAD;
    run_pin(&pinned, loaded.engine);
    int status = run_traced(&pinned, &loaded);
    engine_free(loaded.engine);
    return status;
}

int cli_run(const struct args_run *args)
{
    signal(SIGXFSZ, SIG_IGN); /* a size limit is told like a full disk */
    return args->seeds.count || args->file_count > 1 ? cli_seeds(args) : run_one(args);
}
