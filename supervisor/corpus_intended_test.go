//go:build e2e_engine

package supervisor

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// intended are the differences between a container of Compose and the one of dockhost
// that are meant to be: patterns of the path in the output of docker inspect, and of
// what Compose and dockhost have there.
var intended = []struct{ path, compose, dockhost, reason string }{
	{`^HostConfig\.(Runtime|CgroupParent)$`, ``, ``, "the container runs in the cgroup of its unit"},
	{`^HostConfig\.RestartPolicy\.`, ``, ``, "systemd restarts it"},
	{`^HostConfig\.DeviceRequests$`, ``, `^$`, "dockhost gives the container its GPUs itself, with any Docker"},
	{`^HostConfig\.(Binds|Mounts)$`, ``, ``, "there are several ways to ask for one mount; Mounts has the result"},
	{`^HostConfig\.VolumesFrom$`, ``, `^$`, "dockhost mounts the same volumes by name, so that their container may be replaced"},
	{`^HostConfig\.(Network|Pid|Ipc)Mode$`, `^container:`, `^container:`, "Compose names the container by its id"},
	{`^HostConfig\.NetworkMode$`, `_default$`, `^(default|bridge)$`, "a project of one service stays on the default bridge, which is the fastest start"},
	{`^Networks\.bridge\b`, `^$`, ``, "the same"},
	{`^Config\.Volumes$`, ``, ``, "Mounts has the result"},
	{`^Config\.Attach(Stdin|Stdout|Stderr)$`, ``, ``, "this is for docker start -a; the supervisor attaches to all output"},
	{`^Mounts\.`, `^$`, `^bind a secret or config `, "Compose copies the text of a secret into the file system of the container"},
	{`^Mounts\.`, `^bind .* writable: false `, `^bind a secret or config `, "dockhost mounts a copy in memory with the declared owner and mode"},
	{`^Mounts\.`, ` writable: true `, ` writable: false `, "Compose 2.26 takes no notice of :ro in volumes_from"},
	{`^Networks\.[^.]*\.Links$`, ``, `^$`, "a link is an alias of the other container"},
	{`^Networks\.[^.]*\.Aliases$`, `^$`, `.`, "Compose 1.29 sets Links instead"},
}

// inspectDifferences returns the differences that are not intended.
func inspectDifferences(want, got inspected) []string {
	keys := inspected{}
	maps.Copy(keys, want)
	maps.Copy(keys, got)
	// A project of one service has no network of its own.
	alone := strings.HasSuffix(want["HostConfig.NetworkMode"], "_default") && got["HostConfig.NetworkMode"] != want["HostConfig.NetworkMode"]
	var differences []string
	for _, path := range slices.Sorted(maps.Keys(keys)) {
		if want[path] == got[path] || isIntended(path, want[path], got[path]) || alone && strings.HasPrefix(path, "Networks."+want["HostConfig.NetworkMode"]) {
			continue
		}
		differences = append(differences, fmt.Sprintf("%s: Compose has %s, dockhost %s", path, want[path], got[path]))
	}
	return differences
}

func isIntended(path, compose, dockhost string) bool {
	for _, d := range intended {
		if regexp.MustCompile(d.path).MatchString(path) && regexp.MustCompile(d.compose).MatchString(compose) && regexp.MustCompile(d.dockhost).MatchString(dockhost) {
			return true
		}
	}
	return false
}
