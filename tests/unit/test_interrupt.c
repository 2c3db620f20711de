// Signals in the middle of matrix products, taken as the program takes them, leave memory as it was; one that ends the
// program is told in the place of a progress bar.
#include "host/base/log.h"
#include "kernels/ops.h"
#include "tests/expect.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRODUCTS = 3000, SIZE = 512 };

static volatile sig_atomic_t signals;

static void count(int number) {
    (void)number;
    signals++;
}

// Ticks come as Ctrl-C would: with the flags and on the stack that tt_interrupt_install gives its handler.
static void start_ticks(void) {
    struct sigaction action;
    tt_interrupt_install();
    sigaction(SIGINT, NULL, &action);
    action.sa_handler = count;
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval every = {.it_interval = {.tv_usec = 500}, .it_value = {.tv_usec = 500}};
    setitimer(ITIMER_REAL, &every, NULL);
}

static int multiply(void) {
    tt_device *device;
    const size_t n = (size_t)SIZE * SIZE;
    float *m = calloc(3 * n, sizeof *m);
    if (!m || tt_device_open(&device, "cpu", TT_FP32, 1) != TT_OK) return 2;
    start_ticks();
    for (int k = 0; k < PRODUCTS; ++k) {
        const tt_gemm product = {.trans_b = k & 1,
            .trans_a = (k >> 1) & 1,
            .m = 64 + k % 300,
            .n = 96 + k % 200,
            .k = 32 + k % 128,
            .alpha = 1,
            .beta = k & 4 ? 1 : 0,
            .a = m,
            .b = m + n,
            .c = m + 2 * n,
            .lda = SIZE,
            .ldb = SIZE,
            .ldc = SIZE};
        if (device->ops->gemm(device, &product) != TT_OK) return 3;
    }
    int sum = 0;
    for (size_t i = 0; i < 3 * n; ++i) sum += m[i] != 0; // products of zeros
    tt_device_close(device);
    free(m); // the heap's own marks are checked here
    return sum != 0 ? 4 : signals < 10 ? 5 : 0;
}

static void signals_leave_memory_alone(void **state) {
    (void)state;
    const pid_t child = fork(); // it may crash
    assert_true(child >= 0);
    if (child == 0) _exit(multiply());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

// A bar on a terminal, and a signal that ends the program at once.
static void draw_and_end(const char *terminal) {
    const int file = open(terminal, O_RDWR);
    tt_progress bar;
    if (file < 0 || dup2(file, STDERR_FILENO) < 0 || setenv("TERM", "xterm", 1) != 0) _exit(2);
    tt_interrupt_install();
    tt_interrupt_resumes();
    tt_resume_by("run it thus to resume");
    tt_progress_open(&bar, "work", "steps", 10, 0);
    tt_progress_update(&bar, 1, "going");
    raise(SIGINT);
    _exit(3);
}

static void the_word_at_the_end_takes_the_place_of_the_bar(void **state) {
    (void)state;
    char shown[4096] = "";
    size_t n = 0;
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) draw_and_end(ptsname(terminal));
    for (ssize_t got; n < sizeof shown - 1 && (got = read(terminal, shown + n, sizeof shown - 1 - n)) > 0;)
        n += (size_t)got;
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGINT);
    assert_non_null(strstr(shown, "1/10 steps"));
    assert_non_null(strstr(shown,
        "\r\033[Ktinythinker: ended at once by a signal; what was saved before is intact: run it thus "
        "to resume\r\n"));
    close(terminal);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(signals_leave_memory_alone),
        cmocka_unit_test(the_word_at_the_end_takes_the_place_of_the_bar)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
