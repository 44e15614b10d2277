/* See cli_words.h. */
#include "vibesim/cli_words.h"

#include "trace/suggest.h"
#include "vibesim/cli_term.h"
#include "vibesim/seeds.h"

#include <inttypes.h>

const char *words_nearest(const char *given, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = strlen(given) > 5 ? 4 : 3; /* one less is still a slip */
    for (; *names; names++) {
        size_t d = suggest_distance(given, *names);
        if (strlen(given) > 3 && strncmp(given, *names, strlen(given)) == 0)
            d = 0;
        if (d < best_distance) {
            best = *names;
            best_distance = d;
        }
    }
    return best;
}

void words_unknown(const char *what, const char *given, const char *const *names)
{
    const char *best = words_nearest(given, names);
    if (best) {
        term_error("'%s' is no %s: did you mean %s?", given, what, best);
        return;
    }
    char all[200] = "";
    for (; *names; names++) {
        strncat(all, " ", sizeof all - strlen(all) - 1);
        strncat(all, *names, sizeof all - strlen(all) - 1);
    }
    term_error("'%s' is no %s: there are%s", given, what, all);
}

bool words_next(struct words *w, const char **name, const char **word, bool *wrong)
{
    while (w->at < w->argc) {
        const char *arg = w->argv[w->at++];
        *name = NULL;
        *word = arg;
        w->value = NULL;
        if (w->ended || arg[0] != '-' || arg[1] == 0)
            return true;
        if (strcmp(arg, "--") == 0) {
            w->ended = true;
            continue;
        }
        if (strcmp(arg, "-h") == 0)
            arg = "--help";
        const char *equals = strchr(arg, '=');
        size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
        for (const char *const *n = w->names; *n; n++)
            if (strlen(*n) == len && strncmp(*n, arg, len) == 0) {
                *name = *n;
                w->value = equals ? equals + 1 : NULL;
                return true;
            }
        char given[64];
        term_clean(given, len + 1 < sizeof given ? len + 1 : sizeof given, arg);
        words_unknown("option", given, w->names);
        *wrong = true;
        return false;
    }
    return false;
}

const char *words_value(struct words *w, const char *name, const char *what)
{
    if (w->value)
        return w->value;
    if (w->at < w->argc && strncmp(w->argv[w->at], "--", 2) != 0)
        return w->argv[w->at++];
    term_error("%s: needs a value, %s", name, what);
    return NULL;
}

bool words_number(const char *name, const char *text, uint64_t most, uint64_t *out)
{
    const char *end;
    if (seeds_number(text, &end, out) && !*end && *out >= 1 && *out <= most)
        return true;
    term_error("%s: '%s' is not a whole number from 1 to %" PRIu64, name, text, most);
    return false;
}

bool words_switch(bool *flag, const struct words *w, const char *name)
{
    *flag = true;
    if (w->value)
        term_error("%s: takes no value", name);
    return !w->value;
}
