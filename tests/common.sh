# Common to the scripts in ranks/, faults/, e2e/ and cusim/, which source it:
#   . "$(dirname "$0")/../common.sh"
# The script continues in a new temporary folder, $work, which is removed when it ends. It ends with `exit $failed`.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # in containers

if ! work=$(mktemp -d 2>/dev/null); then
    echo "TMPDIR=${TMPDIR:-} cannot be written; using $PWD"
    export TMPDIR=$PWD # for the programs, too
    work=$(mktemp -d) || {
        echo "FAILED: no temporary folder: set TMPDIR to a folder that can be written"
        exit 1
    }
fi
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Reports a failure with the files that explain it (those in `shown` if none are named), and continues.
failed=0
shown=()
fail() { # text, file...
    echo "FAILED: $1"
    shift
    [ $# -gt 0 ] || set -- "${shown[@]}"
    [ $# -eq 0 ] || cat -- "$@" 2>/dev/null
    failed=1
}

# The same, but ends the script.
die() { # text, file...
    fail "$@"
    exit 1
}

skip() { # reason
    echo "skipped: $1"
    exit 77
}

# data/: a tokenizer, a corpus, texts and reading tasks, all tiny.
make_data() { "$TT_MAKE_FIXTURE" data || exit 1; }

# The same, and run.yaml: a run on it that takes a second.
make_run() {
    make_data
    cat >run.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
acquisition: {steps: 4, batch_size: 8, interval: 1}
evaluation: {max_length: 8, samples: 0}
precision: fp32
YAML
}

have_mpi() { command -v mpirun >/dev/null && ! "$TINYTHINKER" device 2>&1 | grep -q "without MPI"; }

# Lines "step loss" of a run in runs/.
losses() { # run
    sed -n 's/.*"step": \([0-9]*\),.*"loss": \([^,]*\), "lr".*/\1 \2/p' "runs/$1/metrics.jsonl"
}

# expect STATUS PATTERN ARGUMENTS...: the message must match all parts of PATTERN between &&.
expect() {
    local status=$1 pattern=$2 got part
    shift 2
    timeout 60 "$TINYTHINKER" "$@" > out.log 2> err.log < /dev/null
    got=$?
    [ $got -eq "$status" ] || { echo "FAILED: $*: exit status $got, expected $status"; cat err.log; failed=1; }
    while [ -n "$pattern" ]; do
        part=${pattern%%&&*}
        grep -Eq -- "$part" err.log || { echo "FAILED: $*: no '$part' in:"; cat err.log; failed=1; }
        [ "$part" = "$pattern" ] && break
        pattern=${pattern#*&&}
    done
    ! grep -q 'HDF5-DIAG\|AddressSanitizer\|runtime error' err.log || { echo "FAILED: $*: noise"; cat err.log; failed=1; }
}
