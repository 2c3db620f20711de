// A question and one way through its stages, for people.
#ifndef TT_CLI_SHOW_RUN_H
#define TT_CLI_SHOW_RUN_H

#include "host/reason/chain.h"

#include <stdio.h>

void tt_show_heading(const char *text, FILE *out); // bold on a terminal
// The question and its options.
void tt_show_question(const tt_question *question, FILE *out);
// What precedes a stage's text: its heading before the first one, its option.
void tt_show_introduction(const tt_question *question, tt_stage stage, int option, FILE *out);
// The texts of all stages that the run has.
void tt_show_run(const tt_question *question, const tt_chain_run *run, FILE *out);
// "(B) guitar", or "nothing readable".
void tt_show_option(const tt_question *question, int option, FILE *out);

#endif
