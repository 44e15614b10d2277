/* Vectors of the rules: hashes, roots, targets, and the verdicts on blocks and transactions by the
 * names of core/chain/rules.h. */
#include "core/crypto/sha256.h"
#include "tests/unit/vectors.h"

#include <inttypes.h>
#include <stdio.h>

static bool read_payload(struct vectors *v, const json_t *vector, const char *key,
                         enum msg_kind kind, struct msg *msg)
{
    const struct vectors_bytes payload = vectors_hex(v, vector, key);

    if (!msg_decode(msg, payload.data, payload.len) || msg->kind != kind) {
        vectors_fail(v, "\"%s\" is not a %s", key, vn_message_name(kind));
        return false;
    }
    return true;
}

static void expect_hash(struct vectors *v, const char *what, const uint8_t *got,
                        const uint8_t *want)
{
    if (!hash_eq(got, want))
        vectors_fail(v, "%s is %s", what, vectors_to_hex(v, got, HASH_SIZE));
}

/* B8's text, spelled here once more, and the hash of it. */
static void expect_hash_text(struct vectors *v, const struct block_view *block, const char *want)
{
    char *text = vectors_alloc(v, 400);
    uint8_t hash[HASH_SIZE];

    snprintf(text, 400, "%" PRIu64 ":%s:%" PRIu64 ":%s:%s:%" PRIu64, block->height,
             vectors_to_hex(v, block->prev_hash, HASH_SIZE), block->timestamp,
             vectors_to_hex(v, block->state_root, HASH_SIZE),
             vectors_to_hex(v, block->tx_root, HASH_SIZE), block->nonce);
    if (strcmp(text, want) != 0)
        vectors_fail(v, "the text of its hash is %s", text);
    sha256(hash, want, strlen(want));
    expect_hash(v, "the hash of its text", hash, block->hash);
}

static void run_block(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name",     "payload",   "height", "hash",
                                        "poh_hash", "hash_text", NULL};
    uint8_t hash[HASH_SIZE];
    struct msg msg;

    vectors_keys(v, vector, known);
    if (!read_payload(v, vector, "payload", MSG_NEW_BLOCK, &msg))
        return;
    const struct block_view *block = &msg.u.block;
    if (block->height != vectors_u64(v, vector, "height"))
        vectors_fail(v, "its height is %" PRIu64, block->height);
    rule_block_hash(hash, block);
    expect_hash(v, "its hash", hash, vectors_hash(v, vector, "hash"));
    expect_hash(v, "the hash that it carries", block->hash, hash);
    expect_hash_text(v, block, vectors_text(v, vector, "hash_text"));
    if (block->height > 0) {
        rule_poh_hash(hash, block->prev_hash);
        expect_hash(v, "its poh_hash", hash, vectors_hash(v, vector, "poh_hash"));
    }
    expect_hash(v, "the poh_hash that it carries", block->poh_hash,
                vectors_hash(v, vector, "poh_hash"));
}

static void expect_verdict(struct vectors *v, const json_t *vector, enum rule got)
{
    const char *want = vectors_text(v, vector, "verdict");
    bool known = false;

    for (int rule = 0; rule < RULES; rule++)
        known = known || strcmp(rule_name((enum rule)rule), want) == 0;
    if (!known)
        vectors_fail(v, "unknown verdict \"%s\"", want);
    else if (strcmp(rule_name(got), want) != 0)
        vectors_fail(v, "the verdict is %s, not %s", rule_name(got), want);
}

/* A block at height 0 has no parent: it is the genesis block or fails B0. */
static enum rule judge_genesis(const struct vectors *v, const struct block_view *block)
{
    struct vn_buf *genesis = rule_genesis(&v->params);
    const bool same =
        block->raw.len == genesis->len && memcmp(block->raw.data, genesis->data, genesis->len) == 0;

    vn_buf_unref(genesis);
    return same ? RULE_OK : RULE_B0_GENESIS;
}

static void run_block_verdict(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name",    "payload", "parent_payload",
                                        "verdict", "now",     NULL};
    const json_t *parent_payload = json_object_get(vector, "parent_payload");
    struct msg msg, parent;

    vectors_keys(v, vector, known);
    if (!read_payload(v, vector, "payload", MSG_NEW_BLOCK, &msg))
        return;
    const struct block_view *block = &msg.u.block;
    if (!parent_payload || json_is_null(parent_payload)) {
        expect_verdict(v, vector, judge_genesis(v, block));
        return;
    }
    if (!read_payload(v, vector, "parent_payload", MSG_NEW_BLOCK, &parent))
        return;
    const struct parent_view on = {
        .height = parent.u.block.height,
        .timestamp = parent.u.block.timestamp,
        .poh_seq = parent.u.block.poh_seq,
        .total_difficulty = parent.u.block.total_difficulty,
        .hash = parent.u.block.hash,
    };
    const uint64_t now_s = vectors_u64(v, vector, "now");
    const enum rule verdict = rule_check_block(block, &on, &v->params, now_s, -1);
    const int body = (int)rule_check_body(block);
    if (rule_check_block(block, &on, &v->params, now_s, body) != verdict)
        vectors_fail(v, "the verdict differs when that on the body is known before");
    expect_verdict(v, vector, verdict);
}

static void run_compatible(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name", "local", "remote", "compatible", NULL};
    const char *local = vectors_text(v, vector, "local");
    const char *remote = vectors_text(v, vector, "remote");
    const json_t *want = json_object_get(vector, "compatible");
    const struct bytes_view a = {(const uint8_t *)local, strlen(local)};
    const struct bytes_view b = {(const uint8_t *)remote, strlen(remote)};

    vectors_keys(v, vector, known);
    if (!json_is_boolean(want))
        vectors_fail(v, "\"compatible\" must be true or false");
    if (wire_version_compatible(a, b) != json_is_true(want) ||
        wire_version_compatible(b, a) != json_is_true(want))
        vectors_fail(v, "\"%s\" and \"%s\" are judged otherwise", local, remote);
}

static void run_genesis(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name", "payload",   "difficulty", "timestamp",
                                        "hash", "hash_text", NULL};
    const struct chain_params of = {.genesis_timestamp = vectors_u64(v, vector, "timestamp"),
                                    .difficulty = vectors_u64(v, vector, "difficulty")};
    const struct vectors_bytes payload = vectors_hex(v, vector, "payload");
    struct msg msg;

    vectors_keys(v, vector, known);
    if (!read_payload(v, vector, "payload", MSG_NEW_BLOCK, &msg))
        return;
    struct vn_buf *genesis = rule_genesis(&of);
    if (genesis->len + 4 != payload.len ||
        memcmp(genesis->data, payload.data + 4, genesis->len) != 0)
        vectors_fail(v, "the genesis block is %s", vectors_to_hex(v, genesis->data, genesis->len));
    vn_buf_unref(genesis);
    expect_hash(v, "the hash that it carries", msg.u.block.hash, vectors_hash(v, vector, "hash"));
    expect_hash_text(v, &msg.u.block, vectors_text(v, vector, "hash_text"));
}

static void run_target(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name", "difficulty", "target", NULL};
    const uint64_t difficulty = vectors_u64(v, vector, "difficulty");
    uint8_t target[HASH_SIZE];

    vectors_keys(v, vector, known);
    if (difficulty == 0) {
        vectors_fail(v, "a difficulty of 0 has no target");
        return;
    }
    rule_target(target, difficulty);
    expect_hash(v, "the target", target, vectors_hash(v, vector, "target"));
}

static void run_tx_id(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name", "payload", "transaction", "tx_id", NULL};
    uint8_t id[HASH_SIZE];
    struct msg msg;

    vectors_keys(v, vector, known);
    if (!read_payload(v, vector, "payload", MSG_NEW_TRANSACTION, &msg))
        return;
    vectors_compare_tx(v, &msg.u.tx, json_object_get(vector, "transaction"));
    rule_tx_id(id, &msg.u.tx);
    expect_hash(v, "its id", id, vectors_hash(v, vector, "tx_id"));
}

static void run_tx_root(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name", "transactions", "tx_root", NULL};
    const struct vectors_bytes ids = vectors_ids(v, json_object_get(vector, "transactions"));
    uint8_t root[HASH_SIZE];

    vectors_keys(v, vector, known);
    rule_tx_root(root, ids.data, ids.len / HASH_SIZE);
    expect_hash(v, "the root", root, vectors_hash(v, vector, "tx_root"));
}

static void run_tx_verdict(struct vectors *v, const json_t *vector)
{
    static const char *const known[] = {"name", "payload", "verdict", "now", NULL};
    struct msg msg;

    vectors_keys(v, vector, known);
    if (!read_payload(v, vector, "payload", MSG_NEW_TRANSACTION, &msg))
        return;
    const uint64_t now_s = vectors_u64(v, vector, "now");
    const enum rule verdict = rule_check_tx(&msg.u.tx, now_s, 0);
    expect_verdict(v, vector, verdict);
    if (verdict != RULE_T1_ID && rule_check_tx(&msg.u.tx, now_s, 1) != verdict)
        vectors_fail(v, "the verdict differs when T1 is known before");
}

bool vectors_chain(struct vectors *v, const json_t *chain)
{
    static const struct {
        const char *name;
        vectors_fn *run;
    } groups[] = {
        {"block", run_block},           {"block_verdict", run_block_verdict},
        {"compatible", run_compatible}, {"genesis", run_genesis},
        {"target", run_target},         {"tx_id", run_tx_id},
        {"tx_root", run_tx_root},       {"tx_verdict", run_tx_verdict},
    };
    bool ok = true;
    const char *name;
    json_t *group;

    json_object_foreach((json_t *)(uintptr_t)chain, name, group)
    {
        size_t i = 0;
        while (i < sizeof groups / sizeof *groups && strcmp(groups[i].name, name) != 0)
            i++;
        if (i == sizeof groups / sizeof *groups || !json_is_array(group)) {
            printf("FAIL chain/%s: a group that this program does not know\n", name);
            ok = false;
            continue;
        }
        vectors_each(v, name, group, groups[i].run);
    }
    return ok;
}

bool vectors_params(struct vectors *v, const json_t *object)
{
    v->name = "default_params";
    v->params.genesis_timestamp = vectors_u64(v, object, "genesis_timestamp");
    v->params.difficulty = vectors_u64(v, object, "difficulty");
    if (v->params.difficulty == 0)
        vectors_fail(v, "a difficulty of 0 has no chain");
    vectors_release(v);
    return !v->failed;
}
