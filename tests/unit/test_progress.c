/* The progress line: its words, and how it comes and goes on a terminal and elsewhere. */
#include "vibesim/progress.h"

#include "vibesim/cli_term.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static const struct progress_now half = {
    .sim_ns = 150000000000,
    .end_ns = 300000000000,
    .events = 1234567,
    .messages = 99,
    .tip_height = 12,
    .nodes = 50,
};

static void test_progress_line_tells_time_rate_and_what_is_left(void **state)
{
    (void)state;
    char line[256];
    progress_line(line, sizeof line, "run 1: ", &half, 2000);
    assert_string_equal(line, "run 1: 150.0 of 300.0 s (50%), 617,283 events/s, 50 nodes, height "
                              "12, 2 s left");
    struct progress_now none = {.sim_ns = 0};
    progress_line(line, sizeof line, "", &none, 0); /* nothing is divided by */
    assert_string_equal(line, "0.0 of 0.0 s (0%), 0 events/s, 0 nodes, height 0");
    struct progress_now whole = {.sim_ns = UINT64_MAX, .end_ns = UINT64_MAX};
    progress_line(line, sizeof line, "", &whole, 1);
    assert_non_null(strstr(line, "(100%)"));
}

static void test_progress_of_many_runs_tells_how_many_are_left(void **state)
{
    (void)state;
    char line[256];
    struct progress_runs runs = {.done = 1500, .all = 2000, .failed = 2};
    progress_runs_line(line, sizeof line, &runs, 30000);
    assert_string_equal(line, "1,500 of 2,000 runs, 2 failed, 50.0 runs/s, 10 s left");
    runs.before = 1200; /* were made by another process: they tell nothing of the rate */
    progress_runs_line(line, sizeof line, &runs, 30000);
    assert_string_equal(line, "1,500 of 2,000 runs, 2 failed, 10.0 runs/s, 50 s left");
    progress_runs_line(line, sizeof line, &runs, 300000);
    assert_string_equal(line, "1,500 of 2,000 runs, 2 failed, 1.0 runs/s, 8 min left");
    runs = (struct progress_runs){.done = 10, .all = 1010};
    progress_runs_line(line, sizeof line, &runs, 500000);
    assert_string_equal(line, "10 of 1,010 runs, 0.020 runs/s, 13 h 53 min left");
    runs = (struct progress_runs){.all = 3};
    progress_runs_line(line, sizeof line, &runs, 1000); /* nothing is divided by */
    assert_string_equal(line, "0 of 3 runs");
    runs.done = 3;
    progress_runs_line(line, sizeof line, &runs, 1000);
    assert_string_equal(line, "3 of 3 runs");
}

static void test_progress_of_a_replay_tells_its_share_of_the_file(void **state)
{
    (void)state;
    char line[256];
    struct progress_replay replay = {.bytes = 250, .bytes_all = 1000, .events = 12345};
    progress_replay_line(line, sizeof line, &replay, 2000);
    assert_string_equal(line, "12,345 events, 25% of the file, 6 s left");
    replay = (struct progress_replay){0};
    progress_replay_line(line, sizeof line, &replay, 0); /* nothing is divided by */
    assert_string_equal(line, "0 events, 0% of the file");
    replay = (struct progress_replay){.bytes = UINT64_MAX, .bytes_all = UINT64_MAX};
    progress_replay_line(line, sizeof line, &replay, 1);
    assert_string_equal(line, "0 events, 100% of the file");
}

/* What stands in a stream's file by now. */
static const char *text_of(FILE *f)
{
    static char text[4096];
    fflush(f);
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fseek(f, 0, SEEK_END);
    return text;
}

static void test_progress_elsewhere_is_plain_lines_now_and_then(void **state)
{
    (void)state;
    FILE *f = tmpfile();
    assert_non_null(f);
    struct progress p;
    progress_init(&p, f, "");
    for (int i = 0; i < 1000; i++)
        progress_update(&p, &half); /* within the first five seconds */
    assert_string_equal(text_of(f), "");
    p.next_ms = 0;
    progress_update(&p, &half);
    progress_update(&p, &half);
    progress_clear(&p);
    const char *text = text_of(f);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_null(strchr(text, '\033'));
    fclose(f);
}

/* Reads until `count` ends of lines ("\033[K") are there: a terminal hands on what is written bit
 * by bit, some time later. */
static void read_ends(int fd, char *text, size_t size, int count)
{
    size_t used = 0;
    text[0] = 0;
    for (int found = 0; found < count;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 10000), 1);
        ssize_t n = read(fd, text + used, size - 1 - used);
        assert_true(n > 0);
        used += (size_t)n;
        text[used] = 0;
        found = 0;
        for (const char *at = text; (at = strstr(at, "\033[K")); at++)
            found++;
    }
}

static void test_progress_on_a_terminal_is_one_line_that_is_taken_away(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        skip();
    struct winsize narrow = {.ws_row = 5, .ws_col = 30};
    assert_int_equal(ioctl(master, TIOCSWINSZ, &narrow), 0);
    FILE *f = fopen(ptsname(master), "w");
    if (!f)
        skip();
    struct progress p;
    progress_init(&p, f, "");
    assert_true(p.tty);
    for (int i = 0; i < 2; i++) {
        p.next_ms = 0;
        progress_update(&p, &half);
    }
    progress_clear(&p);
    progress_clear(&p);
    char text[256];
    read_ends(master, text, sizeof text, 3);
    static const char start[] = "\r150.0 of 300.0 s (50%), ";
    const char *second = strstr(text + 1, start);
    assert_int_equal(strncmp(text, start, sizeof start - 1), 0);
    assert_non_null(second);
    assert_int_equal(second - text, 1 + 29 + 3); /* cut at the terminal's width */
    assert_string_equal(second + 1 + 29, "\033[K\r\033[K");
    fclose(f);
    close(master);
}

static void test_progress_without_a_stream_tells_nothing(void **state)
{
    (void)state;
    struct progress p;
    progress_init(&p, NULL, "");
    p.next_ms = 0;
    progress_update(&p, &half);
    progress_clear(&p);
    assert_false(p.shown);
}

static void test_term_words_fit_a_shell_and_a_line(void **state)
{
    (void)state;
    char out[64];
    term_quote(out, sizeof out, "scenarios/a-b_1.lua");
    assert_string_equal(out, "scenarios/a-b_1.lua");
    term_quote(out, sizeof out, "");
    assert_string_equal(out, "''");
    term_quote(out, sizeof out, "a b$(rm)'c");
    assert_string_equal(out, "'a b$(rm)'\\''c'");
    term_clean(out, sizeof out, "a\nb\033[1m\x7f\xe2\x82\xac");
    assert_string_equal(out, "a?b?[1m?\xe2\x82\xac");
    term_clean(out, 4, "ab\xe2\x82\xac"); /* no half of a character */
    assert_string_equal(out, "ab");
    term_number(out, 1234567);
    assert_string_equal(out, "1,234,567");
    term_number(out, 999);
    assert_string_equal(out, "999");
    term_seconds(out, 12345678901u);
    assert_string_equal(out, "12.345");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress_of_many_runs_tells_how_many_are_left),
        cmocka_unit_test(test_progress_of_a_replay_tells_its_share_of_the_file),
        cmocka_unit_test(test_progress_line_tells_time_rate_and_what_is_left),
        cmocka_unit_test(test_progress_elsewhere_is_plain_lines_now_and_then),
        cmocka_unit_test(test_progress_on_a_terminal_is_one_line_that_is_taken_away),
        cmocka_unit_test(test_progress_without_a_stream_tells_nothing),
        cmocka_unit_test(test_term_words_fit_a_shell_and_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
