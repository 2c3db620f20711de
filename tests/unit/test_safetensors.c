// Safetensors: damaged files are refused by name, numbers are read exactly.
#include "host/base/fs.h"
#include "host/model/huggingface/safetensors.h"
#include "tiny_t5.h"

#include <stdio.h>
#include <unistd.h>

static const char path[] = "test_safetensors.safetensors";

// Header text (its length as prefix unless `length` says otherwise) and n bytes of data.
static void write_file(const char *header, long long length, size_t n) {
    char bytes[4096] = {0};
    const size_t h = strlen(header);
    const unsigned long long stated = length >= 0 ? (unsigned long long)length : h;
    for (int i = 0; i < 8; ++i) bytes[i] = (char)(stated >> 8 * i & 255);
    memcpy(bytes + 8, header, h);
    OK(tt_write_file(path, bytes, 8 + h + n));
}

#define F32(name, from, to)                                                                                  \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" #from "," #to "]}"

static void damaged_files_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *header;
        long long length;
        size_t n;
        const char *message;
    } table[] = {
        {"{" F32("a", 0, 8) "}", 4000, 8, "says its header is 4000 bytes"},
        {"{" F32("a", 0, 8) "}", 0x7fffffffffffffffLL, 8, "says its header is 9223372036854775807"},
        {"{" F32("a", 0, 8) "}", 5, 8, "not a JSON object"},
        {"[1]", -1, 0, "not a JSON object"},
        {"{" F32("a", 0, 8) "," F32("a", 0, 8) "}", -1, 8, "duplicate"},
        {"{" F32("a", 0, 8) "}", -1, 7, "a: data_offsets 0 to 8, but the file has 7"},
        {"{" F32("a", 8, 0) "}", -1, 8, "a: data_offsets 8 to 0"},
        {"{" F32("a", -8, 0) "}", -1, 8, "a: data_offsets -8 to 0"},
        {"{" F32("a", 0, 4) "}", -1, 4, "a: 2 elements of F32 are 8 bytes, but its data has 4"},
        {"{" F32("a", 0, 8) "," F32("b", 4, 12) "}", -1, 12, "b overlaps a"},
        {"{" F32("a", 0, 8) "," F32("b", 0, 8) "}", -1, 8, "overlaps"},
        {"{" F32("a", 0, 8) "," F32("b", 12, 20) "}", -1, 20, "a gap of 4 bytes before b"},
        {"{" F32("a", 0, 8) "}", -1, 9, "1 bytes after the last tensor"},
        {"{\"a\":{\"dtype\":\"F63\",\"shape\":[1],\"data_offsets\":[0,8]}}", -1, 8, "a: unknown dtype F63"},
        {"{\"a\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 8,
            "a: 2 elements of I64 are 16 bytes, but its data has 8"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,8]}}", -1, 8, "a: dtype is missing"},
        {"{\"a\":7}", -1, 0, "a: dtype is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,8]}}", -1, 8, "size 0 of its shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", -1, 8,
            "size 1 of its shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}}", -1, 8,
            "at most 4 sizes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", -1, 8, "must be a list"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", -1, 8, "a: data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,1e1]}}", -1, 8, "a: data_offsets"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        tt_safetensors f;
        write_file(table[i].header, table[i].length, table[i].n);
        if (tt_safetensors_open(&f, path) == TT_OK) fail_msg("%s was read", table[i].header);
        if (!strstr(tt_error_message(), table[i].message) || !strstr(tt_error_message(), path))
            fail_msg(
                "%s:\n  said      %s\n  expected  %s", table[i].header, tt_error_message(), table[i].message);
    }
    OK(tt_write_file(path, "abc", 3));
    tt_safetensors f;
    assert_int_equal(tt_safetensors_open(&f, path), TT_ERR_FORMAT);
    static const char *const others[][2] = {
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
            "the file is a Git LFS pointer; expected safetensors; get the file itself: git lfs pull"},
        {"GGUF\3zzzzzzzz", "the file is a GGUF file; expected safetensors"},
        {"PK\3\4zzzzzzzz", "the file is a zip archive (a table .xlsx and PyTorch's .bin"}};
    for (int i = 0; i < 3; ++i) {
        OK(tt_write_file(path, others[i][0], strlen(others[i][0])));
        assert_int_equal(tt_safetensors_open(&f, path), TT_ERR_FORMAT);
        if (!strstr(tt_error_message(), others[i][1])) fail_msg("%s", tt_error_message());
    }
    unlink(path);
    assert_int_equal(tt_safetensors_open(&f, path), TT_ERR_IO);
}

// Every F16 is its value as an fp32; BF16 is the upper half of one.
static void half_precision_is_exact(void **state) {
    (void)state;
    static const struct {
        const char *dtype;
        uint16_t bits;
        double value;
    } table[] = {{"F16", 0x3c00, 1}, {"F16", 0xc000, -2}, {"F16", 0x0001, 0x1p-24},
        {"F16", 0x83ff, -1023 * 0x1p-24}, {"F16", 0x0400, 0x1p-14}, {"F16", 0x7bff, 65504},
        {"F16", 0x3555, 1365 * 0x1p-12}, {"F16", 0x8000, -0.0}, {"F16", 0x7c00, INFINITY},
        {"BF16", 0x3f80, 1}, {"BF16", 0xc049, -3.140625}, {"BF16", 0x0001, 0x1p-133}};
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        char bytes[256] = {0}, header[200];
        const int n = snprintf(header, sizeof header,
            "{\"x\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,2]}}", table[i].dtype);
        bytes[0] = (char)n;
        memcpy(bytes + 8, header, (size_t)n);
        memcpy(bytes + 8 + n, &table[i].bits, 2);
        OK(tt_write_file(path, bytes, 8 + (size_t)n + 2));
        tt_safetensors f;
        float x;
        OK(tt_safetensors_open(&f, path));
        tt_st_read(&f.tensors[0], &x);
        assert_true((double)x == table[i].value && !signbit(x) == !signbit(table[i].value));
        tt_safetensors_close(&f);
    }
    unlink(path);
}

static tt_status give(void *context, int entry, float *out) {
    const float *const *data = context;
    memcpy(out, data[entry], (entry ? 3 : 4) * sizeof *out);
    return TT_OK;
}

static void what_is_written_is_read(void **state) {
    (void)state;
    const float a[4] = {1, -2.5f, 1e-30f, 3e38f},
                b[3] = {0.1f, 0x1.01p0f, 0x1.03p0f}; // b: ties to even in bf16
    const float *data[2] = {a, b};
    const tt_st_entry entries[2] = {{"a", 2, {2, 2}, 4}, {"b", 1, {3, 0}, 3}};
    for (int k = 0; k < 2; ++k) {
        tt_safetensors f;
        float x[4], y[3];
        OK(tt_safetensors_write(path, &(tt_st_content){.entries = entries,
                                          .n = 2,
                                          .dtype = k ? TT_ST_BF16 : TT_ST_F32,
                                          .data = give,
                                          .context = data}));
        OK(tt_safetensors_open(&f, path));
        assert_int_equal(f.n, 2);
        assert_string_equal(f.tensors[0].name, "a");
        assert_true(f.tensors[0].rank == 2 && f.tensors[0].shape[1] == 2 && f.tensors[1].rank == 1);
        tt_st_read(&f.tensors[0], x);
        tt_st_read(&f.tensors[1], y);
        if (k == 0) {
            assert_memory_equal(x, a, sizeof a);
            assert_memory_equal(y, b, sizeof b);
        } else {
            assert_true(x[1] == -2.5f && y[1] == 1 && y[2] == 0x1.04p0f && fabsf(y[0] - 0.1f) < 3e-4f);
        }
        tt_safetensors_close(&f);
    }
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(half_precision_is_exact),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
