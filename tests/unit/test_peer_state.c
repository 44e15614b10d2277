/* The table of a peer's life: exactly the moves listed here, and no other. */
#include "core/peer/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Written apart from the code's table on purpose: every legal move, with what makes it. */
static const struct {
    enum vn_peer_state from, to;
    const char *by;
} moves[] = {
    {VN_PEER_DISCONNECTED, VN_PEER_CONNECTING, "we dial"},
    {VN_PEER_DISCONNECTED, VN_PEER_CONNECTED, "it dials"},
    {VN_PEER_DISCONNECTED, VN_PEER_BANNED, "a ban without a link"},
    {VN_PEER_CONNECTING, VN_PEER_CONNECTED, "link up"},
    {VN_PEER_CONNECTING, VN_PEER_DISCONNECTED, "the dial failed"},
    {VN_PEER_CONNECTING, VN_PEER_FAILED, "the dial failed once too often"},
    {VN_PEER_CONNECTING, VN_PEER_BANNED, "a ban during the dial"},
    {VN_PEER_CONNECTED, VN_PEER_READY, "handshake complete"},
    {VN_PEER_CONNECTED, VN_PEER_DISCONNECTED, "handshake refused or too slow"},
    {VN_PEER_CONNECTED, VN_PEER_FAILED, "handshake refused once too often"},
    {VN_PEER_CONNECTED, VN_PEER_BANNED, "a ban during the handshake"},
    {VN_PEER_READY, VN_PEER_DISCONNECTED, "closed"},
    {VN_PEER_READY, VN_PEER_BANNED, "misbehaved"},
    {VN_PEER_FAILED, VN_PEER_CONNECTING, "tried again"},
    {VN_PEER_FAILED, VN_PEER_CONNECTED, "it dials"},
    {VN_PEER_FAILED, VN_PEER_BANNED, "a ban without a link"},
    {VN_PEER_BANNED, VN_PEER_DISCONNECTED, "the ban is over"},
};

#define MOVES (sizeof moves / sizeof *moves)

static bool listed(uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < MOVES; i++)
        if (moves[i].from == from && moves[i].to == to)
            return true;
    return false;
}

static void test_peer_moves_only_as_listed(void **state)
{
    (void)state;
    uint32_t legal = 0;
    for (uint32_t from = 0; from < VN_PEER_STATES; from++)
        for (uint32_t to = 0; to < VN_PEER_STATES; to++) {
            bool is = peer_state_legal((enum vn_peer_state)from, (enum vn_peer_state)to);
            if (is != listed(from, to))
                fail_msg("%s -> %s is %s", vn_peer_state_name(from), vn_peer_state_name(to),
                         is ? "legal and not listed" : "listed and not legal");
            legal += is;
        }
    assert_int_equal(legal, MOVES);
}

static void test_peer_never_stays_by_moving(void **state)
{
    (void)state;
    for (uint32_t s = 0; s < VN_PEER_STATES; s++)
        assert_false(peer_state_legal((enum vn_peer_state)s, (enum vn_peer_state)s));
}

static void test_peer_is_ready_only_after_a_link_and_a_handshake(void **state)
{
    (void)state;
    for (uint32_t from = 0; from < VN_PEER_STATES; from++)
        if (from != VN_PEER_CONNECTED)
            assert_false(peer_state_legal((enum vn_peer_state)from, VN_PEER_READY));
}

static void test_peer_leaves_a_ban_only_to_disconnected(void **state)
{
    (void)state;
    for (uint32_t to = 0; to < VN_PEER_STATES; to++)
        assert_int_equal(peer_state_legal(VN_PEER_BANNED, (enum vn_peer_state)to),
                         to == VN_PEER_DISCONNECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_moves_only_as_listed),
        cmocka_unit_test(test_peer_never_stays_by_moving),
        cmocka_unit_test(test_peer_is_ready_only_after_a_link_and_a_handshake),
        cmocka_unit_test(test_peer_leaves_a_ban_only_to_disconnected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
