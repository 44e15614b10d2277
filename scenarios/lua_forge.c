/* What a scripted peer needs to lie well: valid blocks and transactions as tables, each field of
 * which can be broken before or after the work is done.
 *
 *     local b = peer:mine(parent)                          valid, on any parent
 *     local b = peer:mine(parent, { poh_seq = 7 })         the work done over what was changed
 *     b.nonce = b.nonce + 1; b.hash = chain.hash(b)        true to its text, and most likely above
 *                                                          the target
 *     local t = peer:tx { value = 5 }                      t.tx_id is right
 *
 * Draws come from a stream of the peer's own, so that a peer more or less moves no other dice. */
#include "core/chain/mine.h"
#include "scenarios/lua_peer.h"
#include "scenarios/options.h"

#include <string.h>

#define CHAIN      "chain"
#define TRIES_MAX  20000000u /* some ten seconds of work */
#define TRY_STEPS  4u        /* of the script's budget */
#define ROOT_IDS   30000u    /* what rule_tx_root takes, and more than a block may hold */
#define RANDOM_MAX (16u << 20)

static bool given(lua_State *L, int table, const char *name)
{
    bool yes = lua_istable(L, table) && lua_getfield(L, table, name) != LUA_TNIL;
    if (lua_istable(L, table))
        lua_pop(L, 1);
    return yes;
}

static void random_hash(struct rng *rng, uint8_t out[32])
{
    for (size_t i = 0; i < 4; i++)
        put_le64(out + 8 * i, rng_u64(rng));
}

/* ---- blocks ---- */

static void root_of(lua_State *L, const char *what, const struct block_view *b, uint8_t out[32])
{
    if (b->tx_count > ROOT_IDS)
        sandbox_error(L, "%s: a root is computed of at most %u tx_ids, got %d; give the tx_root",
                      what, ROOT_IDS, (int)b->tx_count);
    sandbox_charge(L, b->tx_count * TRY_STEPS);
    rule_tx_root(out, b->tx_ids, b->tx_count);
}

/* The nonce and the hash for a target of that difficulty. */
static void solve(lua_State *L, const char *what, struct block_view *b, uint8_t hash[32],
                  uint64_t difficulty)
{
    uint8_t target[32];
    rule_target(target, difficulty ? difficulty : 1);
    uint64_t first = b->nonce;
    if (!mine_solve(b, hash, target, TRIES_MAX))
        sandbox_error(L,
                      "%s: no nonce in %u tries fits a difficulty of %llu; scripts can do "
                      "the work of small ones",
                      what, TRIES_MAX, (unsigned long long)difficulty);
    sandbox_charge(L, (b->nonce - first) * TRY_STEPS);
    b->hash = hash;
}

/* A genesis, kept by a value that is pushed; 0: the default's timestamp, or difficulty. */
static void genesis(lua_State *L, uint64_t timestamp, uint64_t difficulty, struct block_view *out)
{
    struct vn_config config;
    vn_config_init(&config);
    const struct chain_params params = {timestamp ? timestamp : config.genesis_timestamp,
                                        difficulty ? difficulty : config.difficulty};
    uint8_t *bytes = lua_newuserdatauv(L, BLOCK_SIZE_MIN, 0);
    struct vn_buf *buf = rule_genesis(&params);
    memcpy(bytes, buf->data, BLOCK_SIZE_MIN);
    vn_buf_unref(buf);
    struct reader r = reader_over(bytes, BLOCK_SIZE_MIN);
    wire_read_block(&r, out);
}

/* What a child's fields must be, where the script has not set them. */
static void fill_child(lua_State *L, const struct run *run, const struct block_view *parent,
                       struct block_view *b)
{
    uint64_t wall_s = run_wall_s(run);
    if (!given(L, 3, "height"))
        b->height = parent->height + 1;
    if (!given(L, 3, "prev_hash"))
        b->prev_hash = parent->hash;
    if (!given(L, 3, "timestamp"))
        b->timestamp = wall_s > parent->timestamp ? wall_s : parent->timestamp;
    if (!given(L, 3, "difficulty"))
        b->difficulty = parent->difficulty;
    if (!given(L, 3, "total_difficulty"))
        b->total_difficulty = parent->total_difficulty + parent->difficulty;
    if (!given(L, 3, "poh_seq"))
        b->poh_seq = parent->poh_seq + 1;
}

/* peer:mine(parent [, fields]): a child of the block `parent`, or of the genesis. The state_root is
 * drawn, as two miners never find the same block. */
int lua_forge_mine(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "mine", &host);
    struct peer_script *s = peer_script_of(run, host);
    struct block_view parent, b;
    uint8_t hash[32], root[32], poh[32], state[32];
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    if (lua_isnil(L, 2))
        genesis(L, 0, 0, &parent);
    else
        lua_block_read(L, 2, "mine", &parent);
    lua_block_read(L, 3, "mine", &b);
    fill_child(L, run, &parent, &b);
    random_hash(&s->rng, state);
    if (!given(L, 3, "state_root"))
        b.state_root = state;
    if (!given(L, 3, "tx_root")) {
        root_of(L, "mine", &b, root);
        b.tx_root = root;
    }
    if (!given(L, 3, "poh_hash")) {
        rule_poh_hash(poh, parent.hash);
        b.poh_hash = poh;
    }
    if (!given(L, 3, "hash"))
        solve(L, "mine", &b, hash, parent.difficulty);
    lua_block_push(L, &b);
    return 1;
}

/* chain.solve(block [, difficulty]): a copy whose nonce and hash fit. */
static int chain_solve(lua_State *L)
{
    struct block_view b;
    uint8_t hash[32];
    lua_settop(L, 2);
    uint64_t difficulty = lua_isnil(L, 2) ? 0 : lua_u64_arg(L, 2, "solve", "the difficulty");
    lua_block_read(L, 1, "solve", &b);
    solve(L, "solve", &b, hash, difficulty ? difficulty : b.difficulty);
    lua_block_push(L, &b);
    return 1;
}

static int chain_hash(lua_State *L)
{
    struct block_view b;
    uint8_t hash[32];
    lua_block_read(L, 1, "hash", &b);
    rule_block_hash(hash, &b);
    lua_hash_push(L, hash);
    return 1;
}

/* chain.root(ids): R of PROTOCOL-0.1 section 7. */
static int chain_root(lua_State *L)
{
    struct block_view b;
    uint8_t root[32];
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "tx_ids");
    lua_block_read(L, -1, "root", &b);
    root_of(L, "root", &b, root);
    lua_hash_push(L, root);
    return 1;
}

/* chain.target(difficulty): the greatest hash that fits it. Hashes compare as texts do. */
static int chain_target(lua_State *L)
{
    uint8_t target[32];
    uint64_t difficulty = lua_u64_arg(L, 1, "target", "the difficulty");
    if (difficulty == 0)
        sandbox_error(L, "target: the difficulty must be 1 or more, got 0");
    rule_target(target, difficulty);
    lua_hash_push(L, target);
    return 1;
}

/* chain.genesis([timestamp [, difficulty]]) */
static int chain_genesis_word(lua_State *L)
{
    struct block_view view;
    lua_settop(L, 2);
    uint64_t timestamp = lua_isnil(L, 1) ? 0 : lua_u64_arg(L, 1, "genesis", "the timestamp");
    uint64_t difficulty = lua_isnil(L, 2) ? 0 : lua_u64_arg(L, 2, "genesis", "the difficulty");
    genesis(L, timestamp, difficulty, &view);
    lua_block_push(L, &view);
    return 1;
}

/* chain.clock(): whole seconds since 1970, by a clock that nothing skews. */
static int chain_clock(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)run_wall_s(run_looking(L, "clock")));
    return 1;
}

/* ---- transactions ---- */

/* peer:tx([fields]): what is left out is drawn, or of now; the id is computed unless it is given */
int lua_forge_tx(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "tx", &host);
    struct peer_script *s = peer_script_of(run, host);
    struct tx_view t;
    uint8_t id[32], sender[32], recipient[32];
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    lua_tx_read(L, 2, "tx", &t);
    random_hash(&s->rng, sender);
    random_hash(&s->rng, recipient);
    uint64_t value = rng_below(&s->rng, 1000000);
    if (!given(L, 2, "sender"))
        t.sender = sender;
    if (!given(L, 2, "recipient"))
        t.recipient = recipient;
    if (!given(L, 2, "value"))
        t.value = value;
    if (!given(L, 2, "gas_price"))
        t.gas_price = 1;
    if (!given(L, 2, "gas_limit"))
        t.gas_limit = 21000;
    if (!given(L, 2, "timestamp"))
        t.timestamp = run_wall_s(run);
    if (!given(L, 2, "tx_id")) {
        rule_tx_id(id, &t);
        t.tx_id = id;
    }
    lua_tx_push(L, &t);
    return 1;
}

static int chain_tx_id(lua_State *L)
{
    struct tx_view t;
    uint8_t id[32];
    lua_tx_read(L, 1, "tx_id", &t);
    rule_tx_id(id, &t);
    lua_hash_push(L, id);
    return 1;
}

/* ---- dice ---- */

/* peer:random(lo, hi): a whole number of lo..hi. */
int lua_forge_random(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "random", &host);
    lua_Integer lo = luaL_checkinteger(L, 2);
    lua_Integer hi = luaL_checkinteger(L, 3);
    if (lo > hi || (uint64_t)hi - (uint64_t)lo == UINT64_MAX)
        sandbox_error(L, "random: lo must not be above hi, got %lld and %lld", (long long)lo,
                      (long long)hi);
    uint64_t draw = rng_below(&peer_script_of(run, host)->rng, (uint64_t)hi - (uint64_t)lo + 1);
    lua_pushinteger(L, (lua_Integer)((uint64_t)lo + draw));
    return 1;
}

/* peer:random_bytes(n) */
int lua_forge_random_bytes(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "random_bytes", &host);
    uint64_t n = lua_u64_arg(L, 2, "random_bytes", "the number");
    if (n > RANDOM_MAX)
        sandbox_error(L, "random_bytes: the number must be 0..%u, got %llu", RANDOM_MAX,
                      (unsigned long long)n);
    sandbox_charge(L, n / 8);
    struct rng *rng = &peer_script_of(run, host)->rng;
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, n + 8);
    for (uint64_t i = 0; i < n; i += 8)
        put_le64((uint8_t *)out + i, rng_u64(rng));
    luaL_pushresultsize(&b, n);
    return 1;
}

void lua_forge_open(lua_State *L)
{
    static const luaL_Reg words[] = {
        {"clock", chain_clock}, {"genesis", chain_genesis_word},
        {"hash", chain_hash},   {"root", chain_root},
        {"solve", chain_solve}, {"target", chain_target},
        {"tx_id", chain_tx_id}, {NULL, NULL},
    };
    lua_class(L, CHAIN, words);
    lua_pop(L, 1);
    lua_newuserdatauv(L, 1, 0);
    luaL_setmetatable(L, CHAIN);
    lua_setglobal(L, "chain");
}
