/* The text whose SHA-256 is a block's hash (PROTOCOL-0.1 B8), and its decimal and hexadecimal
 * digits.
 *
 * Only the nonce, which ends the text, changes while a block is mined: the text comes as a prefix
 * and the nonce's digits. */
#ifndef CHAIN_TEXT_H
#define CHAIN_TEXT_H

#include "core/wire/msg.h"

#define TEXT_DECIMAL_MAX 20u /* digits of 2^64 - 1 */
#define TEXT_PREFIX_MAX  (2u * TEXT_DECIMAL_MAX + 3u * 64u + 5u)

/* Writes v in decimal without leading zeros; returns the number of digits. */
uint32_t text_decimal(uint8_t out[TEXT_DECIMAL_MAX], uint64_t v);

/* Writes height:prev_hash:timestamp:state_root:tx_root: with the last colon; returns its length. */
uint32_t text_prefix(uint8_t out[TEXT_PREFIX_MAX], const struct block_view *block);

#endif
