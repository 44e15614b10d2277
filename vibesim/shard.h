/* Which shard of a sweep this process is to make: `--shard I/N`, or what the batch system that
 * started it says in its environment. */
#ifndef VIBESIM_SHARD_H
#define VIBESIM_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARDS_MAX 100000u

struct shard {
    uint32_t index, count; /* 1..count; 1 of 1: the sweep is not shared out */
    char from[160];        /* "SLURM_ARRAY_TASK_ID=3, ...": what said so; "" if nothing did */
};

/* "2/8". False with a line in why. */
bool shard_parse(struct shard *shard, const char *text, char *why, size_t size);

/* Reads the environment by `get` (getenv's manner; tests have their own):
 *
 *   SLURM_ARRAY_TASK_ID with _COUNT, _MIN and _STEP   a Slurm job array
 *   JOB_COMPLETION_INDEX, from 0 on                   a Kubernetes indexed job, which does not say
 *                                                     of how many
 *   OMPI_COMM_WORLD_RANK, from 0 on, with _SIZE       mpirun of Open MPI
 *   CI_NODE_INDEX, from 1 on, with CI_NODE_TOTAL      GitLab's parallel jobs
 *
 * count: of how many, where the environment does not say it (`--shards`), or NULL: then
 * VIBESIM_SHARDS has it. What is no number or contradicts the rest is false, with a line in why.
 * Whoever says "1 of 1" shares nothing out, and is passed over if another says more. */
bool shard_from_environment(struct shard *shard, const char *(*get)(const char *name),
                            const char *count, char *why, size_t size);

/* How many of `jobs` jobs a shard has: those with job % count = index - 1. */
uint64_t shard_jobs(uint32_t index, uint32_t count, uint64_t jobs);

#endif
