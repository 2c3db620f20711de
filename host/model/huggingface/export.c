// A checkpoint to a Hugging Face directory.
#include "host/base/lock.h"
#include "host/base/log.h"
#include "host/model/huggingface/huggingface.h"
#include "host/model/huggingface/parts.h"
#include "host/model/huggingface/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// All that an export may write; which of the tokenizer's files there are depends on the tokenizer.
static const char *const files[] = {"config.json", "generation_config.json", "model.safetensors",
    "spiece.model", "tokenizer.json", "special_tokens_map.json", "tokenizer_config.json", "added_tokens.json",
    "adapter_config.json", "adapter_model.safetensors"};
enum { FILES = sizeof files / sizeof *files };

static tt_status write_generation(tt_huggingface_files *to, const char *state) {
    json_t *root = json_loads(state ? state : "", 0, NULL);
    json_t *kept = json_object_get(json_object_get(root, "provenance"), "generation_config");
    json_t *generation = json_is_object(kept) ? json_incref(kept)
                                              : json_pack("{s:i, s:i, s:i}", "decoder_start_token_id", 0,
                                                    "eos_token_id", 1, "pad_token_id", 0);
    json_decref(root);
    return tt_huggingface_write_json(to, "generation_config.json", generation);
}

static tt_status read_parameter(void *context, int i, float *out) {
    const tt_model *model = context;
    const tt_parameter *p =
        i < model->n_parameters ? &model->parameters[i] : tt_model_find(model, "shared.weight");
    return tt_device_download(
        model->device, out, model->w + p->offset, (size_t)p->rows * (size_t)p->columns * sizeof *out);
}

static tt_status write_weights(tt_huggingface_files *to, tt_model *model, bool bf16) {
    const char *path;
    tt_st_entry *entries;
    TT_TRY(tt_huggingface_begin(to, "model.safetensors", &path));
    TT_TRY(tt_alloc(&entries, (size_t)model->n_parameters + 1, sizeof *entries, "tensors"));
    for (int i = 0; i < model->n_parameters; ++i) {
        const tt_parameter *p = &model->parameters[i];
        entries[i] = (tt_st_entry){.name = p->name,
            .rank = p->rows == 1 ? 1 : 2,
            .shape = {p->rows == 1 ? p->columns : p->rows, p->columns},
            .n = (size_t)p->rows * (size_t)p->columns};
    }
    // config.json says that a tied model which does not scale has a head: the embedding once more.
    const bool head = model->config.tie_word_embeddings && !model->config.scale_decoder_outputs;
    const tt_parameter *shared = tt_model_find(model, "shared.weight");
    if (head) {
        entries[model->n_parameters] = entries[shared - model->parameters];
        entries[model->n_parameters].name = "lm_head.weight";
    }
    tt_status status = tt_safetensors_write(path, &(tt_st_content){.entries = entries,
                                                      .n = model->n_parameters + head,
                                                      .dtype = bf16 ? TT_ST_BF16 : TT_ST_F32,
                                                      .data = read_parameter,
                                                      .context = model});
    free(entries);
    return status;
}

// The configuration first: it comes into its place last.
static tt_status write_all(tt_huggingface_files *to, const tt_checkpoint *c, bool bf16) {
    tt_str config = {0};
    tt_status status = tt_huggingface_config_write(&config, &c->model->config, bf16);
    if (status == TT_OK) status = tt_huggingface_write(to, "config.json", config.data, config.length);
    tt_str_close(&config);
    if (status == TT_OK) status = write_generation(to, c->state);
    if (status == TT_OK) status = tt_huggingface_tokenizer_write(to, c->tokenizer);
    return status == TT_OK ? write_weights(to, c->model, bf16) : status;
}

static bool is_empty(const char *directory) {
    DIR *folder = opendir(directory);
    bool empty = true;
    for (struct dirent *entry; folder && empty && (entry = readdir(folder));)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (folder) closedir(folder);
    return empty;
}

// Removes the files of another model, whose tokens they would add.
static tt_status remove_others(const tt_huggingface_files *written) {
    char path[TT_PATH_MAX];
    for (int i = 0; i < FILES; ++i) {
        bool ours = false;
        for (int k = 0; k < written->n; ++k) ours = ours || strcmp(written->names[k], files[i]) == 0;
        if (ours) continue;
        TT_TRY(tt_path_join(path, sizeof path, written->directory, files[i]));
        if (unlink(path) != 0 && errno != ENOENT)
            return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", path, strerror(errno));
    }
    return TT_OK;
}

// What an export writes.
typedef tt_status writer(tt_huggingface_files *to, const tt_checkpoint *c, bool bf16);

static tt_status write_together(const tt_checkpoint *c, const char *directory, bool bf16, writer *write) {
    tt_huggingface_files *written;
    TT_TRY(tt_alloc(&written, 1, sizeof *written, "files of an export"));
    written->directory = directory;
    tt_status status = write(written, c, bf16);
    const tt_huggingface_files names = *written;
    tt_interrupt_defer(true); // a signal between two files would leave a mixture
    status = tt_huggingface_commit(written, status);
    if (status == TT_OK && write == write_all)
        status = remove_others(&names); // adapters may lie beside their base
    tt_interrupt_defer(false);
    free(written);
    return status;
}

// The directory stands. Two exports at a time would mix their files.
typedef struct tt_export {
    const char *directory;
    bool bf16, replace;
    writer *write;
} tt_export;

static tt_status export_locked(const tt_checkpoint *c, const tt_export *how) {
    const char *directory = how->directory;
    char note[TT_PATH_MAX];
    tt_lock lock;
    if (snprintf(note, sizeof note, "%s.lock", directory) >= (int)sizeof note)
        return tt_fail(TT_ERR_IO, "%.64s...: path too long", directory);
    const int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", directory, strerror(errno));
    tt_status status = tt_lock_take(&lock, file, note, directory);
    if (status != TT_OK)
        status = tt_fail(
            TT_ERR_BUSY, "%s: another process exports to it%s; wait for it to end", directory, lock.owner);
    else if (!how->replace && !is_empty(directory))
        status = tt_fail(
            TT_ERR_IO, "%s: exists and is not empty; --force replaces the files of a model in it", directory);
    if (status == TT_OK) status = write_together(c, directory, how->bf16, how->write);
    tt_lock_release(&lock);
    return status;
}

static tt_status export_to(const tt_checkpoint *c, const tt_export *how) {
    const char *directory = how->directory;
    char path[TT_PATH_MAX];
    size_t n = strlen(directory);
    while (n > 1 && directory[n - 1] == '/') --n;
    if (snprintf(path, sizeof path, "%.*s", (int)n, directory) >= (int)sizeof path)
        return tt_fail(TT_ERR_IO, "%.64s...: path too long", directory);
    if (tt_file_exists(path)) return tt_fail(TT_ERR_IO, "%s: this is a file, not a directory", path);
    const bool made = !tt_dir_exists(path);
    TT_TRY(tt_make_dirs(path));
    tt_export there = *how;
    there.directory = path;
    const tt_status status = export_locked(c, &there);
    if (status != TT_OK && made) rmdir(path);
    return status;
}

tt_status tt_huggingface_export(const tt_checkpoint *c, const char *directory, bool bf16, bool replace) {
    return export_to(c, &(tt_export){directory, bf16, replace, write_all});
}

tt_status tt_huggingface_export_adapters(
    const tt_checkpoint *c, const char *directory, bool bf16, bool replace) {
    if (!c->adapted || c->adapted->n == 0)
        return tt_fail(TT_ERR_INPUT,
            "the checkpoint has no adapters: all its weights were trained; export it without --adapters");
    return export_to(c, &(tt_export){directory, bf16, replace, tt_huggingface_adapters_write});
}
