// Errors: one table of codes, a message per thread, context added on the way up.
//
// A function that can fail returns tt_status. It reports with tt_fail(), callers pass it on with TT_TRY(),
// and whoever knows more about what was being done adds it with tt_context(). Only main() prints and exits.
#ifndef TT_BASE_STATUS_H
#define TT_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

// code, exit status of the program, text
#define TT_STATUS_MAP(X)                                                                                     \
    X(OK, 0, "ok")                                                                                           \
    X(ERR_USAGE, 2, "bad usage")                                                                             \
    X(ERR_CONFIG, 2, "bad configuration")                                                                    \
    X(ERR_INPUT, 2, "bad input data")                                                                        \
    X(ERR_FORMAT, 1, "damaged or foreign file")                                                              \
    X(ERR_IO, 1, "input/output failed")                                                                      \
    X(ERR_NOMEM, 1, "out of memory")                                                                         \
    X(ERR_NUMERIC, 1, "numbers went wrong")                                                                  \
    X(ERR_UNSUPPORTED, 2, "not supported")                                                                   \
    X(ERR_DEVICE, 1, "compute device failed")                                                                \
    X(ERR_DIST, 1, "ranks failed to communicate")                                                            \
    X(ERR_INTERRUPTED, 130, "interrupted")                                                                   \
    X(ERR_INTERNAL, 1, "internal error")

typedef enum tt_status {
#define TT_STATUS_ENUM(code, exit_status, text) TT_##code,
    TT_STATUS_MAP(TT_STATUS_ENUM)
#undef TT_STATUS_ENUM
} tt_status;

#if defined(__GNUC__)
#define TT_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define TT_MUST_CHECK __attribute__((warn_unused_result))
#else
#define TT_PRINTF(fmt, first)
#define TT_MUST_CHECK
#endif

// Sets this thread's message and is `code`. The message names the file, key, op or rank; what was expected;
// what came; what to try. A macro, so that compilers and analysers see that a failure is never TT_OK.
#define tt_fail(code, ...) (tt_message_set(__VA_ARGS__), tt_status_same(code))

// Puts "text: " before this thread's message and is `code`.
#define tt_context(code, ...) (tt_message_prefix(__VA_ARGS__), tt_status_same(code))

// What the macros above call.
void tt_message_set(const char *format, ...) TT_PRINTF(1, 2);
void tt_message_prefix(const char *format, ...) TT_PRINTF(1, 2);
static inline tt_status tt_status_same(tt_status code) {
    return code;
}

// This thread's last message; never NULL; valid until the next failure on this thread.
const char *tt_error_message(void);

// What kind of failure a code is, in words; static memory.
const char *tt_status_text(tt_status code);
// Exit status of a program that ends with this code: 0, 1 (failed) or 2 (wrong usage or configuration).
int tt_status_exit(tt_status code);

// Returns from the calling function when `expr` fails.
#define TT_TRY(expr)                                                                                         \
    do {                                                                                                     \
        tt_status tt_try_status_ = (expr);                                                                   \
        if (tt_try_status_ != TT_OK) return tt_try_status_;                                                  \
    } while (0)

// Jumps to `label` when `expr` fails; `status` receives the code. For functions that release in one ladder.
#define TT_TRY_GOTO(status, expr, label)                                                                     \
    do {                                                                                                     \
        (status) = (expr);                                                                                   \
        if ((status) != TT_OK) goto label;                                                                   \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
