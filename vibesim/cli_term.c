/* How vibesim speaks to people; see cli_term.h. */
#include "vibesim/cli_term.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void term_clean(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; n + 1 < size && text[n]; n++) {
        unsigned char c = (unsigned char)text[n];
        out[n] = c < 0x20 || c == 0x7f ? '?' : text[n];
    }
    if (text[n])
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    out[n] = 0;
}

void term_error(const char *format, ...)
{
    char line[2048], clean[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    term_clean(clean, sizeof clean, line);
    fflush(stdout);
    fprintf(stderr, "vibesim: %s\n", clean);
}

bool term_stdout_ok(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    term_error("standard output: %s", errno ? strerror(errno) : "not everything was written");
    return false;
}

/* Asks the locale without setting it: a set one would reach Lua's string functions, and with them
 * the simulated run. */
static bool locale_is_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (!locale)
        return false;
    bool utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return utf8;
}

void term_style_init(struct term_style *style, FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool utf8 = locale_is_utf8();
    style->colour =
        isatty(fileno(out)) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
    style->ok = utf8 ? "\u2713 ok    " : "ok    ";
    style->failed = utf8 ? "\u2717 FAILED" : "FAILED";
    style->never = utf8 ? "\u2013 never " : "never ";
    style->arrow = utf8 ? "\u2192" : "->";
    style->dot = utf8 ? "\u00b7" : "-";
}

const char *term_colour(const struct term_style *style, enum term_colour colour)
{
    if (!style->colour)
        return "";
    switch (colour) {
    case TERM_PLAIN:
        return "\033[0m";
    case TERM_BOLD:
        return "\033[1m";
    case TERM_DIM:
        return "\033[2m";
    case TERM_GREEN:
        return "\033[32m";
    case TERM_RED:
        return "\033[31m";
    }
    return "";
}

void term_number(char out[32], uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    int at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

void term_seconds(char out[32], uint64_t ns)
{
    snprintf(out, 32, "%llu.%03llu", (unsigned long long)(ns / 1000000000u),
             (unsigned long long)(ns / 1000000u % 1000u));
}

void term_quote(char *out, size_t size, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./=:,+@%";
    if (*word && word[strspn(word, plain)] == 0) {
        snprintf(out, size, "%s", word);
        return;
    }
    size_t n = 0;
    if (size > 2)
        out[n++] = '\'';
    for (; *word && n + 6 < size; word++) {
        if (*word == '\'') {
            memcpy(out + n, "'\\''", 4);
            n += 4;
        } else {
            out[n++] = *word;
        }
    }
    if (n + 1 < size)
        out[n++] = '\'';
    out[n] = 0;
}

uint64_t term_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}
