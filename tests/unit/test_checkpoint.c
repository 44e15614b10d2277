/* vibesim/checkpoint: copies of a process that go on from where they were made. */
#include "vibesim/checkpoint.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The run: a chain of numbers, of which each is made of all before. */
struct order {
    uint64_t to; /* how far; UINT64_MAX: die */
};

struct answer {
    uint64_t at, value, made;
    pid_t pid, parent;
};

static uint64_t step_of(uint64_t value, uint64_t at)
{
    value ^= at;
    value *= 0x9e3779b97f4a7c15u;
    return value ^ value >> 29;
}

static uint64_t value_at(uint64_t at)
{
    uint64_t value = 1;
    for (uint64_t i = 1; i <= at; i++)
        value = step_of(value, i);
    return value;
}

/* A step takes 10 ns. */
static struct checkpoint_place place_of(uint64_t at)
{
    return (struct checkpoint_place){at, 10 * at};
}

static void life(struct checkpoint_run *run, void *ctx)
{
    const uint64_t *stumble = ctx; /* where the run gets no further, or NULL */
    struct answer now = {.value = 1};
    struct order order;
    checkpoint_make(run, (struct checkpoint_place){0, 0});
    checkpoint_hear(run, &order, sizeof order);
    for (;;) {
        if (order.to == UINT64_MAX || (stumble && now.at == *stumble))
            _exit(1);
        if (now.at == order.to) {
            now.pid = getpid();
            now.parent = getppid();
            checkpoint_tell(run, &now, sizeof now);
            checkpoint_hear(run, &order, sizeof order);
            continue;
        }
        now.at++;
        now.made++;
        now.value = step_of(now.value, now.at);
        if (checkpoint_due(run, now.at) && checkpoint_make(run, place_of(now.at))) {
            now.made = 0;
            checkpoint_hear(run, &order, sizeof order);
        }
    }
}

static struct checkpoints *must_start(uint64_t *stumble)
{
    char why[200] = "";
    struct checkpoints *c = checkpoints_start(life, stumble, why, sizeof why);
    if (!c)
        fail_msg("%s", why);
    assert_int_equal(checkpoints_count(c), 1);
    return c;
}

/* Goes there; *now is where the head was and is. Returns whether it is another one. */
static bool go(struct checkpoints *c, struct answer *now, uint64_t to)
{
    char why[200] = "";
    const struct order order = {to};
    bool moved;
    if (!checkpoints_seek(c, place_of(now->at), (struct checkpoint_place){to, UINT64_MAX}, &moved,
                          why, sizeof why) ||
        !checkpoints_order(c, &order, sizeof order, now, sizeof *now, why, sizeof why))
        fail_msg("%s", why);
    assert_int_equal(now->at, to);
    assert_int_equal(now->value, value_at(to));
    return moved;
}

static void test_a_head_goes_on_and_comes_back_to_the_same_values(void **state)
{
    (void)state;
    static const uint64_t places[] = {5, 5, 123456, 7, 0, 99999, 100000, 100001, 1, 500000, 499999};
    struct checkpoints *c = must_start(NULL);
    struct answer now = {0};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        go(c, &now, places[i]);
    checkpoints_free(c);
}

static void test_there_is_always_a_checkpoint_near_and_never_too_many(void **state)
{
    (void)state;
    const uint64_t end = CHECKPOINT_FIRST * 300;
    struct checkpoints *c = must_start(NULL);
    struct answer now = {0};
    go(c, &now, end);
    assert_in_range(checkpoints_count(c), 2, CHECKPOINTS_MAX);
    if (checkpoints_count(c) > CHECKPOINTS_MAX / 4) /* else the machine has little memory */
        assert_in_range(checkpoints_distance(c), end / CHECKPOINTS_MAX, end * 4 / CHECKPOINTS_MAX);
    for (uint64_t at = end - 1; at > end / 7; at -= end / 7) {
        assert_true(go(c, &now, at));
        assert_in_range(now.made, 0, checkpoints_distance(c));
    }
    checkpoints_free(c);
}

static void test_what_is_near_before_the_head_is_walked_to(void **state)
{
    (void)state;
    struct checkpoints *c = must_start(NULL);
    struct answer now = {0};
    go(c, &now, 10 * CHECKPOINT_FIRST);
    go(c, &now, 100);
    const pid_t head = now.pid;
    assert_false(go(c, &now, 200));
    assert_int_equal(now.pid, head);
    assert_true(go(c, &now, 5 * CHECKPOINT_FIRST + 1)); /* a checkpoint lies between */
    assert_int_equal(now.made, 1);
    assert_true(go(c, &now, 5 * CHECKPOINT_FIRST));
    assert_int_equal(now.made, 0);
    checkpoints_free(c);
}

static void test_a_place_is_found_by_its_time_too(void **state)
{
    (void)state;
    struct checkpoints *c = must_start(NULL);
    struct answer now = {0};
    const struct checkpoint_place before = {UINT64_MAX, 30 * CHECKPOINT_FIRST - 1};
    char why[200];
    bool moved;
    go(c, &now, 9 * CHECKPOINT_FIRST);
    assert_true(checkpoints_seek(c, place_of(now.at), before, &moved, why, sizeof why));
    assert_true(moved);
    now.at = 2 * CHECKPOINT_FIRST;
    assert_false(go(c, &now, 2 * CHECKPOINT_FIRST + 1));
    assert_int_equal(now.made, 1);
    checkpoints_free(c);
}

static void test_a_checkpoint_that_was_killed_is_replaced_by_the_one_before(void **state)
{
    (void)state;
    struct checkpoints *c = must_start(NULL);
    struct answer now = {0};
    go(c, &now, 4 * CHECKPOINT_FIRST);
    go(c, &now, 2 * CHECKPOINT_FIRST + 1);
    assert_int_equal(now.made, 1);
    const uint32_t count = checkpoints_count(c);
    assert_int_equal(kill(now.parent, SIGKILL), 0);
    go(c, &now, 2 * CHECKPOINT_FIRST);
    assert_int_equal(now.made, CHECKPOINT_FIRST);
    assert_int_equal(checkpoints_count(c), count - 1);
    checkpoints_free(c);
}

static void test_the_death_of_a_head_is_told_and_survived(void **state)
{
    (void)state;
    uint64_t stumble = 25000;
    struct checkpoints *c = must_start(&stumble);
    struct answer now = {0};
    const struct order beyond = {30000}, die = {UINT64_MAX};
    char why[200];
    go(c, &now, 24999);
    assert_false(checkpoints_order(c, &beyond, sizeof beyond, &now, sizeof now, why, sizeof why));
    assert_non_null(strstr(why, "has ended"));
    assert_false(checkpoints_order(c, &beyond, sizeof beyond, &now, sizeof now, why, sizeof why));
    assert_true(go(c, &now, 24999));
    assert_false(checkpoints_order(c, &die, sizeof die, &now, sizeof now, why, sizeof why));
    assert_true(go(c, &now, 3));
    checkpoints_free(c);
}

/* Whether a process, which is ours if its parent died, is gone within a second. */
static bool ends(pid_t pid)
{
    for (int i = 0; i < 1000 && kill(pid, 0) == 0; i++) {
        waitpid(pid, NULL, WNOHANG);
        usleep(1000);
    }
    return kill(pid, 0) != 0;
}

static void test_nothing_is_left_when_the_controller_ends_or_dies(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int dies = 0; dies < 2; dies++) {
        struct answer now = {0};
        int ends_of_pipe[2];
        assert_int_equal(pipe(ends_of_pipe), 0);
        const pid_t controller = fork();
        if (controller == 0) {
            struct checkpoints *c = must_start(NULL);
            go(c, &now, 3 * CHECKPOINT_FIRST);
            go(c, &now, CHECKPOINT_FIRST + 5);
            _exit(write(ends_of_pipe[1], &now, sizeof now) != sizeof now || dies
                      ? 1
                      : (checkpoints_free(c), 0));
        }
        assert_int_equal(read(ends_of_pipe[0], &now, sizeof now), sizeof now);
        close(ends_of_pipe[0]);
        close(ends_of_pipe[1]);
        int status;
        assert_int_equal(waitpid(controller, &status, 0), controller);
        assert_true(ends(now.pid));
        assert_true(ends(now.parent));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_goes_on_and_comes_back_to_the_same_values),
        cmocka_unit_test(test_there_is_always_a_checkpoint_near_and_never_too_many),
        cmocka_unit_test(test_what_is_near_before_the_head_is_walked_to),
        cmocka_unit_test(test_a_place_is_found_by_its_time_too),
        cmocka_unit_test(test_a_checkpoint_that_was_killed_is_replaced_by_the_one_before),
        cmocka_unit_test(test_the_death_of_a_head_is_told_and_survived),
        cmocka_unit_test(test_nothing_is_left_when_the_controller_ends_or_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
