/* Words, numbers and colours for a terminal: see ctl_impl.h.
 *
 * What a peer says of itself reaches an operator's terminal here. A terminal obeys control
 * characters, and lets others change what stands around them (marks that combine, directions that
 * turn a line round, blanks without width): none of them passes. */
#include "vibenode/ctl_impl.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

void ctl_style_init(struct ctl_style *style, FILE *out)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    style->colour = isatty(fileno(out)) && !(no_colour && *no_colour) && term && *term &&
                    strcmp(term, "dumb") != 0;
    style->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void ctl_colour(struct ops_text *text, const struct ctl_style *style, enum ctl_colour colour)
{
    static const char *const sequences[] = {
        [CTL_PLAIN] = "\x1b[0m",  [CTL_BOLD] = "\x1b[1m", [CTL_DIM] = "\x1b[2m",
        [CTL_GREEN] = "\x1b[32m", [CTL_RED] = "\x1b[31m",
    };
    if (style->colour)
        ops_text_add(text, sequences[colour]);
}

/* Letters of scripts that are written from right to left, which may turn a line round. */
static bool turns_round(uint32_t rune)
{
    return (rune >= 0x590 && rune < 0x900) || (rune >= 0xfb1d && rune < 0xfe00) ||
           (rune >= 0xfe70 && rune < 0xff00) || (rune >= 0x10800 && rune < 0x11000) ||
           (rune >= 0x1e800 && rune < 0x1f000);
}

static size_t width_of(const struct ctl_style *style, uint32_t rune)
{
    if (rune < 0x80)
        return ops_rune_is_control(rune) ? 0 : 1;
    if (!style->utf8 || ops_rune_is_control(rune) || turns_round(rune))
        return 0;
    int width = wcwidth((wchar_t)rune);
    return width > 0 ? (size_t)width : 0;
}

size_t ctl_clean(struct ops_text *text, const struct ctl_style *style, const char *s,
                 size_t columns)
{
    size_t used = 0, mark_at = text->len, mark_used = 0; /* where the mark goes if it is cut */
    while (*s) {
        char bytes[4];
        uint32_t rune = ops_rune_next(&s);
        size_t width = width_of(style, rune);
        if (width == 0) {
            rune = '?';
            width = 1;
        }
        if (used + width > columns) {
            text->len = mark_at;
            ops_text_add(text, style->utf8 ? "\xe2\x80\xa6" : "~");
            return mark_used + 1;
        }
        ops_text_bytes(text, bytes, ops_rune_put(rune, bytes));
        used += width;
        if (used < columns) {
            mark_at = text->len;
            mark_used = used;
        }
    }
    return used;
}

void ctl_clean_lines(struct ops_text *text, const char *s)
{
    while (*s) {
        char bytes[4];
        uint32_t rune = ops_rune_next(&s);
        if (ops_rune_is_control(rune) && rune != '\n' && rune != '\t')
            rune = '?';
        ops_text_bytes(text, bytes, ops_rune_put(rune, bytes));
    }
}

void ctl_number(char out[32], uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < len; i++) {
        *out++ = digits[i];
        if (i + 1 < len && (len - i - 1) % 3 == 0)
            *out++ = ',';
    }
    *out = '\0';
}

/* Three digits at least, none that would be made up: 999 B, 1.0 KiB, 23.4 MiB, 512 GiB. */
void ctl_bytes(char out[32], uint64_t n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t tenths = n;
    if (n < 1024) {
        snprintf(out, 32, "%" PRIu64 " B", n);
        return;
    }
    while (tenths >= 1024) { /* the last step keeps tenths */
        unit++;
        if (tenths < 1024 * 1024) {
            tenths = tenths * 10 / 1024;
            break;
        }
        tenths /= 1024;
    }
    if (tenths < 1000)
        snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
    else
        snprintf(out, 32, "%" PRIu64 " %s", tenths / 10, units[unit]);
}

/* The two greatest units that matter. */
void ctl_duration(char out[32], double seconds)
{
    if (!(seconds >= 0 && seconds < 1e12)) {
        snprintf(out, 32, "-");
        return;
    }
    uint64_t tenths = (uint64_t)(seconds * 10), s = (uint64_t)seconds;
    if (s < 60)
        snprintf(out, 32, "%" PRIu64 ".%" PRIu64 "s", tenths / 10, tenths % 10);
    else if (s < 3600)
        snprintf(out, 32, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, 32, "%" PRIu64 "h %" PRIu64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(out, 32, "%" PRIu64 "d %" PRIu64 "h", s / 86400, s / 3600 % 24);
}
