/* A node's store on a real folder, and what is wrong with it.
 *
 * A request waits here, in the order of the requests, for the latency of the disk; then it goes to
 * the store (store/node_store.h), whose thread carries it out. So a kill loses what still waits
 * here. A request that is to fail is answered here and never reaches the store. Loaded bytes are
 * changed, where asked for, in the answer. */
#include "scenarios/world_tcp.h"

#include "store/node_store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATENCY_MAX_NS (86400 * UINT64_C(1000000000))

struct request {
    struct request *next;
    uint64_t t_ns;
    uint32_t status; /* other than VN_OK: the answer, without the store */
    struct vn_action action;
    struct vn_store_item items[];
};

struct tw_disk {
    struct tw_host *host;
    struct node_store *store; /* NULL while the node is dead */
    uv_async_t ready;
    uv_timer_t timer;
    struct request *head, **tail;
    uint64_t last_ns;
    uint32_t loading; /* LOADs that the store carries out */
    struct sim_disk_faults faults;
    struct rng rng;
    uint32_t handles;
};

/* ---- folders ---- */

static bool run_folder(struct tw *w, char *why, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    if (w->folder[0])
        return true;
    snprintf(w->folder, sizeof w->folder, "%.200s/vibesim-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (mkdtemp(w->folder))
        return true;
    snprintf(why, size, "no folder for the nodes' stores can be made in %.200s: set TMPDIR",
             tmp && *tmp ? tmp : "/tmp");
    w->folder[0] = 0;
    return false;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void remove_all(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void world_disks_remove(struct tw *w)
{
    if (w->folder[0])
        remove_all(w->folder);
}

/* ---- answers ---- */

static struct vn_slice flipped(struct tw_disk *disk, struct vn_slice slice)
{
    struct vn_slice copy = {.buf = vn_buf_new(slice.len), .len = slice.len};
    memcpy(copy.buf->data, vn_slice_data(slice), slice.len);
    uint64_t at = rng_below(&disk->rng, slice.len);
    uint64_t bit = rng_below(&disk->rng, 8);
    copy.buf->data[at] ^= (uint8_t)(1u << bit);
    return copy;
}

/* Gives a LOADED some of whose slices have a wrong bit. */
static void answer_corrupt(struct tw_disk *disk, struct vn_event *event)
{
    uint32_t count = event->u.loaded.count;
    struct vn_slice *slices = mem_new(count, sizeof *slices);
    for (uint32_t i = 0; i < count; i++) {
        struct vn_slice slice = event->u.loaded.slices[i];
        slices[i] = slice.len > 0 && rng_chance(&disk->rng, disk->faults.corrupt)
                        ? flipped(disk, slice)
                        : vn_slice_ref(slice);
    }
    event->u.loaded.slices = slices;
    vn_tcp_node_answer(disk->host->node, event);
    for (uint32_t i = 0; i < count; i++)
        vn_slice_unref(slices[i]);
    mem_free(slices);
}

static void loading(struct tw_disk *disk, int32_t more)
{
    disk->loading += (uint32_t)more;
    disk->host->w->loading += (uint32_t)more;
}

static void take_answers(struct tw_disk *disk)
{
    struct vn_event event;
    while (disk->store && !disk->host->paused && !disk->faults.hang &&
           node_store_next(disk->store, &event)) {
        if (event.kind == VN_EV_LOADED)
            loading(disk, -1);
        if (event.kind == VN_EV_LOADED && event.u.loaded.count > 0 && disk->faults.corrupt > 0)
            answer_corrupt(disk, &event);
        else
            vn_tcp_node_answer(disk->host->node, &event);
    }
}

static void on_ready_here(uv_async_t *async)
{
    take_answers(async->data);
}

static void on_ready(void *ctx) /* on the store's thread */
{
    struct tw_disk *disk = ctx;
    uv_async_send(&disk->ready);
}

/* ---- requests ---- */

static void refuse(struct tw_disk *disk, struct request *request)
{
    struct vn_event event = {.kind = VN_EV_STORED};
    event.u.stored.token = request->action.u.store.token;
    event.u.stored.status = request->status;
    if (request->action.kind == VN_ACT_LOAD) {
        event.kind = VN_EV_LOADED;
        event.u.loaded.token = request->action.u.load.token;
        event.u.loaded.status = request->status;
        event.u.loaded.count = 0;
        event.u.loaded.slices = NULL;
    }
    vn_action_release(&request->action);
    vn_tcp_node_answer(disk->host->node, &event);
}

static void submit(struct tw_disk *disk, struct vn_action *action)
{
    if (action->kind == VN_ACT_LOAD)
        loading(disk, 1);
    node_store_submit(disk->store, action);
}

static void on_timer(uv_timer_t *timer);

static void go_on(struct tw_disk *disk)
{
    struct tw *w = disk->host->w;
    uv_timer_stop(&disk->timer);
    while (disk->head && !disk->faults.hang && !disk->host->paused) {
        struct request *request = disk->head;
        if (request->t_ns > world_now_ns(w)) {
            uv_timer_start(&disk->timer, on_timer, world_ms_until(w, request->t_ns), 0);
            return;
        }
        disk->head = request->next;
        if (!disk->head)
            disk->tail = &disk->head;
        if (request->status == VN_OK)
            submit(disk, &request->action);
        else
            refuse(disk, request);
        mem_free(request);
    }
}

static void on_timer(uv_timer_t *timer)
{
    go_on(timer->data);
}

static uint32_t status_of(struct tw_disk *disk, const struct vn_action *action)
{
    const struct sim_disk_faults *f = &disk->faults;
    if (action->kind == VN_ACT_LOAD)
        return f->fail_loads > 0 && rng_chance(&disk->rng, f->fail_loads) ? VN_ERR_IO : VN_OK;
    if (f->full)
        return VN_ERR_LIMIT;
    return f->fail_stores > 0 && rng_chance(&disk->rng, f->fail_stores) ? VN_ERR_IO : VN_OK;
}

static uint64_t latency_ns(struct tw_disk *disk)
{
    const struct sim_disk_faults *f = &disk->faults;
    const struct sim_dist *dist =
        f->own_latency ? &f->latency : &disk->host->w->config.store_latency;
    double ns = (double)sim_dist_sample_ns(dist, &disk->rng) * f->slow;
    return ns < (double)LATENCY_MAX_NS ? (uint64_t)ns : LATENCY_MAX_NS;
}

/* Called while the node performs its actions: an answer made here waits for the timer. A latency
 * that is less than the timer can tell is none. */
void world_disk_submit(struct tw_host *host, struct vn_action *action)
{
    struct tw_disk *disk = host->disk;
    uint32_t status = status_of(disk, action);
    uint64_t t_ns = world_now_ns(host->w) + latency_ns(disk);
    if (!disk->head && status == VN_OK && !disk->faults.hang &&
        world_ms_until(host->w, t_ns) <= 1) {
        submit(disk, action);
        return;
    }
    uint32_t count = action->kind == VN_ACT_STORE ? action->u.store.count : 0;
    struct request *request = mem_new(1, sizeof *request + count * sizeof(struct vn_store_item));
    request->action = *action;
    if (count > 0) {
        memcpy(request->items, action->u.store.items, count * sizeof *request->items);
        request->action.u.store.items = request->items;
    }
    request->status = status;
    request->t_ns = t_ns > disk->last_ns ? t_ns : disk->last_ns;
    disk->last_ns = request->t_ns;
    *disk->tail = request;
    disk->tail = &request->next;
    if (disk->head == request)
        uv_timer_start(&disk->timer, on_timer, world_ms_until(host->w, request->t_ns), 0);
}

bool world_disk_faults(struct tw_host *host, const struct sim_disk_faults *faults)
{
    struct tw_disk *disk = host->disk;
    if (!disk || (faults && !sim_disk_faults_check(faults)) ||
        (faults && world_disk_cannot(faults)))
        return false;
    sim_disk_faults_init(&disk->faults);
    if (faults)
        disk->faults = *faults;
    world_disk_resume(host);
    return true;
}

void world_disk_resume(struct tw_host *host)
{
    if (!host->node)
        return;
    take_answers(host->disk);
    go_on(host->disk);
}

const char *world_disk_cannot(const struct sim_disk_faults *faults)
{
    return faults->torn > 0  ? "tear what a store writes"
           : faults->lie > 0 ? "make a disk lose what it said was durable"
                             : NULL;
}

bool world_disks_load(const struct tw *w)
{
    bool some = false;
    for (uint32_t i = 0; w->loading > 0 && !some && i < w->host_count; i++) {
        const struct tw_host *host = w->hosts[i];
        some = host->node && !host->paused && !host->disk->faults.hang && host->disk->loading > 0;
    }
    return some;
}

/* ---- beginning and end ---- */

static struct tw_disk *disk_new(struct tw_host *host)
{
    struct tw *w = host->w;
    struct tw_disk *disk = mem_new(1, sizeof *disk);
    disk->host = host;
    disk->tail = &disk->head;
    sim_disk_faults_init(&disk->faults);
    rng_fork(&disk->rng, w->config.seed, "disk", host->number);
    uv_async_init(&w->loop, &disk->ready, on_ready_here);
    uv_timer_init(&w->loop, &disk->timer);
    disk->ready.data = disk->timer.data = disk;
    disk->handles = 2;
    w->open++;
    return disk;
}

bool world_disk_open(struct tw_host *host, bool lose, char *why, size_t size)
{
    char folder[TW_FOLDER + 32];
    enum node_store_problem problem;
    if (!host->disk)
        host->disk = disk_new(host);
    if (!run_folder(host->w, why, size))
        return false;
    snprintf(folder, sizeof folder, "%s/node-%u", host->w->folder, host->number);
    if (lose)
        remove_all(folder);
    const struct node_store_options options = {
        .folder = folder,
        .genesis_timestamp = host->config.genesis_timestamp,
        .difficulty = host->config.difficulty,
        .on_ready = on_ready,
        .ctx = host->disk,
    };
    host->disk->store = node_store_open(&options, &problem, why, size);
    return host->disk->store != NULL;
}

void world_disk_close(struct tw_host *host)
{
    struct tw_disk *disk = host->disk;
    if (!disk)
        return;
    uv_timer_stop(&disk->timer);
    while (disk->head) {
        struct request *request = disk->head;
        disk->head = request->next;
        vn_action_release(&request->action);
        mem_free(request);
    }
    disk->tail = &disk->head;
    disk->last_ns = 0;
    if (disk->store)
        node_store_close(disk->store);
    disk->store = NULL;
    loading(disk, -(int32_t)disk->loading);
}

static void on_closed(uv_handle_t *handle)
{
    struct tw_disk *disk = handle->data;
    struct tw *w = disk->host->w;
    if (--disk->handles > 0)
        return;
    disk->host->disk = NULL;
    mem_free(disk);
    world_on_gone(w);
}

void world_disk_free(struct tw_host *host)
{
    struct tw_disk *disk = host->disk;
    if (!disk)
        return;
    world_disk_close(host);
    uv_close((uv_handle_t *)&disk->ready, on_closed);
    uv_close((uv_handle_t *)&disk->timer, on_closed);
}
