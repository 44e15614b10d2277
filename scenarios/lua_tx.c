/* node:submit_tx{...}: a transaction drawn from the run's dice, with what the script sets put in.
 */
#include "scenarios/options.h"
#include "scenarios/run.h"

#include "core/chain/rules.h"

struct tx_draft {
    uint8_t id[32], sender[32], recipient[32];
    struct tx_view view;
};

static void random_hash(struct rng *rng, uint8_t out[32])
{
    for (size_t i = 0; i < 4; i++)
        put_le64(out + 8 * i, rng_u64(rng));
}

/* Plausible values from the run's dice; the wall clock is the node's. */
static void draft_init(struct run *run, uint32_t host, struct tx_draft *d)
{
    struct vn_info info;
    uint64_t wall_ns = run->world.info(run->world.self, host, &info) ? info.wall_ns : 0;
    random_hash(&run->rng_tx, d->sender);
    random_hash(&run->rng_tx, d->recipient);
    d->view = (struct tx_view){.tx_id = d->id, .sender = d->sender, .recipient = d->recipient};
    d->view.value = rng_below(&run->rng_tx, 1000000);
    d->view.gas_price = 1 + rng_below(&run->rng_tx, 100);
    d->view.gas_limit = 21000;
    d->view.nonce = run->tx_count++;
    d->view.timestamp = wall_ns / NS_PER_S;
}

static void hash_field(lua_State *L, const char *name, uint8_t out[32])
{
    if (lua_getfield(L, 2, name) != LUA_TNIL) {
        size_t len;
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
        if (!text || !lua_hash_read(text, len, out))
            sandbox_error(L, "submit_tx: %s must be 64 hex digits, got %s", name,
                          text ? text : sandbox_kind(L, -1));
    }
    lua_pop(L, 1);
}

static void whole_field(lua_State *L, const char *name, uint64_t *out)
{
    if (lua_getfield(L, 2, name) != LUA_TNIL)
        *out = lua_u64_arg(L, -1, "submit_tx", name);
    lua_pop(L, 1);
}

static void check_tx_fields(lua_State *L)
{
    static const char *const names[] = {"sender",    "recipient", "value",     "gas_price",
                                        "gas_limit", "nonce",     "timestamp", "data"};
    enum { COUNT = sizeof names / sizeof *names };
    struct option options[COUNT];
    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        lua_newtable(L);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_newtable(L); /* the names alone: their values are read with their own types */
    lua_Integer n = sandbox_sorted_keys(L, 2);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        lua_pushboolean(L, 1);
        lua_rawset(L, -4);
    }
    bool sink;
    for (int i = 0; i < COUNT; i++)
        options[i] = (struct option){.name = names[i], .kind = OPTION_FLAG, .out = &sink};
    options_read(L, 3, "submit_tx", options, COUNT);
    lua_settop(L, 2);
}

int lua_node_submit_tx(lua_State *L)
{
    struct run *run = run_acting(L, "submit_tx");
    uint32_t host = lua_node_arg(L, "submit_tx");
    struct tx_draft d;
    size_t data_len = 0;
    check_tx_fields(L);
    draft_init(run, host, &d);
    hash_field(L, "sender", d.sender);
    hash_field(L, "recipient", d.recipient);
    whole_field(L, "value", &d.view.value);
    whole_field(L, "gas_price", &d.view.gas_price);
    whole_field(L, "gas_limit", &d.view.gas_limit);
    whole_field(L, "nonce", &d.view.nonce);
    whole_field(L, "timestamp", &d.view.timestamp);
    d.view.has_data = lua_getfield(L, 2, "data") != LUA_TNIL;
    if (d.view.has_data)
        d.view.data.data = (const uint8_t *)luaL_checklstring(L, -1, &data_len);
    if (data_len > 8u << 20)
        sandbox_error(L, "submit_tx: data must be at most 8 MiB, got %zu bytes", data_len);
    d.view.data.len = data_len;
    rule_tx_id(d.id, &d.view);
    struct writer measure = {0};
    wire_write_tx(&measure, &d.view);
    struct vn_buf *buf = vn_buf_new((uint32_t)measure.len);
    struct writer w = {.data = buf->data, .cap = measure.len};
    wire_write_tx(&w, &d.view);
    struct vn_command command = {.kind = VN_CMD_SUBMIT_TX,
                                 .data = {.buf = buf, .len = (uint32_t)measure.len}};
    const char *why;
    bool ok = run_command(run, host, &command, &why);
    vn_buf_unref(buf);
    if (!ok)
        return lua_command_result(L, false, why);
    lua_hash_push(L, d.id);
    return 1;
}
