/* One line of the log in its two forms; see log_line.h.
 *
 * Text from peers passes through one door, next_char: it yields characters, and bytes that are
 * none. Both forms then say what may stand as it is. Printable characters may; controls (C0, DEL,
 * C1), what turns the writing direction around or breaks lines (Unicode Technical Report 36,
 * section 2.7), and the byte order mark are escaped. */
#include "vibenode/log_line.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct sink {
    char *out;
    size_t len, cap;
};

static void put_bytes(struct sink *s, const char *bytes, size_t n)
{
    assert(s->len + n <= s->cap); /* LOG_LINE_MAX is enough */
    memcpy(s->out + s->len, bytes, n);
    s->len += n;
}

static void put(struct sink *s, const char *text)
{
    put_bytes(s, text, strlen(text));
}

/* ---- characters ---- */

struct piece {
    uint32_t code; /* of the character */
    uint32_t len;  /* its bytes; of what is no character, 1 */
    bool good;
};

/* The character that begins at `at`, at most `left` bytes long, as RFC 3629 has it: no surrogates,
 * nothing longer than it need be. */
static struct piece next_char(const uint8_t *at, size_t left)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = at[0];
    uint32_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    struct piece bad = {.code = first, .len = 1};
    if (len == 0 || len > left || first > 0xf4)
        return bad;
    uint32_t code = len == 1 ? first : first & (0xffu >> (len + 1));
    for (uint32_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return bad;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < lowest[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return bad;
    return (struct piece){.code = code, .len = len, .good = true};
}

static bool is_harmless(uint32_t code)
{
    return code >= 0x20 && !(code >= 0x7f && code < 0xa0) && code != 0xad && code != 0x61c &&
           !(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
           !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff &&
           !(code >= 0xfff9 && code <= 0xffff) && code < 0xe0000;
}

/* ---- text ---- */

/* As it is, or \n, \\, \xNN for each byte. */
static void put_text_piece(struct sink *s, const uint8_t *at, struct piece c, bool quoted)
{
    if (c.good && c.code == '\n') {
        put(s, "\\n");
    } else if (c.good && (c.code == '\\' || (c.code == '"' && quoted))) {
        put(s, c.code == '"' ? "\\\"" : "\\\\");
    } else if (c.good && is_harmless(c.code)) {
        put_bytes(s, (const char *)at, c.len);
    } else {
        for (uint32_t i = 0; i < c.len; i++) {
            char hex[8];
            snprintf(hex, sizeof hex, "\\x%02x", at[i]);
            put(s, hex);
        }
    }
}

static void put_text(struct sink *s, const char *text, size_t max, bool quoted)
{
    size_t len = strnlen(text, max + 1);
    size_t shown = len > max ? max : len;
    for (size_t i = 0; i < shown;) {
        const uint8_t *at = (const uint8_t *)text + i;
        struct piece c = next_char(at, shown - i);
        put_text_piece(s, at, c, quoted);
        i += c.len;
    }
    if (len > max)
        put(s, "...");
}

void log_line_escape(char *out, size_t size, const char *text)
{
    char part[32];
    size_t left = strlen(text), at = 0;
    assert(size > 0);
    while (left > 0) {
        struct piece c = next_char((const uint8_t *)text, left);
        struct sink s = {.out = part, .cap = sizeof part};
        put_text_piece(&s, (const uint8_t *)text, c, false);
        if (at + s.len >= size)
            break;
        memcpy(out + at, part, s.len);
        at += s.len;
        text += c.len;
        left -= c.len;
    }
    out[at] = '\0';
}

/* A value that could be read as something else stands in quotes. */
static void put_value(struct sink *s, const char *text)
{
    bool quoted = *text == '\0' || strpbrk(text, " =\"\\\n") != NULL;
    if (quoted)
        put(s, "\"");
    put_text(s, text, LOG_LINE_TEXT, quoted);
    if (quoted)
        put(s, "\"");
}

static void put_time(struct sink *s, uint64_t wall_ns)
{
    char text[48];
    time_t seconds = (time_t)(wall_ns / 1000000000u);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)(wall_ns / 1000000u % 1000u));
    put(s, text);
}

static void put_number(struct sink *s, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    put(s, text);
}

size_t log_line_text(char out[LOG_LINE_MAX], const struct log_entry *entry, bool colours)
{
    static const char *const paint[LOG_LEVELS] = {"\033[31m", "\033[33m", "", "\033[2m", "\033[2m"};
    struct sink s = {.out = out, .cap = LOG_LINE_MAX};
    char head[40];
    assert(entry->count <= LOG_FIELDS_MAX);
    put_time(&s, entry->wall_ns);
    if (colours)
        put(&s, paint[entry->level]);
    snprintf(head, sizeof head, " %-7s %-5s ", log_level_name(entry->level),
             log_category_name(entry->category));
    put(&s, head);
    put_text(&s, entry->message, LOG_LINE_MESSAGE, false);
    for (uint32_t i = 0; i < entry->count; i++) {
        if (entry->fields[i].machine)
            continue;
        put(&s, " ");
        put(&s, entry->fields[i].key);
        put(&s, "=");
        if (entry->fields[i].text)
            put_value(&s, entry->fields[i].text);
        else
            put_number(&s, entry->fields[i].number);
    }
    if (colours && *paint[entry->level])
        put(&s, "\033[0m");
    put(&s, "\n");
    return s.len;
}

/* ---- JSON ---- */

/* A string as RFC 8259 has it. What is no UTF-8 becomes U+FFFD. */
static void put_json(struct sink *s, const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    size_t shown = len > max ? max : len;
    put(s, "\"");
    for (size_t i = 0; i < shown;) {
        const uint8_t *at = (const uint8_t *)text + i;
        struct piece c = next_char(at, shown - i);
        char escape[16];
        if (!c.good) {
            put(s, "\\ufffd");
        } else if (c.code == '"' || c.code == '\\') {
            put(s, c.code == '"' ? "\\\"" : "\\\\");
        } else if (is_harmless(c.code)) {
            put_bytes(s, (const char *)at, c.len);
        } else if (c.code > 0xffff) {
            uint32_t v = c.code - 0x10000;
            snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xd800 + (v >> 10),
                     0xdc00 + (v & 0x3ff));
            put(s, escape);
        } else {
            snprintf(escape, sizeof escape, "\\u%04x", c.code);
            put(s, escape);
        }
        i += c.len;
    }
    put(s, len > max ? "...\"" : "\"");
}

size_t log_line_json(char out[LOG_LINE_MAX], const struct log_entry *entry)
{
    struct sink s = {.out = out, .cap = LOG_LINE_MAX};
    assert(entry->count <= LOG_FIELDS_MAX);
    put(&s, "{\"time\":\"");
    put_time(&s, entry->wall_ns);
    put(&s, "\",\"level\":\"");
    put(&s, log_level_name(entry->level));
    put(&s, "\",\"category\":\"");
    put(&s, log_category_name(entry->category));
    put(&s, "\",\"kind\":\"");
    put(&s, entry->kind);
    put(&s, "\",\"message\":");
    put_json(&s, entry->message, LOG_LINE_MESSAGE);
    for (uint32_t i = 0; i < entry->count; i++) {
        put(&s, ",\"");
        put(&s, entry->fields[i].key);
        put(&s, "\":");
        if (entry->fields[i].text)
            put_json(&s, entry->fields[i].text, LOG_LINE_TEXT);
        else
            put_number(&s, entry->fields[i].number);
    }
    put(&s, "}\n");
    return s.len;
}
