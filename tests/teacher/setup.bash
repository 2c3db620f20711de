# shellcheck shell=bash disable=SC2154
# Common to the scripts in this folder, which source it after ../common.sh: a teacher's server, a plan, and questions of
# everyday without their reasoning.
command -v python3 >/dev/null || skip "no python3"
[ "$TT_HAVE_CURL" = 1 ] || skip "built without libcurl"
export OMP_NUM_THREADS=1
servers=()
stop_servers() { [ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null; wait "${servers[@]}" 2>/dev/null; servers=(); }
trap 'stop_servers; rm -rf "$work"' EXIT
serve() { # options: starts a server; its address is $url
    : >listening
    python3 "$TT_SOURCE_DIR/tests/teacher/server.py" --answers world.jsonl --port 0 "$@" >listening 2>server.log &
    servers+=($!)
    for _ in $(seq 600); do
        url=$(sed -n 's|^listening on \(.*\)|http://\1/v1|p' listening)
        [ -z "$url" ] || return 0
        sleep 0.1
    done
    cat server.log
    fail "the server does not start"
    exit 1
}
plan() { # name, extra lines
    cat >"$1.yaml" <<YAML
questions: questions.h5
corpus: $1.h5
prompts: $TT_SOURCE_DIR/datasets/prompts/everyday.yaml
prices: $TT_SOURCE_DIR/datasets/prompts/prices.yaml
tokenizer: $TT_SOURCE_DIR/datasets/everyday/student.h5
model: everyday-teacher
url: $url
exemplars: 4
n_augment: 2
choices: 2
timeout: 5
attempts: 30
$2
YAML
}
teach() { "$TINYTHINKER" teach "$@" --limit 60; }

# The first 200 questions of everyday without their reasoning, and a teacher who knows them all.
"$TINYTHINKER" corpus build "$TT_SOURCE_DIR/datasets/everyday/world.yaml" -o world.h5 --jsonl world.jsonl >/dev/null 2>&1 ||
    { fail "the world"; exit 1; }
python3 - <<'PYTHON'
import json
with open("world.jsonl") as lines, open("questions.jsonl", "w") as out:
    kept = {"train": 120, "validation": 20, "test": 20}
    for line in lines:
        q = json.loads(line)
        if kept.get(q["split"], 0) == 0: continue
        kept[q["split"]] -= 1
        q.pop("reasoning", None)
        out.write(json.dumps(q, ensure_ascii=False) + "\n")
PYTHON
"$TINYTHINKER" corpus import jsonl questions.jsonl -o questions.h5 >/dev/null 2>&1 || { fail "import"; exit 1; }
