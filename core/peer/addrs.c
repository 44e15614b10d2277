/* See addrs.h. Lists are short (1,000 entries at most by default) and touched only when links come
 * and go, so a plain array is searched. */
#include "core/peer/addrs.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"

void addrs_init(struct addrs *addrs, uint32_t max)
{
    *addrs = (struct addrs){.max = max};
}

void addrs_deinit(struct addrs *addrs)
{
    for (uint32_t i = 0; i < addrs->count; i++)
        mem_free(addrs->entries[i].id_key);
    mem_free(addrs->entries);
    addrs->entries = NULL;
    addrs->count = addrs->capacity = 0;
}

bool addr_same_ip(const struct vn_addr *a, const struct vn_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool addr_equal(const struct vn_addr *a, const struct vn_addr *b)
{
    return a->port == b->port && addr_same_ip(a, b);
}

bool addr_is_loopback(const struct vn_addr *addr)
{
    static const uint8_t v4[16] = {127, 0, 0, 1};
    static const uint8_t v6[16] = {[15] = 1};
    return (addr->family == VN_AF_IPV4 && memcmp(addr->ip, v4, 16) == 0) ||
           (addr->family == VN_AF_IPV6 && memcmp(addr->ip, v6, 16) == 0);
}

bool addr_dialable(const struct vn_addr *addr)
{
    static const uint8_t zeros[16];
    if (addr->port == 0)
        return false;
    switch (addr->family) {
    case VN_AF_IPV4:
        return addr->ip[0] != 0 && addr->ip[0] < 224;
    case VN_AF_IPV6:
        return memcmp(addr->ip, zeros, 16) != 0 && addr->ip[0] != 0xff;
    default:
        return false;
    }
}

struct addr_entry *addrs_find(const struct addrs *addrs, const struct vn_addr *addr)
{
    for (uint32_t i = 0; i < addrs->count; i++)
        if (addr_equal(&addrs->entries[i].addr, addr))
            return &addrs->entries[i];
    return NULL;
}

/* Is a more worth forgetting than b? */
static bool worse(const struct addr_entry *a, const struct addr_entry *b)
{
    if (a->failures != b->failures)
        return a->failures > b->failures;
    if (a->id_known != b->id_known)
        return b->id_known; /* an accepted link can claim any port; these answered when dialled */
    return a->last_seen_ns < b->last_seen_ns;
}

static struct addr_entry *addrs_victim(const struct addrs *addrs)
{
    struct addr_entry *victim = NULL;
    for (uint32_t i = 0; i < addrs->count; i++) {
        struct addr_entry *e = &addrs->entries[i];
        if (!e->seed && e->link == 0 && (!victim || worse(e, victim)))
            victim = e;
    }
    return victim;
}

struct addr_entry *addrs_add(struct addrs *addrs, const struct vn_addr *addr, bool seed,
                             uint64_t now_ns)
{
    addrs->forgot = false;
    if (!addr_dialable(addr))
        return NULL;
    struct addr_entry *entry = addrs_find(addrs, addr);
    if (entry) {
        entry->seed = entry->seed || seed;
        return entry;
    }
    if (addrs->count < addrs->max) {
        if (addrs->count == addrs->capacity) {
            uint32_t more = addrs->capacity ? addrs->capacity * 2 : 8;
            addrs->entries = mem_resize(addrs->entries, more, sizeof *addrs->entries);
            addrs->capacity = more;
        }
        entry = &addrs->entries[addrs->count++];
    } else {
        entry = addrs_victim(addrs);
        if (!entry)
            return NULL;
        addrs->forgot = true;
        addrs->forgotten = entry->addr;
        mem_free(entry->id_key);
    }
    *entry = (struct addr_entry){.addr = *addr, .next_try_ns = now_ns, .seed = seed};
    return entry;
}

void addr_set_key(struct addr_entry *entry, const uint8_t key[32])
{
    if (!entry->id_key)
        entry->id_key = mem_new(1, 32);
    memcpy(entry->id_key, key, 32);
}

static uint64_t with_jitter(uint64_t ns, struct rng *rng)
{
    uint64_t extra = rng_below(rng, ns / 4 + 1);
    return add_sat(ns, extra);
}

void addrs_failed(struct addr_entry *entry, const struct addrs_policy *policy, uint64_t now_ns,
                  struct rng *rng)
{
    if (entry->failures < UINT32_MAX)
        entry->failures++;
    uint32_t doublings = (entry->failures < 6 ? entry->failures : 6) - 1;
    uint64_t wait = policy->backoff_base_ns << doublings;
    if (addr_given_up(entry, policy) && wait < policy->retry_failed_ns)
        wait = policy->retry_failed_ns;
    entry->next_try_ns = add_sat(now_ns, with_jitter(wait, rng));
}

void addrs_released(struct addr_entry *entry, const struct addrs_policy *policy, uint64_t now_ns,
                    uint64_t after_ns, struct rng *rng)
{
    uint64_t wait = policy->backoff_base_ns / 2;
    if (wait < after_ns)
        wait = after_ns;
    entry->next_try_ns = add_sat(now_ns, with_jitter(wait, rng));
}

static bool addr_free(const struct addr_entry *entry)
{
    return entry->link == 0 && !entry->self;
}

bool addr_eligible(const struct addr_entry *entry, uint64_t now_ns)
{
    return addr_free(entry) && entry->next_try_ns <= now_ns;
}

struct addr_entry *addrs_pick(const struct addrs *addrs, uint64_t now_ns, struct rng *rng,
                              bool (*usable)(const void *ctx, const struct addr_entry *entry),
                              const void *ctx, uint64_t *next_ns)
{
    uint32_t best = UINT32_MAX, candidates = 0;
    *next_ns = VN_NEVER;
    for (uint32_t i = 0; i < addrs->count; i++) {
        const struct addr_entry *e = &addrs->entries[i];
        if (!addr_free(e) || !usable(ctx, e))
            continue;
        if (e->next_try_ns > now_ns) {
            *next_ns = e->next_try_ns < *next_ns ? e->next_try_ns : *next_ns;
        } else if (e->failures < best) {
            best = e->failures;
            candidates = 1;
        } else if (e->failures == best) {
            candidates++;
        }
    }
    if (candidates == 0)
        return NULL;
    uint64_t chosen = rng_below(rng, candidates);
    for (uint32_t i = 0; i < addrs->count; i++) {
        struct addr_entry *e = &addrs->entries[i];
        if (addr_eligible(e, now_ns) && e->failures == best && usable(ctx, e) && chosen-- == 0)
            return e;
    }
    return NULL;
}
