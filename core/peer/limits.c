/* See limits.h. Overflow: a cost and a burst are cut to 32 bits, and 2^32 tokens at one a second
 * are 2^62 ns; times saturate. */
#include "core/peer/limits.h"

#include "core/base/bytes.h"

#define NS_PER_S        UINT64_C(1000000000)
#define SPARE_SHARE     16u /* of a full bucket: what must be there again before a link goes on */
#define PROBATION_SHARE 4u
#define GIVEN_FREE      200u

/* In which so many tokens come back, rounded up. This is asked for with every message, and a
 * division takes as long as all the rest of it: usual rates are powers of two. */
static uint64_t tokens_ns(uint64_t tokens, uint32_t rate)
{
    tokens = tokens < UINT32_MAX ? tokens : UINT32_MAX;
    const uint64_t up = tokens * NS_PER_S + rate - 1;
    return (rate & (rate - 1)) == 0 ? up >> __builtin_ctz(rate) : up / rate;
}

/* Is ns at most tokens_ns(tokens, rate)? Without the division: ns <= ceil(t / r) if and only if
 * (ns - 1) * r < t. */
static bool within_tokens(uint64_t ns, uint64_t tokens, uint32_t rate)
{
    tokens = tokens < UINT32_MAX ? tokens : UINT32_MAX;
    return ns == 0 || (u128)(ns - 1) * rate < (u128)tokens * NS_PER_S;
}

void limit_bucket_take(struct bucket *bucket, struct limit limit, uint64_t cost, uint64_t now_ns)
{
    if (limit.rate == 0)
        return;
    uint64_t from = bucket->full_ns > now_ns ? bucket->full_ns : now_ns;
    bucket->full_ns = add_sat(from, tokens_ns(cost, limit.rate));
}

uint64_t limit_bucket_ready_ns(const struct bucket *bucket, struct limit limit, uint64_t spare,
                               uint64_t now_ns)
{
    if (limit.rate == 0)
        return 0;
    uint64_t may_lack = limit.burst > spare ? limit.burst - spare : 0;
    if (bucket->full_ns <= now_ns || within_tokens(bucket->full_ns - now_ns, may_lack, limit.rate))
        return 0;
    return bucket->full_ns - tokens_ns(may_lack, limit.rate);
}

struct limit limits_of(const struct vn_config *cfg, enum limit_kind kind, bool probation)
{
    struct limit limit = {0, 0};
    switch (kind) {
    case LIMIT_PING:
        limit = (struct limit){cfg->ping_rate, cfg->ping_burst};
        break;
    case LIMIT_BLOCK:
        limit = (struct limit){cfg->block_rate, cfg->block_burst};
        break;
    case LIMIT_TX:
        limit = (struct limit){cfg->tx_rate, cfg->tx_burst};
        break;
    case LIMIT_SERVE:
        limit = (struct limit){cfg->serve_rate, cfg->serve_burst};
        break;
    case LIMIT_UNASKED:
        limit = (struct limit){cfg->unasked_rate, cfg->unasked_burst};
        break;
    case LIMIT_KINDS:
        break;
    }
    if (probation && limit.rate > 0) {
        limit.rate = limit.rate > PROBATION_SHARE ? limit.rate / PROBATION_SHARE : 1;
        limit.burst = limit.burst / PROBATION_SHARE;
    }
    return limit;
}

enum limit_verdict limits_take(struct limits *limits, const struct vn_config *cfg,
                               enum limit_kind kind, uint64_t bytes, bool probation,
                               uint64_t now_ns)
{
    struct bucket *bucket = &limits->of[kind];
    struct limit limit = limits_of(cfg, kind, probation);
    if (limit.rate == 0)
        return LIMIT_PASS;
    if (kind == LIMIT_TX && limit_bucket_ready_ns(bucket, limit, 0, now_ns) > 0)
        return LIMIT_DROP;
    limit_bucket_take(bucket, limit, kind == LIMIT_PING ? 1 : add_sat(bytes, LIMIT_MESSAGE),
                      now_ns);
    uint64_t ready_ns = limit_bucket_ready_ns(bucket, limit, 0, now_ns);
    if (ready_ns == 0)
        return LIMIT_PASS;
    switch (kind) {
    case LIMIT_PING:
        return ready_ns - now_ns <= tokens_ns(limit.burst, limit.rate) ? LIMIT_DROP : LIMIT_OFFENCE;
    case LIMIT_TX:
        return LIMIT_PASS;
    case LIMIT_BLOCK:
    case LIMIT_SERVE:
        return LIMIT_WAIT;
    case LIMIT_UNASKED:
    case LIMIT_KINDS:
        break;
    }
    return LIMIT_OFFENCE;
}

uint64_t limits_answer_bytes(uint32_t *given, uint64_t blocks, uint64_t height, uint64_t bytes)
{
    uint64_t fair = add_sat(add_sat(height, height), GIVEN_FREE);
    uint64_t sum = add_sat(*given, blocks > 0 ? blocks : 1);
    *given = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    if (sum <= fair || bytes >= LIMIT_AGAIN_MAX)
        return bytes;
    uint64_t times = (bytes + LIMIT_MESSAGE) * LIMIT_AGAIN;
    return times < LIMIT_AGAIN_MAX ? times : LIMIT_AGAIN_MAX;
}

uint64_t limits_ready_ns(const struct limits *limits, const struct vn_config *cfg,
                         enum limit_kind kind, bool probation, uint64_t now_ns)
{
    struct limit limit = limits_of(cfg, kind, probation);
    return limit_bucket_ready_ns(&limits->of[kind], limit, limit.burst / SPARE_SHARE, now_ns);
}

static const enum limit_kind waited_for[] = {LIMIT_BLOCK, LIMIT_TX, LIMIT_SERVE};

#define WAITED_FOR (sizeof waited_for / sizeof *waited_for)

bool limits_owing(const struct limits *limits, uint64_t now_ns)
{
    for (size_t i = 0; i < WAITED_FOR; i++)
        if (limits->of[waited_for[i]].full_ns > now_ns)
            return true;
    return false;
}

void limits_inherit(struct limits *limits, const struct limits *from)
{
    for (size_t i = 0; i < WAITED_FOR; i++)
        limits->of[waited_for[i]] = from->of[waited_for[i]];
}

const char *limits_offence(enum limit_kind kind)
{
    switch (kind) {
    case LIMIT_PING:
        return "too many Pings";
    case LIMIT_UNASKED:
        return "too many answers that nobody asked for";
    case LIMIT_BLOCK:
    case LIMIT_TX:
    case LIMIT_SERVE:
    case LIMIT_KINDS:
        break;
    }
    return "too much";
}
