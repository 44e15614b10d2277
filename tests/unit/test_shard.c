/* Which shard of a sweep a process is to make, by what started it. */
#include "vibesim/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const *variables; /* NAME, VALUE, ..., NULL */
static char why[400];

static const char *get(const char *name)
{
    for (const char *const *v = variables; *v; v += 2)
        if (strcmp(*v, name) == 0)
            return v[1];
    return NULL;
}

static void expect_shard(const char *count, uint32_t index, uint32_t of, const char *from)
{
    struct shard s;
    if (!shard_from_environment(&s, get, count, why, sizeof why))
        fail_msg("refused: %s", why);
    if (s.index != index || s.count != of || strcmp(s.from, from) != 0)
        fail_msg("expected %u of %u by '%s', got %u of %u by '%s'", index, of, from, s.index,
                 s.count, s.from);
}

static void expect_refusal(const char *count, const char *words)
{
    struct shard s;
    if (shard_from_environment(&s, get, count, why, sizeof why))
        fail_msg("expected '%s', got %u of %u by '%s'", words, s.index, s.count, s.from);
    if (!strstr(why, words) || strchr(why, '\n'))
        fail_msg("expected '%s', got '%s'", words, why);
}

#define ENVIRONMENT(...)                                                                           \
    variables = (const char *const[])                                                              \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void test_shard_is_the_whole_where_nothing_says_otherwise(void **state)
{
    (void)state;
    ENVIRONMENT("HOME", "x");
    expect_shard(NULL, 1, 1, "");
    expect_shard("1", 1, 1, "");
    ENVIRONMENT("CI_NODE_TOTAL", "1"); /* GitLab says so of every job */
    expect_shard(NULL, 1, 1, "");
}

static void test_shard_of_a_slurm_array_counts_from_its_first_task(void **state)
{
    (void)state;
    ENVIRONMENT("SLURM_ARRAY_TASK_ID", "0", "SLURM_ARRAY_TASK_COUNT", "4", "SLURM_ARRAY_TASK_MIN",
                "0");
    expect_shard(NULL, 1, 4, "SLURM_ARRAY_TASK_ID=0, SLURM_ARRAY_TASK_COUNT=4");
    ENVIRONMENT("SLURM_ARRAY_TASK_ID", "4", "SLURM_ARRAY_TASK_COUNT", "4", "SLURM_ARRAY_TASK_MIN",
                "1", "SLURM_ARRAY_TASK_STEP", "1");
    expect_shard(NULL, 4, 4, "SLURM_ARRAY_TASK_ID=4, SLURM_ARRAY_TASK_COUNT=4");
    ENVIRONMENT("SLURM_ARRAY_TASK_ID", "7", "SLURM_ARRAY_TASK_COUNT", "3", "SLURM_ARRAY_TASK_MIN",
                "1", "SLURM_ARRAY_TASK_STEP", "3"); /* --array=1-9:3 is 1, 4, 7 */
    expect_shard(NULL, 3, 3, "SLURM_ARRAY_TASK_ID=7, SLURM_ARRAY_TASK_COUNT=3");
    ENVIRONMENT("SLURM_ARRAY_TASK_ID", "9", "SLURM_ARRAY_TASK_COUNT", "3", "SLURM_ARRAY_TASK_MIN",
                "1"); /* --array=1,2,9 */
    expect_refusal(NULL, "SLURM_ARRAY_TASK_ID=9 is none of 3 shards that begin at 1: say which");
}

static void test_shard_of_others_counts_as_they_do(void **state)
{
    (void)state;
    ENVIRONMENT("OMPI_COMM_WORLD_RANK", "0", "OMPI_COMM_WORLD_SIZE", "3");
    expect_shard(NULL, 1, 3, "OMPI_COMM_WORLD_RANK=0, OMPI_COMM_WORLD_SIZE=3");
    ENVIRONMENT("CI_NODE_INDEX", "3", "CI_NODE_TOTAL", "3");
    expect_shard(NULL, 3, 3, "CI_NODE_INDEX=3, CI_NODE_TOTAL=3");
    ENVIRONMENT("CI_NODE_INDEX", "0", "CI_NODE_TOTAL", "3");
    expect_refusal(NULL, "CI_NODE_INDEX=0 is none of 3 shards that begin at 1");
    ENVIRONMENT("JOB_COMPLETION_INDEX", "4");
    expect_shard("5", 5, 5, "JOB_COMPLETION_INDEX=4");
    expect_refusal("4", "JOB_COMPLETION_INDEX=4 is none of 4 shards");
    expect_refusal(NULL,
                   "JOB_COMPLETION_INDEX=4 says which shard this is, but not of how many: add "
                   "--shards N or set VIBESIM_SHARDS");
    ENVIRONMENT("JOB_COMPLETION_INDEX", "4", "VIBESIM_SHARDS", "6");
    expect_shard(NULL, 5, 6, "JOB_COMPLETION_INDEX=4");
    expect_shard("5", 5, 5, "JOB_COMPLETION_INDEX=4"); /* what is typed wins */
}

static void test_shard_contradictions_are_refused(void **state)
{
    (void)state;
    ENVIRONMENT("SLURM_ARRAY_TASK_ID", "1", "SLURM_ARRAY_TASK_COUNT", "4", "OMPI_COMM_WORLD_RANK",
                "1", "OMPI_COMM_WORLD_SIZE", "3");
    expect_refusal(NULL, "OMPI_COMM_WORLD_RANK=1, OMPI_COMM_WORLD_SIZE=3 contradicts "
                         "SLURM_ARRAY_TASK_ID=1, SLURM_ARRAY_TASK_COUNT=4: say which shard with");
    ENVIRONMENT("SLURM_ARRAY_TASK_ID", "1", "SLURM_ARRAY_TASK_COUNT", "4", "OMPI_COMM_WORLD_RANK",
                "0", "OMPI_COMM_WORLD_SIZE", "1"); /* one process in each task */
    expect_shard(NULL, 2, 4, "SLURM_ARRAY_TASK_ID=1, SLURM_ARRAY_TASK_COUNT=4");
    ENVIRONMENT("CI_NODE_INDEX", "1", "CI_NODE_TOTAL", "1", "JOB_COMPLETION_INDEX", "2",
                "VIBESIM_SHARDS", "3");
    expect_refusal(NULL, "CI_NODE_TOTAL=1 contradicts the number of shards that is given, 3");
    ENVIRONMENT("OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "3");
    expect_refusal("4", "OMPI_COMM_WORLD_SIZE=3 contradicts the number of shards that is given, 4");
    ENVIRONMENT("HOME", "x");
    expect_refusal("3", "--shards: says of how many, and nothing says which");
}

static void test_shard_variables_that_are_no_numbers_are_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"", "x", "-1", "1 ", "1e3", "99999999999", "0x2"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        ENVIRONMENT("OMPI_COMM_WORLD_RANK", words[i], "OMPI_COMM_WORLD_SIZE", "3");
        expect_refusal(NULL, "OMPI_COMM_WORLD_RANK: '");
        ENVIRONMENT("OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", words[i]);
        expect_refusal(NULL, "OMPI_COMM_WORLD_SIZE: '");
        ENVIRONMENT("JOB_COMPLETION_INDEX", "1", "VIBESIM_SHARDS", words[i]);
        expect_refusal(NULL, "VIBESIM_SHARDS: '");
    }
    ENVIRONMENT("OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "0");
    expect_refusal(NULL, "but not of how many");
    ENVIRONMENT("OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "100001");
    expect_refusal(NULL, "OMPI_COMM_WORLD_RANK=1 is none of 100001 shards");
    ENVIRONMENT("SLURM_ARRAY_TASK_ID", "1", "SLURM_ARRAY_TASK_COUNT", "3", "SLURM_ARRAY_TASK_STEP",
                "0");
    expect_refusal(NULL, "SLURM_ARRAY_TASK_ID=1 is none of 3 shards");
}

static void test_shard_as_typed(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      "1",   "1/",  "/2",   "0/2",      "3/2",
                                        "1/2/3", "a/b", "1/0", "-1/2", "1/100001", "1 /2"};
    struct shard s;
    assert_true(shard_parse(&s, "2/8", why, sizeof why));
    assert_int_equal(s.index, 2);
    assert_int_equal(s.count, 8);
    assert_string_equal(s.from, "");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (shard_parse(&s, wrong[i], why, sizeof why))
            fail_msg("'%s' is understood", wrong[i]);
        assert_non_null(strstr(why, "is no shard: write I/N, from 1/N to N/N, like 2/8"));
    }
}

/* Every job is of one shard, and shares differ by one at most. */
static void test_shard_shares_are_fair_and_whole(void **state)
{
    (void)state;
    for (uint32_t count = 1; count < 12; count++)
        for (uint64_t jobs = 0; jobs < 40; jobs++) {
            uint64_t all = 0;
            for (uint32_t index = 1; index <= count; index++) {
                uint64_t counted = 0;
                for (uint64_t job = 0; job < jobs; job++)
                    counted += job % count == index - 1;
                assert_int_equal(shard_jobs(index, count, jobs), counted);
                assert_in_range(counted, jobs / count, jobs / count + 1);
                all += counted;
            }
            assert_int_equal(all, jobs);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard_is_the_whole_where_nothing_says_otherwise),
        cmocka_unit_test(test_shard_of_a_slurm_array_counts_from_its_first_task),
        cmocka_unit_test(test_shard_of_others_counts_as_they_do),
        cmocka_unit_test(test_shard_contradictions_are_refused),
        cmocka_unit_test(test_shard_variables_that_are_no_numbers_are_refused),
        cmocka_unit_test(test_shard_as_typed),
        cmocka_unit_test(test_shard_shares_are_fair_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
