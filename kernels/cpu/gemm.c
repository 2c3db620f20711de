// Matrix products through oneDNN, versions 2.6 and 3.
//
// oneDNN is called for one tile of C at a time by one thread: left to its own threads it may split k among
// them, and then the sum, so the bits, would depend on their number. The cut into tiles depends on the shape
// alone. A small C with a long k is cut along k too; those parts are added in order.
//
// fp32 uses sgemm, and outer.c for weight gradients. bf16 rounds both inputs into buffers kept with the
// device (tt_device_scratch belongs to the caller, who may be in the middle of an operation of his own),
// multiplies tiles of fixed sizes by matmul primitives into an fp32 tile that stays in cache, then writes
// alpha tile + beta C. Rows and k are padded with zeros to multiples of PAD, so that batches of ever new
// sizes meet few shapes and the primitives, which take about a millisecond to make, are found in a cache.
#include "host/base/memory.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/outer.h"

#include <oneapi/dnnl/dnnl.h>

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
    TASKS = 16,        // aim for as many, to keep many cores busy
    TILE_MIN = 128,    // smaller tiles repack their inputs too often
    FP32_TILE = 512,   // of m and n
    BF16_TILE_M = 256, // 256 x 512 sums in fp32 and both inputs fit the second-level cache
    BF16_TILE_N = 512,
    K_PART = 512, // of k: least part of a split; bf16: depth of a primitive
    PAD = 64,     // of rows and of k in bf16
    CACHE_SLOTS = 2048,
    CACHE_MAX = 1024
};

static int ceil_div(int a, int b) {
    return (a + b - 1) / b;
}
static int round_up(int a, int to) {
    return ceil_div(a, to) * to;
}
static int at_most(int a, int limit) {
    return a < limit ? a : limit;
}

// Rows of A as bf16 products have them; half of PAD serves the few rows of a decoding step.
static int pad_rows(int m) {
    return m <= PAD / 2 ? PAD / 2 : round_up(m, PAD);
}

// C as gm x gn tiles of tm x tn, k as gk parts of tk.
typedef struct tiling {
    int tm, tn, tk, gm, gn, gk;
} tiling;

static tiling make_plan(int m, int n, int k, int tile_m, int tile_n, int tile_min) {
    tiling p = {.tm = at_most(m, tile_m), .tn = at_most(n, tile_n), .tk = k, .gk = 1};
    const double least_work = 8e6; // operations; below that a task costs more to start than it helps
    for (;;) {
        p.gm = ceil_div(m, p.tm), p.gn = ceil_div(n, p.tn);
        if (p.gm * p.gn >= TASKS || 2.0 * p.tm * p.tn * k < 2 * least_work) break;
        int *larger = p.tm >= p.tn ? &p.tm : &p.tn;
        if (*larger < 2 * tile_min) break;
        *larger = round_up(ceil_div(*larger, 2), PAD);
    }
    // Tiles of about equal size.
    p.tm = at_most(round_up(ceil_div(m, p.gm), PAD), m), p.gm = ceil_div(m, p.tm);
    p.tn = at_most(round_up(ceil_div(n, p.gn), PAD), n), p.gn = ceil_div(n, p.tn);
    if (p.gm * p.gn < TASKS && k >= 2 * K_PART) {
        p.gk = at_most(ceil_div(TASKS, p.gm * p.gn), k / K_PART);
        p.tk = round_up(ceil_div(k, p.gk), K_PART), p.gk = ceil_div(k, p.tk);
    }
    return p;
}

// A product of fixed size: C[m, n] = or += A B on bf16 rows, C dense.
typedef struct primitive_key {
    int m, n, k, lda, ldb, trans_a, trans_b, accumulate;
} primitive_key;

enum { SRC, WEIGHTS, DST, PLACES };

typedef struct primitive {
    primitive_key key;
    dnnl_primitive_t handle; // NULL: the slot is free
    dnnl_memory_t *memory;   // [threads][PLACES + 1], the last one for oneDNN's own scratch
    size_t scratch_bytes;
} primitive;

typedef struct buffer {
    void *data;
    size_t bytes;
} buffer;

typedef struct gemm_state {
    int threads;
    dnnl_engine_t engine;
    dnnl_stream_t *streams; // [threads]
    primitive cache[CACHE_SLOTS];
    int cached;
    size_t scratch_bytes;                      // of the largest primitive
    buffer a16, b16, tiles, partials, scratch; // tiles and scratch: a stretch for each thread
} gemm_state;

static tt_status need(buffer *b, size_t bytes) {
    if (bytes <= b->bytes) return TT_OK;
    free(b->data);
    *b = (buffer){0};
    TT_TRY(tt_alloc(&b->data, bytes + bytes / 4, 1, "gemm's buffer"));
    b->bytes = bytes + bytes / 4;
    return TT_OK;
}

static tt_status failed(dnnl_status_t status, const char *what, int m, int n, int k) {
    return tt_fail(status == dnnl_out_of_memory   ? TT_ERR_NOMEM
                   : status == dnnl_unimplemented ? TT_ERR_UNSUPPORTED
                                                  : TT_ERR_DEVICE,
        "gemm: oneDNN's %s failed with status %d for m %d, n %d, k %d", what, (int)status, m, n, k);
}

// ---- what differs between oneDNN 2 and 3: memory descriptors became handles, matmul lost its op descriptor

#if DNNL_VERSION_MAJOR >= 3
#define DESC(md) (md)
#define SUM_DEFAULTS , 0, dnnl_data_type_undef
static dnnl_status_t describe(
    dnnl_memory_desc_t *md, dnnl_data_type_t type, const dnnl_dims_t dims, int row, int column) {
    const dnnl_dims_t strides = {row, column};
    return dnnl_memory_desc_create_with_strides(md, 2, dims, type, strides);
}
static void forget(dnnl_memory_desc_t *md) {
    if (*md) dnnl_memory_desc_destroy(*md);
}
static dnnl_status_t choose(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_memory_desc_t md[PLACES],
    dnnl_primitive_attr_t attr) {
    return dnnl_matmul_primitive_desc_create(pd, engine, md[SRC], md[WEIGHTS], NULL, md[DST], attr);
}
#else
#define DESC(md) (&(md))
#define SUM_DEFAULTS
static dnnl_status_t describe(
    dnnl_memory_desc_t *md, dnnl_data_type_t type, const dnnl_dims_t dims, int row, int column) {
    const dnnl_dims_t strides = {row, column};
    return dnnl_memory_desc_init_by_strides(md, 2, dims, type, strides);
}
static void forget(dnnl_memory_desc_t *md) {
    (void)md;
}
static dnnl_status_t choose(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_memory_desc_t md[PLACES],
    dnnl_primitive_attr_t attr) {
    dnnl_matmul_desc_t op;
    dnnl_status_t status = dnnl_matmul_desc_init(&op, &md[SRC], &md[WEIGHTS], NULL, &md[DST]);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(pd, &op, attr, engine, NULL);
}
#endif

static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attr, bool accumulate) {
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || !accumulate) return status;
    dnnl_post_ops_t post;
    status = dnnl_post_ops_create(&post);
    if (status != dnnl_success) return status;
    status = dnnl_post_ops_append_sum(post, 1.0f SUM_DEFAULTS);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(*attr, post);
    dnnl_post_ops_destroy(post);
    return status;
}

static void primitive_close(primitive *p, int threads) {
    for (int i = 0; p->memory && i < threads * (PLACES + 1); ++i)
        if (p->memory[i]) dnnl_memory_destroy(p->memory[i]);
    free(p->memory);
    if (p->handle) dnnl_primitive_destroy(p->handle);
    *p = (primitive){0};
}

static dnnl_status_t primitive_open(primitive *p, const primitive_key *key, gemm_state *state) {
    const int m = key->m, n = key->n, k = key->k;
    dnnl_memory_desc_t md[PLACES] = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = describe(
        &md[SRC], dnnl_bf16, (dnnl_dims_t){m, k}, key->trans_a ? 1 : key->lda, key->trans_a ? key->lda : 1);
    if (status == dnnl_success)
        status = describe(&md[WEIGHTS], dnnl_bf16, (dnnl_dims_t){k, n}, key->trans_b ? 1 : key->ldb,
            key->trans_b ? key->ldb : 1);
    if (status == dnnl_success) status = describe(&md[DST], dnnl_f32, (dnnl_dims_t){m, n}, n, 1);
    if (status == dnnl_success) status = make_attributes(&attr, key->accumulate);
    if (status == dnnl_success) status = choose(&pd, state->engine, md, attr);
    if (status == dnnl_success) status = dnnl_primitive_create(&p->handle, pd);
    for (int t = 0; status == dnnl_success && t < state->threads; ++t) {
        dnnl_memory_t *memory = p->memory + t * (PLACES + 1);
        for (int i = 0; status == dnnl_success && i < PLACES; ++i)
            status = dnnl_memory_create(&memory[i], DESC(md[i]), state->engine, DNNL_MEMORY_NONE);
        if (status != dnnl_success) break;
        const_dnnl_primitive_desc_t own = pd;
        status = dnnl_memory_create(&memory[PLACES],
            dnnl_primitive_desc_query_md(own, dnnl_query_scratchpad_md, 0), state->engine, DNNL_MEMORY_NONE);
        p->scratch_bytes =
            dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(own, dnnl_query_scratchpad_md, 0));
    }
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    for (int i = 0; i < PLACES; ++i) forget(&md[i]);
    return status;
}

static void cache_clear(gemm_state *state) {
    for (int i = 0; i < CACHE_SLOTS; ++i)
        if (state->cache[i].handle) primitive_close(&state->cache[i], state->threads);
    state->cached = 0;
}

static tt_status cache_get(const primitive **out, gemm_state *state, const primitive_key *key) {
    uint32_t hash = 0;
    const int parts[] = {
        key->m, key->n, key->k, key->lda, key->ldb, key->trans_a, key->trans_b, key->accumulate};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        hash = (hash ^ (uint32_t)parts[i]) * 0x9E3779B1u;
    uint32_t slot = (hash >> 16) % CACHE_SLOTS;
    while (state->cache[slot].handle && memcmp(&state->cache[slot].key, key, sizeof *key) != 0)
        slot = (slot + 1) % CACHE_SLOTS;
    primitive *p = &state->cache[slot];
    if (!p->handle) {
        TT_TRY(
            tt_alloc(&p->memory, (size_t)state->threads * (PLACES + 1), sizeof(void *), "gemm's primitive"));
        p->key = *key;
        const int threads = omp_get_max_threads();
        omp_set_num_threads(1); // a primitive keeps the number of threads it was made under
        dnnl_status_t status = primitive_open(p, key, state);
        omp_set_num_threads(threads);
        if (status != dnnl_success) {
            primitive_close(p, state->threads);
            return failed(status, "bf16 matmul", key->m, key->n, key->k);
        }
        ++state->cached;
    }
    if (p->scratch_bytes > state->scratch_bytes) state->scratch_bytes = p->scratch_bytes;
    *out = p;
    return TT_OK;
}

void tt_cpu_gemm_close(tt_device *device) {
    gemm_state *state = device->state;
    if (!state) return;
    cache_clear(state);
    for (int t = 0; state->streams && t < state->threads; ++t)
        if (state->streams[t]) dnnl_stream_destroy(state->streams[t]);
    free(state->streams);
    if (state->engine) dnnl_engine_destroy(state->engine);
    free(state->a16.data);
    free(state->b16.data);
    free(state->tiles.data);
    free(state->partials.data);
    free(state->scratch.data);
    free(state);
    device->state = NULL;
}

static tt_status open_state(gemm_state **out, tt_device *device) {
    if (!device->state) {
        gemm_state *state;
        TT_TRY(tt_alloc(&state, 1, sizeof *state, "gemm's state"));
        device->state = state;
        state->threads = device->threads;
    }
    *out = device->state;
    return TT_OK;
}

static tt_status open_engine(gemm_state *state) {
    if (!state->streams) TT_TRY(tt_alloc(&state->streams, (size_t)state->threads, sizeof(void *), "streams"));
    dnnl_status_t status = state->engine ? dnnl_success : dnnl_engine_create(&state->engine, dnnl_cpu, 0);
    for (int t = 0; status == dnnl_success && t < state->threads; ++t)
        if (!state->streams[t])
            status = dnnl_stream_create(&state->streams[t], state->engine, dnnl_stream_default_flags);
    return status == dnnl_success ? TT_OK : failed(status, "engine", 0, 0, 0);
}

// Rounds x[rows, columns] into out[padded rows, ld] with zeros around it.
static void round_input(
    uint16_t *out, int padded_rows, int ld, const float *x, int rows, int columns, int ldx) {
#pragma omp for schedule(static)
    for (int i = 0; i < padded_rows; ++i) {
        uint16_t *to = out + (size_t)i * ld;
        const int filled = i < rows ? columns : 0;
        tt_bf16_from_float(filled, to, x + (size_t)(i < rows ? i : 0) * ldx);
        memset(to + filled, 0, (size_t)(ld - filled) * sizeof *to);
    }
}

// c = alpha tile + beta c, for one row.
TT_MULTIVERSION(void, write_row, (int n, float *c, const float *tile, float alpha, float beta),
    (n, c, tile, alpha, beta)) {
    if (beta == 0) { // c may hold anything, NaN too
#pragma omp simd
        for (int j = 0; j < n; ++j) c[j] = alpha * tile[j];
    } else {
#pragma omp simd
        for (int j = 0; j < n; ++j) c[j] = alpha * tile[j] + beta * c[j];
    }
}

// The shapes of a bf16 product. Index: last tile along m, along n, last stretch of k, accumulate.
typedef struct bf16_product {
    int lda, ldb, padded_k;
    const primitive *of[2][2][2][2];
} bf16_product;

static tt_status bf16_prepare(bf16_product *out, gemm_state *state, const tt_gemm *p, const tiling *plan) {
    TT_TRY(open_engine(state));
    const int padded_m = pad_rows(p->m), k = round_up(p->k, PAD);
    *out = (bf16_product){.lda = p->trans_a ? padded_m : k, .ldb = p->trans_b ? k : p->n, .padded_k = k};
    if (state->cached > CACHE_MAX) cache_clear(state);
    const int last_m = padded_m - (plan->gm - 1) * plan->tm, last_n = p->n - (plan->gn - 1) * plan->tn;
    for (int mi = 0; mi < 2; ++mi)
        for (int ni = 0; ni < 2; ++ni)
            for (int from = 0; from < k; from += K_PART) {
                if ((mi == 0 && plan->gm == 1) || (ni == 0 && plan->gn == 1)) break;
                const int last = k - from <= K_PART, accumulate = from % plan->tk != 0;
                const primitive **place = &out->of[mi][ni][last][accumulate];
                if (*place) continue;
                const primitive_key key = {.m = mi ? last_m : plan->tm,
                    .n = ni ? last_n : plan->tn,
                    .k = last ? k - from : K_PART,
                    .lda = out->lda,
                    .ldb = out->ldb,
                    .trans_a = p->trans_a,
                    .trans_b = p->trans_b,
                    .accumulate = accumulate};
                TT_TRY(cache_get(place, state, &key));
            }
    TT_TRY(need(&state->a16, (size_t)out->lda * (p->trans_a ? k : padded_m) * sizeof(uint16_t)));
    TT_TRY(need(&state->b16, (size_t)out->ldb * (p->trans_b ? p->n : k) * sizeof(uint16_t)));
    TT_TRY(need(&state->tiles, (size_t)state->threads * BF16_TILE_M * BF16_TILE_N * sizeof(float)));
    state->scratch_bytes = (state->scratch_bytes + 63) / 64 * 64;
    return need(&state->scratch, (size_t)state->threads * state->scratch_bytes);
}

// Multiplies one tile into this thread's stretch of state->tiles.
static dnnl_status_t bf16_tile(const bf16_product *product, gemm_state *state, const tt_gemm *p,
    const tiling *plan, int mi, int ni, int ki, const float **result) {
    const int thread = omp_get_thread_num();
    float *tile = (float *)state->tiles.data + (size_t)thread * BF16_TILE_M * BF16_TILE_N;
    char *scratch = (char *)state->scratch.data + (size_t)thread * state->scratch_bytes;
    const int i = mi * plan->tm, j = ni * plan->tn, end = at_most((ki + 1) * plan->tk, product->padded_k);
    for (int from = ki * plan->tk; from < end; from += K_PART) {
        const int last = product->padded_k - from <= K_PART, accumulate = from % plan->tk != 0;
        const primitive *run = product->of[mi == plan->gm - 1][ni == plan->gn - 1][last][accumulate];
        const size_t a = p->trans_a ? (size_t)from * product->lda + i : (size_t)i * product->lda + from;
        const size_t b = p->trans_b ? (size_t)j * product->ldb + from : (size_t)from * product->ldb + j;
        dnnl_memory_t *memory = run->memory + thread * (PLACES + 1);
        void *handles[] = {(uint16_t *)state->a16.data + a, (uint16_t *)state->b16.data + b, tile, scratch};
        for (int place = 0; place <= PLACES; ++place) {
            dnnl_status_t status = dnnl_memory_set_data_handle(memory[place], handles[place]);
            if (status != dnnl_success) return status;
        }
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, memory[SRC]}, {DNNL_ARG_WEIGHTS, memory[WEIGHTS]},
            {DNNL_ARG_DST, memory[DST]}, {DNNL_ARG_SCRATCHPAD, memory[PLACES]}};
        dnnl_status_t status = dnnl_primitive_execute(run->handle, state->streams[thread], 4, args);
        if (status == dnnl_success) status = dnnl_stream_wait(state->streams[thread]);
        if (status != dnnl_success) return status;
    }
    *result = tile;
    return dnnl_success;
}

// In fp32 weight gradients, sums over all rows of a batch, have their own product.
static bool uses_outer(const tt_gemm *p) {
    return p->trans_a && !p->trans_b && p->k >= 2 * K_PART && p->n % 16 == 0;
}

// One task: tile (mi, ni), part ki of k, into c with alpha and beta.
static dnnl_status_t do_task(const bf16_product *product, gemm_state *state, const tt_gemm *p,
    const tiling *plan, int task, float *c, int ldc, float alpha, float beta) {
    const int ki = task / (plan->gm * plan->gn), mi = task / plan->gn % plan->gm, ni = task % plan->gn;
    const int i = mi * plan->tm, j = ni * plan->tn, from = ki * plan->tk;
    const int m = at_most(plan->tm, p->m - i), n = at_most(plan->tn, p->n - j),
              k = at_most(plan->tk, p->k - from);
    c += (size_t)i * ldc + j;
    if (!product) {
        const float *a = tt_in(p->a) + (p->trans_a ? (size_t)from * p->lda + i : (size_t)i * p->lda + from);
        const float *b = tt_in(p->b) + (p->trans_b ? (size_t)j * p->ldb + from : (size_t)from * p->ldb + j);
        if (uses_outer(p)) {
            char *memory = (char *)state->scratch.data + (size_t)omp_get_thread_num() * state->scratch_bytes;
            tt_cpu_outer(m, n, k, alpha, a, p->lda, b, p->ldb, beta, c, ldc, memory);
            return dnnl_success;
        }
        return dnnl_sgemm(p->trans_a ? 'T' : 'N', p->trans_b ? 'T' : 'N', m, n, k, alpha, a, p->lda, b,
            p->ldb, beta, c, ldc);
    }
    const float *tile = NULL;
    dnnl_status_t status = bf16_tile(product, state, p, plan, mi, ni, ki, &tile);
    if (status != dnnl_success) return status;
    for (int row = 0; row < m; ++row)
        write_row(n, c + (size_t)row * ldc, tile + (size_t)row * n, alpha, beta);
    return dnnl_success;
}

static tt_status multiply(
    gemm_state *state, const tt_gemm *p, const tiling *plan, const bf16_product *product) {
    const int tasks = plan->gm * plan->gn * plan->gk;
    const size_t part = (size_t)p->m * p->n;
    if (plan->gk > 1) TT_TRY(need(&state->partials, part * plan->gk * sizeof(float)));
    float *partials = state->partials.data;
    dnnl_status_t first_error = dnnl_success;
#pragma omp parallel num_threads(state->threads)
    {
        omp_set_num_threads(1); // for oneDNN, within this thread's region alone
        if (product) {
            const int k = p->k, padded_m = pad_rows(p->m), padded_k = product->padded_k;
            round_input(state->a16.data, p->trans_a ? padded_k : padded_m, product->lda, p->a,
                p->trans_a ? k : p->m, p->trans_a ? p->m : k, p->lda);
            round_input(state->b16.data, p->trans_b ? p->n : padded_k, product->ldb, p->b,
                p->trans_b ? p->n : k, p->trans_b ? k : p->n, p->ldb);
        }
#pragma omp for schedule(dynamic, 1)
        for (int task = 0; task < tasks; ++task) {
            dnnl_status_t status;
            if (plan->gk == 1)
                status = do_task(product, state, p, plan, task, p->c, p->ldc, p->alpha, p->beta);
            else
                status = do_task(product, state, p, plan, task,
                    partials + task / (plan->gm * plan->gn) * part, p->n, 1, 0);
            if (status != dnnl_success) {
#pragma omp atomic write
                first_error = status;
            }
        }
        if (plan->gk > 1) {
#pragma omp for schedule(static)
            for (int i = 0; i < p->m; ++i)
                for (int l = 0; l < plan->gk; ++l)
                    write_row(p->n, tt_out(p->c) + (size_t)i * p->ldc, partials + l * part + (size_t)i * p->n,
                        p->alpha, l == 0 ? p->beta : 1);
        }
    }
    return first_error == dnnl_success ? TT_OK : failed(first_error, "product", p->m, p->n, p->k);
}

static tt_status product_of(tt_device *device, const tt_gemm *p) {
    const int a_columns = p->trans_a ? p->m : p->k, b_columns = p->trans_b ? p->k : p->n;
    if (p->m < 0 || p->n < 0 || p->k < 1 || p->lda < a_columns || p->ldb < b_columns || p->ldc < p->n)
        return tt_fail(TT_ERR_INPUT,
            "gemm: m %d, n %d, k %d with row distances %d, %d, %d; expected m, n >= 0, k >= 1 and distances "
            "of at "
            "least %d, %d, %d",
            p->m, p->n, p->k, p->lda, p->ldb, p->ldc, a_columns, b_columns, p->n);
    if (p->m == 0 || p->n == 0) return TT_OK;
    gemm_state *state;
    TT_TRY(open_state(&state, device));
    if (device->precision == TT_FP32) {
        const int tile_min = uses_outer(p) ? FP32_TILE : TILE_MIN; // a long k is better cut than a tile
        const tiling plan = make_plan(p->m, p->n, p->k, FP32_TILE, FP32_TILE, tile_min);
        if (uses_outer(p)) {
            const size_t bytes = (tt_cpu_outer_bytes(FP32_TILE, FP32_TILE) + 63) / 64 * 64;
            if (bytes > state->scratch_bytes) state->scratch_bytes = bytes;
            TT_TRY(need(&state->scratch, (size_t)state->threads * state->scratch_bytes));
        }
        return multiply(state, p, &plan, NULL);
    }
    const tiling plan = make_plan(p->m, p->n, p->k, BF16_TILE_M, BF16_TILE_N, TILE_MIN);
    bf16_product product;
    TT_TRY(bf16_prepare(&product, state, p, &plan));
    return multiply(state, p, &plan, &product);
}

tt_status tt_cpu_gemm(tt_device *device, const tt_gemm *p) {
    TT_TRY(product_of(device, p));
    float *c = p->c;
#pragma omp parallel for num_threads(device->threads) schedule(static) if (p->relu)
    for (int i = 0; i < (p->relu ? p->m : 0); ++i)
        for (int j = 0; j < p->n; ++j) {
            float *x = &c[(ptrdiff_t)i * p->ldc + j];
            *x = *x < 0 ? 0 : *x;
        }
    return TT_OK;
}

// Asked by doing one: what oneDNN has depends on its version, its build, the CPU and ONEDNN_MAX_CPU_ISA.
tt_bf16_support tt_cpu_bf16(void) {
    tt_device probe = {.precision = TT_BF16, .threads = 1};
    const float one = 1;
    float c;
    const tt_gemm p = {
        .m = 1, .n = 1, .k = 1, .alpha = 1, .a = &one, .b = &one, .c = &c, .lda = 1, .ldb = 1, .ldc = 1};
    const tt_status status = product_of(&probe, &p);
    tt_cpu_gemm_close(&probe);
    if (status != TT_OK) return TT_BF16_NONE;
#if defined(__x86_64__)
    const unsigned has = (unsigned)dnnl_get_effective_cpu_isa(),
                   bf16 = (unsigned)dnnl_cpu_isa_avx512_core_bf16;
    if ((has & bf16) == bf16) return TT_BF16_FAST; // sets of bits: AMX includes it
#endif
    return TT_BF16_SLOW;
}
