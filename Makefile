# Everything that one does with Hark's sources. `make help` lists it; `make run` is the one to begin with.
# Each target installs what it needs first (tools/deps.sh): the first run asks for a network and some minutes, the next ones for neither.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# meson of tools/deps.sh, where Debian's is too old, and a cargo that rustup has just installed.
export PATH := $(CURDIR)/.deps/bin:$(PATH):$(HOME)/.cargo/bin
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
hark := $(CARGO_TARGET_DIR)/release/hark
# A configuration other than /etc/hark/hark.yaml: make run CONFIG=my/hark.yaml
CONFIG ?=
config := $(if $(CONFIG),--config '$(CONFIG)')

# One line in bold that says what is going to happen.
step = @printf '\033[1m== %s\033[0m\n' '$(1)'

.PHONY: help run demo build test lint deny bench bench-ears model install uninstall deps test-deps clean

help: ## this list
	@echo 'Hark, a calling speaker. Targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

run: build ## build and start: with a microphone and a loudspeaker it listens, without it plays the demo
	@if '$(hark)' $(config) devices >/dev/null 2>&1; then \
	  printf '\033[1m== %s\033[0m\n' 'starting Hark (Ctrl-C ends it)'; \
	  exec '$(hark)' $(config) run; \
	else \
	  printf '\033[1m== %s\033[0m\n' 'no microphone and loudspeaker here: playing the demo instead'; \
	  exec '$(hark)' demo; \
	fi

demo: build ## the household scene in a simulated room, in real time; recordings and figures go to demo-out/
	$(call step,playing the demo)
	'$(hark)' demo --out demo-out

build: deps ## only build, in release mode
	$(call step,building Hark in release mode (minutes the first time and seconds afterwards))
	cargo build --release --locked --bin hark

test: test-deps ## every test, end to end ones included, with real peers on this machine
	$(call step,building Hark and its tests in release mode (minutes the first time))
	cargo test --release --locked --workspace --no-run
	$(call step,running the tests; the end to end ones make real calls and take minutes)
	tools/test.sh

lint: deps ## formatting, clippy and documentation, warnings refused
	$(call step,looking at the formatting)
	cargo fmt -p control -p media -p speech -p hark -p ears --check
	$(call step,looking for what clippy warns of)
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	$(call step,building the documentation)
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --workspace --no-deps

deny: ## licences, sources and known flaws of everything we build on (cargo-deny)
	tools/deny.sh

bench: build test-deps ## the figures of docs/benchmarks.md, measured here
	$(call step,measuring)
	cargo bench --locked --workspace

bench-ears: ## how well voices are understood; PARTS=wake,commands,names,people,talk,pauses,cost HOURS=3
	@tools/deps.sh ears
	$(call step,measuring the ears)
	cargo build --release --locked --workspace --bin ears --bin hear
	$(if $(PARTS),$(if $(findstring cost,$(PARTS)),-tools/arm64.sh build),-tools/arm64.sh build)
	'$(CARGO_TARGET_DIR)/release/ears' $(PARTS) $(if $(HOURS),hours=$(HOURS)) $(if $(MODEL),model=$(MODEL))

model: ## make the speech model models/hark anew: two hours, synthetic voices, and the recordings in ../shared/data where they are
	models/train/run.sh

install: build ## install into /usr/local with the systemd unit (asks for sudo where it must)
	tools/install.sh install '$(hark)'

uninstall: ## take it away again; settings and contacts stay
	tools/install.sh uninstall

deps: ## what Hark is built and run with
	@tools/deps.sh run

test-deps: ## what the tests need besides
	@tools/deps.sh test

clean: ## remove what was built; .deps stays
	rm -rf '$(CARGO_TARGET_DIR)' demo-out
