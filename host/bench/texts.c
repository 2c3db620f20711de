// What was measured, for other programs that are to do the same work.
#include "host/bench/parts.h"

#include <jansson.h>

static void write_sequences(
    FILE *file, const char *name, const int32_t *ids, const int32_t *offsets, int sequences) {
    fprintf(file, ", \"%s\": [", name);
    for (int s = 0; s < sequences; ++s) {
        fputs(s ? ", [" : "[", file);
        for (int i = offsets[s]; i < offsets[s + 1]; ++i)
            fprintf(file, i > offsets[s] ? ", %d" : "%d", ids[i]);
        fputc(']', file);
    }
    fputc(']', file);
}

void tt_bench_write_texts(const tt_bench_options *options, const tt_batch *batch) {
    FILE *file = options->texts;
    if (!file) return;
    json_t *name = json_string(options->shape); // NULL: no memory
    fputs("{\"shape\": ", file);
    if (!name || json_dumpf(name, file, JSON_ENCODE_ANY) != 0) fputs("null", file);
    json_decref(name);
    write_sequences(file, "sources", batch->enc_ids, batch->enc_offsets, batch->enc_seqs);
    write_sequences(file, "targets", batch->dec_targets, batch->dec_offsets, batch->dec_seqs);
    fputs(", \"source_of\": [", file);
    for (int s = 0; s < batch->dec_seqs; ++s) fprintf(file, s ? ", %d" : "%d", batch->dec_source[s]);
    fputs("]}\n", file);
}
