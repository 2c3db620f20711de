// Nothing is sorted. Each id gets a bin by the distance of its logit from the largest one, so that the bins' measures
// tell in which bin the cut is. A bin is an interval of logits, since no step of its computation changes their order.
// Within that bin, which few ids share, a radix search over the logits' bit patterns in an order-preserving form finds
// the threshold.
#include "kernels/cpu/cut.h"

#include "kernels/cpu/math.h"

#include <string.h>

enum {
    BINS = 256, // the last one has all that is further away
    // Of the bins: neighbouring ids often share one, and an addition has to wait for the one before.
    COPIES = 4,
    GROUP = 8 // ids looked at together: bytes of a word
};
// In units of the distance at which a weight is e times smaller: bins of 1/32 down to 5 of them, then of 1/4 down to
// 28.75.
static const float fine = 32, kink = 160, coarse = 0.125f; // coarse: of fine ones

// Memory: the number of each id's bin, and ids.
static int32_t *list_in(void *memory) {
    return memory;
}
static uint8_t *bins_in(void *memory, int n) {
    return (uint8_t *)memory + (size_t)n * sizeof(int32_t);
}

size_t tt_cut_bytes(int n) {
    return (size_t)n * (sizeof(int32_t) + 1);
}

TT_MULTIVERSION(void, number_bins, (int n, const float *x, float top, float factor, uint8_t *bin),
    (n, x, top, factor, bin)) {
#pragma omp simd
    for (int i = 0; i < n; ++i) {
        const float distance = (top - x[i]) * factor * fine,
                    further = distance * coarse + kink * (1 - coarse);
        const float number = distance < further ? distance : further;
        bin[i] = (uint8_t)(int)(number < BINS - 1 ? number : BINS - 1);
    }
}

// sum[b] = measure of bin b.
static void fill_bins(const tt_cut_row *row, bool count, const uint8_t *bin, double sum[BINS]) {
    const int n = row->n, whole = n / COPIES * COPIES;
    const float *weight = row->weight;
    double copy[COPIES][BINS] = {{0}};
    if (count) {
        for (int i = 0; i < n; ++i) copy[i % COPIES][bin[i]] += weight[i] > 0 ? 1 : 0;
    } else {
        for (int i = 0; i < whole; i += COPIES)
            for (int c = 0; c < COPIES; ++c) copy[c][bin[i + c]] += (double)weight[i + c];
        for (int i = whole; i < n; ++i) copy[0][bin[i]] += (double)weight[i];
    }
    for (int b = 0; b < BINS; ++b) sum[b] = copy[0][b] + copy[1][b] + (copy[2][b] + copy[3][b]);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first of a word's bytes is its lowest");

// Bit 8 i + 7 is set where the i-th of GROUP bins is `wanted`. No carry leaves a byte, so that each is exact.
TT_INLINE uint64_t find_bins(const uint8_t *bin, uint8_t wanted) {
    const uint64_t each = 0x0101010101010101u, low = each * 0x7f;
    uint64_t bins;
    memcpy(&bins, bin, sizeof bins);
    bins ^= each * wanted; // now 0 where it is
    return ~(((bins & low) + low) | bins | low);
}

// The ids of a bin that have positive weights, in increasing order; others decide nothing. Returns how many there are.
static int collect(int n, const float *weight, const uint8_t *bin, uint8_t wanted, int32_t *list) {
    const int whole = n / GROUP * GROUP;
    int m = 0;
    for (int from = 0; from < whole; from += GROUP)
        for (uint64_t found = find_bins(bin + from, wanted); found; found &= found - 1) {
            list[m] = from + __builtin_ctzll(found) / 8;
            m += weight[list[m]] > 0;
        }
    for (int i = whole; i < n; ++i)
        if (bin[i] == wanted && weight[i] > 0) list[m++] = i;
    return m;
}

// Larger for larger x; -0 and +0 alike.
TT_INLINE uint32_t ordered_bits(float x) {
    uint32_t bits = tt_float_bits(x + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// What is kept: larger logits, and of equal ones ids below `limit`.
typedef struct threshold {
    float logit;
    int32_t limit;
} threshold;

// The threshold among the ids list[0..m), at least one, when ids with a measure of `above` are kept anyway.
static threshold search(const tt_cut_row *row, bool count, double goal, double above, int32_t *list, int m) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        double sum[BINS] = {0};
        for (int k = 0; k < m; ++k)
            sum[ordered_bits(row->x[list[k]]) >> shift & 255] += count ? 1 : (double)row->weight[list[k]];
        int b = BINS - 1, lowest = 0, left = 0;
        while (!(sum[lowest] > 0)) ++lowest;
        while (b > lowest && above + sum[b] < goal) above += sum[b--];
        for (int k = 0; k < m; ++k) {
            const int32_t id = list[k];
            list[left] = id;
            left += (int)(ordered_bits(row->x[id]) >> shift & 255) == b;
        }
        m = left;
    }
    int kept = 0; // of equals
    for (; kept < m && above < goal; ++kept) above += count ? 1 : (double)row->weight[list[kept]];
    return (threshold){row->x[list[0]], kept < m ? list[kept] : row->n};
}

TT_MULTIVERSION(
    void, drop_weights, (int n, const float *x, float *weight, threshold cut), (n, x, weight, cut)) {
#pragma omp simd
    for (int i = 0; i < n; ++i) {
        const bool kept = x[i] > cut.logit || (x[i] == cut.logit && i < cut.limit);
        weight[i] = kept ? weight[i] : 0;
    }
}

void tt_cut_weights(const tt_cut_row *row, bool count, double goal) {
    uint8_t *bin = bins_in(row->memory, row->n);
    double sum[BINS], above = 0; // above: measure of the bins before bin b
    number_bins(row->n, row->x, row->top, row->factor, bin);
    fill_bins(row, count, bin, sum);
    int b = 0, last = BINS - 1;
    while (!(sum[last] > 0)) --last;
    while (b < last && above + sum[b] < goal) above += sum[b++];
    int32_t *list = list_in(row->memory);
    const int m = collect(row->n, row->weight, bin, (uint8_t)b, list);
    drop_weights(row->n, row->x, row->weight, search(row, count, goal, above, list, m));
}
