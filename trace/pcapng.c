/* Blocks of pcapng; see pcapng.h. Numbers in brackets are sections of the draft. */
#include "trace/pcapng.h"

#include "core/base/bytes.h"

#include <string.h>

/* Types of blocks [4] and codes of options. */
enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, NAMES = 4, PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1 };
enum { SECTION_PROGRAM = 4, INTERFACE_NAME = 2, INTERFACE_RESOLUTION = 9 };
enum { NAMES_END = 0, NAMES_IPV4 = 1, NAMES_IPV6 = 2 };

#define LINKTYPE_RAW  101u /* a packet begins with its IPv4 or IPv6 header */
#define BYTE_ORDER_IS 0x1a2b3c4du
#define NANOSECONDS   9u /* 10^-9 */

static uint32_t padded(size_t size)
{
    return ((uint32_t)size + 3) & ~3u;
}

static void put16(struct pcapng *p, uint32_t v)
{
    uint8_t bytes[2];
    put_le16(bytes, (uint16_t)v);
    outfile_put(&p->out, bytes, sizeof bytes);
}

static void put32(struct pcapng *p, uint32_t v)
{
    uint8_t bytes[4];
    put_le32(bytes, v);
    outfile_put(&p->out, bytes, sizeof bytes);
}

static void put_padding(struct pcapng *p, size_t size)
{
    static const uint8_t zeros[4];
    outfile_put(&p->out, zeros, padded(size) - size);
}

/* ---- options: code, length, value, padding ---- */

static uint32_t option_size(size_t len)
{
    return 4 + padded(len);
}

static void put_option(struct pcapng *p, uint32_t code, const void *value, size_t len)
{
    put16(p, code);
    put16(p, (uint32_t)len);
    outfile_put(&p->out, value, len);
    put_padding(p, len);
}

/* ---- blocks: type, length, body, length ---- */

static void block_begin(struct pcapng *p, uint32_t type, uint32_t body)
{
    put32(p, type);
    put32(p, body + 12);
}

static void block_end(struct pcapng *p, uint32_t body)
{
    put32(p, body + 12);
    outfile_end_record(&p->out);
}

static void put_section(struct pcapng *p, const char *program, const char *comment)
{
    const size_t programs = strnlen(program, PCAPNG_COMMENT_MAX);
    const size_t comments = strnlen(comment, PCAPNG_COMMENT_MAX);
    const uint32_t body = 16 + option_size(comments) + option_size(programs) + 4;
    block_begin(p, SECTION, body);
    put32(p, BYTE_ORDER_IS);
    put16(p, 1);
    put16(p, 0);
    put32(p, UINT32_MAX); /* the section's length is not told: -1 */
    put32(p, UINT32_MAX);
    put_option(p, OPT_COMMENT, comment, comments);
    put_option(p, SECTION_PROGRAM, program, programs);
    put_option(p, OPT_END, NULL, 0);
    block_end(p, body);
}

static void put_interface(struct pcapng *p)
{
    static const char name[] = "simulated";
    const uint8_t resolution = NANOSECONDS;
    const uint32_t body = 8 + option_size(sizeof name - 1) + option_size(1) + 4;
    block_begin(p, INTERFACE, body);
    put16(p, LINKTYPE_RAW);
    put16(p, 0);
    put32(p, 0); /* packets of any length */
    put_option(p, INTERFACE_NAME, name, sizeof name - 1);
    put_option(p, INTERFACE_RESOLUTION, &resolution, 1);
    put_option(p, OPT_END, NULL, 0);
    block_end(p, body);
}

bool pcapng_open(struct pcapng *p, const char *path, const char *program, const char *comment)
{
    *p = (struct pcapng){.packets = 0};
    if (!outfile_open(&p->out, path))
        return false;
    put_section(p, program, comment);
    put_interface(p);
    return outfile_begin(&p->out);
}

void pcapng_name(struct pcapng *p, const struct vn_addr *addr, const char *name)
{
    const bool four = addr->family == VN_AF_IPV4;
    const uint32_t ip = four ? 4 : 16;
    char text[PCAPNG_NAME_MAX + 1];
    const size_t len = strnlen(name, PCAPNG_NAME_MAX) + 1;
    const uint32_t record = ip + (uint32_t)len;
    const uint32_t body = option_size(record) + 4;
    memset(text, 0, sizeof text);
    memcpy(text, name, len - 1);
    block_begin(p, NAMES, body);
    put16(p, four ? NAMES_IPV4 : NAMES_IPV6);
    put16(p, record);
    outfile_put(&p->out, addr->ip, ip);
    outfile_put(&p->out, text, len);
    put_padding(p, record);
    put_option(p, NAMES_END, NULL, 0);
    block_end(p, body);
}

void pcapng_packet(struct pcapng *p, uint64_t t_ns, const uint8_t *head, uint32_t head_len,
                   const uint8_t *data, uint32_t data_len, const char *comment)
{
    const uint32_t len = head_len + data_len;
    const size_t comments = comment ? strnlen(comment, PCAPNG_COMMENT_MAX) : 0;
    const uint32_t options = comments > 0 ? option_size(comments) + 4 : 0;
    const uint32_t body = 20 + padded(len) + options;
    block_begin(p, PACKET, body);
    put32(p, 0); /* the interface */
    put32(p, (uint32_t)(t_ns >> 32));
    put32(p, (uint32_t)t_ns);
    put32(p, len);
    put32(p, len);
    outfile_put(&p->out, head, head_len);
    outfile_put(&p->out, data, data_len);
    put_padding(p, len);
    if (options > 0) {
        put_option(p, OPT_COMMENT, comment, comments);
        put_option(p, OPT_END, NULL, 0);
    }
    block_end(p, body);
    p->packets++;
}

bool pcapng_close(struct pcapng *p)
{
    return outfile_close(&p->out, "");
}
