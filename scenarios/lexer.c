/* See lexer.h. */
#include "scenarios/lexer.h"

#include <string.h>

struct lexer lexer_over(const char *text, size_t len)
{
    return (struct lexer){.text = text, .len = len, .line = 1};
}

bool lexer_is(const struct lexer *lexer, const struct token *token, const char *text)
{
    return token->len == strlen(text) && memcmp(lexer->text + token->from, text, token->len) == 0;
}

static int peek(const struct lexer *s, size_t ahead)
{
    return s->at + ahead < s->len ? (unsigned char)s->text[s->at + ahead] : -1;
}

static void step(struct lexer *s)
{
    if (s->text[s->at] == '\n')
        s->line++;
    s->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

/* At [ or [=*[ : the level, or -1 if this is no long bracket. */
static int long_bracket(const struct lexer *s)
{
    size_t n = 1;
    while (peek(s, n) == '=')
        n++;
    return peek(s, 0) == '[' && peek(s, n) == '[' ? (int)n - 1 : -1;
}

static void skip_long(struct lexer *s, int level)
{
    s->at += (size_t)level + 2;
    for (; s->at < s->len; step(s)) {
        if (peek(s, 0) != ']')
            continue;
        size_t n = 1;
        while (peek(s, n) == '=')
            n++;
        if ((int)n - 1 == level && peek(s, n) == ']') {
            s->at += n + 1;
            return;
        }
    }
}

static void skip_comment(struct lexer *s)
{
    s->at += 2;
    int level = long_bracket(s);
    if (level >= 0)
        skip_long(s, level);
    else
        while (s->at < s->len && peek(s, 0) != '\n')
            s->at++;
}

static void skip_short(struct lexer *s)
{
    int quote = peek(s, 0);
    step(s);
    while (s->at < s->len && peek(s, 0) != quote) {
        if (peek(s, 0) == '\\')
            step(s);
        if (s->at < s->len)
            step(s);
    }
    if (s->at < s->len)
        step(s);
}

static void skip_number(struct lexer *s)
{
    bool hex = peek(s, 0) == '0' && (peek(s, 1) == 'x' || peek(s, 1) == 'X');
    for (; is_name(peek(s, 0)) || peek(s, 0) == '.'; s->at++) {
        int exponent = peek(s, 0) | 0x20;
        bool sign = peek(s, 1) == '+' || peek(s, 1) == '-';
        if (sign && exponent == (hex ? 'p' : 'e'))
            s->at++;
    }
}

static void skip_sign(struct lexer *s)
{
    static const char *const longer[] = {
        "...", "..", "==", "~=", "<=", ">=", "//", "<<", ">>", "::"};
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
        size_t n = strlen(longer[i]);
        if (s->len - s->at >= n && memcmp(s->text + s->at, longer[i], n) == 0) {
            s->at += n;
            return;
        }
    }
    s->at++;
}

static bool skip_blank(struct lexer *s)
{
    for (; s->at < s->len; step(s)) {
        while (peek(s, 0) == '-' && peek(s, 1) == '-')
            skip_comment(s);
        if (s->at < s->len && (s->text[s->at] == 0 || !strchr(" \t\r\n\v\f", s->text[s->at])))
            return true;
        if (s->at >= s->len)
            return false;
    }
    return false;
}

bool lexer_next(struct lexer *s, struct token *token)
{
    if (!skip_blank(s))
        return false;
    int c = peek(s, 0);
    *token = (struct token){.kind = TOKEN_SIGN, .from = s->at, .line = s->line};
    if (c == '"' || c == '\'') {
        token->kind = TOKEN_STRING;
        skip_short(s);
    } else if (c == '[' && long_bracket(s) >= 0) {
        token->kind = TOKEN_STRING;
        skip_long(s, long_bracket(s));
    } else if (is_digit(c) || (c == '.' && is_digit(peek(s, 1)))) {
        token->kind = TOKEN_NUMBER;
        skip_number(s);
    } else if (is_name(c)) {
        token->kind = TOKEN_NAME;
        while (is_name(peek(s, 0)))
            s->at++;
    } else {
        skip_sign(s);
    }
    token->len = s->at - token->from;
    return true;
}
