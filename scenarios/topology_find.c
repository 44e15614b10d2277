/* Where data sets are: in data/ beside the scenario, else built into the program, so that an
 * installed one works from anywhere. Failure modes: no such name (the message lists what there is
 * built in), or a file that cannot be read. */
#include "core/crypto/sha256.h"
#include "scenarios/options.h"
#include "scenarios/topology.h"

#include <stdio.h>
#include <string.h>

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

static const struct topology_file *built_in(const char *name)
{
    for (size_t i = 0; i < topology_file_count; i++)
        if (strcmp(topology_files[i].name, name) == 0)
            return &topology_files[i];
    return NULL;
}

static bool unknown(const char *name, char *why, size_t size)
{
    char hint[SUGGEST_HINT];
    char names[200] = "";
    size_t at = 0;
    struct suggest best;
    suggest_init(&best, name);
    for (size_t i = 0; i < topology_file_count; i++) {
        suggest_offer(&best, topology_files[i].name);
        if (at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                                   topology_files[i].name);
    }
    suggest_text(&best, hint, sizeof hint);
    snprintf(
        why, size,
        "no data set '%.60s'%s There are: %s; or write your own into data/NAME.json beside the "
        "scenario",
        name, hint[0] ? hint : ".", names);
    return false;
}

static void hash_hex(char out[65], const void *text, size_t len)
{
    uint8_t hash[32];
    sha256(hash, text, len);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

bool topology_find(struct topology *out, struct sources *sources, const char *name, char sha256[65],
                   char *why, size_t size)
{
    char place[TOPOLOGY_NAME_MAX + 20];
    bool missing = false;
    size_t len = strlen(name);
    if (len < 1 || len >= TOPOLOGY_NAME_MAX || strspn(name, alphabet) != len) {
        snprintf(why, size, "the name of a data set is 1..%u of a-z, 0-9, - and _, got '%.60s'",
                 TOPOLOGY_NAME_MAX - 1, name);
        return false;
    }
    snprintf(place, sizeof place, "data/%s.json", name);
    const struct source *file = sources_data(sources, name, &missing, why, size);
    if (file) {
        memcpy(sha256, file->sha256, sizeof file->sha256);
        return topology_read(out, name, place, file->text, file->len, why, size);
    }
    const struct topology_file *ours = missing ? built_in(name) : NULL;
    if (!ours)
        return missing ? unknown(name, why, size) : false;
    hash_hex(sha256, ours->text, ours->len);
    return topology_read(out, name, place, (const char *)ours->text, ours->len, why, size);
}
