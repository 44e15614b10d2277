/* The protocol core at both ends of one link: STREAM, PONG, BULK, ROUND_TRIP.
 *
 * Messages are Pings that the client's node is told to send, so many at once, each padded to the
 * size that is asked for; each is answered by a Pong of 16 bytes. So STREAM and PONG are the same
 * here: nothing that the protocol moves without a limit goes unanswered. So many are under way that
 * neither end waits for the other, and no more, lest they leave the caches: of 1 KiB a thousand;
 * with 1200 under way each cost both ends half as much again and more.
 *
 * A node makes the Pings of one command from one: up to 256 bytes copied, above that sent from
 * where it lies. */
#include "tests/bench/tcp/core.h"

#include <stdlib.h>
#include <string.h>

#define MIB UINT64_C(1048576)

struct stream {
    struct core_node n;
    struct meter meter;
    struct vn_command ping;
    uint64_t base, sent, until_ns, under_way;
    uint64_t *ns, sent_ns; /* of ROUND_TRIP */
    bool begun;
};

static void stream_config(struct vn_config *config, const char *id)
{
    core_config(config, id);
    config->outbox_hard = 128 * MIB;
}

void core_stream_serve(struct run *run)
{
    struct vn_config config;
    struct core_sink sink = {.begun = false};
    stream_config(&config, "server");
    core_sink_open(&sink, run, &config);
    core_sink_run(&sink);
}

static uint64_t answered(const struct stream *s)
{
    return (core_stats(&s->n).bytes_in - s->base) / PONG_BYTES;
}

static void stream_done(struct stream *s)
{
    meter_end(&s->meter, s->n.run->side);
    s->n.run->side->messages = s->sent;
    run_mark(s->n.run, CORE_MARK_DONE);
    uv_stop(&s->n.loop);
}

static void stream_on_turn(struct core_node *n)
{
    struct stream *s = (struct stream *)n;
    if (!s->begun)
        return;
    const uint64_t back = answered(s);
    if (run_now_ns() >= s->until_ns) {
        if (back == s->sent)
            stream_done(s);
        return;
    }
    while (s->sent - back + s->ping.number <= s->under_way) {
        core_command(n, s->ping);
        s->sent += s->ping.number;
    }
}

static void round_trip_on_turn(struct core_node *n)
{
    struct stream *s = (struct stream *)n;
    if (!s->begun || answered(s) < s->sent)
        return;
    const uint64_t now_ns = run_now_ns();
    if (s->sent > 0)
        s->ns[s->sent - 1] = now_ns - s->sent_ns;
    if (s->sent == n->run->pings || now_ns >= s->until_ns) {
        stream_done(s);
        return;
    }
    s->sent_ns = run_now_ns();
    core_command(n, s->ping);
    s->sent++;
}

static void stream_on_begin(struct core_node *n)
{
    struct stream *s = (struct stream *)n;
    s->base = core_stats(n).bytes_in;
    s->begun = true;
    s->until_ns = run_now_ns() + n->run->ns * (n->run->work == WORK_ROUND_TRIP ? 5 : 1);
    meter_begin(&s->meter);
    n->on_turn(n);
}

/* What is behind the 16 bytes of a Ping. */
static struct vn_slice padding(uint32_t size)
{
    if (size == PONG_BYTES)
        return (struct vn_slice){0};
    struct vn_buf *buf = vn_buf_new(size - PONG_BYTES);
    memset(buf->data, 0xab, buf->len);
    return (struct vn_slice){buf, 0, buf->len};
}

void core_stream_ask(struct run *run)
{
    struct vn_config config;
    struct stream s = {.begun = false};
    const bool one = run->work == WORK_ROUND_TRIP;
    s.ping = (struct vn_command){.kind = VN_CMD_PING, .addr = core_server(run)};
    s.ping.number = one ? 1 : run->size > 65536 ? 16 : run->size > 256 ? 100 : 5000;
    s.ping.data = padding(run->size);
    s.under_way = s.ping.number * (run->size > 65536 ? 3 : run->size > 256 ? 10 : 40);
    s.ns = one ? calloc(run->pings, sizeof *s.ns) : NULL;
    if (one && !s.ns)
        run_fail(run, "memory", "there is no more");
    stream_config(&config, "client");
    core_open(&s.n, run, &config, one ? round_trip_on_turn : stream_on_turn);
    core_connect(&s.n, stream_on_begin);
    uv_run(&s.n.loop, UV_RUN_DEFAULT);
    if (one)
        run_percentiles(run->side, s.ns, s.sent);
    free(s.ns);
    vn_slice_unref(s.ping.data);
}
