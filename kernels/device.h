// A compute device: where tensors live and which table of operations works on them.
#ifndef TT_KERNELS_DEVICE_H
#define TT_KERNELS_DEVICE_H

#include "host/base/status.h"
#include "kernels/tally.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_precision {
    TT_FP32, // matrix products in fp32
    TT_BF16, // inputs of matrix products in bf16, fp32 accumulation; residual stream and sums stay fp32
    TT_PRECISION_AUTO // tt_device_open chooses: bf16 on devices that are fast in it, else fp32
} tt_precision;

// Their names in configurations and commands.
#define TT_PRECISION_MAP(X) X(TT_PRECISION_AUTO, "auto") X(TT_FP32, "fp32") X(TT_BF16, "bf16")
#define TT_PRECISION_WORD(code, word) "|" word
#define TT_PRECISION_WORDS (&TT_PRECISION_MAP(TT_PRECISION_WORD)[1]) // "auto|fp32|bf16"

// What they call devices.
#define TT_DEVICE_MAP(X) X("auto") X("cpu") X("cuda")
#define TT_DEVICE_WORD(word) "|" word
#define TT_DEVICE_WORDS (&TT_DEVICE_MAP(TT_DEVICE_WORD)[1]) // "auto|cpu|cuda"

const char *tt_precision_name(tt_precision precision); // "auto", "fp32" or "bf16"
// What TT_PRECISION_AUTO stands for on a GPU, or on this CPU; any other precision stands for itself.
tt_precision tt_precision_resolve(tt_precision precision, bool cuda);
// Errors: TT_ERR_USAGE for any other word; the message lists the allowed ones.
tt_status tt_precision_parse(tt_precision *out, const char *word) TT_MUST_CHECK;

struct tt_ops;
struct tt_recording;

typedef struct tt_device {
    const struct tt_ops *ops;
    const struct tt_memory *memory; // private: the functions below call it
    const char *name;               // "cpu", "cuda"
    tt_precision precision;
    size_t operand_size; // bytes of what matrix products read and write: 4, or 2 (bf16)
    int threads;         // of the CPU device
    size_t
        busy_elements; // of a product's result, or of a batch's, that the device makes at once; 0: nothing is gained by batches
    bool plain;     // recordings are switched off, e.g. while operations are timed
    bool poison;    // tt_device_discard fills memory with NaN
    bool recording; // between tt_device_record and tt_device_recorded
    int recordings; // number of open recordings
    void *scratch;  // see tt_device_scratch
    size_t scratch_bytes;
    void **outgrown; // smaller scratch memory of before: open recordings may contain its address
    size_t n_outgrown, outgrown_capacity;
    tt_tally tally; // of all memory below, and of what libraries need
    void *state;    // private to the implementation
} tt_device;

// How a device allocates and copies memory; one table per implementation. Sizes in bytes.
typedef struct tt_memory {
    tt_status (*alloc)(tt_device *, void *out, size_t bytes, const char *what); // zeroed
    void (*free)(tt_device *, void *memory);
    bool host; // the host reads and writes it, too
    tt_status (*upload)(tt_device *, void *to, const void *from_host, size_t bytes);
    tt_status (*download)(tt_device *, void *to_host, const void *from, size_t bytes);
    tt_status (*fetch)(tt_device *, void *to_host, const void *from, size_t bytes);
    tt_status (*copy)(tt_device *, void *to, const void *from, size_t bytes);
    tt_status (*zero)(tt_device *, void *memory, size_t bytes);
    tt_status (*discard)(tt_device *, void *memory, size_t bytes);
    tt_status (*wait)(tt_device *); // until everything is done
    void (*close)(tt_device *);     // releases state
    // Recordings; NULL where the device does not support them.
    tt_status (*record)(tt_device *);
    tt_status (*recorded)(tt_device *, struct tt_recording **);
    tt_status (*replay)(tt_device *, struct tt_recording *);
    void (*forget)(tt_device *, struct tt_recording *);
} tt_memory;

// Opens "auto" (cuda if this build and machine have it, else cpu), "cpu" or "cuda". threads 0 = OpenMP's
// default. Errors: TT_ERR_UNSUPPORTED for a device or a precision that this build or machine lacks;
// TT_ERR_CONFIG for an unknown name. The caller closes it.
tt_status tt_device_open(
    tt_device **out, const char *name, tt_precision precision, int threads) TT_MUST_CHECK;
void tt_device_close(tt_device *device);

// Device memory, 64-byte aligned and zeroed; released with tt_device_free.
tt_status tt_device_alloc(
    tt_device *device, void *out, size_t count, size_t size, const char *what) TT_MUST_CHECK;
void tt_device_free(tt_device *device, void *memory);
// Uploads have read from_host when they return. Downloads have written to_host, and report errors that
// earlier operations found in their data (see kernels/ops.h). Copies and zeroing run in order with the
// operations. Sizes in bytes.
tt_status tt_device_upload(tt_device *device, void *to, const void *from_host, size_t bytes) TT_MUST_CHECK;
tt_status tt_device_download(tt_device *device, void *to_host, const void *from, size_t bytes) TT_MUST_CHECK;
// Whether the host may read and write device memory in place, while no operation runs: downloads and uploads only copy then.
bool tt_device_is_host(const tt_device *device);
// A download that makes nobody wait: to_host is written by the next tt_device_download or tt_device_wait at the
// latest and must exist until then.
tt_status tt_device_fetch(tt_device *device, void *to_host, const void *from, size_t bytes) TT_MUST_CHECK;
tt_status tt_device_copy(tt_device *device, void *to, const void *from, size_t bytes) TT_MUST_CHECK;
tt_status tt_device_zero(tt_device *device, void *memory, size_t bytes) TT_MUST_CHECK;

// Declares the contents of memory undefined: it must be written before it is read again. Costs nothing,
// unless TT_POISON=1 is set in the environment: then the memory is filled with bytes that are NaN in fp32 and
// bf16, so that a read before the next write shows in the results. tests/cusim names the kernel, thread and
// line of such a read.
tt_status tt_device_discard(tt_device *device, void *memory, size_t bytes) TT_MUST_CHECK;

// Waits until the device has finished all operations and copies. Errors: TT_ERR_DEVICE.
tt_status tt_device_wait(tt_device *device) TT_MUST_CHECK;

// A recorded sequence of operations that is replayed by one call (a CUDA graph): for devices on which
// starting a small operation takes longer than running it. A replay repeats the same calls with the same
// pointers and numbers, on whatever the memory contains by then.
//
// Between tt_device_record and tt_device_recorded, operations are recorded and not run. They must have run
// before in the same sizes, since a recording cannot allocate; uploads, downloads and waits are not allowed
// meanwhile.
typedef struct tt_recording tt_recording;

// Whether the device supports recordings. The CPU device does not; TT_RECORD=0 in the environment turns them
// off.
bool tt_device_records(const tt_device *device);
tt_status tt_device_record(tt_device *device) TT_MUST_CHECK;
// Ends the recording; must be called even if an operation failed. Release *out with tt_recording_close.
tt_status tt_device_recorded(tt_device *device, tt_recording **out) TT_MUST_CHECK;
tt_status tt_device_replay(tt_device *device, tt_recording *recording) TT_MUST_CHECK;
void tt_recording_close(tt_device *device, tt_recording *recording);

// Working memory of one operation, valid until the next call on this device; its contents are undefined
// (tt_device_discard). It grows as needed and is kept, so that a steady state allocates nothing; memory that
// a recording uses stays until that is closed. NULL (message set) when memory runs out, or when it would have
// to grow during a recording.
void *tt_device_scratch(tt_device *device, size_t bytes);

// The address of element `n` of the operands at `at`.
static inline void *tt_operand_at(const tt_device *device, const void *at, size_t n) {
    return (char *)at + n * device->operand_size;
}

// The CPU's instruction set that the kernels use: "avx512", "avx2", "sse2", "neon" or "generic".
const char *tt_cpu_isa(void);

// Whether this CPU has bf16 products: fast with instructions for them (AVX512-BF16, AMX), slow where oneDNN
// emulates them.
typedef enum tt_bf16_support { TT_BF16_NONE, TT_BF16_SLOW, TT_BF16_FAST } tt_bf16_support;
// What this CPU and the oneDNN of this build offer, within TT_MAX_CPU_ISA.
tt_bf16_support tt_cpu_bf16(void);

#ifdef __cplusplus
}
#endif

#endif
