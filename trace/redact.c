/* See redact.h. The file is read twice. First only what peers sent is looked at, so that a frame is
 * known before its first byte is copied. Then two nodes are stepped side by side, the original's
 * and the copy's: the first knows what each LOADED is the answer to, and what would have been done.
 *
 * The last event of a capture that ends early is copied, but no node is given it: it may be what
 * ended the node, and it would end this process too. */
#include "trace/redact.h"

#include "core/wire/msg.h"
#include "trace/redact_frames.h"
#include "trace/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ADDR_KEY 19u /* VN_STORE_ADDR's key: family, IP address, port */
#define BAN_KEY  32u

/* A LOAD that was not answered yet. */
struct load {
    uint64_t token;
    uint32_t op;
};

struct redaction {
    const struct vn_api *api;
    struct capture_reader *reader;
    struct capture *out;
    struct redact_names *names;
    struct redact_frames *frames;
    struct vn_config config; /* the copy's */
    struct vn_addr *seeds;
    struct vn_node *nodes[2]; /* the original's, the copy's */
    struct load *loads;
    size_t load_count, load_room;
    uint64_t last; /* the event that no node is given; 0: none */
    struct redact_result *result;
    void (*on_progress)(void *ctx, const struct replay_progress *progress);
    void *ctx;
    char *why;
    size_t why_size;
};

static bool refuse(struct redaction *r, const char *text)
{
    snprintf(r->why, r->why_size, "%s", text);
    return false;
}

static void progress(struct redaction *r, uint64_t events, bool second)
{
    const uint64_t size = capture_reader_size(r->reader);
    if (r->on_progress)
        r->on_progress(r->ctx, &(struct replay_progress){
                                   .bytes = capture_reader_at(r->reader) + (second ? size : 0),
                                   .bytes_all = 2 * size,
                                   .events = events,
                               });
}

/* ---- the first reading ---- */

static void survey(struct redaction *r)
{
    struct capture_record record;
    uint64_t events = 0;
    bool open = false;
    while (capture_reader_next(r->reader, &record)) {
        if (record.kind == CAPTURE_EVENT) {
            progress(r, ++events, false);
            redact_frames_event(r->frames, &record.event);
        }
        open = record.kind == CAPTURE_EVENT;
    }
    r->last = capture_reader_torn(r->reader) && open ? events : 0;
    redact_frames_turn(r->frames);
    capture_reader_rewind(r->reader);
}

/* ---- what the nodes do ---- */

static const char *action_name(const struct vn_action *action)
{
    static const char *const names[] = {"nothing",     "a dial",       "a send",  "a close",
                                        "a read-stop", "a read-start", "a store", "a load",
                                        "a resolve",   "a reply"};
    _Static_assert(sizeof names / sizeof *names == VN_ACT_COUNT, "an action has no name");
    return action->kind < VN_ACT_COUNT ? names[action->kind] : "something";
}

/* Whether b is what a is, with other names. */
static bool alike(struct redaction *r, const struct vn_action *a, const struct vn_action *b)
{
    struct vn_addr remote;
    if (a->kind != b->kind || a->link != b->link)
        return false;
    switch ((enum vn_action_kind)a->kind) {
    case VN_ACT_DIAL:
        remote = a->u.dial.remote;
        redact_names_addr(r->names, &remote);
        return memcmp(&remote, &b->u.dial.remote, sizeof remote) == 0 &&
               a->u.dial.link_class == b->u.dial.link_class;
    case VN_ACT_SEND:
        return a->u.send.count == b->u.send.count && a->u.send.bytes == b->u.send.bytes;
    case VN_ACT_CLOSE:
        return a->u.close.why == b->u.close.why;
    case VN_ACT_STORE:
        return a->u.store.token == b->u.store.token && a->u.store.count == b->u.store.count;
    case VN_ACT_LOAD:
        return a->u.load.token == b->u.load.token && a->u.load.op == b->u.load.op &&
               a->u.load.from == b->u.load.from && a->u.load.to == b->u.load.to;
    case VN_ACT_RESOLVE:
        return a->u.resolve.token == b->u.resolve.token;
    case VN_ACT_REPLY:
        return a->u.reply.token == b->u.reply.token && a->u.reply.status == b->u.reply.status;
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
    case VN_ACT_COUNT:
        break;
    }
    return true;
}

static void note_load(struct redaction *r, const struct vn_action *action)
{
    if (r->load_count == r->load_room) {
        r->load_room = r->load_room ? 2 * r->load_room : 16;
        r->loads = realloc(r->loads, r->load_room * sizeof *r->loads);
        if (!r->loads)
            abort();
    }
    r->loads[r->load_count++] = (struct load){action->u.load.token, action->u.load.op};
}

/* The op that a LOADED answers; 0 if nobody asked. */
static uint32_t take_load(struct redaction *r, uint64_t token)
{
    for (size_t i = 0; i < r->load_count; i++)
        if (r->loads[i].token == token) {
            const uint32_t op = r->loads[i].op;
            r->loads[i] = r->loads[--r->load_count];
            return op;
        }
    return 0;
}

static void compare(struct redaction *r, const struct vn_action *a, const struct vn_action *b)
{
    struct redact_result *result = r->result;
    result->actions++;
    if (result->differs || alike(r, a, b))
        return;
    result->differs = true;
    result->differs_at = result->events;
    snprintf(result->difference, sizeof result->difference,
             "%s on link %llu, where it was %s on link %llu", action_name(b),
             (unsigned long long)b->link, action_name(a), (unsigned long long)a->link);
}

/* Each node is asked until it says that there is no more, and not once more: the hash counts it. */
static void drain(struct redaction *r)
{
    bool some[2] = {true, true};
    while (some[0] || some[1]) {
        struct vn_action actions[2];
        for (int i = 0; i < 2; i++) {
            actions[i].kind = 0;
            actions[i].link = 0;
            some[i] = some[i] && r->api->node_next_action(r->nodes[i], &actions[i]);
        }
        if (some[0] || some[1])
            compare(r, &actions[0], &actions[1]);
        if (some[0] && actions[0].kind == VN_ACT_LOAD)
            note_load(r, &actions[0]);
        for (int i = 0; i < 2; i++)
            if (some[i])
                r->api->action_release(&actions[i]);
    }
    capture_drained(r->out, r->api->node_hash(r->nodes[1]));
}

/* ---- events with other names ---- */

static struct vn_slice copy_of(struct vn_slice slice)
{
    struct vn_buf *buf = vn_buf_new(slice.len);
    memcpy(buf->data, vn_slice_data(slice), slice.len);
    return (struct vn_slice){buf, 0, slice.len};
}

/* An address record, its key first. */
static struct vn_slice stored_addr(struct redaction *r, struct vn_slice record)
{
    if (record.len < ADDR_KEY) /* it makes no sense */
        return (struct vn_slice){0};
    struct vn_slice out = copy_of(record);
    struct vn_addr addr = {.family = out.buf->data[0]};
    memcpy(addr.ip, out.buf->data + 1, sizeof addr.ip);
    redact_names_addr(r->names, &addr);
    memcpy(out.buf->data + 1, addr.ip, sizeof addr.ip);
    return out;
}

/* Blocks stay as they are. What is none, since it rotted or this build took something else for one,
 * stays none, of the same length. */
static struct vn_slice stored_block(struct vn_slice record)
{
    struct reader in = reader_over(vn_slice_data(record), record.len);
    struct block_view view;
    wire_read_block(&in, &view);
    if (record.len == 0 || (in.ok && reader_left(&in) == 0))
        return vn_slice_ref(record);
    struct vn_slice out = copy_of(record);
    memset(out.buf->data, 0xff, out.len);
    return out;
}

/* A ban, its end before its key. */
static struct vn_slice stored_ban(struct redaction *r, struct vn_slice record)
{
    if (record.len < 8 + BAN_KEY)
        return (struct vn_slice){0};
    struct vn_slice out = copy_of(record);
    redact_names_ban_key(r->names, out.buf->data + 8);
    return out;
}

/* Of an answer to a LOAD that nobody made, which the core ignores, only blocks stay. */
static struct vn_slice *rename_loaded(struct redaction *r, struct vn_event *event)
{
    const uint32_t op = take_load(r, event->u.loaded.token);
    const uint32_t count = event->u.loaded.count;
    struct vn_slice *slices = calloc(count + 1u, sizeof *slices);
    if (!slices)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        const struct vn_slice slice = event->u.loaded.slices[i];
        slices[i] = op == VN_LOAD_ADDRS  ? stored_addr(r, slice)
                    : op == VN_LOAD_BANS ? stored_ban(r, slice)
                                         : stored_block(slice);
    }
    event->u.loaded.slices = slices;
    return slices;
}

static struct vn_addr *rename_resolved(struct redaction *r, struct vn_event *event)
{
    const uint32_t count = event->u.resolved.count;
    struct vn_addr *addrs = calloc(count + 1u, sizeof *addrs);
    if (!addrs)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        addrs[i] = event->u.resolved.addrs[i];
        redact_names_addr(r->names, &addrs[i]);
    }
    event->u.resolved.addrs = addrs;
    return addrs;
}

/* Writes the event with other names to the copy, and gives it to the copy's node. */
static void copy_event(struct redaction *r, struct vn_event event, bool step)
{
    struct vn_command command;
    void *made = NULL;
    if (event.kind == VN_EV_LINK_UP) {
        redact_names_addr(r->names, &event.u.link_up.local);
        redact_names_addr(r->names, &event.u.link_up.remote);
    } else if (event.kind == VN_EV_COMMAND) {
        command = *event.u.command.command;
        redact_names_addr(r->names, &command.addr);
        event.u.command.command = &command;
    } else if (event.kind == VN_EV_LOADED) {
        made = rename_loaded(r, &event);
    } else if (event.kind == VN_EV_RESOLVED) {
        made = rename_resolved(r, &event);
    }
    redact_frames_event(r->frames, &event);
    capture_event(r->out, &event);
    if (step)
        r->api->node_step(r->nodes[1], &event);
    if (event.kind == VN_EV_BYTES)
        vn_slice_unref(event.u.bytes.data);
    for (uint32_t i = 0; event.kind == VN_EV_LOADED && i < event.u.loaded.count; i++)
        vn_slice_unref(event.u.loaded.slices[i]);
    free(made);
}

/* ---- the second reading ---- */

static bool on_hash(struct redaction *r, uint64_t captured)
{
    char text[500];
    if (r->api->node_hash(r->nodes[0]) == captured) {
        r->result->hashes++;
        return true;
    }
    snprintf(
        text, sizeof text,
        "this build (%.100s) does not live it as it was captured: redact it with the build that "
        "made it (%.200s)",
        r->api->build, capture_reader_build(r->reader));
    return refuse(r, text);
}

/* Goes through the records. False with a line in why. */
static bool copy_records(struct redaction *r)
{
    struct capture_record record;
    bool good = true;
    while (good && capture_reader_next(r->reader, &record)) {
        switch (record.kind) {
        case CAPTURE_EVENT: {
            const bool step = ++r->result->events != r->last;
            progress(r, r->result->events, true);
            copy_event(r, record.event, step);
            if (step)
                r->api->node_step(r->nodes[0], &record.event);
            break;
        }
        case CAPTURE_DRAINED:
            drain(r);
            break;
        case CAPTURE_HASH:
        case CAPTURE_END:
            good = on_hash(r, record.hash);
            break;
        }
        if (capture_error(r->out)[0])
            good = refuse(r, capture_error(r->out));
    }
    r->result->torn = capture_reader_torn(r->reader);
    return good;
}

/* ---- beginning and end ---- */

static bool make_config(struct redaction *r, struct vn_config *original)
{
    char reason[200], text[300];
    capture_reader_config(r->reader, original);
    original->trace_mask = 0;
    if (!r->api->config_check(original, reason, sizeof reason)) {
        snprintf(text, sizeof text, "this build refuses the captured configuration: %s", reason);
        return refuse(r, text);
    }
    r->config = *original;
    r->seeds = calloc(original->seed_count + 1u, sizeof *r->seeds);
    if (!r->seeds)
        abort();
    for (uint32_t i = 0; i < original->seed_count; i++) {
        r->seeds[i] = original->seeds[i];
        redact_names_addr(r->names, &r->seeds[i]);
    }
    r->config.seeds = r->seeds;
    redact_names_addr(r->names, &r->config.listen);
    redact_names_id(r->names, (uint8_t *)r->config.node_id, strlen(r->config.node_id));
    return true;
}

static void compare_chains(struct redaction *r)
{
    struct vn_info infos[2] = {{.size = sizeof infos[0]}, {.size = sizeof infos[1]}};
    for (int i = 0; i < 2; i++)
        r->api->node_info(r->nodes[i], &infos[i]);
    r->result->other_chain = memcmp(infos[0].tip, infos[1].tip, sizeof infos[0].tip) != 0;
}

static bool copy(struct redaction *r, const char *to, bool keep_id)
{
    struct vn_config original;
    capture_reader_config(r->reader, &original);
    r->names = redact_names_new(original.node_id, keep_id);
    r->frames = redact_frames_new(r->names);
    if (!make_config(r, &original))
        return false;
    survey(r);
    r->out = capture_new_redacted(to, &r->config, r->api->build, r->why, r->why_size);
    if (!r->out)
        return false;
    r->nodes[0] = r->api->node_new(&original);
    r->nodes[1] = r->api->node_new(&r->config);
    const bool good = copy_records(r);
    const bool whole = good && !r->result->torn;
    if (whole)
        capture_close(r->out, r->api->node_hash(r->nodes[1]));
    else
        capture_abandon(r->out);
    if (!good)
        unlink(to);
    compare_chains(r);
    r->result->addrs = redact_names_addrs(r->names);
    r->result->ids = redact_names_ids(r->names);
    r->result->short_ids = redact_names_short_ids(r->names);
    r->result->blanked = redact_frames_blanked(r->frames);
    return good;
}

bool redact_file(const char *from, const char *to, bool keep_id, struct redact_result *result,
                 void (*on_progress)(void *ctx, const struct replay_progress *progress), void *ctx,
                 char *why, size_t size)
{
    struct redaction r = {.api = vn_api(VN_API_VERSION),
                          .result = result,
                          .on_progress = on_progress,
                          .ctx = ctx,
                          .why = why,
                          .why_size = size};
    *result = (struct redact_result){0};
    r.reader = capture_reader_new(from, why, size);
    if (!r.reader)
        return false;
    const bool good =
        capture_reader_live(r.reader)
            ? refuse(&r, "its node is still running, and the seed in it tells what the "
                         "node will do: stop it first")
            : copy(&r, to, keep_id);
    if (r.nodes[0])
        r.api->node_free(r.nodes[0]);
    if (r.nodes[1])
        r.api->node_free(r.nodes[1]);
    redact_frames_free(r.frames);
    redact_names_free(r.names);
    capture_reader_free(r.reader);
    free(r.seeds);
    free(r.loads);
    return good;
}
