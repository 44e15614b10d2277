/* What a node's store stores: blocks a second through the store, as a node drives it (batches, four
 * of them under way), beside the same rows through plain SQLite with one transaction a batch, in
 * the same process and on the same disk, by turns.
 *
 * Time is the wall's: what counts is waiting for the disk. So the ratio of a round counts, and the
 * median of the rounds. Beside it the same ratio of the processor's time, what the node's own
 * thread spends of it on a batch, and the longest that one call held it.
 *
 * bench_node_store [--json] [--rounds N] [--scale N], in TMPDIR or /tmp; scale: N times as many
 * batches. */
#include "store/node_store.h"
#include "tests/bench/bench.h"

#include <poll.h>
#include <sqlite3.h>
#include <unistd.h>

#define ROUNDS_MAX 31u
#define IN_FLIGHT  4u /* as the core's, see core/gossip/gossip.h */
#define ITEMS_MAX  101u

struct kind {
    const char *name;
    uint32_t blocks, bytes, batches;
};

static const struct kind kinds[] = {
    {"1 block of 300 B", 1, 300, 1000},
    {"16 blocks of 2 KiB", 16, 2048, 400},
    {"100 blocks of 2 KiB", 100, 2048, 100},
    {"8 blocks of 320 KiB", 8, 320u << 10, 25},
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* Seconds of the wall and of the processor. */
struct took {
    double wall, cpu;
};

struct figures {
    double plain_s, store_s; /* on the wall, of all batches */
    double cpu_ratio;
    double commits;    /* a batch */
    double own_us;     /* processor time of the node's thread, a batch */
    double longest_us; /* of its calls, on the wall */
};

static char folder[300];
static int ready[2];

static void fail(const char *what)
{
    fprintf(stderr, "bench_node_store: %s\n", what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct took now(void)
{
    return (struct took){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct took since(struct took began)
{
    const struct took t = now();
    return (struct took){t.wall - began.wall, t.cpu - began.cpu};
}

static void clean(void)
{
    static const char *const names[] = {"node.db-wal", "node.db-shm", "node.db", "node.lock"};
    char path[400];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

/* ---- the rows ---- */

/* Batch number `no`: its blocks, and an address. All blocks have the same body. */
static uint32_t make_batch(const struct kind *kind, uint32_t no, struct vn_buf *body,
                           struct vn_store_item items[ITEMS_MAX])
{
    for (uint32_t i = 0; i < kind->blocks; i++) {
        const uint64_t height = 1 + (uint64_t)no * kind->blocks + i;
        items[i] = (struct vn_store_item){.op = VN_STORE_BLOCK, .key_len = 32, .number = height};
        memcpy(items[i].key, &height, sizeof height);
        items[i].value = (struct vn_slice){vn_buf_ref(body), 0, kind->bytes};
    }
    struct vn_store_item *addr = &items[kind->blocks];
    *addr = (struct vn_store_item){.op = VN_STORE_ADDR, .key_len = 19};
    addr->key[0] = (uint8_t)no;
    addr->value = (struct vn_slice){vn_buf_ref(body), 0, 8};
    return kind->blocks + 1;
}

static void drop_batch(struct vn_store_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vn_slice_unref(items[i].value);
}

/* ---- plain SQLite ---- */

static sqlite3_stmt *prepared(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail(sqlite3_errmsg(db));
    return stmt;
}

static void done(sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        fail("plain SQLite failed");
    sqlite3_reset(stmt);
}

static sqlite3 *plain_open(void)
{
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/node.db", folder);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA wal_autocheckpoint = 4096; PRAGMA cache_size = -16384;"
                     "CREATE TABLE block(height INTEGER PRIMARY KEY, hash BLOB, body BLOB);"
                     "CREATE TABLE addr(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
                     NULL, NULL, NULL) != SQLITE_OK)
        fail(sqlite3_errmsg(db));
    return db;
}

static struct took run_plain(const struct kind *kind, uint32_t batches, struct vn_buf *body)
{
    sqlite3 *db = plain_open();
    sqlite3_stmt *begin = prepared(db, "BEGIN IMMEDIATE"), *commit = prepared(db, "COMMIT");
    sqlite3_stmt *block = prepared(db, "INSERT INTO block VALUES(?1, ?2, ?3)");
    sqlite3_stmt *addr = prepared(db, "INSERT OR REPLACE INTO addr VALUES(?2, ?3)");
    struct vn_store_item items[ITEMS_MAX];
    const struct took began = now();
    for (uint32_t no = 0; no < batches; no++) {
        const uint32_t count = make_batch(kind, no, body, items);
        done(begin);
        for (uint32_t i = 0; i < count; i++) {
            const struct vn_store_item *item = &items[i];
            sqlite3_stmt *stmt = item->op == VN_STORE_BLOCK ? block : addr;
            if (item->op == VN_STORE_BLOCK)
                sqlite3_bind_int64(stmt, 1, (int64_t)item->number);
            sqlite3_bind_blob(stmt, 2, item->key, (int)item->key_len, SQLITE_STATIC);
            sqlite3_bind_blob(stmt, 3, vn_slice_data(item->value), (int)item->value.len,
                              SQLITE_STATIC);
            done(stmt);
        }
        done(commit);
        drop_batch(items, count);
    }
    const struct took took = since(began);
    sqlite3_stmt *const all[] = {begin, commit, block, addr};
    for (size_t i = 0; i < 4; i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(db);
    clean();
    return took;
}

/* ---- the store ---- */

static void on_ready(void *ctx)
{
    (void)ctx;
    if (write(ready[1], "r", 1) != 1)
        fail("cannot write to a pipe");
}

static struct node_store *store_open(void)
{
    const struct node_store_options options = {
        .folder = folder, .genesis_timestamp = 1, .difficulty = 1, .on_ready = on_ready};
    enum node_store_problem problem;
    char why[600];
    struct node_store *store = node_store_open(&options, &problem, why, sizeof why);
    if (!store)
        fail(why);
    return store;
}

/* Takes the answers that there are; waits if there is none. */
static uint32_t take_answers(struct node_store *store)
{
    struct pollfd fd = {.fd = ready[0], .events = POLLIN};
    struct vn_event event;
    uint32_t taken = 0;
    char some[64];
    if (poll(&fd, 1, -1) != 1 || read(ready[0], some, sizeof some) < 1)
        fail("cannot read from a pipe");
    for (; node_store_next(store, &event); taken++)
        if (event.u.stored.status != VN_OK)
            fail("a STORE failed");
    return taken;
}

static struct took run_store(const struct kind *kind, uint32_t batches, struct vn_buf *body,
                             struct figures *figures)
{
    struct node_store *store = store_open();
    struct vn_store_item items[ITEMS_MAX];
    struct node_store_stats stats;
    double longest = 0;
    const double own = seconds(CLOCK_THREAD_CPUTIME_ID);
    const struct took began = now();
    for (uint32_t no = 0, taken = 0; taken < batches;) {
        while (no < batches && no - taken < IN_FLIGHT) {
            struct vn_action action = {.size = sizeof action, .kind = VN_ACT_STORE};
            action.u.store.count = make_batch(kind, no++, body, items);
            action.u.store.items = items;
            const double before = seconds(CLOCK_MONOTONIC);
            node_store_submit(store, &action);
            const double held = seconds(CLOCK_MONOTONIC) - before;
            longest = held > longest ? held : longest;
        }
        taken += take_answers(store);
    }
    const struct took took = since(began);
    figures->own_us = (seconds(CLOCK_THREAD_CPUTIME_ID) - own) / batches * 1e6;
    node_store_stats(store, &stats);
    figures->commits = (double)stats.commits / batches;
    figures->longest_us = longest * 1e6;
    if (!node_store_close(store))
        fail("a STORE failed");
    clean();
    return took;
}

/* ---- the table ---- */

static void print(const struct bench *bench, const struct kind *kind, uint32_t batches,
                  const struct figures *f, const double quartiles[3], bool last)
{
    const double blocks = (double)kind->blocks * batches;
    if (bench->json) {
        printf(
            "  {\"batch\": \"%s\", \"plain_blocks_s\": %.0f, \"store_blocks_s\": %.0f, "
            "\"ratio\": %.3f, \"quartiles\": [%.3f, %.3f], \"cpu_ratio\": %.3f, \"commits\": %.3f, "
            "\"own_us\": %.2f, \"longest_us\": %.1f}%s\n",
            kind->name, blocks / f->plain_s, blocks / f->store_s, quartiles[1], quartiles[0],
            quartiles[2], f->cpu_ratio, f->commits, f->own_us, f->longest_us, last ? "" : ",");
        return;
    }
    printf("%-22s %10.0f %10.0f %7.2f (%.2f, %.2f) %7.2f %8.2f %8.1f %9.0f\n", kind->name,
           blocks / f->plain_s, blocks / f->store_s, quartiles[1], quartiles[0], quartiles[2],
           f->cpu_ratio, f->commits, f->own_us, f->longest_us);
}

static void measure(const struct bench *bench, size_t which, uint64_t rounds, uint64_t scale)
{
    const struct kind *kind = &kinds[which];
    const uint32_t batches = kind->batches * (uint32_t)scale;
    double plain[ROUNDS_MAX], stored[ROUNDS_MAX], ratios[ROUNDS_MAX], cpu[ROUNDS_MAX];
    struct figures figures = {0};
    struct vn_buf *body = vn_buf_new(kind->bytes);
    memset(body->data, 0xa5, kind->bytes);
    for (uint64_t i = 0; i < rounds; i++) {
        struct took without = {0};
        if (i % 2 == 0)
            without = run_plain(kind, batches, body);
        const struct took with = run_store(kind, batches, body, &figures);
        if (i % 2 == 1)
            without = run_plain(kind, batches, body);
        plain[i] = without.wall;
        stored[i] = with.wall;
        ratios[i] = without.wall / with.wall;
        cpu[i] = without.cpu / with.cpu;
    }
    vn_buf_unref(body);
    const double middle = bench_median(ratios, rounds);
    const double quartiles[] = {ratios[rounds / 4], middle, ratios[rounds * 3 / 4]};
    figures.cpu_ratio = bench_median(cpu, rounds);
    figures.plain_s = bench_median(plain, rounds);
    figures.store_s = bench_median(stored, rounds);
    print(bench, kind, batches, &figures, quartiles, which + 1 == KINDS);
}

int main(int argc, char **argv)
{
    uint64_t rounds = 9, scale = 1;
    const struct bench_option options[] = {{"--rounds", &rounds}, {"--scale", &scale}};
    struct bench bench;
    const char *tmp = getenv("TMPDIR");
    bench_init_options(&bench, argc, argv, options, sizeof options / sizeof *options);
    snprintf(folder, sizeof folder, "%s/bench_node_store_XXXXXX", tmp ? tmp : "/tmp");
    if (rounds < 1 || rounds > ROUNDS_MAX || scale < 1 || scale > 1000 || !mkdtemp(folder) ||
        pipe(ready) != 0) {
        fprintf(stderr, "bench_node_store: --rounds 1..%u, --scale 1..1000\n", ROUNDS_MAX);
        return 2;
    }
    if (bench.json)
        printf("[\n");
    else
        printf("%-22s %10s %10s %7s %12s %7s %8s %8s %9s\n", "a batch", "plain b/s", "store b/s",
               "ratio", "(quartiles)", "cpu", "commits", "own us", "longest");
    for (size_t i = 0; i < KINDS; i++)
        measure(&bench, i, rounds, scale);
    if (bench.json)
        printf("]\n");
    rmdir(folder);
    return 0;
}
