/* `vibesim run --pcap, --perfetto` ($VN_BIN): files that are whole however the run ends, and runs
 * that they do not change. What is in the files tests/sim/check_pcap holds against tshark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/bytes.h"
#include "tests/unit/cli_child.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct child c;

static const char ends[] =
    "scenario { name = \"ends\", about = \"It ends as it is told.\", duration = 60,\n"
    "  params = { how = \"well\" } }\n"
    "function run(net, p)\n"
    "  local g = net:spawn(5, { seeds = 2, miners = 1, block_interval = 2 })\n"
    "  sleep(10)\n"
    "  net:partition({ g[1] }, { g[2] }, { lasting = 1000 })\n"
    "  g[5]:pause()\n"
    "  if p.how == \"bug\" then error(\"no \\255 more\") end\n"
    "  check(p.how ~= \"badly\", \"it is well\")\n"
    "  sleep(10)\n"
    "  while p.how == \"never\" do sleep(0.01) end\n"
    "end\n";

static int setup(void **state)
{
    (void)state;
    if (child_init(&c) != 0)
        return -1;
    child_write(&c, "ends.lua", ends);
    child_write(&c, "bad.lua", "scenario {\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

static void run_args(const char *const *words)
{
    const char *args[CHILD_ARGS] = {"run"};
    for (int i = 0; words[i]; i++)
        args[1 + i] = words[i];
    child_run(&c, NULL, args);
}

#define RUN(...) run_args((const char *const[]){__VA_ARGS__, "--record", "none", "--quiet", NULL})

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("status %d: no '%s' in '%s'", c.status, part, text);
}

static void path_of(const char *name, char out[400])
{
    snprintf(out, 400, "%s/%s", c.folder, name);
}

/* How many events there are in a trace; how many slices and spans begin and do not finish. */
static size_t events_read(const char *name, int *open)
{
    char path[400];
    json_error_t why;
    path_of(name, path);
    json_t *events = json_load_file(path, 0, &why), *event;
    size_t i;
    int slices = 0, spans = 0;
    if (!events)
        fail_msg("%s:%d: %s", name, why.line, why.text);
    json_array_foreach(events, i, event)
    {
        const char phase = *json_string_value(json_object_get(event, "ph"));
        slices += (phase == 'B') - (phase == 'E');
        spans += (phase == 'b') - (phase == 'e');
        assert_true(slices >= 0 && spans >= 0);
    }
    const size_t count = json_array_size(events);
    json_decref(events);
    *open = slices + spans;
    return count;
}

/* Of a trace to its end. */
static size_t events_in(const char *name)
{
    int open;
    const size_t count = events_read(name, &open);
    assert_int_equal(open, 0);
    return count;
}

/* How many packets there are in a capture of whole blocks. */
static size_t packets_in(const char *name)
{
    static uint8_t bytes[1u << 22];
    char path[400];
    size_t packets = 0;
    path_of(name, path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t at = 0; at < size;) {
        assert_true(size - at >= 12);
        const uint32_t len = get_le32(bytes + at + 4);
        assert_true(len >= 12 && len <= size - at);
        packets += get_le32(bytes + at) == 6;
        at += len;
    }
    return packets;
}

static void test_exports_change_nothing_of_a_run(void **state)
{
    (void)state;
    char plain[200];
    RUN("ends.lua");
    assert_int_equal(c.status, 0);
    snprintf(plain, sizeof plain, "%.199s", c.out);
    RUN("ends.lua", "--pcap", "a.pcapng", "--perfetto", "a.json");
    assert_int_equal(c.status, 0);
    assert_string_equal(c.out, plain);
    assert_string_equal(c.err, "");
    assert_true(packets_in("a.pcapng") > 100);
    assert_true(events_in("a.json") > 100);
    RUN("ends.lua", "--pcap", "b.pcapng", "--perfetto", "b.json", "--verify");
    assert_int_equal(c.status, 0);
    assert_int_equal(packets_in("b.pcapng"), packets_in("a.pcapng")); /* of one run, not two */
    assert_int_equal(events_in("b.json"), events_in("a.json"));
}

static void test_exports_of_a_run_that_fails_are_whole(void **state)
{
    (void)state;
    RUN("ends.lua", "--pcap", "a.pcapng", "--perfetto", "a.json", "--param", "how=badly");
    assert_int_equal(c.status, 1);
    assert_true(packets_in("a.pcapng") > 100);
    assert_true(events_in("a.json") > 100);
    RUN("ends.lua", "--pcap", "a.pcapng", "--perfetto", "a.json", "--param", "how=bug");
    assert_int_equal(c.status, 2);
    assert_true(packets_in("a.pcapng") > 100);
    assert_true(events_in("a.json") > 100);
}

static void test_exports_of_a_run_that_is_interrupted_are_whole(void **state)
{
    (void)state;
    char path[400];
    struct stat st = {.st_size = 0};
    path_of("a.json", path);
    unlink(path);
    const char *const args[] = {"run",          "ends.lua", "--param",  "how=never",  "--until",
                                "900000000",    "--pcap",   "a.pcapng", "--perfetto", "a.json",
                                "--pcap-nodes", "1",        "--record", "none",       NULL};
    pid_t pid = child_start(&c, NULL, args);
    for (int i = 0; i < 3000 && (stat(path, &st) != 0 || st.st_size < 100000); i++)
        usleep(10000);
    assert_true(st.st_size >= 100000);
    kill(pid, SIGINT);
    child_wait(&c, pid);
    assert_int_equal(c.status, 130);
    assert_true(packets_in("a.pcapng") > 10);
    assert_true(events_in("a.json") > 100);
}

/* vibesim with a limit on files, that is like a disk which becomes full. */
static int limited(int argc, char **argv)
{
    const struct rlimit limit = {100000, 100000};
    (void)argc;
    setrlimit(RLIMIT_FSIZE, &limit);
    execl(argv[0], argv[0], "run", "ends.lua", "--record", "none", "--quiet", "--pcap",
          "full.pcapng", "--perfetto", "full.json", (char *)NULL);
    return 98;
}

static void test_a_full_disk_is_told_and_the_files_end_early_but_whole(void **state)
{
    (void)state;
    /* The child changes its folder before it executes. */
    char *bin = realpath(getenv("VN_BIN") ? getenv("VN_BIN") : "build/debug/bin", NULL);
    char old[400];
    snprintf(old, sizeof old, "%s", getenv("VN_BIN") ? getenv("VN_BIN") : "build/debug/bin");
    setenv("VN_BIN", bin, 1);
    child_run(&c, limited, (const char *const[]){NULL});
    setenv("VN_BIN", old, 1);
    free(bin);
    assert_int_equal(c.status, 2);
    has(c.out, "PASS");
    has(c.err, "--perfetto: full.json: File too large: the file ends early, and what is in it is "
               "whole: free some space or name another file");
    int open;
    assert_true(events_read("full.json", &open) > 100);
    packets_in("full.pcapng");
    RUN("ends.lua", "--pcap", "/dev/full");
    assert_int_equal(c.status, 2);
    has(c.err, "--pcap: /dev/full: No space left on device: name a file that can be written");
}

static void test_what_cannot_be_exported_is_refused_with_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *words[8];
        const char *wanted;
    } cases[] = {
        {{"ends.lua", "--seeds", "3..4", "--pcap", "x.pcapng"},
         "--pcap: is of a single run: vibesim run ends.lua --seed 3 --pcap FILE"},
        {{"ends.lua", "--seeds", "1..2", "--perfetto", "x.json"},
         "--perfetto: is of a single run: vibesim run ends.lua --seed 1 --perfetto FILE"},
        {{"ends.lua", "--world", "tcp", "--pcap", "x.pcapng"},
         "--pcap: writes what goes over simulated links, and in the world tcp real packets go over "
         "the loopback: leave out --pcap or --world tcp, or capture there with tcpdump -i lo"},
        {{"ends.lua", "--pcap-nodes", "1"}, "--pcap-nodes: say where to: --pcap FILE"},
        {{"ends.lua", "--pcap", "x.pcapng", "--pcap-nodes", "0..3"},
         "--pcap-nodes: '0..3' is not a list of nodes, numbers from 1 on as in node-0001, like "
         "1..5,9"},
        {{"ends.lua", "--pcap", ""}, "--pcap: the name of the file is empty"},
        {{"ends.lua", "--pcap", "x", "--perfetto", "x"},
         "--pcap: x is given to --perfetto as well: name another file"},
        {{"ends.lua", "--perfetto", "ends.lua"},
         "--perfetto: ends.lua is given to the scenario as well: name another file"},
        {{"ends.lua", "--perfetto", "/nowhere/x.json"},
         "--perfetto: /nowhere/x.json: No such file or directory: name a file that can be written"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *words[12] = {NULL};
        size_t n = 0;
        for (; cases[i].words[n]; n++)
            words[n] = cases[i].words[n];
        words[n] = "--record";
        words[n + 1] = "none";
        run_args(words);
        assert_int_equal(c.status, 2);
        has(c.err, cases[i].wanted);
        assert_false(child_exists(&c, "x"));
        assert_false(child_exists(&c, "x.pcapng"));
        assert_false(child_exists(&c, "x.json"));
    }
    RUN("bad.lua", "--pcap", "x.pcapng");
    assert_int_equal(c.status, 2);
    assert_false(child_exists(&c, "x.pcapng"));
}

static void test_the_world_of_real_sockets_can_be_traced(void **state)
{
    (void)state;
    RUN("ends.lua", "--world", "tcp", "--speed", "20", "--until", "20", "--perfetto", "tcp.json");
    assert_int_equal(c.status, 0);
    assert_true(events_in("tcp.json") > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exports_change_nothing_of_a_run),
        cmocka_unit_test(test_exports_of_a_run_that_fails_are_whole),
        cmocka_unit_test(test_exports_of_a_run_that_is_interrupted_are_whole),
        cmocka_unit_test(test_a_full_disk_is_told_and_the_files_end_early_but_whole),
        cmocka_unit_test(test_what_cannot_be_exported_is_refused_with_the_way_out),
        cmocka_unit_test(test_the_world_of_real_sockets_can_be_traced),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
