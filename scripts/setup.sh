#!/usr/bin/env bash
# Installs what the build and the embedded default need and this machine lacks. Asks for nothing that is there.
#
# Only missing packages are installed, by apt, and only as root or with a sudo that needs no password; otherwise
# the last line says what to install. What the package registries give (Kafka, the ClickHouse engine) is fetched
# by `deskstream` itself, into ${XDG_CACHE_HOME:-$HOME/.cache}/deskstream. With --tests a Chromium is installed too.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/deskstream"
missing=()

has() { command -v "$1" >/dev/null 2>&1; }
header() { echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1; }

if ! has cargo; then
    echo "cargo is needed to build Deskstream; install it from https://rustup.rs and run this again" >&2
    exit 1
fi

has cc || missing+=(gcc libc6-dev)
has c++ || missing+=(g++)
has make || missing+=(make)
has pkg-config || missing+=(pkg-config)
header zlib.h || missing+=(zlib1g-dev)
header openssl/ssl.h || missing+=(libssl-dev)

# Kafka 4 needs Java 17. The version is in quotes: "17.0.15", "21", or "1.8.0_412".
java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
version="$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1 || true)"
if [ "${version:-0}" -lt 17 ]; then missing+=(default-jre-headless); fi

# These fetch once: what lies in the cache needs neither.
compgen -G "$cache/kafka/*/libs/kafka_*.jar" >/dev/null || has mvn || missing+=(maven)
compgen -G "$cache/clickhouse/*/libchdb.so" >/dev/null || has npm || missing+=(npm)

# tests/browser.rs drives it. It is left out where that can't be had; everything else works without.
browser=()
if [ "${1:-}" = --tests ]; then
    has chromium || browser+=(chromium)
    has chromedriver || browser+=(chromium-driver)
    compgen -G "$cache/axe-core/*/axe.min.js" >/dev/null || has npm || browser+=(npm)
fi
may_install() { has apt-get && { [ "$(id -u)" -eq 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }; }
optional() {
    if [ "${#browser[@]}" -eq 0 ]; then return; fi
    missing=("${browser[@]}")
    if ! may_install || ! installed; then
        echo "the web UI is not tested without ${browser[*]}: sudo apt-get install -y ${browser[*]}" >&2
    fi
}
# A list that is a little old is good enough; none at all is not.
installed() {
    if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
        "${as_root[@]}" apt-get update -q
    fi
    echo "installing ${missing[*]}"
    install || { "${as_root[@]}" apt-get update -q && install; }
}
install() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; }

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if [ "${#missing[@]}" -eq 0 ]; then
    optional
    exit 0
fi

wanted="apt-get install -y ${missing[*]}"
if ! has apt-get; then
    echo "missing: ${missing[*]} (Debian's names); install them with this system's package manager" >&2
    exit 1
fi
if ! may_install; then
    echo "missing: ${missing[*]}; install them with: sudo $wanted" >&2
    exit 1
fi
installed || { echo "could not install ${missing[*]}; try by hand: $wanted" >&2; exit 1; }
optional
