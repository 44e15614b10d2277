/* The operator's door: who may come in, and what happens to those who are slow, loud or many. */
#include "tests/unit/ops_fixture.h"

#include <sys/resource.h>

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

#define UNBAN "{\"addr\":\"192.0.2.9\"}"

/* ---- tokens --------------------------------------------------------------------------------- */

static void a_command_without_the_token_is_401(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    char almost[200], headers[400];
    const char *const wrong[] = {
        "Bearer ",  "Bearer x", "Basic Zm9vOmJhcg==", rig->token /* no scheme */,
        "Bearer\t", "Bearer"};
    struct response response;
    ask(rig, &response, "POST", "/unban", HOST, UNBAN);
    assert_string_equal(response_header(&response, "WWW-Authenticate"),
                        "Bearer realm=\"vibenode\"");
    expect_error(&response, 401, "commands need the token of the node's token file");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(headers, sizeof headers, HOST "Authorization: %s\r\n", wrong[i]);
        ask(rig, &response, "POST", "/unban", headers, UNBAN);
        expect_error(&response, 401, "the token is wrong");
    }
    for (size_t i = 0; i < 64; i += 21) {
        strcpy(almost, rig->token);
        almost[i] = almost[i] == '0' ? '1' : '0';
        snprintf(headers, sizeof headers, HOST "Authorization: Bearer %s\r\n", almost);
        ask(rig, &response, "POST", "/unban", headers, UNBAN);
        expect_error(&response, 401, "the token is wrong");
    }
    snprintf(headers, sizeof headers, HOST "Authorization: Bearer %.63s\r\n", rig->token);
    ask(rig, &response, "POST", "/unban", headers, UNBAN);
    expect_error(&response, 401, "the token is wrong");
    snprintf(headers, sizeof headers,
             HOST "Authorization: Bearer x\r\nAuthorization: Bearer %s\r\n", rig->token);
    ask(rig, &response, "POST", "/unban", headers, UNBAN);
    expect_error(&response, 401, "the token is wrong");
    assert_int_equal(rig->fake.commands, 0);
    assert_string_equal(rig->notes, "1 refused a request with a wrong token\n");
    snprintf(headers, sizeof headers, HOST "Authorization: bearer  %s\r\n", rig->token);
    assert_int_equal(ask(rig, &response, "POST", "/unban", headers, UNBAN), 200);
    free(response.body);
}

static void without_a_token_file_there_are_no_commands_but_all_the_rest(void **state)
{
    struct rig *rig = *state;
    rig->options.token_file = NULL;
    rig_start(rig);
    struct response response;
    ask(rig, &response, "POST", "/unban", HOST "Authorization: Bearer \r\n", UNBAN);
    expect_error(&response, 403, "takes no commands: start it with a token file");
    json_decref(get_json(rig, "/status"));
    assert_int_equal(rig->fake.commands, 0);
}

static void the_token_file_is_made_for_its_owner_alone_and_kept(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct stat st;
    assert_int_equal(stat(rig->token_file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(strlen(rig->token), 64);
    assert_int_equal(strspn(rig->token, "0123456789abcdef"), 64);
    char first[200];
    strcpy(first, rig->token);
    rig_stop(rig);
    rig_start(rig);
    assert_string_equal(rig->token, first);
    rig_stop(rig);
    unlink(rig->token_file);
    rig_start(rig);
    assert_string_not_equal(rig->token, first);
}

static void a_token_file_that_is_not_good_is_refused(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *text;
        mode_t mode;
        const char *part;
    } rows[] = {
        {"0123456789abcdef0123456789abcdef\n", 0644,
         "others may read the token file (mode 644): chmod"},
        {"0123456789abcdef0123456789abcdef\n", 0620, "others may read the token file (mode 620)"},
        {"0123456789abcdef0123456789abcde\n", 0600, "holds no token"},
        {"", 0600, "holds no token"},
        {"0123456789abcdef0123456789abcdef two words\n", 0600, "holds no token"},
        {"0123456789abcdef0123456789abcdef\nx\n", 0600, "holds no token"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[600] = "";
        rig_spit(rig->token_file, rows[i].text, rows[i].mode);
        assert_null(ops_start(&rig->options, why, sizeof why));
        if (!strstr(why, rows[i].part) || !strstr(why, rig->token_file))
            fail_msg("%zu: %s", i, why);
    }
    rig_spit(rig->token_file, "0123456789abcdef0123456789abcdef\r\n", 0600);
    rig_start(rig);
    rig_stop(rig);
    char why[600] = "";
    rig->options.token_file = rig->folder;
    assert_null(ops_start(&rig->options, why, sizeof why));
    assert_non_null(strstr(why, "the token file"));
    rig->options.token_file = "/nowhere/at/all/token";
    assert_null(ops_start(&rig->options, why, sizeof why));
    assert_non_null(strstr(why, "/nowhere/at/all/token: the token file cannot be made: "));
}

/* ---- Host and Origin ------------------------------------------------------------------------ */

static void only_a_host_of_this_machine_is_served(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    static const char *const good[] = {"localhost",   "LocalHost:9765", "127.0.0.1",
                                       "127.0.0.1:1", "127.255.3.4:80", "[::1]",
                                       "[::1]:9765"};
    static const char *const bad[] = {"evil.example",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil.example",
                                      "192.0.2.1",
                                      "0.0.0.0",
                                      "[::]",
                                      "localhost:80x",
                                      "localhostx",
                                      "[2001:db8::1]:80",
                                      "127.0.0.1:80:80",
                                      "[::ffff:127.0.0.1]",
                                      "user@localhost"};
    char headers[400];
    struct response response;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(headers, sizeof headers, "Host: %s\r\n", good[i]);
        if (ask(rig, &response, "GET", "/health", headers, "") != 200)
            fail_msg("%s: %s", good[i], response.body);
        free(response.body);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(headers, sizeof headers, "Host: %s\r\nAuthorization: Bearer %s\r\n", bad[i],
                 rig->token);
        ask(rig, &response, i % 2 ? "GET" : "POST", i % 2 ? "/health" : "/unban", headers,
            i % 2 ? "" : UNBAN);
        expect_error(&response, 403, "the Host header does not name this machine");
    }
    ask(rig, &response, "GET", "/health", "Host: localhost\r\nHost: evil.example\r\n", "");
    expect_error(&response, 400, "say once in a Host header");
    ask(rig, &response, "GET", "/health", "Host: evil.example\r\nHost: localhost\r\n", "");
    expect_error(&response, 400, "say once in a Host header");
    assert_int_equal(rig->fake.commands, 0);
    assert_string_equal(rig->notes, "1 refused a request for a Host that is not this machine\n");
}

/* The library itself refuses HTTP/1.1 without a Host; of HTTP/1.0 we do. */
static void a_request_without_a_host_is_400(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    for (int i = 0; i < 2; i++) {
        struct client *client = client_open(rig);
        struct response response;
        client_send(client, i ? "GET /health HTTP/1.0\r\n\r\n"
                              : "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_true(client_read(client, &response, true));
        assert_int_equal(response.code, 400);
        free(response.body);
        client_close(client);
    }
}

static void a_web_page_is_refused_unless_it_is_allowed(void **state)
{
    struct rig *rig = *state;
    static const char *const origins[] = {"http://127.0.0.1:3000", "https://dash.example"};
    rig->options.origins = origins;
    rig->options.origin_count = 2;
    rig_start(rig);
    struct response response;
    static const char *const bad[] = {"http://evil.example",
                                      "null",
                                      "",
                                      "http://127.0.0.1:3001",
                                      "https://dash.example.evil.example",
                                      "http://localhost"};
    char headers[400];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(headers, sizeof headers, HOST "Authorization: Bearer %s\r\nOrigin: %s\r\n",
                 rig->token, bad[i]);
        ask(rig, &response, "POST", "/unban", headers, UNBAN);
        expect_error(&response, 403, "web pages may not ask this node");
        ask(rig, &response, "GET", "/status", headers, "");
        expect_error(&response, 403, "web pages may not ask this node");
    }
    assert_int_equal(rig->fake.commands, 0);
    snprintf(headers, sizeof headers, HOST "Authorization: Bearer %s\r\nOrigin: %s\r\n", rig->token,
             origins[1]);
    assert_int_equal(ask(rig, &response, "POST", "/unban", headers, UNBAN), 200);
    assert_null(response_header(&response, "Access-Control-Allow-Origin"));
    free(response.body);
    static const char *const twice[] = {
        HOST "Origin: https://dash.example\r\nOrigin: http://evil.example\r\n",
        HOST "Origin: http://evil.example\r\nOrigin: https://dash.example\r\n"};
    for (size_t i = 0; i < 2; i++) {
        ask(rig, &response, "GET", "/status", twice[i], "");
        expect_error(&response, 403, "web pages may not ask this node");
    }
}

/* ---- where it listens ----------------------------------------------------------------------- */

static void only_loopback_addresses_and_unix_sockets_are_listened_on(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *listen, *part;
    } rows[] = {
        {"0.0.0.0:9765", "is not a loopback address"},
        {"192.0.2.1:9765", "is not a loopback address"},
        {"[::]:9765", "is not a loopback address"},
        {"[::ffff:127.0.0.1]:9765", "is not a loopback address"},
        {"", "is no address: write 127.0.0.1:9765"},
        {"9765", "is no address"},
        {"example.org:80", "is no address"},
        {"127.0.0.1:70000", "is no address"},
        {"http://127.0.0.1:9765", "is no address"},
        {"unix:", "is named by its whole path"},
        {"unix:here", "is named by its whole path"},
        {"unix:/a123456789b123456789c123456789d123456789e123456789f123456789g123456789h123456789"
         "i123456789j123456789k123456789",
         "at most 107 bytes"},
        {"unix:/nowhere/at/all", "cannot listen on unix:/nowhere/at/all: No such file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[600] = "";
        rig->options.listen = rows[i].listen;
        assert_null(ops_start(&rig->options, why, sizeof why));
        if (!strstr(why, rows[i].part))
            fail_msg("%s: %s", rows[i].listen, why);
    }
}

static void ipv6_is_listened_on_where_there_is_one(void **state)
{
    struct rig *rig = *state;
    char why[600];
    rig->options.listen = "[::1]:0";
    rig->ops = ops_start(&rig->options, why, sizeof why);
    if (!rig->ops)
        skip();
    rig->fake.ops = rig->ops;
    assert_int_equal(strncmp(ops_address(rig->ops), "[::1]:", 6), 0);
    json_decref(get_json(rig, "/status"));
}

static void an_address_in_use_is_told(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct ops_options options = rig->options;
    char why[600], address[100];
    snprintf(address, sizeof address, "%s", ops_address(rig->ops));
    options.listen = address;
    assert_null(ops_start(&options, why, sizeof why));
    assert_non_null(strstr(why, address));
    assert_non_null(strstr(why, "is in use: another process listens there"));
}

static void a_unix_socket_is_its_owners_alone_and_goes_with_the_node(void **state)
{
    struct rig *rig = *state;
    char address[200];
    struct stat st;
    snprintf(address, sizeof address, "unix:%s", rig->socket);
    rig->options.listen = address;
    mode_t mask = umask(0);
    rig_start(rig);
    umask(mask);
    assert_string_equal(ops_address(rig->ops), address);
    assert_int_equal(stat(rig->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    json_decref(get_json(rig, "/status"));
    struct response response;
    assert_int_equal(post(rig, &response, "/unban", UNBAN), 200);
    free(response.body);
    rig_stop(rig);
    assert_int_equal(lstat(rig->socket, &st), -1);
}

static void a_unix_socket_is_replaced_only_if_nobody_answers_on_it(void **state)
{
    struct rig *rig = *state;
    char address[200], why[600];
    snprintf(address, sizeof address, "unix:%s", rig->socket);
    rig->options.listen = address;
    /* Left behind by a process that was killed. */
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    strcpy(path.sun_path, rig->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&path, sizeof path), 0);
    close(fd);
    rig_start(rig);
    assert_null(ops_start(&rig->options, why, sizeof why));
    assert_non_null(strstr(why, "is in use: another process listens there"));
    json_decref(get_json(rig, "/status"));
    /* One that another process has put in its place is left alone. */
    unlink(rig->socket);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&path, sizeof path), 0);
    rig_stop(rig);
    struct stat st;
    assert_int_equal(lstat(rig->socket, &st), 0);
    close(fd);
    unlink(rig->socket);
    rig_spit(rig->socket, "a file that somebody needs", 0600);
    assert_null(ops_start(&rig->options, why, sizeof why));
    assert_non_null(strstr(why, "is no socket"));
    assert_int_equal(lstat(rig->socket, &st), 0);
}

/* Whoever listens there is busy: it is not for us to take its socket away. */
static void a_unix_socket_whose_owner_is_too_busy_to_answer_is_left_alone(void **state)
{
    struct rig *rig = *state;
    char address[200], why[600];
    snprintf(address, sizeof address, "unix:%s", rig->socket);
    rig->options.listen = address;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    strcpy(path.sun_path, rig->socket);
    int owner = socket(AF_UNIX, SOCK_STREAM, 0), clients[8];
    assert_int_equal(bind(owner, (struct sockaddr *)&path, sizeof path), 0);
    assert_int_equal(listen(owner, 0), 0);
    int refused = 0;
    for (int i = 0; i < 8; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        refused += connect(clients[i], (struct sockaddr *)&path, sizeof path) != 0;
    }
    assert_in_range(refused, 1, 7);
    assert_null(ops_start(&rig->options, why, sizeof why));
    assert_non_null(strstr(why, "is in use"));
    assert_int_equal(access(rig->socket, F_OK), 0);
    for (int i = 0; i < 8; i++)
        close(clients[i]);
    close(owner);
}

static void options_out_of_range_are_told(void **state)
{
    struct rig *rig = *state;
    char why[600];
    rig->options.max_connections = 0;
    assert_null(ops_start(&rig->options, why, sizeof why));
    assert_string_equal(why, "max_connections must be 1..1000, not 0");
    rig->options.max_connections = 1;
    rig->options.idle_s = 601;
    assert_null(ops_start(&rig->options, why, sizeof why));
    assert_string_equal(why, "idle_s must be 1..600, not 601");
}

static void a_door_that_cannot_open_for_want_of_descriptors_says_so_and_keeps_none(void **state)
{
    struct rig *rig = *state;
    struct rlimit before, few;
    char why[600] = "";
    int next = open("/dev/null", O_RDONLY);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    for (rlim_t more = 0; more < 2; more++) { /* not even a socket; a socket and no more */
        rig_spit(rig->token_file, "0123456789abcdef0123456789abcdef", 0600);
        few = before;
        few.rlim_cur = (rlim_t)next + more;
        rig->options.token_file = more ? rig->token_file : NULL;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        struct ops *ops = ops_start(&rig->options, why, sizeof why);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_null(ops);
        assert_non_null(strstr(why, more ? "for want of descriptors" : "no socket: Too many open"));
        int again = open("/dev/null", O_RDONLY);
        assert_int_equal(again, next);
        close(again);
    }
}

/* ---- bodies and headers without measure ----------------------------------------------------- */

/* A body of `len` bytes in pieces. chunked: without saying how long it is. */
static unsigned send_body(struct rig *rig, struct response *response, const char *more, size_t len,
                          bool chunked)
{
    static char piece[1 << 16];
    struct client *client = client_open(rig);
    char head[600];
    memset(piece, ' ', sizeof piece);
    int n = snprintf(head, sizeof head, "POST /unban HTTP/1.1\r\n" HOST "Connection: close\r\n%s",
                     more);
    if (chunked)
        snprintf(head + n, sizeof head - (size_t)n, "Transfer-Encoding: chunked\r\n\r\n");
    else
        snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n\r\n", len);
    client_send(client, head);
    while (len) {
        size_t now = len < sizeof piece ? len : sizeof piece;
        char size[20];
        snprintf(size, sizeof size, "%zx\r\n", now);
        if (chunked)
            client_send(client, size);
        if (!client_send_bytes(client, piece, now))
            break;
        if (chunked)
            client_send(client, "\r\n");
        len -= now;
    }
    if (chunked)
        client_send(client, "0\r\n\r\n");
    if (!client_read(client, response, true))
        fail_msg("no response to a body of %zu bytes", len);
    client_close(client);
    return response->code;
}

static void a_body_that_is_too_long_is_413_however_it_comes(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    char headers[300];
    struct response response;
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", rig->token);
    for (int chunked = 0; chunked < 2; chunked++) {
        send_body(rig, &response, headers, (1u << 20) + 1, chunked);
        expect_error(&response, 413, "more than 1048576 bytes");
        send_body(rig, &response, headers, 3u << 20, chunked);
        expect_error(&response, 413, "more than 1048576 bytes");
        /* As long as allowed, and then looked at: blanks are no JSON. */
        send_body(rig, &response, headers, 1u << 20, chunked);
        expect_error(&response, 400, "the body is no JSON");
    }
    /* Who has no token is told that, after it has sent all. */
    send_body(rig, &response, "", 3u << 20, false);
    expect_error(&response, 401, "commands need the token");
}

static void a_body_that_is_announced_without_measure_is_not_waited_for(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    static const char *const heads[] = {
        "POST /unban HTTP/1.1\r\n" HOST "Content-Length: 1000000000000\r\n\r\n",
        "GET /health HTTP/1.1\r\n" HOST "Content-Length: 1000000000000\r\n\r\n",
        "POST /unban HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    };
    static const unsigned codes[] = {401, 413, 401};
    for (size_t i = 0; i < 3; i++) {
        struct client *client = client_open(rig);
        struct response response;
        client_send(client, heads[i]);
        assert_true(client_read(client, &response, true));
        assert_int_equal(response.code, codes[i]);
        free(response.body);
        client_read_end(client);
        client_close(client);
    }
}

static void headers_without_end_are_refused(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client *client = client_open(rig);
    struct response response;
    client_send(client, "GET /health HTTP/1.1\r\n" HOST);
    char line[1000];
    snprintf(line, sizeof line, "X-Filler: %0900d\r\n", 0);
    for (int i = 0; i < 100 && !client->ended; i++)
        if (!client_send(client, line))
            break;
    if (client_read(client, &response, true)) {
        assert_int_equal(response.code, 431);
        free(response.body);
    }
    client_read_end(client);
    client_close(client);
    json_decref(get_json(rig, "/status"));
}

/* The library does not see each end of a stream that comes with bytes: then it is silence. */
static void bytes_that_are_no_http_end_their_connection_alone(void **state)
{
    struct rig *rig = *state;
    rig->options.idle_s = 1;
    rig_start(rig);
    static const char *const junk[] = {
        "\x16\x03\x01\x02junk\r\n\r\n",
        "GET\r\n\r\n",
        "\r\n\r\n\r\n",
        "GET /health HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "POST /unban HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "\xff\xfe\xfd"};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        struct client *client = client_open(rig);
        client_send(client, junk[i]);
        shutdown(client->fd, SHUT_WR);
        client_read_end(client);
        client_close(client);
    }
    json_decref(get_json(rig, "/status"));
    assert_int_equal(rig->fake.commands, 0);
}

/* ---- many and slow -------------------------------------------------------------------------- */

static void requests_sent_at_once_are_answered_in_order(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.reply = FAKE_LATER;
    struct client *client = client_open(rig);
    char text[1200];
    snprintf(text, sizeof text,
             "GET /health HTTP/1.1\r\n" HOST "\r\n"
             "POST /unban HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\nContent-Length: 20\r\n"
             "\r\n" UNBAN "GET /nothing HTTP/1.1\r\n" HOST "\r\n"
             "HEAD /status HTTP/1.1\r\n" HOST "\r\nGET /metrics HTTP/1.1\r\n" HOST "\r\n",
             rig->token);
    client_send(client, text);
    static const unsigned codes[] = {200, 200, 404, 200, 200};
    for (size_t i = 0; i < 5; i++) {
        struct response response;
        if (i == 1) {
            while (rig->fake.commands == 0)
                client_turn(client);
            ops_on_reply(rig->ops, rig->fake.token, VN_OK, "");
        }
        assert_true(client_read(client, &response, i != 3));
        assert_int_equal(response.code, codes[i]);
        free(response.body);
    }
    client_close(client);
}

/* The library notices a free place only when it is run again. */
static void more_clients_than_places_wait_and_are_served_as_places_come_free(void **state)
{
    struct rig *rig = *state;
    rig->options.max_connections = 1;
    rig->options.idle_s = 600;
    rig->options.request_ms = 600000;
    rig_start(rig);
    struct client *clients[40];
    struct response response;
    for (int i = 0; i < 40; i++) {
        clients[i] = client_open(rig);
        client_send(clients[i], "GET /health HTTP/1.1\r\n" HOST "\r\n");
    }
    for (int i = 0; i < 40; i++) {
        assert_true(client_read(clients[i], &response, true));
        assert_int_equal(response.code, 200);
        free(response.body);
        client_close(clients[i]);
    }
}

static void a_client_that_says_nothing_is_shown_out(void **state)
{
    struct rig *rig = *state;
    rig->options.idle_s = 1;
    rig->options.request_ms = 600000;
    rig_start(rig);
    struct client *silent = client_open(rig), *half = client_open(rig);
    client_send(half, "GET /health HTTP/1.1\r\nHo");
    client_read_end(silent);
    client_read_end(half);
    assert_int_equal(silent->len, 0);
    client_close(silent);
    client_close(half);
    json_decref(get_json(rig, "/status"));
}

/* Never silent for long, never done. */
static void a_client_that_dribbles_is_cut_off(void **state)
{
    struct rig *rig = *state;
    rig->options.idle_s = 600;
    rig->options.request_ms = 1000;
    rig_start(rig);
    struct client *headers = client_open(rig), *body = client_open(rig);
    char text[400];
    snprintf(text, sizeof text,
             "POST /unban HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\nContent-Length: 1000\r\n"
             "\r\n",
             rig->token);
    client_send(body, text);
    uint64_t until = uv_hrtime() + WAIT_NS;
    while (!headers->ended || !body->ended) {
        if (!headers->ended)
            send(headers->fd, "G", 1, MSG_NOSIGNAL);
        if (!body->ended)
            send(body->fd, " ", 1, MSG_NOSIGNAL);
        usleep(10000);
        client_turn(headers);
        client_turn(body);
        assert_true(uv_hrtime() < until);
    }
    client_close(headers);
    client_close(body);
    json_decref(get_json(rig, "/status"));
    assert_int_equal(rig->fake.commands, 0);
}

/* A connection that is used again and again is not too slow, however long it lives. */
static void a_connection_in_use_is_not_cut_off(void **state)
{
    struct rig *rig = *state;
    rig->options.request_ms = 1000;
    rig_start(rig);
    struct client *client = client_open(rig);
    uint64_t until = uv_hrtime() + UINT64_C(1500000000);
    while (uv_hrtime() < until) {
        struct response response;
        client_send(client, "GET /health HTTP/1.1\r\n" HOST "\r\n");
        assert_true(client_read(client, &response, true));
        free(response.body);
        usleep(50000);
    }
    client_close(client);
}

static void a_client_that_does_not_read_a_long_answer_holds_up_nobody(void **state)
{
    struct rig *rig = *state;
    rig->options.max_connections = 1000;
    rig_start(rig);
    rig->fake.peer_count = 8;
    struct client *deaf = client_open(rig);
    int small = 4096;
    setsockopt(deaf->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < 200; i++) /* answers of some 700 kB in all */
        if (send(deaf->fd, "GET /peers HTTP/1.1\r\n" HOST "\r\n", 40, MSG_NOSIGNAL) < 0)
            break;
    for (int i = 0; i < 50; i++)
        json_decref(get_json(rig, "/status"));
    client_close(deaf);
}

static void a_client_that_goes_while_its_command_waits_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.reply = FAKE_LATER;
    struct client *client = client_open(rig);
    char text[400];
    snprintf(text, sizeof text,
             "POST /unban HTTP/1.1\r\n" HOST
             "Authorization: Bearer %s\r\nContent-Length: 20\r\n\r\n" UNBAN,
             rig->token);
    client_send(client, text);
    while (rig->fake.commands == 0)
        client_turn(client);
    client_close(client);
    json_decref(get_json(rig, "/status"));
    ops_on_reply(rig->ops, rig->fake.token, VN_OK, "");
    json_decref(get_json(rig, "/status"));
    assert_non_null(strstr(rig->notes, "unban 192.0.2.9:0: ok"));
}

/* ---- stopping ------------------------------------------------------------------------------- */

static void stopping_ends_what_is_open(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.reply = FAKE_LATER;
    struct client *idle = client_open(rig), *half = client_open(rig), *waiting = client_open(rig);
    char text[400];
    snprintf(text, sizeof text,
             "POST /unban HTTP/1.1\r\n" HOST
             "Authorization: Bearer %s\r\nContent-Length: 20\r\n\r\n" UNBAN,
             rig->token);
    client_send(waiting, text);
    client_send(half, "POST /unban HTTP/1.1\r\nHost: local");
    while (rig->fake.commands == 0)
        client_turn(waiting);
    rig_stop(rig);
    client_read_end(idle);
    client_read_end(half);
    client_read_end(waiting);
    client_close(idle);
    client_close(half);
    client_close(waiting);
}

static void stopping_twice_or_nothing_is_harmless_and_replies_after_it_too(void **state)
{
    (void)state;
    ops_stop(NULL, NULL, NULL);
    ops_on_reply(NULL, 1, VN_OK, "");
}

static void count_turn(uv_prepare_t *prepare)
{
    ++*(uint32_t *)prepare->data;
}

static void stop_turning(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Turns of the loop while nothing happens: a few for timers, not one after the other. */
static void a_door_that_nobody_uses_takes_no_time(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.reply = FAKE_LATER;
    struct client *idle = client_open(rig), *waiting = client_open(rig);
    char text[400];
    snprintf(text, sizeof text,
             "POST /unban HTTP/1.1\r\n" HOST
             "Authorization: Bearer %s\r\nContent-Length: 20\r\n\r\n" UNBAN,
             rig->token);
    client_send(waiting, text);
    client_send(idle, "GET /health HTTP/1.1\r\n" HOST "\r\n");
    while (rig->fake.commands == 0 || idle->len == 0) {
        client_turn(waiting);
        client_turn(idle);
    }
    uv_prepare_t prepare;
    uv_timer_t timer;
    uint32_t turns = 0;
    uv_prepare_init(&rig->loop, &prepare);
    uv_timer_init(&rig->loop, &timer);
    prepare.data = &turns;
    uv_prepare_start(&prepare, count_turn);
    uv_timer_start(&timer, stop_turning, 300, 0);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_in_range(turns, 1, 20);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&timer, NULL);
    client_close(idle);
    client_close(waiting);
    rig_stop(rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_command_without_the_token_is_401),
        TEST(without_a_token_file_there_are_no_commands_but_all_the_rest),
        TEST(the_token_file_is_made_for_its_owner_alone_and_kept),
        TEST(a_token_file_that_is_not_good_is_refused),
        TEST(only_a_host_of_this_machine_is_served),
        TEST(a_request_without_a_host_is_400),
        TEST(a_web_page_is_refused_unless_it_is_allowed),
        TEST(only_loopback_addresses_and_unix_sockets_are_listened_on),
        TEST(ipv6_is_listened_on_where_there_is_one),
        TEST(an_address_in_use_is_told),
        TEST(a_unix_socket_is_its_owners_alone_and_goes_with_the_node),
        TEST(a_unix_socket_is_replaced_only_if_nobody_answers_on_it),
        TEST(a_unix_socket_whose_owner_is_too_busy_to_answer_is_left_alone),
        TEST(options_out_of_range_are_told),
        TEST(a_door_that_cannot_open_for_want_of_descriptors_says_so_and_keeps_none),
        TEST(a_body_that_is_too_long_is_413_however_it_comes),
        TEST(a_body_that_is_announced_without_measure_is_not_waited_for),
        TEST(headers_without_end_are_refused),
        TEST(bytes_that_are_no_http_end_their_connection_alone),
        TEST(requests_sent_at_once_are_answered_in_order),
        TEST(more_clients_than_places_wait_and_are_served_as_places_come_free),
        TEST(a_client_that_says_nothing_is_shown_out),
        TEST(a_client_that_dribbles_is_cut_off),
        TEST(a_connection_in_use_is_not_cut_off),
        TEST(a_client_that_does_not_read_a_long_answer_holds_up_nobody),
        TEST(a_client_that_goes_while_its_command_waits_leaves_nothing),
        TEST(stopping_ends_what_is_open),
        TEST(stopping_twice_or_nothing_is_harmless_and_replies_after_it_too),
        TEST(a_door_that_nobody_uses_takes_no_time),
    };
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
