#include "host/lab/needs.h"

#include "host/base/cores.h"
#include "host/base/str.h"
#include "host/data/world/world.h"
#include "host/lab/adapt.h"
#include "host/lab/known_pairs.h"
#include "host/lab/phases.h"
#include "host/lab/start.h"
#include "host/train/acquisition.h"
#include "host/train/pretraining.h"
#include "host/train/reflection/reflection.h"
#include "host/train/rehearsal.h"
#include "kernels/counting.h"
#include "kernels/cuda/cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Steps whose batches are looked at; questions that a rank writes texts for. So many prompts fill the caches of encoded
// sources, however many more there are (host/reason/engine.c).
enum { LOOKS = 4096, QUESTIONS = 1024 };

typedef struct counter {
    tt_config config; // the run's, with fewer questions; its texts are borrowed
    const tt_corpus *corpus;
    tt_comm *comm;
    tt_device *device;
    const char *const *runs; // of the machine
    const char *tokens_path; // where tokenised texts are kept between counts
    bool warned[1 + TT_SPLITS];
    tt_needs *out;
} counter;

tt_status tt_needs_machine_here(tt_needs_machine *out, const tt_config *config, bool gpu) {
    char why[TT_CUDA_WHY_SIZE];
    tt_precision asked;
    *out = (tt_needs_machine){.ranks = 1};
    TT_TRY(tt_precision_parse(&asked, config->precision));
    out->cuda = gpu || strcmp(config->device, "cuda") == 0 ||
                (strcmp(config->device, "auto") == 0 && tt_cuda_available(why));
    out->precision = tt_precision_resolve(asked, out->cuda);
    out->threads = config->threads > 0 ? (int)config->threads : tt_cores_threads();
    return TT_OK;
}

const tt_need *tt_needs_largest(const tt_needs *needs) {
    const tt_need *largest = needs->n ? &needs->items[0] : NULL;
    for (int i = 1; i < needs->n; ++i)
        if (needs->items[i].peak.all > largest->peak.all) largest = &needs->items[i];
    return largest;
}

tt_status tt_needs_corpus(tt_corpus *out, bool *has, const tt_config *config) {
    *out = (tt_corpus){0};
    *has = *config->corpus != '\0';
    if (!*has) return TT_OK;
    if (!tt_ends_with(config->corpus, ".yaml")) return tt_corpus_load(out, config->corpus);
    const tt_status status = tt_world_corpus(out, config->corpus);
    if (status != TT_OK) tt_corpus_close(out);
    return status;
}

static int64_t fewer(int64_t questions, int64_t most) {
    return questions == 0 || questions > most ? most : questions;
}

// ---- what a student would write

// Whether the token is a word of its own, so that a text of such words has as many tokens.
static tt_status is_word(const tt_tokenizer *tokenizer, int32_t id, tt_ids *ids, bool *out) {
    char *text = NULL;
    *out = false;
    TT_TRY(tt_tokenizer_decode(tokenizer, (const int32_t[]){id, id}, 2, &text));
    tt_status status = *text ? tt_tokenizer_encode(tokenizer, text, false, ids) : TT_OK;
    *out = status == TT_OK && *text && ids->n == 2 && ids->items[0] == id && ids->items[1] == id;
    free(text);
    return status;
}

static tt_status find_words(const tt_tokenizer *tokenizer, tt_counting_texts *out) {
    tt_ids ids = {0};
    tt_status status = TT_OK;
    const int pieces = tt_tokenizer_pieces(tokenizer);
    for (int32_t id = 3; id < pieces && out->n < TT_COUNTING_WORDS && status == TT_OK; ++id) {
        bool found;
        status = is_word(tokenizer, id, &ids, &found);
        if (found) out->words[out->n++] = id;
    }
    if (out->n == 0) out->words[out->n++] = pieces - 1;
    free(ids.items);
    return status;
}

static tt_status add_length(const tt_tokenizer *tokenizer, const char *text, int64_t *tokens, int64_t *n) {
    tt_ids ids = {0};
    if (!text) return TT_OK;
    const tt_status status = tt_tokenizer_encode(tokenizer, text, true, &ids);
    *tokens += ids.n;
    ++*n;
    free(ids.items);
    return status;
}

// The mean length of the teacher's texts, </s> included.
static tt_status find_length(const counter *c, const tt_tokenizer *tokenizer, int *out) {
    enum { ENOUGH = 200 };
    int64_t tokens = 0, n = 0;
    for (size_t i = 0; c->corpus && i < c->corpus->n_reasoning && i < ENOUGH; ++i) {
        const tt_reasoning *r = &c->corpus->reasoning[i];
        TT_TRY(add_length(tokenizer, r->general, &tokens, &n));
        for (int o = 0; r->specific && o < c->corpus->questions[r->question].n_options; ++o)
            TT_TRY(add_length(tokenizer, r->specific[o], &tokens, &n));
    }
    const int64_t length = n ? (tokens + n / 2) / n : c->config.evaluation.max_length / 4;
    *out = length > 0 ? (int)length : 1;
    return TT_OK;
}

// ---- the parts of a run

// `part` NULL: its steps. `phase`: index, -1 for the evaluation.
static void add_need(counter *c, int phase, const char *name, const char *part, const tt_memory_use *peak) {
    tt_need *need = &c->out->items[c->out->n++];
    *need = (tt_need){.phase = phase, .generates = part != NULL, .peak = *peak};
    snprintf(need->name, sizeof need->name, "%.30s%s%s", name, part && *part ? ", " : "", part ? part : "");
}

static tt_status rehearse(
    counter *c, const tt_phase_outcome *phase, tt_checkpoint *student, tt_rehearsal *out) {
    const tt_phase_context context = {.config = &c->config,
        .comm = c->comm,
        .tokens_path = c->tokens_path,
        .seed = (uint64_t)c->config.seed,
        .cuts_warned = &c->warned[TT_SPLITS],
        .rehearsal = out};
    tt_phase_result result;
    if (phase->iteration) {
        const tt_reflection_context iteration = {.config = &c->config,
            .corpus = c->corpus,
            .comm = c->comm,
            .iteration = phase->iteration,
            .cuts_warned = &c->warned[TT_SPLITS]};
        return tt_reflection_run(&iteration, &context, student, false, &result);
    }
    if (strcmp(phase->name, "pretraining") == 0) return tt_pretraining_run(&context, student, false, &result);
    return tt_acquisition_run(&context, c->corpus, student, false, &result);
}

// How many pairs a question gives: as many as in an earlier run, or, a guess, as many as small students had that were often wrong.
static tt_status expect_pairs(const counter *c, int iteration, tt_needs_phase *phase) {
    const tt_known_pairs known = tt_known_pairs_find(&c->config, iteration, c->runs, 2);
    const double samples = (double)c->config.reflection.samples, few = floor(samples / 2) + 1;
    tt_stage_set set;
    TT_TRY(tt_stage_set_parse(&set, c->config.stages));
    const bool recall = tt_stage_set_has(set, TT_RECALL),
               analyze =
                   tt_stage_set_has(set, TT_ANALYZE) && tt_targets_analyze(c->config.reflection.targets);
    phase->pairs_of = known.run;
    phase->recall_pairs = known.run ? known.recall : recall ? few : 0;
    phase->analyze_pairs = known.run  ? known.analyze
                           : !analyze ? 0
                           : recall   ? few * (1 + samples / 3)
                                      : 2 * few;
    return TT_OK;
}

static bool has_as_many(const tt_needs_phase *a, const tt_needs_phase *b) {
    return !(a->recall_pairs < b->recall_pairs || a->recall_pairs > b->recall_pairs ||
             a->analyze_pairs < b->analyze_pairs || a->analyze_pairs > b->analyze_pairs);
}

// An iteration with as many pairs takes what the one before did.
static void repeat_phase(tt_needs_phase *phase, const tt_needs_phase *before) {
    phase->steps = before->steps;
    phase->tokens = before->tokens;
    phase->largest_batch = before->largest_batch;
}

static tt_status count_phase(counter *c, const tt_phase_outcome *phase) {
    const int number = c->out->n_phases++;
    tt_needs_phase *out = &c->out->phases[number];
    snprintf(out->name, sizeof out->name, "%s", phase->name);
    snprintf(out->section, sizeof out->section, "%s", phase->iteration ? "reflection" : phase->name);
    tt_checkpoint student;
    if (phase->iteration) TT_TRY(expect_pairs(c, phase->iteration, out));
    if (phase->iteration > 1 && has_as_many(out, out - 1)) {
        repeat_phase(out, out - 1);
        return TT_OK;
    }
    tt_rehearsal r = {.looks = LOOKS, .recall_pairs = out->recall_pairs, .analyze_pairs = out->analyze_pairs};
    TT_TRY(tt_start_outline(&student, &c->config, c->device));
    tt_status status = tt_adapt_begin(
        &student, &(tt_adapt){.config = &c->config, .phase = phase->name, .iteration = phase->iteration});
    if (status == TT_OK) status = rehearse(c, phase, &student, &r);
    tt_checkpoint_close(&student);
    TT_TRY(status);
    out->steps = r.steps;
    out->tokens = r.tokens;
    out->largest_batch = r.n_examples;
    if (phase->iteration > 1) return TT_OK; // the memory of the first
    if (phase->iteration) add_need(c, number, phase->name, "pairs", &r.pairs);
    add_need(c, number, phase->name, NULL, &r.steps_use);
    add_need(c, number, phase->name, "validation", &r.validation);
    return TT_OK;
}

static tt_status score(counter *c, const tt_checkpoint *student, tt_split split, int samples) {
    tt_evaluate_options options;
    tt_evaluation e;
    TT_TRY(tt_scoring_of(&options, &c->config, c->corpus, split, samples));
    options.cuts_warned = &c->warned[split];
    const int64_t most = (int64_t)QUESTIONS * c->comm->size;
    options.questions = fewer(options.questions, samples ? (most + samples - 1) / samples : most);
    return tt_evaluate(student->model, student->tokenizer, c->comm, &options, &e);
}

// As the run's final evaluation: after a phase that reflection follows, the student of that phase is there beside the last one.
static tt_status count_evaluation(counter *c, const tt_checkpoint *student) {
    const tt_config *config = &c->config;
    for (int i = 0; i < config->evaluation.splits.n; ++i) {
        tt_split split;
        TT_TRY(tt_split_parse(&split, config->evaluation.splits.items[i]));
        if (tt_split_is_empty(c->corpus, split)) continue;
        if (split == TT_TEST && config->reflection.iterations > 0) {
            tt_checkpoint earlier;
            TT_TRY(tt_start_outline(&earlier, config, c->device));
            const tt_status status = score(c, &earlier, split, 0);
            tt_checkpoint_close(&earlier);
            TT_TRY(status);
        }
        TT_TRY(score(c, student, split, 0));
        if (split == TT_TEST && config->evaluation.samples > 0)
            TT_TRY(score(c, student, split, (int)config->evaluation.samples));
    }
    return TT_OK;
}

static tt_status count_all(counter *c) {
    tt_result *run;
    tt_checkpoint student;
    TT_TRY(tt_alloc(&run, 1, sizeof *run, "phases"));
    tt_status status = tt_phases_add(run, &c->config, c->corpus != NULL);
    for (int i = 0; i < run->n_phases && status == TT_OK; ++i) status = count_phase(c, &run->phases[i]);
    free(run);
    TT_TRY(status);
    TT_TRY(tt_start_outline(&student, &c->config, c->device));
    c->out->parameters = student.model->size;
    if (c->corpus && c->config.evaluation.splits.n > 0) {
        tt_tally_restart(&c->device->tally);
        status = count_evaluation(c, &student);
        add_need(c, -1, "evaluation", "", &c->device->tally.peak);
    }
    tt_checkpoint_close(&student);
    return status;
}

static tt_status open_device(counter *c, const tt_needs_machine *machine) {
    TT_TRY(tt_counting_open(&c->device,
        &(tt_counting){.cuda = machine->cuda, .precision = machine->precision, .threads = machine->threads}));
    tt_checkpoint student;
    tt_counting_texts texts = {.end = TT_EOS};
    TT_TRY(tt_start_outline(&student, &c->config, c->device));
    tt_status status = find_words(student.tokenizer, &texts);
    if (status == TT_OK) status = find_length(c, student.tokenizer, &texts.length);
    if (status == TT_OK) tt_counting_write(c->device, &texts);
    tt_checkpoint_close(&student);
    return status;
}

tt_status tt_needs_count(
    tt_needs *out, const tt_config *config, const tt_corpus *corpus, const tt_needs_machine *machine) {
    const int64_t most = (int64_t)QUESTIONS * machine->ranks;
    counter c = {.config = *config,
        .corpus = corpus,
        .runs = machine->runs,
        .tokens_path = machine->tokens_path,
        .out = out};
    *out = (tt_needs){0};
    c.config.acquisition.validation_questions = fewer(config->acquisition.validation_questions, most);
    c.config.reflection.train.validation_questions =
        fewer(config->reflection.train.validation_questions, most);
    TT_TRY(tt_comm_pretend(&c.comm, machine->ranks));
    tt_status status = open_device(&c, machine);
    if (status == TT_OK) status = count_all(&c);
    tt_device_close(c.device);
    tt_comm_close_part(c.comm);
    return status;
}
