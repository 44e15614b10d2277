/* The hash maps against a plain table that cannot be wrong. */
#include "core/base/bytes.h"
#include "core/base/map.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEYS  600u
#define STEPS 60000

struct thing {
    uint32_t payload;
    uint8_t id[32];
};

static struct rng dice(uint64_t n)
{
    static const uint8_t seed[32] = {0x3a, 0x9b};
    struct rng rng;

    rng_fork(&rng, seed, "map", n);
    return rng;
}

/* Ids that differ in one word alone, each word in its turn: the hash must read all of them. */
static void make_things(struct thing *things)
{
    memset(things, 0, KEYS * sizeof *things);
    for (uint32_t i = 0; i < KEYS; i++) {
        things[i].payload = i;
        put_le64(things[i].id + 8 * (i % 4), i + 1);
    }
}

/* Phases of mostly putting and mostly removing take the map through every load. */
static bool put_now(struct rng *rng, int step)
{
    return rng_chance(rng, step / 3000 % 2 ? 0.25 : 0.75);
}

static void check_ids(const struct idmap *map, struct thing *things, const bool *in)
{
    for (uint32_t i = 0; i < KEYS; i++)
        assert_ptr_equal(idmap_get(map, things[i].id), in[i] ? &things[i] : NULL);
}

static void test_idmap_agrees_with_a_model_under_random_puts_and_removes(void **state)
{
    struct thing *things = calloc(KEYS, sizeof *things);

    (void)state;
    make_things(things);
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct rng rng = dice(seed);
        bool in[KEYS] = {false};
        uint32_t count = 0;
        struct idmap map;
        idmap_init(&map, offsetof(struct thing, id), seed * 0x9e3779b97f4a7c15u);
        for (int step = 0; step < STEPS; step++) {
            const uint32_t i = (uint32_t)rng_below(&rng, KEYS);
            assert_ptr_equal(idmap_get(&map, things[i].id), in[i] ? &things[i] : NULL);
            if (put_now(&rng, step)) {
                if (!in[i]) {
                    idmap_put(&map, &things[i]);
                    in[i] = true;
                    count++;
                }
            } else {
                assert_ptr_equal(idmap_remove(&map, things[i].id), in[i] ? &things[i] : NULL);
                count -= in[i];
                in[i] = false;
            }
            assert_int_equal(map.count, count);
            if (step % 61 == 0)
                check_ids(&map, things, in);
        }
        check_ids(&map, things, in);
        idmap_deinit(&map);
    }
    free(things);
}

static void check_numbers(const struct u64map *map, void *const *model)
{
    for (uint64_t k = 1; k <= KEYS; k++)
        assert_ptr_equal(u64map_get(map, k), model[k]);
}

static void test_u64map_agrees_with_a_model_under_random_puts_and_removes(void **state)
{
    static uint64_t things[KEYS + 1];

    (void)state;
    for (uint64_t k = 1; k <= KEYS; k++)
        things[k] = k;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct rng rng = dice(100 + seed);
        void *model[KEYS + 1] = {NULL};
        struct u64map map;
        u64map_init(&map, 0, seed);
        for (int step = 0; step < STEPS; step++) {
            const uint64_t k = 1 + rng_below(&rng, KEYS);
            assert_ptr_equal(u64map_get(&map, k), model[k]);
            if (put_now(&rng, step)) {
                if (!model[k])
                    u64map_put(&map, model[k] = &things[k]);
            } else {
                assert_ptr_equal(u64map_remove(&map, k), model[k]);
                model[k] = NULL;
            }
            if (step % 61 == 0)
                check_numbers(&map, model);
        }
        check_numbers(&map, model);
        u64map_deinit(&map);
    }
}

/* At 3/4 load of 8 slots, every removal has runs to close, some across the end of the table. */
static void test_u64map_closes_every_hole_in_a_small_full_table(void **state)
{
    static uint64_t thing[7] = {0, 1, 2, 3, 4, 5, 6};

    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        for (uint64_t gone = 1; gone <= 6; gone++) {
            struct u64map map;
            u64map_init(&map, 0, seed);
            for (uint64_t k = 1; k <= 6; k++)
                u64map_put(&map, &thing[k]);
            assert_int_equal(u64map_bytes(&map), 8 * (sizeof(void *) + 1));
            assert_ptr_equal(u64map_remove(&map, gone), &thing[gone]);
            for (uint64_t k = 1; k <= 6; k++)
                assert_ptr_equal(u64map_get(&map, k), k == gone ? NULL : &thing[k]);
            u64map_deinit(&map);
        }
    }
}

static void test_maps_allocate_nothing_while_empty(void **state)
{
    struct thing thing = {.payload = 1};
    uint64_t number = 5;
    struct idmap ids;
    struct u64map numbers;

    (void)state;
    idmap_init(&ids, offsetof(struct thing, id), 1);
    u64map_init(&numbers, 0, 1);
    assert_int_equal(idmap_bytes(&ids) + u64map_bytes(&numbers), 0);
    assert_null(idmap_get(&ids, thing.id));
    assert_null(idmap_remove(&ids, thing.id));
    assert_null(u64map_get(&numbers, 5));
    assert_null(u64map_remove(&numbers, 5));
    idmap_put(&ids, &thing);
    u64map_put(&numbers, &number);
    assert_int_equal(idmap_bytes(&ids), 8 * (sizeof(void *) + 1));
    assert_int_equal(u64map_bytes(&numbers), 8 * (sizeof(void *) + 1));
    assert_ptr_equal(idmap_remove(&ids, thing.id), &thing);
    assert_ptr_equal(u64map_remove(&numbers, 5), &number);
    assert_int_equal(idmap_bytes(&ids) + u64map_bytes(&numbers), 0);
    idmap_deinit(&ids);
    u64map_deinit(&numbers);
}

static void test_maps_grow_at_three_quarters(void **state)
{
    static uint64_t things[100001];
    struct u64map map;

    (void)state;
    u64map_init(&map, 0, 42);
    for (uint64_t k = 1; k <= 100000; k++) {
        things[k] = k << 32;
        u64map_put(&map, &things[k]);
        assert_true(map.map.count * 4 <= (map.map.mask + 1) * 3);
    }
    assert_int_equal(map.map.mask + 1, 262144);
    assert_null(u64map_get(&map, 0));
    u64map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idmap_agrees_with_a_model_under_random_puts_and_removes),
        cmocka_unit_test(test_u64map_agrees_with_a_model_under_random_puts_and_removes),
        cmocka_unit_test(test_u64map_closes_every_hole_in_a_small_full_table),
        cmocka_unit_test(test_maps_allocate_nothing_while_empty),
        cmocka_unit_test(test_maps_grow_at_three_quarters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
