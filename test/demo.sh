#!/usr/bin/env bash
# Boots a new test host with user data, and shows the result: a container from a private registry that systemd supervises,
# and that is ready once it is healthy.
#
# Environment:
#   SUITE   the test host's Debian suite (default: trixie). An existing test host is replaced.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SUITE=${SUITE:-trixie}
readonly TOP SUITE
readonly HOST=dockhost-lab-$SUITE${LAB_NAME:+-$LAB_NAME} UNIT=dockhost@web
readonly IMAGE_TREE=$TOP/build/demo-root
readonly READY_WITHIN=180

say() { echo "demo: $*" >&2; }

inside() { docker exec "$HOST" "$@"; }

# bake makes the tree of a machine image: the tree of `make install`, and user data in the seed directory of NoCloud.
bake() {
	rm -rf "$IMAGE_TREE"
	cp -a "$TOP/build/root" "$IMAGE_TREE"
	install -D -m 0600 -t "$IMAGE_TREE/var/lib/cloud/seed/nocloud" "$TOP/test/demo/user-data" "$TOP/test/demo/meta-data"
}

# host_id prints the running test host's id, or nothing.
host_id() {
	local state
	state=$(docker container inspect -f '{{.State.Running}} {{.Id}}' "$HOST" 2>/dev/null) || return 0
	[[ $state != true\ * ]] || echo "${state#true }"
}

# property NAME prints a property of the unit, or nothing while systemd does not run.
property() { inside systemctl show --value -p "$1" "$UNIT" 2>/dev/null || true; }

# await_host OLD PID waits until another test host than OLD runs. It gives up when PID, which boots the host, has ended.
await_host() {
	until [ -n "$(host_id)" ] && [ "$(host_id)" != "$1" ]; do
		[ -e "/proc/$2" ] || return 1
		sleep 0.2
	done
}

# await_active prints each status of the unit until it is active: once the container is ready.
await_active() {
	local deadline=$((SECONDS + READY_WITHIN)) state text shown=
	while [ "$SECONDS" -lt "$deadline" ]; do
		state=$(property ActiveState) text=$(property StatusText)
		if [ "$state $text" != "$shown" ] && [ -n "$state" ]; then
			shown="$state $text"
			say "$UNIT is $state${text:+: $text}"
		fi
		[ "$state" != active ] || return 0
		sleep 0.1
	done
	say "$UNIT is not active after $READY_WITHIN s"
	return 1
}

show_trouble() {
	{
		inside systemctl status --no-pager dockhost "$UNIT"
		inside journalctl --no-pager -b -n 80 -u dockhost -u "$UNIT" -u docker
	} >&2 || true
}

# show COMMAND prints a command, and its output on the test host.
show() {
	printf '\n$ %s\n' "$1"
	inside sh -c "$1"
}

tour() {
	show "cat /var/lib/cloud/seed/nocloud/user-data"
	show "systemctl status $UNIT --no-pager"
	show "systemd-cgls --no-pager --unit $UNIT.service"
	show "dockhostctl status"
	show "curl -sk https://localhost/"
}

farewell() {
	cat <<-END

		The host booted, read its user data, and runs the container in $UNIT's own cgroup.
		  look around:  make lab-shell SUITE=$SUITE
		                docker exec $HOST journalctl -u $UNIT
		                docker exec $HOST dockhostctl status --json
		  stop it:      make lab-down
	END
}

main() {
	local old booting
	bake
	old=$(host_id)
	set -m # what boots the host is a process group of its own, to be ended with all that it waits for
	LAB_FRESH=1 DOCKHOST_ROOT=$IMAGE_TREE "$TOP/test/lab/lab.sh" up "$SUITE" </dev/null &
	booting=$!
	# shellcheck disable=SC2064 # expands now
	trap "kill -- -$booting 2>/dev/null || true" EXIT
	trap 'exit 130' INT TERM
	if await_host "$old" "$booting" && ! await_active; then
		show_trouble
		exit 1
	fi
	wait "$booting"
	tour
	farewell
}

main
