#include "host/base/signature.h"

#include <string.h>

#define POINTER "version https://git-lfs.github.com/spec/"

static const struct {
    const char *bytes;
    size_t n;
    const char *what, *advice;
} formats[] = {
    {POINTER, sizeof POINTER - 1, "a Git LFS pointer", "get the file itself: git lfs pull"},
    {"\xff\xfe\0\0", 4, "UTF-32", "convert it: iconv -f UTF-32 -t UTF-8 OLD > NEW"},
    {"\xff\xfe", 2, "UTF-16", "convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW"},
    {"\xfe\xff", 2, "UTF-16", "convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW"},
    {"PAR1", 4, "a Parquet file",
        "convert it, e.g. with Python: pandas.read_parquet(OLD).to_json(NEW, orient='records', lines=True)"},
    {"ARROW1", 6, "an Arrow file",
        "convert it to JSONL, e.g. with Dataset.to_json() of Hugging Face's datasets"},
    {"\x1f\x8b", 2, "compressed by gzip", "unpack it: gunzip -c OLD > NEW"},
    {"\x28\xb5\x2f\xfd", 4, "compressed by zstd", "unpack it: zstd -dc OLD > NEW"},
    {"\xfd"
     "7zXZ",
        5, "compressed by xz", "unpack it: xz -dc OLD > NEW"},
    {"BZh", 3, "compressed by bzip2", "unpack it: bzip2 -dc OLD > NEW"},
    {"PK\x03\x04", 4, "a zip archive (a table .xlsx and PyTorch's .bin and .pt are some, too)",
        "unpack it first, or save what is in it in the expected format"},
    {"GGUF", 4, "a GGUF file", "take the model's files as Hugging Face has them (safetensors)"},
    {"\x89HDF\r\n", 6, "an HDF5 file", "corpora in this format are given where a corpus .h5 is expected"},
};

bool tt_signature_find(const char *begin, size_t n, const char **what, const char **advice) {
    for (size_t f = 0; f < sizeof formats / sizeof *formats; ++f) {
        if (n < formats[f].n || memcmp(begin, formats[f].bytes, formats[f].n) != 0) continue;
        *what = formats[f].what;
        *advice = formats[f].advice;
        return true;
    }
    return false;
}

bool tt_signature_is_pointer(const char *begin, size_t n) {
    return n >= sizeof POINTER - 1 && memcmp(begin, POINTER, sizeof POINTER - 1) == 0;
}

tt_status tt_signature_refuse(const char *path, const char *begin, size_t n, const char *expected) {
    const char *what, *advice;
    if (!tt_signature_find(begin, n, &what, &advice)) return TT_OK;
    return tt_fail(TT_ERR_FORMAT, "%s: the file is %s; expected %s; %s", path, what, expected, advice);
}
