/* Looking seed peers up; see seeds.h.
 *
 * One timer for all names, for the earliest that is due. A look-up that fails, and one that
 * succeeds, both double the name's pause: whoever found addresses that do not answer has no more
 * use for the same ones at once. A peer that is ready puts the pauses back. */
#include "vibenode/seeds.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_FIRST_S 5u
#define PAUSE_LAST_S  600u
#define READY_S       30u /* between looks whether a peer is still ready */

struct name {
    struct seeds *seeds;
    uv_getaddrinfo_t request;
    char host[254];
    uint16_t port;
    bool busy;
    uint32_t pause_s;
    uint64_t due_ms; /* of the loop's clock */
};

struct seeds {
    uv_loop_t *loop;
    struct seeds_hooks hooks;
    uv_timer_t timer;
    uint32_t count, busy; /* busy: look-ups, and the timer until it is closed */
    bool closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    struct name names[];
};

static void seeds_let_go(struct seeds *seeds)
{
    if (--seeds->busy > 0)
        return;
    void (*on_closed)(void *ctx) = seeds->on_closed;
    void *ctx = seeds->closed_ctx;
    free(seeds);
    if (on_closed)
        on_closed(ctx);
}

static void on_timer(uv_timer_t *timer);

static void seeds_arm(struct seeds *seeds)
{
    uint64_t now_ms = uv_now(seeds->loop), due_ms = UINT64_MAX;
    for (uint32_t i = 0; i < seeds->count; i++)
        if (!seeds->names[i].busy && seeds->names[i].due_ms < due_ms)
            due_ms = seeds->names[i].due_ms;
    if (due_ms != UINT64_MAX)
        uv_timer_start(&seeds->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

/* When it is tried again. */
static void name_pause(struct name *name)
{
    name->due_ms = uv_now(name->seeds->loop) + name->pause_s * UINT64_C(1000);
    name->pause_s = name->pause_s * 2 > PAUSE_LAST_S ? PAUSE_LAST_S : name->pause_s * 2;
}

/* False: neither IPv4 nor IPv6. */
static bool addr_of(const struct sockaddr *from, uint16_t port, struct vn_addr *out)
{
    *out = (struct vn_addr){.port = port};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        out->family = VN_AF_IPV4;
        memcpy(out->ip, &v4.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof v6);
        out->family = VN_AF_IPV6;
        memcpy(out->ip, &v6.sin6_addr, 16);
    }
    return out->family != VN_AF_NONE;
}

static uint32_t addrs_of(const struct addrinfo *list, uint16_t port,
                         struct vn_addr out[SEEDS_ADDRS_MAX])
{
    uint32_t count = 0;
    for (; list && count < SEEDS_ADDRS_MAX; list = list->ai_next) {
        uint32_t same = 0;
        if (!addr_of(list->ai_addr, port, &out[count]))
            continue;
        while (memcmp(&out[same], &out[count], sizeof *out) != 0)
            same++;
        count += same == count;
    }
    return count;
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct name *name = request->data;
    struct seeds *seeds = name->seeds;
    struct vn_addr addrs[SEEDS_ADDRS_MAX];
    name->busy = false;
    if (seeds->closing) {
        uv_freeaddrinfo(list);
        seeds_let_go(seeds);
        return;
    }
    seeds->busy--;
    uint32_t count = status == 0 ? addrs_of(list, name->port, addrs) : 0;
    uv_freeaddrinfo(list);
    uint32_t next_s = name->pause_s;
    name_pause(name);
    seeds_arm(seeds);
    if (count > 0)
        seeds->hooks.found(seeds->hooks.ctx, name->host, addrs, count);
    else
        seeds->hooks.failed(seeds->hooks.ctx, name->host,
                            status == 0 ? "it has no address" : uv_strerror(status), next_s);
}

static void name_look_up(struct name *name)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    name->request.data = name;
    int rc =
        uv_getaddrinfo(name->seeds->loop, &name->request, on_looked_up, name->host, NULL, &hints);
    if (rc == 0) {
        name->busy = true;
        name->seeds->busy++;
        return;
    }
    uint32_t next_s = name->pause_s;
    name_pause(name);
    name->seeds->hooks.failed(name->seeds->hooks.ctx, name->host, uv_strerror(rc), next_s);
}

static void on_timer(uv_timer_t *timer)
{
    struct seeds *seeds = timer->data;
    uint64_t now_ms = uv_now(seeds->loop);
    bool ready = seeds->hooks.ready(seeds->hooks.ctx);
    for (uint32_t i = 0; i < seeds->count; i++) {
        struct name *name = &seeds->names[i];
        if (name->busy || name->due_ms > now_ms)
            continue;
        if (ready) {
            name->pause_s = PAUSE_FIRST_S;
            name->due_ms = now_ms + READY_S * UINT64_C(1000);
        } else {
            name_look_up(name);
        }
    }
    seeds_arm(seeds);
}

struct seeds *seeds_new(uv_loop_t *loop, const struct config_seed *list, uint32_t count,
                        const struct seeds_hooks *hooks)
{
    uint32_t names = 0;
    for (uint32_t i = 0; i < count; i++)
        names += list[i].addr.family == VN_AF_NONE;
    if (names == 0)
        return NULL;
    struct seeds *seeds = calloc(1, sizeof *seeds + names * sizeof *seeds->names);
    if (!seeds)
        abort();
    seeds->loop = loop;
    seeds->hooks = *hooks;
    seeds->busy = 1;
    uv_timer_init(loop, &seeds->timer);
    seeds->timer.data = seeds;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].addr.family != VN_AF_NONE)
            continue;
        struct name *name = &seeds->names[seeds->count++];
        *name = (struct name){.seeds = seeds, .port = list[i].port, .pause_s = PAUSE_FIRST_S};
        memcpy(name->host, list[i].host, sizeof name->host);
    }
    seeds_arm(seeds);
    return seeds;
}

static void on_timer_closed(uv_handle_t *timer)
{
    seeds_let_go(timer->data);
}

void seeds_close(struct seeds *seeds, void (*on_closed)(void *ctx), void *ctx)
{
    if (!seeds)
        return;
    assert(!seeds->closing);
    seeds->closing = true;
    seeds->on_closed = on_closed;
    seeds->closed_ctx = ctx;
    for (uint32_t i = 0; i < seeds->count; i++)
        if (seeds->names[i].busy)
            uv_cancel((uv_req_t *)&seeds->names[i].request); /* or its call back comes by itself */
    uv_close((uv_handle_t *)&seeds->timer, on_timer_closed);
}
