/* Catching up: a node with no blocks meets one with many, over loopback, each in a process of its
 * own; from the dial until it has all of them. By turns without a store, where both keep all bodies
 * in memory, and with the store that vibenode has (SQLite, durable by fsync): then the one node
 * reads what it serves from its store, the other writes what it gets, and the clock runs until all
 * of it is durable.
 *
 * bench_sync [--json] [--blocks N] [--rounds N]     the stores' folders are made in $TMPDIR, or
 * /tmp, and removed; what an fsync costs there decides. */
#include "store/node_store.h"
#include "tests/bench/bench.h"
#include "tests/bench/tcp/arena.h"
#include "transport-tcp/tcp.h"

#include <ftw.h>
#include <limits.h>
#include <unistd.h>

#define ROUNDS_MAX   31u
#define MINE_AT_ONCE 1000u
#define BLOCKS_MAX   100000u
#define MARK_DONE    0u

/* The same in both processes of a run. */
static struct {
    uint64_t blocks;
    char folder[PATH_MAX]; /* empty: without a store */
} job;

/* ---- a node, with a store or without ---- */

struct sync_node {
    struct run *run;
    uv_loop_t loop;
    uv_async_t answered;
    uv_prepare_t turn;
    struct vn_tcp *tcp;
    struct vn_tcp_node *node;
    struct node_store *store;
    uint64_t began_ns;
};

static void on_answer_ready(void *ctx) /* the store's thread */
{
    uv_async_send(&((struct sync_node *)ctx)->answered);
}

static void on_answered(uv_async_t *async)
{
    struct sync_node *n = async->data;
    struct vn_event event;
    while (n->node && node_store_next(n->store, &event))
        vn_tcp_node_answer(n->node, &event);
}

static void on_store(void *ctx, struct vn_action *action)
{
    node_store_submit(((struct sync_node *)ctx)->store, action);
}

static void on_reply(void *ctx, uint64_t token, uint32_t status, const char *text)
{
    (void)token;
    if (status != VN_OK)
        run_fail(((const struct sync_node *)ctx)->run, "a command", text);
}

static void store_open(struct sync_node *n, const struct vn_config *config, const char *name)
{
    char folder[PATH_MAX + 16], why[400];
    enum node_store_problem problem;
    const struct node_store_options options = {
        .folder = folder,
        .genesis_timestamp = config->genesis_timestamp,
        .difficulty = config->difficulty,
        .on_ready = on_answer_ready,
        .ctx = n,
    };
    snprintf(folder, sizeof folder, "%s/%s", job.folder, name);
    n->store = node_store_open(&options, &problem, why, sizeof why);
    if (!n->store)
        run_fail(n->run, "the store", why);
}

static struct vn_config config_of(const char *name)
{
    struct vn_config config;
    vn_config_init(&config);
    snprintf(config.node_id, sizeof config.node_id, "%s", name);
    config.listen.port = 0;
    config.max_outbound = 0;
    config.feeler_interval_ns = 0;
    config.serve_rate = config.block_rate = config.unasked_rate = 0;
    config.difficulty = 1;
    config.hash = VN_HASH_NONE;
    config.trace_mask = 0;
    if (!*job.folder)
        config.cached_blocks = (uint32_t)job.blocks + 1;
    return config;
}

static uint64_t height(const struct sync_node *n, bool *online)
{
    struct vn_info info = {.size = sizeof info};
    vn_node_info(vn_tcp_node_core(n->node), &info);
    *online = info.online;
    return info.height;
}

/* Is all of it where it should be? */
static bool settled(const struct sync_node *n, uint64_t blocks)
{
    struct node_store_stats stats;
    bool online;
    if (height(n, &online) < blocks || !online)
        return false;
    if (!n->store)
        return true;
    node_store_stats(n->store, &stats);
    return stats.waiting == 0 && stats.items >= blocks;
}

static void node_open(struct sync_node *n, const char *name, const struct vn_addr *listen)
{
    const struct vn_config config = config_of(name);
    struct vn_tcp_options options;
    struct vn_tcp_node_config nc;
    char why[256];
    uv_loop_init(&n->loop);
    uv_async_init(&n->loop, &n->answered, on_answered);
    n->answered.data = n;
    if (*job.folder)
        store_open(n, &config, name);
    vn_tcp_options_init(&options);
    options.loop = &n->loop;
    n->tcp = vn_tcp_new(&options);
    vn_tcp_node_config_init(&nc);
    nc.core = &config;
    nc.listen = listen;
    nc.listen_count = listen ? 1 : 0;
    nc.hooks.ctx = n;
    nc.hooks.on_reply = on_reply;
    nc.hooks.on_store = n->store ? on_store : NULL;
    n->node = vn_tcp_node_new(n->tcp, &nc, why, sizeof why);
    if (!n->node)
        run_fail(n->run, "a node", why);
    while (!settled(n, 0)) /* it reads what is stored: nothing */
        uv_run(&n->loop, UV_RUN_ONCE);
}

static void node_command(struct sync_node *n, struct vn_command command)
{
    vn_tcp_node_command(n->node, &command);
}

static void node_end(struct sync_node *n)
{
    if (n->store && !node_store_close(n->store))
        run_fail(n->run, "the store", "not everything could be stored");
}

/* ---- the two processes ---- */

static void on_serving(uv_prepare_t *turn)
{
    struct sync_node *n = turn->data;
    struct vn_tcp_stats stats = {.size = sizeof stats};
    vn_tcp_node_stats(n->node, &stats);
    if (stats.links == 0 && run_marked(n->run, MARK_DONE))
        uv_stop(&n->loop);
}

static void serve(struct run *run)
{
    struct sync_node n = {.run = run};
    struct vn_addr listen = {.family = VN_AF_IPV4, .ip = {127, 0, 0, 1}};
    struct meter meter;
    node_open(&n, "server", &listen);
    for (uint64_t mined = 0; mined < job.blocks;) {
        const uint64_t more = job.blocks - mined < MINE_AT_ONCE ? job.blocks - mined : MINE_AT_ONCE;
        node_command(&n, (struct vn_command){.kind = VN_CMD_MINE, .number = more});
        mined += more;
        while (!settled(&n, mined))
            uv_run(&n.loop, UV_RUN_ONCE);
    }
    vn_tcp_node_listen(n.node, 0, &listen);
    uv_prepare_init(&n.loop, &n.turn);
    n.turn.data = &n;
    uv_prepare_start(&n.turn, on_serving);
    meter_begin(&meter);
    run_listening(run, listen.port);
    uv_run(&n.loop, UV_RUN_DEFAULT);
    meter_end(&meter, run->side);
    node_end(&n);
}

static void ask(struct run *run)
{
    struct sync_node n = {.run = run};
    struct vn_addr server = {.family = VN_AF_IPV4, .ip = {127, 0, 0, 1}};
    struct meter meter;
    server.port = run_port(run);
    node_open(&n, "client", NULL);
    meter_begin(&meter);
    node_command(&n, (struct vn_command){.kind = VN_CMD_CONNECT, .addr = server});
    while (!settled(&n, job.blocks))
        uv_run(&n.loop, UV_RUN_ONCE);
    meter_end(&meter, run->side);
    run->side->messages = job.blocks;
    run_mark(run, MARK_DONE);
    node_end(&n);
}

static const struct contender catching_up = {"vibenet", serve, ask, false};

/* ---- rounds ---- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
    (void)stat;
    (void)kind;
    (void)where;
    return remove(path);
}

static void folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(job.folder, sizeof job.folder, "%s/bench_sync-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(job.folder)) {
        fprintf(stderr, "bench_sync: cannot make a folder %s: set TMPDIR to one for it\n",
                job.folder);
        exit(1);
    }
}

static void folder_remove(void)
{
    nftw(job.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *job.folder = '\0';
}

struct row {
    const char *name;
    bool stored;
    double rate[ROUNDS_MAX], server_ns[ROUNDS_MAX], client_ns[ROUNDS_MAX];
};

static void measure(struct row *row, uint64_t round)
{
    struct side server = {0}, client = {0};
    if (row->stored)
        folder_make();
    const bool good = arena_run(&catching_up, row->name, (struct run){0}, &server, &client);
    if (row->stored)
        folder_remove();
    if (!good)
        exit(1);
    const double blocks = (double)job.blocks;
    row->rate[round] = blocks * 1e9 / (double)client.wall_ns;
    row->server_ns[round] = (double)(server.user_ns + server.sys_ns) / blocks;
    row->client_ns[round] = (double)(client.user_ns + client.sys_ns) / blocks;
}

int main(int argc, char **argv)
{
    struct row rows[] = {{.name = "in memory"}, {.name = "with stores", .stored = true}};
    struct bench bench;
    uint64_t rounds = 5;
    job.blocks = 10000;
    const struct bench_option options[] = {{"--blocks", &job.blocks}, {"--rounds", &rounds}};
    bench_init_options(&bench, argc, argv, options, 2);
    if (rounds < 1 || rounds > ROUNDS_MAX || job.blocks < 1 || job.blocks > BLOCKS_MAX)
        bench_usage(argv[0], options, 2);
    for (uint64_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            measure(&rows[i], round);
    if (!bench.json)
        printf("%llu empty blocks, from one node to another\n%-12s %12s %24s %24s\n",
               (unsigned long long)job.blocks, "", "blocks/s", "giving CPU ns/block",
               "taking CPU ns/block");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct row *row = &rows[i];
        const double rate = bench_median(row->rate, rounds);
        const double giving = bench_median(row->server_ns, rounds);
        const double taking = bench_median(row->client_ns, rounds);
        if (bench.json)
            printf("{\"name\": \"%s\", \"blocks/s\": %.0f, \"giving CPU ns/block\": %.0f, "
                   "\"taking CPU ns/block\": %.0f}\n",
                   row->name, rate, giving, taking);
        else
            printf("%-12s %12.0f %24.0f %24.0f\n", row->name, rate, giving, taking);
    }
    return 0;
}
