#!/usr/bin/env bash
# run.sh SUITE draws the output of commands on the test host of SUITE into docs/img, as SVG. The host gets containers for it.
# run.sh SUITE NAME COMMAND draws that of one command into docs/img/NAME.svg, with the host as it is.
# shellcheck disable=SC2016 # the host expands what is in single quotes
set -euo pipefail
cd "$(dirname "$0")/../.."
host=dockhost-lab-$1${LAB_NAME:+-$LAB_NAME}
mkdir -p docs/img build
go build -o build/screenshot ./test/screenshot

# shot NAME COMMAND runs the command in a terminal of 110 columns. A command that this version does not have is left out.
shot() {
	local name=$1 command=$2
	if ! docker exec "$host" bash -c "set -- $command; dockhostctl help \$2 2>&1 | grep -q \"^  dockhostctl \$2\""; then
		echo "left out: $command" >&2
		return
	fi
	docker exec -t "$host" bash -c "stty cols 110 rows 50; TERM=xterm-256color COLUMNS=110 $command || :" |
		build/screenshot "$command" >"docs/img/$name.svg.new"
	mv "docs/img/$name.svg.new" "docs/img/$name.svg"
}

# on runs a script on the host.
on() { docker exec -i "$host" bash -euo pipefail -c "$1"; }

if [ $# -gt 1 ]; then
	shot "$2" "$3"
	exit
fi

# Three containers: one that is ready, one with a tag that moves, and one whose health check fails.
on 'seed=/var/lib/cloud/seed/nocloud
docker login -u deploy -p s3cret localhost:5000 >/dev/null 2>&1
docker pull -q localhost:5000/nginx:1.22 >/dev/null && docker tag localhost:5000/nginx:1.22 localhost:5000/shop:stable && docker push -q localhost:5000/shop:stable >/dev/null
systemctl stop dockhost.service dockhost.socket "dockhost@*.service"
rm -rf /var/lib/dockhost/updates /var/lib/dockhost/assignment.json /var/lib/dockhost/events.jsonl /run/dockhost/boot.json /run/dockhost/state/* /run/dockhost/containers/*
docker image rm -f localhost:5000/shop:stable localhost:5000/nginx:1.22 >/dev/null 2>&1 || :
mkdir -p $seed && echo "instance-id: i-0123456789" >$seed/meta-data
cat >$seed/user-data <<EOF
#cloud-config
dockhost:
  containers:
    mailer:
      image: localhost:5000/busybox
      command: [sleep, infinity]
      healthcheck: {test: ["CMD", "false"], interval: 1s, retries: 2}
    shop:
      image: localhost:5000/shop:stable
      deploy: {update_config: {monitor: 3s}}
    web:
      image: localhost:5000/nginx:1.22
      ports: ["443:443"]
      healthcheck: {test: ["CMD", "curl", "-fsk", "https://localhost/"], interval: 1s}
      x-dockhost: {notify: healthy}
  registries:
    localhost:5000: {username: deploy, password: s3cret}
EOF
systemctl enable --quiet dockhost.socket dockhost.service'
docker restart "$host" >/dev/null
on 'for i in $(seq 60); do { dockhostctl status 2>/dev/null || :; } | grep -q "unhealthy" && systemctl is-active -q dockhost@web dockhost@shop && break; sleep 1; done'
shot status "dockhostctl status"
shot doctor "dockhostctl doctor"
shot analyze "dockhostctl analyze"
on 'docker pull -q localhost:5000/nginx:1.22-2 >/dev/null && docker tag localhost:5000/nginx:1.22-2 localhost:5000/shop:stable && docker push -q localhost:5000/shop:stable >/dev/null
docker tag "$(docker inspect -f "{{.Image}}" shop)" localhost:5000/shop:stable; docker logout localhost:5000 >/dev/null'
shot update "dockhostctl update shop"
shot events "dockhostctl events"
on 'dockhostctl analyze --plot /run/plot.svg >/dev/null && cat /run/plot.svg && rm /run/plot.svg' >docs/img/plot.svg
