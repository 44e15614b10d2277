/* What the options of `vibesim sweep` mean; see cli_sweep_args.h. */
#include "vibesim/cli_sweep_args.h"

#include "vibesim/cli_args_run.h"
#include "vibesim/cli_term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE "{shard}" /* in --db */

static const char *const own_names[] = {"--resume",       "--shard",   "--shards",
                                        "--mixed-builds", "--metrics", NULL};

/* What was typed, before it is put together. */
struct typed {
    const char *shard, *shards;
    bool db;
};

static const char *environment(const char *name)
{
    return getenv(name);
}

/* An option of sweep's own. *mine: it was one. */
static bool own_option(struct args_sweep *args, struct typed *typed, struct words *w,
                       const char *name, bool *mine)
{
    bool *flag = words_is(name, "--resume")         ? &args->resume
                 : words_is(name, "--mixed-builds") ? &args->mixed_builds
                 : words_is(name, "--metrics")      ? &args->metrics
                                                    : NULL;
    const char **value = words_is(name, "--shard")    ? &typed->shard
                         : words_is(name, "--shards") ? &typed->shards
                                                      : NULL;
    *mine = flag || value;
    if (flag)
        return words_switch(flag, w, name);
    if (value)
        *value = words_value(w, name, value == &typed->shard ? "I/N, like 2/8" : "a whole number");
    typed->db = typed->db || words_is(name, "--db");
    return !value || *value;
}

static bool read_shard(struct args_sweep *args, const struct typed *typed)
{
    char why[400];
    if (typed->shard && typed->shards)
        term_error("--shards: --shard %s says of how many: leave out one of them", typed->shard);
    else if (typed->shard ? !shard_parse(&args->shard, typed->shard, why, sizeof why)
                          : !shard_from_environment(&args->shard, environment, typed->shards, why,
                                                    sizeof why))
        term_error("%s%s", typed->shard ? "--shard: " : "", why);
    else
        return true;
    return false;
}

/* Where the runs go: {shard} becomes 2-of-8, and by itself each shard has a file of its own. */
static bool name_db(struct args_sweep *args, bool typed)
{
    const bool whole = args->shard.count == 1;
    const char *db = typed ? args->run.db : whole ? "sweep.db" : "sweep-" PLACE ".db";
    const char *place = strstr(db, PLACE);
    char shard[32];
    snprintf(shard, sizeof shard, "%u-of-%u", args->shard.index, args->shard.count);
    size_t size = strlen(db) + sizeof shard;
    args->db = malloc(size);
    if (!args->db)
        abort();
    if (place)
        snprintf(args->db, size, "%.*s%s%s", (int)(place - db), db, shard, place + strlen(PLACE));
    else
        snprintf(args->db, size, "%s", db);
    args->run.db = args->db;
    if (!place || !strstr(place + 1, PLACE))
        return true;
    term_error("--db: %s holds " PLACE " twice", db);
    return false;
}

static bool check_together(const struct args_sweep *args)
{
    const struct args_run *run = &args->run;
    if (!run->file)
        term_error("sweep: name scenarios: vibesim sweep FILE.lua... --seeds 1..1000");
    else if (!run->seeds.count)
        term_error("sweep: say which seeds: vibesim sweep %s%s --seeds 1..1000", run->file,
                   run->file_count > 1 ? " ..." : "");
    else if (run->record == RECORD_NONE)
        term_error("--record: a sweep keeps its runs in a database: the least is summary (vibesim "
                   "run --seeds can do without)");
    else if (run->verify && run->world == ENGINE_TCP)
        term_error("--verify: compares two runs event by event, and real sockets in real time "
                   "repeat nothing: leave out --verify or --world tcp");
    else
        return true;
    return false;
}

bool args_sweep_parse(struct args_sweep *args, int argc, char **argv)
{
    const char *names[ARGS_NAMES_MAX], *name, *word;
    struct typed typed = {0};
    memset(args, 0, sizeof *args);
    args->argc = argc;
    args->argv = argv;
    args_run_init(&args->run);
    args_run_names(names, ARGS_SWEEP, own_names);
    struct words w = {.argc = argc, .argv = argv, .names = names};
    bool wrong = false;
    while (words_next(&w, &name, &word, &wrong)) {
        bool mine = false;
        if (name ? !own_option(args, &typed, &w, name, &mine) : !args_run_file(&args->run, word))
            return false;
        if (name && !mine && !args_run_option(&args->run, &w, name))
            return false;
    }
    args_run_files_end(&args->run);
    if (wrong || args->run.help)
        return !wrong;
    return check_together(args) && read_shard(args, &typed) && name_db(args, typed.db);
}

void args_sweep_free(struct args_sweep *args)
{
    args_run_free(&args->run);
    free(args->db);
}
