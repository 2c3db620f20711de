// A safetensors file as it stands. Of an accepted one every number can be read.
#include "tests/fuzz/fuzz.h"

#include "host/model/huggingface/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_safetensors file;
    fuzz_begin(data, size);
    fuzz_write("model.safetensors", data, size);
    if (fuzz_accepted(tt_safetensors_open(&file, "model.safetensors"))) {
        for (int i = 0; i < file.n; ++i) {
            const tt_st_tensor *t = &file.tensors[i];
            fuzz_require(t->bytes <= size && t->n <= size, "a tensor larger than its file");
            fuzz_require(t->rank >= 0 && t->rank <= TT_ST_MAX_RANK, "a tensor of too many dimensions");
            float *out = malloc(t->n ? t->n * sizeof *out : 1);
            fuzz_require(out != NULL, "no memory");
            tt_st_read(t, out);
            free(out);
        }
        tt_safetensors_close(&file);
    }
    return fuzz_end();
}
