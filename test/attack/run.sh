#!/usr/bin/env bash
# Boots test hosts of the given Debian suites, and attacks all of them in parallel: the tests TestAttack* of test/e2e, and
# those of the other tests that attack. Prints a line for each attack, and how many there were and have succeeded. The output
# of the tests is in build/e2e-SUITE.log.
#
#   run.sh SUITE...
#
# Environment:
#   ATTACK_RUN    run only the tests that match this pattern (go test -run)
#   ATTACK_HOSTS  the number of test hosts for each suite (default: 1)
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"

# Tests of `make e2e` that attack a host.
readonly OTHERS=(
	TestContainerCannotDelayItsStop TestStopDelaysNoStart TestEmergencyReachesNoTerminal # containers
	TestPolicyRefusesUserData TestGrantedBindsStayInGrant TestWrongUserDataIsRefusedWhole TestReadablePasswordFileIsRefused # user data
	TestEverybodyReads TestEC2WithoutTokensIsRefused                                      # the local API, metadata services
	TestSecretsAreHidden TestDeclareHidesSecrets TestBugreportHasNoSecret TestUserDataCommandHidesSecrets # secrets
	TestLeastPrivilege
)

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# judge SUITE prints the attacks on the hosts of a suite, and returns 1 if one has succeeded or if none was run. A test with
# subtests is no attack of its own.
judge() {
	cat build/e2e-"$1"*.log | awk -v suite="$1" '
		/^ *--- (PASS|FAIL|SKIP): / {
			n++; verdict[n] = $2; name[n] = $3; time[n] = $4
			parent = $3
			while (sub(/\/[^\/]*$/, "", parent)) parents[parent] = 1
		}
		END {
			for (i = 1; i <= n; i++) {
				if (name[i] in parents) { if (verdict[i] == "FAIL:") broken = 1; continue }
				if (verdict[i] == "SKIP:") { print suite ": skipped   " name[i]; continue }
				attacks++
				if (verdict[i] == "FAIL:") successes++
				print suite ": " (verdict[i] == "FAIL:" ? "SUCCESS   " : "held off  ") name[i] " " time[i]
			}
			printf "%s: %d attacks, %d successes\n", suite, attacks, successes
			exit attacks == 0 || successes > 0 || broken
		}'
}

main() {
	[ "$#" -gt 0 ] || usage
	local suite status=0
	mkdir -p build
	rm -f build/e2e-*.log
	E2E_RUN=${ATTACK_RUN:-"^(TestAttack.*|$(IFS='|' && echo "${OTHERS[*]}"))\$"} E2E_HOSTS=${ATTACK_HOSTS:-1} test/e2e/run.sh "$@" >build/attack.log || status=$?
	for suite in "$@"; do
		judge "$suite" || status=1
	done
	[ "$status" = 0 ] || echo "attack: what the tests say is in build/attack.log" >&2
	exit "$status"
}

main "$@"
