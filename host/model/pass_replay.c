// Recordings of passes whose shape occurs again, on devices that support them.
//
// The calls of a pass depend only on its shape: rows, sequences and longest sequences of both stacks, the
// dropout rate, the address of its memory. What differs between batches of one shape (ids, offsets, the
// dropout's key) is in device memory. So a shape is recorded when it occurs for the second time; from then on
// it costs one call instead of hundreds.
//
// Batches seldom have the same number of rows by chance. So each stack is filled up to a round number of rows
// with one more sequence whose tokens have no loss. Its gradients are zero, and sums over rows end with them.
//
// Where the gradient is watched (tt_pass_watch), ready must be called between the layers: then a recording
// ends wherever a layer's gradient is complete, and the next begins.
#include "host/model/pass.h"

#include <stdlib.h>

// Shapes that are kept; a new one replaces the least recently used.
enum { SHAPES = 64 };

typedef struct shape {
    tt_pass_work *work;
    const float *g; // NULL: nothing is kept for backward
    struct {
        int rows, seqs, longest;
    } encoder, decoder;
    float dropout;
    bool watched, laid_out_watched;
} shape;

typedef struct segment {
    tt_recording *recording;
    size_t complete; // after this segment g[complete, size) is complete
} segment;

typedef struct known {
    shape shape;
    uint64_t used; // 0: free
    segment *segments;
    size_t n, capacity;
} known;

struct tt_pass_replay {
    known shapes[SHAPES];
    uint64_t clock;
    known *recording; // what is being recorded, or NULL
};

tt_status tt_pass_replay_open(tt_pass *pass) {
    return tt_device_records(pass->model->device) ? tt_alloc(&pass->replay, 1, sizeof *pass->replay, "pass")
                                                  : TT_OK;
}

int tt_pass_replay_step(int tokens) {
    // At most 1/32 more rows, half of that on average, but at least LEAST in all. With MOST tokens or more, a GPU
    // computes for longer than the calls take. Of the 6,000 steps of configs/everyday.yaml (700 to 3,000 source
    // rows, about 300 target rows) 98.1 % are replayed with LEAST 32 and 1.9 % of all rows are filler; with 16
    // it is 94.4 % and 1.4 %, and 64 shapes are too few; with 64 it is 99.0 % and 3.2 %. Recording at the third
    // sight replays 0.7 % less and records as much. tests/cusim/recordings.c prints these numbers.
    enum { LEAST = 32, SHARE = 32, MOST = 8192 };
    if (tokens >= MOST) return 0;
    int step = LEAST;
    while (2 * step * SHARE <= tokens) step *= 2;
    return step;
}

static void forget_shape(tt_device *device, known *k) {
    for (size_t i = 0; i < k->n; ++i) tt_recording_close(device, k->segments[i].recording);
    free(k->segments);
    *k = (known){0};
}

void tt_pass_replay_forget(tt_pass *pass) {
    for (int i = 0; pass->replay && i < SHAPES; ++i)
        forget_shape(pass->model->device, &pass->replay->shapes[i]);
}

void tt_pass_replay_close(tt_pass *pass) {
    tt_pass_replay_forget(pass);
    free(pass->replay);
    pass->replay = NULL;
}

static shape shape_of(const tt_pass *pass, tt_pass_work *work) {
    const tt_stack_pass *e = &pass->encoder, *d = &pass->decoder;
    return (shape){.work = work,
        .g = tt_model_trained(pass->model).g,
        .encoder = {e->rows, e->seqs, e->longest},
        .decoder = {d->rows, d->seqs, d->longest},
        .dropout = pass->dropout.rate,
        .watched = pass->watch.ready != NULL,
        .laid_out_watched = pass->watched};
}

static bool same_shape(const shape *a, const shape *b) {
    return a->work == b->work && a->g == b->g && a->encoder.rows == b->encoder.rows &&
           a->encoder.seqs == b->encoder.seqs && a->encoder.longest == b->encoder.longest &&
           a->decoder.rows == b->decoder.rows && a->decoder.seqs == b->decoder.seqs &&
           a->decoder.longest == b->decoder.longest && !(a->dropout < b->dropout) &&
           !(a->dropout > b->dropout) && a->watched == b->watched &&
           a->laid_out_watched == b->laid_out_watched;
}

// The entry of the pass's shape. *seen: it was there; otherwise it replaces the least recently used one.
static known *find_shape(tt_pass *pass, tt_pass_work *work, bool *seen) {
    struct tt_pass_replay *replay = pass->replay;
    const shape wanted = shape_of(pass, work);
    known *found = replay->shapes;
    for (known *k = replay->shapes; k < replay->shapes + SHAPES; ++k) {
        *seen = k->used > 0 && same_shape(&k->shape, &wanted);
        if (*seen || k->used < found->used) found = k;
        if (*seen) break;
    }
    if (!*seen) {
        forget_shape(pass->model->device, found);
        found->shape = wanted;
    }
    found->used = ++replay->clock;
    return found;
}

static tt_status end_segment(tt_pass *pass, size_t complete) {
    known *k = pass->replay->recording;
    tt_device *device = pass->model->device;
    tt_recording *recording;
    TT_TRY(tt_device_recorded(device, &recording));
    const tt_status status =
        tt_grow(&k->segments, &k->capacity, k->n + 1, sizeof *k->segments, "recordings of a pass");
    if (status == TT_OK)
        k->segments[k->n++] = (segment){recording, complete};
    else
        tt_recording_close(device, recording);
    return status;
}

tt_status tt_pass_complete(tt_pass *pass, size_t from) {
    if (!pass->watch.ready || (pass->model->adapters && from > 0)) return TT_OK;
    if (!pass->replay || !pass->replay->recording) return pass->watch.ready(pass->watch.context, from);
    TT_TRY(end_segment(pass, from));
    return from > 0 ? tt_device_record(pass->model->device) : TT_OK; // nothing follows the front of g
}

static tt_status record_shape(tt_pass *pass, known *k) {
    tt_device *device = pass->model->device;
    TT_TRY(tt_device_record(device));
    pass->replay->recording = k;
    const tt_status computed = k->shape.work(pass);
    tt_status status = TT_OK;
    if (device->recording) status = end_segment(pass, pass->model->size);
    pass->replay->recording = NULL;
    return computed == TT_OK ? status : computed;
}

tt_status tt_pass_do(tt_pass *pass, tt_pass_work *work) {
    if (!pass->replay || !tt_device_records(pass->model->device)) return work(pass);
    bool seen;
    known *k = find_shape(pass, work, &seen);
    if (k->n == 0) {
        TT_TRY(work(pass));
        // Right after it ran, everything it needs exists: a library's choices, scratch memory. If recording
        // fails all the same, the shape counts as new.
        if (seen && record_shape(pass, k) != TT_OK) forget_shape(pass->model->device, k);
        return TT_OK;
    }
    for (size_t i = 0; i < k->n; ++i) {
        TT_TRY(tt_device_replay(pass->model->device, k->segments[i].recording));
        if (pass->watch.ready && k->segments[i].complete < pass->model->size)
            TT_TRY(pass->watch.ready(pass->watch.context, k->segments[i].complete));
    }
    return TT_OK;
}
