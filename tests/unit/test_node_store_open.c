/* A node's store: what it refuses and leaves as it is, who may have it, and older versions. */
#include "store/node_store_schema.h"
#include "tests/unit/node_store_fixture.h"

#include <dirent.h>

/* ---- looking at folders ---- */

/* Every file of the store's folder, its size and a sum of its bytes, in the order of the names. */
static const char *snapshot(void)
{
    static char texts[2][2000];
    static unsigned turn;
    char *text = texts[turn++ % 2];
    size_t used = 0;
    struct dirent **names;
    const int n = scandir(data, &names, NULL, alphasort);
    text[0] = 0;
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        uint64_t sum = 0;
        struct stat st;
        if (name[0] != '.' && lstat(in_data(name), &st) == 0) {
            /* What is in -shm is derived from -wal each time. */
            FILE *f =
                S_ISREG(st.st_mode) && !strstr(name, "-shm") ? fopen(in_data(name), "rb") : NULL;
            for (int c; f && (c = getc(f)) != EOF;)
                sum = sum * 31 + (uint64_t)c + 1;
            if (f)
                fclose(f);
            used +=
                (size_t)snprintf(text + used, 2000 - used, "%s %lld %llx %lld.%09ld\n", name,
                                 (long long)st.st_size, (unsigned long long)sum,
                                 f ? (long long)st.st_mtim.tv_sec : 0, f ? st.st_mtim.tv_nsec : 0);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return n < 0 ? "no folder" : text;
}

static void refuse_with(const struct node_store_options *options, enum node_store_problem wanted,
                        const char *words)
{
    enum node_store_problem problem = NODE_STORE_OK;
    char why[WHY_SIZE] = "";
    const char *before = snapshot();
    assert_null(node_store_open(options, &problem, why, sizeof why));
    if (problem != wanted || !strstr(why, words) || strchr(why, '\n') ||
        strncmp(why, options->folder, strlen(options->folder)) != 0)
        fail_msg("expected %d, '%s: ... %s', got %d, '%s'", (int)wanted, options->folder, words,
                 (int)problem, why);
    assert_string_equal(snapshot(), before);
}

static void refuse(enum node_store_problem wanted, const char *words)
{
    const struct node_store_options options = default_options();
    refuse_with(&options, wanted, words);
}

static void refuse_at(const char *path, enum node_store_problem wanted, const char *words)
{
    struct node_store_options options = default_options();
    options.folder = path;
    refuse_with(&options, wanted, words);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static void change(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(in_data("node.db"), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    sqlite3_close(db);
}

/* A store with some blocks of that size, closed. */
static void make_store(uint32_t blocks, uint32_t len)
{
    static struct batch batch;
    struct node_store *store = must_open();
    for (uint32_t h = 1; h <= blocks; h++) {
        batch_block(&batch, NULL, h, h, len);
        assert_int_equal(store_batch(store, h, &batch), VN_OK);
    }
    assert_true(node_store_close(store));
}

/* In a child that is killed, so that a log is left. */
static void make_killed_store(void)
{
    const pid_t child = fork_child();
    if (child == 0) {
        static struct batch batch;
        const struct node_store_options options = default_options();
        enum node_store_problem problem;
        char why[WHY_SIZE];
        struct node_store *store = node_store_open(&options, &problem, why, sizeof why);
        struct vn_event event;
        for (uint32_t h = 1; store && h <= 5; h++) {
            batch_block(&batch, NULL, h, h, 9000);
            submit_batch(store, h, &batch);
            await(store, &event);
        }
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    assert_int_equal(access(in_data("node.db-wal"), F_OK), 0);
}

/* ---- files that are something else ---- */

static void test_node_store_leaves_files_that_are_not_its_own_untouched(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'x', sizeof text);
    assert_int_equal(mkdir(data, 0700), 0);
    write_file(in_data("node.db"), "hello\n", 6);
    refuse(NODE_STORE_FOREIGN, "not an SQLite database, left as it is");
    write_file(in_data("node.db"), text, sizeof text);
    refuse(NODE_STORE_FOREIGN, "not an SQLite database");
    unlink(in_data("node.db"));

    change("CREATE TABLE block(height)");
    refuse(NODE_STORE_FOREIGN, "a database of another program");
    change("PRAGMA journal_mode = WAL; INSERT INTO block VALUES(1);");
    refuse(NODE_STORE_FOREIGN, "a database of another program");
    unlink(in_data("node.db"));
    change("PRAGMA application_id = 1449747022; CREATE TABLE run(id)"); /* a record of vibesim */
    refuse(NODE_STORE_FOREIGN, "a database of another program");
    unlink(in_data("node.db"));

    assert_int_equal(mkfifo(in_data("node.db"), 0600), 0);
    refuse(NODE_STORE_FOREIGN, "not a regular file");
    unlink(in_data("node.db"));
    assert_int_equal(mkdir(in_data("node.db"), 0700), 0);
    refuse(NODE_STORE_FOREIGN, "not a regular file");
    rmdir(in_data("node.db"));

    write_file(in_data("node.lock"), "my notes\n", 9);
    refuse(NODE_STORE_FOREIGN, "not a lock file, left as it is");
    unlink(in_data("node.lock"));
    assert_int_equal(symlink("elsewhere", in_data("node.lock")), 0);
    refuse(NODE_STORE_FOREIGN, "node.lock: cannot be written");
}

static void test_node_store_refuses_a_newer_version_and_says_which(void **state)
{
    (void)state;
    make_store(3, 100);
    change("PRAGMA user_version = 7");
    refuse(NODE_STORE_NEWER, "written by a newer vibenode (schema 7, this one knows 1)");
    change("PRAGMA user_version = 0");
    refuse(NODE_STORE_CORRUPT, "damaged");
}

static void test_node_store_refuses_another_chain_and_says_which(void **state)
{
    (void)state;
    make_store(3, 100);
    struct node_store_options options = default_options();
    options.genesis_timestamp = UINT64_MAX;
    refuse_with(&options, NODE_STORE_OTHER_CHAIN,
                "holds another chain (genesis 1744067299, difficulty 100; wanted: "
                "18446744073709551615, 100)");
    options = default_options();
    options.difficulty = 10;
    refuse_with(&options, NODE_STORE_OTHER_CHAIN, "wanted: 1744067299, 10)");
    change("UPDATE meta SET value = '9\nrm -rf' WHERE name = 'difficulty'");
    refuse(NODE_STORE_OTHER_CHAIN, "(genesis 1744067299, difficulty 9; wanted:");
    change("DELETE FROM meta WHERE name = 'difficulty'");
    refuse(NODE_STORE_CORRUPT, "damaged");
    change("DROP TABLE meta");
    refuse(NODE_STORE_CORRUPT, "damaged");
}

static void test_node_store_leaves_the_log_of_another_chain_untouched(void **state)
{
    (void)state;
    make_killed_store();
    struct node_store_options options = default_options();
    options.difficulty = 99;
    refuse_with(&options, NODE_STORE_OTHER_CHAIN, "another chain");
    struct node_store *store = must_open();
    static struct model model;
    static struct batch batch;
    for (uint32_t h = 1; h <= 5; h++)
        batch_block(&batch, &model, h, h, 9000);
    while (batch.count > 0)
        vn_slice_unref(batch.items[--batch.count].value);
    check_same(store, &model);
    assert_true(node_store_close(store));
}

/* ---- damage ---- */

static void damage(const char *name, long at, size_t len)
{
    FILE *f = fopen(in_data(name), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    while (len-- > 0)
        putc(0x5a, f);
    fclose(f);
}

static void test_node_store_refuses_a_damaged_file_untouched(void **state)
{
    (void)state;
    make_store(3, 100);
    assert_int_equal(truncate(in_data("node.db"), 60), 0);
    refuse(NODE_STORE_CORRUPT, "the database is damaged: move it away");
    unlink(in_data("node.db"));

    make_store(3, 100);
    damage("node.db", 16, 20); /* the page size, and what follows */
    refuse(NODE_STORE_CORRUPT, "damaged");
    unlink(in_data("node.db"));

    make_store(3, 100);
    damage("node.db", 100, 3000); /* the list of tables */
    refuse(NODE_STORE_CORRUPT, "damaged");
    unlink(in_data("node.db"));

    static const char *const drops[] = {"DROP TABLE ban", "ALTER TABLE addr RENAME value TO worth",
                                        "ALTER TABLE block RENAME body TO corpse"};
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++) {
        make_store(3, 100);
        change(drops[i]);
        refuse(NODE_STORE_CORRUPT, "damaged");
        unlink(in_data("node.db"));
    }
}

/* The status of a LOAD of all blocks, and how many it gave. */
static uint32_t load_blocks(struct node_store *store, uint32_t *count)
{
    submit_load(store, 1, VN_LOAD_BLOCKS, 1, UINT64_MAX, UINT64_MAX);
    const struct vn_event event = await_loaded(store, 1);
    *count = event.u.loaded.count;
    return event.u.loaded.status;
}

static void load_must_find_damage(void)
{
    struct node_store_stats stats;
    uint32_t count;
    struct node_store *store = must_open();
    assert_int_equal(load_blocks(store, &count), VN_ERR_IO);
    assert_int_equal(count, 0);
    node_store_stats(store, &stats);
    assert_true(stats.failing);
    assert_non_null(strstr(stats.error, "node.db: the database is damaged: move it away"));
    assert_true(node_store_close(store));
}

static void test_node_store_load_tells_of_damage_that_opening_did_not_see(void **state)
{
    (void)state;
    make_store(200, 1000);
    struct stat st;
    assert_int_equal(stat(in_data("node.db"), &st), 0);
    damage("node.db", st.st_size / 4096 / 2 * 4096, 4096);
    load_must_find_damage();
}

static void test_node_store_does_not_believe_what_was_planted_in_its_file(void **state)
{
    (void)state;
    uint32_t count;
    make_store(9, 100);
    change("DELETE FROM block WHERE height = 6");
    struct node_store *store = must_open();
    assert_int_equal(load_blocks(store, &count), VN_OK);
    assert_int_equal(count, 5); /* without gaps */
    assert_true(node_store_close(store));

    change("CREATE TRIGGER t AFTER INSERT ON addr BEGIN DELETE FROM block; END");
    static struct batch batch;
    store = must_open();
    batch_addr(&batch, NULL, 1, 1, 8);
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    assert_int_equal(load_blocks(store, &count), VN_OK);
    assert_int_equal(count, 5); /* nothing in it runs */
    assert_true(node_store_close(store));
    change("DROP TRIGGER t");

    change("ALTER TABLE addr RENAME TO old;"
           "CREATE TABLE addr(key BLOB PRIMARY KEY, value BLOB CHECK(length(value) <> 9))");
    store = must_open();
    for (int i = 0; i < 2; i++) { /* an error that ends no transaction by itself */
        batch_block(&batch, NULL, 2, 2, 100);
        batch_addr(&batch, NULL, 1, 1, 9);
        assert_int_equal(store_batch(store, 1, &batch), VN_ERR_IO);
        assert_int_equal(load_blocks(store, &count), VN_OK);
        assert_int_equal(count, 5);
        batch_addr(&batch, NULL, 1, 1, 8);
        assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    }
    assert_true(node_store_close(store));
    change("DROP TABLE addr; ALTER TABLE old RENAME TO addr");

    change("UPDATE block SET body = zeroblob(20000000) WHERE height = 2");
    load_must_find_damage(); /* nothing so large was stored */
    change("DELETE FROM block; INSERT INTO block VALUES(-1, zeroblob(32), x'00')");
    store = must_open();
    batch_block(&batch, NULL, 1, 1, 8);
    assert_int_equal(store_batch(store, 1, &batch), VN_ERR_IO); /* heights begin at 0 */
    assert_true(node_store_close(store));
    change("DROP TABLE block; CREATE TABLE block(height INTEGER PRIMARY KEY, hash, body);"
           "INSERT INTO block VALUES(1, '', 'text')");
    load_must_find_damage();
}

/* ---- places ---- */

static void test_node_store_names_what_is_wrong_with_a_place(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/no/such/", folder);
    char words[400];
    snprintf(words, sizeof words, "there is no folder %s/no: make it", folder);
    refuse_at(path, NODE_STORE_UNWRITABLE, words);
    snprintf(path, sizeof path, "%s/file", folder);
    write_file(path, "x", 1);
    refuse_at(path, NODE_STORE_FOREIGN, "a file, and it should be a folder");
    snprintf(path, sizeof path, "%s/file/data", folder);
    refuse_at(path, NODE_STORE_FOREIGN, "cannot be made (Not a directory)");
    snprintf(path, sizeof path, "%s/", folder);
    memset(path + strlen(path), 'n', 300);
    path[strlen(folder) + 301] = 0;
    refuse_at(path, NODE_STORE_IO, "cannot be made (File name too long)");
    refuse_at("", NODE_STORE_UNWRITABLE, "the name of the data folder is empty");
}

/* Opens as a user who is not root, and tells the outcome by a pipe. */
static void refuse_without_rights(const char *words)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork_child();
    if (child == 0) {
        const struct node_store_options options = default_options();
        enum node_store_problem problem = NODE_STORE_OK;
        char why[WHY_SIZE] = "opened";
        if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            snprintf(why, sizeof why, "cannot step down");
        else
            node_store_open(&options, &problem, why, sizeof why);
        _exit(write(pipes[1], why, sizeof why) != sizeof why || problem != NODE_STORE_UNWRITABLE);
    }
    char why[WHY_SIZE] = "";
    close(pipes[1]);
    assert_int_equal(read(pipes[0], why, sizeof why), sizeof why);
    close(pipes[0]);
    int status;
    waitpid(child, &status, 0);
    if (!strstr(why, words) || status != 0)
        fail_msg("expected '%s', got '%s', status %d", words, why, status);
}

/* Gives it to the user whom refuse_without_rights becomes. */
static void give(const char *path, mode_t mode)
{
    if (getuid() == 0)
        assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_node_store_refuses_what_it_may_not_write(void **state)
{
    (void)state;
    give(folder, 0500);
    refuse_without_rights("data: cannot be made (Permission denied)");
    give(folder, 0700);

    make_store(3, 100);
    give(in_data("node.lock"), 0600);
    give(in_data("node.db"), 0400);
    give(data, 0700);
    const char *before = snapshot();
    refuse_without_rights("node.db: cannot be written (Permission denied)");
    give(in_data("node.db"), 0);
    refuse_without_rights("node.db: cannot be read (Permission denied)");
    give(in_data("node.db"), 0600);
    give(data, 0500);
    refuse_without_rights("data: cannot be written (Permission denied)");
    give(data, 0700);
    give(in_data("node.lock"), 0400);
    refuse_without_rights("node.lock: cannot be written (Permission denied)");
    give(in_data("node.lock"), 0600);
    assert_string_equal(snapshot(), before);
}

static void test_node_store_without_room_at_the_start_leaves_nothing(void **state)
{
    (void)state;
    for (rlim_t room = 0; room < 40000; room += 4096) {
        const pid_t child = fork_child();
        if (child == 0) {
            const struct rlimit limit = {room, room};
            const struct node_store_options options = default_options();
            enum node_store_problem problem = NODE_STORE_OK;
            char why[WHY_SIZE] = "";
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &limit);
            struct node_store *store = node_store_open(&options, &problem, why, sizeof why);
            if (store && node_store_close(store))
                _exit(2);
            _exit(problem == NODE_STORE_UNWRITABLE && strstr(why, "free some space") ? 0 : 1);
        }
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 1);
        if (WEXITSTATUS(status) == 2) {
            assert_true(room >= 20000); /* five tables and the list of them */
            return;
        }
        assert_int_not_equal(access(data, F_OK), 0);
    }
    fail_msg("40,000 bytes were not enough");
}

static void test_node_store_opens_a_file_that_a_dead_process_left_empty(void **state)
{
    (void)state;
    assert_int_equal(mkdir(data, 0700), 0);
    write_file(in_data("node.db"), "", 0);
    write_file(in_data("node.lock"), "123\n", 4);
    make_store(3, 100);
    assert_string_equal(ask("SELECT count(*) FROM block"), "3");
}

static void test_node_store_takes_a_folder_relative_to_the_present_one(void **state)
{
    (void)state;
    char before[500];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    struct node_store_options options = default_options();
    options.folder = "file:data?mode=memory";
    struct node_store *store = must_open_with(&options);
    assert_int_equal(access("file:data?mode=memory/node.db", F_OK), 0);
    assert_true(node_store_close(store));
    assert_int_equal(chdir(before), 0);
}

/* ---- one process at a time ---- */

/* A process that has the store open, from when this returns until it is killed. */
static pid_t open_elsewhere(void)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork_child();
    if (child == 0) {
        const struct node_store_options options = default_options();
        enum node_store_problem problem;
        char why[WHY_SIZE];
        const bool ok = node_store_open(&options, &problem, why, sizeof why);
        if (!ok || write(pipes[1], "o", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char c;
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    close(pipes[0]);
    return child;
}

static void test_node_store_is_open_in_one_process_until_that_dies(void **state)
{
    (void)state;
    char words[80];
    for (int i = 0; i < 3; i++) {
        const pid_t child = open_elsewhere();
        snprintf(words, sizeof words, "used by another process (pid %ld): stop that one",
                 (long)child);
        refuse(NODE_STORE_LOCKED, words);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        make_store(3, 100);
    }
}

/* A process that reads the database as sqlite3 would when it is told to; made while the store is
 * not open, since a child inherits what SQLite knows of its parent's locks. */
static pid_t reader_elsewhere(int *go)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork_child();
    if (child == 0) {
        char c;
        sqlite3 *db;
        const bool ok = read(pipes[0], &c, 1) == 1 &&
                        sqlite3_open(in_data("node.db"), &db) == SQLITE_OK &&
                        sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL) == SQLITE_OK &&
                        sqlite3_close(db) == SQLITE_OK;
        _exit(!ok);
    }
    close(pipes[0]);
    *go = pipes[1];
    return child;
}

static void test_node_store_is_open_once_in_a_process(void **state)
{
    (void)state;
    int go, status;
    const pid_t reader = reader_elsewhere(&go);
    struct node_store *store = must_open();
    const struct node_store_options options = default_options();
    enum node_store_problem problem = NODE_STORE_OK;
    char why[WHY_SIZE] = "";
    assert_null(node_store_open(&options, &problem, why, sizeof why));
    assert_int_equal(problem, NODE_STORE_LOCKED);
    /* The refusal took no lock of the first one away: another process that closes the file does not
     * think that it was the last, and removes no log. */
    assert_int_equal(write(go, "g", 1), 1);
    close(go);
    waitpid(reader, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(access(in_data("node.db-wal"), F_OK), 0);
    assert_true(node_store_close(store));
    assert_int_not_equal(access(in_data("node.db-wal"), F_OK), 0);
    make_store(3, 100);
}

static void test_node_store_names_no_process_that_it_does_not_know(void **state)
{
    (void)state;
    make_store(3, 100);
    const int fd = open(in_data("node.lock"), O_RDWR);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    refuse(NODE_STORE_LOCKED, "used by another process: stop that one");
    close(fd);
    make_store(3, 100);
}

static void test_node_store_opens_for_one_of_many_that_come_at_once(void **state)
{
    (void)state;
    enum { CHILDREN = 6, ROUNDS = 10 };
    for (int round = 0; round < ROUNDS; round++) {
        int go[2], outcome[2];
        pid_t children[CHILDREN];
        assert_int_equal(pipe(go), 0);
        assert_int_equal(pipe(outcome), 0);
        for (int i = 0; i < CHILDREN; i++) {
            children[i] = fork_child();
            if (children[i] != 0)
                continue;
            const struct node_store_options options = default_options();
            enum node_store_problem problem = NODE_STORE_OK;
            char c, why[WHY_SIZE];
            close(go[1]);
            if (read(go[0], &c, 1) != 0)
                _exit(1);
            const bool ok = node_store_open(&options, &problem, why, sizeof why);
            c = ok ? 'o' : problem == NODE_STORE_LOCKED ? 'l' : 'x';
            if (write(outcome[1], &c, 1) != 1 || !ok)
                _exit(0);
            for (;;)
                pause();
        }
        close(go[0]);
        close(go[1]);
        char said[CHILDREN + 1] = "";
        for (int i = 0; i < CHILDREN; i++)
            assert_int_equal(read(outcome[0], said + i, 1), 1);
        close(outcome[0]);
        close(outcome[1]);
        for (int i = 0; i < CHILDREN; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        if (!strchr(said, 'o') || strchr(said, 'o') != strrchr(said, 'o') || strchr(said, 'x'))
            fail_msg("%s", said);
        remove_all(data);
    }
}

/* ---- versions ---- */

static const char *const planted_lifts[] = {
    "ALTER TABLE ban ADD COLUMN reason TEXT NOT NULL DEFAULT 'unknown';",
    "CREATE TABLE anchor(key BLOB PRIMARY KEY) STRICT;"
    "INSERT INTO anchor SELECT key FROM addr WHERE value = x'01';",
};

static const char *const broken_lifts[] = {
    "ALTER TABLE ban ADD COLUMN reason TEXT NOT NULL DEFAULT 'unknown'; DELETE FROM block;",
    "INSERT INTO no_such_table VALUES(1);",
};

/* Opens the store's file as a later program with that schema would. */
static bool open_later(const struct store_schema *schema, struct store_why *why)
{
    const struct node_store_options options = default_options();
    sqlite3 *db = store_schema_open(in_data("node.db"), schema, &options, why);
    if (db)
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite3_close(db);
    return db;
}

static void store_some_of_all(void)
{
    static struct batch batch;
    struct node_store *store = must_open();
    batch_block(&batch, NULL, 1, 1, 5000);
    batch_ban(&batch, NULL, 1, 99, 1, 8);
    batch_addr(&batch, NULL, 1, 1, 8);
    batch_addr(&batch, NULL, 2, 1, 1);
    batch.items[3].value.buf->data[1] = 1;
    assert_int_equal(store_batch(store, 1, &batch), VN_OK);
    assert_true(node_store_close(store));
}

static void test_node_store_brings_an_older_file_up_to_date_in_steps(void **state)
{
    (void)state;
    char text[WHY_SIZE] = "";
    struct store_why why = {NODE_STORE_OK, text, sizeof text};
    const struct store_schema second = {2, NULL, planted_lifts};
    const struct store_schema third = {3, NULL, planted_lifts};
    for (int killed = 0; killed < 2; killed++) { /* with a log to be read first, and without */
        if (killed)
            make_killed_store();
        store_some_of_all();
        assert_true(open_later(&third, &why));
        assert_string_equal(ask("PRAGMA user_version"), "3");
        assert_string_equal(ask("SELECT reason FROM ban"), "unknown");
        assert_string_equal(ask("SELECT count(*) FROM anchor"), "1");
        assert_string_equal(ask("SELECT count(*) FROM block"), "1");
        assert_string_equal(ask("PRAGMA journal_mode"), "wal");
        assert_true(open_later(&third, &why)); /* nothing left to do */
        refuse(NODE_STORE_NEWER, "schema 3, this one knows 1");
        remove_all(data);
    }
    store_some_of_all();
    assert_true(open_later(&second, &why));
    assert_string_equal(ask("PRAGMA user_version"), "2");
    assert_true(open_later(&third, &why)); /* the second step alone */
    assert_string_equal(ask("PRAGMA user_version"), "3");
    assert_string_equal(ask("SELECT count(*) FROM anchor"), "1");
}

static void test_node_store_keeps_an_older_file_that_cannot_be_brought_up_to_date(void **state)
{
    (void)state;
    char text[WHY_SIZE] = "";
    struct store_why why = {NODE_STORE_OK, text, sizeof text};
    const struct store_schema broken = {3, NULL, broken_lifts};
    store_some_of_all();
    assert_false(open_later(&broken, &why));
    assert_int_equal(why.problem, NODE_STORE_IO);
    assert_non_null(strstr(text, "no such table: no_such_table"));
    assert_string_equal(ask("PRAGMA user_version"), "1");
    assert_string_equal(ask("PRAGMA journal_mode"), "wal");
    struct node_store *store = must_open(); /* as if nothing had been */
    uint32_t count;
    assert_int_equal(load_blocks(store, &count), VN_OK);
    assert_int_equal(count, 1);
    assert_true(node_store_close(store));
    /* Another chain's file is not brought up to date but refused. */
    change("UPDATE meta SET value = '7' WHERE name = 'difficulty'");
    const struct store_schema third = {3, NULL, planted_lifts};
    assert_false(open_later(&third, &why));
    assert_int_equal(why.problem, NODE_STORE_OTHER_CHAIN);
    assert_string_equal(ask("PRAGMA user_version"), "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_node_store_leaves_files_that_are_not_its_own_untouched),
        CASE(test_node_store_refuses_a_newer_version_and_says_which),
        CASE(test_node_store_refuses_another_chain_and_says_which),
        CASE(test_node_store_leaves_the_log_of_another_chain_untouched),
        CASE(test_node_store_refuses_a_damaged_file_untouched),
        CASE(test_node_store_load_tells_of_damage_that_opening_did_not_see),
        CASE(test_node_store_does_not_believe_what_was_planted_in_its_file),
        CASE(test_node_store_names_what_is_wrong_with_a_place),
        CASE(test_node_store_refuses_what_it_may_not_write),
        CASE(test_node_store_without_room_at_the_start_leaves_nothing),
        CASE(test_node_store_opens_a_file_that_a_dead_process_left_empty),
        CASE(test_node_store_takes_a_folder_relative_to_the_present_one),
        CASE(test_node_store_is_open_in_one_process_until_that_dies),
        CASE(test_node_store_is_open_once_in_a_process),
        CASE(test_node_store_names_no_process_that_it_does_not_know),
        CASE(test_node_store_opens_for_one_of_many_that_come_at_once),
        CASE(test_node_store_brings_an_older_file_up_to_date_in_steps),
        CASE(test_node_store_keeps_an_older_file_that_cannot_be_brought_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
