#include "host/lab/run.h"

#include "host/base/log.h"
#include "host/base/output.h"
#include "host/base/versions.h"
#include "host/data/world/world.h"
#include "host/dist/gpu.h"
#include "host/dist/precision.h"
#include "host/lab/adapt.h"
#include "host/lab/environment.h"
#include "host/lab/memory_text.h"
#include "host/lab/phases.h"
#include "host/lab/result.h"
#include "host/lab/resume.h"
#include "host/lab/run_directory.h"
#include "host/lab/sharing.h"
#include "host/lab/space.h"
#include "host/lab/start.h"
#include "host/train/acquisition.h"
#include "host/train/pretraining.h"
#include "host/train/reflection/reflection.h"

#include <stdlib.h>
#include <string.h>

typedef struct run {
    tt_config *config;
    tt_comm *comm;
    tt_device *device;
    tt_precision precision;
    bool gpu_chosen;
    bool precision_kept; // precision was auto and is that of the run to be resumed
    tt_run_directory dir;
    tt_lock lock; // of the directory, on rank 0
    tt_sharing sharing;
    bool rescore; // the result was made with other settings of the evaluation
    tt_corpus corpus;
    bool has_corpus;
    tt_checkpoint student;             // model is NULL until there is one
    int64_t metrics_bytes;             // size of metrics.jsonl when the last checkpoint was saved
    double began;                      // see tt_phase_context
    bool cuts_warned;                  // whether the warning about cut prompts was given while training
    bool split_cuts_warned[TT_SPLITS]; // the same for each split that is scored
    tt_result result;
} run;

// Whether rank 0 finds the file; the same answer on all ranks.
static tt_status exists_on_root(run *r, const char *path, bool *out) {
    *out = r->comm->rank == 0 && tt_file_exists(path);
    return tt_comm_broadcast(r->comm, out, sizeof *out, 0);
}

static tt_status open_directory(run *r, bool fresh) {
    tt_status status = TT_OK;
    if (r->comm->rank == 0) status = tt_run_directory_prepare(&r->dir, r->config, fresh, &r->rescore);
    TT_TRY(tt_comm_agree(r->comm, status));
    return tt_comm_broadcast(r->comm, &r->rescore, sizeof r->rescore, 0);
}

static tt_status lock_directory(run *r) {
    tt_status status = TT_OK;
    if (r->comm->rank == 0 && r->lock.file < 0) status = tt_run_directory_lock(r->dir.path, &r->lock);
    return tt_comm_agree(r->comm, status);
}

static tt_status choose_gpu(run *r) {
    if (r->gpu_chosen) return TT_OK;
    r->gpu_chosen = true;
    return tt_comm_choose_gpu(r->comm, r->config->device);
}

// Called before the run directory is made, where the precision that `auto` stands for is written. A finished
// run needs no device.
static tt_status resolve_precision(run *r, bool fresh) {
    char kept[16] = "";
    tt_status status = TT_OK;
    TT_TRY(tt_precision_parse(&r->precision, r->config->precision));
    if (r->precision != TT_PRECISION_AUTO) return TT_OK;
    if (r->comm->rank == 0 && !fresh) status = tt_run_directory_kept(&r->dir, "precision", kept, sizeof kept);
    TT_TRY(tt_comm_agree(r->comm, status));
    TT_TRY(tt_comm_broadcast(r->comm, kept, sizeof kept, 0));
    r->precision_kept = tt_precision_parse(&r->precision, kept) == TT_OK && r->precision != TT_PRECISION_AUTO;
    if (!r->precision_kept) {
        r->precision = TT_PRECISION_AUTO;
        TT_TRY(choose_gpu(r));
        TT_TRY(tt_comm_precision(r->comm, r->config->device, &r->precision));
        tt_info("precision: auto takes %s%s", tt_precision_name(r->precision),
            r->precision == TT_FP32 ? ", since not every device of this run is fast in bf16" : "");
    }
    return tt_config_set(r->config, "precision", tt_precision_name(r->precision));
}

static tt_status open_device(run *r) {
    if (r->device) return TT_OK;
    const int threads = tt_comm_threads(r->comm, r->config->threads);
    TT_TRY(choose_gpu(r));
    tt_status status = tt_device_open(&r->device, r->config->device, r->precision, threads);
    if (status == TT_ERR_UNSUPPORTED && r->precision_kept)
        tt_context(status, "%s began with precision %s and keeps it (--fresh starts it over)", r->dir.path,
            r->config->precision);
    TT_TRY(tt_comm_agree(r->comm, status));
    return tt_comm_connect_gpus(r->comm, r->device);
}

static tt_status build_world(const char *world_yaml, const char *path) {
    tt_corpus corpus = {0};
    tt_status status = tt_world_corpus(&corpus, world_yaml);
    if (status == TT_OK) status = tt_corpus_save(&corpus, path);
    tt_corpus_close(&corpus);
    return status;
}

static tt_status open_corpus(run *r) {
    const tt_config *c = r->config;
    if (!*c->corpus) return TT_OK;
    const char *path = c->corpus;
    if (tt_ends_with(path, ".yaml")) {
        tt_status status = TT_OK;
        path = r->dir.corpus;
        if (r->comm->rank == 0 && !tt_file_exists(path)) {
            status = build_world(c->corpus, path);
            if (status == TT_OK) status = tt_sharing_built(&r->sharing);
        }
        TT_TRY(tt_comm_agree(r->comm, status));
    }
    TT_TRY(tt_comm_agree(r->comm, tt_corpus_load(&r->corpus, path)));
    r->has_corpus = true;
    return TT_OK;
}

// Before an earlier run's files are removed: whether this one can begin at all.
static tt_status check_start(run *r) {
    const tt_config *c = r->config;
    TT_TRY(open_device(r));
    tt_status status = TT_OK;
    if (r->comm->rank == 0 && *c->corpus && !tt_ends_with(c->corpus, ".yaml")) {
        tt_corpus corpus = {0};
        status = tt_corpus_load(&corpus, c->corpus);
        tt_corpus_close(&corpus);
    }
    if (status == TT_OK && r->comm->rank == 0) {
        tt_checkpoint start = {0};
        status = tt_start_open(&start, c, r->device);
        tt_checkpoint_close(&start);
    }
    return tt_comm_agree(r->comm, status);
}

// ---- phases

// Path of the best checkpoint of phase i; that of the last phase is best.h5.
static tt_status best_of(const run *r, int i, char *out) {
    if (i + 1 < r->result.n_phases)
        return tt_run_directory_checkpoint(&r->dir, r->result.phases[i].name, true, out);
    snprintf(out, TT_PATH_MAX, "%s", r->dir.best);
    return TT_OK;
}

// Path of the checkpoint that phase i begins with; "" where the student has random weights.
static tt_status start_of(const run *r, int i, char *out) {
    if (i > 0) return best_of(r, i - 1, out);
    snprintf(out, TT_PATH_MAX, "%s", r->config->model.start);
    return TT_OK;
}

static tt_status run_reflection(run *r, int i, tt_phase_context *context, bool resume) {
    tt_phase_outcome *phase = &r->result.phases[i];
    char folder[TT_PATH_MAX], reference[TT_PATH_MAX];
    TT_TRY(tt_path_join(folder, sizeof folder, r->dir.path, phase->name));
    TT_TRY(tt_comm_agree(r->comm, r->comm->rank == 0 ? tt_make_dirs(folder) : TT_OK));
    TT_TRY(start_of(r, i, reference));
    const tt_reflection_context iteration = {.config = r->config,
        .corpus = &r->corpus,
        .comm = r->comm,
        .iteration = phase->iteration,
        .folder = folder,
        .reference_path = reference,
        .cuts_warned = &r->cuts_warned};
    return tt_reflection_run(&iteration, context, &r->student, resume, &phase->result);
}

static tt_status run_phase(run *r, int i, tt_phase_context *context, bool resume) {
    tt_phase_outcome *phase = &r->result.phases[i];
    if (phase->iteration) return run_reflection(r, i, context, resume);
    if (strcmp(phase->name, "pretraining") == 0)
        return tt_pretraining_run(context, &r->student, resume, &phase->result);
    return tt_acquisition_run(context, &r->corpus, &r->student, resume, &phase->result);
}

// Reflection needs a student whose acquisition is finished.
static tt_status check_student(const run *r, const tt_phase_outcome *phase) {
    tt_phase_state state;
    if (!phase->iteration || !r->student.has_moments || !r->student.state) return TT_OK;
    if (tt_phase_read(&state, r->student.state, "acquisition") != TT_OK || state.finished) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "%s: its acquisition stopped after step %lld of %lld; finish it first, or take the run's best.h5 "
        "for reflection",
        r->config->model.start, (long long)state.result.steps, (long long)state.total);
}

// Before the first step of phase i: what it trains.
static tt_status adapt_student(run *r, int i) {
    const tt_phase_outcome *phase = &r->result.phases[i];
    char start[TT_PATH_MAX];
    TT_TRY(start_of(r, i, start));
    return tt_adapt_begin(&r->student,
        &(tt_adapt){
            .config = r->config, .phase = phase->name, .iteration = phase->iteration, .start = start});
}

static tt_status count_pairs(const run *r, tt_phase_outcome *phase) {
    char folder[TT_PATH_MAX], path[TT_PATH_MAX];
    tt_preferences pairs;
    if (!phase->iteration || r->comm->rank != 0) return TT_OK;
    TT_TRY(tt_path_join(folder, sizeof folder, r->dir.path, phase->name));
    TT_TRY(tt_path_join(path, sizeof path, folder, "pairs.h5"));
    TT_TRY(tt_preferences_load(&pairs, path));
    phase->recall_pairs = tt_preferences_count(&pairs, TT_RECALL);
    phase->analyze_pairs = tt_preferences_count(&pairs, TT_ANALYZE);
    phase->questions = pairs.questions;
    phase->without_pairs = pairs.without_pairs;
    tt_preferences_close(&pairs);
    return TT_OK;
}

static tt_status open_metrics(const run *r, tt_metrics *metrics) {
    char folder[TT_PATH_MAX];
    TT_TRY(tt_metrics_open(metrics, r->dir.metrics, r->metrics_bytes));
    if (strcmp(r->config->log, "tensorboard") != 0) return TT_OK;
    TT_TRY(tt_path_join(folder, sizeof folder, r->dir.path, "tensorboard"));
    return tt_tensorboard_open(&metrics->board, folder);
}

// The checkpoints before the last of phases that nothing resumes in.
static tt_status remove_earlier(const run *r, int phases) {
    char last[TT_PATH_MAX];
    for (int i = 0; i < phases && r->comm->rank == 0; ++i) {
        TT_TRY(tt_run_directory_checkpoint(&r->dir, r->result.phases[i].name, false, last));
        TT_TRY(tt_versions_remove(last, 0));
    }
    return TT_OK;
}

// A phase whose checkpoint of its end was lost would train its last steps again, and its metrics would be cut off before
// those of the phases behind it, which go on from later.
static tt_status check_order(run *r, int i, const char *last) {
    char later[TT_PATH_MAX];
    bool begun = false;
    for (int k = i + 1; k < r->result.n_phases && !begun; ++k) {
        TT_TRY(tt_run_directory_checkpoint(&r->dir, r->result.phases[k].name, false, later));
        TT_TRY(exists_on_root(r, later, &begun));
    }
    if (!begun) return TT_OK;
    const tt_status status = tt_fail(TT_ERR_FORMAT,
        "%s of the end of this phase is lost, and a later phase has begun from there; restore it from a "
        "backup, or remove %s and its earlier versions, so that both phases go on from what there is",
        last, later);
    return tt_comm_agree(r->comm, status);
}

// The memory of the rank whose device took the most.
static tt_status tell_memory(const run *r, const char *part) {
    tt_memory_use most = r->device->tally.peak;
    tt_str text = {0};
    char of[48] = "";
    int64_t all = (int64_t)most.all, rank;
    TT_TRY(tt_comm_max_i64(r->comm, &all, 1));
    rank = (int64_t)most.all == all ? -r->comm->rank : -r->comm->size; // the first of those
    TT_TRY(tt_comm_max_i64(r->comm, &rank, 1));
    TT_TRY(tt_comm_broadcast(r->comm, &most, sizeof most, (int)-rank));
    tt_memory_text(&text, &most);
    if (r->comm->size > 1) snprintf(of, sizeof of, " (rank %d of %d)", (int)-rank, r->comm->size);
    if (!text.failed) tt_info("%s%s: at most %s", part, of, tt_str_text(&text));
    tt_str_close(&text);
    return TT_OK;
}

// Trains what is left of the phase, and leaves its best weights in r->student.
static tt_status do_phase(run *r, int i) {
    tt_phase_outcome *phase = &r->result.phases[i];
    char last[TT_PATH_MAX], best[TT_PATH_MAX];
    bool saved, finished = false;
    tt_phase_state state;
    const int keep = (int)r->config->checkpoints.keep;
    TT_TRY(tt_run_directory_checkpoint(&r->dir, phase->name, false, last));
    TT_TRY(best_of(r, i, best));
    TT_TRY(tt_sharing_begin(&r->sharing, i, best));
    TT_TRY(tt_resume_open(
        &(tt_resume){.comm = r->comm, .device = r->device, .phase = phase->name, .path = last, .keep = keep},
        &r->student, &state, &saved));
    if (saved) {
        phase->result = state.result;
        r->metrics_bytes = state.metrics_bytes;
        r->began = tt_seconds() - state.result.wall;
        finished = state.finished;
        if (!finished) TT_TRY(check_order(r, i, last));
    } else {
        TT_TRY(check_order(r, i, last));
    }
    if (!saved && !r->student.model) {
        TT_TRY(tt_comm_agree(r->comm, tt_start_open(&r->student, r->config, r->device)));
        TT_TRY(tt_comm_agree(r->comm, check_student(r, phase)));
    }
    if (!saved) TT_TRY(tt_comm_agree(r->comm, adapt_student(r, i)));
    if (!finished) {
        if (r->comm->rank == 0)
            tt_space_tell(&(tt_space){.last = last,
                .best = best,
                .keep = keep,
                .parameters = tt_model_trained(r->student.model).size});
        tt_metrics metrics = {0};
        tt_status status = TT_OK;
        if (r->comm->rank == 0) status = open_metrics(r, &metrics);
        TT_TRY(tt_comm_agree(r->comm, status));
        tt_phase_context context = {.config = r->config,
            .comm = r->comm,
            .metrics = &metrics,
            .last_path = last,
            .earlier = keep - 1,
            .best_path = best,
            .tokens_path = r->dir.tokens,
            .seed = (uint64_t)r->config->seed,
            .began = r->began,
            .cuts_warned = &r->cuts_warned};
        tt_tally_restart(&r->device->tally);
        status = run_phase(r, i, &context, saved);
        if (status == TT_OK) status = tell_memory(r, phase->name);
        int64_t bytes = 0;
        if (status == TT_OK) status = tt_metrics_sync(&metrics, &bytes);
        r->metrics_bytes = bytes;
        tt_metrics_close(&metrics);
        TT_TRY(status);
    }
    phase->done = true;
    TT_TRY(tt_sharing_end(&r->sharing, i, best, r->metrics_bytes));
    TT_TRY(tt_comm_agree(r->comm, count_pairs(r, phase)));
    TT_TRY(tt_comm_agree(r->comm, remove_earlier(r, i)));
    tt_checkpoint_close(&r->student);
    return tt_comm_agree(r->comm, tt_checkpoint_load(&r->student, best, r->device));
}

static tt_status do_phases(run *r) {
    r->result.beams = (int)r->config->evaluation.beams;
    TT_TRY(tt_phases_add(&r->result, r->config, r->has_corpus));
    for (int i = 0; i < r->result.n_phases; ++i) TT_TRY(do_phase(r, i));
    return TT_OK;
}

// ---- final evaluation

// What one evaluation scores, and where its answers go.
typedef struct scoring {
    const tt_checkpoint *student;
    tt_split split;
    int samples;       // that vote; 0: greedy
    FILE *predictions; // NULL on ranks other than 0
    const char *label;
} scoring;

static tt_status evaluate_student(run *r, const scoring *s, tt_evaluation *out) {
    tt_evaluate_options options;
    TT_TRY(tt_scoring_of(&options, r->config, &r->corpus, s->split, s->samples));
    options.cuts_warned = &r->split_cuts_warned[s->split];
    options.predictions = s->predictions;
    options.label = s->label;
    TT_TRY(tt_evaluate(s->student->model, s->student->tokenizer, r->comm, &options, out));
    tt_info("%s: %.1f %% (%.1f to %.1f) of %d", s->label, 100 * out->accuracy, 100 * out->low,
        100 * out->high, out->n);
    return TT_OK;
}

static tt_status evaluate_split(run *r, tt_split split, int samples, FILE *predictions, tt_evaluation *out) {
    char label[64], decoding[TT_DECODING_NAME];
    tt_decoding_name(decoding, r->result.beams);
    if (samples) snprintf(decoding, sizeof decoding, "self-consistency of %d", samples);
    snprintf(label, sizeof label, "%s, %s", tt_split_name(split), decoding);
    const scoring s = {.student = &r->student,
        .split = split,
        .samples = samples,
        .predictions = predictions,
        .label = label};
    return evaluate_student(r, &s, out);
}

// Predictions appear when they are complete; on rank 0 only. Elsewhere the output stays closed.
static tt_status open_predictions(run *r, const char *path, tt_output *out) {
    tt_status status = TT_OK;
    *out = (tt_output){0};
    if (r->comm->rank == 0) status = tt_output_open(out, path);
    status = tt_comm_agree(r->comm, status);
    if (status != TT_OK) tt_output_drop(out); // another rank failed
    return status;
}

// Scores the test split after a phase that another one follows, to show what an iteration of reflection
// changed. The answers are stored, so that they can be compared question by question.
static tt_status evaluate_phase(run *r, int i) {
    tt_phase_outcome *phase = &r->result.phases[i];
    char best[TT_PATH_MAX], path[TT_PATH_MAX], label[96], decoding[TT_DECODING_NAME];
    tt_checkpoint student;
    tt_output predictions;
    TT_TRY(best_of(r, i, best));
    TT_TRY(tt_run_directory_predictions(r->dir.path, phase->name, path));
    TT_TRY(tt_comm_agree(r->comm, tt_checkpoint_load(&student, best, r->device)));
    tt_decoding_name(decoding, r->result.beams);
    snprintf(label, sizeof label, "test, %s, after %s", decoding, phase->name);
    tt_status status = open_predictions(r, path, &predictions);
    if (status == TT_OK) {
        const scoring s = {
            .student = &student, .split = TT_TEST, .predictions = predictions.file, .label = label};
        status = evaluate_student(r, &s, &phase->test);
        const bool all = status == TT_OK; // else the ranks may wait for each other at different places
        status = tt_output_close(&predictions, status);
        if (all) status = tt_comm_agree(r->comm, status);
    }
    tt_checkpoint_close(&student);
    phase->scored = status == TT_OK;
    return status;
}

static tt_status evaluate_phases(run *r) {
    for (int i = 0; i + 1 < r->result.n_phases && r->config->reflection.iterations > 0; ++i)
        if (strcmp(r->result.phases[i].name, "pretraining") != 0) TT_TRY(evaluate_phase(r, i));
    return TT_OK;
}

static tt_status evaluate_splits(run *r, FILE *predictions) {
    const tt_config *c = r->config;
    tt_result *result = &r->result;
    for (int i = 0; i < c->evaluation.splits.n; ++i) {
        tt_split split;
        TT_TRY(tt_split_parse(&split, c->evaluation.splits.items[i]));
        if (tt_split_is_empty(&r->corpus, split)) {
            tt_warn("evaluation.splits: the corpus has no %s questions", tt_split_name(split));
            continue;
        }
        if (split == TT_TEST) TT_TRY(evaluate_phases(r));
        TT_TRY(evaluate_split(r, split, 0, predictions, &result->greedy[split]));
        result->scored[split] = true;
        if (split == TT_TEST && result->n_phases > 0) {
            result->phases[result->n_phases - 1].test = result->greedy[split];
            result->phases[result->n_phases - 1].scored = true;
        }
        if (split != TT_TEST || c->evaluation.samples < 1) continue;
        result->samples = (int)c->evaluation.samples;
        TT_TRY(evaluate_split(r, split, result->samples, predictions, &result->self_consistency[split]));
        result->voted[split] = true;
    }
    return TT_OK;
}

static tt_status do_evaluation(run *r) {
    if (!r->has_corpus || r->config->evaluation.splits.n == 0) return TT_OK;
    if (!r->student.model) TT_TRY(tt_comm_agree(r->comm, tt_start_open(&r->student, r->config, r->device)));
    tt_output predictions;
    TT_TRY(open_predictions(r, r->dir.predictions, &predictions));
    tt_tally_restart(&r->device->tally);
    tt_status status = evaluate_splits(r, predictions.file);
    if (status == TT_OK) status = tell_memory(r, "evaluation");
    if (status == TT_ERR_INTERRUPTED)
        status =
            tt_fail(status, "stopped in the final evaluation; the student is saved; %s", tt_how_to_resume());
    return tt_output_close(&predictions, status);
}

// ---- the whole run

// Removes what there is of the phase `from` and of those after it, the last one first.
static tt_status remove_phases(const tt_config *config, const tt_run_directory *dir, const char *from) {
    char names[TT_MAX_PHASES][TT_PHASE_NAME];
    tt_str all = {0};
    int n = 0, first = -1, iteration;
    while (n < TT_MAX_PHASES && tt_phase_at(config, n, names[n], &iteration)) {
        tt_str_format(&all, "%s%s", n ? ", " : "", names[n]);
        if (strcmp(names[n], from) == 0) first = n;
        ++n;
    }
    tt_status status = tt_str_status(&all);
    if (status == TT_OK && first < 0)
        status = tt_fail(TT_ERR_USAGE, "--fresh-from %s: no phase of this run has this name; it has %s", from,
            n ? tt_str_text(&all) : "none");
    for (int k = n - 1; status == TT_OK && k >= first; --k) {
        status = tt_phase_forget(dir, names[k]); // first: nobody takes what is being removed
        if (status == TT_OK) status = tt_run_directory_remove_phase(dir, names[k]);
    }
    tt_str_close(&all);
    return status;
}

static tt_status finish_run(run *r, FILE *out) {
    tt_result *result = &r->result;
    result->name = r->config->name;
    result->stages = r->config->stages;
    result->wall_seconds = tt_seconds() - r->began;
    if (r->comm->rank != 0) return TT_OK;
    TT_TRY(remove_earlier(r, result->n_phases));
    TT_TRY(tt_result_write(result, r->dir.result));
    char *table = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&table, &length);
    if (!memory) return tt_fail(TT_ERR_NOMEM, "result table");
    tt_result_print(result, memory);
    fprintf(memory, "  in %s\n", r->dir.path);
    fclose(memory);
    tt_status status = tt_write_file(r->dir.table, table, length);
    if (status == TT_OK && r->rescore) status = tt_run_directory_rescored(&r->dir, r->config);
    fputs(table, out);
    free(table);
    return status;
}

// Prints the table of a finished run.
static tt_status show_finished(run *r, FILE *out, bool *finished) {
    TT_TRY(exists_on_root(r, r->dir.result, finished));
    if (r->rescore) *finished = false; // the student is kept and scored again
    if (!*finished || r->comm->rank != 0 || !tt_file_exists(r->dir.table)) return TT_OK;
    char *table;
    size_t length;
    TT_TRY(tt_read_file(r->dir.table, 1 << 20, &table, &length));
    fputs(table, out);
    free(table);
    tt_info("this run is finished; --fresh starts it over");
    return TT_OK;
}

// Adds to the message of a disk that failed.
static tt_status say_how_to_go_on(const run *r) {
    char why[2048];
    snprintf(why, sizeof why, "%s", tt_error_message());
    return tt_fail(TT_ERR_IO, "%s; what %s contains is intact: when the cause is mended, %s", why,
        r->dir.path, tt_how_to_resume());
}

// On rank 0, once the files of before have been removed. A run that was stopped before it had saved anything has begun
// anew, too.
static tt_status note_generation(const run *r, const tt_run_options *options) {
    const bool anew =
        options->fresh || options->fresh_from || !tt_run_directory_has(r->dir.path, "phases.json", NULL);
    return options->generation && anew ? tt_phase_note_generation(&r->dir, options->generation) : TT_OK;
}

// Once the files of before have been removed: the same command would remove what it has saved.
static void say_how_to_resume(const tt_run_options *options) {
    if (options->fresh) tt_resume_by("run the same command without --fresh to resume");
    if (options->fresh_from) tt_resume_by("run the same command without --fresh-from to resume");
}

static tt_status do_run(run *r, const tt_run_options *options, FILE *out) {
    bool finished;
    tt_config_warn(r->config);
    TT_TRY(tt_run_directory_name(&r->dir, r->config));
    TT_TRY(resolve_precision(r, options->fresh));
    TT_TRY(lock_directory(r));
    if (options->fresh || options->fresh_from) TT_TRY(check_start(r));
    TT_TRY(open_directory(r, options->fresh));
    if (options->fresh_from)
        TT_TRY(tt_comm_agree(
            r->comm, r->comm->rank == 0 ? remove_phases(r->config, &r->dir, options->fresh_from) : TT_OK));
    if (!options->generation) say_how_to_resume(options);
    TT_TRY(tt_comm_agree(r->comm, r->comm->rank == 0 ? note_generation(r, options) : TT_OK));
    TT_TRY(show_finished(r, out, &finished));
    if (finished) return TT_OK;
    TT_TRY(open_device(r));
    const bool alone = (options->fresh || options->fresh_from) && !options->generation;
    const tt_sharing_source source = {.root = alone ? NULL : options->share,
        .generation = options->generation,
        .from = options->generation_from};
    TT_TRY(tt_sharing_open(&r->sharing, r->config, &r->dir, r->comm, &source));
    TT_TRY(open_corpus(r));
    tt_interrupt_defer(true); // what came before is quickly done again
    tt_status status = TT_OK;
    if (r->comm->rank == 0)
        status =
            tt_environment_write(r->dir.environment, r->device, r->comm, r->has_corpus ? &r->corpus : NULL);
    TT_TRY(tt_comm_agree(r->comm, status));
    status = do_phases(r);
    if (status == TT_OK) status = do_evaluation(r);
    if (status == TT_OK) status = tt_comm_agree(r->comm, finish_run(r, out));
    return status == TT_ERR_IO ? say_how_to_go_on(r) : status;
}

tt_status tt_run(tt_config *config, tt_comm *comm, const tt_run_options *options, FILE *out) {
    run r = {.config = config,
        .comm = comm,
        .began = tt_seconds(),
        .lock = options->lock ? *options->lock : (tt_lock){.file = -1},
        .sharing = {.lock = {.file = -1}}};
    tt_status status = do_run(&r, options, out);
    tt_checkpoint_close(&r.student);
    if (r.has_corpus) tt_corpus_close(&r.corpus);
    tt_device_close(r.device);
    tt_sharing_close(&r.sharing);
    tt_lock_release(&r.lock);
    return status;
}
