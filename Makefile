# `make` shows what there is. Everything is idempotent and installs what it lacks (scripts/setup.sh).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-contract fuzz bench bench-redact bench-analyze fmt lint doctor clean tools deny

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Flags for the command that a target runs: make demo ARGS="--for 60s"
ARGS ?=
# Of the linter for licences, bans, sources and advisories: 0.20 reads our deny.toml.
DENY_VERSION := 0.20.2

help: ## Show this
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' \
		| while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

setup: ## Install what is missing and fetch Kafka and the ClickHouse engine
	@scripts/setup.sh --tests
	cargo build --bins
	$(TARGET)/debug/deskstream doctor --fix

build: tools ## Build the release binaries
	cargo build --release --bins

demo: tools ## Run everything here, with sample helpdesks (ARGS="--for 60s")
	cargo build --profile demo --bins
	@$(TARGET)/demo/deskstream demo $(ARGS)

test: ## Run all tests, against real Kafka, the real ClickHouse engine and a real browser
	@scripts/setup.sh --tests
	# Tests start these beside them; cargo would not build them for another package's tests.
	cargo build --bins
	$(TARGET)/debug/deskstream doctor --fix
	# Most tests wait for brokers and clocks rather than for a core.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} cargo test --workspace --no-fail-fast $(ARGS)

test-contract: tools ## Hold clients, samples and the console's API to descriptions and libraries: Prism, zenpy, slack_sdk, schemathesis
	@scripts/contract.sh $(ARGS)

fuzz: ## Fuzz the parsers of webhooks, ten minutes each (ARGS="60 zendesk" for a minute of one)
	@scripts/fuzz.sh $(ARGS)

bench: tools ## Measure stages, throughput, soak, webhooks, latency (ARGS="throughput --events 100000" for one)
	cargo build --release --bins
	@$(TARGET)/release/deskstream doctor --fix
	@$(TARGET)/release/deskstream bench $(ARGS)
	@# What the stages allocate: counted in a test, which also holds it to that.
	cargo build --bins
	cargo test --quiet -p deskstream-pipeline --test allocations -- --nocapture

bench-redact: tools ## Measure redaction beside Microsoft Presidio (DATA="a.jsonl b.jsonl", or a generated sample)
	cargo build --release --bin deskstream
	@scripts/bench-redact.sh

bench-analyze: tools ## Measure trained heads beside a linear SVM (DATA="train.jsonl:FIELD ..."; ENCODER=1 with the encoder)
	cargo build --release --bin deskstream
	@scripts/bench-analyze.sh

fmt: ## Format the code
	cargo fmt --all

lint: tools deny ## Check format, lints, licences, sources and advisories
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo deny check licenses bans sources
	@scripts/advisories.sh

doctor: tools ## Check this machine and, with ARGS, what is to be reached (ARGS="--kafka host:9092")
	cargo build --bins
	@$(TARGET)/debug/deskstream doctor $(ARGS)

clean: ## Remove what was built here; the cache of downloads stays
	cargo clean

tools:
	@scripts/setup.sh

deny: tools
	@cargo deny --version 2>/dev/null | grep -q ' $(DENY_VERSION)$$' \
		|| { echo "installing cargo-deny $(DENY_VERSION) (about a minute, once)"; \
		     cargo install --quiet --debug --locked --no-default-features cargo-deny@$(DENY_VERSION); }
