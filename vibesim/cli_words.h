/* The words of a command line: long options with a value behind '=' or as the next word, anywhere
 * among the others; "--" ends them. Own code rather than getopt_long, whose messages cannot say
 * what would be right. Each command makes its parser of this:
 *
 *     struct words w = {.argc = argc, .argv = argv, .names = names};
 *     while (words_next(&w, &name, &word, &wrong))
 *         ... name ? an option : a plain word ...
 *
 * Whatever is wrong is told in one line on stderr. */
#ifndef VIBESIM_CLI_WORDS_H
#define VIBESIM_CLI_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct words {
    int argc, at;
    char **argv;
    const char *const *names; /* of the options, NULL-terminated */
    bool ended;               /* "--" was seen */
    const char *value;        /* behind '=', or NULL */
};

/* The next argument: true with *name an option, or NULL and *word a plain word. False at the end,
 * and for what is no option: then *wrong, told. "-h" is "--help". */
bool words_next(struct words *w, const char **name, const char **word, bool *wrong);

/* The value of the option just read; NULL, told, if there is none. what: "a whole number". */
const char *words_value(struct words *w, const char *name, const char *what);

/* The option's value as a whole number from 1 to `most`; false, told, if it is none. */
bool words_number(const char *name, const char *text, uint64_t most, uint64_t *out);

/* Turns on what the option just read stands for; false, told, if it was given a value. */
bool words_switch(bool *flag, const struct words *w, const char *name);

static inline bool words_is(const char *name, const char *option)
{
    return strcmp(name, option) == 0;
}

/* The one of the names (NULL-terminated) that `given` may be a slip of, or NULL. */
const char *words_nearest(const char *given, const char *const *names);

/* Tells that `given` is not one of the names (NULL-terminated), with the nearest one. */
void words_unknown(const char *what, const char *given, const char *const *names);

#endif
