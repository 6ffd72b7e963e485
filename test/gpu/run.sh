#!/usr/bin/env bash
# Tests on this machine's own NVIDIA GPU: without Docker, without systemd and without a network. Root. Without a GPU it
# says so, and is well; with DOCKHOST_REQUIRE=gpu that is a failure.
#
#   run.sh [build]   `build` only makes all that a run takes, in build/gpu-test, to be carried to a machine with a GPU:
#                    there `test/gpu/run.sh` needs neither Go nor a compiler
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
[ -e /proc/driver/nvidia/version ] || skip "no driver of NVIDIA's is loaded (/proc/driver/nvidia/version is not there)"
command -v nvidia-smi >/dev/null || skip "no nvidia-smi here to compare with"
[ "$(id -u)" = 0 ] || skip "root is needed, for a container by runc"
PATH=$PWD/$OUT:$PATH # where a runc may have been carried to
command -v runc >/dev/null || skip "no runc here"
[ -x "$OUT/gpu.test" ] || build
exec "$OUT/gpu.test" -test.v -programs "$OUT"
