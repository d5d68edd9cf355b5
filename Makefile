# Everything runs under the Node 24 and the Bun that package-lock.json pins; the machine's own Node and
# npm only bring them here.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

SYSTEM_PATH := $(subst $(CURDIR)/node_modules/.bin:,,$(PATH))
export PATH := $(CURDIR)/node_modules/.bin:$(SYSTEM_PATH)

PREFIX ?= /usr/local
DESTDIR ?=
LINT_FORMAT ?= default

NPM := node_modules/.installed
BINARY := dist/atcr-verify
SCHEMA := dist/trust-policy.schema.json
TOOLS := build/debian/.installed
PEERS := build/debian/.peers-installed
SERVERS := build/e2e-servers.installed
SUITES := unit property vectors checks binary containerd

.PHONY: help check check-format check-lint check-types check-purity check-unused check-repository format build test e2e mutation demo bench install clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | awk -F '\t' '{ printf "%-8s %s\n", $$1, $$2 }'

# In the order of what is quickest to mend.
check: check-format check-lint check-types check-purity check-unused check-repository ## format, lint, import boundaries, types, unused code, lockfiles

check-format: $(NPM)
	biome check --error-on-warnings --max-diagnostics=none .

check-lint: $(NPM)
	oxlint --deny-warnings --format=$(LINT_FORMAT) $(wildcard src test packaging demo *.ts)

check-types: $(NPM)
	tsc --noEmit -p .
	tsc --noEmit -p packaging

# The pure layers once more, where no global but ECMAScript's own exists.
check-purity: $(NPM)
	mkdir -p build/core
	node packaging/core-tsconfig.ts > build/core/tsconfig.json
	tsc --noEmit -p build/core

check-unused: $(NPM)
	knip

check-repository: $(NPM)
	node packaging/check-repository.ts

format: $(NPM) ## rewrite the sources as `make check` wants them
	biome check --write .

build: $(BINARY) ## dist/atcr-verify

test: $(NPM) $(BINARY) $(TOOLS) ## unit, property, vector, check, binary and containerd tests
	node packaging/run-suites.ts $(SUITES)

e2e: $(NPM) $(BINARY) $(TOOLS) $(SERVERS) ## against the reference PDS and PLC, through a real containerd
	node packaging/run-suites.ts e2e

# Not in CI: it takes longer than all suites together, and says how good the tests are, not the change.
mutation: $(NPM) ## change the code that decides in one place at a time and see a test fail; half an hour, so not in CI
	node test/mutation/run.ts $(FILES)

demo: $(NPM) $(BINARY) $(TOOLS) ## watch a real containerd pull a signed image and refuse an unsigned one
	node demo/demo.ts

bench: $(NPM) $(BINARY) $(PEERS) ## start-up and pull figures of docs/benchmarks.md
	node test/bench/bench.ts

install: $(BINARY) $(SCHEMA) ## into DESTDIR and PREFIX (/usr/local)
	install -D -m 0755 $(BINARY) "$(DESTDIR)$(PREFIX)/bin/atcr-verify"
	install -D -m 0644 $(SCHEMA) "$(DESTDIR)$(PREFIX)/share/atcr-verify/trust-policy.schema.json"
	install -d "$(DESTDIR)$(PREFIX)/share/doc/atcr-verify"
	install -m 0644 LICENSE README.md "$(DESTDIR)$(PREFIX)/share/doc/atcr-verify"
	for file in $$(find config-examples -type f); do \
	  install -D -m 0644 "$$file" "$(DESTDIR)$(PREFIX)/share/doc/atcr-verify/$$file"; \
	  sed -i '1s|\$$schema=/usr/share/|$$schema=$(PREFIX)/share/|' "$(DESTDIR)$(PREFIX)/share/doc/atcr-verify/$$file"; \
	done # the sources name the schema where packages put it

clean: ## remove what was built, downloads of Debian packages included; node_modules stays
	rm -rf dist build

# npm runs under the machine's Node: the pinned one is in the folder that npm ci removes first.
$(NPM): package-lock.json
	PATH="$(SYSTEM_PATH)" npm ci --ignore-scripts --loglevel=error
	node node_modules/bun/install.js
	touch $@

$(BINARY): $(NPM) packaging/build.ts package.json $(shell find src -name '*.ts' -o -type d 2>/dev/null) $(wildcard test/vectors/*.json)
	bun packaging/build.ts --outfile $@

$(SCHEMA): $(BINARY)
	$(BINARY) policy schema > $@

$(TOOLS): packaging/fetch-debian-tools.sh
	packaging/fetch-debian-tools.sh containerd docker-registry oras
	touch $@

$(PEERS): packaging/fetch-debian-tools.sh
	packaging/fetch-debian-tools.sh cosign notation
	touch $@

$(SERVERS): $(NPM) $(wildcard test/e2e/servers/install.sh test/e2e/servers/package-lock.json)
	bash test/e2e/servers/install.sh
	mkdir -p $(@D)
	touch $@
