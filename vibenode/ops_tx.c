/* Transactions from JSON: see ops_tx.h. The node checks what they say; here it is only that each
 * field is there once, is of its kind, and fits. */
#include "vibenode/ops_tx.h"

#include "core/base/bytes.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD 153u /* bytes up to and with the byte that says whether there are data */

struct tx {
    uint8_t id[HASH_SIZE], sender[HASH_SIZE], recipient[HASH_SIZE];
    uint64_t value, gas_price, gas_limit, nonce, timestamp;
    const char *data; /* hex, or NULL */
    size_t data_len;  /* bytes */
};

bool ops_tx_number(const json_t *value, uint64_t *out)
{
    if (json_is_integer(value)) {
        *out = (uint64_t)json_integer_value(value);
        return json_integer_value(value) >= 0;
    }
    const char *text = json_string_value(value);
    if (!text || !*text)
        return false;
    uint64_t n = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

/* ---- hex ------------------------------------------------------------------------------------ */

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* len bytes from 2 * len digits, which is_hex has checked. */
static void unhex(const char *text, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
}

static bool is_hex(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (!text || len % 2)
        return false;
    for (size_t i = 0; i < len; i++)
        if (digit_of(text[i]) < 0)
            return false;
    return true;
}

/* ---- fields --------------------------------------------------------------------------------- */

static bool read_hash(const json_t *object, const char *name, bool needed, uint8_t out[HASH_SIZE],
                      char *why, size_t size)
{
    const json_t *value = json_object_get(object, name);
    if (!value && !needed)
        return true;
    if (!is_hex(value) || json_string_length(value) != 2 * (size_t)HASH_SIZE) {
        snprintf(why, size,
                 value ? "%s must be text of 64 hex digits" : "%s is missing: 64 hex digits", name);
        return false;
    }
    unhex(json_string_value(value), out, HASH_SIZE);
    return true;
}

static bool read_number(const json_t *object, const char *name, bool needed, uint64_t *out,
                        char *why, size_t size)
{
    const json_t *value = json_object_get(object, name);
    if (!value && !needed)
        return true;
    if (value && ops_tx_number(value, out))
        return true;
    snprintf(why, size,
             value ? "%s must be a whole number from 0 to 18446744073709551615 (as text, if it is "
                     "above 9223372036854775807)"
                   : "%s is missing: a whole number",
             name);
    return false;
}

static bool read_data(const json_t *object, struct tx *tx, char *why, size_t size)
{
    const json_t *value = json_object_get(object, "data");
    if (!value)
        return true;
    if (!is_hex(value)) {
        snprintf(why, size, "data must be text of hex digits, two a byte");
        return false;
    }
    tx->data = json_string_value(value);
    tx->data_len = json_string_length(value) / 2;
    return true;
}

static bool check_names(const json_t *object, char *why, size_t size)
{
    static const char *const names[] = {"tx_id",     "sender", "recipient", "value", "gas_price",
                                        "gas_limit", "nonce",  "timestamp", "data"};
    const char *key;
    json_t *value;
    /* jansson iterates over what it does not change. */
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(key, names[i]) != 0)
            i++;
        if (i == sizeof names / sizeof *names) {
            snprintf(why, size,
                     "a transaction has no field '%.40s': there are tx_id sender recipient value "
                     "gas_price gas_limit nonce timestamp data, or hex alone",
                     key);
            return false;
        }
    }
    return true;
}

/* ---- the bytes ------------------------------------------------------------------------------ */

/* Rule T1. */
static void put_id(struct tx *tx, const uint8_t *data)
{
    size_t len = 2 * HASH_SIZE + 40 + tx->data_len;
    uint8_t *text = malloc(len);
    if (!text)
        abort();
    const uint64_t numbers[] = {tx->value, tx->gas_price, tx->gas_limit, tx->nonce, tx->timestamp};
    memcpy(text, tx->sender, HASH_SIZE);
    memcpy(text + HASH_SIZE, tx->recipient, HASH_SIZE);
    for (size_t i = 0; i < 5; i++) {
        put_be32(text + 2 * HASH_SIZE + 8 * i, (uint32_t)(numbers[i] >> 32));
        put_be32(text + 2 * HASH_SIZE + 8 * i + 4, (uint32_t)numbers[i]);
    }
    if (tx->data_len)
        memcpy(text + 2 * HASH_SIZE + 40, data, tx->data_len);
    SHA256(text, len, tx->id);
    free(text);
}

/* Status Pending, and zeros where only a block can say more. */
static struct vn_buf *encode(struct tx *tx, bool has_id)
{
    size_t len = HEAD + (tx->data ? 8 + tx->data_len : 0) + 4;
    struct vn_buf *buf = vn_buf_new((uint32_t)len);
    uint8_t *p = buf->data;
    memset(p, 0, len);
    p[152] = tx->data != NULL;
    if (tx->data) {
        put_le64(p + HEAD, tx->data_len);
        unhex(tx->data, p + HEAD + 8, tx->data_len);
    }
    if (!has_id)
        put_id(tx, tx->data ? p + HEAD + 8 : NULL);
    memcpy(p, tx->id, HASH_SIZE);
    memcpy(p + 32, tx->sender, HASH_SIZE);
    memcpy(p + 64, tx->recipient, HASH_SIZE);
    put_le64(p + 96, tx->value);
    put_le64(p + 104, tx->gas_price);
    put_le64(p + 112, tx->gas_limit);
    put_le64(p + 128, tx->nonce);
    put_le64(p + 136, tx->timestamp);
    return buf;
}

static struct vn_buf *read_whole(const json_t *object, char *why, size_t size)
{
    const json_t *hex = json_object_get(object, "hex");
    if (json_object_size(object) != 1) {
        snprintf(why, size, "hex is the whole transaction: give it alone, or the fields");
        return NULL;
    }
    if (!is_hex(hex)) {
        snprintf(why, size, "hex must be text of hex digits, two a byte");
        return NULL;
    }
    struct vn_buf *buf = vn_buf_new((uint32_t)(json_string_length(hex) / 2));
    unhex(json_string_value(hex), buf->data, buf->len);
    return buf;
}

struct vn_buf *ops_tx_read(const json_t *object, uint64_t now_s, char *why, size_t size)
{
    if (json_object_get(object, "hex"))
        return read_whole(object, why, size);
    struct tx tx = {.timestamp = now_s};
    bool ok = check_names(object, why, size) &&
              read_hash(object, "sender", true, tx.sender, why, size) &&
              read_hash(object, "recipient", true, tx.recipient, why, size) &&
              read_hash(object, "tx_id", false, tx.id, why, size) &&
              read_number(object, "value", true, &tx.value, why, size) &&
              read_number(object, "gas_price", false, &tx.gas_price, why, size) &&
              read_number(object, "gas_limit", false, &tx.gas_limit, why, size) &&
              read_number(object, "nonce", false, &tx.nonce, why, size) &&
              read_number(object, "timestamp", false, &tx.timestamp, why, size) &&
              read_data(object, &tx, why, size);
    return ok ? encode(&tx, json_object_get(object, "tx_id") != NULL) : NULL;
}
