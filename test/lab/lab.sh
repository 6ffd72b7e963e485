#!/usr/bin/env bash
# Manages test hosts: containers with a real systemd as PID 1 and a real Docker Engine, one per Debian suite.
#
#   lab.sh up SUITE       build and boot the test host dockhost-lab-SUITE with dockhost; images are cached
#   lab.sh shell SUITE    open a shell in it
#   lab.sh down [SUITE]   remove it, or all test hosts of this LAB_NAME (and of LAB_NAME-2, -3 ...); images stay
#
# Environment:
#   DOCKHOST_ROOT   the installed tree to copy into the test host (default: build/root, made by `make install`)
#   LAB_NAME        names the test hosts dockhost-lab-SUITE-LAB_NAME, for a second checkout on the same machine
#   ENGINE=29       build Docker Engine 29 from the Go proxy (engine/build.sh) and use it in place of Debian's
#   STORE           where it stores images: containerd (the default), or overlay2
#   LAB_FRESH=1     recreate the test host even if nothing changed
#   LAB_MIRROR      Debian mirror, if the machine's apt sources name none; LAB_KEYRING: its keyring
#
# It installs docker.io, mmdebstrap and other tools if they are missing, and starts a Docker Engine if none answers. `down`
# stops only an Engine that this script has started.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=$TOP/.cache/lab
STATE=/run/dockhost-lab
[ "$(id -u)" = 0 ] || STATE=${XDG_RUNTIME_DIR:-/tmp}/dockhost-lab
DOCKHOST_ROOT=${DOCKHOST_ROOT:-$TOP/build/root}
ENGINE=${ENGINE:-}
STORE=${STORE:-containerd}
readonly TOP CACHE STATE DOCKHOST_ROOT ENGINE STORE

say() { echo "lab: $*" >&2; }

die() {
	say "$*"
	exit 1
}

# shellcheck source=test/lab/images.sh
source "$TOP/test/lab/images.sh"

# logged NAME COMMAND... writes the command's output to a log, and prints the end of the log if the command fails. The
# command does not inherit the locks: mmdebstrap's children cannot cope with such open files.
logged() {
	local log=$STATE/$1.log
	if ! "${@:2}" >"$log" 2>&1 </dev/null 7>&- 8>&- 9>&-; then
		tail -n 40 "$log" >&2
		die "${*:2:2}: failed (see $log)"
	fi
}

readonly HOPELESS=100 # the exit status of a command that wait_until must not try again

# wait_until SECONDS WHAT COMMAND... waits until the command succeeds. It gives up after that time, or on $HOPELESS.
wait_until() {
	local deadline=$((SECONDS + $1)) what=$2 status
	while true; do
		status=0
		"${@:3}" >/dev/null 2>&1 || status=$?
		[ "$status" != 0 ] || return 0
		if [ "$status" = "$HOPELESS" ]; then
			return 1
		elif [ "$SECONDS" -ge "$deadline" ]; then
			say "$what: not ready after $1 s"
			return 1
		fi
		sleep 0.2
	done
}

# alone COMMAND... runs a command under a lock that all lab.sh share.
alone() {
	(
		flock -n 9 || { say "waiting for another lab.sh" && flock 9; }
		"$@"
	) 9>"$STATE/lock"
}

# --- the machine ------------------------------------------------------------------------------------------------------

engine_answers() { docker info >/dev/null 2>&1; }

ensure_packages() {
	local missing=()
	if ! engine_answers && ! { command -v dockerd && command -v docker; } >/dev/null; then missing+=(docker.io); fi
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	command -v curl >/dev/null || missing+=(curl)
	# The tests make discs with user data with these.
	command -v genisoimage >/dev/null || missing+=(genisoimage)
	{ command -v mkfs.vfat || [ -x /usr/sbin/mkfs.vfat ]; } >/dev/null || missing+=(dosfstools)
	command -v mcopy >/dev/null || missing+=(mtools)
	# The tests make and sign an apt repository with these.
	command -v apt-ftparchive >/dev/null || missing+=(apt-utils)
	command -v gpg >/dev/null || missing+=(gpg gpg-agent)
	[ -e "$DEBIAN_KEYRING" ] || missing+=(debian-archive-keyring)
	[ "${#missing[@]}" = 0 ] && return
	say "installing ${missing[*]}"
	[ "$(id -u)" = 0 ] || die "only root can install packages (run as root: apt-get install ${missing[*]})"
	logged apt apt_install "${missing[@]}"
}

apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update && apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

ensure_engine() {
	engine_answers && return
	[ "$(id -u)" = 0 ] || die "no Docker Engine answers, and only root can start one (if one runs: join the group docker)"
	say "starting dockerd (log: $STATE/dockerd.log)"
	setsid dockerd --pidfile "$STATE/dockerd.pid" >>"$STATE/dockerd.log" 2>&1 </dev/null 7>&- 8>&- 9>&- &
	wait_until 60 "Docker Engine" engine_answers || die "dockerd does not answer (see $STATE/dockerd.log)"
}

# own_engine_pid prints the PID of the dockerd that this script has started, if it still runs.
own_engine_pid() {
	local pid
	pid=$(cat "$STATE/dockerd.pid" 2>/dev/null) || return 0
	if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "dockerd --pidfile $STATE/dockerd.pid"; then echo "$pid"; fi
}

stop_own_engine() {
	local pid
	pid=$(own_engine_pid)
	[ -n "$pid" ] || return 0
	say "stopping dockerd"
	kill "$pid"
	wait_until 60 "end of dockerd" gone "$pid" || die "dockerd with PID $pid does not stop (see $STATE/dockerd.log)"
}

gone() { [ ! -e "/proc/$1" ]; }

# --- the test host ----------------------------------------------------------------------------------------------------

host_name() { echo "dockhost-lab-$1${LAB_NAME:+-$LAB_NAME}"; }

host_exists() { docker container inspect "$(host_name "$1")" >/dev/null 2>&1; }

host_runs() { [ "$(docker container inspect -f '{{.State.Running}}' "$(host_name "$1")" 2>/dev/null)" = true ]; }

host_is_current() {
	[ -z "${LAB_FRESH:-}" ] && [ "$(docker container inspect -f '{{.Config.Image}}' "$(host_name "$1")" 2>/dev/null)" = "$(host_tag "$1")" ]
}

check_tree() {
	[ -d "$DOCKHOST_ROOT" ] || die "the directory $DOCKHOST_ROOT is missing (run: make install)"
	local dir
	for dir in bin lib sbin; do # symbolic links on Debian, which a directory would replace
		[ ! -e "$DOCKHOST_ROOT/$dir" ] || die "$DOCKHOST_ROOT/$dir must be in usr/$dir"
	done
}

# install_tree SUITE copies dockhost into the test host, which may run: its processes keep their old programs. The
# directory itself is left out, otherwise its mode would become that of /.
install_tree() {
	local entries
	mapfile -t entries < <(ls -A "$DOCKHOST_ROOT")
	[ "${#entries[@]}" = 0 ] && return
	tar -C "$DOCKHOST_ROOT" --owner=0 --group=0 -c -- "${entries[@]}" | docker cp - "$(host_name "$1"):/"
}

create_host() {
	local suite=$1
	say "$suite: creating the test host $(host_name "$suite")"
	docker create --name "$(host_name "$suite")" --hostname "$(host_name "$suite")" --label dockhost.lab.host="$suite" \
		"${HOST_OPTIONS[@]}" "$(host_tag "$suite")" >/dev/null
}

remove_host() { docker rm -f -v "$1" >/dev/null; }

ensure_running() {
	local suite=$1
	if host_exists "$suite" && ! host_is_current "$suite"; then
		say "$suite: removing the outdated test host"
		remove_host "$(host_name "$suite")"
	fi
	host_exists "$suite" || create_host "$suite"
	install_tree "$suite"
	if host_runs "$suite"; then
		say "$suite: the test host already runs, installed the current dockhost in it"
		inside "$suite" dockhost-lab-install
	else
		docker start "$(host_name "$suite")" >/dev/null
	fi
}

inside() { docker exec "$(host_name "$1")" "${@:2}"; }

has_booted() {
	local state
	host_runs "$1" || return "$HOPELESS"
	# Without a timeout this would wait for a slow unit.
	state=$(inside "$1" timeout 5 systemctl is-system-running --wait 2>/dev/null) || true
	[ "$state" = running ] || [ "$state" = degraded ]
}

registry_answers() {
	inside "$1" curl -fsS -o /dev/null -u deploy:s3cret https://localhost:5000/v2/
}

wait_ready() {
	local suite=$1
	wait_until 120 "$suite: booted system" has_booted "$suite" || show_trouble "$suite"
	wait_until 60 "$suite: Docker Engine of the test host" inside "$suite" docker info || show_trouble "$suite"
	wait_until 30 "$suite: registry of the test host" registry_answers "$suite" || show_trouble "$suite"
	if [ "$(inside "$suite" systemctl is-system-running)" = degraded ]; then
		say "$suite: degraded, failed units:"
		inside "$suite" systemctl --no-pager --no-legend --failed >&2
	fi
	say "$suite: up (docker exec $(host_name "$suite") systemctl status)"
}

show_trouble() {
	{
		docker logs --tail 20 "$(host_name "$1")"
		inside "$1" systemctl --no-pager list-jobs
		inside "$1" systemctl --no-pager --failed
		inside "$1" journalctl --no-pager -b -n 40 -p warning
	} >&2 || true
	die "$1: the test host does not work, see above"
}

# --- commands ---------------------------------------------------------------------------------------------------------

up() {
	local suite=$1
	check_engine "$suite"
	check_tree
	mkdir -p "$STATE"
	exec 7>"$STATE/in-use" 8>"$STATE/$suite.lock"
	flock -s 7 # keeps `down` from stopping dockerd
	flock 8
	alone ensure_packages
	ARCHIVE=$(find_archive)
	readonly ARCHIVE
	alone ensure_engine
	alone build_app
	alone ensure_registry
	ensure_base "$suite"
	ensure_host "$suite"
	ensure_running "$suite"
	wait_ready "$suite"
	# With LAB_NAME this is a second checkout, and the first one still needs its images.
	[ -n "${LAB_NAME:-}" ] || alone prune_images "$suite"
}

shell() {
	host_runs "$1" || die "$1: the test host does not run (run: make lab-up SUITE=$1)"
	local terminal=()
	if [ -t 0 ] && [ -t 1 ]; then terminal=(-t -e "TERM=${TERM:-dumb}"); fi
	exec docker exec -i "${terminal[@]}" "$(host_name "$1")" bash
}

down() {
	mkdir -p "$STATE"
	engine_answers || { say "no Docker Engine answers, so no test host runs" && return; }
	local host
	for host in $(list_hosts "${1:-}"); do
		say "removing $host"
		remove_host "$host"
	done
	if [ -z "$(docker ps -q)" ]; then # otherwise the Engine has another user
		flock -n "$STATE/in-use" true || return 0
		stop_own_engine
	fi
}

# list_hosts [SUITE] prints the names of the suite's test hosts, or of all, that lab.sh has created with the same LAB_NAME,
# or with that and a number.
list_hosts() {
	docker ps -a --format '{{.Names}}' --filter "label=dockhost.lab.host${1:+=$1}" |
		grep -Ex "$(host_name '[a-z]+')(-[0-9]+)?" || true
}

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

main() {
	local command=${1:-} suite=${2:-}
	[[ $suite =~ ^[a-z]*$ ]] || die "$suite is not the name of a Debian suite"
	case $command in
	up | shell)
		[ -n "$suite" ] || usage
		"$command" "$suite"
		;;
	down) down "$suite" ;;
	*) usage ;;
	esac
}

main "$@"
