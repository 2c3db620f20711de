#include "host/cli/show_run.h"

#include "host/base/terminal.h"

void tt_show_heading(const char *text, FILE *out) {
    fprintf(out, tt_terminal_styled(fileno(out)) ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

void tt_show_question(const tt_question *question, FILE *out) {
    fprintf(out, "%s\n", question->text);
    for (int i = 0; i < question->n_options; ++i) fprintf(out, "  (%c) %s\n", 'A' + i, question->options[i]);
}

void tt_show_introduction(const tt_question *question, tt_stage stage, int option, FILE *out) {
    static const char *const headings[TT_STAGES] = {
        [TT_RECALL] = "Recall", [TT_ANALYZE] = "Analyze", [TT_SUMMARIZE] = "Summarize"};
    if (option == 0) tt_show_heading(headings[stage], out);
    if (stage == TT_ANALYZE)
        fprintf(out, "  (%c) %s: ", 'A' + option, question->options[option]);
    else
        fprintf(out, "  ");
}

void tt_show_run(const tt_question *question, const tt_chain_run *run, FILE *out) {
    if (run->general) {
        tt_show_introduction(question, TT_RECALL, 0, out);
        fprintf(out, "%s\n", run->general);
    }
    for (int i = 0; run->specific && i < question->n_options; ++i) {
        tt_show_introduction(question, TT_ANALYZE, i, out);
        fprintf(out, "%s\n", run->specific[i]);
    }
    tt_show_introduction(question, TT_SUMMARIZE, 0, out);
    fprintf(out, "%s\n", run->summary);
}

void tt_show_option(const tt_question *question, int option, FILE *out) {
    if (option < 0)
        fprintf(out, "nothing readable");
    else
        fprintf(out, "(%c) %s", 'A' + option, question->options[option]);
}
