/* The configuration of vibenode: what the file and the command line may say, and what is said of
 * what is wrong, with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vibenode/config_keys.h"

#define S UINT64_C(1000000000)

static char home[300], folder[200];
static char why[CONFIG_WHY];
static enum config_command command;

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    if (!getcwd(home, sizeof home))
        return -1;
    snprintf(folder, sizeof folder, "%s/vibenode-config-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink("vibenode.conf");
    return chdir(home) == 0 ? rmdir(folder) : -1;
}

static void write_file(const char *text, size_t len)
{
    FILE *f = fopen("vibenode.conf", "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

/* The configuration of a file's text and of up to six words; both may be NULL. */
static struct config *make(const char *text, const char *const *words)
{
    const char *argv[10] = {"vibenode"};
    int argc = 1;
    if (text) {
        write_file(text, strlen(text));
        argv[argc++] = "--config";
        argv[argc++] = "vibenode.conf";
    }
    for (; words && *words; words++)
        argv[argc++] = *words;
    why[0] = '\0';
    return config_new(argc, (char **)(uintptr_t)argv, &command, why, sizeof why);
}

static struct config *good_file(const char *text)
{
    struct config *config = make(text, NULL);
    if (!config)
        fail_msg("'%s' was refused: %s", text, why);
    return config;
}

static void refuses_file(const char *text, const char *wanted)
{
    if (make(text, NULL))
        fail_msg("'%s' was not refused", text);
    if (strcmp(why, wanted) != 0)
        fail_msg("'%s':\nexpected %s\ngot      %s", text, wanted, why);
}

static void refuses_words(const char *const *words, const char *wanted)
{
    if (make(NULL, words))
        fail_msg("%s was not refused", words[0]);
    if (strcmp(why, wanted) != 0)
        fail_msg("%s:\nexpected %s\ngot      %s", words[0], wanted, why);
}

/* ---- what is allowed ---- */

static void test_config_without_anything_has_the_defaults(void **state)
{
    (void)state;
    struct config *config = make(NULL, NULL);
    assert_non_null(config);
    assert_int_equal(command, CONFIG_RUN);
    assert_int_equal(config->listen_count, 1);
    assert_int_equal(config->listen[0].port, 8765);
    assert_int_equal(config->listen[0].ip[0], 127);
    assert_int_equal(config->core.max_inbound, 32);
    assert_int_equal(config->core.difficulty, 100);
    assert_int_equal(config->status_interval_ns, 60 * S);
    assert_int_equal(config->log.levels[LOG_NET], LOG_LEVEL_INFO);
    assert_null(config->data);
    assert_null(config->http);
    config_free(config);
}

static void test_config_reads_each_kind_of_value(void **state)
{
    (void)state;
    struct config *config = good_file("\xef\xbb\xbf; a comment\n"
                                      "# another\n"
                                      "[vibenode] ; the only section\r\n"
                                      "max-inbound = 10000\r\n"
                                      "   idle-timeout=1500ms ; a note\n"
                                      "mine = 2s\n"
                                      "ban-time = 1h\n"
                                      "feeler-interval = 0\n"
                                      "mempool-bytes-max = 2MiB\n"
                                      "block-rate = 3kB\n"
                                      "genesis = 1:2\n"
                                      "ban-by = id\n"
                                      "data = some where\n"
                                      "node-id = n\xc3\xb6"
                                      "de\n"
                                      "announce = [2001:db8::1]:1\n"
                                      "bind = 127.0.0.2\n"
                                      "log-format = json\n"
                                      "http = unix:/tmp/x\n"
                                      "http-mine = yes");
    assert_int_equal(config->core.max_inbound, 10000);
    assert_int_equal(config->core.idle_timeout_ns, 3 * S / 2);
    assert_int_equal(config->core.mine_interval_ns, 2 * S);
    assert_int_equal(config->core.ban_ns, 3600 * S);
    assert_int_equal(config->core.feeler_interval_ns, 0);
    assert_int_equal(config->core.mempool_bytes_max, 2u << 20);
    assert_int_equal(config->core.block_rate, 3000);
    assert_int_equal(config->core.genesis_timestamp, 1);
    assert_int_equal(config->core.difficulty, 2);
    assert_int_equal(config->core.ban_by, VN_BAN_BY_ID);
    assert_string_equal(config->data, "some where");
    assert_string_equal(config->node_id, "n\xc3\xb6"
                                         "de");
    assert_int_equal(config->core.listen.family, VN_AF_IPV6);
    assert_int_equal(config->core.listen.port, 1);
    assert_int_equal(config->bind.ip[3], 2);
    assert_int_equal(config->bind.port, 0);
    assert_true(config->log.json);
    assert_string_equal(config->http, "unix:/tmp/x");
    assert_true(config->http_mine);
    config_free(config);
}

static void test_config_collects_keys_that_repeat(void **state)
{
    (void)state;
    struct config *config = good_file("listen = 0.0.0.0\nlisten = [::1]:9\n"
                                      "seed-peer = 192.0.2.1\nseed-peer = [::1]:7\n"
                                      "seed-peer = a-1.example.org:99\nseed-peer = localhost\n"
                                      "log = error\nlog = trace:net\nlog = debug:tx\n"
                                      "http-origin = http://a\nhttp-origin = https://b\n");
    assert_int_equal(config->listen_count, 2);
    assert_int_equal(config->listen[0].port, 8765);
    assert_int_equal(config->listen[1].family, VN_AF_IPV6);
    assert_int_equal(config->listen[1].port, 9);
    assert_int_equal(config->core.listen.port, 8765); /* the first is announced */
    assert_int_equal(config->seed_count, 4);
    assert_int_equal(config->seeds[0].addr.port, 8765);
    assert_int_equal(config->seeds[1].addr.port, 7);
    assert_int_equal(config->seeds[2].addr.family, VN_AF_NONE);
    assert_string_equal(config->seeds[2].host, "a-1.example.org");
    assert_int_equal(config->seeds[2].port, 99);
    assert_string_equal(config->seeds[3].host, "localhost");
    assert_int_equal(config->seeds[3].port, 8765);
    assert_int_equal(config->log.levels[LOG_NET], LOG_LEVEL_TRACE);
    assert_int_equal(config->log.levels[LOG_TX], LOG_LEVEL_DEBUG);
    assert_int_equal(config->log.levels[LOG_CHAIN], LOG_LEVEL_ERROR);
    assert_int_equal(config->origin_count, 2);
    assert_string_equal(config->origins[1], "https://b");
    config_free(config);
}

static void test_config_takes_the_command_line_for_a_key_instead_of_the_file(void **state)
{
    (void)state;
    const char *const words[] = {"--max-inbound", "5",       "--listen=127.0.0.1:1",
                                 "--log",         "warning", NULL};
    struct config *config = make("max-inbound = 4\nmax-outbound = 3\nlisten = 0.0.0.0\n"
                                 "listen = [::]\nlog = trace\n",
                                 words);
    assert_non_null(config);
    assert_int_equal(config->core.max_inbound, 5);
    assert_int_equal(config->core.max_outbound, 3);
    assert_int_equal(config->listen_count, 1);
    assert_int_equal(config->listen[0].port, 1);
    assert_int_equal(config->log.levels[LOG_NET], LOG_LEVEL_WARNING);
    config_free(config);
}

static void test_config_checks_a_value_of_the_file_that_the_command_line_replaces(void **state)
{
    (void)state;
    const char *const words[] = {"--max-inbound=5", NULL};
    assert_null(make("max-inbound = x\n", words));
    assert_string_equal(why, "vibenode.conf:1: max-inbound must be 0..10000, got x");
}

static void test_config_tells_what_is_asked_of_the_program_itself(void **state)
{
    static const struct {
        const char *word;
        enum config_command command;
    } rows[] = {
        {"--help", CONFIG_HELP},          {"-h", CONFIG_HELP},
        {"--version", CONFIG_VERSION},    {"-V", CONFIG_VERSION},
        {"--check-config", CONFIG_CHECK}, {"--example-config", CONFIG_EXAMPLE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const words[] = {rows[i].word, NULL};
        struct config *config = make(NULL, words);
        assert_non_null(config);
        assert_int_equal(command, rows[i].command);
        config_free(config);
    }
}

/* ---- what is not ---- */

static void test_config_names_file_line_and_what_is_allowed(void **state)
{
#define LEVELS                                                                                     \
    "log must be error, warning, info, debug or trace, for one category behind a colon: net, "     \
    "peer, chain, tx, score, sync, store, http, node, got "
#define SEED                                                                                       \
    "seed-peer must be an IP address or a host's name, with a port or without, like "              \
    "192.0.2.1:8765, [2001:db8::1]:8765 or seed.example.org, got "
#define LISTEN                                                                                     \
    "listen must be an IP address, with a port or without, like 0.0.0.0:8765 or [::1]:8765, got "
    static const char *const rows[][2] = {
        {"\n\nmax-inbound = -3", "vibenode.conf:3: max-inbound must be 0..10000, got -3"},
        {"max-inbound = 10001", "vibenode.conf:1: max-inbound must be 0..10000, got 10001"},
        {"max-inbound = 1 2", "vibenode.conf:1: max-inbound must be 0..10000, got '1 2'"},
        {"max-inbound = 18446744073709551617",
         "vibenode.conf:1: max-inbound must be 0..10000, got 18446744073709551617"},
        {"max-inbound =", "vibenode.conf:1: max-inbound must be 0..10000, got ''"},
        {"max-pending = 0", "vibenode.conf:1: max-pending must be 1..10000, got 0"},
        {"idle-timeout = 5", "vibenode.conf:1: idle-timeout must be a time of 1ms..365d, like "
                             "500ms, 2s or 1m, got 5"},
        {"idle-timeout = 0", "vibenode.conf:1: idle-timeout must be a time of 1ms..365d, like "
                             "500ms, 2s or 1m, got 0"},
        {"mine = 366d",
         "vibenode.conf:1: mine must be a time of 0..365d, like 500ms, 2s or 1m, got 366d"},
        {"mine = 18446744074s", "vibenode.conf:1: mine must be a time of 0..365d, like 500ms, 2s "
                                "or 1m, got 18446744074s"}, /* 2^64 ns and a little */
        {"mempool-bytes-max = 64mib", "vibenode.conf:1: mempool-bytes-max must be a size of "
                                      "1KiB..64GiB, like 64MiB, got 64mib"},
        {"outbox-hard = 11MiB", "vibenode.conf:1: outbox-hard must be a size of 12MiB..2GiB, like "
                                "64MiB, got 11MiB"},
        {"genesis = 5", "vibenode.conf:1: genesis must be TIMESTAMP:DIFFICULTY, like "
                        "1744067299:100, got 5"},
        {"genesis = 5:0", "vibenode.conf:1: genesis must be TIMESTAMP:DIFFICULTY, like "
                          "1744067299:100, got 5:0"},
        {"ban-by = name", "vibenode.conf:1: ban-by must be auto, ip or id, got name"},
        {"log = loud", "vibenode.conf:1: " LEVELS "loud"},
        {"log = info:weather", "vibenode.conf:1: " LEVELS "info:weather"},
        {"log-format = xml", "vibenode.conf:1: log-format must be text or json, got xml"},
        {"http = x\nhttp-mine = maybe", "vibenode.conf:2: http-mine must be yes or no, got maybe"},
        {"http-mine = yes", "vibenode.conf:1: http-mine is of no use without http or data"},
        {"listen = localhost", "vibenode.conf:1: " LISTEN "localhost"},
        {"listen = 127.0.0.1:65536", "vibenode.conf:1: " LISTEN "127.0.0.1:65536"},
        {"listen = ::1\nlisten = [::1]:8765",
         "vibenode.conf:2: listen has this address twice: [::1]:8765"},
        {"announce = 127.0.0.1", "vibenode.conf:1: announce must be an IP address with a port, "
                                 "like 203.0.113.5:8765 or [2001:db8::1]:8765, got 127.0.0.1"},
        {"bind = 127.0.0.1:5", "vibenode.conf:1: bind must be an IP address without a port, like "
                               "192.0.2.10, got 127.0.0.1:5"},
        {"seed-peer = 1.2.3.4.5", "vibenode.conf:1: " SEED "1.2.3.4.5"},
        {"seed-peer = 1.2.3.4:0", "vibenode.conf:1: " SEED "1.2.3.4:0"},
        {"seed-peer = host:", "vibenode.conf:1: " SEED "host:"},
        {"seed-peer = -x.org", "vibenode.conf:1: " SEED "-x.org"},
        {"seed-peer = a b", "vibenode.conf:1: " SEED "'a b'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses_file(rows[i][0], rows[i][1]);
}

static void test_config_names_file_line_and_what_is_no_value(void **state)
{
    static const char *const rows[][2] = {
        {"http-origin = a.org", "vibenode.conf:1: http-origin must be an origin, like "
                                "http://127.0.0.1:3000, got a.org"},
        {"node-id = a\\b", "vibenode.conf:1: node-id must be 1..63 bytes of printable UTF-8 "
                           "without a backslash, got a\\\\b"},
        {"node-id = \xff", "vibenode.conf:1: node-id must be 1..63 bytes of printable UTF-8 "
                           "without a backslash, got \\xff"},
        {"data =", "vibenode.conf:1: data must be FOLDER, got ''"},
        {"max-inbund = 3", "vibenode.conf:1: 'max-inbund' is no key; did you mean 'max-inbound'?"},
        {"colour = red", "vibenode.conf:1: 'colour' is no key; vibenode --help lists them"},
        {"\x1b[31m = 1", "vibenode.conf:1: '\\x1b[31m' is no key; vibenode --help lists them"},
        {"config = other.conf", "vibenode.conf:1: 'config' is no key; vibenode --help lists them"},
        {"mine = 1s\n\nlog = info\nmine = 2s",
         "vibenode.conf:4: mine is given twice: it is in line 1, too"},
        {"mine", "vibenode.conf:1: 'mine' is not KEY = VALUE"},
        {"mine = 1s\n  \x1b[2J\nx = 1", "vibenode.conf:2: '\\x1b[2J' is not KEY = VALUE"},
        {"[network]\nmine = 1s",
         "vibenode.conf:1: [network] is no section here: leave it out, or write [vibenode]"},
        {"[vibenode", "vibenode.conf:1: [vibenode is no section here: leave it out, or write "
                      "[vibenode]"},
        {"[vibenode] mine = 1s", "vibenode.conf:1: [vibenode] mine = 1s is no section here: leave "
                                 "it out, or write [vibenode]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses_file(rows[i][0], rows[i][1]);
}

static void test_config_names_the_option_of_the_command_line(void **state)
{
    static const char *const rows[][4] = {
        {"--max-inbound: must be 0..10000, got -3", "--max-inbound", "-3"},
        {"--max-inbound: must be 0..10000, got ''", "--max-inbound="},
        {"--max-inbound: needs a value: COUNT", "--max-inbound"},
        {"--data: needs a value: FOLDER", "--data", "--mine=1s"},
        {"--mine: is given twice", "--mine=1s", "--mine", "2s"},
        {"--max-inbund: is no option; did you mean 'max-inbound'?", "--max-inbund", "3"},
        {"--chek-config: is no option; did you mean 'check-config'?", "--chek-config"},
        {"--colour: is no option; --help lists them", "--colour=red"},
        {"--: is no option; --help lists them", "--=x"},
        {"'run': options are written --KEY VALUE; --help lists them", "run"},
        {"'--': options are written --KEY VALUE; --help lists them", "--"},
        {"'-x': options are written --KEY VALUE; --help lists them", "-x"},
        {"--help: takes no value", "--help=me"},
        {"--config: needs a value: FILE", "--config"},
        {"--config: the name of the file is empty", "--config="},
        {"--config: is given twice", "--config=a", "--config=b"},
        {"nowhere.conf: cannot be read: No such file or directory", "--config=nowhere.conf"},
        {".: is no regular file", "--config", "."},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses_words(rows[i] + 1, rows[i][0]);
}

static void test_config_refuses_bytes_that_are_no_text(void **state)
{
    (void)state;
    const char *const words[] = {"--config=vibenode.conf", NULL};
    write_file("mine = 1s\nmax-\0inbound = 3\n", 26);
    refuses_words(words, "vibenode.conf:2: holds a NUL byte: it is no text");
}

static void test_config_cuts_no_long_line(void **state)
{
    (void)state;
    char text[400];
    snprintf(text, sizeof text, "mine = 1s\ndata = %0190d\n", 7); /* the longest that is read */
    struct config *config = good_file(text);
    assert_int_equal(strlen(config->data), 190);
    config_free(config);
    snprintf(text, sizeof text, "mine = 1s\ndata = %0191d\n", 7);
    refuses_file(text, "vibenode.conf:2: is too long: 198 bytes, at most 197");
    snprintf(text, sizeof text, "mine = 1s\n;%0300d\n", 7);
    refuses_file(text, "vibenode.conf:2: is too long: 301 bytes, at most 197");
}

static void test_config_refuses_a_file_without_end(void **state)
{
    (void)state;
    const char *const words[] = {"--config=vibenode.conf", NULL};
    size_t len = (1u << 20) + 1;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '\n', len);
    write_file(text, len);
    free(text);
    refuses_words(words, "vibenode.conf: is larger than 1MiB: it is no configuration");
    const char *const device[] = {"--config=/dev/zero", NULL};
    refuses_words(device, "/dev/zero: is no regular file");
}

static void test_config_refuses_more_than_it_holds(void **state)
{
    (void)state;
    char text[20000] = "";
    for (int i = 0; i < 17; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "listen = 127.0.0.1:%d\n", i + 1);
    refuses_file(text, "vibenode.conf:17: listen is given too often: at most 16 times");
    *text = '\0';
    for (int i = 0; i < 257; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "seed-peer = a%d.org\n", i);
    refuses_file(text, "vibenode.conf:257: seed-peer is given too often: at most 256 times");
}

/* ---- reading it again ---- */

static void test_config_takes_over_what_may_change(void **state)
{
    (void)state;
    char applied[200], restart[200];
    struct config *config = good_file("log = info\nmax-inbound = 5\nmine = 1s\nlog-file = a\n"
                                      "listen = 127.0.0.1\n");
    struct config *next = good_file("log = debug:net\nmax-inbound = 6\nmine = 2s\nlog-file = b\n"
                                    "listen = 127.0.0.1\nseed-peer = x.org\n");
    config_take_over(config, next, applied, restart, sizeof applied);
    assert_string_equal(applied, "mine, log, log-file");
    assert_string_equal(restart, "seed-peer, max-inbound");
    assert_int_equal(config->core.mine_interval_ns, 2 * S);
    assert_int_equal(config->core.max_inbound, 5);
    assert_int_equal(config->log.levels[LOG_NET], LOG_LEVEL_DEBUG);
    assert_string_equal(config->log.file, "b");
    /* The same file once more: what was taken over is no change, what was not still is. */
    next = good_file("log = debug:net\nmax-inbound = 6\nmine = 2s\nlog-file = b\n"
                     "listen = 127.0.0.1\n");
    config_take_over(config, next, applied, restart, sizeof applied);
    assert_string_equal(applied, "");
    assert_string_equal(restart, "max-inbound");
    next = good_file("");
    config_take_over(config, next, applied, restart, sizeof applied);
    assert_string_equal(applied, "mine, log, log-file");
    assert_null(config->log.file);
    assert_int_equal(config->core.mine_interval_ns, 0);
    config_free(config);
}

/* ---- help and example ---- */

/* The example with its comment signs taken from the keys. */
static char *uncomment(const char *text)
{
    char *out = calloc(1, strlen(text) + 1);
    assert_non_null(out);
    size_t len = 0;
    for (const char *p = text; *p; p++) {
        bool begins = p == text || p[-1] == '\n';
        if (!(begins && p[0] == '#' && p[1] != ' '))
            out[len++] = *p;
    }
    return out;
}

static void test_config_example_holds_the_defaults(void **state)
{
    (void)state;
    char applied[1000], restart[1000];
    char *example = config_example();
    char *bare = uncomment(example);
    struct config *all = good_file(bare);
    struct config *none = make(NULL, NULL);
    for (uint32_t key = 0; key < config_keys_count; key++) {
        char with[100], without[100];
        config_value_format(all, key, with, sizeof with);
        config_value_format(none, key, without, sizeof without);
        assert_string_equal(with, without);
    }
    assert_memory_equal(all->log.levels, none->log.levels, sizeof all->log.levels);
    config_take_over(all, none, applied, restart, sizeof applied);
    assert_non_null(strstr(restart, "max-inbound")); /* they were there */
    assert_null(strstr(restart, "announce"));
    config_free(all);
    free(bare);
    free(example);
}

static void test_config_example_in_the_repository_is_this_one(void **state)
{
    (void)state;
    char path[400];
    snprintf(path, sizeof path, "%s/vibenode/vibenode.conf.example", home);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    size_t n = fread(text, 1, (1 << 16) - 1, f);
    fclose(f);
    assert_true(n > 0);
    char *example = config_example();
    /* If not: vibenode --example-config > vibenode/vibenode.conf.example */
    assert_string_equal(text, example);
    free(example);
    free(text);
}

static void test_config_help_names_each_key_of_the_example(void **state)
{
    (void)state;
    char *help = config_help();
    char *example = config_example();
    int keys = 0;
    for (char *line = strtok(example, "\n"); line; line = strtok(NULL, "\n")) {
        char name[64], option[70];
        if (sscanf(line, "#%63[a-z-] =", name) != 1 &&
            sscanf(line, "# For example: %63[a-z-] =", name) != 1)
            continue;
        if (!strchr(line, '='))
            continue;
        snprintf(option, sizeof option, "  --%s ", name);
        if (!strstr(help, option))
            fail_msg("--help lacks %s", name);
        keys++;
    }
    assert_true(keys > 50);
    for (char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 90);
    free(example);
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_without_anything_has_the_defaults),
        cmocka_unit_test(test_config_reads_each_kind_of_value),
        cmocka_unit_test(test_config_collects_keys_that_repeat),
        cmocka_unit_test(test_config_takes_the_command_line_for_a_key_instead_of_the_file),
        cmocka_unit_test(test_config_checks_a_value_of_the_file_that_the_command_line_replaces),
        cmocka_unit_test(test_config_tells_what_is_asked_of_the_program_itself),
        cmocka_unit_test(test_config_names_file_line_and_what_is_allowed),
        cmocka_unit_test(test_config_names_file_line_and_what_is_no_value),
        cmocka_unit_test(test_config_names_the_option_of_the_command_line),
        cmocka_unit_test(test_config_refuses_bytes_that_are_no_text),
        cmocka_unit_test(test_config_cuts_no_long_line),
        cmocka_unit_test(test_config_refuses_a_file_without_end),
        cmocka_unit_test(test_config_refuses_more_than_it_holds),
        cmocka_unit_test(test_config_takes_over_what_may_change),
        cmocka_unit_test(test_config_example_holds_the_defaults),
        cmocka_unit_test(test_config_example_in_the_repository_is_this_one),
        cmocka_unit_test(test_config_help_names_each_key_of_the_example),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
