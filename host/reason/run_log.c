#include "host/reason/run_log.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tt_status copy_text(tt_run_log *log, const json_t *text, const char **out) {
    *out = NULL;
    if (!json_is_string(text)) return TT_OK;
    *out = tt_arena_strdup(&log->memory, json_string_value(text));
    return *out ? TT_OK : TT_ERR_NOMEM;
}

static tt_status read_run(tt_run_log *log, const json_t *object, int n_options, tt_chain_run *run) {
    const json_t *analyze = json_object_get(object, "analyze"), *answer = json_object_get(object, "answer");
    const json_int_t option = json_is_integer(answer) ? json_integer_value(answer) : TT_NO_ANSWER;
    const size_t n = json_array_size(analyze);
    if (option < TT_NO_ANSWER || option >= n_options)
        return tt_fail(
            TT_ERR_FORMAT, "answer: expected -1 to %d, got %" JSON_INTEGER_FORMAT, n_options - 1, option);
    if (n != 0 && n != (size_t)n_options)
        return tt_fail(
            TT_ERR_FORMAT, "analyze: expected an analysis of each of %d options, got %zu", n_options, n);
    *run = (tt_chain_run){.answer = (int)option};
    TT_TRY(copy_text(log, json_object_get(object, "recall"), &run->general));
    if (n == 0) return TT_OK;
    run->specific = tt_arena_alloc(&log->memory, n * sizeof *run->specific);
    if (!run->specific) return TT_ERR_NOMEM;
    for (size_t i = 0; i < n; ++i) {
        TT_TRY(copy_text(log, json_array_get(analyze, i), &run->specific[i]));
        if (!run->specific[i]) return tt_fail(TT_ERR_FORMAT, "analysis %zu: expected a string", i);
    }
    return TT_OK;
}

static const char synced[] = "{\"synced\": true}\n";

static tt_status read_line(tt_run_log *log, const char *line, size_t length) {
    json_error_t error;
    if (length == sizeof synced - 2 && memcmp(line, synced, length) == 0) return TT_OK;
    json_t *root = json_loadb(line, length, 0, &error);
    const json_t *runs = json_object_get(root, "runs");
    const json_t *number = json_object_get(root, "item");
    const json_int_t item = json_is_integer(number) ? json_integer_value(number) : -1;
    tt_status status = TT_OK;
    if (!root || item < 0 || item >= log->n_items || json_array_size(runs) != (size_t)log->samples)
        status = tt_fail(
            TT_ERR_FORMAT, "expected {\"item\": 0 to %d, \"runs\": [%d]}", log->n_items - 1, log->samples);
    for (int r = 0; r < log->samples && status == TT_OK; ++r)
        status = read_run(
            log, json_array_get(runs, (size_t)r), log->n_options[item], &log->runs[item * log->samples + r]);
    if (status == TT_OK) log->done[item] = true;
    json_decref(root);
    return status;
}

// Bytes of `text` up to the last line "synced", that line included.
static size_t synced_bytes(const char *text, size_t bytes) {
    const size_t n = sizeof synced - 1;
    for (size_t end = bytes; end >= n; --end)
        if (text[end - 1] == '\n' && memcmp(text + end - n, synced, n) == 0) return end;
    return 0;
}

static tt_status read_lines(tt_run_log *log, const char *text, size_t bytes, int line) {
    const char *begin = text, *end = text + bytes;
    for (const char *stop; begin < end && (stop = memchr(begin, '\n', (size_t)(end - begin)));
         begin = stop + 1, ++line) {
        tt_status status = read_line(log, begin, (size_t)(stop - begin));
        if (status != TT_OK) return tt_context(status, "%s:%d", log->path, line);
    }
    return TT_OK;
}

static tt_status make_header(tt_str *out, const char *made_with) {
    json_t *root = json_pack("{s:s}", "made_with", made_with);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for the log of runs");
    tt_str_format(out, "%s\n", text);
    free(text);
    return tt_str_status(out);
}

static tt_status write_header(tt_run_log *log, const tt_str *header) {
    if (fwrite(header->data, 1, header->length, log->file) != header->length || fflush(log->file) != 0)
        return tt_fail(TT_ERR_IO, "%s: cannot write: %s", log->path, strerror(errno));
    return TT_OK;
}

// Reads what the file contains. *keep receives the number of bytes to keep; 0 = start a new log.
static tt_status read_existing(tt_run_log *log, const tt_str *header, size_t *keep) {
    char *text;
    size_t bytes;
    *keep = 0;
    if (!tt_file_exists(log->path)) return TT_OK;
    TT_TRY(tt_read_file(log->path, 0, &text, &bytes));
    tt_status status = TT_OK;
    if (bytes >= header->length && memcmp(text, header->data, header->length) == 0) {
        const size_t used = synced_bytes(text + header->length, bytes - header->length);
        status = read_lines(log, text + header->length, used, 2);
        *keep = header->length + used;
    } else if (bytes > 0) {
        tt_warn(
            "%s: was made by another model or with other settings; its runs are generated again", log->path);
    }
    free(text);
    return status;
}

static tt_status open_file(tt_run_log *log, const tt_str *header) {
    size_t keep;
    TT_TRY(read_existing(log, header, &keep));
    log->file = fopen(log->path, keep ? "r+e" : "we");
    if (!log->file) return tt_fail(TT_ERR_IO, "%s: cannot write: %s", log->path, strerror(errno));
    if (!keep) return write_header(log, header);
    if (ftruncate(fileno(log->file), (off_t)keep) != 0 || fseek(log->file, 0, SEEK_END) != 0)
        return tt_fail(TT_ERR_IO, "%s: cannot write: %s", log->path, strerror(errno));
    return TT_OK;
}

tt_status tt_run_log_open(
    tt_run_log *out, const char *path, const char *made_with, const tt_run_log_items *items) {
    const size_t n = (size_t)items->n_items;
    *out = (tt_run_log){.n_items = items->n_items, .samples = items->samples};
    tt_str header = {0};
    tt_status status = tt_strdup(&out->path, path);
    if (status == TT_OK)
        status = tt_alloc(&out->runs, n * (size_t)items->samples, sizeof *out->runs, "log of runs");
    if (status == TT_OK) status = tt_alloc(&out->done, n, sizeof *out->done, "log of runs");
    if (status == TT_OK) status = tt_alloc(&out->n_options, n, sizeof *out->n_options, "log of runs");
    if (status == TT_OK && n > 0) memcpy(out->n_options, items->n_options, n * sizeof *out->n_options);
    if (status == TT_OK) status = make_header(&header, made_with);
    if (status == TT_OK) status = open_file(out, &header);
    tt_str_close(&header);
    if (status != TT_OK) tt_run_log_close(out);
    return status;
}

void tt_run_log_close(tt_run_log *log) {
    if (log->file) fclose(log->file);
    free(log->runs);
    free(log->done);
    free(log->n_options);
    free(log->path);
    tt_arena_close(&log->memory);
    *log = (tt_run_log){0};
}

tt_status tt_run_log_line(tt_str *out, int item, const tt_chain_run *runs, int samples, int n_options) {
    json_t *list = json_array();
    for (int r = 0; r < samples; ++r) {
        json_t *run = json_object();
        if (runs[r].general) json_object_set_new(run, "recall", json_string(runs[r].general));
        json_t *analyze = json_array();
        for (int o = 0; runs[r].specific && o < n_options; ++o)
            json_array_append_new(analyze, json_string(runs[r].specific[o]));
        json_object_set_new(run, "analyze", analyze);
        json_object_set_new(run, "answer", json_integer(runs[r].answer));
        json_array_append_new(list, run);
    }
    json_t *root = json_pack("{s:i, s:o}", "item", item, "runs", list);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for the runs of item %d", item);
    tt_str_format(out, "%s\n", text);
    free(text);
    return tt_str_status(out);
}

tt_status tt_run_log_add(tt_run_log *log, const char *lines, size_t bytes) {
    if (bytes == 0) return TT_OK; // interrupted before a piece was finished
    TT_TRY(read_lines(log, lines, bytes, 0));
    if (fwrite(lines, 1, bytes, log->file) != bytes || fputs(synced, log->file) == EOF ||
        fflush(log->file) != 0 || fdatasync(fileno(log->file)) != 0)
        return tt_fail(TT_ERR_IO, "%s: cannot write: %s; is the disk full?", log->path, strerror(errno));
    return TT_OK;
}
