/* The token that commands need: whoever can read the file may give them. */
#ifndef VIBENODE_OPS_TOKEN_H
#define VIBENODE_OPS_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#define OPS_TOKEN_MIN 32u
#define OPS_TOKEN_MAX 128u

/* Reads the token from a file that belongs to this user and that nobody else can read; if it is not
 * there and `make`, makes it first: mode 0600, 32 random bytes in hex. False, and one line in why
 * with the way out. */
bool ops_token_load(const char *path, bool make, char out[OPS_TOKEN_MAX + 1], char *why,
                    size_t size);

/* Whether two tokens are equal, in a time that tells nothing of where they differ. */
bool ops_token_equal(const char *a, const char *b);

#endif
