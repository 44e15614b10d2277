/* The configuration file, an INI file: KEY = VALUE lines, comments that begin with ; or #, and at
 * most the section [vibenode].
 *
 * libinih parses it, from lines that are handed to it one by one: so nothing is cut to its line
 * buffer, no NUL byte ends a line early, and an indented line is a line like others rather than the
 * continuation of the one before. Failure mode: the first thing that is wrong ends the reading,
 * with its line. */
#include "vibenode/config_keys.h"
#include "vibenode/log_line.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)

struct file {
    char name[200]; /* to be shown */
    char *text;     /* with a NUL behind it */
    size_t len, at;
    uint32_t line; /* the one handed out last, from 1 on */
    struct config_lines *lines;
    bool failed;
    char *why;
    size_t why_size;
};

/* Writes "FILE:LINE: " and what is wrong there. */
static void __attribute__((format(printf, 3, 4)))
file_fail(struct file *f, uint32_t line, const char *format, ...)
{
    char text[CONFIG_WHY];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    f->failed = true;
    if (line)
        snprintf(f->why, f->why_size, "%s:%u: %s", f->name, line, text);
    else
        snprintf(f->why, f->why_size, "%s: %s", f->name, text);
}

/* Reads it whole. */
static bool file_load(struct file *f, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        file_fail(f, 0, "cannot be read: %s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        file_fail(f, 0, "is no regular file");
    } else {
        f->text = malloc(FILE_MAX + 1);
        if (!f->text)
            abort();
        ssize_t n = 1;
        while (n > 0 && f->len <= FILE_MAX) {
            n = read(fd, f->text + f->len, FILE_MAX + 1 - f->len);
            f->len += n > 0 ? (size_t)n : 0;
        }
        if (n < 0)
            file_fail(f, 0, "cannot be read: %s", strerror(errno));
        else if (f->len > FILE_MAX)
            file_fail(f, 0, "is larger than 1MiB: it is no configuration");
        else
            f->text[f->len] = '\0';
    }
    if (fd >= 0)
        close(fd);
    return !f->failed;
}

/* [vibenode] and nothing behind it but a comment. */
static bool section_good(const char *line)
{
    static const char own[] = "[vibenode]";
    if (strncmp(line, own, sizeof own - 1) != 0)
        return false;
    line += sizeof own - 1;
    line += strspn(line, " \t\r");
    return !*line || *line == ';' || *line == '#';
}

/* The next line without its end and its indentation; NULL at the end. An ini_reader. */
static char *file_line(char *out, int size, void *stream)
{
    struct file *f = stream;
    if (f->failed || f->at >= f->len)
        return NULL;
    f->line++;
    const char *from = f->text + f->at;
    const char *end = memchr(from, '\n', f->len - f->at);
    size_t len = end ? (size_t)(end - from) : f->len - f->at;
    f->at += len + 1;
    if (memchr(from, '\0', len)) {
        file_fail(f, f->line, "holds a NUL byte: it is no text");
        return NULL;
    }
    while (len > 0 && (*from == ' ' || *from == '\t')) {
        from++;
        len--;
    }
    while (len > 0 && from[len - 1] == '\r')
        len--;
    if (len + 3 > (size_t)size) { /* ini.h: three less than its buffer */
        file_fail(f, f->line, "is too long: %zu bytes, at most %d", len, size - 3);
        return NULL;
    }
    memcpy(out, from, len);
    out[len] = '\0';
    if (*out == '[' && !section_good(out)) {
        char shown[80];
        log_line_escape(shown, sizeof shown, out);
        file_fail(f, f->line, "%s is no section here: leave it out, or write [vibenode]", shown);
        return NULL;
    }
    return out;
}

/* The line of an earlier value of the key, or 0. */
static uint32_t line_of(const struct config_lines *lines, uint32_t key)
{
    for (uint32_t i = 0; i < lines->count; i++)
        if (lines->items[i].key == key)
            return lines->items[i].value.line;
    return 0;
}

/* An ini_handler: returns 0 if the line is wrong. */
static int file_value(void *user, const char *section, const char *name, const char *value)
{
    struct file *f = user;
    (void)section; /* checked as it was read */
    if (f->failed)
        return 0;
    uint32_t key = config_keys_find(name, strlen(name));
    if (key == UINT32_MAX) {
        char hint[SUGGEST_HINT], shown[80];
        config_keys_hint(name, NULL, hint, sizeof hint);
        log_line_escape(shown, sizeof shown, name);
        file_fail(f, f->line, "'%s' is no key%s", shown,
                  *hint ? hint : "; vibenode --help lists them");
        return 0;
    }
    uint32_t earlier = line_of(f->lines, key);
    if (earlier && !config_keys[key].repeats) {
        file_fail(f, f->line, "%s is given twice: it is in line %u, too", name, earlier);
        return 0;
    }
    config_lines_add(f->lines, key, value, f->line);
    return 1;
}

/* What libinih did not understand: a line without an equals sign. */
static void file_syntax(struct file *f, uint32_t line)
{
    char raw[80], shown[80];
    const char *at = f->text;
    for (uint32_t i = 1; i < line; i++)
        at = strchr(at, '\n') + 1;
    at += strspn(at, " \t");
    snprintf(raw, sizeof raw, "%.*s", (int)strcspn(at, "\r\n"), at);
    log_line_escape(shown, sizeof shown, raw);
    file_fail(f, line, "'%s' is not KEY = VALUE", shown);
}

bool config_file_read(const char *path, struct config_lines *out, char *why, size_t size)
{
    struct file f = {.lines = out, .why = why, .why_size = size};
    log_line_escape(f.name, sizeof f.name, path);
    if (file_load(&f, path)) {
        int rc = ini_parse_stream(file_line, &f, file_value, &f);
        if (rc < 0)
            abort(); /* out of memory */
        if (rc > 0 && (!f.failed || (uint32_t)rc < f.line))
            file_syntax(&f, (uint32_t)rc);
    }
    free(f.text);
    return !f.failed;
}
