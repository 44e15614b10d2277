/* Writes traces as ui.perfetto.dev and chrome://tracing read them: an array of JSON objects, one a
 * line ("Trace Event Format", Google, 2016). The array is closed whatever happens, short of the
 * process being killed; and readers take it without its end, too.
 *
 *     perfetto_event(&p, PERFETTO_INSTANT, at, "chain", "tip");
 *     perfetto_number(&p, "height", 12);
 *     perfetto_end(&p);
 *
 * Names, categories and texts may hold any bytes: what JSON or UTF-8 does not allow is replaced. */
#ifndef TRACE_PERFETTO_H
#define TRACE_PERFETTO_H

#include "trace/outfile.h"

enum perfetto_phase {
    PERFETTO_BEGIN = 'B', /* of a slice on a track; slices nest */
    PERFETTO_FINISH = 'E',
    PERFETTO_SLICE = 'X',       /* of no length: what an arrow can hold on to */
    PERFETTO_INSTANT = 'i',     /* on its track */
    PERFETTO_COUNTER = 'C',     /* its number is the new value */
    PERFETTO_SPAN_BEGIN = 'b',  /* of a span, which may overlap others; needs an id */
    PERFETTO_SPAN_FINISH = 'e', /* the same name, category and id */
    PERFETTO_ARROW_FROM = 's',  /* from the slice at this very time; needs an id */
    PERFETTO_ARROW_TO = 'f'     /* the same name, category and id */
};

struct perfetto {
    struct outfile out;
    uint64_t events;
    bool args; /* of the event under way: one is written */
};

/* Where an event is: a process, a track in it, and when. */
struct perfetto_at {
    uint64_t t_ns;
    uint32_t pid, tid;
};

/* Empties the file. False, with errno, if it cannot be made. */
bool perfetto_open(struct perfetto *p, const char *path);

/* Names a process, which is shown in the order of the numbers, or a track. */
void perfetto_process(struct perfetto *p, uint32_t pid, const char *name);
void perfetto_track(struct perfetto *p, uint32_t pid, uint32_t tid, const char *name);

/* Begins an event. Then an id, if its phase needs one; then what there is to tell of it. */
void perfetto_event(struct perfetto *p, enum perfetto_phase phase, struct perfetto_at at,
                    const char *category, const char *name);
void perfetto_id(struct perfetto *p, uint64_t id);
void perfetto_text(struct perfetto *p, const char *key, const char *value);
/* Written as a text where JavaScript would round it, above 2^53. */
void perfetto_number(struct perfetto *p, const char *key, uint64_t value);
void perfetto_end(struct perfetto *p);

/* False if not all was written: out.error tells why. What was written is whole. */
bool perfetto_close(struct perfetto *p);

#endif
