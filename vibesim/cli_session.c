/* One run, opened, observed, judged and closed; see cli_session.h.
 *
 * Happy path: the record is opened, then the run begins; so bad input never leaves a file. Failure
 * modes: a scenario that turns out wrong before the first event leaves no record; later it is
 * recorded with verdict "error". A record that cannot be written any more stops the run (status 2).
 * SIGINT and SIGTERM stop it soon, with what happened so far recorded as "interrupted". */
#include "vibesim/cli_session.h"

#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_run.h"

#include <signal.h>
#include <string.h>

/* Why the engine is asked to stop. A signal handler can reach nothing but a global. */
enum { STOP_NOT, STOP_SIGNAL, STOP_RECORD, STOP_VERIFY };
static volatile sig_atomic_t stop_why;

const volatile sig_atomic_t *session_interrupt(void)
{
    return &stop_why;
}

static void on_signal(int number)
{
    (void)number;
    stop_why = STOP_SIGNAL;
}

void session_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends the process */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (stop_why != STOP_SIGNAL)
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
    struct session *s = ctx;
    record_node(&s->record, host, role, region, version);
    if (s->trace)
        trace_node(s->trace, role);
    if (s->export)
        export_node(s->export, host, role);
}

static void on_trace(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                     uint32_t peer_host)
{
    struct session *s = ctx;
    record_trace(&s->record, t_ns, host, trace, peer_host);
    if (s->trace)
        trace_event(s->trace, t_ns, host, trace, peer_host);
    if (s->export)
        export_trace(s->export, t_ns, host, trace, peer_host);
}

static void on_step(void *ctx, uint64_t t_ns, const char *kind, int64_t host, const char *detail)
{
    struct session *s = ctx;
    record_step(&s->record, t_ns, kind, host, detail);
    report_step(&s->report, t_ns, kind, detail);
    if (s->trace)
        trace_step(s->trace, t_ns, kind, host, detail);
    if (s->export)
        export_step(s->export, t_ns, kind, host, detail);
}

static void on_decision(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken)
{
    struct session *s = ctx;
    record_decision(&s->record, no, t_ns, kind, params, taken);
    if (s->export)
        export_decision(s->export, t_ns, no, kind, params, taken);
}

static void on_decision_over(void *ctx, uint64_t t_ns, uint32_t no)
{
    struct session *s = ctx;
    export_decision_over(s->export, t_ns, no);
}

static void on_wire(void *ctx, uint64_t t_ns, const struct sim_wire *wire)
{
    struct session *s = ctx;
    export_wire(s->export, t_ns, wire);
}

static void on_info(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_info *info)
{
    struct session *s = ctx;
    export_info(s->export, t_ns, host, info);
}

static void on_check(void *ctx, uint64_t t_ns, const char *name, const char *kind, bool ok,
                     const char *detail)
{
    struct session *s = ctx;
    record_check(&s->record, t_ns, name, kind, ok, detail);
    report_check(&s->report, t_ns, name, kind, ok, detail);
    if (s->trace && strcmp(kind, "sometimes") != 0)
        trace_check(s->trace, t_ns, name, ok, detail);
    if (s->export && strcmp(kind, "sometimes") != 0)
        export_result(s->export, t_ns, name, ok, detail);
}

static void on_metric(void *ctx, const char *name, int64_t host, double value)
{
    struct session *s = ctx;
    record_metric(&s->record, name, host, value);
    report_metric(&s->report, name, host, value);
}

static void on_log(void *ctx, uint64_t t_ns, const char *text)
{
    struct session *s = ctx;
    record_log(&s->record, t_ns, text);
    report_log(&s->report, t_ns, text);
    if (s->trace)
        trace_log(s->trace, t_ns, text);
    if (s->export)
        export_log(s->export, t_ns, text);
}

static void on_event(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                     uint64_t hash)
{
    struct session *s = ctx;
    if (!verify_event(&s->verify, number, t_ns, host, kind, hash))
        stop(STOP_VERIFY);
}

static void on_progress(void *ctx, uint64_t sim_ns, uint64_t end_ns, uint64_t events,
                        uint64_t messages, uint32_t nodes, uint64_t tip_height)
{
    struct session *s = ctx;
    struct progress_now now = {sim_ns, end_ns, events, messages, tip_height, nodes};
    progress_update(&s->progress, &now);
    if (s->recorder && recorder_error(s->recorder))
        stop(STOP_RECORD);
}

static void on_story(void *ctx, const char *line)
{
    struct session *s = ctx;
    report_story(&s->report, line);
}

static void on_final(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32])
{
    struct session *s = ctx;
    record_final(&s->record, host, height, tip);
}

static void on_mark(void *ctx, uint64_t t_ns, uint64_t events, uint64_t hash)
{
    struct session *s = ctx;
    record_mark(&s->record, t_ns, events, hash);
}

/* ---- before and after -------------------------------------------------------------------------
 */

bool session_row(struct recorder_run *row, const struct args_run *args, const struct engine *engine,
                 const char *params, char options[RERUN_OPTIONS_SIZE], char *why, size_t size)
{
    *row = (struct recorder_run){
        .scenario = engine_about(engine)->name,
        .scenario_sha256 = engine_sha256(engine),
        .seed = args->seed,
        .params = params,
        .world = args_world_name(args->world),
        .build = build_name(),
        .file = args->file,
        .options = options,
        .sweep = args->sweep,
        .job = args->sweep_job,
        .scratch = args->db_is_part,
    };
    return rerun_options(args, options, RERUN_OPTIONS_SIZE, why, size);
}

static bool open_record(struct session *s)
{
    char options[RERUN_OPTIONS_SIZE];
    struct recorder_run row;
    if (s->args->record == RECORD_NONE)
        return true;
    if (!session_row(&row, s->args, s->engine, s->params, options, s->reason, sizeof s->reason))
        return false;
    s->recorder = recorder_open(s->args->db, &row, s->reason, sizeof s->reason);
    if (!s->recorder)
        return false;
    s->run_id = recorder_run_id(s->recorder);
    return true;
}

static void observe(struct session *s)
{
    struct engine_options *options = &s->options;
    run_options(options, s->args);
    options->interrupt = &stop_why;
    options->observer = (struct engine_observer){
        .ctx = s,
        .on_node = on_node,
        .on_trace = s->recorder || s->trace ? on_trace : NULL,
        .trace_mask = (s->recorder ? record_mask(s->args->record) : 0) |
                      (s->trace ? trace_mask(s->trace) : 0),
        .on_step = on_step,
        .on_decision = on_decision,
        .on_check = on_check,
        .on_metric = on_metric,
        .on_log = on_log,
        .on_event = s->args->verify ? on_event : NULL,
        .on_progress = on_progress,
        .on_story = on_story,
        .on_mark = s->recorder ? on_mark : NULL,
    };
}

/* In swarm mode each seed has parameters of its own. */
static bool draw_params(struct session *s)
{
    const struct args_run *args = s->args;
    if (!args->swarm)
        return true;
    s->params = s->drawn;
    return engine_swarm_params(s->engine, args->seed, args->params, args->param_count, s->drawn,
                               sizeof s->drawn, s->reason, sizeof s->reason);
}

bool session_open(struct session *s, const struct args_run *args, struct engine *engine,
                  const char *params, struct cli_trace *trace)
{
    memset(s, 0, sizeof *s);
    s->args = args;
    s->engine = engine;
    s->params = params;
    s->trace = trace;
    if (stop_why != STOP_SIGNAL)
        stop_why = STOP_NOT;
    if (!draw_params(s))
        return false;
    s->trouble = true; /* until it is open */
    if (args->verify && !verify_init(&s->verify)) {
        snprintf(s->reason, sizeof s->reason, "%s", s->verify.error);
        return false;
    }
    if (!open_record(s)) {
        verify_deinit(&s->verify);
        return false;
    }
    s->trouble = false;
    record_init(&s->record, s->recorder, args->record);
    report_init(&s->report, args, engine_about(engine), &s->progress);
    if (trace)
        trace->progress = &s->progress;
    observe(s);
    return true;
}

void session_export(struct session *s, struct export *e)
{
    struct engine_observer *o = &s->options.observer;
    s->export = e;
    s->options.by_time = true;
    o->trace_mask |= export_mask(e);
    o->on_trace = o->trace_mask ? on_trace : o->on_trace;
    o->on_decision_over = on_decision_over;
    o->on_wire = on_wire;
    o->on_info = on_info;
}

void session_close(struct session *s)
{
    report_deinit(&s->report);
    record_deinit(&s->record);
    verify_deinit(&s->verify);
}

void session_abandon(struct session *s)
{
    if (s->recorder)
        recorder_abandon(s->recorder);
    session_close(s);
}

/* ---- the runs ---------------------------------------------------------------------------------
 */

static void run_first(struct session *s)
{
    bool shown =
        s->watched || (!s->args->quiet && !s->args->json && !(s->trace && !s->args->trace_file));
    report_begin(&s->report, s->params);
    progress_init(&s->progress, shown ? stderr : NULL, s->args->verify ? "run 1: " : "");
    uint64_t began_ms = term_now_ms();
    engine_run(s->engine, &s->options, on_final, s, &s->first);
    s->wall_ms = term_now_ms() - began_ms;
    progress_clear(&s->progress);
}

/* The second run is compared and tells nothing else. Where it can it handles every event by time,
 * so that what the simulator does host by host is held against that. */
static void run_second(struct session *s)
{
    struct engine_options options = s->options;
    options.observer = (struct engine_observer){
        .ctx = s,
        .on_event = on_event,
        .on_progress = on_progress,
    };
    options.by_time = s->options.by_time || s->first.outcome == ENGINE_PASS;
    bool shown = !s->args->quiet && !s->args->json;
    progress_init(&s->progress, shown ? stderr : NULL, "run 2: ");
    engine_run(s->engine, &options, NULL, NULL, &s->second);
    progress_clear(&s->progress);
}

/* Runs once or twice. What was found is in stop_why and in verify. */
static void run_all(struct session *s, struct report_end *end)
{
    run_first(s);
    end->verified = s->args->verify ? VERIFY_NOT_DONE : VERIFY_NOT_ASKED;
    bool whole = s->first.outcome == ENGINE_PASS || s->first.outcome == ENGINE_FAIL;
    if (!s->args->verify || !whole || stop_why != STOP_NOT || !verify_rewind(&s->verify))
        return;
    run_second(s);
    if (s->verify.error[0] || stop_why == STOP_SIGNAL || stop_why == STOP_RECORD)
        return;
    bool equal = verify_end(&s->verify, &s->first, &s->second);
    end->verified = equal ? VERIFY_EQUAL : VERIFY_DIFFERENT;
}

/* ---- after ------------------------------------------------------------------------------------
 */

/* The exit status, with the verdict and the reason that go with it. */
static int judge(struct session *s, struct report_end *end)
{
    const char *record_error = s->recorder ? recorder_error(s->recorder) : NULL;
    end->verdict = VERDICT_ERROR;
    if (record_error || s->verify.error[0]) {
        end->reason = record_error ? record_error : s->verify.error;
        s->trouble = true;
        return CLI_BAD;
    }
    if (s->first.outcome == ENGINE_BAD_SCENARIO) {
        end->reason = s->first.reason;
        return CLI_BAD;
    }
    if (end->verified == VERIFY_DIFFERENT) {
        end->reason = s->verify.difference;
        return CLI_NOT_DETERMINISTIC;
    }
    if (stop_why == STOP_SIGNAL || s->first.outcome == ENGINE_INTERRUPTED) {
        end->verdict = VERDICT_INTERRUPTED;
        end->reason = "stopped by a signal";
        return CLI_INTERRUPTED;
    }
    if (s->first.outcome == ENGINE_SKIPPED) {
        end->verdict = VERDICT_SKIP;
        end->reason = s->first.reason;
        return CLI_SKIPPED;
    }
    bool pass = s->first.outcome == ENGINE_PASS;
    end->verdict = pass ? VERDICT_PASS : VERDICT_FAIL;
    end->reason = pass ? NULL : s->first.reason;
    return pass ? CLI_OK : CLI_CHECK_FAILED;
}

/* Finishes the record, or drops it where nothing happened. False, with a line, if rows are missing.
 */
static bool close_record(struct session *s, struct report_end *end, char *why, uint32_t why_size)
{
    if (!s->recorder)
        return true;
    const struct engine_result *result = &s->first;
    struct recorder *recorder = s->recorder;
    s->recorder = NULL;
    if (result->outcome == ENGINE_BAD_SCENARIO && result->events == 0) {
        recorder_abandon(recorder);
        end->run_id = s->run_id = 0;
        return true;
    }
    /* Else it could not be told from a scenario that is wrong. */
    char reason[1100] = "";
    snprintf(reason, sizeof reason, "%s%s",
             end->verified == VERIFY_DIFFERENT ? SESSION_NOT_DETERMINISTIC : "",
             end->reason ? end->reason : "");
    const struct recorder_result row = {
        .wall_ms = s->wall_ms,
        .sim_ns = result->sim_ns,
        .events = result->events,
        .messages = result->messages,
        .bytes = result->bytes,
        .trace_hash = result->trace_hash,
        .no_trace_hash = s->args->world != ENGINE_SIM,
        .verdict = report_verdict_name(end->verdict),
        .reason = end->reason ? reason : NULL,
    };
    return recorder_finish(recorder, &row, why, why_size);
}

bool session_began(const struct session *s)
{
    return s->first.outcome != ENGINE_BAD_SCENARIO || s->first.events > 0;
}

int session_run(struct session *s)
{
    struct report_end *end = &s->end;
    char why[1024] = "";
    run_all(s, end);
    end->result = &s->first;
    end->params = s->params;
    end->wall_ms = s->wall_ms;
    end->run_id = s->run_id;
    int status = judge(s, end);
    /* The reason may stand in what is closed now. */
    snprintf(s->reason, sizeof s->reason, "%s", end->reason ? end->reason : "");
    end->reason = end->reason ? s->reason : NULL;
    if (!close_record(s, end, why, sizeof why)) {
        snprintf(s->reason, sizeof s->reason, "%s", why);
        end->reason = s->reason;
        end->verdict = VERDICT_ERROR;
        s->trouble = true;
        status = CLI_BAD;
    }
    return status;
}
