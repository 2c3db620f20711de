#!/usr/bin/env bash
# A row of the table of keys whose type is not that of its field does not compile.
set -eu
cd "$TT_SOURCE_DIR"
. "$(dirname "$0")/../common.sh"
cd "$TT_SOURCE_DIR" || exit 1
table=host/config/config_keys.c
compile() { "$TT_CC" -std=gnu17 -D_GNU_SOURCE -I. -fsyntax-only -x c "$1" 2>"$work/messages"; }

compile "$table" || { echo "FAILED: $table itself does not compile"; cat "$work/messages"; exit 1; }
# A row of the table, what is changed in it, what it becomes.
refused() {
    sed "s|$1|$2|" "$table" >"$work/broken.c"
    cmp -s "$table" "$work/broken.c" && { echo "FAILED: no row $1"; exit 1; }
    if compile "$work/broken.c"; then echo "FAILED: $1 compiles as $2"; exit 1; fi
    grep -q "_Generic" "$work/messages" || { echo "FAILED: $2: another error"; cat "$work/messages"; exit 1; }
}
refused 'REAL(TRAINING, "reflection.beta"' 'INTEGER(TRAINING, "reflection.beta"'
refused 'INTEGER(RUN, "seed"' 'REAL(RUN, "seed"'
refused 'TEXT(TRAINING, "corpus", corpus, "", NULL' 'TEXT(TRAINING, "corpus", pretraining.text, "", NULL'
refused 'LIST(TRAINING, "pretraining.text", pretraining.text' 'LIST(TRAINING, "pretraining.text", corpus'
refused '"model.tie_word_embeddings", model.tie_word_embeddings' '"model.tie_word_embeddings", model.d_model'
echo "rows of another type than their field do not compile"
