#!/usr/bin/env bash
# Boots the test hosts of the given Debian suites and runs the end-to-end tests on all of them at the same time. All
# that a suite's tests print goes to build/e2e-SUITE.log; it is shown where a test failed.
#
#   run.sh SUITE...
#
# Environment:
#   E2E_RUN   only the tests that match this pattern (go test -run)
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"

say() { echo "e2e: $*" >&2; }

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# compile finds mistakes once, and before anything is booted; go keeps what it compiled for the suites.
compile() {
	go test -c -tags e2e -o build/e2e.test ./test/e2e
}

# run_suite SUITE boots the test host and runs the tests on it, naming each test that ends.
run_suite() {
	local suite=$1 options=()
	test/lab/lab.sh up "$suite" || return
	[ -z "${E2E_RUN:-}" ] || options=(-run "$E2E_RUN")
	# The host is up: a test that does not find it has failed.
	DOCKHOST_REQUIRE=docker,systemd \
		go test -tags e2e -count=1 -timeout 45m -v "${options[@]}" ./test/e2e -suite "$suite" 2>&1 |
		tee "build/e2e-$suite.log" |
		sed -unE "s/^--- /e2e: $suite: /p"
}

# report SUITE STATUS SECONDS prints how the suite went: go test's own last lines, or everything.
report() {
	local suite=$1 status=$2 log=build/e2e-$1.log
	if [ "$status" = 0 ]; then
		echo "== $suite: passed in $3 s"
		tail -n 2 "$log"
	elif [ -e "$log" ]; then
		echo "== $suite: FAILED after $3 s, all of it:"
		cat "$log"
		echo "== $suite: that was $log"
	else
		echo "== $suite: FAILED after $3 s: no test host to test on"
	fi
}

# timed SUITE runs the suite and leaves its status and its seconds in build/e2e-SUITE.result.
timed() {
	local began=$SECONDS status=0
	rm -f "build/e2e-$1.log" "build/e2e-$1.result"
	run_suite "$1" || status=$?
	echo "$status $((SECONDS - began))" >"build/e2e-$1.result"
}

# stop_all ends what still runs: each suite is a process group of its own.
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
		[[ $suite =~ ^[a-z]+$ ]] || { say "$suite: no name of a Debian suite" && exit 2; }
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
