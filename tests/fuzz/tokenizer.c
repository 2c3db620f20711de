// A SentencePiece model. With an accepted one texts are encoded, and its ids decoded.
#include "tests/fuzz/fuzz.h"

#include "host/base/str.h"
#include "host/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static void use_tokenizer(const tt_tokenizer *tokenizer) {
    static const char *const texts[] = {"What colour is the balo?", "<extra_id_0> \n\t</s> {x}", "",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \xef\xbc\xa1"};
    const int size = tt_tokenizer_size(tokenizer);
    fuzz_require(
        size == tt_tokenizer_pieces(tokenizer) + tt_tokenizer_extra_ids(tokenizer), "ids do not add up");
    for (int i = 0; i < size; ++i)
        fuzz_require(tt_tokenizer_piece(tokenizer, i) != NULL, "an id without a piece");
    tt_ids ids = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        char *text;
        if (!fuzz_accepted(tt_tokenizer_encode(tokenizer, texts[i], true, &ids))) continue;
        for (int k = 0; k < ids.n; ++k)
            fuzz_require(ids.items[k] >= 0 && ids.items[k] < size, "an id outside the vocabulary");
        if (fuzz_accepted(tt_tokenizer_decode(tokenizer, ids.items, ids.n, &text))) free(text);
    }
    free(ids.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_tokenizer *tokenizer;
    fuzz_begin(data, size);
    if (fuzz_accepted(tt_tokenizer_parse(&tokenizer, data, size, 10))) {
        use_tokenizer(tokenizer);
        tt_tokenizer_close(tokenizer);
    }
    return fuzz_end();
}
