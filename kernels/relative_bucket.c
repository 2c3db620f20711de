#include "kernels/ops.h"

#include <math.h>

// Step by step as Hugging Face computes it, in fp32: the logarithm is truncated, so another order of rounding
// could move a distance to the neighbouring bucket.
int tt_relative_bucket(int relative_position, bool bidirectional, int buckets, int max_distance) {
    int bucket = 0, distance;
    if (bidirectional) {
        buckets /= 2;
        if (relative_position > 0) bucket = buckets;
        distance = relative_position < 0 ? -relative_position : relative_position;
    } else {
        distance = relative_position < 0 ? -relative_position : 0; // keys to the right count as distance 0
    }
    int exact = buckets / 2;
    if (distance < exact) return bucket + distance;
    float steps = logf((float)distance / (float)exact) / (float)log((double)max_distance / exact);
    int far = exact + (int)(steps * (float)(buckets - exact));
    return bucket + (far < buckets - 1 ? far : buckets - 1);
}
