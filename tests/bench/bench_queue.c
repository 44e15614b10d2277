/* The hold model (take the least event, put one a random time later) for the simulator's event
 * queue and, in the same run, for a plain binary heap of the same events. A calibration loop tells
 * how fast the machine is at this moment; compare ratios, not figures of different days.
 *
 * bench_queue [operations in millions, 4] */
#include "core/base/mem.h"
#include "transport-sim/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct heap {
    struct sim_event *at;
    size_t count;
};

static void heap_put(struct heap *heap, const struct sim_event *event)
{
    size_t hole = heap->count++;
    while (hole > 0 && sim_event_before(event, &heap->at[(hole - 1) / 2])) {
        heap->at[hole] = heap->at[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    heap->at[hole] = *event;
}

static struct sim_event heap_take(struct heap *heap)
{
    struct sim_event least = heap->at[0];
    struct sim_event moved = heap->at[--heap->count];
    size_t hole = 0;
    for (size_t child = 1; child < heap->count; child = 2 * hole + 1) {
        if (child + 1 < heap->count && sim_event_before(&heap->at[child + 1], &heap->at[child]))
            child++;
        if (!sim_event_before(&heap->at[child], &moved))
            break;
        heap->at[hole] = heap->at[child];
        hole = child;
    }
    heap->at[hole] = moved;
    return least;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t state;

/* SplitMix64, see transport-sim/sim.c. Delays up to 1 s, most of them well below. */
static uint64_t delay(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return 1 + ((z & 0x3fffffff) >> (z >> 62));
}

static struct sim_event event_after(uint64_t now_ns, uint64_t seq)
{
    struct sim_event event = {.t_ns = now_ns + delay(), .seq = seq};
    event.dst = (uint32_t)(event.t_ns & 1023);
    event.src = (uint32_t)(seq & 1023);
    return event;
}

static double bench_radix(size_t pending, uint64_t operations, uint64_t *sum)
{
    struct sim_queue *q = sim_queue_new();
    struct sim_event event;
    uint64_t seq = 0;
    double began = 0;
    state = 1;
    while (seq < pending) {
        event = event_after(0, seq++);
        sim_queue_put(q, &event);
    }
    for (uint64_t i = 0; i < operations + pending; i++) {
        if (i == pending) /* a first round, so that the queue is in its usual shape */
            began = seconds();
        sim_queue_take(q, UINT64_MAX, &event);
        *sum = *sum * 31 + event.seq;
        event = event_after(event.t_ns, seq++);
        sim_queue_put(q, &event);
    }
    double took = seconds() - began;
    printf("  radix  %10zu pending: %6.2f M events/s, %5.1f bytes an event\n", pending,
           (double)operations / took * 1e-6, (double)sim_queue_bytes(q) / (double)pending);
    sim_queue_free(q);
    return took;
}

static double bench_heap(size_t pending, uint64_t operations, uint64_t *sum)
{
    struct heap heap = {.at = mem_new(pending + 1, sizeof *heap.at)};
    struct sim_event event;
    uint64_t seq = 0;
    double began = 0;
    state = 1;
    while (seq < pending) {
        event = event_after(0, seq++);
        heap_put(&heap, &event);
    }
    for (uint64_t i = 0; i < operations + pending; i++) {
        if (i == pending)
            began = seconds();
        event = heap_take(&heap);
        *sum = *sum * 31 + event.seq;
        event = event_after(event.t_ns, seq++);
        heap_put(&heap, &event);
    }
    double took = seconds() - began;
    printf("  heap   %10zu pending: %6.2f M events/s\n", pending, (double)operations / took * 1e-6);
    mem_free(heap.at);
    return took;
}

static void calibrate(void)
{
    double began = seconds();
    uint64_t sum = 0;
    for (unsigned i = 0; i < 100000000; i++)
        sum += delay();
    printf("calibration: %.0f M dice/s (%" PRIu64 ")\n", 100 / (seconds() - began), sum & 1);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {10000, 100000, 1000000};
    uint64_t operations = (argc > 1 ? strtoull(argv[1], NULL, 10) : 4) * 1000000;
    calibrate();
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t radix_sum = 0;
        uint64_t heap_sum = 0;
        double radix = bench_radix(sizes[i], operations, &radix_sum);
        double heap = bench_heap(sizes[i], operations, &heap_sum);
        printf("  ratio  %10zu pending: %6.2f\n", sizes[i], heap / radix);
        if (radix_sum != heap_sum) {
            printf("the two disagree on the order\n");
            return 1;
        }
    }
    return 0;
}
