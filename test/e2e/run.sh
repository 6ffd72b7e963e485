#!/usr/bin/env bash
# Boots the test hosts of the given Debian suites, and runs the end-to-end tests on all of them in parallel. The output of
# a suite's tests is in build/e2e-SUITE.log. It is printed if a test fails.
#
#   run.sh SUITE...
#
# Environment:
#   E2E_RUN   run only the tests that match this pattern (go test -run)
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"

# shellcheck source=test/lab/suites.sh
source test/lab/suites.sh

say() { echo "e2e: $*" >&2; }

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# compile builds the test program once for all suites, before a host is booted.
compile() {
	go test -c -tags e2e -o build/e2e.test ./test/e2e
}

# run_suite SUITE boots the test host, runs the tests on it, and prints the result of each test.
run_suite() {
	local suite=$1 options=()
	rm -f "build/e2e-$suite.log"
	test/lab/lab.sh up "$suite" || return
	[ -z "${E2E_RUN:-}" ] || options=(-test.run "$E2E_RUN")
	# The host is up, so a test must not skip because the host is missing.
	(cd test/e2e && DOCKHOST_REQUIRE=docker,systemd ../../build/e2e.test -test.timeout 60m -test.v "${options[@]}" -suite "$suite") 2>&1 |
		tee "build/e2e-$suite.log" |
		sed -unE "s/^--- /e2e: $suite: /p"
}

# report SUITE STATUS SECONDS prints the result of the suite: the last lines of its output, or all of it.
report() {
	local suite=$1 status=$2 log=build/e2e-$1.log
	if [ "$status" = 0 ]; then
		echo "== $suite: passed in $3 s"
		tail -n 2 "$log"
	elif [ -e "$log" ]; then
		echo "== $suite: FAILED after $3 s, output:"
		cat "$log"
		echo "== $suite: end of $log"
	else
		echo "== $suite: FAILED after $3 s: the test host is not up"
	fi
}

main() {
	[ "$#" -gt 0 ] || usage
	local suite failed=()
	compile
	for_suites run_suite "$@"
	for suite in "$@"; do
		report "$suite" "${SUITE_STATUS[$suite]}" "${SUITE_SECONDS[$suite]}"
		[ "${SUITE_STATUS[$suite]}" = 0 ] || failed+=("$suite")
	done
	[ "${#failed[@]}" = 0 ] || { say "failed: ${failed[*]}" && exit 1; }
}

main "$@"
