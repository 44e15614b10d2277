/* The ten messages of protocol 0.1 (PROTOCOL-0.1 section 3), decoded into views that borrow from
 * the payload: nothing is copied, nothing is allocated.
 *
 * Decoding is as strict as bincode 1.3 (section 2) and accepts trailing bytes; `used` tells how
 * many bytes the message took, so that a relay can leave the rest out. */
#ifndef WIRE_MSG_H
#define WIRE_MSG_H

#include "core/node.h"
#include "core/wire/cursor.h"

enum msg_kind {
    MSG_HANDSHAKE,
    MSG_NEW_BLOCK,
    MSG_NEW_TRANSACTION,
    MSG_REQUEST_BLOCK,
    MSG_RESPONSE_BLOCK,
    MSG_REQUEST_BLOCK_RANGE,
    MSG_RESPONSE_BLOCK_RANGE,
    MSG_PING,
    MSG_PONG,
    MSG_DISCONNECT,
    MSG_KINDS
};

enum disconnect_reason {
    REASON_SHUTDOWN,
    REASON_PROTOCOL_VIOLATION,
    REASON_INCOMPATIBLE_VERSION,
    REASON_TOO_MANY_CONNECTIONS,
    REASON_DUPLICATE_CONNECTION,
    REASON_TIMEOUT,
    REASONS
};

enum tx_status { TX_PENDING, TX_INCLUDED, TX_CONFIRMED, TX_FAILED, TX_STATUSES };
#define TX_ERRORS 6u

#define HEIGHT_NEWEST    UINT64_MAX /* RequestBlock: the newest block */
#define RANGE_BLOCKS_MAX 100u
#define BLOCK_SIZE_MIN   224u
#define TX_SIZE_MIN      157u

/* A string or byte list: len bytes at data. */
struct bytes_view {
    const uint8_t *data;
    uint64_t len;
};

struct handshake_view {
    struct bytes_view version, node_id; /* UTF-8 */
    struct vn_addr listen;
};

struct block_view {
    uint64_t height;
    uint64_t timestamp; /* s since 1970 */
    uint64_t nonce;
    uint64_t poh_seq;
    uint64_t difficulty;
    uint64_t tx_count;
    u128 total_difficulty;
    const uint8_t *hash;
    const uint8_t *prev_hash;
    const uint8_t *tx_ids; /* tx_count x 32 bytes */
    const uint8_t *state_root;
    const uint8_t *tx_root;
    const uint8_t *poh_hash;
    struct bytes_view raw; /* the block's own encoding */
};

struct tx_view {
    const uint8_t *tx_id;
    const uint8_t *sender;
    const uint8_t *recipient;
    uint64_t value, gas_price, gas_limit, gas_used;
    uint64_t nonce, timestamp, block_height;
    bool has_data;
    struct bytes_view data;
    uint32_t status; /* enum tx_status */
    uint32_t error;  /* only if status is TX_FAILED */
    struct bytes_view raw;
};

struct msg {
    uint32_t kind; /* enum msg_kind */
    uint32_t used; /* payload bytes that the message took */
    union {
        struct handshake_view handshake;
        struct block_view block; /* NEW_BLOCK */
        struct tx_view tx;       /* NEW_TRANSACTION */
        struct {
            uint64_t height;
        } request_block;
        struct {
            bool some;
            struct block_view block;
        } response_block;
        struct {
            uint64_t start, end; /* inclusive */
        } request_range;
        struct {
            uint64_t count;
            struct bytes_view blocks; /* count blocks, one after the other, each known to decode:
                                         step through with wire_read_block */
        } response_range;
        struct {
            uint64_t nonce;
        } ping, pong;
        struct {
            uint32_t reason; /* enum disconnect_reason */
        } disconnect;
    } u;
};

/* False if the payload is not a message. *msg borrows from payload. */
bool msg_decode(struct msg *msg, const uint8_t *payload, size_t len);

/* Payload bytes that msg_encode writes. */
size_t msg_encoded_size(const struct msg *msg);

/* Writes the payload (no frame header) to out, which has room for msg_encoded_size bytes. */
void msg_encode(const struct msg *msg, uint8_t *out);

/* A whole frame, header and payload, in a new buffer; NULL when the payload would exceed
 * FRAME_PAYLOAD_MAX. */
struct vn_buf *msg_frame(const struct msg *msg);

/* One body without the message kind; on failure r->ok is false and *out must not be read. The
 * writers write the fields and do not look at `raw`. */
void wire_read_handshake(struct reader *r, struct handshake_view *out);
void wire_read_block(struct reader *r, struct block_view *out);
void wire_read_tx(struct reader *r, struct tx_view *out);
void wire_write_handshake(struct writer *w, const struct handshake_view *handshake);
void wire_write_block(struct writer *w, const struct block_view *block);
void wire_write_tx(struct writer *w, const struct tx_view *tx);

/* Strict UTF-8 as Rust's std::str::from_utf8 accepts it. */
bool wire_utf8_valid(const uint8_t *data, size_t len);

/* PROTOCOL-0.1 4.4: equal text before the first dot. */
bool wire_version_compatible(struct bytes_view a, struct bytes_view b);

/* "ProtocolViolation" ..., "?" out of range. */
const char *wire_reason_name(uint32_t reason);

#endif
