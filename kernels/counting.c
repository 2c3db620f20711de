#include "kernels/counting.h"

#include "host/base/memory.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cuda/scratch.h"

#include <stdlib.h>
#include <string.h>

enum { TOKEN_BLOCKS = 8, PROCESSORS = 132 }; // of an H100

typedef struct counting {
    tt_device device; // first: tt_device_close frees its address
    tt_counting options;
    tt_counting_texts texts;
    uintptr_t next;                   // address of the next block
    const void *tokens[TOKEN_BLOCKS]; // blocks that tokens were written to, the latest ones
    int n_tokens;                     // so far
    const void *best;                 // block that beam_step wrote to, for so many beams
    int beams;
    uint64_t drawn;
    void *products; // CUDA: working memory of matrix products
} counting;

static counting *of(const tt_device *device) {
    return (counting *)device;
}

// ---- memory

static tt_status memory_alloc(tt_device *device, void *out, size_t bytes, const char *what) {
    enum { ALIGNMENT = 256 };
    (void)what;
    counting *c = of(device);
    *(void **)out = (void *)c->next; // NOLINT(performance-no-int-to-ptr): nobody reads there
    c->next += (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    return TT_OK;
}

static void memory_free(tt_device *device, void *memory) {
    (void)device, (void)memory;
}

static tt_status do_nothing(tt_device *device, void *to, const void *from, size_t bytes) {
    (void)device, (void)to, (void)from, (void)bytes;
    return TT_OK;
}

static uint32_t draw(counting *c, int below) {
    c->drawn = c->drawn * 6364136223846793005u + 1442695040888963407u; // Knuth's MMIX generator
    return (uint32_t)((c->drawn >> 33) % (uint64_t)below);
}

static int32_t draw_token(counting *c) {
    const tt_counting_texts *t = &c->texts;
    return draw(c, t->length) == 0 ? t->end : t->words[draw(c, t->n)];
}

// Each text goes on in its own slot, until its length ends it.
static void write_candidates(counting *c, tt_beam_candidate *out, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        const int place = (int)(i % (2 * (size_t)c->beams));
        out[i] = (tt_beam_candidate){.parent = place % c->beams,
            .token = c->texts.words[draw(c, c->texts.n)],
            .slot = place < c->beams ? place : -1};
    }
}

static tt_status memory_download(tt_device *device, void *to_host, const void *from, size_t bytes) {
    counting *c = of(device);
    const void *block = tt_tally_find(&device->tally, from);
    memset(to_host, 0, bytes);
    if (block && block == c->best) write_candidates(c, to_host, bytes / sizeof(tt_beam_candidate));
    for (int i = 0; i < TOKEN_BLOCKS && block; ++i) {
        if (c->tokens[i] != block) continue;
        for (size_t t = 0; t < bytes / sizeof(int32_t); ++t) ((int32_t *)to_host)[t] = draw_token(c);
        break;
    }
    return TT_OK;
}

static tt_status memory_keep(tt_device *device, void *memory, size_t bytes) {
    (void)device, (void)memory, (void)bytes;
    return TT_OK;
}

static tt_status memory_wait(tt_device *device) {
    (void)device;
    return TT_OK;
}

static void close_device(tt_device *device) {
    if (!of(device)->options.cuda) tt_cpu_gemm_close(device);
    tt_device_free(device, of(device)->products);
}

static tt_status device_record(tt_device *device) {
    (void)device;
    return TT_OK;
}

static tt_status device_recorded(tt_device *device, tt_recording **out) {
    (void)device;
    return tt_alloc(out, 1, 1, "recording");
}

static tt_status device_replay(tt_device *device, tt_recording *recording) {
    (void)device, (void)recording;
    return TT_OK;
}

static void device_forget(tt_device *device, tt_recording *recording) {
    (void)device;
    free(recording);
}

// ---- operations

static tt_status take(tt_device *device, size_t bytes) {
    if (bytes == 0) return TT_OK;
    return tt_device_scratch(device, bytes) ? TT_OK : TT_ERR_NOMEM;
}

static tt_status count_gemm(tt_device *device, const tt_gemm *p) {
    counting *c = of(device);
    if (!c->options.cuda) return tt_cpu_gemm_reserve(device, p);
    if (c->products) return TT_OK;
    return tt_device_alloc(device, &c->products, tt_cuda_gemm_workspace, 1, "workspace of gemm");
}

static tt_status count_embed_fwd(tt_device *device, const tt_embedding *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_embed_bwd(tt_device *device, const tt_embedding *p) {
    return take(device,
        of(device)->options.cuda ? tt_cuda_embed_bwd_scratch(p) : tt_cpu_embed_bwd_scratch(device, p));
}

static tt_status count_rmsnorm_fwd(tt_device *device, const tt_rmsnorm *p) {
    return take(device, of(device)->options.cuda ? 0 : tt_cpu_rmsnorm_fwd_scratch(device, p));
}

static tt_status count_rmsnorm_bwd(tt_device *device, const tt_rmsnorm *p) {
    return take(device,
        of(device)->options.cuda ? tt_cuda_rmsnorm_bwd_scratch(p) : tt_cpu_rmsnorm_bwd_scratch(device, p));
}

static tt_status count_rmsnorm_dw(tt_device *device, const tt_rmsnorm_sum *sums, int n, int d) {
    (void)device, (void)sums, (void)n, (void)d;
    return TT_OK;
}

static tt_status count_attention_fwd(tt_device *device, const tt_attention *p) {
    if (of(device)->options.cuda) return TT_OK;
    return take(device, tt_cpu_attention_fwd_scratch(device, p, p->longest_q, p->longest_kv));
}

static tt_status count_attention_bwd(tt_device *device, const tt_attention *p) {
    if (!of(device)->options.cuda)
        return take(device, tt_cpu_attention_bwd_scratch(device, p, p->longest_q, p->longest_kv));
    // Wide heads in fp32 need more shared memory for 64 rows than GPUs have.
    const bool halved = p->d_kv > 64 && device->operand_size == sizeof(float);
    return take(device, tt_cuda_attention_bwd_scratch(p, halved ? 32 : 64));
}

static tt_status count_attention_dbias(tt_device *device, const tt_attention *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_ffn(tt_device *device, const tt_ffn *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_lmhead(tt_device *device, const tt_lmhead *p, bool backward) {
    if (!of(device)->options.cuda) return tt_cpu_lmhead_reserve(device, p, backward);
    TT_TRY(take(device, tt_cuda_lmhead_scratch(device, p, backward)));
    return count_gemm(device, NULL);
}

static tt_status count_lmhead_fwd(tt_device *device, const tt_lmhead *p) {
    return count_lmhead(device, p, false);
}

static tt_status count_lmhead_bwd(tt_device *device, const tt_lmhead *p) {
    return count_lmhead(device, p, true);
}

static tt_status count_adamw(tt_device *device, const tt_adamw *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_square_sum(tt_device *device, double *sum, const float *x, int64_t n) {
    (void)sum, (void)x;
    return take(
        device, of(device)->options.cuda ? tt_cuda_square_sum_scratch(n) : tt_cpu_square_sum_scratch(n));
}

static tt_status count_scale(tt_device *device, float *x, int64_t n, float factor) {
    (void)device, (void)x, (void)n, (void)factor;
    return TT_OK;
}

static tt_status count_to_bf16(tt_device *device, uint16_t *out, const float *x, int64_t n) {
    (void)device, (void)out, (void)x, (void)n;
    return TT_OK;
}

static tt_status count_attention_decode(tt_device *device, const tt_attention_decode *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_enter(tt_device *device, const tt_enter *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_advance(tt_device *device, const tt_advance *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_sample(tt_device *device, const tt_sample *p) {
    counting *c = of(device);
    const void *block = tt_tally_find(&device->tally, p->token);
    bool known = false;
    for (int i = 0; i < TOKEN_BLOCKS; ++i) known |= c->tokens[i] == block;
    if (!known) c->tokens[c->n_tokens++ % TOKEN_BLOCKS] = block;
    return take(device, c->options.cuda ? 0 : tt_cpu_sample_scratch(device, p));
}

static tt_status count_log_softmax(tt_device *device, float *x, int rows, int n) {
    (void)device, (void)x, (void)rows, (void)n;
    return TT_OK;
}

static tt_status count_penalise(tt_device *device, const tt_penalise *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_top(tt_device *device, const tt_top *p) {
    (void)device, (void)p;
    return TT_OK;
}

static tt_status count_beam_step(tt_device *device, const tt_beam_step *p) {
    counting *c = of(device);
    c->best = tt_tally_find(&device->tally, p->best);
    c->beams = p->beams;
    return TT_OK;
}

static const tt_ops operations = {
    .embed_fwd = count_embed_fwd,
    .embed_bwd = count_embed_bwd,
    .rmsnorm_fwd = count_rmsnorm_fwd,
    .rmsnorm_bwd = count_rmsnorm_bwd,
    .rmsnorm_dw = count_rmsnorm_dw,
    .gemm = count_gemm,
    .attention_fwd = count_attention_fwd,
    .attention_bwd = count_attention_bwd,
    .attention_dbias = count_attention_dbias,
    .ffn_fwd = count_ffn,
    .ffn_bwd = count_ffn,
    .lmhead_fwd = count_lmhead_fwd,
    .lmhead_bwd = count_lmhead_bwd,
    .lmhead_fused = count_lmhead_bwd,
    .adamw = count_adamw,
    .square_sum = count_square_sum,
    .scale = count_scale,
    .to_bf16 = count_to_bf16,
    .attention_decode = count_attention_decode,
    .enter = count_enter,
    .advance = count_advance,
    .sample = count_sample,
    .log_softmax = count_log_softmax,
    .penalise = count_penalise,
    .top = count_top,
    .beam_step = count_beam_step,
};

#define MEMORY                                                                                               \
    .alloc = memory_alloc, .free = memory_free, .upload = do_nothing, .download = memory_download,           \
    .fetch = memory_download, .copy = do_nothing, .zero = memory_keep, .discard = memory_keep,               \
    .wait = memory_wait, .close = close_device

tt_status tt_counting_open(tt_device **out, const tt_counting *options) {
    static const tt_memory plain = {MEMORY};
    static const tt_memory recording = {MEMORY, .record = device_record, .recorded = device_recorded,
        .replay = device_replay, .forget = device_forget};
    counting *c;
    *out = NULL;
    const char *missing = tt_ops_missing(&operations);
    if (missing) return tt_fail(TT_ERR_INTERNAL, "the counting device has no operation %s", missing);
    TT_TRY(tt_alloc(&c, 1, sizeof *c, "device"));
    c->options = *options;
    c->texts = (tt_counting_texts){.n = 1, .length = 1};
    c->next = (uintptr_t)1 << 44; // far from what the process has
    c->device = (tt_device){.ops = &operations,
        .memory = options->cuda ? &recording : &plain,
        .name = "cpu",
        .precision = options->precision,
        .operand_size = options->precision == TT_BF16 ? 2 : sizeof(float),
        .threads = options->threads,
        .busy_elements = options->cuda ? tt_cuda_busy_elements(PROCESSORS) : 0};
    *out = &c->device;
    return TT_OK;
}

void tt_counting_write(tt_device *device, const tt_counting_texts *texts) {
    of(device)->texts = *texts;
}
