/* Values of the report's page as JSON, whatever they hold: a record is somebody else's file. */
#ifndef VIBESIM_PAGE_JSON_H
#define VIBESIM_PAGE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A text; bytes that are not UTF-8 become '?', and what is longer than `most` bytes is cut. NULL is
 * null. */
json_t *page_text(const char *text, size_t most);

/* Numbers beyond 2^53 - 1, which JavaScript rounds, become that. */
json_t *page_whole(uint64_t n);

/* Nanoseconds as whole microseconds. */
json_t *page_us(uint64_t ns);

/* A number as 16 hex digits, and as decimal digits, in a text: nothing is lost. */
json_t *page_hex(uint64_t n);
json_t *page_digits(uint64_t n);

/* NaN and infinity, which JSON has not, are null. */
json_t *page_real(double value);

/* JSON in a text of the record; null where it is none. */
json_t *page_json(const char *text);

/* The first eight digits of a hash. */
json_t *page_short_hash(const uint8_t hash[4]);

#endif
