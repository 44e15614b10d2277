/* trace/redact.h: the copy tells of nobody, replays to hashes of its own, and the node in it does
 * what it did. */
#include "tests/unit/capture_fixture.h"

#include "core/base/bytes.h"
#include "core/crypto/sha256.h"
#include "core/wire/frame.h"
#include "trace/redact.h"

static char copy_path[240];

/* What must not be in a copy. */
static const char secret[] = "secret";
static const uint8_t secret_v4[] = {203, 0, 113, 77};
static const uint8_t secret_v6[] = {0x20, 1, 0x0d, 0xb8, 0x77, 0x66, 0x55, 0x44};

static struct vn_addr v4(uint8_t last, uint16_t port)
{
    return addr_v4(203, 0, 113, last, port);
}

static struct vn_addr v6(uint16_t port)
{
    struct vn_addr addr = {.family = VN_AF_IPV6, .port = port};
    memcpy(addr.ip, secret_v6, sizeof secret_v6);
    return addr;
}

static bool contains(const uint8_t *data, size_t len, const void *what, size_t what_len)
{
    return memmem(data, len, what, what_len) != NULL;
}

static void redact(struct redact_result *result, bool keep_id)
{
    char why[700] = "";
    unlink(copy_path);
    if (!redact_file(capture_path, copy_path, keep_id, result, NULL, NULL, why, sizeof why))
        fail_msg("%s", why);
}

static struct replay_result replay(const char *path, bool torn)
{
    struct replay_result result;
    char why[700];
    struct capture_reader *reader = capture_reader_new(path, why, sizeof why);
    if (!reader)
        fail_msg("%s", why);
    if (!replay_run(reader, &(struct replay_options){0}, &result, why, sizeof why))
        fail_msg("%s", why);
    assert_int_equal(result.whole, !torn);
    assert_false(result.differs);
    assert_int_equal(capture_reader_redacted(reader), path == copy_path);
    capture_reader_free(reader);
    return result;
}

/* Redacts what was captured; the copy tells no secrets, and lives as the original. */
static struct redact_result expect_clean(bool torn)
{
    struct redact_result result;
    size_t len;
    redact(&result, false);
    uint8_t *data = file_bytes(copy_path, &len);
    assert_false(contains(data, len, secret, 6));
    assert_false(contains(data, len, secret_v4, 3));
    assert_false(contains(data, len, secret_v6, 8));
    free(data);
    if (result.differs)
        fail_msg("after event %llu: %s", (unsigned long long)result.differs_at, result.difference);
    const struct replay_result was = replay(capture_path, torn), is = replay(copy_path, torn);
    assert_int_equal(is.events, was.events);
    assert_int_equal(is.drains, was.drains);
    assert_int_equal(is.messages, was.messages);
    assert_memory_equal(is.info.tip, was.info.tip, 32);
    assert_int_equal(is.info.known, was.info.known);
    assert_int_equal(is.info.banned, was.info.banned);
    assert_true(is.hash != was.hash || result.addrs == 1);
    assert_false(result.other_chain);
    assert_int_equal(result.torn, torn);
    return result;
}

static void secret_config(struct vn_config *config)
{
    life_config(config);
    strcpy(config->node_id, "my-secret-node");
    config->listen = v4(1, 8765);
}

static struct capture *begin(struct life *life, struct vn_config *config)
{
    char why[300];
    unlink(capture_path);
    struct capture *c =
        capture_new(capture_path, config, vn_api(VN_API_VERSION)->build, why, sizeof why);
    assert_non_null(c);
    life_start(life, c, config, (struct vn_slice){0}, (struct vn_slice){0});
    return c;
}

static void end(struct life *life, struct capture *c)
{
    capture_close(c, vn_node_hash(life->node));
    vn_node_free(life->node);
}

static void up(struct life *life, uint64_t link, struct vn_addr remote)
{
    life_step(life, (struct vn_event){.kind = VN_EV_LINK_UP,
                                      .u.link_up = {link, v4(1, 8765), remote, 1u << 20}});
}

static void bytes(struct life *life, uint64_t link, const void *data, size_t len)
{
    struct vn_slice slice = slice_of(data, len);
    life_step(life, (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {link, slice}});
    vn_slice_unref(slice);
}

static struct vn_buf *hello(const char *id, struct vn_addr listen)
{
    return msg_frame(&(struct msg){
        .kind = MSG_HANDSHAKE,
        .u.handshake = {{(const uint8_t *)"0.1.0", 5}, {(const uint8_t *)id, strlen(id)}, listen}});
}

/* ---- tests ---- */

static void test_names_are_replaced_wherever_they_stand(void **state)
{
    (void)state;
    struct vn_config config;
    struct life life;
    struct vn_addr seeds[] = {v4(9, 8765), v6(8765)}, resolved[] = {v4(12, 1), v6(2)};
    secret_config(&config);
    config.seeds = seeds;
    config.seed_count = 2;
    struct capture *c = begin(&life, &config);
    life_peer(&life, 2, v4(77, 5000), "secret-alice");
    life_peer(&life, 4, v6(5000), "a-secret-with-more-letters-in-it");
    life_command(&life, (struct vn_command){.kind = VN_CMD_CONNECT, .addr = v4(13, 8765)});
    life_command(&life, (struct vn_command){.kind = VN_CMD_ADD_PEER, .addr = v6(1)});
    life_command(&life, (struct vn_command){.kind = VN_CMD_BAN, .addr = v4(77, 0)});
    life_command(&life, (struct vn_command){.kind = VN_CMD_UNBAN, .addr = v4(78, 0)});
    life_step(&life,
              (struct vn_event){.kind = VN_EV_RESOLVED, .u.resolved = {1, VN_OK, 2, resolved}});
    end(&life, c);
    const struct redact_result r = expect_clean(false);
    assert_int_equal(r.addrs, 2 + 2 + 1 + 2 + 1); /* own ones, seeds, a peer, commands, resolved */
    assert_int_equal(r.ids, 2);
    assert_int_equal(r.blanked, 0);
    assert_true(r.actions > 10);
}

/* A Handshake in two pieces, cut at every place. */
static void test_a_handshake_in_pieces_is_found(void **state)
{
    (void)state;
    struct vn_config config;
    struct life life;
    struct vn_buf *frame = hello("secret-peer", v4(77, 5000));
    secret_config(&config);
    config.max_inbound = config.max_inbound_per_ip = 200;
    config.accept_rate = 0;
    struct capture *c = begin(&life, &config);
    for (uint32_t cut = 1; cut < frame->len; cut++) {
        const uint64_t link = 2 * cut;
        up(&life, link, v4(77, 5000));
        bytes(&life, link, frame->data, cut);
        bytes(&life, link, frame->data + cut, frame->len - cut);
        life_ping(&life, link, cut);
        life_step(&life, (struct vn_event){.kind = VN_EV_LINK_DOWN, .u.link_down = {link, 1}});
    }
    /* Byte by byte, and once more on the same link, which is against the rules. */
    up(&life, 1000, v4(77, 5000));
    for (uint32_t i = 0; i < 2 * frame->len; i++)
        bytes(&life, 1000, frame->data + i % frame->len, 1);
    vn_buf_unref(frame);
    end(&life, c);
    const struct redact_result r = expect_clean(false);
    assert_int_equal(r.ids, 1);
    assert_int_equal(r.blanked, 0);
}

static void put_u32(uint8_t *at, uint32_t v)
{
    put_be32(at, v);
}

static void test_what_is_no_message_becomes_blank(void **state)
{
    (void)state;
    struct vn_config config;
    struct life life;
    uint8_t frame[200] = {0};
    static const char http[] = "GET / HTTP/1.1\r\nHost: secret.example 203.0.113.77\r\n\r\n";
    secret_config(&config);
    struct capture *c = begin(&life, &config);
    up(&life, 2, v4(77, 1)); /* a length that is none */
    bytes(&life, 2, http, 20);
    bytes(&life, 2, http + 20, sizeof http - 21);
    life_peer(&life, 4, v4(78, 2), "peer-four");
    put_u32(frame, 60); /* a payload that is no message */
    memset(frame + 4, 0x20, 60);
    memcpy(frame + 30, secret, 6);
    memcpy(frame + 40, secret_v4, 4);
    bytes(&life, 4, frame, 40);
    bytes(&life, 4, frame + 40, 24);
    bytes(&life, 4, secret, 6); /* nobody listens any more */
    life_peer(&life, 6, v4(79, 2), "peer-six");
    struct vn_buf *ping = msg_frame(&(struct msg){.kind = MSG_PING, .u.ping.nonce = 1});
    memcpy(frame, ping->data, ping->len); /* a message, and more in its frame */
    memcpy(frame + ping->len, secret, 6);
    put_u32(frame, ping->len - 4 + 6);
    bytes(&life, 6, frame, ping->len + 6);
    bytes(&life, 6, ping->data, ping->len); /* the stream goes on */
    vn_buf_unref(ping);
    struct vn_buf *part = hello("secret", v4(77, 5000)); /* an unfinished one */
    up(&life, 8, v4(80, 2));
    bytes(&life, 8, part->data, part->len - 3);
    up(&life, 10, v4(81, 2)); /* ... whose link goes */
    bytes(&life, 10, part->data, part->len - 1);
    life_step(&life, (struct vn_event){.kind = VN_EV_LINK_DOWN, .u.link_down = {10, 1}});
    bytes(&life, 10, part->data, part->len); /* of nobody's link */
    vn_buf_unref(part);
    struct vn_slice unasked = slice_of(secret, 6);
    life_step(&life,
              (struct vn_event){.kind = VN_EV_LOADED, .u.loaded = {987, VN_OK, 1, &unasked}});
    vn_slice_unref(unasked);
    end(&life, c);
    const struct redact_result r = expect_clean(false);
    assert_int_equal(r.blanked, 5);
    assert_true(life.closes >= 2);
}

static void test_an_id_that_is_no_text_stays_none(void **state)
{
    (void)state;
    struct vn_config config;
    struct life life;
    struct vn_buf *frame = hello("secret\xff", v4(77, 5000));
    secret_config(&config);
    struct capture *c = begin(&life, &config);
    up(&life, 2, v4(77, 1));
    bytes(&life, 2, frame->data, frame->len);
    vn_buf_unref(frame);
    assert_int_equal(life.closes, 1);
    end(&life, c);
    assert_int_equal(expect_clean(false).blanked, 1);
}

/* The address list comes from the store, and who is banned there stays banned under another name.
 */
static void test_what_the_store_gave_back_is_renamed_too(void **state)
{
    (void)state;
    for (int by_id = 0; by_id < 2; by_id++) {
        struct vn_config config;
        struct life life;
        char why[300];
        uint8_t addr[27] = {VN_AF_IPV4, 203, 0, 113, 50}, ban[48];
        secret_config(&config);
        config.ban_by = by_id ? VN_BAN_BY_ID : VN_BAN_BY_IP;
        put_le16(addr + 17, 8765);
        memset(ban, 0, sizeof ban);
        put_be64(ban, UINT64_C(2000000) * 1000000000);
        put_be64(ban + 40, UINT64_C(1000000) * 1000000000);
        if (by_id)
            sha256(ban + 8, "secret-eve", 10);
        else
            memcpy(ban + 8, (const uint8_t[]){'a', VN_AF_IPV4, 203, 0, 113, 77}, 6);
        unlink(capture_path);
        struct capture *c =
            capture_new(capture_path, &config, vn_api(VN_API_VERSION)->build, why, sizeof why);
        assert_non_null(c);
        life_start(&life, c, &config, slice_of(addr, sizeof addr), slice_of(ban, sizeof ban));
        struct vn_info info = {.size = sizeof info};
        vn_node_info(life.node, &info);
        assert_int_equal(info.known, 1);
        assert_int_equal(info.banned, 1);
        life_peer(&life, 2, v4(77, 1), "secret-eve");
        assert_int_equal(life.closes, 1);
        end(&life, c);
        expect_clean(false);
    }
}

static void test_a_capture_that_ends_early_has_a_copy_that_does(void **state)
{
    (void)state;
    struct vn_config config;
    struct life life;
    secret_config(&config);
    struct capture *c = begin(&life, &config);
    life_peer(&life, 2, v4(77, 5000), "secret-alice");
    life_ping(&life, 2, 1);
    capture_event(c, &(struct vn_event){.kind = VN_EV_TIMER, .now_ns = life.now_ns});
    capture_abandon(c);
    vn_node_free(life.node);
    expect_clean(true);
}

/* A piece of what a peer may send: a message, one that was spoilt, or soup. */
static size_t draw_piece(struct rng *rng, uint8_t *out)
{
    char id[20] = "secret-";
    const uint64_t what = rng_below(rng, 8), number = rng_below(rng, 4);
    struct vn_buf *frame = NULL;
    id[7] = (char)('a' + number);
    if (what < 3)
        frame = hello(id, v4(77, (uint16_t)number));
    else if (what < 6)
        frame = msg_frame(&(struct msg){.kind = what == 3 ? MSG_PING : MSG_REQUEST_BLOCK,
                                        .u.ping.nonce = number});
    size_t len = frame ? frame->len : rng_below(rng, 60);
    for (size_t i = 0; i < len; i++)
        out[i] = frame ? frame->data[i] : (uint8_t)rng_below(rng, 2);
    if (rng_below(rng, 8) == 0 && len > 4) { /* more in its frame than the message */
        memcpy(out + len, secret, 6);
        len += 6;
        put_be32(out, (uint32_t)len - 4);
    }
    if (rng_below(rng, 8) == 0 && len > 0) {
        const uint64_t at = rng_below(rng, len);
        out[at] ^= (uint8_t)(1 + rng_below(rng, 255));
    }
    if (frame)
        vn_buf_unref(frame);
    return len;
}

/* So many pieces on a few links that come and go, cut anywhere. */
static void live_randomly(struct life *life, struct rng *rng)
{
    bool is_up[8] = {false};
    uint8_t stream[8][300];
    size_t waiting[8] = {0};
    for (uint32_t n = 0; n < 60; n++) {
        const uint64_t i = rng_below(rng, 8), link = 2 + 2 * i, choice = rng_below(rng, 12);
        if (choice == 0 || (!is_up[i] && choice < 10)) {
            if (is_up[i])
                life_step(life,
                          (struct vn_event){.kind = VN_EV_LINK_DOWN, .u.link_down = {link, 2}});
            else
                up(life, link, v4((uint8_t)(70 + i % 5), 1));
            is_up[i] = !is_up[i];
            waiting[i] = 0;
            continue;
        }
        if (waiting[i] < 150)
            waiting[i] += draw_piece(rng, stream[i] + waiting[i]);
        const uint64_t len = rng_below(rng, waiting[i] + 1);
        bytes(life, link, stream[i], len);
        memmove(stream[i], stream[i] + len, waiting[i] - len);
        waiting[i] -= len;
    }
}

static void test_whatever_peers_send_the_copy_lives_alike(void **state)
{
    (void)state;
    static const uint8_t seed[32] = {3};
    uint64_t blanked = 0, closes = 0;
    for (uint32_t n = 0; n < 150; n++) {
        struct vn_config config;
        struct life life;
        struct rng rng;
        rng_fork(&rng, seed, "redact", n);
        secret_config(&config);
        config.accept_rate = 0;
        struct capture *c = begin(&life, &config);
        live_randomly(&life, &rng);
        closes += life.closes;
        end(&life, c);
        const struct redact_result r = expect_clean(false);
        blanked += r.blanked;
    }
    assert_true(blanked > 100 && closes > 100);
}

static void test_the_chain_of_a_miner_needs_its_id(void **state)
{
    (void)state;
    struct redact_result result;
    size_t len;
    unlink(capture_path);
    life_capture(capture_path, 3); /* it mines */
    redact(&result, false);
    assert_true(result.other_chain && !result.differs);
    const struct replay_result other = replay(copy_path, false);
    redact(&result, true);
    assert_false(result.other_chain || result.differs);
    const struct replay_result was = replay(capture_path, false), is = replay(copy_path, false);
    assert_memory_equal(is.info.tip, was.info.tip, 32);
    assert_memory_not_equal(other.info.tip, was.info.tip, 32);
    uint8_t *data = file_bytes(copy_path, &len);
    assert_true(contains(data, len, "node-under-test", 15));
    assert_false(contains(data, len, "alice", 5));
    free(data);
}

static void expect_refusal(const char *words)
{
    struct redact_result result;
    char why[700] = "";
    unlink(copy_path);
    assert_false(redact_file(capture_path, copy_path, false, &result, NULL, NULL, why, sizeof why));
    if (!strstr(why, words))
        fail_msg("expected '%s', got '%s'", words, why);
    assert_int_equal(access(copy_path, F_OK), -1);
}

static void test_a_running_node_is_not_redacted(void **state)
{
    (void)state;
    struct vn_config config;
    struct life life;
    secret_config(&config);
    struct capture *c = begin(&life, &config);
    expect_refusal("its node is still running");
    end(&life, c);
    expect_clean(false);
}

static void test_what_this_build_does_not_live_alike_is_refused(void **state)
{
    (void)state;
    struct vn_config config;
    struct life life;
    char why[300];
    secret_config(&config);
    unlink(capture_path);
    struct capture *c = capture_new(capture_path, &config, "9.9.9 other", why, sizeof why);
    life_start(&life, c, &config, (struct vn_slice){0}, (struct vn_slice){0});
    capture_close(c, 12345);
    vn_node_free(life.node);
    expect_refusal("redact it with the build that made it (9.9.9 other)");
}

static void test_a_file_that_is_there_is_not_written_over(void **state)
{
    (void)state;
    struct redact_result result;
    char why[700], text[20] = "";
    unlink(capture_path);
    life_capture(capture_path, 1);
    file_write(copy_path, "precious", 8);
    assert_false(redact_file(capture_path, copy_path, false, &result, NULL, NULL, why, sizeof why));
    assert_non_null(strstr(why, "exists already"));
    size_t len;
    uint8_t *data = file_bytes(copy_path, &len);
    memcpy(text, data, len);
    free(data);
    assert_string_equal(text, "precious");
    assert_false(
        redact_file(capture_path, capture_path, false, &result, NULL, NULL, why, sizeof why));
    replay(capture_path, false);
}

static int setup(void **state)
{
    const int bad = capture_setup(state);
    snprintf(copy_path, sizeof copy_path, "%s/copy.vncap", capture_folder);
    return bad;
}

static int teardown(void **state)
{
    unlink(copy_path);
    return capture_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_replaced_wherever_they_stand),
        cmocka_unit_test(test_a_handshake_in_pieces_is_found),
        cmocka_unit_test(test_what_is_no_message_becomes_blank),
        cmocka_unit_test(test_an_id_that_is_no_text_stays_none),
        cmocka_unit_test(test_what_the_store_gave_back_is_renamed_too),
        cmocka_unit_test(test_a_capture_that_ends_early_has_a_copy_that_does),
        cmocka_unit_test(test_whatever_peers_send_the_copy_lives_alike),
        cmocka_unit_test(test_the_chain_of_a_miner_needs_its_id),
        cmocka_unit_test(test_a_running_node_is_not_redacted),
        cmocka_unit_test(test_what_this_build_does_not_live_alike_is_refused),
        cmocka_unit_test(test_a_file_that_is_there_is_not_written_over),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
