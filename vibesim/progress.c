/* How far a run is; see progress.h. */
#include "vibesim/progress.h"

#include "vibesim/cli_term.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TTY_EVERY_MS   100u
#define PLAIN_EVERY_MS 5000u
#define PLAIN_MOST_MS  60000u
#define BAR_CELLS      20u

void progress_init(struct progress *p, FILE *out, const char *label)
{
    p->out = out;
    p->tty = out && isatty(fileno(out));
    p->shown = false;
    p->label = label;
    p->began_ms = term_now_ms();
    p->next_ms = p->began_ms + (p->tty ? TTY_EVERY_MS : PLAIN_EVERY_MS);
}

void progress_line(char *out, size_t size, const char *label, const struct progress_now *now,
                   uint64_t elapsed_ms)
{
    uint64_t percent = now->end_ns >= 100u ? now->sim_ns / (now->end_ns / 100u) : 0;
    uint64_t per_s = elapsed_ms ? now->events * 1000u / elapsed_ms : 0;
    char rate[32], sim[32], end[32], left[48] = "";
    term_number(rate, per_s);
    term_seconds(sim, now->sim_ns);
    term_seconds(end, now->end_ns);
    sim[strlen(sim) - 2] = end[strlen(end) - 2] = 0; /* one digit */
    if (now->sim_ns && now->end_ns > now->sim_ns) {
        double ratio = (double)(now->end_ns - now->sim_ns) / (double)now->sim_ns;
        snprintf(left, sizeof left, ", %.0f s left", (double)elapsed_ms / 1000.0 * ratio);
    }
    snprintf(out, size, "%s%s of %s s (%u%%), %s events/s, %u nodes, height %llu%s", label, sim,
             end, (unsigned)percent, rate, now->nodes, (unsigned long long)now->tip_height, left);
}

static size_t columns(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

/* Whether it is time for a line. */
static bool is_due(struct progress *p, uint64_t ms)
{
    if (!p->out || ms < p->next_ms)
        return false;
    /* Of a night's sweep a log keeps hundreds of lines, not ten thousand. */
    uint64_t plain = (ms - p->began_ms) / 20u;
    plain = plain < PLAIN_EVERY_MS ? PLAIN_EVERY_MS : plain > PLAIN_MOST_MS ? PLAIN_MOST_MS : plain;
    p->next_ms = ms + (p->tty ? TTY_EVERY_MS : plain);
    return true;
}

static void show(struct progress *p, const char *line)
{
    if (p->tty) {
        /* A line that wraps could not be rewritten. */
        fprintf(p->out, "\r%.*s\033[K", (int)columns(p->out) - 1, line);
        p->shown = true;
    } else {
        fprintf(p->out, "%s\n", line);
    }
    fflush(p->out);
}

void progress_update(struct progress *p, const struct progress_now *now)
{
    char line[256];
    uint64_t ms = term_now_ms();
    if (!is_due(p, ms))
        return;
    progress_line(line, sizeof line, p->label, now, ms - p->began_ms);
    show(p, line);
}

/* ", 8 s left", ", 12 min left", ", 3 h 20 min left". */
static void left_words(char *out, size_t size, double seconds)
{
    const double minutes = seconds / 60.0;
    if (seconds < 120.0)
        snprintf(out, size, ", %.0f s left", seconds);
    else if (minutes < 120.0)
        snprintf(out, size, ", %.0f min left", minutes);
    else if (minutes < 1e9)
        snprintf(out, size, ", %llu h %02u min left", (unsigned long long)(minutes / 60.0),
                 (unsigned)((uint64_t)minutes % 60u));
}

void progress_runs_line(char *out, size_t size, const struct progress_runs *runs,
                        uint64_t elapsed_ms)
{
    char done[32], all[32], rate[48] = "", left[48] = "", failed[48] = "";
    const uint64_t made = runs->done - runs->before;
    term_number(done, runs->done);
    term_number(all, runs->all);
    if (runs->failed)
        snprintf(failed, sizeof failed, ", %llu failed", (unsigned long long)runs->failed);
    if (made && elapsed_ms && runs->done < runs->all) {
        const double per_s = (double)made * 1000.0 / (double)elapsed_ms;
        snprintf(rate, sizeof rate, ", %.*f runs/s", per_s < 0.1 ? 3 : 1, per_s);
        left_words(left, sizeof left, (double)(runs->all - runs->done) / per_s);
    }
    snprintf(out, size, "%s of %s runs%s%s%s", done, all, failed, rate, left);
}

/* "[#####...............] " */
static void runs_bar(char out[BAR_CELLS + 4], const struct progress_runs *runs)
{
    const uint64_t full = runs->all ? runs->done * BAR_CELLS / runs->all : 0;
    out[0] = '[';
    for (uint64_t i = 0; i < BAR_CELLS; i++)
        out[1 + i] = i < full ? '#' : '.';
    memcpy(out + 1 + BAR_CELLS, "] ", 3);
}

void progress_update_runs(struct progress *p, const struct progress_runs *runs)
{
    char line[256], bar[BAR_CELLS + 4];
    uint64_t ms = term_now_ms();
    if (!is_due(p, ms))
        return;
    runs_bar(bar, runs);
    const size_t used = (size_t)snprintf(line, sizeof line, "%s", p->tty ? bar : "");
    progress_runs_line(line + used, sizeof line - used, runs, ms - p->began_ms);
    show(p, line);
}

void progress_replay_line(char *out, size_t size, const struct progress_replay *replay,
                          uint64_t elapsed_ms)
{
    const uint64_t percent =
        replay->bytes_all >= 100u ? replay->bytes / (replay->bytes_all / 100u) : 0;
    char events[32], left[48] = "";
    term_number(events, replay->events);
    if (replay->bytes && replay->bytes < replay->bytes_all)
        snprintf(left, sizeof left, ", %.0f s left",
                 (double)elapsed_ms / 1000.0 * (double)(replay->bytes_all - replay->bytes) /
                     (double)replay->bytes);
    snprintf(out, size, "%s events, %u%% of the file%s", events,
             (unsigned)(percent < 100 ? percent : 100), left);
}

void progress_update_replay(struct progress *p, const struct progress_replay *replay)
{
    char line[256];
    uint64_t ms = term_now_ms();
    if (!is_due(p, ms))
        return;
    progress_replay_line(line, sizeof line, replay, ms - p->began_ms);
    show(p, line);
}

void progress_clear(struct progress *p)
{
    if (!p->shown)
        return;
    fputs("\r\033[K", p->out);
    fflush(p->out);
    p->shown = false;
}
