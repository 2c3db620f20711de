// The directory of a run, <output>/<name>: its files, and whether a configuration may be resumed in it.
//
//   config.yaml       resolved, with all defaults
//   environment.json  version, commit, machine, device, ranks, threads, and what the run was made from
//   corpus.h5         built from the world, if the configuration names one
//   tokens.h5         the training texts, tokenised: a cache, which may be removed
//   phases.json       what each phase depends on, and from which run it was taken (shared_phases.h)
//   checkpoints/      <phase>.h5 to resume from, and <phase>.1.h5, ..., those before it (host/base/versions.h);
//                     <phase>_best.h5 of phases before the last
//   best.h5           the last phase's best checkpoint
//   reflection_<k>/   recall_runs.jsonl, analyze_runs.jsonl and pairs.h5 of iteration k
//   tensorboard/      event files, with log: tensorboard
//   sweep.json        which sweep the run belongs to; log.txt: what its process printed; failed.txt: why it failed
//   lock              which process runs here, while it does
//   metrics.jsonl     a line for each logged step and each validation
//   predictions.jsonl answers of the final evaluation, with the text of every stage
//   result.json       accuracies, phases and speed; result.txt: the same for people
//   predictions_<phase>.jsonl   answers to the test questions after a phase that reflection follows
#ifndef TT_LAB_RUN_DIRECTORY_H
#define TT_LAB_RUN_DIRECTORY_H

#include "host/base/lock.h"
#include "host/config/config.h"
#include "host/dist/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_run_directory {
    char path[TT_PATH_MAX];
    char config[TT_PATH_MAX], environment[TT_PATH_MAX], corpus[TT_PATH_MAX], tokens[TT_PATH_MAX],
        phases[TT_PATH_MAX], metrics[TT_PATH_MAX];
    char predictions[TT_PATH_MAX], result[TT_PATH_MAX], table[TT_PATH_MAX], best[TT_PATH_MAX],
        checkpoints[TT_PATH_MAX];
} tt_run_directory;

// Fills the paths, without looking at the disk.
tt_status tt_run_directory_name(tt_run_directory *out, const tt_config *config) TT_MUST_CHECK;
// "<checkpoints>/<phase>.h5", or "<checkpoints>/<phase>_best.h5", into out[TT_PATH_MAX].
tt_status tt_run_directory_checkpoint(
    const tt_run_directory *dir, const char *phase, bool best, char *out) TT_MUST_CHECK;

// "<run>/predictions_<phase>.jsonl" into out[TT_PATH_MAX]; `run` is the path of a run directory.
tt_status tt_run_directory_predictions(const char *run, const char *phase, char *out) TT_MUST_CHECK;

// Prepares the directory for `config`. To be called on one rank, by whoever holds its lock: temporary files of runs that
// were killed are removed. A new directory receives config.yaml. In an
// existing one the configuration must be the same, except for keys that cannot change what is trained
// (device, threads, the final evaluation); with `fresh`, the files of an earlier run are removed instead.
// *rescore: the final evaluation has other settings than the existing result, which stays, with its config.yaml, until
// tt_run_directory_rescored. Errors: TT_ERR_CONFIG naming the keys that differ, a file that the run reads and would
// remove, a config.yaml that no run wrote, or that there is none beside checkpoints; TT_ERR_IO when the folder cannot be written.
tt_status tt_run_directory_prepare(
    const tt_run_directory *dir, const tt_config *config, bool fresh, bool *rescore) TT_MUST_CHECK;
// Removes the result and the files of one phase, which then begins again. Later phases are to be removed before it.
tt_status tt_run_directory_remove_phase(const tt_run_directory *dir, const char *phase) TT_MUST_CHECK;
// After the new result has been written: config.yaml becomes that of `config`. Errors: TT_ERR_IO.
tt_status tt_run_directory_rescored(const tt_run_directory *dir, const tt_config *config) TT_MUST_CHECK;

// Makes the directory of a run and locks it against other processes until tt_lock_release(lock), or until this process ends. On
// file systems without locks it warns. To be called on one rank. Errors: TT_ERR_BUSY naming the process that runs in it;
// TT_ERR_IO.
tt_status tt_run_directory_lock(const char *path, tt_lock *lock) TT_MUST_CHECK;
// The same after a short wait alone. Errors: TT_ERR_BUSY where another process runs in the directory; TT_ERR_IO.
tt_status tt_run_directory_claim(const char *path, tt_lock *lock) TT_MUST_CHECK;
// Whether another process seems to run in the directory; looks without disturbing anybody.
bool tt_run_directory_noted(const char *path);
// Whether another process runs in the directory now; owner[256] names it as tt_lock.owner does.
bool tt_run_directory_busy(const char *path, char *owner);
// Whether the directory of a run has a file of this name. `path`: NULL, or receives the file's path, in [TT_PATH_MAX].
bool tt_run_directory_has(const char *run, const char *name, char *path);
// Whether the file is one that a run writes, in the directory of a run. `path` is behind all links (target.h).
bool tt_run_directory_owns(const char *path);

// Copies the value of `key` from the configuration of a run in the directory that can be resumed; empty if
// there is no such run. To be called on one rank.
tt_status tt_run_directory_kept(
    const tt_run_directory *dir, const char *key, char *out, size_t size) TT_MUST_CHECK;

// Appends the keys whose values differ between two resolved configurations (texts of tt_config_write), one a line
// as "  key: before -> now". A key that only one of them has is compared with its default: the other was written by
// a version without it. Left out are keys that may differ between starts of one run (tt_config_role), keys that
// were removed, and a precision that is now auto, since the run keeps its own. *rescore receives whether keys of
// TT_ROLE_SCORING differ. Errors: TT_ERR_NOMEM.
tt_status tt_run_config_differences(
    const char *before, const char *now, tt_str *out, bool *rescore) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
