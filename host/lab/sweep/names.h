// What the runs of a sweep are called. Private to host/lab/sweep.
//
// A run's directory is <number>-<variant>-s<seed>, e.g. 07-no_recall-beta0.1-s1. A variant consists of short values: those
// that are words stand for themselves, a path is the name of its file without an ending, numbers follow the last word
// of their key. The number is that of the run's place among all, and stays, as the directory's name does, when the file of
// the sweep gets more values: names.json in the sweep's folder remembers both from the first start on, by the settings
// of a run and not by how they are written. New runs get numbers that are free.
#ifndef TT_LAB_SWEEP_NAMES_H
#define TT_LAB_SWEEP_NAMES_H

#include "host/base/str.h"
#include "host/lab/sweep/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

// Appends a short form of a setting's value in letters, digits and ._+-. `word`: the last word of its key. `value`: as
// tt_config_set takes it.
void tt_sweep_short_value(const char *word, const char *value, tt_str *out);
// Appends the text with every byte other than letters, digits and ._=,+- as _.
void tt_sweep_plain(const char *text, tt_str *out);

// Gives every run, of which all but number, name and path are known, these three; a run that is remembered or has begun
// keeps its own, and one of a version before keeps its directory, too. Errors: TT_ERR_IO for paths that are too long;
// TT_ERR_NOMEM.
tt_status tt_sweep_number(tt_sweep *sweep) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
