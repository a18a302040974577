# `make` alone explains every target.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Every target is a command, none is a file.
.PHONY: help run token build test-func-e

help: ## Explain every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the demonstration on loopback: Envoy with the filter, authorization server, MCP server; Ctrl-C stops it
	@$(PYTHON) -m demo.run

token: ## Print an access token of the running demonstration: ACCOUNT=reader|writer|admin [SCOPE="mcp:read"] [RESOURCE=url] [TTL=seconds]
	@$(PYTHON) -m demo.token

build: ## Build the filter as a WebAssembly module: target/wasm32-wasip1/release/mcp_auth_filter.wasm
	cargo build --release --target wasm32-wasip1 --locked --package mcp-auth-filter

test-func-e: ## Test that a real func-e (built with Go) can be where Envoy comes from
	@$(TEST_PYTHON) -m pytest -q tests/func_e

PYTHON = $(or $(shell command -v python3),$(error python3 is not on the PATH; install Python 3.10 or newer))

# Prepares the tests' environment as a side effect.
TEST_PYTHON = $(or $(shell $(PYTHON) -m demo.stack.python_env),$(error the environment of the tests cannot be prepared))
