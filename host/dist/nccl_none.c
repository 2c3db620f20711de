// The build without NCCL: gradients of GPUs are summed through host memory.
#include "host/dist/nccl.h"

tt_status tt_nccl_open(tt_nccl **out, tt_comm *comm) {
    (void)comm;
    *out = NULL;
    return TT_OK;
}
void tt_nccl_close(tt_nccl *nccl, bool failed) {
    (void)nccl, (void)failed;
}
tt_status tt_nccl_sum(tt_nccl *nccl, tt_device *device, const tt_nccl_work *work) {
    (void)nccl, (void)device, (void)work;
    return tt_fail(TT_ERR_INTERNAL, "this build has no NCCL");
}
tt_status tt_nccl_broadcast(tt_nccl *nccl, tt_device *device, float *x, size_t n, int root) {
    (void)nccl, (void)device, (void)x, (void)n, (void)root;
    return tt_fail(TT_ERR_INTERNAL, "this build has no NCCL");
}
tt_status tt_nccl_finish(tt_nccl *nccl, tt_device *device, double seconds) {
    (void)nccl, (void)device, (void)seconds;
    return tt_fail(TT_ERR_INTERNAL, "this build has no NCCL");
}
double tt_nccl_waited(const tt_nccl *nccl) {
    (void)nccl;
    return 0;
}
void tt_nccl_abandon(tt_nccl *nccl) {
    (void)nccl;
}
