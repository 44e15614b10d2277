/* Two builds of the core in one process, each reached through its own vn_api, shake hands and relay
 * a block. VN_LIB names the folder of libvibenet.so; VN_LIB_OTHER, if set, that of another build
 * (another compiler or preset), else a copy of the first under another name stands in for it: the
 * loader takes it for another library, with its own data. */
#include "tests/node/lan.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct vn_api *load(const char *path, void **handle)
{
    const struct vn_api *(*get)(uint32_t version);
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*handle)
        fail_msg("%s", dlerror());
    void *symbol = dlsym(*handle, "vn_api");
    assert_non_null(symbol);
    memcpy(&get, &symbol, sizeof get);
    assert_null(get(VN_API_VERSION + 1));
    assert_null(get(0));
    const struct vn_api *api = get(VN_API_VERSION);
    assert_non_null(api);
    assert_int_equal(api->size, sizeof *api);
    assert_true(strlen(api->build) > 0);
    return api;
}

/* A copy in a file of its own, whose name is written to path. */
static void copy_file(const char *from, char path[64])
{
    strcpy(path, "/tmp/vibenet-copy-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *in = fopen(from, "rb");
    assert_non_null(in);
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof block, in)) > 0;)
        assert_int_equal(write(fd, block, n), (ssize_t)n);
    fclose(in);
    close(fd);
}

static void library_path(const char *folder, char *path, size_t size)
{
    snprintf(path, size, "%s/libvibenet.so", folder);
}

static void test_two_builds_shake_hands_and_relay_a_block(void **state)
{
    (void)state;
    const char *folder = getenv("VN_LIB"), *second = getenv("VN_LIB_OTHER");
    assert_non_null(folder); /* run by ctest, or: VN_LIB=build/debug/lib test_driver_two_builds */
    char path[512], other[512], copy[64] = "";
    library_path(folder, path, sizeof path);
    if (second) {
        library_path(second, other, sizeof other);
    } else {
        copy_file(path, copy);
        strcpy(other, copy);
    }
    void *handles[2];
    const struct vn_api *left = load(path, &handles[0]);
    const struct vn_api *right = load(other, &handles[1]);
    assert_ptr_not_equal(left, right);
    assert_ptr_not_equal(left->node_step, right->node_step);
    assert_ptr_not_equal(left->node_step, vn_node_step);

    struct lan lan;
    lan_init(&lan);
    struct vn_config cfg;
    lan_config(&cfg, 0, "left");
    struct lan_node *a = lan_add(&lan, &cfg, left, NULL);
    const struct vn_addr seed = lan_addr(0);
    lan_config(&cfg, 1, "right");
    cfg.seeds = &seed;
    cfg.seed_count = 1;
    struct lan_node *b = lan_add(&lan, &cfg, right, NULL);
    lan_run(&lan, S);
    assert_int_equal(lan_ready(a), 1);
    assert_int_equal(lan_ready(b), 1);
    for (uint32_t i = 0; i < 5; i++) { /* buffers of one build are kept and freed by the other */
        lan_command(i % 2 ? a : b, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
        lan_run(&lan, S);
    }
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1, .data_len = 5000});
    lan_command(a, (struct vn_command){.kind = VN_CMD_SUBMIT_TX, .data = forge_whole(tx)});
    lan_run(&lan, 100 * S);
    assert_int_equal(lan_info(a).height, 5);
    assert_true(lan_same_tip(a, b));
    assert_int_equal(lan_info(b).mempool, 1);
    assert_true(a->lowest_score >= 0 && b->lowest_score >= 0);
    vn_buf_unref(tx);
    lan_deinit(&lan);
    dlclose(handles[1]);
    dlclose(handles[0]);
    if (copy[0])
        unlink(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_builds_shake_hands_and_relay_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
