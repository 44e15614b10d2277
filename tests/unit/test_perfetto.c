/* trace/perfetto.h: whatever is written is JSON that a reader of traces takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "trace/perfetto.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char path[64];

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/vibenet-perfetto-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* The file as an array; the caller's. */
static json_t *parsed(void)
{
    json_error_t why;
    json_t *events = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!events)
        fail_msg("line %d: %s", why.line, why.text);
    assert_true(json_is_array(events));
    return events;
}

static void begin(struct perfetto *p)
{
    assert_true(perfetto_open(p, path));
}

static struct perfetto_at at(uint64_t t_ns)
{
    return (struct perfetto_at){.t_ns = t_ns, .pid = 2, .tid = 3};
}

static const char *text_of(const json_t *events, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(events, i), key));
}

static json_t *args_of(const json_t *events, size_t i)
{
    return json_object_get(json_array_get(events, i), "args");
}

static void test_a_trace_of_nothing_is_an_empty_array(void **state)
{
    (void)state;
    struct perfetto p;
    begin(&p);
    assert_true(perfetto_close(&p));
    json_t *events = parsed();
    assert_int_equal(json_array_size(events), 0);
    json_decref(events);
}

static void test_an_event_says_when_where_and_what(void **state)
{
    (void)state;
    struct perfetto p;
    begin(&p);
    perfetto_process(&p, 2, "node-0001");
    perfetto_track(&p, 2, 3, "link 1");
    perfetto_event(&p, PERFETTO_SLICE, at(1234567), "message", "sends Ping");
    perfetto_number(&p, "bytes", 16);
    perfetto_text(&p, "to", "node-0002");
    perfetto_end(&p);
    perfetto_event(&p, PERFETTO_ARROW_FROM, at(1234567), "message", "Ping");
    perfetto_id(&p, 0x1234567890abcdef);
    perfetto_end(&p);
    perfetto_event(&p, PERFETTO_INSTANT, at(UINT64_MAX), "chain", "tip");
    perfetto_end(&p);
    assert_true(perfetto_close(&p));
    json_t *events = parsed();
    assert_int_equal(json_array_size(events), 7);
    assert_string_equal(text_of(events, 0, "name"), "process_name");
    assert_string_equal(json_string_value(json_object_get(args_of(events, 0), "name")),
                        "node-0001");
    const json_t *slice = json_array_get(events, 4);
    assert_true(json_number_value(json_object_get(slice, "ts")) == 1234.567);
    assert_int_equal(json_integer_value(json_object_get(slice, "pid")), 2);
    assert_int_equal(json_integer_value(json_object_get(slice, "tid")), 3);
    assert_int_equal(json_integer_value(json_object_get(args_of(events, 4), "bytes")), 16);
    assert_string_equal(text_of(events, 5, "id"), "0x1234567890abcdef");
    assert_string_equal(text_of(events, 6, "s"), "t");
    json_decref(events);
}

static void test_texts_of_any_bytes_stay_json(void **state)
{
    (void)state;
    static const struct {
        const char *given, *wanted;
    } texts[] = {
        {"plain", "plain"},
        {"a\"b\\c\n\t\x01\x7f", "a\"b\\c\n\t\x01\x7f"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff-\xc0\xaf-\xc3", "\xef\xbf\xbd-\xef\xbf\xbd\xef\xbf\xbd-\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xf4\x90\x80\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"},
        {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
    };
    const size_t n = sizeof texts / sizeof *texts;
    struct perfetto p;
    begin(&p);
    for (size_t i = 0; i < n; i++) {
        perfetto_event(&p, PERFETTO_INSTANT, at(i), texts[i].given, texts[i].given);
        perfetto_text(&p, texts[i].given, texts[i].given);
        perfetto_end(&p);
    }
    assert_true(perfetto_close(&p));
    json_t *events = parsed();
    assert_int_equal(json_array_size(events), n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(text_of(events, i, "name"), texts[i].wanted);
        assert_string_equal(json_string_value(json_object_get(args_of(events, i), texts[i].wanted)),
                            texts[i].wanted);
    }
    json_decref(events);
}

static void test_numbers_that_javascript_would_round_are_texts(void **state)
{
    (void)state;
    struct perfetto p;
    begin(&p);
    perfetto_event(&p, PERFETTO_COUNTER, at(1), "node", "height");
    perfetto_number(&p, "exact", UINT64_C(1) << 53);
    perfetto_number(&p, "not", (UINT64_C(1) << 53) + 1);
    perfetto_number(&p, "largest", UINT64_MAX);
    perfetto_end(&p);
    assert_true(perfetto_close(&p));
    json_t *events = parsed();
    const json_t *args = args_of(events, 0);
    assert_int_equal(json_integer_value(json_object_get(args, "exact")), INT64_C(1) << 53);
    assert_string_equal(json_string_value(json_object_get(args, "not")), "9007199254740993");
    assert_string_equal(json_string_value(json_object_get(args, "largest")),
                        "18446744073709551615");
    json_decref(events);
}

/* Events until the file may grow no more. */
static bool fill(struct perfetto *p, size_t most)
{
    const struct rlimit old = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit limit = {most, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    begin(p);
    for (unsigned i = 0; i < 5000; i++) {
        perfetto_event(p, PERFETTO_INSTANT, at(i), "chain", "tip");
        perfetto_number(p, "height", i);
        perfetto_end(p);
    }
    const bool whole = perfetto_close(p);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    return whole;
}

static void test_a_full_disk_is_told_and_leaves_an_array_of_whole_events(void **state)
{
    (void)state;
    struct perfetto p;
    for (size_t most = 100000; most < 300000; most += 20011) {
        assert_false(fill(&p, most));
        assert_int_equal(p.out.error, EFBIG);
        json_t *events = parsed();
        assert_true(json_array_size(events) > 100 && json_array_size(events) < 5000);
        json_decref(events);
    }
    assert_true(fill(&p, 1u << 24));
}

static void test_a_file_that_cannot_be_is_told_when_it_is_opened(void **state)
{
    (void)state;
    struct perfetto p;
    assert_false(perfetto_open(&p, "/nowhere/x.json"));
    assert_int_equal(errno, ENOENT);
    assert_false(perfetto_open(&p, "/dev/full"));
    assert_int_equal(errno, ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trace_of_nothing_is_an_empty_array),
        cmocka_unit_test(test_an_event_says_when_where_and_what),
        cmocka_unit_test(test_texts_of_any_bytes_stay_json),
        cmocka_unit_test(test_numbers_that_javascript_would_round_are_texts),
        cmocka_unit_test(test_a_full_disk_is_told_and_leaves_an_array_of_whole_events),
        cmocka_unit_test(test_a_file_that_cannot_be_is_told_when_it_is_opened),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
