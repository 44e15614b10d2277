/* What --trace is to show; see trace_filter.h. */
#include "vibesim/trace_filter.h"

#include "vibesim/cli_words.h"
#include "vibesim/seeds.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 64u

static_assert(TRACE_KINDS <= 64, "kinds are bits of a u64");

const char *trace_kind_name(uint32_t kind)
{
    static const char *const own[] = {"step", "log", "check"};
    return kind < VN_TR_KINDS ? vn_trace_name(kind) : own[kind - VN_TR_KINDS];
}

static uint64_t all_kinds(void)
{
    return (UINT64_C(1) << TRACE_KINDS) - 1;
}

/* "3", "node-0003" or "peer-0001" at *at, which is moved behind it. */
static bool read_host(const char **at, struct trace_host *out)
{
    uint64_t number;
    out->peer = strncmp(*at, "peer-", 5) == 0;
    if (out->peer || strncmp(*at, "node-", 5) == 0)
        *at += 5;
    if (!seeds_number(*at, at, &number) || number == 0 || number > UINT32_MAX)
        return false;
    out->number = (uint32_t)number;
    return true;
}

bool trace_host_read(const char *text, struct trace_host *out)
{
    return read_host(&text, out) && !*text;
}

static bool read_node(struct trace_term *term, const char *value, char *why, size_t size)
{
    const char *at = value;
    term->what = TRACE_NODE;
    if (read_host(&at, &term->a) && !*at)
        return true;
    snprintf(why, size,
             "'%s' is no node: write its number, counted from 1, or its name: node=3, "
             "node=node-0003, node=peer-0001",
             value);
    return false;
}

static bool same(struct trace_host a, struct trace_host b)
{
    return a.number != 0 && a.number == b.number && a.peer == b.peer;
}

static bool read_link(struct trace_term *term, const char *value, char *why, size_t size)
{
    const char *at = value;
    term->what = TRACE_LINK;
    bool ok = read_host(&at, &term->a) && *at++ == '-' && read_host(&at, &term->b) && !*at;
    if (ok && !same(term->a, term->b))
        return true;
    snprintf(why, size, "'%s' is no link: write its two ends: link=2-7 or link=node-0002-peer-0001",
             value);
    return false;
}

static bool add_kind(struct trace_term *term, const char *word, char *why, size_t size)
{
    const char *names[TRACE_KINDS + 1] = {NULL};
    for (uint32_t kind = 0; kind < TRACE_KINDS; kind++) {
        names[kind] = trace_kind_name(kind);
        if (strcmp(word, names[kind]) == 0) {
            term->kinds |= UINT64_C(1) << kind;
            return true;
        }
    }
    const char *near = words_nearest(word, names);
    int at = snprintf(why, size, "'%s' is no kind of event%s%s", word,
                      near ? ": did you mean " : "", near ? near : ": there are");
    for (uint32_t kind = 0; !near && kind < TRACE_KINDS && (size_t)at < size; kind++)
        at += snprintf(why + at, size - (size_t)at, " %s", names[kind]);
    if (near && (size_t)at < size)
        snprintf(why + at, size - (size_t)at, "?");
    return false;
}

static bool read_word(struct trace_term *term, const char *word, bool *of_kinds, char *why,
                      size_t size)
{
    static const char *const names[] = {"all", "node", "link", "kinds", NULL};
    if (*of_kinds && !strchr(word, '='))
        return add_kind(term, word, why, size);
    *of_kinds = strncmp(word, "kinds=", 6) == 0;
    if (*of_kinds)
        return add_kind(term, word + 6, why, size);
    bool chosen = term->a.number || term->what != TRACE_NODE;
    bool known = strcmp(word, "all") == 0 || strncmp(word, "node=", 5) == 0 ||
                 strncmp(word, "link=", 5) == 0;
    if (known && chosen) {
        snprintf(why, size, "'%s': one node or link in each --trace: give --trace %s as well", word,
                 word);
        return false;
    }
    if (strcmp(word, "all") == 0) {
        term->what = TRACE_ALL;
        return true;
    }
    if (known)
        return word[0] == 'n' ? read_node(term, word + 5, why, size)
                              : read_link(term, word + 5, why, size);
    char head[WORD_MAX];
    snprintf(head, sizeof head, "%.*s", (int)strcspn(word, "="), word);
    const char *near = words_nearest(head, names);
    if (near && strcmp(near, "all") != 0)
        snprintf(why, size, "'%s': did you mean %s=...?", word, near);
    else
        snprintf(why, size, "'%s': write all, node=3 or link=2-7, and ,kinds=tip,ban behind it",
                 word);
    return false;
}

bool trace_filter_add(struct trace_filter *f, const char *text, char *why, size_t size)
{
    if (f->count == TRACE_TERMS_MAX) {
        snprintf(why, size, "more than %u of them: use --trace all", TRACE_TERMS_MAX);
        return false;
    }
    struct trace_term term = {.what =
                                  TRACE_NODE}; /* until a word says what, a node without number */
    bool of_kinds = false;
    for (const char *at = text;;) {
        char word[WORD_MAX];
        size_t len = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), at);
        if (len >= WORD_MAX) {
            snprintf(why, size, "'%s...': write all, node=3 or link=2-7", word);
            return false;
        }
        if (!read_word(&term, word, &of_kinds, why, size))
            return false;
        if (!at[len])
            break;
        at += len + 1;
    }
    if (term.what == TRACE_NODE && !term.a.number)
        term.what = TRACE_ALL; /* kinds alone: of all */
    if (!term.kinds)
        term.kinds = all_kinds();
    f->terms[f->count++] = term;
    return true;
}

uint64_t trace_filter_kinds(const struct trace_filter *f)
{
    uint64_t kinds = 0;
    for (uint32_t i = 0; i < f->count; i++)
        kinds |= f->terms[i].kinds;
    return kinds;
}

bool trace_filter_wants(const struct trace_filter *f, uint32_t kind, struct trace_host host,
                        struct trace_host other)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct trace_term *t = &f->terms[i];
        if (!(t->kinds & UINT64_C(1) << kind))
            continue;
        if (t->what == TRACE_ALL || (t->what == TRACE_NODE && same(t->a, host)))
            return true;
        if (t->what == TRACE_LINK &&
            ((same(t->a, host) && same(t->b, other)) || (same(t->b, host) && same(t->a, other))))
            return true;
    }
    return false;
}
