/* The arguments of `vibesim check`, and its help. */
#include "vibesim/cli_args_run.h"
#include "vibesim/cli_check.h"
#include "vibesim/cli_term.h"
#include "vibesim/gate.h"

#include <stdlib.h>

const char check_help[] =
    "Usage: vibesim check [FILE.lua...|FOLDER] --baseline FILE [options]\n"
    "\n"
    "The gate for continuous integration: runs scenarios with the seeds of the baseline, a record\n"
    "that an earlier build made, and compares. Fails (status 1) where a check is broken, or a\n"
    "metric is worse than chance explains and by more than the threshold. Without FILE: the\n"
    "scenarios of vibesim list.\n"
    "\n"
    "  --baseline FILE    the record to compare with: of --update-baseline, or of vibesim run\n"
    "                     --seeds or sweep. Which seeds and parameters it has decides what is run\n"
    "  --update-baseline  what runs now becomes the baseline, unless a check is broken; the old\n"
    "                     one stays as FILE.old. Also makes the first one\n"
    "  --force            with --update-baseline: even if a check is broken; the status is 0 then\n"
    "  --threshold PERCENT  changes up to that are no regression, 0 to 1000 [2]\n"
    "  --alpha P          how likely a false alarm may be in the whole gate, more than 0, at most\n"
    "                     0.5 [0.01]\n"
    "  --seeds LIST       these seeds, like 1..20; the baseline must have them\n"
    "                     [those of the baseline; 1..20 of a scenario that it does not have]\n"
    "  --param NAME=VALUE only runs with that parameter; may be given several times\n"
    "  --jobs N           how many runs at once, 1 to 256 [as many as there are processors]\n"
    "  --db FILE          where to record; a VibeNet file gets more runs [check.db]\n"
    "  --salt N           other dice for nodes and network, to see what chance alone does [0]\n"
    "  --junit FILE       writes the result as JUnit XML\n"
    "  --tap FILE         writes it in the Test Anything Protocol; - is standard output, in place\n"
    "                     of the table\n"
    "  --markdown FILE    writes it as Markdown\n"
    "  --github           annotations for GitHub Actions on standard output (with --json on\n"
    "                     standard error), and the Markdown behind $GITHUB_STEP_SUMMARY [if\n"
    "                     GITHUB_ACTIONS=true]\n"
    "  --json             the result as one JSON object on standard output\n"
    "  --quiet            what failed and the verdict, nothing else\n"
    "\n"
    "vibesim/README.md tells how metrics are compared, and which way each is better.\n"
    "\n"
    "Examples:\n"
    "  vibesim check --baseline base.db --update-baseline\n"
    "  vibesim check --baseline base.db\n"
    "  vibesim check scenarios/churn.lua --baseline base.db --seeds 1..5 --threshold 5\n"
    "  vibesim check --baseline base.db --junit check.xml --markdown check.md --github\n"
    "  vibesim check --baseline base.db --json | jq '.cases[].metrics[] | select(.change == "
    "\"worse\")'\n"
    "\n"
    "Exit status: 0 all holds and nothing is worse, 1 a check is broken or a metric is worse, 2 "
    "bad\n"
    "usage, a baseline that cannot be used or a record that cannot be written, 3 this very build "
    "made\n"
    "another run of a seed for the baseline, 77 all was skipped, 130 interrupted.\n";

static const char *const own_names[] = {
    "--baseline", "--update-baseline", "--force",  "--threshold", "--alpha", "--junit",
    "--tap",      "--markdown",        "--github", NULL};

/* A decimal number, "2" or "0.5"; false if it is none or not within the bounds. */
static bool parse_number(const char *text, double low, double high, double *out)
{
    char *end;
    if (!*text || strlen(text) > 30 || strspn(text, "0123456789.") != strlen(text))
        return false;
    *out = strtod(text, &end);
    return !*end && *out >= low && *out <= high;
}

static bool parse_threshold(struct args_check *args, const char *text)
{
    double percent;
    bool ok = parse_number(text, 0, 1000, &percent);
    if (ok)
        args->threshold = percent / 100;
    else
        term_error("--threshold: '%s' is not a number of percent from 0 to 1000, like 2 or 0.5",
                   text);
    return ok;
}

static bool parse_alpha(struct args_check *args, const char *text)
{
    bool ok = parse_number(text, 1e-12, 0.5, &args->alpha);
    if (!ok)
        term_error("--alpha: '%s' is not a probability, more than 0 and at most 0.5, like 0.01",
                   text);
    return ok;
}

static bool parse_file(const char **out, const char *name, const char *text)
{
    if (!*text)
        term_error("%s: the name of the file is empty", name);
    *out = text;
    return *text != 0;
}

static bool own_value(struct args_check *args, struct words *words, const char *name)
{
    bool threshold = words_is(name, "--threshold"), alpha = words_is(name, "--alpha");
    const char *value = words_value(words, name,
                                    threshold ? "a number of percent"
                                    : alpha   ? "a probability"
                                              : "a file");
    if (!value)
        return false;
    if (threshold || alpha)
        return threshold ? parse_threshold(args, value) : parse_alpha(args, value);
    return parse_file(words_is(name, "--baseline") ? &args->baseline
                      : words_is(name, "--junit")  ? &args->junit
                      : words_is(name, "--tap")    ? &args->tap
                                                   : &args->markdown,
                      name, value);
}

static bool take_option(struct args_check *args, struct words *words, const char *name)
{
    size_t i = 0;
    while (own_names[i] && !words_is(name, own_names[i]))
        i++;
    if (!own_names[i])
        return args_run_option(&args->run, words, name);
    bool *flag = words_is(name, "--update-baseline") ? &args->update
                 : words_is(name, "--force")         ? &args->force
                 : words_is(name, "--github")        ? &args->github
                                                     : NULL;
    return flag ? words_switch(flag, words, name) : own_value(args, words, name);
}

static bool check_together(const struct args_check *args)
{
    if (!args->baseline)
        term_error("check: name a baseline: --baseline FILE (with --update-baseline to make one)");
    else if (args->force && !args->update)
        term_error("--force: is of --update-baseline");
    else if (args->update && args->run.db)
        term_error("--db: with --update-baseline the runs are recorded as the baseline: leave out "
                   "one of them");
    else if (args->update && args->run.salt)
        term_error("--salt: is to calibrate the gate, and makes no baseline: leave out one of "
                   "--salt and --update-baseline");
    else if (args->tap && strcmp(args->tap, "-") == 0 && args->run.json)
        term_error("--tap: standard output has the JSON: name a file, or leave out --json");
    else
        return true;
    return false;
}

bool args_check_parse(struct args_check *args, int argc, char **argv)
{
    const char *names[ARGS_NAMES_MAX];
    *args = (struct args_check){.threshold = GATE_THRESHOLD, .alpha = GATE_ALPHA};
    args_run_init(&args->run);
    args->run.db = NULL;
    args_run_names(names, ARGS_CHECK, own_names);
    struct words w = {.argc = argc, .argv = argv, .names = names};
    const char *name, *word, *actions = getenv("GITHUB_ACTIONS");
    bool wrong = false;
    while (words_next(&w, &name, &word, &wrong))
        if (name ? !take_option(args, &w, name) : !args_run_file(&args->run, word))
            return false;
    args_run_files_end(&args->run);
    args->github = args->github || (actions && strcmp(actions, "true") == 0);
    return !wrong && (args->run.help || check_together(args));
}

void args_check_free(struct args_check *args)
{
    args_run_free(&args->run);
}
