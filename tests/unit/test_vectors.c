/* test_vectors [FILE]: runs every golden vector of the file against the wire codecs and the rules.
 *
 * The file is tests/vectors/vibecoin-wire.json or any other of its form. A vector that fails is
 * named with what was found instead; what this program does not know (a section, a group, a
 * verdict) is a failure too, never skipped; and the vectors executed must be as many as the file
 * holds. Exit status: 0 all hold, 1 some fail, 2 the file cannot be read. */
#include "core/wire/frame.h"
#include "tests/unit/vectors.h"

#include <stdio.h>

#define DEFAULT_FILE "tests/vectors/vibecoin-wire.json"

/* Everything in the file that has a name of its own, counted without regard to what runs it. */
static size_t count_vectors(const json_t *root)
{
    size_t count = 0;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)root, key, value)
    {
        if (json_is_object(value))
            count += count_vectors(value);
        else if (json_is_array(value) && strcmp(key, "notes") != 0)
            count += json_array_size(value);
    }
    return count;
}

/* What the file says of itself must be what this program tests. */
static bool check_text(const char *key, const json_t *value)
{
    static const struct {
        const char *key, *want;
    } texts[] = {{"format", "wire-vectors/1"}, {"protocol", "0.1"}, {"encoder", NULL}};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].key, key) != 0)
            continue;
        const char *text = json_string_value(value);
        if (!text || (texts[i].want && strcmp(texts[i].want, text) != 0)) {
            printf("FAIL %s: must be \"%s\", is \"%s\"\n", key,
                   texts[i].want ? texts[i].want : "a string", text ? text : "something else");
            return false;
        }
        return true;
    }
    printf("FAIL %s: a section that this program does not know\n", key);
    return false;
}

static bool run_section(struct vectors *v, const char *key, const json_t *value)
{
    if (strcmp(key, "positive") == 0) {
        vectors_each(v, key, value, vectors_positive);
        return vectors_stream(value);
    }
    if (strcmp(key, "positive_long") == 0) {
        vectors_each(v, key, value, vectors_positive_long);
        return true;
    }
    if (strcmp(key, "negative") == 0) {
        vectors_each(v, key, value, vectors_negative);
        return true;
    }
    if (strcmp(key, "chain") == 0)
        return vectors_chain(v, value);
    if (strcmp(key, "default_params") == 0 || strcmp(key, "notes") == 0)
        return true;
    if (strcmp(key, "max_payload") == 0) {
        if (json_integer_value(value) == FRAME_PAYLOAD_MAX)
            return true;
        printf("FAIL max_payload: must be %u\n", FRAME_PAYLOAD_MAX);
        return false;
    }
    return check_text(key, value);
}

int main(int argc, char **argv)
{
    const char *file = argc > 1 ? argv[1] : DEFAULT_FILE;
    struct vectors v = {0};
    json_error_t error;
    const char *key;
    json_t *value;

    if (argc > 2) {
        fprintf(stderr, "usage: test_vectors [FILE], by default %s\n", DEFAULT_FILE);
        return 2;
    }
    /* Node ids may hold NUL; numbers above 2^63 are strings. */
    json_t *root = json_load_file(file, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        fprintf(stderr, "%s:%d: %s\n", file, error.line, root ? "not an object" : error.text);
        json_decref(root);
        return 2;
    }
    bool ok = vectors_params(&v, json_object_get(root, "default_params"));
    json_object_foreach(root, key, value)
    {
        const bool section_ok = run_section(&v, key, value);
        ok = ok && section_ok;
    }
    const size_t held = count_vectors(root);
    printf("%s: %zu vectors, %u executed, %u failed, %u unknown keys\n", file, held, v.executed,
           v.failures, v.unknown_keys);
    if (held != v.executed) {
        printf("FAIL %s: %zu vectors were not executed\n", file, held - v.executed);
        ok = false;
    }
    if (held == 0) {
        printf("FAIL %s: it holds no vector\n", file);
        ok = false;
    }
    json_decref(root);
    return ok && v.failures == 0 ? 0 : 1;
}
