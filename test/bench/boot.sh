#!/usr/bin/env bash
# Measures the time from a machine's start until its container answers: with dockhost, with cloud-init, and with a Podman
# quadlet. Each boot is the first one of a new instance, from the same disk image, which has the container's image. It only
# prints the numbers, and fails no build because of them. The output of the boots is in build/bench-boot-SUITE.log, their
# numbers are in build/bench-boot-SUITE.json, and a plot of an early boot is in build/bench-boot-SUITE.svg.
#
#   boot.sh SUITE...
#
# Environment:
#   BOOT_RUNS    number of boots of each way (default: 5)
#   BOOT_CPUS    number of processors of the machines (default: 1). With more than one emulated processor the machines use
#                the real clock: run nothing else then
#   BOOT_RESUME  if set, adds to the numbers of an interrupted run
#   VM_ACCEL     qemu's accelerator: tcg (software, the default), or kvm where that works
#   TMPDIR       directory of the machines' disks; on a tmpfs they do not wait for the host's disk
# and those of test/vm/image.sh.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"

say() { echo "bench: $*" >&2; }

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

bench() {
	local suite=$1 out=$TOP/build/bench-boot-$1 image
	image=$(test/vm/image.sh "$suite" test/bench/boot-image.sh)
	[ -n "${BOOT_RESUME:-}" ] || rm -f "$out.json"
	say "$suite: booting (log: $out.log)"
	echo "== $suite: $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg), ${VM_ACCEL:-tcg}"
	# The boots that succeed have numbers.
	(cd test/vm && "$TOP/build/bench-boot.test" -test.v -test.timeout 12h -test.run '^TestBootTimes$' -image "$image" \
		-accel "${VM_ACCEL:-tcg}" -boots "${BOOT_RUNS:-5}" -cpus "${BOOT_CPUS:-1}" -results "$out.json" -plot "$out.svg") >"$out.log" 2>&1 ||
		say "$suite: some boots failed (see $out.log)"
	sed -n '/^seconds: /,/^--- /{/^--- /!p}' "$out.log"
}

main() {
	[ "$#" -gt 0 ] || usage
	local name suite
	for name in qemu-system-x86_64 qemu-img genisoimage mmdebstrap cpio; do
		command -v "$name" >/dev/null || { say "$name is missing (run once: make vm)" && exit 1; }
	done
	mkdir -p build
	go test -tags vm -c -o build/bench-boot.test ./test/vm
	for suite in "$@"; do # one after the other, so that they do not disturb each other
		bench "$suite"
	done
}

main "$@"
