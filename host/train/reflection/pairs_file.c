#include "host/train/reflection/pairs_file.h"

#include <inttypes.h>

tt_status tt_pairs_file_open(tt_pairs_file *out, const tt_reflection_context *context) {
    tt_comm *comm = context->comm;
    *out = (tt_pairs_file){.context = context};
    TT_TRY(tt_path_join(out->path, sizeof out->path, context->folder, "pairs.h5"));
    out->exists = comm->rank == 0 && tt_file_exists(out->path);
    return tt_comm_broadcast(comm, &out->exists, sizeof out->exists, 0);
}

tt_status tt_pairs_file_load(
    const tt_pairs_file *file, uint64_t reference, tt_preferences *out, bool *complete) {
    tt_comm *comm = file->context->comm;
    const tt_status status = tt_comm_agree(comm, tt_preferences_load(out, file->path));
    if (status != TT_OK) {
        tt_preferences_close(out);
        return status;
    }
    *complete = out->scored && out->rules == TT_PREFERENCE_RULES;
    if (!*complete || out->reference == reference) return TT_OK;
    const uint64_t found = out->reference;
    tt_preferences_close(out);
    return tt_comm_agree(comm,
        tt_fail(TT_ERR_FORMAT,
            "%s: its pairs were scored by checkpoint %016" PRIx64
            ", but the reference of this iteration is %016" PRIx64 "; remove the file to build it again",
            file->path, found, reference));
}

tt_status tt_pairs_file_save(const tt_pairs_file *file, const tt_preferences *pairs) {
    tt_comm *comm = file->context->comm;
    return tt_comm_agree(comm, comm->rank == 0 ? tt_preferences_save(pairs, file->path) : TT_OK);
}

tt_status tt_pairs_file_share(const tt_pairs_file *file, tt_preferences *pairs) {
    tt_comm *comm = file->context->comm;
    TT_TRY(tt_pairs_file_save(file, pairs));
    if (comm->rank == 0) return tt_comm_agree(comm, TT_OK);
    tt_preferences_close(pairs);
    return tt_comm_agree(comm, tt_preferences_load(pairs, file->path));
}
