// What an endpoint sends: bodies of answers and of errors, headers that say when to ask again.
#include "tests/fuzz/fuzz.h"

#include "host/base/str.h"
#include "host/teacher/completion.h"
#include "host/teacher/dialect.h"
#include "host/teacher/pacing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void read_headers(const uint8_t *data, size_t size) {
    char value[256];
    if (size >= sizeof value) return;
    memcpy(value, data, size);
    value[size] = 0;
    const double seconds[] = {tt_retry_after(value, 1700000000), tt_reset_after(value)};
    for (int i = 0; i < 2; ++i)
        fuzz_require(isfinite(seconds[i]) && (seconds[i] >= 0 || seconds[i] == -1),
            "a pause is neither a number of seconds nor -1");
}

static void check_completion(const tt_completion *completion) {
    fuzz_require(completion->n > 0, "an answer without choices is accepted");
    for (int i = 0; i < completion->n; ++i)
        fuzz_require(completion->choices[i].text != NULL, "a choice without a text");
    fuzz_require(completion->prompt_tokens >= -1 && completion->completion_tokens >= -1, "tokens below 0");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const tt_dialect_use use = {.n = true, .seed = true, .schema = true};
    const char *body = (const char *)data;
    tt_completion completion;
    tt_arena memory = {0};
    tt_dialect dialect = {0};
    char why[80];
    fuzz_begin(data, size);
    if (fuzz_accepted(tt_completion_read(&completion, body, size, &memory))) check_completion(&completion);
    tt_completion_error(body, size, why, sizeof why);
    fuzz_require(strlen(why) < sizeof why && tt_utf8_valid(why, strlen(why), NULL),
        "the reason is cut or not valid UTF-8");
    // Each time something is learned, so that it ends.
    int rounds = 0;
    while (tt_dialect_learn(&dialect, &use, body, size))
        fuzz_require(++rounds <= 8, "the same is learned again");
    read_headers(data, size);
    tt_arena_close(&memory);
    return fuzz_end();
}
