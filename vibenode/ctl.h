/* vibenode ctl: asks a running node, and tells it what to do, over the HTTP of ops.h. */
#ifndef VIBENODE_CTL_H
#define VIBENODE_CTL_H

#include <stdbool.h>
#include <stddef.h>

/* What a configuration file says of the node's HTTP; "" where it says nothing. */
struct ctl_defaults {
    char http[512];        /* key http: an address as of ops_options.listen */
    char token_file[4096]; /* key http-token-file */
};

struct ctl_config {
    /* Reads them. file is what --config names, or NULL for the default place (where a file need not
     * be). False, and one line in why, if it cannot be read or makes no sense. */
    bool (*read)(const char *file, struct ctl_defaults *out, char *why, size_t size);
};

/* argv[0] is "ctl". config NULL or without a function: --config is refused. Returns the exit
 * status: 0 done, 1 the node refused (or is not healthy), 2 usage, 3 the node cannot be reached. */
int ctl_main(int argc, char **argv, const struct ctl_config *config);

#endif
