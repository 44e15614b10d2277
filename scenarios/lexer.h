/* The tokens of a Lua 5.4 text (reference manual, section 3.1). The text is expected to compile. */
#ifndef SCENARIOS_LEXER_H
#define SCENARIOS_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
    TOKEN_NAME, /* and keywords */
    TOKEN_NUMBER,
    TOKEN_STRING, /* "short", or [[long]] */
    TOKEN_SIGN    /* of one to three characters */
};

struct token {
    enum token_kind kind;
    size_t from, len; /* in the text, quotes included */
    int line;         /* where it begins, from 1 */
};

struct lexer {
    const char *text;
    size_t len, at;
    int line;
};

struct lexer lexer_over(const char *text, size_t len);
/* The next token, or false at the end. */
bool lexer_next(struct lexer *lexer, struct token *token);
/* Whether the token's text is this. */
bool lexer_is(const struct lexer *lexer, const struct token *token, const char *text);

#endif
