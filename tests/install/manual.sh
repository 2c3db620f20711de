#!/usr/bin/env bash
# The man page and the completions: made without a warning, with every command, option and key; completions give what
# they should.
set -u
. "$(dirname "$0")/../common.sh"
failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}
"$TINYTHINKER" manual "$work/m" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
page=$work/m/tinythinker.1

# Every command with its options, every key.
plain=$work/plain # the page without roff's escapes
sed 's/\\-/-/g; s/\\://g; s/\\f[BIR]//g; s/\\&//g; s/\\e/\\/g' "$page" >"$plain"
"$TINYTHINKER" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 10 ] || fail "few commands"
commands=()
while read -r command; do
    mapfile -t below < <("$TINYTHINKER" "$command" --help | sed -n '/COMMAND \[options\]/,$s/^  \([a-z]*\)  .*/\1/p')
    [ ${#below[@]} -gt 0 ] || commands+=("$command")
    for one in "${below[@]}"; do commands+=("$command $one"); done
done <"$work/commands"
for command in "${commands[@]}"; do
    grep -qx ".SS tinythinker $command" "$plain" || fail "the man page has no section on $command"
    # shellcheck disable=SC2086
    for option in $("$TINYTHINKER" $command --help | sed -n '/^options:/,$s/^  \(--*[a-z0-9-]*\) .*/\1/p'); do
        sed -n "/^.SS tinythinker $command\$/,/^.S[SH]/p" "$plain" | grep -q "^$option\( \|\$\)" ||
            fail "the man page has no $command $option"
    done
done
"$TINYTHINKER" run --keys | sed -n 's/^\([a-z_]*\.\{0,1\}[a-z_0-9]*\)  (.*/\1/p' >"$work/keys"
[ "$(wc -l <"$work/keys")" -gt 80 ] || fail "few keys"
while read -r key; do grep -q "^$key (" "$plain" || fail "the man page has no key $key"; done <"$work/keys"
if command -v man >/dev/null && command -v groff >/dev/null; then
    LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>&1 >"$work/shown" | tee "$work/log" | grep -q . && fail "man warns: $(head -3 "$work/log")"
    grep -q "tinythinker ask --model datasets/everyday/reasoner.h5" "$work/shown" || fail "the example is not shown"
fi

# bash
cat >"$work/try.bash" <<'BASH'
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_tinythinker
printf '%s\n' "${COMPREPLY[@]}"
BASH
expect() { # "words found", typed words...
    local words=$1 got
    shift
    got=$(bash "$work/try.bash" "$work/m/tinythinker.bash" "$@" 2>&1 | tr '\n' ' ')
    [ "${got% }" = "$words" ] || fail "bash: '$*' gives '$got', expected '$words'"
}
bash -n "$work/m/tinythinker.bash" || fail "bash does not read its completion"
expect "report" tinythinker rep
got=$(bash "$work/try.bash" "$work/m/tinythinker.bash" tinythinker model "" | sort | tr '\n' ' ')
[ "$got" = "--help convert export import init show " ] || fail "bash: subcommands of model: $got"
expect "--fresh-from" tinythinker run x.yaml --fresh-
expect "--set" tinythinker sweep --se
expect "acquisition.steps=" tinythinker run x.yaml --set acquisition.st
expect "acquisition.steps=" tinythinker run x.yaml --set = acquisition.st
expect "linear" tinythinker run x.yaml --set acquisition.schedule = l
expect "true" tinythinker run x.yaml --set model.tie_word_embeddings = t
losses=$("$TINYTHINKER" run --keys | awk '/^reflection\.loss /{on=1; next} /^[^ ]/{on=0} on' | tr '\n' ' ' |
    sed -n 's/.*One of *\([^.]*\)\..*/\1/p' | tr -d ,)
losses=$(echo $losses)
expect "$losses" tinythinker run x.yaml --set reflection.loss =
expect "summarize_only step_by_step" tinythinker eval --stages s
expect "bf16" tinythinker bench --precision b
expect "" tinythinker eval --model ""
expect "--allow-unused" tinythinker model import dir --al
[ "$(bash -c 'source "$1"; complete -p tinythinker' - "$work/m/tinythinker.bash")" = \
    "complete -o default -F _tinythinker tinythinker" ] || fail "bash does not know the completion"

# zsh
if command -v zsh >/dev/null; then
    zsh -n "$work/m/_tinythinker" || fail "zsh does not read its completion"
    cat >"$work/try.zsh" <<'ZSH'
_describe() { local name=${@[-1]}; [[ ${(t)${(P)name}} ]] && print -l -- ${(P)name}; }
_arguments() { print -l -- "$@" }
compadd() { shift; print -l -- "$@" }
source $1
shift
words=("$@")
CURRENT=$#words
_tinythinker
ZSH
    try() { zsh -f "$work/try.zsh" "$work/m/_tinythinker" "$@" 2>&1; }
    try tinythinker "" | grep -q "^report:" || fail "zsh: no commands"
    try tinythinker model "" | grep -qx import || fail "zsh: no subcommands of model"
    try tinythinker model import "" | grep -q -- "^--allow-unused\[" || fail "zsh: no options of model import"
    try tinythinker run "" | grep -q -- "^\*--set\[.*:KEY=VALUE:_tinythinker_keys" || fail "zsh: no keys"
fi
exit $failed
