#!/usr/bin/env bash
# Compares dockhost with Docker and Podman on the test hosts of the given Debian suites: starts, stops, updates, returns after a
# crash, resident processes, and log lines. It only prints the numbers, and fails no build because of them.
#
# It installs Podman from Debian into the test host if necessary. Podman stays there until the test host is recreated.
#
#   run.sh SUITE...
#
# Environment:
#   BENCH_N      number of runs of each way (default: 15)
#   BENCH_IDLE   time for which wakeups of idle programs are counted (default: 2m, which includes what Go's runtime does
#                every two minutes)
#   BENCH_LOG_MB size of the log lines in MiB (default: 1024)
#   BENCH_ONLY   downtime: measure the downtime of an update alone; agent: the idle agent alone
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PROGRAM=$TOP/build/dockhost-bench
readonly TOP PROGRAM
readonly SEED=/var/lib/cloud/seed/nocloud

say() { echo "bench: $*" >&2; }

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

build_program() {
	(cd "$TOP" && CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$PROGRAM" ./test/bench)
}

# host_name SUITE prints the name that test/lab/lab.sh gives the test host.
host_name() { echo "dockhost-lab-$1${LAB_NAME:+-$LAB_NAME}"; }

# inside SUITE COMMAND... runs it on the test host.
inside() { docker exec -i "$(host_name "$1")" "${@:2}"; }

# reset_host SUITE removes all assignments and containers.
reset_host() {
	inside "$1" bash -euo pipefail -s <<-'END'
		systemctl stop dockhost.service dockhost.socket 'dockhost@*.service' 'bench-*.service'
		systemctl reset-failed
		rm -rf /var/lib/cloud/seed/* /var/lib/dockhost/assignment.json /run/dockhost/{containers,state,logins}/*
		rm -rf /run/systemd/system/dockhost@*.service.d
		systemctl daemon-reload
		systemctl start docker.service docker-registry.service
		docker ps -aq | xargs -r docker rm -f >/dev/null
		rm -f /run/systemd/system/bench-*.service /run/containers/systemd/bench-*.container
		dockhost setup 2>/dev/null
	END
}

# own_client SUITE gives the host its own copy of Docker's client. Test hosts of one image share the pages of its files, so
# PSS would depend on what other hosts run. The overlay file system copies a file when it changes.
own_client() { inside "$1" chmod u+x /usr/bin/docker; }

# assign SUITE gives the host its user data, and waits until the containers have run, so that the host has their image.
assign() {
	inside "$1" mkdir -p "$SEED"
	inside "$1" sh -c "cat >$SEED/user-data" <"$TOP/test/bench/user-data"
	inside "$1" sh -c "echo 'instance-id: i-bench' >$SEED/meta-data"
	inside "$1" systemctl start dockhost.socket
	inside "$1" systemctl reload-or-restart dockhost.service
	await_active "$1" dockhost@app.service
	await_active "$1" dockhost@checked.service
	inside "$1" systemctl stop 'dockhost@*.service'
	inside "$1" docker --config /run/dockhost/logins pull -q localhost:5000/busybox >/dev/null
}

await_active() {
	local deadline=$((SECONDS + 60))
	until inside "$1" systemctl is-active --quiet "$2"; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			say "$1: $2 is not active after a minute"
			inside "$1" journalctl --no-pager -n 40 -u dockhost.service -u "$2" >&2 || true
			return 1
		fi
		sleep 0.2
	done
}

# ensure_podman SUITE installs Podman and gives it the containers' image. It prints the reason if it cannot.
ensure_podman() {
	inside "$1" bash -euo pipefail -s <<-'END'
		if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
			echo "Podman needs cgroup v2"
			exit
		fi
		# netavark runs nftables. No service of these packages is started.
		missing=()
		for package in podman crun conmon netavark nftables; do
			dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
		done
		if [ "${#missing[@]}" != 0 ]; then
			echo "bench: installing ${missing[*]}" >&2
			if ! log=$(apt-get update -q 2>&1 && apt-get install -y -q --no-install-recommends \
				-o Dpkg::Options::=--force-unsafe-io "${missing[@]}" 2>&1); then
				echo "$log" >&2
				echo "apt cannot install Debian's packages"
				exit
			fi
		fi
		if [ ! -x /usr/lib/systemd/system-generators/podman-system-generator ]; then
			echo "$(podman --version) has no quadlets"
			exit
		fi
		# Podman's storage, like Docker's, cannot be on an overlay file system.
		if [ ! -e /etc/containers/storage.conf ]; then
			printf '[storage]\ndriver="overlay"\ngraphroot="/var/lib/containerd/podman"\nrunroot="/run/containers/storage"\n' \
				>/etc/containers/storage.conf
		fi
		if ! log=$(docker save localhost:5000/app:1 | podman load 2>&1); then
			echo "podman cannot load the image: $(tail -n 1 <<<"$log")"
		fi
	END
}

# describe SUITE prints the versions and the load that the numbers depend on.
describe() {
	inside "$1" bash -euo pipefail -s <<-'END'
		version=$(systemctl --version | sed -nE '1s/^systemd ([0-9]+).*/\1/p')
		engine=$(docker version -f '{{.Server.Version}}')
		cgroups=$(docker info -f 'cgroup v{{.CgroupVersion}}, driver {{.CgroupDriver}}')
		echo "systemd $version, Docker $engine, $cgroups, $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
	END
}

bench() {
	local suite=$1 no_quadlet
	"$TOP/test/lab/lab.sh" up "$suite"
	docker cp "$PROGRAM" "$(host_name "$suite"):/usr/local/bin/dockhost-bench" >/dev/null
	reset_host "$suite"
	own_client "$suite"
	assign "$suite"
	if [ -n "${BENCH_ONLY:-}" ]; then no_quadlet="not measured"; else no_quadlet=$(ensure_podman "$suite"); fi
	echo
	echo "== $suite: $(describe "$suite"); medians of ${BENCH_N:-15} runs in turns"
	echo
	inside "$suite" dockhost-bench -n "${BENCH_N:-15}" -idle "${BENCH_IDLE:-2m}" -log-mb "${BENCH_LOG_MB:-1024}" \
		-no-quadlet "$no_quadlet" ${BENCH_ONLY:+"-$BENCH_ONLY"}
	echo
	reset_host "$suite"
	inside "$suite" systemctl start dockhost.socket dockhost.service
}

main() {
	[ "$#" -gt 0 ] || usage
	build_program
	local suite
	for suite in "$@"; do # one after the other, so that they do not disturb each other
		bench "$suite"
	done
}

main "$@"
