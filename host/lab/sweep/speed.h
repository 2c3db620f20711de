// How fast finished runs trained, so that the time of others can be estimated.
#ifndef TT_LAB_SWEEP_SPEED_H
#define TT_LAB_SWEEP_SPEED_H

#include "host/base/str.h"
#include "host/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_MOST_SPEEDS = 64, TT_SPEED_MODEL = 17 };

// Of all runs of one student and precision on one kind of device, in the phases of one section.
typedef struct tt_speed {
    char model[TT_SPEED_MODEL]; // tt_speed_model
    char section[16];           // "pretraining", "acquisition", "reflection"
    char device[128];
    double tokens, seconds; // of steps, without validation
    int runs;
    // Of runs that end with a phase of this section: their time beside the steps that they trained themselves.
    double beside;
    int ended;
    bool used; // tt_speeds_find has given it
} tt_speed;

typedef struct tt_speeds {
    double given; // tokens a second that a person gave; 0: none
    tt_speed items[TT_MOST_SPEEDS];
    int n;
} tt_speeds;

// A short name of the student's architecture, start and precision ("fp32"). `yaml`: text of tt_config_write.
void tt_speed_model(const char *yaml, const char *precision, char out[TT_SPEED_MODEL]);
// Adds what finished runs in the folders of `root`, and in the folders of these, measured.
void tt_speeds_read(tt_speeds *out, const char *root);
// Tokens a second; of several devices, of that with the most tokens. 0: nothing is known.
double tt_speeds_find(tt_speeds *speeds, const char *model, const char *section);
// The time of a finished run beside its own training steps, in seconds: generation, validation, evaluation; NaN: not
// known, as of one that was resumed.
double tt_speed_beside(const char *run);
// Tokens a second of a finished run, of all its phases. Errors: TT_ERR_INPUT where it trained nothing; TT_ERR_IO.
tt_status tt_speed_of_run(const char *run, double *out) TT_MUST_CHECK;
// Appends what estimates are based on, in lines of text; nothing where none was made.
void tt_speeds_tell(const tt_speeds *speeds, const char *root, tt_str *out);

#ifdef __cplusplus
}
#endif

#endif
