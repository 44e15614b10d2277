/* For tests of many runs: an engine whose runs do, by their seeds, what runs should never do, in
 * place of the real one. A scenario's first line is its name: "wild" ones do all of it; "tame" ones
 * nothing; "fat" ones leave much to record, too; "broken" ones cannot be loaded. Its second line is
 * its hash. */
#ifndef TESTS_UNIT_WILD_ENGINE_H
#define TESTS_UNIT_WILD_ENGINE_H

#include "scenarios/engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SEED_FAILS = 3,
    SEED_CRASHES = 5,
    SEED_ERRS = 7,
    SEED_DIFFERS = 8, /* between two runs */
    SEED_HITS = 11,   /* the rare thing that must happen sometimes */
    SEED_HANGS = 13,
    SEED_SKIPS = 60,
    SEED_ERRS_AT_ONCE = 71,
    SEED_IS_KILLED = 72 /* from outside, unless there is a file "memory" */
};

struct engine {
    struct engine_about about;
    char sha256[64];
};

struct engine *engine_load(const char *path, char *why, size_t size)
{
    struct engine *e = calloc(1, sizeof *e);
    FILE *f = fopen(path, "rb");
    bool ok = e && f && fgets(e->about.name, sizeof e->about.name, f);
    if (ok)
        e->about.name[strcspn(e->about.name, "\n")] = 0;
    if (ok && !fgets(e->sha256, sizeof e->sha256, f))
        snprintf(e->sha256, sizeof e->sha256, "abcd");
    if (f)
        fclose(f);
    if (ok && strcmp(e->about.name, "broken") != 0) {
        snprintf(e->about.about, sizeof e->about.about, "About.");
        return e;
    }
    snprintf(why, size, "%s:1: broken", path);
    free(e);
    return NULL;
}

void engine_free(struct engine *engine)
{
    free(engine);
}

const struct engine_about *engine_about(const struct engine *engine)
{
    return &engine->about;
}

const struct engine_pinned *engine_pinned(const struct engine *engine)
{
    static const struct engine_pinned none;
    (void)engine;
    return &none;
}

const char *engine_text(const struct engine *engine)
{
    return engine ? "" : NULL;
}

void engine_modules(const struct engine *engine,
                    void (*each)(void *ctx, const char *name, const char *text), void *ctx)
{
    (void)engine;
    (void)each;
    (void)ctx;
}

const char *engine_sha256(const struct engine *engine)
{
    return engine ? engine->sha256 : NULL;
}

bool engine_params(const struct engine *engine, const struct engine_param *params, size_t count,
                   char *json, size_t json_size, char *why, size_t size)
{
    (void)engine;
    (void)why;
    (void)size;
    snprintf(json, json_size, "{\"n\":%s}", count ? params[0].value : "2");
    return true;
}

bool engine_swarm_params(const struct engine *engine, uint64_t seed,
                         const struct engine_param *params, size_t count, char *json,
                         size_t json_size, char *why, size_t size)
{
    (void)engine;
    (void)params;
    (void)count;
    (void)why;
    (void)size;
    snprintf(json, json_size, "{\"n\":%llu}", (unsigned long long)seed * 10);
    return true;
}

void engine_options_init(struct engine_options *options)
{
    memset(options, 0, sizeof *options);
}

static void fill(struct engine_result *r, uint64_t seed)
{
    *r = (struct engine_result){.sim_ns = seed * 1000000000u,
                                .events = 1000 * seed,
                                .trace_hash = 0xfeed0000u + seed,
                                .nodes = 2,
                                .tip_height = seed,
                                .tips = 1};
}

void engine_run(struct engine *engine, const struct engine_options *options,
                void (*on_final)(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32]),
                void *final_ctx, struct engine_result *result)
{
    const struct engine_observer *o = &options->observer;
    uint64_t seed = strcmp(engine->about.name, "tame") == 0 ? 2 : options->seed;
    (void)on_final;
    (void)final_ctx;
    fill(result, options->seed);
    if (options->swarm)
        snprintf(result->swarm, sizeof result->swarm, "on kill; off none");
    if (seed == SEED_IS_KILLED && access("memory", F_OK) != 0)
        raise(SIGKILL);
    if (seed == SEED_CRASHES) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
        raise(SIGSEGV);
    }
    while (seed == SEED_HANGS && !*options->interrupt)
        usleep(1000);
    if (seed == SEED_ERRS_AT_ONCE)
        result->events = 0;
    result->outcome = seed == SEED_ERRS || seed == SEED_ERRS_AT_ONCE ? ENGINE_BAD_SCENARIO
                      : seed == SEED_FAILS                           ? ENGINE_FAIL
                      : seed == SEED_SKIPS                           ? ENGINE_SKIPPED
                                                                     : ENGINE_PASS;
    snprintf(result->reason, sizeof result->reason, "%s",
             seed == SEED_FAILS          ? "one tip: 2 tips"
             : seed == SEED_ERRS         ? "it.lua:9: a limit was hit"
             : seed == SEED_ERRS_AT_ONCE ? "it.lua:2: no such option"
             : seed == SEED_SKIPS        ? "the world cannot (it.lua:3)"
                                         : "");
    if (!o->on_check) { /* the second run */
        result->trace_hash += seed == SEED_DIFFERS;
        return;
    }
    if (seed == SEED_ERRS_AT_ONCE)
        return;
    usleep(2000 * (20 - (useconds_t)options->seed % 20)); /* later seeds are faster */
    for (uint32_t i = 0; i < (strcmp(engine->about.name, "fat") == 0 ? 5000 : 1); i++)
        o->on_node(o->ctx, i, "miner", NULL, "0.1.0");
    o->on_check(o->ctx, 3, "one tip", "check", seed != SEED_FAILS,
                seed == SEED_FAILS ? "2 tips" : NULL);
    o->on_check(o->ctx, 4, "the rare thing", "sometimes", seed == SEED_HITS,
                seed == SEED_HITS ? NULL : "it.lua:9");
    o->on_metric(o->ctx, "depth", -1, (double)options->seed);
    if (seed == SEED_FAILS)
        o->on_story(o->ctx, "t=3.0s node-0001: tip 0102");
}

#endif
