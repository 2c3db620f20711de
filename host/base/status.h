// Errors: one table of codes, one message per thread, context added on the way up.
//
// A function that can fail returns tt_status. It reports the failure with tt_fail(), callers pass it on with
// TT_TRY(), and a caller that knows more about what was being done adds it with tt_context(). Only main()
// prints and exits.
#ifndef TT_BASE_STATUS_H
#define TT_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

// code, exit status of the program
#define TT_STATUS_MAP(X)                                                                                     \
    X(OK, 0)                                                                                                 \
    X(ERR_USAGE, 2)         /* bad usage: arguments of a command */                                          \
    X(ERR_CONFIG, 2)        /* bad configuration */                                                          \
    X(ERR_INPUT, 2)         /* bad input data */                                                             \
    X(ERR_FORMAT, 1)        /* damaged or foreign file */                                                    \
    X(ERR_IO, 1)            /* input or output failed */                                                     \
    X(ERR_BUSY, 1)          /* another process is using it */                                                \
    X(ERR_UNFINISHED, 1)    /* some of what was asked for is not done */                                     \
    X(ERR_NOMEM, 1)         /* out of memory */                                                              \
    X(ERR_NUMERIC, 1)       /* NaN or infinity where a number must be finite */                              \
    X(ERR_UNSUPPORTED, 2)   /* this build or machine cannot do it */                                         \
    X(ERR_DEVICE, 1)        /* the compute device failed */                                                  \
    X(ERR_DIST, 1)          /* ranks failed to communicate */                                                \
    X(ERR_INTERRUPTED, 130) /* Ctrl-C, SIGTERM, SIGUSR1; progress is saved */                                \
    X(ERR_INTERNAL, 1)      /* a mistake in this program */

typedef enum tt_status {
#define TT_STATUS_ENUM(code, exit_status) TT_##code,
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

// Sets this thread's message; its value is `code`. The message names the file, key, operation or rank, what was
// expected, what was found, and what to try. A macro, so that compilers and analysers see that a failure is never
// TT_OK.
#define tt_fail(code, ...) (tt_message_set(__VA_ARGS__), tt_status_same(code))

// Puts "text: " before this thread's message; its value is `code`.
#define tt_context(code, ...) (tt_message_prefix(__VA_ARGS__), tt_status_same(code))

// What the two macros above call.
void tt_message_set(const char *format, ...) TT_PRINTF(1, 2);
void tt_message_prefix(const char *format, ...) TT_PRINTF(1, 2);
static inline tt_status tt_status_same(tt_status code) {
    return code;
}

// This thread's last message, never NULL. Owned by the library; valid until the next failure on this thread.
const char *tt_error_message(void);

// The exit status with which a program ends after this status: 0, 1 (failed), 2 (bad usage, configuration or
// input) or 130 (interrupted).
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
