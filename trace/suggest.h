/* Suggestions for misspelt names. */
#ifndef TRACE_SUGGEST_H
#define TRACE_SUGGEST_H

#include <stddef.h>
#include <stdint.h>

#define SUGGEST_HINT 120u /* bytes for suggest_text */

/* Damerau-Levenshtein distance with adjacent transpositions (optimal string alignment); SIZE_MAX
 * where one has more than 40 bytes. */
size_t suggest_distance(const char *a, const char *b);

/* Finds the name that a person most likely meant. */
struct suggest {
    const char *wanted;
    const char *best; /* borrowed */
    size_t distance;
};

void suggest_init(struct suggest *s, const char *wanted);
void suggest_offer(struct suggest *s, const char *name);
/* "; did you mean 'x'?" or "". */
void suggest_text(const struct suggest *s, char *out, size_t size);

#endif
