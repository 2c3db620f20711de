// Floating-point operations of a step, counted over real tokens.
#include "host/model/layout.h"

// Multiply-adds of q k^T and p v over packed sequences.
static double attention_macs(const int32_t *q_offsets, int q_seqs, const int32_t *kv_offsets,
    const int32_t *source, bool causal, int inner) {
    double pairs = 0;
    for (int i = 0; i < q_seqs; ++i) {
        const int s = source ? source[i] : i;
        const double q = q_offsets[i + 1] - q_offsets[i], k = kv_offsets[s + 1] - kv_offsets[s];
        pairs += causal ? q * (q + 1) / 2 : q * k;
    }
    return 2 * pairs * inner;
}

double tt_model_flops(const tt_model *model, const tt_batch *batch) {
    const tt_model_config *c = &model->config;
    const double d = c->d_model, inner = tt_inner(c),
                 ffn = d * (tt_activation_width(c->activation, c->d_ff) + c->d_ff);
    const double encoder_layer = 4 * d * inner + ffn, decoder_layer = 6 * d * inner + ffn;
    double macs = batch->enc_tokens * (c->num_layers * encoder_layer + c->num_decoder_layers * 2 * d * inner);
    macs += batch->dec_tokens * (c->num_decoder_layers * decoder_layer + d * c->vocab_size);
    macs += c->num_layers * attention_macs(batch->enc_offsets, batch->enc_seqs, batch->enc_offsets, NULL,
                                false, c->num_heads * c->d_kv);
    macs +=
        c->num_decoder_layers * (attention_macs(batch->dec_offsets, batch->dec_seqs, batch->dec_offsets, NULL,
                                     true, c->num_heads * c->d_kv) +
                                    attention_macs(batch->dec_offsets, batch->dec_seqs, batch->enc_offsets,
                                        batch->dec_source, false, c->num_heads * c->d_kv));
    return 3 * 2 * macs;
}
