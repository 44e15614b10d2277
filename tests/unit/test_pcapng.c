/* trace/pcapng.h and trace/pcap_tcp.h: what is in the file, byte by byte, whatever becomes of the
 * disk. tests/sim/check_pcap holds it against tshark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "trace/pcap_tcp.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define PACKETS_MAX 4096u

/* A capture, read back. */
static uint8_t *bytes;
static size_t size;
static struct packet {
    uint64_t t_ns;
    const uint8_t *ip;
    uint32_t len;
    const char *comment; /* not NUL-terminated */
    size_t comment_len;
} packets[PACKETS_MAX];
static uint32_t count;
static uint32_t names;
static char path[64];

static const struct vn_addr four[2] = {{.family = VN_AF_IPV4, .port = 40000, .ip = {127, 0, 1, 1}},
                                       {.family = VN_AF_IPV4, .port = 8765, .ip = {127, 0, 1, 2}}};
static const struct vn_addr six[2] = {
    {.family = VN_AF_IPV6, .port = 40001, .ip = {0x20, 1, 13, 0xb8, [15] = 1}},
    {.family = VN_AF_IPV6, .port = 8765, .ip = {0x20, 1, 13, 0xb8, 0xff, 0xff, [15] = 2}}};

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/vibenet-pcapng-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    free(bytes);
    bytes = NULL;
    return unlink(path);
}

static void begin(struct pcapng *p)
{
    assert_true(pcapng_open(p, path, "a program", "about it"));
}

/* One block's options, which must end in an end. */
static void read_comment(struct packet *packet, const uint8_t *at, const uint8_t *end)
{
    if (at == end)
        return;
    assert_int_equal(get_le16(at), 1);
    packet->comment_len = get_le16(at + 2);
    packet->comment = (const char *)at + 4;
    assert_int_equal(get_le32(end - 4), 0);
}

/* Reads the file: every block is whole, and its length stands at both of its ends. */
static void slurp(void)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    free(bytes);
    bytes = malloc(1u << 24);
    size = fread(bytes, 1, 1u << 24, f);
    fclose(f);
    count = names = 0;
    for (size_t at = 0; at < size;) {
        assert_true(size - at >= 12);
        const uint32_t type = get_le32(bytes + at), len = get_le32(bytes + at + 4);
        assert_true(len % 4 == 0 && len >= 12 && len <= size - at);
        assert_int_equal(get_le32(bytes + at + len - 4), len);
        assert_int_equal(at == 0, type == 0x0a0d0d0a);
        names += type == 4;
        if (type == 6) {
            struct packet *packet = &packets[count++];
            const uint8_t *body = bytes + at + 8;
            *packet = (struct packet){.ip = body + 20, .len = get_le32(body + 12)};
            packet->t_ns = (uint64_t)get_le32(body + 4) << 32 | get_le32(body + 8);
            assert_int_equal(get_le32(body + 16), packet->len);
            assert_true(count < PACKETS_MAX);
            read_comment(packet, body + 20 + (packet->len + 3) / 4 * 4, bytes + at + len - 4);
        }
        at += len;
    }
}

/* RFC 1071, in its own words: the sum of what is summed and its checksum is all ones. */
static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static const uint8_t *tcp_of(const struct packet *packet, uint32_t *len)
{
    const bool v4 = packet->ip[0] >> 4 == 4;
    const uint32_t head = v4 ? 20 : 40;
    *len = packet->len - head;
    const uint32_t told = (uint32_t)packet->ip[v4 ? 2 : 4] << 8 | packet->ip[v4 ? 3 : 5];
    assert_int_equal(told, v4 ? packet->len : *len);
    if (v4)
        assert_int_equal(sum16(packet->ip, 20, 0), 0xffff);
    const uint32_t pseudo = sum16(packet->ip + (v4 ? 12 : 8), v4 ? 8 : 32, 6 + *len);
    assert_int_equal(sum16(packet->ip + head, *len, pseudo), 0xffff);
    return packet->ip + head;
}

static void test_the_file_begins_with_a_section_and_an_interface_of_nanoseconds(void **state)
{
    (void)state;
    struct pcapng p;
    begin(&p);
    assert_true(pcapng_close(&p));
    slurp();
    assert_int_equal(get_le32(bytes + 8), 0x1a2b3c4d);
    const uint8_t *interface = bytes + get_le32(bytes + 4);
    assert_int_equal(get_le32(interface), 1);
    assert_int_equal(get_le16(interface + 8), 101);
    static const uint8_t resolution[] = {9, 0, 1, 0, 9};
    const uint32_t len = get_le32(interface + 4);
    assert_memory_equal(interface + len - 16, resolution, sizeof resolution);
    assert_int_equal(size, get_le32(bytes + 4) + len);
}

static void test_names_times_and_comments_are_as_given(void **state)
{
    (void)state;
    struct pcapng p;
    static const uint8_t head[] = {0x45, 1, 2}, data[] = {7, 8};
    begin(&p);
    pcapng_name(&p, &four[0], "node-0001");
    pcapng_name(&p, &six[0], "node-0002");
    pcapng_packet(&p, 12345678901234567u, head, sizeof head, data, sizeof data, "hello");
    pcapng_packet(&p, 1, head, sizeof head, NULL, 0, NULL);
    assert_true(pcapng_close(&p));
    slurp();
    assert_int_equal(names, 2);
    assert_int_equal(count, 2);
    assert_int_equal(packets[0].t_ns, 12345678901234567u);
    assert_int_equal(packets[0].len, 5);
    assert_memory_equal(packets[0].ip, "\x45\1\2\7\10", 5);
    assert_int_equal(packets[0].comment_len, 5);
    assert_memory_equal(packets[0].comment, "hello", 5);
    assert_null(packets[1].comment);
}

/* Of each direction the bytes, put together by their sequence numbers. */
static void check_stream(const uint8_t *sent, size_t len, unsigned d, const struct vn_addr addr[2])
{
    size_t got = 0;
    uint32_t next = 0, acked = 0, unacked_max = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tcp_len;
        const uint8_t *tcp = tcp_of(&packets[i], &tcp_len);
        const uint32_t head = (uint32_t)tcp[12] >> 4 << 2;
        const uint32_t part = tcp_len - head;
        if (((uint32_t)tcp[0] << 8 | tcp[1]) != addr[d].port) {
            acked = tcp[13] & 16 ? get_be32(tcp + 8) : acked;
            continue;
        }
        if (tcp[13] & 2) { /* its SYN */
            next = get_be32(tcp + 4) + 1;
            continue;
        }
        assert_int_equal(get_be32(tcp + 4), next);
        assert_true(part <= PCAP_TCP_SEGMENT && got + part <= len);
        if (part > 0)
            assert_memory_equal(tcp + head, sent + got, part);
        got += part;
        next += part + (tcp[13] & 1);
        unacked_max = next - acked > unacked_max && acked > 0 ? next - acked : unacked_max;
    }
    assert_int_equal(got, len);
    assert_true(unacked_max <= PCAP_TCP_ACK_AFTER + PCAP_TCP_SEGMENT + 2);
}

static void conversation(const struct vn_addr addr[2])
{
    static uint8_t data[300001];
    struct pcapng p;
    struct pcap_tcp tcp;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    begin(&p);
    pcap_tcp_init(&tcp, &addr[0], &addr[1], UINT32_MAX - 1000); /* it wraps */
    pcap_tcp_syn(&tcp, &p, 1);
    pcap_tcp_syn_ack(&tcp, &p, 2);
    pcap_tcp_ack(&tcp, &p, 3);
    for (size_t at = 0, n = 1; at < sizeof data; at += n, n = n * 3 + 1)
        pcap_tcp_bytes(&tcp, &p, 4, 0, data + at, n < sizeof data - at ? n : sizeof data - at);
    pcap_tcp_bytes(&tcp, &p, 5, 1, data, 77);
    pcap_tcp_fin(&tcp, &p, 6, 1);
    pcap_tcp_rst(&tcp, &p, 7, 0, "too late");
    assert_true(pcapng_close(&p));
    slurp();
    check_stream(data, sizeof data, 0, addr);
    check_stream(data, 77, 1, addr);
    assert_int_equal(packets[count - 1].t_ns, 6); /* both FINs and the last acknowledgement */
    assert_int_equal(p.packets, count);
}

static void test_streams_come_back_with_right_numbers_and_checksums(void **state)
{
    (void)state;
    conversation(four);
    conversation(six);
}

/* Whole conversations until the file may grow no more. */
static bool fill(struct pcapng *p, size_t most)
{
    static uint8_t data[50000];
    const struct rlimit old = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit limit = {most, RLIM_INFINITY};
    struct pcap_tcp tcp;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    begin(p);
    pcap_tcp_init(&tcp, &four[0], &four[1], 0);
    pcap_tcp_syn(&tcp, p, 1);
    for (unsigned i = 0; i < 100; i++)
        pcap_tcp_bytes(&tcp, p, i, 0, data, 1 + i * 487);
    const bool whole = pcapng_close(p);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    return whole;
}

static void test_a_full_disk_is_told_and_leaves_whole_packets(void **state)
{
    (void)state;
    struct pcapng p;
    assert_true(fill(&p, 1u << 24));
    slurp();
    const uint32_t all = count;
    for (size_t most = 200000; most < 400000; most += 13001) {
        assert_false(fill(&p, most));
        assert_int_equal(p.out.error, EFBIG);
        slurp();
        assert_true(size <= most && count > 10 && count < all);
    }
}

static void test_a_file_that_cannot_be_is_told_when_it_is_opened(void **state)
{
    (void)state;
    struct pcapng p;
    assert_false(pcapng_open(&p, "/nowhere/x.pcapng", "p", "c"));
    assert_int_equal(errno, ENOENT);
    assert_false(pcapng_open(&p, "/dev/full", "p", "c"));
    assert_int_equal(errno, ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_begins_with_a_section_and_an_interface_of_nanoseconds),
        cmocka_unit_test(test_names_times_and_comments_are_as_given),
        cmocka_unit_test(test_streams_come_back_with_right_numbers_and_checksums),
        cmocka_unit_test(test_a_full_disk_is_told_and_leaves_whole_packets),
        cmocka_unit_test(test_a_file_that_cannot_be_is_told_when_it_is_opened),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
