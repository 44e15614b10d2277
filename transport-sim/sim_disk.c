/* A disk: what a node stores, in memory, kept while the node is dead.
 *
 * Requests complete in the order in which they were made, each after a latency of its own, one
 * event each. A batch takes effect when it completes, whole or not at all; so a load sees every
 * earlier batch, and a kill loses those that have not completed. Names are not known here: a
 * RESOLVE waits in the same queue and is answered "unknown". */
#include "transport-sim/sim_internal.h"

#include "core/base/bytes.h"

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

struct record {
    uint8_t key[40];
    uint32_t key_len;
    struct vn_slice value;
};

/* Records in the order of their keys. */
struct records {
    struct record *at;
    uint32_t count, capacity;
};

struct sim_disk {
    struct request *head, *tail;
    uint64_t last_ns; /* completion of the latest request */
    uint64_t requests;
    uint64_t first_height;
    struct vn_slice *blocks;
    uint32_t block_count, block_capacity;
    struct records addrs, bans;
};

static struct sim_disk *disk_of(struct sim *sim, struct sim_host *host)
{
    if (!host->disk)
        host->disk = sim_resize(sim, NULL, 0, sizeof *host->disk);
    return host->disk;
}

/* ---- requests ---- */

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
    uint64_t t_ns = sim->now_ns + sim_dist_at_ns(&sim->config.store_latency, u);
    request->kind = kind;
    request->count = count;
    request->t_ns = disk->last_ns = t_ns > disk->last_ns ? t_ns : disk->last_ns;
    if (disk->tail)
        disk->tail->next = request;
    else
        disk->head = request;
    disk->tail = request;
    sim_queue_put(sim->queue, &(struct sim_event){.t_ns = request->t_ns,
                                                  .dst = host->number,
                                                  .src = host->number,
                                                  .seq = SIM_EV_DISK << 1,
                                                  .kind = SIM_EV_DISK});
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

/* ---- storing ---- */

/* Takes the reference. A small window on a large buffer is copied, so as not to pin that. */
static struct vn_slice keep(const struct sim_host *host, struct vn_slice value)
{
    if (!value.buf || value.len >= value.buf->len / 2)
        return value;
    struct vn_slice copy = {.buf = host->api->buf_new(value.len), .len = value.len};
    memcpy(copy.buf->data, vn_slice_data(value), value.len);
    vn_slice_unref(value);
    return copy;
}

/* The place of a key, or where it would go; *found tells which. */
static uint32_t record_find(const struct records *records, const uint8_t *key, uint32_t key_len,
                            bool *found)
{
    uint32_t low = 0;
    uint32_t high = records->count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct record *record = &records->at[middle];
        uint32_t common = record->key_len < key_len ? record->key_len : key_len;
        int order = memcmp(record->key, key, common);
        if (order == 0 && record->key_len == key_len) {
            *found = true;
            return middle;
        }
        if (order < 0 || (order == 0 && record->key_len < key_len))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* An empty value deletes. */
static void record_put(struct sim *sim, struct records *records, const struct vn_store_item *item,
                       struct vn_slice value)
{
    bool found;
    uint32_t i = record_find(records, item->key, item->key_len, &found);
    size_t after = (records->count - i) * sizeof *records->at;
    if (found) {
        vn_slice_unref(records->at[i].value);
        records->at[i].value = value;
        if (value.len > 0)
            return;
        memmove(&records->at[i], &records->at[i + 1], after - sizeof *records->at);
        records->count--;
    } else if (value.len > 0) {
        records->at =
            sim_room(sim, records->at, records->count, &records->capacity, sizeof *records->at);
        memmove(&records->at[i + 1], &records->at[i], after);
        records->at[i] = (struct record){.key_len = item->key_len, .value = value};
        memcpy(records->at[i].key, item->key, item->key_len);
        records->count++;
    }
}

static void blocks_cut(struct sim_disk *disk, uint32_t count)
{
    while (disk->block_count > count)
        vn_slice_unref(disk->blocks[--disk->block_count]);
}

static void block_put(struct sim *sim, struct sim_disk *disk, uint64_t height,
                      struct vn_slice value)
{
    if (disk->block_count == 0 || height < disk->first_height) {
        blocks_cut(disk, 0);
        disk->first_height = height;
    }
    blocks_cut(disk, (uint32_t)(height - disk->first_height));
    disk->blocks =
        sim_room(sim, disk->blocks, disk->block_count, &disk->block_capacity, sizeof *disk->blocks);
    disk->blocks[disk->block_count++] = value;
}

/* A batch that makes no sense is refused whole: a gap between blocks, a key too long. */
static bool batch_check(const struct sim_disk *disk, const struct request *request)
{
    bool any = disk->block_count > 0;
    uint64_t end = disk->first_height + disk->block_count;
    for (uint32_t i = 0; i < request->count; i++) {
        const struct vn_store_item *item = &request->items[i];
        if (item->key_len > sizeof item->key || item->op < VN_STORE_BLOCK ||
            item->op > VN_STORE_BAN)
            return false;
        if (item->op != VN_STORE_BLOCK)
            continue;
        if ((any && item->number > end) || item->number == UINT64_MAX || item->value.len == 0)
            return false;
        any = true;
        end = item->number + 1;
    }
    return true;
}

static struct vn_slice ban_record(const struct sim_host *host, const struct vn_store_item *item)
{
    struct vn_slice record = {.len = 8 + item->key_len + item->value.len};
    if (item->number == 0)
        return (struct vn_slice){0};
    record.buf = host->api->buf_new(record.len);
    put_be64(record.buf->data, item->number);
    memcpy(record.buf->data + 8, item->key, item->key_len);
    if (item->value.len > 0)
        memcpy(record.buf->data + 8 + item->key_len, vn_slice_data(item->value), item->value.len);
    return record;
}

static uint32_t batch_apply(struct sim *sim, struct sim_host *host, struct request *request)
{
    struct sim_disk *disk = host->disk;
    if (!batch_check(disk, request))
        return VN_ERR_ARGUMENT;
    for (uint32_t i = 0; i < request->count; i++) {
        struct vn_store_item *item = &request->items[i];
        if (item->op == VN_STORE_BAN) {
            record_put(sim, &disk->bans, item, ban_record(host, item));
            continue;
        }
        struct vn_slice value = keep(host, item->value);
        item->value = (struct vn_slice){0};
        if (item->op == VN_STORE_BLOCK)
            block_put(sim, disk, item->number, value);
        else
            record_put(sim, &disk->addrs, item, value);
    }
    return VN_OK;
}

/* ---- loading ---- */

/* Fills slices with stored values, as many as fit; returns how many. slices has room for all. */
static uint32_t collect(const struct sim_disk *disk, const struct request *request,
                        struct vn_slice *slices)
{
    const struct records *records = request->op == VN_LOAD_ADDRS ? &disk->addrs : &disk->bans;
    bool blocks = request->op == VN_LOAD_BLOCKS;
    uint64_t at = request->from;
    uint64_t end = records->count;
    uint64_t sum = 0;
    uint32_t count = 0;
    if (blocks) {
        if (request->from < disk->first_height || request->to < request->from)
            return 0;
        at -= disk->first_height;
        end = request->to - disk->first_height;
        end = end < disk->block_count ? end + 1 : disk->block_count;
    }
    for (; at < end; at++) {
        struct vn_slice value = blocks ? disk->blocks[at] : records->at[at].value;
        if (count > 0 && value.len > request->max_bytes - sum)
            break;
        slices[count++] = value;
        sum += value.len;
        if (sum >= request->max_bytes)
            break;
    }
    return count;
}

static void load_answer(struct sim *sim, struct sim_host *host, const struct request *request)
{
    const struct sim_disk *disk = host->disk;
    struct vn_event event = {.kind = VN_EV_LOADED};
    size_t most = (size_t)disk->block_count + disk->addrs.count + disk->bans.count + 1;
    struct vn_slice *slices = mem_new(most, sizeof *slices);
    event.u.loaded.token = request->token;
    event.u.loaded.slices = slices;
    if (request->op >= VN_LOAD_BLOCKS && request->op <= VN_LOAD_BANS)
        event.u.loaded.count = collect(disk, request, slices);
    else
        event.u.loaded.status = VN_ERR_ARGUMENT;
    host_step(sim, host, &event);
    mem_free(slices);
}

static void request_complete(struct sim *sim, struct sim_host *host, struct request *request)
{
    struct vn_event event = {0};
    switch (request->kind) {
    case REQUEST_STORE:
        event.kind = VN_EV_STORED;
        event.u.stored.token = request->token;
        event.u.stored.status = batch_apply(sim, host, request);
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

void disk_on_event(struct sim *sim, const struct sim_event *event)
{
    struct sim_host *host = sim_host_at(sim, event->dst);
    struct sim_disk *disk = host->disk;
    if (!disk || !host->node || !disk->head || disk->head->t_ns > sim->now_ns)
        return;
    while (disk->head && disk->head->t_ns <= sim->now_ns) {
        struct request *request = request_pop(disk);
        request_complete(sim, host, request);
        request_free(sim, request);
    }
    host_settle(sim, host);
}

static void records_free(struct sim *sim, struct records *records)
{
    for (uint32_t i = 0; i < records->count; i++)
        vn_slice_unref(records->at[i].value);
    sim->stats.memory -= records->capacity * sizeof *records->at;
    mem_free(records->at);
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
    blocks_cut(disk, 0);
    sim->stats.memory -= disk->block_capacity * sizeof *disk->blocks + sizeof *disk;
    mem_free(disk->blocks);
    records_free(sim, &disk->addrs);
    records_free(sim, &disk->bans);
    mem_free(disk);
    host->disk = NULL;
}
