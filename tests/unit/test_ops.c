/* The operator's door: what each path answers, and how commands reach the node. */
#include "tests/unit/ops_fixture.h"

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

static void health_is_ok_while_nothing_is_wrong(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.has_store = true;
    struct response response;
    assert_int_equal(get(rig, &response, "/health"), 200);
    assert_string_equal(response.body, "{\"status\":\"ok\"}\n");
    json_decref(json_of(&response));
}

static void health_is_503_with_reasons_while_the_node_loads_or_its_store_fails(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.not_ready = "loading the chain from the store";
    rig->fake.has_store = true;
    rig->fake.store.failing = true;
    strcpy(rig->fake.store.error, "the disk is full");
    struct response response;
    assert_int_equal(get(rig, &response, "/health"), 503);
    json_t *json = json_of(&response);
    assert_string_equal(text_at(json, "status"), "unhealthy");
    assert_string_equal(text_at(json, "reasons.0"), "loading the chain from the store");
    assert_string_equal(text_at(json, "reasons.1"), "the store fails: the disk is full");
    json_decref(json);
}

static void a_core_that_is_not_online_is_not_healthy_by_itself(void **state)
{
    struct rig *rig = *state;
    rig->options.source.not_ready = NULL;
    rig_start(rig);
    rig->fake.info.online = 0;
    struct response response;
    assert_int_equal(get(rig, &response, "/health"), 503);
    json_t *json = json_of(&response);
    assert_string_equal(text_at(json, "reasons.0"),
                        "the node is not online: it loads, or has ended");
    json_decref(json);
    json = get_json(rig, "/status");
    assert_true(json_is_false(at(json, "online")) && json_is_false(at(json, "healthy")));
    json_decref(json);
}

static void status_tells_the_chain_the_peers_and_the_machine(void **state)
{
    struct rig *rig = *state;
    rig->options.version = "1.2.3";
    rig_start(rig);
    struct fake *fake = &rig->fake;
    fake->info.height = 77;
    fake->info.tip[0] = 0xab;
    fake->info.tip[31] = 0x01;
    fake->info.total_difficulty_hi = 1; /* 2^64 */
    fake->info.outbound = 8;
    fake->info.inbound = 3;
    fake->info.mempool = 5;
    fake->info.orphans = 6;
    fake->info.wall_ns = UINT64_C(1700000000123456789);
    fake->info.hash = 0xfeedULL;
    fake->genesis[0] = 0xcc;
    fake->tcp.bytes_in = 4096;
    fake->has_store = true;
    fake->store.commit_ns = UINT64_C(1500000000);
    json_t *json = get_json(rig, "/status");
    assert_string_equal(text_at(json, "version"), "1.2.3");
    assert_string_equal(text_at(json, "node_id"), "me");
    assert_string_equal(text_at(json, "announces"), "127.0.0.1:8765");
    assert_true(json_is_true(at(json, "healthy")));
    assert_int_equal(int_at(json, "chain.height"), 77);
    assert_string_equal(text_at(json, "chain.tip"),
                        "ab00000000000000000000000000000000000000000000000000000000000001");
    assert_string_equal(text_at(json, "chain.total_difficulty"), "18446744073709551616");
    assert_int_equal(strncmp(text_at(json, "chain.genesis"), "cc00", 4), 0);
    assert_int_equal(int_at(json, "chain.difficulty"), 100);
    assert_int_equal(int_at(json, "peers.outbound"), 8);
    assert_int_equal(int_at(json, "peers.inbound"), 3);
    assert_int_equal(int_at(json, "mempool"), 5);
    assert_int_equal(int_at(json, "orphans"), 6);
    assert_string_equal(text_at(json, "trace_hash"), "000000000000feed");
    assert_int_equal(int_at(json, "tcp.bytes_in"), 4096);
    assert_true(json_real_value(at(json, "wall_clock_s")) == 1700000000.123);
    assert_true(json_real_value(at(json, "store.commit_s")) == 1.5);
    json_decref(json);
}

static void status_says_null_for_what_a_node_does_not_have(void **state)
{
    struct rig *rig = *state;
    rig->options.source.tcp_stats = NULL;
    rig->options.source.block_hash = NULL;
    rig->options.source.not_ready = NULL;
    rig->config.hash = VN_HASH_NONE;
    rig_start(rig);
    json_t *json = get_json(rig, "/status");
    assert_true(json_is_null(at(json, "trace_hash")));
    assert_true(json_is_null(at(json, "store")));
    assert_true(json_is_null(at(json, "tcp")));
    assert_true(json_is_null(at(json, "chain.genesis")));
    json_decref(json);
}

static void uptime_counts_from_when_the_program_started(void **state)
{
    struct rig *rig = *state;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    rig->options.started_wall_ns = (uint64_t)(now.tv_sec - 1) * 1000000000;
    rig_start(rig);
    json_t *json = get_json(rig, "/status");
    double s = json_number_value(at(json, "uptime_s"));
    assert_true(s >= 1 && s < 600);
    json_decref(json);
}

static struct vn_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct vn_addr){.family = VN_AF_IPV4, .port = port, .ip = {a, b, c, d}};
}

static void peers_are_told_one_by_one_with_ages_for_times(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct fake *fake = &rig->fake;
    fake->peer_count = 3;
    fake->peers[0] = (struct vn_peer_info){
        .state = VN_PEER_READY,
        .link = 7,
        .link_class = VN_CLASS_PEER,
        .score = -12,
        .addr = v4(192, 0, 2, 1, 8765),
        .node_id = "their-node",
        .version = "0.1.0",
        .rtt_ns = 1234567,
        .bytes_in = 10,
        .msgs_out = 20,
        .last_seen_ns = fake->now_ns - UINT64_C(2500000000),
        .up_ns = fake->now_ns - UINT64_C(60000000000),
        .best_height = UINT64_MAX, /* a claim */
    };
    fake->peers[1] = (struct vn_peer_info){.state = VN_PEER_CONNECTED, .link = 4};
    fake->peers[2] = (struct vn_peer_info){.state = VN_PEER_BANNED, .failures = 3};
    json_t *json = get_json(rig, "/peers");
    assert_int_equal(json_array_size(json), 3);
    assert_string_equal(text_at(json, "0.addr"), "192.0.2.1:8765");
    assert_string_equal(text_at(json, "0.state"), "ready");
    assert_string_equal(text_at(json, "0.direction"), "outbound");
    assert_string_equal(text_at(json, "0.class"), "peer");
    assert_string_equal(text_at(json, "0.node_id"), "their-node");
    assert_true(json_is_null(at(json, "0.listen")));
    assert_int_equal(int_at(json, "0.score"), -12);
    assert_true(json_real_value(at(json, "0.rtt_ms")) == 1.234);
    assert_true(json_real_value(at(json, "0.last_seen_s")) == 2.5);
    assert_true(json_real_value(at(json, "0.up_s")) == 60.0);
    assert_int_equal(int_at(json, "0.best_height"), (UINT64_C(1) << 53) - 1);
    assert_string_equal(text_at(json, "1.direction"), "inbound");
    assert_true(json_is_null(at(json, "1.up_s")));
    assert_string_equal(text_at(json, "2.state"), "banned");
    assert_true(json_is_null(at(json, "2.direction")));
    assert_int_equal(int_at(json, "2.failures"), 3);
    json_decref(json);
}

static void no_peers_are_an_empty_list_and_a_limit_cuts_it(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    json_t *json = get_json(rig, "/peers");
    assert_int_equal(json_array_size(json), 0);
    json_decref(json);
    rig->fake.peer_count = 8;
    json = get_json(rig, "/peers?limit=5");
    assert_int_equal(json_array_size(json), 5);
    json_decref(json);
    static const char *const wrong[] = {"0",  "",      "-1", "5001", "99999999999999999999",
                                        "1x", "%31%00"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct response response;
        char path[60];
        snprintf(path, sizeof path, "/peers?limit=%s", wrong[i]);
        get(rig, &response, path);
        if (i == 6 && response.code == 200) { /* the library ends it at the zero: that is 1 */
            free(response.body);
            continue;
        }
        expect_error(&response, 400, "limit must be a whole number, 1..5000");
    }
}

/* What a peer says of itself is any UTF-8, may be cut inside a character, and may want to be read
 * as something else: by a JSON parser, a terminal, a browser. */
#define BAD "\xef\xbf\xbd" /* U+FFFD, for each byte that is no UTF-8 */

static void bans_are_told_by_address_or_by_the_hash_of_an_id(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct fake *fake = &rig->fake;
    json_t *json = get_json(rig, "/bans");
    assert_int_equal(json_array_size(json), 0);
    json_decref(json);
    fake->ban_count = 3;
    fake->bans[0] = (struct vn_ban_info){.addr = v4(192, 0, 2, 7, 0), .left_ns = 1500000000};
    fake->bans[1] = (struct vn_ban_info){.by_id = 1, .id_hash = {0xab, 0xcd}, .left_ns = 1000000};
    fake->bans[2] = (struct vn_ban_info){
        .addr = {.family = VN_AF_IPV6, .ip = {0x20, 1, 0x0d, 0xb8, [15] = 1}}, .left_ns = 1};
    json = get_json(rig, "/bans");
    assert_int_equal(json_array_size(json), 3);
    assert_string_equal(text_at(json, "0.addr"), "192.0.2.7");
    assert_true(json_is_null(at(json, "0.node_id_sha256")));
    assert_true(json_real_value(at(json, "0.left_s")) == 1.5);
    assert_true(json_is_null(at(json, "1.addr")));
    assert_string_equal(text_at(json, "1.node_id_sha256"),
                        "abcd000000000000000000000000000000000000000000000000000000000000");
    assert_string_equal(text_at(json, "2.addr"), "2001:db8::1");
    json_decref(json);
    json = get_json(rig, "/bans?limit=2");
    assert_int_equal(json_array_size(json), 2);
    json_decref(json);
    struct response response;
    get(rig, &response, "/bans?limit=0");
    expect_error(&response, 400, "limit must be a whole number, 1..5000");
}

static void hostile_ids_stay_text_in_pure_ascii(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    static const char *const ids[] = {
        "\"},{\"addr\":\"evil\"}",
        "\x1b[2J\x1b]0;owned\x07",
        "a\\u0000\\\"b",
        "\xe2\x80\xaegnirts",
        "cut \xe2\x82",
        "\xf0\x9f\x8e\x88",
        "\xc0\xaf\xed\xa0\x80\xff\xe0\x80\xaf\xf0\x80\x80\xaf\xf4\x90\x80\x80",
        "</script>\x7f\xc2\x9b"};
    static const char *const told[] = {
        "\"},{\"addr\":\"evil\"}",
        "\x1b[2J\x1b]0;owned\x07",
        "a\\u0000\\\"b",
        "\xe2\x80\xaegnirts",
        "cut \xef\xbf\xbd\xef\xbf\xbd",
        "\xf0\x9f\x8e\x88",
        BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD,
        "</script>\x7f\xc2\x9b"};
    rig->fake.peer_count = 8;
    for (uint32_t i = 0; i < 8; i++) {
        strcpy(rig->fake.peers[i].node_id, ids[i]);
        snprintf(rig->fake.peers[i].version, sizeof rig->fake.peers[i].version, "%s", ids[i]);
    }
    struct response response;
    assert_int_equal(get(rig, &response, "/peers"), 200);
    for (size_t i = 0; i < response.len - 1; i++)
        assert_true(response.body[i] >= 0x20 && response.body[i] < 0x7f);
    json_t *json = json_of(&response);
    assert_int_equal(json_array_size(json), 8);
    for (size_t i = 0; i < 8; i++) {
        const json_t *peer = json_array_get(json, i);
        assert_string_equal(text_at(peer, "node_id"), told[i]);
        assert_string_equal(text_at(peer, "version"), told[i]);
    }
    json_decref(json);
}

static void a_text_that_fills_its_field_without_an_end_is_cut(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.peer_count = 1;
    memset(rig->fake.peers[0].node_id, 'x', sizeof rig->fake.peers[0].node_id);
    memset(rig->fake.peers[0].version, 'y', sizeof rig->fake.peers[0].version);
    json_t *json = get_json(rig, "/peers");
    assert_int_equal(strlen(text_at(json, "0.node_id")), 71);
    assert_int_equal(strlen(text_at(json, "0.version")), 31);
    json_decref(json);
}

static void head_has_the_headers_of_get_and_no_body(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct response response;
    assert_int_equal(ask(rig, &response, "HEAD", "/health", HOST, ""), 200);
    assert_string_equal(response_header(&response, "Content-Length"), "16");
    assert_int_equal(response.len, 0);
    free(response.body);
}

static void answers_say_that_they_are_not_to_be_kept_or_guessed_at(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct response response;
    get(rig, &response, "/status");
    assert_string_equal(response_header(&response, "Cache-Control"), "no-store");
    assert_string_equal(response_header(&response, "X-Content-Type-Options"), "nosniff");
    assert_null(response_header(&response, "Access-Control-Allow-Origin"));
    free(response.body);
}

static void other_paths_are_404_and_other_methods_405_with_the_way_out(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct response response;
    get(rig, &response, "/");
    expect_error(&response, 404, "/health /status /peers /bans /metrics /connect");
    get(rig, &response, "/status/");
    expect_error(&response, 404, "no such path");
    post(rig, &response, "/status", "");
    assert_string_equal(response_header(&response, "Allow"), "GET, HEAD");
    expect_error(&response, 405, "/status is asked with GET");
    get(rig, &response, "/ban");
    assert_string_equal(response_header(&response, "Allow"), "POST");
    expect_error(&response, 405, "/ban is asked with POST");
    static const char *const methods[] = {"OPTIONS", "PUT", "DELETE", "PATCH", "get", "PROPFIND"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        ask(rig, &response, methods[i], "/peers", HOST, "");
        expect_error(&response, 405, "/peers is asked with GET");
    }
}

/* ---- commands ------------------------------------------------------------------------------- */

static void a_command_is_given_and_its_reply_answered(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct response response;
    assert_int_equal(post(rig, &response, "/connect", "{\"addr\":\"192.0.2.9:1234\"}"), 200);
    assert_string_equal(response.body, "{\"status\":\"ok\"}\n");
    free(response.body);
    assert_int_equal(rig->fake.commands, 1);
    assert_int_equal(rig->fake.command.kind, VN_CMD_CONNECT);
    struct vn_addr expected = v4(192, 0, 2, 9, 1234);
    assert_memory_equal(&rig->fake.command.addr, &expected, sizeof expected);
    assert_string_equal(rig->notes, "2 connect 192.0.2.9:1234: ok\n");
}

static void each_path_gives_its_command(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    static const struct {
        const char *path, *body;
        uint32_t kind;
        uint16_t port;
        uint64_t number;
    } rows[] = {
        {"/connect", "{\"addr\":\"192.0.2.9\"}", VN_CMD_CONNECT, 8765, 0},
        {"/connect", "{\"addr\":\"[2001:db8::1]:99\"}", VN_CMD_CONNECT, 99, 0},
        {"/disconnect", "{\"addr\":\"192.0.2.9:77\"}", VN_CMD_DISCONNECT, 77, 0},
        {"/disconnect", "{\"addr\":\"192.0.2.9\"}", VN_CMD_DISCONNECT, 0, 0},
        {"/ban", "{\"addr\":\"192.0.2.9\"}", VN_CMD_BAN, 0, 0},
        {"/ban", "{\"addr\":\"192.0.2.9\",\"seconds\":3600}", VN_CMD_BAN, 0,
         UINT64_C(3600000000000)},
        {"/ban", "{\"addr\":\"192.0.2.9\",\"seconds\":0.25}", VN_CMD_BAN, 0, 250000000},
        {"/unban", " { \"addr\" : \"192.0.2.9\" } ", VN_CMD_UNBAN, 0, 0},
        {"/mine", "{\"blocks\":1000}", VN_CMD_MINE, 0, 1000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response response;
        unsigned code = post(rig, &response, rows[i].path, rows[i].body);
        if (code != 200)
            fail_msg("%s: %s", rows[i].path, response.body);
        free(response.body);
        assert_int_equal(rig->fake.command.kind, rows[i].kind);
        assert_int_equal(rig->fake.command.addr.port, rows[i].port);
        assert_int_equal(rig->fake.command.number, rows[i].number);
    }
}

static void a_body_that_makes_no_sense_is_400_and_gives_no_command(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    static const struct {
        const char *path, *body, *part;
    } rows[] = {
        {"/connect", "", "the body is no JSON"},
        {"/connect", "{\"addr\":", "line 1, column 8"},
        {"/connect", "[]", "must be an object like {\"addr\": "},
        {"/connect", "{}", "addr is missing"},
        {"/connect", "{\"addr\":5}", "addr must be text"},
        {"/connect", "{\"addr\":\"example.org:1\"}", "addr must be text: an IP address"},
        {"/connect", "{\"addr\":\"1.2.3.4:99999\"}", "addr must be text: an IP address"},
        {"/connect", "{\"addr\":\"1.2.3.4\\u0000x\"}", "JSON"},
        {"/connect", "{\"addr\":\"1.2.3.4\",\"addr\":\"1.2.3.5\"}", "duplicate"},
        {"/connect", "{\"addr\":\"1.2.3.4\",\"port\":1}", "no field 'port': there is addr"},
        {"/ban", "{\"addr\":\"1.2.3.4\",\"second\":1}", "there is addr and seconds"},
        {"/ban", "{\"addr\":\"1.2.3.4\",\"seconds\":0}", "seconds must be a number from 0.001"},
        {"/ban", "{\"addr\":\"1.2.3.4\",\"seconds\":-5}", "seconds must be a number"},
        {"/ban", "{\"addr\":\"1.2.3.4\",\"seconds\":1e300}", "seconds must be a number"},
        {"/ban", "{\"addr\":\"1.2.3.4\",\"seconds\":\"9\"}", "seconds must be a number"},
        {"/mine", "{}", "blocks must be a whole number, 1..1000"},
        {"/mine", "{\"blocks\":0}", "blocks must be a whole number, 1..1000"},
        {"/mine", "{\"blocks\":1001}", "blocks must be a whole number, 1..1000"},
        {"/mine", "{\"blocks\":\"3\"}", "blocks must be a whole number, 1..1000"},
        {"/transaction", "{\"value\":1}", "sender is missing"},
        {"/transaction", "xyz", "the body is no JSON"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response response;
        post(rig, &response, rows[i].path, rows[i].body);
        expect_error(&response, 400, rows[i].part);
    }
    assert_int_equal(rig->fake.commands, 0);
}

static void what_the_node_refuses_is_told_with_its_reason(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    static const struct {
        uint32_t status;
        unsigned code;
        const char *word;
    } rows[] = {
        {VN_ERR_ARGUMENT, 400, "argument"},
        {VN_ERR_STATE, 409, "state"},
        {VN_ERR_LIMIT, 503, "limit"},
        {VN_ERR_INVALID, 422, "invalid"},
        {VN_ERR_UNKNOWN, 404, "unknown"},
        {VN_ERR_IO, 500, "io"},
        {99, 500, "?"},
    };
    rig->fake.text = "this is why";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response response;
        rig->fake.status = rows[i].status;
        post(rig, &response, "/unban", "{\"addr\":\"192.0.2.9\"}");
        json_t *json = json_of(&response);
        assert_int_equal(response.code, rows[i].code);
        assert_string_equal(text_at(json, "status"), rows[i].word);
        assert_non_null(strstr(text_at(json, "error"), "this is why"));
        json_decref(json);
    }
    assert_non_null(strstr(rig->notes, "unban 192.0.2.9:0: this is why\n"));
}

static void a_reply_that_comes_later_answers_the_request_that_waits(void **state)
{
    struct rig *rig = *state;
    rig->options.reply_ms = rig->options.request_ms = 600000; /* no timer helps */
    rig->options.idle_s = 600;
    rig_start(rig);
    rig->fake.reply = FAKE_LATER;
    char text[600];
    struct client *a = client_open(rig), *b = client_open(rig);
    for (uint32_t i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
                 "POST /unban HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\n"
                 "Content-Length: 20\r\n\r\n{\"addr\":\"192.0.2.%u\"}",
                 rig->token, i + 1);
        client_send(i ? b : a, text);
        while (rig->fake.commands < i + 1)
            client_turn(a);
    }
    /* While they wait, others are served; the answers go to whom they belong. */
    json_decref(get_json(rig, "/status"));
    ops_on_reply(rig->ops, 77, VN_ERR_IO, "of somebody else");
    ops_on_reply(rig->ops, 2, VN_ERR_UNKNOWN, "not b");
    ops_on_reply(rig->ops, 1, VN_OK, "");
    ops_on_reply(rig->ops, 1, VN_OK, "twice");
    struct response response;
    assert_true(client_read(a, &response, true));
    assert_int_equal(response.code, 200);
    free(response.body);
    assert_true(client_read(b, &response, true));
    expect_error(&response, 404, "not b");
    /* The connections go on. */
    client_send(a, "GET /health HTTP/1.1\r\n" HOST "\r\n");
    assert_true(client_read(a, &response, true));
    assert_int_equal(response.code, 200);
    free(response.body);
    client_close(a);
    client_close(b);
}

static void a_reply_that_never_comes_is_504(void **state)
{
    struct rig *rig = *state;
    rig->options.reply_ms = 50;
    rig_start(rig);
    rig->fake.reply = FAKE_LATER;
    struct response response;
    post(rig, &response, "/unban", "{\"addr\":\"192.0.2.9\"}");
    expect_error(&response, 504, "has not answered in time");
    ops_on_reply(rig->ops, 1, VN_OK, ""); /* too late, and harmless */
    json_decref(get_json(rig, "/status"));
}

static void a_node_that_takes_no_commands_is_503(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.reply = FAKE_DEAF;
    struct response response;
    post(rig, &response, "/unban", "{\"addr\":\"192.0.2.9\"}");
    expect_error(&response, 503, "takes no commands now");
    rig->fake.not_ready = "stopping";
    post(rig, &response, "/unban", "{\"addr\":\"192.0.2.9\"}");
    expect_error(&response, 503, "takes no commands now: stopping");
}

static void mining_is_for_those_who_allow_it(void **state)
{
    struct rig *rig = *state;
    rig->options.may_mine = false;
    rig_start(rig);
    struct response response;
    post(rig, &response, "/mine", "{\"blocks\":1}");
    expect_error(&response, 403, "does not mine on demand");
    assert_int_equal(rig->fake.commands, 0);
}

static void shutdown_is_carried_out_after_its_answer(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct response response;
    assert_int_equal(post(rig, &response, "/shutdown", ""), 200);
    free(response.body);
    struct client *other = client_open(rig);
    uint64_t until = uv_hrtime() + WAIT_NS;
    while (rig->fake.shutdowns == 0 && uv_hrtime() < until)
        client_turn(other);
    assert_int_equal(rig->fake.shutdowns, 1);
    client_close(other);
    rig_stop(rig);
    rig->options.source.shutdown = NULL;
    rig_start(rig);
    post(rig, &response, "/shutdown", "");
    expect_error(&response, 404, "SIGTERM");
}

/* ---- transactions --------------------------------------------------------------------------- */

#define SENDER    "0101010101010101010101010101010101010101010101010101010101010101"
#define RECIPIENT "fefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefe"

static void a_transaction_of_fields_becomes_its_wire_encoding(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.info.wall_ns = UINT64_C(1700000000000000000);
    struct response response;
    unsigned code = post(rig, &response, "/transaction",
                         "{\"sender\":\"" SENDER "\",\"recipient\":\"" RECIPIENT "\","
                         "\"value\":\"18446744073709551615\",\"gas_price\":2,\"gas_limit\":3,"
                         "\"nonce\":4,\"data\":\"c0ffee\"}");
    assert_int_equal(code, 200);
    json_t *json = json_of(&response);
    assert_int_equal(rig->fake.command.kind, VN_CMD_SUBMIT_TX);
    const uint8_t *p = rig->fake.data;
    assert_int_equal(rig->fake.data_len, 157 + 8 + 3);
    assert_int_equal(p[32], 0x01);
    assert_int_equal(p[95], 0xfe);
    static const uint8_t numbers[] = {
        255, 255, 255, 255, 255, 255,  255,  255,  2, 0, 0, 0,    0,    0,    0, 0, 3, 0,
        0,   0,   0,   0,   0,   0,    0,    0,    0, 0, 0, 0,    0,    0,    4, 0, 0, 0,
        0,   0,   0,   0,   0,   0xf1, 0x53, 0x65, 0, 0, 0, 0,    0,    0,    0, 0, 0, 0,
        0,   0,   1,   3,   0,   0,    0,    0,    0, 0, 0, 0xc0, 0xff, 0xee, 0, 0, 0, 0};
    assert_memory_equal(p + 96, numbers, sizeof numbers);
    char id[65];
    for (size_t i = 0; i < 32; i++)
        snprintf(id + 2 * i, 3, "%02x", p[i]);
    assert_string_equal(text_at(json, "tx_id"), id);
    json_decref(json);
}

static void a_transaction_may_come_as_hex_or_as_bytes(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct response response;
    char body[200], headers[400];
    memset(body, 'a', 64);
    strcpy(body + 64, "00Ff");
    char json[300];
    snprintf(json, sizeof json, "{\"hex\":\"%s\"}", body);
    assert_int_equal(post(rig, &response, "/transaction", json), 200);
    free(response.body);
    assert_int_equal(rig->fake.data_len, 34);
    assert_int_equal(rig->fake.data[31], 0xaa);
    assert_int_equal(rig->fake.data[33], 0xff);
    snprintf(headers, sizeof headers,
             HOST "Authorization: Bearer %s\r\nContent-Type: application/octet-stream\r\n",
             rig->token);
    assert_int_equal(ask(rig, &response, "POST", "/transaction", headers, body), 200);
    free(response.body);
    assert_int_equal(rig->fake.data_len, 68);
    assert_memory_equal(rig->fake.data, body, 68);
    ask(rig, &response, "POST", "/transaction", headers, "short");
    expect_error(&response, 400, "157 bytes at least, not 5");
}

static void a_transaction_with_a_wrong_field_is_refused_by_its_name(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
#define BASE "{\"sender\":\"" SENDER "\",\"recipient\":\"" RECIPIENT "\""
    static const struct {
        const char *body, *part;
    } rows[] = {
        {BASE "}", "value is missing"},
        {BASE ",\"value\":-1}", "value must be a whole number"},
        {BASE ",\"value\":1.5}", "value must be a whole number"},
        {BASE ",\"value\":\"18446744073709551616\"}", "value must be a whole number"},
        {BASE ",\"value\":\"\"}", "value must be a whole number"},
        {BASE ",\"value\":1,\"fee\":2}", "no field 'fee': there are tx_id sender"},
        {BASE ",\"value\":1,\"data\":\"abc\"}", "data must be text of hex digits"},
        {BASE ",\"value\":1,\"data\":\"zz\"}", "data must be text of hex digits"},
        {BASE ",\"value\":1,\"tx_id\":\"00\"}", "tx_id must be text of 64 hex digits"},
        {BASE ",\"value\":1,\"hex\":\"00\"}", "give it alone"},
        {"{\"hex\":\"0\"}", "hex must be text of hex digits"},
        {"{\"hex\":7}", "hex must be text of hex digits"},
        {"{\"sender\":\"0x01\",\"recipient\":\"\",\"value\":1}", "sender must be text of 64"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response response;
        post(rig, &response, "/transaction", rows[i].body);
        expect_error(&response, 400, rows[i].part);
    }
    assert_int_equal(rig->fake.commands, 0);
}

/* ---- a real core ---------------------------------------------------------------------------- */

static struct vn_node *core;
static struct fake *core_fake;

static void core_info(void *ctx, struct vn_info *out)
{
    (void)ctx;
    vn_node_info(core, out);
}

static bool core_peer(void *ctx, uint32_t index, struct vn_peer_info *out)
{
    (void)ctx;
    return vn_node_peer(core, index, out);
}

/* Gives an event and performs what follows: nothing is kept, no dial is answered. */
static void core_step(struct vn_event event)
{
    struct vn_event answers[64];
    uint32_t count = 0;
    struct vn_action action;
    event.size = sizeof event;
    event.now_ns = 1000;
    vn_node_step(core, &event);
    while (vn_node_next_action(core, &action)) {
        if (action.kind == VN_ACT_REPLY)
            ops_on_reply(core_fake->ops, action.u.reply.token, action.u.reply.status,
                         action.u.reply.text);
        assert_true(count < 64);
        if (action.kind == VN_ACT_LOAD)
            answers[count++] =
                (struct vn_event){.kind = VN_EV_LOADED, .u.loaded = {.token = action.u.load.token}};
        if (action.kind == VN_ACT_STORE)
            answers[count++] =
                (struct vn_event){.kind = VN_EV_STORED, .u.stored = {action.u.store.token, VN_OK}};
        vn_action_release(&action);
    }
    for (uint32_t i = 0; i < count; i++)
        core_step(answers[i]);
}

static uint32_t core_bans(void *ctx, struct vn_ban_info *out, uint32_t max)
{
    (void)ctx;
    return vn_node_bans(core, out, max);
}

static uint64_t core_command(void *ctx, const struct vn_command *command)
{
    (void)ctx;
    uint64_t token = ++core_fake->token;
    core_step((struct vn_event){.kind = VN_EV_COMMAND, .u.command = {token, command}});
    return token;
}

static void a_real_core_takes_what_it_is_told(void **state)
{
    struct rig *rig = *state;
    core_fake = &rig->fake;
    core = vn_node_new(&rig->config);
    rig->options.source.info = core_info;
    rig->options.source.peer = core_peer;
    rig->options.source.bans = core_bans;
    rig->options.source.command = core_command;
    rig_start(rig);
    core_step((struct vn_event){.kind = VN_EV_CLOCK, .u.clock = {UINT64_C(1800000000000000000)}});
    core_step((struct vn_event){.kind = VN_EV_START});
    struct response response;
    static const char tx[] = BASE ",\"value\":5000000001,\"gas_limit\":5000000002,"
                                  "\"nonce\":5000000003,\"data\":\"beef\"}";
    if (post(rig, &response, "/transaction", tx) != 200)
        fail_msg("%s", response.body);
    free(response.body);
    post(rig, &response, "/transaction", tx);
    expect_error(&response, 409, "known already");
    post(rig, &response, "/transaction", BASE ",\"value\":1,\"tx_id\":\"" SENDER "\"}");
    expect_error(&response, 422, "it breaks the rule T1");
    assert_int_equal(post(rig, &response, "/mine", "{\"blocks\":2}"), 200);
    free(response.body);
    assert_int_equal(post(rig, &response, "/ban", "{\"addr\":\"192.0.2.9\"}"), 200);
    free(response.body);
    assert_int_equal(post(rig, &response, "/connect", "{\"addr\":\"192.0.2.10:1\"}"), 200);
    free(response.body);
    post(rig, &response, "/disconnect", "{\"addr\":\"192.0.2.77\"}");
    expect_error(&response, 404, "no link with this address");
    json_t *json = get_json(rig, "/status");
    assert_int_equal(int_at(json, "chain.height"), 2);
    assert_int_equal(int_at(json, "peers.banned"), 1);
    assert_int_equal(int_at(json, "peers.connecting"), 1);
    json_decref(json);
    json = get_json(rig, "/bans");
    assert_int_equal(json_array_size(json), 1);
    assert_string_equal(text_at(json, "0.addr"), "192.0.2.9");
    json_decref(json);
    json = get_json(rig, "/peers");
    assert_string_equal(text_at(json, "0.addr"), "192.0.2.10:1");
    assert_string_equal(text_at(json, "0.state"), "connecting");
    json_decref(json);
    rig_stop(rig);
    vn_node_free(core);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(health_is_ok_while_nothing_is_wrong),
        TEST(health_is_503_with_reasons_while_the_node_loads_or_its_store_fails),
        TEST(a_core_that_is_not_online_is_not_healthy_by_itself),
        TEST(status_tells_the_chain_the_peers_and_the_machine),
        TEST(status_says_null_for_what_a_node_does_not_have),
        TEST(uptime_counts_from_when_the_program_started),
        TEST(peers_are_told_one_by_one_with_ages_for_times),
        TEST(no_peers_are_an_empty_list_and_a_limit_cuts_it),
        TEST(bans_are_told_by_address_or_by_the_hash_of_an_id),
        TEST(hostile_ids_stay_text_in_pure_ascii),
        TEST(a_text_that_fills_its_field_without_an_end_is_cut),
        TEST(head_has_the_headers_of_get_and_no_body),
        TEST(answers_say_that_they_are_not_to_be_kept_or_guessed_at),
        TEST(other_paths_are_404_and_other_methods_405_with_the_way_out),
        TEST(a_command_is_given_and_its_reply_answered),
        TEST(each_path_gives_its_command),
        TEST(a_body_that_makes_no_sense_is_400_and_gives_no_command),
        TEST(what_the_node_refuses_is_told_with_its_reason),
        TEST(a_reply_that_comes_later_answers_the_request_that_waits),
        TEST(a_reply_that_never_comes_is_504),
        TEST(a_node_that_takes_no_commands_is_503),
        TEST(mining_is_for_those_who_allow_it),
        TEST(shutdown_is_carried_out_after_its_answer),
        TEST(a_transaction_of_fields_becomes_its_wire_encoding),
        TEST(a_transaction_may_come_as_hex_or_as_bytes),
        TEST(a_transaction_with_a_wrong_field_is_refused_by_its_name),
        TEST(a_real_core_takes_what_it_is_told),
    };
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
