/* Digits for B8's text, written by hand because the core links no printf. */
#include "core/chain/text.h"

uint32_t text_decimal(uint8_t out[TEXT_DECIMAL_MAX], uint64_t v)
{
    uint8_t reversed[TEXT_DECIMAL_MAX];
    uint32_t n = 0;
    do {
        reversed[n++] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    for (uint32_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

static uint32_t text_hex(uint8_t *out, const uint8_t hash[HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < HASH_SIZE; i++) {
        out[2 * i] = (uint8_t)digits[hash[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[hash[i] & 15];
    }
    return 2 * HASH_SIZE;
}

uint32_t text_prefix(uint8_t out[TEXT_PREFIX_MAX], const struct block_view *block)
{
    uint32_t n = text_decimal(out, block->height);
    out[n++] = ':';
    n += text_hex(out + n, block->prev_hash);
    out[n++] = ':';
    n += text_decimal(out + n, block->timestamp);
    out[n++] = ':';
    n += text_hex(out + n, block->state_root);
    out[n++] = ':';
    n += text_hex(out + n, block->tx_root);
    out[n++] = ':';
    return n;
}
