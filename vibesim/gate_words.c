/* See gate_words.h. All texts come from scenarios, records and command lines: they may hold control
 * characters, markup and bytes that are no UTF-8. */
#include "vibesim/gate_words.h"

#include "core/wire/msg.h"
#include "vibesim/cli.h"
#include "vibesim/cli_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- figures ---- */

void gate_share_words(char out[GATE_WORDS_SIZE], double share)
{
    double percent = 100 * share;
    if (!isfinite(share))
        snprintf(out, GATE_WORDS_SIZE, "from 0");
    else
        snprintf(out, GATE_WORDS_SIZE, "%+.*f %%", fabs(percent) < 100 ? 1 : 0, percent);
}

static void limit_words(char out[40], double share)
{
    double percent = 100 * share;
    if (isfinite(share))
        snprintf(out, 40, "%+.*f", fabs(percent) < 100 ? 1 : 0, percent);
    else
        snprintf(out, 40, "?");
}

void gate_metric_words(char out[GATE_WORDS_SIZE], const struct gate_metric *m, const char *arrow)
{
    char change[GATE_WORDS_SIZE], low[40], high[40];
    const struct compare *c = &m->compare;
    gate_share_words(change, c->change);
    limit_words(low, c->low);
    limit_words(high, c->high);
    snprintf(out, GATE_WORDS_SIZE, "%.4g %.8s %.4g, %.40s [%s, %s], p=%.2g", c->before, arrow,
             c->after, change, low, high, m->p);
}

/* ", 3 broken" if there are any. */
static void add_count(char *out, size_t size, uint64_t n, const char *one, const char *many)
{
    size_t len = strlen(out);
    if (n)
        snprintf(out + len, size - len, ", %" PRIu64 " %s", n, n == 1 ? one : many);
}

void gate_case_words(char out[GATE_WORDS_SIZE], const struct gate_case *c)
{
    snprintf(out, GATE_WORDS_SIZE, "%" PRIu64 " of %zu runs hold", c->held, c->pair_count);
    add_count(out, GATE_WORDS_SIZE, c->failed, "broken", "broken");
    add_count(out, GATE_WORDS_SIZE, c->skipped, "skipped", "skipped");
    add_count(out, GATE_WORDS_SIZE, c->skipped ? 0 : tally_never(&c->tally), "sometimes never",
              "sometimes never");
    add_count(out, GATE_WORDS_SIZE, c->worse, "metric worse", "metrics worse");
    add_count(out, GATE_WORDS_SIZE, c->identical, "bit-identical", "bit-identical");
}

void gate_total_words(char *out, size_t size, const struct gate *gate)
{
    size_t cases = 0; /* scenarios: those of one name are together */
    const char *last = "";
    for (size_t i = 0; i < gate->case_count; i++) {
        const struct gate_case *c = &gate->cases[i];
        cases += c->file != NULL && strcmp(c->name, last) != 0;
        last = c->name;
    }
    snprintf(out, size, "%" PRIu64 " of %" PRIu64 " runs of %zu scenario%s hold", gate->held,
             gate->runs, cases, cases == 1 ? "" : "s");
    add_count(out, size, gate->failed, "broken", "broken");
    add_count(out, size, gate->skipped, "skipped", "skipped");
    add_count(out, size, gate->never, "sometimes never", "sometimes never");
    size_t len = strlen(out);
    snprintf(out + len, size - len,
             "; %" PRIu64 " of %zu metrics worse; %" PRIu64 " of %" PRIu64 " pairs bit-identical",
             gate->worse, gate->compared, gate->identical, gate->paired);
}

/* ---- commands ---- */

char *gate_again_words(const struct gate_case *c, const struct gate_pair *pair)
{
    char *out;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    if (!f)
        abort();
    report_command_put(f, &c->again.args, c->file, pair->seed);
    if (fclose(f) != 0)
        abort();
    return out;
}

char *gate_shrink_words(const struct gate *gate, const struct gate_pair *pair)
{
    size_t room = 4 * strlen(gate->db) + 8, size = room + 64;
    if (!pair->after.id || pair->after.status != CLI_CHECK_FAILED)
        return NULL;
    char *quoted = malloc(room), *out = malloc(size);
    if (!quoted || !out)
        abort();
    term_quote(quoted, room, gate->db);
    snprintf(out, size, "vibesim shrink %s --run %" PRId64, quoted, pair->after.id);
    free(quoted);
    return out;
}

unsigned gate_line_of(const struct gate_case *c, const char *reason)
{
    size_t len = strlen(c->file);
    const char *end;
    uint64_t line;
    if (!reason || strncmp(reason, c->file, len) != 0 || reason[len] != ':')
        return 0;
    return seeds_number(reason + len + 1, &end, &line) && (*end == ':' || !*end) && line < 1000000
               ? (unsigned)line
               : 0;
}

bool gate_is_broken(const struct gate_run *run)
{
    return run->there && run->status != CLI_OK && run->status != CLI_SKIPPED;
}

/* ---- text in files ---- */

#define REPLACEMENT "\xef\xbf\xbd"

/* The bytes of the character at text, 0 if it is none. */
static size_t character(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    return strnlen(text, len) == len && wire_utf8_valid(p, len) ? len : 0;
}

/* U+FFFE and U+FFFF: no characters in XML. */
static bool is_no_character(const char *text, size_t len)
{
    return len == 3 && memcmp(text, "\xef\xbf", 2) == 0 && (unsigned char)text[2] >= 0xbe;
}

/* What stands for a character, or NULL for itself. */
typedef const char *escape(char c);

static void put(FILE *f, const char *text, escape *of)
{
    while (*text) {
        size_t len = character(text);
        const char *instead = len == 1                                 ? of(*text)
                              : len == 0 || is_no_character(text, len) ? REPLACEMENT
                                                                       : NULL;
        if (instead)
            fputs(instead, f);
        else
            fwrite(text, 1, len, f);
        text += len ? len : 1;
    }
}

static const char *itself(char c)
{
    (void)c;
    return NULL;
}

char *gate_utf8(const char *text)
{
    char *out;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    if (!f)
        abort();
    put(f, text, itself);
    if (fclose(f) != 0)
        abort();
    return out;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static const char *xml(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return is_control(c) ? REPLACEMENT : NULL;
    }
}

void gate_put_xml(FILE *f, const char *text)
{
    put(f, text, xml);
}

/* As CommonMark says: punctuation behind a backslash is itself; a table's bar is, too (GFM 4.10).
 */
static const char *markdown(char c)
{
    static const char special[] = "\\`*_{}[]()#+-.!|~@$:";
    static char pair[3] = "\\";
    if (is_control(c))
        return " ";
    if (c == '<' || c == '>' || c == '&')
        return xml(c);
    if (!strchr(special, c))
        return NULL;
    pair[1] = c;
    return pair;
}

void gate_put_markdown(FILE *f, const char *text)
{
    put(f, text, markdown);
}

static const char *github_message(char c)
{
    return c == '%' ? "%25" : c == '\r' ? "%0D" : c == '\n' ? "%0A" : is_control(c) ? "?" : NULL;
}

static const char *github_property(char c)
{
    return c == ':' ? "%3A" : c == ',' ? "%2C" : github_message(c);
}

void gate_put_github(FILE *f, const char *text, bool property)
{
    put(f, text, property ? github_property : github_message);
}

static const char *tap(char c)
{
    return c == '#' ? "\\#" : c == '\\' ? "\\\\" : is_control(c) ? "?" : NULL;
}

void gate_put_tap(FILE *f, const char *text)
{
    put(f, text, tap);
}
