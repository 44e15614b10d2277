/* Memory, buffers, and the release of actions. */
#include "core/base/buf.h"
#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS 1000

struct object {
    char bytes[88];
};

static bool all_zero(const void *p, size_t n)
{
    const unsigned char *bytes = p;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_mem_new_is_zeroed_and_never_null(void **state)
{
    char *p = mem_new(100, 3);
    void *nothing = mem_new(0, 8);

    (void)state;
    assert_true(all_zero(p, 300));
    assert_non_null(nothing);
    p[5] = 'x';
    p = mem_resize(p, 1000, 1);
    assert_int_equal(p[5], 'x');
    mem_free(p);
    mem_free(nothing);
    mem_free(NULL);
}

static void test_mem_pool_gives_zeroed_aligned_objects_apart_from_each_other(void **state)
{
    static struct object *objects[OBJECTS];
    struct mem_pool pool;

    (void)state;
    mem_pool_init(&pool, sizeof(struct object));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            objects[i] = mem_pool_take(&pool);
            assert_true(all_zero(objects[i], sizeof(struct object)));
            assert_int_equal((uintptr_t)objects[i] % 16, 0);
            memset(objects[i], i % 251 + 1, sizeof(struct object));
        }
        assert_int_equal(pool.live, OBJECTS);
        for (int i = 0; i < OBJECTS; i++) {
            for (size_t k = 0; k < sizeof(struct object); k++)
                assert_int_equal(objects[i]->bytes[k], (char)(i % 251 + 1));
            mem_pool_give(&pool, objects[i]);
        }
        assert_int_equal(pool.live, 0);
    }
    mem_pool_give(&pool, NULL);
    mem_pool_deinit(&pool);
}

static void test_mem_pool_reuses_what_was_given_back(void **state)
{
    struct mem_pool pool;

    (void)state;
    mem_pool_init(&pool, 20000); /* larger than a chunk: one object in each */
    void *first = mem_pool_take(&pool);
    void *chunks = pool.chunks;
    mem_pool_give(&pool, first);
    for (int i = 0; i < 100; i++) {
        void *again = mem_pool_take(&pool);
        assert_ptr_equal(again, first);
        mem_pool_give(&pool, again);
    }
    assert_ptr_equal(pool.chunks, chunks);
    mem_pool_take(&pool); /* what is still out goes with the pool */
    mem_pool_deinit(&pool);
}

static void count_release(struct vn_buf *buf)
{
    ++*(int *)(void *)buf->data;
}

/* A buffer with its counter of releases inside. */
static struct vn_buf *counted_buf(void *memory)
{
    struct vn_buf *buf = memory;

    *buf = (struct vn_buf){.refs = 1, .len = sizeof(int), .release = count_release};
    memset(buf->data, 0, sizeof(int));
    return buf;
}

static int releases(const struct vn_buf *buf)
{
    return *(const int *)(const void *)buf->data;
}

static void test_buf_is_released_with_its_last_reference(void **state)
{
    _Alignas(16) char memory[sizeof(struct vn_buf) + 16];
    struct vn_buf *buf = counted_buf(memory);
    struct vn_slice slice = {.buf = buf, .off = 0, .len = 4};

    (void)state;
    vn_slice_ref(slice);
    vn_buf_unref(buf);
    assert_int_equal(releases(buf), 0);
    vn_slice_unref(slice);
    assert_int_equal(releases(buf), 1);
    vn_slice_unref((struct vn_slice){0});
}

static void test_buf_new_holds_one_reference_and_grows_in_place_of_copies(void **state)
{
    struct vn_buf *buf = vn_buf_new(3);

    (void)state;
    assert_int_equal(buf->refs, 1);
    assert_int_equal(buf->len, 3);
    assert_int_equal(buf->memo, 0);
    assert_null(buf->memo_by);
    memcpy(buf->data, "abc", 3);
    buf = buf_resize(buf, 100000);
    assert_int_equal(buf->len, 100000);
    assert_memory_equal(buf->data, "abc", 3);
    vn_buf_unref(buf);
    vn_buf_unref(vn_buf_new(0));
}

static void test_action_release_drops_every_reference_once(void **state)
{
    _Alignas(16) char memory[2][sizeof(struct vn_buf) + 16];
    struct vn_buf *a = counted_buf(memory[0]);
    struct vn_buf *b = counted_buf(memory[1]);
    struct vn_action action = {.size = sizeof action, .kind = VN_ACT_SEND};
    struct vn_store_item items[2] = {{.value = {.buf = b, .len = 4}}, {.value = {0}}};

    (void)state;
    action.u.send.count = 2;
    action.u.send.slices[0] = (struct vn_slice){.buf = a, .len = 2};
    action.u.send.slices[1] = vn_slice_ref((struct vn_slice){.buf = a, .off = 2, .len = 2});
    vn_action_release(&action);
    assert_int_equal(releases(a), 1);
    vn_action_release(&action);
    assert_int_equal(releases(a), 1);

    action = (struct vn_action){.size = sizeof action, .kind = VN_ACT_STORE};
    action.u.store.count = 2;
    action.u.store.items = items;
    vn_action_release(&action);
    assert_int_equal(releases(b), 1);

    for (uint32_t kind = VN_ACT_DIAL; kind < VN_ACT_COUNT; kind++) {
        action = (struct vn_action){.size = sizeof action, .kind = kind};
        vn_action_release(&action);
    }
}

static void test_names_cover_every_enumerator_and_nothing_beyond(void **state)
{
    static const struct {
        const char *(*name)(uint32_t);
        uint32_t count;
        const char *first, *last;
    } tables[] = {
        {vn_peer_state_name, VN_PEER_STATES, "disconnected", "banned"},
        {vn_why_name, VN_WHY_COUNT, "none", "banned"},
        {vn_status_name, VN_ERR_UNKNOWN + 1, "ok", "unknown"},
        {vn_trace_name, VN_TR_KINDS, "peer-state", "sync"},
        {vn_message_name, 10, "Handshake", "Disconnect"},
    };

    (void)state;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (uint32_t i = 0; i < tables[t].count; i++) {
            assert_non_null(tables[t].name(i));
            assert_string_not_equal(tables[t].name(i), "?");
            for (uint32_t k = 0; k < i; k++)
                assert_string_not_equal(tables[t].name(i), tables[t].name(k));
        }
        assert_string_equal(tables[t].name(0), tables[t].first);
        assert_string_equal(tables[t].name(tables[t].count - 1), tables[t].last);
        assert_string_equal(tables[t].name(tables[t].count), "?");
        assert_string_equal(tables[t].name(UINT32_MAX), "?");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem_new_is_zeroed_and_never_null),
        cmocka_unit_test(test_mem_pool_gives_zeroed_aligned_objects_apart_from_each_other),
        cmocka_unit_test(test_mem_pool_reuses_what_was_given_back),
        cmocka_unit_test(test_buf_is_released_with_its_last_reference),
        cmocka_unit_test(test_buf_new_holds_one_reference_and_grows_in_place_of_copies),
        cmocka_unit_test(test_action_release_drops_every_reference_once),
        cmocka_unit_test(test_names_cover_every_enumerator_and_nothing_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
