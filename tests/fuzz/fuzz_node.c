/* A whole node behind its door: several links with bytes well made, spoilt and random, a disk that
 * is slow or fails, a clock that jumps, commands, timers, in any order. The driver (driver.h)
 * checks what the node promises. */
#include "tests/fuzz/driver.h"

#define SECOND UINT64_C(1000000000)

enum op {
    OP_TIMER,       /* to the deadline, or less or more */
    OP_MESSAGE,     /* a whole frame on a link */
    OP_MESSAGES,    /* several in one slice */
    OP_RAW,         /* bytes of the input */
    OP_PART,        /* a frame in two pieces */
    OP_ANSWER,      /* what the node asked for */
    OP_FLOOD,       /* thousands of one small message */
    OP_ACCEPT,      /* a link comes, and shakes hands */
    OP_ACCEPT_MUTE, /* a link comes and says nothing */
    OP_DIAL_UP,     /* a dial is answered, and shakes hands */
    OP_DOWN,
    OP_REFUND,
    OP_STORED,
    OP_LOADED,
    OP_COMMAND,
    OP_CLOCK,
    OP_GROW, /* the world mines */
    OP_NONSENSE,
    OPS
};

static void config_of(struct vn_config *config, struct input *in, const struct forge *forge)
{
    static const struct vn_addr seeds[] = {
        {.family = VN_AF_IPV4, .port = 8765, .ip = {10, 0, 0, 1}},
        {.family = VN_AF_IPV4, .port = 8765, .ip = {10, 0, 0, 2}},
        {.family = VN_AF_IPV4, .port = 8765, .ip = {127, 0, 0, 1}},
    };
    const uint8_t shape = input_u8(in);
    vn_config_init(config);
    memcpy(config->node_id, "node", 5);
    config->genesis_timestamp = forge->params.genesis_timestamp;
    config->difficulty = forge->params.difficulty;
    config->seeds = seeds;
    config->seed_count = shape % 4;
    config->max_outbound = shape >> 2 & 3;
    config->max_inbound = 4;
    config->known_peers = shape & 0x10 ? 5 : 100;
    config->ban_by = (shape >> 5) % 3;
    config->cached_blocks = shape & 0x80 ? 2 : 100;
    config->orphans_max = 5;
    config->mempool_max = 10;
    config->mempool_per_sender = 4;
    config->outbox_soft = 1024;
}

static struct driver_link *some_link(struct driver *d, struct input *in)
{
    const uint32_t first = input_u8(in);
    for (uint32_t i = 0; i < d->link_count; i++) {
        struct driver_link *link = &d->links[(first + i) % d->link_count];
        if (link->up && !link->down)
            return link;
    }
    return NULL;
}

/* A dial without an answer. */
static struct driver_link *some_dial(struct driver *d)
{
    for (uint32_t i = 0; i < d->link_count; i++)
        if (!d->links[i].up && !d->links[i].down)
            return &d->links[i];
    return NULL;
}

static void say(struct driver *d, const struct driver_link *link, struct vn_buf *frame)
{
    driver_bytes(d, link, (struct vn_slice){frame, 0, frame->len});
    vn_buf_unref(frame);
}

static void say_parts(struct driver *d, const struct driver_link *link, struct vn_buf *frame,
                      uint32_t first)
{
    driver_bytes(d, link, (struct vn_slice){frame, 0, first});
    driver_bytes(d, link, (struct vn_slice){frame, first, frame->len - first});
    vn_buf_unref(frame);
}

static void say_several(struct driver *d, struct forge *forge, struct input *in,
                        const struct driver_link *link)
{
    struct vn_buf *frames[8];
    const uint32_t count = 1 + input_below(in, 8);
    uint32_t len = 0, at = 0;
    for (uint32_t i = 0; i < count; i++) {
        frames[i] = forge_message(forge, in);
        len += frames[i]->len;
    }
    struct vn_buf *all = vn_buf_new(len);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(all->data + at, frames[i]->data, frames[i]->len);
        at += frames[i]->len;
        vn_buf_unref(frames[i]);
    }
    say(d, link, all);
}

static void say_raw(struct driver *d, struct input *in, const struct driver_link *link)
{
    size_t len = input_u8(in);
    const uint8_t *bytes = input_bytes(in, &len);
    struct vn_buf *raw = vn_buf_new((uint32_t)len);
    if (len > 0)
        memcpy(raw->data, bytes, len);
    say(d, link, raw);
}

/* The answer of a peer whose tip is among the newest blocks of the world. */
static void answer(struct driver *d, struct forge *forge, struct input *in)
{
    const uint32_t age = input_below(in, 4);
    struct driver_link *link = some_link(d, in);
    for (uint32_t i = 0; i < d->link_count && link && link->asked_count == 0; i++)
        if (d->links[i].up && !d->links[i].down && d->links[i].asked_count > 0)
            link = &d->links[i];
    if (!link || link->asked_count == 0)
        return;
    const struct driver_asked asked = link->asked[0];
    memmove(link->asked, link->asked + 1, --link->asked_count * sizeof *link->asked);
    say(d, link,
        forge_answer(forge, forge->count - 1 - age % forge->count, asked.range, asked.start,
                     asked.end));
}

static void flood(struct driver *d, struct input *in, const struct driver_link *link)
{
    const uint32_t count = 256u * (1 + input_below(in, 32));
    const bool ping = input_below(in, 2) == 0;
    struct vn_buf *all = vn_buf_new(16 * count);
    for (uint32_t i = 0; i < count; i++) {
        struct msg msg = {.kind = ping ? MSG_PING : MSG_REQUEST_BLOCK};
        if (ping)
            msg.u.ping.nonce = i;
        else
            msg.u.request_block.height = i % 8;
        put_be32(all->data + 16 * (size_t)i, 12);
        msg_encode(&msg, all->data + 16 * (size_t)i + 4);
    }
    say(d, link, all);
}

static void accept_link(struct driver *d, struct input *in, bool speaks)
{
    const uint8_t shape = input_u8(in);
    driver_accept(d, shape & 1 ? 1u << 18 : 1u + shape);
    if (speaks)
        say(d, &d->links[d->link_count - 1], forge_handshake(in, shape >> 4));
}

static void answer_dial(struct driver *d, struct input *in)
{
    struct driver_link *link = some_dial(d);
    const uint8_t shape = input_u8(in);
    if (!link)
        return;
    if ((shape & 7) == 0 || link->closed) {
        driver_down(d, link, VN_WHY_REFUSED);
        return;
    }
    driver_dialled_up(d, link, shape & 8 ? 1u << 18 : 1u + shape);
    if (shape & 6)
        say(d, link, forge_handshake(in, shape >> 4));
}

static void timer(struct driver *d, struct input *in)
{
    struct vn_event event = {.kind = VN_EV_TIMER};
    const uint8_t how = input_u8(in);
    const uint64_t deadline = vn_node_deadline(d->nodes[0]);
    if (how < 160 && deadline != VN_NEVER && deadline > d->now_ns)
        d->now_ns = deadline;
    else
        d->now_ns += how * SECOND / 8;
    driver_step(d, &event);
    const uint64_t next = vn_node_deadline(d->nodes[0]);
    CLAIM(next > d->now_ns, "a deadline is due and its TIMER has been given");
}

static void command(struct driver *d, struct input *in)
{
    const uint8_t host = input_u8(in);
    struct vn_command command = {.kind = 1 + input_below(in, VN_CMD_COUNT + 1)};
    command.number = command.kind == VN_CMD_MINE ? input_below(in, 8) : input_u8(in) * SECOND;
    command.addr = (struct vn_addr){.family = host == 255 ? VN_AF_NONE : VN_AF_IPV4,
                                    .port = host & 0x40   ? 0
                                            : host & 0x80 ? 40000
                                                          : 8765,
                                    .ip = {10, 0, 0, host % 24}};
    if (command.kind == VN_CMD_SHUTDOWN && host > 20)
        return;
    struct vn_buf *tx = forge_tx(in);
    command.data = (struct vn_slice){tx, 0, tx->len};
    driver_command(d, &command);
    vn_buf_unref(tx);
}

static void set_clock(struct driver *d, struct input *in)
{
    struct vn_event event = {.kind = VN_EV_CLOCK};
    const uint16_t shift = input_u16(in);
    event.u.clock.wall_ns = shift == UINT16_MAX ? UINT64_MAX
                            : shift & 0x8000    ? (FORGE_WALL_S - (shift & 0x7fff)) * SECOND
                                                : (FORGE_WALL_S + shift) * SECOND;
    if (shift == 0x8000)
        event.u.clock.wall_ns = 0;
    driver_step(d, &event);
}

static enum vn_status some_status(struct input *in)
{
    return input_below(in, 8) == 0 ? VN_ERR_IO : VN_OK;
}

/* The answer of a disk that may be slow, short, torn or another's. */
static void loaded(struct driver *d, struct forge *forge, struct input *in)
{
    const enum vn_status status = some_status(in);
    const uint32_t most = 1 + input_below(in, 100);
    const enum driver_lie lie = (enum driver_lie)(input_u8(in) % (2 * LIES));
    struct vn_slice foreign = {forge->blocks[input_below(in, forge->count)], 0, 0};
    const uint16_t at = input_u16(in);
    foreign.len = foreign.buf->len;
    struct vn_buf *raw = NULL;
    if (lie == LIE_FOREIGN && at & 1) {
        size_t len = input_u8(in);
        const uint8_t *bytes = input_bytes(in, &len);
        raw = vn_buf_new((uint32_t)len);
        memcpy(raw->data, bytes, len);
        foreign = (struct vn_slice){raw, 0, raw->len};
    }
    driver_loaded(d, status, most, lie < LIES ? lie : LIE_NONE, at, foreign);
    if (raw)
        vn_buf_unref(raw);
}

/* Events that make no sense are ignored. */
static void nonsense(struct driver *d, struct input *in)
{
    struct vn_event event = {.kind = 1 + input_u8(in) % 40};
    if (event.kind == VN_EV_COMMAND || event.kind == VN_EV_CLOCK || event.kind == VN_EV_START)
        return;
    const uint64_t hash = vn_node_hash(d->nodes[0]);
    if (event.kind == VN_EV_TIMER) { /* and a clock that goes back counts as standing */
        const uint64_t back = input_u8(in) * SECOND;
        driver_step_at(d, &event, d->now_ns > back ? d->now_ns - back : 0);
        return;
    }
    event.u.link_down.link = UINT64_C(1) << 40 | input_u8(in);
    if (event.kind == VN_EV_LINK_UP)
        event.u.link_up.link |= 1; /* a dial that was never made */
    driver_step(d, &event);
    CLAIM(vn_node_hash(d->nodes[0]) != hash, "an event is not in the hash");
}

static void on_link(struct driver *d, struct forge *forge, struct input *in, enum op op)
{
    struct driver_link *link = some_link(d, in);
    if (!link)
        return;
    if (op == OP_MESSAGE) {
        say(d, link, forge_message(forge, in));
    } else if (op == OP_MESSAGES) {
        say_several(d, forge, in, link);
    } else if (op == OP_RAW) {
        say_raw(d, in, link);
    } else if (op == OP_PART) {
        struct vn_buf *frame = forge_message(forge, in);
        say_parts(d, link, frame, input_u8(in) % frame->len);
    } else if (op == OP_FLOOD) {
        flood(d, in, link);
    } else if (op == OP_DOWN) {
        driver_down(d, link, VN_WHY_RESET);
    } else {
        driver_refund(d, link, (uint64_t)input_u8(in) * 64);
    }
}

static void run_op(struct driver *d, struct forge *forge, struct input *in)
{
    const enum op op = (enum op)(input_u8(in) % OPS);
    switch (op) {
    case OP_TIMER:
        timer(d, in);
        break;
    case OP_MESSAGE:
    case OP_MESSAGES:
    case OP_RAW:
    case OP_PART:
    case OP_FLOOD:
    case OP_DOWN:
    case OP_REFUND:
        on_link(d, forge, in, op);
        break;
    case OP_ANSWER:
        answer(d, forge, in);
        break;
    case OP_ACCEPT:
    case OP_ACCEPT_MUTE:
        accept_link(d, in, op == OP_ACCEPT);
        break;
    case OP_DIAL_UP:
        answer_dial(d, in);
        break;
    case OP_STORED:
        driver_stored(d, some_status(in));
        break;
    case OP_LOADED:
        loaded(d, forge, in);
        break;
    case OP_COMMAND:
        command(d, in);
        break;
    case OP_CLOCK:
        set_clock(d, in);
        break;
    case OP_GROW:
        forge_grow(forge, in, input_u8(in), 1 + input_below(in, 6));
        break;
    case OP_NONSENSE:
        nonsense(d, in);
        break;
    case OPS:
        break;
    }
}

static void start(struct driver *d)
{
    struct vn_event clock = {.kind = VN_EV_CLOCK}, event = {.kind = VN_EV_START};
    clock.u.clock.wall_ns = FORGE_WALL_S * SECOND;
    driver_step(d, &clock);
    driver_step(d, &event);
    driver_drain(d);
}

/* The world so far: a trunk of 6 blocks, and a longer branch that leaves it at height 2; the node's
 * disk may hold some of the trunk. */
static void prepare_world(struct driver *d, struct forge *forge, uint32_t on_disk)
{
    static const uint8_t shapes[16] = {1, 2, 3, 5, 6, 7};
    struct input fixed = {shapes, sizeof shapes};
    forge_grow(forge, &fixed, 0, 6);
    forge_grow(forge, &fixed, 2, 8);
    for (uint32_t h = 1; h <= on_disk; h++)
        d->disk[h] = (struct vn_slice){vn_buf_ref(forge->blocks[h]), 0, forge->blocks[h]->len};
}

static void greet(struct driver *d, uint32_t peers)
{
    for (uint32_t who = 0; who < peers; who++) {
        struct input empty = {NULL, 0};
        driver_accept(d, 1u << 18);
        say(d, &d->links[d->link_count - 1], forge_handshake(&empty, who));
        driver_drain(d);
    }
}

static void look(const struct driver *d)
{
    struct vn_info info = {.size = sizeof info};
    struct vn_peer_info peer = {.size = sizeof peer};
    uint8_t hash[32];
    vn_node_info(d->nodes[0], &info);
    CLAIM(vn_node_block_hash(d->nodes[0], info.height, hash) && memcmp(hash, info.tip, 32) == 0,
          "the tip is not the best chain's last block");
    CLAIM(!vn_node_block_hash(d->nodes[0], info.height + 1, hash), "a block above the tip");
    CLAIM(info.inbound <= 4, "more inbound links than allowed");
    CLAIM(info.mempool <= 10 && info.orphans <= 5,
          "a bound of the pool or the orphans is exceeded");
    uint32_t ready = 0;
    for (uint32_t i = 0; vn_node_peer(d->nodes[0], i, &peer); i++) {
        ready += peer.state == VN_PEER_READY;
        CLAIM(peer.outbox_bytes <= (24u << 20) + FRAME_PAYLOAD_MAX + FRAME_HEADER,
              "an outbox holds more than its hard limit and one frame");
    }
    CLAIM(ready == info.inbound + info.outbound, "ready links are miscounted");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct driver d;
    struct input in = {data, size};
    struct forge forge;
    struct vn_config config;
    forge_init(&forge);
    config_of(&config, &in, &forge);
    driver_init(&d, &config);
    const uint8_t world = input_u8(&in);
    prepare_world(&d, &forge, world % 5);
    start(&d);
    for (uint32_t i = 0; i < 3 && world & 0x20; i++) { /* blocks, addresses, bans */
        driver_loaded(&d, VN_OK, 100, LIE_NONE, 0, (struct vn_slice){0});
        driver_drain(&d);
    }
    greet(&d, world >> 6);
    while (input_left(&in) > 0 && driver_room(&d)) {
        run_op(&d, &forge, &in);
        if (input_below(&in, 4) != 0)
            driver_drain(&d);
        look(&d);
    }
    driver_deinit(&d);
    forge_deinit(&forge);
    return 0;
}
