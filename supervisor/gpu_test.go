package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// gpuRig is a rig whose container asks for all GPUs. The answers of `dockhost gpu
// attach` and `dockhost gpu check` are in files.
func gpuRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.dockhost = r.write("bin/dockhost", "#!/bin/sh\ncat >>\"$0.asked\"; cat \"$0.$2\"\n")
	if err := os.Chmod(r.dockhost, 0o700); err != nil {
		t.Fatal(err)
	}
	r.spec.GPU = &spec.GPUNeeds{Requests: []spec.GPURequest{{Count: spec.AllGPUs}}}
	r.answers("attach", `{"status":"loading the driver"}`+"\n"+`{"attachment":{"devices":["nvidia.com/gpu=0"],"gpus":["GPU-0"],"edits":{"linux":{"devices":[{"path":"/dev/nvidia0","major":195}]}}}}`)
	return r
}

// answers sets the answer of a command atomically.
func (r *rig) answers(command, text string) {
	r.t.Helper()
	file := r.write("bin/next", text+"\n")
	if err := os.Rename(file, filepath.Join(r.root, "bin/dockhost."+command)); err != nil {
		r.t.Fatal(err)
	}
}

const noGPU = `{"refusal":"no GPU here (buy one)"}`

// The placement contains the edits that add the devices.
func TestGPUPlaced(t *testing.T) {
	r := gpuRig(t)
	l := r.start()
	l.ready()
	placed, err := placement.All(r.dir.RuntimeDir())
	if err != nil || len(placed) != 1 {
		t.Fatalf("All() = %v, %v, want one placement", placed, err)
	}
	for _, p := range placed {
		if !strings.Contains(string(p.Edits), "/dev/nvidia0") || len(p.GPUs) != 1 || len(p.Devices) != 1 {
			t.Errorf("placement = %+v, want the edits and the GPU", p)
		}
	}
	if r.notify.count("STATUS loading the driver") != 1 {
		t.Errorf("systemd was not sent the status:\n%s", r.notify)
	}
	l.stop()
	l.ends(0, "")
	asked, err := os.ReadFile(r.dockhost + ".asked")
	if err != nil || !strings.Contains(string(asked), `"container":"app","gpu":{"requests":[{"count":-1}]}`) || strings.Count(string(asked), "unit") != 1 {
		t.Errorf("the program was asked %s, %v, want the request once", asked, err)
	}
}

// A container whose GPUs are not available fails before the pull.
func TestGPURefused(t *testing.T) {
	r := gpuRig(t)
	r.spec.Image = "not:there"
	r.answers("attach", noGPU)
	l := r.start()
	l.ends(ExitNotRun, "no GPU here (buy one)")
	if pulls := r.notify.count("STATUS pulling"); pulls != 0 {
		t.Errorf("the image was pulled for a container that cannot run:\n%s", r.notify)
	}
}

// A container that waits for its GPUs starts once they are available, and shows
// what it waits for.
func TestGPUWait(t *testing.T) {
	r := gpuRig(t)
	good, err := os.ReadFile(r.dockhost + ".attach")
	if err != nil {
		t.Fatal(err)
	}
	r.spec.GPU.Wait = time.Minute
	r.answers("attach", noGPU)
	l := r.start()
	l.until("waiting", func() bool {
		return strings.Contains(r.notify.String(), "left: no GPU here (buy one)") && r.notify.count("EXTEND") > 1
	})
	r.answers("attach", string(good))
	l.ready()
	l.stop()
	l.ends(0, "")
}

func TestGPUWaitEnds(t *testing.T) {
	r := gpuRig(t)
	r.spec.GPU.Wait = 300 * time.Millisecond
	r.answers("attach", noGPU)
	r.start().ends(ExitNotRun, "no GPU here")
}

// The supervisor does not wait for a program that is missing or broken.
func TestGPUBroken(t *testing.T) {
	for name, breakIt := range map[string]func(r *rig){
		"missing":   func(r *rig) { r.dockhost += "none" },
		"silent":    func(r *rig) { r.answers("attach", "") },
		"talkative": func(r *rig) { r.answers("attach", "panic: at the disco") },
	} {
		t.Run(name, func(t *testing.T) {
			r := gpuRig(t)
			r.spec.GPU.Wait = time.Hour
			breakIt(r)
			r.start().ends(ExitNotRun, r.dockhost)
		})
	}
}

// Outside a unit, dockhost-runtime does not add devices to the configuration.
func TestGPUWithoutUnit(t *testing.T) {
	r := gpuRig(t)
	r.spec.Run = &spec.Run{}
	r.write("proc/self/cgroup", "0::/user.slice/session-1.scope\n")
	r.start().ends(ExitNotRun, "--gpu-opt mode=docker")
}

// The loss of a GPU is reported, and so is its end.
func TestGPULost(t *testing.T) {
	r := gpuRig(t)
	r.spec.GPU.Check = time.Millisecond
	r.answers("check", `{"lost":""}`)
	l := r.start()
	l.ready()
	r.answers("check", `{"lost":"/dev/nvidia0: operation not permitted"}`)
	l.until("the loss", func() bool {
		return r.state().GPU != "" && r.notify.count("STATUS running app:1, but it lost a GPU: /dev/nvidia0: operation not permitted") > 0
	})
	r.answers("check", `{"lost":""}`)
	l.until("the end of the loss", func() bool { return r.state().GPU == "" && r.state().Ready })
	l.stop()
	l.ends(0, "")
}

// With on_loss: restart, a loss stops the container, so that systemd starts it
// again.
func TestGPULossRestarts(t *testing.T) {
	r := gpuRig(t)
	r.spec.GPU.Check, r.spec.GPU.OnLoss = time.Millisecond, spec.LossRestart
	r.answers("check", `{"lost":"it has fallen off the bus"}`)
	l := r.start()
	l.ends(1, "lost a GPU, and was stopped so that systemd starts it again: it has fallen off the bus")
	l.leftNothing()
}

// Two checks in a row that do not end count as a loss.
func TestGPUCheckSilent(t *testing.T) {
	r := gpuRig(t)
	r.spec.GPU.Check, r.gpuCheckTimeout = time.Millisecond, 50*time.Millisecond
	if err := syscall.Mkfifo(r.dockhost+".check", 0o600); err != nil {
		t.Fatal(err)
	}
	l := r.start()
	l.ready()
	l.until("the loss", func() bool { return strings.Contains(r.state().GPU, "gets no answer") })
	l.stop()
	l.ends(0, "")
}

// A check that cannot be made does not count as a loss.
func TestGPUCheckBroken(t *testing.T) {
	r := gpuRig(t)
	r.spec.GPU.Check, r.spec.GPU.OnLoss = time.Millisecond, spec.LossRestart
	core, logged := observer.New(zap.WarnLevel)
	r.log = zap.New(core)
	l := r.start()
	l.ready()
	l.until("the warning", func() bool { return logged.FilterMessage("the GPUs cannot be checked").Len() > 0 })
	if lost := r.state().GPU; lost != "" {
		t.Errorf("lost = %q, want nothing", lost)
	}
	l.stop()
	l.ends(0, "")
	if n := logged.FilterMessage("the GPUs cannot be checked").Len(); n != 1 {
		t.Errorf("the warning was logged %d times, want once", n)
	}
}

// A device filter on the unit is logged.
func TestGPUDevicePolicy(t *testing.T) {
	for policy, want := range map[string]int{"": 0, "auto": 0, "closed": 1} {
		r := gpuRig(t)
		r.units.devicePolicy = policy
		core, logged := observer.New(zap.WarnLevel)
		r.log = zap.New(core)
		l := r.start()
		l.ready()
		l.stop()
		l.ends(0, "")
		if n := logged.FilterField(zap.String("device_policy", policy)).Len(); n != want {
			t.Errorf("with DevicePolicy=%s the filter was logged %d times, want %d", policy, n, want)
		}
	}
}
