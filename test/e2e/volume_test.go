//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// keeping is a local image whose VOLUME is /data, and which stays up.
const keeping = "keeping:1"

// newKeeping returns the host with that image.
func newKeeping(t *testing.T) *host {
	t.Helper()
	h := newHost(t)
	h.login()
	h.run(`docker pull -q localhost:5000/busybox && id=$(docker create localhost:5000/busybox) &&
		docker commit -c 'VOLUME /data' $id ` + keeping + ` && docker rm $id`)
	h.removesVolumes()
	h.Cleanup(func() { h.try("docker rmi -f " + keeping) })
	h.Cleanup(h.removesVolumes)
	return h
}

// removesVolumes removes what these tests keep.
func (h *host) removesVolumes() {
	h.run("systemctl stop dockhost.service dockhost.socket 'dockhost@*'; docker ps -aq | xargs -r docker rm -f >/dev/null")
	h.run("docker volume ls -q --filter label=dockhost.container | xargs -r docker volume rm")
}

// database is a section with one container of that image.
func database(name string, keys ...string) string {
	return strings.Replace(idling(map[string][]string{name: keys}), "localhost:5000/busybox", keeping, 1)
}

// kept checks that the file that the container wrote is there.
func (h *host) kept(name, what string) {
	h.Helper()
	h.ready(name)
	if text, _ := h.try("docker exec " + name + " cat /data/file"); strings.TrimSpace(text) != "precious" {
		h.Errorf("/data/file of %s after %s = %q, want precious", name, what, text)
	}
}

// TestDataOutlivesContainer checks that what a container writes below the VOLUME of
// its image is there after everything that makes a new container.
func TestDataOutlivesContainer(t *testing.T) {
	h := newKeeping(t)
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.assign(database("db"))
	h.ready("db")
	h.run("docker exec db sh -c 'echo precious >/data/file'")
	for _, event := range []struct{ name, script string }{
		{"a crash", "kill -9 $PID"},
		{"systemctl restart", "systemctl restart dockhost@db"},
		{"a killed supervisor", "systemctl kill -s KILL --kill-who=main dockhost@db"},
		{"a restart of Docker", "systemctl restart docker"},
		{"docker rm -f -v", "docker rm -f -v db"},
		{"a restart by Docker", "docker restart db"},
		{"a stop and a start", "systemctl stop dockhost@db; systemctl start dockhost@db"},
		{"another declaration", "sed -i 's/^    db:/&\\n      hostname: other/' " + seed + "/user-data; systemctl reload dockhost"},
	} {
		pid := h.pid("db")
		h.run("PID=" + pid + "; " + event.script)
		h.eventually("a new process after "+event.name, func() error {
			if now, code := h.try("docker inspect -f '{{.State.Pid}}' db"); code != 0 || strings.TrimSpace(now) == pid || strings.TrimSpace(now) == "0" {
				return fmt.Errorf("pid is %s", now)
			}
			return nil
		})
		h.kept("db", event.name)
	}
	h.reboots()
	h.kept("db", "a reboot")
	if c := h.ready("db"); len(c.Volumes) != 1 || c.Volumes[0].Path != "/data" || c.Volumes[0].Name != "db__data" {
		t.Errorf("volumes in status = %+v, want db__data at /data", c.Volumes)
	}
	h.assign("dockhost: {containers: {}}")
	h.reaches("dockhost@db", "inactive")
	h.assign(database("db"))
	h.kept("db", "it was taken out and put in again")
}

// TestVolumesAreRemovedOnRequest checks that only dockhostctl rm --volumes and
// housekeeping with volumes: remove the volumes of a container, and only of that one.
func TestVolumesAreRemovedOnRequest(t *testing.T) {
	h := newKeeping(t)
	h.run("docker volume create own >/dev/null; systemctl start dockhost.socket")
	h.Cleanup(func() { h.try("docker volume rm own") })
	volumes := func(want string) {
		t.Helper()
		if got := strings.Join(strings.Fields(h.run("docker volume ls -q --filter name=own --filter name=__data | sort")), " "); got != want {
			t.Errorf("volumes = %q, want %q", got, want)
		}
	}
	for _, name := range []string{"db", "web", "old"} {
		h.run("dockhostctl run --name " + name + " --stop-signal KILL " + keeping + " sleep 1000000")
	}
	h.run("dockhostctl rm db old")
	volumes("db__data old__data own web__data")
	h.run("dockhostctl rm --volumes db")
	volumes("old__data own web__data")
	if out, code := h.try("dockhostctl rm --volumes db"); code != 1 || !strings.Contains(out, "no such container") {
		t.Errorf("the second rm --volumes exits %d with %q, want 1 and no such container", code, out)
	}
	h.keepsHouse("images: off, containers: off, volumes: dangling")
	if gc, code := h.gc(""); code != 0 {
		t.Errorf("gc exits %d with %+v", code, gc)
	}
	volumes("own web__data")
	h.run("dockhostctl rm --volumes web")
	volumes("own")
}

// TestRunKeepsVolumesWithoutRm checks units of dockhost run: as with docker run, --rm
// removes the anonymous volumes; without it the next container continues with them.
func TestRunKeepsVolumesWithoutRm(t *testing.T) {
	h := newKeeping(t)
	for flags, want := range map[string]string{"--rm": "", "": "precious"} {
		h.unit("db.service", service("/usr/bin/dockhost run "+flags+" --name db --stop-signal KILL "+keeping+" sleep 1000000"))
		h.start("db")
		before := len(strings.Fields(h.run("docker volume ls -q")))
		h.run("docker exec db sh -c 'echo precious >/data/file'; systemctl restart db; systemctl kill -s KILL --kill-who=main db; systemctl stop db; systemctl start db")
		if text := strings.TrimSpace(h.run("docker exec db sh -c 'cat /data/file 2>/dev/null; true'")); text != want {
			t.Errorf("/data/file with %q after restarts = %q, want %q", flags, text, want)
		}
		if after := len(strings.Fields(h.run("docker volume ls -q"))); after != before {
			t.Errorf("%d volumes with %q after restarts, want %d", after, flags, before)
		}
		h.run("systemctl stop db; docker rm -f -v db >/dev/null 2>&1 || true")
	}
}

// TestVolumesFromAreSeen checks that a container sees the volumes that it takes from
// another one, also at the VOLUME of its image.
func TestVolumesFromAreSeen(t *testing.T) {
	h := newKeeping(t)
	h.run("systemctl start dockhost.socket; docker create --name data -v /data localhost:5000/busybox >/dev/null")
	h.run("echo precious >$(docker inspect -f '{{(index .Mounts 0).Source}}' data)/file")
	h.run("dockhostctl run --name app --stop-signal KILL --volumes-from data " + keeping + " sleep 1000000")
	h.kept("app", "its first start")
	h.run("systemctl restart dockhost@app")
	h.kept("app", "a restart")
	if out, code := h.try("dockhostctl run --name lost --volumes-from absent " + keeping + " sleep 1000000"); code == 0 || !strings.Contains(out, "use the volumes of another container") {
		t.Errorf("run with the volumes of a missing container exits %d with %q", code, out)
	}
}
