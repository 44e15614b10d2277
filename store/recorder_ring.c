/* The bounded ring between the simulation and the writer thread; see recorder_ring.h.
 *
 * Happy path: ring_put copies into the open chunk under a lock that nobody else wants; once in 128
 * KiB it queues the chunk and wakes the writer. Failure modes: a writer that is slow makes ring_put
 * wait for a free chunk; a writer that has failed keeps taking and giving back, so that the wait
 * ends. */
#include "store/recorder_ring.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ring_chunk {
    struct ring_chunk *next;
    uint32_t used;
    uint32_t rows;
    uint64_t data[RING_CHUNK_BYTES / 8]; /* whole rows, aligned */
};

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* a chunk is full, or the ring is closed */
    pthread_cond_t freed;
    struct ring_chunk *open;          /* being filled; NULL: none */
    struct ring_chunk *first, **last; /* full, oldest first */
    struct ring_chunk *free;
    bool closed;
    struct ring_chunk chunks[RING_CHUNKS];
};

struct ring *ring_new(void)
{
    struct ring *ring = malloc(sizeof *ring); /* not calloc: untouched chunks stay unbacked */
    if (!ring)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->filled, &attr);
    pthread_cond_init(&ring->freed, NULL);
    pthread_condattr_destroy(&attr);
    ring->open = ring->first = ring->free = NULL;
    ring->last = &ring->first;
    ring->closed = false;
    for (uint32_t i = RING_CHUNKS; i-- > 0;) {
        ring->chunks[i].next = ring->free;
        ring->free = &ring->chunks[i];
    }
    return ring;
}

void ring_free(struct ring *ring)
{
    if (!ring)
        return;
    pthread_cond_destroy(&ring->filled);
    pthread_cond_destroy(&ring->freed);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

/* Bytes to keep of a text that may be too long: never half of a UTF-8 character. */
static uint16_t text_cut(const struct row_text *text)
{
    if (text->len <= RING_TEXT_MAX)
        return (uint16_t)text->len;
    const uint8_t *s = text->data;
    size_t len = RING_TEXT_MAX;
    while (len > 0 && (s[len] & 0xc0) == 0x80)
        len--;
    return (uint16_t)len;
}

static void queue_open(struct ring *ring)
{
    ring->open->next = NULL;
    *ring->last = ring->open;
    ring->last = &ring->open->next;
    ring->open = NULL;
    pthread_cond_signal(&ring->filled);
}

void ring_put(struct ring *ring, const struct row *row, const struct row_text text[ROW_TEXTS])
{
    struct row head = *row;
    size_t size = sizeof head;
    for (uint32_t i = 0; i < ROW_TEXTS; i++) {
        head.text_len[i] = text[i].data ? text_cut(&text[i]) : UINT16_MAX;
        size += text[i].data ? head.text_len[i] : 0u;
    }
    size = (size + 7u) & ~(size_t)7u;
    static_assert(sizeof head + ROW_TEXTS * RING_TEXT_MAX + 8 <= RING_CHUNK_BYTES, "fits a chunk");
    head.size = (uint32_t)size;

    pthread_mutex_lock(&ring->lock);
    if (ring->open && ring->open->used + size > RING_CHUNK_BYTES)
        queue_open(ring);
    while (!ring->open) {
        if (ring->free) {
            ring->open = ring->free;
            ring->free = ring->open->next;
            ring->open->used = ring->open->rows = 0;
        } else {
            pthread_cond_wait(&ring->freed, &ring->lock);
        }
    }
    uint8_t *to = (uint8_t *)ring->open->data + ring->open->used;
    memcpy(to, &head, sizeof head);
    to += sizeof head;
    for (uint32_t i = 0; i < ROW_TEXTS; i++) {
        if (text[i].data && head.text_len[i]) {
            memcpy(to, text[i].data, head.text_len[i]);
            to += head.text_len[i];
        }
    }
    ring->open->used += head.size;
    ring->open->rows++;
    pthread_mutex_unlock(&ring->lock);
}

void ring_close(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_signal(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
}

static struct timespec deadline_in(uint32_t timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(timeout_ms / 1000u);
    t.tv_nsec += (long)(timeout_ms % 1000u) * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    }
    return t;
}

struct ring_chunk *ring_take(struct ring *ring, uint32_t timeout_ms, bool *closed)
{
    struct timespec deadline = deadline_in(timeout_ms);
    pthread_mutex_lock(&ring->lock);
    int rc = 0;
    while (!ring->first && !ring->closed && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&ring->filled, &ring->lock, &deadline);
    if (!ring->first && ring->open)
        queue_open(ring);
    struct ring_chunk *chunk = ring->first;
    if (chunk) {
        ring->first = chunk->next;
        if (!ring->first)
            ring->last = &ring->first;
    }
    *closed = ring->closed;
    pthread_mutex_unlock(&ring->lock);
    return chunk;
}

void ring_give(struct ring *ring, struct ring_chunk *chunk)
{
    pthread_mutex_lock(&ring->lock);
    chunk->next = ring->free;
    ring->free = chunk;
    pthread_cond_signal(&ring->freed);
    pthread_mutex_unlock(&ring->lock);
}

const struct row *ring_chunk_row(const struct ring_chunk *chunk, const struct row *row)
{
    const uint8_t *start = (const uint8_t *)chunk->data;
    size_t at = row ? (size_t)((const uint8_t *)row - start) + row->size : 0;
    assert(at <= chunk->used);
    return at < chunk->used ? (const void *)(start + at) : NULL;
}

uint32_t ring_chunk_rows(const struct ring_chunk *chunk)
{
    return chunk->rows;
}

const char *row_text(const struct row *row, uint32_t i, uint32_t *len)
{
    const char *text = (const char *)(row + 1);
    for (uint32_t k = 0; k < i; k++)
        text += row->text_len[k] == UINT16_MAX ? 0u : row->text_len[k];
    *len = row->text_len[i];
    if (row->text_len[i] != UINT16_MAX)
        return text;
    *len = 0;
    return NULL;
}
