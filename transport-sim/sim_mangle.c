/* Bytes that arrive changed. TCP's checksum and sequence numbers hide most of what goes wrong on
 * the way; two things a stream can show:
 *
 *   - corrupt: one byte of a delivery is another one. Stone and Partridge 2000 ("When the CRC and
 *     TCP checksum disagree") found that one packet in 1,100 to 32,000 fails the checksum, and
 *     reckon that one in 16 million to 10 billion passes with an error.
 *   - duplicate: a middlebox that takes streams apart repeats a piece of one: all from a random
 *     place to the end of the delivery comes once more.
 *
 * The buffer of a delivery is the sender's own and shared by all receivers: what is changed is
 * copied first. */
#include "transport-sim/sim_internal.h"

#include <string.h>

#define DRAWS 4u /* of one delivery */

static struct vn_slice corrupted(struct vn_slice data, uint64_t draw)
{
    struct vn_slice copy = {.buf = vn_buf_new(data.len), .len = data.len};
    memcpy(copy.buf->data, vn_slice_data(data), data.len);
    /* Of the draw, the high half picks the place, the low byte the change, which is never 0. */
    uint32_t place = (uint32_t)((draw >> 32) * data.len >> 32);
    copy.buf->data[place] ^= (uint8_t)(draw % 255 + 1);
    vn_slice_unref(data);
    return copy;
}

uint32_t mangle(struct sim *sim, struct sim_link *link, unsigned d, struct vn_slice data,
                struct vn_slice out[2])
{
    const struct sim_link_params *p = &sim->params[link->params].p;
    out[0] = data;
    if (p->corrupt <= 0 && p->duplicate <= 0)
        return 1;
    uint32_t count = 1;
    const uint64_t of = link_dice(link, d);
    const uint64_t at = tcp_count_delivery(link, d) * DRAWS;
    if (p->corrupt > 0 && sim_draw_unit(sim, SIM_DICE_MANGLE, of, at) < p->corrupt) {
        out[0] = corrupted(data, sim_draw(sim, SIM_DICE_MANGLE, of, at + 1));
        link_fault_note_mangled(sim, link->host[0], link->host[1]);
    }
    if (p->duplicate > 0 && sim_draw_unit(sim, SIM_DICE_MANGLE, of, at + 2) < p->duplicate) {
        uint64_t draw = sim_draw(sim, SIM_DICE_MANGLE, of, at + 3);
        uint32_t skipped = (uint32_t)((draw >> 32) * out[0].len >> 32);
        out[1] = vn_slice_ref(out[0]);
        out[1].off += skipped;
        out[1].len -= skipped;
        count = 2;
        link_fault_note_mangled(sim, link->host[0], link->host[1]);
    }
    return count;
}
