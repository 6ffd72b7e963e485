#!/usr/bin/env bash
# Runs the tests for machines with an NVIDIA GPU, without Docker, systemd or a network. It needs root. Without a GPU it
# prints the reason and succeeds, or fails with DOCKHOST_REQUIRE=gpu.
#
#   run.sh [build]   `build` only builds the files that a run needs, in build/gpu-test. On a machine to which they are
#                    copied, `test/gpu/run.sh` needs neither Go nor a compiler
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly OUT=build/gpu-test

skip() {
	echo "gpu-test: skipped: $*" >&2
	[[ ,${DOCKHOST_REQUIRE:-}, != *,gpu,* ]] || exit 1
	exit 0
}

build() {
	mkdir -p "$OUT"
	CGO_ENABLED=0 go test -c -tags gpu -trimpath -o "$OUT/gpu.test" ./test/gpu/real
	make --no-print-directory -s build nvidia
	cp "build/linux-$(go env GOHOSTARCH)"/dockhost-{runtime,nvidia} "$OUT"
	gcc -Wall -Wextra -Os -o "$OUT/probe" test/gpu/probe.c -ldl
}

if [ "${1:-}" = build ]; then
	build
	exit
fi
[ -e /proc/driver/nvidia/version ] || skip "no driver of NVIDIA is loaded (/proc/driver/nvidia/version is missing)"
command -v nvidia-smi >/dev/null || skip "nvidia-smi is missing"
[ "$(id -u)" = 0 ] || skip "only root can run a container by runc"
PATH=$PWD/$OUT:$PATH # runc may have been copied there
command -v runc >/dev/null || skip "runc is missing"
[ -x "$OUT/gpu.test" ] || build
exec "$OUT/gpu.test" -test.v -programs "$OUT"
