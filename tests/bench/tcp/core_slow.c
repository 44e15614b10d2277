/* A node that answers requests for blocks: SLOW.
 *
 * The server is a node with a chain of ANSWER_MESSAGES blocks of `size` bytes each, which is what
 * transactions' ids make them. Its peers are plain sockets that ask for all of it again and again;
 * one may ask and not read. An answer is one frame, made anew for each request; messages are
 * blocks. */
#include "tests/bench/tcp/core.h"
#include "tests/bench/tcp/plain.h"

#include "core/wire/msg.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES  65536u
#define OUTSTANDING 2u                   /* requests of a client */
#define HEAD_BYTES  (PREFIX_BYTES + 12u) /* kind, and the number of blocks in a range */

/* ---- the server ---- */

struct slow_server {
    struct core_node n;
    struct meter meter;
    uint64_t base;
    bool begun;
};

static void slow_on_turn(struct core_node *n)
{
    struct slow_server *server = (struct slow_server *)n;
    const struct vn_tcp_stats stats = core_stats(n);
    if (!server->begun && run_marked(n->run, CORE_MARK_BEGIN)) {
        server->begun = true;
        server->base = stats.bytes_out;
        meter_begin(&server->meter);
    }
    if (!run_marked(n->run, CORE_MARK_DONE) || stats.links > 0)
        return;
    meter_end(&server->meter, n->run->side);
    n->run->side->messages = (stats.bytes_out - server->base) / n->run->size;
    uv_stop(&n->loop);
}

static void make_chain(struct core_node *n, uint32_t txs)
{
    struct vn_buf *tx = core_tx_new(0);
    for (uint32_t i = 0; i < ANSWER_MESSAGES * txs; i++) {
        core_tx_renew(tx, i);
        core_command(n, (struct vn_command){.kind = VN_CMD_SUBMIT_TX, .data = {tx, 0, tx->len}});
    }
    vn_buf_unref(tx);
    core_command(n, (struct vn_command){.kind = VN_CMD_MINE, .number = ANSWER_MESSAGES});
}

void core_slow_serve(struct run *run)
{
    struct vn_config config;
    struct slow_server server = {.begun = false};
    const uint32_t txs = (run->size - BLOCK_SIZE_MIN) / HASH_SIZE;
    core_config(&config, "server");
    config.max_inbound = run->links + 1;
    config.max_pending = run->links + 1;
    config.mine_max_txs = txs;
    config.mempool_max = config.mempool_per_sender = ANSWER_MESSAGES * txs;
    core_open_server(&server.n, run, &config, slow_on_turn);
    make_chain(&server.n, txs);
    uv_run(&server.n.loop, UV_RUN_DEFAULT);
}

/* ---- the client ---- */

struct slow_client;

struct slow_reader {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct slow_client *client;
    uint8_t head[HEAD_BYTES];
    uint32_t head_len;
    uint32_t left; /* bytes of the frame being received, behind its head */
    bool deaf, ready;
};

struct slow_client {
    struct run *run;
    uv_loop_t loop;
    struct meter meter;
    uv_timer_t timer;
    struct slow_reader *readers;
    struct plain_frame no_block, request;
    uint32_t count, ready;
    bool ended;
    uint8_t in[READ_BYTES];
};

static void check(const struct run *run, const char *what, int status)
{
    if (status < 0)
        run_fail(run, what, uv_strerror(status));
}

static void say(struct slow_reader *reader, struct plain_frame frame)
{
    uv_buf_t buf = uv_buf_init((char *)frame.bytes, frame.len);
    if (uv_try_write((uv_stream_t *)&reader->tcp, &buf, 1) != (int)frame.len)
        run_fail(reader->client->run, "write", "a message did not leave at once");
}

static void slow_on_time(uv_timer_t *timer)
{
    struct slow_client *client = timer->data;
    meter_end(&client->meter, client->run->side);
    run_mark(client->run, CORE_MARK_DONE);
    uv_stop(timer->loop);
}

/* All shook hands. */
static void slow_begin(struct slow_client *client)
{
    run_mark(client->run, CORE_MARK_BEGIN);
    meter_begin(&client->meter);
    for (uint32_t i = 0; i < client->count; i++) {
        struct slow_reader *reader = &client->readers[i];
        if (reader->deaf)
            uv_read_stop((uv_stream_t *)&reader->tcp);
        for (uint32_t k = 0; k < (reader->deaf ? SLOW_REQUESTS : OUTSTANDING); k++)
            say(reader, client->request);
    }
    uv_timer_start(&client->timer, slow_on_time, client->run->ns / 1000000, 0);
}

static void reader_on_head(struct slow_reader *reader)
{
    struct slow_client *client = reader->client;
    switch (get_le32(reader->head + PREFIX_BYTES)) {
    case MSG_HANDSHAKE:
        reader->ready = true;
        if (++client->ready == client->count)
            slow_begin(client);
        break;
    case MSG_REQUEST_BLOCK:
        say(reader, client->no_block);
        break;
    case MSG_RESPONSE_BLOCK_RANGE:
        if (get_le64(reader->head + PREFIX_BYTES + 4) != ANSWER_MESSAGES ||
            reader->left != ANSWER_MESSAGES * client->run->size)
            run_fail(client->run, "an answer", "not the blocks that were asked for");
        client->run->side->messages += ANSWER_MESSAGES;
        say(reader, client->request);
        break;
    case MSG_DISCONNECT:
        run_fail(client->run, "a link", "the node ended it");
    default:
        break;
    }
}

/* Blocks are counted, and asked for again, as their frame begins: what is behind its head passes
 * unseen, as it would in a program that keeps it. */
static void reader_frames(struct slow_reader *reader, const uint8_t *at, size_t len)
{
    while (len > 0) {
        if (reader->left > 0) {
            const uint32_t part = reader->left < len ? reader->left : (uint32_t)len;
            at += part;
            len -= part;
            reader->left -= part;
            continue;
        }
        reader->head[reader->head_len++] = *at++;
        len--;
        uint32_t size = reader->head_len < PREFIX_BYTES ? UINT32_MAX : frame_size(reader->head);
        if (reader->head_len < size && reader->head_len < HEAD_BYTES)
            continue;
        reader->left = size - reader->head_len;
        reader->head_len = 0;
        reader_on_head(reader);
    }
}

static void reader_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct slow_reader *reader = (struct slow_reader *)handle;
    (void)suggested;
    *buf = uv_buf_init((char *)reader->client->in, READ_BYTES);
}

static void reader_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct slow_reader *reader = (struct slow_reader *)stream;
    check(reader->client->run, "read", (int)n);
    reader_frames(reader, (const uint8_t *)buf->base, (size_t)n);
}

static void reader_on_connect(uv_connect_t *request, int status)
{
    struct slow_reader *reader = request->data;
    struct slow_client *client = reader->client;
    const struct plain_frame hello = plain_hello((uint32_t)(reader - client->readers));
    check(client->run, "connect", status);
    uv_tcp_nodelay(&reader->tcp, 1);
    uv_read_start((uv_stream_t *)&reader->tcp, reader_alloc, reader_on_read);
    say(reader, hello);
}

void core_slow_ask(struct run *run)
{
    struct slow_client *client = calloc(1, sizeof *client);
    struct sockaddr_in addr;
    if (!client || !(client->readers = calloc(run->links + 1, sizeof *client->readers)))
        run_fail(run, "memory", "there is no more");
    client->run = run;
    client->count = run->links + run->slow;
    client->no_block = plain_no_block();
    client->request = plain_request_range(1, ANSWER_MESSAGES);
    check(run, "loop", uv_loop_init(&client->loop));
    uv_timer_init(&client->loop, &client->timer);
    client->timer.data = client;
    uv_ip4_addr("127.0.0.1", run_port(run), &addr);
    for (uint32_t i = 0; i < client->count; i++) {
        struct slow_reader *reader = &client->readers[i];
        reader->client = client;
        reader->deaf = i == run->links;
        reader->connect.data = reader;
        uv_tcp_init(&client->loop, &reader->tcp);
        check(run, "connect",
              uv_tcp_connect(&reader->connect, &reader->tcp, (const struct sockaddr *)&addr,
                             reader_on_connect));
    }
    uv_run(&client->loop, UV_RUN_DEFAULT);
    free(client->readers);
    free(client);
}
