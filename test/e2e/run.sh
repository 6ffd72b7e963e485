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

# timed SUITE runs the suite, and writes its exit status and seconds to build/e2e-SUITE.result.
timed() {
	local began=$SECONDS status=0
	rm -f "build/e2e-$1.log" "build/e2e-$1.result"
	run_suite "$1" || status=$?
	echo "$status $((SECONDS - began))" >"build/e2e-$1.result"
}

# stop_all ends the suites that still run. Each is a process group.
stop_all() {
	local group
	for group in $(jobs -p); do
		kill -TERM -- "-$group" 2>/dev/null || true
	done
}

main() {
	[ "$#" -gt 0 ] || usage
	local suite status seconds failed=()
	compile
	set -m
	trap stop_all EXIT
	trap 'exit 130' INT TERM
	for suite in "$@"; do
		[[ $suite =~ ^[a-z]+$ ]] || { say "$suite is not the name of a Debian suite" && exit 2; }
		timed "$suite" </dev/null &
	done
	wait
	for suite in "$@"; do
		read -r status seconds <"build/e2e-$suite.result"
		report "$suite" "$status" "$seconds"
		[ "$status" = 0 ] || failed+=("$suite")
	done
	[ "${#failed[@]}" = 0 ] || { say "failed: ${failed[*]}" && exit 1; }
}

main "$@"
