/* `vibesim run`: loads a scenario, runs it once or (--verify) twice, records it and tells the
 * result.
 *
 * Happy path: the scenario and its parameters are checked, then the record is opened, then the run
 * begins; so bad input never leaves a file. Failure modes: a scenario that turns out wrong before
 * the first event leaves no record; later it is recorded with verdict "error". A record that cannot
 * be written any more stops the run (status 2). SIGINT and SIGTERM stop it soon, with what happened
 * so far recorded as "interrupted"; a second one ends the process at once. */
#include "scenarios/cli_run.h"

#include "scenarios/cli.h"
#include "scenarios/cli_list.h"
#include "scenarios/cli_report.h"
#include "scenarios/cli_verify.h"
#include "scenarios/progress.h"
#include "scenarios/record.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define PARAMS_SIZE (64u << 10)

/* Why the engine is asked to stop. A signal handler can reach nothing but a global. */
enum { STOP_NOT, STOP_SIGNAL, STOP_RECORD, STOP_VERIFY };
static volatile sig_atomic_t stop_why;

struct run {
    const struct args_run *args;
    struct engine *engine;
    struct engine_options options;
    struct recorder *recorder; /* NULL: not recorded */
    int64_t run_id;
    struct record record;
    struct report report;
    struct verify verify;
    struct progress progress;
    struct engine_result first, second;
    uint64_t wall_ms; /* of the first run */
    char params[PARAMS_SIZE];
};

static void on_signal(int number)
{
    (void)number;
    stop_why = STOP_SIGNAL;
}

static void signals_take(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends the process */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    stop_why = STOP_NOT;
}

static void stop(int why)
{
    if (stop_why == STOP_NOT)
        stop_why = why;
}

/* ---- what the engine tells --------------------------------------------------------------------
 */

static void on_node(void *ctx, uint32_t host, const char *role, const char *region,
                    const char *version)
{
    struct run *run = ctx;
    record_node(&run->record, host, role, region, version);
}

static void on_trace(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                     uint32_t peer_host)
{
    struct run *run = ctx;
    record_trace(&run->record, t_ns, host, trace, peer_host);
}

static void on_step(void *ctx, uint64_t t_ns, const char *kind, int64_t host, const char *detail)
{
    struct run *run = ctx;
    record_step(&run->record, t_ns, kind, host, detail);
    report_step(&run->report, t_ns, kind, detail);
}

static void on_decision(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken)
{
    struct run *run = ctx;
    record_decision(&run->record, no, t_ns, kind, params, taken);
}

static void on_check(void *ctx, uint64_t t_ns, const char *name, const char *kind, bool ok,
                     const char *detail)
{
    struct run *run = ctx;
    record_check(&run->record, t_ns, name, kind, ok, detail);
    report_check(&run->report, t_ns, name, kind, ok, detail);
}

static void on_metric(void *ctx, const char *name, int64_t host, double value)
{
    struct run *run = ctx;
    record_metric(&run->record, name, host, value);
    report_metric(&run->report, name, host, value);
}

static void on_log(void *ctx, uint64_t t_ns, const char *text)
{
    struct run *run = ctx;
    record_log(&run->record, t_ns, text);
    report_log(&run->report, t_ns, text);
}

static void on_event(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                     uint64_t hash)
{
    struct run *run = ctx;
    if (!verify_event(&run->verify, number, t_ns, host, kind, hash))
        stop(STOP_VERIFY);
}

static void on_progress(void *ctx, uint64_t sim_ns, uint64_t end_ns, uint64_t events,
                        uint64_t messages, uint32_t nodes, uint64_t tip_height)
{
    struct run *run = ctx;
    struct progress_now now = {sim_ns, end_ns, events, messages, tip_height, nodes};
    progress_update(&run->progress, &now);
    if (run->recorder && recorder_error(run->recorder))
        stop(STOP_RECORD);
}

static void on_story(void *ctx, const char *line)
{
    struct run *run = ctx;
    report_story(&run->report, line);
}

static void on_final(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32])
{
    struct run *run = ctx;
    record_final(&run->record, host, height, tip);
}

/* ---- before -----------------------------------------------------------------------------------
 */

static bool load(struct run *run)
{
    const struct args_run *args = run->args;
    struct stat st;
    char why[1024] = "";
    if (stat(args->file, &st) != 0) {
        char near[512];
        bool found = list_nearest(args->file, near, sizeof near);
        term_error("%s: there is no such file: %s%s", args->file, found ? "did you mean " : "",
                   found ? near : "vibesim list shows the scenarios");
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        term_error("%s: is a folder: vibesim list %s shows its scenarios", args->file, args->file);
        return false;
    }
    run->engine = engine_load(args->file, why, sizeof why);
    if (run->engine && engine_params(run->engine, args->params, args->param_count, run->params,
                                     sizeof run->params, why, sizeof why))
        return true;
    term_error("%s", why);
    return false;
}

static bool open_record(struct run *run)
{
    if (run->args->record == RECORD_NONE)
        return true;
    const struct recorder_run row = {
        .scenario = engine_about(run->engine)->name,
        .scenario_sha256 = engine_sha256(run->engine),
        .seed = run->args->seed,
        .params = run->params,
        .world = "sim",
        .build = VIBESIM_BUILD,
    };
    char why[1024] = "";
    run->recorder = recorder_open(run->args->db, &row, why, sizeof why);
    if (!run->recorder) {
        term_error("%s", why);
        return false;
    }
    run->run_id = recorder_run_id(run->recorder);
    return true;
}

static void observe(struct run *run)
{
    struct engine_options *options = &run->options;
    engine_options_init(options);
    options->seed = run->args->seed;
    options->params = run->args->params;
    options->param_count = run->args->param_count;
    options->until_ns = run->args->until_ns;
    options->interrupt = &stop_why;
    options->observer = (struct engine_observer){
        .ctx = run,
        .on_node = on_node,
        .on_trace = run->recorder ? on_trace : NULL,
        .trace_mask = run->recorder ? record_mask(run->args->record) : 0,
        .on_step = on_step,
        .on_decision = on_decision,
        .on_check = on_check,
        .on_metric = on_metric,
        .on_log = on_log,
        .on_event = run->args->verify ? on_event : NULL,
        .on_progress = on_progress,
        .on_story = on_story,
    };
}

/* ---- the runs ---------------------------------------------------------------------------------
 */

static void run_first(struct run *run)
{
    bool shown = !run->args->quiet && !run->args->json;
    report_begin(&run->report, run->params);
    progress_init(&run->progress, shown ? stderr : NULL, run->args->verify ? "run 1: " : "");
    uint64_t began_ms = term_now_ms();
    engine_run(run->engine, &run->options, on_final, run, &run->first);
    run->wall_ms = term_now_ms() - began_ms;
    progress_clear(&run->progress);
}

/* The second run is compared and tells nothing else. */
static void run_second(struct run *run)
{
    struct engine_options options = run->options;
    options.observer = (struct engine_observer){
        .ctx = run,
        .on_event = on_event,
        .on_progress = on_progress,
    };
    bool shown = !run->args->quiet && !run->args->json;
    progress_init(&run->progress, shown ? stderr : NULL, "run 2: ");
    engine_run(run->engine, &options, NULL, NULL, &run->second);
    progress_clear(&run->progress);
}

/* Runs once or twice. What was found is in stop_why and in verify. */
static void run_all(struct run *run, struct report_end *end)
{
    run_first(run);
    end->verified = run->args->verify ? VERIFY_NOT_DONE : VERIFY_NOT_ASKED;
    bool whole = run->first.outcome == ENGINE_PASS || run->first.outcome == ENGINE_FAIL;
    if (!run->args->verify || !whole || stop_why != STOP_NOT || !verify_rewind(&run->verify))
        return;
    run_second(run);
    if (run->verify.error[0] || stop_why == STOP_SIGNAL || stop_why == STOP_RECORD)
        return;
    bool equal = verify_end(&run->verify, &run->first, &run->second);
    end->verified = equal ? VERIFY_EQUAL : VERIFY_DIFFERENT;
}

/* ---- after ------------------------------------------------------------------------------------
 */

/* The exit status, with the verdict and the reason that go with it. */
static int judge(struct run *run, struct report_end *end)
{
    const char *record_error = run->recorder ? recorder_error(run->recorder) : NULL;
    end->verdict = VERDICT_ERROR;
    if (record_error || run->verify.error[0]) {
        end->reason = record_error ? record_error : run->verify.error;
        return CLI_BAD;
    }
    if (run->first.outcome == ENGINE_BAD_SCENARIO) {
        end->reason = run->first.reason;
        return CLI_BAD;
    }
    if (end->verified == VERIFY_DIFFERENT) {
        end->reason = run->verify.difference;
        return CLI_NOT_DETERMINISTIC;
    }
    if (stop_why == STOP_SIGNAL || run->first.outcome == ENGINE_INTERRUPTED) {
        end->verdict = VERDICT_INTERRUPTED;
        end->reason = "stopped by a signal";
        return CLI_INTERRUPTED;
    }
    bool pass = run->first.outcome == ENGINE_PASS;
    end->verdict = pass ? VERDICT_PASS : VERDICT_FAIL;
    end->reason = pass ? NULL : run->first.reason;
    return pass ? CLI_OK : CLI_CHECK_FAILED;
}

/* Finishes the record, or drops it where nothing happened. False, with a line, if rows are missing.
 */
static bool close_record(struct run *run, struct report_end *end, char *why, uint32_t why_size)
{
    if (!run->recorder)
        return true;
    const struct engine_result *result = &run->first;
    struct recorder *recorder = run->recorder;
    run->recorder = NULL;
    if (result->outcome == ENGINE_BAD_SCENARIO && result->events == 0) {
        recorder_abandon(recorder);
        end->run_id = run->run_id = 0;
        return true;
    }
    const struct recorder_result row = {
        .wall_ms = run->wall_ms,
        .sim_ns = result->sim_ns,
        .events = result->events,
        .messages = result->messages,
        .bytes = result->bytes,
        .trace_hash = result->trace_hash,
        .verdict = report_verdict_name(end->verdict),
        .reason = end->reason,
    };
    return recorder_finish(recorder, &row, why, why_size);
}

static int finish(struct run *run, struct report_end *end)
{
    char reason[1024], why[1024] = "";
    end->result = &run->first;
    end->params = run->params;
    end->wall_ms = run->wall_ms;
    end->run_id = run->run_id;
    int status = judge(run, end);
    /* The reason may stand in what is closed now. */
    snprintf(reason, sizeof reason, "%s", end->reason ? end->reason : "");
    end->reason = end->reason ? reason : NULL;
    if (!close_record(run, end, why, sizeof why)) {
        snprintf(reason, sizeof reason, "%s", why);
        end->reason = reason;
        end->verdict = VERDICT_ERROR;
        status = CLI_BAD;
    }
    bool began = run->first.outcome != ENGINE_BAD_SCENARIO || run->first.events > 0;
    if (run->args->json)
        report_json(&run->report, end);
    else if (began)
        report_end(&run->report, end);
    if (status == CLI_BAD || status == CLI_NOT_DETERMINISTIC)
        term_error("%s%s", status == CLI_BAD ? "" : "not deterministic: ", reason);
    if (!term_stdout_ok() && status == CLI_OK)
        status = CLI_BAD;
    return status;
}

int cli_run(const struct args_run *args)
{
    static struct run run; /* too large for a stack */
    int status = CLI_BAD;
    memset(&run, 0, sizeof run);
    run.args = args;
    signal(SIGXFSZ, SIG_IGN); /* a size limit is told like a full disk */
    if (!load(&run)) {
        engine_free(run.engine);
        return status;
    }
    bool ready = !args->verify || verify_init(&run.verify);
    if (!ready)
        term_error("%s", run.verify.error);
    if (ready && open_record(&run)) {
        struct report_end end = {.run_id = 0};
        record_init(&run.record, run.recorder, args->record);
        report_init(&run.report, args, engine_about(run.engine), &run.progress);
        observe(&run);
        signals_take();
        run_all(&run, &end);
        status = finish(&run, &end);
        report_deinit(&run.report);
        record_deinit(&run.record);
    }
    verify_deinit(&run.verify);
    engine_free(run.engine);
    return status;
}
