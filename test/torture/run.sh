#!/usr/bin/env bash
# Boots the test hosts of the given Debian suites, and strikes all of them with random faults in parallel. The output of a
# suite is in build/torture/SUITE.log, what a host said after a violation next to it. The latter is printed at the end, and
# after it the violations.
#
#   run.sh SUITE...
#
# Environment:
#   SEED    determines the sequence of faults (default: 1)
#   STEPS   number of the last step (default: 100, or no last step if TIME is set)
#   FROM    number of the first step (default: 1)
#   TIME    begin no step after this time, 5m for example
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP PROGRAM=$TOP/build/dockhost-torture
cd "$TOP"

# shellcheck source=test/lab/suites.sh
source test/lab/suites.sh

say() { echo "torture: $*" >&2; }

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# run_suite SUITE boots the test host, and prints each step and the summary.
run_suite() {
	test/lab/lab.sh up "$1" || return
	"$PROGRAM" -suite "$1" -seed "${SEED:-1}" -from "${FROM:-1}" -steps "${STEPS:-0}" -time "${TIME:-0}" |
		tee "build/torture/$1.log" | sed -u "s/^/$1: /"
}

main() {
	[ "$#" -gt 0 ] || usage
	local suite failed=()
	mkdir -p build/torture
	touch build/torture/began
	go build -trimpath -buildvcs=false -o "$PROGRAM" ./test/torture
	for_suites run_suite "$@"
	for suite in "$@"; do
		[ "${SUITE_STATUS[$suite]}" != 0 ] || continue
		failed+=("$suite")
		find build/torture -name "$suite-*.txt" -newer build/torture/began -exec cat {} +
	done
	for suite in "${failed[@]}"; do
		grep -sE '^step |VIOLATION' "build/torture/$suite.log" | grep -B 1 VIOLATION | sed "s/^/$suite: /" || :
	done
	[ "${#failed[@]}" = 0 ] || { say "violations, or no test host: ${failed[*]}; see above, and build/torture" && exit 1; }
}

main "$@"
