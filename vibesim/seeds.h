/* Lists of seeds as a person writes them: "1..20", "3,7,100..199". Kept as ranges, in order. */
#ifndef VIBESIM_SEEDS_H
#define VIBESIM_SEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEEDS_MAX       1000000u /* seeds of one list */
#define SEEDS_TEXT_MAX  65536u   /* bytes of one list */
#define SEEDS_WHOLE_MAX "18446744073709551615"

struct seed_range {
    uint64_t first, last;
};

struct seeds {
    struct seed_range *ranges; /* sorted, without overlap */
    size_t range_count;
    uint64_t count; /* of seeds, 1..SEEDS_MAX */
};

/* False with a line in why: what is wrong and how to write it. */
bool seeds_parse(struct seeds *seeds, const char *text, char *why, size_t size);
void seeds_free(struct seeds *seeds);

/* The shortest list that has these seeds, malloc'ed: equal seeds are equal text. */
char *seeds_text(const struct seeds *seeds);

/* The seed at a place, 0..count-1, in ascending order. */
uint64_t seeds_at(const struct seeds *seeds, uint64_t place);

/* Decimal digits of a u64, nothing else; *end is behind them. False if there are none or too many.
 */
bool seeds_number(const char *text, const char **end, uint64_t *out);

#endif
