// What precisions are called, and what `auto` stands for.
#include "kernels/device.h"

#include <string.h>

static const struct {
    tt_precision code;
    const char *word;
} precisions[] = {
#define ROW(code, word) {code, word},
    TT_PRECISION_MAP(ROW)
#undef ROW
};
enum { PRECISIONS = sizeof precisions / sizeof *precisions };

const char *tt_precision_name(tt_precision precision) {
    for (int i = 0; i < PRECISIONS; ++i)
        if (precisions[i].code == precision) return precisions[i].word;
    return "unknown";
}

// Every GPU that tt_cuda_available accepts is fast in bf16; a CPU that is slower in it than in fp32 is for those who ask for it.
tt_precision tt_precision_resolve(tt_precision precision, bool cuda) {
    if (precision != TT_PRECISION_AUTO) return precision;
    return cuda || tt_cpu_bf16() == TT_BF16_FAST ? TT_BF16 : TT_FP32;
}

tt_status tt_precision_parse(tt_precision *out, const char *word) {
    for (int i = 0; i < PRECISIONS; ++i)
        if (strcmp(word, precisions[i].word) == 0) {
            *out = precisions[i].code;
            return TT_OK;
        }
    if (strcmp(word, "fp16") == 0)
        return tt_fail(
            TT_ERR_USAGE, "fp16 is not supported, since T5's activations overflow in it; use bf16 or fp32");
#define WORD(code, name) ", " name
    return tt_fail(TT_ERR_USAGE, "'%s' is not allowed; allowed are %s", word, &TT_PRECISION_MAP(WORD)[2]);
#undef WORD
}
