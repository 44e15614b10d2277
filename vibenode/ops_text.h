/* Text that grows: the bodies of answers, with what strangers said made harmless.
 *
 * JSON is pure ASCII: whatever is not printable ASCII leaves as \uXXXX. Memory that runs out
 * aborts, as in the core; callers bound what they add. */
#ifndef VIBENODE_OPS_TEXT_H
#define VIBENODE_OPS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ops_text {
    char *data; /* NUL-terminated once something was added */
    size_t len, size;
    bool comma; /* JSON: the next member or element needs one before it */
};

void ops_text_free(struct ops_text *text);

void ops_text_add(struct ops_text *text, const char *s);
void ops_text_bytes(struct ops_text *text, const void *bytes, size_t len);
void ops_text_format(struct ops_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ops_text_u64(struct ops_text *text, uint64_t n);

/* Decimal, of hi * 2^64 + lo. */
void ops_text_u128(struct ops_text *text, uint64_t hi, uint64_t lo);

/* Nanoseconds as seconds with all nine digits: exact, and read by anything that reads numbers. */
void ops_text_seconds(struct ops_text *text, uint64_t ns);

/* The value of a label in Prometheus' text format: backslash, quote and line feed are escaped as it
 * wants, other control characters become '?', and what is not UTF-8 U+FFFD. */
void ops_text_label(struct ops_text *text, const char *value);

/* ---- JSON ----------------------------------------------------------------------------------- */

#define OPS_JSON_MAX ((UINT64_C(1) << 53) - 1) /* the greatest whole number every reader keeps */

/* key NULL: an element of an array. */
void ops_json_open(struct ops_text *text, const char *key, char bracket);
void ops_json_close(struct ops_text *text, char bracket);
void ops_json_string(struct ops_text *text, const char *key, const char *value); /* NULL: null */
void ops_json_bool(struct ops_text *text, const char *key, bool value);
void ops_json_int(struct ops_text *text, const char *key, int32_t value);
void ops_json_u64(struct ops_text *text, const char *key, uint64_t value); /* OPS_JSON_MAX above */
void ops_json_null(struct ops_text *text, const char *key);
void ops_json_hex(struct ops_text *text, const char *key, const uint8_t *bytes, size_t len);

/* Nanoseconds in units of 10^(9-3) (seconds: unit 1000000000) or others, with three decimals, cut.
 */
void ops_json_ns(struct ops_text *text, const char *key, uint64_t ns, uint64_t unit_ns);

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

#define OPS_RUNE_BAD UINT32_C(0xFFFD)

/* Takes one code point from *s, which is not at its end; OPS_RUNE_BAD, and one byte, where there is
 * none (overlong forms, surrogates and what is cut short included). */
uint32_t ops_rune_next(const char **s);

/* Writes at most four bytes, and returns how many. */
size_t ops_rune_put(uint32_t rune, char out[4]);

/* C0, DEL and C1. */
bool ops_rune_is_control(uint32_t rune);

#endif
