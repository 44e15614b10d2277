/* Counting traces, for /metrics: see ops.h. */
#include "vibenode/ops.h"

static void count_message(uint64_t messages[OPS_MESSAGES], uint64_t bytes[OPS_MESSAGES],
                          const struct vn_trace *trace)
{
    if (trace->a >= OPS_MESSAGES)
        return;
    messages[trace->a]++;
    bytes[trace->a] += trace->b;
}

void ops_counts_trace(struct ops_counts *counts, const struct vn_trace *trace)
{
    switch ((enum vn_trace_kind)trace->kind) {
    case VN_TR_MSG_IN:
        count_message(counts->messages_in, counts->message_bytes_in, trace);
        break;
    case VN_TR_MSG_OUT:
        count_message(counts->messages_out, counts->message_bytes_out, trace);
        break;
    case VN_TR_BLOCK_NEW:
        counts->blocks_new++;
        break;
    case VN_TR_BLOCK_BAD:
        counts->blocks_bad++;
        break;
    case VN_TR_MINED:
        counts->blocks_mined++;
        break;
    case VN_TR_TIP:
        counts->tip_changes++;
        counts->reorganisations += trace->b > 0;
        break;
    case VN_TR_TX_NEW:
        counts->transactions_new++;
        break;
    case VN_TR_TX_BAD:
        counts->transactions_bad++;
        break;
    case VN_TR_BAN:
        counts->bans++;
        break;
    case VN_TR_VIOLATION:
        counts->violations++;
        break;
    case VN_TR_PEER_STATE:
    case VN_TR_BLOCK_ORPHAN:
    case VN_TR_SCORE:
    case VN_TR_UNBAN:
    case VN_TR_DISCONNECT:
    case VN_TR_SYNC:
    case VN_TR_KINDS:
        break;
    }
}

uint64_t ops_counts_mask(void)
{
    static const uint32_t kinds[] = {VN_TR_MSG_IN, VN_TR_MSG_OUT,  VN_TR_BLOCK_NEW, VN_TR_BLOCK_BAD,
                                     VN_TR_MINED,  VN_TR_TIP,      VN_TR_TX_NEW,    VN_TR_TX_BAD,
                                     VN_TR_BAN,    VN_TR_VIOLATION};
    uint64_t mask = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        mask |= UINT64_C(1) << kinds[i];
    return mask;
}
