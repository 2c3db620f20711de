// Reading HDF5 files that have no seal: those of versions up to 0.1.0, whose texts have a variable length, and those that
// h5py wrote. The HDF5 library may crash on a damaged one, so a child process reads it.
#ifndef TT_DATA_RENEW_H
#define TT_DATA_RENEW_H

#include "host/data/hdf5_file.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes the content of the unsealed file `path` to the file `to` in the present format: the same groups, data sets and
// attributes, texts as hdf5_file.h stores them. `kind` receives the value of its root attribute `tinythinker`. To be called
// before this process starts threads. Errors: TT_ERR_FORMAT for a damaged or foreign file, or for what the format has no
// place for; TT_ERR_IO; TT_ERR_NOMEM; TT_ERR_INTERRUPTED, also where the child alone got Ctrl-C or SIGTERM. `to` does not exist then.
tt_status tt_h5_renew(const char *path, const char *to, char kind[32]) TT_MUST_CHECK;

// Opens a file as tt_h5_open does. An unsealed one of up to 256 MiB is renewed into a temporary file in TMPDIR (else /tmp),
// which is opened in its place, with a warning; larger ones are refused with the command that renews them. Errors: those of
// tt_h5_open and tt_h5_renew.
tt_status tt_h5_open_any(tt_h5 *h, const char *path, const char *kind) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
