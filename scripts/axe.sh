#!/bin/sh
# axe-core, which tests/browser.rs has look at every page: the file that the npm package carries (MPL-2.0; it is used by
# that test only, and never shipped). Prints where it is.
set -eu
version=4.14.1
sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
to="${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/axe-core/$version"
if [ ! -f "$to/axe.min.js" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && npm pack --silent "axe-core@$version" >/dev/null)
    tar -xzf "$work/axe-core-$version.tgz" -C "$work" package/axe.min.js
    echo "$sum  $work/package/axe.min.js" | sha256sum --check --quiet
    mkdir -p "$to"
    mv "$work/package/axe.min.js" "$to/axe.min.js"
fi
echo "$to/axe.min.js"
