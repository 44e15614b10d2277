/* A disk: requests on their way to what it holds (sim_store.h), and what goes wrong with them. It
 * is kept while the node is dead.
 *
 * Requests complete in the order in which they were made, each after a latency of its own, one
 * event each. A batch takes effect when it completes, whole or not at all; so a load sees every
 * earlier batch, and a kill loses those that have not completed. Names are not known here: a
 * RESOLVE waits in the same queue and is answered "unknown".
 *
 * Failure modes (struct sim_disk_faults): a request that fails has no effect; a load that is
 * corrupt gives a changed copy, and what is stored stays right; a disk that hangs leaves its first
 * request due, without an event, until it is woken, as a paused node does; a disk that lies keeps
 * the states before the latest batches, and a kill brings back the oldest of them. */
#include "transport-sim/sim_store.h"

#include <string.h>

#define LATENCY_MAX_NS (86400 * SIM_SECOND)

enum request_kind { REQUEST_STORE, REQUEST_LOAD, REQUEST_RESOLVE };

struct request {
    struct request *next;
    uint64_t t_ns;
    uint64_t token;
    uint64_t from, to, max_bytes;
    uint32_t op;
    uint32_t count;
    enum request_kind kind;
    struct vn_store_item items[];
};

struct sim_disk {
    struct request *head, *tail;
    uint64_t last_ns; /* completion of the latest request */
    uint64_t requests;
    struct sim_store now;
    struct sim_store *before; /* the latest batches that are not durable, the oldest first */
    uint32_t before_count, before_capacity;
};

static struct sim_disk *disk_of(struct sim *sim, struct sim_host *host)
{
    if (!host->disk)
        host->disk = sim_resize(sim, NULL, 0, sizeof *host->disk);
    return host->disk;
}

/* ---- faults ---- */

void sim_disk_faults_init(struct sim_disk_faults *faults)
{
    *faults = (struct sim_disk_faults){.slow = 1};
}

static bool share(double p)
{
    return p >= 0 && p <= 1; /* false for NaN */
}

bool sim_disk_faults_check(const struct sim_disk_faults *f)
{
    return (!f->own_latency || sim_dist_check(&f->latency, NULL, 0)) && f->slow >= 1 &&
           f->slow <= SIM_SLOW_MAX && share(f->fail_stores) && share(f->fail_loads) &&
           share(f->corrupt) && share(f->torn) && f->lie <= SIM_LIE_MAX &&
           !(f->torn > 0 && f->lie > 0);
}

static uint64_t fault_draw(const struct sim *sim, struct sim_host *host)
{
    return sim_draw(sim, SIM_DICE_DISK_FAULT, host->number, host->faults->disk_draws++);
}

/* Whether it happens this time. What cannot happen does not draw. */
static bool happens(const struct sim *sim, struct sim_host *host, double p)
{
    return p > 0 && (double)(fault_draw(sim, host) >> 11) * 0x1p-53 < p;
}

static uint64_t latency_ns(const struct sim *sim, const struct sim_host *host, double u)
{
    const struct sim_disk_faults *f = host->faults ? &host->faults->disk : NULL;
    const struct sim_dist *dist = f && f->own_latency ? &f->latency : &sim->config.store_latency;
    uint64_t ns = sim_dist_at_ns(dist, u);
    if (!f || f->slow <= 1)
        return ns;
    double slow_ns = (double)ns * f->slow;
    return slow_ns < (double)LATENCY_MAX_NS ? (uint64_t)slow_ns : LATENCY_MAX_NS;
}

/* The oldest states become durable: only the last `left` batches may still be lost. */
static void durable(struct sim *sim, struct sim_disk *disk, uint32_t left)
{
    if (disk->before_count <= left)
        return;
    uint32_t gone = disk->before_count - left;
    for (uint32_t i = 0; i < gone; i++)
        store_clear(sim, &disk->before[i]);
    memmove(disk->before, disk->before + gone, left * sizeof *disk->before);
    disk->before_count = left;
}

/* ---- requests ---- */

static void wake_at(struct sim *sim, const struct sim_host *host, uint64_t t_ns)
{
    sim_put(sim, &(struct sim_event){.t_ns = t_ns,
                                     .dst = host->number,
                                     .src = host->number,
                                     .seq = SIM_EV_DISK << 1,
                                     .kind = SIM_EV_DISK});
}

static size_t request_size(const struct request *request)
{
    return sizeof *request + request->count * sizeof *request->items;
}

static struct request *request_new(struct sim *sim, struct sim_host *host, enum request_kind kind,
                                   uint32_t count)
{
    struct sim_disk *disk = disk_of(sim, host);
    struct request *request =
        sim_resize(sim, NULL, 0, sizeof *request + count * sizeof *request->items);
    double u = sim_draw_unit(sim, SIM_DICE_DISK, host->number, disk->requests++);
    uint64_t t_ns = sim->now_ns + latency_ns(sim, host, u);
    request->kind = kind;
    request->count = count;
    request->t_ns = disk->last_ns = t_ns > disk->last_ns ? t_ns : disk->last_ns;
    if (disk->tail)
        disk->tail->next = request;
    else
        disk->head = request;
    disk->tail = request;
    wake_at(sim, host, request->t_ns);
    return request;
}

static struct request *request_pop(struct sim_disk *disk)
{
    struct request *request = disk->head;
    disk->head = request->next;
    if (!disk->head)
        disk->tail = NULL;
    return request;
}

/* With the values' references, which whoever takes them sets to nothing. */
static void request_free(struct sim *sim, struct request *request)
{
    for (uint32_t i = 0; i < request->count; i++)
        vn_slice_unref(request->items[i].value);
    sim->stats.memory -= request_size(request);
    mem_free(request);
}

void disk_store(struct sim *sim, struct sim_host *host, const struct vn_action *action)
{
    uint32_t count = action->u.store.count;
    struct request *request = request_new(sim, host, REQUEST_STORE, count);
    request->token = action->u.store.token;
    if (count > 0)
        memcpy(request->items, action->u.store.items, count * sizeof *request->items);
}

void disk_load(struct sim *sim, struct sim_host *host, const struct vn_action *action)
{
    struct request *request = request_new(sim, host, REQUEST_LOAD, 0);
    request->token = action->u.load.token;
    request->op = action->u.load.op;
    request->from = action->u.load.from;
    request->to = action->u.load.to;
    request->max_bytes = action->u.load.max_bytes;
}

void disk_resolve(struct sim *sim, struct sim_host *host, const struct vn_action *action)
{
    struct request *request = request_new(sim, host, REQUEST_RESOLVE, 0);
    request->token = action->u.resolve.token;
}

/* ---- completing ---- */

static uint32_t store_answer(struct sim *sim, struct sim_host *host, struct request *request)
{
    struct sim_disk *disk = host->disk;
    const struct sim_disk_faults *f = host->faults ? &host->faults->disk : NULL;
    if (f && f->full)
        return VN_ERR_LIMIT;
    if (f && happens(sim, host, f->fail_stores))
        return VN_ERR_IO;
    if (f && f->lie > 0) {
        disk->before = sim_room(sim, disk->before, disk->before_count, &disk->before_capacity,
                                sizeof *disk->before);
        disk->before[disk->before_count] = (struct sim_store){0};
        store_copy(sim, &disk->before[disk->before_count++], &disk->now);
        durable(sim, disk, f->lie);
    }
    return store_apply(sim, host, &disk->now, request->items, request->count);
}

/* A copy with one bit changed; the reference to what it is of goes. */
static struct vn_slice rotten(const struct sim *sim, struct sim_host *host, struct vn_slice value)
{
    struct vn_slice copy = {.buf = host->api->buf_new(value.len), .len = value.len};
    memcpy(copy.buf->data, vn_slice_data(value), value.len);
    uint64_t bit = fault_draw(sim, host) % ((uint64_t)value.len * 8);
    copy.buf->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    vn_slice_unref(value);
    return copy;
}

static void load_answer(struct sim *sim, struct sim_host *host, const struct request *request)
{
    const struct sim_disk_faults *f = host->faults ? &host->faults->disk : NULL;
    struct vn_event event = {.kind = VN_EV_LOADED};
    struct vn_slice *slices = mem_new(store_most(&host->disk->now) + 1, sizeof *slices);
    uint32_t count = 0;
    event.u.loaded.token = request->token;
    if (f && happens(sim, host, f->fail_loads))
        event.u.loaded.status = VN_ERR_IO;
    else if (request->op >= VN_LOAD_BLOCKS && request->op <= VN_LOAD_BANS)
        count = store_collect(host, &host->disk->now, request->op, request->from, request->to,
                              request->max_bytes, slices);
    else
        event.u.loaded.status = VN_ERR_ARGUMENT;
    for (uint32_t i = 0; i < count; i++)
        if (f && happens(sim, host, f->corrupt))
            slices[i] = rotten(sim, host, slices[i]);
    event.u.loaded.count = count;
    event.u.loaded.slices = slices;
    host_step(sim, host, &event);
    for (uint32_t i = 0; i < count; i++)
        vn_slice_unref(slices[i]);
    mem_free(slices);
}

static void request_complete(struct sim *sim, struct sim_host *host, struct request *request)
{
    struct vn_event event = {0};
    switch (request->kind) {
    case REQUEST_STORE:
        event.kind = VN_EV_STORED;
        event.u.stored.token = request->token;
        event.u.stored.status = store_answer(sim, host, request);
        host_step(sim, host, &event);
        return;
    case REQUEST_LOAD:
        load_answer(sim, host, request);
        return;
    case REQUEST_RESOLVE:
        event.kind = VN_EV_RESOLVED;
        event.u.resolved.token = request->token;
        event.u.resolved.status = VN_ERR_UNKNOWN;
        host_step(sim, host, &event);
        return;
    }
}

static bool stands_still(const struct sim_host *host)
{
    return host->paused || (host->faults && host->faults->disk.hang);
}

void disk_on_event(struct sim *sim, const struct sim_event *event)
{
    struct sim_host *host = sim_host_at(sim, event->dst);
    struct sim_disk *disk = host->disk;
    if (!disk || !host->node || !disk->head || disk->head->t_ns > sim->now_ns || stands_still(host))
        return;
    while (disk->head && disk->head->t_ns <= sim->now_ns) {
        struct request *request = request_pop(disk);
        request_complete(sim, host, request);
        request_free(sim, request);
    }
    host_settle(sim, host);
}

void disk_wake(struct sim *sim, struct sim_host *host)
{
    const struct sim_disk *disk = host->disk;
    if (disk && disk->head && disk->head->t_ns <= sim->now_ns && !stands_still(host))
        wake_at(sim, host, sim->now_ns);
}

bool sim_host_disk(struct sim *sim, uint32_t number, const struct sim_disk_faults *faults)
{
    struct sim_host *host = number < sim->host_count ? sim_host_at(sim, number) : NULL;
    if (!host || host->peer || (faults && !sim_disk_faults_check(faults)))
        return false;
    if (!faults && !host->faults)
        return true;
    struct sim_disk_faults *now = &faults_of(sim, host)->disk;
    sim_disk_faults_init(now);
    if (faults)
        *now = *faults;
    if (host->disk)
        durable(sim, host->disk, now->lie);
    disk_wake(sim, host);
    return true;
}

/* ---- the end of a process, the end of a disk ---- */

/* Leaves the first items of the oldest batch under way, at least one and not all. */
static void tear(struct sim *sim, struct sim_host *host, struct sim_disk *disk)
{
    struct request *request = disk->head;
    while (request && request->kind != REQUEST_STORE)
        request = request->next;
    if (!request || !happens(sim, host, host->faults->disk.torn) || request->count < 2)
        return;
    uint32_t count = 1 + (uint32_t)(fault_draw(sim, host) % (request->count - 1));
    store_tear(sim, host, &disk->now, request->items, count);
}

void disk_crash(struct sim *sim, struct sim_host *host)
{
    struct sim_disk *disk = host->disk;
    if (!disk)
        return;
    if (host->faults)
        tear(sim, host, disk);
    if (disk->before_count > 0) {
        store_clear(sim, &disk->now);
        disk->now = disk->before[0];
        disk->before[0] = (struct sim_store){0};
        durable(sim, disk, 0);
    }
    disk_drop(sim, host, false);
}

void disk_drop(struct sim *sim, struct sim_host *host, bool all)
{
    struct sim_disk *disk = host->disk;
    if (!disk)
        return;
    while (disk->head)
        request_free(sim, request_pop(disk));
    disk->last_ns = 0;
    if (!all)
        return;
    durable(sim, disk, 0);
    store_clear(sim, &disk->now);
    sim->stats.memory -= disk->before_capacity * sizeof *disk->before + sizeof *disk;
    mem_free(disk->before);
    mem_free(disk);
    host->disk = NULL;
}

void disk_look(const struct sim_host *host, struct sim_host_look *out)
{
    const struct sim_disk *disk = host->disk;
    if (!disk)
        return;
    for (const struct request *r = disk->head; r; r = r->next)
        out->disk_requests++;
    out->disk_first = disk->now.first_height;
    out->disk_blocks = disk->now.block_count;
    out->disk_addrs = disk->now.addrs.count;
    out->disk_bans = disk->now.bans.count;
}
