#!/usr/bin/env bash
# Makes the disk images of the given Debian suites, and runs the tests in virtual machines that boot them, all suites in
# parallel. The output of a suite's tests is in build/vm-SUITE.log. It is printed if a test fails.
#
#   run.sh SUITE...          one test: a first boot
#   run.sh --full SUITE...   all tests
#
# Environment:
#   ARCH       the machines' CPU: amd64 (the default), or arm64, which is emulated on a machine with another one
#   VM_RUN     run only the tests that match this pattern (go test -run)
#   VM_ACCEL   qemu's accelerator: tcg (software, the default), or kvm where that works
#   VM_CUTS    number of power cuts in each test that cuts the power (default: 10)
#   VM_SEED    seed of the moments of the power cuts, which a failed test has printed
# and those of image.sh.
#
# It installs qemu, genisoimage, mmdebstrap, cpio and xz if they are missing.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"

# shellcheck source=test/lab/suites.sh
source test/lab/suites.sh
# shellcheck source=test/lab/foreign.sh
source test/lab/foreign.sh
export ARCH=${ARCH:-amd64}

say() { echo "vm: $*" >&2; }

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

ensure_packages() {
	local missing=()
	command -v "qemu-system-$(cpu "$ARCH")" >/dev/null || missing+=("$([ "$ARCH" = arm64 ] && echo qemu-system-arm || echo qemu-system-x86)")
	command -v qemu-img >/dev/null || missing+=(qemu-utils)
	command -v genisoimage >/dev/null || missing+=(genisoimage)
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	command -v cpio >/dev/null || missing+=(cpio)
	command -v xz >/dev/null || missing+=(xz-utils)
	[ "${#missing[@]}" = 0 ] && return
	say "installing ${missing[*]}"
	apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# compile builds the test program once for all suites.
compile() { go test -c -tags vm -o build/vm.test ./test/vm; }

# run_suite SUITE runs the tests that match PATTERN.
run_suite() {
	local image
	rm -f "build/vm-$1.log"
	image=$(test/vm/image.sh "$1") || return
	say "$1: testing (log: build/vm-$1.log)"
	(cd test/vm && ../../build/vm.test -test.timeout 4h -test.v -test.run "$PATTERN" -image "$image" -cpu "$(cpu "$ARCH")" \
		-accel "${VM_ACCEL:-tcg}" -cuts "${VM_CUTS:-10}" -seed "${VM_SEED:-0}") >"build/vm-$1.log" 2>&1
}

# report SUITE prints the result of the suite, and fails if the suite has failed.
report() {
	local log=build/vm-$1.log
	if [ "${SUITE_STATUS[$1]}" = 0 ]; then
		sed -nE 's/^ *--- /vm: '"$1"': /p' "$log"
		return
	fi
	[ ! -e "$log" ] || cat "$log"
	say "$1: FAILED (see above, and $log)"
	return 1
}

main() {
	local pattern='^TestFirstBootRunsContainer$' suite failed=()
	if [ "${1:-}" = --full ]; then
		pattern=.
		shift
	fi
	[ "$#" -gt 0 ] || usage
	readonly PATTERN=${VM_RUN:-$pattern}
	ensure_packages
	run_foreign "$ARCH" # here, because the suites make their images at the same time
	mkdir -p build
	compile
	for_suites run_suite "$@"
	forget_foreign
	for suite in "$@"; do
		report "$suite" || failed+=("$suite")
	done
	[ "${#failed[@]}" = 0 ] || { say "failed: ${failed[*]}" && exit 1; }
}

main "$@"
