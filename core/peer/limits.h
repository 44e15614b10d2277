/* How much a link may make us do: a bucket of tokens per link and kind of message.
 *
 * The happy path: honest links live on a small part of their buckets and never notice them. A link
 * that takes more than there is owes tokens. What follows is told by the kind: where an honest peer
 * could be the cause we only stop listening, or answer later, until the debt is gone (backpressure
 * is weather: it costs no points); a violation is only what no honest node does.
 *
 *   kind      a token is                   who owes is
 *   PING      a Ping                       not answered; after as many again, a violation
 *   BLOCK     a byte of NewBlock           not read
 *   TX        a byte of a NewTransaction   not heard: those transactions are dropped
 *             that we do not know yet
 *   SERVE     a byte of an answer          answered later; then, with many waiting, not read
 *   UNASKED   a byte of an answer, or a    a violation
 *             Pong, that nobody asked for,
 *             or of a repeated transaction,
 *             or of a block far below our tip
 *
 * Transactions never make anything else wait. A link that stopped being read for them would hold
 * up the blocks behind them, and since a flood that each of several links may carry adds up where
 * it is relayed, the links that stopped would be honest ones. So what is over the limit is dropped,
 * takes no tokens, costs no points, and comes again with another link or not at all; a block waits
 * for a transaction that is on the wire, never for a debt. One that we know costs its sender
 * nothing here: it is what relaying looks like, each link says it once (more is UNASKED), and of
 * those we know there are no more than the pool remembers. What a flood costs the whole network is
 * bounded by the pool, since only what it takes is relayed: mempool_max transactions and
 * mempool_bytes_max, once, and then as much as blocks take out and age drops.
 *
 * Bytes count with LIMIT_MESSAGE more for each message, since small ones cost most by their number.
 * Answers may be large and many where somebody catches up, and cost little to ask for: what a link
 * was given before costs more (limits_answer_bytes), so that nobody can have us send the same
 * without end, at what a newcomer needs once.
 *
 * An identity on probation has a quarter of each bucket.
 *
 * The buckets are those of the generic cell rate algorithm (ITU-T I.371), which needs one time per
 * bucket: when it will be full again. Ethereum's Lighthouse limits requests so
 * (lighthouse_network/src/rpc/rate_limiter.rs, a range costs its number of blocks); Bitcoin Core
 * gives each peer a bucket for addresses and drops what goes over without a penalty
 * (net_processing.cpp, m_addr_token_bucket). */
#ifndef PEER_LIMITS_H
#define PEER_LIMITS_H

#include "core/node.h"

enum limit_kind { LIMIT_PING, LIMIT_BLOCK, LIMIT_TX, LIMIT_SERVE, LIMIT_UNASKED, LIMIT_KINDS };

enum limit_verdict {
    LIMIT_PASS,
    LIMIT_WAIT,   /* handle this one, then wait until limits_ready_ns */
    LIMIT_DROP,   /* ignore this one */
    LIMIT_OFFENCE /* no honest peer does that */
};

#define LIMIT_MESSAGE   256u /* bytes that a message counts beside its own */
#define LIMIT_AGAIN     128u /* times that an answer counts which repeats what was given, */
#define LIMIT_AGAIN_MAX (UINT32_C(32) << 20) /* but then no more than that */
#define LIMIT_LOAD      65536u /* bytes that a request counts which the disk must answer */

/* rate: tokens that come back in a second, 0: no limit. burst: tokens in a full bucket. */
struct limit {
    uint32_t rate, burst;
};

/* When it is full again, in now_ns of the node: all zero is a full one. */
struct bucket {
    uint64_t full_ns;
};

/* All buckets of a link; all zero is fresh. */
struct limits {
    struct bucket of[LIMIT_KINDS];
};

/* Takes `cost` tokens, more than there are if need be. */
void limit_bucket_take(struct bucket *bucket, struct limit limit, uint64_t cost, uint64_t now_ns);

/* When nothing is owed any more and `spare` tokens (at most burst) are there; 0: they are now. */
uint64_t limit_bucket_ready_ns(const struct bucket *bucket, struct limit limit, uint64_t spare,
                               uint64_t now_ns);

/* The configured limit of a kind, or a quarter of it. */
struct limit limits_of(const struct vn_config *cfg, enum limit_kind kind, bool probation);

/* Takes what a message of so many bytes (a Ping: whatever its bytes) costs, and says what to do
 * with it. */
enum limit_verdict limits_take(struct limits *limits, const struct vn_config *cfg,
                               enum limit_kind kind, uint64_t bytes, bool probation,
                               uint64_t now_ns);

/* The bytes that an answer with so many blocks counts; adds the blocks to those that the link was
 * given (saturating). Whoever catches up takes the chain once; a link that was given all `height`
 * of it twice asks again and again, and pays for the answers LIMIT_AGAIN times (what is lost on a
 * thin line may be asked for once more by an honest one: that waits seconds, not minutes). An empty
 * answer is as one block, and some blocks more are free: short chains are asked about often. */
uint64_t limits_answer_bytes(uint32_t *given, uint64_t blocks, uint64_t height, uint64_t bytes);

/* When a link that owes tokens of this kind may go on: with a sixteenth of a full bucket, so that
 * it does not stop again at once; 0: now. */
uint64_t limits_ready_ns(const struct limits *limits, const struct vn_config *cfg,
                         enum limit_kind kind, bool probation, uint64_t now_ns);

/* Is a bucket not full that a link may only wait for? Such debts outlive the link, so that a new
 * one washes nothing off; what would be an offence does not, since others may share the address. */
bool limits_owing(const struct limits *limits, uint64_t now_ns);
void limits_inherit(struct limits *limits, const struct limits *from);

/* "too many Pings": the offence of a kind, for people. */
const char *limits_offence(enum limit_kind kind);

#endif
