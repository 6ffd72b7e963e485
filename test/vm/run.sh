#!/usr/bin/env bash
# Makes the disk images of the given Debian suites, and runs the tests in virtual machines that boot them, one suite
# after the other. All that a suite's tests print goes to build/vm-SUITE.log; it is shown where a test failed.
#
#   run.sh SUITE...       the canary: one boot
#   run.sh --full SUITE...   all tests
#
# Environment:
#   VM_RUN     only the tests that match this pattern (go test -run)
#   VM_ACCEL   qemu's accelerator: tcg (software, the default), or kvm where that works
#   VM_CUTS    how often each test that cuts the power does so (10)
# and those of image.sh.
#
# It installs qemu, genisoimage, mmdebstrap and cpio where they are missing.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"

say() { echo "vm: $*" >&2; }

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

ensure_packages() {
	local missing=()
	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
	command -v qemu-img >/dev/null || missing+=(qemu-utils)
	command -v genisoimage >/dev/null || missing+=(genisoimage)
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	command -v cpio >/dev/null || missing+=(cpio)
	[ "${#missing[@]}" = 0 ] && return
	say "installing ${missing[*]}"
	apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# run_suite SUITE PATTERN
run_suite() {
	local suite=$1 pattern=$2 image log=build/vm-$1.log status=0
	image=$(test/vm/image.sh "$suite") || return
	say "$suite: testing (log: $log)"
	go test -tags vm -count=1 -timeout 4h -v -run "$pattern" ./test/vm -image "$image" \
		-accel "${VM_ACCEL:-tcg}" -cuts "${VM_CUTS:-10}" >"$log" 2>&1 || status=$?
	if [ "$status" = 0 ]; then
		sed -nE 's/^ *--- /vm: '"$suite"': /p' "$log"
	else
		cat "$log"
		say "$suite: FAILED, all of it above and in $log"
	fi
	return "$status"
}

main() {
	local pattern='^TestCanary$' suite failed=()
	if [ "${1:-}" = --full ]; then
		pattern=.
		shift
	fi
	[ "$#" -gt 0 ] || usage
	ensure_packages
	mkdir -p build
	for suite in "$@"; do
		run_suite "$suite" "${VM_RUN:-$pattern}" || failed+=("$suite")
	done
	[ "${#failed[@]}" = 0 ] || { say "failed: ${failed[*]}" && exit 1; }
}

main "$@"
