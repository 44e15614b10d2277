/* The address list: when an address may be tried again, which is forgotten, which is picked. */
#include "core/base/mem.h"
#include "core/peer/addrs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

/* The defaults of the configuration. */
static const struct addrs_policy policy = {
    .backoff_base_ns = 2 * S,
    .retry_failed_ns = 64 * S,
    .give_up_after = 5,
};

static struct rng dice(const char *name)
{
    static const uint8_t seed[32] = {0xad};
    struct rng rng;
    rng_fork(&rng, seed, name, 0);
    return rng;
}

static struct vn_addr host(uint8_t n)
{
    return (struct vn_addr){.family = VN_AF_IPV4, .port = 8765, .ip = {10, 0, 0, n}};
}

static struct addr_entry *add(struct addrs *addrs, uint8_t n, bool seed)
{
    const struct vn_addr addr = host(n);
    return addrs_add(addrs, &addr, seed, 0);
}

static struct addr_entry *find(const struct addrs *addrs, uint8_t n)
{
    const struct vn_addr addr = host(n);
    return addrs_find(addrs, &addr);
}

static bool any(const void *ctx, const struct addr_entry *entry)
{
    (void)ctx;
    (void)entry;
    return true;
}

/* ctx: the last byte of the one address that is not usable. */
static bool all_but(const void *ctx, const struct addr_entry *entry)
{
    return entry->addr.ip[3] != *(const uint8_t *)ctx;
}

/* ---- what is an address ---- */

static void test_addrs_refuse_what_cannot_be_dialled(void **state)
{
    (void)state;
    const struct vn_addr bad[] = {
        {.family = VN_AF_NONE, .port = 1},
        {.family = VN_AF_IPV4, .port = 0, .ip = {10, 0, 0, 1}},
        {.family = VN_AF_IPV4, .port = 1, .ip = {0, 0, 0, 0}},
        {.family = VN_AF_IPV4, .port = 1, .ip = {0, 1, 2, 3}},
        {.family = VN_AF_IPV4, .port = 1, .ip = {224, 0, 0, 1}},
        {.family = VN_AF_IPV4, .port = 1, .ip = {255, 255, 255, 255}},
        {.family = VN_AF_IPV6, .port = 1},
        {.family = VN_AF_IPV6, .port = 1, .ip = {0xff, 2}},
        {.family = 9, .port = 1, .ip = {10, 0, 0, 1}},
    };
    struct addrs addrs;
    addrs_init(&addrs, 10);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(addrs_add(&addrs, &bad[i], true, 0));
    assert_int_equal(addrs.count, 0);
    addrs_deinit(&addrs);
}

static void test_addrs_tell_ports_and_families_apart(void **state)
{
    (void)state;
    struct vn_addr a = host(1), b = host(1), six = {.family = VN_AF_IPV6, .port = 8765};
    b.port = 8766;
    memcpy(six.ip, a.ip, sizeof six.ip);
    assert_true(addr_equal(&a, &a));
    assert_false(addr_equal(&a, &b));
    assert_true(addr_same_ip(&a, &b));
    assert_false(addr_same_ip(&a, &six));
}

static void test_addrs_add_is_find_for_a_known_one_and_keeps_its_history(void **state)
{
    (void)state;
    struct addrs addrs;
    addrs_init(&addrs, 10);
    add(&addrs, 1, false)->failures = 3;
    struct addr_entry *again = add(&addrs, 1, true);
    assert_int_equal(addrs.count, 1);
    assert_int_equal(again->failures, 3);
    assert_true(again->seed);
    assert_true(add(&addrs, 1, false)->seed); /* once a seed, always a seed */
    addrs_deinit(&addrs);
}

/* ---- backoff ---- */

static void
test_addrs_backoff_doubles_from_2_to_64_seconds_with_jitter_within_a_quarter(void **state)
{
    (void)state;
    const struct addrs_policy stubborn = {
        .backoff_base_ns = 2 * S, .retry_failed_ns = 64 * S, .give_up_after = 1000};
    struct rng rng = dice("backoff");
    for (uint64_t n = 1; n <= 12; n++) {
        const uint64_t now = 1000 * S, base = (UINT64_C(1) << (n < 6 ? n : 6)) * S;
        uint64_t least = UINT64_MAX, most = 0;
        for (int i = 0; i < 400; i++) {
            struct addr_entry entry = {.failures = (uint32_t)n - 1};
            addrs_failed(&entry, &stubborn, now, &rng);
            assert_int_equal(entry.failures, n);
            uint64_t wait = entry.next_try_ns - now;
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
        assert_in_range(least, base, base + base / 40); /* 400 draws reach near both ends */
        assert_in_range(most, base + base / 4 - base / 40, base + base / 4);
    }
}

static void test_addrs_are_given_up_after_five_failures_and_tried_rarely(void **state)
{
    (void)state;
    struct rng rng = dice("give up");
    struct addr_entry entry = {0};
    for (int i = 0; i < 4; i++)
        addrs_failed(&entry, &policy, 0, &rng);
    assert_false(addr_given_up(&entry, &policy));
    assert_in_range(entry.next_try_ns, 16 * S, 20 * S);
    addrs_failed(&entry, &policy, 0, &rng);
    assert_true(addr_given_up(&entry, &policy));
    assert_in_range(entry.next_try_ns, 64 * S, 80 * S);
}

static void test_addrs_failures_and_times_do_not_overflow(void **state)
{
    (void)state;
    struct rng rng = dice("overflow");
    struct addr_entry entry = {.failures = UINT32_MAX};
    addrs_failed(&entry, &policy, UINT64_MAX - S, &rng);
    assert_int_equal(entry.failures, UINT32_MAX);
    assert_true(entry.next_try_ns == UINT64_MAX);
}

static void test_addrs_released_waits_half_the_base_or_what_is_asked_if_more(void **state)
{
    (void)state;
    struct rng rng = dice("released");
    struct addr_entry entry = {.failures = 2};
    addrs_released(&entry, &policy, 10 * S, 0, &rng);
    assert_in_range(entry.next_try_ns, 11 * S, 11 * S + S / 4);
    addrs_released(&entry, &policy, 10 * S, 40 * S, &rng);
    assert_in_range(entry.next_try_ns, 50 * S, 60 * S);
    assert_int_equal(entry.failures, 2);
}

static void test_addrs_newcomers_may_be_tried_at_once_but_not_earlier(void **state)
{
    (void)state;
    struct addrs addrs;
    const struct vn_addr addr = host(1);
    addrs_init(&addrs, 10);
    const struct addr_entry *entry = addrs_add(&addrs, &addr, false, 5 * S);
    assert_true(addr_eligible(entry, 5 * S));
    assert_false(addr_eligible(entry, 5 * S - 1));
    addrs_deinit(&addrs);
}

static void test_addrs_are_eligible_from_their_time_on_unless_linked_or_self(void **state)
{
    (void)state;
    struct addr_entry entry = {.next_try_ns = 5 * S};
    assert_false(addr_eligible(&entry, 5 * S - 1));
    assert_true(addr_eligible(&entry, 5 * S));
    entry.link = 7;
    assert_false(addr_eligible(&entry, 5 * S));
    entry.link = 0;
    entry.self = true;
    assert_false(addr_eligible(&entry, 5 * S));
}

/* ---- who is forgotten ---- */

#define LIST 4u

/* Hosts 1..LIST, learned, in that order. */
static void fill(struct addrs *addrs)
{
    addrs_init(addrs, LIST);
    for (uint8_t n = 1; n <= LIST; n++)
        assert_non_null(add(addrs, n, false));
}

static void test_addrs_forget_the_most_failed_first(void **state)
{
    (void)state;
    struct addrs addrs;
    fill(&addrs);
    find(&addrs, 1)->failures = 1;
    find(&addrs, 3)->failures = 2;
    assert_non_null(add(&addrs, 10, false));
    assert_int_equal(addrs.count, LIST);
    assert_null(find(&addrs, 3));
    assert_non_null(find(&addrs, 1));
    addrs_deinit(&addrs);
}

static void test_addrs_forget_the_longest_unseen_of_equal_failures(void **state)
{
    (void)state;
    struct addrs addrs;
    fill(&addrs);
    for (uint8_t n = 1; n <= LIST; n++)
        find(&addrs, n)->last_seen_ns = n == 2 ? S : 2 * S;
    assert_non_null(add(&addrs, 10, false));
    assert_null(find(&addrs, 2));
    addrs_deinit(&addrs);
}

static void test_addrs_forget_the_first_of_equals(void **state)
{
    (void)state;
    struct addrs addrs;
    fill(&addrs);
    assert_non_null(add(&addrs, 10, false));
    assert_null(find(&addrs, 1));
    assert_non_null(add(&addrs, 11, false)); /* 10 stands where 1 stood */
    assert_null(find(&addrs, 10));
    addrs_deinit(&addrs);
}

static void test_addrs_a_newcomer_has_no_history_of_the_forgotten(void **state)
{
    (void)state;
    struct addrs addrs;
    fill(&addrs);
    find(&addrs, 2)->failures = 9;
    find(&addrs, 2)->last_seen_ns = S;
    find(&addrs, 2)->next_try_ns = 99 * S;
    const struct addr_entry *entry = add(&addrs, 10, false);
    assert_int_equal(entry->failures, 0);
    assert_int_equal(entry->last_seen_ns, 0);
    assert_int_equal(entry->next_try_ns, 0);
    addrs_deinit(&addrs);
}

static void test_addrs_never_forget_seeds_or_links(void **state)
{
    (void)state;
    struct addrs addrs;
    fill(&addrs);
    find(&addrs, 1)->seed = true;
    find(&addrs, 1)->failures = 1000;
    find(&addrs, 2)->link = 5;
    find(&addrs, 3)->self = true; /* whoever claims to be us must not fill the list for good */
    for (uint8_t n = 10; n < 60; n++)
        assert_non_null(add(&addrs, n, false));
    for (uint8_t n = 1; n <= 2; n++)
        assert_non_null(find(&addrs, n));
    assert_null(find(&addrs, 3));
    find(&addrs, 4)->seed = true;
    find(&addrs, 59)->seed = true;
    assert_null(add(&addrs, 60, false)); /* nobody is left to forget */
    assert_int_equal(addrs.count, LIST);
    addrs_deinit(&addrs);
}

static void test_addrs_that_answered_outlast_any_number_of_claims(void **state)
{
    (void)state;
    struct addrs addrs;
    fill(&addrs);
    for (uint8_t n = 1; n <= 3; n++) {
        find(&addrs, n)->id_known = true;
        find(&addrs, n)->last_seen_ns = S;
    }
    for (uint8_t n = 10; n < 60; n++)
        add(&addrs, n, false)->last_seen_ns = n * S;
    for (uint8_t n = 1; n <= 3; n++)
        assert_non_null(find(&addrs, n));
    find(&addrs, 2)->failures = 1; /* but not once they fail */
    assert_non_null(add(&addrs, 60, false));
    assert_null(find(&addrs, 2));
    addrs_deinit(&addrs);
}

/* ---- who is picked ---- */

static void test_addrs_pick_prefers_the_fewest_failures(void **state)
{
    (void)state;
    struct addrs addrs;
    struct rng rng = dice("fewest");
    uint64_t next_ns;
    fill(&addrs);
    for (uint8_t n = 1; n <= LIST; n++)
        find(&addrs, n)->failures = n == 3 ? 1 : 2;
    for (int i = 0; i < 50; i++)
        assert_ptr_equal(addrs_pick(&addrs, 0, &rng, any, NULL, &next_ns), find(&addrs, 3));
    addrs_deinit(&addrs);
}

static void test_addrs_pick_is_uniform_among_equals(void **state)
{
    (void)state;
    struct addrs addrs;
    struct rng rng = dice("uniform");
    uint32_t hits[LIST + 1] = {0};
    uint64_t next_ns;
    fill(&addrs);
    find(&addrs, 2)->failures = 1;
    for (int i = 0; i < 3000; i++)
        hits[addrs_pick(&addrs, 0, &rng, any, NULL, &next_ns)->addr.ip[3]]++;
    assert_int_equal(hits[2], 0);
    for (uint32_t n = 1; n <= LIST; n++)
        if (n != 2)
            assert_in_range(hits[n], 870, 1130); /* 1000, five standard deviations */
    addrs_deinit(&addrs);
}

static void test_addrs_pick_leaves_out_the_unusable_and_the_linked(void **state)
{
    (void)state;
    struct addrs addrs;
    struct rng rng = dice("unusable");
    const uint8_t banned = 1;
    uint64_t next_ns;
    fill(&addrs);
    find(&addrs, 2)->link = 3;
    find(&addrs, 3)->self = true;
    for (int i = 0; i < 20; i++)
        assert_ptr_equal(addrs_pick(&addrs, 0, &rng, all_but, &banned, &next_ns), find(&addrs, 4));
    assert_true(next_ns == VN_NEVER);
    addrs_deinit(&addrs);
}

static void test_addrs_pick_tells_when_the_next_may_be_tried(void **state)
{
    (void)state;
    struct addrs addrs;
    struct rng rng = dice("next");
    const uint8_t banned = 1;
    uint64_t next_ns;
    fill(&addrs);
    for (uint8_t n = 1; n <= LIST; n++)
        find(&addrs, n)->next_try_ns = (10 + n) * S;
    assert_null(addrs_pick(&addrs, 10 * S, &rng, any, NULL, &next_ns));
    assert_int_equal(next_ns, 11 * S);
    assert_null(addrs_pick(&addrs, 11 * S, &rng, all_but, &banned, &next_ns));
    assert_int_equal(next_ns, 12 * S); /* the unusable one does not wait */
    addrs_deinit(&addrs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addrs_refuse_what_cannot_be_dialled),
        cmocka_unit_test(test_addrs_tell_ports_and_families_apart),
        cmocka_unit_test(test_addrs_add_is_find_for_a_known_one_and_keeps_its_history),
        cmocka_unit_test(
            test_addrs_backoff_doubles_from_2_to_64_seconds_with_jitter_within_a_quarter),
        cmocka_unit_test(test_addrs_are_given_up_after_five_failures_and_tried_rarely),
        cmocka_unit_test(test_addrs_failures_and_times_do_not_overflow),
        cmocka_unit_test(test_addrs_released_waits_half_the_base_or_what_is_asked_if_more),
        cmocka_unit_test(test_addrs_newcomers_may_be_tried_at_once_but_not_earlier),
        cmocka_unit_test(test_addrs_are_eligible_from_their_time_on_unless_linked_or_self),
        cmocka_unit_test(test_addrs_forget_the_most_failed_first),
        cmocka_unit_test(test_addrs_forget_the_longest_unseen_of_equal_failures),
        cmocka_unit_test(test_addrs_forget_the_first_of_equals),
        cmocka_unit_test(test_addrs_a_newcomer_has_no_history_of_the_forgotten),
        cmocka_unit_test(test_addrs_never_forget_seeds_or_links),
        cmocka_unit_test(test_addrs_that_answered_outlast_any_number_of_claims),
        cmocka_unit_test(test_addrs_pick_prefers_the_fewest_failures),
        cmocka_unit_test(test_addrs_pick_is_uniform_among_equals),
        cmocka_unit_test(test_addrs_pick_leaves_out_the_unusable_and_the_linked),
        cmocka_unit_test(test_addrs_pick_tells_when_the_next_may_be_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
