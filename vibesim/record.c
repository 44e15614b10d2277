/* Which of what happens becomes a row; see record.h. */
#include "vibesim/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMARY_ROWS_MAX 10000u

static uint64_t bit(enum vn_trace_kind kind)
{
    return UINT64_C(1) << kind;
}

uint64_t record_mask(enum record_level level)
{
    const uint64_t summary = bit(VN_TR_BLOCK_NEW) | bit(VN_TR_MINED) | bit(VN_TR_TIP) |
                             bit(VN_TR_BAN) | bit(VN_TR_UNBAN) | bit(VN_TR_VIOLATION);
    switch (level) {
    case RECORD_NONE:
        return 0;
    case RECORD_SUMMARY:
        return summary;
    case RECORD_MESSAGES:
        return summary | bit(VN_TR_MSG_IN);
    case RECORD_EVENTS:
        return bit(VN_TR_KINDS) - 1;
    }
    return 0;
}

void record_init(struct record *record, struct recorder *recorder, enum record_level level)
{
    memset(record, 0, sizeof *record);
    record->recorder = recorder;
    record->level = level;
}

void record_deinit(struct record *record)
{
    free(record->tips);
    record->tips = NULL;
    record->tip_count = 0;
}

void record_node(struct record *record, uint32_t host, const char *role, const char *region,
                 const char *version)
{
    if (record->recorder)
        recorder_node(record->recorder, host, role, region, version);
}

static struct record_tip *tip_of(struct record *record, uint32_t host)
{
    if (host >= record->tip_count) {
        uint32_t count = host < 64 ? 128 : host * 2;
        struct record_tip *tips = realloc(record->tips, count * sizeof *tips);
        if (!tips)
            abort();
        memset(tips + record->tip_count, 0, (count - record->tip_count) * sizeof *tips);
        record->tips = tips;
        record->tip_count = count;
    }
    return &record->tips[host];
}

static void on_tip(struct record *record, uint32_t host, const struct vn_trace *trace)
{
    struct record_tip *tip = tip_of(record, host);
    if (tip->height + 1 == trace->a)
        memcpy(tip->before, tip->hash, sizeof tip->before);
    else
        memset(tip->before, 0, sizeof tip->before);
    memcpy(tip->hash, trace->hash, sizeof tip->hash);
    tip->height = trace->a;
}

/* A node mines on its tip. Whether it tells its new tip before or after the block, the one below it
 * is known; the genesis block, which no trace names, stays NULL. */
static void on_mined(struct record *record, uint64_t t_ns, uint32_t host,
                     const struct vn_trace *trace)
{
    static const uint8_t none[32];
    const struct record_tip *tip = tip_of(record, host);
    const uint8_t *parent = NULL;
    if (tip->height == trace->a && memcmp(tip->hash, trace->hash, 32) == 0)
        parent = tip->before;
    else if (tip->height + 1 == trace->a)
        parent = tip->hash;
    if (parent && memcmp(parent, none, sizeof none) == 0)
        parent = NULL;
    recorder_block(record->recorder, trace->hash, trace->a, parent, host, t_ns);
}

static void put_event(struct record *record, uint64_t t_ns, uint32_t host,
                      const struct vn_trace *trace, uint32_t peer_host)
{
    char detail[160];
    record_words(detail, sizeof detail, trace);
    bool message = trace->kind == VN_TR_MSG_IN || trace->kind == VN_TR_MSG_OUT;
    struct recorder_event event = {
        .seq = record->seq++,
        .t_ns = t_ns,
        .node = host,
        .kind = vn_trace_name(trace->kind),
        .peer = peer_host == UINT32_MAX ? -1 : (int64_t)peer_host,
        .link = trace->link,
        .msg = message ? vn_message_name((uint32_t)trace->a) : NULL,
        .bytes = message ? trace->b : 0,
        .detail = detail[0] ? detail : NULL,
    };
    recorder_event(record->recorder, &event);
}

static void put_words(struct record *record, uint64_t t_ns, const char *kind, int64_t host,
                      const char *detail)
{
    struct recorder_event event = {
        .seq = record->seq++,
        .t_ns = t_ns,
        .node = host < 0 ? UINT32_MAX : (uint32_t)host,
        .kind = kind,
        .peer = -1,
        .detail = detail,
    };
    recorder_event(record->recorder, &event);
}

/* Whether the level wants an event row of the trace. */
static bool wanted(struct record *record, uint64_t t_ns, const struct vn_trace *trace)
{
    if (record->level == RECORD_EVENTS)
        return true;
    if (trace->kind == VN_TR_MSG_IN)
        return record->level == RECORD_MESSAGES;
    bool rare = trace->kind == VN_TR_BAN || trace->kind == VN_TR_UNBAN ||
                trace->kind == VN_TR_VIOLATION || (trace->kind == VN_TR_TIP && trace->b > 0);
    if (!rare || record->level == RECORD_MESSAGES)
        return rare;
    if (record->bounded == SUMMARY_ROWS_MAX)
        put_words(record, t_ns, "capped", -1,
                  "no more bans, violations, reorganisations at --record summary");
    return record->bounded <= SUMMARY_ROWS_MAX && record->bounded++ < SUMMARY_ROWS_MAX;
}

void record_trace(struct record *record, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                  uint32_t peer_host)
{
    if (!record->recorder || record->level == RECORD_NONE)
        return;
    if (trace->hash && trace->kind == VN_TR_BLOCK_NEW)
        recorder_arrival(record->recorder, trace->hash, host, t_ns);
    else if (trace->hash && trace->kind == VN_TR_MINED)
        on_mined(record, t_ns, host, trace);
    else if (trace->hash && trace->kind == VN_TR_TIP)
        on_tip(record, host, trace);
    if (wanted(record, t_ns, trace))
        put_event(record, t_ns, host, trace, peer_host);
}

void record_step(struct record *record, uint64_t t_ns, const char *kind, int64_t host,
                 const char *detail)
{
    if (record->recorder)
        put_words(record, t_ns, kind, host, detail);
}

void record_log(struct record *record, uint64_t t_ns, const char *text)
{
    if (record->recorder)
        put_words(record, t_ns, "log", -1, text);
}

void record_check(struct record *record, uint64_t t_ns, const char *name, const char *kind, bool ok,
                  const char *detail)
{
    if (!record->recorder)
        return;
    recorder_check(record->recorder, name, kind, ok, t_ns, detail);
    put_words(record, t_ns, ok ? "check-ok" : "check-failed", -1, name);
}

void record_metric(struct record *record, const char *name, int64_t host, double value)
{
    if (record->recorder)
        recorder_metric(record->recorder, name, host, value);
}

void record_decision(struct record *record, uint32_t no, uint64_t t_ns, const char *kind,
                     const char *params, bool taken)
{
    if (record->recorder)
        recorder_decision(record->recorder, no, t_ns, kind, params, taken);
}

void record_final(struct record *record, uint32_t host, uint64_t height, const uint8_t tip[32])
{
    if (record->recorder)
        recorder_node_final(record->recorder, host, height, tip);
}

void record_mark(struct record *record, uint64_t t_ns, uint64_t events, uint64_t hash)
{
    if (record->recorder)
        recorder_mark(record->recorder, t_ns, events, hash);
}
