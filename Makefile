# dockhost: build, test and demo. `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# The date of the commit, so that two builds of a commit are identical.
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null || echo unknown)

ARCH    ?= $(shell go env GOARCH)
SUITE   ?= trixie
SUITES  ?= trixie bookworm
# The architectures of packages and releases.
ARCHES  ?= amd64 arm64
DESTDIR ?= build/root

BIN     := build/linux-$(ARCH)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)
GOBUILD := CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) go build -trimpath -buildvcs=false

GOLANGCI         := build/tools/golangci-lint
GOLANGCI_VERSION := v2.15.0
NFPM             := build/tools/nfpm
NFPM_VERSION     := v2.45.0

# The program for this machine, which writes the shell completions for any ARCH.
NATIVE_ARCH := $(shell go env GOHOSTARCH)
NATIVE      := build/linux-$(NATIVE_ARCH)/dockhost
# The other one of ARCHES.
FOREIGN_ARCH := $(filter-out $(NATIVE_ARCH),amd64 arm64)

# The C compiler for ARCH. Only dockhost-nvidia needs one.
CC_arm64 := aarch64-linux-gnu-gcc
CC_amd64 := x86_64-linux-gnu-gcc
NVIDIA_CC = $(if $(filter $(ARCH),$(NATIVE_ARCH)),gcc,$(CC_$(ARCH)))

.PHONY: help build build-all install packages test-packages check-packages check-observability repo release unit fuzz fuzz-short sim lint e2e attack matrix torture test nvidia test-nvidia gpu-test screenshots bench bench-boot vm vm-full vm-package demo lab-up lab-shell lab-down clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BIN)/dockhost $(BIN)/dockhost-agent $(BIN)/dockhost-supervise $(BIN)/dockhost-runtime ## build the programs for ARCH (default: this machine's)

build-all: ## build the programs for linux/amd64 and linux/arm64
	$(MAKE) build ARCH=amd64
	$(MAKE) build ARCH=arm64

# go decides what is out of date.
$(BIN)/dockhost: FORCE
	$(GOBUILD) -ldflags '$(LDFLAGS)' -o $@ .

$(BIN)/dockhost-agent: FORCE
	$(GOBUILD) -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./agent/dockhost-agent

$(BIN)/dockhost-supervise: FORCE
	$(GOBUILD) -ldflags '-s -w' -o $@ ./supervisor/dockhost-supervise

$(BIN)/dockhost-runtime: FORCE
	$(GOBUILD) -ldflags '-s -w' -o $@ ./supervisor/dockhost-runtime

# NVIDIA's headers deprecate functions that their own Go binding calls. -z lazy: the symbols of NVML are looked up once
# the program has loaded the library.
nvidia: ## build dockhost-nvidia for ARCH (needs a C compiler)
	CGO_ENABLED=1 GOOS=linux GOARCH=$(ARCH) CC=$(NVIDIA_CC) CGO_CFLAGS='-O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Wno-deprecated-declarations' \
		CGO_LDFLAGS='-O2 -Wl,-z,lazy' \
		go build -C nvidia/generator -trimpath -buildvcs=false -buildmode=pie -ldflags '-s -w -X main.version=$(VERSION)' \
		-o $(CURDIR)/$(BIN)/dockhost-nvidia .

test-nvidia: ## run the unit tests of dockhost-nvidia, on NVIDIA's mock of its library
	CGO_CFLAGS=-Wno-deprecated-declarations go test -C nvidia/generator ./...

gpu-test: ## run the tests for machines with a GPU (prints the reason if it skips them)
	test/gpu/run.sh

ifneq ($(BIN)/dockhost,$(NATIVE))
$(NATIVE): FORCE
	$(MAKE) $@ ARCH=$(NATIVE_ARCH)
endif

install: build $(NATIVE) ## install the files of the package under DESTDIR (default: build/root)
	install -D -m 0755 $(BIN)/dockhost $(DESTDIR)/usr/bin/dockhost
	ln -sf dockhost $(DESTDIR)/usr/bin/dockhostctl
	install -D -m 0755 -t $(DESTDIR)/usr/libexec/dockhost $(addprefix $(BIN)/,dockhost-agent dockhost-supervise dockhost-runtime)
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system $(addprefix systemd/units/,dockhost.service dockhost.socket dockhost@.service dockhost-assigned.target)
	install -D -m 0755 -t $(DESTDIR)/usr/lib/systemd/system-generators packaging/generators/*
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system-preset packaging/presets/*
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/catalog packaging/catalog/*
	install -D -m 0644 -t $(DESTDIR)/usr/lib/tmpfiles.d packaging/tmpfiles.d/*
	install -D -m 0644 -t $(DESTDIR)/usr/lib/sysusers.d packaging/sysusers.d/*
	install -D -m 0644 -t $(DESTDIR)/usr/share/dockhost docs/*.schema.json docs/openapi.json packaging/examples/policy.yaml.example
	install -D -m 0644 -t $(DESTDIR)/usr/share/dockhost/observability packaging/observability/*
	install -D -m 0644 -t $(DESTDIR)/usr/share/dockhost/cloud-init packaging/cloud-init/dockhost.py
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system/cloud-init.service.d packaging/cloud-init/50-dockhost.conf
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system/cloud-init-network.service.d packaging/cloud-init/50-dockhost.conf
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man1 docs/man/*.1
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man5 docs/man/*.5
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man7 docs/man/*.7
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man8 docs/man/*.8
	install -D -m 0644 -t $(DESTDIR)/etc/needrestart/conf.d packaging/needrestart/dockhost.conf
	ln -sf ../../bin/dockhost $(DESTDIR)/usr/libexec/dockhost/systemd-docker
	packaging/completions.sh $(NATIVE) $(DESTDIR)

packages: $(NFPM) ## build deb, rpm, tarball and system extension for both architectures in build/packages
	VERSION=$(VERSION) NFPM=$(NFPM) packaging/build.sh build/packages $(ARCHES)

release: $(NFPM) ## build a release from a clean tree in build/release/VERSION (vX.Y.Z); SIGN_KEY signs the checksums
	SIGN_KEY="$(SIGN_KEY)" NFPM=$(NFPM) packaging/release.sh "$(VERSION)" build/release/"$(VERSION)" $(ARCHES)

# What reads the repository in one goroutine would only take ten times as long with the detector. So would the fleet, whose
# machines the tests of agent/update run with it.
PLAIN_TESTS := ./test/docs ./test/house ./test/sim
unit: ## run the unit tests with the race detector
	go test -race $$(go list ./... | grep -v $(patsubst ./%,-e /%$$,$(PLAIN_TESTS)))
	go test $(PLAIN_TESTS)

# TIME is for each of the fuzz tests.
fuzz: ## run all fuzz tests one after the other, for TIME each (30s)
	test/fuzz.sh $(or $(TIME),30s)

# These read what comes from outside. With two processors they take less than a minute together.
SHORT_FUZZ := ./spec/compose:FuzzService ./cloudinit:FuzzCloudConfig ./internal/isofat:FuzzOpen ./engine/resume:FuzzFrames \
	./assignment/policy:FuzzPolicy ./supervisor/placement:FuzzParse
fuzz-short:
	test/fuzz.sh 2s $(SHORT_FUZZ)

# AGENTS is the size of the fleet.
AGENTS ?= 10000
sim: ## run the updates of 10,000 simulated agents, and write docs/fleet.md with its pictures
	GOGC=400 go test ./test/sim -run TestFleet -count=1 -timeout 2h -agents $(AGENTS) -write -commit $(COMMIT)

lint: $(GOLANGCI) ## run golangci-lint, shellcheck and ansible-lint
	$(GOLANGCI) run ./...
	test/lab/shellcheck.sh
	test/ansible/lint.sh

$(GOLANGCI):
	GOBIN=$(CURDIR)/build/tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

check-packages: test-packages ## check the packages with lintian and rpmlint, compare deb and rpm, run them on the other CPU, and build a release twice
	test/package/check.sh build/test-packages/current $(NATIVE_ARCH)
	test/package/rpm.sh build/test-packages/previous/dockhost-[0-9]*.rpm build/test-packages/current/dockhost-[0-9]*.rpm
	VERSION=v0.0.2 NFPM=$(NFPM) ONLY=dockhost packaging/build.sh build/test-packages/foreign $(FOREIGN_ARCH)
	test/package/foreign.sh build/test-packages/foreign/dockhost_*_$(FOREIGN_ARCH).deb
	NFPM=$(NFPM) test/package/release.sh $(NATIVE_ARCH)

check-observability: ## check the metrics, the alerts and the dashboard with promtool (installs Debian's Prometheus)
	test/observability/check.sh

repo: packages ## build a signed apt repository of the packages in build/repo; SIGN_KEY is the gpg key
	SIGN_KEY="$(SIGN_KEY)" packaging/repo.sh build/packages build/repo

$(NFPM):
	GOBIN=$(CURDIR)/build/tools go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)

lab-up: install ## boot the test host of SUITE (default: trixie; any Debian suite); with Docker 29: ENGINE=29, STORE=containerd or overlay2
	test/lab/lab.sh up $(SUITE)

lab-shell: ## open a shell in the test host of SUITE
	test/lab/lab.sh shell $(SUITE)

lab-down: ## remove the test hosts of this LAB_NAME, and stop a Docker that lab-up has started
	test/lab/lab.sh down

# The end-to-end tests upgrade and downgrade between two versions. Building them replaces the programs in build.
test-packages: $(NFPM) ## build two versions for this machine, for the tests of upgrades
	VERSION=v0.0.1 NFPM=$(NFPM) packaging/build.sh build/test-packages/previous $(NATIVE_ARCH)
	VERSION=v0.0.2 NFPM=$(NFPM) packaging/build.sh build/test-packages/current $(NATIVE_ARCH)

e2e: test-packages ## run the end-to-end tests on the test hosts of SUITES
	$(MAKE) install
	test/e2e/run.sh $(SUITES)

attack: install ## attack the test hosts of SUITES by user data, registries, metadata services, containers and clients
	test/attack/run.sh $(SUITES)

# CELLS names some of them. SUITE, ENGINE and STORE are the test host of the variants of daemon.json.
matrix: install ## run the end-to-end tests on other kinds of host, upgrades of Docker, and the core under variants of daemon.json: CELLS
	test/matrix/run.sh $(CELLS)

# Both test hosts, unless the command line names a SUITE.
torture: install ## strike the test hosts with random faults, and check what dockhost mends: SUITE, SEED, STEPS, FROM, TIME
	SEED=$(SEED) STEPS=$(STEPS) FROM=$(FROM) TIME=$(TIME) test/torture/run.sh $(if $(filter file,$(origin SUITE)),$(SUITES),$(SUITE))

test: lint unit fuzz-short check-packages check-observability test-nvidia e2e ## run all checks: lint, unit tests, packages, e2e on both test hosts

screenshots: lab-up ## draw the output of commands on the test host of SUITE into docs/img
	test/screenshot/run.sh $(SUITE)

bench: install ## compare times, memory and output with Docker and Podman
	test/bench/run.sh $(SUITES)

bench-boot: vm-package ## measure the time from a machine's start to its container's answer, and compare with cloud-init and Podman
	DOCKHOST_PACKAGE=$$(ls $(CURDIR)/build/vm-package/*.deb) test/bench/boot.sh $(SUITE)

vm: vm-package ## boot a baked disk image of each of SUITES in a virtual machine, once
	ARCH=$(ARCH) DOCKHOST_PACKAGE=$$(ls $(CURDIR)/build/vm-package/*.deb) test/vm/run.sh $(SUITES)

vm-full: vm-package ## run all tests in virtual machines: reboots, power cuts, limits (takes hours with an emulated CPU)
	ARCH=$(ARCH) DOCKHOST_PACKAGE=$$(ls $(CURDIR)/build/vm-package/*.deb) test/vm/run.sh --full $(SUITES)

vm-package: install $(NFPM)
	rm -rf build/vm-package
	VERSION=$(VERSION) NFPM=$(NFPM) ONLY=dockhost packaging/build.sh build/vm-package $(ARCH)

demo: install ## boot a test host that runs the container its user data assigns
	test/demo.sh

clean: ## remove build and .cache; test hosts stay (make lab-down)
	rm -rf build .cache

FORCE:
