/* vibenode ctl: what the command line asks for, what people are shown, and whole runs of it against
 * a door with a node of numbers behind it. */
#include "tests/unit/ops_fixture.h"
#include "vibenode/ctl_impl.h"

#include <locale.h>
#include <sys/wait.h>

#define ESC "\x1b"

/* ---- the command line ----------------------------------------------------------------------- */

#define WORDS 12

/* Splits a line at blanks, and reads it. */
static bool read_line(struct ctl_args *args, const char *line, char *why, size_t size)
{
    static char text[2][600]; /* args point into it */
    static unsigned turn;
    char *copy = text[turn++ % 2], *argv[WORDS] = {NULL};
    int argc = 0;
    snprintf(copy, sizeof text[0], "ctl %s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    why[0] = '\0';
    return ctl_args_read(args, argc, argv, why, size);
}

static void commands_become_paths_and_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *line, *path, *body;
    } rows[] = {
        {"status", "/status", "{}"},
        {"--json peers", "/peers", "{}"},
        {"peers --json", "/peers", "{}"},
        {"peers --all", "/peers?limit=5000", "{}"},
        {"health", "/health", "{}"},
        {"metrics", "/metrics", "{}"},
        {"connect 192.0.2.7:1", "/connect", "{\"addr\":\"192.0.2.7:1\"}"},
        {"disconnect ::1", "/disconnect", "{\"addr\":\"::1\"}"},
        {"ban 192.0.2.7", "/ban", "{\"addr\":\"192.0.2.7\"}"},
        {"ban 192.0.2.7 90", "/ban", "{\"addr\":\"192.0.2.7\",\"seconds\":90.000}"},
        {"ban 192.0.2.7 1.5m", "/ban", "{\"addr\":\"192.0.2.7\",\"seconds\":90.000}"},
        {"ban 192.0.2.7 2h", "/ban", "{\"addr\":\"192.0.2.7\",\"seconds\":7200.000}"},
        {"ban 192.0.2.7 3d", "/ban", "{\"addr\":\"192.0.2.7\",\"seconds\":259200.000}"},
        {"ban 192.0.2.7 1w", "/ban", "{\"addr\":\"192.0.2.7\",\"seconds\":604800.000}"},
        {"unban -- 192.0.2.7", "/unban", "{\"addr\":\"192.0.2.7\"}"},
        {"mine 12", "/mine", "{\"blocks\":12}"},
        {"shutdown", "/shutdown", "{}"},
        {"connect a\"b\\c" ESC, "/connect", "{\"addr\":\"a\\\"b\\\\c\\u001b\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ctl_args args;
        char why[600];
        if (!read_line(&args, rows[i].line, why, sizeof why))
            fail_msg("%s: %s", rows[i].line, why);
        assert_string_equal(args.path, rows[i].path);
        assert_string_equal(args.body.data, rows[i].body);
        assert_int_equal(args.post, i >= 6);
        ctl_args_free(&args);
    }
}

static void options_stand_anywhere_and_take_values_in_both_forms(void **state)
{
    (void)state;
    struct ctl_args args;
    char why[600];
    assert_true(read_line(&args,
                          "--http unix:/x peers --token-file=/t --config f --all --max-time 2m",
                          why, sizeof why));
    assert_string_equal(args.http, "unix:/x");
    assert_string_equal(args.token_file, "/t");
    assert_string_equal(args.config, "f");
    assert_true(args.all && !args.json && !args.help);
    assert_true(args.max_time_s == 120);
    ctl_args_free(&args);
    assert_true(read_line(&args, "tx -", why, sizeof why));
    assert_string_equal(args.file, "-");
    ctl_args_free(&args);
    assert_true(read_line(&args, "--help", why, sizeof why));
    assert_true(args.help);
    ctl_args_free(&args);
}

static void a_line_that_makes_no_sense_is_refused_with_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *line, *part;
    } rows[] = {
        {"", "say what to do: status peers health"},
        {"stat", "there is no command 'stat': there is status peers"},
        {"status now", "status takes no argument"},
        {"connect", "connect takes one address, like 192.0.2.7:8765"},
        {"connect a b", "connect takes one address"},
        {"ban", "takes an address and, if you like, a time"},
        {"ban a 1 2", "takes an address and"},
        {"ban a b c d e", "'d' is one word too many"},
        {"ban a soon", "'soon' is no time: write 90s, 10m"},
        {"ban a 1.2.3h", "'1.2.3h' is no time"},
        {"ban a -5", "there is no option -5"},
        {"mine", "takes a number of blocks"},
        {"mine x", "'x' is no number of blocks"},
        {"mine 1e3", "'1e3' is no number"},
        {"tx", "takes one file"},
        {"status --all", "--all goes with peers"},
        {"status --jsn", "there is no option --jsn: see vibenode ctl --help"},
        {"status --json=yes", "--json takes no value"},
        {"status --http", "--http needs a value"},
        {"status --http=", "--http needs a value"},
        {"status --max-time 0", "'0' is not a time in seconds, from 0.1"},
        {"status --max-time x", "'x' is not a time"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ctl_args args;
        char why[600];
        if (read_line(&args, rows[i].line, why, sizeof why) || !strstr(why, rows[i].part))
            fail_msg("'%s': %s", rows[i].line, why);
        ctl_args_free(&args);
    }
}

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

/* ---- whole runs ----------------------------------------------------------------------------- */

struct run {
    int status;
    char out[1 << 16], err[4096];
};

static bool defaults_ok;
static struct ctl_defaults defaults;
static char asked_file[120];

static bool read_defaults(const char *file, struct ctl_defaults *out, char *why, size_t size)
{
    FILE *note = fopen(asked_file, "w");
    fputs(file ? file : "(default)", note);
    fclose(note);
    *out = defaults;
    snprintf(why, size, "%s:3: there is no key 'htp'", file ? file : "default");
    return defaults_ok;
}

static const struct ctl_config config = {read_defaults};

/* ctl in a child, whose node is the loop of this process. */
static void run_ctl(struct rig *rig, struct run *run, const struct ctl_config *hook,
                    const char *line)
{
    char text[800], *argv[WORDS] = {NULL}, out[150], err[150];
    int argc = 0;
    snprintf(text, sizeof text, "ctl %s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    snprintf(out, sizeof out, "%s/out", rig->folder);
    snprintf(err, sizeof err, "%s/err", rig->folder);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr))
            _exit(99);
        int status = ctl_main(argc, argv, hook);
        fflush(NULL);
        _exit(status);
    }
    uint64_t until = uv_hrtime() + WAIT_NS;
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(500);
        assert_true(uv_hrtime() < until);
    }
    run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    FILE *file = fopen(out, "rb");
    run->out[fread(run->out, 1, sizeof run->out - 1, file)] = '\0';
    fclose(file);
    file = fopen(err, "rb");
    run->err[fread(run->err, 1, sizeof run->err - 1, file)] = '\0';
    fclose(file);
    unlink(out);
    unlink(err);
}

static void expect(const struct run *run, int status, const char *out, const char *err)
{
    if (run->status != status || !strstr(run->out, out) || !strstr(run->err, err))
        fail_msg("%d\n%s\n%s", run->status, run->out, run->err);
}

/* "--http ADDRESS --token-file FILE COMMAND" */
static const char *with(const struct rig *rig, const char *command)
{
    static char line[600];
    snprintf(line, sizeof line, "--http %s --token-file %s %s", ops_address(rig->ops),
             rig->token_file, command);
    return line;
}

static int setup(void **state)
{
    struct rig *rig = rig_new();
    snprintf(asked_file, sizeof asked_file, "%s/asked", rig->folder);
    defaults_ok = true;
    defaults = (struct ctl_defaults){0};
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    unlink(asked_file);
    rig_free(*state);
    return 0;
}

static struct run run;

static void asking_prints_the_answer(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.info.height = 42;
    rig->fake.peer_count = 1;
    rig->fake.peers[0].link = 1;
    strcpy(rig->fake.peers[0].node_id, ESC "[31mred");
    run_ctl(rig, &run, NULL, with(rig, "status"));
    expect(&run, 0, "chain     height 42,", "");
    run_ctl(rig, &run, NULL, with(rig, "peers"));
    expect(&run, 0, "1 link, 0 known", "");
    assert_null(strchr(run.out, '\x1b'));
    run_ctl(rig, &run, NULL, with(rig, "health"));
    assert_string_equal(run.out, "ok\n");
    run_ctl(rig, &run, NULL, with(rig, "metrics"));
    expect(&run, 0, "\nvibenode_block_height 42\n", "");
    run_ctl(rig, &run, NULL, with(rig, "--json peers"));
    json_t *json = parse(run.out);
    assert_string_equal(text_at(json, "0.node_id"), ESC "[31mred");
    json_decref(json);
    run_ctl(rig, &run, NULL, with(rig, "--help"));
    expect(&run, 0, "Exit status: 0 done, 1 the node refused", "");
}

static void a_node_that_is_not_healthy_is_status_1(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.not_ready = "loading the chain";
    run_ctl(rig, &run, NULL, with(rig, "health"));
    assert_int_equal(run.status, 1);
    assert_string_equal(run.out, "loading the chain\n");
    run_ctl(rig, &run, NULL, with(rig, "--json health"));
    expect(&run, 1, "{\"status\":\"unhealthy\",\"reasons\":[\"loading the chain\"]}\n", "");
}

static void telling_gives_commands_and_prints_what_became_of_them(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    run_ctl(rig, &run, NULL, with(rig, "ban 192.0.2.7 2h"));
    expect(&run, 0, "ok: ban 192.0.2.7\n", "");
    assert_int_equal(rig->fake.command.kind, VN_CMD_BAN);
    assert_int_equal(rig->fake.command.number, UINT64_C(7200000000000));
    rig->fake.status = VN_ERR_UNKNOWN;
    rig->fake.text = "no link with this address";
    run_ctl(rig, &run, NULL, with(rig, "disconnect 192.0.2.7"));
    expect(&run, 1, "",
           "vibenode ctl: disconnect 192.0.2.7: the node refused: no link with this address\n");
    assert_string_equal(run.out, "");
    run_ctl(rig, &run, NULL, with(rig, "--json disconnect 192.0.2.7"));
    expect(&run, 1, "{\"error\":\"no link with this address\",\"status\":\"unknown\"}", "refused");
    run_ctl(rig, &run, NULL, with(rig, "connect nonsense" ESC "[2J"));
    expect(&run, 1, "", "connect nonsense?[2J: the node refused: addr must be text");
    run_ctl(rig, &run, NULL, with(rig, "mine 5"));
    assert_int_equal(rig->fake.command.number, 5);
    rig->fake.status = VN_OK;
    run_ctl(rig, &run, NULL, with(rig, "shutdown"));
    expect(&run, 0, "ok: shutdown\n", "");
    assert_int_equal(rig->fake.shutdowns, 1);
}

static void transactions_are_read_from_files_of_three_kinds(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    char path[150], line[300], text[300];
    snprintf(path, sizeof path, "%s/tx", rig->folder);
    snprintf(line, sizeof line, "tx %s", path);
    memset(text, 'a', 64);
    strcpy(text + 64, " 00\nFf\n");
    rig_spit(path, text, 0600);
    run_ctl(rig, &run, NULL, with(rig, line));
    expect(&run, 0, "ok: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "");
    assert_int_equal(rig->fake.data_len, 34);
    assert_int_equal(rig->fake.data[0], 0xaa);
    assert_int_equal(rig->fake.data[33], 0xff);
    rig_spit(path, "these are bytes, at least thirty-two of them", 0600);
    run_ctl(rig, &run, NULL, with(rig, line));
    expect(&run, 0, "ok: ", "");
    assert_memory_equal(rig->fake.data, "these are bytes", 15);
    char fields[400];
    snprintf(fields, sizeof fields,
             "\n{\"sender\":\"%064d\",\"recipient\":\"%064d\",\"value\":7}\n", 0, 0);
    rig_spit(path, fields, 0600);
    run_ctl(rig, &run, NULL, with(rig, line));
    expect(&run, 0, "ok: ", "");
    assert_int_equal(rig->fake.data[96], 7);
    rig_spit(path, "{\"value\":7}", 0600);
    run_ctl(rig, &run, NULL, with(rig, line));
    expect(&run, 1, "", "the node refused: sender is missing");
    rig_spit(path, "\n", 0600);
    run_ctl(rig, &run, NULL, with(rig, line));
    expect(&run, 2, "", "tx: is empty");
    unlink(path);
    run_ctl(rig, &run, NULL, with(rig, line));
    expect(&run, 2, "", "tx: No such file");
}

static void over_a_unix_socket_all_is_the_same(void **state)
{
    struct rig *rig = *state;
    char address[200];
    snprintf(address, sizeof address, "unix:%s", rig->socket);
    rig->options.listen = address;
    rig_start(rig);
    run_ctl(rig, &run, NULL, with(rig, "status"));
    expect(&run, 0, "health    ok", "");
    run_ctl(rig, &run, NULL, with(rig, "unban 192.0.2.7"));
    expect(&run, 0, "ok: unban 192.0.2.7", "");
}

static void a_proxy_of_the_environment_is_passed_by(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    run_ctl(rig, &run, NULL, with(rig, "health"));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    expect(&run, 0, "ok", "");
}

static void where_nobody_answers_it_is_status_3_with_the_way_out(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    char address[100], line[200];
    snprintf(address, sizeof address, "%s", ops_address(rig->ops));
    rig_stop(rig);
    snprintf(line, sizeof line, "--http %s status", address);
    run_ctl(rig, &run, NULL, line);
    expect(&run, 3, "", "no node answers at ");
    snprintf(line, sizeof line, "no node answers at %s (", address);
    assert_non_null(strstr(run.err, line));
    snprintf(line, sizeof line, "--http unix:%s status", rig->socket);
    run_ctl(rig, &run, NULL, line);
    expect(&run, 3, "", "no node answers at unix:");
}

static void a_node_that_does_not_answer_in_time_is_status_3(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->fake.reply = FAKE_LATER;
    run_ctl(rig, &run, NULL, with(rig, "--max-time 0.3 unban 192.0.2.7"));
    expect(&run, 3, "", "does not answer in time");
}

static void commands_without_the_right_token_are_refused(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    char line[400], other[150];
    snprintf(other, sizeof other, "%s/other", rig->folder);
    snprintf(line, sizeof line, "--http %s unban 192.0.2.7", ops_address(rig->ops));
    run_ctl(rig, &run, NULL, line);
    expect(&run, 2, "", "this needs the node's token: name its file with --token-file");
    snprintf(line, sizeof line, "--http %s --token-file %s unban 192.0.2.7", ops_address(rig->ops),
             other);
    run_ctl(rig, &run, NULL, line);
    expect(&run, 2, "", "other: the token file cannot be read: No such file");
    assert_int_equal(access(other, F_OK), -1); /* ctl makes none */
    rig_spit(other, "0123456789abcdef0123456789abcdef", 0600);
    run_ctl(rig, &run, NULL, line);
    expect(&run, 1, "", "unban 192.0.2.7: the node refused: the token is wrong");
    unlink(other);
    assert_int_equal(rig->fake.commands, 0);
}

static void only_this_machine_is_asked(void **state)
{
    struct rig *rig = *state;
    run_ctl(rig, &run, NULL, "--http 192.0.2.1:80 status");
    expect(&run, 2, "", "--http: '192.0.2.1:80' is not a loopback address");
    run_ctl(rig, &run, NULL, "--http http://127.0.0.1/ status");
    expect(&run, 2, "", "is no address: write 127.0.0.1:9765");
}

static void the_configuration_says_where_and_which_token(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    snprintf(defaults.http, sizeof defaults.http, "%s", ops_address(rig->ops));
    snprintf(defaults.token_file, sizeof defaults.token_file, "%s", rig->token_file);
    char asked[100];
    run_ctl(rig, &run, &config, "unban 192.0.2.7");
    expect(&run, 0, "ok: unban", "");
    rig_slurp(asked_file, asked, sizeof asked);
    assert_string_equal(asked, "(default)");
    run_ctl(rig, &run, &config, "--config my.conf status");
    expect(&run, 0, "health    ok", "");
    rig_slurp(asked_file, asked, sizeof asked);
    assert_string_equal(asked, "my.conf");
    /* What the command line says wins; what it says whole needs no file. */
    strcpy(defaults.http, "127.0.0.1:9");
    unlink(asked_file);
    run_ctl(rig, &run, &config, with(rig, "unban 192.0.2.7"));
    expect(&run, 0, "ok: unban", "");
    assert_int_equal(access(asked_file, F_OK), -1);
    defaults_ok = false;
    run_ctl(rig, &run, &config, "--config my.conf status");
    expect(&run, 2, "", "vibenode ctl: my.conf:3: there is no key 'htp'\n");
    run_ctl(rig, &run, NULL, "--config my.conf status");
    expect(&run, 2, "", "--config: this program reads no configuration");
}

/* ---- what answers is no node ---------------------------------------------------------------- */

/* Serves `text` to whoever comes, once for each of two connections, then ends. */
static pid_t serve_text(const char *text, char *address, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 2), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    snprintf(address, size, "127.0.0.1:%u", ntohs(at.sin_port));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char bytes[4096];
        int client = accept(fd, NULL, NULL);
        if (read(client, bytes, sizeof bytes) > 0 && write(client, text, strlen(text)) > 0)
            close(client);
        _exit(0);
    }
    close(fd);
    return pid;
}

static void something_else_that_answers_is_not_believed(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *command, *text, *err;
        int status;
    } rows[] = {
        {"status", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
         "what answers there is no vibenode (HTTP status 200)", 3},
        {"status", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
         "what answers there is no vibenode (HTTP status 404)", 3},
        {"peers",
         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
         "what answers there is no vibenode", 3},
        {"status",
         "HTTP/1.1 403 No\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"
         "{\"error\":\"\\u001b[31m\\nbad\"}",
         "status: the node refused: ?[31m?bad\n", 1},
        {"status", "SSH-2.0-x\r\n", "no node answers at", 3},
        {"status", "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
         "what answers there is no vibenode (HTTP status 302)", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char address[100], line[200];
        pid_t pid = serve_text(rows[i].text, address, sizeof address);
        snprintf(line, sizeof line, "--http %s %s", address, rows[i].command);
        run_ctl(rig, &run, NULL, line);
        expect(&run, rows[i].status, "", rows[i].err);
        waitpid(pid, NULL, 0);
    }
}

int main(void)
{
#define TEST(name)  cmocka_unit_test(name)
#define WHOLE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(commands_become_paths_and_bodies),
        TEST(options_stand_anywhere_and_take_values_in_both_forms),
        TEST(a_line_that_makes_no_sense_is_refused_with_the_way_out),
        TEST(numbers_are_told_in_units_for_people),
        TEST(nothing_that_a_terminal_obeys_passes),
        TEST(what_is_cut_has_a_mark_and_its_width),
        TEST(peers_are_a_table_sorted_and_aligned),
        TEST(hostile_json_makes_no_line_and_no_sequence),
        TEST(status_is_a_dozen_lines),
        TEST(colours_are_for_terminals),
        WHOLE(asking_prints_the_answer),
        WHOLE(a_node_that_is_not_healthy_is_status_1),
        WHOLE(telling_gives_commands_and_prints_what_became_of_them),
        WHOLE(transactions_are_read_from_files_of_three_kinds),
        WHOLE(over_a_unix_socket_all_is_the_same),
        WHOLE(a_proxy_of_the_environment_is_passed_by),
        WHOLE(where_nobody_answers_it_is_status_3_with_the_way_out),
        WHOLE(a_node_that_does_not_answer_in_time_is_status_3),
        WHOLE(commands_without_the_right_token_are_refused),
        WHOLE(only_this_machine_is_asked),
        WHOLE(the_configuration_says_where_and_which_token),
        WHOLE(something_else_that_answers_is_not_believed),
    };
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
