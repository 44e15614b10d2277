/* See redact_frames.h. A stream lasts from LINK_UP to LINK_DOWN and is counted from 0; what is to
 * be changed is noted by stream and place. Bytes of a link that is not up are ignored by the core,
 * and become zeros. */
#include "trace/redact_frames.h"

#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <search.h>
#include <stdlib.h>

struct stream {
    uint64_t link;
    uint64_t no;
    uint64_t received; /* bytes so far */
    /* the first pass */
    struct framer framer;
    uint64_t framed; /* of them in whole frames */
    /* the second */
    size_t next; /* change */
};

struct change {
    uint64_t stream, at, len;
    uint8_t *bytes; /* NULL: all of them are */
    uint8_t fill;
};

struct redact_frames {
    struct redact_names *names;
    bool second;
    void *streams; /* a tree of tsearch, by link */
    uint64_t stream_count, blanked;
    struct change *changes; /* in the second pass ordered by stream and place */
    size_t count, room;
};

static int compare_links(const void *a, const void *b)
{
    const struct stream *x = a, *y = b;
    return (x->link > y->link) - (x->link < y->link);
}

static int compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static struct stream *find(const struct redact_frames *f, uint64_t link)
{
    const struct stream key = {.link = link};
    void **found = tfind(&key, &f->streams, compare_links);
    return found ? *found : NULL;
}

/* ---- what is to be changed ---- */

static void note(struct redact_frames *f, struct change change)
{
    if (f->count == f->room) {
        f->room = f->room ? 2 * f->room : 64;
        f->changes = realloc(f->changes, f->room * sizeof *f->changes);
        if (!f->changes)
            abort();
    }
    f->changes[f->count++] = change;
}

/* payload lies at `at` of the stream. */
static void note_handshake(struct redact_frames *f, const struct stream *s, uint64_t at,
                           const uint8_t *payload, const struct handshake_view *hello)
{
    struct vn_addr listen = hello->listen;
    const size_t ip_len = listen.family == VN_AF_IPV4 ? 4 : 16, variant = 4;
    const size_t id_len = (size_t)hello->node_id.len, len = id_len + variant + ip_len;
    uint8_t *bytes = malloc(len);
    if (!bytes)
        abort();
    memcpy(bytes, hello->node_id.data, len); /* the address stands behind the id */
    redact_names_id(f->names, bytes, id_len);
    redact_names_addr(f->names, &listen);
    memcpy(bytes + id_len + variant, listen.ip, ip_len);
    note(f, (struct change){s->no, at + (uint64_t)(hello->node_id.data - payload), len, bytes, 0});
}

static void note_frame(struct redact_frames *f, struct stream *s, struct vn_slice payload)
{
    const uint8_t *data = vn_slice_data(payload);
    const uint64_t at = s->framed + FRAME_HEADER;
    struct msg msg;
    s->framed += FRAME_HEADER + payload.len;
    if (!msg_decode(&msg, data, payload.len)) {
        f->blanked++;
        note(f, (struct change){s->no, at, payload.len, NULL, 0xff});
        return;
    }
    if (msg.kind == MSG_HANDSHAKE)
        note_handshake(f, s, at, data, &msg.u.handshake);
    if (msg.used < payload.len)
        note(f, (struct change){s->no, at + msg.used, payload.len - msg.used, NULL, 0});
}

static void see_bytes(struct redact_frames *f, struct stream *s, struct vn_slice data)
{
    struct vn_slice payload;
    s->received += data.len;
    if (data.len == 0)
        return;
    framer_push(&s->framer, data);
    while (framer_next(&s->framer, &payload) == FRAME_READY)
        note_frame(f, s, payload);
}

/* What came behind the last whole frame, but for a length in front of it. */
static void see_end(struct redact_frames *f, struct stream *s)
{
    const uint64_t at = s->framed + FRAME_HEADER;
    if (!f->second && s->received > at) {
        f->blanked++;
        note(f, (struct change){s->no, at, s->received - at, NULL, 0});
    }
}

/* ---- changing it ---- */

static void apply(const struct change *change, uint64_t from, uint8_t *data, uint64_t len)
{
    const uint64_t begin = change->at > from ? change->at : from;
    const uint64_t change_end = change->at + change->len;
    const uint64_t end = change_end < from + len ? change_end : from + len;
    if (begin >= end)
        return;
    if (change->bytes)
        memcpy(data + (begin - from), change->bytes + (begin - change->at), end - begin);
    else
        memset(data + (begin - from), change->fill, end - begin);
}

static struct vn_slice copy_of(struct vn_slice slice)
{
    struct vn_buf *buf = vn_buf_new(slice.len);
    memcpy(buf->data, vn_slice_data(slice), slice.len);
    return (struct vn_slice){buf, 0, slice.len};
}

/* The bytes that come next on the stream, with what is to be changed in them. */
static struct vn_slice changed(struct redact_frames *f, struct stream *s, struct vn_slice data)
{
    const uint64_t from = s->received, to = from + data.len;
    struct vn_slice out = {0};
    if (data.len == 0)
        return out;
    s->received = to;
    for (; s->next < f->count; s->next++) {
        const struct change *change = &f->changes[s->next];
        if (change->stream != s->no || change->at >= to)
            break;
        if (!out.buf)
            out = copy_of(data);
        apply(change, from, out.buf->data, data.len);
        if (change->at + change->len > to)
            break; /* more of it in what follows */
    }
    return out.buf ? out : vn_slice_ref(data);
}

static struct vn_slice zeros(uint32_t len)
{
    if (len == 0)
        return (struct vn_slice){0};
    struct vn_buf *buf = vn_buf_new(len);
    memset(buf->data, 0, len);
    return (struct vn_slice){buf, 0, len};
}

/* ---- events ---- */

/* The first change of the stream, or where it would be. */
static size_t first_change(const struct redact_frames *f, uint64_t stream)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (f->changes[middle].stream < stream)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void link_up(struct redact_frames *f, uint64_t link)
{
    if (find(f, link))
        return;
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    *s = (struct stream){.link = link, .no = f->stream_count++};
    if (f->second)
        s->next = first_change(f, s->no);
    if (!tsearch(s, &f->streams, compare_links))
        abort();
}

static void stream_free(void *stream)
{
    struct stream *s = stream;
    framer_deinit(&s->framer);
    free(s);
}

static void link_down(struct redact_frames *f, uint64_t link)
{
    struct stream *s = find(f, link);
    if (!s)
        return;
    see_end(f, s);
    tdelete(s, &f->streams, compare_links);
    stream_free(s);
}

static void on_bytes(struct redact_frames *f, struct vn_event *event)
{
    struct stream *s = find(f, event->u.bytes.link);
    if (!f->second && s)
        see_bytes(f, s, event->u.bytes.data);
    if (f->second)
        event->u.bytes.data =
            s ? changed(f, s, event->u.bytes.data) : zeros(event->u.bytes.data.len);
}

void redact_frames_event(struct redact_frames *f, struct vn_event *event)
{
    if (event->kind == VN_EV_LINK_UP)
        link_up(f, event->u.link_up.link);
    else if (event->kind == VN_EV_LINK_DOWN)
        link_down(f, event->u.link_down.link);
    else if (event->kind == VN_EV_BYTES)
        on_bytes(f, event);
}

static void end_stream(const void *node, VISIT visit, void *frames)
{
    if (visit == postorder || visit == leaf)
        see_end(frames, *(struct stream *const *)node);
}

void redact_frames_turn(struct redact_frames *f)
{
    twalk_r(f->streams, end_stream, f);
    tdestroy(f->streams, stream_free);
    f->streams = NULL;
    f->stream_count = 0;
    f->second = true;
    if (f->count > 0)
        qsort(f->changes, f->count, sizeof *f->changes, compare_changes);
}

uint64_t redact_frames_blanked(const struct redact_frames *f)
{
    return f->blanked;
}

struct redact_frames *redact_frames_new(struct redact_names *names)
{
    struct redact_frames *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->names = names;
    return f;
}

void redact_frames_free(struct redact_frames *f)
{
    if (!f)
        return;
    tdestroy(f->streams, stream_free);
    for (size_t i = 0; i < f->count; i++)
        free(f->changes[i].bytes);
    free(f->changes);
    free(f);
}
