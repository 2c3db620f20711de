// What became of the reasoning of a file: counts for people.
#include "host/base/log.h"
#include "host/data/import/import.h"

#include <inttypes.h>

enum { WARNINGS = 10 };

void tt_added_note(tt_added *report, tt_added_reason reason, const char *format, ...) {
    const int64_t times = ++report->left_out[reason];
    if (times > WARNINGS) return;
    tt_str message = {0};
    va_list arguments;
    va_start(arguments, format);
    tt_str_format_list(&message, format, arguments);
    va_end(arguments);
    tt_warn("%s%s", tt_str_text(&message), times == WARNINGS ? " (more of this kind are only counted)" : "");
    tt_str_close(&message);
}

void tt_added_print(const tt_added *report, FILE *out) {
#define WORDS(name, words) words,
    static const char *const reasons[] = {TT_ADDED_MAP(WORDS)};
#undef WORDS
    fprintf(out, "records read        %" PRId64 "\nreasonings added    %" PRId64 "\n", report->records,
        report->added);
    if (report->few_votes)
        fprintf(out, "left out            %" PRId64 " that fewer records than least_votes call acceptable\n",
            report->few_votes);
    for (int r = 0; r < TT_ADDED_REASONS; ++r)
        if (report->left_out[r])
            fprintf(out, "left out            %" PRId64 " %s\n", report->left_out[r], reasons[r]);
}
