#include "host/teacher/batch.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/python_json.h"
#include "host/base/str.h"
#include "host/base/text_file.h"
#include "host/teacher/outside.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNINGS = 5 }; // of one kind; the rest is only counted

void tt_teach_batch_id(char out[TT_TEACH_BATCH_ID], const char *id, uint64_t request) {
    enum { KEPT = 47 }; // and '-' and 16 digits: 64 characters, the provider's limit
    char kept[KEPT + 1];
    int n = 0;
    for (; n < KEPT && id[n]; ++n) {
        const char c = id[n];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        kept[n] = plain || c == '-' || c == '_' ? c : '_';
    }
    kept[n] = '\0';
    const uint64_t hash = request * 0x9E3779B97F4A7C15ull ^ tt_hash(id, strlen(id));
    snprintf(out, TT_TEACH_BATCH_ID, "%s-%016llx", kept, (unsigned long long)hash);
}

// ---- export

static tt_status file_path(const tt_teach_batch_files *files, int64_t number, char path[TT_PATH_MAX]) {
    char name[40];
    snprintf(name, sizeof name, "batch-%03lld.jsonl", (long long)number);
    return tt_path_join(path, TT_PATH_MAX, files->directory, name);
}

static tt_status write_line(tt_str *line, const tt_client_request *request, const tt_dialect *dialect) {
    tt_str_clear(line);
    tt_str_format(line,
        "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":", request->id);
    TT_TRY(tt_completion_body(line, &request->chat, dialect));
    tt_str_append(line, "}\n");
    return tt_str_status(line);
}

static tt_status write_file(const tt_teach_batch_files *files, tt_str *content, tt_teach_batch_export *out) {
    char path[TT_PATH_MAX];
    if (content->length == 0) return TT_OK;
    TT_TRY(file_path(files, ++out->files, path));
    TT_TRY(tt_write_file(path, content->data, content->length));
    tt_str_clear(content);
    return TT_OK;
}

static tt_status write_requests(const tt_teach_batch_files *files, const tt_client_caller *caller,
    tt_teach_batch_export *out, tt_str *content, tt_str *line) {
    int64_t held = 0;
    for (;;) {
        tt_client_request request;
        bool have;
        TT_TRY(caller->next(caller->context, &request, &have));
        if (!have) return write_file(files, content, out);
        TT_TRY(write_line(line, &request, &files->dialect));
        if ((int64_t)line->length > files->size)
            return tt_fail(TT_ERR_CONFIG,
                "request %s takes %lld bytes; a batch file may have %lld (batch_megabytes)", request.id,
                (long long)line->length, (long long)files->size);
        if (held == files->requests || (int64_t)(content->length + line->length) > files->size) {
            TT_TRY(write_file(files, content, out));
            held = 0;
        }
        tt_str_append_n(content, line->data, line->length);
        TT_TRY(tt_str_status(content));
        ++held;
        ++out->requests;
    }
}

tt_status tt_teach_batch_write(
    const tt_teach_batch_files *files, const tt_client_caller *caller, tt_teach_batch_export *out) {
    char first[TT_PATH_MAX];
    *out = (tt_teach_batch_export){0};
    TT_TRY(tt_make_dirs(files->directory));
    TT_TRY(file_path(files, 1, first));
    if (tt_file_exists(first))
        return tt_fail(TT_ERR_CONFIG,
            "%s already exists, from an earlier export; name another directory, so that no request is sent "
            "and paid twice",
            first);
    tt_str content = {0}, line = {0};
    const tt_status status = write_requests(files, caller, out, &content, &line);
    tt_str_close(&content);
    tt_str_close(&line);
    return status;
}

// ---- import

typedef struct open_request {
    char id[TT_TEACH_BATCH_ID]; // its own: the caller's is gone once it is answered
    tt_client_request request;
    bool answered;
    bool refused; // its error is one that comes again
    char *error;  // of its last line, or NULL
} open_request;

typedef struct reader {
    const tt_client_caller *caller;
    open_request *requests; // sorted by id
    size_t n, capacity;
    int pass;      // the first is 0
    int64_t taken; // of this pass
    tt_teach_batch_import *counts;
    tt_arena memory; // of one line
} reader;

static int compare_requests(const void *a, const void *b) {
    return strcmp(((const open_request *)a)->id, ((const open_request *)b)->id);
}

static int compare_id(const void *id, const void *request) {
    return strcmp(id, ((const open_request *)request)->id);
}

static open_request *find_request(reader *r, const char *id) {
    return r->n ? bsearch(id, r->requests, r->n, sizeof *r->requests, compare_id) : NULL;
}

// Forgets requests that were answered, and adds those that the answers led to. *more: there are such.
static tt_status refresh_requests(reader *r, bool *more) {
    size_t kept = 0;
    for (size_t i = 0; i < r->n; ++i) {
        if (!r->requests[i].answered)
            r->requests[kept++] = r->requests[i];
        else
            free(r->requests[i].error);
    }
    r->n = kept;
    *more = false;
    for (;;) {
        tt_client_request request;
        bool have;
        TT_TRY(r->caller->next(r->caller->context, &request, &have));
        if (!have) break;
        TT_TRY(tt_grow(&r->requests, &r->capacity, r->n + 1, sizeof *r->requests, "requests"));
        open_request *added = &r->requests[r->n++];
        *added = (open_request){.request = request};
        snprintf(added->id, sizeof added->id, "%s", request.id);
        *more = true;
    }
    if (r->n) qsort(r->requests, r->n, sizeof *r->requests, compare_requests);
    return TT_OK;
}

static tt_status keep_error(open_request *open, const char *why, bool refused) {
    char line[400];
    free(open->error);
    open->refused = refused;
    tt_outside_excerpt(line, sizeof line, why);
    return tt_strdup(&open->error, line);
}

static tt_status take_body(reader *r, open_request *open, const char *body) {
    tt_completion completion;
    const tt_status status = tt_completion_read(&completion, body, strlen(body), &r->memory);
    if (status == TT_ERR_FORMAT) return keep_error(open, tt_error_message(), false);
    TT_TRY(status);
    open->answered = true;
    ++r->taken;
    return r->caller->answered(r->caller->context, &open->request, &completion);
}

// The status of a response, as number or as text; one that has none and has choices is an answer. 0 = not known.
static long status_of(const json_t *response, const json_t *body) {
    const json_t *code = json_object_get(response, "status_code");
    if (json_is_integer(code)) return (long)json_integer_value(code);
    if (json_is_string(code)) return strtol(json_string_value(code), NULL, 10);
    return json_is_array(json_object_get(body, "choices")) ? 200 : 0;
}

// Whether the same request would be refused again.
static bool is_refusal(long code) {
    return code == 400 || code == 403 || code == 413 || code == 422;
}

static tt_status take_error(open_request *open, const json_t *object, long code, const char *body) {
    char message[320], why[400], error[320];
    char *text = json_dumps(object, JSON_COMPACT);
    tt_completion_error(body, strlen(body), message, sizeof message);
    tt_completion_error(text ? text : "", text ? strlen(text) : 0, error, sizeof error); // beside a response
    free(text);
    const char *said = *message ? message : error;
    if (code)
        snprintf(why, sizeof why, "status %ld%s%s", code, *said ? ": " : "", said);
    else
        snprintf(why, sizeof why, "%s", *said ? said : "neither a response nor an error that says why");
    return keep_error(open, why, is_refusal(code));
}

static tt_status take_object(reader *r, const json_t *object, const char *id) {
    open_request *open = find_request(r, id);
    if (!open || open->answered) return TT_OK;
    const json_t *response = json_object_get(object, "response"), *body = json_object_get(response, "body");
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    const long code = status_of(response, body);
    const tt_status status =
        code == 200 && text ? take_body(r, open, text) : take_error(open, object, code, text ? text : "");
    free(text);
    return status;
}

static tt_status take_line(reader *r, const char *path, int64_t number, const char *line, size_t length) {
    json_error_t error;
    json_t *object = tt_json_load(line, length, 0, &error);
    const char *id = json_string_value(json_object_get(object, "custom_id"));
    tt_status status = TT_OK;
    if (r->pass == 0) ++r->counts->lines;
    if (id)
        status = take_object(r, object, id);
    else if (r->pass == 0 && r->counts->broken++ < WARNINGS)
        tt_warn("%s:%lld: %s; the line is left out", path, (long long)number,
            object ? "has no custom_id" : error.text);
    json_decref(object);
    tt_arena_close(&r->memory);
    return status;
}

static tt_status read_file(reader *r, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    char *line = NULL;
    size_t capacity = 0;
    int64_t number = 0;
    tt_status status = TT_OK;
    while (status == TT_OK) {
        const ssize_t length = getline(&line, &capacity, file);
        if (length < 0) break;
        const size_t mark = tt_text_mark(line, (size_t)length);
        const bool wide = ++number == 1 && length >= 2 &&
                          (memcmp(line, "\xff\xfe", 2) == 0 || memcmp(line, "\xfe\xff", 2) == 0);
        if (wide) status = tt_text_check(path, line, (size_t)length); // UTF-16: no line could be read
        if (status == TT_OK && !tt_text_blank(line + mark, (size_t)length - mark))
            status = take_line(r, path, number, line + mark, (size_t)length - mark);
    }
    if (status == TT_OK && !feof(file))
        status = tt_fail(TT_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    free(line);
    fclose(file);
    return status;
}

// Answers of a first round open requests of a second one, whose answers may stand before them.
static tt_status read_files(reader *r, const char *const *paths, int n) {
    bool more;
    TT_TRY(refresh_requests(r, &more));
    do {
        r->taken = 0;
        for (int i = 0; i < n; ++i) TT_TRY(read_file(r, paths[i]));
        r->counts->answered += r->taken;
        ++r->pass;
        TT_TRY(refresh_requests(r, &more));
    } while (more && r->taken > 0);
    return TT_OK;
}

static tt_status report_errors(reader *r) {
    const tt_client_caller *caller = r->caller;
    for (size_t i = 0; i < r->n; ++i) {
        open_request *open = &r->requests[i];
        if (open->answered) continue;
        r->counts->open += !open->refused;
        if (!open->error) continue;
        ++*(open->refused ? &r->counts->refused : &r->counts->failed);
        TT_TRY(
            (open->refused ? caller->refused : caller->failed)(caller->context, &open->request, open->error));
    }
    r->counts->passed =
        r->counts->lines - r->counts->answered - r->counts->refused - r->counts->failed - r->counts->broken;
    return TT_OK;
}

tt_status tt_teach_batch_read(
    const char *const *paths, int n, const tt_client_caller *caller, tt_teach_batch_import *out) {
    *out = (tt_teach_batch_import){0};
    reader r = {.caller = caller, .counts = out};
    tt_status status = read_files(&r, paths, n);
    if (status == TT_OK) status = report_errors(&r);
    for (size_t i = 0; i < r.n; ++i) free(r.requests[i].error);
    free(r.requests);
    tt_arena_close(&r.memory);
    return status;
}
