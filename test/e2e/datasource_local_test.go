//go:build e2e

package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// looksLike makes the agent see other files at these paths of the host.
func (h *host) looksLike(paths map[string]string) {
	h.Helper()
	var binds strings.Builder
	for seen, file := range paths {
		fmt.Fprintf(&binds, "BindReadOnlyPaths=%s:%s\n", file, seen)
	}
	h.dropIn("[Service]\n" + binds.String())
}

// dropIn adds a drop-in to the agent's unit until the test ends.
func (h *host) dropIn(text string) {
	h.Helper()
	const file = "/run/systemd/system/dockhost.service.d/test.conf"
	h.write(file, text)
	h.run("systemctl daemon-reload")
	h.Cleanup(func() { h.run("rm -f " + file + "; systemctl daemon-reload") })
}

// dmi makes the agent see this field of DMI.
func (h *host) dmi(field, value string) {
	h.Helper()
	h.write("/root/class/dmi/id/"+field, value+"\n")
	h.Cleanup(func() { h.run("rm -rf /root/class") })
	h.looksLike(map[string]string{"/sys/class": "/root/class"})
}

// disc gives the host a disc with these files, at the path that udev gives a disc
// with this label. It is a plain file: test hosts may have no block devices.
func (h *host) disc(label string, vfat bool, files map[string]string) {
	h.Helper()
	dir := h.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, "files", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			h.Fatal(err)
		}
	}
	program := "genisoimage -quiet -J -r -V '" + label + "' -o image files"
	if vfat {
		program = "PATH=$PATH:/usr/sbin mkfs.vfat -C -n '" + label + "' image 1024 >/dev/null && mcopy -s -i image files/* ::"
	}
	cmd := exec.Command("sh", "-c", program)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%s: %v: %s", program, err, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "image"))
	if err != nil {
		h.Fatal(err)
	}
	if out, code := h.tryWith("mkdir -p /dev/disk/by-label && base64 -d >/dev/sr9 && ln -s ../../sr9 '/dev/disk/by-label/"+label+"'",
		base64.StdEncoding.EncodeToString(raw)); code != 0 {
		h.Fatalf("copy the disc: %s", out)
	}
	h.Cleanup(func() { h.run("rm -rf /dev/sr9 /dev/disk") })
}

// serves runs a web server with these files until the test ends. The address is a
// port or the path of a socket.
func (h *host) serves(address string, files map[string]string) {
	h.Helper()
	for name, text := range files {
		h.write("/run/e2e-web"+name, text)
	}
	h.write("/run/e2e-web.py", `
import http.server, os, socketserver, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def address_string(self): return "client"
os.chdir("/run/e2e-web")
if sys.argv[1].startswith("/"):
    server = socketserver.UnixStreamServer(sys.argv[1], Handler)
else:
    server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.serve_forever()
`)
	h.run("mkdir -p $(dirname " + address + "); systemd-run --quiet --unit e2e-web python3 /run/e2e-web.py " + address)
	h.Cleanup(func() {
		h.run("systemctl stop e2e-web; systemctl reset-failed; rm -rf /run/e2e-web /run/e2e-web.py /dev/lxd")
	})
	ready := "curl -sf http://127.0.0.1:" + address
	if strings.HasPrefix(address, "/") {
		ready = "test -S " + address
	}
	h.eventually("the web server answers", func() error {
		if out, code := h.try(ready); code != 0 {
			return errors.New(out)
		}
		return nil
	})
}

const guestInfo = `#!/bin/sh
case "$1" in
'info-get guestinfo.userdata') cat /run/e2e-userdata;;
'info-get guestinfo.userdata.encoding') echo gz+b64;;
'info-get guestinfo.metadata') echo '{"instance-id": "i-e2e"}';;
*) echo 'No value found' >&2; exit 1;;
esac
`

// TestLocalDatasourcesAssignContainer assigns a container by each datasource that
// needs no network.
func TestLocalDatasourcesAssignContainer(t *testing.T) {
	text := "#cloud-config\n" + app()
	coded := base64.StdEncoding.EncodeToString([]byte(text))
	const meta = "instance-id: i-e2e\n"
	seeds := map[string]string{"user-data": text, "meta-data": meta}
	tests := []struct {
		name             string
		make             func(h *host)
		datasource, path string
	}{
		{"nocloud-net", func(h *host) {
			h.write("/var/lib/cloud/seed/nocloud-net/user-data", text)
			h.write("/var/lib/cloud/seed/nocloud-net/meta-data", meta)
		}, "NoCloud", "/var/lib/cloud/seed/nocloud-net/user-data"},
		{"cidata, iso9660", func(h *host) { h.disc("cidata", false, seeds) }, "NoCloud", "/dev/sr9:/user-data"},
		{"CIDATA, FAT", func(h *host) { h.disc("CIDATA", true, seeds) }, "NoCloud", "/dev/sr9:/user-data"},
		{"config-2", func(h *host) {
			h.disc("config-2", false, map[string]string{"openstack/latest/user_data": text, "openstack/latest/meta_data.json": `{"uuid": "i-e2e"}`})
		}, "ConfigDrive", "/dev/sr9:/openstack/latest/user_data"},
		{"the kernel's command line", func(h *host) {
			h.serves("8081", map[string]string{"/seed/user-data": text, "/seed/meta-data": "{}"})
			h.write("/run/e2e-cmdline", "ro ds=nocloud;i=i-e2e;s=http://127.0.0.1:8081/seed/\n")
			h.looksLike(map[string]string{"/proc/cmdline": "/run/e2e-cmdline"})
		}, "NoCloud", "http://127.0.0.1:8081/seed/user-data"},
		{"SMBIOS", func(h *host) {
			h.write("/run/e2e-seed/user-data", text)
			h.write("/run/e2e-seed/meta-data", "")
			h.dmi("product_serial", "ds=nocloud;i=i-e2e;s=/run/e2e-seed/")
		}, "NoCloud", "/run/e2e-seed/user-data"},
		{"VMware", func(h *host) {
			h.write("/usr/local/bin/vmware-rpctool", guestInfo)
			h.run("chmod +x /usr/local/bin/vmware-rpctool")
			h.Cleanup(func() { h.run("rm -f /usr/local/bin/vmware-rpctool") })
			if out, code := h.tryWith("gzip | base64 >/run/e2e-userdata", text); code != 0 {
				h.Fatal(out)
			}
			h.dmi("product_name", "VMware Virtual Platform")
		}, "VMware", "guestinfo.userdata"},
		{"OVF", func(h *host) {
			h.disc("OVF-TRANSPORT", false, map[string]string{"ovf-env.xml": `<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1">` +
				`<PropertySection><Property oe:key="instance-id" oe:value="i-e2e"/><Property oe:key="user-data" oe:value="` + coded + `"/></PropertySection></Environment>`})
		}, "OVF", "/dev/sr9:/ovf-env.xml"},
		{"Azure", func(h *host) {
			h.disc("rd_rdfe_stable", false, map[string]string{"ovf-env.xml": `<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure">` +
				`<wa:ProvisioningSection><wa:LinuxProvisioningConfigurationSet><wa:HostName>h</wa:HostName><wa:CustomData>` + coded + `</wa:CustomData></wa:LinuxProvisioningConfigurationSet></wa:ProvisioningSection></Environment>`})
			h.write("/root/class/dmi/id/product_uuid", "I-E2E\n")
			h.dmi("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77")
		}, "Azure", "/dev/sr9:/ovf-env.xml"},
		{"LXD", func(h *host) {
			h.serves("/dev/lxd/sock", map[string]string{"/1.0/meta-data": "#cloud-config\n" + meta, "/1.0/config/cloud-init.user-data": text})
		}, "LXD", "cloud-init.user-data"},
		{"fw_cfg", func(h *host) {
			const opt = "/by_name/opt/com.github.dockhost/"
			h.write("/run/e2e-fw/qemu_fw_cfg"+opt+"user-data/raw", text)
			h.write("/run/e2e-fw/qemu_fw_cfg"+opt+"meta-data/raw", meta)
			h.looksLike(map[string]string{"/sys/firmware": "/run/e2e-fw"})
		}, "FwCfg", "/sys/firmware/qemu_fw_cfg/by_name/opt/com.github.dockhost/user-data/raw"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			h.Cleanup(func() { h.run("rm -rf /run/e2e-*") })
			tt.make(h)
			h.takeOver()
			h.ready("app")
			s, _ := h.status()
			if s.Source.Datasource != tt.datasource || s.Source.Path != tt.path || !strings.EqualFold(s.Source.InstanceID, "i-e2e") {
				t.Errorf("source = %+v, want %s with %s of i-e2e", s.Source, tt.datasource, tt.path)
			}
		})
	}
}
