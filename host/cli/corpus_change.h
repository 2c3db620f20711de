// The commands of `tinythinker corpus` that read a corpus and write another file.
#ifndef TT_CLI_CORPUS_CHANGE_H
#define TT_CLI_CORPUS_CHANGE_H

#include "host/base/status.h"

tt_status tt_corpus_export(int argc, char **argv) TT_MUST_CHECK;
tt_status tt_corpus_add_answers(int argc, char **argv) TT_MUST_CHECK;
tt_status tt_corpus_add_free_text(int argc, char **argv) TT_MUST_CHECK;
tt_status tt_corpus_join(int argc, char **argv) TT_MUST_CHECK;

#endif
