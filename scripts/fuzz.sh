#!/usr/bin/env bash
# Fuzzes the parsers of helpdesks' webhooks, one after the other: scripts/fuzz.sh [SECONDS] [TARGET ...].
# Needs a nightly compiler (rustup toolchain install nightly); cargo-fuzz is not needed.
set -euo pipefail
cd "$(dirname "$0")/../connectors/fuzz"

seconds="${1:-600}"
shift || true
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(zendesk freshdesk intercom)
cargo +nightly --version >/dev/null 2>&1 || { echo "make fuzz: no nightly compiler; fix: rustup toolchain install nightly" >&2; exit 1; }

# Apart from the other builds: its flags are its own.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-../../target}/fuzz"
# What cargo-fuzz sets, without a sanitizer: the parsers have no unsafe code.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions"
# The versions that the product has, as far as they are the same.
[ -e Cargo.lock ] || cp ../../Cargo.lock .
cargo +nightly build --release --target x86_64-unknown-linux-gnu

for target in "${targets[@]}"; do
    corpus="$CARGO_TARGET_DIR/corpus/$target"
    mkdir -p "$corpus" "$CARGO_TARGET_DIR/artifacts/$target"
    echo "fuzzing $target for $seconds s"
    "$CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/release/$target" "$corpus" "seeds/$target" \
        -artifact_prefix="$CARGO_TARGET_DIR/artifacts/$target/" \
        -dict=webhooks.dict -max_len=65536 -timeout=5 -rss_limit_mb=512 -malloc_limit_mb=64 \
        -max_total_time="$seconds" -print_final_stats=1
done
