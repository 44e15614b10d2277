/* What a capture costs: writing BYTES events of several sizes, beside copying the same bytes to
 * memory and to a mapped file; and a life of transactions and Pings from eight peers, lived in
 * memory, lived with a capture, and replayed from its file, by turns.
 *
 * bench_capture [--json] [--events N] */
#include "core/base/bytes.h"
#include "core/chain/rules.h"
#include "core/wire/msg.h"
#include "tests/bench/bench.h"
#include "trace/replay.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PEERS      8u
#define RING_BYTES (8u << 20) /* more than the caches near a core, as a stream of new buffers is   \
                               */
#define PIECE (4u << 20)      /* of a mapped file, as the writer's */
#define NOW_S UINT64_C(1744070000)

static char path[] = "/tmp/bench-capture-XXXXXX";

static void failed(const char *what)
{
    fprintf(stderr, "bench_capture: %s\n", what);
    exit(1);
}

/* ---- writing ---- */

/* Buffers of one size, which are used in turn. */
struct stream {
    struct vn_slice *slices;
    uint32_t count, size;
    uint8_t *ring;
};

static struct stream stream_new(uint32_t size)
{
    struct stream s = {.count = RING_BYTES / (size < 1024 ? 1024 : size), .size = size};
    s.slices = calloc(s.count, sizeof *s.slices);
    s.ring = malloc(RING_BYTES + size);
    if (!s.slices || !s.ring)
        abort();
    for (uint32_t i = 0; i < s.count; i++) {
        s.slices[i] = (struct vn_slice){vn_buf_new(size), 0, size};
        memset(s.slices[i].buf->data, (int)i, size);
    }
    memset(s.ring, 1, RING_BYTES + size);
    return s;
}

static void stream_free(struct stream *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        vn_slice_unref(s->slices[i]);
    free(s->slices);
    free(s->ring);
}

static uint64_t op_memory(void *ctx, uint64_t n)
{
    const struct stream *s = ctx;
    uint64_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        memcpy(s->ring + at, vn_slice_data(s->slices[i % s->count]), s->size);
        at = at + s->size < RING_BYTES ? at + s->size : 0;
    }
    return s->ring[n % RING_BYTES];
}

/* The same into a file that grows, without a format: what the mapping itself costs. */
static uint64_t op_mapped(void *ctx, uint64_t n)
{
    const struct stream *s = ctx;
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    uint8_t *map = NULL;
    size_t at = PIECE, offset = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (at + s->size > PIECE) {
            if (map)
                munmap(map, PIECE);
            if (posix_fallocate(fd, (off_t)offset, PIECE) != 0)
                failed("no room for files");
            map = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
            if (map == MAP_FAILED)
                failed("a file cannot be mapped");
            offset += PIECE;
            at = 0;
        }
        memcpy(map + at, vn_slice_data(s->slices[i % s->count]), s->size);
        at += s->size;
    }
    munmap(map, PIECE);
    close(fd);
    unlink(path);
    return at;
}

static uint64_t op_capture(void *ctx, uint64_t n)
{
    const struct stream *s = ctx;
    struct vn_config config;
    char why[300];
    vn_config_init(&config);
    strcpy(config.node_id, "bench");
    struct capture *c = capture_new(path, &config, "bench", why, sizeof why);
    if (!c)
        failed(why);
    for (uint64_t i = 0; i < n; i++) {
        const struct vn_event event = {.size = sizeof event,
                                       .kind = VN_EV_BYTES,
                                       .now_ns = 5000 * i,
                                       .u.bytes = {2 * (i % 100), s->slices[i % s->count]}};
        capture_event(c, &event);
        capture_drained(c, i);
    }
    if (capture_error(c)[0])
        failed(capture_error(c));
    const uint64_t bytes = capture_bytes(c);
    capture_abandon(c);
    unlink(path);
    return bytes;
}

static void bench_writing(struct bench *bench)
{
    static const uint32_t sizes[] = {40, 300, 1460, 16384, 65536};
    static char names[5][3][40];
    for (size_t i = 0; i < 5; i++) {
        struct stream s = stream_new(sizes[i]);
        snprintf(names[i][0], 40, "%u B to memory", sizes[i]);
        snprintf(names[i][1], 40, "%u B to a mapped file", sizes[i]);
        snprintf(names[i][2], 40, "%u B as an event and a drain", sizes[i]);
        bench_run(bench, names[i][0], op_memory, &s, sizes[i]);
        bench_run(bench, names[i][1], op_mapped, &s, sizes[i]);
        bench_run(bench, names[i][2], op_capture, &s, sizes[i]);
        stream_free(&s);
    }
}

/* ---- a life ---- */

struct life {
    struct vn_config config;
    struct vn_event *events;
    uint64_t count;
};

static void add(struct life *life, struct vn_event event)
{
    event.size = sizeof event;
    event.now_ns = 1000000000 + 10000 * life->count;
    life->events[life->count++] = event;
}

static void add_bytes(struct life *life, uint64_t link, const struct msg *msg)
{
    struct vn_buf *frame = msg_frame(msg);
    add(life, (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {link, {frame, 0, frame->len}}});
}

static void add_tx(struct life *life, uint64_t link, uint64_t no)
{
    static const uint8_t zeros[128];
    uint8_t id[32], sender[32] = {0};
    put_le64(sender, no);
    struct tx_view tx = {.sender = sender,
                         .recipient = zeros,
                         .tx_id = id,
                         .timestamp = NOW_S,
                         .nonce = no,
                         .has_data = true,
                         .data = {zeros, sizeof zeros}};
    rule_tx_id(id, &tx);
    add_bytes(life, link, &(struct msg){.kind = MSG_NEW_TRANSACTION, .u.tx = tx});
}

static void add_peer(struct life *life, uint64_t link)
{
    char id[16];
    const struct vn_addr remote = {
        .family = VN_AF_IPV4, .port = 8765, .ip = {10, (uint8_t)link, 0, 1}};
    snprintf(id, sizeof id, "peer-%u", (unsigned)link);
    const struct bytes_view version = {(const uint8_t *)"0.1.0", 5},
                            name = {(const uint8_t *)id, strlen(id)};
    add(life, (struct vn_event){.kind = VN_EV_LINK_UP,
                                .u.link_up = {link, remote, remote, UINT32_C(1) << 31}});
    add_bytes(life, link,
              &(struct msg){.kind = MSG_HANDSHAKE, .u.handshake = {version, name, remote}});
}

/* Nine of ten events bring a new transaction, which goes to seven others; one a Ping. */
static struct life life_new(uint64_t count)
{
    struct life life = {.events = calloc(count + 64, sizeof *life.events)};
    if (!life.events)
        abort();
    vn_config_init(&life.config);
    strcpy(life.config.node_id, "bench");
    life.config.mempool_max = 1000000;
    life.config.feeler_interval_ns = 0;
    life.config.tx_rate = life.config.ping_rate = 0;
    add(&life, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = NOW_S * 1000000000});
    add(&life, (struct vn_event){.kind = VN_EV_START});
    for (uint64_t token = 1; token <= 3; token++)
        add(&life, (struct vn_event){.kind = VN_EV_LOADED, .u.loaded.token = token});
    for (uint64_t link = 2; link <= 2 * PEERS; link += 2)
        add_peer(&life, link);
    for (uint64_t i = 0; life.count < count; i++) {
        const uint64_t link = 2 + 2 * (i % PEERS);
        if (i % 10 == 0)
            add_bytes(&life, link, &(struct msg){.kind = MSG_PING, .u.ping.nonce = i});
        else
            add_tx(&life, link, i);
    }
    return life;
}

static void life_free(struct life *life)
{
    for (uint64_t i = 0; i < life->count; i++)
        if (life->events[i].kind == VN_EV_BYTES)
            vn_slice_unref(life->events[i].u.bytes.data);
    free(life->events);
}

/* What the node found out about a buffer must not help the next one. */
static void forget(const struct life *life)
{
    for (uint64_t i = 0; i < life->count; i++)
        if (life->events[i].kind == VN_EV_BYTES) {
            life->events[i].u.bytes.data.buf->memo = 0;
            life->events[i].u.bytes.data.buf->memo_by = NULL;
        }
}

/* Lives it, with a capture or without. Returns nanoseconds; the hash to *hash, the size of the file
 * to *bytes. */
static double lived(const struct life *life, bool captured, uint64_t *hash, uint64_t *bytes)
{
    char why[300];
    struct vn_action action;
    struct capture *c = NULL;
    forget(life);
    unlink(path);
    if (captured && !(c = capture_new(path, &life->config, "bench", why, sizeof why)))
        failed(why);
    struct vn_node *node = vn_node_new(&life->config);
    const double began = bench_now_ns();
    for (uint64_t i = 0; i < life->count; i++) {
        if (c)
            capture_event(c, &life->events[i]);
        vn_node_step(node, &life->events[i]);
        while (vn_node_next_action(node, &action))
            vn_action_release(&action);
        if (c)
            capture_drained(c, vn_node_hash(node));
    }
    const double took = bench_now_ns() - began;
    *hash = vn_node_hash(node);
    if (c) {
        *bytes = capture_bytes(c);
        capture_close(c, *hash);
    }
    vn_node_free(node);
    return took;
}

static double replayed(uint64_t hash)
{
    struct replay_result result;
    char why[400];
    const double began = bench_now_ns();
    struct capture_reader *reader = capture_reader_new(path, why, sizeof why);
    if (!reader || !replay_run(reader, &(struct replay_options){0}, &result, why, sizeof why))
        failed(why);
    const double took = bench_now_ns() - began;
    if (!result.whole || result.hash != hash)
        failed("the replay differs");
    capture_reader_free(reader);
    return took;
}

static void bench_life(const struct bench *bench, uint64_t count)
{
    struct life life = life_new(count);
    double plain[BENCH_ROUNDS], with[BENCH_ROUNDS], replay[BENCH_ROUNDS];
    uint64_t hash, bytes = 0;
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        const double ns = lived(&life, false, &hash, &bytes);
        plain[i] = ns / (double)life.count;
        with[i] = lived(&life, true, &hash, &bytes) / ns;
        replay[i] = replayed(hash) / ns;
    }
    const double event_ns = bench_median(plain, BENCH_ROUNDS);
    const double cost = bench_median(with, BENCH_ROUNDS);
    const double speed = bench_median(replay, BENCH_ROUNDS);
    const double size = (double)bytes / (double)life.count;
    if (bench->json)
        printf("{\"events\": %llu, \"event_ns\": %.1f, \"captured_ratio\": %.3f, "
               "\"replayed_ratio\": %.3f, \"bytes_per_event\": %.1f}\n",
               (unsigned long long)life.count, event_ns, cost, speed, size);
    else
        printf("a life of %llu events, %.0f ns each: with a capture %.3f times as long, replayed "
               "from its file %.3f times; %.1f bytes an event\n",
               (unsigned long long)life.count, event_ns, cost, speed, size);
    life_free(&life);
}

int main(int argc, char **argv)
{
    uint64_t events = 200000;
    const struct bench_option options[] = {{"--events", &events}};
    struct bench bench;
    bench_init_options(&bench, argc, argv, options, 1);
    const int fd = mkstemp(path);
    if (fd < 0 || events < 100)
        failed("needs a place for files, and --events 100..");
    close(fd);
    unlink(path);
    bench_writing(&bench);
    bench_print(&bench);
    bench_life(&bench, events);
    unlink(path);
    return 0;
}
