//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A container whose image has nothing of NVIDIA's finds the driver's library
// as any program does, by its dynamic linker's cache, which the package
// dockhost-nvidia has the program for; no toolkit is on the host.
func TestGPULibraries(t *testing.T) {
	h := newPackageHost(t)
	h.dpkg("current")
	h.artifact("dockhost-nvidia_*.deb", onHost+"/nvidia.deb")
	h.run("dpkg -i " + onHost + "/nvidia.deb")
	h.Cleanup(func() { h.run("dpkg -P dockhost-nvidia && ! test -e /usr/libexec/dockhost/dockhost-nvidia") })

	const driver = "/opt/driver"
	built := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "../gpu/build.sh", built).CombinedOutput(); err != nil {
		t.Fatalf("test/gpu/build.sh: %v: %s", err, out)
	}
	if out, err := dockerOutside("cp", built+"/.", hostName()+":"+driver); err != nil {
		t.Fatalf("copy the stand-in: %v: %s", err, out)
	}
	h.Cleanup(func() {
		h.run("systemctl stop dockhost.socket dockhost.service 'dockhost@*.service'; " + driver + "/host down; rm -rf " + seed + " /run/cdi /etc/cdi " + driver)
	})
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
		if got := h.output("docker exec " + name + " /probe"); got != want {
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
