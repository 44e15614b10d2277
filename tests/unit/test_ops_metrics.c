/* /metrics: each line is what Prometheus' text format 0.0.4 allows, read by a strict reader of our
 * own, and each number is the one that the node told. */
#include "tests/unit/ops_fixture.h"

#include <ctype.h>

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

/* ---- the reader ----------------------------------------------------------------------------- */

#define SAMPLES_MAX 200

struct sample {
    char name[100]; /* with its labels, as it was written */
    char value[60];
};

struct exposition {
    struct sample samples[SAMPLES_MAX];
    uint32_t count, families;
    char family[100]; /* whose samples come now */
    char type[20];
    bool typed, sampled;
    char seen[SAMPLES_MAX][100]; /* families so far */
};

static bool is_name(const char *text, size_t len)
{
    if (len == 0 || isdigit((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != ':')
            return false;
    return true;
}

static void wrong(const char *line, const char *what)
{
    fail_msg("%s: %.*s", what, (int)strcspn(line, "\n"), line);
}

static void read_help(struct exposition *e, const char *line)
{
    const char *name = line + 7;
    size_t len = strcspn(name, " \n");
    if (!is_name(name, len) || name[len] != ' ' || name[len + 1] == '\n')
        wrong(line, "HELP has a name and a text");
    if (e->families && !e->sampled)
        wrong(line, "the family before has no sample");
    snprintf(e->family, sizeof e->family, "%.*s", (int)len, name);
    for (uint32_t i = 0; i < e->families; i++)
        if (strcmp(e->seen[i], e->family) == 0)
            wrong(line, "a family comes once");
    assert_true(e->families < SAMPLES_MAX);
    strcpy(e->seen[e->families++], e->family);
    e->typed = e->sampled = false;
}

static void read_type(struct exposition *e, const char *line)
{
    const char *name = line + 7;
    size_t len = strcspn(name, " \n");
    if (e->typed || e->sampled || strncmp(name, e->family, len) != 0 || e->family[len] ||
        name[len] != ' ')
        wrong(line, "TYPE follows the HELP of its family");
    snprintf(e->type, sizeof e->type, "%.*s", (int)strcspn(name + len + 1, "\n"), name + len + 1);
    if (strcmp(e->type, "counter") != 0 && strcmp(e->type, "gauge") != 0)
        wrong(line, "no such type");
    bool total = strcmp(e->family + strlen(e->family) - 6, "_total") == 0;
    if (total != (strcmp(e->type, "counter") == 0))
        wrong(line, "counters, and they alone, end in _total");
    e->typed = true;
}

/* Past the closing brace. */
static const char *read_labels(const char *line, const char *p)
{
    while (*p != '}') {
        size_t len = strcspn(p, "=\n");
        if (!is_name(p, len) || strncmp(p + len, "=\"", 2) != 0)
            wrong(line, "a label is name=\"value\"");
        p += len + 2;
        for (; *p != '"'; p++) {
            if (*p == '\n' || (unsigned char)*p < 0x20 || *p == 0x7f)
                wrong(line, "a control character in a label");
            if (*p == '\\' && !strchr("\\\"n", *++p))
                wrong(line, "no such escape");
        }
        p++;
        if (*p == ',')
            p++;
        else if (*p != '}')
            wrong(line, "labels end in a brace");
    }
    return p + 1;
}

static void read_sample(struct exposition *e, const char *line)
{
    size_t len = strcspn(line, "{ \n");
    if (!e->typed || strncmp(line, e->family, len) != 0 || e->family[len])
        wrong(line, "a sample belongs to the family above it");
    const char *p = line + len;
    if (*p == '{')
        p = read_labels(line, p + 1);
    if (*p != ' ')
        wrong(line, "one blank before the value");
    size_t name_len = (size_t)(p - line), value_len = strcspn(++p, "\n");
    char *end;
    if (value_len == 0 || strspn(p, "0123456789.") != value_len ||
        (strtod(p, &end), end) != p + value_len)
        wrong(line, "no number");
    assert_true(e->count < SAMPLES_MAX && name_len < 100 && value_len < 60);
    struct sample *s = &e->samples[e->count];
    snprintf(s->name, sizeof s->name, "%.*s", (int)name_len, line);
    snprintf(s->value, sizeof s->value, "%.*s", (int)value_len, p);
    for (uint32_t i = 0; i < e->count; i++)
        if (strcmp(e->samples[i].name, s->name) == 0)
            wrong(line, "a sample comes once");
    e->count++;
    e->sampled = true;
}

static void read_exposition(struct exposition *e, const char *text)
{
    *e = (struct exposition){0};
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (!strchr(line, '\n'))
            wrong(line, "the last line has its end");
        if (strncmp(line, "# HELP ", 7) == 0)
            read_help(e, line);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(e, line);
        else
            read_sample(e, line);
    }
    assert_true(e->sampled);
}

static const char *value_of(const struct exposition *e, const char *name)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (strcmp(e->samples[i].name, name) == 0)
            return e->samples[i].value;
    return NULL;
}

static void scrape(struct rig *rig, struct exposition *e)
{
    struct response response;
    assert_int_equal(get(rig, &response, "/metrics"), 200);
    assert_string_equal(response_header(&response, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    read_exposition(e, response.body);
    free(response.body);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static struct exposition e; /* large */

/* Each number another one. */
static void fill(struct fake *fake)
{
    fake->info.inbound = 11;
    fake->info.outbound = 12;
    fake->info.connecting = 13;
    fake->info.known = 14;
    fake->info.banned = 15;
    fake->info.mempool = 16;
    fake->info.orphans = 17;
    fake->info.height = 18;
    fake->info.total_difficulty_hi = 1;
    fake->info.held_bytes = UINT64_MAX;
    fake->info.work = 19;
    fake->info.wall_ns = UINT64_C(1700000000000000001);
    fake->tcp = (struct vn_tcp_stats){.links = 20,
                                      .closing = 21,
                                      .throttled = 1,
                                      .accepted = 22,
                                      .dialled = 23,
                                      .dials_failed = 24,
                                      .accepts_delayed = 25,
                                      .bytes_in = 26,
                                      .bytes_out = 27,
                                      .reads = 28,
                                      .writes = 29,
                                      .events = 30,
                                      .queued_bytes = 31};
    fake->has_store = true;
    fake->store = (struct node_store_stats){.stores = 32,
                                            .commits = 33,
                                            .failed = 34,
                                            .loads = 35,
                                            .items = 36,
                                            .bytes = 37,
                                            .waiting = 38,
                                            .failing = true,
                                            .commit_ns = UINT64_C(1500000000),
                                            .commit_ns_max = 39};
    fake->counts.messages_in[1] = 40;
    fake->counts.messages_out[9] = 41;
    fake->counts.message_bytes_in[0] = 42;
    fake->counts.reorganisations = 43;
    fake->counts.log_lines[OPS_LOG_WARNING] = 44;
}

static const char *const told[][2] = {
    {"vibenode_peers{direction=\"inbound\"}", "11"},
    {"vibenode_peers{direction=\"outbound\"}", "12"},
    {"vibenode_peers_connecting", "13"},
    {"vibenode_peers_known", "14"},
    {"vibenode_peers_banned", "15"},
    {"vibenode_mempool_transactions", "16"},
    {"vibenode_orphan_blocks", "17"},
    {"vibenode_block_height", "18"},
    {"vibenode_total_difficulty", "18446744073709551616"},
    {"vibenode_held_bytes", "18446744073709551615"},
    {"vibenode_work_steps_total", "19"},
    {"vibenode_wall_clock_seconds", "1700000000.000000001"},
    {"vibenode_links", "20"},
    {"vibenode_links_closing", "21"},
    {"vibenode_accept_throttled", "1"},
    {"vibenode_links_accepted_total", "22"},
    {"vibenode_links_dialled_total", "23"},
    {"vibenode_dials_failed_total", "24"},
    {"vibenode_accepts_delayed_total", "25"},
    {"vibenode_received_bytes_total", "26"},
    {"vibenode_sent_bytes_total", "27"},
    {"vibenode_socket_reads_total", "28"},
    {"vibenode_socket_writes_total", "29"},
    {"vibenode_events_total", "30"},
    {"vibenode_send_queue_bytes", "31"},
    {"vibenode_store_batches_total", "32"},
    {"vibenode_store_commits_total", "33"},
    {"vibenode_store_failures_total", "34"},
    {"vibenode_store_loads_total", "35"},
    {"vibenode_store_items_total", "36"},
    {"vibenode_store_written_bytes_total", "37"},
    {"vibenode_store_waiting", "38"},
    {"vibenode_store_failing", "1"},
    {"vibenode_store_commit_seconds_total", "1.500000000"},
    {"vibenode_store_commit_seconds_max", "0.000000039"},
    {"vibenode_messages_received_total{message=\"NewBlock\"}", "40"},
    {"vibenode_messages_sent_total{message=\"Disconnect\"}", "41"},
    {"vibenode_message_received_bytes_total{message=\"Handshake\"}", "42"},
    {"vibenode_reorganisations_total", "43"},
    {"vibenode_log_lines_total{level=\"warning\"}", "44"},
    {"vibenode_healthy", "0"},
    {"vibenode_online", "1"},
};

static void numbers_of_the_node_come_out_under_their_names(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    fill(&rig->fake);
    scrape(rig, &e);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const char *value = value_of(&e, told[i][0]);
        if (!value || strcmp(value, told[i][1]) != 0)
            fail_msg("%s is %s", told[i][0], value ? value : "not there");
    }
}

static void the_process_tells_what_it_takes(void **state)
{
    struct rig *rig = *state;
    rig->options.started_wall_ns = UINT64_C(1700000000250000000);
    rig_start(rig);
    scrape(rig, &e);
    assert_in_range(strtoull(value_of(&e, "process_resident_memory_bytes"), NULL, 10), 1 << 20,
                    UINT64_C(1) << 40);
    assert_true(strtod(value_of(&e, "process_cpu_seconds_total"), NULL) > 0);
    assert_string_equal(value_of(&e, "process_start_time_seconds"), "1700000000.250000000");
    assert_string_equal(value_of(&e, "process_threads"), "1");
    unsigned long before = strtoul(value_of(&e, "process_open_fds"), NULL, 10);
    assert_in_range(before, 3, 1000);
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    scrape(rig, &e);
    assert_int_equal(strtoul(value_of(&e, "process_open_fds"), NULL, 10), before + 3);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static void requests_are_counted_by_their_status(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct response response;
    for (int i = 0; i < 3; i++) {
        get(rig, &response, "/nothing");
        free(response.body);
    }
    get(rig, &response, "/health");
    free(response.body);
    scrape(rig, &e);
    assert_string_equal(value_of(&e, "vibenode_http_requests_total{code=\"404\"}"), "3");
    assert_string_equal(value_of(&e, "vibenode_http_requests_total{code=\"200\"}"), "1");
    assert_string_equal(value_of(&e, "vibenode_http_connections"), "1");
}

static void what_a_node_does_not_have_is_left_out(void **state)
{
    struct rig *rig = *state;
    rig->options.source.tcp_stats = NULL;
    rig->options.source.store_stats = NULL;
    rig->options.source.counts = NULL;
    rig_start(rig);
    scrape(rig, &e);
    assert_null(value_of(&e, "vibenode_links"));
    assert_null(value_of(&e, "vibenode_store_waiting"));
    assert_null(value_of(&e, "vibenode_tip_changes_total"));
    assert_string_equal(value_of(&e, "vibenode_healthy"), "1");
}

static void labels_of_any_bytes_stay_on_their_line(void **state)
{
    struct rig *rig = *state;
    rig->options.version = "1\"} 1\nevil_total 7\n#\\";
    rig->options.build = "\x1b[31mred\xff\xc2\x9b end";
    rig_start(rig);
    scrape(rig, &e);
    assert_string_equal(
        value_of(&e,
                 "vibenode_build_info{version=\"1\\\"} 1\\nevil_total 7\\n#\\\\\",build=\"?[31mred"
                 "\xef\xbf\xbd? end\",protocol=\"0.1.0\"}"),
        "1");
    assert_null(value_of(&e, "evil_total"));
}

/* Peers choose their ids: not one of their bytes is in the metrics, and their number changes none.
 */
static void peers_make_no_series(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    scrape(rig, &e);
    uint32_t before = e.count;
    rig->fake.peer_count = 8;
    for (uint32_t i = 0; i < 8; i++)
        strcpy(rig->fake.peers[i].node_id, "unmistakable");
    struct response response;
    get(rig, &response, "/metrics");
    assert_null(strstr(response.body, "unmistakable"));
    free(response.body);
    scrape(rig, &e);
    assert_int_equal(e.count, before);
}

static void traces_are_counted(void **state)
{
    (void)state;
    struct ops_counts counts = {0};
    static const struct vn_trace traces[] = {
        {.kind = VN_TR_MSG_IN, .a = 7, .b = 100},
        {.kind = VN_TR_MSG_IN, .a = 7, .b = 11},
        {.kind = VN_TR_MSG_OUT, .a = 8, .b = 5},
        {.kind = VN_TR_MSG_IN, .a = 10, .b = 1},
        {.kind = VN_TR_MSG_IN, .a = UINT64_MAX},
        {.kind = VN_TR_TIP, .b = 0},
        {.kind = VN_TR_TIP, .b = 2},
        {.kind = VN_TR_BLOCK_NEW},
        {.kind = VN_TR_BLOCK_BAD},
        {.kind = VN_TR_MINED},
        {.kind = VN_TR_TX_NEW},
        {.kind = VN_TR_TX_BAD},
        {.kind = VN_TR_BAN},
        {.kind = VN_TR_VIOLATION},
        {.kind = VN_TR_SCORE},
        {.kind = VN_TR_KINDS + 9},
    };
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++)
        ops_counts_trace(&counts, &traces[i]);
    struct ops_counts expected = {
        .tip_changes = 2,
        .reorganisations = 1,
        .blocks_new = 1,
        .blocks_bad = 1,
        .blocks_mined = 1,
        .transactions_new = 1,
        .transactions_bad = 1,
        .bans = 1,
        .violations = 1,
    };
    expected.messages_in[7] = 2;
    expected.message_bytes_in[7] = 111;
    expected.messages_out[8] = 1;
    expected.message_bytes_out[8] = 5;
    assert_memory_equal(&counts, &expected, sizeof counts);
    /* What is not in the mask changes nothing. */
    for (uint32_t kind = 0; kind < VN_TR_KINDS; kind++) {
        struct ops_counts none = {0}, got = {0};
        ops_counts_trace(&got, &(struct vn_trace){.kind = kind, .b = 1});
        assert_int_equal(memcmp(&got, &none, sizeof got) != 0, ops_counts_mask() >> kind & 1);
    }
    assert_string_equal(vn_message_name(OPS_MESSAGES - 1), "Disconnect");
    assert_string_equal(vn_message_name(OPS_MESSAGES), "?");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(numbers_of_the_node_come_out_under_their_names),
        TEST(the_process_tells_what_it_takes),
        TEST(requests_are_counted_by_their_status),
        TEST(what_a_node_does_not_have_is_left_out),
        TEST(labels_of_any_bytes_stay_on_their_line),
        TEST(peers_make_no_series),
        cmocka_unit_test(traces_are_counted),
    };
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
