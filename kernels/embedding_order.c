#include "kernels/ops.h"

#include <string.h>

// A stable counting sort; ids outside the vocabulary count as one more id behind it.
void tt_embedding_order(int32_t *order, int32_t *begin, const int32_t *ids, int rows, int vocab) {
    memset(begin, 0, ((size_t)vocab + 2) * sizeof *begin);
    for (int t = 0; t < rows; ++t) ++begin[(ids[t] >= 0 && ids[t] < vocab ? ids[t] : vocab) + 1];
    for (int v = 0; v <= vocab; ++v) begin[v + 1] += begin[v];
    for (int t = 0; t < rows; ++t) order[begin[ids[t] >= 0 && ids[t] < vocab ? ids[t] : vocab]++] = t;
}
