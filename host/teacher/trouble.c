#include "host/teacher/client.h"

const char *tt_trouble_word(tt_trouble trouble) {
    static const char *const words[TT_TROUBLES] = {
#define WORD(code, word) [code] = word,
        TT_TROUBLE_MAP(WORD)
#undef WORD
    };
    return words[trouble];
}
