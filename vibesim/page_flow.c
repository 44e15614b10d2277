/* The messages before a moment, for a sequence diagram: the latest are remembered in a ring, and in
 * the end a few hosts are chosen as its lanes.
 *
 * Lanes: first those that the moment's words name; then, one at a time, the host that exchanged the
 * most messages with the lanes so far, those that did something remarkable (a ban, a
 * reorganisation) counted more. So lanes belong together, and the choice is the same each time. */
#include "vibesim/page_watch.h"

#include "vibesim/page_json.h"

#include <stdlib.h>
#include <string.h>

#define MARK_WEIGHT 20u /* messages that a remarkable thing is worth */

static void *ring(void *list, size_t room, size_t item)
{
    if (!list && !(list = calloc(room, item)))
        abort();
    return list;
}

void flow_message(struct watch_flow *f, const struct watch_message *m)
{
    if (m->t_ns > f->until_ns)
        return;
    f->messages = ring(f->messages, WATCH_MESSAGES_MAX, sizeof *f->messages);
    f->messages[f->message_count++ % WATCH_MESSAGES_MAX] = *m;
}

void flow_mark(struct watch_flow *f, const struct watch_mark *m)
{
    if (m->t_ns > f->until_ns)
        return;
    f->marks = ring(f->marks, WATCH_MARKS_MAX, sizeof *f->marks);
    f->marks[f->mark_count++ % WATCH_MARKS_MAX] = *m;
}

void flow_free(struct watch_flow *f)
{
    free(f->messages);
    free(f->marks);
}

/* The oldest one that is still remembered. */
static uint64_t first_of(uint64_t count, uint64_t room)
{
    return count > room ? count - room : 0;
}

static const struct watch_message *message_at(const struct watch_flow *f, uint64_t i)
{
    return &f->messages[i % WATCH_MESSAGES_MAX];
}

static const struct watch_mark *mark_at(const struct watch_flow *f, uint64_t i)
{
    return &f->marks[i % WATCH_MARKS_MAX];
}

/* ---- lanes ---- */

static bool has(const uint32_t *lanes, size_t count, uint32_t host)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i] == host)
            return true;
    return false;
}

/* What each host exchanged with the lanes (with anybody, while there is none). */
static void weigh(const struct watch_flow *f, const uint32_t *lanes, size_t count, uint32_t hosts,
                  uint32_t *weights)
{
    memset(weights, 0, hosts * sizeof *weights);
    for (uint64_t i = first_of(f->message_count, WATCH_MESSAGES_MAX); i < f->message_count; i++) {
        const struct watch_message *m = message_at(f, i);
        if (m->host >= hosts || m->peer >= hosts)
            continue;
        if (count == 0 || has(lanes, count, m->peer))
            weights[m->host]++;
        if (count == 0 || has(lanes, count, m->host))
            weights[m->peer]++;
    }
    for (uint64_t i = first_of(f->mark_count, WATCH_MARKS_MAX); i < f->mark_count; i++) {
        const uint32_t host = mark_at(f, i)->host;
        if (host < hosts && (count == 0 || weights[host]))
            weights[host] += MARK_WEIGHT;
    }
    for (size_t i = 0; i < count; i++)
        weights[lanes[i]] = 0;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static size_t choose(const struct watch_flow *f, uint32_t hosts, uint32_t lanes[WATCH_LANES_MAX])
{
    uint32_t *weights = malloc((hosts + 1) * sizeof *weights);
    size_t count = 0;
    if (!weights)
        abort();
    for (size_t i = 0; i < f->named_count; i++)
        if (f->named[i] < hosts && !has(lanes, count, f->named[i]))
            lanes[count++] = f->named[i];
    while (count < WATCH_LANES_MAX) {
        uint32_t best = 0;
        weigh(f, lanes, count, hosts, weights);
        for (uint32_t h = 1; h < hosts; h++)
            best = weights[h] > weights[best] ? h : best;
        if (hosts == 0 || weights[best] == 0)
            break;
        lanes[count++] = best;
    }
    free(weights);
    qsort(lanes, count, sizeof *lanes, by_number);
    return count;
}

/* ---- as JSON ---- */

/* Kinds of which there are so many that they would leave no room for others. */
static bool is_common(const char *kind)
{
    static const char *const common[] = {"Ping", "Pong", "NewTransaction"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (strcmp(kind, common[i]) == 0)
            return true;
    return false;
}

/* Notes which of the remembered messages are shown: the latest between lanes, half of them common
 * ones at the most. Returns the first of them. */
static uint64_t choose_messages(const struct watch_flow *f, const uint32_t *lanes, size_t count,
                                bool *shown)
{
    uint64_t room[2] = {WATCH_SHOWN_MAX / 2, WATCH_SHOWN_MAX / 2}, from = f->message_count;
    for (uint64_t i = f->message_count; i-- > first_of(f->message_count, WATCH_MESSAGES_MAX);) {
        const struct watch_message *m = message_at(f, i);
        uint64_t *left = &room[is_common(m->kind)];
        if (!has(lanes, count, m->host) || !has(lanes, count, m->peer) || *left == 0)
            continue;
        shown[i % WATCH_MESSAGES_MAX] = true;
        *left -= 1;
        from = i;
    }
    return from;
}

static json_t *messages_json(const struct watch_flow *f, const uint32_t *lanes, size_t count,
                             uint64_t *from_ns)
{
    json_t *list = json_array();
    bool *shown = calloc(WATCH_MESSAGES_MAX, sizeof *shown);
    if (!shown)
        abort();
    uint64_t i = choose_messages(f, lanes, count, shown);
    *from_ns = i < f->message_count ? message_at(f, i)->t_ns : f->until_ns;
    for (; i < f->message_count; i++) {
        const struct watch_message *m = message_at(f, i);
        if (!shown[i % WATCH_MESSAGES_MAX])
            continue;
        json_t *row = json_array();
        json_array_append_new(row, page_us(m->t_ns));
        json_array_append_new(row, json_integer(m->out ? m->host : m->peer));
        json_array_append_new(row, json_integer(m->out ? m->peer : m->host));
        json_array_append_new(row, json_integer(m->out));
        json_array_append_new(row, page_text(m->kind, 40));
        json_array_append_new(row, page_whole(m->bytes));
        json_array_append_new(list, row);
    }
    free(shown);
    return list;
}

static json_t *marks_json(const struct watch_flow *f, const uint32_t *lanes, size_t count,
                          uint64_t from_ns)
{
    json_t *list = json_array();
    for (uint64_t i = first_of(f->mark_count, WATCH_MARKS_MAX); i < f->mark_count; i++) {
        const struct watch_mark *m = mark_at(f, i);
        if (m->t_ns < from_ns || !has(lanes, count, m->host))
            continue;
        json_t *row = json_array();
        json_array_append_new(row, page_us(m->t_ns));
        json_array_append_new(row, json_integer(m->host));
        json_array_append_new(row, json_integer(m->peer));
        json_array_append_new(row, page_text(m->kind, sizeof m->kind));
        json_array_append_new(row, page_text(m->text, sizeof m->text));
        json_array_append_new(list, row);
    }
    return list;
}

json_t *flow_json(const struct watch_flow *f, uint32_t hosts)
{
    uint32_t lanes[WATCH_LANES_MAX];
    uint64_t from_ns;
    const size_t count = choose(f, hosts, lanes);
    if (count == 0 || f->message_count == 0)
        return json_null();
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(lanes[i]));
    json_object_set_new(o, "lanes", list);
    json_object_set_new(o, "messages", messages_json(f, lanes, count, &from_ns));
    json_object_set_new(o, "from_us", page_us(from_ns));
    json_object_set_new(o, "until_us", page_us(f->until_ns));
    json_object_set_new(o, "marks", marks_json(f, lanes, count, from_ns));
    return o;
}
