#include "host/train/span_corruption.h"

#include "host/text/tokenizer.h"

#include <math.h>
#include <stdbool.h>

void tt_span_corruption_counts(const tt_span_corruption *corruption, int n, int *noise, int *spans) {
    int noised = (int)lround(n * corruption->noise_density);
    if (noised < 1) noised = 1;
    if (noised > n - 1) noised = n - 1;
    int count = (int)lround(noised / corruption->mean_span);
    if (count > corruption->sentinels) count = corruption->sentinels;
    if (count > n - noised) count = n - noised;
    if (count > noised) count = noised;
    *noise = noised;
    *spans = count > 1 ? count : 1;
}

// A uniformly random division of `items` into `parts` parts of at least one item, drawn one cut at a time
// (selection sampling: Knuth, The Art of Computer Programming 3.4.2, algorithm S), so that two divisions can be
// made side by side.
typedef struct division {
    int items, parts; // not given out yet
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

tt_status tt_span_corrupt(
    const tt_span_corruption *corruption, const int32_t *ids, int n, tt_rng *rng, tt_corrupted *out) {
    if (n < 2 || corruption->sentinels < 1)
        return tt_fail(TT_ERR_INPUT, "span corruption: %d tokens and %d sentinels, expected at least 2 and 1",
            n, corruption->sentinels);
    int noise, spans, n_input = 0, n_target = 0;
    tt_span_corruption_counts(corruption, n, &noise, &spans);
    division kept = {n - noise, spans}, replaced = {noise, spans};
    for (int s = 0; s < spans; ++s) {
        const int32_t sentinel = corruption->first_sentinel - s;
        for (int left = next_part(&kept, rng); left > 0; --left) out->input[n_input++] = *ids++;
        out->input[n_input++] = out->target[n_target++] = sentinel;
        for (int left = next_part(&replaced, rng); left > 0; --left) out->target[n_target++] = *ids++;
    }
    out->input[n_input++] = out->target[n_target++] = TT_EOS;
    out->n_input = n_input;
    out->n_target = n_target;
    return TT_OK;
}
