# What people and scripts call (docs: README.md). Targets with a ## comment explain themselves in `make help`.
#
# Every cargo command builds the whole workspace: one set of features, so that the slowest dependency (aws-sdk-ec2, five
# minutes) is compiled once and not once per selection of packages.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# Where cargo puts programs.
BIN := $(or $(CARGO_TARGET_DIR),target)/debug

# Simulated seconds per real second.
SPEED ?= 120
# Set to leave the demo's playground running.
KEEP ?=
# More for `cargo test`: TEST="--test playground" runs one test file.
TEST ?=

# No AWS client started from here may take this machine for an EC2 instance.
export AWS_EC2_METADATA_DISABLED := true

.PHONY: help
help: ## This text
	@printf 'Causeway. Needed: Rust, Go, a C compiler; Python for some tests. The first build takes about ten minutes.\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r target text; do printf '  make %-16s %s\n' "$$target" "$$text"; done
	@printf '\nVariables: SPEED=%s (time scale of demo and playground), KEEP=1 (demo leaves it running), TEST=... (for cargo test)\n' '$(SPEED)'

.PHONY: demo
demo: controlplane ## The lab's whole life on this machine: apply, Ready, failover, delete, empty ledger
	$(BIN)/demo --dir .demo --speed $(SPEED) $(if $(KEEP),--keep)

.PHONY: demo-down
demo-down: build ## End what `make demo KEEP=1` left running
	$(BIN)/playground down --dir .demo

# What failed, once more at the end: the whole output is long.
FAILURES = printf '\n== What failed ==\n'; awk '/^failures:$$/ {on = 1} /^test result:/ {on = 0} on' $(BIN)/test.log | tail -n 400; \
  grep -A12 '^error' $(BIN)/test.log | tail -n 40

.PHONY: test
test: controlplane fmt-check lint deny-if-present ## Every test, generated files and style included; from a fresh machine
	env -u CAUSEWAY_REGENERATE $(CARGO) test --workspace --locked --no-fail-fast $(TEST) -- --show-output 2>&1 \
	  | tee $(BIN)/test.log || { $(FAILURES); exit 1; }

.PHONY: soak
soak: controlplane ## Pairs of crashes, storms of faults, 21 lives of killed and stopped binaries: CAUSEWAY_SOAK_SCHEDULES=10000, CAUSEWAY_SOAK_MINUTES=120
	$(CARGO) test --workspace --locked --no-run --test soak --test life --test restarts
	@# The lives mostly wait for the clouds' clock: they go on beside the schedules.
	CAUSEWAY_LIFE_ROUNDS=7 $(CARGO) test --workspace --locked --no-fail-fast --test life --test restarts -- --nocapture \
	  >$(BIN)/lives.log 2>&1 & lives=$$!; failed=0; \
	  $(CARGO) test --workspace --locked --test soak -- --ignored --nocapture || failed=1; \
	  wait $$lives || failed=1; cat $(BIN)/lives.log; exit $$failed

.PHONY: controlplane
controlplane: build ## Obtain kube-apiserver, etcd, kube-controller-manager, kubectl, helm; print their folder
	@$(BIN)/controlplane

.PHONY: generate
generate: controlplane ## Rewrite generated files (CRDs, pages of docs); make test fails when they are stale
	CAUSEWAY_REGENERATE=1 $(CARGO) test --workspace --locked --test crds --test bad_input -- are_current is_current a_sentence

.PHONY: playground
playground: controlplane ## Start control plane, sandbox and operator in the background (.playground)
	$(BIN)/playground up --dir .playground --speed $(SPEED)

.PHONY: playground-down
playground-down: build ## End what `make playground` started
	$(BIN)/playground down --dir .playground

.PHONY: build
build: ## Build all programs
	@$(CARGO) build --workspace --bins --locked

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check: ## Fail if the code is not formatted
	$(CARGO) fmt --all --check

.PHONY: lint
lint: ## Clippy; a warning is a failure
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings

.PHONY: deny
deny: ## Check licenses, sources and banned crates (installs cargo-deny if it is missing: two minutes)
	@command -v cargo-deny >/dev/null || $(CARGO) install cargo-deny --locked --debug
	$(CARGO) deny --locked check bans licenses sources

.PHONY: deny-if-present
deny-if-present:
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --locked check bans licenses sources; \
	else echo 'cargo-deny is not installed: licenses and banned crates are not checked (make deny does)'; fi
