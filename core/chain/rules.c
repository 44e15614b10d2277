/* What the rules share: their names and the work that a difficulty asks for. */
#include "core/chain/rules.h"

#include <assert.h>

const char *rule_name(enum rule rule)
{
    static const char *const names[RULES] = {
        [RULE_OK] = "ok",
        [RULE_B0_GENESIS] = "B0-genesis",
        [RULE_B1_HEIGHT] = "B1-height",
        [RULE_B2_PREV_HASH] = "B2-prev-hash",
        [RULE_B3_TIMESTAMP_BACKWARDS] = "B3-timestamp-backwards",
        [RULE_B3_TIMESTAMP_AHEAD] = "B3-timestamp-ahead",
        [RULE_B4_TX_COUNT] = "B4-tx-count",
        [RULE_B4_TX_DUPLICATE] = "B4-tx-duplicate",
        [RULE_B5_TX_ROOT] = "B5-tx-root",
        [RULE_B6_DIFFICULTY] = "B6-difficulty",
        [RULE_B7_TOTAL_DIFFICULTY] = "B7-total-difficulty",
        [RULE_B8_HASH] = "B8-hash",
        [RULE_B9_WORK] = "B9-work",
        [RULE_B10_POH_SEQ] = "B10-poh-seq",
        [RULE_B10_POH_HASH] = "B10-poh-hash",
        [RULE_T1_ID] = "T1-id",
        [RULE_T2_NOT_PENDING] = "T2-not-pending",
        [RULE_T3_OVERFLOW] = "T3-overflow",
        [RULE_T4_TOO_OLD] = "T4-too-old",
        [RULE_T4_AHEAD] = "T4-ahead",
    };
    return (unsigned)rule < RULES ? names[rule] : "?";
}

/* Schoolbook division of four words, all ones, by one: the remainder stays below the divisor, so
 * each partial quotient fits a word. */
void rule_target(uint8_t out[32], uint64_t difficulty)
{
    assert(difficulty >= 1);
    uint64_t remainder = 0;
    for (uint32_t i = 0; i < 4; i++) {
        u128 part = (u128)remainder << 64 | UINT64_MAX;
        put_be64(out + 8 * i, (uint64_t)(part / difficulty));
        remainder = (uint64_t)(part % difficulty);
    }
}
