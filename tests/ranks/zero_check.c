// Moments divided among ranks (`zero: 1`), which check themselves; run by zero.sh on several ranks, with MPI and without.
//
// The same steps with and without: the same weights and moments (to the bit where each sum has one order: two ranks, or
// ranks without MPI), the same norms, the same steps skipped. The checkpoint is the same file; it resumes by any number of
// ranks; what cannot be written ends for all. Memory: a rank holds its own stretch of the moments, and no block for a
// checkpoint is larger than a piece (zero_check memory; linked with --wrap=tt_alloc).
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/data/hdf5_file.h"
#include "host/train/moments.h"
#include "host/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS = 12, STEPS = 5, POISONED = 2 };
#define WRONG(...) tt_fail(TT_ERR_INTERNAL, __VA_ARGS__)

static size_t largest; // block asked for since it was 0

tt_status __real_tt_alloc(void *out, size_t count, size_t size, const char *what);
tt_status __wrap_tt_alloc(void *out, size_t count, size_t size, const char *what);
tt_status __wrap_tt_alloc(void *out, size_t count, size_t size, const char *what) {
    if (count * size > largest) largest = count * size;
    return __real_tt_alloc(out, count, size, what);
}

static size_t moment_bytes; // allocated for Adam's moments
static tt_status (*device_alloc)(tt_device *, void *, size_t, const char *);
static tt_status counted_alloc(tt_device *device, void *out, size_t bytes, const char *what) {
    if (strstr(what, "moment")) moment_bytes += bytes;
    return device_alloc(device, out, bytes, what);
}

typedef struct world {
    tt_comm *comm;
    tt_device *device;
    tt_tokenizer *tokenizer;
    tt_dataset dataset;
    int32_t examples[PAIRS];
    bool exact; // every sum over ranks has one order
} world;

static tt_status make_dataset(world *w) {
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < PAIRS; ++i) {
        int32_t ids[2][24];
        int n[2];
        for (int side = 0; side < 2; ++side) {
            n[side] = 3 + (int)tt_rng_below(&rng, 15);
            for (int t = 0; t < n[side]; ++t)
                ids[side][t] = t == n[side] - 1 ? TT_EOS : 3 + (int)tt_rng_below(&rng, 45);
        }
        TT_TRY(tt_dataset_add_ids(&w->dataset, ids[0], n[0], ids[1], n[1]));
        w->examples[i] = i;
    }
    return TT_OK;
}

static tt_model_config shape_of(int scale) {
    return (tt_model_config){.vocab_size = 96,
        .d_model = 20 * scale,
        .d_kv = 5 * scale,
        .d_ff = 37 * scale,
        .num_layers = 2,
        .num_decoder_layers = 2,
        .num_heads = 4,
        .relative_attention_num_buckets = 8,
        .relative_attention_max_distance = 16,
        .dropout_rate = 0.1f,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1,
        .tie_word_embeddings = true,
        .scale_decoder_outputs = true};
}

static tt_training_config settings(int zero) {
    return (tt_training_config){.accumulate = 2,
        .zero = zero,
        .learning_rate = 3e-3,
        .schedule = "constant",
        .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
        .weight_decay = 0.01,
        .clip = 0.5,
        .dropout = -1};
}

typedef struct trained {
    tt_model *model;
    tt_trainer trainer;
    double norms[STEPS];
} trained;

static tt_status open_student(world *w, int scale, int zero, trained *t) {
    const tt_model_config shape = shape_of(scale);
    const tt_training_config config = settings(zero);
    *t = (trained){0};
    TT_TRY(tt_model_open(&t->model, &shape, w->device));
    TT_TRY(tt_model_init(t->model, TT_INIT_T5, 2));
    return tt_trainer_open(&t->trainer, t->model, w->comm, &(tt_trainer_options){&config, 1, STEPS});
}

static void close_student(trained *t) {
    tt_trainer_close(&t->trainer);
    tt_model_close(t->model);
}

// Steps, one of them with a gradient that is not finite.
static tt_status train(world *w, trained *t) {
    static double infinite[PAIRS];
    for (int i = 0; i < PAIRS; ++i) infinite[i] = INFINITY;
    for (int step = 0; step < STEPS; ++step) {
        const uint64_t before = tt_hash(t->model->w, t->model->size * sizeof(float));
        const tt_global_batch batch = {.dataset = &w->dataset,
            .examples = w->examples,
            .n = PAIRS,
            .stage = "pairs",
            .scale = step == POISONED ? infinite : NULL};
        tt_step_report report;
        TT_TRY(tt_trainer_step(&t->trainer, &batch, &report));
        t->norms[step] = report.norm;
        const bool same = before == tt_hash(t->model->w, t->model->size * sizeof(float));
        if (report.skipped != (step == POISONED) || same != (step == POISONED))
            return WRONG("step %d: skipped %d, weights unchanged %d", step, report.skipped, same);
    }
    return t->trainer.optimizer.updates == STEPS - 1
               ? TT_OK
               : WRONG("%lld updates", (long long)t->trainer.optimizer.updates);
}

// `size` numbers are the same, or nearly where sums have several orders.
static tt_status compare(const world *w, const char *what, const float *a, const float *b, size_t size) {
    double apart = 0, norm = 0;
    if (memcmp(a, b, size * sizeof *a) == 0) return TT_OK;
    for (size_t i = 0; i < size; ++i) {
        apart += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    if (!w->exact && sqrt(apart) <= 1e-5 * sqrt(norm)) return TT_OK;
    return WRONG("%s: %g apart, norm %g", what, sqrt(apart), sqrt(norm));
}

static tt_status same_bits_everywhere(const world *w, const tt_model *model) {
    const uint64_t mine = tt_hash(model->w, model->size * sizeof(float));
    uint64_t first = mine;
    TT_TRY(tt_comm_broadcast(w->comm, &first, sizeof first, 0));
    return first == mine ? TT_OK : WRONG("other weights than rank 0");
}

static tt_status save(world *w, trained *t, const char *path) {
    tt_optimizer *o = &t->trainer.optimizer;
    tt_status status = TT_OK;
    if (w->comm->rank == 0)
        status = tt_checkpoint_save(path, &(tt_checkpoint_write){.model = t->model,
                                              .tokenizer = w->tokenizer,
                                              .moments = tt_moments_source(o),
                                              .state = "{}"});
    if (o->comm) TT_TRY(w->comm->rank == 0 ? tt_moments_end(o) : tt_moments_serve(o));
    return tt_comm_agree(w->comm, status);
}

static tt_status same_file(const world *w, const char *a, const char *b) {
    char *bytes[2] = {NULL, NULL};
    size_t n[2];
    if (w->comm->rank != 0) return TT_OK;
    TT_TRY(tt_read_file(a, (size_t)1 << 30, &bytes[0], &n[0]));
    TT_TRY(tt_read_file(b, (size_t)1 << 30, &bytes[1], &n[1]));
    const bool same = n[0] == n[1] && memcmp(bytes[0], bytes[1], n[0]) == 0;
    free(bytes[0]);
    free(bytes[1]);
    return same ? TT_OK : WRONG("%s and %s differ", a, b);
}

// A student, divided or not, with what the file says: against all of it.
static tt_status check_resumed(world *w, const char *path, int zero, const float *m, const float *v) {
    tt_checkpoint c;
    TT_TRY(tt_checkpoint_load(&c, path, w->device));
    const tt_training_config config = settings(zero);
    tt_trainer trainer;
    TT_TRY(tt_trainer_open(&trainer, c.model, w->comm, &(tt_trainer_options){&config, 1, STEPS}));
    const tt_optimizer *o = &trainer.optimizer;
    TT_TRY(tt_moments_load(&trainer.optimizer, &c));
    const size_t bytes = o->shard.n * sizeof *m;
    if (memcmp(o->m, m + o->shard.begin, bytes) != 0 || memcmp(o->v, v + o->shard.begin, bytes) != 0)
        return WRONG("zero %d: other moments than the file's", zero);
    tt_trainer_close(&trainer);
    tt_checkpoint_close(&c);
    return TT_OK;
}

static tt_status read_moments(world *w, const char *path, float **m, float **v) {
    tt_checkpoint c;
    TT_TRY(tt_checkpoint_load(&c, path, w->device));
    TT_TRY(tt_alloc(m, c.model->size, sizeof **m, "test"));
    TT_TRY(tt_alloc(v, c.model->size, sizeof **v, "test"));
    TT_TRY(tt_checkpoint_moments(&c, TT_MOMENT_M, 0, c.model->size, *m));
    TT_TRY(tt_checkpoint_moments(&c, TT_MOMENT_V, 0, c.model->size, *v));
    tt_checkpoint_close(&c);
    return TT_OK;
}

static tt_status check_training(world *w) {
    trained plain, divided;
    float *m[2], *v[2];
    TT_TRY(open_student(w, 1, 0, &plain));
    moment_bytes = 0;
    TT_TRY(open_student(w, 1, 1, &divided));
    const tt_optimizer *o = &divided.trainer.optimizer;
    const size_t size = plain.model->size,
                 most = (size + (size_t)w->comm->size - 1) / (size_t)w->comm->size + 64;
    if (moment_bytes != 2 * o->shard.n * sizeof(float) || o->shard.n > most)
        return WRONG("%zu bytes of moments for %zu of %zu elements", moment_bytes, o->shard.n, size);
    TT_TRY(train(w, &plain));
    TT_TRY(train(w, &divided));
    TT_TRY(same_bits_everywhere(w, divided.model));
    TT_TRY(compare(w, "weights", divided.model->w, plain.model->w, size));
    for (int i = 0; i < STEPS; ++i)
        if (i != POISONED && !(fabs(divided.norms[i] - plain.norms[i]) <= 1e-6 * plain.norms[i]))
            return WRONG("step %d: norm %.17g, expected %.17g", i, divided.norms[i], plain.norms[i]);
    TT_TRY(save(w, &plain, "plain.h5"));
    TT_TRY(save(w, &divided, "divided.h5"));
    if (w->exact) TT_TRY(same_file(w, "plain.h5", "divided.h5"));
    TT_TRY(read_moments(w, "plain.h5", &m[0], &v[0]));
    TT_TRY(read_moments(w, "divided.h5", &m[1], &v[1]));
    TT_TRY(compare(w, "first moment", m[1], m[0], size));
    TT_TRY(compare(w, "second moment", v[1], v[0], size));
    for (int zero = 0; zero < 2; ++zero) TT_TRY(check_resumed(w, "divided.h5", zero, m[1], v[1]));
    const tt_status refused = save(w, &divided, "nowhere/divided.h5");
    if (refused != TT_ERR_IO) return WRONG("saving to nowhere: status %d", refused);
    tt_comm_go_on(w->comm);
    TT_TRY(save(w, &divided, "divided.h5")); // the ranks are still in step
    for (int i = 0; i < 2; ++i) free(m[i]), free(v[i]);
    close_student(&plain);
    close_student(&divided);
    return TT_OK;
}

// More elements than a piece has.
static tt_status check_memory(world *w) {
    trained t;
    float *m, *v;
    TT_TRY(open_student(w, 20, 1, &t));
    tt_optimizer *o = &t.trainer.optimizer;
    if (t.model->size <= TT_H5_PIECE + TT_H5_PIECE / 8) return WRONG("%zu elements", t.model->size);
    for (size_t i = 0; i < o->shard.n; ++i) {
        o->m[i] = (float)((o->shard.begin + i) % 8191) * 0x1p-10f;
        o->v[i] = (float)((o->shard.begin + i) % 127);
    }
    largest = 0;
    TT_TRY(save(w, &t, "large.h5"));
    const size_t piece = TT_H5_PIECE * sizeof(float);
    if (largest > piece + 64 || (w->comm->rank == 0 && largest < piece / 2))
        return WRONG("a block of %zu bytes to write a checkpoint", largest);
    TT_TRY(read_moments(w, "large.h5", &m, &v));
    for (size_t i = 0; i < t.model->size; ++i)
        if (m[i] != (float)(i % 8191) * 0x1p-10f || v[i] != (float)(i % 127))
            return WRONG("element %zu of a large checkpoint", i);
    tt_checkpoint c;
    TT_TRY(tt_checkpoint_load(&c, "large.h5", w->device));
    largest = 0;
    TT_TRY(tt_moments_load(o, &c));
    if (largest > piece) return WRONG("a block of %zu bytes to read moments", largest);
    tt_checkpoint_close(&c);
    free(m);
    free(v);
    close_student(&t);
    return TT_OK;
}

static tt_status check_all(world *w, bool memory_too) {
    static tt_memory memory;
    TT_TRY(tt_device_open(&w->device, "cpu", TT_FP32, 1));
    memory = *w->device->memory;
    device_alloc = memory.alloc;
    memory.alloc = counted_alloc;
    w->device->memory = &memory;
    TT_TRY(tt_tokenizer_load(&w->tokenizer, "data/tokenizer.model", 0));
    TT_TRY(make_dataset(w));
    TT_TRY(check_training(w));
    if (memory_too) TT_TRY(check_memory(w));
    tt_dataset_close(&w->dataset);
    tt_tokenizer_close(w->tokenizer);
    tt_device_close(w->device);
    return TT_OK;
}

int main(int argc, char **argv) {
    world w = {0};
    tt_status status = tt_comm_open(&w.comm);
    if (status == TT_OK) {
        w.exact = w.comm->size <= 2 || strcmp(w.comm->transport, "tcp") == 0;
        status = check_all(&w, argc > 1 && strcmp(argv[1], "memory") == 0);
        tt_comm_close(w.comm, status);
    }
    if (status != TT_OK) tt_error("%s", tt_error_message());
    return tt_status_exit(status);
}
