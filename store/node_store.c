/* A node's store: the door, the queue and the worker thread. See node_store.h.
 *
 * Happy path: node_store_submit copies an action's items into a job and puts it at the end of the
 * queue. The worker takes either all STOREs at its head (one transaction, one sync of the disk) or
 * one LOAD, so that everything happens in the order of submission; then the jobs stand in the queue
 * of answers, and on_ready tells the loop. node_store_next hands one answer over and drops what the
 * answer before it held: reference counts are touched on the caller's thread alone.
 *
 * Failure modes: an error is the answer of the STOREs or the LOAD that met it, is kept in words for
 * node_store_stats, and the worker goes on with the next. When memory for a job is out, the process
 * ends, as it does in the core: a node without memory for one batch cannot go on. */
#include "store/node_store.h"

#include "store/node_store_folder.h"
#include "store/node_store_work.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A transaction of so many bytes costs little for its sync and much for writing: what waits beyond
 * is another one. */
#define GROUP_BYTES (2u << 20)

struct jobs {
    struct store_job *first;
    struct store_job **end; /* where the next one is hung up */
};

struct node_store {
    struct store_folder folder;
    sqlite3 *db;            /* the worker's alone while it runs */
    struct store_work work; /* likewise */
    pthread_t thread;
    void (*on_ready)(void *ctx);
    void *ctx;
    struct store_job *taken; /* the answer that was handed over last */

    pthread_mutex_t mutex; /* over all below */
    pthread_cond_t submitted;
    struct jobs waiting, answered;
    bool closing;
    struct node_store_stats stats;
};

static void jobs_init(struct jobs *jobs)
{
    jobs->first = NULL;
    jobs->end = &jobs->first;
}

static void jobs_push(struct jobs *jobs, struct store_job *job)
{
    job->next = NULL;
    *jobs->end = job;
    jobs->end = &job->next;
}

static struct store_job *jobs_pop(struct jobs *jobs)
{
    struct store_job *job = jobs->first;
    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->end = &jobs->first;
    job->next = NULL;
    return job;
}

/* ---- the worker ---- */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Whether this one may join a group of so many bytes. */
static bool joins(const struct store_job *first, uint64_t bytes, const struct store_job *job)
{
    return !first || (!first->is_load && !job->is_load && bytes < GROUP_BYTES);
}

/* Waits for work and takes it: STOREs, as many as wait until they are large enough, or one LOAD.
 * NULL: closing, and none is left. */
static struct store_job *take_group(struct node_store *store)
{
    struct jobs group;
    jobs_init(&group);
    pthread_mutex_lock(&store->mutex);
    while (!store->waiting.first && !store->closing)
        pthread_cond_wait(&store->submitted, &store->mutex);
    uint64_t bytes = 0;
    while (store->waiting.first && joins(group.first, bytes, store->waiting.first)) {
        bytes += store->waiting.first->bytes;
        jobs_push(&group, jobs_pop(&store->waiting));
    }
    pthread_mutex_unlock(&store->mutex);
    return group.first;
}

static void count_store(struct node_store_stats *stats, const struct store_job *job)
{
    stats->stores++;
    if (job->status != VN_OK) {
        stats->failed++;
        return;
    }
    stats->items += job->count;
    stats->bytes += job->bytes;
}

/* Counts a group and makes it answers. */
static void answer_group(struct node_store *store, struct store_job *job, uint64_t took_ns)
{
    const bool loads = job->is_load;
    bool bad = false, stored = false;
    pthread_mutex_lock(&store->mutex);
    struct node_store_stats *stats = &store->stats;
    while (job) {
        struct store_job *next = job->next;
        bad = bad || job->status != VN_OK;
        stored = stored || (!loads && job->status == VN_OK);
        stats->loads += loads;
        if (!loads)
            count_store(stats, job);
        stats->waiting--;
        jobs_push(&store->answered, job);
        job = next;
    }
    stats->failing = bad;
    if (bad)
        memcpy(stats->error, store->work.error, sizeof stats->error);
    stats->commits += stored;
    if (!loads) {
        stats->commit_ns += took_ns;
        if (took_ns > stats->commit_ns_max)
            stats->commit_ns_max = took_ns;
    }
    pthread_mutex_unlock(&store->mutex);
    store->on_ready(store->ctx);
}

static void *worker(void *arg)
{
    struct node_store *store = arg;
    struct store_job *group;
    while ((group = take_group(store))) {
        const uint64_t began_ns = now_ns();
        if (group->is_load)
            store_work_load(&store->work, group);
        else
            store_work_apply(&store->work, group);
        answer_group(store, group, now_ns() - began_ns);
    }
    return NULL;
}

/* The thread takes no signal: they are the main thread's. */
static int start_worker(struct node_store *store)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int rc = pthread_create(&store->thread, NULL, worker, store);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* ---- opening and closing ---- */

static void ready_ignored(void *ctx)
{
    (void)ctx;
}

/* The locked folder's database, and the worker on it. */
static bool start(struct node_store *store, const struct node_store_options *options,
                  struct store_why *why)
{
    const char *path = store->folder.database;
    store->db = store_schema_open(path, &store_schema_now, options, why);
    if (!store->db)
        return false;
    int rc = store_work_init(&store->work, store->db, path);
    if (rc != SQLITE_OK) {
        why->problem = store_schema_error(path, store->db, rc, why->text, why->size);
        return false;
    }
    /* From here on it is ours to write back. */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    store_folder_sign(&store->folder);
    rc = start_worker(store);
    return rc == 0 || store_refuse(why, NODE_STORE_IO, "%s: cannot start a thread (%s): try again",
                                   path, strerror(rc));
}

/* Frees everything but jobs. undo: the store was not opened after all. */
static void dismantle(struct node_store *store, bool undo)
{
    store_work_deinit(&store->work);
    sqlite3_close(store->db); /* the last one writes the log back and removes it */
    store_folder_close(&store->folder, undo);
    pthread_cond_destroy(&store->submitted);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

struct node_store *node_store_open(const struct node_store_options *options,
                                   enum node_store_problem *problem, char *why, size_t size)
{
    struct store_why told = {NODE_STORE_OK, why, size};
    struct node_store *store = calloc(1, sizeof *store);
    if (!store) {
        store_refuse(&told, NODE_STORE_IO, "%s: out of memory", options->folder);
        *problem = told.problem;
        return NULL;
    }
    store->on_ready = options->on_ready ? options->on_ready : ready_ignored;
    store->ctx = options->ctx;
    jobs_init(&store->waiting);
    jobs_init(&store->answered);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->submitted, NULL);
    if (!store_folder_open(&store->folder, options->folder, &store_schema_now, &told) ||
        !start(store, options, &told)) {
        dismantle(store, true);
        store = NULL;
    }
    *problem = told.problem;
    return store;
}

static void drop_jobs(struct jobs *jobs, bool *all_stored)
{
    struct store_job *job;
    while ((job = jobs_pop(jobs))) {
        if (!job->is_load && job->status != VN_OK)
            *all_stored = false;
        store_work_job_free(job);
    }
}

bool node_store_close(struct node_store *store)
{
    bool all_stored = true;
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    pthread_cond_signal(&store->submitted);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
    if (store->taken)
        store_work_job_free(store->taken);
    drop_jobs(&store->answered, &all_stored);
    dismantle(store, false);
    return all_stored;
}

/* ---- the loop's side ---- */

static struct store_job *job_new(const struct vn_action *action)
{
    const bool load = action->kind == VN_ACT_LOAD;
    const uint32_t count = load ? 0 : action->u.store.count;
    struct store_job *job = malloc(sizeof *job + count * sizeof *job->items);
    if (!job)
        abort();
    *job = (struct store_job){.is_load = load, .count = count};
    if (load) {
        job->token = action->u.load.token;
        job->load_op = action->u.load.op;
        job->from = action->u.load.from;
        job->to = action->u.load.to;
        job->max_bytes = action->u.load.max_bytes;
        return job;
    }
    job->token = action->u.store.token;
    if (count > 0)
        memcpy(job->items, action->u.store.items, count * sizeof *job->items);
    for (uint32_t i = 0; i < count; i++)
        job->bytes += job->items[i].value.len;
    return job;
}

void node_store_submit(struct node_store *store, struct vn_action *action)
{
    assert(action->kind == VN_ACT_STORE || action->kind == VN_ACT_LOAD);
    struct store_job *job = job_new(action);
    pthread_mutex_lock(&store->mutex);
    jobs_push(&store->waiting, job);
    store->stats.waiting++;
    pthread_cond_signal(&store->submitted);
    pthread_mutex_unlock(&store->mutex);
}

bool node_store_next(struct node_store *store, struct vn_event *event)
{
    if (store->taken)
        store_work_job_free(store->taken);
    pthread_mutex_lock(&store->mutex);
    struct store_job *job = store->taken = jobs_pop(&store->answered);
    pthread_mutex_unlock(&store->mutex);
    if (!job)
        return false;
    *event = (struct vn_event){.size = sizeof *event,
                               .kind = job->is_load ? VN_EV_LOADED : VN_EV_STORED};
    if (job->is_load) {
        event->u.loaded.token = job->token;
        event->u.loaded.status = job->status;
        event->u.loaded.count = job->slice_count;
        event->u.loaded.slices = job->slices;
    } else {
        event->u.stored.token = job->token;
        event->u.stored.status = job->status;
    }
    return true;
}

void node_store_stats(struct node_store *store, struct node_store_stats *out)
{
    pthread_mutex_lock(&store->mutex);
    *out = store->stats;
    pthread_mutex_unlock(&store->mutex);
}
