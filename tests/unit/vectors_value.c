/* Messages as vectors write them. The two directions share no code, so that encoding is tested from
 * the value and decoding against it: vectors_msg reads JSON into a message, vectors_compare writes
 * a message as JSON and compares the two. */
#include "core/node.h"
#include "tests/unit/vectors.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const char *const status_names[TX_STATUSES] = {"Pending", "Included", "Confirmed", "Failed"};
static const char *const error_names[TX_ERRORS] = {
    "InsufficientBalance", "InvalidNonce",     "OutOfGas",
    "ExecutionError",      "InvalidSignature", "Other"};

/* ---- JSON to message ------------------------------------------------------------------------ */

static uint32_t enumerator(struct vectors *v, const char *name, const char *(*name_of)(uint32_t),
                           uint32_t count, const char *what)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(name, name_of(i)) == 0)
            return i;
    vectors_fail(v, "unknown %s \"%s\"", what, name);
    return 0;
}

static const char *status_name(uint32_t i)
{
    return status_names[i];
}

static const char *error_name(uint32_t i)
{
    return error_names[i];
}

/* "1.2.3.4:5" or "[::1]:5". */
static struct vn_addr parse_addr(struct vectors *v, const char *text)
{
    struct vn_addr addr = {0};
    char host[80] = {0};
    const bool v6 = text[0] == '[';
    const char *colon = strrchr(text, ':');
    const size_t len = colon ? (size_t)(colon - text) : 0;

    if (len < 2 || len >= sizeof host) {
        vectors_fail(v, "\"%s\" is not a socket address", text);
        return addr;
    }
    memcpy(host, text + (v6 ? 1 : 0), len - (v6 ? 2 : 0));
    char *end;
    const unsigned long port = strtoul(colon + 1, &end, 10);
    addr.family = v6 ? VN_AF_IPV6 : VN_AF_IPV4;
    addr.port = (uint16_t)port;
    if (*end || end == colon + 1 || port > UINT16_MAX ||
        inet_pton(v6 ? AF_INET6 : AF_INET, host, addr.ip) != 1)
        vectors_fail(v, "\"%s\" is not a socket address", text);
    return addr;
}

static struct bytes_view text_view(struct vectors *v, const json_t *object, const char *key)
{
    const json_t *text = json_object_get(object, key);

    vectors_text(v, object, key);
    return (struct bytes_view){(const uint8_t *)json_string_value(text), json_string_length(text)};
}

static struct block_view block_of(struct vectors *v, const json_t *object)
{
    const struct vectors_bytes ids = vectors_ids(v, json_object_get(object, "transactions"));

    return (struct block_view){
        .height = vectors_u64(v, object, "height"),
        .timestamp = vectors_u64(v, object, "timestamp"),
        .nonce = vectors_u64(v, object, "nonce"),
        .poh_seq = vectors_u64(v, object, "poh_seq"),
        .difficulty = vectors_u64(v, object, "difficulty"),
        .total_difficulty = vectors_u128(v, object, "total_difficulty"),
        .hash = vectors_hash(v, object, "hash"),
        .prev_hash = vectors_hash(v, object, "prev_hash"),
        .state_root = vectors_hash(v, object, "state_root"),
        .tx_root = vectors_hash(v, object, "tx_root"),
        .poh_hash = vectors_hash(v, object, "poh_hash"),
        .tx_ids = ids.data,
        .tx_count = ids.len / HASH_SIZE,
    };
}

static struct tx_view tx_of(struct vectors *v, const json_t *object)
{
    const json_t *status = json_object_get(object, "status");
    struct tx_view tx = {
        .tx_id = vectors_hash(v, object, "tx_id"),
        .sender = vectors_hash(v, object, "sender"),
        .recipient = vectors_hash(v, object, "recipient"),
        .value = vectors_u64(v, object, "value"),
        .gas_price = vectors_u64(v, object, "gas_price"),
        .gas_limit = vectors_u64(v, object, "gas_limit"),
        .gas_used = vectors_u64(v, object, "gas_used"),
        .nonce = vectors_u64(v, object, "nonce"),
        .timestamp = vectors_u64(v, object, "timestamp"),
        .block_height = vectors_u64(v, object, "block_height"),
        .has_data = !json_is_null(json_object_get(object, "data")),
    };

    if (tx.has_data) {
        const struct vectors_bytes data = vectors_hex(v, object, "data");
        tx.data = (struct bytes_view){data.data, data.len};
    }
    tx.status = enumerator(v, vectors_text(v, status, "variant"), status_name, TX_STATUSES,
                           "transaction status");
    if (tx.status == TX_FAILED)
        tx.error = enumerator(v, vectors_text(v, status, "error"), error_name, TX_ERRORS,
                              "transaction error");
    return tx;
}

static void range_of(struct vectors *v, const json_t *blocks, struct msg *msg)
{
    struct writer measure = {0};
    size_t i;
    json_t *object;

    if (!json_is_array(blocks))
        vectors_fail(v, "\"blocks\" must be a list");
    json_array_foreach(blocks, i, object)
    {
        const struct block_view block = block_of(v, object);
        wire_write_block(&measure, &block);
    }
    struct writer w = {.data = vectors_alloc(v, measure.len), .cap = measure.len};
    json_array_foreach(blocks, i, object)
    {
        const struct block_view block = block_of(v, object);
        wire_write_block(&w, &block);
    }
    msg->u.response_range.count = json_array_size(blocks);
    msg->u.response_range.blocks = (struct bytes_view){w.data, w.len};
}

struct msg vectors_msg(struct vectors *v, const char *kind, const json_t *value)
{
    struct msg msg = {.kind = enumerator(v, kind, vn_message_name, MSG_KINDS, "message kind")};
    const json_t *block = json_object_get(value, "block");

    switch ((enum msg_kind)msg.kind) {
    case MSG_HANDSHAKE:
        msg.u.handshake.version = text_view(v, value, "version");
        msg.u.handshake.node_id = text_view(v, value, "node_id");
        msg.u.handshake.listen = parse_addr(v, vectors_text(v, value, "listen_addr"));
        break;
    case MSG_NEW_BLOCK:
        msg.u.block = block_of(v, block);
        break;
    case MSG_NEW_TRANSACTION:
        msg.u.tx = tx_of(v, json_object_get(value, "transaction"));
        break;
    case MSG_REQUEST_BLOCK:
        msg.u.request_block.height = vectors_u64(v, value, "height");
        break;
    case MSG_RESPONSE_BLOCK:
        msg.u.response_block.some = !json_is_null(block);
        if (msg.u.response_block.some)
            msg.u.response_block.block = block_of(v, block);
        break;
    case MSG_REQUEST_BLOCK_RANGE:
        msg.u.request_range.start = vectors_u64(v, value, "start_height");
        msg.u.request_range.end = vectors_u64(v, value, "end_height");
        break;
    case MSG_RESPONSE_BLOCK_RANGE:
        range_of(v, json_object_get(value, "blocks"), &msg);
        break;
    case MSG_PING:
        msg.u.ping.nonce = vectors_u64(v, value, "nonce");
        break;
    case MSG_PONG:
        msg.u.pong.nonce = vectors_u64(v, value, "nonce");
        break;
    case MSG_DISCONNECT:
        msg.u.disconnect.reason = enumerator(v, vectors_text(v, value, "reason"), wire_reason_name,
                                             REASONS, "disconnect reason");
        break;
    case MSG_KINDS:
        break;
    }
    return msg;
}

/* ---- message to JSON ------------------------------------------------------------------------ */

static json_t *decimal(u128 number)
{
    char text[40];
    size_t at = sizeof text - 1;

    text[at] = 0;
    do {
        text[--at] = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number);
    return json_string(text + at);
}

static json_t *hex(struct vectors *v, const uint8_t *data, uint64_t len)
{
    return json_string(vectors_to_hex(v, data, (size_t)len));
}

static json_t *block_to_json(struct vectors *v, const struct block_view *block)
{
    json_t *ids = json_array();

    for (uint64_t i = 0; i < block->tx_count; i++)
        json_array_append_new(ids, hex(v, block->tx_ids + i * HASH_SIZE, HASH_SIZE));
    return json_pack("{so so so so so so so so so so so so}", "height", decimal(block->height),
                     "hash", hex(v, block->hash, HASH_SIZE), "prev_hash",
                     hex(v, block->prev_hash, HASH_SIZE), "timestamp", decimal(block->timestamp),
                     "transactions", ids, "state_root", hex(v, block->state_root, HASH_SIZE),
                     "tx_root", hex(v, block->tx_root, HASH_SIZE), "nonce", decimal(block->nonce),
                     "poh_seq", decimal(block->poh_seq), "poh_hash",
                     hex(v, block->poh_hash, HASH_SIZE), "difficulty", decimal(block->difficulty),
                     "total_difficulty", decimal(block->total_difficulty));
}

static json_t *tx_to_json(struct vectors *v, const struct tx_view *tx)
{
    json_t *status = json_pack("{ss}", "variant", status_names[tx->status]);

    if (tx->status == TX_FAILED)
        json_object_set_new(status, "error", json_string(error_names[tx->error]));
    return json_pack(
        "{so so so so so so so so so so so so}", "tx_id", hex(v, tx->tx_id, HASH_SIZE), "sender",
        hex(v, tx->sender, HASH_SIZE), "recipient", hex(v, tx->recipient, HASH_SIZE), "value",
        decimal(tx->value), "gas_price", decimal(tx->gas_price), "gas_limit",
        decimal(tx->gas_limit), "gas_used", decimal(tx->gas_used), "nonce", decimal(tx->nonce),
        "timestamp", decimal(tx->timestamp), "block_height", decimal(tx->block_height), "data",
        tx->has_data ? hex(v, tx->data.data, tx->data.len) : json_null(), "status", status);
}

/* An address has several spellings: that of the vector is taken where it means the same. */
static json_t *addr_to_json(struct vectors *v, const struct vn_addr *addr, const json_t *value)
{
    const char *spelled = vectors_text(v, value, "listen_addr");
    const struct vn_addr want = parse_addr(v, spelled);

    if (memcmp(&want, addr, sizeof want) == 0)
        return json_string(spelled);
    return json_sprintf("%s port %u family %u", vectors_to_hex(v, addr->ip, 16), addr->port,
                        addr->family);
}

static json_t *range_to_json(struct vectors *v, const struct msg *msg)
{
    const struct bytes_view all = msg->u.response_range.blocks;
    struct reader r = reader_over(all.data, (size_t)all.len);
    json_t *blocks = json_array();

    for (uint64_t i = 0; i < msg->u.response_range.count; i++) {
        struct block_view block;
        wire_read_block(&r, &block);
        if (!r.ok) {
            vectors_fail(v, "block %llu of the range cannot be stepped to", (unsigned long long)i);
            break;
        }
        json_array_append_new(blocks, block_to_json(v, &block));
    }
    return json_pack("{so}", "blocks", blocks);
}

static json_t *msg_to_json(struct vectors *v, const struct msg *msg, const json_t *value)
{
    const struct bytes_view version = msg->u.handshake.version;
    const struct bytes_view node_id = msg->u.handshake.node_id;

    switch ((enum msg_kind)msg->kind) {
    case MSG_HANDSHAKE:
        return json_pack("{so so so}", "version",
                         json_stringn((const char *)version.data, (size_t)version.len), "node_id",
                         json_stringn((const char *)node_id.data, (size_t)node_id.len),
                         "listen_addr", addr_to_json(v, &msg->u.handshake.listen, value));
    case MSG_NEW_BLOCK:
        return json_pack("{so}", "block", block_to_json(v, &msg->u.block));
    case MSG_NEW_TRANSACTION:
        return json_pack("{so}", "transaction", tx_to_json(v, &msg->u.tx));
    case MSG_REQUEST_BLOCK:
        return json_pack("{so}", "height", decimal(msg->u.request_block.height));
    case MSG_RESPONSE_BLOCK:
        return json_pack("{so}", "block",
                         msg->u.response_block.some ? block_to_json(v, &msg->u.response_block.block)
                                                    : json_null());
    case MSG_REQUEST_BLOCK_RANGE:
        return json_pack("{so so}", "start_height", decimal(msg->u.request_range.start),
                         "end_height", decimal(msg->u.request_range.end));
    case MSG_RESPONSE_BLOCK_RANGE:
        return range_to_json(v, msg);
    case MSG_PING:
        return json_pack("{so}", "nonce", decimal(msg->u.ping.nonce));
    case MSG_PONG:
        return json_pack("{so}", "nonce", decimal(msg->u.pong.nonce));
    case MSG_DISCONNECT:
        return json_pack("{ss}", "reason", wire_reason_name(msg->u.disconnect.reason));
    case MSG_KINDS:
        break;
    }
    return NULL;
}

/* Takes `got`. */
static void compare_json(struct vectors *v, json_t *got, const json_t *want)
{
    if (!json_equal(got, want)) {
        char *text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);
        vectors_fail(v, "it says %.2000s", text ? text : "nothing");
        free(text);
    }
    json_decref(got);
}

void vectors_compare(struct vectors *v, const struct msg *msg, const char *kind,
                     const json_t *value)
{
    if (strcmp(kind, vn_message_name(msg->kind)) != 0)
        vectors_fail(v, "it is a %s, not a %s", vn_message_name(msg->kind), kind);
    else
        compare_json(v, msg_to_json(v, msg, value), value);
}

void vectors_compare_tx(struct vectors *v, const struct tx_view *tx, const json_t *object)
{
    compare_json(v, tx_to_json(v, tx), object);
}
