# `make` alone explains every target.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Every target is a command, none is a file.
.PHONY: help run token connect disconnect build fmt lint check-module \
	test test-native test-demo test-token-service test-e2e test-clients test-whole \
	test-conformance test-envoys test-func-e test-keycloak fuzz bench bench-core bench-compare

help: ## Explain every target
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# === the demonstration ===

run: ## Start the demonstration on loopback: Envoy with the filter, token service, authorization servers, MCP servers; Ctrl-C stops it
	@$(PYTHON) -m demo.run

token: ## Print an access token of the running demonstration: ACCOUNT=reader|writer|admin [SCOPE="mcp:read"] [RESOURCE=url] [TTL=seconds]
	@$(PYTHON) -m demo.token

connect: ## Connect an account of the running demonstration to the notes server, as its user does in a browser: ACCOUNT=reader|writer|admin
	@$(PYTHON) -m demo.connect

disconnect: ## Revoke and forget what make connect brought: ACCOUNT=reader|writer|admin
	@$(PYTHON) -m demo.disconnect

# === the filter ===

build: ## Build the filter as a WebAssembly module: target/module/mcp_auth_filter.wasm (Rust, Node.js)
	@$(PYTHON) -m module.build

fmt: ## Format the Rust code
	cargo fmt --all

lint: ## Check formatting and lints, native and wasm32, and that the fuzz targets' lock file fits
	@if command -v rustup >/dev/null; then rustup target add wasm32-wasip1; fi
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --target wasm32-wasip1 --package mcp-auth-filter -- -D warnings
	cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

check-module: ## Check what the module imports of its host, and its size
	@$(PYTHON) -m module.check

# === tests ===

test: test-native test-demo test-token-service test-e2e test-clients test-whole ## Pass the tests: native ones, the demonstration, the token service, end to end on a real Envoy, the official clients, failures of the whole
	@echo "make test: everything passed"

# Those of the token service wait for the disk more than they compute.
test-native: ## The tests of the core, the fuzz seeds among them, and of the token service
	RUST_TEST_THREADS=6 cargo test --locked --workspace

test-demo: ## The tests of the demonstration's own parts, of the benchmark's, and of how the module is built
	@$(TEST_PYTHON) -m pytest -q -n 2 --dist loadfile tests/demo tests/bench tests/module

test-token-service: ## The token service as it runs: its APIs by Schemathesis, its pages in Chromium
	@$(TEST_PYTHON) -m pytest -q tests/token_service_api
	@$(TEST_PYTHON) -m pytest -q tests/token_service

test-e2e: ## The filter in a real Envoy, in both header modes, against a recording upstream
	@$(TEST_PYTHON) -m pytest -q -n 2 --dist loadfile tests/e2e --ignore=tests/e2e/keycloak

test-clients: ## The official clients, a browser, and both protocol eras through the filter
	@$(TEST_PYTHON) -m pytest -q -n 2 --dist loadfile tests/clients

test-whole: ## Gate, token service and provider together: killed, slow, rotating, asked by many, two replicas
	@$(TEST_PYTHON) -m pytest -q -n 2 tests/whole

test-conformance: ## The official conformance suite says the same with the gate as without it; the differences are printed
	@$(TEST_PYTHON) -m tests.conformance.run

test-envoys: ## The end-to-end tests on every supported Envoy, 1.36 to 1.40
	@$(TEST_PYTHON) -m tests.e2e.envoys

test-func-e: ## Test that a real func-e (built with Go) can be where Envoy comes from
	@$(TEST_PYTHON) -m pytest -q tests/func_e

test-keycloak: ## Test upstream credentials by token exchange with a real Keycloak (Java 17, Maven)
	@$(TEST_PYTHON) -m pytest -q tests/e2e/keycloak

fuzz: ## Fuzz every parser of foreign bytes: [SECONDS=60] for each target
	@scripts/fuzz $(or $(SECONDS),60)

# === how fast it is ===

bench: ## Measure the filter beside Envoy's own chain and ext_authz (wrk, h2load, Go): [SHORT=1] [ONLY=warm,list-1000]
	@$(TEST_PYTHON) -m bench $(if $(SHORT),--short) $(if $(ONLY),--only $(ONLY))

bench-core: ## Measure the parts of the core: their time (criterion), and their allocations
	cargo bench --locked --bench core
	cargo bench --locked --bench counts

bench-compare: ## Compare this tree with a commit: requests/s of both modules, instructions of both cores (valgrind): BASE=commit
	@$(TEST_PYTHON) -m bench.compare $(or $(BASE),$(error BASE=commit says what to compare with))

PYTHON = $(or $(shell command -v python3),$(error python3 is not on the PATH; install Python 3.10 or newer))

# Prepares the tests' environment as a side effect.
TEST_PYTHON = $(or $(shell $(PYTHON) -m demo.stack.python_env),$(error the environment of the tests cannot be prepared))
