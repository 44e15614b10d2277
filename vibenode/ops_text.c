/* Text that grows, JSON and label values: see ops_text.h. */
#include "vibenode/ops_text.h"

#include "core/base/bytes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void ops_text_free(struct ops_text *text)
{
    free(text->data);
    *text = (struct ops_text){0};
}

static void reserve(struct ops_text *text, size_t more)
{
    size_t size = text->size ? text->size : 512;
    while (size - text->len <= more)
        size *= 2;
    if (size == text->size)
        return;
    char *grown = realloc(text->data, size);
    if (!grown)
        abort();
    text->data = grown;
    text->size = size;
}

void ops_text_bytes(struct ops_text *text, const void *bytes, size_t len)
{
    reserve(text, len);
    if (len)
        memcpy(text->data + text->len, bytes, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void ops_text_add(struct ops_text *text, const char *s)
{
    ops_text_bytes(text, s, strlen(s));
}

void ops_text_format(struct ops_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    reserve(text, (size_t)len);
    va_start(args, format);
    vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
    va_end(args);
    text->len += (size_t)len;
}

void ops_text_u64(struct ops_text *text, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    ops_text_bytes(text, digits + at, sizeof digits - at);
}

void ops_text_u128(struct ops_text *text, uint64_t hi, uint64_t lo)
{
    char digits[40];
    size_t at = sizeof digits;
    u128 n = (u128)hi << 64 | lo;
    do {
        digits[--at] = (char)('0' + (int)(n % 10));
        n /= 10;
    } while (n);
    ops_text_bytes(text, digits + at, sizeof digits - at);
}

void ops_text_seconds(struct ops_text *text, uint64_t ns)
{
    ops_text_format(text, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
}

void ops_text_label(struct ops_text *text, const char *value)
{
    while (*value) {
        uint32_t rune = ops_rune_next(&value);
        char bytes[4];
        if (rune == '\\')
            ops_text_add(text, "\\\\");
        else if (rune == '"')
            ops_text_add(text, "\\\"");
        else if (rune == '\n')
            ops_text_add(text, "\\n");
        else if (ops_rune_is_control(rune))
            ops_text_add(text, "?");
        else
            ops_text_bytes(text, bytes, ops_rune_put(rune, bytes));
    }
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void quote(struct ops_text *text, const char *s)
{
    ops_text_add(text, "\"");
    while (*s) {
        const char *plain = s;
        while (*s >= 0x20 && *s < 0x7f && *s != '"' && *s != '\\')
            s++;
        ops_text_bytes(text, plain, (size_t)(s - plain));
        if (!*s)
            break;
        uint32_t rune = ops_rune_next(&s);
        if (rune == '"' || rune == '\\')
            ops_text_format(text, "\\%c", (char)rune);
        else if (rune < 0x10000)
            ops_text_format(text, "\\u%04" PRIx32, rune);
        else
            ops_text_format(text, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd7c0 + (rune >> 10),
                            0xdc00 | (rune & 0x3ff));
    }
    ops_text_add(text, "\"");
}

static void begin(struct ops_text *text, const char *key)
{
    if (text->comma)
        ops_text_add(text, ",");
    text->comma = true;
    if (!key)
        return;
    quote(text, key);
    ops_text_add(text, ":");
}

void ops_json_open(struct ops_text *text, const char *key, char bracket)
{
    begin(text, key);
    ops_text_bytes(text, &bracket, 1);
    text->comma = false;
}

void ops_json_close(struct ops_text *text, char bracket)
{
    ops_text_bytes(text, &bracket, 1);
    text->comma = true;
}

void ops_json_string(struct ops_text *text, const char *key, const char *value)
{
    begin(text, key);
    if (value)
        quote(text, value);
    else
        ops_text_add(text, "null");
}

void ops_json_bool(struct ops_text *text, const char *key, bool value)
{
    begin(text, key);
    ops_text_add(text, value ? "true" : "false");
}

void ops_json_int(struct ops_text *text, const char *key, int32_t value)
{
    begin(text, key);
    ops_text_format(text, "%" PRId32, value);
}

void ops_json_u64(struct ops_text *text, const char *key, uint64_t value)
{
    begin(text, key);
    ops_text_u64(text, value < OPS_JSON_MAX ? value : OPS_JSON_MAX);
}

void ops_json_null(struct ops_text *text, const char *key)
{
    begin(text, key);
    ops_text_add(text, "null");
}

void ops_json_hex(struct ops_text *text, const char *key, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    begin(text, key);
    reserve(text, 2 * len + 2);
    char *out = text->data + text->len;
    *out++ = '"';
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out++ = '"';
    *out = '\0';
    text->len += 2 * len + 2;
}

void ops_json_ns(struct ops_text *text, const char *key, uint64_t ns, uint64_t unit_ns)
{
    begin(text, key);
    ops_text_u64(text, ns / unit_ns);
    ops_text_format(text, ".%03u", (unsigned)(ns % unit_ns / (unit_ns / 1000)));
}

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

uint32_t ops_rune_next(const char **s)
{
    const uint8_t *p = (const uint8_t *)*s;
    uint32_t lead = *p++;
    (*s)++;
    if (lead < 0x80)
        return lead;
    uint32_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (lead < 0xc2 || lead > 0xf4)
        return OPS_RUNE_BAD;
    uint32_t rune = lead & (0x3fu >> more);
    for (uint32_t i = 0; i < more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return OPS_RUNE_BAD;
        rune = rune << 6 | (p[i] & 0x3fu);
    }
    if (rune < least[more] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        return OPS_RUNE_BAD;
    *s += more;
    return rune;
}

size_t ops_rune_put(uint32_t rune, char out[4])
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    size_t more = rune < 0x800 ? 1 : rune < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[more] | rune >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (rune >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

bool ops_rune_is_control(uint32_t rune)
{
    return rune < 0x20 || (rune >= 0x7f && rune < 0xa0);
}
