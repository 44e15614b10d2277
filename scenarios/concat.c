/* Finds the operands of .. by what may stand in them: all operators that bind tighter (+ - * / // %
 * and the unary ones), calls, indices and whatever brackets enclose. A level is what one bracket or
 * block encloses, so that each has one operand under way at most. */
#include "scenarios/concat.h"

#include "scenarios/lexer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE         SIZE_MAX
#define NAME_MAX_LEN 40u

enum { MARK_OPEN = 1, MARK_CLOSE = 2 };

struct level {
    size_t start;  /* of the operand under way, or NONE */
    bool complete; /* it could end here: an operator or a suffix may follow */
    bool pending;  /* it stands right of a .. */
    bool literal;  /* it is one string so far */
};

struct concat {
    struct lexer lexer;
    struct token token;
    size_t before; /* the end of the token before */
    struct level *levels;
    size_t depth, capacity;
    uint8_t *marks; /* by position: what goes in before it */
    size_t found;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static struct level *top(struct concat *c)
{
    return &c->levels[c->depth - 1];
}

static void push(struct concat *c)
{
    if (c->depth == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 64;
        c->levels = must(realloc(c->levels, c->capacity * sizeof *c->levels));
    }
    c->levels[c->depth++] = (struct level){.start = NONE};
}

static void wrap(struct concat *c, const struct level *level)
{
    if (level->start == NONE || !level->complete || level->literal)
        return;
    c->marks[level->start] |= MARK_OPEN;
    c->marks[c->before] |= MARK_CLOSE;
    c->found++;
}

/* The operand under way ends before this token. */
static void finish(struct concat *c)
{
    if (top(c)->pending)
        wrap(c, top(c));
    *top(c) = (struct level){.start = NONE};
}

/* This token belongs to an operand; new: it can only begin one. */
static void take(struct concat *c, bool begins, bool complete)
{
    if (begins && top(c)->complete)
        finish(c); /* a new statement */
    struct level *level = top(c);
    level->literal = level->start == NONE && c->token.kind == TOKEN_STRING;
    if (level->start == NONE)
        level->start = c->token.from;
    level->complete = complete;
}

static void pop(struct concat *c)
{
    finish(c);
    if (c->depth > 1)
        c->depth--;
    top(c)->complete = true;
    top(c)->literal = false;
}

static bool is_one_of(const struct concat *c, const char *const *words)
{
    while (*words && !lexer_is(&c->lexer, &c->token, *words))
        words++;
    return *words != NULL;
}

static void on_name(struct concat *c)
{
    static const char *const between[] = {"and",   "or",     "then",  "else",  "elseif",
                                          "until", "in",     "while", "for",   "repeat",
                                          "goto",  "return", "local", "break", NULL};
    static const char *const blocks[] = {"do", "if", NULL};
    static const char *const ends[] = {"end", NULL};
    static const char *const functions[] = {"function", NULL};
    static const char *const unary[] = {"not", NULL};
    if (is_one_of(c, between)) {
        finish(c);
    } else if (is_one_of(c, blocks)) {
        finish(c);
        push(c);
    } else if (is_one_of(c, ends)) {
        pop(c);
    } else if (is_one_of(c, functions)) {
        take(c, true, false);
        push(c);
    } else {
        take(c, true, !is_one_of(c, unary));
    }
}

static void on_sign(struct concat *c)
{
    static const char *const openers[] = {"(", "[", "{", NULL};
    static const char *const closers[] = {")", "]", "}", NULL};
    static const char *const inside[] = {"+", "-", "*", "/", "//", "%", "#", ".", ":", NULL};
    static const char *const concat[] = {"..", NULL};
    static const char *const rest[] = {"...", NULL};
    static const char *const tilde[] = {"~", NULL};
    if (is_one_of(c, openers)) {
        take(c, false, false);
        push(c);
    } else if (is_one_of(c, closers)) {
        pop(c);
    } else if (is_one_of(c, concat)) {
        wrap(c, top(c));
        *top(c) = (struct level){.start = NONE, .pending = true};
    } else if (is_one_of(c, inside) || (is_one_of(c, tilde) && !top(c)->complete)) {
        take(c, false, false);
    } else if (is_one_of(c, rest)) {
        take(c, true, true);
    } else {
        finish(c);
    }
}

static void find_operands(struct concat *c)
{
    push(c);
    while (lexer_next(&c->lexer, &c->token)) {
        switch (c->token.kind) {
        case TOKEN_NAME:
            on_name(c);
            break;
        case TOKEN_NUMBER:
            take(c, true, true);
            break;
        case TOKEN_STRING:
            take(c, false, true);
            break;
        case TOKEN_SIGN:
            on_sign(c);
            break;
        }
        c->before = c->token.from + c->token.len;
    }
    finish(c);
}

static bool is_plain_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:", text[i]) ||
            text[i] == 0)
            return false;
    return len > 0 && len <= NAME_MAX_LEN;
}

/* Writes the text with what the marks say. */
static char *write_out(const struct concat *c, size_t *new_len)
{
    static const char head[] = "local " CONCAT_NAME "=" CONCAT_NAME " ";
    const char *text = c->lexer.text;
    size_t len = c->lexer.len;
    size_t room = sizeof head + len + c->found * (sizeof CONCAT_NAME + NAME_MAX_LEN + 8);
    char *out = must(malloc(room));
    size_t *open = must(malloc((c->found + 1) * sizeof *open));
    size_t depth = 0;
    char *at = stpcpy(out, head);
    for (size_t i = 0; i <= len; i++) {
        if (c->marks[i] & MARK_CLOSE) {
            size_t from = open[--depth];
            if (is_plain_name(text + from, i - from)) {
                at = stpcpy(at, ",\"");
                memcpy(at, text + from, i - from);
                at = stpcpy(at + (i - from), "\"");
            }
            at = stpcpy(at, ")");
        }
        if (c->marks[i] & MARK_OPEN) {
            open[depth++] = i;
            at = stpcpy(at, " " CONCAT_NAME "(");
        }
        if (i < len)
            *at++ = text[i];
    }
    free(open);
    *new_len = (size_t)(at - out);
    return out;
}

char *concat_rewrite(const char *text, size_t len, size_t *new_len)
{
    struct concat c = {.lexer = lexer_over(text, len)};
    char *out = NULL;
    c.marks = must(calloc(len + 1, 1));
    find_operands(&c);
    if (c.found > 0)
        out = write_out(&c, new_len);
    free(c.marks);
    free(c.levels);
    return out;
}
