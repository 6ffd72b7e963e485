package main

import "slices"

// The secrets that no log, status, command line or readable file may show. The password is that of the registry.
const (
	secretOfUserData = "canary-of-user-data"
	secretOfRun      = "canary-of-dockhostctl-run"
	password         = "s3cret"
)

// userData assigns a container of each kind. A container's REVISION is in the wanted copy of it, work/user-data.
const userData = `#cloud-config
dockhost:
  containers:
    data:
      image: localhost:5000/busybox
      init: true
      command: [sh, -c, "[ -e /data/born ] || cat /proc/sys/kernel/random/uuid >/data/born; exec sleep 1000000"]
      volumes: ["/data"]
      environment: {REVISION: "0"}
      stop_grace_period: 2s
    health:
      image: localhost:5000/app:2
      pull_policy: always
      ports: ["8081:8080"]
      healthcheck: {interval: 1s, retries: 1}
      stop_grace_period: 2s
      x-dockhost: {notify: healthy}
    logger:
      image: localhost:5000/app:1
      command: ["-log-rate", "10"]
      healthcheck: {disable: true}
      stop_grace_period: 2s
    notify:
      image: localhost:5000/app:1
      command: ["-notify"]
      healthcheck: {disable: true}
      environment: {TOKEN: ` + secretOfUserData + `}
      stop_grace_period: 2s
      x-dockhost: {notify: container}
    slow:
      image: localhost:5000/busybox
      command: [sh, -c, "trap 'sleep 1; exit' TERM; sleep 1000000 & wait"]
      stop_grace_period: 3s
  registries:
    localhost:5000: {username: deploy, password: ` + password + `}
`

// names are the containers of userData, and the one that dockhostctl run declares.
var names = []string{"data", "health", "logger", "notify", "slow", "extra"}

// images are the images of the containers.
var images = map[string]string{
	"data": "localhost:5000/busybox", "health": "localhost:5000/app:2", "logger": "localhost:5000/app:1",
	"notify": "localhost:5000/app:1", "slow": "localhost:5000/busybox", "extra": "localhost:5000/app:3",
}

// named reports whether there is a container of this name.
func named(name string) bool { return slices.Contains(names, name) }

// library is what each script of the driver begins with. declare runs the container extra in the revision that the file
// work/extra names, and assign puts the wanted user data in its place.
const library = `
work=/root/torture
seed=/var/lib/cloud/seed/nocloud
extra=localhost:5000/app:3
main() { systemctl show --value -p MainPID "$1"; }
first() {
	cat /sys/fs/cgroup{,/systemd}/system.slice/system-dockhost.slice/dockhost@$1.service/container/cgroup.procs 2>/dev/null | sort -n | head -n 1
}
shim() { pid=$(first $1); [ -z "$pid" ] || ps -o ppid= -p $pid; }
hit() {
	[ "${2:-0}" -gt 0 ] || exit 9
	echo $2 >>$work/hit-$ID
	kill -$1 $2
}
let_go() {
	[ ! -e $work/hit-$ID ] || kill -CONT $(cat $work/hit-$ID) 2>/dev/null
	rm -f $work/hit-$ID
}
declare_extra() {
	timeout 60 dockhostctl run --name extra --no-healthcheck --stop-timeout 2 -e REVISION=$(cat $work/extra) --env-file $work/extra.env $extra
}
assign() { mkdir -p $seed; cp $work/user-data $seed/user-data; [ -e $seed/meta-data ] || echo 'instance-id: i-torture' >$seed/meta-data; }
registry_answers() { timeout 20 sh -c 'until curl -sko /dev/null https://localhost:5000/v2/; do sleep 0.1; done'; }
`
