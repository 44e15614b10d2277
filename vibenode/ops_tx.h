/* A transaction that a person writes down, as the bytes of the wire (PROTOCOL-0.1, section 2). */
#ifndef VIBENODE_OPS_TX_H
#define VIBENODE_OPS_TX_H

#include "core/node.h"

#include <jansson.h>

/* From an object of fields: sender and recipient (64 hex digits each) and value are needed;
 * gas_price, gas_limit, nonce [0], timestamp [now_s], data (hex) [none], and tx_id [as rule T1
 * wants it] may be there. Numbers too great for a JSON number may be text. Or of `hex` alone: the
 * whole in wire encoding. NULL, and one line in why that names the field. */
struct vn_buf *ops_tx_read(const json_t *object, uint64_t now_s, char *why, size_t size);

/* A whole number, or its decimal text; false: it is none, or above the greatest u64. */
bool ops_tx_number(const json_t *value, uint64_t *out);

#endif
