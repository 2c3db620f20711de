#include "kernels/ops.h"

#include <string.h>

void tt_attention_readers(
    int32_t *readers, int32_t *reader_offsets, const int32_t *source, int q_seqs, int kv_seqs) {
    memset(reader_offsets, 0, ((size_t)kv_seqs + 1) * sizeof *reader_offsets);
    for (int i = 0; i < q_seqs; ++i) ++reader_offsets[source[i] + 1];
    for (int i = 0; i < kv_seqs; ++i) reader_offsets[i + 1] += reader_offsets[i];
    // Filling advances each offset to where the next one began; then all are moved up by one place.
    for (int i = 0; i < q_seqs; ++i) readers[reader_offsets[source[i]]++] = i;
    memmove(reader_offsets + 1, reader_offsets, (size_t)kv_seqs * sizeof *reader_offsets);
    reader_offsets[0] = 0;
}
