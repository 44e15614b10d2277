/* See tape.h. */
#include "tests/node/tape.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"

static struct tape_entry *entry_new(struct tape *tape)
{
    if (tape->count == tape->capacity) {
        tape->capacity = tape->capacity ? tape->capacity * 2 : 256;
        tape->entries = mem_resize(tape->entries, tape->capacity, sizeof *tape->entries);
    }
    struct tape_entry *entry = &tape->entries[tape->count++];
    memset(entry, 0, sizeof *entry);
    return entry;
}

static struct vn_slice copy_of(struct vn_slice slice)
{
    if (slice.len == 0)
        return (struct vn_slice){0};
    struct vn_buf *buf = vn_buf_new(slice.len);
    memcpy(buf->data, vn_slice_data(slice), slice.len);
    return (struct vn_slice){buf, 0, slice.len};
}

void tape_event(struct tape *tape, const struct vn_event *event)
{
    struct tape_entry *entry = entry_new(tape);
    entry->event = *event;
    if (event->kind == VN_EV_BYTES)
        entry->event.u.bytes.data = copy_of(event->u.bytes.data);
    if (event->kind == VN_EV_COMMAND) {
        entry->command = *event->u.command.command;
        entry->command.data = copy_of(entry->command.data);
    }
    if (event->kind == VN_EV_LOADED) {
        entry->slices = mem_new(event->u.loaded.count + 1, sizeof *entry->slices);
        for (uint32_t i = 0; i < event->u.loaded.count; i++)
            entry->slices[i] = copy_of(event->u.loaded.slices[i]);
    }
}

void tape_drain(struct tape *tape)
{
    entry_new(tape);
}

void tape_deinit(struct tape *tape)
{
    for (uint32_t i = 0; i < tape->count; i++) {
        struct tape_entry *entry = &tape->entries[i];
        if (entry->event.kind == VN_EV_BYTES)
            vn_slice_unref(entry->event.u.bytes.data);
        vn_slice_unref(entry->command.data);
        for (uint32_t k = 0; entry->slices && k < entry->event.u.loaded.count; k++)
            vn_slice_unref(entry->slices[k]);
        mem_free(entry->slices);
    }
    mem_free(tape->entries);
    *tape = (struct tape){0};
}

void tape_play(const struct tape *tape, struct vn_node *node)
{
    for (uint32_t i = 0; i < tape->count; i++) {
        const struct tape_entry *entry = &tape->entries[i];
        struct vn_event event = entry->event;
        struct vn_action action;
        if (event.kind == 0) {
            if (vn_node_next_action(node, &action))
                vn_action_release(&action);
            continue;
        }
        if (event.kind == VN_EV_COMMAND)
            event.u.command.command = &entry->command;
        if (event.kind == VN_EV_LOADED)
            event.u.loaded.slices = entry->slices;
        vn_node_step(node, &event);
    }
}
