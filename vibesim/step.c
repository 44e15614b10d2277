/* See step.h. A command is a letter, or a word that begins with it, and what it needs. */
#include "vibesim/step.h"

#include "core/base/exact.h"
#include "vibesim/cli.h"
#include "vibesim/cli_term.h"
#include "vibesim/seeds.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 256u
#define SHOWN_MAX 1000u /* events that `n` tells of one by one */

static const char help[] =
    "  n [COUNT]       the next event, or the next COUNT (told one by one up to 1000)\n"
    "  b [COUNT]       back by an event, or by COUNT\n"
    "  g EVENT         to the moment after that event; g 0: to the beginning\n"
    "  g TIME          to a time in seconds, with a point or an s: g 12.5, g 90s\n"
    "  g end           to the end of the run\n"
    "  d NODE          the state of a node: d 3, d node-0003, d peer-0001\n"
    "  w               where the run stands\n"
    "  h               this\n"
    "  q               leaves, as the end of the input does\n"
    "An empty line repeats the last command. Ctrl-C stops a long way.\n";

void step_where(const struct travel *travel, char *out, size_t size)
{
    const struct travel_where *w = &travel->where;
    char events[32], end[400] = "";
    term_number(events, w->events);
    if (w->over) {
        const struct rerun *r = travel->rerun;
        snprintf(end, sizeof end, "; the run is over: %s%s%s", w->passed ? "passed" : "failed",
                 w->reason[0] ? ": " : "", w->reason);
        const size_t at = strlen(end);
        if (r->has_hash)
            snprintf(end + at, sizeof end - at, "; %s trace hash as recorded",
                     w->trace_hash == r->trace_hash ? "the same" : "ANOTHER");
    }
    snprintf(out, size,
             "%s event %s t=%" PRIu64 ".%09" PRIu64
             "s: %u of %u nodes run, greatest height %" PRIu64 "%s%s",
             w->at_time || w->over ? "behind" : "after", events, w->t_ns / 1000000000u,
             w->t_ns % 1000000000u, w->alive, w->nodes, w->tip_height,
             w->interrupted ? "; stopped on the way" : "", end);
}

static void print_where(const struct travel *travel)
{
    char line[700], clean[700];
    step_where(travel, line, sizeof line);
    term_clean(clean, sizeof clean, line);
    printf("%s\n", clean);
}

/* ---- commands ---- */

struct step {
    struct travel *travel;
    const char *wrong; /* what was wrong with the last command, or NULL */
    char why[300];
    bool left;
};

static bool count_of(struct step *s, const char *text, uint64_t *count)
{
    const char *end;
    *count = 1;
    if (!*text || (seeds_number(text, &end, count) && !*end && *count > 0))
        return true;
    s->wrong = "write how many events, from 1 on";
    return false;
}

static bool take(struct step *s, bool ok)
{
    if (!ok)
        s->wrong = s->why;
    else
        print_where(s->travel);
    return ok;
}

static void next(struct step *s, const char *text)
{
    uint64_t count;
    const uint64_t here = s->travel->where.events;
    if (!count_of(s, text, &count))
        return;
    const uint64_t to = count < UINT64_MAX - here ? here + count : TRAVEL_END;
    take(s, travel_to_event(s->travel, to, count <= SHOWN_MAX, s->why, sizeof s->why));
}

static void back(struct step *s, const char *text)
{
    uint64_t count;
    const struct travel_where *w = &s->travel->where;
    const uint64_t here = w->events + (w->at_time || w->over);
    if (count_of(s, text, &count))
        take(s, travel_to_event(s->travel, count < here ? here - count : 0, false, s->why,
                                sizeof s->why));
}

static void go(struct step *s, const char *text)
{
    const char *end;
    uint64_t event;
    char *rest;
    if (strcmp(text, "end") == 0) {
        take(s, travel_to_event(s->travel, TRAVEL_END, false, s->why, sizeof s->why));
        return;
    }
    if (seeds_number(text, &end, &event) && !*end && event < TRAVEL_END) {
        take(s, travel_to_event(s->travel, event, false, s->why, sizeof s->why));
        return;
    }
    const double t = strspn(text, "0123456789.") > 0 ? strtod(text, &rest) : -1;
    if (t >= 0 && t <= 1e9 && (!*rest || strcmp(rest, "s") == 0))
        take(s, travel_to_time(s->travel, exact_ns_from_seconds(t), s->why, sizeof s->why));
    else
        s->wrong = "write the number of an event, a time like 12.5, or end";
}

static void dump(struct step *s, const char *text)
{
    struct trace_host host;
    if (!trace_host_read(text, &host))
        s->wrong =
            "write a node's number, counted from 1, or its name: d 3, d node-0003, d peer-0001";
    else if (!travel_dump(s->travel, host, false, s->why, sizeof s->why))
        s->wrong = s->why;
}

/* Whether `word` is the command `name`, or its first letter. */
static bool is(const char *word, const char *name)
{
    return strcmp(word, name) == 0 || (word[0] == name[0] && word[1] == 0);
}

static void follow(struct step *s, const char *word, const char *rest)
{
    s->wrong = NULL;
    if (is(word, "next"))
        next(s, rest);
    else if (is(word, "back"))
        back(s, rest);
    else if (is(word, "go"))
        go(s, rest);
    else if (is(word, "dump"))
        dump(s, rest);
    else if (is(word, "where"))
        print_where(s->travel);
    else if (is(word, "help"))
        fputs(help, stdout);
    else if (is(word, "quit"))
        s->left = true;
    else
        s->wrong = "is no command: there are n b g d w h q (h tells more)";
}

/* ---- lines ---- */

/* A line without its ends and blanks around; false at the end of the input. */
static bool read_line(char line[LINE_SIZE])
{
    if (!fgets(line, (int)LINE_SIZE, stdin))
        return false;
    size_t len = strlen(line);
    if (len == LINE_SIZE - 1 && line[len - 1] != '\n')
        for (int c; (c = getchar()) != EOF && c != '\n';)
            ; /* what is so long is no command */
    while (len > 0 && strchr(" \t\r\n", line[len - 1]))
        line[--len] = 0;
    memmove(line, line + strspn(line, " \t"), len - strspn(line, " \t") + 1);
    return true;
}

int step_run(struct travel *travel)
{
    struct step s = {.travel = travel};
    char line[LINE_SIZE], last[LINE_SIZE] = "";
    const bool person = isatty(STDIN_FILENO);
    int status = CLI_OK;
    signal(SIGINT, SIG_IGN); /* the run's process stops on its way */
    print_where(travel);
    if (person)
        fputs("h tells the commands\n", stdout);
    while (!s.left) {
        if (person)
            fputs("> ", stdout);
        fflush(stdout);
        if (!read_line(line))
            break;
        if (!*line && !*last)
            continue;
        if (*line)
            memcpy(last, line, sizeof last);
        char copy[LINE_SIZE];
        memcpy(copy, last, sizeof copy);
        const size_t word = strcspn(copy, " \t");
        const size_t gap = strspn(copy + word, " \t");
        copy[word] = 0;
        follow(&s, copy, gap ? copy + word + gap : copy + word);
        fflush(stdout);
        if (!s.wrong)
            continue;
        term_error("%s: %s", last, s.wrong);
        if (!person)
            status = CLI_BAD;
    }
    return term_stdout_ok() ? status : CLI_BAD;
}
