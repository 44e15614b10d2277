/* What --trace asks for: words to events. */
#include "vibesim/trace_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct trace_filter filter;
static char why[400];

static const struct trace_host nobody, node2 = {false, 2}, node3 = {false, 3}, node7 = {false, 7},
                                       peer2 = {true, 2};

static int fixture(void **state)
{
    (void)state;
    memset(&filter, 0, sizeof filter);
    return 0;
}

static void add(const char *text)
{
    if (!trace_filter_add(&filter, text, why, sizeof why))
        fail_msg("'%s': %s", text, why);
}

static bool wants(uint32_t kind, struct trace_host host, struct trace_host other)
{
    return trace_filter_wants(&filter, kind, host, other);
}

static void test_filter_follows_a_node_by_number_or_name(void **state)
{
    static const char *const texts[] = {"node=3", "node=0003", "node=node-3", "node=node-0003"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fixture(state);
        add(texts[i]);
        assert_true(wants(VN_TR_TIP, node3, nobody));
        assert_true(wants(VN_TR_MSG_IN, node3, node2));
        assert_true(wants(TRACE_STEP, node3, nobody));
        assert_false(wants(VN_TR_MSG_OUT, node2, node3)); /* of its peer, that is */
        assert_false(wants(TRACE_LOG, nobody, nobody));
    }
    add("node=peer-0002");
    assert_false(wants(VN_TR_TIP, node2, nobody));
    assert_true(wants(TRACE_STEP, peer2, nobody));
}

static void test_filter_follows_a_link_from_both_ends(void **state)
{
    static const char *const texts[] = {"link=2-7", "link=7-2", "link=node-0002-7",
                                        "link=node-0007-node-0002"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fixture(state);
        add(texts[i]);
        assert_true(wants(VN_TR_MSG_IN, node2, node7));
        assert_true(wants(VN_TR_MSG_IN, node7, node2));
        assert_false(wants(VN_TR_MSG_IN, node2, node3));
        assert_false(wants(VN_TR_TIP, node2, nobody));
    }
    fixture(state);
    add("link=7-peer-0002");
    assert_true(wants(VN_TR_MSG_IN, node7, peer2));
    assert_false(wants(VN_TR_MSG_IN, node7, node2));
}

static void test_filter_keeps_to_the_kinds_of_each_word(void **state)
{
    (void)state;
    add("node=3,kinds=peer-state,tip");
    add("kinds=step,ban");
    assert_true(wants(VN_TR_TIP, node3, nobody));
    assert_true(wants(VN_TR_PEER_STATE, node3, node2));
    assert_false(wants(VN_TR_MSG_IN, node3, node2));
    assert_false(wants(VN_TR_TIP, node2, nobody));
    assert_true(wants(VN_TR_BAN, node2, node7));
    assert_true(wants(TRACE_STEP, nobody, nobody));
    assert_true(trace_filter_kinds(&filter) ==
                (UINT64_C(1) << VN_TR_TIP | UINT64_C(1) << VN_TR_PEER_STATE |
                 UINT64_C(1) << VN_TR_BAN | UINT64_C(1) << TRACE_STEP));
    add("all");
    assert_true(wants(VN_TR_MSG_IN, node2, node7));
}

static void refused(const char *text, const char *words)
{
    if (trace_filter_add(&filter, text, why, sizeof why))
        fail_msg("'%s' is understood", text);
    if (!strstr(why, words) || strchr(why, '\n'))
        fail_msg("'%s': expected '%s', got '%s'", text, words, why);
    assert_int_equal(filter.count, 0);
}

static void test_filter_refuses_with_what_would_be_right(void **state)
{
    (void)state;
    refused("", "write all, node=3 or link=2-7");
    refused("3", "write all, node=3 or link=2-7");
    refused("nod=3", "did you mean node=...?");
    refused("lnik=2-3", "did you mean link=...?");
    refused("node=", "is no node: write its number, counted from 1");
    refused("node=0", "is no node");
    refused("node=3x", "is no node");
    refused("node=nod-3", "is no node");
    refused("node=4294967296", "is no node");
    refused("node=18446744073709551617", "is no node");
    refused("link=2", "is no link: write its two ends");
    refused("link=2-", "is no link");
    refused("link=2-7-9", "is no link");
    refused("link=2-2", "is no link");
    refused("link=2-node-0002", "is no link");
    refused("node=3,kinds=tpi", "'tpi' is no kind of event: did you mean tip?");
    refused("node=3,kinds=", "'' is no kind of event: there are peer-state msg-in");
    refused("node=3,kinds=qqqqqqqq", "check");
    refused("node=3,tip", "write all, node=3 or link=2-7, and ,kinds=tip");
    refused("node=3,node=4", "give --trace node=4 as well");
    refused("all,link=2-3", "give --trace link=2-3 as well");
    char longer[300];
    memset(longer, 'n', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    refused(longer, "nnn...': write all");
}

static void test_filter_takes_a_bounded_number(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TRACE_TERMS_MAX; i++)
        add("node=3");
    assert_false(trace_filter_add(&filter, "node=3", why, sizeof why));
    assert_non_null(strstr(why, "use --trace all"));
}

#define CASE(name) cmocka_unit_test_setup(name, fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_filter_follows_a_node_by_number_or_name),
        CASE(test_filter_follows_a_link_from_both_ends),
        CASE(test_filter_keeps_to_the_kinds_of_each_word),
        CASE(test_filter_refuses_with_what_would_be_right),
        CASE(test_filter_takes_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
