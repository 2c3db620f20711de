// Counts what operations, a step of training and a token of decoding do on the CUDA device, and compares with
// ceilings.txt: a number above its ceiling is an error.
//
//   cusim_count [CEILINGS [TABLE]]   prints the table in the form of ceilings.txt; with a file compares, too; with two
//                                    compares the second, which it printed before
//
// Of the numbers, smaller is better; see ceilings.txt for what they are.
#include "host/bench/parts.h"
#include "host/model/adapters.h"
#include "host/reason/engine.h"
#include "host/train/optimizer.h"
#include "kernels/cuda/scratch.h"
#include "tests/cusim/counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS = 8,
    ROWS = 48,
    NAME = 26,
    ROWS_OF_ALL = 1024,
    ROWS_OF_SQUARES = 128,
    SCRATCH = 64 << 20,
    SHORT = 8,
    LONG = 16
};

typedef struct row {
    char name[NAME + 1];
    double value[COLUMNS]; // below 0: none
} row;

typedef struct table {
    row rows[ROWS];
    int n;
} table;

static void must(tt_status status) {
    if (status == TT_OK) return;
    fprintf(stderr, "cusim_count: %s\n", tt_error_message());
    exit(1);
}

static row *add_row(table *t, const char *name) {
    if (t->n == ROWS) abort();
    row *r = &t->rows[t->n++];
    *r = (row){0};
    snprintf(r->name, sizeof r->name, "%s", name);
    return r;
}

static double ratio(double a, double b) {
    return b > 0 ? a / b : -1;
}

// ---- operations

static cusim_kernel_counts sum_of_kernels(void) {
    const cusim_kernel_counts *kernels;
    const size_t n = cusim_counts_of_kernels(&kernels);
    cusim_kernel_counts sum;
    memset(&sum, 0, sizeof sum);
    for (const cusim_kernel_counts *k = kernels; k < kernels + n; ++k) {
        sum.sectors += k->sectors;
        sum.used_bytes += k->used_bytes;
        sum.sectors_read += k->sectors_read;
        sum.sectors_written += k->sectors_written;
        sum.wavefronts += k->wavefronts;
        sum.least_wavefronts += k->least_wavefronts;
        sum.busiest_warp += k->busiest_warp;
        sum.mean_warp += k->mean_warp;
        sum.longest_block += k->longest_block;
        sum.mean_block += k->mean_block;
        sum.atomics += k->atomics;
        sum.atomic_lanes += k->atomic_lanes;
    }
    return sum;
}

static void count_operation(table *t, tt_device *device, tt_bench_workload *w, int i) {
    tt_bench_operation op;
    cusim_counts_clear();
    must(tt_bench_workload_run(w, i, &op));
    const cusim_host_counts host = cusim_counts_of_host();
    must(tt_device_wait(device)); // kernels run when somebody waits for them
    const cusim_kernel_counts k = sum_of_kernels();
    const double moved = (double)(k.sectors_read + k.sectors_written) * CUSIM_SECTOR;
    const double values[COLUMNS] = {(double)(host.launches + host.products), (double)host.copies,
        moved > 0 ? ratio(moved, op.bytes) : -1,
        ratio((double)k.sectors * CUSIM_SECTOR, (double)k.used_bytes),
        ratio((double)k.wavefronts, (double)k.least_wavefronts), ratio(k.busiest_warp, k.mean_warp),
        ratio(k.longest_block, k.mean_block), ratio((double)k.atomic_lanes, (double)k.atomics)};
    memcpy(add_row(t, op.name)->value, values, sizeof values);
}

static tt_bench_workload *open_workload(tt_device *device, int rows) {
    const tt_bench_options options = {.shape = "small", .target_tokens = rows};
    tt_bench_workload *w;
    must(tt_bench_workload_open(&w, device, &options));
    return w;
}

// Attention and products cost the square of rows, logits are many for each: they get fewer.
static bool costly(const char *name) {
    static const char *const names[] = {
        "attention_", "lmhead", "gemm", "sample", "log_softmax", "top", "penalise"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strncmp(name, names[i], strlen(names[i])) == 0) return true;
    return false;
}

static void count_operations(table *t) {
    tt_device *device;
    must(tt_device_open(&device, "cuda", TT_BF16, 1));
    tt_bench_workload *first = open_workload(device, 64), *squares = open_workload(device, ROWS_OF_SQUARES),
                      *all = open_workload(device, ROWS_OF_ALL);
    // What is made once, scratch memory and tables of biases, is not counted.
    if (!tt_device_scratch(device, SCRATCH)) must(TT_ERR_NOMEM);
    for (int i = 0; i < TT_BENCH_OPERATIONS; ++i) {
        tt_bench_operation op;
        must(tt_bench_workload_run(first, i, &op));
        must(tt_device_wait(device));
        count_operation(t, device, costly(op.name) ? squares : all, i);
    }
    tt_bench_workload_close(first);
    tt_bench_workload_close(squares);
    tt_bench_workload_close(all);
    tt_device_close(device);
}

// ---- a step, a token

// `times`: what is counted was done so often, and `before` had been counted by then.
static void add_host(table *t, const char *name, cusim_host_counts before, double times) {
    const cusim_host_counts now = cusim_counts_of_host();
    const double values[COLUMNS] = {(double)(now.launches - before.launches) / times,
        (double)(now.products - before.products) / times, (double)(now.graphs - before.graphs) / times,
        (double)(now.nodes - before.nodes) / times, (double)(now.copies - before.copies) / times,
        (double)(now.waits - before.waits) / times, (double)(now.bytes_up - before.bytes_up) / times,
        (double)(now.bytes_down - before.bytes_down) / times};
    memcpy(add_row(t, name)->value, values, sizeof values);
}

enum { SEQUENCES = 4, LENGTH = 6, WORKS = 6 }; // WORKS: rows of the host

// Each source with two targets, as in preference training.
static void fill_batch(tt_batch *batch) {
    int32_t ids[LENGTH];
    for (int i = 0; i < LENGTH; ++i) ids[i] = i + 3;
    for (uint32_t i = 0; i < SEQUENCES; ++i) {
        must(tt_batch_add_source(batch, ids, LENGTH, i));
        for (uint32_t text = 0; text < 2; ++text)
            must(tt_batch_add_target(batch,
                &(tt_batch_target){.ids = ids, .n = LENGTH, .source = (int)i, .example = 2 * i + text}));
    }
}

static void add_adapters(tt_model *model) {
    tt_adapter_options options = {.rank = 4, .alpha = 4};
    must(tt_adapter_targets_add(&options.targets, "q"));
    must(tt_adapter_targets_add(&options.targets, "v"));
    must(tt_adapters_open(model, &options));
    must(tt_adapters_init(model, 1, 0));
}

// As many layers as T5-base has, so small that one chunk of the LM head's rows is enough. All widths are as many times
// smaller, and so is what keeps the device busy: weights' gradients are made in the same batches.
// With adapters for q and v in place of the weights where `adapted`.
static void count_training(table *t, bool adapted) {
    static float dlogp[2 * SEQUENCES * LENGTH], logp[2 * SEQUENCES * LENGTH];
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
    tt_optimizer optimizer;
    tt_batch batch = {0};
    tt_model_config config;
    double norm;
    must(tt_model_preset(&config, "t5-base"));
    const size_t smaller = (size_t)config.d_model / 16;
    config.vocab_size = 48, config.d_model = 16, config.d_kv = 8, config.d_ff = 64, config.num_heads = 2;
    must(tt_device_open(&device, "cuda", TT_BF16, 1));
    device->busy_elements = tt_cuda_busy_elements(132) / (smaller * smaller); // an H100's
    must(tt_model_open(&model, &config, device));
    must(tt_model_init(model, TT_INIT_T5, 1));
    if (adapted) add_adapters(model);
    must(tt_optimizer_open(&optimizer, model));
    must(tt_pass_open(&pass, model));
    fill_batch(&batch);
    for (int i = 0; i < 2 * SEQUENCES * LENGTH; ++i) dlogp[i] = -0.02f;
    for (int step = 0; step < 4; ++step) { // the third replays what the second recorded
        const cusim_host_counts before = cusim_counts_of_host();
        const tt_dropout_key dropout = {0.1f, tt_key(2, TT_FOR_DROPOUT, (uint64_t)step)};
        must(tt_forward_backward(pass, &batch, dropout, dlogp, NULL)); // as the trainer does
        must(tt_pass_fetch_logp(pass, logp));
        must(tt_optimizer_update(&optimizer, 1e-4, &norm));
        if (step == 0) add_host(t, adapted ? "adapters' step" : "training step", before, 1);
        if (step == 3)
            add_host(t, adapted ? "adapters' step, replayed" : "training step, replayed", before, 1);
    }
    tt_batch_close(&batch);
    tt_pass_close(pass);
    tt_optimizer_close(&optimizer);
    tt_model_close(model);
    tt_device_close(device);
}

// The difference between long and short texts.
static void count_decoding(table *t) {
    tt_device *device;
    cusim_host_counts before = {0};
    must(tt_device_open(&device, "cuda", TT_BF16, 1));
    for (int i = 0; i < 3; ++i) { // the first allocates what is kept
        const int tokens = i < 2 ? SHORT : LONG;
        tt_bench_generation result;
        const tt_bench_options options = {
            .shape = "tiny", .steps = 1, .prompts = 1, .new_tokens = tokens, .slots = 10, .peak_given = true};
        double peak = 1;
        before = cusim_counts_of_host();
        cusim_counts_clear();
        must(tt_bench_generate(&result, device, &options, &peak));
    }
    add_host(t, "token of ten samples", before, 2 * (LONG - SHORT)); // a step warms up
    tt_device_close(device);
}

static tt_status take_text(void *context, int prompt, int sample, const int32_t *ids, int n) {
    (void)context, (void)prompt, (void)sample, (void)ids, (void)n;
    return TT_OK;
}

// Two prompts with five beams each; the penalties keep the texts from ending, and change them at all places.
static void count_beams(table *t) {
    tt_device *device;
    tt_model *model;
    tt_model_config config;
    int32_t ids[LENGTH];
    cusim_host_counts before = {0};
    tt_engine *engine;
    must(tt_bench_shape(&config, "tiny"));
    must(tt_device_open(&device, "cuda", TT_BF16, 1));
    must(tt_model_open(&model, &config, device));
    must(tt_model_init(model, TT_INIT_T5, 1));
    for (int i = 0; i < LENGTH; ++i) ids[i] = i + 3;
    const int32_t sample = 0;
    const tt_prompt prompts[2] = {{.ids = ids, .n = LENGTH, .samples = &sample, .n_samples = 1},
        {.ids = ids + 1, .n = LENGTH - 1, .samples = &sample, .n_samples = 1}};
    must(tt_engine_open(&engine, model, 10, LONG + 2));
    for (int i = 0; i < 3; ++i) {                      // the first allocates what is kept
        const int length = (i < 2 ? SHORT : LONG) + 2; // the last run goes beyond it
        const tt_decoding decoding = {.top_p = 1,
            .max_length = length,
            .min_length = length,
            .repetition_penalty = 1.5f,
            .beams = 5,
            .length_penalty = 1};
        before = cusim_counts_of_host();
        cusim_counts_clear();
        must(tt_engine_generate(engine, &(tt_generation){prompts, 2, &decoding, take_text, NULL}));
    }
    tt_engine_close(engine);
    add_host(t, "token of five beams", before, LONG - SHORT);
    tt_model_close(model);
    tt_device_close(device);
}

// ---- the table

static void print_rows(const table *t, int first, int end) {
    for (const row *r = t->rows + first; r < t->rows + end; ++r) {
        printf("%-*s", NAME, r->name);
        for (int c = 0; c < COLUMNS; ++c)
            if (r->value[c] < 0)
                printf(" %9s", "-");
            else
                printf(" %9.3f", r->value[c]);
        printf("\n");
    }
}

// Rows of a file; lines that begin with # are left out.
static void read_table(table *t, const char *path) {
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "cusim_count: cannot read %s\n", path);
        exit(1);
    }
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || strlen(line) < NAME) continue;
        int length = NAME;
        while (length > 0 && line[length - 1] == ' ') --length;
        char *rest = line + NAME, name[NAME + 1];
        snprintf(name, sizeof name, "%.*s", length, line);
        row *r = add_row(t, name);
        for (int c = 0; c < COLUMNS; ++c) {
            char word[32];
            int used = 0;
            if (sscanf(rest, "%31s%n", word, &used) != 1) {
                fprintf(stderr, "cusim_count: %s: '%s' has fewer than %d numbers\n", path, name, COLUMNS);
                exit(1);
            }
            r->value[c] = strcmp(word, "-") == 0 ? -1 : strtod(word, NULL);
            rest += used;
        }
    }
    fclose(file);
}

static const row *find_row(const table *t, const char *name) {
    for (const row *r = t->rows; r < t->rows + t->n; ++r)
        if (strcmp(r->name, name) == 0) return r;
    return NULL;
}

// Compilers differ in how they access memory: by a hundredth at most.
static bool above(double value, double ceiling) {
    return value >= 0 && (ceiling < 0 || value > ceiling * 1.01 + 0.002);
}

static const char *const operation_columns[COLUMNS] = {
    "launches", "copies", "moved", "sectors", "conflicts", "warps", "blocks", "atomics"};
static const char *const host_columns[COLUMNS] = {
    "launches", "products", "graphs", "nodes", "copies", "waits", "up", "down"};

static int compare(const table *counted, const table *ceilings, int operations) {
    int failed = 0;
    for (int i = 0; i < counted->n; ++i) {
        const row *now = &counted->rows[i], *ceiling = find_row(ceilings, now->name);
        const char *const *columns = i < operations ? operation_columns : host_columns;
        if (!ceiling) {
            printf("FAILED: %s has no ceilings; add the line above\n", now->name);
            ++failed;
            continue;
        }
        for (int c = 0; c < COLUMNS; ++c) {
            const double was = ceiling->value[c], is = now->value[c];
            if (above(is, was)) {
                printf("FAILED: %s: %s is %.3f, the ceiling is %.3f\n", now->name, columns[c], is, was);
                ++failed;
            } else if (above(was, is)) {
                printf("better: %s: %s is %.3f; lower its ceiling of %.3f\n", now->name, columns[c], is, was);
            }
        }
    }
    for (int i = 0; i < ceilings->n; ++i)
        if (!find_row(counted, ceilings->rows[i].name)) {
            printf("FAILED: ceilings of %s, which nobody counts\n", ceilings->rows[i].name);
            ++failed;
        }
    return failed;
}

static void print_head(const char *what, const char *const columns[COLUMNS]) {
    printf("#\n# %-*s", NAME - 2, what);
    for (int c = 0; c < COLUMNS; ++c) printf(" %9s", columns[c]);
    printf("\n");
}

int main(int n, char **arguments) {
    static table counted, ceilings;
    if (n > 2) {
        read_table(&counted, arguments[2]);
    } else {
        cusim_counts_start();
        count_operations(&counted);
        count_training(&counted, false);
        count_training(&counted, true);
        count_decoding(&counted);
        count_beams(&counted);
    }
    const int operations = counted.n - WORKS;
    print_head("operation", operation_columns);
    print_rows(&counted, 0, operations);
    print_head("work", host_columns);
    print_rows(&counted, operations, counted.n);
    if (n < 2) return 0;
    read_table(&ceilings, arguments[1]);
    const int failed = compare(&counted, &ceilings, operations);
    if (failed) printf("%d numbers are worse than %s allows\n", failed, arguments[1]);
    return failed ? 1 : 0;
}
