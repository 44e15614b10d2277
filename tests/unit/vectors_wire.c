/* Vectors of the wire format: messages that must be read and written, payloads that must be
 * refused, and the frames around them. */
#include "core/crypto/sha256.h"
#include "core/wire/frame.h"
#include "tests/unit/vectors.h"

#include <stdio.h>
#include <stdlib.h>

/* Decodes a copy that ends where the payload does, so that a sanitizer sees a byte too many. */
static bool decodes(const uint8_t *payload, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct msg msg;

    memcpy(copy, payload, len);
    const bool ok = msg_decode(&msg, copy, len);
    free(copy);
    return ok;
}

static void check_prefixes(struct vectors *v, struct vectors_bytes payload)
{
    for (size_t len = 0; len < payload.len; len++)
        if (decodes(payload.data, len))
            vectors_fail(v, "its first %zu bytes decode", len);
}

/* Does the message encode to these bytes, alone and as a frame? */
static void check_encoding(struct vectors *v, const struct msg *msg, const uint8_t *want,
                           size_t len)
{
    const size_t size = msg_encoded_size(msg);
    uint8_t *got = vectors_alloc(v, size);

    msg_encode(msg, got);
    if (size != len || memcmp(got, want, len) != 0) {
        vectors_fail(v, "it encodes to %zu bytes %.200s", size, vectors_to_hex(v, got, size));
        return;
    }
    struct vn_buf *frame = msg_frame(msg);
    if (len > FRAME_PAYLOAD_MAX) {
        if (frame)
            vectors_fail(v, "it is too large and makes a frame");
    } else if (!frame || frame->len != FRAME_HEADER + len || get_be32(frame->data) != len ||
               memcmp(frame->data + FRAME_HEADER, want, len) != 0) {
        vectors_fail(v, "its frame is not header and payload");
    }
    vn_buf_unref(frame);
}

static void push(struct framer *f, const uint8_t *data, size_t len)
{
    struct vn_buf *buf = vn_buf_new((uint32_t)len);

    if (len)
        memcpy(buf->data, data, len);
    /* The framer's borrowed input is never read after FRAME_NONE, which drain awaits. */
    framer_push(f, (struct vn_slice){.buf = buf, .len = (uint32_t)len});
}

/* Takes out the frames that are complete, each of which must be the payload; returns how many, or
 * -1. */
static int drain(struct framer *f, struct vectors_bytes payload)
{
    struct vn_buf *pushed = f->input.buf;
    struct vn_slice out;
    int count = 0;

    while (framer_next(f, &out) == FRAME_READY)
        if (count < 0 || out.len != payload.len ||
            (out.len && memcmp(vn_slice_data(out), payload.data, out.len) != 0))
            count = -1;
        else
            count++;
    vn_buf_unref(pushed);
    return count;
}

/* The frame and its twin behind it, cut in two at every byte (of large ones: at some). */
static void check_cuts(struct vectors *v, struct vectors_bytes payload)
{
    const size_t size = FRAME_HEADER + payload.len;
    const size_t step = 1 + size / 8192;
    uint8_t *two = vectors_alloc(v, 2 * size);

    put_be32(two, (uint32_t)payload.len);
    memcpy(two + FRAME_HEADER, payload.data, payload.len);
    memcpy(two + size, two, size);
    for (size_t cut = 0; cut <= 2 * size; cut += step) {
        struct framer f = {0};
        push(&f, two, cut);
        const int first = drain(&f, payload);
        push(&f, two + cut, 2 * size - cut);
        const int rest = drain(&f, payload);
        framer_deinit(&f);
        if (first != (int)(cut / size) || first + rest != 2) {
            vectors_fail(v, "cut at byte %zu, its frame and a twin come out as %d and %d", cut,
                         first, rest);
            return;
        }
    }
}

void vectors_positive(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name",        "kind",  "payload", "frame",
                                        "payload_len", "value", NULL};
    const char *kind = vectors_text(v, vector, "kind");
    const json_t *value = json_object_get(vector, "value");
    const struct vectors_bytes payload = vectors_payload(v, vector);
    const struct vectors_bytes frame = vectors_hex(v, vector, "frame");
    struct msg msg;

    vectors_keys(v, vector, known);
    if (frame.len != FRAME_HEADER + payload.len || get_be32(frame.data) != payload.len ||
        memcmp(frame.data + FRAME_HEADER, payload.data, payload.len) != 0)
        vectors_fail(v, "the vector's frame is not header and payload");
    if (!msg_decode(&msg, payload.data, payload.len)) {
        vectors_fail(v, "it does not decode");
        return;
    }
    if (msg.used != payload.len)
        vectors_fail(v, "it takes %u bytes of %zu", msg.used, payload.len);
    vectors_compare(v, &msg, kind, value);
    msg = vectors_msg(v, kind, value);
    check_encoding(v, &msg, payload.data, payload.len);
    check_prefixes(v, payload);
    check_cuts(v, payload);
}

/* The payload in reads of a size that divides nothing; the limit speaks on the header alone. */
static void check_long_frame(struct vectors *v, struct vectors_bytes header,
                             struct vectors_bytes payload)
{
    const bool fits = payload.len <= FRAME_PAYLOAD_MAX;
    const struct vectors_bytes none = {0};
    struct framer f = {0};
    struct vn_slice out;
    int count = 0;

    push(&f, header.data, header.len);
    drain(&f, none);
    if ((framer_next(&f, &out) == FRAME_TOO_LARGE) == fits)
        vectors_fail(v, "its frame header is %s", fits ? "refused" : "accepted");
    for (size_t at = 0; fits && at < payload.len; at += 65521) {
        const size_t n = payload.len - at < 65521 ? payload.len - at : 65521;
        push(&f, payload.data + at, n);
        count += drain(&f, payload);
    }
    framer_deinit(&f);
    if (count != fits)
        vectors_fail(v, "its frame does not come out of the stream");
}

void vectors_positive_long(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name",         "kind",           "segments",
                                        "payload",      "frame_header",   "payload_len",
                                        "within_limit", "payload_sha256", NULL};
    const struct vectors_bytes payload = vectors_payload(v, vector);
    const struct vectors_bytes header = vectors_hex(v, vector, "frame_header");
    const json_t *within = json_object_get(vector, "within_limit");
    uint8_t hash[HASH_SIZE];
    struct msg msg;

    vectors_keys(v, vector, known);
    sha256(hash, payload.data, payload.len);
    if (!hash_eq(hash, vectors_hash(v, vector, "payload_sha256")))
        vectors_fail(v, "the joined segments have SHA-256 %s", vectors_to_hex(v, hash, HASH_SIZE));
    if (header.len != FRAME_HEADER || get_be32(header.data) != payload.len)
        vectors_fail(v, "the vector's frame header is not the payload's length");
    if (json_is_boolean(within) && json_is_true(within) != (payload.len <= FRAME_PAYLOAD_MAX))
        vectors_fail(v, "the limit of %u bytes says otherwise than within_limit",
                     FRAME_PAYLOAD_MAX);
    if (v->failed)
        return;
    if (!msg_decode(&msg, payload.data, payload.len)) {
        vectors_fail(v, "it does not decode");
        return;
    }
    if (strcmp(vn_message_name(msg.kind), vectors_text(v, vector, "kind")) != 0)
        vectors_fail(v, "it is a %s", vn_message_name(msg.kind));
    if (msg.used != payload.len)
        vectors_fail(v, "it takes %u bytes of %zu", msg.used, payload.len);
    check_encoding(v, &msg, payload.data, payload.len);
    check_long_frame(v, header, payload);
}

/* A frame header alone: refused at its last byte, or the payload is awaited. */
static void check_header(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name", "group", "expect", "frame_header", "length", NULL};
    const struct vectors_bytes header = vectors_hex(v, vector, "frame_header");
    const char *expect = vectors_text(v, vector, "expect");
    const bool too_large = strcmp(expect, "too-large") == 0;

    vectors_keys(v, vector, known);
    if (!too_large && strcmp(expect, "read-payload") != 0)
        vectors_fail(v, "unknown expectation \"%s\" of a frame", expect);
    if (header.len != FRAME_HEADER || get_be32(header.data) != vectors_u64(v, vector, "length"))
        vectors_fail(v, "the frame header is not its length");
    if (v->failed)
        return;
    const uint32_t length = get_be32(header.data);
    for (size_t cut = 0; cut < FRAME_HEADER; cut++) {
        struct framer f = {0};
        const struct vectors_bytes nothing = {0};
        struct vn_slice out;
        push(&f, header.data, cut);
        if (drain(&f, nothing) != 0 || framer_next(&f, &out) != FRAME_NONE)
            vectors_fail(v, "%zu bytes of its header are enough", cut);
        push(&f, header.data + cut, FRAME_HEADER - cut);
        const int frames = drain(&f, nothing);
        const bool refused = framer_next(&f, &out) == FRAME_TOO_LARGE;
        if (refused != too_large || frames != (length == 0))
            vectors_fail(v, "its header is %s", refused ? "refused" : "accepted");
        framer_deinit(&f);
    }
    if (!too_large) {
        const struct vectors_bytes zeros = {vectors_alloc(v, length), length};
        check_long_frame(v, header, zeros);
    }
}

/* Every proper prefix of the payload, which is the whole message. */
static void check_truncated(struct vectors *v, const json_t *vector, struct vectors_bytes payload)
{
    const json_t *accepted = json_object_get(vector, "prefixes_accepted");
    const uint64_t tried = vectors_u64(v, vector, "prefixes_tried");

    if (tried != payload.len || vectors_u64(v, vector, "prefixes_rejected") != tried ||
        !json_is_array(accepted) || json_array_size(accepted) != 0)
        vectors_fail(v, "the protocol rejects every proper prefix, the vector does not");
    if (strcmp(vectors_text(v, vector, "bincode"), "error") != 0)
        vectors_fail(v, "the verdict on its prefixes must be \"error\"");
    check_prefixes(v, payload);
    if (!decodes(payload.data, payload.len))
        vectors_fail(v, "the whole of it does not decode");
}

static void check_accepted(struct vectors *v, const json_t *vector, struct vectors_bytes payload)
{
    static const char *const known[] = {"consumed", "kind", "value", "reencoded", NULL};
    const json_t *decoded = json_object_get(vector, "decoded");
    const char *kind = vectors_text(v, decoded, "kind");
    const struct vectors_bytes again = vectors_hex(v, decoded, "reencoded");
    struct msg msg;

    vectors_keys(v, decoded, known);
    if (!msg_decode(&msg, payload.data, payload.len)) {
        vectors_fail(v, "it does not decode");
        return;
    }
    if (msg.used != vectors_u64(v, decoded, "consumed"))
        vectors_fail(v, "it takes %u bytes", msg.used);
    vectors_compare(v, &msg, kind, json_object_get(decoded, "value"));
    check_encoding(v, &msg, again.data, again.len);
    check_cuts(v, payload);
}

void vectors_negative(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name",
                                        "group",
                                        "bincode",
                                        "error",
                                        "decoded",
                                        "payload",
                                        "payload_len",
                                        "prefixes_tried",
                                        "prefixes_accepted",
                                        "prefixes_rejected",
                                        NULL};
    static const char *const groups[] = {"variant", "trailing", "utf8",   "option",
                                         "enum",    "length",   "number", "truncated"};
    const char *group = vectors_text(v, vector, "group");
    bool found = false;

    if (strcmp(group, "frame") == 0) {
        check_header(v, vector);
        return;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        found = found || strcmp(group, groups[i]) == 0;
    if (!found)
        vectors_fail(v, "unknown group \"%s\"", group);
    vectors_keys(v, vector, known);
    const char *verdict = vectors_text(v, vector, "bincode");
    const struct vectors_bytes payload = vectors_payload(v, vector);
    if (strcmp(group, "truncated") == 0)
        check_truncated(v, vector, payload);
    else if (strcmp(verdict, "ok") == 0)
        check_accepted(v, vector, payload);
    else if (strcmp(verdict, "error") != 0)
        vectors_fail(v, "unknown verdict \"%s\" of bincode", verdict);
    else if (decodes(payload.data, payload.len))
        vectors_fail(v, "it decodes, and must not");
}

/* Appends the frame of each vector, again and again, in slices of `read` bytes. */
static bool stream_in_reads(const json_t *positive, const uint8_t *all, size_t size, size_t read)
{
    struct vectors v = {.name = "stream"};
    struct framer f = {0};
    struct vn_slice out;
    size_t next = 0;
    bool ok = true;

    for (size_t at = 0; at < size && ok; at += read) {
        push(&f, all + at, size - at < read ? size - at : read);
        struct vn_buf *pushed = f.input.buf;
        while (ok && framer_next(&f, &out) == FRAME_READY) {
            const struct vectors_bytes want = vectors_payload(&v, json_array_get(positive, next++));
            ok = out.len == want.len && memcmp(vn_slice_data(out), want.data, want.len) == 0;
        }
        vn_buf_unref(pushed);
    }
    framer_deinit(&f);
    vectors_release(&v);
    return ok && next == json_array_size(positive);
}

bool vectors_stream(const json_t *positive)
{
    static const size_t reads[] = {1, 2, 3, 5, 7, 64, 1460, 65536};
    struct vectors v = {.name = "stream"};
    size_t size = 0, i;
    json_t *vector;
    bool ok = true;

    json_array_foreach(positive, i, vector) size += vectors_hex(&v, vector, "frame").len;
    uint8_t *all = vectors_alloc(&v, size);
    size = 0;
    json_array_foreach(positive, i, vector)
    {
        const struct vectors_bytes frame = vectors_hex(&v, vector, "frame");
        memcpy(all + size, frame.data, frame.len);
        size += frame.len;
    }
    for (i = 0; i < sizeof reads / sizeof *reads && ok; i++) {
        ok = stream_in_reads(positive, all, size, reads[i]);
        if (!ok)
            printf("FAIL all frames in one stream, read %zu bytes at a time\n", reads[i]);
    }
    vectors_release(&v);
    return ok;
}
