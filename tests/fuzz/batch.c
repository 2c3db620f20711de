// A provider's batch files with answers, read twice in either order: the same requests are answered.
#include "tests/fuzz/fuzz.h"

#include "host/teacher/batch.h"

#include <string.h>

static const char *const names[] = {"first.jsonl", "second.jsonl"};
enum { REQUESTS = 3 };

typedef struct asked {
    int next, answered[REQUESTS], failed[REQUESTS];
} asked;

static tt_status next_request(void *context, tt_client_request *out, bool *have) {
    static const char *const ids[REQUESTS] = {"q0", "q1", "q2"};
    asked *a = context;
    *have = a->next < REQUESTS;
    if (*have) {
        *out = (tt_client_request){.id = ids[a->next], .context = (void *)ids[a->next]};
        out->chat = (tt_chat){.model = "m", .system = "", .user = "u", .n = 1};
        a->next++;
    }
    return TT_OK;
}

static int index_of(const tt_client_request *request) {
    return request->id[1] - '0';
}

static tt_status take_answer(
    void *context, const tt_client_request *request, const tt_completion *completion) {
    fuzz_require(completion->n > 0 && completion->choices[0].text, "an answer without a choice");
    ((asked *)context)->answered[index_of(request)]++;
    return TT_OK;
}

static tt_status take_failure(void *context, const tt_client_request *request, const char *why) {
    fuzz_require(*why, "a failure without a reason");
    ((asked *)context)->failed[index_of(request)]++;
    return TT_OK;
}

// False where a file cannot be read at all.
static bool read_batch(const char *const *paths, asked *out) {
    *out = (asked){0};
    const tt_client_caller caller = {.context = out,
        .next = next_request,
        .answered = take_answer,
        .failed = take_failure,
        .refused = take_failure};
    tt_teach_batch_import counts;
    if (tt_teach_batch_read(paths, 2, &caller, &counts) != TT_OK) {
        fuzz_require(strstr(tt_error_message(), "the file is UTF-"), "a batch file ends the import");
        return false;
    }
    int answered = 0, failed = 0;
    for (int i = 0; i < REQUESTS; ++i) {
        answered += out->answered[i];
        failed += out->failed[i];
        fuzz_require(out->answered[i] + out->failed[i] <= 1, "a request is answered twice");
    }
    fuzz_require(counts.answered == answered && counts.failed + counts.refused == failed, "wrong counts");
    fuzz_require(counts.passed >= 0 && counts.open == REQUESTS - answered - counts.refused,
        "counts that do not add up");
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    asked forward, backward;
    fuzz_begin(data, size);
    fuzz_write(names[0], "", 0);
    fuzz_write(names[1], "", 0);
    fuzz_write_files(data, size, names, 2);
    const bool first = read_batch(names, &forward);
    const bool second = read_batch((const char *const[]){names[1], names[0]}, &backward);
    fuzz_require(first == second, "the order of the files decides whether they are read");
    fuzz_require(!first || memcmp(forward.answered, backward.answered, sizeof forward.answered) == 0,
        "the order of the files decides what is answered");
    return fuzz_end();
}
