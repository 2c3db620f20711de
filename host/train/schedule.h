// Learning rate over the steps of a phase: linear warm-up, then cosine, linear or constant.
#ifndef TT_TRAIN_SCHEDULE_H
#define TT_TRAIN_SCHEDULE_H

#include "host/config/words.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_schedule_kind { TT_SCHEDULE_MAP(TT_WORD_CODE) TT_SCHEDULES } tt_schedule_kind;

typedef struct tt_schedule {
    tt_schedule_kind kind;
    double peak;    // learning rate after warm-up
    double floor;   // share of the peak that cosine and linear end at
    int64_t warmup; // steps
    int64_t total;  // steps
} tt_schedule;

typedef struct tt_schedule_options {
    const char *kind;   // a word of TT_SCHEDULE_MAP
    double peak, floor; // as in tt_schedule
    double warmup;      // share of all steps
    int64_t total;      // steps
} tt_schedule_options;

// Errors: TT_ERR_CONFIG for an unknown kind.
tt_status tt_schedule_open(tt_schedule *out, const tt_schedule_options *options) TT_MUST_CHECK;

// Rate of update `step`, counted from 0. Warm-up: peak (step + 1) / warmup, so that the first update moves
// already (Hugging Face's schedule, step / warmup, spends one at rate 0). After it, with
// x = (step - warmup) / (total - warmup): cosine f + (1 - f)(1 + cos(pi x)) / 2, linear 1 - (1 - f) x, times
// the peak. Steps beyond the total keep the last rate.
double tt_schedule_rate(const tt_schedule *schedule, int64_t step);

#ifdef __cplusplus
}
#endif

#endif
