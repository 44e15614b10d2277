/* `vibesim replay` and `vibesim redact` ($VN_BIN): what they tell, and with which status. */
#include "tests/unit/capture_fixture.h"
#include "tests/unit/cli_child.h"

#include <jansson.h>

static struct child c;
static uint64_t hash; /* of a.vncap, which has some 20,000 events */

static int setup(void **state)
{
    char path[300];
    (void)state;
    if (child_init(&c) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/a.vncap", c.folder);
    hash = life_capture(path, 11000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

static void run(int status, const char *const *args)
{
    child_run(&c, NULL, args);
    if (c.status != status)
        fail_msg("status %d, stdout '%s', stderr '%s'", c.status, c.out, c.err);
}

#define RUN(status, ...) run(status, (const char *const[]){__VA_ARGS__, NULL})

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in '%s'", part, text);
}

/* Status 2, one line on stderr that holds the words, nothing on stdout. */
#define REFUSES(words, ...)                                                                        \
    do {                                                                                           \
        RUN(2, __VA_ARGS__);                                                                       \
        has(c.err, words);                                                                         \
        assert_int_equal(child_lines(c.err), 1);                                                   \
        assert_string_equal(c.out, "");                                                            \
    } while (0)

static char *path_of(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", c.folder, name);
    return path;
}

static json_t *json(void)
{
    json_t *o = json_loads(c.out, 0, NULL);
    assert_non_null(o);
    return o;
}

static const char *text(json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    assert_non_null(value);
    return value;
}

static uint64_t number(json_t *o, const char *key)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void test_a_replay_that_is_the_same_says_so(void **state)
{
    (void)state;
    char line[80];
    RUN(0, "replay", "a.vncap");
    has(c.out, "capture   a.vncap, ");
    has(c.out, "node      node-under-test, announces 10.1.0.1:8765\n");
    has(c.out, "build     ");
    has(c.out, "messages received\n");
    has(c.out, "tip       height 3, ");
    has(c.out, "same trace hash: 3 compared, up to event 22,010\n");
    snprintf(line, sizeof line, "trace hash %016llx\n", (unsigned long long)hash);
    has(c.out, line);
    assert_null(strstr(c.out, "note"));
    assert_string_equal(c.err, "");
}

static void test_json_tells_the_same(void **state)
{
    (void)state;
    char expected[20];
    RUN(0, "replay", "--json", "a.vncap");
    json_t *o = json();
    snprintf(expected, sizeof expected, "%016llx", (unsigned long long)hash);
    assert_string_equal(text(o, "verdict"), "same");
    assert_string_equal(text(o, "trace_hash"), expected);
    assert_string_equal(text(o, "node_id"), "node-under-test");
    assert_string_equal(text(o, "build"), text(o, "this_build"));
    assert_int_equal(number(o, "events"), 22010);
    assert_int_equal(number(o, "drains"), 22010);
    assert_int_equal(number(o, "messages"), 11002);
    assert_int_equal(number(o, "hashes"), 3);
    assert_int_equal(number(o, "height"), 3);
    assert_int_equal(number(o, "duration_ns"), UINT64_C(22009) * 1000000);
    assert_true(json_is_false(json_object_get(o, "torn")));
    json_decref(o);
}

static void test_until_stops_where_it_says(void **state)
{
    (void)state;
    RUN(0, "replay", "a.vncap", "--until", "12000", "--json");
    json_t *o = json();
    assert_int_equal(number(o, "events"), 12000);
    assert_int_equal(number(o, "agreed"), 10000);
    assert_true(json_is_true(json_object_get(o, "stopped")));
    json_decref(o);
    RUN(0, "replay", "a.vncap", "--until=5");
    has(c.out, "nothing was compared");
    assert_null(strstr(c.out, "same trace hash"));
}

static void test_a_trace_tells_what_the_node_does_in_words(void **state)
{
    (void)state;
    RUN(0, "replay", "a.vncap", "--until", "30", "--trace", "all");
    has(c.err, "event 7 t=0.006000s link to 10.2.0.1:5000 (link 2): ");
    has(c.err, "receives Handshake from 10.3.0.1:5000 (link 4)");
    has(c.err, " at height 3\n");
    RUN(0, "replay", "a.vncap", "--trace", "kinds=tip");
    assert_int_equal(child_lines(c.err), 3);
    has(c.err, "tip ");
}

/* A capture whose hash after ten thousand events is a wrong one, as of a node of another build. */
static void write_other(const char *name)
{
    struct vn_config config;
    struct life life;
    char why[300];
    life_config(&config);
    struct capture *capture = capture_new(path_of(name), &config, "9.9.9 other", why, sizeof why);
    assert_non_null(capture);
    life_begin(&life, NULL, &config);
    const struct vn_event timer = {.kind = VN_EV_TIMER, .now_ns = 1};
    for (uint32_t i = 0; i < CAPTURE_HASH_EVERY + 10; i++) {
        capture_event(capture, &timer);
        capture_drained(capture, 77);
    }
    capture_close(capture, 78);
    vn_node_free(life.node);
}

static void test_another_hash_has_its_own_status_and_its_place_is_told(void **state)
{
    (void)state;
    write_other("other.vncap");
    RUN(3, "replay", "other.vncap");
    has(c.out, "FAILED  another trace hash after event 10,000: ");
    has(c.out,
        "captured was 000000000000004d; the first difference lies between events 0 and 10,000");
    has(c.out, "note      captured by another build, 9.9.9 other; this is ");
    RUN(3, "replay", "other.vncap", "--json");
    json_t *o = json();
    assert_string_equal(text(o, "verdict"), "differs");
    assert_string_equal(text(o, "captured_hash"), "000000000000004d");
    assert_int_equal(number(o, "differs_at"), 10000);
    json_decref(o);
    REFUSES("redact it with the build that made it (9.9.9 other)", "redact", "other.vncap", "x");
    assert_false(child_exists(&c, "x"));
}

/* A copy of a.vncap, changed. */
static void spoil(const char *name, size_t keep, size_t flip)
{
    size_t len;
    uint8_t *data = file_bytes(path_of("a.vncap"), &len);
    if (flip)
        data[flip] ^= 1;
    file_write(path_of(name), data, keep < len ? keep : len);
    free(data);
}

static void test_a_capture_that_ends_early_is_replayed_so_far(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(stat(path_of("a.vncap"), &st), 0);
    spoil("torn.vncap", (size_t)st.st_size / 4 * 3, 0);
    RUN(0, "replay", "torn.vncap");
    has(c.out, "same trace hash as far as it was compared: 1 compared, up to event 10,000\n");
    has(c.out, "note      the capture ends early, after event ");
    has(c.out, "its node was killed, or its disk was full; this is its last whole record\n");
    spoil("bad.vncap", SIZE_MAX, (size_t)st.st_size / 4 * 3);
    RUN(2, "replay", "bad.vncap");
    has(c.out, "same trace hash as far as it was compared: 1 compared");
    has(c.err, "vibesim: bad.vncap: is damaged at byte ");
    RUN(2, "replay", "--json", "bad.vncap");
    json_t *o = json();
    has(text(o, "damage"), "is damaged at byte ");
    assert_true(json_is_true(json_object_get(o, "torn")));
    json_decref(o);
}

static void test_a_redacted_copy_replays_and_says_that_it_is_one(void **state)
{
    (void)state;
    RUN(0, "redact", "a.vncap", "shared.vncap", "--keep-id");
    has(c.out, "copy      shared.vncap, 22,010 events\n");
    has(c.out, "renamed   3 IP addresses, 2 ids of peers\n");
    has(c.out, "compared by kind, link and size: all alike\n");
    has(c.out, "stays in  the seed of the ended node");
    assert_null(strstr(c.out, "note"));
    RUN(0, "replay", "shared.vncap");
    has(c.out, "note      a redacted copy");
    has(c.out, "tip       height 3, ");
    has(c.out, "same trace hash: 3 compared");
    RUN(0, "redact", "a.vncap", "anonymous.vncap");
    has(c.out, "chain is another one in the copy");
    RUN(0, "replay", "anonymous.vncap");
    REFUSES("shared.vncap: exists already", "redact", "a.vncap", "shared.vncap");
}

static void test_bad_usage_and_bad_files_are_refused_with_one_line(void **state)
{
    (void)state;
    child_write(&c, "text.txt", "This is a text, and not a capture of anything.\n");
    REFUSES("replay: name a capture", "replay");
    REFUSES("one file at a time", "replay", "a.vncap", "b.vncap");
    REFUSES("nothing.vncap: No such file", "replay", "nothing.vncap");
    REFUSES("text.txt: is no capture of a node", "replay", "text.txt");
    REFUSES("is no file", "replay", ".");
    REFUSES("'--unti' is no option: did you mean --until?", "replay", "a.vncap", "--unti", "1");
    REFUSES("--until: '0' is not a number of events", "replay", "a.vncap", "--until", "0");
    REFUSES("--until: '1x' is not", "replay", "a.vncap", "--until=1x");
    REFUSES("--until: '1.5' is not", "replay", "a.vncap", "--until=1.5");
    REFUSES("--node: is of records, and a.vncap is none", "replay", "a.vncap", "--node", "1",
            "--dump");
    REFUSES("--trace: a capture is of one node", "replay", "a.vncap", "--trace", "node=1");
    REFUSES("--trace: a capture is of one node", "replay", "a.vncap", "--trace", "kinds=step");
    REFUSES("'tipp' is no kind of event: did you mean tip?", "replay", "a.vncap", "--trace",
            "kinds=tipp");
    REFUSES("redact: name a capture and the copy", "redact", "a.vncap");
    REFUSES("redact: one capture and one copy", "redact", "a", "b", "c");
    REFUSES("text.txt: is no capture of a node", "redact", "text.txt", "copy");
    REFUSES("'repaly' is no command: did you mean replay?", "repaly", "a.vncap");
    assert_false(child_exists(&c, "copy"));
}

static void test_help_tells_what_stays_in_a_copy(void **state)
{
    (void)state;
    RUN(0, "replay", "--help");
    has(c.out, "vibesim replay node.vncap --trace");
    RUN(0, "redact", "--help");
    has(c.out, "its seed");
    RUN(0, "--help");
    has(c.out, "vibesim replay FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replay_that_is_the_same_says_so),
        cmocka_unit_test(test_json_tells_the_same),
        cmocka_unit_test(test_until_stops_where_it_says),
        cmocka_unit_test(test_a_trace_tells_what_the_node_does_in_words),
        cmocka_unit_test(test_another_hash_has_its_own_status_and_its_place_is_told),
        cmocka_unit_test(test_a_capture_that_ends_early_is_replayed_so_far),
        cmocka_unit_test(test_a_redacted_copy_replays_and_says_that_it_is_one),
        cmocka_unit_test(test_bad_usage_and_bad_files_are_refused_with_one_line),
        cmocka_unit_test(test_help_tells_what_stays_in_a_copy),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
