/* What vibenode ctl is inside: shared by ctl*.c and their tests alone.
 *
 * ctl_args.c reads the command line into one request; ctl.c sends it by ctl_http.c and prints what
 * comes back, for people by ctl_show.c. */
#ifndef VIBENODE_CTL_IMPL_H
#define VIBENODE_CTL_IMPL_H

#include "vibenode/ctl.h"
#include "vibenode/ops.h"
#include "vibenode/ops_place.h"
#include "vibenode/ops_text.h"

#include <jansson.h>
#include <stdio.h>

enum ctl_exit { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3 };

/* ---- ctl_args.c ---- */

enum ctl_show {
    CTL_SHOW_DONE,
    CTL_SHOW_STATUS,
    CTL_SHOW_PEERS,
    CTL_SHOW_BANS,
    CTL_SHOW_HEALTH,
    CTL_SHOW_RAW
};

struct ctl_args {
    const char *http, *token_file, *config, *data; /* NULL: not given */
    bool json, all, help;
    double max_time_s;
    /* The request. */
    const char *path; /* "/ban" */
    bool post;
    struct ops_text body; /* JSON, but for a file's */
    const char *file;     /* of a transaction; "-": standard input */
    enum ctl_show show;
    char what[300]; /* the command in words: "ban 192.0.2.1" */
};

/* Reads argv[1] and on; argv[0] is not looked at. False, with one line in why. */
bool ctl_args_read(struct ctl_args *args, int argc, char **argv, char *why, size_t size);
void ctl_args_free(struct ctl_args *args);

/* "90", "90s", "10m", "2h", "3d", "1w": seconds. */
bool ctl_args_duration(const char *text, double *out_s);

extern const char ctl_args_help[];

/* ---- ctl_http.c ---- */

struct ctl_answer {
    long code; /* HTTP status */
    struct ops_text body;
    bool is_json; /* by its Content-Type */
};

struct ctl_question {
    struct ops_place place;
    const char *path;
    bool post;
    const char *token;        /* of a POST */
    const char *content_type; /* of a POST */
    const void *body;
    size_t len;
    double max_time_s;
};

/* False: nobody there, or nobody who speaks HTTP; one line in why. */
bool ctl_http_ask(const struct ctl_question *question, struct ctl_answer *answer, char *why,
                  size_t size);

/* ---- ctl_text.c ---- */

struct ctl_style {
    bool colour;
    bool utf8; /* the terminal's */
};

/* Colours only on a terminal, and without NO_COLOR (https://no-color.org). */
void ctl_style_init(struct ctl_style *style, FILE *out);

enum ctl_colour { CTL_PLAIN, CTL_BOLD, CTL_DIM, CTL_GREEN, CTL_RED };

void ctl_colour(struct ops_text *text, const struct ctl_style *style, enum ctl_colour colour);

/* Adds what strangers said, harmless and on one line: whatever is not a letter, a sign or a blank
 * that goes its place forward from left to right becomes '?'. Cut, with a mark, at `columns`.
 * Returns the columns it takes. */
size_t ctl_clean(struct ops_text *text, const struct ctl_style *style, const char *s,
                 size_t columns);

/* Adds text of several lines as it is, but for control characters, which become '?'. */
void ctl_clean_lines(struct ops_text *text, const char *s);

/* 12345 becomes "12,345"; 1234567 bytes "1.2 MiB"; 93784 s "1d 2h". */
void ctl_number(char out[32], uint64_t n);
void ctl_bytes(char out[32], uint64_t n);
void ctl_duration(char out[32], double seconds);

/* ---- ctl_show.c ---- */

/* What came back, for people. Members that are missing, or of another kind, become '-'. */
void ctl_show_status(struct ops_text *text, const struct ctl_style *style, const json_t *status);
void ctl_show_bans(struct ops_text *text, const struct ctl_style *style, const json_t *bans);
void ctl_show_health(struct ops_text *text, const struct ctl_style *style, const json_t *health);

/* all: known addresses without a link, too. */
void ctl_show_peers(struct ops_text *text, const struct ctl_style *style, const json_t *peers,
                    bool all);

#endif
