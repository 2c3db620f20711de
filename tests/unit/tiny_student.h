// A student of random weights with a tokenizer of its own, for the tests of what is written.
#ifndef TT_TESTS_TINY_STUDENT_H
#define TT_TESTS_TINY_STUDENT_H

#include "host/text/tokenizer.h"
#include "tests/unit/tiny_model.h"

typedef struct tiny_student {
    tt_tokenizer *tokenizer;
    tt_device *device;
    tt_model *model;
} tiny_student;

// Its tokenizer is trained with n texts into the file `path`, which has room for so many pieces, and `extra_ids` behind them.
static inline void tiny_student_open(
    tiny_student *out, const char *path, const char *const *texts, int n, int pieces, int extra_ids) {
    OK(tt_tokenizer_train(texts, n, &(tt_tokenizer_training){.pieces = pieces}, path));
    OK(tt_tokenizer_load(&out->tokenizer, path, extra_ids));
    tiny_model_open(&out->device, &out->model, tt_tokenizer_size(out->tokenizer));
}

#endif
