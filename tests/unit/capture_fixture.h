/* For tests of captures: a folder of their own, events of every kind, what an event is compared by,
 * and a small life of a real node that is captured. */
#ifndef TESTS_UNIT_CAPTURE_FIXTURE_H
#define TESTS_UNIT_CAPTURE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/wire/msg.h"
#include "trace/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILD "test build"

static char capture_folder[200], capture_path[220];

static inline int capture_setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(capture_folder, sizeof capture_folder, "%s/vibenet-capture-XXXXXX",
             tmp ? tmp : "/tmp");
    if (!mkdtemp(capture_folder))
        return -1;
    snprintf(capture_path, sizeof capture_path, "%s/a.vncap", capture_folder);
    return 0;
}

static inline int capture_teardown(void **state)
{
    (void)state;
    unlink(capture_path);
    return rmdir(capture_folder);
}

/* ---- files ---- */

static inline uint8_t *file_bytes(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(*len + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *len, f), *len);
    fclose(f);
    return data;
}

static inline void file_write(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    if (len > 0)
        assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* ---- events ---- */

static inline struct vn_slice slice_of(const void *data, size_t len)
{
    if (len == 0)
        return (struct vn_slice){0};
    struct vn_buf *buf = vn_buf_new((uint32_t)len);
    if (data)
        memcpy(buf->data, data, len);
    return (struct vn_slice){buf, 0, (uint32_t)len};
}

static inline struct vn_addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct vn_addr){.family = VN_AF_IPV4, .port = port, .ip = {a, b, c, d}};
}

/* An event with all that it points to. */
struct held_event {
    struct vn_event event;
    struct vn_command command;
    struct vn_slice slices[8];
    struct vn_addr addrs[8];
    bool drained; /* instead of an event: a drain */
};

static inline void held_point(struct held_event *held)
{
    if (held->event.kind == VN_EV_COMMAND)
        held->event.u.command.command = &held->command;
    if (held->event.kind == VN_EV_LOADED)
        held->event.u.loaded.slices = held->slices;
    if (held->event.kind == VN_EV_RESOLVED)
        held->event.u.resolved.addrs = held->addrs;
}

static inline void held_drop(struct held_event *held)
{
    if (held->event.kind == VN_EV_BYTES)
        vn_slice_unref(held->event.u.bytes.data);
    for (uint32_t i = 0; held->event.kind == VN_EV_LOADED && i < held->event.u.loaded.count; i++)
        vn_slice_unref(held->slices[i]);
    vn_slice_unref(held->command.data);
}

static inline bool same_slice(struct vn_slice a, struct vn_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(vn_slice_data(a), vn_slice_data(b), a.len) == 0);
}

static inline bool same_command(const struct vn_command *a, const struct vn_command *b)
{
    return a->kind == b->kind && a->reserved == b->reserved && a->number == b->number &&
           memcmp(&a->addr, &b->addr, sizeof a->addr) == 0 && same_slice(a->data, b->data);
}

static inline bool same_event(const struct vn_event *a, const struct vn_event *b)
{
    bool same = a->kind == b->kind && a->now_ns == b->now_ns;
    switch (same ? (enum vn_event_kind)a->kind : VN_EV_COUNT) {
    case VN_EV_LINK_UP:
        return a->u.link_up.link == b->u.link_up.link &&
               a->u.link_up.window == b->u.link_up.window &&
               memcmp(&a->u.link_up.local, &b->u.link_up.local, sizeof a->u.link_up.local) == 0 &&
               memcmp(&a->u.link_up.remote, &b->u.link_up.remote, sizeof a->u.link_up.remote) == 0;
    case VN_EV_LINK_DOWN:
        return a->u.link_down.link == b->u.link_down.link &&
               a->u.link_down.why == b->u.link_down.why;
    case VN_EV_BYTES:
        return a->u.bytes.link == b->u.bytes.link && same_slice(a->u.bytes.data, b->u.bytes.data);
    case VN_EV_SENT:
        return a->u.sent.link == b->u.sent.link && a->u.sent.bytes == b->u.sent.bytes;
    case VN_EV_CLOCK:
        return a->u.clock.wall_ns == b->u.clock.wall_ns;
    case VN_EV_STORED:
        return a->u.stored.token == b->u.stored.token && a->u.stored.status == b->u.stored.status;
    case VN_EV_LOADED:
        same = a->u.loaded.token == b->u.loaded.token && a->u.loaded.status == b->u.loaded.status &&
               a->u.loaded.count == b->u.loaded.count;
        for (uint32_t i = 0; same && i < a->u.loaded.count; i++)
            same = same_slice(a->u.loaded.slices[i], b->u.loaded.slices[i]);
        return same;
    case VN_EV_RESOLVED:
        return a->u.resolved.token == b->u.resolved.token &&
               a->u.resolved.status == b->u.resolved.status &&
               a->u.resolved.count == b->u.resolved.count &&
               (a->u.resolved.count == 0 ||
                memcmp(a->u.resolved.addrs, b->u.resolved.addrs,
                       a->u.resolved.count * sizeof(struct vn_addr)) == 0);
    case VN_EV_COMMAND:
        return a->u.command.token == b->u.command.token &&
               same_command(a->u.command.command, b->u.command.command);
    case VN_EV_START:
    case VN_EV_TIMER:
    case VN_EV_COUNT:
        break;
    }
    return same;
}

/* ---- a node's life ---- */

static inline void life_config(struct vn_config *config)
{
    vn_config_init(config);
    strcpy(config->node_id, "node-under-test");
    config->listen = addr_v4(10, 1, 0, 1, 8765);
    config->genesis_timestamp = 1000000;
    config->difficulty = 1;
    config->feeler_interval_ns = 0;
    memset(config->seed, 7, sizeof config->seed);
}

/* A node, its clock, and the capture of what it is given. */
struct life {
    struct vn_node *node;
    struct capture *capture; /* or NULL */
    uint64_t now_ns;
    uint64_t events;
    struct {
        uint64_t token;
        uint32_t op;
    } loads[16]; /* all LOADs so far */
    uint32_t load_count;
    uint64_t closes, sends; /* actions */
};

static inline void life_drain(struct life *life)
{
    struct vn_action action;
    while (vn_node_next_action(life->node, &action)) {
        if (action.kind == VN_ACT_LOAD && life->load_count < 16) {
            life->loads[life->load_count].token = action.u.load.token;
            life->loads[life->load_count++].op = action.u.load.op;
        }
        life->closes += action.kind == VN_ACT_CLOSE;
        life->sends += action.kind == VN_ACT_SEND;
        vn_action_release(&action);
    }
    if (life->capture)
        capture_drained(life->capture, vn_node_hash(life->node));
}

static inline void life_step(struct life *life, struct vn_event event)
{
    event.size = sizeof event;
    event.now_ns = life->now_ns += 1000000;
    if (life->capture)
        capture_event(life->capture, &event);
    vn_node_step(life->node, &event);
    life->events++;
    life_drain(life);
}

static inline void life_frame(struct life *life, uint64_t link, const struct msg *msg)
{
    struct vn_buf *frame = msg_frame(msg);
    life_step(life,
              (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {link, {frame, 0, frame->len}}});
    vn_buf_unref(frame);
}

static inline void life_command(struct life *life, struct vn_command command)
{
    life_step(life, (struct vn_event){.kind = VN_EV_COMMAND, .u.command = {1, &command}});
}

/* A peer connects and shakes hands. */
static inline void life_peer(struct life *life, uint64_t link, struct vn_addr remote,
                             const char *id)
{
    const struct msg hello = {
        .kind = MSG_HANDSHAKE,
        .u.handshake = {{(const uint8_t *)"0.1.0", 5}, {(const uint8_t *)id, strlen(id)}, remote}};
    life_step(life,
              (struct vn_event){.kind = VN_EV_LINK_UP,
                                .u.link_up = {link, addr_v4(10, 1, 0, 1, 8765), remote, 1u << 20}});
    life_frame(life, link, &hello);
}

static inline void life_ping(struct life *life, uint64_t link, uint64_t nonce)
{
    life_frame(life, link, &(struct msg){.kind = MSG_PING, .u.ping.nonce = nonce});
    life_step(life, (struct vn_event){.kind = VN_EV_SENT, .u.sent = {link, 16}});
}

/* The clock is set, and what is given is loaded, once each. */
static inline void life_start(struct life *life, struct capture *capture,
                              const struct vn_config *config, struct vn_slice stored_addr,
                              struct vn_slice stored_ban)
{
    *life = (struct life){.node = vn_node_new(config), .capture = capture};
    assert_non_null(life->node);
    life_step(life, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = 1100000000000000});
    life_step(life, (struct vn_event){.kind = VN_EV_START});
    for (uint32_t i = 0; i < life->load_count; i++) {
        struct vn_slice *slice = life->loads[i].op == VN_LOAD_ADDRS  ? &stored_addr
                                 : life->loads[i].op == VN_LOAD_BANS ? &stored_ban
                                                                     : NULL;
        const bool some = slice && slice->len > 0;
        struct vn_slice given = some ? *slice : (struct vn_slice){0};
        life_step(life, (struct vn_event){.kind = VN_EV_LOADED,
                                          .u.loaded = {life->loads[i].token, VN_OK, some, &given}});
        if (some)
            *slice = (struct vn_slice){0};
        vn_slice_unref(given);
    }
}

/* ... nothing is loaded, two peers come, and three blocks are mined. */
static inline void life_begin(struct life *life, struct capture *capture,
                              const struct vn_config *config)
{
    life_start(life, capture, config, (struct vn_slice){0}, (struct vn_slice){0});
    life_peer(life, 2, addr_v4(10, 2, 0, 1, 5000), "alice");
    life_peer(life, 4, addr_v4(10, 3, 0, 1, 5000), "bob");
    life_command(life, (struct vn_command){.kind = VN_CMD_MINE, .number = 3});
}

/* Makes the capture of such a life; returns the hash at its end. */
static inline uint64_t life_capture(const char *path, uint32_t pings)
{
    struct vn_config config;
    struct life life;
    char why[300];
    life_config(&config);
    struct capture *capture =
        capture_new(path, &config, vn_api(VN_API_VERSION)->build, why, sizeof why);
    if (!capture)
        fail_msg("%s", why);
    life_begin(&life, capture, &config);
    for (uint32_t i = 0; i < pings; i++)
        life_ping(&life, 2 + 2 * (i % 2), i);
    const uint64_t hash = vn_node_hash(life.node);
    assert_string_equal(capture_error(capture), "");
    capture_close(capture, hash);
    vn_node_free(life.node);
    return hash;
}

#endif
