#include "host/train/preference.h"

#include <math.h>
#include <string.h>

static const char *const kind_names[] = {TT_LOSS_MAP(TT_WORD_TEXT)};

static const tt_preference_description descriptions[] = {
#define DESCRIPTION(code, word_, formula_, smoothed_, at_zero_, smoothing, normalised)                       \
    {.word = word_,                                                                                          \
        .formula = formula_,                                                                                 \
        .smoothed = smoothed_,                                                                               \
        .at_zero = at_zero_,                                                                                 \
        .label_smoothing = smoothing,                                                                        \
        .length_normalised = normalised},
    TT_LOSS_MAP(DESCRIPTION)
#undef DESCRIPTION
};

const tt_preference_description *tt_preference_describe(const char *word) {
    for (int i = 0; i < TT_PREFERENCE_KINDS; ++i)
        if (strcmp(word, descriptions[i].word) == 0) return &descriptions[i];
    return NULL;
}

tt_status tt_preference_open(tt_preference *out, const tt_preference_options *options) {
    const double beta = options->beta, label_smoothing = options->label_smoothing;
    static const tt_words words = {
        .what = "preference loss", .words = kind_names, .n = TT_PREFERENCE_KINDS, .error = TT_ERR_CONFIG};
    int index;
    TT_TRY(tt_word_parse(&words, options->loss, &index));
    if (!(beta > 0)) return tt_fail(TT_ERR_CONFIG, "preference: beta is %g, must be above 0", beta);
    if (!(label_smoothing >= 0 && label_smoothing < 0.5))
        return tt_fail(TT_ERR_CONFIG, "preference: label smoothing is %g, allowed are 0 up to below 0.5",
            label_smoothing);
    *out = (tt_preference){.kind = (tt_preference_kind)index,
        .beta = beta,
        .label_smoothing = label_smoothing,
        .nll_weight = options->nll_weight,
        .length_normalised = options->length_normalised || descriptions[index].length_normalised};
    return TT_OK;
}

static double logistic(double x) {
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double log_logistic(double x) {
    return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

double tt_preference_margin_loss(const tt_preference *p, double margin, double *slope) {
    const double b = p->beta, x = b * margin, e = p->label_smoothing;
    switch (p->kind) {
    case TT_PREFER_HINGE:
        *slope = x < 1 ? -b : 0;
        return x < 1 ? 1 - x : 0;
    case TT_PREFER_IPO: {
        const double distance = margin - 1 / (2 * b);
        *slope = 2 * distance;
        return distance * distance;
    }
    case TT_PREFER_ROBUST:
        *slope = (-(1 - e) * b * logistic(-x) - e * b * logistic(x)) / (1 - 2 * e);
        return (-(1 - e) * log_logistic(x) + e * log_logistic(-x)) / (1 - 2 * e);
    case TT_PREFER_SIGMOID:
        *slope = -(1 - e) * b * logistic(-x) + e * b * logistic(x);
        return -(1 - e) * log_logistic(x) - e * log_logistic(-x);
    case TT_PREFERENCE_KINDS:
        break;
    }
    *slope = NAN; // no such loss
    return NAN;
}

static double sum_of(const float *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += (double)x[i];
    return sum;
}

static void fill_with(float *x, int n, double value) {
    for (int i = 0; i < n; ++i) x[i] = (float)value;
}

void tt_preference_gradient(
    const tt_preference *p, const tt_preference_part *part, float *dlogp, tt_preference_sums *sums) {
    const double pairs = (double)part->batch_pairs, tokens = (double)part->batch_tokens;
    const float *logp = part->logp;
    for (int i = 0; i < part->n; ++i) {
        const tt_preference_pair *pair = &part->pairs[i];
        const int nc = pair->chosen_tokens, nr = pair->rejected_tokens;
        const double by_c = p->length_normalised ? 1.0 / nc : 1, by_r = p->length_normalised ? 1.0 / nr : 1;
        const double sum_c = sum_of(logp, nc), sum_r = sum_of(logp + nc, nr);
        const double reward_c = p->beta * by_c * (sum_c - pair->reference_chosen),
                     reward_r = p->beta * by_r * (sum_r - pair->reference_rejected);
        double slope;
        const double loss = tt_preference_margin_loss(p, (reward_c - reward_r) / p->beta, &slope),
                     nll = -sum_c / tokens, share = slope / pairs;
        fill_with(dlogp, nc, share * by_c - p->nll_weight / tokens);
        fill_with(dlogp + nc, nr, -share * by_r);
        sums->loss += loss / pairs + p->nll_weight * nll;
        sums->nll += nll;
        sums->reward_chosen += reward_c / pairs;
        sums->reward_rejected += reward_r / pairs;
        sums->accuracy += (reward_c > reward_r) / pairs;
        sums->logp_chosen += by_c * sum_c / pairs;
        sums->logp_rejected += by_r * sum_r / pairs;
        logp += nc + nr;
        dlogp += nc + nr;
    }
}
