/* The event queue: a radix heap with digits of five bits.
 *
 * base_ns is never later than limit_ns. An event later than limit_ns lies in the bucket
 * of (the highest digit in which its time differs from base_ns, that digit's value); so buckets of
 * a lower level, and of a lower digit in one level, hold earlier times. When little is left of what
 * is up to limit_ns, the first bucket is opened: a small one, or one of a single time, is sorted to
 * the end of `run` and limit_ns moves to the end of its span; a large one is dealt out again over
 * the levels below. An event only ever moves to a lower level, so it moves a few times in its life.
 * A few near events are always in the run, so that whoever takes them can see them come.
 *
 * What is put at or before limit_ns goes to a small binary heap, `late`, beside the run. Where that
 * grows, the span was too wide: run and heap are dealt out again around the present time.
 *
 * Buckets are lists of 1 KiB chunks, so that no bucket keeps memory that another needs. */
#include "transport-sim/queue.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    DIGIT_BITS = 5,
    DIGITS = 1 << DIGIT_BITS,
    LEVELS = (64 + DIGIT_BITS - 1) / DIGIT_BITS,
    CHUNK_EVENTS = 31,
    RUN_SMALL = 24,  /* events that are sorted at once, by insertion */
    RUN_AHEAD = 12,  /* events that the run shows before they are taken, if they are near */
    RUN_TAKEN = 128, /* events that were taken whose place is worth having again */
    LATE_MANY = 64,  /* events in the heap that are worth dealing out again */
    SPARE_FEW = 512  /* empty chunks that are always kept */
};

/* What is so near that no event is expected to be put before it: below the latency of any link. */
#define NEAR_NS UINT64_C(65536)

struct chunk {
    struct chunk *next;
    uint64_t count;
    uint64_t reserved[2];
    struct sim_event events[CHUNK_EVENTS];
};

struct bucket {
    struct chunk *first; /* the one that is being filled */
    uint64_t least_ns;
    size_t count;
};

struct events {
    struct sim_event *at;
    size_t count, capacity;
};

struct sim_queue {
    uint64_t last_ns; /* of the last event taken */
    uint64_t base_ns;
    uint64_t limit_ns;
    struct events run; /* ascending from run_taken on */
    size_t run_taken;
    struct events late; /* binary heap, the least first */
    size_t count;
    uint32_t levels;         /* bit L: level L has events */
    uint32_t digits[LEVELS]; /* bit d: the bucket is not empty */
    struct chunk *spare;
    size_t chunks, spares; /* all, those among them that hold nothing */
    struct bucket buckets[LEVELS][DIGITS];
};

_Static_assert(sizeof(struct sim_event) == 32, "an event is half a cache line");
_Static_assert(sizeof(struct chunk) == 1024, "a chunk is 1 KiB");

/* Total: see sim_event_before. */
static int compare_events(const void *left, const void *right)
{
    if (sim_event_before(left, right))
        return -1;
    return sim_event_before(right, left) ? 1 : 0;
}

struct sim_queue *sim_queue_new(void)
{
    return mem_new(1, sizeof(struct sim_queue));
}

static void chunks_free(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
}

void sim_queue_free(struct sim_queue *q)
{
    if (!q)
        return;
    for (unsigned level = 0; level < LEVELS; level++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            chunks_free(q->buckets[level][digit].first);
    chunks_free(q->spare);
    mem_free(q->run.at);
    mem_free(q->late.at);
    mem_free(q);
}

static void events_reserve(struct events *events, size_t count)
{
    if (count <= events->capacity)
        return;
    size_t capacity = events->capacity ? events->capacity : 64;
    while (capacity < count)
        capacity *= 2;
    events->at = mem_resize(events->at, capacity, sizeof *events->at);
    events->capacity = capacity;
}

static void late_push(struct events *heap, const struct sim_event *event)
{
    events_reserve(heap, heap->count + 1);
    size_t hole = heap->count++;
    while (hole > 0) {
        size_t parent = (hole - 1) / 2;
        if (!sim_event_before(event, &heap->at[parent]))
            break;
        heap->at[hole] = heap->at[parent];
        hole = parent;
    }
    heap->at[hole] = *event;
}

static void late_pop(struct events *heap)
{
    struct sim_event moved = heap->at[--heap->count];
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && sim_event_before(&heap->at[child + 1], &heap->at[child]))
            child++;
        if (!sim_event_before(&heap->at[child], &moved))
            break;
        heap->at[hole] = heap->at[child];
        hole = child;
    }
    heap->at[hole] = moved;
}

static struct chunk *chunk_take(struct sim_queue *q)
{
    struct chunk *chunk = q->spare;
    if (chunk) {
        q->spare = chunk->next;
        q->spares--;
    } else {
        chunk = mem_new(1, sizeof *chunk);
        q->chunks++;
    }
    chunk->count = 0;
    return chunk;
}

/* As many as are in use may be spare, so that a burst does not keep its memory for ever. */
static void chunk_give(struct sim_queue *q, struct chunk *chunk)
{
    if (q->spares > SPARE_FEW && q->spares * 2 > q->chunks) {
        mem_free(chunk);
        q->chunks--;
        return;
    }
    chunk->next = q->spare;
    q->spare = chunk;
    q->spares++;
}

/* Puts an event later than base_ns into its bucket. */
static inline void bucket_put(struct sim_queue *q, const struct sim_event *event)
{
    uint64_t difference = event->t_ns ^ q->base_ns;
    unsigned level = (63u - (unsigned)__builtin_clzll(difference)) / DIGIT_BITS;
    unsigned digit = (unsigned)(event->t_ns >> (level * DIGIT_BITS)) & (DIGITS - 1);
    struct bucket *bucket = &q->buckets[level][digit];
    struct chunk *chunk = bucket->first;
    if (!chunk || chunk->count == CHUNK_EVENTS) {
        chunk = chunk_take(q);
        chunk->next = bucket->first;
        bucket->first = chunk;
    }
    chunk->events[chunk->count++] = *event;
    if (bucket->count++ == 0 || event->t_ns < bucket->least_ns)
        bucket->least_ns = event->t_ns;
    q->digits[level] |= 1u << digit;
    q->levels |= 1u << level;
}

/* Moves all of a bucket to another one. */
static void bucket_join(struct bucket *to, struct bucket *from)
{
    struct chunk **end = &from->first;
    while (*end)
        end = &(*end)->next;
    *end = to->first;
    to->first = from->first;
    if (to->count == 0 || from->least_ns < to->least_ns)
        to->least_ns = from->least_ns;
    to->count += from->count;
    *from = (struct bucket){0};
}

/* Moves the base back. What differs from it in a lower digit than it does from to_ns differs from
 * to_ns in the digit where the two do, and has the old base's there. */
static void base_back(struct sim_queue *q, uint64_t to_ns)
{
    const uint64_t from_ns = q->base_ns;
    q->base_ns = to_ns;
    if (from_ns == to_ns)
        return;
    const unsigned level = (63u - (unsigned)__builtin_clzll(from_ns ^ to_ns)) / DIGIT_BITS;
    const unsigned digit = (unsigned)(from_ns >> (level * DIGIT_BITS)) & (DIGITS - 1);
    struct bucket *bucket = &q->buckets[level][digit];
    for (unsigned low = 0; low < level; low++) {
        for (uint32_t left = q->digits[low]; left != 0; left &= left - 1)
            bucket_join(bucket, &q->buckets[low][__builtin_ctz(left)]);
        q->digits[low] = 0;
        q->levels &= ~(1u << low);
    }
    if (bucket->count > 0) {
        q->digits[level] |= 1u << digit;
        q->levels |= 1u << level;
    }
}

/* Deals the run and the heap out again, so that only events of the present time stay in front. */
static void front_deal(struct sim_queue *q)
{
    struct events run = q->run;
    struct events late = q->late;
    q->run = (struct events){0};
    q->late = (struct events){0};
    base_back(q, q->last_ns);
    q->limit_ns = q->last_ns;
    size_t taken = q->run_taken;
    q->run_taken = 0;
    for (size_t i = taken; i < run.count + late.count; i++) {
        const struct sim_event *event = i < run.count ? &run.at[i] : &late.at[i - run.count];
        if (event->t_ns <= q->limit_ns)
            late_push(&q->late, event);
        else
            bucket_put(q, event);
    }
    mem_free(run.at);
    mem_free(late.at);
}

void sim_queue_put(struct sim_queue *q, const struct sim_event *event)
{
    assert(event->t_ns >= q->last_ns);
    q->count++;
    if (event->t_ns > q->limit_ns) {
        bucket_put(q, event);
        return;
    }
    late_push(&q->late, event);
    if (q->late.count % LATE_MANY == 0 && q->limit_ns != q->base_ns)
        front_deal(q);
}

static void run_sort(struct sim_event *at, size_t count)
{
    if (count > RUN_SMALL) {
        qsort(at, count, sizeof *at, compare_events);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct sim_event moved = at[i];
        size_t hole = i;
        while (hole > 0 && sim_event_before(&moved, &at[hole - 1])) {
            at[hole] = at[hole - 1];
            hole--;
        }
        at[hole] = moved;
    }
}

static inline struct bucket *first_bucket(struct sim_queue *q, unsigned *level, unsigned *digit)
{
    *level = (unsigned)__builtin_ctz(q->levels);
    *digit = (unsigned)__builtin_ctz(q->digits[*level]);
    return &q->buckets[*level][*digit];
}

static inline size_t run_left(const struct sim_queue *q)
{
    return q->run.count - q->run_taken;
}

/* Forgets what was taken, if that is much or all: buckets of a few events are opened often. */
static void run_shift(struct sim_queue *q)
{
    size_t left = run_left(q);
    if (left > 0 && q->run_taken < RUN_TAKEN)
        return;
    for (size_t i = 0; i < left; i++)
        q->run.at[i] = q->run.at[q->run_taken + i];
    q->run.count = left;
    q->run_taken = 0;
}

/* Opens the first bucket: the run is longer afterwards. */
static void bucket_open(struct sim_queue *q)
{
    unsigned level;
    unsigned digit;
    struct bucket *bucket = first_bucket(q, &level, &digit);
    struct chunk *chunk = bucket->first;
    size_t count = bucket->count;
    uint64_t least_ns = bucket->least_ns;
    *bucket = (struct bucket){0};
    q->digits[level] &= ~(1u << digit);
    if (q->digits[level] == 0)
        q->levels &= ~(1u << level);
    run_shift(q);
    size_t before = q->run.count;
    bool whole = count <= RUN_SMALL;
    uint64_t span = ((uint64_t)1 << (level * DIGIT_BITS)) - 1;
    q->base_ns = least_ns;
    q->limit_ns = whole ? least_ns | span : least_ns;
    while (chunk) {
        struct chunk *next = chunk->next;
        if (next)
            __builtin_prefetch(next);
        for (size_t i = 0; i < chunk->count; i++) {
            if (chunk->events[i].t_ns > q->limit_ns) {
                bucket_put(q, &chunk->events[i]);
            } else {
                events_reserve(&q->run, q->run.count + 1);
                q->run.at[q->run.count++] = chunk->events[i];
            }
        }
        chunk_give(q, chunk);
        chunk = next;
    }
    run_sort(q->run.at + before, q->run.count - before);
}

/* Opens buckets until RUN_AHEAD events are in the run, or the next are far. */
static void run_fill(struct sim_queue *q, uint64_t limit_ns)
{
    while (q->levels != 0 && run_left(q) < RUN_AHEAD) {
        unsigned level;
        unsigned digit;
        uint64_t least_ns = first_bucket(q, &level, &digit)->least_ns;
        bool first = run_left(q) == 0 && q->late.count == 0;
        if (first ? least_ns > limit_ns : least_ns - q->last_ns > NEAR_NS)
            return;
        bucket_open(q);
    }
}

uint64_t sim_queue_next_ns(struct sim_queue *q)
{
    if (run_left(q) > 0 || q->late.count > 0) {
        uint64_t run_ns = run_left(q) > 0 ? q->run.at[q->run_taken].t_ns : UINT64_MAX;
        uint64_t late_ns = q->late.count > 0 ? q->late.at[0].t_ns : UINT64_MAX;
        return run_ns < late_ns ? run_ns : late_ns;
    }
    if (q->levels == 0)
        return UINT64_MAX;
    unsigned level;
    unsigned digit;
    return first_bucket(q, &level, &digit)->least_ns;
}

bool sim_queue_take(struct sim_queue *q, uint64_t limit_ns, struct sim_event *out)
{
    if (run_left(q) < RUN_AHEAD) {
        run_fill(q, limit_ns);
        if (run_left(q) == 0 && q->late.count == 0)
            return false;
    }
    const struct sim_event *run = q->run.at + q->run_taken;
    const struct sim_event *late = q->late.at;
    bool from_late = q->late.count > 0 && (run_left(q) == 0 || sim_event_before(late, run));
    const struct sim_event *least = from_late ? late : run;
    if (least->t_ns > limit_ns)
        return false;
    assert(least->t_ns >= q->last_ns);
    *out = *least;
    q->last_ns = least->t_ns;
    q->count--;
    if (from_late)
        late_pop(&q->late);
    else
        q->run_taken++;
    return true;
}

const struct sim_event *sim_queue_ahead(const struct sim_queue *q, size_t *count)
{
    *count = run_left(q);
    return q->run.at + q->run_taken;
}

size_t sim_queue_count(const struct sim_queue *q)
{
    return q->count;
}

size_t sim_queue_bytes(const struct sim_queue *q)
{
    return sizeof *q + q->chunks * sizeof(struct chunk) +
           (q->run.capacity + q->late.capacity) * sizeof(struct sim_event);
}
