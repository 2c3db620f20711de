#include "host/dist/hang.h"

#include "host/base/temporary.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static const char *volatile told;

static void on_alarm(int number) {
    (void)number;
    const char *text = told;
    if (!text) return;
    (void)!write(STDERR_FILENO, text, strlen(text));
    tt_temporary_remove_all();
    _exit(1);
}

static void set_timer(double seconds) {
    const struct itimerval timer = {.it_value = {.tv_sec = seconds > 0 ? (time_t)seconds + 1 : 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

void tt_hang_begin(double seconds, const char *message) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    told = message;
    set_timer(seconds);
}

void tt_hang_end(void) {
    set_timer(0);
    told = NULL;
}
