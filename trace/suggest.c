/* Suggestions for misspelt names: the one of the fewest edits, if they are few enough. */
#include "trace/suggest.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 40u

size_t suggest_distance(const char *a, const char *b)
{
    size_t la = strlen(a);
    size_t lb = strlen(b);
    if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
        return SIZE_MAX;
    size_t rows[3][NAME_MAX_LEN + 1];
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= lb; j++)
        before[j] = above[j] = j;
    for (size_t i = 1; i <= la; i++) {
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[lb];
}

void suggest_init(struct suggest *s, const char *wanted)
{
    *s = (struct suggest){.wanted = wanted, .distance = SIZE_MAX};
}

void suggest_offer(struct suggest *s, const char *name)
{
    size_t d = suggest_distance(s->wanted, name);
    size_t len = strlen(s->wanted);
    bool near = d <= (len <= 3 ? 1 : len <= 6 ? 2 : 3) && d < strlen(name);
    if (near && d < s->distance) {
        s->distance = d;
        s->best = name;
    }
}

void suggest_text(const struct suggest *s, char *out, size_t size)
{
    out[0] = 0;
    if (s->best)
        snprintf(out, size, "; did you mean '%s'?", s->best);
}
