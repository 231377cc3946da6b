# The product's image: `deskstream`, and nothing of what `deskstream demo` starts (no Java, no ClickHouse engine).
#
# rust 1.95 is the workspace's rust-version; Debian 12 on both sides, so that the libraries that were linked are
# the ones that are there.
FROM rust:1.95.0-slim-bookworm AS build
# librdkafka is built from source: C, C++, zlib, OpenSSL.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ libssl-dev make pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin deskstream && cp target/release/deskstream /deskstream

FROM debian:12.14-slim
# libssl3 and zlib1g: librdkafka; ca-certificates: outbound TLS. bash, for the health check, is in the image.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin deskstream \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/deskstream/spool
COPY --from=build /deskstream /usr/local/bin/deskstream
COPY LICENSE NOTICE /usr/share/doc/deskstream/
USER 10001:10001
# Webhooks; metrics and health.
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/deskstream"]
CMD ["--help"]
