/* See page_json.h. */
#include "vibesim/page_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_INTEGER ((UINT64_C(1) << 53) - 1)

/* Bytes of the UTF-8 sequence that the first byte announces; 0: it announces none. */
static size_t sequence(unsigned char first)
{
    return first < 0x80                    ? 1
           : first >= 0xc2 && first < 0xe0 ? 2
           : first >= 0xe0 && first < 0xf0 ? 3
           : first >= 0xf0 && first < 0xf5 ? 4
                                           : 0;
}

json_t *page_text(const char *text, size_t most)
{
    if (!text)
        return json_null();
    const size_t len = strnlen(text, most);
    char *clean = malloc(len + 1);
    size_t n = 0;
    if (!clean)
        abort();
    for (size_t i = 0; i < len;) {
        const size_t s = sequence((unsigned char)text[i]);
        json_t *whole = s && i + s <= len ? json_stringn(text + i, s) : NULL;
        if (whole) {
            memcpy(clean + n, text + i, s);
            n += s;
            i += s;
        } else {
            clean[n++] = '?';
            i++;
        }
        json_decref(whole);
    }
    json_t *out = json_stringn(clean, n);
    free(clean);
    return out;
}

json_t *page_whole(uint64_t n)
{
    return json_integer((json_int_t)(n > SAFE_INTEGER ? SAFE_INTEGER : n));
}

json_t *page_us(uint64_t ns)
{
    return page_whole(ns / 1000);
}

json_t *page_hex(uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, n);
    return json_string(text);
}

json_t *page_digits(uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, n);
    return json_string(text);
}

json_t *page_real(double value)
{
    json_t *number = json_real(value);
    return number ? number : json_null();
}

json_t *page_json(const char *text)
{
    json_t *value = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    return value ? value : json_null();
}

json_t *page_short_hash(const uint8_t hash[4])
{
    char text[12];
    snprintf(text, sizeof text, "%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
    return json_string(text);
}
