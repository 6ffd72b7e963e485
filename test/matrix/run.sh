#!/usr/bin/env bash
# Runs the end-to-end tests on many kinds of host, one after the other, and prints the table of docs/platforms.md.
#
#   run.sh [CELL...]   run these cells, or all; then print what is known of each cell
#   run.sh --table     only print it
#
# A cell is a suite or an Engine on which all tests run, an upgrade of Debian's Docker to version 29 and back under running
# containers, or a variant of daemon.json (variants.tsv) under which the core of the tests runs. Each boots a new test host.
# Its output is in build/matrix/CELL.log, its result stays in build/matrix/CELL.result until the cell runs again; those of a
# variant on another test host than trixie with Debian's Docker are in CELL@SUITE or CELL@SUITE-29-STORE. The exit status is 1
# if a cell failed, or could not be tried.
#
# Environment:
#   SUITE, ENGINE, STORE   the test host of the variants (trixie with Debian's Docker)
#   LAB_NAME               names the test host (matrix)
#   LAB_FRESH=             boots no new test host for a cell where one of LAB_NAME runs, and leaves it
#   MATRIX_RUN             run only the tests that match this pattern
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP
cd "$TOP"
readonly RESULTS=build/matrix VARIANTS=test/matrix/variants.tsv
readonly SUITE=${SUITE:-trixie} ENGINE=${ENGINE:-} STORE=${STORE:-containerd}
readonly FRESH=${LAB_FRESH-1}
export LAB_NAME=${LAB_NAME:-matrix}

# The cells of all tests: NAME SUITE ENGINE STORE.
readonly WHOLE='bookworm bookworm - -
trixie trixie - -
forky forky - -
29-containerd trixie 29 containerd
29-overlay2 trixie 29 overlay2'

# The cells of one test: NAME SUITE.
readonly UPGRADES='upgrade-bookworm bookworm
upgrade-trixie trixie'

# What a container needs most: its cgroup, its start and stop, its output, updates, and Docker's restarts.
CORE='^(TestContainerRunsInItsUnit|TestChangeRestartsOnlyWhatChanged|TestContainerReturnsWithDocker|TestContainerSurvivesDockerRestart'
CORE+='|TestKilledSupervisorIsReplaced|TestContainerNotifiesSystemd|TestOutputReachesJournal|TestUnitEndsAsItsContainer'
CORE+='|TestStopKillsAfterGracePeriod|TestStopWorksInEachPhase|TestUnassignedContainerLeavesNothing|TestUpdateByAssignment)$'
readonly CORE

say() { echo "matrix: $*" >&2; }

whole_cell() { awk -v cell="$1" '$1 == cell {print $2, $3, $4}' <<<"$WHOLE"; }
upgrade_cell() { awk -v cell="$1" '$1 == cell {print $2}' <<<"$UPGRADES"; }
variant() { awk -F '\t' -v cell="$1" '$1 == cell {print $2}' "$VARIANTS"; }
all_cells() { awk '{print $1}' <<<"$WHOLE"$'\n'"$UPGRADES" && awk -F '\t' '!/^#/ {print $1}' "$VARIANTS"; }

# title CELL prints the name of the files of a cell.
title() {
	local host=$SUITE${ENGINE:+-$ENGINE-$STORE}
	if [ -z "$(variant "$1")" ] || [ "$host" = trixie ]; then echo "$1"; else echo "$1@$host"; fi
}

inside() { docker exec "dockhost-lab-$suite-$LAB_NAME" bash -c "$1"; }

# configure merges a variant into the host's daemon.json. Its last line is the reason if Docker does not start. The kernel
# mounts /proc for userns-remap only if a /proc without mounts on top is visible (mount_namespaces(7)).
configure() {
	inside "mkdir -p /run/proc && mount -t proc proc /run/proc; cd /etc/docker && { [ -e /run/daemon.before ] || cp daemon.json /run/daemon.before; } && cp /run/daemon.before daemon.json
		jq --argjson more '$1' '. * \$more' daemon.json >/run/daemon.json && cp /run/daemon.json daemon.json
		systemctl reset-failed docker.service docker.socket; systemctl restart docker.service && exit
		journalctl -u docker.service -o cat -b | grep -v -e ^docker.service -e ^St -e ^Failed | tail -n 1
		exit 1"
}

# note_result TEXT stores the result of a cell, with what the host consists of. It returns 1 if the cell has not passed.
note_result() {
	local host
	# shellcheck disable=SC2016 # the test host expands it
	host=$(inside '. /etc/os-release; echo "${VERSION_CODENAME}, systemd $(systemctl --version | sed -nE "1s/systemd ([0-9]+).*/\1/p"), Docker $(docker version -f "{{.Server.Version}}" 2>/dev/null | sed "s/+.*//" || :)"' 2>/dev/null) || host=$suite
	[ "$engine" != 29 ] || host+=" ($store)"
	echo "$host | $1, $(date -u +%F), $(git rev-parse --short HEAD)" >"$RESULTS/$title.result"
	say "$title: $1"
	[[ $1 != *'**'* ]]
}

# summary LOG prints how many tests passed, and the names of the others.
summary() {
	awk '/^--- PASS/ {passed++} /^--- SKIP/ {skipped++} /^--- FAIL/ {failed = failed (failed == "" ? "" : ", ") "`" $3 "`"}
		END {printf "%d passed", passed; if (skipped) printf ", %d skipped", skipped; if (failed != "") printf ", **failed**: %s", failed}' "$1"
}

# run_cell runs the tests of a cell. A test host that does not boot is a result, too.
run_cell() {
	local cell=$1 title suite=$SUITE engine=$ENGINE store=$STORE pattern=${MATRIX_RUN:-$CORE} json='{}' reason status=0
	local -x DOCKHOST_ENGINE=''
	title=$(title "$cell")
	if [ -n "$(whole_cell "$cell")" ]; then
		read -r suite engine store <<<"$(whole_cell "$cell")"
		engine=${engine#-} pattern=${MATRIX_RUN:-.}
	elif [ -n "$(upgrade_cell "$cell")" ]; then
		suite=$(upgrade_cell "$cell") engine='' pattern='^TestDockerIsReplaced$'
		DOCKHOST_ENGINE=$(test/lab/engine/build.sh) || { note_result "**not tried**: the other Docker Engine was not built" || return; }
	else
		json=$(variant "$cell")
	fi
	local log=$RESULTS/$title.log
	# shellcheck disable=SC2064 # now
	[ -z "$FRESH" ] || trap "docker rm -f -v dockhost-lab-$suite-$LAB_NAME >/dev/null 2>&1 || :" RETURN
	say "$title: running (log: $log)"
	if ! env "LAB_FRESH=$FRESH" "ENGINE=$engine" "STORE=$store" test/lab/lab.sh up "$suite" >"$log" 2>&1; then
		note_result "**not tried**: the test host does not boot"
		return
	fi
	if ! reason=$(configure "$json" 2>>"$log"); then
		note_result "**not tried**: Docker does not start: $(tail -n 1 <<<"$reason" | sed -E 's/^time=.* msg=//; s/\|/ /g' | cut -c1-200)"
		return
	fi
	(cd test/e2e && DOCKHOST_REQUIRE=docker,systemd ../../build/e2e.test -test.timeout 120m -test.v -test.run "$pattern" -test.skip '^TestAttack' -suite "$suite") >>"$log" 2>&1 || status=$?
	if [ "$status" != 0 ] && ! grep -q '^--- FAIL' "$log"; then
		note_result "**failed**: the tests ended with status $status"
	else
		note_result "$(summary "$log")"
	fi
}

table() {
	local cell file
	echo '| cell | host | result |'
	echo '| --- | --- | --- |'
	for cell in $(all_cells); do
		if [ -e "$RESULTS/$cell.result" ]; then
			echo "| \`$cell\` | $(cat "$RESULTS/$cell.result") |"
		else
			echo "| \`$cell\` | | not tried |"
		fi
	done
	for file in "$RESULTS"/*@*.result; do
		[ ! -e "$file" ] || echo "| \`$(basename "${file%@*}")\` | $(cat "$file") |"
	done
}

main() {
	local cells=("$@") each status=0
	if [ "${1:-}" = --table ]; then
		table
		return
	fi
	[ "$#" -gt 0 ] || mapfile -t cells < <(all_cells)
	for each in "${cells[@]}"; do
		all_cells | grep -qxF -e "$each" || { say "unknown cell $each (known are: $(all_cells | tr '\n' ' '))" && exit 2; }
	done
	mkdir -p "$RESULTS"
	for each in "${cells[@]}"; do
		if [ -n "$(whole_cell "$each")" ]; then
			make test-packages install >"$RESULTS/packages.log" # tests of upgrades need them
			break
		fi
	done
	go test -c -tags e2e -o build/e2e.test ./test/e2e
	for each in "${cells[@]}"; do run_cell "$each" || status=1; done
	table
	return "$status"
}

main "$@"
