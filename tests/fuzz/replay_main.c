/* Runs a fuzzer's entry without libFuzzer: on the files named, or else on so many pseudo-random
 * inputs as `-runs=N` says (300 if it says nothing), the same ones every time. So every compiler
 * runs the fuzzers' claims as a test, and a finding of libFuzzer can be replayed under any build.
 */
#include "core/base/bytes.h"
#include "core/base/rng.h"
#include "tests/fuzz/input.h"

#define INPUT_MAX 4096u
#define RUNS      300u

static void run_random(uint32_t runs)
{
    static const uint8_t seed[32] = {0xf0, 0x22};
    for (uint32_t n = 0; n < runs; n++) {
        struct rng rng;
        rng_fork(&rng, seed, "input", n);
        const size_t size = rng_below(&rng, INPUT_MAX + 1);
        uint8_t *data = malloc(size + 1);
        if (!data)
            abort();
        /* From dense to nearly empty: lengths and counts of zero decode, random ones do not. */
        static const uint64_t masks[] = {0, 1, 15, 255};
        const uint64_t mask = masks[rng_below(&rng, 4)];
        for (size_t i = 0; i < size; i++) {
            const uint64_t draw = rng_u64(&rng);
            data[i] = draw & mask ? 0 : (uint8_t)(draw >> 16);
        }
        if (size >= 4 && n % 2 == 0) /* the kind of a message */
            put_le32(data, (uint32_t)rng_below(&rng, 10));
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(1 << 20);
    if (!file || !data) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(data);
        if (file)
            fclose(file);
        return 2;
    }
    const size_t size = fread(data, 1, 1 << 20, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    uint32_t runs = RUNS;
    int files = 0, status = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0) {
            runs = (uint32_t)strtoul(argv[i] + 6, NULL, 10);
            continue;
        }
        files++;
        status |= run_file(argv[i]);
    }
    if (files == 0)
        run_random(runs);
    return status;
}
