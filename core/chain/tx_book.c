/* See tx_book.h. */
#include "core/chain/tx_book.h"

#include "core/base/map.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

struct record {
    uint8_t id[32];
    uint32_t number;
    uint32_t refs; /* pools that know it; 0: the number is free */
    uint32_t next_free;
};

struct tx_book {
    struct idmap by_id;
    struct record **records; /* by number; NULL or free ones may be used again */
    uint32_t count, capacity;
    uint32_t free; /* the first of those, or TX_NO_NUMBER */
};

struct tx_book *tx_book_new(uint64_t seed)
{
    struct tx_book *book = mem_new(1, sizeof *book);
    idmap_init(&book->by_id, offsetof(struct record, id), seed);
    book->free = TX_NO_NUMBER;
    return book;
}

void tx_book_free(struct tx_book *book)
{
    if (!book)
        return;
    assert(book->by_id.count == 0);
    for (uint32_t i = 0; i < book->count; i++)
        mem_free(book->records[i]);
    mem_free(book->records);
    idmap_deinit(&book->by_id);
    mem_free(book);
}

uint32_t tx_book_find(const struct tx_book *book, const uint8_t id[32])
{
    const struct record *record = idmap_get(&book->by_id, id);
    return record ? record->number : TX_NO_NUMBER;
}

static struct record *record_new(struct tx_book *book)
{
    if (book->free != TX_NO_NUMBER) {
        struct record *record = book->records[book->free];
        book->free = record->next_free;
        return record;
    }
    if (book->count == book->capacity) {
        book->capacity = book->capacity ? book->capacity * 2 : 16;
        book->records = mem_resize(book->records, book->capacity, sizeof *book->records);
    }
    struct record *record = mem_new(1, sizeof *record);
    record->number = book->count;
    book->records[book->count++] = record;
    return record;
}

uint32_t tx_book_take(struct tx_book *book, const uint8_t id[32])
{
    struct record *record = idmap_get(&book->by_id, id);
    if (!record) {
        record = record_new(book);
        memcpy(record->id, id, sizeof record->id);
        idmap_put(&book->by_id, record);
    }
    record->refs++;
    return record->number;
}

void tx_book_give(struct tx_book *book, uint32_t number)
{
    assert(number < book->count && book->records[number]->refs > 0);
    struct record *record = book->records[number];
    if (--record->refs > 0)
        return;
    idmap_remove(&book->by_id, record->id);
    record->next_free = book->free;
    book->free = number;
}

const uint8_t *tx_book_id(const struct tx_book *book, uint32_t number)
{
    assert(number < book->count && book->records[number]->refs > 0);
    return book->records[number]->id;
}
