/* net:watch_blocks(), net:blocks() and percentile(): how blocks spread. */
#include "scenarios/blocks.h"
#include "scenarios/run.h"

#include <math.h>
#include <stdio.h>

#define PERCENTILE_MAX 50000000

/* ---- sorting ---- */

static void sift(double *v, size_t root, size_t n)
{
    double x = v[root];
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && v[child + 1] > v[child])
            child++;
        if (v[child] <= x)
            break;
        v[root] = v[child];
    }
    v[root] = x;
}

/* Heapsort (Williams, CACM 7 (6), 1964): plain numbers, so that stability does not matter. */
static void sort_numbers(double *v, size_t n)
{
    for (size_t root = n / 2; root-- > 0;)
        sift(v, root, n);
    for (size_t last = n; last-- > 1;) {
        double greatest = v[0];
        v[0] = v[last];
        v[last] = greatest;
        sift(v, 0, last);
    }
}

/* ---- watching ---- */

int lua_blocks_watch(lua_State *L)
{
    lua_net_self(L, "watch_blocks");
    struct run *run = run_acting(L, "net:watch_blocks");
    if (!run->world.trace_more)
        run_skip(L, "do net:watch_blocks: it does not tell of blocks");
    if (run->blocks)
        sandbox_error(L, "net:watch_blocks: they are watched already; call it once");
    if (run->host_count > 0)
        sandbox_error(
            L, "net:watch_blocks: before the first net:spawn or net:peer; there are %u hosts",
            run->host_count);
    run->blocks = blocks_new();
    run->world.trace_more(run->world.self, BLOCKS_TRACES);
    return 0;
}

/* Pushes the seconds from the finding of the block to its arrival at each host of the group (the
 * miner itself left out), the shortest first. */
static void push_arrivals(lua_State *L, const struct block *block, const struct group *g)
{
    double *delays = lua_newuserdatauv(L, (size_t)g->n * sizeof *delays + 1, 0);
    size_t n = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        uint32_t host = g->hosts[i];
        if (host < block->hosts && host != block->miner && block->arrival_ns[host] != BLOCKS_NEVER)
            delays[n++] = (double)(block->arrival_ns[host] - block->found_ns) / 1e9;
    }
    sort_numbers(delays, n);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushnumber(L, delays[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_remove(L, -2);
}

static void push_block(lua_State *L, const struct block *block, const struct group *g)
{
    lua_createtable(L, 0, 6);
    lua_hash_push(L, block->hash);
    lua_setfield(L, -2, "hash");
    lua_pushinteger(L, (lua_Integer)block->height);
    lua_setfield(L, -2, "height");
    lua_pushinteger(L, (lua_Integer)block->txs);
    lua_setfield(L, -2, "transactions");
    lua_pushnumber(L, (double)block->found_ns / 1e9);
    lua_setfield(L, -2, "found");
    lua_host_push(L, block->miner);
    lua_setfield(L, -2, "miner");
    push_arrivals(L, block, g);
    lua_setfield(L, -2, "arrivals");
}

/* net:blocks([group]): every block found since watch_blocks, in that order. */
int lua_blocks_list(lua_State *L)
{
    lua_net_self(L, "blocks");
    const struct run *run = run_looking(L, "net:blocks");
    lua_settop(L, 2);
    if (!run->blocks)
        sandbox_error(L, "net:blocks: nothing was watched; call net:watch_blocks() first");
    if (blocks_full(run->blocks))
        sandbox_error(L,
                      "net:blocks: the arrivals of more blocks at more nodes than %u MiB hold were "
                      "watched; watch fewer",
                      BLOCKS_BYTES_MAX >> 20);
    const struct group *g = lua_group_opt(L, 2, "net:blocks");
    uint32_t n = blocks_count(run->blocks);
    lua_createtable(L, (int)n, 0);
    for (uint32_t i = 0; i < n; i++) {
        sandbox_charge(L, (uint64_t)g->n * 4 + 10);
        push_block(L, blocks_at(run->blocks, i), g);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* ---- percentile(list, p, ...) ---- */

/* The nearest rank: the least value that at least p in a hundred of the values do not exceed. */
static double rank_of(const double *sorted, size_t n, double p)
{
    double position = p * (double)n / 100;
    size_t rank = (size_t)position;
    rank += (double)rank < position;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static int percentile(lua_State *L)
{
    int given = lua_gettop(L);
    if (lua_type(L, 1) != LUA_TTABLE || given < 2)
        sandbox_error(L, "percentile takes a list of numbers and one or more of 0..100, got %s",
                      sandbox_kind(L, 1));
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    if (n < 1 || n > PERCENTILE_MAX)
        sandbox_error(L, "percentile takes 1..%d numbers, got %lld", PERCENTILE_MAX, (long long)n);
    sandbox_charge(L, (uint64_t)n * 20);
    luaL_checkstack(L, given + 4, "percentile");
    double *values = lua_newuserdatauv(L, (size_t)n * sizeof *values, 0);
    for (lua_Integer i = 0; i < n; i++) {
        bool number = lua_rawgeti(L, 1, i + 1) == LUA_TNUMBER;
        values[i] = number ? lua_tonumber(L, -1) : (double)NAN;
        if (isnan(values[i]))
            sandbox_error(L, "percentile: value %lld must be a number, got %s", (long long)i + 1,
                          sandbox_kind(L, -1));
        lua_pop(L, 1);
    }
    sort_numbers(values, (size_t)n);
    for (int i = 2; i <= given; i++) {
        double p = lua_type(L, i) == LUA_TNUMBER ? lua_tonumber(L, i) : (double)NAN;
        if (!(p >= 0 && p <= 100))
            sandbox_error(L, "percentile: what is wanted must be a number 0..100, got %s",
                          lua_type(L, i) == LUA_TNUMBER ? sandbox_tostring(L, i, NULL)
                                                        : sandbox_kind(L, i));
        lua_pushnumber(L, rank_of(values, (size_t)n, p));
    }
    return given - 1;
}

void lua_blocks_open(lua_State *L)
{
    lua_pushcfunction(L, percentile);
    lua_setglobal(L, "percentile");
}
