// Generation that is interrupted: one rank keeps the pieces that it has finished, and ends with the same log.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/train/reflection/runs.h"
#include "kernels/ops.h"
#include "tests/expect.h"
#include "tests/unit/tiny_student.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// 30 questions of three options and four runs: 360 texts of analyze, so that a CPU makes five pieces of six questions.
enum { ITEMS = 30, PIECE = 6, LENGTH = 8 };

static tt_device *device;
static tt_checkpoint student;
static tt_ops counted;
static const tt_ops *ops;
static long calls, stop_at; // of sample; 0: never

static const char *const colours[] = {"red", "blue", "green"};
static char ids[ITEMS][8];
static tt_reflection_item list[ITEMS];
static const tt_reflection_items items = {.items = list, .n = ITEMS};

static tt_status sample(tt_device *d, const tt_sample *s) {
    if (++calls == stop_at) raise(SIGUSR1);
    return ops->sample(d, s);
}

static int open_student(void **state) {
    (void)state;
    static const char *const texts[] = {"What colour is the sea? (A) red (B) blue (C) green",
        "Recall: Analyze: For option A, For option B, For option C, Summarize: So the answer is option A."};
    tiny_student tiny;
    tiny_student_open(&tiny, "test_runs.model", texts, 2, 40, 0);
    student.tokenizer = tiny.tokenizer;
    student.model = tiny.model;
    device = tiny.device;
    counted = *(ops = device->ops);
    counted.sample = sample;
    device->ops = &counted;
    for (int i = 0; i < ITEMS; ++i) {
        snprintf(ids[i], sizeof ids[i], "q%d", i);
        list[i] = (tt_reflection_item){.index = i,
            .question = {.id = ids[i],
                .text = "What colour is the sea?",
                .options = (const char **)(uintptr_t)colours,
                .n_options = 3}};
    }
    return 0;
}

static int close_student(void **state) {
    (void)state;
    device->ops = ops;
    tt_checkpoint_close(&student);
    tt_device_close(device);
    return 0;
}

// Generates what is missing in `folder`; *done receives how many items its log has then.
static tt_status generate(const char *folder, int *done) {
    tt_config config = {.seed = 3, .stages = "all"};
    config.reflection.samples = 4;
    config.reflection.temperature = 1;
    config.reflection.top_p = 1;
    config.evaluation.max_length = LENGTH;
    config.evaluation.slots = 16;
    config.acquisition.max_input = 200;
    const tt_corpus corpus = {.hash = 1};
    bool warned = true;
    tt_comm *comm;
    OK(tt_comm_open(&comm));
    const tt_reflection_context context = {.config = &config,
        .corpus = &corpus,
        .comm = comm,
        .iteration = 1,
        .folder = folder,
        .cuts_warned = &warned};
    tt_reflection_runs runs = {.context = &context, .student = &student, .set = TT_SET_ALL};
    tt_run_log log = {0};
    const tt_status status = tt_reflection_generate(&runs, &items, TT_RECALL, "runs.jsonl", &log);
    *done = 0;
    for (int i = 0; i < log.n_items; ++i) *done += log.done[i];
    tt_run_log_close(&log);
    if (runs.engine) tt_engine_close(runs.engine);
    tt_comm_close(comm, status);
    return status;
}

// The lines of a log, without those that say what is durable.
static char *lines_of(const char *path) {
    char *text, *out;
    size_t bytes, n = 0;
    OK(tt_read_file(path, 0, &text, &bytes));
    out = calloc(bytes + 1, 1);
    for (const char *line = text, *end; line < text + bytes; line = end) {
        end = (const char *)memchr(line, '\n', (size_t)(text + bytes - line)) + 1;
        if (strncmp(line, "{\"synced\"", 9) == 0) continue;
        memcpy(out + n, line, (size_t)(end - line));
        n += (size_t)(end - line);
    }
    free(text);
    return out;
}

// The flag of a signal stays for the rest of a process.
static int interrupted_child(long at) {
    int done;
    tt_interrupt_install();
    calls = 0;
    stop_at = at;
    const tt_status status = generate("test_runs.stopped", &done);
    return status == TT_ERR_INTERRUPTED && strstr(tt_error_message(), "again to resume") ? done : 100;
}

static void finished_pieces_survive(void **state) {
    (void)state;
    int done, status;
    remove("test_runs.straight/runs.jsonl");
    remove("test_runs.stopped/runs.jsonl");
    mkdir("test_runs.straight", 0777);
    mkdir("test_runs.stopped", 0777);
    OK(generate("test_runs.straight", &done));
    assert_int_equal(done, ITEMS);
    const long all = calls;
    // All pieces take about as long: two thirds of the way three of the five are finished.
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(interrupted_child(all * 2 / 3));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3 * PIECE);
    calls = 0;
    OK(generate("test_runs.stopped", &done));
    assert_int_equal(done, ITEMS);
    assert_true(calls < all / 2);
    char *straight = lines_of("test_runs.straight/runs.jsonl"),
         *stopped = lines_of("test_runs.stopped/runs.jsonl");
    assert_string_equal(straight, stopped);
    free(straight);
    free(stopped);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finished_pieces_survive, open_student, close_student)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
