/* What a simulated disk holds: records of any size in the order of their keys, whole states that
 * are copied, and memory that is counted and given back. */
#include "tests/sim/sim_fixture.h"
#include "transport-sim/sim_store.h"

struct disk {
    struct sim sim; /* only its account of memory is used */
    struct sim_host host;
    struct sim_store store;
};

static void disk_init(struct disk *disk)
{
    memset(disk, 0, sizeof *disk);
    disk->host.api = vn_api(VN_API_VERSION);
}

/* Stores value_len bytes `fill` under a key of key_len bytes `key`; without bytes, forgets it. */
static void put(struct disk *disk, uint32_t op, uint8_t key, uint32_t key_len, uint64_t number,
                uint8_t fill, uint32_t value_len)
{
    struct vn_store_item item = {.op = op, .key_len = key_len, .number = number};
    memset(item.key, key, key_len);
    if (value_len > 0) {
        item.value = (struct vn_slice){vn_buf_new(value_len), 0, value_len};
        memset(item.value.buf->data, fill, value_len);
    }
    assert_int_equal(store_apply(&disk->sim, &disk->host, &disk->store, &item, 1), VN_OK);
    vn_slice_unref(item.value);
}

/* Is what is loaded next `before` bytes, then this key, then this value? */
static void expect(struct vn_slice got, uint32_t before, uint8_t key, uint32_t key_len,
                   uint8_t fill, uint32_t value_len)
{
    assert_int_equal(got.len, before + key_len + value_len);
    for (uint32_t i = before; i < got.len; i++)
        assert_int_equal(vn_slice_data(got)[i], i < before + key_len ? key : fill);
}

static uint32_t collect(const struct disk *disk, uint32_t op, uint64_t max_bytes,
                        struct vn_slice slices[8])
{
    assert_true(store_most(&disk->store) <= 8);
    return store_collect(&disk->host, &disk->store, op, 0, UINT64_MAX, max_bytes, slices);
}

static void drop(struct vn_slice *slices, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vn_slice_unref(slices[i]);
}

static void test_records_of_all_sizes_are_loaded_in_the_order_of_their_keys(void **state)
{
    (void)state;
    struct disk disk;
    struct vn_slice got[8];
    disk_init(&disk);
    put(&disk, VN_STORE_ADDR, 5, 19, 0, 0xa5, 8);
    put(&disk, VN_STORE_ADDR, 1, 19, 0, 0xa1, 1);
    put(&disk, VN_STORE_ADDR, 9, 40, 0, 0xa9, 300); /* all become wider */
    put(&disk, VN_STORE_ADDR, 5, 7, 0, 0xa6, 8);    /* the beginning of another key */
    put(&disk, VN_STORE_ADDR, 1, 19, 0, 0xb1, 20);  /* over the first one */
    assert_int_equal(collect(&disk, VN_LOAD_ADDRS, UINT64_MAX, got), 4);
    expect(got[0], 0, 1, 19, 0xb1, 20);
    expect(got[1], 0, 5, 7, 0xa6, 8);
    expect(got[2], 0, 5, 19, 0xa5, 8);
    expect(got[3], 0, 9, 40, 0xa9, 300);
    drop(got, 4);
    assert_int_equal(collect(&disk, VN_LOAD_ADDRS, 39 + 14, got), 1); /* the next has 15 bytes */
    drop(got, 1);
    assert_int_equal(collect(&disk, VN_LOAD_ADDRS, 39 + 15, got), 2);
    drop(got, 2);
    store_clear(&disk.sim, &disk.store);
    assert_int_equal(disk.sim.stats.memory, 0);
}

static void test_what_is_forgotten_is_not_loaded(void **state)
{
    (void)state;
    struct disk disk;
    struct vn_slice got[8];
    disk_init(&disk);
    put(&disk, VN_STORE_ADDR, 7, 19, 0, 0, 0); /* was never there */
    for (uint8_t key = 1; key <= 3; key++)
        put(&disk, VN_STORE_ADDR, key, 19, 0, key, 8);
    put(&disk, VN_STORE_ADDR, 2, 19, 0, 0, 0);
    put(&disk, VN_STORE_BAN, 4, 32, 77, 0xbb, 8);
    put(&disk, VN_STORE_BAN, 3, 32, 78, 0xbc, 0); /* as an older core stores it */
    put(&disk, VN_STORE_BAN, 4, 32, 0, 0, 0);
    assert_int_equal(collect(&disk, VN_LOAD_ADDRS, UINT64_MAX, got), 2);
    expect(got[0], 0, 1, 19, 1, 8);
    expect(got[1], 0, 3, 19, 3, 8);
    drop(got, 2);
    assert_int_equal(collect(&disk, VN_LOAD_BANS, UINT64_MAX, got), 1);
    expect(got[0], 8, 3, 32, 0, 0);
    assert_int_equal(vn_slice_data(got[0])[7], 78);
    drop(got, 1);
    store_clear(&disk.sim, &disk.store);
    assert_int_equal(disk.sim.stats.memory, 0);
}

static void test_a_copy_keeps_what_was_when_the_first_changes(void **state)
{
    (void)state;
    struct disk disk;
    struct vn_slice got[8];
    disk_init(&disk);
    put(&disk, VN_STORE_ADDR, 1, 19, 0, 0xa1, 8);
    put(&disk, VN_STORE_ADDR, 2, 19, 0, 0xa2, 8);
    struct sim_store before = {0};
    store_copy(&disk.sim, &before, &disk.store);
    put(&disk, VN_STORE_ADDR, 1, 19, 0, 0, 0);
    put(&disk, VN_STORE_ADDR, 2, 19, 0, 0xc2, 30);
    store_clear(&disk.sim, &disk.store);
    disk.store = before;
    put(&disk, VN_STORE_ADDR, 3, 19, 0, 0xa3, 8); /* a copy has room for no more than it has */
    assert_int_equal(collect(&disk, VN_LOAD_ADDRS, UINT64_MAX, got), 3);
    for (uint8_t i = 0; i < 3; i++)
        expect(got[i], 0, (uint8_t)(i + 1), 19, (uint8_t)(0xa1 + i), 8);
    drop(got, 3);
    store_clear(&disk.sim, &disk.store);
    assert_int_equal(disk.sim.stats.memory, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_of_all_sizes_are_loaded_in_the_order_of_their_keys),
        cmocka_unit_test(test_what_is_forgotten_is_not_loaded),
        cmocka_unit_test(test_a_copy_keeps_what_was_when_the_first_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
