#!/usr/bin/env bash
# For tests on this machine's own NVIDIA GPU: without Docker and without a network. Root. Without a GPU it says so, and is
# well; with DOCKHOST_REQUIRE=gpu that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

skip() {
	echo "gpu-test: skipped: $*" >&2
	[[ ,${DOCKHOST_REQUIRE:-}, != *,gpu,* ]] || exit 1
	exit 0
}

[ -e /proc/driver/nvidia/version ] || skip "no driver of NVIDIA's is loaded (/proc/driver/nvidia/version is not there)"
command -v nvidia-smi >/dev/null || skip "no nvidia-smi here to compare with"
command -v gcc >/dev/null || skip "no gcc here"
[ "$(id -u)" = 0 ] || skip "root is needed, for a container by runc"
command -v runc >/dev/null || skip "no runc here"

# Nothing was ever run on a real GPU: what stands here ends where that would begin.
skip "a GPU is here, and no test for it yet"
