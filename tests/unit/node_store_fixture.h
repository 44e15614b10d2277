/* For tests of a node's store: a folder of the test's own, a model of what a store holds, random
 * batches, and asking the store and comparing. Values and keys are functions of numbers, so that
 * the model is small and can be copied. */
#ifndef TESTS_UNIT_NODE_STORE_FIXTURE_H
#define TESTS_UNIT_NODE_STORE_FIXTURE_H

#include "core/base/bytes.h"
#include "store/node_store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#define CASE(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define MODEL_BLOCKS 4096u
#define MODEL_KEYS   24u
#define BATCH_ITEMS  40u
#define HANG_TIMEOUT 60000 /* ms: against hanging alone */
#define GENESIS      UINT64_C(1744067299)
#define DIFFICULTY   UINT64_C(100)
#define WHY_SIZE     600u

static char folder[200]; /* of the test */
static char data[240];   /* the store's, in it; not there at first */

static inline int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vibenet-store-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(data, sizeof data, "%s/data", folder);
    return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    remove(path);
    return 0;
}

static inline void remove_all(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int teardown(void **state)
{
    (void)state;
    remove_all(folder);
    return 0;
}

/* A child that does not outlive a test that fails. */
static inline pid_t fork_child(void)
{
    const pid_t child = fork();
    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

/* A path in the store's folder; good until the fourth call after it. */
static inline const char *in_data(const char *name)
{
    static char paths[4][500];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", data, name);
    return path;
}

/* The first column of a query's first row, on the store's file; "" without a row. Good until the
 * next call. */
static inline const char *ask(const char *sql)
{
    static char out[400];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(in_data("node.db"), &db, SQLITE_OPEN_READWRITE, NULL), 0);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    out[0] = 0;
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0))
        snprintf(out, sizeof out, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return out;
}

/* ---- dice and bytes ---- */

/* SplitMix64, see transport-sim/sim.c. */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint64_t below(uint64_t *state, uint64_t n)
{
    return draw(state) % n;
}

static inline void fill(uint8_t *to, size_t len, uint64_t seed)
{
    uint64_t word = draw(&seed) | 1;
    for (size_t i = 0; i < len; i += 8) {
        memcpy(to + i, &word, len - i < 8 ? len - i : 8);
        word *= UINT64_C(0x9e3779b97f4a7c15);
    }
}

static inline struct vn_slice value_of(uint64_t seed, uint32_t len)
{
    if (len == 0)
        return (struct vn_slice){0};
    /* A window somewhere in a buffer, as the core's are. */
    struct vn_buf *buf = vn_buf_new(len + 3);
    fill(buf->data + 1, len, seed);
    return (struct vn_slice){buf, 1, len};
}

/* Keys of 0 to 40 bytes, some a prefix of the next: their order is that of k. */
static inline uint32_t key_of(uint32_t k, uint8_t key[40])
{
    memset(key, 0xff, 40);
    key[0] = (uint8_t)(k / 3 * 17);
    key[1] = 0;
    return k == 0 ? 0 : k % 3 == 2 ? 40 : k % 3 + 1;
}

/* ---- the model ---- */

struct model_value {
    uint64_t number, seed;
    uint32_t len; /* of the value */
    bool there;
};

struct model {
    uint64_t first, count; /* blocks of heights first..first+count-1 */
    struct model_value blocks[MODEL_BLOCKS];
    struct model_value addrs[MODEL_KEYS], bans[MODEL_KEYS];
};

/* A batch as an action, and as the model takes it. */
struct batch {
    uint32_t count;
    struct vn_store_item items[BATCH_ITEMS];
};

static inline struct vn_store_item *batch_add(struct batch *batch, enum vn_store_op op,
                                              uint64_t number, uint64_t seed, uint32_t len)
{
    assert_true(batch->count < BATCH_ITEMS);
    struct vn_store_item *item = &batch->items[batch->count++];
    *item = (struct vn_store_item){.op = op, .number = number, .value = value_of(seed, len)};
    return item;
}

static inline void batch_block(struct batch *batch, struct model *model, uint64_t height,
                               uint64_t seed, uint32_t len)
{
    struct vn_store_item *item = batch_add(batch, VN_STORE_BLOCK, height, seed, len);
    item->key_len = 32;
    fill(item->key, 32, seed ^ 1);
    if (!model)
        return;
    if (model->count == 0 || height < model->first) {
        model->first = height;
        model->count = 0;
    }
    model->count = height - model->first;
    assert_true(model->count < MODEL_BLOCKS);
    model->blocks[model->count++] = (struct model_value){height, seed, len, true};
}

static inline void batch_addr(struct batch *batch, struct model *model, uint32_t k, uint64_t seed,
                              uint32_t len)
{
    struct vn_store_item *item = batch_add(batch, VN_STORE_ADDR, 0, seed, len);
    item->key_len = key_of(k, item->key);
    if (model)
        model->addrs[k] = (struct model_value){0, seed, len, len > 0};
}

static inline void batch_ban(struct batch *batch, struct model *model, uint32_t k, uint64_t end,
                             uint64_t seed, uint32_t len)
{
    struct vn_store_item *item = batch_add(batch, VN_STORE_BAN, end, seed, len);
    item->key_len = key_of(k, item->key);
    if (model)
        model->bans[k] = (struct model_value){end, seed, len, end > 0};
}

/* A random batch that makes sense: the chain grows, now and then a branch of it is replaced, rarely
 * all of it; addresses and bans come and go. */
static inline void batch_random(struct batch *batch, struct model *model, uint64_t *dice,
                                uint32_t block_max)
{
    batch->count = 0;
    uint64_t height = model->count ? model->first + model->count : 1 + below(dice, 3);
    const uint64_t kind = below(dice, 10);
    if (model->count > 0 && kind < 3)
        height -= 1 + below(dice, model->count < 12 ? model->count : 12);
    if (model->count > 0 && below(dice, 60) == 0)
        height = 1 + below(dice, model->first);
    uint64_t blocks = kind == 9 ? 0 : 1 + below(dice, 8);
    while (blocks-- > 0 && height - 1 < MODEL_BLOCKS - 16) {
        const uint64_t seed = draw(dice);
        batch_block(batch, model, height++, seed, 1 + (uint32_t)below(dice, block_max));
    }
    for (uint64_t n = below(dice, 4); n > 0; n--) {
        const uint32_t k = (uint32_t)below(dice, MODEL_KEYS);
        const uint64_t seed = draw(dice);
        batch_addr(batch, model, k, seed, below(dice, 4) ? 8 : 0);
    }
    for (uint64_t n = below(dice, 3); n > 0; n--) {
        const uint32_t k = (uint32_t)below(dice, MODEL_KEYS);
        const uint64_t end = draw(dice) >> below(dice, 40);
        const bool lifted = below(dice, 3) == 0;
        batch_ban(batch, model, k, lifted ? 0 : end, end ^ 5, lifted ? 0 : 8);
    }
}

/* For a batch that only the model was to take. */
static inline void batch_drop(struct batch *batch)
{
    while (batch->count > 0)
        vn_slice_unref(batch->items[--batch->count].value);
}

/* ---- the store ---- */

/* A pipe that on_ready writes into, and a gate that it must pass: who holds it holds the worker. */
static int ready_pipe[2] = {-1, -1};
static pthread_mutex_t ready_gate = PTHREAD_MUTEX_INITIALIZER;

static inline void tell_ready(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&ready_gate);
    pthread_mutex_unlock(&ready_gate);
    if (write(ready_pipe[1], "r", 1) != 1)
        abort();
}

static inline struct node_store_options default_options(void)
{
    if (ready_pipe[0] < 0)
        assert_int_equal(pipe(ready_pipe), 0);
    return (struct node_store_options){.folder = data,
                                       .genesis_timestamp = GENESIS,
                                       .difficulty = DIFFICULTY,
                                       .on_ready = tell_ready};
}

static inline struct node_store *must_open_with(const struct node_store_options *options)
{
    enum node_store_problem problem = NODE_STORE_IO;
    char why[WHY_SIZE] = "";
    struct node_store *store = node_store_open(options, &problem, why, sizeof why);
    if (!store)
        fail_msg("problem %d: %s", (int)problem, why);
    assert_int_equal(problem, NODE_STORE_OK);
    return store;
}

static inline struct node_store *must_open(void)
{
    const struct node_store_options options = default_options();
    return must_open_with(&options);
}

static inline void submit_batch(struct node_store *store, uint64_t token, struct batch *batch)
{
    struct vn_action action = {.size = sizeof action, .kind = VN_ACT_STORE};
    action.u.store.token = token;
    action.u.store.count = batch->count;
    action.u.store.items = batch->items;
    node_store_submit(store, &action);
    memset(batch->items, 0xee, sizeof batch->items); /* they are valid during the call alone */
    batch->count = 0;
}

static inline void submit_load(struct node_store *store, uint64_t token, enum vn_load_op op,
                               uint64_t from, uint64_t to, uint64_t max_bytes)
{
    struct vn_action action = {.size = sizeof action, .kind = VN_ACT_LOAD};
    action.u.load.token = token;
    action.u.load.op = op;
    action.u.load.from = from;
    action.u.load.to = to;
    action.u.load.max_bytes = max_bytes;
    node_store_submit(store, &action);
}

/* Waits for the next answer. False: the store hangs. */
static inline bool await(struct node_store *store, struct vn_event *event)
{
    while (!node_store_next(store, event)) {
        struct pollfd ready = {.fd = ready_pipe[0], .events = POLLIN};
        char some[64];
        if (poll(&ready, 1, HANG_TIMEOUT) != 1 || read(ready_pipe[0], some, sizeof some) < 1)
            return false;
    }
    return true;
}

static inline uint32_t await_stored(struct node_store *store, uint64_t token)
{
    struct vn_event event;
    assert_true(await(store, &event));
    assert_int_equal(event.size, sizeof event);
    assert_int_equal(event.kind, VN_EV_STORED);
    assert_int_equal(event.u.stored.token, token);
    return event.u.stored.status;
}

static inline uint32_t store_batch(struct node_store *store, uint64_t token, struct batch *batch)
{
    submit_batch(store, token, batch);
    return await_stored(store, token);
}

/* The next answer must be a LOADED of that token; valid until the next answer is taken. */
static inline struct vn_event await_loaded(struct node_store *store, uint64_t token)
{
    struct vn_event event;
    assert_true(await(store, &event));
    assert_int_equal(event.kind, VN_EV_LOADED);
    assert_int_equal(event.u.loaded.token, token);
    return event;
}

/* Holds the worker, after it has stored an address, until let_go: what is submitted in between
 * waits. */
static inline void hold_worker(struct node_store *store)
{
    static struct batch batch;
    struct vn_event event;
    batch_addr(&batch, NULL, 0, 0, 0);
    pthread_mutex_lock(&ready_gate);
    submit_batch(store, UINT64_MAX, &batch);
    while (!node_store_next(store, &event))
        usleep(100);
    assert_int_equal(event.u.stored.status, VN_OK);
}

static inline void let_go(void)
{
    pthread_mutex_unlock(&ready_gate);
}

/* ---- comparing ---- */

/* The bytes that a LOAD gives for a value of the model. */
static inline uint32_t expected_bytes(enum vn_load_op op, const struct model_value *value,
                                      uint32_t k, uint8_t *out)
{
    uint8_t *to = out;
    if (op == VN_LOAD_BANS) {
        put_be64(to, value->number);
        to += 8;
    }
    if (op != VN_LOAD_BLOCKS) {
        uint8_t key[40];
        const uint32_t len = key_of(k, key);
        memcpy(to, key, len);
        to += len;
    }
    fill(to, value->len, value->seed);
    return (uint32_t)(to - out) + value->len;
}

/* NULL, or what is wrong with the answer to a LOAD. */
static inline const char *loaded_fault(const struct model *model, enum vn_load_op op, uint64_t from,
                                       uint64_t to, uint64_t max_bytes,
                                       const struct vn_event *event)
{
    static uint8_t bytes[512u << 10];
    const struct model_value *values = op == VN_LOAD_BLOCKS  ? model->blocks
                                       : op == VN_LOAD_ADDRS ? model->addrs
                                                             : model->bans;
    const uint32_t count = op == VN_LOAD_BLOCKS ? (uint32_t)model->count : MODEL_KEYS;
    uint64_t sum = 0, skip = op == VN_LOAD_BLOCKS ? 0 : from;
    uint32_t at = 0;
    if (event->u.loaded.status != VN_OK)
        return "an error";
    if (op == VN_LOAD_BLOCKS && from < model->first)
        return event->u.loaded.count == 0 ? NULL : "blocks below the first one";
    for (uint32_t k = 0; k < count; k++) {
        if (!values[k].there ||
            (op == VN_LOAD_BLOCKS && (values[k].number < from || values[k].number > to)))
            continue;
        if (skip > 0) {
            skip--;
            continue;
        }
        const uint32_t len = expected_bytes(op, &values[k], k, bytes);
        sum += len;
        if (at > 0 && sum > max_bytes)
            break;
        if (at == event->u.loaded.count)
            return "too few";
        const struct vn_slice slice = event->u.loaded.slices[at++];
        if (slice.len != len || memcmp(vn_slice_data(slice), bytes, len) != 0)
            return "other bytes";
    }
    return at == event->u.loaded.count ? NULL : "too many";
}

static inline void check_load(struct node_store *store, const struct model *model,
                              enum vn_load_op op, uint64_t from, uint64_t to, uint64_t max_bytes)
{
    static uint64_t token = UINT64_C(1) << 60;
    submit_load(store, ++token, op, from, to, max_bytes);
    const struct vn_event event = await_loaded(store, token);
    const char *fault = loaded_fault(model, op, from, to, max_bytes, &event);
    if (fault)
        fail_msg("LOAD %d of %llu..%llu, at most %llu bytes: %s", (int)op, (unsigned long long)from,
                 (unsigned long long)to, (unsigned long long)max_bytes, fault);
}

/* The store holds what the model does and nothing more. */
static inline void check_same(struct node_store *store, const struct model *model)
{
    check_load(store, model, VN_LOAD_BLOCKS, model->first, UINT64_MAX, UINT64_MAX);
    check_load(store, model, VN_LOAD_ADDRS, 0, UINT64_MAX, UINT64_MAX);
    check_load(store, model, VN_LOAD_BANS, 0, UINT64_MAX, UINT64_MAX);
}

/* A sum over all that a store holds, and over all that a model does: for comparing one store with
 * many models. */
static inline uint64_t sum_add(uint64_t sum, const uint8_t *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len; i += 8) {
        uint8_t eight[8] = {0};
        memcpy(eight, bytes + i, len - i < 8 ? len - i : 8);
        sum = (sum ^ get_le64(eight)) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 29;
    }
    return (sum ^ len) * UINT64_C(0x9e3779b97f4a7c15);
}

/* 0: the store hangs or answered with an error. */
static inline uint64_t store_sum(struct node_store *store)
{
    /* Where a chain begins is not asked for: the models here begin at 1 to 3. */
    uint64_t sum = 1;
    for (uint64_t from = 1; from <= 3; from++) {
        struct vn_event event;
        submit_load(store, 1, VN_LOAD_BLOCKS, from, UINT64_MAX, UINT64_MAX);
        if (!await(store, &event) || event.u.loaded.status != VN_OK)
            return 0;
        for (uint32_t i = 0; i < event.u.loaded.count; i++)
            sum =
                sum_add(sum, vn_slice_data(event.u.loaded.slices[i]), event.u.loaded.slices[i].len);
        if (event.u.loaded.count > 0)
            break;
    }
    for (int op = VN_LOAD_ADDRS; op <= VN_LOAD_BANS; op++) {
        struct vn_event event;
        submit_load(store, 1, (enum vn_load_op)op, 0, 0, UINT64_MAX);
        if (!await(store, &event) || event.u.loaded.status != VN_OK)
            return 0;
        for (uint32_t i = 0; i < event.u.loaded.count; i++)
            sum =
                sum_add(sum, vn_slice_data(event.u.loaded.slices[i]), event.u.loaded.slices[i].len);
    }
    return sum;
}

static inline uint64_t model_sum(const struct model *model)
{
    static uint8_t bytes[512u << 10];
    uint64_t sum = 1;
    for (uint32_t i = 0; i < model->count; i++)
        sum = sum_add(sum, bytes, expected_bytes(VN_LOAD_BLOCKS, &model->blocks[i], 0, bytes));
    for (uint32_t k = 0; k < MODEL_KEYS; k++)
        if (model->addrs[k].there)
            sum = sum_add(sum, bytes, expected_bytes(VN_LOAD_ADDRS, &model->addrs[k], k, bytes));
    for (uint32_t k = 0; k < MODEL_KEYS; k++)
        if (model->bans[k].there)
            sum = sum_add(sum, bytes, expected_bytes(VN_LOAD_BANS, &model->bans[k], k, bytes));
    return sum;
}

#endif
