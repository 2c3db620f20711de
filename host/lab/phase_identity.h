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

// Whether the phase is `from` or comes behind it; `from` NULL or empty: the first phase.
bool tt_phase_is_behind(const tt_config *config, const char *phase, const char *from);

// What a phase is known by is a text of two parts. Appends the first: the version above, the seed, every key that is used
// up to phase number i, and a checksum of the content of every file that is read up to it, instead of its path. A
// precision of auto is to be resolved before. Reads each file once for each process. Errors: TT_ERR_IO, also for a
// file that is missing; TT_ERR_CONFIG for a world that cannot be read; TT_ERR_NOMEM.
tt_status tt_phase_settings(const tt_config *config, int i, tt_str *out) TT_MUST_CHECK;
// Appends the second: the hash of the text of the phase that this one began from. Two phases with the same text end in the
// same weights, but for rounding, which devices and numbers of ranks may change.
void tt_phase_after(tt_str *identity, const char before[TT_PHASE_HASH]);
// The same as the first part, of a world alone: what its corpus is built from. Errors: as above.
tt_status tt_phase_world(const char *world_yaml, tt_str *out) TT_MUST_CHECK;
// A short name of such a text, 16 hexadecimal digits.
void tt_phase_hash(const char *identity, char out[TT_PHASE_HASH]);

#ifdef __cplusplus
}
#endif

#endif
