/* Several records into one new one: looked at first, one by one, so that the caller can say whether
 * they belong together, then written.
 *
 * What is written has this program's schema, whatever the schemas of the inputs are. Its runs are
 * those of a sweep by their job, then all others, input by input, and are numbered from 1 on in
 * that order; so shards make the same record in whatever order they are named. No input is changed
 * (but what a process that died left in its log joins it). Errors are one line in why that names
 * the file. */
#ifndef STORE_RECORDER_MERGE_H
#define STORE_RECORDER_MERGE_H

#include "store/reader.h"

#include <signal.h>

struct merge_shard {
    struct read_sweep row; /* its texts are owned */
    uint64_t made;         /* how many of its runs there are */
};

/* What a file holds. */
struct merge_input {
    char *path;
    uint32_t version; /* its schema */
    uint64_t runs;    /* all of them */
    struct merge_shard *shards;
    size_t shard_count;
    char **builds; /* that made its runs and its sweep, each once */
    size_t build_count;
};

bool merge_look(struct merge_input *in, const char *path, char *why, size_t size);
void merge_input_free(struct merge_input *in);

/* Makes the new record beside its place, and moves it there once it is whole and on the disk; a
 * file that is there is left as it is (false). *stop nonzero ends it soon, with false and why
 * empty; NULL: nothing does. */
bool merge_write(const char *out, const struct merge_input *inputs, size_t count,
                 const volatile sig_atomic_t *stop, char *why, size_t size);

#endif
