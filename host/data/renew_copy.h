// What the child of tt_h5_renew does. Private to host/data.
#ifndef TT_DATA_RENEW_COPY_H
#define TT_DATA_RENEW_COPY_H

#include "host/data/hdf5_file.h"

#ifdef __cplusplus
extern "C" {
#endif

// Copies all groups, data sets and attributes of `from`, whose content nobody has checked, to the new file `to`, and makes
// format 1 into format 2: see the head of renew_copy.c. Errors: TT_ERR_FORMAT, TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_renew_copy(const tt_h5 *from, const tt_h5 *to) TT_MUST_CHECK;
// A text attribute of the root, of fixed or variable length; free(*text). Errors: TT_ERR_FORMAT, TT_ERR_NOMEM.
tt_status tt_renew_root_text(const tt_h5 *from, const char *name, char **text) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
