/* A transaction on the wire, in the order of PROTOCOL-0.1 section 3: it carries no signature. */
#include "core/wire/msg.h"

/* An option's tag: 0 none, 1 some, anything else is an error. */
static bool read_tag(struct reader *r)
{
    const uint8_t tag = reader_u8(r);

    if (tag > 1)
        r->ok = false;
    return r->ok && tag == 1;
}

static void read_status(struct reader *r, struct tx_view *out)
{
    out->status = reader_le32(r);
    out->error = 0;
    if (out->status >= TX_STATUSES)
        r->ok = false;
    if (out->status == TX_FAILED) {
        out->error = reader_le32(r);
        if (out->error >= TX_ERRORS)
            r->ok = false;
    }
}

void wire_read_tx(struct reader *r, struct tx_view *out)
{
    const uint8_t *start = r->at;

    out->tx_id = reader_take(r, HASH_SIZE);
    out->sender = reader_take(r, HASH_SIZE);
    out->recipient = reader_take(r, HASH_SIZE);
    out->value = reader_le64(r);
    out->gas_price = reader_le64(r);
    out->gas_limit = reader_le64(r);
    out->gas_used = reader_le64(r);
    out->nonce = reader_le64(r);
    out->timestamp = reader_le64(r);
    out->block_height = reader_le64(r);
    out->data = (struct bytes_view){0};
    out->has_data = read_tag(r);
    if (out->has_data) {
        out->data.len = reader_le64(r);
        out->data.data = reader_take(r, out->data.len);
    }
    read_status(r, out);
    out->raw = (struct bytes_view){.data = start, .len = (uint64_t)(r->at - start)};
}

void wire_write_tx(struct writer *w, const struct tx_view *tx)
{
    writer_put(w, tx->tx_id, HASH_SIZE);
    writer_put(w, tx->sender, HASH_SIZE);
    writer_put(w, tx->recipient, HASH_SIZE);
    writer_le64(w, tx->value);
    writer_le64(w, tx->gas_price);
    writer_le64(w, tx->gas_limit);
    writer_le64(w, tx->gas_used);
    writer_le64(w, tx->nonce);
    writer_le64(w, tx->timestamp);
    writer_le64(w, tx->block_height);
    writer_u8(w, tx->has_data);
    if (tx->has_data) {
        writer_le64(w, tx->data.len);
        writer_put(w, tx->data.data, (size_t)tx->data.len);
    }
    writer_le32(w, tx->status);
    if (tx->status == TX_FAILED)
        writer_le32(w, tx->error);
}
