/* See identity.h. */
#include "core/peer/identity.h"

#include <string.h>

bool identity_is_own(const struct net *net, const uint8_t id_hash[32])
{
    return memcmp(id_hash, net->id_hash, 32) == 0;
}

struct peer *identity_holder(const struct net *net, const uint8_t id_hash[32])
{
    for (struct peer *p = net->first; p; p = p->next)
        if (peer_ready(p) && memcmp(p->names->hash, id_hash, 32) == 0)
            return p;
    return NULL;
}
