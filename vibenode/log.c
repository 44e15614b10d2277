/* The log: options, where lines go, and how many of a kind; see log.h.
 *
 * Happy path: log_fields asks for the level, takes a token of the line's kind, makes the message,
 * and writes one line. Failure modes: no token, and the line is counted; write fails, and the line
 * is counted as lost. Both counts are told by log_tick, the second by the next line that can be
 * written. */
#include "vibenode/log.h"

#include "vibenode/log_line.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND       UINT64_C(1000000000)
#define KINDS_MAX    128u /* kinds whose rate is kept apart; further ones share the last place */
#define BURST        5u   /* seconds' worth of lines at once */
#define TELL_AFTER   (10 * SECOND)
#define RATE_DEFAULT 20u

/* What is known of a kind of line: a token bucket, and what it held back. */
struct kind {
    const char *name; /* compared by address */
    uint64_t tokens;  /* times SECOND */
    uint64_t at_ns;   /* when they were counted */
    uint64_t held_back, held_since_ns;
    enum log_level level; /* of the latest */
    enum log_category category;
};

struct log {
    struct log_options options;
    struct log_clock clock;
    char *file; /* or NULL */
    int fd;
    bool colours;
    uint64_t lost; /* lines that could not be written */
    int lost_errno;
    bool torn; /* the last one is there in part */
    struct kind kinds[KINDS_MAX];
    uint32_t kind_count;
    uint64_t written[LOG_LEVELS];
    char line[LOG_LINE_MAX];
};

static const char *const level_names[LOG_LEVELS] = {"error", "warning", "info", "debug", "trace"};
static const char *const category_names[LOG_CATEGORIES] = {
    "net", "peer", "chain", "tx", "score", "sync", "store", "http", "node",
};

const char *log_level_name(uint32_t level)
{
    assert(level < LOG_LEVELS);
    return level_names[level];
}

const char *log_category_name(uint32_t category)
{
    assert(category < LOG_CATEGORIES);
    return category_names[category];
}

void log_options_init(struct log_options *options)
{
    *options = (struct log_options){.rate = RATE_DEFAULT};
    memset(options->levels, LOG_LEVEL_INFO, sizeof options->levels);
}

static uint64_t clock_of(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t system_wall_ns(void *ctx)
{
    (void)ctx;
    return clock_of(CLOCK_REALTIME);
}

static uint64_t system_now_ns(void *ctx)
{
    (void)ctx;
    return clock_of(CLOCK_MONOTONIC);
}

/* ---- where lines go ---- */

/* -1 with a line in why. The file is only ever appended to. */
static int open_file(const char *file, char *why, size_t size)
{
    char shown[200];
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0) {
        log_line_escape(shown, sizeof shown, file);
        snprintf(why, size,
                 "%s: cannot be opened to log to: %s; make its folder, or give another "
                 "log-file",
                 shown, strerror(errno));
    }
    return fd;
}

/* Colours are for people who look at it, and have not asked for none (no-color.org). */
static bool wants_colours(int fd)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static void log_attach(struct log *log, const struct log_options *options, int fd)
{
    char *file = options->file ? strdup(options->file) : NULL;
    if (options->file && !file)
        abort();
    if (log->fd > STDERR_FILENO)
        close(log->fd);
    free(log->file);
    log->file = file;
    log->options = *options;
    log->options.file = file;
    log->fd = fd;
    log->colours = wants_colours(fd);
}

struct log *log_new(const struct log_options *options, const struct log_clock *clock, char *why,
                    size_t size)
{
    int fd = options->file ? open_file(options->file, why, size) : STDERR_FILENO;
    if (fd < 0)
        return NULL;
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        abort();
    log->fd = STDERR_FILENO;
    log->clock = clock ? *clock : (struct log_clock){system_wall_ns, system_now_ns, NULL};
    log_attach(log, options, fd);
    return log;
}

bool log_set(struct log *log, const struct log_options *options, char *why, size_t size)
{
    int fd = options->file ? open_file(options->file, why, size) : STDERR_FILENO;
    if (fd < 0)
        return false;
    log_attach(log, options, fd);
    return true;
}

/* ---- writing ---- */

static ssize_t write_bytes(int fd, const char *bytes, size_t len)
{
    ssize_t n;
    do
        n = write(fd, bytes, len);
    while (n < 0 && errno == EINTR);
    return n;
}

static bool write_line(struct log *log, enum log_level level, size_t len)
{
    if (log->torn && write_bytes(log->fd, "\n", 1) == 1)
        log->torn = false;
    ssize_t n = write_bytes(log->fd, log->line, len);
    if (n == (ssize_t)len) {
        log->written[level]++;
        return true;
    }
    log->torn = log->torn || n > 0;
    log->lost++;
    log->lost_errno = n < 0 ? errno : ENOSPC;
    return false;
}

static size_t format_line(struct log *log, const struct log_entry *entry)
{
    return log->options.json ? log_line_json(log->line, entry)
                             : log_line_text(log->line, entry, log->colours);
}

static void log_emit(struct log *log, struct log_entry *entry)
{
    entry->wall_ns = log->clock.wall_ns(log->clock.ctx);
    uint64_t lost = log->lost;
    if (!write_line(log, entry->level, format_line(log, entry)) || lost == 0)
        return;
    char message[160];
    snprintf(message, sizeof message, "%llu lines before could not be written: %s",
             (unsigned long long)lost, strerror(log->lost_errno));
    struct log_entry told = {.wall_ns = entry->wall_ns,
                             .level = LOG_LEVEL_WARNING,
                             .category = LOG_NODE,
                             .kind = "lines-lost",
                             .message = message};
    if (write_line(log, told.level, format_line(log, &told)))
        log->lost = 0;
}

uint64_t log_written(const struct log *log, enum log_level level)
{
    return log->written[level];
}

/* ---- how many of a kind ---- */

static struct kind *kind_of(struct log *log, const char *name)
{
    for (uint32_t i = 0; i < log->kind_count; i++)
        if (log->kinds[i].name == name)
            return &log->kinds[i];
    if (log->kind_count == KINDS_MAX)
        return &log->kinds[KINDS_MAX - 1];
    struct kind *kind = &log->kinds[log->kind_count++];
    *kind = (struct kind){.name = name, .at_ns = log->clock.now_ns(log->clock.ctx)};
    kind->tokens = (uint64_t)log->options.rate * BURST * SECOND;
    return kind;
}

/* One token, if there is one. A bucket fills in BURST seconds. */
static bool kind_take(struct log *log, struct kind *kind)
{
    uint64_t rate = log->options.rate;
    uint64_t now_ns = log->clock.now_ns(log->clock.ctx);
    uint64_t passed = now_ns - kind->at_ns;
    if (rate == 0)
        return true;
    passed = passed > BURST * SECOND ? BURST * SECOND : passed;
    kind->at_ns = now_ns;
    kind->tokens += passed * rate;
    if (kind->tokens > rate * BURST * SECOND)
        kind->tokens = rate * BURST * SECOND;
    if (kind->tokens >= SECOND) {
        kind->tokens -= SECOND;
        return true;
    }
    if (kind->held_back++ == 0)
        kind->held_since_ns = now_ns;
    return false;
}

static void kind_tell(struct log *log, struct kind *kind)
{
    char message[160];
    snprintf(message, sizeof message, "%llu more lines of this kind (%s) were suppressed",
             (unsigned long long)kind->held_back, kind->name);
    kind->held_back = 0;
    struct log_entry entry = {
        .level = kind->level, .category = kind->category, .kind = kind->name, .message = message};
    log_emit(log, &entry);
}

void log_tick(struct log *log)
{
    uint64_t now_ns = log->clock.now_ns(log->clock.ctx);
    for (uint32_t i = 0; i < log->kind_count; i++)
        if (log->kinds[i].held_back && now_ns - log->kinds[i].held_since_ns >= TELL_AFTER)
            kind_tell(log, &log->kinds[i]);
}

void log_free(struct log *log)
{
    if (!log)
        return;
    for (uint32_t i = 0; i < log->kind_count; i++)
        if (log->kinds[i].held_back)
            kind_tell(log, &log->kinds[i]);
    if (log->fd > STDERR_FILENO)
        close(log->fd);
    free(log->file);
    free(log);
}

/* ---- lines ---- */

bool log_wants(const struct log *log, enum log_level level, enum log_category category)
{
    return level <= log->options.levels[category];
}

static void __attribute__((format(printf, 3, 0)))
log_message(struct log *log, struct log_entry *entry, const char *format, va_list args)
{
    char message[LOG_LINE_MESSAGE + 2]; /* longer ones are cut, and seen to be */
    if (!log_wants(log, entry->level, entry->category))
        return;
    struct kind *kind = kind_of(log, entry->kind);
    kind->level = entry->level;
    kind->category = entry->category;
    if (!kind_take(log, kind))
        return;
    vsnprintf(message, sizeof message, format, args);
    entry->message = message;
    log_emit(log, entry);
}

void log_fields(struct log *log, enum log_level level, enum log_category category, const char *kind,
                const struct log_field *fields, uint32_t count, const char *format, ...)
{
    struct log_entry entry = {
        .level = level, .category = category, .kind = kind, .fields = fields, .count = count};
    va_list args;
    va_start(args, format);
    log_message(log, &entry, format, args);
    va_end(args);
}

void log_line(struct log *log, enum log_level level, enum log_category category, const char *kind,
              const char *format, ...)
{
    struct log_entry entry = {.level = level, .category = category, .kind = kind};
    va_list args;
    va_start(args, format);
    log_message(log, &entry, format, args);
    va_end(args);
}
