# dockhost: build, test and demo. `make help` says what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# The commit's date and not today's, so that one commit builds the same twice.
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null || echo unknown)

ARCH    ?= $(shell go env GOARCH)
SUITE   ?= trixie
SUITES  ?= trixie bookworm
# What packages and a release are made for.
ARCHES  ?= amd64 arm64
DESTDIR ?= build/root

BIN     := build/linux-$(ARCH)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)
GOBUILD := CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) go build -trimpath -buildvcs=false

GOLANGCI         := build/tools/golangci-lint
GOLANGCI_VERSION := v2.15.0
NFPM             := build/tools/nfpm
NFPM_VERSION     := v2.45.0

# What runs here, whatever ARCH is built for: it writes the completions.
NATIVE_ARCH := $(shell go env GOHOSTARCH)
NATIVE      := build/linux-$(NATIVE_ARCH)/dockhost

# The C compiler for ARCH: dockhost-nvidia alone needs one.
CC_arm64 := aarch64-linux-gnu-gcc
CC_amd64 := x86_64-linux-gnu-gcc
NVIDIA_CC = $(if $(filter $(ARCH),$(NATIVE_ARCH)),gcc,$(CC_$(ARCH)))

.PHONY: help build build-all install packages test-packages check-packages repo release unit lint e2e test nvidia test-nvidia gpu-test bench bench-boot vm vm-full vm-package demo lab-up lab-shell lab-down clean FORCE

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BIN)/dockhost $(BIN)/dockhost-supervise $(BIN)/dockhost-runtime ## build the programs for ARCH (this machine's, or arm64)

build-all: ## build the programs for linux/amd64 and linux/arm64
	$(MAKE) build ARCH=amd64
	$(MAKE) build ARCH=arm64

# go itself knows best what is out of date.
$(BIN)/dockhost: FORCE
	$(GOBUILD) -ldflags '$(LDFLAGS)' -o $@ .

$(BIN)/dockhost-supervise: FORCE
	$(GOBUILD) -ldflags '-s -w' -o $@ ./supervisor/dockhost-supervise

$(BIN)/dockhost-runtime: FORCE
	$(GOBUILD) -ldflags '-s -w' -o $@ ./supervisor/dockhost-runtime

# NVIDIA's headers deprecate what their own Go binding still calls. NVML's symbols are looked up when it is loaded.
nvidia: ## build dockhost-nvidia for ARCH: needs a C compiler
	CGO_ENABLED=1 GOOS=linux GOARCH=$(ARCH) CC=$(NVIDIA_CC) CGO_CFLAGS='-O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Wno-deprecated-declarations' \
		CGO_LDFLAGS='-O2 -Wl,-z,lazy' \
		go build -C nvidia/generator -trimpath -buildvcs=false -buildmode=pie -ldflags '-s -w -X main.version=$(VERSION)' \
		-o $(CURDIR)/$(BIN)/dockhost-nvidia .

test-nvidia: ## unit tests of dockhost-nvidia, on NVIDIA's own mock of their library
	CGO_CFLAGS=-Wno-deprecated-declarations go test -C nvidia/generator ./...

gpu-test: ## tests on a real GPU; says why it skips where there is none
	test/gpu/run.sh

ifneq ($(BIN)/dockhost,$(NATIVE))
$(NATIVE): FORCE
	$(MAKE) $@ ARCH=$(NATIVE_ARCH)
endif

install: build $(NATIVE) ## install under DESTDIR (build/root) what a package holds
	install -D -m 0755 $(BIN)/dockhost $(DESTDIR)/usr/bin/dockhost
	ln -sf dockhost $(DESTDIR)/usr/bin/dockhostctl
	install -D -m 0755 -t $(DESTDIR)/usr/libexec/dockhost $(BIN)/dockhost-supervise $(BIN)/dockhost-runtime
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system $(addprefix systemd/units/,dockhost.service dockhost.socket dockhost@.service)
	install -D -m 0755 -t $(DESTDIR)/usr/lib/systemd/system-generators packaging/generators/*
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system-preset packaging/presets/*
	install -D -m 0644 -t $(DESTDIR)/usr/lib/tmpfiles.d packaging/tmpfiles.d/*
	install -D -m 0644 -t $(DESTDIR)/usr/lib/sysusers.d packaging/sysusers.d/*
	install -D -m 0644 -t $(DESTDIR)/usr/share/dockhost docs/*.schema.json packaging/examples/policy.yaml.example
	install -D -m 0644 -t $(DESTDIR)/usr/share/dockhost/cloud-init packaging/cloud-init/dockhost.py
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system/cloud-init.service.d packaging/cloud-init/50-dockhost.conf
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system/cloud-init-network.service.d packaging/cloud-init/50-dockhost.conf
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man1 docs/man/*.1
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man5 docs/man/*.5
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man7 docs/man/*.7
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man8 docs/man/*.8
	ln -sf ../../bin/dockhost $(DESTDIR)/usr/libexec/dockhost/systemd-docker
	packaging/completions.sh $(NATIVE) $(DESTDIR)

packages: $(NFPM) ## deb, rpm, tarball and system extension of both architectures, in build/packages
	VERSION=$(VERSION) NFPM=$(NFPM) packaging/build.sh build/packages $(ARCHES)

release: $(NFPM) ## all that a release has, of a clean tree, in build/release/VERSION (vX.Y.Z); SIGN_KEY signs the checksums
	SIGN_KEY="$(SIGN_KEY)" NFPM=$(NFPM) packaging/release.sh "$(VERSION)" build/release/"$(VERSION)" $(ARCHES)

unit: ## unit tests, with the race detector
	go test -race ./...

lint: $(GOLANGCI) ## golangci-lint, shellcheck, and ansible-lint
	$(GOLANGCI) run ./...
	test/lab/shellcheck.sh
	test/ansible/lint.sh

$(GOLANGCI):
	GOBIN=$(CURDIR)/build/tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

check-packages: test-packages ## lintian, rpmlint, the same files in deb and rpm, and a release that is the same twice
	test/package/check.sh build/test-packages/current $(NATIVE_ARCH)
	test/package/rpm.sh build/test-packages/previous/dockhost-[0-9]*.rpm build/test-packages/current/dockhost-[0-9]*.rpm
	NFPM=$(NFPM) test/package/release.sh $(NATIVE_ARCH)

repo: packages ## a signed apt repository of the packages, in build/repo; SIGN_KEY names the key of gpg's
	SIGN_KEY="$(SIGN_KEY)" packaging/repo.sh build/packages build/repo

$(NFPM):
	GOBIN=$(CURDIR)/build/tools go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)

lab-up: install ## boot the test host of SUITE (trixie, bookworm, or any of Debian's)
	test/lab/lab.sh up $(SUITE)

lab-shell: ## a shell in the test host of SUITE
	test/lab/lab.sh shell $(SUITE)

lab-down: ## remove all test hosts, and stop what was started for them
	test/lab/lab.sh down

# Two versions, for the end-to-end tests to go from one to the other. They replace the programs in build.
test-packages: $(NFPM) ## two versions for this machine, which the tests go between
	VERSION=v0.0.1 NFPM=$(NFPM) packaging/build.sh build/test-packages/previous $(NATIVE_ARCH)
	VERSION=v0.0.2 NFPM=$(NFPM) packaging/build.sh build/test-packages/current $(NATIVE_ARCH)

e2e: test-packages ## end-to-end tests on the test hosts of SUITES
	$(MAKE) install
	test/e2e/run.sh $(SUITES)

test: lint unit check-packages test-nvidia e2e ## everything: lint, unit tests, packages, e2e on both test hosts

bench: install ## times, memory and output, beside Docker's own and Podman's
	test/bench/run.sh $(SUITES)

bench-boot: vm-package ## time from a machine's start to its container's answer, beside cloud-init and Podman
	DOCKHOST_PACKAGE=$$(ls $(CURDIR)/build/vm-package/*.deb) test/bench/boot.sh $(SUITE)

vm: vm-package ## boot baked disk images of SUITES in virtual machines, once each
	DOCKHOST_PACKAGE=$$(ls $(CURDIR)/build/vm-package/*.deb) test/vm/run.sh $(SUITES)

vm-full: vm-package ## all tests in virtual machines: reboots, power cuts, limits (hours where software emulates the CPU)
	DOCKHOST_PACKAGE=$$(ls $(CURDIR)/build/vm-package/*.deb) test/vm/run.sh --full $(SUITES)

vm-package: install $(NFPM)
	rm -rf build/vm-package
	VERSION=$(VERSION) NFPM=$(NFPM) ONLY=dockhost packaging/build.sh build/vm-package $(NATIVE_ARCH)

demo: install ## boot a host that runs the container its user data assigns
	test/demo.sh

clean: ## remove what was built here; test hosts stay (make lab-down)
	rm -rf build .cache

FORCE:
