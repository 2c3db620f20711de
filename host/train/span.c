#include "host/train/span.h"

#include "host/text/tokenizer.h"

#include <math.h>
#include <stdbool.h>

void tt_span_counts(const tt_span *span, int n, int *noise, int *spans) {
    int noised = (int)lround(n * span->noise_density);
    if (noised < 1) noised = 1;
    if (noised > n - 1) noised = n - 1;
    int count = (int)lround(noised / span->mean_span);
    if (count > span->sentinels) count = span->sentinels;
    if (count > n - noised) count = n - noised;
    if (count > noised) count = noised;
    *noise = noised;
    *spans = count > 1 ? count : 1;
}

// A uniformly random division of `items` into `parts` parts of at least one item, drawn one cut at a time
// (selection sampling: Knuth, algorithm S), so that two divisions can be walked side by side.
typedef struct division {
    int items, parts; // left
} division;

static int next_part(division *d, tt_rng *rng) {
    int size = 1;
    // A cut after this item has probability (cuts left) / (places left).
    while (d->parts > 1 && (int)tt_rng_below(rng, (uint32_t)(d->items - size)) >= d->parts - 1) size++;
    if (d->parts == 1) size = d->items;
    d->items -= size;
    d->parts--;
    return size;
}

tt_status tt_span_corrupt(const tt_span *span, const int32_t *ids, int n, tt_rng *rng, int32_t *input,
    int *n_input, int32_t *target, int *n_target) {
    if (n < 2 || span->sentinels < 1)
        return tt_fail(TT_ERR_INPUT, "span corruption: %d tokens and %d sentinels, expected at least 2 and 1",
            n, span->sentinels);
    int noise, spans, in = 0, out = 0;
    tt_span_counts(span, n, &noise, &spans);
    division kept = {n - noise, spans}, lost = {noise, spans};
    for (int s = 0; s < spans; ++s) {
        for (int left = next_part(&kept, rng); left > 0; --left) input[in++] = *ids++;
        input[in++] = target[out++] = span->first_sentinel - s;
        for (int left = next_part(&lost, rng); left > 0; --left) target[out++] = *ids++;
    }
    input[in++] = target[out++] = TT_EOS;
    *n_input = in;
    *n_target = out;
    return TT_OK;
}
