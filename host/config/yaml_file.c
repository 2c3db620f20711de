#include "host/config/yaml_file.h"

#include "host/base/fs.h"

#include <stdlib.h>

tt_status tt_yaml_open(yaml_document_t *out, const char *path, size_t limit) {
    char *text;
    size_t size;
    yaml_parser_t parser;
    TT_TRY(tt_read_file(path, limit, &text, &size));
    if (!yaml_parser_initialize(&parser)) {
        free(text);
        return tt_fail(TT_ERR_NOMEM, "%s: no memory to parse it", path);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    tt_status status = TT_OK;
    if (!yaml_parser_load(&parser, out))
        status = tt_fail(TT_ERR_CONFIG, "%s:%zu: not YAML: %s", path, parser.problem_mark.line + 1,
            parser.problem ? parser.problem : "cannot parse it");
    yaml_parser_delete(&parser);
    free(text);
    return status;
}

const char *tt_yaml_text(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}
