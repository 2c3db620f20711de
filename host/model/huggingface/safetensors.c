#include "host/model/huggingface/safetensors.h"

#include "host/base/signature.h"
#include "host/base/str.h"
#include "kernels/bf16.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREFIX = 8 };
static const size_t most_header = (size_t)100 << 20; // the limit of the format's reference implementation

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {[TT_ST_F32] = {"F32", 4},
    [TT_ST_F16] = {"F16", 2},
    [TT_ST_BF16] = {"BF16", 2},
    [TT_ST_F64] = {"F64", 8},
    [TT_ST_BOOL] = {"BOOL", 1},
    [TT_ST_U8] = {"U8", 1},
    [TT_ST_I8] = {"I8", 1},
    [TT_ST_U16] = {"U16", 2},
    [TT_ST_I16] = {"I16", 2},
    [TT_ST_U32] = {"U32", 4},
    [TT_ST_I32] = {"I32", 4},
    [TT_ST_U64] = {"U64", 8},
    [TT_ST_I64] = {"I64", 8},
    [TT_ST_F8_E4M3] = {"F8_E4M3", 1},
    [TT_ST_F8_E5M2] = {"F8_E5M2", 1},
    [TT_ST_F8_E8M0] = {"F8_E8M0", 1},
    [TT_ST_C64] = {"C64", 8}};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

const char *tt_st_dtype_name(tt_st_dtype dtype) {
    return dtypes[dtype].name;
}

// ---- reading

static tt_status map_file(tt_safetensors *f) {
    struct stat st;
    const int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", f->path, strerror(errno));
    tt_status status = TT_OK;
    if (fstat(fd, &st) != 0)
        status = tt_fail(TT_ERR_IO, "%s: %s", f->path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status = tt_fail(TT_ERR_IO, "%s: not a regular file", f->path);
    else if (st.st_size < PREFIX)
        status = tt_fail(TT_ERR_FORMAT, "%s: %lld bytes are too few for a safetensors file", f->path,
            (long long)st.st_size);
    if (status == TT_OK) {
        f->size = (size_t)st.st_size;
        f->mapping = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (f->mapping == MAP_FAILED) {
            f->mapping = NULL;
            status = tt_fail(TT_ERR_IO, "%s: cannot map: %s", f->path, strerror(errno));
        }
    }
    close(fd);
    return status;
}

static tt_status header_length(const tt_safetensors *f, size_t *out) {
    const unsigned char *p = f->mapping;
    uint64_t length = 0;
    for (int i = PREFIX - 1; i >= 0; --i) length = length << 8 | p[i];
    if (length > f->size - PREFIX) {
        TT_TRY(tt_signature_refuse(f->path, f->mapping, f->size, "safetensors"));
        return tt_fail(TT_ERR_FORMAT,
            "%s: says its header is %llu bytes, but the file has %zu; truncated, or not safetensors", f->path,
            (unsigned long long)length, f->size);
    }
    if (length > most_header)
        return tt_fail(TT_ERR_FORMAT, "%s: a header of %llu bytes; at most %zu are allowed", f->path,
            (unsigned long long)length, most_header);
    *out = (size_t)length;
    return TT_OK;
}

static tt_status read_shape(const tt_safetensors *f, const json_t *shape, tt_st_tensor *t) {
    const size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > TT_ST_MAX_RANK)
        return tt_fail(TT_ERR_FORMAT, "%s: %s: its shape must be a list of at most %d sizes", f->path,
            t->name, TT_ST_MAX_RANK);
    t->rank = (int)rank;
    t->n = 1;
    for (size_t i = 0; i < rank; ++i) {
        const json_t *size = json_array_get(shape, i);
        t->shape[i] = json_is_integer(size) ? json_integer_value(size) : -1;
        if (t->shape[i] < 0 || (t->shape[i] > 0 && t->n > (SIZE_MAX >> 3) / (size_t)t->shape[i]))
            return tt_fail(
                TT_ERR_FORMAT, "%s: %s: size %zu of its shape is out of range", f->path, t->name, i);
        t->n *= (size_t)t->shape[i];
    }
    return TT_OK;
}

static tt_status read_dtype(const tt_safetensors *f, const json_t *dtype, tt_st_tensor *t) {
    const char *name = json_string_value(dtype);
    for (int i = 0; name && i < DTYPES; ++i)
        if (strcmp(name, dtypes[i].name) == 0) {
            t->dtype = (tt_st_dtype)i;
            return TT_OK;
        }
    return name ? tt_fail(TT_ERR_UNSUPPORTED, "%s: %s: unknown dtype %s; weights are F32, F16, BF16 or F64",
                      f->path, t->name, name)
                : tt_fail(TT_ERR_FORMAT, "%s: %s: dtype is missing", f->path, t->name);
}

static tt_status read_offsets(const tt_safetensors *f, const json_t *offsets, size_t data, tt_st_tensor *t) {
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    const json_int_t begin = json_is_integer(from) ? json_integer_value(from) : -1,
                     end = json_is_integer(to) ? json_integer_value(to) : -1;
    const size_t available = f->size - data;
    if (json_array_size(offsets) != 2 || begin < 0 || end < begin || (uint64_t)end > available)
        return tt_fail(TT_ERR_FORMAT, "%s: %s: data_offsets %lld to %lld, but the file has %zu bytes of data",
            f->path, t->name, (long long)begin, (long long)end, available);
    t->bytes = (size_t)(end - begin);
    t->data = (const char *)f->mapping + data + begin;
    if (t->bytes != t->n * dtypes[t->dtype].bytes)
        return tt_fail(TT_ERR_FORMAT, "%s: %s: %zu elements of %s are %zu bytes, but its data has %zu",
            f->path, t->name, t->n, dtypes[t->dtype].name, t->n * dtypes[t->dtype].bytes, t->bytes);
    return TT_OK;
}

static tt_status read_tensor(tt_safetensors *f, const char *name, const json_t *entry, size_t data) {
    tt_st_tensor *t = &f->tensors[f->n];
    t->name = tt_arena_strdup(&f->memory, name);
    if (!t->name) return TT_ERR_NOMEM;
    TT_TRY(read_dtype(f, json_object_get(entry, "dtype"), t));
    TT_TRY(read_shape(f, json_object_get(entry, "shape"), t));
    TT_TRY(read_offsets(f, json_object_get(entry, "data_offsets"), data, t));
    f->n++;
    return TT_OK;
}

static int by_data(const void *left, const void *right) {
    const tt_st_tensor *a = left, *b = right;
    if (a->data != b->data) return a->data < b->data ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static tt_status check_layout(const tt_safetensors *f, size_t data) {
    const char *expected = (const char *)f->mapping + data, *end = (const char *)f->mapping + f->size;
    for (int i = 0; i < f->n; ++i) {
        const tt_st_tensor *t = &f->tensors[i];
        if ((const char *)t->data < expected)
            return tt_fail(TT_ERR_FORMAT, "%s: %s overlaps %s", f->path, t->name, f->tensors[i - 1].name);
        if ((const char *)t->data > expected)
            return tt_fail(TT_ERR_FORMAT, "%s: a gap of %td bytes before %s", f->path,
                (const char *)t->data - expected, t->name);
        expected += t->bytes;
    }
    if (expected != end)
        return tt_fail(TT_ERR_FORMAT, "%s: %td bytes after the last tensor belong to no tensor", f->path,
            end - expected);
    return TT_OK;
}

static tt_status read_header(tt_safetensors *f) {
    size_t length;
    json_error_t error;
    TT_TRY(header_length(f, &length));
    json_t *root = json_loadb((const char *)f->mapping + PREFIX, length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return tt_fail(TT_ERR_FORMAT, "%s: the header is not a JSON object: %s", f->path, error.text);
    }
    tt_status status = tt_alloc(&f->tensors, json_object_size(root), sizeof *f->tensors, "tensors");
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry) {
        if (status == TT_OK && strcmp(name, "__metadata__") != 0)
            status = read_tensor(f, name, entry, PREFIX + length);
    }
    json_decref(root);
    if (status != TT_OK) return status;
    qsort(f->tensors, (size_t)f->n, sizeof *f->tensors, by_data);
    return check_layout(f, PREFIX + length);
}

tt_status tt_safetensors_open(tt_safetensors *out, const char *path) {
    *out = (tt_safetensors){0};
    tt_status status = tt_strdup(&out->path, path);
    if (status == TT_OK) status = map_file(out);
    if (status == TT_OK) status = read_header(out);
    if (status != TT_OK) tt_safetensors_close(out);
    return status;
}

void tt_safetensors_close(tt_safetensors *f) {
    if (f->mapping) munmap(f->mapping, f->size);
    free(f->tensors);
    free(f->path);
    tt_arena_close(&f->memory);
    *f = (tt_safetensors){0};
}

bool tt_st_is_numeric(const tt_st_tensor *t) {
    return t->dtype < TT_ST_NUMBERS;
}

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float from_half(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, fraction = h & 1023u;
    if (exponent == 31) return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float small = (float)fraction * 0x1p-24f; // subnormal
    return sign ? -small : small;
}

void tt_st_read(const tt_st_tensor *t, float *out) {
    const unsigned char *bytes = t->data;
    if (t->dtype == TT_ST_F32) memcpy(out, bytes, t->n * sizeof *out);
    for (size_t i = 0; i < t->n && t->dtype != TT_ST_F32; ++i) {
        if (t->dtype == TT_ST_F64) {
            double value;
            memcpy(&value, bytes + 8 * i, 8);
            out[i] = (float)value;
            continue;
        }
        uint16_t half;
        memcpy(&half, bytes + 2 * i, 2);
        out[i] = t->dtype == TT_ST_F16 ? from_half(half) : from_bits((uint32_t)half << 16);
    }
    // The data is not needed again: releasing its pages avoids having the file and the model in memory at
    // once.
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
                    from = ((uintptr_t)bytes + page - 1) / page * page,
                    to = ((uintptr_t)bytes + t->bytes) / page * page;
    if (to > from) madvise((void *)from, to - from, MADV_DONTNEED);
}

// ---- writing

static void header_text(tt_str *out, const tt_st_entry *entries, int n, tt_st_dtype dtype) {
    size_t offset = 0;
    tt_str_append(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int i = 0; i < n; ++i) {
        const size_t bytes = entries[i].n * dtypes[dtype].bytes;
        tt_str_format(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", entries[i].name, dtypes[dtype].name);
        for (int k = 0; k < entries[i].rank; ++k)
            tt_str_format(out, "%s%lld", k ? "," : "", (long long)entries[i].shape[k]);
        tt_str_format(out, "],\"data_offsets\":[%zu,%zu]}", offset, offset + bytes);
        offset += bytes;
    }
    tt_str_append(out, "}");
    while (out->length % 8) tt_str_append(out, " ");
}

static tt_status write_all(FILE *file, const char *path, const void *bytes, size_t n) {
    if (fwrite(bytes, 1, n, file) == n) return TT_OK;
    return tt_fail(TT_ERR_IO, "%s: cannot write: %s; is the disk full?", path, strerror(errno));
}

static tt_status write_tensors(FILE *file, const char *path, const tt_st_content *content) {
    const tt_st_entry *entries = content->entries;
    const int n = content->n;
    size_t largest = 0;
    float *values;
    uint16_t *halves = NULL;
    for (int i = 0; i < n; ++i)
        if (entries[i].n > largest) largest = entries[i].n;
    TT_TRY(tt_alloc(&values, largest, sizeof *values, "tensor"));
    tt_status status =
        content->dtype == TT_ST_F32 ? TT_OK : tt_alloc(&halves, largest, sizeof *halves, "tensor");
    for (int i = 0; i < n && status == TT_OK; ++i) {
        status = content->data(content->context, i, values);
        if (status != TT_OK) break;
        if (halves) tt_bf16_from_float((int64_t)entries[i].n, halves, values);
        status = write_all(
            file, path, halves ? (const void *)halves : values, entries[i].n * dtypes[content->dtype].bytes);
    }
    free(values);
    free(halves);
    return status;
}

tt_status tt_safetensors_write(const char *path, const tt_st_content *content) {
    tt_str header = {0};
    unsigned char prefix[PREFIX];
    header_text(&header, content->entries, content->n, content->dtype);
    TT_TRY(tt_str_status(&header));
    for (int i = 0; i < PREFIX; ++i) prefix[i] = (unsigned char)(header.length >> 8 * i & 255);
    FILE *file = fopen(path, "we");
    tt_status status = file ? TT_OK : tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (status == TT_OK) status = write_all(file, path, prefix, PREFIX);
    if (status == TT_OK) status = write_all(file, path, header.data, header.length);
    if (status == TT_OK) status = write_tensors(file, path, content);
    if (status == TT_OK && (fflush(file) != 0 || fsync(fileno(file)) != 0))
        status = tt_fail(TT_ERR_IO, "%s: cannot write: %s; is the disk full?", path, strerror(errno));
    if (file && fclose(file) != 0 && status == TT_OK)
        status = tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    tt_str_close(&header);
    return status;
}
