/* Identities: one record for all who know the same node, and what of it people see. */
#include "core/peer/peer.h"

#include "core/crypto/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct names *take(struct names_book *all, const char *id, size_t id_len,
                          const char *version, size_t version_len)
{
    uint8_t hash[32];
    sha256(hash, id, id_len);
    return names_take(all, hash, (const uint8_t *)id, id_len, (const uint8_t *)version,
                      version_len);
}

static void expect_shown(struct names_book *all, const char *id, size_t id_len, const char *version,
                         size_t version_len, const char *id_shown, const char *version_shown)
{
    struct peer peer = {.names = take(all, id, id_len, version, version_len)};
    assert_string_equal(peer_node_id(&peer), id_shown);
    assert_string_equal(peer_version(&peer), version_shown);
    names_drop(all, peer.names);
}

static void test_an_identity_is_shared_until_the_last_lets_go(void **state)
{
    (void)state;
    struct names_book all;
    names_book_init(&all);
    struct names *first = take(&all, "node-7", 6, "0.1.0", 5);
    assert_ptr_equal(take(&all, "node-7", 6, "0.1.0", 5), first);
    struct names *other = take(&all, "node-8", 6, "0.1.0", 5);
    assert_ptr_not_equal(other, first);
    names_drop(&all, first);
    assert_ptr_equal(take(&all, "node-7", 6, "0.1.0", 5), first);
    names_drop(&all, first);
    names_drop(&all, first);
    names_drop(&all, other);
    assert_int_equal(all.by_hash.count, 0);
    names_book_deinit(&all);
}

static void test_an_identity_with_another_version_is_another_one(void **state)
{
    (void)state;
    struct names_book all;
    names_book_init(&all);
    struct names *old = take(&all, "node-7", 6, "0.1.0", 5);
    struct names *new = take(&all, "node-7", 6, "0.2.0", 5);
    assert_string_equal(new->shown + 7, "0.2.0");
    assert_string_equal(old->shown + 7, "0.1.0");
    names_drop(&all, old);
    struct names *again = take(&all, "node-7", 6, "0.2.0", 5);
    assert_string_equal(again->shown + 7, "0.2.0");
    names_drop(&all, new);
    names_drop(&all, again);
    names_book_deinit(&all);
}

/* Who takes one asks whether another link may be the same node's: it must never be told so wrongly.
 */
static void test_an_identity_is_alone_while_nobody_else_has_one_of_the_same_id(void **state)
{
    (void)state;
    struct names_book all;
    names_book_init(&all);
    struct names *first = take(&all, "node-7", 6, "0.1.0", 5);
    struct names *other = take(&all, "node-8", 6, "0.1.0", 5);
    assert_true(names_alone(&all, first) && names_alone(&all, other));
    assert_ptr_equal(take(&all, "node-7", 6, "0.1.0", 5), first);
    assert_false(names_alone(&all, first));
    assert_true(names_alone(&all, other));
    names_drop(&all, first);
    assert_true(names_alone(&all, first));
    /* Of another version, and still the same node. */
    struct names *newer = take(&all, "node-7", 6, "0.2.0", 5);
    assert_false(names_alone(&all, newer));
    names_drop(&all, first);
    first = take(&all, "node-7", 6, "0.1.0", 5);
    assert_false(names_alone(&all, first));
    names_drop(&all, newer);
    assert_true(names_alone(&all, first));
    names_drop(&all, first);
    names_drop(&all, other);
    names_book_deinit(&all);
}

static void test_a_peer_has_no_names_until_its_handshake(void **state)
{
    (void)state;
    struct peer peer = {0};
    assert_string_equal(peer_node_id(&peer), "");
    assert_string_equal(peer_version(&peer), "");
}

static void test_names_are_shown_cut_at_their_bounds_and_without_nuls(void **state)
{
    (void)state;
    struct names_book all;
    char text[200], id[65] = {0}, version[32] = {0};
    memset(text, 'x', sizeof text);
    memset(id, 'x', 64);
    memset(version, 'x', 31);
    names_book_init(&all);
    expect_shown(&all, "node-7", 6, "0.1.0", 5, "node-7", "0.1.0");
    expect_shown(&all, text, sizeof text, text, sizeof text, id, version);
    expect_shown(&all, "a\0b", 3, "0\0", 2, "a?b", "0?");
    names_book_deinit(&all);
}

/* What a link has under way is memory of its own only while an answer is out, or timeouts count. */
static void test_errands_take_memory_while_they_matter(void **state)
{
    (void)state;
    struct peer peer = {0};
    peer_errands_init(&peer);
    const struct request *none = peer.errands->requests;
    assert_true(none[REQUEST_RANGE].deadline_ns == VN_NEVER);
    peer_errands_begin(&peer);
    assert_ptr_not_equal(peer.errands->requests, none);
    peer.own_errands->requests[REQUEST_RANGE].timeouts = 1;
    peer_errands_end(&peer);
    assert_ptr_not_equal(peer.errands->requests, none);
    peer.own_errands->requests[REQUEST_RANGE].timeouts = 0;
    peer_errands_end(&peer);
    assert_ptr_equal(peer.errands->requests, none);
    peer_errands_begin(&peer);
    peer.own_errands->ping_ns = 5;
    peer_errands_end(&peer);
    assert_int_equal(peer.errands->ping_ns, 5);
    peer_errands_begin(&peer);
    assert_int_equal(peer.errands->ping_ns, 5); /* what is under way stays */
    peer.own_errands->ping_ns = 0;
    peer.own_errands->load_token = 6;
    peer_errands_end(&peer);
    assert_int_equal(peer.errands->load_token, 6);
    peer.own_errands->load_token = 0;
    peer.served_count = 1;
    peer_errands_end(&peer);
    assert_ptr_not_equal(peer.errands->requests, none);
    peer.served_count = 0;
    peer_errands_end(&peer);
    assert_ptr_equal(peer.errands->requests, none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_identity_is_shared_until_the_last_lets_go),
        cmocka_unit_test(test_an_identity_with_another_version_is_another_one),
        cmocka_unit_test(test_an_identity_is_alone_while_nobody_else_has_one_of_the_same_id),
        cmocka_unit_test(test_a_peer_has_no_names_until_its_handshake),
        cmocka_unit_test(test_names_are_shown_cut_at_their_bounds_and_without_nuls),
        cmocka_unit_test(test_errands_take_memory_while_they_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
