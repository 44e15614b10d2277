/* Which shard of a sweep; see shard.h. */
#include "vibesim/shard.h"

#include "vibesim/seeds.h"

#include <stdio.h>
#include <string.h>

#define WAY_OUT "say which shard with --shard I/N"

/* How a batch system tells a process its place. */
struct source {
    const char *index, *count; /* names of variables; count NULL: it does not say */
    const char *first, *step;  /* where places begin, and how far they are apart; or NULL */
    uint64_t base;             /* the first place where there is no such variable */
};

static const struct source sources[] = {
    {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN",
     "SLURM_ARRAY_TASK_STEP", 0},
    {"JOB_COMPLETION_INDEX", NULL, NULL, NULL, 0},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", NULL, NULL, 0},
    {"CI_NODE_INDEX", "CI_NODE_TOTAL", NULL, NULL, 1},
};
#define SOURCES (sizeof sources / sizeof *sources)

/* A whole number, nothing else, up to most. */
static bool whole(const char *text, uint64_t most, uint64_t *out)
{
    const char *end;
    return seeds_number(text, &end, out) && !*end && *out <= most;
}

static bool count_of(const char *name, const char *text, uint64_t *count, char *why, size_t size)
{
    if (whole(text, SHARDS_MAX, count) && *count >= 1)
        return true;
    snprintf(why, size, "%s: '%.40s' is not a number of shards, from 1 to %u", name, text,
             SHARDS_MAX);
    return false;
}

bool shard_parse(struct shard *shard, const char *text, char *why, size_t size)
{
    const char *end;
    uint64_t index = 0, count = 0;
    *shard = (struct shard){1, 1, ""};
    bool ok = seeds_number(text, &end, &index) && *end == '/' && whole(end + 1, SHARDS_MAX, &count);
    if (!ok || index < 1 || index > count) {
        snprintf(why, size, "'%.40s' is no shard: write I/N, from 1/N to N/N, like 2/8", text);
        return false;
    }
    shard->index = (uint32_t)index;
    shard->count = (uint32_t)count;
    return true;
}

/* The value of a variable that is a whole number; `otherwise` if it is not set. */
static bool number_in(const char *(*get)(const char *), const char *name, uint64_t otherwise,
                      uint64_t *out, char *why, size_t size)
{
    const char *text = name ? get(name) : NULL;
    *out = otherwise;
    if (!text || whole(text, UINT32_MAX, out))
        return true;
    snprintf(why, size, "%s: '%.40s' in the environment is not a whole number: " WAY_OUT, name,
             text);
    return false;
}

/* What one source says, whose index is set. given: what --shards or VIBESIM_SHARDS says, or 0. */
static bool read_source(const struct source *s, const char *(*get)(const char *), uint64_t given,
                        struct shard *out, char *why, size_t size)
{
    uint64_t place, first, step, count;
    if (!number_in(get, s->index, 0, &place, why, size) ||
        !number_in(get, s->first, s->base, &first, why, size) ||
        !number_in(get, s->step, 1, &step, why, size) ||
        !number_in(get, s->count, given, &count, why, size))
        return false;
    const char *told = s->count ? get(s->count) : NULL;
    if (!count)
        snprintf(why, size,
                 "%s=%llu says which shard this is, but not of how many: add --shards N or set "
                 "VIBESIM_SHARDS",
                 s->index, (unsigned long long)place);
    else if (given && count != given)
        snprintf(why, size, "%s=%s contradicts the number of shards that is given, %llu: " WAY_OUT,
                 s->count, told, (unsigned long long)given);
    else if (place < first || !step || (place - first) % step || (place - first) / step >= count ||
             count > SHARDS_MAX)
        snprintf(why, size, "%s=%llu is none of %llu shards that begin at %llu%s: " WAY_OUT,
                 s->index, (unsigned long long)place, (unsigned long long)count,
                 (unsigned long long)first, step == 1 ? "" : " in steps");
    else {
        out->index = (uint32_t)((place - first) / step) + 1;
        out->count = (uint32_t)count;
        snprintf(out->from, sizeof out->from, "%s=%llu%s%s%s%s", s->index,
                 (unsigned long long)place, told ? ", " : "", told ? s->count : "", told ? "=" : "",
                 told ? told : "");
        return true;
    }
    return false;
}

/* Both say something: they must agree, or one of them shares nothing out. */
static bool join(struct shard *known, const struct shard *other, char *why, size_t size)
{
    if (!known->from[0] || known->count == 1) {
        *known = *other;
        return true;
    }
    if (other->count == 1 || (other->index == known->index && other->count == known->count))
        return true;
    snprintf(why, size, "%s contradicts %s: " WAY_OUT, other->from, known->from);
    return false;
}

bool shard_from_environment(struct shard *shard, const char *(*get)(const char *name),
                            const char *count, char *why, size_t size)
{
    const char *name = count ? "--shards" : "VIBESIM_SHARDS";
    uint64_t given = 0;
    *shard = (struct shard){1, 1, ""};
    if (!count)
        count = get(name);
    if (count && !count_of(name, count, &given, why, size))
        return false;
    for (size_t i = 0; i < SOURCES; i++) {
        struct shard told = {0};
        if (get(sources[i].index) && (!read_source(&sources[i], get, given, &told, why, size) ||
                                      !join(shard, &told, why, size)))
            return false;
    }
    if (given <= 1 || shard->from[0])
        return true;
    snprintf(why, size, "%s: says of how many, and nothing says which: " WAY_OUT, name);
    return false;
}

uint64_t shard_jobs(uint32_t index, uint32_t count, uint64_t jobs)
{
    return jobs / count + (jobs % count >= index);
}
