#!/usr/bin/env bash
# Measures how long a machine takes from its start until its container answers: with dockhost, with cloud-init, and with a
# Podman quadlet, each time the first boot of a new instance, of one image that has the container's image in it. It only
# prints: a benchmark fails no build. All that the boots tell is in build/bench-boot-SUITE.log, their numbers in
# build/bench-boot-SUITE.json, and a plot of an early boot in build/bench-boot-SUITE.svg.
#
#   boot.sh SUITE...
#
# Environment:
#   BOOT_RUNS    how often each way is booted (default: 5)
#   BOOT_CPUS    processors of the machines (default: 1). Where software emulates more than one, the clock is the real one:
#                let nothing else run
#   BOOT_RESUME  set it to add to the numbers that are there, of a run that was ended
#   VM_ACCEL     qemu's accelerator: tcg (software, the default), or kvm where that works
#   TMPDIR       where the machines' disks are; in a tmpfs they do not wait for this machine's
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
	# A boot that fails has no numbers; the others have.
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
	for suite in "$@"; do # one after the other, or they would measure each other
		bench "$suite"
	done
}

main "$@"
