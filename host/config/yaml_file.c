#include "host/config/yaml_file.h"

#include "host/base/text_file.h"
#include "host/config/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

// libyaml looks for each anchor in a list, and at all open levels with each token.
enum { MOST_ANCHORS = 10000, MOST_LEVELS = 200 };

typedef struct counts {
    int documents, anchors, levels;
} counts;

typedef struct text_file {
    const char *path;
    char *text;
    size_t size;
} text_file;

static size_t line_at(const text_file *f, size_t offset) {
    size_t line = 1;
    for (size_t i = 0; i < offset && i < f->size; ++i) line += f->text[i] == '\n';
    return line;
}

// Whether there is a tab among the white space that a line begins with.
static bool begins_with_tab(const text_file *f, size_t line) {
    const char *at = f->text;
    for (; line > 1 && at; --line) {
        at = strchr(at, '\n');
        if (at) ++at;
    }
    return at && at[strspn(at, " ")] == '\t';
}

static tt_status fail_parsing(const text_file *f, const yaml_parser_t *parser) {
    const char *problem = parser->problem ? parser->problem : "cannot parse it";
    if (parser->error == YAML_MEMORY_ERROR)
        return tt_fail(TT_ERR_NOMEM, "%s: no memory to parse it", f->path);
    if (parser->error == YAML_READER_ERROR)
        return tt_fail(
            TT_ERR_CONFIG, "%s:%zu: not YAML: %s", f->path, line_at(f, parser->problem_offset), problem);
    const size_t line = parser->problem_mark.line + 1;
    if (begins_with_tab(f, line))
        return tt_fail(
            TT_ERR_CONFIG, "%s:%zu: not YAML: the line begins with a tab; indent with spaces", f->path, line);
    return tt_fail(TT_ERR_CONFIG, "%s:%zu: not YAML: %s", f->path, line, problem);
}

static const char *tag_of(const yaml_event_t *event) {
    if (event->type == YAML_SCALAR_EVENT) return (const char *)event->data.scalar.tag;
    if (event->type == YAML_SEQUENCE_START_EVENT) return (const char *)event->data.sequence_start.tag;
    if (event->type == YAML_MAPPING_START_EVENT) return (const char *)event->data.mapping_start.tag;
    return NULL;
}

static bool has_anchor(const yaml_event_t *event) {
    return (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor);
}

static tt_status check_event(const text_file *f, const yaml_event_t *event, counts *n) {
    const size_t line = event->start_mark.line + 1;
    const char *tag = tag_of(event);
    n->documents += event->type == YAML_DOCUMENT_START_EVENT;
    n->anchors += has_anchor(event);
    n->levels += event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
    n->levels -= event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT;
    if (n->levels > MOST_LEVELS)
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: nested more than %d levels deep", f->path, line, MOST_LEVELS);
    if (n->documents > 1)
        return tt_fail(
            TT_ERR_CONFIG, "%s:%zu: a second document begins here (---); expected one", f->path, line);
    if (n->anchors > MOST_ANCHORS)
        return tt_fail(TT_ERR_CONFIG, "%s:%zu: more than %d anchors (&name)", f->path, line, MOST_ANCHORS);
    if (tag)
        return tt_fail(TT_ERR_CONFIG,
            "%s:%zu: a tag (%.60s), which is not read here; write the value alone, a string in quotes",
            f->path, line, tag);
    return TT_OK;
}

// Checks what a loaded document does not show any more.
static tt_status check_events(const text_file *f) {
    yaml_parser_t parser;
    yaml_event_t event;
    counts n = {0};
    tt_status status = TT_OK;
    if (!yaml_parser_initialize(&parser)) return tt_fail(TT_ERR_NOMEM, "%s: no memory to parse it", f->path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)f->text, f->size);
    for (bool end = false; status == TT_OK && !end;) {
        if (!yaml_parser_parse(&parser, &event)) {
            status = fail_parsing(f, &parser);
            break;
        }
        status = check_event(f, &event, &n);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

static tt_status load_document(const text_file *f, yaml_document_t *out) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return tt_fail(TT_ERR_NOMEM, "%s: no memory to parse it", f->path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)f->text, f->size);
    tt_status status = yaml_parser_load(&parser, out) ? TT_OK : fail_parsing(f, &parser);
    yaml_parser_delete(&parser);
    if (status != TT_OK) return status;
    status = tt_yaml_tree_prepare(out, f->path);
    if (status != TT_OK) yaml_document_delete(out);
    return status;
}

tt_status tt_yaml_open(yaml_document_t *out, const char *path, size_t limit) {
    text_file f = {.path = path};
    tt_status status = tt_text_read(path, limit, &f.text, &f.size);
    if (status == TT_ERR_INPUT) return TT_ERR_CONFIG;
    if (status == TT_OK) status = check_events(&f);
    if (status == TT_OK) status = load_document(&f, out);
    free(f.text);
    return status;
}
