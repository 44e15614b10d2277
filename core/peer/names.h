/* Who is at the other end, as its Handshake said: found by content, shared by all links of a
 * process's nodes that know the same node, gone with the last of them. Invisible to behaviour. */
#ifndef PEER_NAMES_H
#define PEER_NAMES_H

#include "core/base/map.h"
#include "core/node.h"

#define NAMES_ID_SHOWN      64u
#define NAMES_VERSION_SHOWN 31u

struct names {
    uint8_t hash[32]; /* SHA-256 of the node id, of all of it */
    uint32_t refs;
    uint16_t size; /* of shown */
    bool listed;   /* found by others; one that differs in what it shows only is not */
    char shown[];  /* node id (cut at 64 bytes), NUL, version (cut at 31), NUL */
};

struct names_book {
    struct idmap by_hash; /* the listed ones */
    uint32_t unlisted;    /* how many are not */
};

void names_book_init(struct names_book *book);
/* Nobody holds one any more. */
void names_book_deinit(struct names_book *book);

/* With one reference for the caller. hash: the SHA-256 of id. A NUL inside is shown as '?'. */
struct names *names_take(struct names_book *book, const uint8_t hash[32], const uint8_t *id,
                         size_t id_len, const uint8_t *version, size_t version_len);
/* Does nobody but its one holder know anybody of this node id? */
bool names_alone(const struct names_book *book, const struct names *names);

/* NULL is ignored. */
void names_drop(struct names_book *book, struct names *names);

#endif
