#!/usr/bin/env bash
# Fuzzes the parsers of helpdesks' webhooks, one after the other: scripts/fuzz.sh [SECONDS] [TARGET ...].
set -euo pipefail
cd "$(dirname "$0")/../connectors/fuzz"

seconds="${1:-600}"
shift || true
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(zendesk freshdesk intercom)

# Apart from the other builds, whose artefacts are not instrumented.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}/fuzz"
RUSTC_WRAPPER="$(cd ../../scripts && pwd)/fuzz-rustc.sh"
export RUSTC_WRAPPER
# The versions that the product has, as far as they are the same.
[ -e Cargo.lock ] || cp ../../Cargo.lock .
cargo build --bins

for target in "${targets[@]}"; do
    corpus="$CARGO_TARGET_DIR/corpus/$target"
    mkdir -p "$corpus" "$CARGO_TARGET_DIR/artifacts/$target"
    echo "fuzzing $target for $seconds s"
    "$CARGO_TARGET_DIR/debug/$target" "$corpus" "seeds/$target" \
        -artifact_prefix="$CARGO_TARGET_DIR/artifacts/$target/" \
        -dict=webhooks.dict -max_len=65536 -timeout=5 -rss_limit_mb=512 -malloc_limit_mb=64 \
        -max_total_time="$seconds" -print_final_stats=1
done
