// Safetensors files (Hugging Face): a table of named tensors. They are read through a memory mapping, with
// every number checked, and written in one pass.
//
// Layout: 8 bytes, little-endian, length of the header; the header, a JSON object of name -> {"dtype",
// "shape", "data_offsets": [begin, end]}, offsets counted from the end of the header; the data, without
// gaps.
#ifndef TT_MODEL_HUGGINGFACE_SAFETENSORS_H
#define TT_MODEL_HUGGINGFACE_SAFETENSORS_H

#include "host/base/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Types of elements. The first four can be read as numbers; tensors of the others can only be left out.
typedef enum tt_st_dtype {
    TT_ST_F32,
    TT_ST_F16,
    TT_ST_BF16,
    TT_ST_F64,
    TT_ST_NUMBERS,
    TT_ST_BOOL = TT_ST_NUMBERS,
    TT_ST_U8,
    TT_ST_I8,
    TT_ST_U16,
    TT_ST_I16,
    TT_ST_U32,
    TT_ST_I32,
    TT_ST_U64,
    TT_ST_I64,
    TT_ST_F8_E4M3,
    TT_ST_F8_E5M2,
    TT_ST_F8_E8M0,
    TT_ST_C64
} tt_st_dtype;
enum { TT_ST_MAX_RANK = 4 };

typedef struct tt_st_tensor {
    const char *name;
    tt_st_dtype dtype;
    int rank;
    int64_t shape[TT_ST_MAX_RANK];
    size_t n;         // elements
    const void *data; // within the mapping, little-endian, any alignment
    size_t bytes;
} tt_st_tensor;

typedef struct tt_safetensors {
    char *path;
    tt_st_tensor *tensors; // in order of their data
    int n;
    void *mapping;
    size_t size;
    tt_arena memory;
} tt_safetensors;

// Every tensor is checked against the file before this returns. Errors: TT_ERR_IO; TT_ERR_FORMAT naming the
// file and the tensor: a header that is not JSON or larger than the file, tensors that overlap, leave gaps or
// lie outside the file, data whose size does not match dtype and shape; TT_ERR_UNSUPPORTED for a dtype of another name.
tt_status tt_safetensors_open(tt_safetensors *out, const char *path) TT_MUST_CHECK;
void tt_safetensors_close(tt_safetensors *file);
bool tt_st_is_numeric(const tt_st_tensor *tensor); // whether tt_st_read can read it
// Converts to fp32, out[tensor->n]: exact except for F64, which is rounded. Releases the tensor's pages of the mapping.
void tt_st_read(const tt_st_tensor *tensor, float *out);
const char *tt_st_dtype_name(tt_st_dtype dtype); // "F32", ...

// For writing: an entry of the table.
typedef struct tt_st_entry {
    const char *name;
    int rank;
    int64_t shape[2];
    size_t n;
} tt_st_entry;
// Fills out[entries[entry].n] with the tensor's elements.
typedef tt_status (*tt_st_data)(void *context, int entry, float *out);
typedef struct tt_st_content {
    const tt_st_entry *entries; // [n]
    int n;
    tt_st_dtype dtype; // TT_ST_F32 or TT_ST_BF16
    tt_st_data data;   // called once for each entry, in order
    void *context;     // of `data`
} tt_st_content;

// Writes a new file at `path` and syncs it. Errors: TT_ERR_IO, TT_ERR_NOMEM, and those of `data`.
tt_status tt_safetensors_write(const char *path, const tt_st_content *content) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
