//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// driver is where the host has what test/gpu/build.sh makes.
const driver = "/opt/driver"

// driverWithLibraries brings what makes the host look as if it had a driver with
// libraries that can be linked, and takes it away again.
func (h *host) driverWithLibraries() {
	h.Helper()
	built := h.TempDir()
	if out, err := exec.CommandContext(h.Context(), "../gpu/build.sh", built).CombinedOutput(); err != nil {
		h.Fatalf("test/gpu/build.sh: %v: %s", err, out)
	}
	if out, err := dockerOutside("cp", built+"/.", hostName()+":"+driver); err != nil {
		h.Fatalf("copy the stand-in: %v: %s", err, out)
	}
	h.Cleanup(func() {
		h.run("systemctl stop dockhost.socket dockhost.service 'dockhost@*.service'; " + driver + "/host down; rm -rf " + seed + " /run/cdi /etc/cdi " + driver)
	})
}

// The tests for a machine with a real GPU, as they are carried there, on the
// stand-in: but for what dockhost-nvidia describes, which takes a real NVML.
func TestGPUSuitePassesOnStandIn(t *testing.T) {
	h := newHost(t)
	h.driverWithLibraries()
	if out, err := exec.CommandContext(t.Context(), "../gpu/run.sh", "build").CombinedOutput(); err != nil {
		t.Fatalf("test/gpu/run.sh build: %v: %s", err, out)
	}
	const tree = "/opt/tree"
	h.Cleanup(func() { h.run("rm -rf " + tree) })
	h.run("mkdir -p " + tree + "/test/gpu " + tree + "/build")
	for from, to := range map[string]string{"../gpu/run.sh": "/test/gpu/run.sh", "../../build/gpu-test": "/build/"} {
		if out, err := dockerOutside("cp", from, hostName()+":"+tree+to); err != nil {
			t.Fatalf("copy %s: %v: %s", from, err, out)
		}
	}
	if out, code := h.try(tree + "/test/gpu/run.sh"); code != 0 || !strings.Contains(out, "skipped: no driver") {
		t.Errorf("without a driver: exited %d: %s", code, out)
	}
	if out, code := h.try("DOCKHOST_REQUIRE=gpu " + tree + "/test/gpu/run.sh"); code != 1 {
		t.Errorf("without a driver that is required: exited %d: %s", code, out)
	}
	h.run(driver + "/host up -gpus 2 -libraries " + driver + " -spec /etc/cdi/nvidia.json -hook " + tree + "/build/gpu-test/dockhost-nvidia")
	out := h.run("systemctl stop docker.socket docker.service containerd.service; " + tree + "/test/gpu/run.sh")
	for _, want := range []string{"--- PASS: TestDiscovery", "--- PASS: TestContainer", "device 1 NVIDIA A100-SXM4-40GB"} {
		if !strings.Contains(out, want) {
			t.Errorf("the tests printed no %q: %s", want, out)
		}
	}
	h.run("[ ! -e /usr/libexec/dockhost/dockhost-nvidia ]; [ -z \"$(ls /run/dockhost/runtime)\" ]")
}

// A container whose image has nothing of NVIDIA's finds the driver's library
// as any program does, by its dynamic linker's cache, which the package
// dockhost-nvidia has the program for; no toolkit is on the host.
func TestGPULibrariesAreLinked(t *testing.T) {
	h := newPackageHost(t)
	h.dpkg("current")
	h.artifact("dockhost-nvidia_*.deb", onHost+"/nvidia.deb")
	h.run("dpkg -i " + onHost + "/nvidia.deb")
	h.Cleanup(func() { h.run("dpkg -P dockhost-nvidia && ! test -e /usr/libexec/dockhost/dockhost-nvidia") })

	h.driverWithLibraries()
	h.run(driver + "/host up -gpus 2 -libraries " + driver + " -spec /etc/cdi/nvidia.json -hook /usr/libexec/dockhost/dockhost-nvidia")

	service := func(name, gpus string) string {
		return "    " + name + `:
      image: localhost:5000/nginx:1.22
      init: true
      entrypoint: [sleep, infinity]
      volumes: ["` + filepath.Join(driver, "probe") + `:/probe:ro"]
      ` + gpus + "\n"
	}
	h.assign("dockhost:\n  containers:\n" + service("all", "gpus: all") + service("second", `gpus: [{device_ids: ["1"]}]`) +
		service("none", "stop_signal: SIGKILL") + registries)
	for name, want := range map[string]string{"all": "devices 2", "second": "devices 1"} {
		h.ready(name)
		if got := h.output("docker exec " + name + " /probe | head -n 1"); got != want {
			t.Errorf("the program in %s says %q, want %q", name, got, want)
		}
		if got := h.output("docker exec " + name + " readlink /usr/lib/x86_64-linux-gnu/libcuda.so"); got != "libcuda.so.1" {
			t.Errorf("%s: libcuda.so is a link to %q, want libcuda.so.1", name, got)
		}
	}
	h.ready("none")
	if out, code := h.try("docker exec none /probe"); code == 0 || !strings.Contains(out, "libcuda.so.1: cannot open shared object file") {
		t.Errorf("a container that asks for no GPU: exited %d: %s", code, out)
	}
}
