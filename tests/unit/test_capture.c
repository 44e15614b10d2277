/* trace/capture.h: what is written is read again, whatever happened to the writer or the file. */
#include "tests/unit/capture_fixture.h"

#include "trace/format.h"

#include <ctype.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <xxhash.h>

static struct capture *fresh(void)
{
    struct vn_config config;
    char why[300] = "";
    unlink(capture_path);
    life_config(&config);
    struct capture *c = capture_new(capture_path, &config, BUILD, why, sizeof why);
    if (!c)
        fail_msg("%s", why);
    return c;
}

static struct capture_reader *reader(void)
{
    char why[300] = "";
    struct capture_reader *r = capture_reader_new(capture_path, why, sizeof why);
    if (!r)
        fail_msg("%s", why);
    return r;
}

/* The reader gives this record. */
static void expect(struct capture_reader *r, const struct held_event *held)
{
    struct capture_record record;
    assert_true(capture_reader_next(r, &record));
    assert_int_equal(record.kind, held->drained ? CAPTURE_DRAINED : CAPTURE_EVENT);
    if (!held->drained) {
        assert_int_equal(record.event.size, sizeof record.event);
        assert_true(same_event(&record.event, &held->event));
    }
}

static void expect_end(struct capture_reader *r, uint64_t hash)
{
    struct capture_record record;
    assert_true(capture_reader_next(r, &record));
    assert_int_equal(record.kind, CAPTURE_END);
    assert_true(record.hash == hash);
    assert_false(capture_reader_next(r, &record));
    assert_false(capture_reader_torn(r));
    assert_string_equal(capture_reader_damage(r), "");
}

static void write_held(struct capture *c, const struct held_event *held)
{
    if (held->drained)
        capture_drained(c, 1);
    else
        capture_event(c, &held->event);
}

/* ---- what is written ---- */

static void test_every_kind_of_event_comes_back_as_it_was(void **state)
{
    (void)state;
    const struct vn_addr v6 = {.family = VN_AF_IPV6, .port = 65535, .ip = {0xfe, 0x80, [15] = 9}};
    const struct vn_addr odd = {.family = VN_AF_IPV4, .zero = 3, .port = 1, .ip = {[15] = 1}};
    struct held_event held[] = {
        {.event = {.kind = VN_EV_CLOCK, .now_ns = 5, .u.clock.wall_ns = UINT64_MAX}},
        {.event = {.kind = VN_EV_START, .now_ns = 5}},
        {.drained = true},
        {.drained = true},
        {.event = {.kind = VN_EV_LINK_UP,
                   .now_ns = UINT64_MAX,
                   .u.link_up = {UINT64_MAX, addr_v4(127, 0, 0, 1, 0), v6, UINT32_MAX}}},
        {.event = {.kind = VN_EV_LINK_UP, .now_ns = 7, .u.link_up = {2, {0}, odd, 1}}},
        {.event = {.kind = VN_EV_LINK_DOWN, .now_ns = 7, .u.link_down = {2, UINT32_MAX}}},
        {.event = {.kind = VN_EV_BYTES, .u.bytes = {2, slice_of("hello", 5)}}},
        {.event = {.kind = VN_EV_BYTES, .now_ns = 1, .u.bytes = {128, {0}}}},
        {.event = {.kind = VN_EV_BYTES, .now_ns = 2, .u.bytes = {1, slice_of(NULL, 70000)}}},
        {.drained = true},
        {.event = {.kind = VN_EV_SENT, .now_ns = 9, .u.sent = {3, UINT64_MAX}}},
        {.event = {.kind = VN_EV_TIMER, .now_ns = 9}},
        {.event = {.kind = VN_EV_STORED, .now_ns = 9, .u.stored = {1, VN_ERR_IO}}},
        {.event = {.kind = VN_EV_LOADED, .now_ns = 9, .u.loaded = {1, VN_OK, 3, NULL}},
         .slices = {slice_of("one", 3), {0}, slice_of(NULL, 300)}},
        {.event = {.kind = VN_EV_LOADED, .now_ns = 10, .u.loaded = {2, VN_ERR_IO, 0, NULL}}},
        {.event = {.kind = VN_EV_RESOLVED, .now_ns = 10, .u.resolved = {1, VN_OK, 5, NULL}},
         .addrs = {addr_v4(1, 2, 3, 4, 5), v6, {0}, odd, {.family = 77, .ip = {[3] = 1}}}},
        {.event = {.kind = VN_EV_RESOLVED,
                   .now_ns = 10,
                   .u.resolved = {2, VN_ERR_UNKNOWN, 0, NULL}}},
        {.event = {.kind = VN_EV_COMMAND, .now_ns = 11, .u.command.token = 77},
         .command = {VN_CMD_SUBMIT_TX, 1, UINT64_MAX, addr_v4(9, 9, 9, 9, 9), slice_of("tx", 2)}},
        {.event = {.kind = VN_EV_COMMAND, .now_ns = 12}, .command = {.kind = UINT32_MAX}},
        {.event = {.kind = VN_EV_COUNT, .now_ns = 12}},
        {.event = {.kind = 0, .now_ns = 12}},
        {.event = {.kind = UINT32_MAX, .now_ns = 12}},
        {.drained = true},
    };
    const size_t count = sizeof held / sizeof *held;
    struct capture *c = fresh();
    for (size_t i = 0; i < count; i++) {
        held_point(&held[i]);
        write_held(c, &held[i]);
    }
    assert_string_equal(capture_error(c), "");
    capture_close(c, 99);
    struct capture_reader *r = reader();
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++)
            expect(r, &held[i]);
        expect_end(r, 99);
        capture_reader_rewind(r);
    }
    assert_string_equal(capture_reader_build(r), BUILD);
    assert_int_equal(capture_reader_api_version(r), VN_API_VERSION);
    capture_reader_free(r);
    for (size_t i = 0; i < count; i++)
        held_drop(&held[i]);
}

/* An event of any kind, its time and lengths drawn from few to many. */
static void draw(struct rng *rng, uint64_t now_ns, struct held_event *out)
{
    const uint64_t shift = rng_below(rng, 64), scale = rng_below(rng, 21);
    const uint64_t kind = rng_below(rng, VN_EV_COUNT + 2), drains = rng_below(rng, 3);
    const uint64_t number = rng_u64(rng) >> shift;
    const size_t len = rng_below(rng, UINT64_C(1) << scale);
    *out =
        (struct held_event){.event = {.kind = (uint32_t)kind, .now_ns = now_ns + number % 1000000},
                            .drained = drains == 0};
    struct vn_event *event = &out->event;
    if (out->drained)
        event->kind = 0;
    if (event->kind == VN_EV_BYTES) {
        event->u.bytes.link = number;
        event->u.bytes.data = slice_of(NULL, len);
        for (size_t i = 0; i < len; i += 7)
            event->u.bytes.data.buf->data[i] = (uint8_t)(number >> i % 57);
    } else if (event->kind == VN_EV_LOADED) {
        event->u.loaded.token = number;
        for (uint64_t n = rng_below(rng, 8); event->u.loaded.count < n; event->u.loaded.count++)
            out->slices[event->u.loaded.count] = slice_of(NULL, rng_below(rng, 100));
    } else if (event->kind == VN_EV_COMMAND) {
        out->command = (struct vn_command){.kind = (uint32_t)number, .data = slice_of(NULL, len)};
    } else if (event->kind != VN_EV_RESOLVED) {
        event->u.sent.link = number;
        event->u.sent.bytes = rng_u64(rng) & UINT32_MAX;
    }
    held_point(out);
}

/* Also over the borders of the pieces that the writer maps and of those that the reader reads. */
static void test_random_events_come_back_as_they_were(void **state)
{
    (void)state;
    static const uint8_t seed[32] = {1};
    enum { COUNT = 3000 };
    struct rng rng;
    rng_fork(&rng, seed, "capture", 0);
    struct held_event *held = calloc(COUNT, sizeof *held);
    struct capture *c = fresh();
    uint64_t now_ns = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        draw(&rng, now_ns, &held[i]);
        now_ns = held[i].event.now_ns;
        write_held(c, &held[i]);
    }
    const uint64_t bytes = capture_bytes(c);
    assert_true(bytes > 9u << 20);
    capture_close(c, 1);
    struct stat st;
    assert_int_equal(stat(capture_path, &st), 0);
    assert_true((uint64_t)st.st_size > bytes && (uint64_t)st.st_size < bytes + 30);
    struct capture_reader *r = reader();
    for (uint32_t i = 0; i < COUNT; i++) {
        expect(r, &held[i]);
        held_drop(&held[i]);
    }
    expect_end(r, 1);
    capture_reader_free(r);
    free(held);
}

static void test_the_hash_is_kept_at_the_drain_after_ten_thousand_events(void **state)
{
    (void)state;
    const struct vn_event timer = {.kind = VN_EV_TIMER};
    struct capture_record record;
    struct capture *c = fresh();
    for (uint32_t i = 1; i <= CAPTURE_HASH_EVERY + 5; i++) {
        capture_event(c, &timer);
        if (i % 7 == 0)
            capture_drained(c, i);
    }
    capture_close(c, 0);
    struct capture_reader *r = reader();
    uint64_t events = 0, hashes = 0;
    while (capture_reader_next(r, &record)) {
        events += record.kind == CAPTURE_EVENT;
        hashes += record.kind == CAPTURE_HASH;
        if (record.kind == CAPTURE_HASH) {
            assert_int_equal(events, 10003); /* the next that seven divides */
            assert_int_equal(record.hash, 10003);
        }
    }
    assert_int_equal(events, CAPTURE_HASH_EVERY + 5);
    assert_int_equal(hashes, 1);
    capture_reader_free(r);
}

/* ---- the header ---- */

/* The names of struct vn_config's fields as core/node.h has them, NULL-terminated. */
static char **declared_fields(void)
{
    size_t len, count = 0;
    char *text = (char *)file_bytes("core/node.h", &len), **names = calloc(200, sizeof *names);
    text[len] = 0;
    char *at = strstr(text, "struct vn_config {"), *end = at ? strstr(at, "\n};") : NULL;
    assert_non_null(end);
    *end = 0;
    for (char *comment; (comment = strstr(at, "/*")) != NULL;)
        memset(comment, ' ', (size_t)(strstr(comment, "*/") + 2 - comment));
    at += strcspn(at, "{") + 1;
    for (char *line = strtok(at, ";"); line; line = strtok(NULL, ";")) {
        for (char *part = line; part && count < 199; part = strchr(part + 1, ',')) {
            char *stop = strchr(part, '(') ? strchr(part, ')') : part + 1 + strcspn(part + 1, ",[");
            char *name = stop;
            while (name > part && (name[-1] == '_' || isalnum((unsigned char)name[-1])))
                name--;
            if (name < stop)
                names[count++] = strndup(name, (size_t)(stop - name));
            if (strchr(part, '('))
                break;
        }
    }
    free(text);
    assert_true(count > 50);
    return names;
}

static void test_every_field_that_the_core_declares_is_in_the_header(void **state)
{
    (void)state;
    static const char *const left_out[] = {"size", "seed_count", "shared", "on_trace", "trace_ctx"};
    struct vn_config config;
    uint8_t bytes[4096];
    uint64_t check;
    uint32_t missing = 0;
    life_config(&config);
    const size_t size = format_header_write(bytes, sizeof bytes, &config, BUILD, 0, &check);
    char **names = declared_fields();
    for (size_t i = 0; names[i]; i++) {
        char entry[64] = {(char)strlen(names[i])};
        strcat(entry, names[i]);
        bool known = memmem(bytes, size, entry, strlen(entry)) != NULL;
        for (size_t k = 0; k < sizeof left_out / sizeof *left_out; k++)
            known = known || strcmp(names[i], left_out[k]) == 0;
        if (!known)
            print_error("%s is in no capture: put it into trace/format_header.c\n", names[i]);
        missing += !known;
        free(names[i]);
    }
    free(names);
    assert_int_equal(missing, 0);
}

static void test_every_field_of_the_configuration_comes_back(void **state)
{
    (void)state;
    struct vn_config config, back;
    struct vn_addr seeds[3] = {addr_v4(1, 2, 3, 4, 5),
                               {.family = VN_AF_IPV6, .ip = {9}, .port = 8},
                               addr_v4(9, 9, 9, 9, 9)};
    char why[300];
    uint32_t lost = 0;
    vn_config_init(&config);
    for (size_t i = 0; i < sizeof config; i++)
        ((uint8_t *)&config)[i] = (uint8_t)(i * 37 | 1);
    config.size = sizeof config;
    config.node_id[63] = config.version[31] = 0;
    config.listen = (struct vn_addr){.family = VN_AF_IPV6, .port = 6, .ip = {1, [15] = 2}};
    config.seeds = seeds;
    config.seed_count = 3;
    unlink(capture_path);
    struct capture *c = capture_new(capture_path, &config, BUILD, why, sizeof why);
    assert_non_null(c);
    capture_close(c, 0);
    struct capture_reader *r = reader();
    capture_reader_config(r, &back);
    assert_string_equal(capture_reader_missing(r), "");
    assert_int_equal(back.seed_count, 3);
    assert_memory_equal(back.seeds, seeds, sizeof seeds);
    assert_true(!back.on_trace && !back.trace_ctx && !back.shared);
    back.seeds = config.seeds;
    back.shared = config.shared;
    back.on_trace = config.on_trace;
    back.trace_ctx = config.trace_ctx;
    for (size_t i = 0; i < sizeof config; i++)
        lost += ((uint8_t *)&config)[i] != ((uint8_t *)&back)[i];
    assert_int_equal(lost, 8); /* padding, in front of seeds and of mempool_bytes_max */
    capture_reader_free(r);
}

/* A header with one place changed and its check made right. */
static void expect_header(const char *from, const char *to, size_t len, const char *words)
{
    struct vn_config config;
    uint8_t bytes[4096];
    char why[300] = "";
    uint64_t check;
    life_config(&config);
    const size_t size = format_header_write(bytes, sizeof bytes, &config, BUILD, 0, &check);
    assert_true(size <= sizeof bytes);
    uint8_t *at = memmem(bytes, size, from, len);
    assert_non_null(at);
    memcpy(at, to, len);
    put_le64(bytes + size - 8, XXH3_64bits(bytes, size - 8));
    struct capture_reader *r = capture_reader_over(bytes, size, why, sizeof why);
    if (r || !strstr(why, words))
        fail_msg("expected '%s', got '%s'", words, why);
}

#define HEADER(from, to, words) expect_header(from, to, sizeof(to) - 1, words)

static void test_a_configuration_of_another_build_is_refused_by_its_field(void **state)
{
    (void)state;
    HEADER("max_outbound", "max_outbounz",
           "has 'max_outbounz' in its configuration, which this build does not know: use the "
           "build that made it (test build), or a later one");
    HEADER("tx_burst", "tx__rate", "'tx__rate'");
    HEADER("max_inbound", "known_peers", "its configuration has 'known_peers' twice");
    HEADER("\x05seeds\0", "\x05seeds\x77", "is damaged: its header does not add up");
    HEADER("VNCAPTUR\x01", "VNCAPTUR\x02", "format 2, and this program reads format 1");
    HEADER("VNCAPTUR", "VNCAPTUX", "is no capture of a node");
    HEADER("node-under-test", "node-under\0test", "node_id");
}

/* Leaves out the field of that name. */
static size_t without_field(uint8_t *bytes, size_t size, const char *name)
{
    uint8_t *at = memmem(bytes, size, name, strlen(name));
    assert_non_null(at);
    const size_t len = 1 + strlen(name) + 4 + get_le32(at + strlen(name));
    at--;
    memmove(at, at + len, size - (size_t)(at - bytes) - len);
    size -= len;
    put_le32(bytes + 20, (uint32_t)(size - FORMAT_HEAD - FORMAT_HEAD_CHECK));
    put_le64(bytes + size - 8, XXH3_64bits(bytes, size - 8));
    return size;
}

static void test_a_field_that_an_older_build_did_not_have_is_named_and_defaulted(void **state)
{
    (void)state;
    struct vn_config config;
    uint8_t bytes[4096];
    char why[300] = "";
    uint64_t check;
    life_config(&config);
    config.max_pending = 3;
    config.accept_burst = 4;
    size_t size = format_header_write(bytes, sizeof bytes, &config, BUILD, 0, &check);
    size = without_field(bytes, size, "max_pending");
    size = without_field(bytes, size, "accept_burst");
    struct capture_reader *r = capture_reader_over(bytes, size, why, sizeof why);
    if (!r)
        fail_msg("%s", why);
    assert_string_equal(capture_reader_missing(r), "max_pending, accept_burst");
    capture_reader_config(r, &config);
    assert_int_equal(config.max_pending, 16);
    assert_int_equal(config.accept_burst, 64);
    capture_reader_free(r);
}

/* ---- the file ---- */

static void test_the_file_is_its_owners_alone_and_never_one_that_was_there(void **state)
{
    (void)state;
    struct vn_config config;
    struct stat st;
    char why[300], link_path[240];
    life_config(&config);
    struct capture *c = fresh();
    assert_int_equal(stat(capture_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    capture_close(c, 0);
    assert_null(capture_new(capture_path, &config, BUILD, why, sizeof why));
    assert_non_null(strstr(why, "exists already"));
    snprintf(link_path, sizeof link_path, "%s/link", capture_folder);
    unlink(capture_path);
    assert_int_equal(symlink(capture_path, link_path), 0);
    assert_null(capture_new(link_path, &config, BUILD, why, sizeof why));
    assert_int_equal(access(capture_path, F_OK), -1);
    unlink(link_path);
    assert_null(capture_new("/nowhere/at/all", &config, BUILD, why, sizeof why));
    assert_non_null(strstr(why, "No such file"));
}

static void test_a_capture_that_is_being_written_is_live_and_can_be_read_so_far(void **state)
{
    (void)state;
    struct capture_record record;
    struct capture *c = fresh();
    capture_event(c, &(struct vn_event){.kind = VN_EV_TIMER});
    struct capture_reader *r = reader();
    assert_true(capture_reader_live(r));
    assert_true(capture_reader_next(r, &record));
    assert_false(capture_reader_next(r, &record));
    assert_true(capture_reader_torn(r));
    capture_reader_free(r);
    capture_close(c, 0);
    r = reader();
    assert_false(capture_reader_live(r));
    capture_reader_free(r);
}

static void refuse(const void *data, size_t len, const char *words)
{
    char why[300] = "";
    file_write(capture_path, data, len);
    assert_null(capture_reader_new(capture_path, why, sizeof why));
    if (!strstr(why, words))
        fail_msg("expected '%s', got '%s'", words, why);
}

static void test_what_is_no_capture_is_refused_with_a_reason(void **state)
{
    (void)state;
    char why[300];
    static const uint8_t zeros[4096];
    refuse("", 0, "is no capture of a node");
    refuse("VNCAP", 5, "is no capture of a node");
    refuse("some text that is longer than a header", 38, "is no capture of a node");
    refuse("VNCAPTUR\1\0\0\0", 12, "is cut off in its header");
    refuse("VNCAPTUR\1\0\0\0\0\0\0\0\2\0\0\0\xff\xff\xff\xff", 24, "of 4294967295 bytes");
    refuse("VNCAPTUR\1\0\0\0\0\0\0\0\2\0\0\0\xff\0\0\0", 24, "is cut off in its header");
    refuse(zeros, sizeof zeros, "is empty");
    assert_null(capture_reader_new(capture_folder, why, sizeof why));
    assert_non_null(strstr(why, "is no file"));
    assert_null(capture_reader_new("/nowhere/at/all", why, sizeof why));
    assert_non_null(strstr(why, "No such file"));
}

/* ---- how it can end ---- */

/* The records of a capture in words that can be compared: their number, and a hash of them all. */
struct story {
    uint64_t records, hash;
    bool whole, torn, damaged, refused;
};

static struct story story_of(const uint8_t *data, size_t len, uint64_t most)
{
    struct story s = {0};
    struct capture_record record;
    uint8_t body[4096];
    char why[300];
    struct capture_reader *r = capture_reader_over(data, len, why, sizeof why);
    s.refused = r == NULL;
    while (r && s.records < most && capture_reader_next(r, &record)) {
        uint8_t *end = body;
        if (record.kind == CAPTURE_EVENT) {
            assert_true(format_event_bound(&record.event) <= sizeof body);
            end = format_event_write(body, &record.event, 0, false);
        }
        s.hash =
            s.hash * 31 + XXH3_64bits(body, (size_t)(end - body)) + record.kind * 7 + record.hash;
        s.records++;
        s.whole = s.whole || record.kind == CAPTURE_END;
    }
    s.torn = r && capture_reader_torn(r);
    s.damaged = r && capture_reader_damage(r)[0];
    capture_reader_free(r);
    return s;
}

static void expect_prefix(struct story s, const uint8_t *data, size_t len)
{
    const struct story same = story_of(data, len, s.records);
    assert_true(same.hash == s.hash && same.records == s.records);
}

static void test_a_file_cut_anywhere_is_a_prefix_and_says_so(void **state)
{
    (void)state;
    size_t len;
    unlink(capture_path);
    life_capture(capture_path, 20);
    uint8_t *data = file_bytes(capture_path, &len);
    const struct story all = story_of(data, len, UINT64_MAX);
    assert_true(all.whole && !all.torn && all.records > 90);
    uint64_t before = 0;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut + 1); /* of its own, for the sanitizer to see the end */
        memcpy(copy, data, cut);
        const struct story s = story_of(copy, cut, UINT64_MAX);
        free(copy);
        assert_false(s.whole || s.damaged);
        assert_true(s.torn || s.refused);
        assert_true(s.records >= before && s.records < all.records);
        before = s.records;
        expect_prefix(s, data, len);
    }
    assert_true(before >= all.records - 2);
    free(data);
}

static void test_a_byte_that_was_changed_is_noticed(void **state)
{
    (void)state;
    size_t len;
    unlink(capture_path);
    life_capture(capture_path, 20);
    uint8_t *data = file_bytes(capture_path, &len);
    const struct story all = story_of(data, len, UINT64_MAX);
    for (size_t at = 0; at < len; at++)
        for (uint32_t bit = 0; bit < 9; bit++) {
            const uint8_t was = data[at];
            data[at] = bit < 8 ? (uint8_t)(was ^ 1u << bit) : (uint8_t)~was;
            const struct story s = story_of(data, len, UINT64_MAX);
            data[at] = was;
            assert_false(s.whole);
            assert_true(s.refused || s.torn);
            assert_true(s.records < all.records);
            expect_prefix(s, data, len);
        }
    free(data);
}

static void test_records_that_change_places_are_noticed(void **state)
{
    (void)state;
    size_t len;
    struct capture *c = fresh();
    for (uint64_t i = 0; i < 4; i++)
        capture_event(c, &(struct vn_event){.kind = VN_EV_SENT, .u.sent = {2, i}});
    capture_close(c, 0);
    uint8_t *data = file_bytes(capture_path, &len);
    const size_t one = 1 + 4 + 4, end = 1 + 4 + 9, first = len - end - 4 * one;
    assert_int_equal(story_of(data, len, UINT64_MAX).records, 5);
    uint8_t kept[9];
    memcpy(kept, data + first + one, one); /* the second and the third */
    memcpy(data + first + one, data + first + 2 * one, one);
    memcpy(data + first + 2 * one, kept, one);
    struct story s = story_of(data, len, UINT64_MAX);
    assert_int_equal(s.records, 1);
    assert_true(s.damaged);
    memmove(data + first + one, data + first + 3 * one, one + end); /* both are left out */
    s = story_of(data, len - 2 * one, UINT64_MAX);
    assert_int_equal(s.records, 1);
    assert_true(s.damaged);
    free(data);
}

/* The writer's child is killed at any moment, many times. */
static void test_what_a_killed_process_wrote_is_whole(void **state)
{
    (void)state;
    uint64_t most = 0;
    for (useconds_t us = 1000; us < 60000; us += us / 3) {
        int pipes[2];
        char byte;
        unlink(capture_path);
        assert_int_equal(pipe(pipes), 0);
        const pid_t child = fork();
        if (child == 0) {
            struct capture *c = fresh();
            struct vn_slice data = slice_of(NULL, 5000);
            assert_int_equal(write(pipes[1], "!", 1), 1);
            for (uint64_t i = 1;; i++) {
                data.len = (uint32_t)(i * 7 % 5000);
                capture_event(
                    c, &(struct vn_event){.kind = VN_EV_BYTES, .now_ns = i, .u.bytes = {i, data}});
                capture_drained(c, i);
            }
        }
        assert_int_equal(read(pipes[0], &byte, 1), 1);
        usleep(us);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(pipes[0]);
        close(pipes[1]);
        struct capture_reader *r = reader();
        struct capture_record record;
        uint64_t events = 0;
        while (capture_reader_next(r, &record))
            if (record.kind == CAPTURE_EVENT) {
                events++;
                assert_true(record.event.now_ns == events && record.event.u.bytes.link == events);
                assert_int_equal(record.event.u.bytes.data.len, events * 7 % 5000);
            }
        assert_true(capture_reader_torn(r));
        assert_string_equal(capture_reader_damage(r), "");
        capture_reader_free(r);
        most = events > most ? events : most;
    }
    assert_true(most > 0);
}

/* In a child, which may write files of `limit` bytes; leaves with 0 if the capture ended as it
 * should. */
static int fill_up(rlim_t limit)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit});
    struct capture *c = fresh();
    struct vn_slice data = slice_of(NULL, 1000);
    uint64_t i = 0;
    while (!capture_error(c)[0] && i < 100000)
        capture_event(c, &(struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {++i, data}});
    const uint64_t bytes = capture_bytes(c);
    const bool told = strstr(capture_error(c), "File too large: the capture ends after ") != NULL;
    capture_event(c, &(struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {++i, data}});
    capture_drained(c, 1);
    const bool still = capture_bytes(c) == bytes && bytes > limit / 2 && bytes <= limit;
    capture_close(c, 1);
    return told && still ? 0 : 1;
}

static void test_a_full_disk_ends_the_capture_with_a_word_and_not_the_process(void **state)
{
    (void)state;
    int status;
    const pid_t child = fork();
    if (child == 0)
        _exit(fill_up(9u << 20));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct capture_reader *r = reader();
    struct capture_record record;
    uint64_t events = 0;
    while (capture_reader_next(r, &record)) {
        assert_int_equal(record.kind, CAPTURE_EVENT);
        assert_true(record.event.u.bytes.link == ++events);
    }
    assert_true(events > 7000);
    assert_true(capture_reader_torn(r));
    assert_string_equal(capture_reader_damage(r), "");
    capture_reader_free(r);
}

static void test_no_file_is_left_where_a_capture_cannot_begin(void **state)
{
    (void)state;
    int status;
    unlink(capture_path);
    const pid_t child = fork();
    if (child == 0) {
        struct vn_config config;
        char why[300];
        life_config(&config);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){100, 100});
        const bool null = !capture_new(capture_path, &config, BUILD, why, sizeof why);
        _exit(null && strstr(why, "File too large") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(access(capture_path, F_OK), -1);
}

static void test_an_event_without_bounds_ends_the_capture(void **state)
{
    (void)state;
    struct capture_record record;
    struct capture *c = fresh();
    capture_event(c, &(struct vn_event){.kind = VN_EV_TIMER});
    capture_event(c, &(struct vn_event){.kind = VN_EV_LOADED, .u.loaded.count = 2u << 20});
    assert_non_null(strstr(capture_error(c), "an event is too large for it"));
    capture_close(c, 0);
    struct capture_reader *r = reader();
    assert_true(capture_reader_next(r, &record));
    assert_false(capture_reader_next(r, &record));
    assert_true(capture_reader_torn(r));
    capture_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_event_comes_back_as_it_was),
        cmocka_unit_test(test_random_events_come_back_as_they_were),
        cmocka_unit_test(test_the_hash_is_kept_at_the_drain_after_ten_thousand_events),
        cmocka_unit_test(test_every_field_that_the_core_declares_is_in_the_header),
        cmocka_unit_test(test_every_field_of_the_configuration_comes_back),
        cmocka_unit_test(test_a_configuration_of_another_build_is_refused_by_its_field),
        cmocka_unit_test(test_a_field_that_an_older_build_did_not_have_is_named_and_defaulted),
        cmocka_unit_test(test_the_file_is_its_owners_alone_and_never_one_that_was_there),
        cmocka_unit_test(test_a_capture_that_is_being_written_is_live_and_can_be_read_so_far),
        cmocka_unit_test(test_what_is_no_capture_is_refused_with_a_reason),
        cmocka_unit_test(test_a_file_cut_anywhere_is_a_prefix_and_says_so),
        cmocka_unit_test(test_a_byte_that_was_changed_is_noticed),
        cmocka_unit_test(test_records_that_change_places_are_noticed),
        cmocka_unit_test(test_what_a_killed_process_wrote_is_whole),
        cmocka_unit_test(test_a_full_disk_ends_the_capture_with_a_word_and_not_the_process),
        cmocka_unit_test(test_no_file_is_left_where_a_capture_cannot_begin),
        cmocka_unit_test(test_an_event_without_bounds_ends_the_capture),
    };
    return cmocka_run_group_tests(tests, capture_setup, capture_teardown);
}
