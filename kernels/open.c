// Which device a name means, and in which precision it computes.
#include "host/base/memory.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cuda/cuda.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Each operation's place in the table.
static const struct {
    const char *name;
    size_t offset;
} operations[] = {
#define ROW(name) {#name, offsetof(tt_ops, name)},
    TT_OPS_MAP(ROW)
#undef ROW
};
enum { OPERATIONS = sizeof operations / sizeof *operations };
typedef void function(void);
static_assert(OPERATIONS * sizeof(function *) == sizeof(tt_ops), "TT_OPS_MAP lists all members of tt_ops");

const char *tt_ops_missing(const tt_ops *ops) {
    for (int i = 0; i < OPERATIONS; ++i) {
        function *operation;
        memcpy(&operation, (const char *)ops + operations[i].offset, sizeof operation);
        if (!operation) return operations[i].name;
    }
    return NULL;
}

static tt_status check_operations(const tt_device *device) {
    const char *missing = tt_ops_missing(device->ops);
    if (!missing) return TT_OK;
    return tt_fail(TT_ERR_INTERNAL, "device %s: its table of operations lacks %s", device->name, missing);
}

static tt_status open_cuda(tt_device *device, bool asked) {
    char why[TT_CUDA_WHY_SIZE];
    if (!tt_cuda_available(why)) {
        if (!asked) return TT_ERR_UNSUPPORTED;
        return tt_fail(TT_ERR_UNSUPPORTED, "device cuda: %s; use device: auto or cpu", why);
    }
    return tt_cuda_open(device);
}

// A switch of the environment: 0 or 1; *out is kept where it is not set.
static tt_status read_switch(const char *name, bool *out) {
    const char *value = getenv(name);
    if (!value || !*value) return TT_OK;
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return tt_fail(TT_ERR_CONFIG, "%s=%s: expected 0 or 1", name, value);
    *out = *value == '1';
    return TT_OK;
}

tt_status tt_device_open(tt_device **out, const char *name, tt_precision precision, int threads) {
    *out = NULL;
    const bool any = strcmp(name, "auto") == 0, cuda = strcmp(name, "cuda") == 0;
    if (!any && !cuda && strcmp(name, "cpu") != 0)
#define WORD(word) ", " word
        return tt_fail(TT_ERR_CONFIG, "unknown device '%s'; allowed are %s", name, &TT_DEVICE_MAP(WORD)[2]);
#undef WORD
    tt_device *device;
    TT_TRY(tt_alloc(&device, 1, sizeof *device, "device"));
    device->operand_size = sizeof(float);
    device->precision = tt_precision_resolve(precision, true);
    tt_status status = any || cuda ? open_cuda(device, cuda) : TT_ERR_UNSUPPORTED;
    if (status == TT_ERR_UNSUPPORTED && !cuda) {
        device->precision = precision;
        status = tt_cpu_open(device, threads);
    }
    if (status != TT_OK) {
        free(device);
        return status;
    }
    status = check_operations(device);
    if (status != TT_OK) {
        tt_device_close(device);
        return status;
    }
    bool record = true, give_way = true;
    status = read_switch("TT_RECORD", &record);
    if (status == TT_OK) status = read_switch("TT_GIVE_WAY", &give_way);
    if (!give_way) tt_cpu_team_set(INT_MAX);
    if (status == TT_OK) status = read_switch("TT_POISON", &device->poison);
    device->plain = !record;
    if (status != TT_OK) {
        tt_device_close(device);
        return status;
    }
    *out = device;
    return TT_OK;
}
