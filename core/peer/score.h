/* Reputation: one score per identity (an IP address or a node id, see enum vn_ban_by), which
 * outlives its links, so that reconnecting washes nothing off. Points and thresholds: PROTOCOL-0.1
 * section 6.
 *
 * Two sorts of deductions. Evidence is what only a faulty or hostile peer does (an invalid block, a
 * violation, the same block twice). Weather is what a lossy or cut network does to honest peers
 * (timeouts, failures, slowness, a transaction that was forgotten and comes again): it lowers a
 * score to WEATHER_FLOOR at most, just above probation, so that no storm ever bans anybody. */
#ifndef PEER_SCORE_H
#define PEER_SCORE_H

#include "core/base/map.h"
#include "core/node.h"

enum score_event {
    SCORE_GOOD_BLOCK,
    SCORE_GOOD_TX,
    SCORE_USEFUL_DATA,
    SCORE_QUICK_RESPONSE,
    SCORE_INVALID_BLOCK,
    SCORE_INVALID_TX,
    SCORE_VIOLATION,
    SCORE_DUPLICATE,    /* a block */
    SCORE_DUPLICATE_TX, /* weather: what an honest peer remembers of old ones is bounded */
    SCORE_SLOW_RESPONSE,
    SCORE_CONNECTION_FAILURE,
    SCORE_TIMEOUT,
    SCORE_EVENTS
};

#define SCORE_MIN       (-1000)
#define SCORE_MAX       1000
#define SCORE_BANNED    (-100) /* at or below: banned */
#define SCORE_PROBATION (-50)  /* at or below */
#define SCORE_PREFERRED 50     /* from */
#define WEATHER_FLOOR   (-49)

int32_t score_points(enum score_event event);
bool score_is_evidence(enum score_event event);
const char *score_name(enum score_event event);

struct reputation {
    uint8_t key[32];
    struct reputation *prev, *next; /* by age */
    uint64_t banned_until_ns;       /* wall clock; 0: not banned */
    int32_t score;
    uint32_t users; /* live links */
};

struct scores {
    struct idmap by_key;
    struct reputation *first, *last;
    uint32_t count, max;
    uint32_t bans; /* entries whose banned_until_ns is set */
};

void scores_init(struct scores *scores, uint32_t max, uint64_t seed);
void scores_deinit(struct scores *scores);

/* The key of an address, or of a node id (SHA-256 of its bytes). */
void score_key_ip(uint8_t key[32], const struct vn_addr *addr);
bool score_by_id(uint32_t ban_by, const struct vn_addr *addr);

struct reputation *scores_find(const struct scores *scores, const uint8_t key[32]);

/* Finds or adds. When full, the oldest entry without a ban and without a link gives way, else the
 * oldest without a link; NULL if every entry has a link. */
struct reputation *scores_get(struct scores *scores, const uint8_t key[32]);

/* Adds the event's points, clamped; true if this crosses into a ban, which is the caller's to
 * impose. */
bool score_apply(struct reputation *rep, enum score_event event);

/* Sets the end of the entry's ban; 0 lifts it. */
void score_set_ban(struct scores *scores, struct reputation *rep, uint64_t until_ns);

bool score_banned(const struct reputation *rep, uint64_t wall_ns);

#endif
