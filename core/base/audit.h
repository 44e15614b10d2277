/* Do a node's books add up? Each room recounts what it counts while it works and looks whether what
 * should be given back is. Nothing is changed and nothing is told: the first thing that is wrong is
 * noted for vn_node_audit. After Bitcoin Core's -checkmempool, -checkaddrman and -checkblockindex.
 *
 * Called between a drain and the next step alone, when nothing is half done. */
#ifndef BASE_AUDIT_H
#define BASE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit {
    const char *what; /* is wrong, or NULL */
    uint64_t kept;    /* what the books say */
    uint64_t counted; /* what they should say, or the most */
    uint64_t link;    /* that is looked at now, 0: none */
};

static inline void audit_equal(struct audit *audit, const char *what, uint64_t kept,
                               uint64_t counted)
{
    if (kept == counted || audit->what)
        return;
    audit->what = what;
    audit->kept = kept;
    audit->counted = counted;
}

static inline void audit_true(struct audit *audit, const char *what, bool holds)
{
    audit_equal(audit, what, holds, true);
}

static inline void audit_at_most(struct audit *audit, const char *what, uint64_t kept, uint64_t max)
{
    if (kept > max)
        audit_equal(audit, what, kept, max);
}

#endif
