/* A fuzzer's input as a tape of choices: bytes are read from the front; past the end all are zero
 * and `input_left` says so. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *at;
    size_t left;
};

static inline size_t input_left(const struct input *in)
{
    return in->left;
}

static inline uint8_t input_u8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static inline uint16_t input_u16(struct input *in)
{
    const uint8_t low = input_u8(in);
    return (uint16_t)(low | input_u8(in) << 8);
}

/* 0..bound-1; bound 1..256. */
static inline uint32_t input_below(struct input *in, uint32_t bound)
{
    return input_u8(in) % bound;
}

/* At most len bytes, borrowed; *len becomes how many there are. */
static inline const uint8_t *input_bytes(struct input *in, size_t *len)
{
    const uint8_t *bytes = in->at;
    if (*len > in->left)
        *len = in->left;
    in->at += *len;
    in->left -= *len;
    return bytes;
}

/* A claim about the code under test: ends the process with its text and place when it does not
 * hold. */
#define CLAIM(cond, text)                                                                          \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, text);                              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
