// What determines the result of a phase, so that runs that have a phase in common train it once.
#ifndef TT_LAB_PHASE_IDENTITY_H
#define TT_LAB_PHASE_IDENTITY_H

#include "host/base/str.h"
#include "host/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

// Raise it whenever the same settings and files train other weights than before (beyond rounding).
enum { TT_PHASE_VERSION = 1 };

enum { TT_PHASE_NAME = 32, TT_PHASE_HASH = 17 };

// The phases of a configuration, in order: "pretraining", "acquisition", "reflection_1", ... *iteration receives
// the number of a reflection, 0 for the others. False behind the last.
bool tt_phase_at(const tt_config *config, int i, char name[TT_PHASE_NAME], int *iteration);

// Appends all that phase number i and the phases before it depend on, as text: the version above, the seed, every key
// that is used up to there, and a checksum of the content of every file that they read, instead of its path. Two phases
// with the same text end in the same weights, but for rounding, which devices and numbers of ranks may change; a
// precision of auto is to be resolved before. Reads the files once for each process. Errors: TT_ERR_IO, also for a file
// that is missing; TT_ERR_CONFIG for a world that cannot be read; TT_ERR_NOMEM.
tt_status tt_phase_identity(const tt_config *config, int i, tt_str *out) TT_MUST_CHECK;
// A short name of such a text, 16 hexadecimal digits.
void tt_phase_hash(const tt_str *identity, char out[TT_PHASE_HASH]);

#ifdef __cplusplus
}
#endif

#endif
