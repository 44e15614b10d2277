/* The table of keys, and the kinds of values that they take. Private to config*.c. */
#ifndef VIBENODE_CONFIG_KEYS_H
#define VIBENODE_CONFIG_KEYS_H

#include "trace/suggest.h"
#include "vibenode/config.h"

enum config_kind {
    KEY_COUNT,     /* uint32_t, low..high */
    KEY_BYTES32,   /* uint32_t, a size, low..high */
    KEY_BYTES,     /* uint64_t, a size, low..high */
    KEY_TIME,      /* uint64_t ns, a duration, low..high ns */
    KEY_FLAG,      /* bool: yes or no */
    KEY_TEXT,      /* const char *, not empty */
    KEY_ID,        /* const char *, a node id */
    KEY_ADDR,      /* struct vn_addr with a port */
    KEY_IP,        /* struct vn_addr, its port 0 */
    KEY_LISTEN,    /* into listen[] */
    KEY_SEED,      /* into seeds[] */
    KEY_ORIGIN,    /* into origins[] */
    KEY_GENESIS,   /* core.genesis_timestamp, core.difficulty */
    KEY_BAN_BY,    /* core.ban_by */
    KEY_LOG,       /* log.levels */
    KEY_LOG_FORMAT /* log.json */
};

struct config_key {
    const char *name;
    const char *value;   /* what to write: "ADDRESS[:PORT]" */
    const char *what;    /* for --help, one or two sentences */
    const char *example; /* a value, where the default is none; else NULL */
    enum config_kind kind;
    bool repeats;
    bool reloads; /* takes effect on SIGHUP */
    uint64_t low, high;
    size_t offset;     /* in struct config */
    const char *group; /* the heading that this key and those behind it stand under, or NULL */
};

extern const struct config_key config_keys[];
extern const uint32_t config_keys_count;

/* The key's number by its name, of len bytes; UINT32_MAX: none. */
uint32_t config_keys_find(const char *name, size_t len);

/* "; did you mean 'listen'?" for a name that is no key, or "". `also` (NULL-terminated) are further
 * names that would do. */
void config_keys_hint(const char *name, const char *const *also, char *out, size_t size);

/* All values of keys at their defaults. */
void config_defaults(struct config *config);

/* Reads one value and puts it into *config, which borrows the text. False with the end of a
 * sentence in why: "must be 0..10000, got -3". */
bool config_value_apply(struct config *config, uint32_t key, const char *text, char *why,
                        size_t size);

/* Puts a repeatable key back to none (of log: to the default levels). */
void config_value_clear(struct config *config, uint32_t key);

/* The key's value in *config as it would be written; "" where it is none. For what repeats: the
 * first one. */
void config_value_format(const struct config *config, uint32_t key, char *out, size_t size);

/* The allowed values as a reader is told: "0..10000", "a duration of 1ms..8760h". */
void config_value_range(uint32_t key, char *out, size_t size);

/* Values in the order in which they were written, each with its key. */
struct config_line {
    uint32_t key;
    struct config_value value;
};

struct config_lines {
    struct config_line *items;
    uint32_t count;
};

void config_lines_add(struct config_lines *lines, uint32_t key, const char *text, uint32_t line);
void config_lines_free(struct config_lines *lines);

/* The file's lines; twice the same key, where it does not repeat, and what is no key are errors. */
bool config_file_read(const char *path, struct config_lines *out, char *why, size_t size);

/* The command line's. *file: as --config names it, or NULL. */
bool config_args_read(int argc, char **argv, struct config_lines *out, const char **file,
                      enum config_command *command, char *why, size_t size);

#endif
