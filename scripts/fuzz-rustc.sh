#!/usr/bin/env bash
# rustc as `scripts/fuzz.sh` has cargo call it: instruments the parsers' crate and the fuzz targets for libFuzzer, and leaves
# everything else as it is, so that dependencies are built as ever and no nightly compiler is needed.
case " $* " in
*"--crate-name deskstream_connectors "* | *" fuzz_targets/"*)
    # What cargo-fuzz sets, without a sanitizer: the parsers have no unsafe code.
    exec "$@" -Copt-level=2 -Ccodegen-units=16 --cfg fuzzing -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
*) exec "$@" ;;
esac
