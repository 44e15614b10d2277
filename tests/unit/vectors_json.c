/* Reading vectors: bytes and numbers out of JSON, what failed, and memory that goes when the vector
 * does. */
#include "tests/unit/vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct vectors_memory {
    struct vectors_memory *next;
    _Alignas(16) uint8_t bytes[];
};

void *vectors_alloc(struct vectors *v, size_t size)
{
    struct vectors_memory *memory = calloc(1, sizeof *memory + size + 1);

    if (!memory)
        abort();
    memory->next = v->memory;
    v->memory = memory;
    return memory->bytes;
}

void vectors_release(struct vectors *v)
{
    while (v->memory) {
        struct vectors_memory *next = v->memory->next;
        free(v->memory);
        v->memory = next;
    }
}

void vectors_fail(struct vectors *v, const char *why, ...)
{
    va_list args;

    if (v->failed)
        return;
    v->failed = true;
    v->failures++;
    va_start(args, why);
    printf("FAIL %s: ", v->name);
    vprintf(why, args);
    printf("\n");
    va_end(args);
}

void vectors_each(struct vectors *v, const char *group, const json_t *array, vectors_fn *fn)
{
    const unsigned before = v->failures;
    size_t i;
    json_t *vector;

    json_array_foreach(array, i, vector)
    {
        char number[80];
        snprintf(number, sizeof number, "%s[%zu]", group, i);
        const char *name = json_string_value(json_object_get(vector, "name"));
        v->name = name ? name : number;
        v->failed = false;
        if (!name)
            vectors_fail(v, "the vector has no name");
        fn(v, vector);
        v->executed++;
        vectors_release(v);
    }
    v->name = NULL;
    printf("%-24s %5zu vectors, %u failed\n", group, json_array_size(array), v->failures - before);
}

void vectors_keys(struct vectors *v, const json_t *vector, const char *const *known)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)vector, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i] && strcmp(key, "note") != 0) {
            printf("note %s: its key \"%s\" is not known here and was not tested\n", v->name, key);
            v->unknown_keys++;
        }
    }
}

const char *vectors_text(struct vectors *v, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text)
        vectors_fail(v, "\"%s\" must be a string", key);
    return text ? text : "";
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Writes to out, which has room for half of the text; false if it is not lower-case hex. */
static bool from_hex(uint8_t *out, const char *text, size_t len)
{
    if (len % 2 != 0)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        const int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

struct vectors_bytes vectors_hex(struct vectors *v, const json_t *object, const char *key)
{
    const char *text = vectors_text(v, object, key);
    const size_t len = strlen(text);
    struct vectors_bytes bytes = {.data = vectors_alloc(v, len / 2), .len = len / 2};

    if (!from_hex(bytes.data, text, len)) {
        vectors_fail(v, "\"%s\" must be lower-case hex", key);
        bytes.len = 0;
    }
    return bytes;
}

const uint8_t *vectors_hash(struct vectors *v, const json_t *object, const char *key)
{
    const struct vectors_bytes bytes = vectors_hex(v, object, key);

    if (bytes.len == HASH_SIZE)
        return bytes.data;
    vectors_fail(v, "\"%s\" must have 32 bytes, has %zu", key, bytes.len);
    return vectors_alloc(v, HASH_SIZE);
}

u128 vectors_u128(struct vectors *v, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const u128 most = ~(u128)0;
    u128 number = 0;

    if (json_is_integer(value) && json_integer_value(value) >= 0)
        return (u128)json_integer_value(value);
    const char *text = vectors_text(v, object, key);
    for (size_t i = 0; text[i] || i == 0; i++) {
        const int d = digit(text[i]);
        if (d < 0 || d > 9 || number > (most - (unsigned)d) / 10) {
            vectors_fail(v, "\"%s\" must be a decimal number, is \"%s\"", key, text);
            return 0;
        }
        number = number * 10 + (unsigned)d;
    }
    return number;
}

uint64_t vectors_u64(struct vectors *v, const json_t *object, const char *key)
{
    const u128 number = vectors_u128(v, object, key);

    if (number > UINT64_MAX)
        vectors_fail(v, "\"%s\" does not fit 64 bits", key);
    return (uint64_t)number;
}

struct vectors_bytes vectors_ids(struct vectors *v, const json_t *list)
{
    const size_t count = json_array_size(list);
    struct vectors_bytes ids = {.data = vectors_alloc(v, count * HASH_SIZE)};

    if (!json_is_array(list))
        vectors_fail(v, "a list of transaction ids is missing");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || strlen(text) != 2 * HASH_SIZE ||
            !from_hex(ids.data + ids.len, text, 2 * HASH_SIZE))
            vectors_fail(v, "transaction id %zu must be 32 bytes of hex", i);
        ids.len += HASH_SIZE;
    }
    return ids;
}

/* One segment's bytes: what to repeat, and how often. */
static struct vectors_bytes segment(struct vectors *v, const json_t *object, size_t *times)
{
    static const char *const known[] = {"hex", "repeat", "count", NULL};

    vectors_keys(v, object, known);
    *times = 1;
    if (json_object_get(object, "hex"))
        return vectors_hex(v, object, "hex");
    *times = (size_t)vectors_u64(v, object, "count");
    const struct vectors_bytes bytes = vectors_hex(v, object, "repeat");
    if (*times > (UINT32_C(1) << 30) / (bytes.len + 1)) {
        vectors_fail(v, "a segment is above 1 GiB");
        *times = 0;
    }
    return bytes;
}

static struct vectors_bytes join(struct vectors *v, const json_t *segments)
{
    struct vectors_bytes joined = {0};
    size_t i, times;
    json_t *object;

    json_array_foreach(segments, i, object)
    {
        const struct vectors_bytes bytes = segment(v, object, &times);
        joined.len += times * bytes.len;
    }
    joined.data = vectors_alloc(v, joined.len);
    uint8_t *at = joined.data;
    json_array_foreach(segments, i, object)
    {
        const struct vectors_bytes bytes = segment(v, object, &times);
        for (size_t k = 0; k < times; k++, at += bytes.len)
            memcpy(at, bytes.data, bytes.len);
    }
    return joined;
}

struct vectors_bytes vectors_payload(struct vectors *v, const json_t *vector)
{
    const json_t *segments = json_object_get(vector, "segments");
    const struct vectors_bytes bytes =
        json_is_array(segments) ? join(v, segments) : vectors_hex(v, vector, "payload");

    if (json_object_get(vector, "payload_len") &&
        vectors_u64(v, vector, "payload_len") != bytes.len)
        vectors_fail(v, "payload_len is not that of the payload, %zu", bytes.len);
    return bytes;
}

const char *vectors_to_hex(struct vectors *v, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *text = vectors_alloc(v, 2 * len + 1);

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    return text;
}
