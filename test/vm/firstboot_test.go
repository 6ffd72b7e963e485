//go:build vm

package vm

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// preloaded is the image that bake has put into the disk image. No registry
// answers at its name.
const preloaded = "localhost:5000/app:1"

// app is user data that assigns an image, with these keys of a Compose service.
func app(image string, keys ...string) string {
	text := `#cloud-config
dockhost:
  containers:
    app:
      image: ` + image + `
      ports: ["8080:8080"]
`
	for _, key := range keys {
		text += "      " + key + "\n"
	}
	return text
}

// limits are keys that limit the container and its unit.
var limits = []string{
	"mem_limit: 96m", "cpus: 0.5", "pids_limit: 64",
	"x-dockhost: {notify: healthy, unit: {Service: {MemoryMax: 128M, TasksMax: 200, IOWriteBandwidthMax: /dev/vda 1M}}}",
}

// waitsForApp makes cloud-init's last stage wait for the container. That fails if
// the container waits for cloud-init.
const waitsForApp = `runcmd:
  - for i in $(seq 400); do systemctl is-active dockhost@app && touch /run/app-was-first && break; sleep 1; done
`

// TestFirstBootRunsContainer boots a baked image for the first time, with user data
// on a disc: the preloaded image runs in its unit's cgroup, with its limits.
func TestFirstBootRunsContainer(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-canary", app(preloaded, limits...)+waitsForApp)})
	status := m.well("1")
	if status.Source.Datasource != "NoCloud" || status.Source.InstanceID != "i-canary" {
		t.Errorf("source = %+v, want NoCloud and i-canary", status.Source)
	}
	m.checkOrder()
	m.checkPlace()
	m.checkImage()
	m.checkClean()
	m.checkDenials()
}

// checkDenials checks that doctor tells what AppArmor denies, by a line in the kernel's log
// as AppArmor writes it. Only a machine of its own has a log of its own.
func (m *machine) checkDenials() {
	m.Helper()
	const denial = `apparmor="DENIED" operation="signal" profile="docker-default"`
	m.run("echo 'audit: type=1400 audit(1.1:1): " + denial + "' >/dev/kmsg")
	m.eventually(func() string {
		if out, _ := m.try("dockhostctl doctor"); !strings.Contains(out, denial) {
			return "doctor prints " + out
		}
		return ""
	})
}

// checkOrder checks that the container was ready before cloud-init's last stage.
func (m *machine) checkOrder() {
	m.Helper()
	m.eventually(func() string {
		if state := m.property("cloud-final.service", "ActiveState"); state != "active" {
			return "cloud-final.service is " + state
		}
		return ""
	})
	if _, code := m.try("test -e /run/app-was-first"); code != 0 {
		m.Error("app was not ready before the end of cloud-init's last stage")
	}
	m.Logf("after the kernel's start: dockerd %d ms, app ready %d ms, cloud-final %d ms",
		m.since("docker.service")/1000, m.since("dockhost@app.service")/1000, m.since("cloud-final.service")/1000)
}

// since returns when a unit became active, in microseconds since the boot.
func (m *machine) since(unit string) int {
	m.Helper()
	at, err := strconv.Atoi(m.property(unit, "ActiveEnterTimestampMonotonic"))
	if err != nil {
		m.Fatal(err)
	}
	return at
}

// checkPlace checks that the container is in its unit's cgroup, and the limits of
// both.
func (m *machine) checkPlace() {
	m.Helper()
	if fs := m.run("stat -f -c %T /sys/fs/cgroup"); fs != "cgroup2fs" {
		m.Errorf("file system of /sys/fs/cgroup = %s, want cgroup2fs", fs)
	}
	unit := "/sys/fs/cgroup" + m.property("dockhost@app.service", "ControlGroup")
	pid := m.run("docker inspect -f '{{.State.Pid}}' app")
	place := "/sys/fs/cgroup" + strings.TrimPrefix(m.run("cat /proc/"+pid+"/cgroup"), "0::")
	if place != unit+"/container" {
		m.Fatalf("cgroup of the container = %s, want %s", place, unit+"/container")
	}
	disk := m.run("cat /sys/block/vda/dev")
	for file, want := range map[string]string{
		"/proc/" + m.property("dockhost@app.service", "MainPID") + "/oom_score_adj": "-998",
		"/proc/" + pid + "/oom_score_adj":                                           "0",

		unit + "/memory.max":  fmt.Sprint(128 << 20),
		unit + "/pids.max":    "200",
		unit + "/io.max":      disk + " rbps=max wbps=1000000 riops=max wiops=max",
		place + "/memory.max": fmt.Sprint(96 << 20),
		place + "/pids.max":   "64",
		place + "/cpu.max":    "50000 100000",
	} {
		if got := m.run("cat " + file); got != want {
			m.Errorf("%s = %s, want %s", file, got, want)
		}
	}
	controllers := m.run("cat " + place + "/cgroup.controllers")
	for _, want := range []string{"cpu", "io", "memory", "pids"} {
		if !strings.Contains(" "+controllers+" ", " "+want+" ") {
			m.Errorf("controllers of the container = %s, want %s in them", controllers, want)
		}
	}
}

// checkImage checks that the container runs the image that preloaded.json records.
func (m *machine) checkImage() {
	m.Helper()
	id := m.run("docker inspect -f '{{.Image}}' app")
	record := m.run("cat /var/lib/dockhost/preloaded.json")
	if !strings.Contains(record, `"`+id+`"`) || !strings.Contains(record, `"`+preloaded+`"`) {
		m.Errorf("preloaded.json = %s, want the image of app, %s, in it", record, id)
	}
}

// checkClean checks that the machine has its own machine-id, and no failed unit.
func (m *machine) checkClean() {
	m.Helper()
	if id := m.run("cat /etc/machine-id"); len(id) != 32 {
		m.Errorf("machine-id = %q, want a new one", id)
	}
	if failed := m.run("systemctl list-units --failed --plain --no-legend"); failed != "" {
		m.Errorf("failed units: %s", failed)
	}
}
