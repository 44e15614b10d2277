/* The trace hash is of the bytes that come, not of the buffers that they come in, nor of what a
 * build remembers of a buffer (core/node.h, struct vn_buf). */
#include "tests/node/rig.h"

#include <string.h>

/* The hash of a node that is given, on a link that was accepted, these slices one by one. */
static uint64_t hash_after(const struct vn_slice *slices, uint32_t count)
{
    struct vn_config cfg;
    vn_config_init(&cfg);
    strcpy(cfg.node_id, "hashed");
    struct vn_node *node = vn_node_new(&cfg);
    assert_non_null(node);
    struct vn_event event = {.size = sizeof event, .kind = VN_EV_START, .now_ns = 1};
    vn_node_step(node, &event);
    event = (struct vn_event){.size = sizeof event, .kind = VN_EV_LINK_UP, .now_ns = 2};
    event.u.link_up.link = 2;
    event.u.link_up.window = 65536;
    event.u.link_up.local = rig_addr(1, 5000);
    event.u.link_up.remote = rig_addr(2, 5000);
    vn_node_step(node, &event);
    for (uint32_t i = 0; i < count; i++) {
        event = (struct vn_event){.size = sizeof event, .kind = VN_EV_BYTES, .now_ns = 3};
        event.u.bytes.link = 2;
        event.u.bytes.data = slices[i];
        vn_node_step(node, &event);
    }
    const uint64_t hash = vn_node_hash(node);
    vn_node_free(node);
    return hash;
}

/* A frame that nothing is wrong with yet: its length says more bytes than there are. */
static struct vn_slice part(uint32_t before, uint32_t len, uint32_t after)
{
    struct vn_buf *buf = vn_buf_new(before + len + after);
    memset(buf->data, 0xaa, buf->len);
    memset(buf->data + before, 0, len);
    buf->data[before + 2] = 0x10;
    buf->data[before + len - 1] = 7;
    return (struct vn_slice){buf, before, len};
}

static void test_equal_bytes_hash_alike_in_whatever_buffer_they_lie(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {5, 16, 17, 128, 129, 240, 241, 3000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vn_slice whole = part(0, sizes[i], 0), first = part(0, sizes[i], 9),
                        last = part(3, sizes[i], 0), middle = part(8, sizes[i], 100);
        const uint64_t hash = hash_after(&whole, 1);
        assert_true(hash_after(&whole, 1) == hash); /* remembered now */
        assert_true(hash_after(&first, 1) == hash);
        assert_true(hash_after(&last, 1) == hash);
        assert_true(hash_after(&middle, 1) == hash);
        vn_slice_unref(whole);
        vn_slice_unref(first);
        vn_slice_unref(last);
        vn_slice_unref(middle);
    }
}

static void test_a_part_of_a_remembered_buffer_is_hashed_as_what_it_is(void **state)
{
    (void)state;
    struct vn_slice whole = part(0, 300, 0), other = part(0, 300, 0);
    const uint64_t hash = hash_after(&whole, 1);
    const struct vn_slice halves[] = {{whole.buf, 0, 150}, {whole.buf, 150, 150}};
    const struct vn_slice others[] = {{other.buf, 0, 150}, {other.buf, 150, 150}};
    assert_true(hash_after(halves, 1) != hash);
    assert_true(hash_after(halves, 2) == hash_after(others, 2));
    assert_true(hash_after(halves + 1, 1) != hash_after(halves, 1));
    vn_slice_unref(whole);
    vn_slice_unref(other);
}

static void test_every_byte_and_the_length_count(void **state)
{
    (void)state;
    struct vn_slice whole = part(0, 300, 0);
    const uint64_t hash = hash_after(&whole, 1);
    for (uint32_t i = 4; i < 300; i += 37) {
        struct vn_slice changed = part(0, 300, 0), shorter = part(0, i + 1, 0);
        changed.buf->data[i] ^= 0x20;
        assert_true(hash_after(&changed, 1) != hash);
        assert_true(hash_after(&shorter, 1) != hash);
        vn_slice_unref(changed);
        vn_slice_unref(shorter);
    }
    vn_slice_unref(whole);
}

static void test_the_memo_of_another_build_counts_for_nothing(void **state)
{
    (void)state;
    static const char another;
    struct vn_slice whole = part(0, 300, 0);
    const uint64_t hash = hash_after(&whole, 1);
    whole.buf->memo = UINT64_MAX;
    whole.buf->memo_by = &another;
    assert_true(hash_after(&whole, 1) == hash);
    assert_ptr_not_equal(whole.buf->memo_by, &another);
    assert_true(hash_after(&whole, 1) == hash);
    vn_slice_unref(whole);
}

static void test_a_buffer_that_is_filled_again_and_cleared_is_heard_anew(void **state)
{
    (void)state;
    struct vn_slice again = part(0, 300, 0), fresh = part(0, 300, 0);
    const uint64_t hash = hash_after(&again, 1);
    assert_non_null(again.buf->memo_by); /* or clearing shows nothing */
    again.buf->data[200] = fresh.buf->data[200] = 0x55;
    again.buf->memo = 0;
    again.buf->memo_by = NULL;
    assert_true(hash_after(&again, 1) != hash);
    assert_true(hash_after(&again, 1) == hash_after(&fresh, 1));
    vn_slice_unref(again);
    vn_slice_unref(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_bytes_hash_alike_in_whatever_buffer_they_lie),
        cmocka_unit_test(test_a_part_of_a_remembered_buffer_is_hashed_as_what_it_is),
        cmocka_unit_test(test_every_byte_and_the_length_count),
        cmocka_unit_test(test_the_memo_of_another_build_counts_for_nothing),
        cmocka_unit_test(test_a_buffer_that_is_filled_again_and_cleared_is_heard_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
