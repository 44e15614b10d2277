/* The library of behaviours: what is refused, what each sends, which rule each bad block and
 * transaction breaks, and the words that they are made of. */
#include "tests/unit/engine_fixture.h"

#include "core/wire/msg.h"

/* ---- the words ---- */

static void test_a_mined_block_is_accepted_by_a_node(void **state)
{
    (void)state;
    passes(
        "local n = net:spawn(1)[1] n:mine(3)\n"
        "local p = net:peer() local link = p:dial(n) p:send(link, { kind = 'Handshake' })\n"
        "p:receive(link, 5, 'Handshake') p:send(link, { kind = 'RequestBlock', height = -1 })\n"
        "local tip = p:receive(link, 5, 'ResponseBlock').block\n"
        "local ids = { ('1'):rep(64), ('2'):rep(64), ('3'):rep(64) }\n"
        "local a = p:mine(tip, { tx_ids = ids }) local b = p:mine(a)\n"
        "check(a.tx_root == chain.root(ids) and a.hash == chain.hash(a), 'derived')\n"
        "check(a.hash <= chain.target(a.difficulty) and b.state_root ~= a.state_root, 'solved')\n"
        "p:send(link, { kind = 'NewBlock', block = a }) p:send(link, { kind = 'NewBlock', block "
        "= b })\n"
        "sleep(1) check(n:tip() == b.hash and n:height() == 5, 'the tip', n:height())");
}

static void test_blocks_can_be_mined_from_the_genesis_up(void **state)
{
    (void)state;
    passes(
        "local n = net:spawn(1)[1]\n"
        "local p = net:peer() local link = p:dial(n) p:send(link, { kind = 'Handshake' })\n"
        "p:receive(link, 5, 'Handshake')\n"
        "local g = chain.genesis() check(g.hash == n:block_hash(0), 'genesis')\n"
        "local b = p:mine() check(b.prev_hash == g.hash and b.height == 1, 'its child')\n"
        "p:send(link, { kind = 'NewBlock', block = b }) sleep(1) check(n:tip() == b.hash, 'tip')\n"
        "check(chain.genesis(5, 1).hash ~= g.hash and chain.genesis(5, 1).timestamp == 5, "
        "'another')");
}

static void test_fields_that_are_given_are_kept_and_the_work_covers_them(void **state)
{
    (void)state;
    passes(
        "local p = net:peer() local g = chain.genesis()\n"
        "local b = p:mine(g, { height = 9, tx_root = ('a'):rep(64), poh_seq = 77, difficulty = 5, "
        "total_difficulty = '12' })\n"
        "check(b.height == 9 and b.tx_root == ('a'):rep(64) and b.poh_seq == 77, 'kept')\n"
        "check(b.difficulty == 5 and b.total_difficulty == '12', 'numbers')\n"
        "check(b.hash == chain.hash(b) and b.hash <= chain.target(g.difficulty), 'solved')\n"
        "local c = p:mine(g, { hash = ('0'):rep(64) }) check(c.hash == ('0'):rep(64), 'unsolved')\n"
        "c = chain.solve(c, 1000) check(c.hash <= chain.target(1000), 'harder')\n"
        "check(chain.target(1) == ('f'):rep(64), 'the easiest target')");
}

static void test_a_made_transaction_is_pooled_by_a_node(void **state)
{
    (void)state;
    passes(
        "local n = net:spawn(1)[1] local p = net:peer() local link = p:dial(n)\n"
        "p:send(link, { kind = 'Handshake' }) p:receive(link, 5, 'Handshake')\n"
        "local t, u = p:tx { data = 'abc', value = 5 }, p:tx()\n"
        "check(t.tx_id == chain.tx_id(t) and t.value == 5 and t.sender ~= u.sender, 'its fields')\n"
        "for _, x in ipairs { t, u } do p:send(link, { kind = 'NewTransaction', tx = x }) end\n"
        "sleep(1) check(n:has_tx(t.tx_id) == 'pool' and n:mempool() == 2, 'pooled')\n"
        "check(p:tx({ tx_id = ('0'):rep(64) }).tx_id == ('0'):rep(64), 'an id that is given')");
}

static void test_what_makes_no_sense_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const calls[][2] = {
        {"p:mine(5)", "mine: a block must be a table, got a number"},
        {"p:mine(nil, { heigth = 5 })", "mine: unknown field 'heigth'; did you mean 'height'?"},
        {"p:tx { valeu = 5 }", "tx: unknown field 'valeu'; did you mean 'value'?"},
        {"p:random(5, 1)", "random: lo must not be above hi, got 5 and 1"},
        {"p:random_bytes(1e9)", "random_bytes: the number must be 0..16777216, got 1000000000"},
        {"chain.target(0)", "target: the difficulty must be 1 or more, got 0"},
        {"chain.solve(chain.genesis(), 1 << 62)", "no nonce in 20000000 tries fits a difficulty"},
        {"chain.sovle()", "a chain has no 'sovle'; did you mean 'solve'?"},
        {"p:ignore(7, 8) p:read(7)", "boolean expected"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char body[200];
        snprintf(body, sizeof body, "local p = net:peer() %s", calls[i][0]);
        refused(body, calls[i][1]);
    }
}

/* Peers have dice of their own: one more moves nobody else's. */
static void test_the_dice_of_a_peer_move_no_others(void **state)
{
    (void)state;
    static const char body[] =
        "local g = net:spawn(3)\n"
        "local p = net:peer() %s\n"
        "log('dice ' .. math.random(1, 1000000) .. ' ' .. g[1]:submit_tx {} .. ' ' .. p:random(1, "
        "1000000))";
    char text[2][600], first[200];
    const char *more[] = {"",
                          "local q = net:peer() q:random(1, 9) q:mine() q:tx() q:random_bytes(99)"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(text[i], sizeof text[i], body, more[i]);
        passes(text[i]);
        const char *line = strstr(told, "log dice");
        assert_non_null(line);
        if (i == 0)
            snprintf(first, sizeof first, "%.100s", line);
        else
            assert_int_equal(strncmp(first, line, strcspn(line, "\n")), 0);
    }
}

static void test_an_ignored_link_loses_nothing_and_what_came_is_counted(void **state)
{
    (void)state;
    passes(
        "local theirs local b = net:peer { on_link = function(self, l) theirs = l end }\n"
        "local a = net:peer() local link = a:dial(b) sleep(1) a:ignore(link)\n"
        "for i = 1, 70 do b:send_raw(theirs, b:frame({ kind = 'Ping' }):rep(1000)) end\n"
        "b:send(theirs, { kind = 'Disconnect', reason = 'Timeout' }) sleep(30)\n"
        "local c = a:counts()\n"
        "check(c.messages.Ping == 70000 and c.reasons.Timeout == 1, 'messages', c.messages.Ping)\n"
        "check(c.dialled == 1 and c.up == 1 and c.closed == 0, 'links')\n"
        "check(c.received == b:counts().sent and c.received == 70000 * 16 + 12, 'bytes')\n"
        "b:close(theirs) local m, why = a:receive(link, 5) check(why == 'closed', 'over', why)");
}

static void test_what_is_not_read_stays_on_the_way(void **state)
{
    (void)state;
    passes(
        "local theirs local b = net:peer { on_link = function(self, l) theirs = l end }\n"
        "local a = net:peer() local link = a:dial(b) sleep(1) check(a:read(link, false), 'stop')\n"
        "for i = 1, 100 do b:send_raw(theirs, ('x'):rep(10000)) end sleep(10)\n"
        "check(a:counts().received == 0, 'nothing came', a:counts().received)\n"
        "a:read(link, true) sleep(10)\n"
        "check(a:counts().received == 1000000, 'all came', a:counts().received)");
}

/* ---- asking for a behaviour ---- */

static void test_wrong_names_and_parameters_are_refused(void **state)
{
    (void)state;
    static const char *const given[][2] = {
        {"behaviour = 'slow-loris'",
         "there is no behaviour 'slow-loris'; did you mean 'slowloris'?"},
        {"behaviour = 'xyzzy'", "there is no behaviour 'xyzzy'; there are: forger liar "},
        {"behaviour = 5", "behaviour must be a name or a table, got a number"},
        {"behaviour = {}", "a behaviour of your own is a table { about = "},
        {"behaviour = 'ping-flood', rate = -1",
         "net:peer: ping-flood: rate must be 0.001..1000000, got -1"},
        {"behaviour = 'ping-flood', rat = 5", "unknown parameter 'rat'; did you mean 'rate'?"},
        {"behaviour = 'ping-flood', size = 5", "unknown option 'size'"},
        {"behaviour = 'garbage', framed = 5", "framed must be true or false, got 5"},
        {"behaviour = 'garbage', size = 1.5", "size must be a whole number, 1..1000000, got 1.5"},
        {"behaviour = 'garbage', on_link = print", "a behaviour and on_link exclude each other"},
        {"behaviour = 'garbage', targets = 5", "targets: a node, a peer, a group"},
        {"behaviour = 'garbage', targets = {}", "there is no target; spawn the nodes first"},
    };
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        char body[300];
        snprintf(body, sizeof body, "net:spawn(1) net:peer { %s }", given[i][0]);
        refused(body, given[i][1]);
    }
    refused("net:peer { behaviour = 'garbage' }", "there is no target; spawn the nodes first");
}

static void test_a_script_has_behaviours_of_its_own(void **state)
{
    (void)state;
    passes(
        "local visit = require 'behaviours/visit'\n"
        "local mine = { about = 'says one Ping', params = visit.params { nonce = { 5, lo = 1 } },\n"
        "  peer = function(o) return visit.peer(o, function(peer, link)\n"
        "    check(visit.greet(peer, link), 'greets')\n"
        "    peer:send(link, { kind = 'Ping', nonce = o.nonce })\n"
        "    log('pong ' .. peer:receive(link, 5, 'Pong').nonce)\n"
        "  end) end }\n"
        "local g = net:spawn(2) net:peer { behaviour = mine, nonce = 7, visits = 1 } sleep(5)");
    assert_non_null(strstr(told, "log pong 7\n"));
    expect_told(
        "decision 1 peer {\"behaviour\":\"of the script\",\"host\":2,\"params\":\"again=5.0 "
        "lasts=1000000.0 nonce=7 start=0.0 stay=60.0 visits=1\",\"targets\":[\"0-1\"]}\n");
}

static void test_a_peer_that_is_left_out_is_there_and_silent(void **state)
{
    (void)state;
    static const char body[] =
        "local g = net:spawn(1)\n"
        "local p = net:peer { behaviour = 'ping-flood', rate = 10 } sleep(20)\n"
        "log('dialled ' .. p:counts().dialled .. ' ' .. p:id())";
    static const uint32_t first[] = {1};
    passes(body);
    expect_told("log dialled 1 peer-0001\n");
    options.without = first;
    options.without_count = 1;
    passes(body);
    expect_told(" left out\n");
    expect_told("log dialled 0 peer-0001\n");
}

/* ---- what each does ---- */

static char rules[4096];

static void on_rule(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                    uint32_t peer)
{
    (void)ctx;
    (void)t_ns;
    (void)host;
    (void)peer;
    size_t at = strlen(rules);
    snprintf(rules + at, sizeof rules - at, "%s ", trace->text);
}

/* Runs a behaviour against a node with some blocks for 40 s; the rules that were broken go to
 * `rules`. */
static void play(const char *behaviour, const char *check)
{
    char body[600];
    rules[0] = 0;
    options.observer.on_trace = on_rule;
    options.observer.trace_mask =
        1u << VN_TR_BLOCK_BAD | 1u << VN_TR_TX_BAD | 1u << VN_TR_VIOLATION;
    snprintf(body, sizeof body,
             "local n = net:spawn(1)[1] for i = 1, 12 do n:mine() sleep(1) end\n"
             "local p = net:peer { behaviour = %s } sleep(40) local c = p:counts()\n"
             "%s",
             behaviour, check);
    passes(body);
}

/* All that the node said of them is that rule. */
static void breaks(const char *behaviour, const char *rule)
{
    play(behaviour, "check(c.sent > 0, 'acts')");
    size_t len = strlen(rule);
    const char *at = rules;
    while (strncmp(at, rule, len) == 0 && at[len] == ' ')
        at += len + 1;
    if (*at || at == rules)
        fail_msg("%s: expected %s alone, heard %.300s", behaviour, rule, rules);
}

static void test_each_bad_block_breaks_its_rule_and_no_other(void **state)
{
    (void)state;
    breaks("'bad-block-B1'", "B1-height");
    breaks("'bad-block-B1', above = 0", "B1-height");
    breaks("'bad-block-B3'", "B3-timestamp-backwards");
    breaks("'bad-block-B3', ahead = true", "B3-timestamp-ahead");
    breaks("'bad-block-B4'", "B4-tx-duplicate");
    breaks("'bad-block-B4', ids = 10001", "B4-tx-count");
    breaks("'bad-block-B5'", "B5-tx-root");
    breaks("'bad-block-B6'", "B6-difficulty");
    breaks("'bad-block-B7'", "B7-total-difficulty");
    breaks("'bad-block-B8'", "B8-hash");
    breaks("'bad-block-B9'", "B9-work");
    breaks("'bad-block-B10'", "B10-poh-hash");
    breaks("'bad-block-B10', seq = true", "B10-poh-seq");
    breaks("'forger', targets = (function() n:mine_every(5) return n end)()", "B8-hash");
}

static void test_each_bad_transaction_breaks_its_rule_and_no_other(void **state)
{
    (void)state;
    breaks("'bad-tx-T1'", "T1-id");
    breaks("'bad-tx-T2'", "T2-not-pending");
    breaks("'bad-tx-T3'", "T3-overflow");
    breaks("'bad-tx-T4'", "T4-too-old");
    breaks("'bad-tx-T4', ahead = true", "T4-ahead");
}

static void test_bytes_that_are_no_messages_are_violations(void **state)
{
    (void)state;
    breaks("'garbage'", "undecodable frame");
    breaks("'zero-length'", "undecodable frame");
    breaks("'huge-counts'", "undecodable frame");
    breaks("'unknown-kinds'", "undecodable frame");
    breaks("'oversize'", "frame above the limit");
    breaks("'wrong-ranges', how = 'many'", "blocks that do not fit the range asked for");
    breaks("'wrong-ranges', how = 'heights'", "blocks that do not fit the range asked for");
    breaks("'wrong-ranges', how = 'gaps'", "blocks that do not fit the range asked for");
    breaks("'wrong-ranges', how = 'unlinked'", "B2-prev-hash");
    breaks("'liar'", "B8-hash");
}

static void test_what_is_no_offence_is_not_called_one(void **state)
{
    (void)state;
    static const char *const names[] = {"silent",           "slowloris",          "never-reads",
                                        "ping-flood",       "bad-block-B2",       "half-frame",
                                        "request-flood",    "old-chain",          "replay",
                                        "tx-flood",         "tx-replay",          "withholds",
                                        "unsolicited",      "duplicate-identity", "orphan-flood",
                                        "connection-flood", "disconnect-churn"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[60];
        snprintf(name, sizeof name, "'%s'", names[i]);
        play(name, "check(c.dialled > 0 and c.up > 0, 'acts')");
        if (rules[0])
            fail_msg("%s: heard %.300s", names[i], rules);
    }
}

static void test_each_does_what_its_name_says(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"'silent'", "check(c.sent == 0 and c.reasons.Timeout > 0, 'says nothing')"},
        {"'slowloris', pause = 1", "check(c.sent >= 10 and c.sent <= 40 and c.reasons.Timeout > 0, "
                                   "'byte by byte', c.sent)"},
        {"'ping-flood', rate = 50", "check(c.messages.Pong >= 1900, 'Pongs', c.messages.Pong)"},
        {"'never-reads'",
         "check(c.received < 1000 and c.sent > 40000, 'takes nothing', c.received)"},
        {"'request-flood', rate = 5",
         "check(c.messages.ResponseBlockRange >= 190, 'answers', c.messages.ResponseBlockRange)"},
        {"'duplicate-identity', whose = 'own'",
         "check(c.reasons.DuplicateConnection > 0 and c.messages.Handshake == 0, 'refused')"},
        {"'connection-flood', links = 30", "check(c.dialled == 30, 'links', c.dialled)"},
        {"'disconnect-churn', visits = 20", "check(c.dialled == 20 and c.messages.Handshake >= 20, "
                                            "'comes and goes', c.messages.Handshake)"},
        {"'tx-flood', rate = 10", "check(n:mempool() >= 380, 'pooled', n:mempool())"},
        {"'orphan-flood', rate = 1, ids = 3", "check(n:info().orphans >= 35, 'orphans', "
                                              "n:info().orphans)"},
        {"'replay', rate = 5", "check(n:info().banned == 1, 'banned for repeating')"},
        {"'old-chain', depth = 5",
         "check(c.messages.ResponseBlock >= 2 and n:height() == 12, 'light')"},
        {"'withholds'", "check(c.messages.RequestBlock > 0 and n:height() == 12, 'asked in vain')"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        play(cases[i][0], cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_mined_block_is_accepted_by_a_node),
        T(test_blocks_can_be_mined_from_the_genesis_up),
        T(test_fields_that_are_given_are_kept_and_the_work_covers_them),
        T(test_a_made_transaction_is_pooled_by_a_node),
        T(test_what_makes_no_sense_is_refused_by_name),
        T(test_the_dice_of_a_peer_move_no_others),
        T(test_an_ignored_link_loses_nothing_and_what_came_is_counted),
        T(test_what_is_not_read_stays_on_the_way),
        T(test_wrong_names_and_parameters_are_refused),
        T(test_a_script_has_behaviours_of_its_own),
        T(test_a_peer_that_is_left_out_is_there_and_silent),
        T(test_each_bad_block_breaks_its_rule_and_no_other),
        T(test_each_bad_transaction_breaks_its_rule_and_no_other),
        T(test_bytes_that_are_no_messages_are_violations),
        T(test_what_is_no_offence_is_not_called_one),
        T(test_each_does_what_its_name_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
