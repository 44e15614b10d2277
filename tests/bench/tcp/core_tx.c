/* The protocol core at both ends of one link: TX.
 *
 * The client's node is given transactions by command, checks them as it checks all (so it hashes
 * them, and makes a frame of each), and relays them; the server's checks them again and pools them.
 * So many as both may hold; their ids are found before the clock runs. They differ in their nonce
 * alone, which comes before the data in what is hashed. */
#include "tests/bench/tcp/core.h"

#include "core/chain/rules.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TXS_MAX  512u /* of a MiB, in each of the two processes */
#define AHEAD    4u   /* frames that wait to be written */
#define SPARE    8u
#define MIB      UINT64_C(1048576)
#define NONCE_AT 128u
#define WHOLE_TX (TX_SIZE_MIN + 8u) /* and data */

/* ---- transactions ---- */

struct vn_buf *core_tx_new(uint32_t data_len)
{
    struct vn_buf *tx = vn_buf_new(data_len > 0 ? WHOLE_TX + data_len : TX_SIZE_MIN);
    uint8_t *data = calloc(1, data_len + 1), zeros[HASH_SIZE] = {0};
    struct tx_view view = {.tx_id = zeros, .sender = zeros, .recipient = zeros};
    struct writer w = {.data = tx->data, .cap = tx->len};
    if (!data)
        abort();
    view.timestamp = (uint64_t)time(NULL);
    view.has_data = data_len > 0;
    view.data = (struct bytes_view){data, data_len};
    wire_write_tx(&w, &view);
    free(data);
    core_tx_renew(tx, 0);
    return tx;
}

void core_tx_renew(struct vn_buf *tx, uint64_t nonce)
{
    struct reader r = reader_over(tx->data, tx->len);
    struct tx_view view;
    put_le64(tx->data + NONCE_AT, nonce);
    wire_read_tx(&r, &view);
    rule_tx_id(tx->data, &view);
}

/* ---- the two nodes ---- */

/* The pool of a node that runs for a while lies in memory that was in use before. Fresh memory
 * costs the system as much as a third of what hashing does, which is neither the core's nor the
 * transport's: so both processes touch before what they will need. */
static void warm_memory(const struct run *run)
{
    static void *pieces[TXS_MAX];
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    for (uint32_t i = 0; i < TXS_MAX; i++) {
        pieces[i] = malloc(run->size);
        if (!pieces[i])
            run_fail(run, "memory", "there is no more");
        memset(pieces[i], 1, run->size);
    }
    for (uint32_t i = 0; i < TXS_MAX; i++)
        free(pieces[i]);
}

static void tx_config(struct vn_config *config, const char *id)
{
    core_config(config, id);
    config->mempool_max = config->mempool_per_sender = 2 * TXS_MAX;
    config->mempool_bytes_max = config->peer_bytes_max = 2 * TXS_MAX * MIB;
    config->outbox_soft = config->outbox_hard = 64 * MIB;
}

void core_tx_serve(struct run *run)
{
    struct vn_config config;
    struct core_sink sink = {.begun = false};
    struct vn_info info = {.size = sizeof info};
    tx_config(&config, "server");
    core_sink_open(&sink, run, &config);
    warm_memory(run);
    core_sink_run(&sink);
    vn_node_info(vn_tcp_node_core(sink.n.node), &info);
    /* The first turn with bytes, which does not count, may have brought one. */
    if (info.mempool < run->side->messages || info.mempool > run->side->messages + 1)
        run_fail(run, "transactions", "not all that came were pooled");
}

struct tx_client {
    struct core_node n;
    struct meter meter;
    struct vn_buf *tx;
    uint8_t ids[TXS_MAX][HASH_SIZE];
    uint64_t count, sent, base, until_ns;
    bool begun;
};

static void submit(struct tx_client *c)
{
    memcpy(c->tx->data, c->ids[c->sent], HASH_SIZE);
    put_le64(c->tx->data + NONCE_AT, c->sent);
    c->sent++;
    core_command(&c->n,
                 (struct vn_command){.kind = VN_CMD_SUBMIT_TX, .data = {c->tx, 0, c->tx->len}});
}

static void tx_on_turn(struct core_node *n)
{
    struct tx_client *c = (struct tx_client *)n;
    if (!c->begun)
        return;
    const uint64_t left = core_stats(n).bytes_out - c->base;
    const uint64_t given = c->sent * n->run->size;
    const bool last = c->sent == c->count || run_now_ns() >= c->until_ns;
    const bool room = given - left <= (AHEAD - 1) * (uint64_t)n->run->size;
    if (last && given == left) {
        meter_end(&c->meter, n->run->side);
        n->run->side->messages = c->sent;
        run_mark(n->run, CORE_MARK_DONE);
        uv_stop(&n->loop);
    } else if (!last && room) {
        submit(c);
    }
    core_awake(n, !last && room);
}

static void tx_on_begin(struct core_node *n)
{
    struct tx_client *c = (struct tx_client *)n;
    c->base = core_stats(n).bytes_out;
    c->begun = true;
    c->until_ns = run_now_ns() + n->run->ns;
    meter_begin(&c->meter);
    core_awake(n, true);
}

/* As many as time will be for, if nothing took any but finding the ids. */
static void prepare_ids(struct tx_client *c)
{
    const uint64_t began_ns = run_now_ns();
    while (c->count < TXS_MAX) {
        core_tx_renew(c->tx, c->count);
        memcpy(c->ids[c->count++], c->tx->data, HASH_SIZE);
        if (c->count > SPARE && run_now_ns() - began_ns > c->n.run->ns + c->n.run->ns / 2)
            break;
    }
}

void core_tx_ask(struct run *run)
{
    struct vn_config config;
    struct tx_client *c = calloc(1, sizeof *c);
    if (!c)
        run_fail(run, "memory", "there is no more");
    tx_config(&config, "client");
    c->tx = core_tx_new(run->size - PREFIX_BYTES - 4 - WHOLE_TX);
    c->n.run = run;
    prepare_ids(c);
    core_open(&c->n, run, &config, tx_on_turn);
    warm_memory(run);
    core_connect(&c->n, tx_on_begin);
    uv_run(&c->n.loop, UV_RUN_DEFAULT);
    free(c);
}
