// Completions for bash and zsh.
#include "host/cli/help.h"
#include "host/config/config.h"

#include <string.h>

static const char *dashes(const tt_arg *arg) {
    return arg->name[1] ? "--" : "-";
}

// "a|b|c" with another separator.
static void put_words(FILE *out, const char *words, char separator) {
    for (; *words; ++words) fputc(*words == '|' ? separator : *words, out);
}

static void put_bash_page(void *context, const tt_help_page *page) {
    FILE *out = context;
    const char *space = strchr(page->name, ' ');
    if (space)
        fprintf(out, "    subcommands['%.*s']+=' %s'\n", (int)(space - page->name), page->name, space + 1);
    fprintf(out, "    options['%s']='--help", page->name);
    for (int i = 0; i < page->args->n; ++i)
        fprintf(out, " %s%s", dashes(&page->args->options[i]), page->args->options[i].name);
    fputs("'\n", out);
    for (int i = 0; i < page->args->n; ++i) {
        const tt_arg *arg = &page->args->options[i];
        if (arg->type == TT_ARG_FLAG) continue;
        fprintf(out, "    values['%s %s%s']='", page->name, dashes(arg), arg->name);
        if (arg->words) put_words(out, arg->words, ' ');
        fputs("'\n", out);
    }
}

static void put_bash_keys(FILE *out) {
    tt_config_key key;
    for (int i = 0; tt_config_key_at(i, &key); ++i) {
        fprintf(out, "    keys['%s']='", key.path);
        if (strchr(key.allowed, '|')) put_words(out, key.allowed, ' ');
        fputs("'\n", out);
    }
}

tt_status tt_help_bash(FILE *out) {
    int n;
    const tt_command *commands = tt_commands(&n);
    fputs("# Completion of tinythinker for bash, made from the program's own tables.\n"
          "_tinythinker() {\n"
          "    local -A subcommands options values keys\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} "
          "command=${COMP_WORDS[1]} "
          "key\n"
          "    COMPREPLY=()\n",
        out);
    TT_TRY(tt_help_read(&(tt_help_reader){put_bash_page, out}));
    put_bash_keys(out);
    fputs("    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '--help --version",
        out);
    for (int i = 0; i < n; ++i) fprintf(out, " %s", commands[i].name);
    // The shell breaks words at `=`: --set KEY=VALUE is three of them.
    fputs("' -- \"$current\"))\n"
          "        return\n"
          "    fi\n"
          "    if [ -n \"${subcommands[$command]:-}\" ]; then\n"
          "        if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
          "            COMPREPLY=($(compgen -W \"--help${subcommands[$command]}\" -- \"$current\"))\n"
          "            return\n"
          "        fi\n"
          "        command+=\" ${COMP_WORDS[2]}\"\n"
          "    fi\n"
          "    if [ \"$current\" = = ]; then\n"
          "        key=$before current=\n"
          "    elif [ \"$before\" = = ]; then\n"
          "        key=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    elif [ \"$before\" = --set ]; then\n"
          "        COMPREPLY=($(compgen -S = -W \"${!keys[*]}\" -- \"$current\"))\n"
          "        compopt -o nospace 2>/dev/null\n"
          "        return\n"
          "    fi\n"
          "    if [ -n \"${key:-}\" ]; then\n"
          "        case $key in\n"
          "            --set)\n"
          "                COMPREPLY=($(compgen -S = -W \"${!keys[*]}\" -- \"$current\"))\n"
          "                compopt -o nospace 2>/dev/null\n"
          "                ;;\n"
          "            -*) COMPREPLY=($(compgen -W \"${values[$command $key]:-}\" -- \"$current\")) ;;\n"
          "            *) COMPREPLY=($(compgen -W \"${keys[$key]:-}\" -- \"$current\")) ;;\n"
          "        esac\n"
          "    elif [ -n \"${values[$command $before]+known}\" ]; then\n"
          "        COMPREPLY=($(compgen -W \"${values[$command $before]}\" -- \"$current\"))\n"
          "    elif [ \"${current:0:1}\" = - ]; then\n"
          "        COMPREPLY=($(compgen -W \"${options[$command]:-}\" -- \"$current\"))\n"
          "    fi\n"
          "}\n"
          "complete -o default -F _tinythinker tinythinker\n", // no match: file names
        out);
    return TT_OK;
}

// Within single quotes, in [...] or before a `:` of a specification.
static void put_quoted(FILE *out, const char *text) {
    for (; *text; ++text) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void put_zsh_page(void *context, const tt_help_page *page) {
    FILE *out = context;
    fprintf(
        out, "        ('%s')\n            _arguments '--help[Show this command'\\''s help.]'", page->name);
    for (int i = 0; i < page->args->n; ++i) {
        const tt_arg *arg = &page->args->options[i];
        fprintf(out, " \\\n                '%s%s%s[", arg->type == TT_ARG_TEXTS ? "*" : "", dashes(arg),
            arg->name);
        put_quoted(out, arg->help);
        fputs("]", out);
        if (arg->type != TT_ARG_FLAG) {
            fputs(":", out);
            put_quoted(out, arg->value ? arg->value : "value");
            fputs(":", out);
            if (strcmp(arg->name, "set") == 0) {
                fputs("_tinythinker_keys", out);
            } else if (arg->words) {
                fputs("(", out);
                put_words(out, arg->words, ' ');
                fputs(")", out);
            } else if (arg->type == TT_ARG_TEXT || arg->type == TT_ARG_TEXTS) {
                fputs("_files", out);
            }
        }
        fputs("'", out);
    }
    fputs(" \\\n                '*:file:_files'\n            ;;\n", out);
}

// Of one command of commands: its subcommands' names and what --help says of them.
static void put_zsh_subcommand(void *context, const tt_help_page *page) {
    const char *space = strchr(page->name, ' ');
    if (!space) return;
    fprintf(context, "    subcommands[%.*s]+=' %s'\n", (int)(space - page->name), page->name, space + 1);
}

tt_status tt_help_zsh(FILE *out) {
    int n;
    tt_config_key key;
    const tt_command *commands = tt_commands(&n);
    fputs("#compdef tinythinker\n"
          "# Completion of tinythinker for zsh, made from the program's own tables.\n"
          "_tinythinker_keys() {\n    local -a keys=(\n",
        out);
    for (int i = 0; tt_config_key_at(i, &key); ++i) {
        fprintf(out, "        '%s:", key.path);
        put_quoted(out, key.help);
        fputs("'\n", out);
    }
    fputs("    )\n    _describe -t keys key keys -S =\n}\n"
          "_tinythinker() {\n"
          "    local -A subcommands\n"
          "    local -a commands=(\n",
        out);
    for (int i = 0; i < n; ++i) {
        fprintf(out, "        '%s:", commands[i].name);
        put_quoted(out, commands[i].summary);
        fputs("'\n", out);
    }
    fputs("    )\n", out);
    TT_TRY(tt_help_read(&(tt_help_reader){put_zsh_subcommand, out}));
    fputs("    if ((CURRENT == 2)); then\n"
          "        _describe -t commands command commands\n"
          "        return\n"
          "    fi\n"
          "    local command=$words[2]\n"
          "    if [[ -n $subcommands[$command] ]]; then\n"
          "        if ((CURRENT == 3)); then\n"
          "            compadd -- ${=subcommands[$command]}\n"
          "            return\n"
          "        fi\n"
          "        command+=\" $words[3]\"\n"
          "        shift words\n"
          "        ((CURRENT--))\n"
          "    fi\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $command in\n",
        out);
    TT_TRY(tt_help_read(&(tt_help_reader){put_zsh_page, out}));
    fputs("    esac\n}\n"
          "[[ $funcstack[1] != _tinythinker ]] || _tinythinker \"$@\"\n",
        out);
    return TT_OK;
}
