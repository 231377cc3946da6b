#!/usr/bin/env bash
# The web UI's libraries, fetched from npm anew and compared with those in console/ui/vendor; --write takes them over.
# For who wants to know whether they are what they say, and for a new version (then change it here and in the README there).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/../console/ui/vendor" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in preact@11.2.0 htm@3.1.1 uplot@1.6.32; do
    name="${package%@*}"
    npm pack --silent "$package" >/dev/null
    mkdir "$name"
    tar -xzf "$name-${package#*@}.tgz" -C "$name" --strip-components=1
done
mkdir out
cp htm/dist/htm.mjs out/htm.mjs
cp uplot/dist/uPlot.iife.min.js out/uplot.js
cp uplot/dist/uPlot.min.css out/uplot.css
sed '/^\/\/# sourceMappingURL/d' preact/dist/preact.mjs >out/preact.mjs
sed -e '/^\/\/# sourceMappingURL/d' -e 's/from"preact"/from".\/preact.mjs"/' preact/hooks/dist/hooks.mjs >out/hooks.mjs
for name in preact htm uplot; do cp "$name/LICENSE" "out/LICENSE.$name"; done
(cd out && sha256sum -- *.css *.js *.mjs >SHA256SUMS)
if [ "${1:-}" = --write ]; then cp out/* "$here"; fi
diff --recursive --exclude=README.md out "$here"
echo "console/ui/vendor is what npm has"
