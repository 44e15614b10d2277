/* vibenode ctl: what the command line asks for, and whole runs of it against a door with a node of
 * numbers behind it. What people are shown: test_ctl_show.c. */
#include "tests/unit/ops_fixture.h"
#include "vibenode/ctl_impl.h"

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
        {"bans", "/bans?limit=5000", "{}"},
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
        assert_int_equal(args.post, i >= 7);
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
        {"", "say what to do: status peers bans health"},
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
        {"bans --all", "--all goes with peers"},
        {"bans 192.0.2.7", "bans takes no argument"},
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
    run_ctl(rig, &run, NULL, with(rig, "bans"));
    expect(&run, 0, "0 bans\n", "");
    run_ctl(rig, &run, NULL, with(rig, "--json peers"));
    json_t *json = json_loads(run.out, 0, NULL);
    assert_non_null(json);
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
