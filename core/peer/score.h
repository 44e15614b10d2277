/* Reputation: one score per identity (an IP address or a node id, see enum vn_ban_by), which
 * outlives its links, so that reconnecting washes nothing off. Points and thresholds: PROTOCOL-0.1
 * section 6.
 *
 * Two sorts of deductions. Evidence is what only a faulty or hostile peer does (an invalid block, a
 * violation, the same block twice). Weather is what a lossy or cut network does to honest peers
 * (timeouts, failures, slowness, a transaction that was forgotten and comes again): it lowers a
 * score to WEATHER_FLOOR at most, just above probation, so that no storm ever bans anybody.
 *
 * A score goes back towards 0, half of the way in each half-life, in steps of a sixteenth of it;
 * each step rounds towards 0, so that in the end it is 0. It is worked out from the time when it is
 * looked at: no timer runs. Section 6 says what a score means:
 *
 *   banned: -100 or less     refused for a while, then on probation with -50
 *   probation: -50 or less   dialled and asked for blocks last, a quarter of the tokens (limits.h),
 *                            the first to be evicted (admit.h); it ends as the score decays, or by
 *                            good behaviour
 *   preferred: from 50       some of them are never evicted (admit.h)
 *
 * Points are section 6's to the letter, so a score above 0 outlasts an invalid block: from 1 it
 * falls to -99, on probation. Points alone would leave such a link open and let it go on. Therefore
 * an invalid block ends its link with ProtocolViolation whatever its sender's standing: all rules
 * but B3's upper bound are the same to everybody, so that no honest node passes a broken one on.
 * Each further one costs another link, and at most ten of them the best of standings.
 *
 * Bans are timed by the node's running time, so that a wall clock that jumps neither lengthens nor
 * lifts one; the store has wall times (core/gossip/persist.c). */
#ifndef PEER_SCORE_H
#define PEER_SCORE_H

#include "core/base/audit.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/peer/limits.h"

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
bool score_is_useful(enum score_event event); /* what only something new earns */
const char *score_name(enum score_event event);

struct reputation {
    uint8_t key[32];
    struct reputation *prev, *next; /* by age */
    uint64_t banned_until_ns;       /* 0: not banned */
    uint64_t scored_ns;             /* when `score` was worked out; the end of a ban */
    struct bucket accepts;          /* of links accepted from an IP address */
    struct limits *limits;          /* of its last link, if that ended with debts; or NULL */
    int32_t score;
    uint32_t given; /* with the limits: blocks in our answers */
    uint32_t users; /* live links */
};

struct scores {
    struct idmap by_key;
    struct mem_pool *pool; /* of reputations, shared by the nodes of a process */
    struct reputation *first, *last;
    uint32_t count, max;
    uint32_t bans; /* entries whose banned_until_ns is set */
};

/* pool: objects of sizeof(struct reputation), outlives the scores. */
void scores_init(struct scores *scores, struct mem_pool *pool, uint32_t max, uint64_t seed);
void scores_deinit(struct scores *scores);

/* The key of an address, or of a node id (SHA-256 of its bytes). */
void score_key_ip(uint8_t key[32], const struct vn_addr *addr);
bool score_key_addr(const uint8_t key[32], struct vn_addr *addr); /* false: it is a node id's */
bool score_by_id(uint32_t ban_by, const struct vn_addr *addr);

struct reputation *scores_find(const struct scores *scores, const uint8_t key[32]);

/* Finds or adds. When full, the oldest entry without a ban and without a link gives way, else the
 * oldest without a link; NULL if every entry has a link. */
struct reputation *scores_get(struct scores *scores, const uint8_t key[32]);

/* The score at now_ns. half_life_ns 0: scores do not decay. */
int32_t score_at(const struct reputation *rep, uint64_t now_ns, uint64_t half_life_ns);

/* Works the score out anew; the part of a step that has passed is not lost. */
void score_decay(struct reputation *rep, uint64_t now_ns, uint64_t half_life_ns);

/* Adds the event's points, clamped; true if this crosses into a ban, which is the caller's to
 * impose. */
bool score_apply(struct reputation *rep, enum score_event event);

/* Sets the end of the entry's ban, after which its score starts again at probation; 0 lifts it. */
void score_set_ban(struct scores *scores, struct reputation *rep, uint64_t until_ns,
                   uint64_t now_ns);

bool score_banned(const struct reputation *rep, uint64_t now_ns);

/* See core/base/audit.h. users: links that have an identity. */
void scores_audit(const struct scores *scores, struct audit *audit, uint32_t users);

#endif
