/* How vibesim speaks to people: one-line errors, marks and colours that fit the terminal, times in
 * words, words that fit a shell. */
#ifndef VIBESIM_CLI_TERM_H
#define VIBESIM_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One line "vibesim: ..." on stderr; control characters become '?'. */
void term_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes stdout; false, with an error told, if anything was not written. */
bool term_stdout_ok(void);

struct term_style {
    bool colour;
    const char *ok, *failed, *never; /* marks */
    const char *arrow;
    const char *dot; /* between facts of one line */
};

/* Colours only on a terminal and without NO_COLOR (https://no-color.org); marks beyond ASCII only
 * in a UTF-8 locale. */
void term_style_init(struct term_style *style, FILE *out);

enum term_colour { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_GREEN, TERM_RED };

/* The sequence that starts a colour (TERM_PLAIN: ends all); "" without colours. */
const char *term_colour(const struct term_style *style, enum term_colour colour);

/* Copies text so that it stays on its line: control characters become '?'. Cut at size. */
void term_clean(char *out, size_t size, const char *text);

/* 12345 becomes "12,345". */
void term_number(char out[32], uint64_t n);

/* Nanoseconds as seconds with three digits, cut: "12.345". */
void term_seconds(char out[32], uint64_t ns);

/* The word as a POSIX shell reads it back, in quotes if it needs any. Cut at size. */
void term_quote(char *out, size_t size, const char *word);

/* A monotonic clock, for progress and for how long a run took. */
uint64_t term_now_ms(void);

#endif
