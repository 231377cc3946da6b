#!/usr/bin/env bash
# Measures heads trained by `deskstream train --labels` beside scikit-learn's TF-IDF and linear SVM: same texts for
# training, same held-out texts, same run. DATA names sets of JSON lines and the field that holds the label, each
# "train.jsonl:FIELD" (a tenth is held out here) or "train.jsonl:FIELD:held-out.jsonl". ENCODER=1 also trains and measures
# the encoder's heads. The first run installs scikit-learn (150 MB), and with ENCODER=1 the encoder, into the cache.
set -euo pipefail

SCIKIT=1.9.1

here=$(cd "$(dirname "$0")" && pwd)
deskstream=${DESKSTREAM:-${CARGO_TARGET_DIR:-$here/../target}/release/deskstream}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/scikit-learn-$SCIKIT
out=${OUT:-$cache/results}
python=$cache/venv/bin/python

[ -n "${DATA:-}" ] || { echo 'bench-analyze: name what to learn, DATA="train.jsonl:FIELD"' >&2; exit 1; }
[ -x "$deskstream" ] || { echo "bench-analyze: $deskstream is missing, run \`make build\`" >&2; exit 1; }
if [ ! -e "$cache/installed" ]; then
    echo "installing scikit-learn $SCIKIT into $cache" >&2
    rm -rf "$cache/venv"
    mkdir -p "$cache"
    python3 -m venv "$cache/venv"
    "$python" -m pip install --quiet --disable-pip-version-check "scikit-learn==$SCIKIT"
    touch "$cache/installed"
fi
[ -z "${ENCODER:-}" ] || "$here/encoder.sh" >&2
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

for set in $DATA; do
    IFS=: read -r data field held_out <<< "$set"
    folder=$out/$(basename "$(dirname "$data")")-$field
    mkdir -p "$folder"
    "$python" "$here/bench-analyze/cut.py" "$data" "$field" "$folder" "$held_out"
    second=()
    [ -z "${ENCODER:-}" ] || second=(--encoder default)
    "$deskstream" train --data "$folder/train.jsonl" --labels "$field" "${second[@]}" --name bench --out "$folder/model" > "$folder/train.log"
    measure() { # REPORT [OPTION...]
        "$deskstream" eval --model "$folder/model/bench.dsm" --data "$folder/held-out.jsonl" --json "${@:2}" > "$folder/$1.json"
    }
    measure fast
    [ -z "${ENCODER:-}" ] || measure cascade --cascade "$folder/model/bench.$field.dsc" --encoder default
    "$python" "$here/bench-analyze/table.py" "$folder" "$field"
done
echo
echo "models and reports: $out"
