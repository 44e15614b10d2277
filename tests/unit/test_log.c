/* The log of vibenode: the two forms of a line, for any bytes; levels, rates, a file that is taken
 * away; and what the core tells, in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vibenode/log_line.h"
#include "vibenode/log_trace.h"

#define S UINT64_C(1000000000)

static char folder[200], path[300];
static char line[LOG_LINE_MAX + 1];
static char why[300];
static char written[1 << 16];

/* A clock that a test moves. */
static uint64_t now_ns;

static uint64_t clock_now(void *ctx)
{
    (void)ctx;
    return now_ns;
}

static const struct log_clock a_clock = {clock_now, clock_now, NULL};

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/vibenode-log-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/log", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* ---- lines ---- */

static struct log_entry entry_of(const char *message)
{
    return (struct log_entry){.wall_ns = UINT64_C(1772366400) * S + 45678900,
                              .level = LOG_LEVEL_WARNING,
                              .category = LOG_PEER,
                              .kind = "kind",
                              .message = message};
}

static const char *text_of(const struct log_entry *entry)
{
    line[log_line_text(line, entry, false)] = '\0';
    return line;
}

static void test_log_line_text_tells_time_level_category_message_and_fields(void **state)
{
    (void)state;
    const struct log_field fields[] = {{.key = "peer", .text = "192.0.2.1:8765"},
                                       {.key = "link", .number = UINT64_MAX},
                                       {.key = "hash", .text = "00", .machine = true},
                                       {.key = "name", .text = "a \"b\""},
                                       {.key = "none", .text = ""}};
    struct log_entry entry = entry_of("it happened");
    entry.fields = fields;
    entry.count = 5;
    assert_string_equal(text_of(&entry),
                        "2026-03-01T12:00:00.045Z warning peer  it happened peer=192.0.2.1:8765 "
                        "link=18446744073709551615 name=\"a \\\"b\\\"\" none=\"\"\n");
}

static void test_log_line_text_lets_nothing_through_that_a_terminal_or_a_reader_obeys(void **state)
{
    static const char *const rows[][2] = {
        {"a\nb\rc\td", "a\\nb\\x0dc\\x09d"},
        {"\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"},
        {"\x7f \xc2\x9b[2J", "\\x7f \\xc2\\x9b[2J"}, /* DEL; CSI as one character */
        {"\xe2\x80\xae right to left", "\\xe2\\x80\\xae right to left"}, /* U+202E */
        {"\xe2\x80\xa8 line", "\\xe2\\x80\\xa8 line"},                   /* U+2028 */
        {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},                             /* U+FEFF */
        {"so\xc2\xad", "so\\xc2\\xad"},
        {"\\x1b", "\\\\x1b"}, /* cannot be taken for an escape */
        {"gr\xc3\xbc\xc3\x9f, \xf0\x9f\x8c\x8d", "gr\xc3\xbc\xc3\x9f, \xf0\x9f\x8c\x8d"},
        {"\xff\xc3(\xc0\x80\xed\xa0\x80\xf5", "\\xff\\xc3(\\xc0\\x80\\xed\\xa0\\x80\\xf5"},
        {"\xe2\x82", "\\xe2\\x82"}, /* ends early */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[200];
        struct log_entry entry = entry_of(rows[i][0]);
        snprintf(wanted, sizeof wanted, "2026-03-01T12:00:00.045Z warning peer  %s\n", rows[i][1]);
        assert_string_equal(text_of(&entry), wanted);
    }
}

static void test_log_line_text_quotes_what_could_be_another_field(void **state)
{
    static const char *const rows[][2] = {
        {"a b", "\"a b\""},    {"x=y", "\"x=y\""}, {"\"", "\"\\\"\""},
        {"a\nb", "\"a\\nb\""}, {"plain", "plain"}, {"\x1b", "\\x1b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[200];
        const struct log_field field = {.key = "id", .text = rows[i][0]};
        struct log_entry entry = entry_of("m");
        entry.fields = &field;
        entry.count = 1;
        snprintf(wanted, sizeof wanted, "2026-03-01T12:00:00.045Z warning peer  m id=%s\n",
                 rows[i][1]);
        assert_string_equal(text_of(&entry), wanted);
    }
}

/* The line as JSON, which must be one line. */
static json_t *json_of(const struct log_entry *entry)
{
    json_error_t error;
    size_t len = log_line_json(line, entry);
    assert_true(len > 0 && line[len - 1] == '\n');
    line[len] = '\0';
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("not JSON: %s: %s", error.text, line);
    return json;
}

static const char *string_of(json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void test_log_line_json_holds_everything(void **state)
{
    (void)state;
    const struct log_field fields[] = {{.key = "peer", .text = "a\n\"\\\x1b\xc3\xbc"},
                                       {.key = "link", .number = 7},
                                       {.key = "hash", .text = "00", .machine = true}};
    struct log_entry entry = entry_of("m");
    entry.fields = fields;
    entry.count = 3;
    json_t *json = json_of(&entry);
    assert_string_equal(string_of(json, "time"), "2026-03-01T12:00:00.045Z");
    assert_string_equal(string_of(json, "level"), "warning");
    assert_string_equal(string_of(json, "category"), "peer");
    assert_string_equal(string_of(json, "kind"), "kind");
    assert_string_equal(string_of(json, "message"), "m");
    assert_string_equal(string_of(json, "peer"), "a\n\"\\\x1b\xc3\xbc");
    assert_int_equal(json_integer_value(json_object_get(json, "link")), 7);
    assert_string_equal(string_of(json, "hash"), "00");
    json_decref(json);
}

static void test_log_line_json_is_valid_for_any_bytes(void **state)
{
    (void)state;
    uint32_t dice = 1;
    for (uint32_t round = 0; round < 2000; round++) {
        char bytes[64];
        size_t len = round % 63;
        for (size_t i = 0; i < len; i++) {
            dice = dice * 1664525u + 1013904223u;
            uint8_t any = (uint8_t)(dice >> 24);
            bytes[i] = (char)(any ? any : 0x80 | round);
        }
        bytes[len] = '\0';
        const struct log_field field = {.key = "text", .text = bytes};
        struct log_entry entry = entry_of(bytes);
        entry.fields = &field;
        entry.count = 1;
        json_t *json = json_of(&entry);
        assert_non_null(string_of(json, "message"));
        json_decref(json);
        for (size_t i = log_line_text(line, &entry, false) - 1; i-- > 0;)
            if ((uint8_t)line[i] < 0x20 || line[i] == 0x7f)
                fail_msg("byte %u in a line of text", (unsigned)(uint8_t)line[i]);
    }
}

static void test_log_line_cuts_what_is_too_long(void **state)
{
    (void)state;
    char *long_text = malloc(100000);
    assert_non_null(long_text);
    struct log_field fields[LOG_FIELDS_MAX];
    for (uint32_t i = 0; i < LOG_FIELDS_MAX; i++)
        fields[i] = (struct log_field){.key = "a-key-of-a-field", .text = long_text};
    static const char fill[] = {'a', '\x01', '\xff'};
    for (size_t i = 0; i < sizeof fill; i++) {
        memset(long_text, fill[i], 99999);
        long_text[99999] = '\0';
        struct log_entry entry = entry_of(long_text);
        entry.fields = fields;
        entry.count = LOG_FIELDS_MAX;
        size_t len = log_line_text(line, &entry, true);
        assert_true(len > LOG_LINE_MESSAGE && len <= LOG_LINE_MAX);
        /* Eight fields of one name are no object for a strict reader: one is enough here. */
        entry.count = 1;
        json_t *json = json_of(&entry);
        const char *message = string_of(json, "message");
        assert_string_equal(message + strlen(message) - 3, "...");
        json_decref(json);
        entry.count = LOG_FIELDS_MAX;
        assert_true(log_line_json(line, &entry) <= LOG_LINE_MAX);
    }
    free(long_text);
}

static void test_log_line_escape_never_cuts_an_escape(void **state)
{
    (void)state;
    char out[6];
    log_line_escape(out, sizeof out, "ab\x1b!");
    assert_string_equal(out, "ab");
    log_line_escape(out, sizeof out, "a\x1b!");
    assert_string_equal(out, "a\\x1b");
    log_line_escape(out, sizeof out, "abc\xf0\x9f\x8c\x8d");
    assert_string_equal(out, "abc");
}

/* ---- the log ---- */

static const char *read_log(void)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(written, 1, sizeof written - 1, f) : 0;
    written[n] = '\0';
    if (f)
        fclose(f);
    return written;
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

static struct log_options options_of(uint32_t rate)
{
    struct log_options options;
    log_options_init(&options);
    options.rate = rate;
    options.file = path;
    return options;
}

static struct log *log_of(uint32_t rate)
{
    struct log_options options = options_of(rate);
    unlink(path);
    now_ns = 1000 * S;
    struct log *log = log_new(&options, &a_clock, why, sizeof why);
    if (!log)
        fail_msg("%s", why);
    return log;
}

static void test_log_writes_what_a_category_s_level_allows(void **state)
{
    (void)state;
    struct log_options options = options_of(0);
    options.levels[LOG_NET] = LOG_LEVEL_DEBUG;
    options.levels[LOG_TX] = LOG_LEVEL_ERROR;
    struct log *log = log_of(0);
    assert_true(log_set(log, &options, why, sizeof why));
    assert_true(log_wants(log, LOG_LEVEL_DEBUG, LOG_NET));
    assert_false(log_wants(log, LOG_LEVEL_TRACE, LOG_NET));
    log_line(log, LOG_LEVEL_DEBUG, LOG_NET, "k", "one %d", 1);
    log_line(log, LOG_LEVEL_TRACE, LOG_NET, "k", "two");
    log_line(log, LOG_LEVEL_WARNING, LOG_TX, "k", "three");
    log_line(log, LOG_LEVEL_ERROR, LOG_TX, "k", "four");
    log_free(log);
    assert_string_equal(read_log(), "1970-01-01T00:16:40.000Z debug   net   one 1\n"
                                    "1970-01-01T00:16:40.000Z error   tx    four\n");
}

static void test_log_holds_a_flood_of_one_kind_back_and_tells_how_much(void **state)
{
    (void)state;
    static const char flood[] = "flood", other[] = "other";
    struct log *log = log_of(2); /* two a second after ten */
    for (int i = 0; i < 1000; i++)
        log_line(log, LOG_LEVEL_INFO, LOG_PEER, flood, "again");
    log_line(log, LOG_LEVEL_INFO, LOG_PEER, other, "something else");
    assert_int_equal(count_of(read_log(), "again"), 10);
    assert_int_equal(count_of(written, "something else"), 1);
    now_ns += 3 * S;
    for (int i = 0; i < 100; i++)
        log_line(log, LOG_LEVEL_INFO, LOG_PEER, flood, "again");
    assert_int_equal(count_of(read_log(), "again"), 16);
    log_tick(log);
    assert_int_equal(count_of(read_log(), "suppressed"), 0); /* not each second */
    now_ns += 7 * S;
    log_tick(log);
    assert_int_equal(count_of(read_log(), "info    peer  1084 more lines of this kind (flood) were "
                                          "suppressed"),
                     1);
    now_ns += 100 * S; /* no more than a burst gathers */
    for (int i = 0; i < 1000; i++)
        log_line(log, LOG_LEVEL_INFO, LOG_PEER, flood, "again");
    assert_int_equal(count_of(read_log(), "again"), 26);
    for (int i = 0; i < 1000; i++)
        log_line(log, LOG_LEVEL_INFO, LOG_PEER, other, "something else");
    assert_int_equal(count_of(read_log(), "something else"), 11);
    log_free(log); /* tells the rest */
    assert_int_equal(count_of(read_log(), "990 more lines of this kind (flood)"), 1);
    assert_int_equal(count_of(written, "990 more lines of this kind (other)"), 1);
}

static void test_log_knows_more_kinds_than_it_keeps_apart(void **state)
{
    (void)state;
    char kinds[300];
    struct log *log = log_of(1);
    for (size_t i = 0; i < sizeof kinds; i++)
        log_line(log, LOG_LEVEL_INFO, LOG_PEER, "k", "same");
    for (size_t i = 0; i < sizeof kinds; i++) {
        kinds[i] = '\0';
        log_line(log, LOG_LEVEL_INFO, LOG_PEER, &kinds[i], "each");
    }
    assert_int_equal(count_of(read_log(), "same"), 5);
    assert_in_range(count_of(written, "each"), 127, 132); /* the rest share one bucket */
    log_free(log);
}

static void test_log_writes_all_where_there_is_no_rate(void **state)
{
    (void)state;
    struct log *log = log_of(0);
    for (int i = 0; i < 500; i++)
        log_line(log, LOG_LEVEL_INFO, LOG_PEER, "k", "again");
    assert_int_equal(count_of(read_log(), "again"), 500);
    log_free(log);
}

static void test_log_opens_a_file_again_that_was_moved_away(void **state)
{
    (void)state;
    char moved[320];
    struct log_options options = options_of(0);
    snprintf(moved, sizeof moved, "%s.1", path);
    struct log *log = log_of(0);
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "before");
    assert_int_equal(rename(path, moved), 0);
    assert_true(log_set(log, &options, why, sizeof why));
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "after");
    assert_int_equal(count_of(read_log(), "after"), 1);
    assert_int_equal(count_of(written, "before"), 0);
    options.file = folder; /* cannot be written to: all stays */
    assert_false(log_set(log, &options, why, sizeof why));
    assert_non_null(strstr(why, "cannot be opened to log to"));
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "still here");
    assert_int_equal(count_of(read_log(), "still here"), 1);
    log_free(log);
    unlink(moved);
}

static void test_log_counts_lines_that_a_full_disk_did_not_take(void **state)
{
    (void)state;
    struct rlimit was, now;
    struct log *log = log_of(0);
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "fits");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    now = was;
    now.rlim_cur = 60; /* bytes: the next line is cut */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "is cut");
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "is lost");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "works again");
    log_line(log, LOG_LEVEL_INFO, LOG_NODE, "k", "and again");
    assert_int_equal(count_of(read_log(), "\n1970-01-01T00:16:40.000Z info    node  works again\n"),
                     1); /* on a line of its own */
    assert_int_equal(count_of(written, "2 lines before could not be written: "), 1);
    assert_int_equal(count_of(written, "is lost"), 0);
    log_free(log);
}

/* ---- traces ---- */

static const uint8_t a_hash[32] = {0xab, 0xcd, 0xef, 0x01};
static struct links links;

/* The line that a trace makes at debug, without its time; "" for none. */
static const char *trace_line(const struct vn_trace *trace)
{
    struct log_options options = options_of(0);
    memset(options.levels, LOG_LEVEL_TRACE, sizeof options.levels);
    struct log *log = log_of(0);
    assert_true(log_set(log, &options, why, sizeof why));
    log_trace(log, &links, trace);
    log_free(log);
    const char *text = read_log();
    return strlen(text) > 25 ? text + 25 : "";
}

static void link_up(uint64_t link, uint16_t port)
{
    struct vn_event event = {.kind = VN_EV_LINK_UP, .u.link_up.link = link};
    event.u.link_up.remote =
        (struct vn_addr){.family = VN_AF_IPV4, .port = port, .ip = {192, 0, 2}};
    links_event(&links, &event);
}

static void link_down(uint64_t link)
{
    struct vn_event event = {.kind = VN_EV_LINK_DOWN, .u.link_down.link = link};
    links_event(&links, &event);
}

static void test_log_trace_tells_what_happened_and_with_whom(void **state)
{
    (void)state;
    const struct vn_addr addr = {.family = VN_AF_IPV4, .port = 1, .ip = {192, 0, 2, 7}};
    const struct {
        struct vn_trace trace;
        const char *wanted;
    } rows[] = {
        {{.kind = VN_TR_PEER_STATE,
          .link = 2,
          .addr = &addr,
          .a = VN_PEER_CONNECTED,
          .b = VN_PEER_READY},
         "info    peer  192.0.2.7:1 is ready, inbound link=2\n"},
        {{.kind = VN_TR_PEER_STATE,
          .link = 3,
          .addr = &addr,
          .a = VN_PEER_READY,
          .b = VN_PEER_DISCONNECTED,
          .c = VN_WHY_TIMEOUT},
         "info    peer  192.0.2.7:1 is gone: timeout link=3\n"},
        {{.kind = VN_TR_PEER_STATE,
          .link = 3,
          .addr = &addr,
          .a = VN_PEER_CONNECTING,
          .b = VN_PEER_DISCONNECTED,
          .c = VN_WHY_REFUSED},
         "debug   peer  192.0.2.7:1: connecting -> disconnected, refused "
         "link=3\n"},
        {{.kind = VN_TR_MSG_IN, .link = 4, .a = 3, .b = 12},
         "trace   net   RequestBlock from 192.0.2.0:99, 12 bytes link=4\n"},
        {{.kind = VN_TR_BLOCK_NEW, .hash = a_hash, .a = 5},
         "debug   chain block abcdef01 at height 5 from here\n"},
        {{.kind = VN_TR_BLOCK_BAD, .link = 4, .hash = a_hash, .a = 5, .text = "B5-tx-root"},
         "warning chain refuses block abcdef01 from 192.0.2.0:99: B5-tx-root "
         "link=4\n"},
        {{.kind = VN_TR_TIP, .hash = a_hash, .a = 5, .b = 2},
         "info    chain tip abcdef01 at height 5 (reorg 2)\n"},
        {{.kind = VN_TR_MINED, .hash = a_hash, .a = 5, .b = 3},
         "info    chain mined block abcdef01 at height 5 with 3 transactions\n"},
        {{.kind = VN_TR_BAN, .link = 4, .addr = &addr, .a = 1},
         "warning score bans 192.0.2.7:1 link=4\n"},
        {{.kind = VN_TR_SCORE,
          .link = 4,
          .addr = &addr,
          .a = (uint64_t)-50,
          .b = (uint64_t)-50,
          .c = 1,
          .text = "violation"},
         "info    score gives 192.0.2.7:1 -50 points, now -50: violation "
         "link=4\n"},
        {{.kind = VN_TR_SCORE, .link = 4, .addr = &addr, .a = 10, .b = 10, .text = "good-block"},
         "debug   score gives 192.0.2.7:1 10 points, now 10: good-block link=4\n"},
        {{.kind = VN_TR_DISCONNECT, .link = 4, .addr = &addr, .a = 0, .b = 0, .text = "Shutdown"},
         "info    peer  receives Disconnect(Shutdown) from 192.0.2.7:1: Shutdown "
         "link=4\n"},
        {{.kind = VN_TR_VIOLATION, .link = 4, .addr = &addr, .text = "evil\x1b[2J\n"},
         "info    peer  192.0.2.7:1 broke the protocol: evil\\x1b[2J\\n link=4\n"},
        {{.kind = VN_TR_SYNC, .link = 8, .text = "behind", .a = 1, .b = 9},
         "info    sync  catching up with a peer: behind, height 1 of 9 link=8\n"},
        {{.kind = VN_TR_KINDS}, ""},
    };
    link_up(4, 99);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(trace_line(&rows[i].trace), rows[i].wanted);
    links_free(&links);
}

static void test_log_trace_mask_hears_no_more_than_the_levels_want(void **state)
{
    (void)state;
    struct log_options options;
    log_options_init(&options);
    uint64_t quiet = log_trace_mask(&options);
    assert_false(quiet >> VN_TR_MSG_IN & 1);
    assert_false(quiet >> VN_TR_MSG_OUT & 1);
    assert_false(quiet >> VN_TR_TX_NEW & 1);
    assert_true(quiet >> VN_TR_PEER_STATE & 1);
    assert_true(quiet >> VN_TR_BAN & 1);
    assert_false(log_trace_lacks(&options, quiet));
    options.levels[LOG_NET] = LOG_LEVEL_TRACE;
    assert_true(log_trace_lacks(&options, quiet));
    assert_true(log_trace_mask(&options) >> VN_TR_MSG_OUT & 1);
    assert_false(log_trace_mask(&options) >> VN_TR_TX_NEW & 1);
    assert_false(log_trace_lacks(&options, log_trace_mask(&options)));
}

static void test_links_are_found_while_they_are_up(void **state)
{
    (void)state;
    uint32_t dice = 7;
    bool up[700] = {false};
    assert_null(links_find(&links, 5));
    link_down(5);
    for (int round = 0; round < 20000; round++) {
        dice = dice * 1664525u + 1013904223u;
        uint64_t link = 1 + (dice >> 8) % 699;
        if (up[link])
            link_down(link);
        else
            link_up(link, (uint16_t)link);
        up[link] = !up[link];
        if (round % 500 != 0)
            continue;
        for (uint64_t i = 1; i < 700; i++) {
            const struct vn_addr *addr = links_find(&links, i);
            assert_int_equal(addr != NULL, up[i]);
            assert_true(!addr || addr->port == i);
        }
    }
    links_free(&links);
    assert_null(links_find(&links, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_line_text_tells_time_level_category_message_and_fields),
        cmocka_unit_test(test_log_line_text_lets_nothing_through_that_a_terminal_or_a_reader_obeys),
        cmocka_unit_test(test_log_line_text_quotes_what_could_be_another_field),
        cmocka_unit_test(test_log_line_json_holds_everything),
        cmocka_unit_test(test_log_line_json_is_valid_for_any_bytes),
        cmocka_unit_test(test_log_line_cuts_what_is_too_long),
        cmocka_unit_test(test_log_line_escape_never_cuts_an_escape),
        cmocka_unit_test(test_log_writes_what_a_category_s_level_allows),
        cmocka_unit_test(test_log_holds_a_flood_of_one_kind_back_and_tells_how_much),
        cmocka_unit_test(test_log_knows_more_kinds_than_it_keeps_apart),
        cmocka_unit_test(test_log_writes_all_where_there_is_no_rate),
        cmocka_unit_test(test_log_opens_a_file_again_that_was_moved_away),
        cmocka_unit_test(test_log_counts_lines_that_a_full_disk_did_not_take),
        cmocka_unit_test(test_log_trace_tells_what_happened_and_with_whom),
        cmocka_unit_test(test_log_trace_mask_hears_no_more_than_the_levels_want),
        cmocka_unit_test(test_links_are_found_while_they_are_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
