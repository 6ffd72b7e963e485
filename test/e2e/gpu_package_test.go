//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// driver is the host's directory with the files that test/gpu/build.sh builds.
const driver = "/opt/driver"

// driverWithLibraries copies the stand-in of a driver with linkable libraries to
// the host, until the test ends.
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

// TestGPUSuitePassesOnStandIn runs the tests for machines with a real GPU on the
// stand-in, as they are copied to such a machine. It leaves out the description by
// dockhost-nvidia, which needs a real NVML.
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
		t.Errorf("test/gpu/run.sh without a driver exits %d and prints %s, want 0 and the reason", code, out)
	}
	if out, code := h.try("DOCKHOST_REQUIRE=gpu " + tree + "/test/gpu/run.sh"); code != 1 {
		t.Errorf("test/gpu/run.sh without the required driver exits %d, want 1: %s", code, out)
	}
	h.run(driver + "/host up -gpus 2 -libraries " + driver + " -spec /etc/cdi/nvidia.json -hook " + tree + "/build/gpu-test/dockhost-nvidia")
	out := h.run("systemctl stop docker.socket docker.service containerd.service; " + tree + "/test/gpu/run.sh")
	for _, want := range []string{"--- PASS: TestDiscovery", "--- PASS: TestContainer", "device 1 NVIDIA A100-SXM4-40GB"} {
		if !strings.Contains(out, want) {
			t.Errorf("the tests print %s, want %q in it", out, want)
		}
	}
	h.run("[ ! -e /usr/libexec/dockhost/dockhost-nvidia ]; [ -z \"$(ls /run/dockhost/runtime)\" ]")
}

// TestGPULibrariesAreLinked runs a program in an image without NVIDIA's files: it
// finds the driver's library by the dynamic linker's cache, which a hook of the
// package dockhost-nvidia updates. The host has no NVIDIA Container Toolkit.
func TestGPULibrariesAreLinked(t *testing.T) {
	h := newPackageHost(t)
	h.dpkg("current")
	h.artifact("current", "dockhost-nvidia_*.deb", onHost+"/nvidia.deb")
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
			t.Errorf("the program in %s prints %q, want %q", name, got, want)
		}
		if got := h.output("docker exec " + name + " readlink /usr/lib/x86_64-linux-gnu/libcuda.so"); got != "libcuda.so.1" {
			t.Errorf("libcuda.so in %s links to %q, want libcuda.so.1", name, got)
		}
	}
	h.ready("none")
	if out, code := h.try("docker exec none /probe"); code == 0 || !strings.Contains(out, "libcuda.so.1: cannot open shared object file") {
		t.Errorf("the program in a container without a GPU exits %d and prints %s, want a missing library", code, out)
	}
}
