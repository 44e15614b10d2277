/* One line of the log in its two forms. Pure: no clock, no file. */
#ifndef VIBENODE_LOG_LINE_H
#define VIBENODE_LOG_LINE_H

#include "vibenode/log.h"

#define LOG_LINE_MESSAGE 1000u /* bytes of a message; more are cut */
#define LOG_LINE_TEXT    300u  /* bytes of a field */

/* The longest line: each byte may become six. */
#define LOG_LINE_MAX (6u * (LOG_LINE_MESSAGE + LOG_FIELDS_MAX * (LOG_LINE_TEXT + 32u)) + 512u)

struct log_entry {
    uint64_t wall_ns;
    enum log_level level;
    enum log_category category;
    const char *kind;
    const char *message;
    const struct log_field *fields;
    uint32_t count;
};

/* Writes the line with its newline, no NUL, and returns its length. */
size_t log_line_text(char out[LOG_LINE_MAX], const struct log_entry *entry, bool colours);
size_t log_line_json(char out[LOG_LINE_MAX], const struct log_entry *entry);

/* Text from elsewhere (a file, a command line, a peer) made harmless for a terminal, cut at size
 * and NUL-terminated. */
void log_line_escape(char *out, size_t size, const char *text);

#endif
