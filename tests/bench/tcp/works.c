/* See works.h. */
#include "tests/bench/tcp/works.h"

#define MIB (1u << 20)

/* ---- figures ---- */

static double per(double what, uint64_t of)
{
    return of == 0 ? 0 : what / (double)of;
}

static double cpu_ns(const struct side *side)
{
    return (double)side->user_ns + (double)side->sys_ns;
}

static double server_rate(const struct outcome *o)
{
    return per((double)o->server.messages * 1e9, o->server.wall_ns);
}

static double client_rate(const struct outcome *o)
{
    return per((double)o->client.messages * 1e9, o->client.wall_ns);
}

static double server_cpu(const struct outcome *o)
{
    return per(cpu_ns(&o->server), o->server.messages);
}

static double client_cpu(const struct outcome *o)
{
    return per(cpu_ns(&o->client), o->client.messages);
}

static double server_user(const struct outcome *o)
{
    return per((double)o->server.user_ns, o->server.messages);
}

static double client_user(const struct outcome *o)
{
    return per((double)o->client.user_ns, o->client.messages);
}

static double gigabytes(const struct outcome *o)
{
    return per((double)o->server.messages * MIB, o->server.wall_ns);
}

/* Of computing alone, as if nothing else had the core. */
static double server_gigabytes(const struct outcome *o)
{
    return cpu_ns(&o->server) > 0 ? (double)o->server.messages * MIB / cpu_ns(&o->server) : 0;
}

static double client_gigabytes(const struct outcome *o)
{
    return cpu_ns(&o->client) > 0 ? (double)o->client.messages * MIB / cpu_ns(&o->client) : 0;
}

static double server_per_cpu(const struct outcome *o)
{
    return cpu_ns(&o->server) > 0 ? (double)o->server.messages * 1e9 / cpu_ns(&o->server) : 0;
}

static double p50_us(const struct outcome *o)
{
    return (double)o->client.p50_ns / 1e3;
}

static double p99_us(const struct outcome *o)
{
    return (double)o->client.p99_ns / 1e3;
}

static double memory(const struct outcome *o)
{
    return per((double)o->server.memory, o->server.messages);
}

static double resident(const struct outcome *o)
{
    return per((double)o->server.resident, o->server.messages);
}

static double idle_ms(const struct outcome *o)
{
    return per((double)o->server.idle_cpu_ns * 1e3, o->server.idle_wall_ns);
}

static double slow_rate(const struct outcome *o)
{
    return per((double)o->client_slow.messages * 1e9, o->client_slow.wall_ns);
}

static double slow_share(const struct outcome *o)
{
    return client_rate(o) > 0 ? slow_rate(o) / client_rate(o) : 0;
}

const struct work_row works[WORKS] = {
    {"stream-40",
     "one link, 40-byte messages one way",
     WORK_STREAM,
     40,
     {{"messages/s", server_rate},
      {"sender CPU ns/message", client_cpu},
      {"sender user ns/message", client_user},
      {"receiver CPU ns/message", server_cpu},
      {"receiver user ns/message", server_user}}},
    {"stream-1k",
     "one link, 1 KiB messages one way",
     WORK_STREAM,
     1024,
     {{"messages/s", server_rate},
      {"sender CPU ns/message", client_cpu},
      {"sender user ns/message", client_user},
      {"receiver CPU ns/message", server_cpu},
      {"receiver user ns/message", server_user}}},
    {"pong-40",
     "one link, 40-byte messages, each answered by 16 bytes",
     WORK_PONG,
     40,
     {{"messages/s", client_rate},
      {"sender CPU ns/message", client_cpu},
      {"sender user ns/message", client_user},
      {"receiver CPU ns/message", server_cpu},
      {"receiver user ns/message", server_user}}},
    {"pong-1k",
     "one link, 1 KiB messages, each answered by 16 bytes",
     WORK_PONG,
     1024,
     {{"messages/s", client_rate},
      {"sender CPU ns/message", client_cpu},
      {"sender user ns/message", client_user},
      {"receiver CPU ns/message", server_cpu},
      {"receiver user ns/message", server_user}}},
    {"bulk",
     "one link, 1 MiB messages one way, whole in memory",
     WORK_BULK,
     BULK_BYTES,
     {{"GB/s", gigabytes},
      {"GB per CPU second, sender", client_gigabytes},
      {"GB per CPU second, receiver", server_gigabytes}}},
    {"ping",
     "one link, 16 bytes there and back, one at a time",
     WORK_ROUND_TRIP,
     PONG_BYTES,
     {{"p50 us", p50_us},
      {"p99 us", p99_us},
      {"asking CPU ns", client_cpu},
      {"answering CPU ns", server_cpu}}},
    {"idle",
     "many idle inbound links",
     WORK_IDLE,
     HELLO_BYTES,
     {{"links/s", server_rate},
      {"CPU ns/link to be there", server_cpu},
      {"allocated bytes/link", memory},
      {"resident bytes/link", resident},
      {"links/CPU s", server_per_cpu},
      {"idle CPU ms/s", idle_ms}}},
    {"slow",
     "99 readers of 1 KiB messages, without and with one that does not read",
     WORK_SLOW,
     1024,
     {{"messages/s without", client_rate},
      {"messages/s with", slow_rate},
      {"with / without", slow_share},
      {"server CPU ns/message", server_cpu}}},
    {"tx",
     "one link, transactions with a MiB of data, checked and pooled by the receiver",
     WORK_TX,
     TX_BYTES,
     {{"GB/s", gigabytes},
      {"GB per CPU second, sender", client_gigabytes},
      {"GB per CPU second, receiver", server_gigabytes}}},
};
