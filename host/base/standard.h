// Standard input, output and error of the program.
#ifndef TT_BASE_STANDARD_H
#define TT_BASE_STANDARD_H

#include "host/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// To be called first. Where a descriptor from 0 to 2 is closed, no file that is opened later may get its number: what is
// printed would end in it. Writing to a standard output that was closed fails.
void tt_standard_open(void);
// What was printed so far goes out now. Where it cannot, tt_standard_close() says why.
void tt_standard_flush(void);
// To be called last: whether all that was printed has reached standard output. Errors: TT_ERR_IO with the reason.
tt_status tt_standard_close(void) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
