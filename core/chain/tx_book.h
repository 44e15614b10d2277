/* Numbers for transactions, shared by the pools of one process: as long as any of them knows a
 * transaction it has a small number, the same for all. So what a pool keeps of it lies in an array,
 * near what it keeps of others that go round at the same time, and an id is looked up in one map
 * that many nodes keep in the caches.
 *
 * Numbers are used again, the latest first, so that they stay small. No behaviour depends on them:
 * they are places in memory. */
#ifndef CHAIN_TX_BOOK_H
#define CHAIN_TX_BOOK_H

#include <stddef.h>
#include <stdint.h>

struct tx_book;

#define TX_NO_NUMBER UINT32_MAX

/* Ids come from peers, who may choose those that a block names: the seed should be one that they do
 * not know. */
struct tx_book *tx_book_new(uint64_t seed);
/* Nobody may hold a number any more. */
void tx_book_free(struct tx_book *book);

/* The number of an id, or TX_NO_NUMBER if no pool knows it. */
uint32_t tx_book_find(const struct tx_book *book, const uint8_t id[32]);
/* One more pool knows this id. Each call wants a tx_book_give. */
uint32_t tx_book_take(struct tx_book *book, const uint8_t id[32]);
void tx_book_give(struct tx_book *book, uint32_t number);
/* The id of a number that is held. */
const uint8_t *tx_book_id(const struct tx_book *book, uint32_t number);

#endif
