#include "host/config/yaml_file.h"

#include "host/base/fs.h"
#include "host/base/str.h"

#include <stdlib.h>

static tt_status check_encoding(const char *path, const char *text, size_t size) {
    size_t bad;
    int line = 1;
    if (tt_utf8_valid(text, size, &bad)) return TT_OK;
    for (size_t i = 0; i < bad; ++i) line += text[i] == '\n';
    return tt_fail(
        TT_ERR_CONFIG, "%s:%d: expected UTF-8, got byte 0x%02x", path, line, (unsigned char)text[bad]);
}

static tt_status fail_parsing(const char *path, const yaml_parser_t *parser) {
    return tt_fail(TT_ERR_CONFIG, "%s:%zu: not YAML: %s", path, parser->problem_mark.line + 1,
        parser->problem ? parser->problem : "cannot parse it");
}

// Nothing follows the document that was parsed.
static tt_status check_single(const char *path, yaml_parser_t *parser) {
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) return fail_parsing(path, parser);
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    tt_status status = TT_OK;
    if (root)
        status = tt_fail(TT_ERR_CONFIG, "%s:%zu: a second document begins here; expected one", path,
            root->start_mark.line + 1);
    yaml_document_delete(&second);
    return status;
}

tt_status tt_yaml_open(yaml_document_t *out, const char *path, size_t limit) {
    char *text;
    size_t size;
    yaml_parser_t parser;
    TT_TRY(tt_read_file(path, limit, &text, &size));
    tt_status status = check_encoding(path, text, size);
    if (status == TT_OK && !yaml_parser_initialize(&parser))
        status = tt_fail(TT_ERR_NOMEM, "%s: no memory to parse it", path);
    if (status != TT_OK) {
        free(text);
        return status;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (!yaml_parser_load(&parser, out)) {
        status = fail_parsing(path, &parser);
    } else {
        status = check_single(path, &parser);
        if (status != TT_OK) yaml_document_delete(out);
    }
    yaml_parser_delete(&parser);
    free(text);
    return status;
}

const char *tt_yaml_text(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}
