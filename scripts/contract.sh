#!/usr/bin/env bash
# Contract tests: our clients and samples against judges that nobody here wrote.
#   - Prism (npm) holds our requests to Intercom, and the sample's answers, to Intercom's own OpenAPI
#   - zenpy (PyPI, GPL-3.0: a tool run beside the tests, never linked or shipped) drives the sample Zendesk
#   - slack_sdk (PyPI) drives the sample Slack
#   - schemathesis (PyPI) holds the console's REST API to its own OpenAPI description, see contract/console.py
# All are installed once into the cache.
set -euo pipefail
cd "$(dirname "$0")/.."

PRISM_VERSION=5.14.2
ZENPY_VERSION=2.0.57
SLACK_SDK_VERSION=3.47.0
SCHEMATHESIS_VERSION=4.32.5
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/contract"

need() {
    command -v "$1" >/dev/null || { echo "make test-contract: $1 is missing; fix: install $2" >&2; exit 1; }
}

prism="$CACHE/prism-$PRISM_VERSION"
if [ ! -x "$prism/node_modules/.bin/prism" ]; then
    need npm "Node.js with npm"
    echo "installing Prism $PRISM_VERSION (half a minute, once)"
    mkdir -p "$prism"
    npm install --silent --no-audit --no-fund --prefix "$prism" "@stoplight/prism-cli@$PRISM_VERSION"
fi

clients="$CACHE/python-zenpy-$ZENPY_VERSION-slack-$SLACK_SDK_VERSION"
if [ ! -e "$clients/done" ]; then
    need python3 "Python 3 with venv (Debian: python3-venv)"
    echo "installing zenpy $ZENPY_VERSION and slack_sdk $SLACK_SDK_VERSION (half a minute, once)"
    python3 -m venv "$clients"
    "$clients/bin/pip" install --quiet "zenpy==$ZENPY_VERSION" "slack_sdk==$SLACK_SDK_VERSION"
    touch "$clients/done"
fi

schemathesis="$CACHE/schemathesis-$SCHEMATHESIS_VERSION"
if [ ! -e "$schemathesis/done" ]; then
    need python3 "Python 3 with venv (Debian: python3-venv)"
    echo "installing schemathesis $SCHEMATHESIS_VERSION (half a minute, once)"
    python3 -m venv "$schemathesis"
    "$schemathesis/bin/pip" install --quiet "schemathesis==$SCHEMATHESIS_VERSION"
    touch "$schemathesis/done"
fi

PRISM="$prism/node_modules/.bin/prism" cargo test -p deskstream-connectors --test contract -- --ignored "$@"
PEERS_PYTHON="$clients/bin/python" cargo test -p deskstream-samples --test peers -- --ignored "$@"

# ARGS are for the tests above.
cargo build --bins
target="${CARGO_TARGET_DIR:-target}/debug"
"$target/deskstream" doctor --fix
"$schemathesis/bin/python" scripts/contract/console.py "$target/deskstream" "$schemathesis/bin/schemathesis"
