/* A node's store: on a disk whose power fails, or that fails to write. */
#include "store/node_store_schema.h"
#include "tests/unit/node_store_disk.h"

#define IN_FLIGHT 4u

static char after[300]; /* the folder as it is after the power failed */

static int setup_disk(void **state)
{
    const int rc = setup(state);
    snprintf(after, sizeof after, "%s/after", folder);
    disk_install();
    return rc;
}

static int teardown_disk(void **state)
{
    disk_remove();
    return teardown(state);
}

static struct node_store *open_after(void)
{
    struct node_store_options options = default_options();
    options.folder = after;
    options.on_ready = NULL;
    return must_open_with(&options);
}

/* An answer of a store that has nobody to tell. */
static struct vn_event ask_after(struct node_store *store, enum vn_load_op op, uint64_t from)
{
    struct vn_event event;
    submit_load(store, 1, op, from, UINT64_MAX, UINT64_MAX);
    while (!node_store_next(store, &event))
        usleep(50);
    return event;
}

static bool is_model(struct node_store *store, const struct model *model)
{
    struct vn_event event = ask_after(store, VN_LOAD_BLOCKS, model->first);
    if (loaded_fault(model, VN_LOAD_BLOCKS, model->first, UINT64_MAX, UINT64_MAX, &event))
        return false;
    event = ask_after(store, VN_LOAD_ADDRS, 0);
    if (loaded_fault(model, VN_LOAD_ADDRS, 0, 0, UINT64_MAX, &event))
        return false;
    event = ask_after(store, VN_LOAD_BANS, 0);
    return !loaded_fault(model, VN_LOAD_BANS, 0, 0, UINT64_MAX, &event);
}

/* The power fails now: one of the models `least`..`most` must be what is found then. */
static void cut_and_check(const struct model *models, uint64_t least, uint64_t most, uint64_t *dice)
{
    disk_cut(after, dice);
    struct node_store *store = open_after();
    bool found = false;
    for (uint64_t k = least; k <= most && !found; k++)
        found = is_model(store, &models[k % (IN_FLIGHT + 1)]);
    if (!found)
        fail_msg("after the power failed, none of the states %llu to %llu is there",
                 (unsigned long long)least, (unsigned long long)most);
    assert_true(node_store_close(store));
    remove_all(after);
}

static void test_node_store_holds_what_it_answered_when_the_power_fails(void **state)
{
    (void)state;
    static struct model models[IN_FLIGHT + 1]; /* after batch k: models[k % 5] */
    static struct batch batch;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t dice = seed, submitted = 0;
        memset(models, 0, sizeof models);
        struct node_store *store = must_open();
        for (uint64_t answered = 0; answered < 150; answered++) {
            while (submitted < answered + IN_FLIGHT) {
                struct model *model = &models[(submitted + 1) % (IN_FLIGHT + 1)];
                *model = models[submitted % (IN_FLIGHT + 1)];
                batch_random(&batch, model, &dice, 9000);
                submit_batch(store, ++submitted, &batch);
            }
            assert_int_equal(await_stored(store, answered + 1), VN_OK);
            if (below(&dice, 3) == 0)
                cut_and_check(models, answered + 1, submitted, &dice);
            if (below(&dice, 20) == 0) { /* the log is written back, while more is stored */
                sqlite3 *db;
                assert_int_equal(sqlite3_open(in_data("node.db"), &db), SQLITE_OK);
                sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
                sqlite3_close(db);
                cut_and_check(models, answered + 1, submitted, &dice);
            }
        }
        assert_true(node_store_close(store));
        cut_and_check(models, submitted, submitted, &dice);
        remove_all(data);
    }
}

/* ---- while it is opened ---- */

static uint64_t cut_dice, cut_at;

/* Cuts before one operation. */
static void cut_once(void)
{
    if (disk.operations == cut_at)
        disk_cut(after, &cut_dice);
}

/* The version in the header of the file itself, whatever lies in a log. */
static uint32_t header_version(void)
{
    uint8_t head[100] = {0};
    char path[400];
    snprintf(path, sizeof path, "%s/node.db", after);
    FILE *f = fopen(path, "rb");
    const size_t len = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    return len == sizeof head ? get_be32(head + 60) : 0;
}

static uint32_t sql_version(void)
{
    char path[400];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    snprintf(path, sizeof path, "%s/node.db", after);
    if (access(path, F_OK) != 0)
        return 0;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    const uint32_t version = (uint32_t)sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return version;
}

/* Whoever looks at the header alone sees what the file is, or what it was about to become. */
static void check_header(uint32_t before)
{
    const uint32_t header = header_version(), version = sql_version();
    if (version != before)
        assert_int_equal(header, version);
}

static void test_node_store_can_be_opened_when_the_power_failed_while_it_was_made(void **state)
{
    (void)state;
    for (cut_at = 0;; cut_at++) {
        disk.operations = 0;
        disk.on_operation = cut_once;
        cut_dice = cut_at;
        assert_true(node_store_close(must_open()));
        disk.on_operation = NULL;
        remove_all(data);
        if (access(after, F_OK) != 0)
            break; /* there were no so many operations */
        check_header(0);
        assert_true(node_store_close(open_after()));
        remove_all(after);
        disk_remove();
        disk_install();
    }
    assert_true(cut_at > 10);
}

static const char *const planted_lifts[] = {
    "CREATE TABLE anchor(key BLOB PRIMARY KEY) STRICT; INSERT INTO anchor SELECT key FROM addr;",
    "UPDATE block SET body = zeroblob(length(body) + 1)",
};

/* Opens as a later program would: with a schema of three versions. */
static void open_later(const char *in)
{
    const struct store_schema third = {3, NULL, planted_lifts};
    const struct node_store_options options = default_options();
    char path[400], text[WHY_SIZE] = "";
    struct store_why why = {NODE_STORE_OK, text, sizeof text};
    snprintf(path, sizeof path, "%s/node.db", in);
    if (!store_schema_look(path, &third, &why))
        fail_msg("%s", text);
    sqlite3 *db = store_schema_open(path, &third, &options, &why);
    if (!db)
        fail_msg("%s", text);
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT count(*), max(length(body)), min(length(body)),"
                                        " (SELECT count(*) FROM anchor) FROM block",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 20);
    assert_int_equal(sqlite3_column_int(stmt, 1), 5001);
    assert_int_equal(sqlite3_column_int(stmt, 2), 5001);
    assert_int_equal(sqlite3_column_int(stmt, 3), 1);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void test_node_store_is_brought_up_to_date_when_the_power_failed_in_between(void **state)
{
    (void)state;
    for (cut_at = 0;; cut_at++) {
        static struct batch batch;
        struct node_store *store = must_open();
        for (uint32_t h = 1; h <= 20; h++)
            batch_block(&batch, NULL, h, h, 5000);
        batch_addr(&batch, NULL, 1, 1, 8);
        assert_int_equal(store_batch(store, 1, &batch), VN_OK);
        assert_true(node_store_close(store));
        disk.operations = 0;
        disk.on_operation = cut_once;
        cut_dice = cut_at;
        open_later(data);
        disk.on_operation = NULL;
        remove_all(data);
        if (access(after, F_OK) != 0)
            break;
        check_header(1);
        open_later(after);
        remove_all(after);
        disk_remove();
        disk_install();
    }
    assert_true(cut_at > 40);
}

/* ---- a disk that fails ---- */

static void fail_and_recover(struct node_store *store, struct model *model, int *fail, int code,
                             uint32_t status)
{
    static struct batch batch;
    struct node_store_stats stats;
    for (int i = 0; i < 3; i++) {
        batch_block(&batch, NULL, 1, 77, 100); /* would forget all the others */
        batch_ban(&batch, NULL, 3, 55, 5, 8);
        *fail = code;
        assert_int_equal(store_batch(store, 1, &batch), status);
        *fail = 0;
        node_store_stats(store, &stats);
        assert_true(stats.failing);
        check_same(store, model);
    }
    batch_block(&batch, model, model->first + model->count, 8, 3000);
    assert_int_equal(store_batch(store, 2, &batch), VN_OK);
    node_store_stats(store, &stats);
    assert_false(stats.failing);
    check_same(store, model);
}

static void test_node_store_takes_nothing_of_a_store_that_the_disk_failed(void **state)
{
    (void)state;
    static struct batch batch;
    static struct model model;
    struct node_store_stats stats;
    struct node_store *store = must_open();
    for (uint32_t h = 1; h <= 10; h++)
        batch_block(&batch, &model, h, h, 3000);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    fail_and_recover(store, &model, &disk.fail_write, SQLITE_FULL, VN_ERR_LIMIT);
    node_store_stats(store, &stats);
    assert_non_null(strstr(stats.error, "node.db: no room (the disk is full"));
    fail_and_recover(store, &model, &disk.fail_write, SQLITE_IOERR_WRITE, VN_ERR_IO);
    fail_and_recover(store, &model, &disk.fail_sync, SQLITE_IOERR_FSYNC, VN_ERR_IO);
    node_store_stats(store, &stats);
    assert_non_null(strstr(stats.error, "disk I/O error"));
    assert_int_equal(stats.failed, 9);
    assert_true(node_store_close(store));
    store = must_open();
    check_same(store, &model);
    assert_true(node_store_close(store));
}

#define DISK_CASE(name) cmocka_unit_test_setup_teardown(name, setup_disk, teardown_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_CASE(test_node_store_holds_what_it_answered_when_the_power_fails),
        DISK_CASE(test_node_store_can_be_opened_when_the_power_failed_while_it_was_made),
        DISK_CASE(test_node_store_is_brought_up_to_date_when_the_power_failed_in_between),
        DISK_CASE(test_node_store_takes_nothing_of_a_store_that_the_disk_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
