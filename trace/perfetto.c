/* Trace events in JSON; see perfetto.h. */
#include "trace/perfetto.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXACT_MAX 9007199254740992u /* 2^53 */

static void put_text(struct perfetto *p, const char *text)
{
    outfile_put(&p->out, text, strlen(text));
}

static void put(struct perfetto *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Of numbers and short words: what is longer than the room here is nobody's to write. */
static void put(struct perfetto *p, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_text(p, text);
}

/* ---- strings ---- */

/* Bytes of the UTF-8 sequence that begins here (RFC 3629), 0 if it is none. */
static size_t utf8_length(const uint8_t *s)
{
    const size_t len = s[0] < 0x80                    ? 1
                       : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
                       : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                       : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                      : 0;
    for (size_t i = 1; i < len; i++) /* a NUL ends this, too */
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    const bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    const bool no_character = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || no_character ? 0 : len;
}

static void put_string(struct perfetto *p, const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    put_text(p, "\"");
    while (*s) {
        const size_t len = utf8_length(s);
        if (len == 0)
            put_text(p, "\xef\xbf\xbd"); /* U+FFFD, the replacement character */
        else if (*s == '"' || *s == '\\')
            put(p, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            put(p, "\\u%04x", *s);
        else
            outfile_put(&p->out, s, len);
        s += len > 0 ? len : 1;
    }
    put_text(p, "\"");
}

/* ---- events ---- */

bool perfetto_open(struct perfetto *p, const char *path)
{
    *p = (struct perfetto){.events = 0};
    if (!outfile_open(&p->out, path))
        return false;
    put_text(p, "[\n");
    return outfile_begin(&p->out);
}

static void object_begin(struct perfetto *p)
{
    put_text(p, p->events++ > 0 ? ",\n{" : "{");
    p->args = false;
}

static void metadata(struct perfetto *p, const char *what, uint32_t pid, uint32_t tid)
{
    object_begin(p);
    put(p, "\"ph\":\"M\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"name\":\"%s\"", pid, tid, what);
}

void perfetto_process(struct perfetto *p, uint32_t pid, const char *name)
{
    metadata(p, "process_name", pid, 0);
    perfetto_text(p, "name", name);
    perfetto_end(p);
    metadata(p, "process_sort_index", pid, 0);
    perfetto_number(p, "sort_index", pid);
    perfetto_end(p);
}

void perfetto_track(struct perfetto *p, uint32_t pid, uint32_t tid, const char *name)
{
    metadata(p, "thread_name", pid, tid);
    perfetto_text(p, "name", name);
    perfetto_end(p);
    metadata(p, "thread_sort_index", pid, tid);
    perfetto_number(p, "sort_index", tid);
    perfetto_end(p);
}

/* Times are in microseconds: with three digits behind the point no nanosecond is lost. */
void perfetto_event(struct perfetto *p, enum perfetto_phase phase, struct perfetto_at at,
                    const char *category, const char *name)
{
    object_begin(p);
    put(p, "\"ph\":\"%c\",\"ts\":%" PRIu64 ".%03" PRIu64, (char)phase, at.t_ns / 1000,
        at.t_ns % 1000);
    put(p, ",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"cat\":", at.pid, at.tid);
    put_string(p, category);
    put_text(p, ",\"name\":");
    put_string(p, name);
    if (phase == PERFETTO_INSTANT)
        put_text(p, ",\"s\":\"t\"");
    else if (phase == PERFETTO_SLICE)
        put_text(p, ",\"dur\":0");
    else if (phase == PERFETTO_ARROW_TO)
        put_text(p, ",\"bp\":\"e\"");
}

void perfetto_id(struct perfetto *p, uint64_t id)
{
    put(p, ",\"id\":\"0x%" PRIx64 "\"", id);
}

static void put_key(struct perfetto *p, const char *key)
{
    put_text(p, p->args ? "," : ",\"args\":{");
    put_string(p, key);
    put_text(p, ":");
    p->args = true;
}

void perfetto_text(struct perfetto *p, const char *key, const char *value)
{
    put_key(p, key);
    put_string(p, value);
}

void perfetto_number(struct perfetto *p, const char *key, uint64_t value)
{
    put_key(p, key);
    put(p, value <= EXACT_MAX ? "%" PRIu64 : "\"%" PRIu64 "\"", value);
}

void perfetto_end(struct perfetto *p)
{
    put_text(p, p->args ? "}}" : "}");
    outfile_end_record(&p->out);
}

bool perfetto_close(struct perfetto *p)
{
    return outfile_close(&p->out, "\n]\n");
}
