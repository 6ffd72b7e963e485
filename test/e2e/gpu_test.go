//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/gpu"
)

// gpuHost is the program that makes the host look as if it had GPUs.
const gpuHost = "/opt/gpu-host"

// driver gives the host what looks like an NVIDIA driver with two GPUs, until
// the test ends, with device nodes that are real. Every container may open
// /dev/nvidia0, which is /dev/zero; /dev/nvidia1 is /dev/fuse, which none may
// that is not given it.
func (h *host) driver() {
	h.Helper()
	program := filepath.Join(h.TempDir(), "host")
	build := exec.Command("go", "build", "-o", program, "../gpu/host")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		h.Fatalf("build test/gpu/host: %v: %s", err, out)
	}
	if out, err := dockerOutside("cp", program, hostName()+":"+gpuHost); err != nil {
		h.Fatalf("copy the stand-in: %v: %s", err, out)
	}
	h.Cleanup(func() {
		h.run("systemctl stop dockhost.socket dockhost.service 'dockhost@*.service'; " + gpuHost + " down; rm -rf /opt/driver /dev/kmsg /run/cdi /etc/cdi " + gpuHost)
	})
	h.run(`
		mkdir -p /opt/driver
		for name in libcuda libnvidia-ml; do echo stand-in >/opt/driver/$name.so.550.54.15; done
		printf '#!/bin/sh\n' >/opt/driver/nvidia-smi
		` + gpuHost + ` up -gpus 2 -driver 550.54.15 -libraries /opt/driver -spec /etc/cdi/nvidia.json
		rm -f /dev/nvidia0 /dev/nvidia1
		mknod -m 666 /dev/nvidia0 c 1 5
		mknod -m 666 /dev/nvidia1 c 10 229`)
}

const library = "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15"

// opens tells which of the GPUs a process in the container can open, by device
// nodes that it makes itself.
func (h *host) opens(name string) string {
	h.Helper()
	h.run("docker exec " + name + " sh -c 'rm -f /0 /1; mknod /0 c 1 5; mknod /1 c 10 229'")
	opened := ""
	for _, gpu := range []string{"0", "1"} {
		if _, code := h.try("docker exec " + name + " sh -c 'exec 3<>/" + gpu + "'"); code == 0 {
			opened += gpu
		}
	}
	return opened
}

// A container has the GPUs that it asks for, and no other, in whatever words it
// asks.
func TestGPURequests(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.assign(idling(map[string][]string{
		"all":      {"gpus: all"},
		"first":    {`gpus: [{count: 1}]`},
		"uuid":     {`gpus: [{device_ids: [GPU-00000001-aaaa-bbbb-cccc-000000000000]}]`},
		"deploy":   {`deploy: {resources: {reservations: {devices: [{driver: nvidia, device_ids: ["1"], capabilities: [gpu]}]}}}`},
		"cdi":      {"devices: [nvidia.com/gpu=1]"},
		"variable": {`environment: {NVIDIA_VISIBLE_DEVICES: "0,1"}`},
		"none":     {`environment: {NVIDIA_VISIBLE_DEVICES: void}`},
	}))
	for name, want := range map[string]string{"all": "01", "first": "0", "uuid": "01", "deploy": "01", "cdi": "01", "variable": "01", "none": "0"} {
		h.ready(name)
		if got := h.opens(name); got != want {
			t.Errorf("%s can open the GPUs %q, want %q", name, got, want)
		}
	}
	nodes := "ls /dev | grep -c '^nvidia'"
	for name, want := range map[string]string{"all": "5", "first": "4", "uuid": "4", "none": "0"} {
		if got, _ := h.try("docker exec " + name + ` sh -c "` + nodes + `"`); strings.TrimSpace(got) != want {
			t.Errorf("%s has %s device nodes of the driver, want %s", name, strings.TrimSpace(got), want)
		}
	}
	if got := h.output("docker exec all cat " + library); got != "stand-in" {
		t.Errorf("the driver's library in the container holds %q", got)
	}
	if got := h.output("tr '\\0' '\\n' </proc/" + h.pid("all") + "/environ | grep NVIDIA_VISIBLE"); got != "NVIDIA_VISIBLE_DEVICES=void" {
		t.Errorf("the container's program has %q, want void: another runtime would add devices", got)
	}
}

// A unit that somebody wrote takes docker run's own flags.
func TestGPUInAUnit(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.write("/run/systemd/system/tool.service", "[Service]\nType=notify\nDelegate=yes\nKillMode=mixed\n"+
		"ExecStart=dockhost run --rm --name tool --gpus device=1 localhost:5000/busybox sh -c '"+idle+"'\n")
	h.Cleanup(func() {
		h.run("systemctl stop tool.service; rm /run/systemd/system/tool.service; systemctl daemon-reload")
	})
	h.run("docker login -u deploy -p s3cret localhost:5000 2>/dev/null; systemctl daemon-reload; systemctl start tool.service")
	if got := h.opens("tool"); got != "01" {
		t.Errorf("the container can open the GPUs %q, want 1 too", got)
	}
}

// Through all that systemd and Docker do to a container that runs, it keeps its
// GPU, and gets no other.
func TestGPUKept(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	h.driver()
	h.assign(idling(map[string][]string{"one": {"devices: [nvidia.com/gpu=1]"}, "zero": {`gpus: [{device_ids: ["0"]}]`}}))
	h.ready("one")
	h.ready("zero")
	pids := h.pid("one") + h.pid("zero")
	for _, command := range []string{
		"systemctl daemon-reload",
		"systemctl daemon-reexec",
		"for name in one zero; do systemctl set-property --runtime dockhost@$name.service CPUWeight=50 TasksMax=500 IOWeight=60 MemoryMax=1G; done",
		"systemctl set-property --runtime system-dockhost.slice CPUWeight=70 IOWeight=70",
		"docker update --cpus 0.5 one zero || [ -e /sys/fs/cgroup/cgroup.controllers ]", // trixie has no controller to set
		"docker pause one zero; docker unpause one zero",
		"systemctl reload dockhost.service",
		"systemctl restart dockhost.service",
		"systemctl reset-failed docker.service docker.socket; systemctl restart docker.service",
		"systemctl daemon-reload",
	} {
		h.run(command)
		for name, want := range map[string]string{"one": "01", "zero": "0"} {
			if got := h.opens(name); got != want {
				t.Errorf("after %q %s can open the GPUs %q, want %q", command, name, got, want)
			}
		}
	}
	if after := h.pid("one") + h.pid("zero"); after != pids {
		t.Errorf("the containers were started anew: pids %s, before %s", after, pids)
	}
	// A container that Docker starts again, and one that systemd does.
	h.run("docker restart one; systemctl restart dockhost@zero.service")
	h.ready("one")
	h.ready("zero")
	for name, want := range map[string]string{"one": "01", "zero": "0"} {
		if got := h.opens(name); got != want {
			t.Errorf("after a restart %s can open the GPUs %q, want %q", name, got, want)
		}
	}
}

// What cannot be had is refused before the pull, with what was found.
func TestGPURefused(t *testing.T) {
	h := newHost(t)
	refused := func(key, image, want string) {
		t.Helper()
		h.assign("dockhost:\n  containers:\n    gpu:\n      image: localhost:5000/" + image + "\n      " + key + "\n" + registries)
		h.eventually("refused: "+want, func() error {
			c, err := h.container("gpu")
			if err == nil && (c.LastError == nil || !strings.Contains(c.LastError.Message, want)) &&
				(c.Pending == nil || !strings.Contains(c.Pending.Error, want)) {
				err = fmt.Errorf("it is %+v, %+v", c, c.Pending)
			}
			return err
		})
	}
	refused("gpus: all", "there-is-none", "this host has no NVIDIA GPU (choose a machine with one, or remove gpus)")
	h.driver()
	refused("gpus: [{count: 3}]", "there-is-none", "3 GPUs are requested, but this host has 2")
	refused(`gpus: [{device_ids: ["5"]}]`, "there-is-none", "GPU 5 is requested, but this host has GPUs 0 and 1")
}

// A container may wait for its GPU, and takes it when it comes.
func TestGPUWait(t *testing.T) {
	h := newHost(t)
	h.assign(idling(map[string][]string{"late": {"gpus: all", "x-dockhost: {gpu: {wait: 5m}}"}}))
	h.eventually("it waits", func() error {
		if status := h.property("dockhost@late.service", "StatusText"); !strings.Contains(status, "waiting for a GPU") || !strings.Contains(status, "this host has no NVIDIA GPU") {
			return fmt.Errorf("status %q", status)
		}
		return nil
	})
	if restarts := h.property("dockhost@late.service", "NRestarts"); restarts != "0" {
		t.Errorf("it was restarted %s times while it waited", restarts)
	}
	h.driver()
	h.ready("late")
	if got := h.opens("late"); got != "01" {
		t.Errorf("it can open the GPUs %q", got)
	}
}

// A GPU that is one container's alone is given to no other.
func TestGPUExclusive(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.assign(idling(map[string][]string{
		"mine":  {`gpus: [{device_ids: ["0"]}]`, "x-dockhost: {gpu: {exclusive: true}}"},
		"split": {`gpus: [{device_ids: ["1"]}]`},
		"taker": {"gpus: all"},
	}))
	h.ready("split")
	h.eventually("the taker is refused", func() error {
		c, err := h.container("taker")
		if err == nil && (c.LastError == nil || !strings.Contains(c.LastError.Message, "GPU 0 is also claimed by dockhost@mine.service, and that unit needs it exclusively")) {
			err = fmt.Errorf("it is %+v", c)
		}
		return err
	})
}

// A lost GPU is in the status, and where it is asked for the container is
// started anew.
func TestGPULoss(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.assign(idling(map[string][]string{
		"told":    {"devices: [nvidia.com/gpu=1]", "x-dockhost: {gpu: {check: 1s}}"},
		"started": {"devices: [nvidia.com/gpu=1]", "x-dockhost: {gpu: {check: 1s, on_loss: restart}}"},
	}))
	h.ready("told")
	h.ready("started")
	told, started := h.pid("told"), h.pid("started")
	lost := func(name, want string) {
		t.Helper()
		h.eventually(name+" has lost "+want, func() error {
			c, err := h.container(name)
			if err == nil && (want == "") != (c.GPU == "") || !strings.Contains(c.GPU, want) {
				err = fmt.Errorf("it is %+v", c)
			}
			return err
		})
	}
	// As systemd takes a device away that Docker was not told of: on v1 by a
	// rule, on v2 by a program, which runc alone can attach here.
	cgroup := h.property("dockhost@told.service", "ControlGroup") + "/container"
	if h.unified() {
		h.run("docker exec told mv /dev/nvidia1 /dev/away")
		lost("told", "/dev/nvidia1: no such file or directory")
		h.run("docker exec told mv /dev/away /dev/nvidia1")
	} else {
		h.run("echo 'c 10:229 rwm' >/sys/fs/cgroup/devices" + cgroup + "/devices.deny")
		lost("told", "/dev/nvidia1: operation not permitted")
		h.run("echo 'c 10:229 rwm' >/sys/fs/cgroup/devices" + cgroup + "/devices.allow")
	}
	lost("told", "")
	if after := h.pid("told"); after != told {
		t.Errorf("it was started anew, and nobody asked for that")
	}
	if at := h.tracked(h.output("systemctl show --value -p MainPID dockhost@told.service")); !strings.HasSuffix(at, "/supervisor") {
		t.Errorf("the supervisor lies in %q", at)
	}
	// The driver says that a GPU is gone; which of the two the checks are told
	// by its address.
	h.run("echo \"4,1,$(( ($(cut -d. -f1 /proc/uptime) + 1) * 1000000 )),-;NVRM: Xid (PCI:0000:02:00): 79, pid=1, GPU has fallen off the bus.\" >/dev/kmsg")
	lost("told", "fallen off the bus (Xid 79")
	h.eventually("the other was started anew", func() error {
		if restarts := h.property("dockhost@started.service", "NRestarts"); restarts == "0" {
			return fmt.Errorf("it was not")
		}
		return nil
	})
	h.run("rm /dev/kmsg")
	lost("told", "")
	h.ready("started")
	if after := h.pid("started"); after == started {
		t.Errorf("it is the same process as before")
	}
	if s, code := h.status(); code != 0 || !s.Well {
		t.Errorf("status exits %d: %+v, want that all is well again", code, s)
	}
}

// dockhostctl gpu tells what there is, who has it, and who uses it.
func TestGPUReport(t *testing.T) {
	h := newHost(t)
	report := func(code int) gpu.Report {
		t.Helper()
		out, got := h.try("dockhostctl gpu --json")
		var r gpu.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || got != code {
			t.Fatalf("dockhostctl gpu exits %d, %v, want %d: %s", got, err, code, out)
		}
		return r
	}
	if r := report(0); r.Driver.Loaded || len(r.GPUs) != 0 {
		t.Errorf("on a host without GPUs: %+v", r)
	}
	h.driver()
	h.assign("dockhost:\n  containers:\n    user: {image: 'localhost:5000/busybox', command: [sh, -c, 'exec 9<>/dev/nvidia1; sleep 1000'], gpus: [{device_ids: ['1']}]}\n" + registries)
	h.ready("user")
	var r gpu.Report
	h.eventually("the program has opened its GPU", func() error {
		if r = report(0); len(r.GPUs) != 2 || len(r.GPUs[1].Processes) == 0 {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	if r.Driver.Version != "550.54.15" || r.CDI.Source != "/etc/cdi/nvidia.json" || len(r.GPUs[0].Units) != 0 {
		t.Errorf("report = %+v", r)
	}
	one := r.GPUs[1]
	if len(one.Units) != 1 || one.Units[0] != "dockhost@user.service" || one.Processes[0].Unit != "dockhost@user.service" || fmt.Sprint(one.Processes[0].Pid) != h.pid("user") {
		t.Errorf("GPU 1 = %+v, want it used by dockhost@user.service", one)
	}
	if out := h.run("dockhostctl gpu"); !strings.Contains(out, "dockhost@user.service") {
		t.Errorf("dockhostctl gpu says:\n%s", out)
	}
}

// A request that is left to Docker is Docker's: to its own CDI support where it
// has it, and else to what it says of a host without NVIDIA's toolkit.
func TestGPULeftToDocker(t *testing.T) {
	h := newHost(t)
	h.driver()
	if *suite == "bookworm" { // Docker 20.10 has no CDI
		h.assign(idling(map[string][]string{"app": {"gpus: all", "x-dockhost: {gpu: docker}"}}))
		h.eventually("Docker's own refusal is told", func() error {
			c, err := h.container("app")
			if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, "could not select device driver") {
				return fmt.Errorf("app is %+v, %w", c, err)
			}
			return nil
		})
		return
	}
	h.configureDocker("features", `{"cdi": true}`)
	h.assign(idling(map[string][]string{"app": {"devices: [nvidia.com/gpu=1]", "x-dockhost: {gpu: docker}"}}))
	h.ready("app")
	if got := h.opens("app"); got != "01" {
		t.Errorf("the container can open the GPUs %q, want 1 too", got)
	}
}

// On a host that has NVIDIA's toolkit, what that describes is taken, and kept
// for the next boot.
func TestGPUByToolkit(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.Cleanup(func() { h.run("rm -rf /var/lib/dockhost/nvidia") })
	h.run("rm -rf /etc/cdi /run/cdi /var/lib/dockhost/nvidia; " + gpuHost + " up -gpus 2 -libraries /opt/driver -ctk")
	h.run("rm -f /dev/nvidia0 /dev/nvidia1; mknod -m 666 /dev/nvidia0 c 1 5; mknod -m 666 /dev/nvidia1 c 10 229")
	h.assign(idling(map[string][]string{"app": {`gpus: [{device_ids: ["1"]}]`}}))
	h.ready("app")
	if got := h.opens("app"); got != "01" {
		t.Errorf("the container can open the GPUs %q, want 1 too", got)
	}
	if out, _ := h.try("dockhostctl gpu"); !strings.Contains(out, "/run/cdi/nvidia.yaml, by nvidia-ctk") {
		t.Errorf("dockhostctl gpu says %s, want that nvidia-ctk described the GPUs", out)
	}
	h.run("grep -q nvidia.com/gpu /var/lib/dockhost/nvidia/cdi.json")
}
