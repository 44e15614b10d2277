/* The bounded way from the simulation to the recorder's writer thread: rows are copied into chunks,
 * full chunks are handed over in order, and whoever finds no free chunk waits until the writer
 * gives one back. All memory, RING_CHUNKS * RING_CHUNK_BYTES = 8 MiB, is taken at the start, and
 * pages that were never reached cost nothing.
 *
 * One thread puts, one thread takes. */
#ifndef STORE_RECORDER_RING_H
#define STORE_RECORDER_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_CHUNK_BYTES (128u << 10)
#define RING_CHUNKS      64u
#define RING_TEXT_MAX    2000u /* bytes of one text; longer ones are cut at a character */
#define ROW_TEXTS        3u
#define ROW_NUMBERS      5u

/* The order is that of the statements in recorder_writer.c. */
enum row_kind {
    ROW_NODE,
    ROW_NODE_FINAL,
    ROW_EVENT,
    ROW_CHECK,
    ROW_METRIC,
    ROW_BLOCK,
    ROW_ARRIVAL,
    ROW_DECISION,
    ROW_MARK,
    ROW_KINDS
};

/* One row as it waits: numbers, then its texts (or hashes) one behind the other. What n[] and the
 * texts mean is said at each kind's binder in recorder_writer.c. */
struct row {
    uint32_t size; /* with its texts, a multiple of 8; set by ring_put */
    uint8_t kind;  /* enum row_kind */
    bool ok;
    uint16_t text_len[ROW_TEXTS]; /* UINT16_MAX: SQL NULL; set by ring_put */
    uint32_t no;
    int64_t n[ROW_NUMBERS];
    double value;
};

struct row_text {
    const void *data; /* NULL: SQL NULL */
    size_t len;
};

struct ring;
struct ring_chunk;

/* NULL when memory is out. */
struct ring *ring_new(void);
void ring_free(struct ring *ring);

/* Copies the row and its texts. Waits while every chunk is full. */
void ring_put(struct ring *ring, const struct row *row, const struct row_text text[ROW_TEXTS]);

/* No more rows will be put: ring_take no longer waits. */
void ring_close(struct ring *ring);

/* The oldest chunk that holds rows. Waits up to timeout_ms for a full one and then takes a partial
 * one; NULL if there is none. *closed tells that ring_close was called, so that NULL means the end.
 */
struct ring_chunk *ring_take(struct ring *ring, uint32_t timeout_ms, bool *closed);
void ring_give(struct ring *ring, struct ring_chunk *chunk);

/* The row behind `row`, the first one for NULL; NULL at the end. */
const struct row *ring_chunk_row(const struct ring_chunk *chunk, const struct row *row);
uint32_t ring_chunk_rows(const struct ring_chunk *chunk);

/* Text i of a row, not NUL-terminated; NULL for SQL NULL. */
const char *row_text(const struct row *row, uint32_t i, uint32_t *len);

#endif
