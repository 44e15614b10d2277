/* A build of vibesim that can be told to do without one defence of the core: the linker puts these
 * functions in the place of the true ones (--wrap), and each lets everything pass if the
 * environment's VN_WITHOUT is its name. check_defences shows that a scenario then fails: that the
 * defence works, and that the scenario would tell if it did not. */
#include "core/chain/orphans.h"
#include "core/gossip/account.h"
#include "core/gossip/gossip.h"
#include "core/peer/admit.h"
#include "core/peer/identity.h"
#include "core/peer/limits.h"
#include "core/peer/timeout.h"

#include <stdlib.h>
#include <string.h>

static bool without(const char *name)
{
    const char *off = getenv("VN_WITHOUT");
    return off && strcmp(off, name) == 0;
}

/* ---- time ---- */

#define TIMEOUT(function, name)                                                                    \
    uint64_t __real_##function(const struct vn_config *cfg, const struct peer *peer);              \
    uint64_t __wrap_##function(const struct vn_config *cfg, const struct peer *peer);              \
    uint64_t __wrap_##function(const struct vn_config *cfg, const struct peer *peer)               \
    {                                                                                              \
        return without(name) ? VN_NEVER : __real_##function(cfg, peer);                            \
    }

TIMEOUT(timeout_handshake_ns, "handshake-timeout")
TIMEOUT(timeout_idle_ns, "idle-timeout")
TIMEOUT(timeout_stall_ns, "stall-timeout")

/* ---- amounts ---- */

bool __real_frame_length_allowed(uint32_t payload);
bool __wrap_frame_length_allowed(uint32_t payload);
bool __wrap_frame_length_allowed(uint32_t payload)
{
    return without("frame-length") || __real_frame_length_allowed(payload);
}

enum limit_verdict __real_limits_take(struct limits *limits, const struct vn_config *cfg,
                                      enum limit_kind kind, uint64_t bytes, bool probation,
                                      uint64_t now_ns);
enum limit_verdict __wrap_limits_take(struct limits *limits, const struct vn_config *cfg,
                                      enum limit_kind kind, uint64_t bytes, bool probation,
                                      uint64_t now_ns);
enum limit_verdict __wrap_limits_take(struct limits *limits, const struct vn_config *cfg,
                                      enum limit_kind kind, uint64_t bytes, bool probation,
                                      uint64_t now_ns)
{
    if (without("limits"))
        return LIMIT_PASS;
    return __real_limits_take(limits, cfg, kind, bytes, probation, now_ns);
}

uint64_t __real_limits_answer_bytes(uint32_t *given, uint64_t blocks, uint64_t height,
                                    uint64_t bytes);
uint64_t __wrap_limits_answer_bytes(uint32_t *given, uint64_t blocks, uint64_t height,
                                    uint64_t bytes);
uint64_t __wrap_limits_answer_bytes(uint32_t *given, uint64_t blocks, uint64_t height,
                                    uint64_t bytes)
{
    return without("asked-again") ? bytes
                                  : __real_limits_answer_bytes(given, blocks, height, bytes);
}

bool __real_sync_beneath(const struct gossip *g, const struct block_view *block);
bool __wrap_sync_beneath(const struct gossip *g, const struct block_view *block);
bool __wrap_sync_beneath(const struct gossip *g, const struct block_view *block)
{
    return !without("old-blocks") && __real_sync_beneath(g, block);
}

bool __real_peer_overfed(const struct peer *peer);
bool __wrap_peer_overfed(const struct peer *peer);
bool __wrap_peer_overfed(const struct peer *peer)
{
    return !without("read-stop") && __real_peer_overfed(peer);
}

bool __real_mempool_room(const struct mempool_limits *limits, const struct mempool_use *use,
                         uint32_t len);
bool __wrap_mempool_room(const struct mempool_limits *limits, const struct mempool_use *use,
                         uint32_t len);
bool __wrap_mempool_room(const struct mempool_limits *limits, const struct mempool_use *use,
                         uint32_t len)
{
    return without("pool-bound") || __real_mempool_room(limits, use, len);
}

bool __real_account_full(const struct gossip *g, const struct peer *peer, uint64_t more);
bool __wrap_account_full(const struct gossip *g, const struct peer *peer, uint64_t more);
bool __wrap_account_full(const struct gossip *g, const struct peer *peer, uint64_t more)
{
    return !without("account") && __real_account_full(g, peer, more);
}

bool __real_orphans_make_room(struct orphans *orphans, const struct chain_limits *limits,
                              uint32_t len, struct chain_cache *cache);
bool __wrap_orphans_make_room(struct orphans *orphans, const struct chain_limits *limits,
                              uint32_t len, struct chain_cache *cache);
bool __wrap_orphans_make_room(struct orphans *orphans, const struct chain_limits *limits,
                              uint32_t len, struct chain_cache *cache)
{
    return without("orphan-bound") || __real_orphans_make_room(orphans, limits, len, cache);
}

bool __real_outbox_make_room(struct outbox *box, struct mem_pool *pool, uint64_t soft,
                             uint64_t hard);
bool __wrap_outbox_make_room(struct outbox *box, struct mem_pool *pool, uint64_t soft,
                             uint64_t hard);
bool __wrap_outbox_make_room(struct outbox *box, struct mem_pool *pool, uint64_t soft,
                             uint64_t hard)
{
    return without("outbox-bound") || __real_outbox_make_room(box, pool, soft, hard);
}

bool __real_outbox_takes_answer(const struct outbox *box, uint32_t largest, uint32_t window,
                                uint64_t soft, uint64_t hard);
bool __wrap_outbox_takes_answer(const struct outbox *box, uint32_t largest, uint32_t window,
                                uint64_t soft, uint64_t hard);
bool __wrap_outbox_takes_answer(const struct outbox *box, uint32_t largest, uint32_t window,
                                uint64_t soft, uint64_t hard)
{
    return without("answer-bound") || __real_outbox_takes_answer(box, largest, window, soft, hard);
}

/* ---- who and what ---- */

bool __real_score_apply(struct reputation *rep, enum score_event event);
bool __wrap_score_apply(struct reputation *rep, enum score_event event);
bool __wrap_score_apply(struct reputation *rep, enum score_event event)
{
    return !without("scores") && __real_score_apply(rep, event);
}

bool __real_identity_is_own(const struct net *net, const uint8_t id_hash[32]);
bool __wrap_identity_is_own(const struct net *net, const uint8_t id_hash[32]);
bool __wrap_identity_is_own(const struct net *net, const uint8_t id_hash[32])
{
    return !without("own-identity") && __real_identity_is_own(net, id_hash);
}

bool __real_admit_accepted(struct net *net, struct peer *newcomer);
bool __wrap_admit_accepted(struct net *net, struct peer *newcomer);
bool __wrap_admit_accepted(struct net *net, struct peer *newcomer)
{
    return without("admission") || __real_admit_accepted(net, newcomer);
}

struct peer *__real_admit_victim(const struct net *net, const struct peer *newcomer);
struct peer *__wrap_admit_victim(const struct net *net, const struct peer *newcomer);
struct peer *__wrap_admit_victim(const struct net *net, const struct peer *newcomer)
{
    return without("eviction") ? NULL : __real_admit_victim(net, newcomer);
}

struct peer *__real_identity_holder(const struct net *net, const uint8_t id_hash[32]);
struct peer *__wrap_identity_holder(const struct net *net, const uint8_t id_hash[32]);
struct peer *__wrap_identity_holder(const struct net *net, const uint8_t id_hash[32])
{
    return without("identity") ? NULL : __real_identity_holder(net, id_hash);
}

bool __real_asked_for(struct gossip *g, struct peer *peer, enum request_kind kind, uint32_t bytes);
bool __wrap_asked_for(struct gossip *g, struct peer *peer, enum request_kind kind, uint32_t bytes);
bool __wrap_asked_for(struct gossip *g, struct peer *peer, enum request_kind kind, uint32_t bytes)
{
    return without("asked") || __real_asked_for(g, peer, kind, bytes);
}

enum asked_fit __real_asked_fit_range(const struct request *request, const struct msg *msg);
enum asked_fit __wrap_asked_fit_range(const struct request *request, const struct msg *msg);
enum asked_fit __wrap_asked_fit_range(const struct request *request, const struct msg *msg)
{
    return without("asked-range") ? ASKED_FITS : __real_asked_fit_range(request, msg);
}

void __real_sync_on_timeout(struct gossip *g, struct peer *peer, enum request_kind kind);
void __wrap_sync_on_timeout(struct gossip *g, struct peer *peer, enum request_kind kind);
void __wrap_sync_on_timeout(struct gossip *g, struct peer *peer, enum request_kind kind)
{
    if (!without("answer-timeout"))
        __real_sync_on_timeout(g, peer, kind);
}

bool __real_seen_note(struct seen *seen, const uint8_t hash[32], uint32_t slot);
bool __wrap_seen_note(struct seen *seen, const uint8_t hash[32], uint32_t slot);
bool __wrap_seen_note(struct seen *seen, const uint8_t hash[32], uint32_t slot)
{
    return __real_seen_note(seen, hash, slot) && !without("seen-blocks");
}

bool __real_mempool_seen_from(struct mempool *pool, const uint8_t id[32], uint32_t slot);
bool __wrap_mempool_seen_from(struct mempool *pool, const uint8_t id[32], uint32_t slot);
bool __wrap_mempool_seen_from(struct mempool *pool, const uint8_t id[32], uint32_t slot)
{
    return __real_mempool_seen_from(pool, id, slot) && !without("seen-transactions");
}

/* ---- the rules, one by one: what breaks the named one, B3-timestamp-backwards, is let pass ----
 */

enum rule __real_rule_check_block(const struct block_view *block, const struct parent_view *parent,
                                  const struct chain_params *params, uint64_t now_s, int body);
enum rule __wrap_rule_check_block(const struct block_view *block, const struct parent_view *parent,
                                  const struct chain_params *params, uint64_t now_s, int body);
enum rule __wrap_rule_check_block(const struct block_view *block, const struct parent_view *parent,
                                  const struct chain_params *params, uint64_t now_s, int body)
{
    enum rule rule = __real_rule_check_block(block, parent, params, now_s, body);
    return without(rule_name(rule)) ? RULE_OK : rule;
}

enum rule __real_rule_check_tx(const struct tx_view *tx, uint64_t now_s, int id_ok);
enum rule __wrap_rule_check_tx(const struct tx_view *tx, uint64_t now_s, int id_ok);
enum rule __wrap_rule_check_tx(const struct tx_view *tx, uint64_t now_s, int id_ok)
{
    enum rule rule = __real_rule_check_tx(tx, now_s, id_ok);
    return without(rule_name(rule)) ? RULE_OK : rule;
}
