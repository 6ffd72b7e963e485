#!/usr/bin/env bash
# Builds Docker Engine 29, which no Debian suite ships, from the Go module proxy: dockerd, docker-proxy, docker,
# containerd, its shim, and runc.
#
#   build.sh    prints the directory of the programs, after building what the cache does not hold
#
# The directory's name contains a hash of this file, so a change of a version builds everything again. It takes about 15
# minutes of CPU time, at most two compilers at a time.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
readonly TOP

# The proxy has no module of Docker Engine 29 under its own name: moby's v2.0.0-beta.24 is between 29.8.0 and 29.9.0.
readonly ENGINE_VERSION=29.8.1
readonly MOBY=v2.0.0-beta.24
readonly CONTAINERD=v2.4.2
readonly RUNC=v1.5.3
readonly CLI=v29.9.3+incompatible
readonly SWARMKIT=v2.1.3-0.20260828175525-ad0357aedfca # the one that the CLI was made with; its go.mod names a fork

say() { echo "engine: $*" >&2; }

# install_go CGO TAGS LDFLAGS PACKAGE@VERSION... installs programs from the proxy into $GOBIN.
install_go() {
	say "building ${*:4}"
	CGO_ENABLED=$1 go install -trimpath -tags "$2" -ldflags "-s -w $3" "${@:4}"
}

# build_cli builds docker. Its module has no go.mod, so its list of vendored modules stands in.
build_cli() {
	local source=$1/cli dir
	say "building docker $CLI"
	dir=$(cd / && go mod download -json "github.com/docker/cli@$CLI" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p')
	cp -r "$dir" "$source"
	chmod -R u+w "$source"
	cp "$source/vendor.mod" "$source/go.mod"
	cp "$source/vendor.sum" "$source/go.sum"
	rm -rf "$source/vendor"
	(
		cd "$source"
		go mod edit -replace "github.com/moby/swarmkit/v2=github.com/moby/swarmkit/v2@$SWARMKIT"
		CGO_ENABLED=0 go build -mod=mod -trimpath \
			-ldflags "-s -w -X github.com/docker/cli/cli/version.Version=$ENGINE_VERSION" -o "$GOBIN/docker" ./cmd/docker
	)
}

ensure_libseccomp() {
	[ -e /usr/include/seccomp.h ] && return
	say "installing libseccomp-dev"
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends libseccomp-dev gcc libc6-dev >&2
}

build() {
	local work=$1
	export GOBIN=$work/bin GOFLAGS=-p=2 GOMAXPROCS=2 GOMEMLIMIT=1GiB GOTOOLCHAIN=local
	mkdir -p "$GOBIN"
	cd "$work" # outside of this module
	ensure_libseccomp
	install_go 1 'seccomp netgo osusergo' '' "github.com/opencontainers/runc@$RUNC"
	install_go 0 'no_btrfs no_devmapper no_zfs' '' \
		"github.com/containerd/containerd/v2/cmd/containerd@$CONTAINERD" \
		"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$CONTAINERD"
	build_cli "$work"
	install_go 0 'no_btrfs exclude_graphdriver_btrfs' "-X github.com/moby/moby/v2/dockerversion.Version=$ENGINE_VERSION" \
		"github.com/moby/moby/v2/cmd/dockerd@$MOBY" "github.com/moby/moby/v2/cmd/docker-proxy@$MOBY"
}

main() {
	local cache=$TOP/.cache/lab hash dir
	hash=$(sha256sum "${BASH_SOURCE[0]}" | head -c 12)
	dir=$cache/engine-29-$hash
	if [ ! -d "$dir" ]; then
		mkdir -p "$cache"
		WORK=$(mktemp -d "$cache/engine-build.XXXXXX")
		trap 'rm -rf "$WORK"' EXIT
		renice -n 10 $$ >/dev/null
		build "$WORK" >&2
		mv "$WORK/bin" "$dir"
	fi
	echo "$dir"
}

main
