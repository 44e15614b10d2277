/* See score.h. */
#include "core/peer/score.h"

#include "core/base/mem.h"
#include "core/peer/addrs.h"

#include <assert.h>
#include <string.h>

static const struct {
    int32_t points;
    bool evidence;
    const char *name;
} table[SCORE_EVENTS] = {
    [SCORE_GOOD_BLOCK] = {10, false, "good-block"},
    [SCORE_GOOD_TX] = {1, false, "good-transaction"},
    [SCORE_USEFUL_DATA] = {5, false, "useful-data"},
    [SCORE_QUICK_RESPONSE] = {1, false, "quick-response"},
    [SCORE_INVALID_BLOCK] = {-100, true, "invalid-block"},
    [SCORE_INVALID_TX] = {-10, true, "invalid-transaction"},
    [SCORE_VIOLATION] = {-50, true, "protocol-violation"},
    [SCORE_DUPLICATE] = {-2, true, "duplicate-data"},
    [SCORE_DUPLICATE_TX] = {-2, false, "duplicate-transaction"},
    [SCORE_SLOW_RESPONSE] = {-1, false, "slow-response"},
    [SCORE_CONNECTION_FAILURE] = {-5, false, "connection-failure"},
    [SCORE_TIMEOUT] = {-2, false, "timeout"},
};

int32_t score_points(enum score_event event)
{
    return table[event].points;
}

bool score_is_evidence(enum score_event event)
{
    return table[event].evidence;
}

bool score_is_useful(enum score_event event)
{
    return event == SCORE_GOOD_BLOCK || event == SCORE_GOOD_TX || event == SCORE_USEFUL_DATA;
}

const char *score_name(enum score_event event)
{
    return table[event].name;
}

void scores_init(struct scores *scores, struct mem_pool *pool, uint32_t max, uint64_t seed)
{
    *scores = (struct scores){.max = max, .pool = pool};
    idmap_init(&scores->by_key, offsetof(struct reputation, key), seed);
}

void score_set_ban(struct scores *scores, struct reputation *rep, uint64_t until_ns,
                   uint64_t now_ns)
{
    scores->bans -= rep->banned_until_ns != 0;
    scores->bans += until_ns != 0;
    rep->banned_until_ns = until_ns;
    if (until_ns != 0) {
        rep->score = SCORE_PROBATION;
        rep->scored_ns = until_ns;
    } else if (rep->scored_ns > now_ns) {
        rep->scored_ns = now_ns; /* lifted early */
    }
}

/* ---- decay ---- */

#define DECAY_STEPS 16u /* in a half-life */

/* 2^16 x 2^(-i / DECAY_STEPS), rounded. */
static const uint32_t decay_factor[DECAY_STEPS] = {65536, 62757, 60097, 57549, 55109, 52773,
                                                   50535, 48393, 46341, 44376, 42495, 40693,
                                                   38968, 37316, 35734, 34219};

static uint64_t decay_step_ns(uint64_t half_life_ns)
{
    return half_life_ns < DECAY_STEPS ? 1 : half_life_ns / DECAY_STEPS;
}

/* Steps that have passed since the score was worked out. */
static uint64_t decay_steps(const struct reputation *rep, uint64_t now_ns, uint64_t half_life_ns)
{
    if (half_life_ns == 0 || now_ns <= rep->scored_ns)
        return 0;
    const uint64_t passed_ns = now_ns - rep->scored_ns, step_ns = decay_step_ns(half_life_ns);
    return passed_ns < step_ns ? 0 : passed_ns / step_ns;
}

static int32_t decayed(int32_t score, uint64_t steps)
{
    uint64_t size = (uint64_t)(score < 0 ? -score : score);
    uint64_t halvings = steps / DECAY_STEPS;
    size = halvings < 32 ? size >> halvings : 0;
    size = size * decay_factor[steps % DECAY_STEPS] >> 16;
    return score < 0 ? -(int32_t)size : (int32_t)size;
}

int32_t score_at(const struct reputation *rep, uint64_t now_ns, uint64_t half_life_ns)
{
    if (rep->score == 0) /* asked with every message */
        return 0;
    return decayed(rep->score, decay_steps(rep, now_ns, half_life_ns));
}

void score_decay(struct reputation *rep, uint64_t now_ns, uint64_t half_life_ns)
{
    if (rep->score == 0) {
        rep->scored_ns = now_ns;
        return;
    }
    uint64_t steps = decay_steps(rep, now_ns, half_life_ns);
    if (steps == 0)
        return;
    rep->score = decayed(rep->score, steps);
    rep->scored_ns += steps * decay_step_ns(half_life_ns);
}

static void scores_drop(struct scores *scores, struct reputation *rep)
{
    score_set_ban(scores, rep, 0, 0);
    idmap_remove(&scores->by_key, rep->key);
    if (rep->prev)
        rep->prev->next = rep->next;
    else
        scores->first = rep->next;
    if (rep->next)
        rep->next->prev = rep->prev;
    else
        scores->last = rep->prev;
    scores->count--;
    mem_free(rep->limits);
    mem_pool_give(scores->pool, rep);
}

void scores_deinit(struct scores *scores)
{
    while (scores->first)
        scores_drop(scores, scores->first);
    idmap_deinit(&scores->by_key);
}

void score_key_ip(uint8_t key[32], const struct vn_addr *addr)
{
    memset(key, 0, 32);
    key[0] = 'a';
    key[1] = addr->family;
    memcpy(key + 2, addr->ip, sizeof addr->ip);
}

/* No id's hash looks like that: two bytes as they are, and fourteen zeros. */
bool score_key_addr(const uint8_t key[32], struct vn_addr *addr)
{
    uint8_t same[32];
    *addr = (struct vn_addr){.family = key[1]};
    memcpy(addr->ip, key + 2, sizeof addr->ip);
    score_key_ip(same, addr);
    if ((key[1] == VN_AF_IPV4 || key[1] == VN_AF_IPV6) && memcmp(same, key, sizeof same) == 0)
        return true;
    *addr = (struct vn_addr){0};
    return false;
}

bool score_by_id(uint32_t ban_by, const struct vn_addr *addr)
{
    switch ((enum vn_ban_by)ban_by) {
    case VN_BAN_BY_IP:
        return false;
    case VN_BAN_BY_ID:
        return true;
    case VN_BAN_BY_AUTO:
        break;
    }
    return addr_is_loopback(addr);
}

struct reputation *scores_find(const struct scores *scores, const uint8_t key[32])
{
    return idmap_get(&scores->by_key, key);
}

static struct reputation *scores_victim(const struct scores *scores)
{
    struct reputation *banned = NULL;
    for (struct reputation *r = scores->first; r; r = r->next) {
        if (r->users == 0 && r->banned_until_ns == 0)
            return r;
        if (r->users == 0 && !banned)
            banned = r;
    }
    return banned;
}

struct reputation *scores_get(struct scores *scores, const uint8_t key[32])
{
    struct reputation *rep = scores_find(scores, key);
    if (rep)
        return rep;
    if (scores->count >= scores->max) {
        struct reputation *victim = scores_victim(scores);
        if (!victim)
            return NULL;
        scores_drop(scores, victim);
    }
    rep = mem_pool_take(scores->pool);
    memcpy(rep->key, key, 32);
    rep->prev = scores->last;
    if (scores->last)
        scores->last->next = rep;
    else
        scores->first = rep;
    scores->last = rep;
    scores->count++;
    idmap_put(&scores->by_key, rep);
    return rep;
}

bool score_apply(struct reputation *rep, enum score_event event)
{
    int32_t before = rep->score;
    int32_t after = before + score_points(event);
    if (score_points(event) < 0 && !score_is_evidence(event)) {
        int32_t floor = before < WEATHER_FLOOR ? before : WEATHER_FLOOR;
        after = after < floor ? floor : after;
    }
    after = after < SCORE_MIN ? SCORE_MIN : after > SCORE_MAX ? SCORE_MAX : after;
    rep->score = after;
    return before > SCORE_BANNED && after <= SCORE_BANNED;
}

bool score_banned(const struct reputation *rep, uint64_t now_ns)
{
    return rep && rep->banned_until_ns > now_ns;
}

void scores_audit(const struct scores *scores, struct audit *audit, uint32_t users)
{
    const struct reputation *before = NULL;
    uint32_t count = 0, bans = 0, used = 0;
    for (const struct reputation *rep = scores->first; rep && !audit->what;
         before = rep, rep = rep->next) {
        audit_true(audit, "an identity and its neighbour", rep->prev == before);
        audit_true(audit, "a score out of range",
                   rep->score >= SCORE_MIN && rep->score <= SCORE_MAX);
        count++;
        bans += rep->banned_until_ns != 0;
        used += rep->users;
    }
    audit_true(audit, "the last identity", scores->last == before);
    audit_equal(audit, "identities", scores->count, count);
    audit_equal(audit, "bans", scores->bans, bans);
    audit_equal(audit, "links of identities", used, users);
    audit_at_most(audit, "identities, at most", count, scores->max);
    idmap_audit(&scores->by_key, audit, count);
}
