//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestConvertedDeclarationRuns converts a konlet declaration by dockhostctl
// convert, and runs it as konlet would.
func TestConvertedDeclarationRuns(t *testing.T) {
	h := newHost(t)
	h.write("/tmp/declaration.yaml", `# DISCLAIMER: not a public API
spec:
  containers:
  - name: app
    image: localhost:5000/app:1
    args: [-listen, ":8099"]
    restartPolicy: Never
    livenessProbe: {}
    env:
    - {name: PRICE, value: "5$ and ${more}"}
    volumeMounts:
    - {name: mem, mountPath: /mem}
    - {name: host, mountPath: /host, readOnly: true}
  restartPolicy: OnFailure
  volumes:
  - {name: mem, emptyDir: {medium: Memory}}
  - {name: host, hostPath: {path: /var/lib/gce-test}}
`)
	h.Cleanup(func() { h.run("rm -rf /var/lib/gce-test /tmp/declaration.yaml /tmp/declaration.warnings") })
	// convert needs no privileges.
	converted := h.run("setpriv --reuid 65534 --clear-groups dockhostctl convert - </tmp/declaration.yaml 2>/tmp/declaration.warnings")
	// Keys that konlet ignores are ignored, and those that are likely mistakes are told.
	const misplaced = "dockhostctl: warning: stdin:7 spec.containers[0].restartPolicy: restartPolicy belongs below spec: it has no effect, as with konlet"
	if warnings := h.output("cat /tmp/declaration.warnings"); warnings != misplaced {
		t.Errorf("warnings = %q, want %q", warnings, misplaced)
	}
	h.userData(converted + registries)
	h.takeOver()
	h.ready("app")
	for what, want := range map[string]string{
		"docker inspect -f '{{.HostConfig.NetworkMode}}' app":                                    "host",
		"docker inspect -f '{{index .Config.Env 0}}' app":                                        "PRICE=5$ and ${more}",
		"systemctl show --value -p Restart dockhost@app":                                         "on-failure",
		"awk '$2 == \"/mem\" {print $3}' /proc/$(docker inspect -f '{{.State.Pid}}' app)/mounts": "tmpfs",
		"stat -c %F /var/lib/gce-test":                                                           "directory",
	} {
		if got := h.output(what); got != want {
			t.Errorf("%s = %q, want %q", what, got, want)
		}
	}
	h.eventually("it listens in the host's network", func() error {
		if out, code := h.try("ss -ltnH 'sport = :8099' | grep -q ."); code != 0 {
			return fmt.Errorf("nothing listens on port 8099: %s", out)
		}
		return nil
	})
	if out, code := h.try("echo 'spec: {containers: []}' | dockhostctl convert"); code != 1 || !strings.Contains(out, "stdin:1:8 spec.containers: 0 containers") {
		t.Errorf("convert of a wrong declaration exits %d, want 1 and the position: %s", code, out)
	}
}

// TestContainerRequiresMountUnits checks that systemd accepts the units that mount
// a disk, and that the container does not start without the disk. In a test host,
// a container, systemd sees no devices, so the condition for mkfs is tried on
// files.
func TestContainerRequiresMountUnits(t *testing.T) {
	h := newHost(t)
	h.assign(app("x-dockhost: {mounts: [{what: /dev/disk/by-id/google-e2e-data, where: /mnt/e2e/data, type: ext4, makefs: true}]}"))
	const dir = "/run/systemd/system/"
	maker := `dockhost-makefs@dev-disk-by\x2did-google\x2de2e\x2ddata.service`
	h.eventually("the units are written", func() error {
		if out, code := h.try("ls '" + dir + "mnt-e2e-data.mount' '" + dir + maker + "' && systemctl show -p LoadState mnt-e2e-data.mount | grep -x LoadState=loaded"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	if out, code := h.try("systemd-analyze verify '" + dir + "mnt-e2e-data.mount' '" + dir + maker + "' 2>&1 | grep -E 'e2e|makefs'"); code == 0 {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	for property, want := range map[string]string{
		"Requires": maker, "After": `systemd-fsck@dev-disk-by\x2did-google\x2de2e\x2ddata.service`,
		"Where": "/mnt/e2e/data", "Type": "ext4",
	} {
		if got := strings.ReplaceAll(h.property("mnt-e2e-data.mount", property), `\\`, `\`); !strings.Contains(got, want) {
			t.Errorf("%s= of the mount = %q, want %q in it", property, got, want)
		}
	}
	if got := h.property("dockhost@app.service", "Requires"); !strings.Contains(got, "mnt-e2e-data.mount") {
		t.Errorf("Requires= of dockhost@app = %q, want the mount", got)
	}
	if got := h.property("dockhost@app.service", "ActiveState"); got != "inactive" {
		t.Errorf("ActiveState of dockhost@app without its disk = %s, want inactive", got)
	}
	// This runs ExecCondition= as systemd does, with a file in place of the device.
	condition := `line=$(sed -n 's/^ExecCondition=//p' '` + dir + maker + `'); line=${line//\$\$/\$}; eval "${line//%f/$disk}"`
	for disk, want := range map[string]int{
		"truncate -s 16M $disk":                                                                 0,
		"truncate -s 16M $disk && mkswap $disk >/dev/null":                                      1,
		"truncate -s 16M $disk && echo ',,L' | sfdisk -q $disk":                                 1,
		"truncate -s 16M $disk && dd status=none if=/bin/sh of=$disk seek=1 bs=1M conv=notrunc": 0,
	} {
		if out, code := h.try("disk=/var/tmp/e2e-disk; rm -f $disk; (" + disk + ") || exit 9; " + condition); code != want {
			t.Errorf("ExecCondition= exits %d after %s, want %d: %s", code, disk, want, out)
		}
	}
	h.run("rm -f /var/tmp/e2e-disk")
	h.assign(app())
	h.ready("app")
	if out, code := h.try("ls -d " + dir + "*e2e*"); code == 0 {
		t.Errorf("units left: %s", out)
	}
}
