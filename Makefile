# Everything runs under the Node 24 and the Bun that package-lock.json pins; the machine's own Node and
# npm only bring them here.
SHELL := /bin/bash
.SHELLFLAGS := --norc -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

SYSTEM_PATH := $(subst $(CURDIR)/node_modules/.bin:,,$(PATH))
export PATH := $(CURDIR)/node_modules/.bin:$(SYSTEM_PATH)

# Where `make install` puts things (GNU coding standards); packages are made of the same.
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
DOCDIR ?= $(DATADIR)/doc/atcr-verify
MANDIR ?= $(DATADIR)/man
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHCOMPDIR ?= $(DATADIR)/bash-completion/completions
ZSHCOMPDIR ?= $(DATADIR)/zsh/site-functions
FISHCOMPDIR ?= $(DATADIR)/fish/vendor_completions.d
INSTALL ?= install
INSTALL_PROGRAM ?= $(INSTALL) -m 0755
INSTALL_DATA ?= $(INSTALL) -m 0644
LINT_FORMAT ?= default

NPM := node_modules/.installed
BINARY := dist/atcr-verify
SCHEMA := dist/trust-policy.schema.json
RESULT_SCHEMA := dist/verify-result.schema.json
NOTICES := dist/THIRD-PARTY-NOTICES.txt
SBOM := dist/atcr-verify.cdx.json
ARM64 := dist/arm64/atcr-verify
ARM64_SBOM := dist/arm64/atcr-verify.cdx.json
IMAGE := dist/atcr-verify-image.tar
MACOS := dist/macos/arm64/atcr-verify dist/macos/x64/atcr-verify
MACOS_SBOM := $(addsuffix .cdx.json,$(MACOS))
# As Bun names this machine's platform.
PLATFORM := linux-$(subst x86_64,x64,$(shell uname -m))
# The package of the pinned Node, which has a name of its own for each platform.
NODE_PACKAGE := node-linux-$(subst aarch64,arm64,$(subst x86_64,x64,$(shell uname -m)))
# Packages are dated by the last change, so that the same sources make the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
export SOURCE_DATE_EPOCH
TOOLS := build/debian/.installed
MMDEBSTRAP := build/debian/.mmdebstrap-installed
PEERS := build/debian/.peers-installed
EXAMINERS := build/debian/.examiners-installed
SERVERS := build/e2e-servers.installed
ETCD := build/debian/.etcd-installed
KUBE_APISERVER := build/kubernetes/kube-apiserver
KUBERNETES_PROGRAMS := build/kubernetes/dispatcher build/kubernetes/admission-policy build/kubernetes/kyverno-policy build/kubernetes/opa-engine
SUITES := unit property vectors checks binary containerd

.PHONY: help check check-format check-lint check-types check-purity check-unused check-repository format build test e2e kube-apiserver kubernetes-programs mutation demo bench bench-server bench-compare install uninstall deb rpm image macos release checksums clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | awk -F '\t' '{ printf "%-20s %s\n", $$1, $$2 }'

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

# By all files, and by the program alone: what only tests use is unused. Both, whatever the first finds.
check-unused: $(NPM)
	failed=0; knip || failed=1; knip --production || failed=1; exit $$failed

check-repository: $(NPM)
	node packaging/check-repository.ts

format: $(NPM) ## rewrite the sources as `make check` wants them, and the tables of the documents as tests do
	biome check --write .
	node packaging/docs-tables.ts
	node test/support/write-hostile-table.ts

build: $(BINARY) $(SCHEMA) $(RESULT_SCHEMA) $(NOTICES) $(SBOM) ## dist/atcr-verify, and what is installed beside it

test: $(NPM) $(BINARY) $(TOOLS) ## unit, property, vector, check, binary and containerd tests
	node packaging/run-suites.ts $(SUITES)

e2e: $(NPM) $(BINARY) $(TOOLS) $(PEERS) $(EXAMINERS) $(SERVERS) deb rpm image macos kube-apiserver kubernetes-programs checkers-root clean-root developer-root podman-root ## against the reference PDS and PLC, and Kubernetes; the packages, from installing to removing
	node packaging/run-suites.ts e2e packages

# What was built is cached in the user's cache folder, so that another clone copies it (packaging/real-parts/build.sh).
kube-apiserver: $(KUBE_APISERVER) $(ETCD) ## Kubernetes' API server for `make e2e`, from Debian's sources; minutes, once

kubernetes-programs: $(KUBERNETES_PROGRAMS) ## the webhook dispatcher and policies of Kubernetes, Kyverno's CEL, and the engine of OPA, for `make e2e`, likewise

# Not in CI: it takes longer than all suites together, and says how good the tests are, not the change.
mutation: $(NPM) ## change the code that decides in one place at a time and see a test fail; half an hour, so not in CI
	node test/mutation/run.ts $(FILES)

demo: $(NPM) $(BINARY) $(TOOLS) ## watch a real containerd pull a signed image and refuse an unsigned one
	node demo/demo.ts

bench: $(NPM) $(BINARY) $(PEERS) ## start-up and pull figures of docs/benchmarks.md, steps at their caps of docs/assurance.md
	node test/bench/bench.ts
	node test/bench/many-images.ts
	BUN_JSC_useJIT=0 bun test/bench/steps.ts

bench-server: $(NPM) $(BINARY) $(PEERS) ## the figures of docs/benchmarks.md about `atcr-verify serve`: [ROUNDS=5] [MINUTES=10] of parallel reviews
	node test/bench/server.ts "$(or $(ROUNDS),5)" "$(or $(MINUTES),10)"

# Where BEFORE comes from: `make build` in a checkout of what is compared with. AFTER: this checkout's, if not named.
bench-compare: $(NPM) $(BINARY) ## two builds at containerd's gate in turns: BEFORE=path [AFTER=path] [PAIRS=200] [CASES=regex]; fails where one figure is worse
	@[ -n "$(BEFORE)" ] || { echo "BEFORE is missing: make bench-compare BEFORE=path/of/another/atcr-verify" >&2; exit 1; }
	node test/bench/compare.ts "$(BEFORE)" "$(or $(AFTER),$(BINARY))" "$(or $(PAIRS),200)" "$(CASES)"

install: $(BINARY) $(SCHEMA) $(RESULT_SCHEMA) $(NOTICES) $(SBOM) ## into DESTDIR and PREFIX (/usr/local); a policy that is there stays
	$(INSTALL) -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(DATADIR)/atcr-verify" "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(MANDIR)/man8" \
	  "$(DESTDIR)$(MANDIR)/man5" "$(DESTDIR)$(TMPFILESDIR)" "$(DESTDIR)$(SYSUSERSDIR)" "$(DESTDIR)$(UNITDIR)" "$(DESTDIR)$(SYSCONFDIR)/atcr-verify" "$(DESTDIR)$(SYSCONFDIR)/logrotate.d" \
	  "$(DESTDIR)$(BASHCOMPDIR)" "$(DESTDIR)$(ZSHCOMPDIR)" "$(DESTDIR)$(FISHCOMPDIR)"
	$(INSTALL_PROGRAM) $(BINARY) "$(DESTDIR)$(BINDIR)/atcr-verify.new"
	mv -f "$(DESTDIR)$(BINDIR)/atcr-verify.new" "$(DESTDIR)$(BINDIR)/atcr-verify" # no pull finds half of it
	$(INSTALL_DATA) $(SCHEMA) "$(DESTDIR)$(DATADIR)/atcr-verify/trust-policy.schema.json"
	$(INSTALL_DATA) $(RESULT_SCHEMA) "$(DESTDIR)$(DATADIR)/atcr-verify/verify-result.schema.json"
	$(INSTALL_DATA) LICENSE README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md "$(DESTDIR)$(DOCDIR)"
	$(INSTALL_DATA) $(NOTICES) "$(DESTDIR)$(DOCDIR)/THIRD-PARTY-NOTICES.txt"
	$(INSTALL_DATA) $(SBOM) "$(DESTDIR)$(DOCDIR)/atcr-verify.cdx.json"
	$(INSTALL_DATA) packaging/man/atcr-verify.8 "$(DESTDIR)$(MANDIR)/man8/atcr-verify.8"
	$(INSTALL_DATA) packaging/man/atcr-verify-policy.5 "$(DESTDIR)$(MANDIR)/man5/atcr-verify-policy.5"
	$(INSTALL_DATA) packaging/completions/atcr-verify.bash "$(DESTDIR)$(BASHCOMPDIR)/atcr-verify"
	$(INSTALL_DATA) packaging/completions/_atcr-verify "$(DESTDIR)$(ZSHCOMPDIR)/_atcr-verify"
	$(INSTALL_DATA) packaging/completions/atcr-verify.fish "$(DESTDIR)$(FISHCOMPDIR)/atcr-verify.fish"
	$(INSTALL_DATA) packaging/system/tmpfiles.conf "$(DESTDIR)$(TMPFILESDIR)/atcr-verify.conf"
	$(INSTALL_DATA) packaging/system/sysusers.conf "$(DESTDIR)$(SYSUSERSDIR)/atcr-verify.conf"
	$(INSTALL_DATA) packaging/system/atcr-verify-lookaside.socket packaging/system/atcr-verify-lookaside.service "$(DESTDIR)$(UNITDIR)"
	sed -i 's|/usr/bin/atcr-verify|$(BINDIR)/atcr-verify|; s|/etc/atcr-verify|$(SYSCONFDIR)/atcr-verify|' "$(DESTDIR)$(UNITDIR)/atcr-verify-lookaside.service"
	for file in trust-policy.yaml config.yaml; do \
	  to="$(DESTDIR)$(SYSCONFDIR)/atcr-verify/$$file"; \
	  [ -e "$$to" ] || { $(INSTALL_DATA) packaging/etc/$$file "$$to"; sed -i '1s|\$$schema=/usr/share/|\$$schema=$(DATADIR)/|' "$$to"; }; \
	done
	to="$(DESTDIR)$(SYSCONFDIR)/logrotate.d/atcr-verify"; [ -e "$$to" ] || $(INSTALL_DATA) packaging/system/logrotate "$$to"
	for file in $$(find docs config-examples integrations -type f); do \
	  $(INSTALL) -D -m 0644 "$$file" "$(DESTDIR)$(DOCDIR)/$$file"; \
	  sed -i '1s|\$$schema=/usr/share/|\$$schema=$(DATADIR)/|' "$(DESTDIR)$(DOCDIR)/$$file"; \
	done # the sources name the schema where packages put it

uninstall: ## take out what install put in; policy, configuration, log and state stay
	@program=$$(readlink -f "$(DESTDIR)$(BINDIR)/atcr-verify" || :); \
	state=$$(sed -n "s/^stateDir: *[\"']\{0,1\}\([^\"' ]*\).*/\1/p" "$(DESTDIR)$(SYSCONFDIR)/atcr-verify/config.yaml" 2>/dev/null || :); \
	{ echo /opt/containerd/image-verifier/bin; cat "$(DESTDIR)/var/lib/atcr-verify/enabled" "$(DESTDIR)$$state/enabled" 2>/dev/null || :; } | while IFS= read -r folder; do \
	  for link in "$(DESTDIR)$$folder"/* "$(DESTDIR)$$folder"/.[!.]* "$(DESTDIR)$$folder"/..?*; do \
	    [ -L "$$link" ] || continue; \
	    if [ "$$(readlink "$$link")" = "$(BINDIR)/atcr-verify" ] || { [ -e "$$program" ] && [ "$$(readlink -f "$$link")" = "$$program" ]; }; then \
	      echo "$$link leads to the program, and would block every pull without it: take it out first, by atcr-verify disable" >&2; exit 1; \
	    fi; \
	  done; \
	done
	@own="$(DESTDIR)$(SYSCONFDIR)/containers/registries.d/atcr-verify.yaml"; [ ! -e "$$own" ] || { \
	  echo "$$own has podman and CRI-O ask the program, and refuse without it: take it back first, by atcr-verify disable --containers" >&2; exit 1; \
	}
	rm -f "$(DESTDIR)$(BINDIR)/atcr-verify" "$(DESTDIR)$(MANDIR)/man8/atcr-verify.8" "$(DESTDIR)$(MANDIR)/man5/atcr-verify-policy.5" \
	  "$(DESTDIR)$(BASHCOMPDIR)/atcr-verify" "$(DESTDIR)$(ZSHCOMPDIR)/_atcr-verify" "$(DESTDIR)$(FISHCOMPDIR)/atcr-verify.fish" \
	  "$(DESTDIR)$(TMPFILESDIR)/atcr-verify.conf" "$(DESTDIR)$(SYSUSERSDIR)/atcr-verify.conf" \
	  "$(DESTDIR)$(UNITDIR)/atcr-verify-lookaside.socket" "$(DESTDIR)$(UNITDIR)/atcr-verify-lookaside.service"
	rm -rf "$(DESTDIR)$(DATADIR)/atcr-verify" "$(DESTDIR)$(DOCDIR)"

deb: $(BINARY) $(ARM64) $(SCHEMA) $(RESULT_SCHEMA) $(NOTICES) $(SBOM) $(ARM64_SBOM) ## dist/*.deb, for amd64 and arm64
	packaging/build-deb.sh amd64 $(BINARY)
	packaging/build-deb.sh arm64 $(ARM64)

rpm: $(BINARY) $(ARM64) $(SCHEMA) $(RESULT_SCHEMA) $(NOTICES) $(SBOM) $(ARM64_SBOM) ## dist/*.rpm, for x86_64 and aarch64; by this machine's rpmbuild, or as root
	packaging/build-rpm.sh x86_64 $(BINARY)
	packaging/build-rpm.sh aarch64 $(ARM64)

image: $(BINARY) $(ARM64) $(NOTICES) $(SBOM) $(ARM64_SBOM) ## dist/atcr-verify-image.tar, an OCI image layout for amd64 and arm64; no container engine needed
	SOURCE_REVISION="$$(git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null || :)" node packaging/image/build-image.ts $(IMAGE)

macos: $(MACOS) $(MACOS_SBOM) $(NOTICES) $(SCHEMA) $(RESULT_SCHEMA) ## dist/*-macos-*.tar.gz, for arm64 and x64
	node packaging/macos/package-macos.ts arm64
	node packaging/macos/package-macos.ts x64

# Debian's own checkers and rpmbuild, dnf and what makes its folders, GnuPG, logrotate and journald; a clean Debian to try
# packages in; and one with the Node and npm of Debian 12 to try `make` in.
CHECKERS := rpm lintian rpmlint mandoc zsh fish logrotate systemd createrepo-c dnf gpg gpg-agent
.PHONY: checkers-root clean-root developer-root podman-root
checkers-root: $(MMDEBSTRAP)
	packaging/make-root.sh checkers $(CHECKERS)

clean-root: $(MMDEBSTRAP)
	packaging/make-root.sh clean

developer-root: $(MMDEBSTRAP)
	packaging/make-root.sh developer nodejs npm make git ca-certificates

# Podman and its kin of forky, in a Debian of their own: Debian 12's read no signatures of sigstore, and forky's need a
# later libc6 than Debian 12 has. runc, because crun refuses machines with both kinds of cgroups.
podman-root: $(MMDEBSTRAP)
	packaging/make-root.sh --suite forky podman podman skopeo buildah runc ca-certificates

# Compressed well, since many download it: the packages are made anew.
release: export XZ_LEVEL ?= 6
release: deb rpm image macos checkers-root ## dist/release: all files of a release, and folders for apt and dnf; signed by RELEASE_KEY=path; RELEASE_URL=where it is served
	node packaging/release/make-release.ts

checksums: ## dist/SHA256SUMS of the packages, the image and the archives that are there
	cd dist && shopt -s nullglob && sha256sum *.deb *.rpm *.tar *.tar.gz > SHA256SUMS && cat SHA256SUMS

clean: ## remove what was built, downloads of Debian packages included; node_modules stays
	rm -rf dist build

# npm runs under the machine's Node: the pinned one is in the folder that npm ci removes first. npm before 11 does
# not link the programs of optional packages, and the machine's own Node may not run TypeScript.
$(NPM): package-lock.json
	@PATH="$(SYSTEM_PATH)"; for tool in node:18 npm:9; do \
	  name=$${tool%:*}; needed=$${tool#*:}; \
	  command -v $$name >/dev/null || { echo "$$name is missing on this machine; on Debian 12: apt install nodejs npm" >&2; exit 1; }; \
	  found=$$($$name --version 2>/dev/null || :); major=$${found#v}; major=$${major%%.*}; \
	  [ "$${major:-0}" -ge "$$needed" ] 2>/dev/null || { \
	    echo "$$name $${found:-that does not run} is on this machine, and $$name $$needed or later is needed; on Debian 12: apt install nodejs npm" >&2; exit 1; \
	  }; \
	done
	PATH="$(SYSTEM_PATH)"; PINNED_NODE="v$$(node -p 'require("./package.json").optionalDependencies["$(NODE_PACKAGE)"]')" \
	  NODE_OPTIONS="$${NODE_OPTIONS-} --require=./packaging/npm-for-pinned-node.cjs" npm ci --ignore-scripts --include=optional --loglevel=error
	@[ -x node_modules/$(NODE_PACKAGE)/bin/node ] || { \
	  echo "npm installed no $(NODE_PACKAGE), the pinned Node for this machine: is it there in package.json?" >&2; exit 1; \
	}
	ln -sf ../$(NODE_PACKAGE)/bin/node node_modules/.bin/node
	node node_modules/bun/install.js
	touch $@

$(BINARY): $(NPM) packaging/build.ts packaging/layers.ts package.json $(shell find src -name '*.ts' -o -type d 2>/dev/null) $(wildcard test/vectors/*.json)
	bun packaging/build.ts --outfile $@

$(ARM64): $(BINARY)
	mkdir -p $(@D)
	bun packaging/build.ts --target bun-linux-arm64 --runtime "$$(node packaging/fetch-bun.ts linux-aarch64 build/bun)" --outfile $@

dist/macos/%/atcr-verify: $(BINARY)
	mkdir -p $(@D)
	bun packaging/build.ts --target bun-darwin-$* --runtime "$$(node packaging/fetch-bun.ts darwin-$(subst arm64,aarch64,$*) build/bun)" --outfile $@

dist/macos/%/atcr-verify.cdx.json: $(NPM) packaging/write-sbom.ts packaging/bundled-packages.ts package-lock.json package.json
	mkdir -p $(@D)
	node packaging/write-sbom.ts darwin-$(subst arm64,aarch64,$*) > $@

$(NOTICES): $(NPM) packaging/write-notices.ts packaging/bundled-packages.ts packaging/bun-notice.txt $(wildcard packaging/licences/*) package-lock.json
	mkdir -p $(@D)
	node packaging/write-notices.ts > $@

$(SBOM) $(ARM64_SBOM): $(NPM) packaging/write-sbom.ts packaging/bundled-packages.ts package-lock.json package.json
	mkdir -p $(@D)
	node packaging/write-sbom.ts $(if $(filter dist/arm64/%,$@),linux-aarch64,$(PLATFORM)) > $@

$(SCHEMA): $(BINARY)
	$(BINARY) policy schema > $@

$(RESULT_SCHEMA): $(NPM) packaging/write-result-schema.ts src/core/policy-tools/json-schema.ts src/core/policy/shape.ts $(wildcard src/frontends/cli/*/*-shape.ts)
	mkdir -p $(@D)
	node packaging/write-result-schema.ts > $@

$(TOOLS): packaging/fetch-debian-tools.sh
	packaging/fetch-debian-tools.sh containerd docker-registry oras tmux
	touch $@

$(MMDEBSTRAP): packaging/fetch-debian-tools.sh
	packaging/fetch-debian-tools.sh mmdebstrap
	touch $@

# Who tries metrics and alerts, runs what is built for arm64 and the image, reads the formula and the Nix expression, and
# builds the manifests for clusters.
$(EXAMINERS): packaging/fetch-debian-tools.sh
	packaging/fetch-debian-tools.sh prometheus qemu-user-static libc6-arm64-cross runc ruby3.1 nix-bin docker.io kubectl
	touch $@

$(PEERS): packaging/fetch-debian-tools.sh
	packaging/fetch-debian-tools.sh cosign notation
	touch $@

$(ETCD): packaging/fetch-debian-tools.sh
	packaging/fetch-debian-tools.sh etcd-server
	touch $@

$(KUBE_APISERVER): packaging/real-parts/build.sh packaging/real-parts/kube-apiserver.sh
	packaging/real-parts/build.sh $(@F)
	touch $@

$(KUBERNETES_PROGRAMS): build/kubernetes/%: packaging/real-parts/build.sh packaging/real-parts/go-program.sh $(wildcard test/support/go/*/*.go)
	packaging/real-parts/build.sh $(@F)
	touch $@

$(SERVERS): $(NPM) $(wildcard test/e2e/servers/install.sh test/e2e/servers/package-lock.json)
	bash test/e2e/servers/install.sh
	mkdir -p $(@D)
	touch $@
