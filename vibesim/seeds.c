/* Lists of seeds; see seeds.h. */
#include "vibesim/seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool seeds_number(const char *text, const char **end, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *end = p;
    *out = v;
    return p != text;
}

/* One item, "7" or "1..20", that ends at a comma or at the end. */
static bool parse_item(const char *item, size_t len, struct seed_range *out, char *why, size_t size)
{
    const char *end;
    bool ok = seeds_number(item, &end, &out->first);
    out->last = out->first;
    if (ok && strncmp(end, "..", 2) == 0)
        ok = seeds_number(end + 2, &end, &out->last);
    if (!ok || end != item + len) {
        snprintf(why, size,
                 "'%.*s' is no seed and no range: write whole numbers from 0 to " SEEDS_WHOLE_MAX
                 ", like 7 or 1..20",
                 (int)(len < 60 ? len : 60), item);
        return false;
    }
    if (out->last >= out->first)
        return true;
    snprintf(why, size, "%llu..%llu runs backwards: write %llu..%llu",
             (unsigned long long)out->first, (unsigned long long)out->last,
             (unsigned long long)out->last, (unsigned long long)out->first);
    return false;
}

/* Total for ranges that do not overlap; overlapping ones are refused after sorting. */
static int by_first(const void *a, const void *b)
{
    const struct seed_range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static bool check_ranges(struct seeds *seeds, char *why, size_t size)
{
    qsort(seeds->ranges, seeds->range_count, sizeof *seeds->ranges, by_first);
    for (size_t i = 0; i < seeds->range_count; i++) {
        const struct seed_range *r = &seeds->ranges[i];
        if (i && r->first <= r[-1].last) {
            snprintf(why, size, "the seed %llu is given twice", (unsigned long long)r->first);
            return false;
        }
        /* The difference first: the whole range of a u64 has more seeds than a u64 counts. */
        if (r->last - r->first >= SEEDS_MAX - seeds->count) {
            snprintf(why, size, "more than %u seeds: take fewer, in several goes", SEEDS_MAX);
            return false;
        }
        seeds->count += r->last - r->first + 1;
    }
    return true;
}

bool seeds_parse(struct seeds *seeds, const char *text, char *why, size_t size)
{
    *seeds = (struct seeds){0};
    size_t items = 1;
    if (strlen(text) > SEEDS_TEXT_MAX) {
        snprintf(why, size, "a list of more than %u bytes: use ranges, like 1..20", SEEDS_TEXT_MAX);
        return false;
    }
    for (const char *p = text; *p; p++)
        items += *p == ',';
    seeds->ranges = calloc(items, sizeof *seeds->ranges);
    if (!seeds->ranges)
        abort();
    bool ok = true;
    for (const char *item = text; ok && seeds->range_count < items;) {
        size_t len = strcspn(item, ",");
        ok = parse_item(item, len, &seeds->ranges[seeds->range_count++], why, size);
        item += len + 1;
    }
    if (ok && check_ranges(seeds, why, size))
        return true;
    seeds_free(seeds);
    return false;
}

void seeds_free(struct seeds *seeds)
{
    free(seeds->ranges);
    *seeds = (struct seeds){0};
}

char *seeds_text(const struct seeds *seeds)
{
    size_t size = seeds->range_count * 44 + 1, at = 0; /* two numbers of 20 digits, dots, comma */
    char *text = malloc(size);
    if (!text)
        abort();
    *text = 0;
    for (size_t i = 0; i < seeds->range_count; i++) {
        uint64_t first = seeds->ranges[i].first, last = seeds->ranges[i].last;
        for (; i + 1 < seeds->range_count && seeds->ranges[i + 1].first == last + 1; i++)
            last = seeds->ranges[i + 1].last;
        at += (size_t)snprintf(text + at, size - at, "%s%llu", at ? "," : "",
                               (unsigned long long)first);
        if (last != first)
            at += (size_t)snprintf(text + at, size - at, "..%llu", (unsigned long long)last);
    }
    return text;
}

uint64_t seeds_at(const struct seeds *seeds, uint64_t place)
{
    size_t i = 0;
    for (; place > seeds->ranges[i].last - seeds->ranges[i].first; i++)
        place -= seeds->ranges[i].last - seeds->ranges[i].first + 1;
    return seeds->ranges[i].first + place;
}
