/* Reads a data set's JSON. Failure modes: no JSON, an unknown, missing or wrongly typed key, a
 * number out of its range, shares that do not make a whole, a matrix that is not square or not
 * symmetric, a distribution that does not ascend to 1. Each ends with one line that says where and
 * what would be right; nothing is sized by what the file claims before it is checked. */
#include "scenarios/options.h"
#include "scenarios/topology.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LATENCY_MAX_MS   60000.0
#define RATE_MAX_BPS     1e12
#define SHARES_TOLERANCE 0.001 /* published shares are rounded to 3 or 4 digits */
#define CDF_TOLERANCE    1e-9
#define NS_PER_MS        1e6

struct reading {
    struct topology *out;
    const char *place;
    char *why;
    size_t size;
};

static bool fail(const struct reading *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(const struct reading *r, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(r->why, r->size, "%s: %s", r->place, text);
    return false;
}

/* ---- single values ---- */

static const char *given(const json_t *v, char *out, size_t size)
{
    if (!v)
        return "nothing";
    if (json_is_number(v))
        snprintf(out, size, "%.10g", json_number_value(v));
    else if (json_is_string(v))
        snprintf(out, size, "\"%.40s\"", json_string_value(v));
    else
        snprintf(out, size, "%s",
                 json_is_object(v)    ? "an object"
                 : json_is_array(v)   ? "a list"
                 : json_is_boolean(v) ? "true or false"
                                      : "null");
    return out;
}

/* A number lo..hi at `where`. */
static bool number(const struct reading *r, const json_t *v, const char *where, double lo,
                   double hi, double *out)
{
    char text[64];
    *out = json_is_number(v) ? json_number_value(v) : (double)NAN;
    return (*out >= lo && *out <= hi) || fail(r, "%s must be a number %.10g..%.10g, got %s", where,
                                              lo, hi, given(v, text, sizeof text));
}

static bool whole(const struct reading *r, const json_t *v, const char *where, double lo,
                  uint64_t *out)
{
    char text[64];
    double x = json_is_integer(v) ? (double)json_integer_value(v) : (double)NAN;
    if (!(x >= lo && x <= RATE_MAX_BPS))
        return fail(r, "%s must be a whole number of bits/s, %.0f..%.0f, got %s", where, lo,
                    RATE_MAX_BPS, given(v, text, sizeof text));
    *out = (uint64_t)x;
    return true;
}

/* Milliseconds with decimals as nanoseconds: one multiplication, rounded once, then to the nearest
 * integer. */
static uint64_t ns_of_ms(double ms)
{
    return (uint64_t)(ms * NS_PER_MS + 0.5);
}

static bool list(const struct reading *r, const json_t *v, const char *where, size_t least,
                 size_t most)
{
    char text[64];
    if (!json_is_array(v))
        return fail(r, "%s must be a list, got %s", where, given(v, text, sizeof text));
    if (json_array_size(v) < least || json_array_size(v) > most)
        return fail(r, "%s must have %zu..%zu entries, got %zu", where, least, most,
                    json_array_size(v));
    return true;
}

/* ---- keys ---- */

struct key {
    const char *name;
    bool needed;
};

static bool unknown(const struct reading *r, const char *where, const char *name,
                    const struct key *keys, size_t count)
{
    char hint[SUGGEST_HINT];
    char names[200] = "";
    size_t at = 0;
    struct suggest best;
    suggest_init(&best, name);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&best, keys[i].name);
    suggest_text(&best, hint, sizeof hint);
    for (size_t i = 0; i < count && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s",
                               i ? ", " : "; there are: ", keys[i].name);
    return fail(r, "%sunknown key '%.40s'%s", where, name, hint[0] ? hint : names);
}

/* The object at `where` ("" or "jitter: ") has these keys and no others. */
static bool check_keys(const struct reading *r, json_t *v, const char *where,
                       const struct key *keys, size_t count)
{
    char text[64];
    const char *name;
    json_t *member;
    if (!json_is_object(v))
        return fail(r, "%smust be an object { ... }, got %s", where, given(v, text, sizeof text));
    for (size_t i = 0; i < count; i++)
        if (keys[i].needed && !json_object_get(v, keys[i].name))
            return fail(r, "%s'%s' is missing", where, keys[i].name);
    json_object_foreach(v, name, member)
    {
        size_t i = 0;
        while (i < count && strcmp(keys[i].name, name) != 0)
            i++;
        if (i == count)
            return unknown(r, where, name, keys, count);
    }
    return true;
}

/* ---- the parts of a file ---- */

static bool read_region_name(const struct reading *r, const json_t *v, const char *where,
                             uint32_t index)
{
    char text[64];
    const char *name = json_is_string(v) ? json_string_value(v) : "";
    struct topology *t = r->out;
    size_t len = strlen(name);
    if (len < 1 || len >= sizeof t->regions->name || len != json_string_length(v) ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != len)
        return fail(r, "%s.name must be 1..%zu letters, digits, - or _, got %s", where,
                    sizeof t->regions->name - 1, given(v, text, sizeof text));
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(t->regions[i].name, name) == 0)
            return fail(r, "%s.name: '%s' is regions[%u] already; each needs a name of its own",
                        where, name, i + 1);
    memcpy(t->regions[index].name, name, len + 1);
    return true;
}

static bool read_region(const struct reading *r, json_t *v, uint32_t index, double *share)
{
    static const struct key keys[] = {{"name", true},
                                      {"title", false},
                                      {"share", true},
                                      {"download_bps", true},
                                      {"upload_bps", true}};
    struct topology_region *region = &r->out->regions[index];
    char where[32], at[48];
    snprintf(where, sizeof where, "regions[%u]: ", index + 1);
    if (!check_keys(r, v, where, keys, sizeof keys / sizeof *keys))
        return false;
    snprintf(where, sizeof where, "regions[%u]", index + 1);
    if (!read_region_name(r, json_object_get(v, "name"), where, index))
        return false;
    snprintf(at, sizeof at, "%s.share", where);
    if (!number(r, json_object_get(v, "share"), at, 0, 1, share))
        return false;
    snprintf(at, sizeof at, "%s.download_bps", where);
    if (!whole(r, json_object_get(v, "download_bps"), at, 1, &region->down_bps))
        return false;
    snprintf(at, sizeof at, "%s.upload_bps", where);
    return whole(r, json_object_get(v, "upload_bps"), at, 1, &region->up_bps);
}

/* Shares are scaled to make exactly a whole. */
static bool read_regions(const struct reading *r, const json_t *v)
{
    struct topology *t = r->out;
    double sum = 0;
    if (!list(r, v, "regions", 1, TOPOLOGY_REGIONS_MAX))
        return false;
    t->region_count = (uint32_t)json_array_size(v);
    for (uint32_t i = 0; i < t->region_count; i++) {
        double share;
        if (!read_region(r, json_array_get(v, i), i, &share))
            return false;
        sum += share;
        t->regions[i].cumulative = sum;
    }
    if (!(sum >= 1 - SHARES_TOLERANCE && sum <= 1 + SHARES_TOLERANCE))
        return fail(r, "the shares of the regions must make 1 (within %.10g), they make %.10g",
                    SHARES_TOLERANCE, sum);
    for (uint32_t i = 0; i < t->region_count; i++)
        t->regions[i].cumulative /= sum;
    return true;
}

static bool read_latency(const struct reading *r, const json_t *v, bool round_trip)
{
    struct topology *t = r->out;
    const size_t n = t->region_count;
    char where[64];
    double ms;
    if (!json_is_array(v) || json_array_size(v) != n)
        return fail(r, "latency_ms must be a square of %zu rows, one for each region, got %zu", n,
                    json_array_size(v));
    for (uint32_t a = 0; a < n; a++) {
        const json_t *row = json_array_get(v, a);
        if (!json_is_array(row) || json_array_size(row) != n)
            return fail(r,
                        "latency_ms[%u] (%s) must have %zu numbers, one for each region, got %zu",
                        a + 1, t->regions[a].name, n, json_array_size(row));
        for (uint32_t b = 0; b < n; b++) {
            snprintf(where, sizeof where, "latency_ms[%u][%u] (%s to %s)", a + 1, b + 1,
                     t->regions[a].name, t->regions[b].name);
            if (!number(r, json_array_get(row, b), where, 0, LATENCY_MAX_MS, &ms))
                return false;
            t->latency_ns[a][b] = ns_of_ms(round_trip ? ms / 2 : ms);
            if (b < a && t->latency_ns[a][b] != t->latency_ns[b][a])
                return fail(r, "%s and back differ (%.10g and %.10g); they must be equal", where,
                            ms, json_number_value(json_array_get(json_array_get(v, b), a)));
        }
    }
    return true;
}

/* "one-way" or "round-trip"; published tables are either, and seldom say which. */
static bool read_latency_kind(const struct reading *r, const json_t *v, bool *round_trip)
{
    char text[64];
    const char *kind = json_is_string(v) ? json_string_value(v) : "";
    *round_trip = strcmp(kind, "round-trip") == 0;
    return *round_trip || strcmp(kind, "one-way") == 0 ||
           fail(r, "latency_is must be \"one-way\" or \"round-trip\", got %s",
                given(v, text, sizeof text));
}

static bool read_jitter(const struct reading *r, json_t *v)
{
    static const struct key keys[] = {{"model", true}, {"mean_less_minimum_ms", true}};
    struct topology *t = r->out;
    char text[64];
    double ms;
    if (!v)
        return true;
    if (!check_keys(r, v, "jitter: ", keys, sizeof keys / sizeof *keys))
        return false;
    const json_t *model = json_object_get(v, "model");
    if (!json_is_string(model) || strcmp(json_string_value(model), "pareto") != 0)
        return fail(r, "jitter.model must be \"pareto\", got %s", given(model, text, sizeof text));
    if (!number(r, json_object_get(v, "mean_less_minimum_ms"), "jitter.mean_less_minimum_ms", 0.001,
                LATENCY_MAX_MS, &ms))
        return false;
    t->spread_ns = ns_of_ms(ms);
    for (uint32_t a = 0; a < t->region_count; a++)
        for (uint32_t b = 0; b < t->region_count; b++)
            if (t->latency_ns[a][b] <= t->spread_ns)
                return fail(r,
                            "jitter.mean_less_minimum_ms must be below every one-way latency: "
                            "%s to %s has %.10g ms",
                            t->regions[a].name, t->regions[b].name,
                            (double)t->latency_ns[a][b] / NS_PER_MS);
    return true;
}

static bool read_degrees(const struct reading *r, const json_t *v)
{
    struct topology *t = r->out;
    char where[40];
    double before = 0;
    if (!v)
        return true;
    if (!list(r, v, "outdegree_cdf", 1, TOPOLOGY_DEGREES_MAX))
        return false;
    t->degree_count = (uint32_t)json_array_size(v);
    for (uint32_t i = 0; i < t->degree_count; i++) {
        snprintf(where, sizeof where, "outdegree_cdf[%u]", i + 1);
        if (!number(r, json_array_get(v, i), where, 0, 1, &t->degree_cdf[i]))
            return false;
        if (t->degree_cdf[i] < before)
            return fail(r, "%s must not be below the one before, %.10g, got %.10g", where, before,
                        t->degree_cdf[i]);
        before = t->degree_cdf[i];
    }
    return before >= 1 - CDF_TOLERANCE ||
           fail(r, "outdegree_cdf must end with 1, it ends with %.10g", before);
}

static bool read_text(const struct reading *r, const json_t *v, const char *where)
{
    char text[64];
    return (json_is_string(v) && json_string_length(v) > 0) ||
           fail(r, "%s must be a text, got %s", where, given(v, text, sizeof text));
}

/* Where the figures come from: a text, or a list of them. */
static bool read_source(const struct reading *r, const json_t *v)
{
    if (!json_is_array(v))
        return read_text(r, v, "source");
    if (!list(r, v, "source", 1, 20))
        return false;
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!read_text(r, json_array_get(v, i), "each source"))
            return false;
    return true;
}

static bool read_about(const struct reading *r, const json_t *root, const char *name)
{
    char text[64];
    const json_t *v = json_object_get(root, "name");
    const json_t *about = json_object_get(root, "about");
    const json_t *url = json_object_get(root, "url");
    if (!json_is_string(v) || strcmp(json_string_value(v), name) != 0)
        return fail(r, "name must be the file's, \"%s\", got %s", name,
                    given(v, text, sizeof text));
    snprintf(r->out->name, sizeof r->out->name, "%s", name);
    return read_source(r, json_object_get(root, "source")) &&
           (!about || read_text(r, about, "about")) && (!url || read_text(r, url, "url"));
}

static bool read_root(const struct reading *r, json_t *root, const char *name)
{
    static const struct key keys[] = {
        {"name", true},           {"about", false},     {"source", true},
        {"url", false},           {"regions", true},    {"between_regions_bps", false},
        {"latency_is", true},     {"latency_ms", true}, {"jitter", false},
        {"outdegree_cdf", false},
    };
    const json_t *between =
        json_is_object(root) ? json_object_get(root, "between_regions_bps") : NULL;
    bool round_trip;
    return check_keys(r, root, "", keys, sizeof keys / sizeof *keys) && read_about(r, root, name) &&
           read_regions(r, json_object_get(root, "regions")) &&
           (!between || whole(r, between, "between_regions_bps", 1, &r->out->between_bps)) &&
           read_latency_kind(r, json_object_get(root, "latency_is"), &round_trip) &&
           read_latency(r, json_object_get(root, "latency_ms"), round_trip) &&
           read_jitter(r, json_object_get(root, "jitter")) &&
           read_degrees(r, json_object_get(root, "outdegree_cdf"));
}

bool topology_read(struct topology *out, const char *name, const char *place, const char *text,
                   size_t len, char *why, size_t size)
{
    const struct reading r = {.out = out, .place = place, .why = why, .size = size};
    json_error_t error;
    *out = (struct topology){0};
    if (len > TOPOLOGY_TEXT_MAX)
        return fail(&r, "larger than %u KiB", TOPOLOGY_TEXT_MAX >> 10);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        snprintf(why, size, "%s:%d:%d: %s", place, error.line, error.column, error.text);
        return false;
    }
    bool ok = read_root(&r, root, name);
    json_decref(root);
    return ok;
}
