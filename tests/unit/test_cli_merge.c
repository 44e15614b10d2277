/* `vibesim merge`: shards of a sweep, or other records, into one. */
#include "tests/unit/sweep_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define SEEDS "2..6,9..12,14..20" /* with a failure, a crash, and one that hits the rare thing */

/* Three shards of one sweep, "1.db" to "3.db". */
static void make_shards(void)
{
    static const char *const shards[] = {"1/3", "2/3", "3/3"};
    child_write(&c, "it.lua", "wild");
    for (size_t i = 0; i < 3; i++) {
        char db[32];
        snprintf(db, sizeof db, "%zu.db", i + 1);
        SWEEP("it.lua", "tame.lua", "--seeds", SEEDS, "--shard", shards[i], "--db", db);
        assert_int_equal(c.status, i == 2 ? 0 : 1);
    }
}

static void test_merge_of_shards_in_any_order_equals_one_sweep(void **state)
{
    (void)state;
    static const char *const orders[][3] = {
        {"1.db", "2.db", "3.db"}, {"3.db", "2.db", "1.db"}, {"2.db", "3.db", "1.db"}};
    make_shards();
    SWEEP("it.lua", "tame.lua", "--seeds", SEEDS, "--db", "whole.db");
    assert_int_equal(c.status, 1);
    char *whole = strdup(strchr(c.out, '\n')); /* behind the title, which names the plan */
    for (size_t i = 0; i < 3; i++) {
        unlink(db_path("all.db"));
        MERGE("all.db", orders[i][0], orders[i][1], orders[i][2]);
        ended(1, "all.db: 32 runs of 3 files\n", "");
        has(whole);
        holds("all.db", "SELECT group_concat(id = job + 1, '') FROM run",
              "11111111111111111111111111111111");
        holds("all.db", "SELECT shard, shards, complete FROM sweep ORDER BY shard",
              "1|3|1\n2|3|1\n3|3|1");
        /* The plan knows of shards: its id differs, and nothing else. */
        run_sql("all.db", "UPDATE run SET sweep_id = (SELECT 'x')");
        run_sql("whole.db", "UPDATE run SET sweep_id = (SELECT 'x')");
        same_contents("all.db", "whole.db", CONTENTS_OF_RUNS);
    }
    free(whole);
    assert_int_equal(files(), 7);
}

static void test_merge_judges_what_is_to_happen_sometimes_over_all_shards(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "10,11", "--shard", "1/2");
    ended(0, "What is to happen sometimes is judged over all shards", "shard 1 of 2: 1 run\n");
    SWEEP("it.lua", "--seeds", "10,11", "--shard", "2/2");
    MERGE("all.db", "sweep-1-of-2.db", "sweep-2-of-2.db");
    ended(0, "     1 of 1\n", "");
    SWEEP("tame.lua", "--seeds", "10,11", "--shard", "1/2", "--db", "a.db");
    ended(0, "", "shard");
    SWEEP("tame.lua", "--seeds", "10,11", "--shard", "2/2", "--db", "b.db");
    ended(0, "", "shard");
    MERGE("none.db", "a.db", "b.db", "--quiet");
    ended(1, "FAILED  tame: sometimes: the rare thing (it.lua:9): no run hit it\n", "");
    has("FAIL  2 of 2 runs hold, 0 of 1 scenarios, 1 sometimes never\n");
}

static void test_merge_refuses_what_is_not_whole(void **state)
{
    (void)state;
    make_shards();
    MERGE("all.db", "1.db", "3.db");
    refused("vibesim: shard 2 of 3 is missing: name its file too, or merge with --partial\n");
    MERGE("all.db", "2.db");
    refused("vibesim: shards 1, 3 of 3 are missing: name their files too, or");
    run_sql("2.db", "UPDATE sweep SET complete = 0; DELETE FROM run WHERE job = 1");
    MERGE("all.db", "1.db", "2.db", "3.db");
    refused("vibesim: 2.db: shard 2 of 3 is not complete, it has 10 of 11 runs: go on with it by "
            "vibesim sweep ... --resume, or merge with --partial\n");
    assert_false(child_exists(&c, "all.db"));
    MERGE("all.db", "2.db", "1.db", "--partial");
    ended(1, "shard 1+2 of 3\n", "");
    has("  FAIL  wild                                        9 of 11        1        0     1 of "
        "1\n");
    has("FAIL  21 of 22 runs done, ");
    holds("all.db", "SELECT shard, complete, runs FROM sweep ORDER BY shard", "1|1|11\n2|0|11");
    assert_int_equal(files(), 6);
}

static void test_merge_refuses_a_shard_twice(void **state)
{
    (void)state;
    make_shards();
    char command[700];
    snprintf(command, sizeof command, "cp %s/2.db %s/copy.db", c.folder, c.folder);
    assert_int_equal(system(command), 0);
    MERGE("all.db", "1.db", "2.db", "3.db", "copy.db", "--partial");
    refused("vibesim: copy.db: has shard 2 of 3, which 2.db has too: leave out one of them\n");
    MERGE("all.db", "1.db", "./1.db");
    refused("vibesim: ./1.db: is given twice, as 1.db\n");
    assert_int_equal(files(), 6);
}

static void test_merge_refuses_other_plans_and_mixed_builds(void **state)
{
    (void)state;
    make_shards();
    SWEEP("it.lua", "tame.lua", "--seeds", "2..7", "--shard", "2/3", "--db", "other.db");
    MERGE("all.db", "1.db", "other.db", "3.db");
    refused("vibesim: other.db: is of another sweep than 1.db (seeds: \"" SEEDS "\" in 1.db, "
            "\"2..7\" in other.db)\n");
    run_sql("2.db", "UPDATE run SET build = 'old' WHERE job = 4");
    MERGE("all.db", "1.db", "2.db", "3.db");
    refused("vibesim: runs of mixed builds, ");
    assert_non_null(strstr(c.err, " and old in 2.db: what differs between them may be the build; "
                                  "take them all the same with --mixed-builds\n"));
    assert_false(child_exists(&c, "all.db"));
    MERGE("all.db", "1.db", "2.db", "3.db", "--mixed-builds");
    ended(1, "all.db: 32 runs of 3 files\n", "");
    holds("all.db", "SELECT job FROM run WHERE build = 'old'", "4");
}

static void test_merge_refuses_names_that_make_no_sense(void **state)
{
    (void)state;
    make_shards();
    MERGE("all.db");
    refused(
        "vibesim: merge: name a new file and what goes into it: vibesim merge OUT.db IN.db...\n");
    MERGE("1.db", "2.db", "3.db");
    refused("vibesim: 1.db: is there already: name a new file, or remove it\n");
    MERGE("./2.db", "1.db", "2.db", "3.db");
    refused("vibesim: ./2.db: is to be read and written: name a new file first");
    MERGE("all.db", "1.db", "2.db", "missing.db");
    refused("vibesim: missing.db: there is no such file");
    MERGE("all.db", "it.lua");
    refused("vibesim: it.lua: not an SQLite database, left as it is: use another file\n");
    MERGE("no/all.db", "1.db", "2.db", "3.db");
    refused("vibesim: no/all.db: cannot be created (No such file or directory): name a file in");
    child_write(&c, "empty.db", "");
    MERGE("all.db", "empty.db");
    refused("vibesim: empty.db: an empty file: name a record of vibesim\n");
    run_sql("foreign.db", "CREATE TABLE t(x)");
    MERGE("all.db", "1.db", "foreign.db");
    refused("vibesim: foreign.db: a database of another program");
    assert_int_equal(files(), 7);
}

static void test_merge_joins_other_records_and_makes_old_ones_new(void **state)
{
    (void)state;
    VIBESIM("run", "it.lua", "--seeds", "9,10", "--db", "a.db");
    VIBESIM("run", "it.lua", "--seeds", "5,11", "--db", "b.db");
    MERGE("ab.db", "b.db", "a.db");
    ended(0, "ab.db: 4 runs of 2 files\n", "");
    holds("ab.db", "SELECT id, seed FROM run ORDER BY id", "1|5\n2|11\n3|9\n4|10");
    holds("ab.db", "SELECT run_id, value FROM metric ORDER BY run_id", "2|11.0\n3|9.0\n4|10.0");
    run_sql("a.db", "DROP TABLE sweep; DROP TABLE decision; DROP INDEX run_sweep;"
                    "ALTER TABLE run DROP COLUMN sweep_id; ALTER TABLE run DROP COLUMN job;"
                    "ALTER TABLE run DROP COLUMN file; ALTER TABLE run DROP COLUMN options;"
                    "UPDATE run SET build = 'old' WHERE id = 2; PRAGMA user_version = 1");
    MERGE("new.db", "a.db"); /* one file may have its builds */
    ended(0, "new.db: 2 runs of 1 file\n", "");
    holds("new.db", "PRAGMA user_version", "3");
    holds("new.db", "SELECT id, seed, build = 'old', file, sweep_id FROM run ORDER BY id",
          "1|9|0|NULL|NULL\n2|10|1|NULL|NULL");
    holds("new.db", "SELECT count(*) FROM check_result", "4");
    holds("a.db", "PRAGMA user_version", "1"); /* left as it was */
    MERGE("both.db", "new.db", "b.db");
    refused("vibesim: runs of mixed builds, ");
    /* A sweep comes first, by its jobs; what else there is behind it. */
    SWEEP("it.lua", "--seeds", "11,12", "--db", "s.db");
    MERGE("mixed.db", "b.db", "s.db");
    ended(0, "PASS  2 of 2 runs hold", "");
    holds("mixed.db", "SELECT seed, job FROM run ORDER BY id", "11|0\n12|1\n5|NULL\n11|NULL");
}

/* A merged record is one that can be gone on with. */
static void test_merge_of_some_shards_can_be_resumed(void **state)
{
    (void)state;
    make_shards();
    MERGE("all.db", "1.db", "2.db", "--partial");
    assert_int_equal(c.status, 1);
    SWEEP("it.lua", "tame.lua", "--seeds", SEEDS, "--shard", "3/3", "--db", "all.db");
    assert_int_equal(c.status, 1);
    MERGE("three.db", "3.db", "1.db", "2.db");
    same_contents("all.db", "three.db", sizeof contents / sizeof *contents);
}

static void test_merge_tells_a_record_that_was_tampered_with(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *told;
    } harms[] = {
        {"UPDATE run SET job = 2 WHERE job = 1", "has runs of a sweep that it does not hold"},
        {"UPDATE run SET job = 1000000 WHERE job = 1", "is not what the plan of its sweep says"},
        {"UPDATE run SET sweep_id = 'x' WHERE job = 1",
         "has runs of a sweep that it does not hold"},
        {"DELETE FROM run WHERE job = 1",
         "has 10 of 11 runs of shard 2 and says that it is complete"},
        {"UPDATE sweep SET shard = 3", "has runs of a sweep that it does not hold"},
        {"UPDATE sweep SET shards = 0", "has runs of a sweep that it does not hold"},
        {"UPDATE sweep SET runs = 9", "its sweep makes no sense"},
        {"UPDATE sweep SET plan = '[' || plan", "its plan of the sweep makes no sense"},
        {"UPDATE sweep SET plan = ' ' || plan", "its sweep makes no sense"},
        {"ALTER TABLE run DROP COLUMN reason", "the database is damaged"},
    };
    make_shards();
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        char command[700];
        snprintf(command, sizeof command, "cp %s/2.db %s/bad.db", c.folder, c.folder);
        assert_int_equal(system(command), 0);
        run_sql("bad.db", harms[i].sql);
        MERGE("all.db", "1.db", "bad.db", "3.db");
        refused("vibesim: bad.db: ");
        refused(harms[i].told);
        assert_int_equal(files(), 6);
    }
}

static void test_merge_of_a_locked_record_says_so(void **state)
{
    (void)state;
    make_shards();
    sqlite3 *db;
    assert_int_equal(sqlite3_open(db_path("2.db"), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE run SET "
                     "verdict = 'x'",
                     NULL, NULL, NULL),
        SQLITE_OK);
    MERGE("all.db", "1.db", "2.db", "3.db");
    refused("vibesim: 2.db: locked by another process: wait for it or use another file\n");
    sqlite3_close(db);
    MERGE("all.db", "1.db", "2.db", "3.db");
    ended(1, "all.db: 32 runs of 3 files\n", "");
}

static void test_merge_reads_what_it_cannot_write(void **state)
{
    (void)state;
    make_shards();
    static const char *const shards[] = {"1.db", "2.db", "3.db"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(chmod(db_path(shards[i]), 0444), 0);
    MERGE("all.db", "1.db", "2.db", "3.db");
    ended(1, "all.db: 32 runs of 3 files\n", "");
}

static void test_merge_without_room_or_time_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit limit = {60000, RLIM_INFINITY}, before;
    make_shards();
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &limit);
    MERGE("all.db", "1.db", "2.db", "3.db");
    setrlimit(RLIMIT_FSIZE, &before);
    refused("vibesim: all.db: no room for the record");
    assert_int_equal(files(), 5);
}

int main(void)
{
    forget_environment();
    const struct CMUnitTest tests[] = {
        CASE(test_merge_of_shards_in_any_order_equals_one_sweep),
        CASE(test_merge_judges_what_is_to_happen_sometimes_over_all_shards),
        CASE(test_merge_refuses_what_is_not_whole),
        CASE(test_merge_refuses_a_shard_twice),
        CASE(test_merge_refuses_other_plans_and_mixed_builds),
        CASE(test_merge_refuses_names_that_make_no_sense),
        CASE(test_merge_joins_other_records_and_makes_old_ones_new),
        CASE(test_merge_of_some_shards_can_be_resumed),
        CASE(test_merge_tells_a_record_that_was_tampered_with),
        CASE(test_merge_of_a_locked_record_says_so),
        CASE(test_merge_reads_what_it_cannot_write),
        CASE(test_merge_without_room_or_time_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
