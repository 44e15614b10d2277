/* A captured life, written to a file and replayed from there into another node, has the same hash;
 * and nothing that happens to the file or its writer makes a replay call "the same" what is not. */
#include "tests/node/lan.h"
#include "trace/redact.h"
#include "trace/replay.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[200];

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/vibenet-replay-XXXXXX", tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* Lives the tape in a fresh node, which is captured. Stops after so many events, and then, if
 * asked, ends the process as a kill does. Returns the hash. */
static uint64_t capture_tape(const struct tape *tape, const struct vn_config *cfg, uint64_t most,
                             bool killed)
{
    struct vn_config quiet = *cfg;
    struct vn_action action;
    char why[300];
    quiet.on_trace = NULL;
    unlink(path);
    struct capture *capture =
        capture_new(path, &quiet, vn_api(VN_API_VERSION)->build, why, sizeof why);
    if (!capture)
        fail_msg("%s", why);
    struct vn_node *node = vn_node_new(&quiet);
    uint64_t events = 0;
    for (uint32_t i = 0; i < tape->count; i++) {
        const struct tape_entry *entry = &tape->entries[i];
        struct vn_event event = entry->event;
        if (event.kind == 0) {
            if (vn_node_next_action(node, &action))
                vn_action_release(&action);
            else
                capture_drained(capture, vn_node_hash(node));
            continue;
        }
        if (events++ == most)
            break;
        if (event.kind == VN_EV_COMMAND)
            event.u.command.command = &entry->command;
        if (event.kind == VN_EV_LOADED)
            event.u.loaded.slices = entry->slices;
        capture_event(capture, &event);
        vn_node_step(node, &event);
    }
    if (killed)
        raise(SIGKILL);
    const uint64_t hash = vn_node_hash(node);
    assert_string_equal(capture_error(capture), "");
    capture_close(capture, hash);
    vn_node_free(node);
    return hash;
}

static struct replay_result replay(const struct replay_options *options)
{
    struct replay_result result;
    char why[300];
    struct capture_reader *reader = capture_reader_new(path, why, sizeof why);
    if (!reader)
        fail_msg("%s", why);
    if (!replay_run(reader, options, &result, why, sizeof why))
        fail_msg("%s", why);
    assert_string_equal(capture_reader_damage(reader), "");
    assert_int_equal(result.whole || result.differs || result.stopped,
                     !capture_reader_torn(reader));
    capture_reader_free(reader);
    return result;
}

static uint64_t count_events(const struct tape *tape)
{
    uint64_t events = 0;
    for (uint32_t i = 0; i < tape->count; i++)
        events += tape->entries[i].event.kind != 0;
    return events;
}

static void expect_same(const struct replay_result *r, uint64_t events, uint64_t hash)
{
    assert_true(r->whole && !r->differs && !r->stopped);
    assert_int_equal(r->events, events);
    assert_int_equal(r->agreed, events);
    assert_int_equal(r->hashes, 1 + events / CAPTURE_HASH_EVERY);
    assert_true(r->hash == hash && r->info.hash == hash);
}

/* ---- lives ---- */

/* A life with growth, a reorganisation and a disk, in three nodes. */
static void live(struct lan *lan, struct tape tapes[3])
{
    static struct vn_addr seed;
    const char *ids[] = {"a", "b", "c"};
    seed = lan_addr(0);
    lan_init(lan);
    lan->disk_delay_ns = 30 * MS;
    for (uint32_t i = 0; i < 3; i++) {
        struct vn_config cfg;
        lan_config(&cfg, i, ids[i]);
        cfg.cached_blocks = 5;
        cfg.feeler_interval_ns = 20 * S;
        cfg.mine_interval_ns = i == 2 ? 40 * S : 0;
        cfg.seeds = &seed;
        cfg.seed_count = 1;
        lan_add(lan, &cfg, NULL, &tapes[i]);
        lan->nodes[i].cfg.seeds = &seed;
    }
    lan_run(lan, 60 * S);
    lan_command(&lan->nodes[0], (struct vn_command){.kind = VN_CMD_MINE, .number = 30});
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1, .nonce = 1});
    lan_command(&lan->nodes[1],
                (struct vn_command){.kind = VN_CMD_SUBMIT_TX, .data = forge_whole(tx)});
    vn_buf_unref(tx);
    lan_run(lan, 10 * S);
    lan_separate(lan, 0, 1, true);
    lan_separate(lan, 2, 1, true);
    lan_command(&lan->nodes[1], (struct vn_command){.kind = VN_CMD_MINE, .number = 3});
    lan_command(&lan->nodes[0], (struct vn_command){.kind = VN_CMD_MINE, .number = 4});
    lan_run(lan, 100 * S);
    lan_separate(lan, 0, 1, false);
    lan_separate(lan, 2, 1, false);
    lan_run(lan, 200 * S);
    assert_true(lan->nodes[1].deepest_reorg >= 3);
}

static void live_drop(struct lan *lan, struct tape tapes[3])
{
    lan_deinit(lan);
    for (uint32_t i = 0; i < 3; i++)
        tape_deinit(&tapes[i]);
}

/* A short one: a peer comes and goes, a block is mined. */
static uint64_t live_briefly(struct tape *tape, struct vn_config *cfg)
{
    struct rig rig;
    rig_config(cfg);
    rig_init(&rig, cfg);
    rig.tape = tape;
    rig_start(&rig);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
    struct rig_link *peer = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig_ping(&rig, peer, 7);
    rig_down(&rig, peer, VN_WHY_RESET);
    const uint64_t hash = vn_node_hash(rig.node);
    rig.tape = NULL;
    rig_deinit(&rig);
    return hash;
}

/* A long one: so many Pings from two peers. */
static void live_long(struct tape *tape, struct vn_config *cfg, uint32_t pings)
{
    struct rig rig;
    rig_config(cfg);
    cfg->ping_rate = 0;
    rig_init(&rig, cfg);
    rig.tape = tape;
    rig_start(&rig);
    struct rig_link *peers[] = {rig_ready_idle(&rig, rig_addr(7, 5000), "one"),
                                rig_ready_idle(&rig, rig_addr(8, 5000), "two")};
    for (uint32_t i = 0; i < pings; i++) {
        rig.now_ns += MS;
        rig_ping(&rig, peers[i % 2], i);
    }
    rig.tape = NULL;
    rig_deinit(&rig);
}

/* ---- tests ---- */

static void test_a_life_with_growth_reorganisation_and_disk_replays_from_its_file(void **state)
{
    (void)state;
    struct lan lan;
    struct tape tapes[3] = {{0}, {0}, {0}};
    live(&lan, tapes);
    for (uint32_t i = 0; i < 3; i++) {
        const struct vn_info info = lan_info(&lan.nodes[i]);
        assert_true(capture_tape(&tapes[i], &lan.nodes[i].cfg, UINT64_MAX, false) == info.hash);
        const struct replay_result r = replay(&(struct replay_options){0});
        expect_same(&r, count_events(&tapes[i]), info.hash);
        assert_int_equal(r.messages, lan.nodes[i].messages_in);
        assert_int_equal(r.info.height, info.height);
        assert_memory_equal(r.info.tip, info.tip, 32);
        assert_true(r.last_ns > r.first_ns && r.last_ns <= lan.now_ns);
    }
    live_drop(&lan, tapes);
}

static void test_hashes_are_compared_on_the_way_and_a_stop_is_obeyed(void **state)
{
    (void)state;
    struct tape tape = {0};
    struct vn_config cfg;
    live_long(&tape, &cfg, 12000);
    const uint64_t events = count_events(&tape);
    assert_true(events > 2 * CAPTURE_HASH_EVERY);
    const uint64_t hash = capture_tape(&tape, &cfg, UINT64_MAX, false);
    struct replay_result r = replay(&(struct replay_options){0});
    expect_same(&r, events, hash);
    r = replay(&(struct replay_options){.until = 10500});
    assert_true(r.stopped && !r.whole && !r.differs);
    assert_int_equal(r.events, 10500);
    assert_int_equal(r.hashes, 1);
    assert_int_equal(r.agreed, CAPTURE_HASH_EVERY);
    /* The same hash as of a life that ended there. */
    assert_true(capture_tape(&tape, &cfg, 10500, false) == r.hash);
    tape_deinit(&tape);
}

/* A build that decides otherwise: its hash is another one from one event on. */
static const struct vn_api *odd_core;
static uint64_t odd_from, odd_steps;

static void odd_step(struct vn_node *node, const struct vn_event *event)
{
    if (++odd_steps == odd_from)
        vn_node_step(node, event); /* twice */
    vn_node_step(node, event);
}

static void test_where_another_build_differs_is_told_between_two_hashes(void **state)
{
    (void)state;
    struct tape tape = {0};
    struct vn_config cfg;
    live_long(&tape, &cfg, 18000);
    capture_tape(&tape, &cfg, UINT64_MAX, false);
    odd_core = vn_api(VN_API_VERSION);
    struct vn_api odd = *odd_core;
    odd.node_step = odd_step;
    const struct {
        uint64_t from, agreed, at;
    } rows[] = {{1, 0, 10000}, {10000, 0, 10000}, {10001, 10000, 20000}, {20500, 20000, 30000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        odd_steps = 0;
        odd_from = rows[i].from;
        const struct replay_result r = replay(&(struct replay_options){.api = &odd});
        assert_true(r.differs && !r.whole);
        assert_int_equal(r.agreed, rows[i].agreed);
        assert_int_equal(r.differs_at, rows[i].at);
        assert_int_equal(r.events, rows[i].at);
        assert_true(r.hash != r.hash_captured);
    }
    odd_steps = 0;
    odd_from = UINT64_MAX;
    const struct replay_result r = replay(&(struct replay_options){.api = &odd});
    assert_true(r.whole);
    tape_deinit(&tape);
}

static void test_a_killed_life_replays_up_to_its_last_event(void **state)
{
    (void)state;
    struct lan lan;
    struct tape tapes[3] = {{0}, {0}, {0}};
    live(&lan, tapes);
    const uint64_t events = count_events(&tapes[1]);
    for (uint64_t most = 1; most < events; most += events / 7) {
        const pid_t child = fork();
        if (child == 0) {
            capture_tape(&tapes[1], &lan.nodes[1].cfg, most, true);
            _exit(1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        const struct replay_result r = replay(&(struct replay_options){0});
        assert_false(r.whole || r.differs);
        assert_int_equal(r.events, most);
        /* A drain behind the last event is not in the file: the next one would have told of it. */
        const uint64_t hash = capture_tape(&tapes[1], &lan.nodes[1].cfg, most, false);
        const struct replay_result same = replay(&(struct replay_options){.until = most});
        assert_true(same.hash == hash);
        assert_int_equal(same.drains, r.drains + 1);
    }
    live_drop(&lan, tapes);
}

struct heard {
    uint64_t traces, tips, events, bytes;
};

static void hear_trace(void *ctx, const struct vn_trace *trace)
{
    struct heard *heard = ctx;
    heard->traces++;
    heard->tips += trace->kind == VN_TR_TIP;
}

static void hear_progress(void *ctx, const struct replay_progress *progress)
{
    struct heard *heard = ctx;
    assert_true(progress->bytes >= heard->bytes && progress->bytes <= progress->bytes_all);
    heard->bytes = progress->bytes;
    heard->events = progress->events;
}

static void test_traces_and_progress_are_told_and_change_nothing(void **state)
{
    (void)state;
    struct tape tape = {0};
    struct vn_config cfg;
    const uint64_t hash = live_briefly(&tape, &cfg);
    assert_true(capture_tape(&tape, &cfg, UINT64_MAX, false) == hash);
    struct heard heard = {0};
    struct replay_options options = {.on_trace = hear_trace,
                                     .trace_mask = UINT64_MAX,
                                     .on_progress = hear_progress,
                                     .ctx = &heard};
    struct replay_result r = replay(&options);
    expect_same(&r, count_events(&tape), hash);
    assert_true(heard.tips == 1 && heard.traces > 10);
    assert_int_equal(heard.events, r.events);
    const uint64_t all = heard.traces;
    heard = (struct heard){0};
    options.trace_mask = UINT64_C(1) << VN_TR_TIP;
    r = replay(&options);
    expect_same(&r, count_events(&tape), hash);
    assert_true(heard.traces == 1 && all > 1);
    tape_deinit(&tape);
}

/* The number of the last event that brought bytes: a Ping. */
static uint64_t last_bytes(const struct tape *tape)
{
    uint64_t events = 0, last = 0;
    for (uint32_t i = 0; i < tape->count; i++) {
        events += tape->entries[i].event.kind != 0;
        if (tape->entries[i].event.kind == VN_EV_BYTES)
            last = events;
    }
    return last;
}

static void test_what_a_killed_node_was_about_to_do_is_done_in_the_replay(void **state)
{
    (void)state;
    struct tape tape = {0};
    struct vn_config cfg;
    live_briefly(&tape, &cfg);
    const pid_t child = fork();
    if (child == 0) {
        capture_tape(&tape, &cfg, last_bytes(&tape), true);
        _exit(1);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    const struct replay_result r = replay(&(struct replay_options){0});
    assert_int_equal(r.events, last_bytes(&tape));
    assert_true(r.drains < r.events);
    /* The Pong leaves in the drain, of which nothing is written yet, and waits no longer. */
    capture_tape(&tape, &cfg, UINT64_MAX, false);
    const struct replay_result same = replay(&(struct replay_options){.until = last_bytes(&tape)});
    assert_int_equal(r.info.held_bytes, same.info.held_bytes);
    tape_deinit(&tape);
}

static void test_no_changed_byte_makes_a_replay_that_is_called_the_same(void **state)
{
    (void)state;
    struct tape tape = {0};
    struct vn_config cfg;
    uint8_t data[16384];
    char why[300];
    live_briefly(&tape, &cfg);
    capture_tape(&tape, &cfg, UINT64_MAX, false);
    FILE *file = fopen(path, "rb");
    const size_t len = fread(data, 1, sizeof data, file);
    fclose(file);
    assert_true(len > 1000 && len < sizeof data);
    for (size_t at = 0; at < len; at++)
        for (uint32_t mask = 1; mask < 256; mask = mask * 6 + 1) {
            struct replay_result r = {0};
            data[at] ^= (uint8_t)mask;
            struct capture_reader *reader = capture_reader_over(data, len, why, sizeof why);
            if (reader && replay_run(reader, &(struct replay_options){0}, &r, why, sizeof why))
                assert_true(!r.whole && capture_reader_torn(reader));
            capture_reader_free(reader);
            data[at] ^= (uint8_t)mask;
        }
    tape_deinit(&tape);
}

/* Nodes that mine, and whose peers build on what they mined. */
static void test_a_redacted_life_is_the_same_life_while_a_miner_keeps_its_id(void **state)
{
    (void)state;
    struct lan lan;
    struct tape tapes[3] = {{0}, {0}, {0}};
    char to[220], why[700] = "";
    live(&lan, tapes);
    snprintf(to, sizeof to, "%s-copy", path);
    for (uint32_t i = 0; i < 3; i++) {
        struct redact_result r;
        capture_tape(&tapes[i], &lan.nodes[i].cfg, UINT64_MAX, false);
        const struct replay_result was = replay(&(struct replay_options){0});
        if (!redact_file(path, to, true, &r, NULL, NULL, why, sizeof why))
            fail_msg("%s", why);
        if (r.differs || r.other_chain)
            fail_msg("after event %llu: %s", (unsigned long long)r.differs_at, r.difference);
        assert_int_equal(r.ids, i == 0 ? 2 : 1); /* the seed knows both others */
        assert_int_equal(r.addrs, i == 0 ? 3 : 2);
        assert_in_range(r.actions, 50, 1000);
        assert_int_equal(rename(to, path), 0);
        const struct replay_result is = replay(&(struct replay_options){0});
        expect_same(&is, was.events, is.hash);
        assert_int_equal(is.messages, was.messages);
        assert_true(is.hash != was.hash);
        assert_memory_equal(is.info.tip, was.info.tip, 32);
    }
    struct redact_result r;
    capture_tape(&tapes[0], &lan.nodes[0].cfg, UINT64_MAX, false);
    if (!redact_file(path, to, false, &r, NULL, NULL, why, sizeof why))
        fail_msg("%s", why);
    assert_true(r.differs && r.other_chain && r.difference[0]);
    assert_int_equal(rename(to, path), 0);
    assert_true(replay(&(struct replay_options){0}).whole); /* to hashes of its own */
    live_drop(&lan, tapes);
}

static void test_a_configuration_that_this_build_refuses_is_told(void **state)
{
    (void)state;
    struct vn_config cfg;
    struct replay_result r;
    char why[300] = "";
    rig_config(&cfg);
    cfg.max_outbound = 20000;
    unlink(path);
    struct capture *capture = capture_new(path, &cfg, "x", why, sizeof why);
    assert_non_null(capture);
    capture_close(capture, 0);
    struct capture_reader *reader = capture_reader_new(path, why, sizeof why);
    assert_non_null(reader);
    assert_false(replay_run(reader, &(struct replay_options){0}, &r, why, sizeof why));
    assert_non_null(strstr(why, "max_outbound must be 0..10000, got 20000"));
    capture_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_life_with_growth_reorganisation_and_disk_replays_from_its_file),
        cmocka_unit_test(test_hashes_are_compared_on_the_way_and_a_stop_is_obeyed),
        cmocka_unit_test(test_where_another_build_differs_is_told_between_two_hashes),
        cmocka_unit_test(test_a_killed_life_replays_up_to_its_last_event),
        cmocka_unit_test(test_traces_and_progress_are_told_and_change_nothing),
        cmocka_unit_test(test_what_a_killed_node_was_about_to_do_is_done_in_the_replay),
        cmocka_unit_test(test_no_changed_byte_makes_a_replay_that_is_called_the_same),
        cmocka_unit_test(test_a_redacted_life_is_the_same_life_while_a_miner_keeps_its_id),
        cmocka_unit_test(test_a_configuration_that_this_build_refuses_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
