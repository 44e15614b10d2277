/* vibenode ctl: the words and numbers that people are shown, whatever the node's answer holds. */
#include "tests/unit/ops_fixture.h"
#include "vibenode/ctl_impl.h"

#include <locale.h>

#define ESC "\x1b"

/* ---- words and numbers ---------------------------------------------------------------------- */

static void numbers_are_told_in_units_for_people(void **state)
{
    (void)state;
    char out[32];
    static const struct {
        uint64_t n;
        const char *number, *bytes;
    } rows[] = {
        {0, "0", "0 B"},
        {999, "999", "999 B"},
        {1000, "1,000", "1000 B"},
        {1024, "1,024", "1.0 KiB"},
        {1536, "1,536", "1.5 KiB"},
        {102400, "102,400", "100 KiB"},
        {1048575, "1,048,575", "1023 KiB"},
        {1048576, "1,048,576", "1.0 MiB"},
        {UINT64_C(5) << 30, "5,368,709,120", "5.0 GiB"},
        {UINT64_MAX, "18,446,744,073,709,551,615", "15.9 EiB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ctl_number(out, rows[i].n);
        assert_string_equal(out, rows[i].number);
        ctl_bytes(out, rows[i].n);
        assert_string_equal(out, rows[i].bytes);
    }
    static const struct {
        double s;
        const char *text;
    } times[] = {{0, "0.0s"},       {1.25, "1.2s"},  {59.99, "59.9s"}, {60, "1m 0s"},
                 {3599, "59m 59s"}, {3600, "1h 0m"}, {93784, "1d 2h"}, {-1, "-"},
                 {1e300, "-"},      {0.0 / 0.0, "-"}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        ctl_duration(out, times[i].s);
        assert_string_equal(out, times[i].text);
    }
}

static const char *clean(bool utf8, const char *s, size_t columns, size_t *used)
{
    static char out[400];
    struct ops_text text = {0};
    struct ctl_style style = {.utf8 = utf8};
    *used = ctl_clean(&text, &style, s, columns);
    snprintf(out, sizeof out, "%s", text.data ? text.data : "");
    ops_text_free(&text);
    return out;
}

static void nothing_that_a_terminal_obeys_passes(void **state)
{
    (void)state;
    size_t used;
    bool utf8 = setlocale(LC_CTYPE, "C.UTF-8") != NULL;
    assert_true(utf8);
    static const struct {
        const char *in, *out;
    } rows[] = {
        {ESC "[2J" ESC "]0;x\x07", "?[2J?]0;x?"},
        {"a\nb\rc\td\x7f", "a?b?c?d?"},
        {"\xc2\x9b"
         "31m",
         "?31m"},                             /* C1: CSI */
        {"\xe2\x80\xaegnirts", "?gnirts"},    /* right-to-left override */
        {"\xe2\x81\xa6x\xe2\x81\xa9", "?x?"}, /* isolates */
        {"e\xcc\x81", "e?"},                  /* a mark that combines */
        {"a\xe2\x80\x8b\xef\xbb\xbf"
         "b",
         "a??b"},                               /* blanks without width */
        {"\xd7\x90\xd7\x91", "??"},             /* from right to left */
        {"\xff\xc0\x80\xed\xa0\x80", "??????"}, /* no UTF-8 */
        {"caf\xc3\xa9 \xe6\x97\xa5", "caf\xc3\xa9 \xe6\x97\xa5"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *out = clean(true, rows[i].in, 100, &used);
        /* What is no UTF-8 comes as U+FFFD, a sign like others. */
        if (i == 8)
            assert_string_equal(out, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                     "\xef\xbf\xbd");
        else
            assert_string_equal(out, rows[i].out);
    }
    assert_string_equal(clean(false, "caf\xc3\xa9" ESC, 100, &used), "caf??");
    assert_int_equal(used, 5);
    struct ops_text text = {0};
    ctl_clean_lines(&text, "a\tb\n" ESC "[1m\xc2\x9b\n");
    assert_string_equal(text.data, "a\tb\n?[1m?\n");
    ops_text_free(&text);
    setlocale(LC_CTYPE, "C");
}

static void what_is_cut_has_a_mark_and_its_width(void **state)
{
    (void)state;
    size_t used;
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_string_equal(clean(false, "abcdef", 6, &used), "abcdef");
    assert_int_equal(used, 6);
    assert_string_equal(clean(false, "abcdefg", 6, &used), "abcde~");
    assert_int_equal(used, 6);
    assert_string_equal(clean(true, "abcdefg", 1, &used), "\xe2\x80\xa6");
    assert_int_equal(used, 1);
    /* Wide signs take two places each; the mark does not cut one in half. */
    assert_string_equal(clean(true, "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5", 4, &used),
                        "\xe6\x97\xa5\xe2\x80\xa6");
    assert_int_equal(used, 3);
    setlocale(LC_CTYPE, "C");
}

/* ---- what people are shown ------------------------------------------------------------------ */

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        fail_msg("%s", error.text);
    return json;
}

static const struct ctl_style plain;

static const char peers_json[] =
    "[{\"addr\":\"192.0.2.3:8765\",\"state\":\"disconnected\",\"direction\":null,\"link\":0,"
    "\"node_id\":null,\"version\":null,\"score\":0,\"rtt_ms\":null,\"up_s\":null,"
    "\"last_seen_s\":7200.5,\"best_height\":0,\"bytes_in\":0,\"bytes_out\":0},"
    "{\"addr\":\"192.0.2.2:50123\",\"state\":\"ready\",\"direction\":\"inbound\",\"link\":2,"
    "\"node_id\":\"\\u001b[31mevil\\u001b[0m\\n\\u202e\",\"version\":\"0.1.0\\r\",\"score\":-120,"
    "\"rtt_ms\":123.456,\"up_s\":65.25,\"last_seen_s\":1.5,\"best_height\":9007199254740991,"
    "\"bytes_in\":1536,\"bytes_out\":10},"
    "{\"addr\":\"192.0.2.1:8765\",\"state\":\"ready\",\"direction\":\"outbound\",\"link\":1,"
    "\"node_id\":\"node-1\",\"version\":\"0.1.0\",\"score\":5,\"rtt_ms\":1.25,\"up_s\":93784,"
    "\"last_seen_s\":0.25,\"best_height\":1234,\"bytes_in\":0,\"bytes_out\":5242880},"
    "{\"addr\":\"[2001:db8::1]:8765\",\"state\":\"connecting\",\"direction\":\"outbound\","
    "\"link\":3,\"node_id\":null,\"version\":null,\"score\":0,\"rtt_ms\":null,\"up_s\":null,"
    "\"last_seen_s\":null,\"best_height\":0,\"bytes_in\":0,\"bytes_out\":0}]";

static void peers_are_a_table_sorted_and_aligned(void **state)
{
    (void)state;
    struct ops_text text = {0};
    json_t *json = parse(peers_json);
    ctl_show_peers(&text, &plain, json, false);
    assert_string_equal(
        text.data,
        "ADDRESS             DIR  STATE          UP  SEEN     RTT                 HEIGHT       IN"
        "      OUT  SCORE  VERSION  NODE\n"
        "192.0.2.1:8765      out  ready       1d 2h  0.2s  1.2 ms                  1,234      0 B"
        "  5.0 MiB      5  0.1.0    node-1\n"
        "192.0.2.2:50123     in   ready       1m 5s  1.5s  123 ms  9,007,199,254,740,991  1.5 KiB"
        "     10 B   -120  0.1.0?   ?[31mevil?[0m??\n"
        "[2001:db8::1]:8765  out  connecting      -     -       -                      -      0 B"
        "      0 B      0  -        -\n"
        "3 links, 1 known address without one (--all shows them)\n");
    ops_text_free(&text);
    ctl_show_peers(&text, &plain, json, true);
    assert_non_null(strstr(text.data, "\n192.0.2.3:8765      -    disconnected"));
    assert_non_null(strstr(text.data, "3 links, 1 known address without one\n"));
    ops_text_free(&text);
    json_decref(json);
    json = json_array();
    for (int i = 0; i < 1000; i++) /* as many as come unasked: there may be more */
        json_array_append_new(json, json_object());
    ctl_show_peers(&text, &plain, json, false);
    assert_string_equal(text.data,
                        "0 links, at least 1000 known addresses without one (--all shows them)\n");
    ops_text_free(&text);
    json_decref(json);
    json = parse("[]");
    ctl_show_peers(&text, &plain, json, true);
    assert_string_equal(text.data, "0 links, 0 known addresses without one\n");
    ops_text_free(&text);
    json_decref(json);
}

static void bans_are_lines_with_the_time_that_is_left(void **state)
{
    (void)state;
    struct ops_text text = {0};
    json_t *json = parse("[{\"addr\":\"192.0.2.7\",\"node_id_sha256\":null,\"left_s\":3600.5},"
                         "{\"addr\":null,\"node_id_sha256\":\"abcd\",\"left_s\":0.25}]");
    ctl_show_bans(&text, &plain, json);
    assert_string_equal(text.data, "        LEFT  BANNED\n"
                                   "       1h 0m  192.0.2.7\n"
                                   "        0.2s  the node id with the SHA-256 abcd\n"
                                   "2 bans\n");
    ops_text_free(&text);
    json_decref(json);
    json = parse("[]");
    ctl_show_bans(&text, &plain, json);
    assert_string_equal(text.data, "0 bans\n");
    ops_text_free(&text);
    json_decref(json);
}

/* Whatever the JSON holds, all that leaves is printable, and each line a row. */
static void hostile_json_makes_no_line_and_no_sequence(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "[1,null,\"x\",[],{},{\"addr\":5,\"state\":[],\"direction\":{},\"score\":\"x\"}]",
        "[{\"addr\":\"a\\nb\",\"state\":\"\\u001b[2J\",\"direction\":\"\\u001b\",\"up_s\":-1,"
        "\"rtt_ms\":1e300,\"last_seen_s\":1e300,\"bytes_in\":-5,\"best_height\":-1,"
        "\"version\":\"\\u009b31m\",\"node_id\":\"\\u0007\\u2028\\u0085\"}]",
        "{}",
        "null",
        ("[{\"addr\":null,\"node_id_sha256\":\"\\u001b[2J\\n\",\"left_s\":1e300},"
         "{\"addr\":\"\\u0085\\n\",\"left_s\":[]}]"),
        "[{\"direction\":\"inbound\",\"node_id\":\"\\u0000hidden\",\"score\":1.5}]",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ops_text text = {0};
        json_error_t error;
        json_t *json = json_loads(rows[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        assert_non_null(json);
        ctl_show_peers(&text, &plain, json, true);
        size_t lines = 0;
        for (size_t j = 0; j < text.len; j++) {
            assert_true(text.data[j] == '\n' || (text.data[j] >= 0x20 && text.data[j] < 0x7f));
            lines += text.data[j] == '\n';
        }
        size_t peers = json_array_size(json);
        assert_int_equal(lines, peers ? peers + 2 : 1);
        ops_text_free(&text);
        ctl_show_bans(&text, &plain, json);
        lines = 0;
        for (size_t j = 0; j < text.len; j++) {
            assert_true(text.data[j] == '\n' || (text.data[j] >= 0x20 && text.data[j] < 0x7f));
            lines += text.data[j] == '\n';
        }
        assert_int_equal(lines, peers ? peers + 2 : 1);
        ops_text_free(&text);
        ctl_show_status(&text, &plain, json);
        ctl_show_health(&text, &plain, json);
        for (size_t j = 0; j < text.len; j++)
            assert_true(text.data[j] == '\n' || (text.data[j] >= 0x20 && text.data[j] < 0x7f));
        ops_text_free(&text);
        json_decref(json);
    }
}

static const char status_json[] =
    "{\"healthy\":false,\"reasons\":[\"loading the chain\",\"the store fails: \\u001b]0;x\"],"
    "\"version\":\"0.1.0\",\"build\":\"0.1.0 gcc\",\"protocol\":\"0.1.0\",\"node_id\":\"me\","
    "\"announces\":\"127.0.0.1:8765\",\"uptime_s\":93784.125,\"wall_clock_s\":1700000000.123,"
    "\"chain\":{\"height\":1234567,\"tip\":\"ab01\",\"total_difficulty\":\"18446744073709551616\"},"
    "\"peers\":{\"outbound\":8,\"inbound\":3,\"connecting\":1,\"known\":877,\"banned\":2,"
    "\"max_outbound\":8,\"max_inbound\":32},\"mempool\":1,\"orphans\":0,\"held_bytes\":1048576,"
    "\"tcp\":{\"bytes_in\":2048,\"bytes_out\":10,\"queued_bytes\":0,\"throttled\":true},"
    "\"store\":{\"commits\":1000,\"bytes\":2048,\"commit_ms_max\":12.345,\"waiting\":1,\"failed\":"
    "3}}";

static void status_is_a_dozen_lines(void **state)
{
    (void)state;
    struct ops_text text = {0};
    json_t *json = parse(status_json);
    ctl_show_status(&text, &plain, json);
    assert_string_equal(
        text.data,
        "node      me, announced as 127.0.0.1:8765\n"
        "version   0.1.0 (0.1.0 gcc), protocol 0.1.0\n"
        "health    loading the chain\n"
        "          the store fails: ?]0;x\n"
        "up        1d 2h, its clock says 2023-11-14 22:13:20 UTC\n"
        "chain     height 1,234,567, total difficulty 18446744073709551616\n"
        "tip       ab01\n"
        "pool      1 transaction, 0 orphan blocks\n"
        "peers     8 of 8 outbound, 3 of 32 inbound, 1 connecting\n"
        "addresses 877 known, 2 banned\n"
        "traffic   2.0 KiB in, 10 B out, 0 B queued, 1.0 MiB held for links; accepts nobody for "
        "want of descriptors\n"
        "store     1,000 commits of 2.0 KiB, the longest 12.3 ms, 1 waiting, 3 failed\n");
    ops_text_free(&text);
    json_object_set_new(json, "store", json_null());
    json_object_set_new(json, "tcp", json_null());
    json_object_set_new(json, "healthy", json_true());
    ctl_show_status(&text, &plain, json);
    assert_non_null(strstr(text.data, "\nstore     none: nothing outlasts a restart\n"));
    assert_non_null(strstr(text.data, "\nhealth    ok\n"));
    assert_null(strstr(text.data, "traffic"));
    ops_text_free(&text);
    json_decref(json);
}

static void colours_are_for_terminals(void **state)
{
    (void)state;
    struct ops_text text = {0};
    json_t *json = parse(status_json);
    static const struct ctl_style coloured = {.colour = true};
    ctl_show_status(&text, &coloured, json);
    assert_non_null(strstr(text.data, ESC "[31mloading the chain" ESC "[0m\n"));
    ops_text_free(&text);
    json_decref(json);
    struct ctl_style style;
    FILE *file = tmpfile();
    assert_non_null(file);
    setenv("TERM", "xterm", 1);
    ctl_style_init(&style, file);
    assert_false(style.colour);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_told_in_units_for_people),
        cmocka_unit_test(nothing_that_a_terminal_obeys_passes),
        cmocka_unit_test(what_is_cut_has_a_mark_and_its_width),
        cmocka_unit_test(peers_are_a_table_sorted_and_aligned),
        cmocka_unit_test(bans_are_lines_with_the_time_that_is_left),
        cmocka_unit_test(hostile_json_makes_no_line_and_no_sequence),
        cmocka_unit_test(status_is_a_dozen_lines),
        cmocka_unit_test(colours_are_for_terminals),
    };
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
