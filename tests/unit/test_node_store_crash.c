/* A node's store: killed at any moment, and on a disk that is full. */
#include "tests/unit/node_store_fixture.h"

#define IN_FLIGHT 4u /* as the core's, see core/gossip/gossip.h */

/* Batch i is a function of the seed, of i, and of the batches before it. */
static void batch_numbered(struct batch *batch, struct model *model, uint64_t seed, uint64_t i)
{
    uint64_t dice = seed ^ i * UINT64_C(0x9e3779b97f4a7c15);
    draw(&dice);
    batch_random(batch, model, &dice, 40000);
}

/* For a child, which cannot fail as a test does. */
static struct node_store *try_open(void)
{
    const struct node_store_options options = default_options();
    enum node_store_problem problem;
    char why[WHY_SIZE];
    struct node_store *store = node_store_open(&options, &problem, why, sizeof why);
    if (!store) {
        fprintf(stderr, "%s\n", why);
        _exit(9);
    }
    return store;
}

/* ---- SIGKILL ---- */

/* What a child tells its parent. */
struct said {
    uint64_t what; /* 'k': found the store as after `number` batches; 'a': that one was answered */
    uint64_t number;
};

static void say(int fd, uint64_t what, uint64_t number)
{
    const struct said said = {what, number};
    if (write(fd, &said, sizeof said) != sizeof said)
        _exit(3);
}

/* How many batches the store holds, which holds `least` at least, as does the model; that is moved
 * on. UINT64_MAX: none of those that can be. */
static uint64_t find_state(struct node_store *store, struct model *model, uint64_t seed,
                           uint64_t least)
{
    static struct batch batch;
    const uint64_t sum = store_sum(store);
    for (uint64_t k = least; k <= least + IN_FLIGHT; k++) {
        if (model_sum(model) == sum)
            return k;
        batch_numbered(&batch, model, seed, k + 1);
        batch_drop(&batch);
    }
    return UINT64_MAX;
}

/* Writes the log back all the time, so that the process is killed in the middle of that too. */
static void *write_back_for_ever(void *arg)
{
    sqlite3 *db;
    if (sqlite3_open(in_data("node.db"), &db) != SQLITE_OK)
        _exit(5);
    for (;;) {
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        usleep(300);
    }
    return arg;
}

/* Opens what the one before left, checks it, and goes on from there until it is killed. */
static void store_for_ever(struct model *model, uint64_t seed, uint64_t least, int fd)
{
    static struct batch batch;
    struct node_store *store = try_open();
    uint64_t k = find_state(store, model, seed, least);
    if (k == UINT64_MAX)
        _exit(2);
    say(fd, 'k', k);
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_back_for_ever, NULL) != 0)
        _exit(6);
    for (uint64_t answered = k;; answered++) {
        struct vn_event event;
        while (k < answered + IN_FLIGHT) {
            batch_numbered(&batch, model, seed, ++k);
            submit_batch(store, k, &batch);
        }
        if (!await(store, &event) || event.u.stored.status != VN_OK ||
            event.u.stored.token != answered + 1)
            _exit(4);
        say(fd, 'a', event.u.stored.token);
    }
}

/* One life of a process that stores: killed some time after it has had `answers` answers. The
 * number of batches that are in the store at least; the model is moved on to there. */
static uint64_t one_life(struct model *model, uint64_t seed, uint64_t least, uint64_t answers,
                         useconds_t pause_us)
{
    static struct batch batch;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork_child();
    if (child == 0)
        store_for_ever(model, seed, least, pipes[1]);
    close(pipes[1]);
    struct said said;
    uint64_t last = least, heard = 0;
    bool killed = false;
    while (read(pipes[0], &said, sizeof said) == sizeof said) {
        assert_true(said.number >= last);
        last = said.number;
        if (heard++ == answers) {
            usleep(pause_us);
            kill(child, SIGKILL);
            killed = true;
        }
    }
    close(pipes[0]);
    int status;
    waitpid(child, &status, 0);
    if (!killed || !WIFSIGNALED(status))
        fail_msg("seed %llu, after batch %llu: the child ended by itself with %d",
                 (unsigned long long)seed, (unsigned long long)last, WEXITSTATUS(status));
    for (uint64_t k = least; k < last; k++) {
        batch_numbered(&batch, model, seed, k + 1);
        batch_drop(&batch);
    }
    return last;
}

static void test_node_store_killed_at_any_moment_holds_what_it_answered(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t dice = seed, least = 0;
        memset(&model, 0, sizeof model);
        for (int life = 0; life < 20; life++) {
            /* Some are killed while they open what the one before left. */
            const uint64_t answers = below(&dice, 4) ? below(&dice, 60) : 0;
            const useconds_t pause_us = (useconds_t)below(&dice, 4000);
            least = one_life(&model, seed, least, answers, pause_us);
        }
        assert_string_equal(ask("PRAGMA integrity_check"), "ok");
        assert_string_equal(ask("SELECT max(height) - min(height) + 1 = count(*) FROM block"), "1");
        struct node_store *store = must_open();
        assert_int_not_equal(find_state(store, &model, seed, least), UINT64_MAX);
        check_same(store, &model);
        assert_true(node_store_close(store));
        remove_all(data);
    }
}

/* ---- a full disk ---- */

/* Stores batches until one fails; the model holds those that did not. The status of the failure. */
static uint32_t store_until_full(struct node_store *store, struct model *model, uint64_t *token)
{
    static struct batch batch;
    static struct model before;
    for (int i = 0; i < 5000; i++) {
        before = *model;
        const uint64_t height = model->count + 1;
        batch_block(&batch, model, height, height, 20000);
        batch_addr(&batch, model, height % MODEL_KEYS, height, 8);
        const uint32_t status = store_batch(store, ++*token, &batch);
        if (status != VN_OK) {
            *model = before;
            return status;
        }
    }
    return VN_OK;
}

static void test_node_store_fails_at_its_limit_and_goes_on_when_there_is_room(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store_stats stats;
    struct node_store_options options = default_options();
    options.max_bytes = 1 << 20;
    struct node_store *store = must_open_with(&options);
    uint64_t token = 0;
    assert_int_equal(store_until_full(store, &model, &token), VN_ERR_LIMIT);
    assert_in_range(model.count, 40, 52);
    node_store_stats(store, &stats);
    assert_true(stats.failing);
    assert_non_null(strstr(stats.error, "no room (the disk is full, or the store's limit"));
    check_same(store, &model);
    /* A reorganisation that makes room needs none. */
    batch_block(&batch, &model, 10, 10, 20000);
    assert_int_equal(store_batch(store, ++token, &batch), VN_OK);
    node_store_stats(store, &stats);
    assert_false(stats.failing);
    check_same(store, &model);
    assert_int_equal(store_until_full(store, &model, &token), VN_ERR_LIMIT);
    assert_true(node_store_close(store));
    options.max_bytes = 4096; /* less than there is: nothing is lost, nothing is added */
    store = must_open_with(&options);
    check_same(store, &model);
    assert_int_equal(store_until_full(store, &model, &token), VN_ERR_LIMIT);
    assert_true(node_store_close(store));
    options.max_bytes = 2 << 20;
    store = must_open_with(&options);
    check_same(store, &model);
    const uint64_t before = model.count;
    assert_int_equal(store_until_full(store, &model, &token), VN_ERR_LIMIT);
    assert_true(model.count > before + 30);
    check_same(store, &model);
    assert_true(node_store_close(store));
}

static void test_node_store_group_fails_as_a_whole_and_its_batches_fit_alone(void **state)
{
    (void)state;
    enum { BATCHES = 4, VALUE = 400 << 10 };
    static struct batch batch;
    static struct model model;
    struct node_store_options options = default_options();
    struct node_store_stats stats;
    options.max_bytes = 700 << 10; /* one of them fits, two do not */
    struct node_store *store = must_open_with(&options);
    batch_addr(&batch, &model, 1, 1, 100);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    hold_worker(store);
    for (uint32_t k = 1; k <= BATCHES; k++) {
        batch_addr(&batch, NULL, k, k, VALUE);
        submit_batch(store, k, &batch);
    }
    let_go();
    for (uint32_t k = 1; k <= BATCHES; k++)
        assert_int_equal(await_stored(store, k), VN_ERR_LIMIT);
    check_same(store, &model);
    node_store_stats(store, &stats);
    assert_int_equal(stats.failed, BATCHES);
    assert_int_equal(stats.commits, 2);
    assert_int_equal(stats.bytes, 100);
    batch_addr(&batch, &model, 1, 1, 0);
    batch_addr(&batch, &model, 2, 2, VALUE);
    assert_int_equal(store_batch(store, 9, &batch), VN_OK);
    check_same(store, &model);
    assert_true(node_store_close(store));
}

static bool same(struct node_store *store, const struct model *model)
{
    return store_sum(store) == model_sum(model);
}

/* In a child: the system takes no byte of a file beyond `room`. 0: all was as it should be. */
static int meet_a_full_disk(rlim_t room)
{
    static struct model model;
    struct rlimit limit;
    struct node_store_stats stats;
    uint64_t token = 0;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t before = limit.rlim_cur;
    struct node_store *store = try_open();
    for (int time = 0; time < 3; time++) {
        limit.rlim_cur = room;
        setrlimit(RLIMIT_FSIZE, &limit);
        for (int i = 0; i < 3; i++) { /* it goes on failing, and nothing else happens */
            const uint32_t status = store_until_full(store, &model, &token);
            if (status != VN_ERR_LIMIT && status != VN_ERR_IO)
                return 1;
        }
        node_store_stats(store, &stats);
        if (!stats.failing || !strstr(stats.error, "free some space"))
            return 2;
        if (!same(store, &model))
            return 3;
        limit.rlim_cur = before;
        setrlimit(RLIMIT_FSIZE, &limit);
        static struct batch batch;
        const uint64_t height = model.count + 1;
        batch_block(&batch, &model, height, height, 20000);
        if (store_batch(store, ++token, &batch) != VN_OK)
            return 4;
        if (!same(store, &model))
            return 5;
        room += 1 << 20;
    }
    if (!node_store_close(store))
        return 6;
    store = try_open();
    if (!same(store, &model))
        return 7;
    return node_store_close(store) ? 0 : 8;
}

static void test_node_store_on_a_full_disk_loses_nothing_that_it_answered(void **state)
{
    (void)state;
    for (rlim_t room = 100000; room < 2000000; room += 700001) {
        const pid_t child = fork_child();
        if (child == 0)
            _exit(meet_a_full_disk(room));
        int status;
        waitpid(child, &status, 0);
        assert_int_equal(status, 0);
        assert_string_equal(ask("PRAGMA integrity_check"), "ok");
        remove_all(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_node_store_killed_at_any_moment_holds_what_it_answered),
        CASE(test_node_store_fails_at_its_limit_and_goes_on_when_there_is_room),
        CASE(test_node_store_group_fails_as_a_whole_and_its_batches_fit_alone),
        CASE(test_node_store_on_a_full_disk_loses_nothing_that_it_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
