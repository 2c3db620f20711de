// cmocka with the headers that it needs before it, and the check that most tests make.
#ifndef TT_TESTS_EXPECT_H
#define TT_TESTS_EXPECT_H

#include "host/base/status.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

// Fails the test with the error's message unless `expr` is TT_OK.
#define OK(expr)                                                                                             \
    do {                                                                                                     \
        if ((expr) != TT_OK) fail_msg("%s", tt_error_message());                                             \
    } while (0)

#endif
