#include "host/train/moments.h"

// What rank 0 asks all ranks for; n 0: nothing more.
typedef struct request {
    uint64_t which, from, n;
} request;

static float *moment_of(const tt_optimizer *o, tt_moment which) {
    return which == TT_MOMENT_M ? o->m : o->v;
}

static tt_status answer(tt_optimizer *o, const request *r, float *out) {
    return tt_shard_fetch(o->comm, o->model->device, moment_of(o, (tt_moment)r->which),
        tt_model_trained(o->model).size, (tt_shard){(size_t)r->from, (size_t)r->n}, out);
}

static tt_status ask_ranks(void *self, tt_moment which, size_t from, size_t n, float *out) {
    tt_optimizer *o = self;
    request r = {which, from, n};
    TT_TRY(tt_comm_broadcast(o->comm, &r, sizeof r, 0));
    return answer(o, &r, out);
}

static tt_status read_own(void *self, tt_moment which, size_t from, size_t n, float *out) {
    const tt_optimizer *o = self;
    return tt_device_download(o->model->device, out, moment_of(o, which) + from, n * sizeof *out);
}

tt_moment_source tt_moments_source(tt_optimizer *o) {
    return (tt_moment_source){o, o->comm ? ask_ranks : read_own};
}

tt_status tt_moments_serve(tt_optimizer *o) {
    for (;;) {
        request r = {0};
        TT_TRY(tt_comm_broadcast(o->comm, &r, sizeof r, 0));
        if (r.n == 0) return TT_OK;
        const size_t size = tt_model_trained(o->model).size;
        if (r.which >= TT_MOMENTS || r.from > size || r.n > size - r.from)
            return tt_fail(TT_ERR_DIST,
                "rank 0 asks for %llu elements from %llu of %zu; do all ranks run the same version?",
                (unsigned long long)r.n, (unsigned long long)r.from, size);
        TT_TRY(answer(o, &r, NULL));
    }
}

tt_status tt_moments_end(tt_optimizer *o) {
    return tt_comm_broadcast(o->comm, &(request){0}, sizeof(request), 0);
}

tt_status tt_moments_load(tt_optimizer *o, const tt_checkpoint *checkpoint) {
    const size_t size = tt_model_trained(o->model).size;
    if (checkpoint->moment_size != size)
        return tt_fail(TT_ERR_FORMAT, "the checkpoint has moments of %zu elements, but %zu are trained",
            checkpoint->moment_size, size);
    for (int i = 0; i < TT_MOMENTS; ++i) {
        const tt_moment which = (tt_moment)i;
        TT_TRY(tt_checkpoint_moments(checkpoint, which, o->shard.begin, o->shard.n, moment_of(o, which)));
    }
    return TT_OK;
}
