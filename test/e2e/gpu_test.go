//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/gpu"
)

// gpuHost is the program that makes the host look like one with GPUs.
const gpuHost = "/opt/gpu-host"

// driver makes the host look like one with NVIDIA's driver and two GPUs until the
// test ends. The device nodes are real: /dev/nvidia0 is /dev/zero, which every
// container may open, and /dev/nvidia1 is /dev/fuse, which only a container with
// that device may open.
func (h *host) driver() {
	h.Helper()
	if out, err := dockerOutside("cp", h.program("../gpu/host"), hostName()+":"+gpuHost); err != nil {
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

// opens returns which GPUs a process in the container can open, by device nodes
// that it creates itself.
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

// TestContainerGetsRequestedGPUs requests GPUs in each possible notation: a
// container gets these GPUs and no other.
func TestContainerGetsRequestedGPUs(t *testing.T) {
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
		t.Errorf("the driver's library in the container has %q, want stand-in", got)
	}
	if got := h.output("tr '\\0' '\\n' </proc/" + h.pid("all") + "/environ | grep NVIDIA_VISIBLE"); got != "NVIDIA_VISIBLE_DEVICES=void" {
		t.Errorf("environment of the container = %q, want void: otherwise NVIDIA's runtime would add devices", got)
	}
}

// TestGPUsFlagWorksInHandWrittenUnit uses docker run's flag --gpus in a
// hand-written unit.
func TestGPUsFlagWorksInHandWrittenUnit(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.write("/run/systemd/system/tool.service", "[Service]\nType=notify\nDelegate=yes\nKillMode=mixed\n"+
		"ExecStart=dockhost run --rm --name tool --gpus device=1 localhost:5000/busybox sh -c '"+idle+"'\n")
	h.Cleanup(func() {
		h.run("systemctl stop tool.service; rm /run/systemd/system/tool.service; systemctl daemon-reload")
	})
	h.run("docker login -u deploy -p s3cret localhost:5000 2>/dev/null; systemctl daemon-reload; systemctl start tool.service")
	if got := h.opens("tool"); got != "01" {
		t.Errorf("the container can open the GPUs %q, want 01", got)
	}
}

// TestGPUStaysUsable runs the commands of systemd and Docker that rewrite the
// device rules of a container: it keeps its GPU, and gets no other.
func TestGPUStaysUsable(t *testing.T) {
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
		"docker update --cpus 0.5 one zero || [ -e /sys/fs/cgroup/cgroup.controllers ]", // trixie's test host lacks the controller
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
		t.Errorf("pids = %s, want %s: the containers were restarted", after, pids)
	}
	// Docker restarts one container, and systemd the other.
	h.run("docker restart one; systemctl restart dockhost@zero.service")
	h.ready("one")
	h.ready("zero")
	for name, want := range map[string]string{"one": "01", "zero": "0"} {
		if got := h.opens(name); got != want {
			t.Errorf("after a restart %s can open the GPUs %q, want %q", name, got, want)
		}
	}
}

// TestMissingGPUIsRefused requests GPUs that the host lacks: the container is
// refused before the pull, and the error says which GPUs the host has.
func TestMissingGPUIsRefused(t *testing.T) {
	h := newHost(t)
	refused := func(key, image, want string) {
		t.Helper()
		h.assign("dockhost:\n  containers:\n    gpu:\n      image: localhost:5000/" + image + "\n      " + key + "\n" + registries)
		h.eventually("refused: "+want, func() error {
			c, err := h.container("gpu")
			if err == nil && (c.LastError == nil || !strings.Contains(c.LastError.Message, want)) &&
				(c.Pending == nil || !strings.Contains(c.Pending.Error, want)) {
				err = fmt.Errorf("status = %+v, %+v", c, c.Pending)
			}
			return err
		})
	}
	refused("gpus: all", "there-is-none", "this host has no NVIDIA GPU (choose a machine with one, or remove gpus)")
	h.driver()
	refused("gpus: [{count: 3}]", "there-is-none", "3 GPUs are requested, but this host has 2")
	refused(`gpus: [{device_ids: ["5"]}]`, "there-is-none", "GPU 5 is requested, but this host has GPUs 0 and 1")
}

// TestContainerWaitsForGPU starts a container before its GPU exists: it waits, and
// starts once the GPU appears.
func TestContainerWaitsForGPU(t *testing.T) {
	h := newHost(t)
	h.assign(idling(map[string][]string{"late": {"gpus: all", "x-dockhost: {gpu: {wait: 5m}}"}}))
	h.eventually("it waits", func() error {
		if status := h.property("dockhost@late.service", "StatusText"); !strings.Contains(status, "waiting for a GPU") || !strings.Contains(status, "this host has no NVIDIA GPU") {
			return fmt.Errorf("StatusText = %q", status)
		}
		return nil
	})
	if restarts := h.property("dockhost@late.service", "NRestarts"); restarts != "0" {
		t.Errorf("NRestarts = %s while it waits, want 0", restarts)
	}
	h.driver()
	h.ready("late")
	if got := h.opens("late"); got != "01" {
		t.Errorf("the container can open the GPUs %q, want 01", got)
	}
}

// TestExclusiveGPUIsNotShared requests a GPU that another container has
// exclusively.
func TestExclusiveGPUIsNotShared(t *testing.T) {
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
			err = fmt.Errorf("status = %+v", c)
		}
		return err
	})
}

// TestGPULossIsReported takes a GPU away: the status shows the loss, and a
// container with on_loss: restart restarts.
func TestGPULossIsReported(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.assign(idling(map[string][]string{
		"reported":  {"devices: [nvidia.com/gpu=1]", "x-dockhost: {gpu: {check: 1s}}"},
		"restarted": {"devices: [nvidia.com/gpu=1]", "x-dockhost: {gpu: {check: 1s, on_loss: restart}}"},
	}))
	h.ready("reported")
	h.ready("restarted")
	reported, restarted := h.pid("reported"), h.pid("restarted")
	lost := func(name, want string) {
		t.Helper()
		h.eventually("the status of "+name+" shows the loss "+strconv.Quote(want), func() error {
			c, err := h.container(name)
			if err == nil && (want == "") != (c.GPU == "") || !strings.Contains(c.GPU, want) {
				err = fmt.Errorf("status = %+v", c)
			}
			return err
		})
	}
	// On cgroup v1 a rule removes the device, as systemd does for a device that it
	// does not know. On v2 that needs a BPF program that only runc can attach here,
	// so the device node goes instead.
	cgroup := h.property("dockhost@reported.service", "ControlGroup") + "/container"
	if h.unified() {
		h.run("docker exec reported mv /dev/nvidia1 /dev/away")
		lost("reported", "/dev/nvidia1: no such file or directory")
		h.run("docker exec reported mv /dev/away /dev/nvidia1")
	} else {
		h.run("echo 'c 10:229 rwm' >/sys/fs/cgroup/devices" + cgroup + "/devices.deny")
		lost("reported", "/dev/nvidia1: operation not permitted")
		h.run("echo 'c 10:229 rwm' >/sys/fs/cgroup/devices" + cgroup + "/devices.allow")
	}
	lost("reported", "")
	if after := h.pid("reported"); after != reported {
		t.Errorf("pid = %s, want %s: the container was restarted without on_loss", after, reported)
	}
	if cgroup := h.tracked(h.output("systemctl show --value -p MainPID dockhost@reported.service")); !strings.HasSuffix(cgroup, "/supervisor") {
		t.Errorf("cgroup of the supervisor = %q, want the unit's supervisor", cgroup)
	}
	// The driver reports a lost GPU by its PCI address.
	h.run("echo \"4,1,$(( ($(cut -d. -f1 /proc/uptime) + 1) * 1000000 )),-;NVRM: Xid (PCI:0000:02:00): 79, pid=1, GPU has fallen off the bus.\" >/dev/kmsg")
	lost("reported", "fallen off the bus (Xid 79")
	h.eventually("the other container restarts", func() error {
		if restarts := h.property("dockhost@restarted.service", "NRestarts"); restarts == "0" {
			return fmt.Errorf("NRestarts = %s", restarts)
		}
		return nil
	})
	h.run("rm /dev/kmsg")
	lost("reported", "")
	h.ready("restarted")
	if after := h.pid("restarted"); after == restarted {
		t.Errorf("pid = %s, want another", after)
	}
	if s, code := h.status(); code != 0 || !s.Well {
		t.Errorf("status exits %d with %+v, want 0 and well", code, s)
	}
}

// TestGPUCommandShowsUsers checks that dockhostctl gpu shows the GPUs, the units
// that have them, and the processes that use them.
func TestGPUCommandShowsUsers(t *testing.T) {
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
		t.Errorf("report of a host without GPUs = %+v, want none", r)
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
		t.Errorf("dockhostctl gpu prints %s, want dockhost@user.service in it", out)
	}
}

// TestGPURequestIsLeftToDocker sets gpu: docker, which leaves the request to
// Docker: to its own CDI support, or without that to its error about a host
// without NVIDIA's toolkit.
func TestGPURequestIsLeftToDocker(t *testing.T) {
	h := newHost(t)
	h.driver()
	if *suite == "bookworm" { // Docker 20.10 has no CDI
		h.assign(idling(map[string][]string{"app": {"gpus: all", "x-dockhost: {gpu: docker}"}}))
		h.eventually("the status shows Docker's error", func() error {
			c, err := h.container("app")
			if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, "could not select device driver") {
				return fmt.Errorf("status = %+v, %w", c, err)
			}
			return nil
		})
		return
	}
	h.configureDocker("features", `.features + {"cdi": true}`)
	h.assign(idling(map[string][]string{"app": {"devices: [nvidia.com/gpu=1]", "x-dockhost: {gpu: docker}"}}))
	h.ready("app")
	if got := h.opens("app"); got != "01" {
		t.Errorf("the container can open the GPUs %q, want 01", got)
	}
}

// TestToolkitDescriptionIsKept runs on a host with NVIDIA's toolkit: dockhost uses
// the toolkit's description of the GPUs, and keeps it for the next boot.
func TestToolkitDescriptionIsKept(t *testing.T) {
	h := newHost(t)
	h.driver()
	h.Cleanup(func() { h.run("rm -rf /var/lib/dockhost/nvidia") })
	h.run("rm -rf /etc/cdi /run/cdi /var/lib/dockhost/nvidia; " + gpuHost + " up -gpus 2 -libraries /opt/driver -ctk")
	h.run("rm -f /dev/nvidia0 /dev/nvidia1; mknod -m 666 /dev/nvidia0 c 1 5; mknod -m 666 /dev/nvidia1 c 10 229")
	h.assign(idling(map[string][]string{"app": {`gpus: [{device_ids: ["1"]}]`}}))
	h.ready("app")
	if got := h.opens("app"); got != "01" {
		t.Errorf("the container can open the GPUs %q, want 01", got)
	}
	if out, _ := h.try("dockhostctl gpu"); !strings.Contains(out, "/run/cdi/nvidia.yaml, by nvidia-ctk") {
		t.Errorf("dockhostctl gpu prints %s, want a description by nvidia-ctk", out)
	}
	h.run("grep -q nvidia.com/gpu /var/lib/dockhost/nvidia/cdi.json")
}
