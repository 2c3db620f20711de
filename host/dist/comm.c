#include "host/dist/comm.h"

#include "host/base/cores.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/dist/transport.h"
#include "kernels/bf16.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tt_status tt_comm_split(tt_comm *comm, int group, tt_comm **out) {
    *out = NULL;
    tt_comm *part;
    TT_TRY(tt_alloc(&part, 1, sizeof *part, "ranks"));
    tt_status status = comm->methods->split(comm, group, part);
    if (status != TT_OK)
        free(part);
    else
        *out = part;
    return status;
}

int tt_comm_threads(const tt_comm *comm, int64_t wanted) {
    if (wanted > 0) return tt_cores_limit((int)wanted, "threads");
    if ((comm->size == 1 && comm->local_size == 1) || getenv("OMP_NUM_THREADS")) return tt_cores_threads();
    int share = tt_cores_machine() / comm->local_size;
    if (tt_cores() < share) {
        tt_warn("each rank is bound to %d of %d cores and computes with as many threads; with mpirun "
                "--bind-to none it would take %d",
            tt_cores(), tt_cores_machine(), share);
        share = tt_cores();
    }
    return share > 1 ? share : 1;
}

// After a collective has failed, the ranks may be at different ones: another would match the wrong messages, or wait for
// ranks that have gone.
static tt_status check(const tt_comm *comm) {
    return *comm->broken ? tt_fail(TT_ERR_DIST, "%s", comm->broken) : TT_OK;
}

static tt_status remember(tt_comm *comm, tt_status status) {
    if (status == TT_ERR_DIST && !*comm->broken)
        snprintf(comm->broken, sizeof comm->broken, "%s", tt_error_message());
    return status;
}

tt_status tt_comm_sum_f32(tt_comm *comm, float *x, size_t n) {
    TT_TRY(check(comm));
    return remember(comm, comm->methods->sum(comm, x, n, TT_SUM_F32, TT_ALL_RANKS));
}
tt_status tt_comm_sum_f32_to(tt_comm *comm, float *x, size_t n, int root) {
    TT_TRY(check(comm));
    return remember(comm, comm->methods->sum(comm, x, n, TT_SUM_F32, root));
}
tt_status tt_comm_sum_bf16_to(tt_comm *comm, uint16_t *x, size_t n, int root) {
    TT_TRY(check(comm));
    return remember(comm, comm->methods->sum(comm, x, n, TT_SUM_BF16, root));
}
tt_status tt_comm_sum_f64(tt_comm *comm, double *x, size_t n) {
    TT_TRY(check(comm));
    return remember(comm, comm->methods->sum(comm, x, n, TT_SUM_F64, TT_ALL_RANKS));
}
void tt_add_bf16(uint16_t *to, const uint16_t *from, size_t n) {
    enum { BLOCK = 512 };
    float a[BLOCK], b[BLOCK];
    for (size_t done = 0; done < n; done += BLOCK) {
        const int64_t part = n - done < BLOCK ? (int64_t)(n - done) : BLOCK;
        tt_float_from_bf16(part, a, to + done);
        tt_float_from_bf16(part, b, from + done);
        for (int64_t i = 0; i < part; ++i) a[i] += b[i];
        tt_bf16_from_float(part, to + done, a);
    }
}
tt_status tt_comm_max_i64(tt_comm *comm, int64_t *x, size_t n) {
    TT_TRY(check(comm));
    return remember(comm, comm->methods->max_i64(comm, x, n));
}
tt_status tt_comm_broadcast(tt_comm *comm, void *bytes, size_t n, int root) {
    TT_TRY(check(comm));
    return remember(comm, comm->methods->broadcast(comm, bytes, n, root));
}
tt_status tt_comm_gather(tt_comm *comm, const void *bytes, size_t n, char **all, size_t *sizes) {
    *all = NULL;
    TT_TRY(check(comm));
    return remember(comm, comm->methods->gather(comm, bytes, n, all, sizes));
}
tt_status tt_comm_gather_equal(tt_comm *comm, const void *mine, size_t n, void *out) {
    char *all = NULL;
    size_t *sizes;
    TT_TRY(tt_alloc(&sizes, (size_t)comm->size, sizeof *sizes, "ranks"));
    tt_status status = tt_comm_gather(comm, mine, n, &all, sizes);
    for (int r = 0; status == TT_OK && comm->rank == 0 && r < comm->size; ++r)
        if (sizes[r] != n)
            status = tt_fail(TT_ERR_DIST,
                "rank %d sent %zu bytes, rank 0 expected %zu; do all ranks run the same version?", r,
                sizes[r], n);
    if (status == TT_OK && comm->rank == 0) memcpy(out, all, (size_t)comm->size * n);
    free(sizes);
    free(all);
    return status;
}
tt_status tt_comm_barrier(tt_comm *comm) {
    TT_TRY(check(comm));
    return remember(comm, comm->methods->barrier(comm));
}

tt_status tt_comm_agree(tt_comm *comm, tt_status mine) {
    if (comm->size == 1) return mine;
    // The lowest failed rank has the highest mark.
    int64_t mark = mine == TT_OK ? 0 : comm->size - comm->rank;
    TT_TRY(tt_comm_max_i64(comm, &mark, 1));
    if (mark == 0) return TT_OK;
    if (mark < 0 || mark > comm->size)
        return tt_fail(TT_ERR_DIST, "ranks agree on rank %lld of %d; do all run the same version?",
            (long long)(comm->size - mark), comm->size);
    const int first = comm->size - (int)mark;
    struct {
        tt_status status;
        char text[1024];
    } news = {.status = mine};
    snprintf(news.text, sizeof news.text, "%s", tt_error_message());
    TT_TRY(tt_comm_broadcast(comm, &news, sizeof news, first));
    news.text[sizeof news.text - 1] = 0;
    comm->agreed = true;
    if (news.status <= TT_OK || news.status > TT_ERR_INTERNAL) news.status = TT_ERR_DIST; // another version's
    return comm->rank == first ? mine : tt_fail(news.status, "rank %d: %s", first, news.text);
}

void tt_comm_go_on(tt_comm *comm) {
    comm->agreed = false;
}
