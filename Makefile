# The two commands that matter: `make run` and `make test`. Both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
PROFILE := --release
# The tests' own, which is made in half of the time.
QUICK := --profile quick
SAME := --workspace --examples
BELFRY := target/release/belfry
LISTEN ?= 127.0.0.1:7400
DEMO_DATA ?= .run/demo

.PHONY: help run test check build web fonts unit blackbox e2e bench growth soak fuzz golden dev clean-demo fmt

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: build ## start the server with a demo company, and say where and how to log in
	$(BELFRY) demo --data $(DEMO_DATA) --listen $(LISTEN)

build: web fonts ## the binary with its console
	@scripts/debian.sh build
	$(CARGO) build $(PROFILE) $(SAME) --bins

web: web/dist/index.html ## the console
web/dist/index.html: web/package-lock.json $(shell find web/src web/index.html web/vite.config.ts 2>/dev/null)
	cd web && npm ci --no-fund --no-audit --loglevel=error && npm run build

fonts: fonts/node_modules/.package-lock.json ## the typefaces of the reports
fonts/node_modules/.package-lock.json: fonts/package-lock.json
	cd fonts && npm ci --no-fund --no-audit --loglevel=error

# One selection of packages and targets everywhere: with another, cargo chooses other features for the dependencies
# and builds them again. The examples bring what the tests need.
test: ## everything: lints, types, unit tests, black box tests, browser tests
	@scripts/debian.sh test
	@scripts/test-env.sh & fetched=$$!; $(MAKE) --no-print-directory check && wait $$fetched
	$(CARGO) test $(QUICK) --workspace

check: web fonts ## formatting, lints, types
	@scripts/debian.sh build
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy $(QUICK) --workspace --all-targets -- -D warnings
	cd web && npm run check && npm test

unit: fonts web ## the tests beside the code
	@scripts/debian.sh test
	$(CARGO) test $(QUICK) --workspace --lib --bins

blackbox: web fonts ## the real binary, its real ports, real receivers, real Chromium
	@scripts/debian.sh test
	@scripts/test-env.sh
	$(CARGO) test $(QUICK) --workspace --test belfry

e2e: web fonts ## the browser tests alone
	@scripts/debian.sh test
	@scripts/test-env.sh
	$(CARGO) test $(QUICK) --workspace --test belfry -- browser

soak: fonts web ## the fault tests with fresh seeds, for SOAK_SECONDS (600) or until stopped
	@scripts/debian.sh test
	scripts/soak.sh

fuzz: ## every decoder on bytes nobody meant, FUZZ_SECONDS (30) for each target
	scripts/fuzz.sh all $${FUZZ_SECONDS:-30}

bench: build ## the figures of docs/performance.md, beside PostgreSQL, in one run
	@scripts/debian.sh bench
	scripts/bench.sh

growth: build ## how everything grows with the trail, from 1 to 20 million events
	scripts/growth.sh

fmt: ## format everything
	$(CARGO) fmt --all

dev: build ## the server on the demo's data, with the console from Vite's own server
	@echo "in another terminal: cd web && npm run dev"
	$(BELFRY) demo --data $(DEMO_DATA) --listen $(LISTEN)

golden: ## rewrite the expected results of mappings and documents; review the diff
	UPDATE_EXPECT=1 $(CARGO) test $(QUICK) --workspace

clean-demo: ## forget the demo's data
	rm -rf $(DEMO_DATA)
