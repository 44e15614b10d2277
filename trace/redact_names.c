/* See redact_names.h. New names are given by number, in the order in which old ones are met. */
#include "trace/redact_names.h"

#include "core/base/bytes.h"
#include "core/crypto/sha256.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

/* An old IP address, or the bits that make its group (the rest zeros), and its number. */
struct known_ip {
    uint8_t family;
    uint8_t ip[16];
    uint8_t made[16];
    uint64_t number; /* of a group: how many addresses it has so far */
};

/* An old id by its hash. */
struct known_id {
    uint8_t hash[HASH_SIZE];
    uint8_t made_hash[HASH_SIZE];
    uint64_t number;
    int order;  /* against the node's own */
    bool named; /* made_hash is known */
};

struct redact_names {
    void *ips, *groups, *ids; /* trees of tsearch */
    uint64_t ip_count, group_count[2], id_count, short_ids;
    char own_id[64];
    bool keep_own;
};

static int compare_ips(const void *a, const void *b)
{
    const struct known_ip *x = a, *y = b;
    return x->family != y->family ? x->family - y->family : memcmp(x->ip, y->ip, sizeof x->ip);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, HASH_SIZE);
}

/* Finds a copy of the key in the tree, or puts one there. */
static void *known(void **tree, const void *key, size_t size,
                   int (*compare)(const void *, const void *), bool *fresh)
{
    void **found = tfind(key, tree, compare);
    *fresh = !found;
    if (found)
        return *found;
    void *copy = malloc(size);
    if (!copy)
        abort();
    memcpy(copy, key, size);
    if (!tsearch(copy, tree, compare))
        abort();
    return copy;
}

/* ---- addresses ---- */

/* Tells nothing of who is there. */
static bool is_common(const struct vn_addr *addr)
{
    static const uint8_t loopback[16] = {[15] = 1}, nobody[16] = {0};
    if (addr->family == VN_AF_IPV4)
        return addr->ip[0] == 0 || addr->ip[0] == 127 || addr->ip[0] >= 224;
    if (addr->family == VN_AF_IPV6)
        return addr->ip[0] == 0xff || memcmp(addr->ip, loopback, 16) == 0 ||
               memcmp(addr->ip, nobody, 16) == 0;
    return false;
}

/* The bits of the n-th group: 10.0/16 to 126.255/16, then what is left below 224, which is as many
 * as there are; fd00:0000/32 and on. */
static void group_bits(uint8_t out[16], uint8_t family, uint64_t n)
{
    memset(out, 0, 16);
    if (family == VN_AF_IPV6) {
        put_be32(out, 0xfd000000u | (uint32_t)(n & 0xffffff));
        return;
    }
    uint64_t high = n / 256 % 222 + 10; /* 10..231: all of 1..223 but 127, turned round */
    high += high >= 127;
    out[0] = (uint8_t)(high > 223 ? high - 223 : high);
    out[1] = (uint8_t)(n % 256);
}

static struct known_ip *group_of(struct redact_names *names, const struct known_ip *ip)
{
    struct known_ip key = {.family = ip->family};
    bool fresh;
    memcpy(key.ip, ip->ip, ip->family == VN_AF_IPV4 ? 2 : 4);
    struct known_ip *group = known(&names->groups, &key, sizeof key, compare_ips, &fresh);
    if (fresh)
        group_bits(group->made, key.family, names->group_count[key.family == VN_AF_IPV6]++);
    return group;
}

void redact_names_addr(struct redact_names *names, struct vn_addr *addr)
{
    struct known_ip key = {.family = addr->family};
    bool fresh;
    if (addr->family != VN_AF_IPV4 && addr->family != VN_AF_IPV6) {
        memset(addr->ip, 0, sizeof addr->ip); /* nobody's */
        return;
    }
    if (is_common(addr))
        return;
    memcpy(key.ip, addr->ip, sizeof key.ip);
    struct known_ip *ip = known(&names->ips, &key, sizeof key, compare_ips, &fresh);
    if (fresh) {
        struct known_ip *group = group_of(names, ip);
        const uint64_t n = ++group->number;
        names->ip_count++;
        memcpy(ip->made, group->made, 16);
        if (key.family == VN_AF_IPV4) {
            ip->made[2] = (uint8_t)(n >> 8);
            ip->made[3] = (uint8_t)n;
        } else {
            put_be64(ip->made + 8, n);
        }
    }
    memcpy(addr->ip, ip->made, 16);
}

/* ---- ids ---- */

/* The first letters of ids before, of and behind the node's own; and of ids of one letter, the
 * first of so many. Those around an own id that stays are beyond letters and digits. */
struct letters {
    char first[3], lone[3];
    uint8_t room[3];
};

static const struct letters renamed_own = {{'b', 'm', 't'}, {'a', 'm', 'n'}, {12, 1, 13}};
static const struct letters kept_own = {{'!', 0, '~'}, {'!', 0, '{'}, {14, 1, 4}};

/* One letter for where it stands, and the number in as many digits as there is room for. Returns
 * whether there is room. */
static bool write_id(uint8_t *out, size_t len, const struct letters *letters, int order,
                     uint64_t number)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    const int which = order < 0 ? 0 : order > 0 ? 2 : 1;
    if (len == 1) {
        out[0] = (uint8_t)(letters->lone[which] + (int)(number % letters->room[which]));
        return number < letters->room[which];
    }
    out[0] = (uint8_t)letters->first[which];
    for (size_t at = len; at-- > 1; number /= 36)
        out[at] = (uint8_t)digits[number % 36];
    return number == 0;
}

static int order_of(const char *own, const uint8_t *id, size_t len)
{
    const size_t ours = strlen(own);
    const int order = memcmp(id, own, len < ours ? len : ours);
    return order ? order : len < ours ? -1 : len > ours;
}

static struct known_id *id_of(struct redact_names *names, const uint8_t *id, size_t len)
{
    struct known_id key = {.order = order_of(names->own_id, id, len)};
    bool fresh;
    sha256(key.hash, id, len);
    struct known_id *found = known(&names->ids, &key, sizeof key, compare_ids, &fresh);
    if (fresh && key.order != 0)
        found->number = names->id_count++;
    return found;
}

void redact_names_id(struct redact_names *names, uint8_t *id, size_t len)
{
    if (len == 0)
        return;
    struct known_id *known = id_of(names, id, len);
    const bool kept = names->keep_own && known->order == 0;
    const bool room = kept || write_id(id, len, names->keep_own ? &kept_own : &renamed_own,
                                       known->order, known->number);
    if (known->named)
        return;
    known->named = true;
    names->short_ids += !room;
    sha256(known->made_hash, id, len);
}

void redact_names_ban_key(struct redact_names *names, uint8_t key[32])
{
    static const uint8_t zeros[14];
    struct vn_addr addr = {.family = key[1]};
    bool fresh;
    if (key[0] == 'a' && (key[1] == VN_AF_IPV4 || key[1] == VN_AF_IPV6) &&
        memcmp(key + 18, zeros, sizeof zeros) == 0) {
        memcpy(addr.ip, key + 2, sizeof addr.ip);
        redact_names_addr(names, &addr);
        memcpy(key + 2, addr.ip, sizeof addr.ip);
        return;
    }
    struct known_id unknown = {.order = 1};
    memcpy(unknown.hash, key, HASH_SIZE);
    struct known_id *id = known(&names->ids, &unknown, sizeof unknown, compare_ids, &fresh);
    if (fresh) { /* of somebody who did not come: any other hash */
        uint8_t number[8];
        id->number = names->id_count++;
        id->named = true;
        put_be64(number, id->number);
        sha256(id->made_hash, number, sizeof number);
    }
    memcpy(key, id->made_hash, HASH_SIZE);
}

/* ---- all ---- */

uint64_t redact_names_addrs(const struct redact_names *names)
{
    return names->ip_count;
}

uint64_t redact_names_ids(const struct redact_names *names)
{
    return names->id_count;
}

uint64_t redact_names_short_ids(const struct redact_names *names)
{
    return names->short_ids;
}

struct redact_names *redact_names_new(const char *own_id, bool keep_own)
{
    struct redact_names *names = calloc(1, sizeof *names);
    if (!names)
        abort();
    snprintf(names->own_id, sizeof names->own_id, "%s", own_id);
    names->keep_own = keep_own;
    return names;
}

void redact_names_free(struct redact_names *names)
{
    if (!names)
        return;
    tdestroy(names->ips, free);
    tdestroy(names->groups, free);
    tdestroy(names->ids, free);
    free(names);
}
