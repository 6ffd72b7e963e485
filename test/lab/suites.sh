# Runs a function for several Debian suites in parallel. Scripts with `set -euo pipefail` source it.
# shellcheck shell=bash disable=SC2034 # the caller reads the results

# The exit status of each suite, and the seconds that it took, once for_suites has returned.
declare -A SUITE_STATUS=() SUITE_SECONDS=()

# for_suites FUNCTION SUITE... runs FUNCTION SUITE for each suite, without standard input, in a process group of its own.
# A suite that has several test hosts is named once for each: trixie, trixie-2. When this script ends, all of them end. It
# returns when all have ended, whatever their status.
for_suites() {
	local function=$1 suite pid status began=$SECONDS
	local -A suites=()
	shift
	for suite in "$@"; do
		[[ $suite =~ ^[a-z]+(-[0-9]+)?$ ]] || { echo "$suite is not the name of a Debian suite" >&2 && exit 2; }
	done
	set -m
	trap stop_suites EXIT
	trap 'exit 130' INT TERM
	for suite in "$@"; do
		"$function" "$suite" </dev/null &
		suites[$!]=$suite
	done
	while [ "${#suites[@]}" -gt 0 ]; do
		status=0
		wait -n -p pid "${!suites[@]}" || status=$?
		SUITE_STATUS[${suites[$pid]}]=$status
		SUITE_SECONDS[${suites[$pid]}]=$((SECONDS - began))
		unset "suites[$pid]"
	done
}

# stop_suites ends the suites that still run.
stop_suites() {
	local group
	for group in $(jobs -p); do
		kill -TERM -- "-$group" 2>/dev/null || true
	done
}
