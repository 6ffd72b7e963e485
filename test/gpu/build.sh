#!/usr/bin/env bash
# Builds the stand-in of NVIDIA's driver for test hosts, and a program that uses its GPUs.
#
#   build.sh OUT [DRIVER_VERSION]
#
# OUT gets host (see test/gpu/host), libcuda.so.VERSION, libnvidia-ml.so.VERSION, nvidia-smi and probe. Needs gcc.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=${1:?which directory?} version=${2:-550.54.15}

command -v gcc >/dev/null || {
	echo "gpu: cannot build the stand-ins of the driver's libraries: gcc is missing (apt-get install gcc libc6-dev)" >&2
	exit 1
}
mkdir -p "$out"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$out/host" ./test/gpu/host
for name in libcuda libnvidia-ml; do
	gcc -Wall -Wextra -Os -shared -fPIC -Wl,-soname,"$name.so.1" -o "$out/$name.so.$version" test/gpu/libcuda.c
done
gcc -Wall -Wextra -Os -o "$out/probe" test/gpu/probe.c -ldl
install -m 0755 test/gpu/nvidia-smi "$out/nvidia-smi"
