/* A node of the core that is given transactions: TX.
 *
 * The server's node checks each by all rules, so it hashes it, and pools it. What it can take is
 * what is measured: so the client is a peer that holds transactions already, on a blocking socket,
 * and sends one frame with another id and nonce each time. The ids are found before the clock runs;
 * the nonce comes before the data in what is hashed. As many as the server may hold. */
#include "tests/bench/tcp/core.h"
#include "tests/bench/tcp/plain.h"

#include "core/chain/rules.h"
#include "core/wire/msg.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TXS_MAX  512u /* of a MiB, that the server pools */
#define SPARE    8u
#define MIB      UINT64_C(1048576)
#define NONCE_AT 128u
#define TX_AT    (PREFIX_BYTES + 4u) /* in a frame, behind the kind of message */
#define QUIET_NS 50000000
#define UNSENT   (192 << 10)
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

/* ---- the server ---- */

/* The pool of a node that runs for a while lies in memory that was in use before. Fresh memory
 * costs the system as much as a third of what hashing does, which is neither the core's nor the
 * transport's: so the server touches before what it will need. */
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

void core_tx_serve(struct run *run)
{
    struct vn_config config;
    struct core_sink sink = {.begun = false};
    struct vn_info info = {.size = sizeof info};
    core_config(&config, "server");
    config.mempool_max = config.mempool_per_sender = 2 * TXS_MAX;
    config.mempool_bytes_max = config.peer_bytes_max = 2 * TXS_MAX * MIB;
    core_sink_open(&sink, run, &config);
    warm_memory(run);
    core_sink_run(&sink);
    vn_node_info(vn_tcp_node_core(sink.n.node), &info);
    /* The first turn with bytes, which does not count, may have brought one. */
    if (info.mempool < run->side->messages || info.mempool > run->side->messages + 1)
        run_fail(run, "transactions", "not all that came were pooled");
}

/* ---- the client ---- */

struct tx_client {
    struct run *run;
    struct vn_buf *tx;
    uint8_t *frame; /* with the same transaction in it */
    uint8_t ids[TXS_MAX][HASH_SIZE];
    uint64_t count, sent;
    int fd;
};

/* What waits in the sender's kernel for room at the other end leaves when that end makes room: over
 * loopback by the receiver's time, a sixth of it. So little waits there, and yet enough to go on
 * with. */
static void open_link(struct tx_client *c)
{
    const int unsent = UNSENT;
    c->fd = plain_socket(c->run, 0);
    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) != 0)
        run_fail(c->run, "a socket", strerror(errno));
    plain_connect(c->run, c->fd, run_port(c->run));
}

/* As many as time will be for, if nothing took any but finding the ids. */
static void prepare_ids(struct tx_client *c)
{
    const uint64_t began_ns = run_now_ns();
    while (c->count < TXS_MAX) {
        core_tx_renew(c->tx, c->count);
        memcpy(c->ids[c->count++], c->tx->data, HASH_SIZE);
        if (c->count > SPARE && run_now_ns() - began_ns > c->run->ns + c->run->ns / 2)
            break;
    }
}

static void prepare_frame(struct tx_client *c)
{
    c->frame = malloc(c->run->size);
    if (!c->frame)
        run_fail(c->run, "memory", "there is no more");
    frame_put_length(c->frame, c->run->size);
    put_le32(c->frame + PREFIX_BYTES, MSG_NEW_TRANSACTION);
    memcpy(c->frame + TX_AT, c->tx->data, c->tx->len);
}

static void send_next(struct tx_client *c)
{
    memcpy(c->frame + TX_AT, c->ids[c->sent], HASH_SIZE);
    put_le64(c->frame + TX_AT + NONCE_AT, c->sent);
    c->sent++;
    for (size_t at = 0; at < c->run->size;) {
        const ssize_t n = send(c->fd, c->frame + at, c->run->size - at, MSG_NOSIGNAL);
        if (n < 0)
            run_fail(c->run, "a transaction", strerror(errno));
        at += (size_t)n;
    }
}

/* What the node has to say meanwhile; when it has no more, it has read everything. */
static void hear_the_end(const struct tx_client *c)
{
    uint8_t bytes[PLAIN_MAX];
    shutdown(c->fd, SHUT_WR);
    while (recv(c->fd, bytes, sizeof bytes, 0) > 0) {
    }
}

static void greet(struct tx_client *c)
{
    open_link(c);
    plain_say(c->run, c->fd, plain_hello(0));
    plain_hear(c->run, c->fd, MSG_REQUEST_BLOCK);
    plain_say(c->run, c->fd, plain_no_block());
    nanosleep(&(struct timespec){.tv_nsec = QUIET_NS}, NULL); /* until it has heard that, too */
}

void core_tx_ask(struct run *run)
{
    struct meter meter;
    struct tx_client *c = calloc(1, sizeof *c);
    if (!c)
        run_fail(run, "memory", "there is no more");
    c->run = run;
    c->tx = core_tx_new(run->size - TX_AT - WHOLE_TX);
    prepare_ids(c);
    prepare_frame(c);
    greet(c);
    run_mark(run, CORE_MARK_BEGIN);
    meter_begin(&meter);
    for (const uint64_t began_ns = run_now_ns();
         c->sent < c->count && run_now_ns() - began_ns < run->ns;)
        send_next(c);
    meter_end(&meter, run->side);
    run->side->messages = c->sent;
    run_mark(run, CORE_MARK_DONE);
    hear_the_end(c);
    vn_buf_unref(c->tx);
    free(c->frame);
    free(c);
}
