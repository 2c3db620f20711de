// The base layer: Philox against its published vectors, text, files, arena.
#include "host/base/cgroup.h"
#include "host/base/controls.h"
#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "tests/expect.h"

#include <float.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Known answers published with Random123 for philox4x32-10.
static void philox_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t c[4], k[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
            {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; ++i) {
        uint32_t out[4];
        tt_philox(known[i].c, known[i].k, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void streams_are_uniform_and_apart(void **state) {
    (void)state;
    tt_rng a, b;
    tt_rng_open(&a, 1, TT_FOR_TEST, 1, 0);
    tt_rng_open(&b, 1, TT_FOR_TEST, 2, 0);
    int counts[7] = {0}, same = 0;
    double sum = 0, square = 0;
    for (int i = 0; i < 70000; ++i) {
        counts[tt_rng_below(&a, 7)]++;
        same += tt_rng_u32(&a) == tt_rng_u32(&b);
        const double x = tt_rng_normal(&b);
        sum += x;
        square += x * x;
    }
    double chi = 0;
    for (int i = 0; i < 7; ++i) chi += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
    assert_true(chi < 22.5); // 6 degrees of freedom, p = 0.001
    assert_int_equal(same, 0);
    assert_true(fabs(sum / 70000) < 0.015 && fabs(square / 70000 - 1) < 0.02);
}

static void shuffles_are_permutations(void **state) {
    (void)state;
    int32_t items[100], seen[100] = {0};
    tt_rng rng;
    tt_rng_open(&rng, 3, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < 100; ++i) items[i] = i;
    tt_rng_shuffle(&rng, items, 100);
    int moved = 0;
    for (int i = 0; i < 100; ++i) {
        seen[items[i]]++;
        moved += items[i] != i;
    }
    for (int i = 0; i < 100; ++i) assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
}

static void utf8(void **state) {
    (void)state;
    size_t bad = 99;
    assert_true(tt_utf8_valid("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80", 15, NULL));
    static const struct {
        const char *text;
        size_t n, bad;
    } wrong[] = {{"ab\xff", 3, 2}, {"\xc0\xaf", 2, 0}, {"a\xed\xa0\x80", 4, 1}, {"\xf4\x90\x80\x80", 4, 0},
        {"x\xe2\x82", 3, 1}, {"\xe0\x80\xaf", 3, 0}, {"a\0b", 3, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        assert_false(tt_utf8_valid(wrong[i].text, wrong[i].n, &bad));
        assert_int_equal(bad, wrong[i].bad);
    }
    // ASCII is checked eight bytes at a time, and the rest of less alone.
    for (size_t n = 7; n <= 17; ++n)
        for (size_t at = 0; at < n; ++at) {
            char text[17];
            memset(text, 'a', n);
            assert_true(tt_utf8_valid(text, n, NULL));
            for (int k = 0; k < 4; ++k) {
                text[at] = "\0\x80\x01\x7f"[k];
                assert_int_equal(tt_utf8_valid(text, n, &bad), k >= 2);
                if (k < 2) assert_int_equal(bad, at);
            }
        }
}

static void what_is_not_finite_is_found(void **state) {
    (void)state;
    enum { N = 2050 }; // looked through 1024 at a time
    static const int places[] = {0, 1023, 1024, 2047, 2048, 2049};
    static float values[N];
    for (int i = 0; i < N; ++i) values[i] = i % 2 ? FLT_MAX : -FLT_MIN;
    assert_int_equal(tt_find_not_finite(values, N), N);
    assert_int_equal(tt_find_not_finite(values, 0), 0);
    for (size_t k = sizeof places / sizeof *places; k-- > 0;) { // the first of several
        values[places[k]] = k % 3 == 0 ? NAN : k % 3 == 1 ? INFINITY : -INFINITY;
        assert_int_equal(tt_find_not_finite(values, N), places[k]);
        assert_int_equal(tt_find_not_finite(values, (size_t)places[k]), places[k]);
    }
}

// By the whole table, in symbols of an alphabet.
static int plain_distance(const int *a, int n, const int *b, int m) {
    static int table[41][81];
    for (int i = 0; i <= n; ++i)
        for (int j = 0; j <= m; ++j) {
            int least = i == 0 ? j : j == 0 ? i : table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (i && j && table[i - 1][j] + 1 < least) least = table[i - 1][j] + 1;
            if (i && j && table[i][j - 1] + 1 < least) least = table[i][j - 1] + 1;
            table[i][j] = least;
        }
    return table[n][m];
}

static void edits_of_characters(void **state) {
    (void)state;
    static const char *const alphabet[] = {"a", "b", "\u00e4", "\u65e5"}; // one to three bytes
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_TEST, 0, 0);
    for (int round = 0; round < 3000; ++round) {
        int a[40], b[80], n = (int)tt_rng_below(&rng, 40), m = 0;
        char text_a[160] = "", text_b[320] = "";
        const uint32_t change = 1 + tt_rng_below(&rng, 12); // one symbol in so many
        for (int i = 0; i < n; ++i) {
            a[i] = (int)tt_rng_below(&rng, 4);
            strcat(text_a, alphabet[a[i]]);
            if (tt_rng_below(&rng, change) > 0) b[m++] = a[i];
            if (tt_rng_below(&rng, 4 * change) == 0) b[m++] = (int)tt_rng_below(&rng, 4);
        }
        for (int i = 0; i < m; ++i) strcat(text_b, alphabet[b[i]]);
        const int distance = plain_distance(a, n, b, m), limit = (int)tt_rng_below(&rng, 16);
        assert_int_equal(tt_edit_distance(text_a, text_b, limit), distance <= limit ? distance : limit + 1);
    }
    assert_int_equal(tt_edit_distance("\xff\xfe", "\xff", 5), 1);
}

static void edits_and_suggestions(void **state) {
    (void)state;
    assert_int_equal(tt_edit_distance("kitten", "sitting", 10), 3);
    assert_int_equal(tt_edit_distance("", "abc", 10), 3);
    assert_int_equal(tt_edit_distance("kitten", "sitting", 1), 2);
    const char *names[] = {"batch_size", "interval", "epochs"};
    assert_string_equal(tt_nearest("batchsize", names, 3), "batch_size");
    assert_null(tt_nearest("zzzzzzz", names, 3));
}

static void files_are_replaced_as_a_whole(void **state) {
    (void)state;
    char *data;
    size_t size;
    assert_int_equal(tt_make_dirs("base_test/a/b"), TT_OK);
    assert_int_equal(tt_write_file("base_test/a/b/f", "one", 3), TT_OK);
    assert_int_equal(tt_write_file("base_test/a/b/f", "two!", 4), TT_OK);
    assert_int_equal(tt_read_file("base_test/a/b/f", 0, &data, &size), TT_OK);
    assert_string_equal(data, "two!");
    free(data);
    assert_int_equal(tt_read_file("base_test/a/b/f", 3, &data, &size), TT_ERR_IO);
    assert_int_equal(tt_read_file("base_test/none", 0, &data, &size), TT_ERR_IO);
    assert_non_null(strstr(tt_error_message(), "base_test/none"));
    assert_int_equal(tt_make_dirs("base_test/a/b/f/g"), TT_ERR_IO);
    assert_int_equal(tt_write_file("base_test/no/such", "x", 1), TT_ERR_IO);
}

static void put(const char *path, const char *text) {
    OK(tt_write_file(path, text, strlen(text)));
}

// Control groups as in files of Linux: in a container of version 2, where the process sees itself at the root; under systemd,
// where a group above has the least limit; version 1; both at once, where the mount shows a part.
static void limits_of_control_groups(void **state) {
    (void)state;
    static const struct {
        const char *mountinfo, *groups;
        double cores;
    } cases[] = {
        {"30 23 0:26 / groups_test/container rw - cgroup2 cgroup2 rw\n", "0::/\n", 2.5},
        {"30 23 0:26 / groups_test/machine rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
            "0::/user.slice/job.scope\n", 4},
        {"30 23 0:26 / groups_test/machine rw - cgroup2 cgroup2 rw\n", "0::/\n", 0},
        {"30 23 0:26 / groups_test/machine rw - cgroup2 cgroup2 rw\n", "0::/gone/away\n", 0},
        {"31 23 0:27 / groups_test/first rw - cgroup cgroup rw,cpuset\n"
         "32 23 0:28 / groups_test/first rw - cgroup cgroup rw,cpu,cpuacct\n",
            "9:cpuset:/\n4:cpu,cpuacct:/job\n", 1.5},
        {"32 23 0:28 /docker/1f groups_test/first rw - cgroup cgroup rw,cpuacct,cpu\n",
            "4:cpuacct,cpu:/docker/1f\n", 1.5},
        {"32 23 0:28 / groups_test/first rw - cgroup cgroup rw,cpu\n"
         "30 23 0:26 / groups_test/container rw - cgroup2 cgroup2 rw\n",
            "4:cpu:/none\n0::/\n", 1.5},
        {"32 23 0:28 / groups\\040test rw - cgroup2 cgroup2 rw\n", "0::/\n", 3},
        {"30 23 0:26 / groups_test/container rw - tmpfs tmpfs rw\n", "0::/\n", 0},
        {"", "", 0},
    };
    OK(tt_make_dirs("groups_test/container"));
    OK(tt_make_dirs("groups_test/machine/user.slice/job.scope"));
    OK(tt_make_dirs("groups_test/first/none"));
    OK(tt_make_dirs("groups test"));
    put("groups_test/container/cpu.max", "250000 100000\n");
    put("groups_test/machine/user.slice/cpu.max", "200000 50000\n");
    put("groups_test/machine/user.slice/job.scope/cpu.max", "max 100000\n");
    put("groups_test/first/cpu.cfs_quota_us", "150000\n");
    put("groups_test/first/cpu.cfs_period_us", "100000\n");
    put("groups_test/first/none/cpu.cfs_quota_us", "-1\n");
    put("groups_test/first/none/cpu.cfs_period_us", "100000\n");
    put("groups test/cpu.max", "300000 100000");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        put("groups_test/mountinfo", cases[i].mountinfo);
        put("groups_test/cgroup", cases[i].groups);
        const double cores = tt_cgroup_cores("groups_test/mountinfo", "groups_test/cgroup");
        if (cores != cases[i].cores) fail_msg("case %zu: %g cores, expected %g", i, cores, cases[i].cores);
    }
    assert_true(tt_cgroup_cores("groups_test/no", "groups_test/no") == 0);
}

static void arena_blocks_never_move(void **state) {
    (void)state;
    tt_arena arena = {0};
    char *first = tt_arena_strdup(&arena, "stays where it is");
    for (int i = 0; i < 1000; ++i) memset(tt_arena_alloc(&arena, 1000), i, 1000);
    assert_string_equal(first, "stays where it is");
    for (int i = 0; i < 1000; ++i) assert_true((uintptr_t)tt_arena_alloc(&arena, 1000) % 64 == 0);
    assert_null(tt_arena_alloc(&arena, SIZE_MAX / 2));
    tt_arena_close(&arena);
}

// Four large blocks at a time, of 8 to 16 MiB, among small ones: the heap holds no more than four times as much.
static void large_blocks_leave_few_holes(void **state) {
    (void)state;
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 33)
    enum { LARGE_ONES = 4, SMALL_ONES = 64, ROUNDS = 150, MIB = 1 << 20 };
    void *large[LARGE_ONES] = {0}, *small[SMALL_ONES] = {0};
    for (uint32_t i = 0; i < ROUNDS; ++i) {
        uint32_t random[4];
        tt_philox((uint32_t[4]){i}, (uint32_t[2]){1}, random);
        void **const l = &large[random[0] % LARGE_ONES], **const s = &small[random[1] % SMALL_ONES];
        free(*l);
        OK(tt_alloc(l, 8 * MIB + random[2] % (8 * MIB), 1, "large"));
        free(*s);
        OK(tt_alloc(s, 1000 + random[3] % 100000, 1, "small"));
        const struct mallinfo2 heap = mallinfo2(); // zeros under sanitizers, which have a heap of their own
        assert_in_range(heap.arena + heap.hblkhd, 0, (size_t)4 * LARGE_ONES * 16 * MIB);
    }
    for (int i = 0; i < LARGE_ONES; ++i) free(large[i]);
    for (int i = 0; i < SMALL_ONES; ++i) free(small[i]);
#else
    skip();
#endif
}

static void errors_gather_context(void **state) {
    (void)state;
    tt_status status = tt_fail(TT_ERR_FORMAT, "line %d", 3);
    status = tt_context(status, "file %s", "x");
    assert_int_equal(status, TT_ERR_FORMAT);
    assert_string_equal(tt_error_message(), "file x: line 3");
    assert_int_equal(tt_status_exit(TT_ERR_CONFIG), 2);
    assert_int_equal(tt_status_exit(TT_ERR_IO), 1);
}

// What a terminal would obey is shown; what does not fit then is cut at the end.
static void controls_are_escaped(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *escaped;
    } rows[] = {{"a\x1b[1m\n\tb", 64, "a\\x1b[1m\n\tb"},
        {"\xc2\x9b\xc3\xa9\x7f", 64, "\\xc2\\x9b\xc3\xa9\\x7f"}, {"plain", 6, "plain"},
        {"ab\x01z", 8, "ab\\x01z"}, {"ab\x01z", 7, "ab\\x01"}, {"ab\x01z", 6, "ab"}, {"", 1, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        char text[64];
        strcpy(text, rows[i].text);
        tt_escape_controls(text, rows[i].size);
        assert_string_equal(text, rows[i].escaped);
    }
}

// Blocks of 8 MiB and more are of another kind of pages. All are zero, also where others have left something.
static void blocks_are_zero_and_aligned(void **state) {
    (void)state;
    const size_t large = (size_t)8 << 20,
                 sizes[] = {0, 1, 63, 65, large - 1, large, large + 1, 5 * large + 100};
    for (int round = 0; round < 2; ++round)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
            unsigned char *block, set = 0;
            OK(tt_alloc(&block, sizes[i], 1, "a test"));
            assert_int_equal((uintptr_t)block % 64, 0);
            for (size_t k = 0; k < sizes[i]; ++k) set |= block[k];
            assert_int_equal(set, 0);
            memset(block, 0xa5, sizes[i]);
            free(block);
        }
    void *none = &none;
    assert_int_equal(tt_alloc(&none, SIZE_MAX / 2, 3, "a test"), TT_ERR_NOMEM);
    assert_null(none);
    assert_int_equal(tt_alloc(&none, SIZE_MAX, 1, "a test"), TT_ERR_NOMEM); // cannot be rounded up
    assert_null(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zero_and_aligned),
        cmocka_unit_test(controls_are_escaped),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(streams_are_uniform_and_apart),
        cmocka_unit_test(shuffles_are_permutations),
        cmocka_unit_test(utf8),
        cmocka_unit_test(what_is_not_finite_is_found),
        cmocka_unit_test(edits_of_characters),
        cmocka_unit_test(edits_and_suggestions),
        cmocka_unit_test(files_are_replaced_as_a_whole),
        cmocka_unit_test(limits_of_control_groups),
        cmocka_unit_test(arena_blocks_never_move),
        cmocka_unit_test(large_blocks_leave_few_holes),
        cmocka_unit_test(errors_gather_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
