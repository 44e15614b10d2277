/* The rules of a transaction, T1..T4 (PROTOCOL-0.1 section 8). */
#include "core/chain/rules.h"
#include "core/crypto/sha256.h"

void rule_tx_id(uint8_t out[32], const struct tx_view *tx)
{
    uint8_t numbers[40];
    put_be64(numbers, tx->value);
    put_be64(numbers + 8, tx->gas_price);
    put_be64(numbers + 16, tx->gas_limit);
    put_be64(numbers + 24, tx->nonce);
    put_be64(numbers + 32, tx->timestamp);

    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, tx->sender, HASH_SIZE);
    sha256_update(&hash, tx->recipient, HASH_SIZE);
    sha256_update(&hash, numbers, sizeof numbers);
    if (tx->has_data && tx->data.len != 0)
        sha256_update(&hash, tx->data.data, tx->data.len);
    sha256_final(&hash, out);
}

static bool id_holds(const struct tx_view *tx)
{
    uint8_t id[32];
    rule_tx_id(id, tx);
    return hash_eq(id, tx->tx_id);
}

enum rule rule_check_tx(const struct tx_view *tx, uint64_t now_s, int id_ok)
{
    if (!id_ok && !id_holds(tx))
        return RULE_T1_ID;
    if (tx->status != TX_PENDING || tx->block_height != 0 || tx->gas_used != 0)
        return RULE_T2_NOT_PENDING;
    if ((u128)tx->gas_price * tx->gas_limit + tx->value > UINT64_MAX)
        return RULE_T3_OVERFLOW;
    if (add_sat(tx->timestamp, TX_AGE_MAX_S) < now_s)
        return RULE_T4_TOO_OLD;
    if (tx->timestamp > add_sat(now_s, CLOCK_AHEAD_MAX_S))
        return RULE_T4_AHEAD;
    return RULE_OK;
}
