/* A block on the wire: 224 bytes and 32 for each transaction id, in the order of PROTOCOL-0.1
 * section 3. */
#include "core/wire/msg.h"

/* The count is checked against the bytes left before it is multiplied. */
static const uint8_t *read_ids(struct reader *r, uint64_t *count)
{
    *count = reader_le64(r);
    if (*count > reader_left(r) / HASH_SIZE) {
        r->ok = false;
        return NULL;
    }
    return reader_take(r, *count * HASH_SIZE);
}

void wire_read_block(struct reader *r, struct block_view *out)
{
    const uint8_t *start = r->at;

    out->height = reader_le64(r);
    out->hash = reader_take(r, HASH_SIZE);
    out->prev_hash = reader_take(r, HASH_SIZE);
    out->timestamp = reader_le64(r);
    out->tx_ids = read_ids(r, &out->tx_count);
    out->state_root = reader_take(r, HASH_SIZE);
    out->tx_root = reader_take(r, HASH_SIZE);
    out->nonce = reader_le64(r);
    out->poh_seq = reader_le64(r);
    out->poh_hash = reader_take(r, HASH_SIZE);
    out->difficulty = reader_le64(r);
    out->total_difficulty = reader_le128(r);
    out->raw = (struct bytes_view){.data = start, .len = (uint64_t)(r->at - start)};
}

void wire_write_block(struct writer *w, const struct block_view *block)
{
    writer_le64(w, block->height);
    writer_put(w, block->hash, HASH_SIZE);
    writer_put(w, block->prev_hash, HASH_SIZE);
    writer_le64(w, block->timestamp);
    writer_le64(w, block->tx_count);
    writer_put(w, block->tx_ids, (size_t)block->tx_count * HASH_SIZE);
    writer_put(w, block->state_root, HASH_SIZE);
    writer_put(w, block->tx_root, HASH_SIZE);
    writer_le64(w, block->nonce);
    writer_le64(w, block->poh_seq);
    writer_put(w, block->poh_hash, HASH_SIZE);
    writer_le64(w, block->difficulty);
    writer_le128(w, block->total_difficulty);
}
