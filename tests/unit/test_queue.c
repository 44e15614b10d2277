/* The event queue against a plain sorted reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those four first */
#include <cmocka.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "transport-sim/queue.h"

#include <stdlib.h>

#define MODEL_MAX 40000u

/* What a queue is, said as simply as possible: sorted when asked. */
struct model {
    struct sim_event *at;
    size_t count;
};

static int compare(const void *left, const void *right)
{
    const struct sim_event *a = left;
    const struct sim_event *b = right;
    if (a->t_ns != b->t_ns)
        return a->t_ns < b->t_ns ? -1 : 1;
    if (a->dst != b->dst)
        return a->dst < b->dst ? -1 : 1;
    if (a->src != b->src)
        return a->src < b->src ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static size_t model_least(const struct model *model)
{
    size_t least = 0;
    for (size_t i = 1; i < model->count; i++)
        if (compare(&model->at[i], &model->at[least]) < 0)
            least = i;
    return least;
}

struct pair {
    struct sim_queue *q;
    struct model model;
    struct rng rng;
    uint64_t now_ns;
    uint64_t seq;
};

static void pair_init(struct pair *pair, uint64_t n)
{
    const uint8_t seed[32] = {1};
    memset(pair, 0, sizeof *pair);
    pair->q = sim_queue_new();
    pair->model.at = mem_new(MODEL_MAX, sizeof *pair->model.at);
    rng_fork(&pair->rng, seed, "queue", n);
}

static void pair_deinit(struct pair *pair)
{
    sim_queue_free(pair->q);
    mem_free(pair->model.at);
}

static void pair_put(struct pair *pair, uint64_t t_ns)
{
    struct sim_event event = {.t_ns = t_ns, .kind = 1};
    event.dst = (uint32_t)rng_below(&pair->rng, 5);
    event.src = (uint32_t)rng_below(&pair->rng, 5);
    event.seq = pair->seq++ ^ 0x15; /* unique, and not in the order of puts */
    event.arg = (uint32_t)event.seq;
    assert_true(pair->model.count < MODEL_MAX);
    pair->model.at[pair->model.count++] = event;
    sim_queue_put(pair->q, &event);
}

/* Takes one event from both, up to the limit. */
static void pair_take(struct pair *pair, uint64_t limit_ns)
{
    struct sim_event out;
    size_t least = model_least(&pair->model);
    struct sim_event *want = pair->model.count > 0 ? &pair->model.at[least] : NULL;
    assert_int_equal(sim_queue_next_ns(pair->q), want ? want->t_ns : UINT64_MAX);
    assert_int_equal(sim_queue_count(pair->q), pair->model.count);
    bool taken = sim_queue_take(pair->q, limit_ns, &out);
    assert_int_equal(taken, want && want->t_ns <= limit_ns);
    if (!taken) {
        pair->now_ns = limit_ns > pair->now_ns && limit_ns < UINT64_MAX ? limit_ns : pair->now_ns;
        return;
    }
    assert_memory_equal(&out, want, sizeof out);
    pair->now_ns = out.t_ns;
    *want = pair->model.at[--pair->model.count];
}

/* Times that are near, far, the present one, or much alike. */
static uint64_t some_time(struct pair *pair)
{
    uint64_t kind = rng_below(&pair->rng, 6);
    uint64_t r = rng_u64(&pair->rng);
    switch (kind) {
    case 0:
        return pair->now_ns;
    case 1:
        return pair->now_ns + (r & 3);
    case 2:
        return pair->now_ns + (r & 0xfff);
    case 3:
        return pair->now_ns + (r & 0xfffffff);
    case 4:
        return (pair->now_ns | 0xffff) + 1 + (r & 1) * 0x10000;
    default:
        return pair->now_ns + (r >> (r & 31) >> 4);
    }
}

static void test_queue_gives_events_in_total_order_whatever_the_order_of_puts(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 40; n++) {
        struct pair pair;
        pair_init(&pair, n);
        for (unsigned i = 0; i < 3000; i++) {
            uint64_t what = rng_below(&pair.rng, 16);
            bool growing = i % 1000 < 600;
            if (what < (growing ? 9u : 4u) && pair.now_ns < UINT64_MAX / 4)
                pair_put(&pair, some_time(&pair));
            else if (what < 14)
                pair_take(&pair, UINT64_MAX);
            else
                pair_take(&pair, pair.now_ns + rng_below(&pair.rng, 5000));
        }
        while (pair.model.count > 0)
            pair_take(&pair, UINT64_MAX);
        pair_take(&pair, UINT64_MAX);
        pair_deinit(&pair);
    }
}

static void test_queue_takes_puts_at_the_present_time_while_that_is_taken(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 100);
    for (unsigned i = 0; i < 2000; i++)
        pair_put(&pair, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        pair_take(&pair, 1000);
        pair_put(&pair, 1000);
        if (i % 4 == 0)
            pair_put(&pair, 1001 + i % 16);
    }
    while (pair.model.count > 0)
        pair_take(&pair, UINT64_MAX);
    pair_deinit(&pair);
}

static void test_queue_takes_near_puts_after_it_looked_far_ahead(void **state)
{
    (void)state;
    struct pair pair;
    struct sim_event event = {.t_ns = 100000000000u, .dst = 9};
    struct sim_event out;
    pair_init(&pair, 101);
    sim_queue_put(pair.q, &event);
    assert_int_equal(sim_queue_next_ns(pair.q), event.t_ns);
    assert_false(sim_queue_take(pair.q, 50, &out));
    for (uint64_t i = 0; i < 500; i++) {
        event.t_ns = 51 + i * 7 % 500;
        event.seq = i;
        sim_queue_put(pair.q, &event);
    }
    uint64_t last = 0;
    for (unsigned i = 0; i < 500; i++) {
        assert_true(sim_queue_take(pair.q, 10000, &out));
        assert_true(out.t_ns >= last);
        last = out.t_ns;
    }
    assert_false(sim_queue_take(pair.q, 10000, &out));
    assert_true(sim_queue_take(pair.q, UINT64_MAX, &out));
    pair_deinit(&pair);
}

/* What lies behind 32768 was dealt out by its distance from there when the queue looked ahead; the
 * puts before it make the queue deal out anew by the distance from 1000. */
static void test_queue_keeps_its_order_when_many_puts_come_before_what_it_looked_at(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 102);
    for (uint64_t t = 1000; t < 1003; t++)
        pair_put(&pair, t);
    for (uint64_t i = 0; i < 30; i++)
        pair_put(&pair, 32773 + i * 33);
    pair_take(&pair, 1000);
    for (uint64_t i = 0; i < 64; i++)
        pair_put(&pair, 1500 + i);
    while (pair.model.count > 0)
        pair_take(&pair, UINT64_MAX);
    pair_deinit(&pair);
}

/* A window takes all up to its end, then puts come from there on. */
static void test_queue_keeps_its_order_when_puts_come_after_a_whole_stretch_was_taken(void **state)
{
    (void)state;
    for (uint64_t n = 200; n < 220; n++) {
        struct pair pair;
        pair_init(&pair, n);
        for (unsigned i = 0; i < 200; i++)
            pair_put(&pair, rng_below(&pair.rng, 300000));
        while (pair.model.count > 0 && pair.now_ns < 10000000) {
            const uint64_t end_ns = sim_queue_next_ns(pair.q) + rng_below(&pair.rng, 30000);
            uint64_t taken = 0;
            for (; sim_queue_next_ns(pair.q) <= end_ns; taken++)
                pair_take(&pair, end_ns);
            pair_take(&pair, end_ns);
            for (; taken > 0; taken--)
                pair_put(&pair, end_ns + 1 + rng_below(&pair.rng, 200000));
        }
        pair_deinit(&pair);
    }
}

static void test_queue_gives_memory_of_one_burst_to_the_next(void **state)
{
    (void)state;
    struct sim_queue *q = sim_queue_new();
    struct rng rng;
    const uint8_t seed[32] = {2};
    size_t after_first = 0;
    uint64_t now_ns = 0;
    rng_fork(&rng, seed, "burst", 0);
    for (unsigned burst = 0; burst < 20; burst++) {
        struct sim_event event = {0};
        for (unsigned i = 0; i < 20000; i++) {
            event.t_ns = now_ns + 1 + rng_below(&rng, 1000000000);
            event.seq++;
            sim_queue_put(q, &event);
        }
        while (sim_queue_take(q, UINT64_MAX, &event))
            now_ns = event.t_ns;
        if (burst == 2)
            after_first = sim_queue_bytes(q);
    }
    assert_true(sim_queue_bytes(q) <= after_first + after_first / 4);
    assert_true(sim_queue_bytes(q) < 20000 * 32 * 4);
    sim_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_gives_events_in_total_order_whatever_the_order_of_puts),
        cmocka_unit_test(test_queue_takes_puts_at_the_present_time_while_that_is_taken),
        cmocka_unit_test(test_queue_takes_near_puts_after_it_looked_far_ahead),
        cmocka_unit_test(test_queue_keeps_its_order_when_many_puts_come_before_what_it_looked_at),
        cmocka_unit_test(test_queue_keeps_its_order_when_puts_come_after_a_whole_stretch_was_taken),
        cmocka_unit_test(test_queue_gives_memory_of_one_burst_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
