/* Scripted peers: messages as tables both ways, raw bytes, and what nodes answer. */
#include "tests/unit/engine_fixture.h"

/* Two scripted peers are the whole network: what one sends the other receives. */
static const char both_ways[] =
    "scenario { name = 'both', duration = 100 }\n"
    "local function show(v)\n"
    "  if type(v) ~= 'table' then return math.type(v) == 'integer' and tostring(v) or "
    "string.format('%q', v) end\n"
    "  local t = {} for k, x in pairs(v) do t[#t + 1] = k .. '=' .. show(x) end\n"
    "  return '{' .. table.concat(t, ',') .. '}'\n"
    "end\n"
    "local function h(c) return (c:rep(64)) end\n"
    "local block = { height = 7, hash = h'1', prev_hash = h'2', timestamp = 3, tx_ids = { h'a', "
    "h'b' }, state_root = h'4', tx_root = h'5', nonce = -1, poh_seq = 6, poh_hash = h'7', "
    "difficulty = 100, total_difficulty = '340282366920938463463374607431768211455' }\n"
    "local tx = { tx_id = h'c', sender = h'd', recipient = h'e', value = 1, gas_price = 2, "
    "gas_limit = 3, gas_used = 4, nonce = 5, timestamp = 6, block_height = 7, data = 'x\\0y', "
    "status = 3, error = 5 }\n"
    "local bare = { tx_id = h'0', sender = h'0', recipient = h'0', value = 0, gas_price = 0, "
    "gas_limit = 0, gas_used = 0, nonce = 0, timestamp = 0, block_height = 0, status = 0 }\n"
    "local messages = {\n"
    "  { kind = 'Handshake', version = '9.0', node_id = 'me', listen = '10.1.2.3:99' },\n"
    "  { kind = 'NewBlock', block = block },\n"
    "  { kind = 'NewTransaction', tx = tx },\n"
    "  { kind = 'NewTransaction', tx = bare },\n"
    "  { kind = 'RequestBlock', height = -1 },\n"
    "  { kind = 'ResponseBlock', block = block },\n"
    "  { kind = 'ResponseBlock' },\n"
    "  { kind = 'RequestBlockRange', first = 2, last = math.maxinteger },\n"
    "  { kind = 'ResponseBlockRange', blocks = { block, block } },\n"
    "  { kind = 'ResponseBlockRange', blocks = {} },\n"
    "  { kind = 'Ping', nonce = math.mininteger },\n"
    "  { kind = 'Pong', nonce = 9 },\n"
    "  { kind = 'Disconnect', reason = 'Timeout' },\n"
    "}\n"
    "function run(net, p)\n"
    "  local got, up = {}, 0\n"
    "  local b = net:peer { on_link = function(self, link) up = up + 1 end,\n"
    "    on_message = function(self, link, m) got[#got + 1] = m self:send(link, m) end }\n"
    "  local a = net:peer()\n"
    "  local link = a:dial(b)\n"
    "  for i, m in ipairs(messages) do\n"
    "    check(a:send(link, m), 'sent ' .. i)\n"
    "    local back = a:receive(link, 5)\n"
    "    check(back and back.size == #a:frame(m) - 4, 'size ' .. i)\n"
    "    back.size, got[#got].size = nil, nil\n"
    "    check(show(back) == show(m), 'back ' .. i .. ' ' .. m.kind, show(back))\n"
    "    check(show(got[#got]) == show(m), 'there ' .. i, show(got[#got]))\n"
    "  end\n"
    "  check(#got == #messages and up == 1, 'all', #got)\n"
    "end\n";

static void test_every_message_goes_both_ways_as_a_table(void **state)
{
    (void)state;
    run_text(both_ways);
    if (result.outcome != ENGINE_PASS)
        fail_msg("%s", result.reason);
    assert_true(result.checks > 13 * 4);
}

static void test_an_incompatible_version_is_answered_with_a_disconnect(void **state)
{
    (void)state;
    passes("local n = net:spawn(1)[1] local p = net:peer() local link = p:dial(n)\n"
           "p:send(link, { kind = 'Handshake', version = '1.0.0' })\n"
           "local m = p:receive(link, 5) log(m.kind .. ' ' .. m.reason)\n"
           "local m, why = p:receive(link, 5) log(tostring(m) .. ' ' .. why)\n"
           "log(n:state(p) .. ' ' .. tostring(p:send(link, { kind = 'Ping' })))");
    expect_told("log Disconnect IncompatibleVersion\nlog nil closed\n");
    expect_told(" false\n");
}

static void test_a_handshake_left_empty_is_an_honest_one(void **state)
{
    (void)state;
    passes("local n = net:spawn(1)[1] local p = net:peer() local link = p:dial(n)\n"
           "p:send(link, { kind = 'Handshake' })\n"
           "local m = p:receive(link, 5) log(m.kind .. ' ' .. m.version .. ' ' .. m.node_id)\n"
           "check(m.listen == n:addr(), 'its address', m.listen)\n"
           "local info = n:peers()[1] log(info.state .. ' ' .. info.id .. ' ' .. info.version)\n"
           "check(info.listen == p:addr() and info.node == p, 'ours', info.listen)\n"
           "p:send(link, { kind = 'Ping', nonce = 5 })\n"
           "local pong, why = p:receive(link, 5, 'Pong') check(pong and pong.nonce == 5, 'pong', "
           "why)");
    expect_told("log Handshake 0.1.0 node-0001\n");
    expect_told("log ready peer-0001 0.1.0\n");
}

static void test_blocks_and_transactions_of_a_node_can_be_asked_for(void **state)
{
    (void)state;
    passes("local n = net:spawn(1)[1] n:mine(5)\n"
           "local p = net:peer() local link = p:dial(n) p:send(link, { kind = 'Handshake' })\n"
           "p:receive(link, 5, 'Handshake')\n"
           "p:send(link, { kind = 'RequestBlock', height = 3 })\n"
           "local m = p:receive(link, 5, 'ResponseBlock')\n"
           "check(m.block.height == 3 and m.block.hash == n:block_hash(3), 'block')\n"
           "p:send(link, { kind = 'RequestBlock', height = -1 })\n"
           "check(p:receive(link, 5, 'ResponseBlock').block.hash == n:tip(), 'newest')\n"
           "p:send(link, { kind = 'RequestBlockRange', first = 2, last = 99 })\n"
           "local r = p:receive(link, 5, 'ResponseBlockRange')\n"
           "check(#r.blocks == 4 and r.blocks[1].prev_hash == n:block_hash(1), 'range')\n"
           "local id = n:submit_tx { value = 77, data = 'abc' }\n"
           "local t = p:receive(link, 30, 'NewTransaction')\n"
           "check(t.tx.tx_id == id and t.tx.value == 77 and t.tx.data == 'abc', 'relayed')\n"
           "local b = r.blocks[1] b.nonce = b.nonce + 1 b.hash = b.prev_hash\n"
           "p:send(link, { kind = 'NewBlock', block = b })\n"
           "sleep(1) check(n:peers()[1].score < 0, 'a forged block costs', n:peers()[1].score)");
}

/* The standing invariant is about honest nodes: a scripted peer may be punished. */
static void test_a_scripted_peer_may_be_punished_and_the_invariant_holds(void **state)
{
    (void)state;
    passes("local g = net:spawn(3) sleep(10) local p = net:peer() local link = p:dial(g[1])\n"
           "p:send(link, { kind = 'Ping', nonce = 1 })\n"
           "local m = p:receive(link, 5, 'Disconnect') log(m.reason)\n"
           "link = p:dial(g[1]) p:send(link, { kind = 'Handshake' }) p:receive(link, 5)\n"
           "p:send(link, { kind = 'Handshake' })\n"
           "m = p:receive(link, 5, 'Disconnect') log(m.reason)\n"
           "link = p:dial(g[1]) p:send_raw(link, '\\0\\0\\0\\4\\255\\255\\255\\255')\n"
           "while m do m = p:receive(link, 5) end\n"
           "sleep(1)");
    expect_told("log ProtocolViolation\nlog ProtocolViolation\n");
    expect_told("check invariant no honest node penalises, bans or refuses an honest one ok");
}

static void test_raw_bytes_go_in_pieces_and_come_as_they_are(void **state)
{
    (void)state;
    passes("local seen, why = '', nil\n"
           "local b = net:peer { on_bytes = function(p, l, bytes) seen = seen .. bytes end,\n"
           "  on_message = function(p, l, m) log(tostring(m.kind) .. ' ' .. tostring(m.nonce)) "
           "end,\n"
           "  on_close = function(p, l, w) why = w end }\n"
           "local a = net:peer() local link = a:dial(b)\n"
           "local frame = a:frame { kind = 'Ping', nonce = 3 }\n"
           "for i = 1, #frame do a:send_raw(link, frame:sub(i, i)) sleep(0.01) end\n"
           "sleep(1) check(seen == frame, 'bytes')\n"
           "a:send_raw(link, '\\0\\0\\0\\0') a:send_raw(link, '\\255\\255\\255\\255rest')\n"
           "sleep(1) a:send(link, { kind = 'Ping' }) sleep(1)\n"
           "check(a:close(link) and not a:close(link), 'close') sleep(1) log(why)");
    expect_told("log Ping 3\n");
    expect_told("log nil nil\nlog nil nil\ncheck check close ok");
    expect_told("log remote-closed\n");
}

static void test_receive_says_closed_or_timeout(void **state)
{
    (void)state;
    passes("local g = net:spawn(1) local p = net:peer()\n"
           "local link = p:dial(g[1])\n"
           "local began = now() local m, why = p:receive(link, 2.5)\n"
           "log(tostring(m) .. ' ' .. why .. ' ' .. now() - began)\n"
           "m, why = p:receive(link, 20) log(m.kind .. ' ' .. m.reason)\n"
           "log(select(2, p:receive(link, 20))) log(select(2, p:receive(link, 20)))");
    expect_told("log nil timeout 2.5\nlog Disconnect Timeout\nlog closed\nlog closed\n");
}

static void test_receive_waits_in_several_tasks_one_for_each_link(void **state)
{
    (void)state;
    passes("local theirs\n"
           "local a, c = net:peer(), net:peer { on_message = function() end }\n"
           "local b = net:peer { on_link = function(self, l) theirs = l end }\n"
           "local link = a:dial(b)\n"
           "at(1, function() a:send(link, { kind = 'Ping', nonce = 1 }) end)\n"
           "at(2, function() local ok, e = pcall(a.receive, a, link, 1) log(e) end)\n"
           "at(5, function() b:close(theirs) end)\n"
           "log(select(2, a:receive(link, 10)) .. ' ' .. math.floor(now()))\n"
           "local ok, e = pcall(c.receive, c, 1) log(e)\n"
           "ok, e = pcall(a.receive, a, 'x') log(e)");
    expect_told("another task waits for this link's next message\n");
    expect_told("log closed 5\n");
    expect_told("this peer's messages go to its on_message\n");
    expect_told("the first argument is a link, as dial and on_link give it, got a string\n");
}

static void test_messages_that_nobody_receives_are_bounded(void **state)
{
    (void)state;
    run_body("local theirs local b = net:peer { on_link = function(self, l) theirs = l end }\n"
             "local a = net:peer() local link = a:dial(b) sleep(1)\n"
             "for i = 1, 70 do b:send_raw(theirs, b:frame({ kind = 'Ping' }):rep(1000)) end\n"
             "sleep(30) a:receive(link)");
    expect_reason(ENGINE_BAD_SCENARIO, ":6: ", "messages were lost");
}

static void test_wrong_messages_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const calls[][2] = {
        {"p:send(1, 'x')", "a message must be a table { kind = ... }, got a string"},
        {"p:send(1, {})", "a message needs a kind"},
        {"p:send(1, { kind = 'Pingg' })", "there is no message 'Pingg'; did you mean 'Ping'?"},
        {"p:send(1, { kind = 'Ping', nonse = 1 })",
         "Ping: unknown field 'nonse'; did you mean 'nonce'?"},
        {"p:send(1, { kind = 'Ping', nonce = 1.5 })",
         "Ping: nonce must be a whole number of 64 bits, got a number"},
        {"p:send(1, { kind = 'Disconnect', reason = 'Tired' })",
         "Disconnect: unknown reason 'Tired'"},
        {"p:send(1, { kind = 'NewBlock', block = 5 })", "NewBlock: a block must be a table, got a "
                                                        "number"},
        {"p:send(1, { kind = 'NewBlock', block = { hash = 'ab' } })",
         "NewBlock: hash must be 64 hex digits"},
        {"p:send(1, { kind = 'NewTransaction', tx = { valeu = 5 } })",
         "NewTransaction: unknown field 'valeu'; did you mean 'value'?"},
        {"p:send(1, { kind = 'Handshake', listen = 'here' })",
         "Handshake: listen must be an address such as \"127.0.0.1:8765\", got \"here\""},
        {"p:send_raw(1, '')", "a string of 1..16777216 bytes is needed"},
        {"p:dial('here')", "an address such as \"127.0.0.1:8765\" is needed"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char body[200];
        snprintf(body, sizeof body, "local p = net:peer() %s", calls[i][0]);
        refused(body, calls[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_every_message_goes_both_ways_as_a_table),
        T(test_an_incompatible_version_is_answered_with_a_disconnect),
        T(test_a_handshake_left_empty_is_an_honest_one),
        T(test_blocks_and_transactions_of_a_node_can_be_asked_for),
        T(test_a_scripted_peer_may_be_punished_and_the_invariant_holds),
        T(test_raw_bytes_go_in_pieces_and_come_as_they_are),
        T(test_receive_says_closed_or_timeout),
        T(test_receive_waits_in_several_tasks_one_for_each_link),
        T(test_messages_that_nobody_receives_are_bounded),
        T(test_wrong_messages_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
