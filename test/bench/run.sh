#!/usr/bin/env bash
# Measures, on the test hosts of the given Debian suites, what dockhost adds to Docker: the time of a start and a stop,
# and memory. It only prints: a benchmark fails no build.
#
#   run.sh SUITE...
#
# Environment:
#   BENCH_N      how often each way is measured (default: 15)
#   BENCH_IDLE   how long a program is idle before its memory is read (default: 10s)
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

# host_name SUITE is as test/lab/lab.sh has it.
host_name() { echo "dockhost-lab-$1${LAB_NAME:+-$LAB_NAME}"; }

# inside SUITE COMMAND... runs it on the test host.
inside() { docker exec -i "$(host_name "$1")" "${@:2}"; }

# reset_host SUITE leaves nothing assigned and nothing running.
reset_host() {
	inside "$1" bash -euo pipefail -s <<-'END'
		systemctl stop dockhost.service dockhost.socket 'dockhost@*.service'
		systemctl reset-failed
		rm -rf /var/lib/cloud/seed/* /var/lib/dockhost/assignment.json /run/dockhost/{containers,state,logins}/*
		rm -rf /run/systemd/system/dockhost@*.service.d
		systemctl daemon-reload
		systemctl start docker.service docker-registry.service
		docker ps -aq | xargs -r docker rm -f >/dev/null
		dockhost setup 2>/dev/null
	END
}

# assign SUITE gives the host its user data, and waits until the container has run: then its image is there.
assign() {
	inside "$1" mkdir -p "$SEED"
	inside "$1" sh -c "cat >$SEED/user-data" <"$TOP/test/bench/user-data"
	inside "$1" sh -c "echo 'instance-id: i-bench' >$SEED/meta-data"
	inside "$1" systemctl start dockhost.socket
	inside "$1" systemctl reload-or-restart dockhost.service
	await_active "$1"
	inside "$1" systemctl stop dockhost@app.service
}

await_active() {
	local deadline=$((SECONDS + 60))
	until inside "$1" systemctl is-active --quiet dockhost@app.service; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			say "$1: dockhost@app.service is not active after a minute"
			inside "$1" journalctl --no-pager -n 40 -u dockhost.service -u dockhost@app.service >&2 || true
			return 1
		fi
		sleep 0.2
	done
}

# describe SUITE prints what the numbers depend on.
describe() {
	inside "$1" bash -euo pipefail -s <<-'END'
		version=$(systemctl --version | sed -nE '1s/^systemd ([0-9]+).*/\1/p')
		engine=$(docker version -f '{{.Server.Version}}')
		cgroups=$(docker info -f 'cgroup v{{.CgroupVersion}}, driver {{.CgroupDriver}}')
		echo "systemd $version, Docker $engine, $cgroups, $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
	END
}

bench() {
	local suite=$1
	"$TOP/test/lab/lab.sh" up "$suite"
	docker cp "$PROGRAM" "$(host_name "$suite"):/usr/local/bin/dockhost-bench" >/dev/null
	reset_host "$suite"
	assign "$suite"
	echo
	echo "== $suite: $(describe "$suite"); medians of ${BENCH_N:-15} runs in turns"
	echo
	inside "$suite" dockhost-bench -n "${BENCH_N:-15}" -idle "${BENCH_IDLE:-10s}"
	echo
	reset_host "$suite"
	inside "$suite" systemctl start dockhost.socket dockhost.service
}

main() {
	[ "$#" -gt 0 ] || usage
	build_program
	local suite
	for suite in "$@"; do # one after the other, or they would measure each other
		bench "$suite"
	done
}

main "$@"
