/* Helpers for tests of the simulator with the fake node. */
#ifndef SIM_FIXTURE_H
#define SIM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those four first */
#include <cmocka.h>

#include "core/base/rng.h"
#include "tests/sim/fake_node.h"
#include "transport-sim/sim.h"

#define MS      1000000ull
#define SECONDS 1000000000ull

static inline struct sim *net_new(uint64_t seed)
{
    struct sim_config config;
    sim_config_init(&config);
    memcpy(config.seed, &seed, sizeof seed);
    struct sim *sim = sim_new(&config);
    assert_non_null(sim);
    return sim;
}

static inline uint32_t host_add(struct sim *sim, const char *id, uint64_t up_bps, uint64_t down_bps)
{
    struct vn_config config = {.size = sizeof config};
    struct sim_host_params params = {.up_bps = up_bps, .down_bps = down_bps};
    char why[100];
    memcpy(config.node_id, id, strlen(id));
    uint32_t host = sim_host_add(sim, &config, &params, why, sizeof why);
    assert_int_not_equal(host, UINT32_MAX);
    return host;
}

/* Sets the default parameters: constant latency, in seconds. */
static inline void links(struct sim *sim, double latency, double loss, uint64_t rate_bps)
{
    struct sim_link_params params;
    sim_link_params_init(&params);
    params.latency.a = latency;
    params.loss = loss;
    params.rate_bps = rate_bps;
    assert_true(sim_links_default(sim, &params));
}

static inline void command(struct sim *sim, uint32_t host, uint32_t kind, uint64_t number)
{
    struct vn_command c = {.kind = kind, .number = number};
    sim_command(sim, host, &c);
}

static inline void dial(struct sim *sim, uint32_t from, uint32_t to)
{
    struct vn_command c = {.kind = VN_CMD_CONNECT, .addr = sim_host_addr(to), .number = UINT64_MAX};
    sim_command(sim, from, &c);
}

/* `len` bytes that tell their place. */
static inline struct vn_slice pattern(uint32_t len)
{
    struct vn_slice s = {.buf = vn_buf_new(len), .len = len};
    for (uint32_t i = 0; i < len; i++)
        s.buf->data[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    return s;
}

/* Sends `len` bytes on all links of a host. */
static inline void submit(struct sim *sim, uint32_t host, uint32_t len)
{
    struct vn_command c = {.kind = VN_CMD_SUBMIT_TX, .data = pattern(len)};
    sim_command(sim, host, &c);
    vn_slice_unref(c.data);
}

/* The n-th link that the node of a host ever had. */
static inline const struct fake_link *link_of(const struct sim *sim, uint32_t host, uint32_t n)
{
    const struct vn_node *node = sim_node(sim, host);
    assert_non_null(node);
    assert_true(n < node->link_count);
    return &node->links[n];
}

#endif
