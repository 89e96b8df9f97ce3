# `make` alone shows what there is. The work is in scripts/; long output goes to build/logs/.

SHELL := bash
MUSL := $(shell uname -m)-unknown-linux-musl
TARGET := $(or $(CARGO_TARGET_DIR),target)
MEMORY ?= 256M
PORT ?= 8080
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
# What is below shares cargo's lock and the machine's two emulators: one after the other.
.NOTPARALLEL:
.PHONY: help setup build install images demo run test engines soak soak-kills soak-steps soak-faults soak-escapes soak-logger soak-orphans soak-histories soak-hours soak-chaos soak-properties \
	soak-fuzz soak-deny bench fuzz deny advisories doc clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing (root or sudo)
	@scripts/setup

build: setup ## the machine's static binaries, orlop-image and orlop-vm, in release form
	ORLOP_COMMIT=$$(git describe --always --dirty --abbrev=12 --match '' 2>/dev/null) \
	    cargo build --locked --release --target $(MUSL) -p orlop -p orlop-tls
	cargo build --locked --release -p orlop-image -p orlop-vm

install: ## orlop, orlop-tls, orlop-image, orlop-vm, completions and manual page, once built, into PREFIX (/usr/local)
	install -Dm755 -t $(DESTDIR)$(PREFIX)/bin $(TARGET)/$(MUSL)/release/orlop $(TARGET)/$(MUSL)/release/orlop-tls $(TARGET)/release/orlop-image $(TARGET)/release/orlop-vm
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(TARGET)/$(MUSL)/release/orlop man > $(DESTDIR)$(PREFIX)/share/man/man1/orlop.1
	$(TARGET)/$(MUSL)/release/orlop completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/orlop

images: setup ## the OCI images of the demo and the tests, from Debian's packages (cached)
	@scripts/images

demo: build images ## the bootable files of the demo, in build/demo
	$(TARGET)/release/orlop-image build config/demo -o build/demo

run: demo ## boot the demo: http://localhost:8080 (PORT=, MEMORY=); Ctrl-C ends it
	@echo "The page: http://localhost:$(PORT)   From another terminal: $(TARGET)/$(MUSL)/release/orlop --host unix:build/demo.sock ps"
	$(TARGET)/release/orlop-vm run build/demo --memory $(MEMORY) --publish $(PORT):80 --control build/demo.sock

test: setup images ## format, lints, and every test, the ones in virtual machines included
	@scripts/test

engines: setup ## the OCI runtime under other people's tests, podman, containerd and Docker (hours without KVM)
	@scripts/engines

soak: soak-kills soak-steps soak-faults soak-escapes soak-logger soak-orphans soak-histories soak-hours soak-chaos soak-properties soak-fuzz soak-deny ## all parts of the soak (N=, SEED=)

soak-kills: setup images ## … the supervisor killed 10,000 times under load
	@scripts/soak kills

soak-steps: setup images ## … the supervisor dies between every two steps, 1,000 times
	@scripts/soak steps

soak-faults: setup images ## … each system call of ours fails once with each of six errnos (hours)
	@scripts/soak faults

soak-escapes: setup images ## … a mount target exchanged for a link while containers start, for a minute
	@scripts/soak escapes

soak-logger: setup images ## … the logger killed 5,000 times while it reads
	@scripts/soak logger

soak-orphans: setup images ## … 200,000 orphans reaped
	@scripts/soak orphans

soak-histories: setup ## … ten million random histories of the supervisor's core
	@scripts/soak histories

soak-hours: setup ## … a hundred thousand random hours of it
	@scripts/soak hours

soak-chaos: setup images ## … ten minutes in which everything happens to one machine
	@scripts/soak chaos

soak-properties: setup ## … every other property, 100,000 inputs each
	@scripts/soak properties

soak-fuzz: ## … ten minutes of each fuzz target
	@SECONDS_EACH=$${SECONDS_EACH:-600} scripts/fuzz

soak-deny: deny ## … licences, sources and bans of the dependencies

bench: setup images ## the table of figures, and on what machine
	@scripts/bench

fuzz: ## each fuzz target for a minute (SECONDS_EACH=)
	@scripts/fuzz

deny: ## licences, sources and bans of the dependencies (builds cargo-deny once, some minutes)
	@scripts/deny

advisories: ## known vulnerabilities of the dependencies (fetches the RustSec database)
	@scripts/deny advisories

doc: ## the API's documentation; a broken link fails
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

clean: ## away with everything built and cached
	cargo clean
	rm -rf build config/demo/images
