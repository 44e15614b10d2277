/* See cli_replay_args.h. Which of the two a file is shows when it is opened; so what is wrong with
 * either is told here, and what does not fit the one it is later. */
#include "vibesim/cli_replay_args.h"

#include "core/base/exact.h"
#include "vibesim/cli_term.h"
#include "vibesim/cli_words.h"
#include "vibesim/seeds.h"

#include <stdlib.h>
#include <string.h>

#define UNTIL_MAX_S 1e9

static const char *const names[] = {"--trace",    "--until", "--json",   "--help",        "--run",
                                    "--scenario", "--event", "--node",   "--dump",        "--step",
                                    "--against",  "--with",  "--hashes", "--against-run", NULL};

/* A capture is of one node: there is nothing to choose but kinds, of those that a node tells. */
static bool parse_trace(struct args_replay *args, const char *text)
{
    char why[400];
    if (!trace_filter_add(&args->trace, text, why, sizeof why)) {
        term_error("--trace: %s", why);
        return false;
    }
    const struct trace_term *term = &args->trace.terms[args->trace.count - 1];
    const bool known = (term->kinds & ((UINT64_C(1) << VN_TR_KINDS) - 1)) != 0;
    if (term->what == TRACE_ALL && known)
        return true;
    term_error("--trace: a capture is of one node: write all, or kinds=tip,ban");
    return false;
}

/* A whole number may be both: which is meant, the file tells. */
static bool parse_until(struct args_replay *args, const char *text)
{
    const char *end;
    uint64_t events = 0;
    args->until = text;
    args->until_events = seeds_number(text, &end, &events) && !*end ? events : 0;
    if (*text && strspn(text, "0123456789.") == strlen(text)) {
        char *rest;
        const double s = strtod(text, &rest);
        args->until_ns = !*rest && s <= UNTIL_MAX_S ? exact_ns_from_seconds(s) : 0;
    }
    if (args->until_events || args->until_ns)
        return true;
    term_error("--until: '%s' is not a number of events, from 1 on, nor (of a run) a time in "
               "seconds, more than 0 and at most 1000000000",
               text);
    return false;
}

static bool parse_run(const char *name, const char *text, uint64_t *out)
{
    const char *end;
    if (seeds_number(text, &end, out) && !*end && *out > 0 && *out <= INT64_MAX)
        return true;
    term_error("%s: '%s' is not the number of a run, from 1 on", name, text);
    return false;
}

static bool parse_event(struct args_replay *args, const char *text)
{
    const char *end;
    args->has_event = seeds_number(text, &end, &args->event) && !*end && args->event < UINT64_MAX;
    if (!args->has_event)
        term_error("--event: '%s' is not the number of an event, from 0 (before the first) on",
                   text);
    return args->has_event;
}

static bool parse_node(struct args_replay *args, const char *text)
{
    if (trace_host_read(text, &args->node))
        return true;
    term_error("--node: '%s' is no node: write its number, counted from 1, or its name: 3, "
               "node-0003, peer-0001",
               text);
    return false;
}

static bool parse_file(const char *name, const char *text, const char **out)
{
    *out = text;
    if (!*text)
        term_error("%s: the name of the file is empty", name);
    return *text != 0;
}

static bool *switch_of(struct args_replay *args, const char *name)
{
    return words_is(name, "--json")     ? &args->json
           : words_is(name, "--help")   ? &args->help
           : words_is(name, "--dump")   ? &args->dump
           : words_is(name, "--step")   ? &args->step
           : words_is(name, "--hashes") ? &args->hashes
                                        : NULL;
}

static bool value_of(struct args_replay *args, struct words *w, const char *name)
{
    const char *text = words_value(w, name,
                                   words_is(name, "--trace")   ? "all or kinds=tip,ban"
                                   : words_is(name, "--until") ? "a number of events, or seconds"
                                   : words_is(name, "--event") ? "a number of events"
                                   : words_is(name, "--node")  ? "a node like 3"
                                   : strstr(name, "run")       ? "the number of a run"
                                                               : "a file");
    if (!text)
        return false;
    return words_is(name, "--trace")         ? parse_trace(args, text)
           : words_is(name, "--until")       ? parse_until(args, text)
           : words_is(name, "--run")         ? parse_run(name, text, &args->run)
           : words_is(name, "--against-run") ? parse_run(name, text, &args->against_run)
           : words_is(name, "--event")       ? parse_event(args, text)
           : words_is(name, "--node")        ? parse_node(args, text)
           : words_is(name, "--scenario")    ? parse_file(name, text, &args->scenario)
           : words_is(name, "--with")        ? parse_file(name, text, &args->with)
                                             : parse_file(name, text, &args->against);
}

const char *args_replay_capture_only(const struct args_replay *args)
{
    return args->trace.count ? "--trace" : NULL;
}

const char *args_replay_record_only(const struct args_replay *args)
{
    return args->run           ? "--run"
           : args->scenario    ? "--scenario"
           : args->has_event   ? "--event"
           : args->node.number ? "--node"
           : args->dump        ? "--dump"
           : args->step        ? "--step"
           : args->with        ? "--with"
           : args->against     ? "--against"
           : args->against_run ? "--against-run"
           : args->hashes      ? "--hashes"
                               : NULL;
}

/* Options that contradict each other are refused, rather than one of them passed over. */
static bool check_together(const struct args_replay *args)
{
    const int does =
        args->dump + args->step + args->hashes + (args->with != NULL) + (args->against != NULL);
    if (!args->file)
        term_error("replay: name a capture or a record: vibesim replay FILE");
    else if (does > 1)
        term_error("replay: --dump, --step, --hashes, --with and --against do different things: "
                   "give one of them");
    else if (args->has_event && args->until)
        term_error("--event and --until: give one of them");
    else if (args->dump && !args->node.number)
        term_error("--dump: say of which node: --node 3 (or node-0003, or peer-0001)");
    else if (args->node.number && !args->dump)
        term_error("--node: is for --dump: its state at that moment");
    else if (args->has_event && !args->dump && !args->step)
        term_error("--event: say what to do there: --dump --node 3, or --step");
    else if (args->against_run && !args->against)
        term_error("--against-run: is for --against FILE: which of its runs");
    else if (args->step && args->json)
        term_error("--json: not with --step, which is for people");
    else if (args->until && (args->hashes || args->with || args->against))
        term_error("--until: the whole run is compared: leave it out");
    else
        return true;
    return false;
}

bool args_replay_parse(struct args_replay *args, int argc, char **argv)
{
    memset(args, 0, sizeof *args);
    struct words w = {.argc = argc, .argv = argv, .names = names};
    const char *name, *word;
    bool wrong = false;
    while (words_next(&w, &name, &word, &wrong)) {
        bool *flag = name ? switch_of(args, name) : NULL;
        if (flag ? !words_switch(flag, &w, name) : name ? !value_of(args, &w, name) : false)
            return false;
        if (name)
            continue;
        if (args->file) {
            term_error("replay: one file at a time, and %s is given already", args->file);
            return false;
        }
        args->file = word;
    }
    return !wrong && (args->help || check_together(args));
}
