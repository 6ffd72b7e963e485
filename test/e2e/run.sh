#!/usr/bin/env bash
# Boots test hosts of the given Debian suites, and runs the end-to-end tests on all of them in parallel. The hosts of a suite
# share its tests. The output of the tests on a host is in build/e2e-SUITE.log, build/e2e-SUITE-2.log and so on. It is
# printed if a test fails.
#
#   run.sh SUITE...
#
# Environment:
#   E2E_RUN     run only the tests that match this pattern (go test -run); by default all but TestAttack*, see test/attack
#   E2E_HOSTS   the number of test hosts for each suite (default: 1)
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"
E2E_HOSTS=${E2E_HOSTS:-1}
readonly E2E_HOSTS

# The pattern of the tests of each host of a suite, by the host's number.
SHARES=()

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

# share NUMBER prints a pattern of every E2E_HOSTS-th test, from that number on. Tests that are neighbours in a file take
# about the same time, so that the hosts of a suite end at about the same time.
share() {
	build/e2e.test -test.list "${E2E_RUN:-.}" |
		awk -v hosts="$E2E_HOSTS" -v number="$1" -v pattern="${E2E_RUN:-}" '/^TestAttack/ && pattern == "" {next}
			/^Test/ && n++ % hosts == number - 1 {names = names "|" $0} END {print "^(" substr(names, 2) ")$"}'
}

# run_host HOST boots a test host, runs its share of the tests on it, and prints the result of each. HOST is SUITE for the
# suite's first host, and SUITE-NUMBER for another.
run_host() {
	local host=$1 suite=${1%%-*} number=1
	rm -f "build/e2e-$host.log"
	if [ "$host" != "$suite" ]; then
		number=${host##*-}
		export LAB_NAME=${LAB_NAME:+$LAB_NAME-}$number
	fi
	test/lab/lab.sh up "$suite" || return
	# The host is up, so a test must not skip because the host is missing.
	(cd test/e2e && DOCKHOST_REQUIRE=docker,systemd ../../build/e2e.test -test.timeout 70m -test.v -test.run "${SHARES[$number]}" -suite "$suite") 2>&1 |
		tee "build/e2e-$host.log" |
		sed -unE "s/^--- /e2e: $host: /p"
}

# report HOST STATUS SECONDS prints the result of a test host: the last lines of its output, or all of it.
report() {
	local host=$1 status=$2 log=build/e2e-$1.log
	if [ "$status" = 0 ]; then
		echo "== $host: passed in $3 s"
		tail -n 2 "$log"
	elif [ -e "$log" ]; then
		echo "== $host: FAILED after $3 s, output:"
		cat "$log"
		echo "== $host: end of $log"
	else
		echo "== $host: FAILED after $3 s: the test host is not up"
	fi
}

# failures HOST prints the tests that failed on a test host, each with the first lines of its messages.
failures() {
	[ ! -e "build/e2e-$1.log" ] || awk -v host="$1" '
		/^=== RUN +[^\/]*$/ {messages = ""}
		/^ +[a-z0-9_]+_test\.go:[0-9]+: / {left = 4}
		/^(===|---)/ {left = 0}
		left-- > 0 {messages = messages substr($0, 1, 300) "\n"}
		/^--- FAIL: / {printf "e2e: %s: %s\n%s", host, $0, messages}
		/^ +--- FAIL: / {print}' "build/e2e-$1.log"
}

main() {
	[ "$#" -gt 0 ] || usage
	local suite number host hosts=() failed=()
	compile
	for ((number = 1; number <= E2E_HOSTS; number++)); do
		SHARES[number]=$(share "$number")
		for suite in "$@"; do
			[ "$number" = 1 ] && hosts+=("$suite") || hosts+=("$suite-$number")
		done
	done
	for_suites run_host "${hosts[@]}"
	for host in "${hosts[@]}"; do
		report "$host" "${SUITE_STATUS[$host]}" "${SUITE_SECONDS[$host]}"
		[ "${SUITE_STATUS[$host]}" = 0 ] || failed+=("$host")
	done
	for host in "${failed[@]}"; do
		failures "$host"
	done
	[ "${#failed[@]}" = 0 ] || { say "failed: ${failed[*]}" && exit 1; }
}

main "$@"
