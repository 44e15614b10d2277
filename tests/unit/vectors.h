/* What the parts of test_vectors share: the run's count and its failures, and how vectors spell
 * bytes, numbers and messages in JSON. */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include "core/chain/rules.h"

#include <jansson.h>

struct vectors_memory;

/* One run over one file. A getter that does not find what it needs fails the vector and gives
 * something harmless. */
struct vectors {
    const char *name;              /* of the vector under test */
    bool failed;                   /* the vector under test */
    unsigned executed, failures;   /* vectors */
    unsigned unknown_keys;         /* of vectors: told, as they may carry an expectation */
    struct chain_params params;    /* the file's default_params: verdicts on blocks are by them */
    struct vectors_memory *memory; /* lives as long as the vector under test */
};

/* A vector's bytes. */
struct vectors_bytes {
    uint8_t *data;
    size_t len;
};

typedef void vectors_fn(struct vectors *v, const json_t *vector);

/* Calls fn for each vector of the array; `group` names it in messages. */
void vectors_each(struct vectors *v, const char *group, const json_t *array, vectors_fn *fn);

/* Says why the vector under test fails; the first reason counts. */
__attribute__((format(printf, 2, 3))) void vectors_fail(struct vectors *v, const char *why, ...);

/* Names keys of the vector that are not in `known` (NULL-terminated). */
void vectors_keys(struct vectors *v, const json_t *vector, const char *const *known);

/* Zeroed; freed after the vector, or by vectors_release. */
void *vectors_alloc(struct vectors *v, size_t size);
void vectors_release(struct vectors *v);
const char *vectors_text(struct vectors *v, const json_t *object, const char *key);
struct vectors_bytes vectors_hex(struct vectors *v, const json_t *object, const char *key);
uint64_t vectors_u64(struct vectors *v, const json_t *object, const char *key);
u128 vectors_u128(struct vectors *v, const json_t *object, const char *key);
/* 32 bytes, always. */
const uint8_t *vectors_hash(struct vectors *v, const json_t *object, const char *key);
/* The ids of a list, one after the other. */
struct vectors_bytes vectors_ids(struct vectors *v, const json_t *list);
/* `payload` in hex, or `segments` joined: {"hex"} and {"repeat": hex, "count": n}. */
struct vectors_bytes vectors_payload(struct vectors *v, const json_t *vector);
const char *vectors_to_hex(struct vectors *v, const uint8_t *data, size_t len);

/* The message that kind and value describe; it borrows from the vector's memory. */
struct msg vectors_msg(struct vectors *v, const char *kind, const json_t *value);
/* Fails unless the message says what kind and value say. */
void vectors_compare(struct vectors *v, const struct msg *msg, const char *kind,
                     const json_t *value);
/* Fails unless the transaction says what the object says. */
void vectors_compare_tx(struct vectors *v, const struct tx_view *tx, const json_t *object);

void vectors_positive(struct vectors *v, const json_t *vector);
void vectors_positive_long(struct vectors *v, const json_t *vector);
void vectors_negative(struct vectors *v, const json_t *vector);
/* The frames of all positive vectors in one stream; not a vector of its own. */
bool vectors_stream(const json_t *positive);

/* Takes the file's chain parameters; false if they make no sense. Before vectors_chain. */
bool vectors_params(struct vectors *v, const json_t *object);
/* Runs every group of the chain part; false if it has one that is not known. */
bool vectors_chain(struct vectors *v, const json_t *chain);

#endif
