/* For tests of the operator's door: a real one on a loop of the test's own, a node that is only
 * numbers behind it, and clients that turn the loop while they wait, all in one thread. */
#ifndef TESTS_UNIT_OPS_FIXTURE_H
#define TESTS_UNIT_OPS_FIXTURE_H

#include "vibenode/ops.h"
#include "vibenode/ops_place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#define WAIT_NS (UINT64_C(60) * 1000000000) /* then something hangs */

/* ---- the node that is only numbers ---------------------------------------------------------- */

enum fake_reply {
    FAKE_INSIDE, /* the reply comes before the command returns */
    FAKE_LATER,  /* when the test says */
    FAKE_DEAF    /* no commands are taken */
};

struct fake {
    struct ops *ops;
    struct vn_info info;
    struct vn_peer_info peers[8];
    uint32_t peer_count;
    struct vn_ban_info bans[8];
    uint32_t ban_count;
    uint8_t genesis[32];
    uint64_t now_ns;
    struct vn_tcp_stats tcp;
    struct node_store_stats store;
    bool has_store;
    struct ops_counts counts;
    const char *not_ready;

    enum fake_reply reply;
    uint32_t status;
    const char *text;
    struct vn_command command; /* the latest, without its data */
    uint8_t data[512];
    uint32_t data_len;
    uint32_t commands;
    uint64_t token;
    uint32_t shutdowns;
};

static inline void fake_info(void *ctx, struct vn_info *out)
{
    const struct fake *fake = ctx;
    assert_int_equal(out->size, sizeof *out);
    *out = fake->info;
}

static inline bool fake_peer(void *ctx, uint32_t index, struct vn_peer_info *out)
{
    const struct fake *fake = ctx;
    assert_int_equal(out->size, sizeof *out);
    if (index >= fake->peer_count)
        return false;
    *out = fake->peers[index];
    return true;
}

static inline uint32_t fake_bans(void *ctx, struct vn_ban_info *out, uint32_t max)
{
    const struct fake *fake = ctx;
    assert_int_equal(out->size, sizeof *out);
    const uint32_t count = fake->ban_count < max ? fake->ban_count : max;
    memcpy(out, fake->bans, count * sizeof *out);
    return count;
}

static inline bool fake_block_hash(void *ctx, uint64_t height, uint8_t hash[32])
{
    const struct fake *fake = ctx;
    memcpy(hash, fake->genesis, 32);
    return height == 0;
}

static inline uint64_t fake_now(void *ctx)
{
    return ((const struct fake *)ctx)->now_ns;
}

static inline void fake_tcp(void *ctx, struct vn_tcp_stats *out)
{
    assert_int_equal(out->size, sizeof *out);
    *out = ((const struct fake *)ctx)->tcp;
}

static inline bool fake_store(void *ctx, struct node_store_stats *out)
{
    const struct fake *fake = ctx;
    if (fake->has_store)
        *out = fake->store;
    return fake->has_store;
}

static inline void fake_counts(void *ctx, struct ops_counts *out)
{
    *out = ((const struct fake *)ctx)->counts;
}

static inline const char *fake_not_ready(void *ctx)
{
    return ((const struct fake *)ctx)->not_ready;
}

static inline uint64_t fake_command(void *ctx, const struct vn_command *command)
{
    struct fake *fake = ctx;
    if (fake->reply == FAKE_DEAF)
        return 0;
    fake->commands++;
    fake->command = *command;
    fake->command.data = (struct vn_slice){0};
    fake->data_len = command->data.len;
    if (command->data.len && command->data.len <= sizeof fake->data)
        memcpy(fake->data, vn_slice_data(command->data), command->data.len);
    uint64_t token = ++fake->token;
    if (fake->reply == FAKE_INSIDE) {
        /* Replies to commands of others may come in the same drain. */
        ops_on_reply(fake->ops, token + 1000, VN_ERR_IO, "of somebody else");
        ops_on_reply(fake->ops, token, fake->status, fake->text);
    }
    return token;
}

static inline void fake_shutdown(void *ctx)
{
    ((struct fake *)ctx)->shutdowns++;
}

/* ---- the rig -------------------------------------------------------------------------------- */

struct rig {
    uv_loop_t loop;
    struct fake fake;
    struct vn_config config;
    struct ops_options options; /* to be changed before rig_start */
    struct ops *ops;
    char folder[100], token_file[120], socket[120];
    char token[200];
    char notes[4096];
    uint32_t stopped;
};

static inline void rig_note(void *ctx, enum ops_level level, const char *line)
{
    struct rig *rig = ctx;
    size_t len = strlen(rig->notes);
    snprintf(rig->notes + len, sizeof rig->notes - len, "%d %s\n", (int)level, line);
}

static inline void rig_on_stopped(void *ctx)
{
    ((struct rig *)ctx)->stopped++;
}

static inline void rig_slurp(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(out, 1, size - 1, file);
    fclose(file);
    out[len] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static inline void rig_spit(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static inline struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    const char *tmp = getenv("TMPDIR");
    snprintf(rig->folder, sizeof rig->folder, "%s/vibenet-ops-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->token_file, sizeof rig->token_file, "%s/token", rig->folder);
    snprintf(rig->socket, sizeof rig->socket, "%s/http", rig->folder);
    uv_loop_init(&rig->loop);
    vn_config_init(&rig->config);
    strcpy(rig->config.node_id, "me");
    rig->fake.info.size = sizeof rig->fake.info;
    rig->fake.info.online = 1;
    rig->fake.text = "";
    rig->fake.now_ns = UINT64_C(100000000000);
    ops_options_init(&rig->options);
    rig->options.loop = &rig->loop;
    rig->options.listen = "127.0.0.1:0";
    rig->options.token_file = rig->token_file;
    rig->options.config = &rig->config;
    rig->options.on_note = rig_note;
    rig->options.note_ctx = rig;
    rig->options.may_mine = true;
    rig->options.source = (struct ops_source){
        .ctx = &rig->fake,
        .info = fake_info,
        .peer = fake_peer,
        .bans = fake_bans,
        .block_hash = fake_block_hash,
        .now_ns = fake_now,
        .tcp_stats = fake_tcp,
        .store_stats = fake_store,
        .counts = fake_counts,
        .not_ready = fake_not_ready,
        .command = fake_command,
        .shutdown = fake_shutdown,
    };
    return rig;
}

static inline void rig_start(struct rig *rig)
{
    char why[600] = "";
    rig->ops = rig->fake.ops = ops_start(&rig->options, why, sizeof why);
    if (!rig->ops)
        fail_msg("%s", why);
    if (rig->options.token_file)
        rig_slurp(rig->options.token_file, rig->token, sizeof rig->token);
}

/* Lets the loop come to an end, which it only does when no handle is left. */
static inline void rig_stop(struct rig *rig)
{
    uint32_t before = rig->stopped;
    if (!rig->ops)
        return;
    ops_stop(rig->ops, rig_on_stopped, rig);
    rig->ops = rig->fake.ops = NULL;
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(rig->stopped, before + 1);
}

static inline void rig_free(struct rig *rig)
{
    rig_stop(rig);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    unlink(rig->token_file);
    unlink(rig->socket);
    assert_int_equal(rmdir(rig->folder), 0); /* nothing else was left */
    free(rig);
}

/* ---- clients -------------------------------------------------------------------------------- */

struct client {
    struct rig *rig;
    int fd;
    char *in; /* what has come and was not read yet */
    size_t len, size;
    bool ended; /* the other end has closed */
};

struct response {
    unsigned code;
    char head[2048]; /* status line and headers, each with its CRLF */
    char *body;
    size_t len;
};

static inline int client_socket(const struct rig *rig)
{
    struct ops_place place;
    char why[200];
    assert_true(ops_place_parse(ops_address(rig->ops), &place, why, sizeof why));
    if (place.is_unix) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        strcpy(at.sun_path, place.path);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
        return fd;
    }
    if (place.addr.family == VN_AF_IPV6) {
        struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(place.addr.port)};
        memcpy(&at.sin6_addr, place.addr.ip, 16);
        int fd = socket(AF_INET6, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
        return fd;
    }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(place.addr.port)};
    memcpy(&at.sin_addr, place.addr.ip, 4);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static inline struct client *client_open(struct rig *rig)
{
    struct client *client = calloc(1, sizeof *client);
    assert_non_null(client);
    client->rig = rig;
    client->fd = client_socket(rig);
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    return client;
}

static inline void client_close(struct client *client)
{
    close(client->fd);
    free(client->in);
    free(client);
}

/* The loop does what it can now; then what has come is taken. False when nothing came. */
static inline bool client_turn(struct client *client)
{
    char bytes[65536];
    uv_run(&client->rig->loop, UV_RUN_NOWAIT);
    ssize_t n = client->ended ? -1 : recv(client->fd, bytes, sizeof bytes, 0);
    client->ended = client->ended || n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    if (n <= 0) {
        usleep(200);
        return false;
    }
    while (client->size < client->len + (size_t)n + 1) {
        client->size = client->size ? 2 * client->size : 4096;
        client->in = realloc(client->in, client->size);
        assert_non_null(client->in);
    }
    memcpy(client->in + client->len, bytes, (size_t)n);
    client->len += (size_t)n;
    client->in[client->len] = '\0';
    return true;
}

/* False: the other end takes no more. */
static inline bool client_send_bytes(struct client *client, const void *bytes, size_t len)
{
    const char *p = bytes;
    uint64_t until = uv_hrtime() + WAIT_NS;
    while (len) {
        ssize_t n = send(client->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
        client_turn(client);
        assert_true(uv_hrtime() < until);
    }
    return true;
}

static inline bool client_send(struct client *client, const char *text)
{
    return client_send_bytes(client, text, strlen(text));
}

/* The value of a header, or NULL; good until the next call. */
static inline const char *response_header(const struct response *response, const char *name)
{
    static char value[300];
    size_t len = strlen(name);
    for (const char *line = response->head; *line; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            size_t n = strcspn(line + len + 2, "\r");
            assert_true(n < sizeof value);
            memcpy(value, line + len + 2, n);
            value[n] = '\0';
            return value;
        }
    return NULL;
}

/* Waits for one whole response. body: whether it has one (HEAD: none). False: the connection ended
 * without. */
static inline bool client_read(struct client *client, struct response *response, bool body)
{
    uint64_t until = uv_hrtime() + WAIT_NS;
    const char *end;
    *response = (struct response){0};
    while (!(end = client->len ? strstr(client->in, "\r\n\r\n") : NULL)) {
        if (!client_turn(client) && client->ended)
            return false;
        assert_true(uv_hrtime() < until);
    }
    size_t head = (size_t)(end - client->in) + 2;
    assert_true(head < sizeof response->head);
    memcpy(response->head, client->in, head);
    assert_int_equal(strncmp(response->head, "HTTP/1.1 ", 9), 0);
    response->code = (unsigned)strtoul(response->head + 9, NULL, 10);
    const char *length = response_header(response, "Content-Length");
    response->len = body && length ? strtoul(length, NULL, 10) : 0;
    while (client->len < head + 2 + response->len) {
        if (!client_turn(client) && client->ended)
            return false;
        assert_true(uv_hrtime() < until);
    }
    response->body = calloc(1, response->len + 1);
    assert_non_null(response->body);
    memcpy(response->body, client->in + head + 2, response->len);
    client->len -= head + 2 + response->len;
    memmove(client->in, client->in + head + 2 + response->len, client->len + 1);
    return true;
}

static inline void client_read_end(struct client *client)
{
    uint64_t until = uv_hrtime() + WAIT_NS;
    while (client_turn(client) || !client->ended)
        assert_true(uv_hrtime() < until);
}

/* One request on a connection of its own. headers: further ones, each with its CRLF. */
static inline unsigned ask(struct rig *rig, struct response *response, const char *method,
                           const char *path, const char *headers, const char *body)
{
    char head[8192];
    struct client *client = client_open(rig);
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n", method,
                     path, headers, strlen(body));
    assert_true(n < (int)sizeof head);
    client_send(client, head);
    client_send(client, body);
    if (!client_read(client, response, strcmp(method, "HEAD") != 0))
        fail_msg("%s %s: no response", method, path);
    client_close(client);
    return response->code;
}

#define HOST "Host: localhost\r\n"

static inline unsigned get(struct rig *rig, struct response *response, const char *path)
{
    return ask(rig, response, "GET", path, HOST, "");
}

/* With the token. */
static inline unsigned post(struct rig *rig, struct response *response, const char *path,
                            const char *body)
{
    char headers[400];
    snprintf(headers, sizeof headers, HOST "Authorization: Bearer %s\r\n", rig->token);
    return ask(rig, response, "POST", path, headers, body);
}

/* The body as JSON; frees the response. */
static inline json_t *json_of(struct response *response)
{
    json_error_t error;
    assert_string_equal(response_header(response, "Content-Type"), "application/json");
    json_t *json = json_loads(response->body, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s in %s", error.text, response->body);
    free(response->body);
    response->body = NULL;
    return json;
}

static inline json_t *get_json(struct rig *rig, const char *path)
{
    struct response response;
    assert_int_equal(get(rig, &response, path), 200);
    return json_of(&response);
}

/* At a path of keys, "chain.height" or "0.addr". */
static inline const json_t *at(const json_t *json, const char *path)
{
    char key[64];
    while (*path) {
        size_t len = strcspn(path, ".");
        memcpy(key, path, len);
        key[len] = '\0';
        json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10))
                                   : json_object_get(json, key);
        if (!json)
            fail_msg("no %s", path);
        path += len + (path[len] == '.');
    }
    return json;
}

static inline const char *text_at(const json_t *json, const char *path)
{
    const char *text = json_string_value(at(json, path));
    if (!text)
        fail_msg("%s is no text", path);
    return text;
}

static inline json_int_t int_at(const json_t *json, const char *path)
{
    if (!json_is_integer(at(json, path)))
        fail_msg("%s is no integer", path);
    return json_integer_value(at(json, path));
}

/* Expects an error whose text holds `part`. */
static inline void expect_error(struct response *response, unsigned code, const char *part)
{
    json_t *json = json_of(response);
    if (response->code != code || !strstr(text_at(json, "error"), part))
        fail_msg("%u %s", response->code, text_at(json, "error"));
    json_decref(json);
}

#endif
