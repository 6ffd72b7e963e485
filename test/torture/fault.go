package main

import (
	"slices"
	"strings"
)

// fault is something that breaks on a host. apply and undo are scripts that follow library. They have the variables NAME and
// UNIT of a container, STEP, ID (1, or 2 for the second fault of a step) and NUMBER, a random number below 10,000.
type fault struct {
	name string
	// weight says how often the fault occurs, relative to the others.
	weight int
	// apply breaks something. It exits with 9 if there was nothing to break.
	apply string
	// undo makes it possible to be well again. It is tried until it succeeds.
	undo string
	// during must succeed soon while the fault, alone, is in force.
	during string
	// blames says that the container seems to have ended by itself, so that an update of it may be rolled back.
	blames bool
	// loses says that lines of output may be lost.
	loses bool
	// boot is whether the host is rebooted, or loses its power, instead of apply.
	boot boot
	// fits reports whether the fault can occur in a setting; nil for all settings.
	fits func(setting) bool
}

type boot int

const (
	noBoot boot = iota
	reboot
	powerCut
)

func (f *fault) weightIn(s setting) int {
	if f.fits != nil && !f.fits(s) {
		return 0
	}
	return f.weight
}

func onSmallDisk(s setting) bool { return s.smallDisk }
func onOwnDisk(s setting) bool   { return !s.smallDisk }

// faults returns all faults, in an order that the sequence of a seed depends on.
func faults() []fault {
	return slices.Concat(signals(), dockerFaults(), systemdFaults(), registryFaults(), userDataFaults(), fileFaults(), diskFaults(), commands())
}

// signals returns the faults of killed, stopped and terminated processes.
func signals() []fault {
	processes := []struct {
		name, pid string
		loses     bool
		// stopped is what must succeed while the process hangs.
		stopped string
	}{
		{"supervisor", "$(main $UNIT)", false, ""},
		{"agent", "$(main dockhost.service)", false, "timeout 50 dockhostctl status; [ $? = 4 ]"},
		{"dockerd", "$(main docker.service)", true, "timeout 30 dockhostctl status; [ $? = 3 ]"},
		{"containerd", "$(main containerd.service)", true, ""},
		{"shim", "$(shim $NAME)", true, ""},
		{"first process", "$(first $NAME)", false, ""},
	}
	verbs := []struct {
		signal, suffix string
		weight         int
	}{
		{"KILL", " is killed", 8},
		{"STOP", " hangs", 6},
		{"TERM", " is terminated", 4},
	}
	var all []fault
	for _, process := range processes {
		for _, verb := range verbs {
			f := fault{
				name: process.name + verb.suffix, weight: verb.weight, loses: process.loses,
				apply: "hit " + verb.signal + " " + process.pid, undo: "let_go",
			}
			if strings.Contains(process.pid, "$NAME") {
				f.apply += " # $NAME"
			}
			f.blames = process.name == "first process" && verb.signal == "TERM"
			if verb.signal == "STOP" {
				f.during = process.stopped
			}
			all = append(all, f)
		}
	}
	return all
}

// dockerFaults returns what Docker's own commands do to containers, and Docker's restarts.
func dockerFaults() []fault {
	return []fault{
		{name: "docker stop", weight: 8, apply: "docker stop -t 2 $NAME"},
		{name: "docker kill", weight: 5, apply: "docker kill $NAME"},
		{name: "docker rm -f", weight: 8, apply: "docker rm -f $NAME"},
		{name: "docker restart", weight: 8, apply: "docker restart -t 2 $NAME"},
		{name: "docker pause", weight: 4, apply: "docker pause $NAME", undo: "docker unpause $NAME || [ $(docker inspect -f '{{.State.Paused}}' $NAME || echo false) = false ]"},
		{name: "docker system prune", weight: 3, apply: "docker system prune -f"},
		{name: "docker image prune -a", weight: 2, apply: "docker image prune -af"},
		{name: "Docker is restarted", weight: 5, apply: "systemctl restart docker.service", loses: true},
		{name: "Docker is stopped", weight: 3, apply: "systemctl stop docker.service docker.socket", loses: true, undo: "systemctl start docker.socket docker.service"},
		{name: "containerd is restarted", weight: 3, apply: "systemctl restart containerd.service", loses: true},
	}
}

// systemdFaults returns what operators do by systemctl, and boots.
func systemdFaults() []fault {
	return []fault{
		{name: "daemon-reload", weight: 4, apply: "systemctl daemon-reload"},
		{name: "daemon-reexec", weight: 3, apply: "systemctl daemon-reexec"},
		{name: "the unit is restarted", weight: 5, apply: "systemctl restart $UNIT"},
		{name: "the unit is stopped", weight: 4, apply: "systemctl stop $UNIT", undo: "systemctl start $UNIT"},
		{name: "the unit is killed", weight: 3, apply: "systemctl kill -s KILL $UNIT"},
		{name: "the drop-in is reverted", weight: 3, apply: "systemctl revert $UNIT"},
		{name: "the agent is restarted", weight: 4, apply: "systemctl restart dockhost.service"},
		{name: "the agent is reloaded", weight: 3, apply: "systemctl reload dockhost.service"},
		{name: "isolate multi-user.target", weight: 2, apply: "systemctl isolate multi-user.target", loses: true},
		{name: "journald is restarted", weight: 3, apply: "systemctl restart systemd-journald.service", loses: true},
		{name: "journald is killed", weight: 2, apply: "systemctl kill -s KILL systemd-journald.service", loses: true},
		{name: "the host is rebooted", weight: 3, boot: reboot, loses: true, fits: onOwnDisk},
		{name: "the power is cut", weight: 3, boot: powerCut, loses: true, fits: onOwnDisk},
	}
}

// registryFaults returns what breaks at the registry while the container health is started again, which asks it.
func registryFaults() []fault {
	const (
		again  = "systemctl --no-block restart dockhost@health.service"
		pulled = "docker rm -f health; docker image rm -f localhost:5000/app:2"
		cured  = "systemctl start docker-registry.service && registry_answers"
	)
	return []fault{
		{name: "the registry is down", weight: 3, apply: "systemctl stop docker-registry.service; " + again, undo: cured, during: "timeout 20 dockhostctl status; [ $? = 3 ]"},
		{name: "the registry is down and the image gone", weight: 3, apply: "systemctl stop docker-registry.service; " + pulled, undo: cured},
		{name: "the registry hangs", weight: 3, apply: "hit STOP $(main docker-registry.service); " + again, undo: "let_go"},
		{name: "the registry hangs and the image is gone", weight: 2, apply: "hit STOP $(main docker-registry.service); " + pulled, undo: "let_go"},
		{
			name: "the registry answers 503", weight: 3,
			apply: "systemctl stop docker-registry.service; systemd-run -q --collect --unit torture-registry python3 $work/refuse.py; " + pulled,
			undo:  "systemctl stop torture-registry.service 2>/dev/null; " + cured,
		},
		{
			// The burst is larger than the largest packet of the loopback interface, which would be dropped otherwise. Half of
			// the downloads end before the registry is fast again.
			name: "the registry is slow and an image gone", weight: 3,
			apply: "tc qdisc add dev lo root tbf rate 1500kbit burst 128k latency 1s; docker rm -f data slow; docker image rm -f localhost:5000/busybox",
			undo: `[ $((NUMBER % 2)) = 0 ] || timeout 10 sh -c 'until docker image inspect localhost:5000/busybox; do sleep 0.1; done'
				! tc qdisc show dev lo | grep -q tbf || tc qdisc del dev lo root`,
		},
	}
}

// refusePy is a registry that answers each request with 503.
const refusePy = `import http.server, ssl
class Refuse(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_error(503)
    do_HEAD = do_GET
server = http.server.HTTPServer(("", 5000), Refuse)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("/etc/docker/registry/cert.pem", "/etc/docker/registry/key.pem")
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
`

// userDataFaults returns what happens to user data.
func userDataFaults() []fault {
	const problem = "timeout 20 dockhostctl status; [ $? = 3 ] && systemctl is-active --quiet dockhost@{data,health,logger,notify,slow}.service"
	return []fault{
		{name: "user data is garbled", weight: 4, apply: "echo ' \t}: - {' >>$seed/user-data", undo: "assign", during: problem},
		{name: "user data is cut", weight: 4, apply: "head -c $((NUMBER % $(stat -c %s $work/user-data))) $work/user-data >$seed/user-data", undo: "assign"},
		{name: "user data is emptied", weight: 3, apply: ": >$seed/user-data", undo: "assign"},
		{name: "user data is removed", weight: 3, apply: "rm -r $seed", undo: "assign"},
		{
			name: "user data changes five times a second", weight: 5,
			apply: `for i in 1 2 3 4 5; do sed "s/REVISION: .*/REVISION: \"$STEP-$i\"}/" $work/user-data >$seed/user-data; sleep 0.2; done`,
			undo:  `sed -i "s/REVISION: .*/REVISION: \"$STEP\"}/" $work/user-data; assign`,
		},
		{
			name: "user data changes and is reloaded", weight: 4,
			apply: `sed -i "s/REVISION: .*/REVISION: \"$STEP\"}/" $work/user-data; assign; systemctl reload dockhost.service`,
			undo:  "assign",
		},
	}
}

// fileFaults returns the removal of files that the parts of dockhost leave for each other.
func fileFaults() []fault {
	return []fault{
		{name: "the state is deleted", weight: 2, apply: "rm /run/dockhost/state/$NAME.json"},
		{name: "the state is emptied", weight: 2, apply: ": >/run/dockhost/state/$NAME.json"},
		{name: "the description is deleted", weight: 2, apply: "rm /run/dockhost/containers/$NAME.json"},
		{name: "the logins are deleted", weight: 2, apply: "rm /run/dockhost/logins/config.json"},
		{name: "the placements are deleted", weight: 2, apply: "rm /run/dockhost/runtime/*.json"},
		{name: "the notify sockets are deleted", weight: 1, apply: "rm /run/dockhost/runtime/notify-*"},
		{name: "the claims are deleted", weight: 1, apply: "rm -r /run/dockhost/images"},
		{name: "the agent's socket is deleted", weight: 1, apply: "rm /run/dockhost/agent.sock"},
		{name: "the drop-in is deleted", weight: 2, apply: "rm -r /run/systemd/system/$UNIT.d"},
		{name: "the record of images is deleted", weight: 1, apply: "rm /var/lib/dockhost/images.json"},
	}
}

// diskFaults returns full disks.
func diskFaults() []fault {
	return []fault{
		{
			name: "the disk of /var/lib/dockhost is full", weight: 5,
			apply: `mountpoint -q /var/lib/dockhost && exit 9
				mkdir -p $work/lib && mount --bind /var/lib $work/lib && mount --make-private $work/lib &&
				mount -t tmpfs -o size=256k,mode=700 torture /var/lib/dockhost && cp -a $work/lib/dockhost/. /var/lib/dockhost/
				dd if=/dev/zero of=/var/lib/dockhost/full bs=4k 2>/dev/null
				dockhostctl rm extra`,
			undo: `if mountpoint -q /var/lib/dockhost; then
				rm -f /var/lib/dockhost/full $work/lib/dockhost/*; cp -a /var/lib/dockhost/. $work/lib/dockhost/
				umount -l /var/lib/dockhost && umount $work/lib
			fi; declare_extra`,
		},
		{name: "the disk of Docker is full", weight: 6, apply: "dd if=/dev/zero of=/run/torture-docker/full bs=1M; systemctl --no-block restart $UNIT", undo: "rm -f /run/torture-docker/full", loses: true, fits: onSmallDisk},
	}
}

// commands returns what operators do by dockhostctl.
func commands() []fault {
	return []fault{
		{name: "dockhostctl run of a new revision", weight: 8, apply: "echo $STEP >$work/extra; declare_extra", undo: "declare_extra"},
		{name: "dockhostctl rm", weight: 5, apply: "dockhostctl rm extra", undo: "declare_extra"},
		{name: "dockhostctl gc", weight: 1, apply: "dockhostctl gc"},
	}
}
