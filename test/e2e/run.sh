#!/usr/bin/env bash
# Boots test hosts of the given Debian suites, and runs the end-to-end tests on all of them in parallel. The hosts of a suite
# share its tests. Each test is first run on one of the suites, and then on the others. The output of the tests on a host is
# in build/e2e-SUITE.log, build/e2e-SUITE-2.log and so on. It is printed if a test fails.
#
#   run.sh SUITE...
#
# Environment:
#   E2E_RUN      run only the tests that match this pattern (go test -run); by default all but TestAttack*, see test/attack
#   E2E_HOSTS    the number of test hosts for each suite (default: 1)
#   E2E_MINUTES  after so many minutes begin no test that has passed on another suite, and say which ones these are: on a
#                slow machine all tests on all suites take hours. By default all tests are run on all suites
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"
E2E_HOSTS=${E2E_HOSTS:-1}
readonly E2E_HOSTS
# SECONDS is the time since the begin of this script.
readonly LIMIT=$((${E2E_MINUTES:-1000000} * 60))

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

# share HOST PART prints a pattern of the tests of a host: its own ones, or others, which are the own ones of another
# suite's host. Tests that are neighbours in a file take about the same time, so that the hosts end at about the same time.
share() {
	local suite=${1%%-*} number=1 at=0
	[ "$1" = "$suite" ] || number=${1##*-}
	while [ "${SUITES[at]}" != "$suite" ]; do at=$((at + 1)); done
	build/e2e.test -test.list "${E2E_RUN:-.}" |
		awk -v hosts="$E2E_HOSTS" -v number="$number" -v suites="${#SUITES[@]}" -v at="$at" -v part="$2" -v pattern="${E2E_RUN:-}" '
			/^TestAttack/ && pattern == "" {next}
			/^Test/ && n++ % hosts == number - 1 && (m++ % suites == at) == (part == "own") {names = names "|" $0}
			END {print "^(" substr(names, 2) ")$"}'
}

# run_host HOST boots a test host, runs its share of the tests on it, and prints the result of each. HOST is SUITE for the
# suite's first host, and SUITE-NUMBER for another.
run_host() {
	local host=$1 suite=${1%%-*} status=0
	rm -f "build/e2e-$host.log"
	if [ "$host" != "$suite" ]; then
		export LAB_NAME=${LAB_NAME:+$LAB_NAME-}${host##*-}
	fi
	test/lab/lab.sh up "$suite" || return
	run_tests "$host" "$(share "$host" own)" || status=$?
	if [ "${#SUITES[@]}" -gt 1 ]; then
		run_tests "$host" "$(share "$host" others)" -until "$(($(date +%s) - SECONDS + LIMIT))" -logs "$(logs_besides "$suite")" || status=$?
	fi
	return "$status"
}

# logs_besides SUITE prints the output files of the other suites' hosts, as the tests name them.
logs_besides() {
	local suite number logs=()
	for suite in "${SUITES[@]}"; do
		[ "$suite" != "$1" ] || continue
		logs+=("$TOP/build/e2e-$suite.log")
		for ((number = 2; number <= E2E_HOSTS; number++)); do
			logs+=("$TOP/build/e2e-$suite-$number.log")
		done
	done
	(IFS=: && echo "${logs[*]}")
}

# run_tests HOST PATTERN [FLAG...] runs tests on a test host that is up.
run_tests() {
	local host=$1 pattern=$2
	shift 2
	# The host is up, so a test must not skip because the host is missing.
	(cd test/e2e && DOCKHOST_REQUIRE=docker,systemd ../../build/e2e.test -test.timeout 60m -test.v -test.run "$pattern" -suite "${host%%-*}" "$@") 2>&1 |
		tee -a "build/e2e-$host.log" |
		sed -unE "/^--- SKIP.*\(0\.00s\)/d; s/^--- /e2e: $host: /p"
}

# report HOST STATUS SECONDS prints the result of a test host: the last lines of its output, or all of it.
report() {
	local host=$1 status=$2 log=build/e2e-$1.log
	if [ "$status" = 0 ]; then
		echo "== $host: passed in $3 s"
		unbegun "$log"
	elif [ -e "$log" ]; then
		echo "== $host: FAILED after $3 s, output:"
		cat "$log"
		echo "== $host: end of $log"
	else
		echo "== $host: FAILED after $3 s: the test host is not up"
	fi
}

# unbegun LOG prints how many tests were not begun for lack of time, and their names.
unbegun() {
	awk '/^=== RUN/ {test = $3} / no time is left/ && !seen[test]++ {names = names " " test; n++}
		END {if (n) print "not run for lack of time, as they have passed on another suite: " n ":" names}' "$1"
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
	SUITES=("$@")
	compile
	for ((number = 1; number <= E2E_HOSTS; number++)); do
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
