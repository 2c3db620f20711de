// The man page.
#include "host/base/version.h"
#include "host/cli/help.h"
#include "host/config/config.h"

#include <string.h>

// Text for roff: no escapes, no hyphens that become others, no requests at the beginning of a line.
static void put_text(FILE *out, const char *text, size_t n) {
    bool begins = true;
    for (size_t i = 0; i < n; ++i) {
        if (begins && (text[i] == '.' || text[i] == '\'')) fputs("\\&", out);
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else if (text[i] == '|')
            fputs("|\\:", out); // a line may break here
        else
            fputc(text[i], out);
        begins = text[i] == '\n';
    }
}

static void put_string(FILE *out, const char *text) {
    put_text(out, text, strlen(text));
}

// The lines of usage as they are, then the description, whose lines are filled.
static void put_synopsis(FILE *out, const tt_args *args) {
    fputs(".nf\n", out);
    put_string(out, args->usage);
    fputs("\n.fi\n", out);
    for (const char *line = args->about; line && *line;) {
        const size_t n = strcspn(line, "\n");
        fputs(".PP\n", out);
        put_text(out, line, n);
        fputc('\n', out);
        line += n + strspn(line + n, "\n");
    }
}

static void put_options(FILE *out, const tt_help_page *page) {
    for (int i = 0; i < page->args->n; ++i) {
        const tt_arg *arg = &page->args->options[i];
        fprintf(out, ".TP\n\\fB%s", arg->name[1] ? "\\-\\-" : "\\-");
        put_string(out, arg->name);
        fputs("\\fR", out);
        if (arg->value) {
            fputs(" \\fI", out);
            put_string(out, arg->value);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        tt_str help = {0};
        tt_help_of_option(&help, arg);
        put_string(out, tt_str_text(&help));
        tt_str_close(&help);
        fputc('\n', out);
    }
}

static void put_page(void *context, const tt_help_page *page) {
    FILE *out = context;
    fprintf(out, ".SS tinythinker %s\n", page->name);
    put_synopsis(out, page->args);
    put_options(out, page);
}

static void put_keys(FILE *out) {
    tt_config_key key;
    fputs(".SH CONFIGURATION KEYS\nOf the YAML file that\n.B tinythinker run\ntakes, and of\n.BR \\-\\-set "
          ".\na.b "
          "is key b in section a.\n",
        out);
    for (int i = 0; tt_config_key_at(i, &key); ++i) {
        fputs(".TP\n\\fB", out);
        put_string(out, key.path);
        fputs("\\fR (", out);
        put_string(out, key.allowed);
        fputs("; default ", out);
        put_string(out, key.initial[0] ? key.initial : "empty");
        fputs(")\n", out);
        put_string(out, key.help);
        fputc('\n', out);
    }
}

tt_status tt_help_man(FILE *out) {
    int n;
    const tt_command *commands = tt_commands(&n);
    fprintf(out, ".TH TINYTHINKER 1 \"\" \"tinythinker %s\" \"User Commands\"\n.ad l\n", tt_version());
    fputs(".SH NAME\ntinythinker \\- teaches small T5 students to reason in three stages\n"
          ".SH SYNOPSIS\n.B tinythinker\n.I COMMAND\n[options]\n.br\n.B mpirun \\-np\n.I N\n.B "
          "tinythinker\n.I COMMAND\n"
          "[options]\n.br\n.B tinythinker \\-\\-version\n.SH COMMANDS\n",
        out);
    for (int i = 0; i < n; ++i) {
        fprintf(out, ".TP\n.B %s\n", commands[i].name);
        put_string(out, commands[i].summary);
        fputc('\n', out);
    }
    fputs(".SH OPTIONS\nEvery command takes\n.BR \\-\\-help .\n", out);
    TT_TRY(tt_help_read(&(tt_help_reader){put_page, out}));
    put_keys(out);
    fputs(".SH FILES\nA path below\n.I configs/\nor\n.I datasets/\nthat is not found in the working "
          "directory is taken "
          "from the data that is installed with the program:\n.I share/tinythinker\nbeside the\n.I "
          "bin\nfolder that "
          "the program is in, or the folder that the environment variable\n.B TT_DATA\nnames.\n"
          ".SH EXIT STATUS\n0: done; 1: failed; 2: wrong usage or configuration.\n"
          ".SH EXAMPLES\n.nf\ntinythinker run configs/everyday.yaml\n"
          "tinythinker ask \\-\\-model datasets/everyday/reasoner.h5 \"What holds water?\" cup knife\n.fi\n",
        out);
    return TT_OK;
}
