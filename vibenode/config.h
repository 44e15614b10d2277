/* What an operator sets: one table of keys (config_keys.c), which the file (config_file.c), the
 * command line (config_args.c), the help and the example (config_help.c) all use.
 *
 *     max-inbound = 64          in the file
 *     --max-inbound 64          on the command line, or --max-inbound=64
 *
 * The command line wins: a key that it gives replaces all that the file says of that key, of
 * repeatable keys too. Every value of the file is checked nevertheless.
 *
 * Errors are one line that names the place and what is allowed:
 *     vibenode.conf:12: max-inbound must be 0..10000, got -3
 *     --max-inbound: must be 0..10000, got -3 */
#ifndef VIBENODE_CONFIG_H
#define VIBENODE_CONFIG_H

#include "core/node.h"
#include "vibenode/log.h"

#define CONFIG_WHY         600u /* enough for any error's line */
#define CONFIG_LISTEN_MAX  16u
#define CONFIG_SEEDS_MAX   256u
#define CONFIG_ORIGINS_MAX 16u
#define CONFIG_KEYS_MAX    96u
#define CONFIG_PORT        8765u

/* Where the packaged service keeps its file; only `vibenode ctl` looks there by itself. */
#define CONFIG_DEFAULT_FILE "/etc/vibenode/vibenode.conf"

/* A peer to begin with: an address, or a name to be resolved. */
struct config_seed {
    struct vn_addr addr; /* VN_AF_NONE: a name */
    char host[254];      /* the name */
    uint16_t port;
};

/* A key's value as it was written, and where. */
struct config_value {
    char *text;
    uint32_t line; /* of the file; 0: on the command line */
};

struct config_values {
    struct config_value *items;
    uint32_t count;
};

/* All text is the configuration's own. */
struct config {
    struct vn_config core; /* without seed, seeds and hooks; `listen` is what is announced */
    struct vn_addr listen[CONFIG_LISTEN_MAX];
    uint32_t listen_count; /* at least 1 */
    struct config_seed seeds[CONFIG_SEEDS_MAX];
    uint32_t seed_count;
    struct vn_addr announce; /* VN_AF_NONE: the first one listened on */
    struct vn_addr bind;     /* dials come from it; VN_AF_NONE: any */
    uint32_t backlog;
    uint32_t max_files;  /* 0: the process's limit */
    const char *data;    /* NULL: nothing is kept */
    uint64_t data_max;   /* bytes; 0: no limit */
    const char *node_id; /* NULL: from the data folder, or made up */
    const char *capture; /* or NULL */
    struct log_options log;
    uint64_t status_interval_ns; /* 0: never */
    const char *http;            /* NULL: no HTTP */
    const char *http_token_file; /* or NULL */
    const char *origins[CONFIG_ORIGINS_MAX];
    uint32_t origin_count;
    bool http_mine;

    const char *file;                            /* as --config names it, or NULL */
    struct config_values given[CONFIG_KEYS_MAX]; /* per key, what is in force */
};

/* What the command line asks for. */
enum config_command {
    CONFIG_RUN,
    CONFIG_CHECK,   /* --check-config */
    CONFIG_HELP,    /* --help */
    CONFIG_VERSION, /* --version */
    CONFIG_EXAMPLE  /* --example-config */
};

/* Reads the command line (argv[0] is the program) and the file that it names. NULL with one line in
 * why. For HELP, VERSION and EXAMPLE the file is not read. */
struct config *config_new(int argc, char **argv, enum config_command *command, char *why,
                          size_t size);

/* The file alone, as if nothing else were given. */
struct config *config_new_file(const char *path, char *why, size_t size);

void config_free(struct config *config);

/* Moves what may change while the node runs from `next` into `config`, frees the rest of `next`,
 * and lists in `applied` and `restart` (comma-separated, "" for none) the keys that changed and
 * were taken over, and those that need a restart. */
void config_take_over(struct config *config, struct config *next, char *applied, char *restart,
                      size_t size);

/* ---- help ---- */

/* The whole of --help, of vibenode.conf.example and of --version; to be freed by the caller. */
char *config_help(void);
char *config_example(void);
char *config_version(void);

#endif
