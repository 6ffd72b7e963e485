//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// TestDriverScriptIsIdempotent runs the script that installs NVIDIA's driver in an
// image. A dry run of a step changes nothing on either family of distributions. A
// second run of the step nouveau writes the same file. The script runs only an
// installer with the expected checksum.
func TestDriverScriptIsIdempotent(t *testing.T) {
	h := newHost(t)
	const dir = "/opt/driver-script"
	h.Cleanup(func() { h.run("rm -rf " + dir + " /etc/modprobe.d/blacklist-nouveau.conf") })
	h.run("mkdir " + dir)
	if out, err := dockerOutside("cp", "../../packaging/packer/scripts/nvidia-driver.sh", hostName()+":"+dir); err != nil {
		t.Fatalf("copy the script: %v: %s", err, out)
	}
	h.write(dir+"/rocky", "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n")
	h.write(dir+"/alpine", "ID=alpine\nVERSION_ID=3.20\n")
	const installer = "#!/bin/sh\necho \"$*\" >>" + dir + "/installed\n"
	h.write(dir+"/driver.run", installer)
	// Stand-ins for programs that a test host lacks.
	for _, name := range []string{"modinfo", "update-initramfs", "curl"} {
		h.write(dir+"/bin/"+name, "#!/bin/sh\necho \""+name+" $*\" >>"+dir+"/called\n")
	}
	h.write(dir+"/bin/curl", "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" != -o ] || out=$2; shift; done\ncp \"${1#file://}\" \"$out\"\n")
	h.run("chmod +x " + dir + "/bin/*")
	script := "PATH=" + dir + "/bin:$PATH " + dir + "/nvidia-driver.sh "
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(installer)))
	driver := func(sum string) string {
		return "NVIDIA_VERSION=570.133.20 NVIDIA_SHA256=" + sum + " NVIDIA_URL=file://" + dir + "/driver.run " + script
	}

	before := h.run("find /etc/modprobe.d " + dir + " | sort")
	for want, command := range map[string]string{
		"apt-get -q install -y --no-install-recommends build-essential": script + "--dry-run tools",
		"update-initramfs -u -k all":                                    script + "--dry-run nouveau",
		"check " + sum:                                                  driver(sum) + "--dry-run driver",
		"dnf -q install -y ca-certificates":                             "OS_RELEASE=" + dir + "/rocky " + script + "--dry-run tools",
		"grubby --update-kernel=ALL":                                    "OS_RELEASE=" + dir + "/rocky " + script + "--dry-run nouveau",
	} {
		if out, code := h.try(command); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s exits %d and prints %s, want 0 and %q", command, code, out, want)
		}
	}
	if after := h.run("find /etc/modprobe.d " + dir + " | sort"); after != before {
		t.Errorf("files after the dry runs:\n%s, want\n%s", after, before)
	}

	h.run(script + "nouveau && cp /etc/modprobe.d/blacklist-nouveau.conf " + dir + "/first && " + script + "nouveau")
	h.run("cmp /etc/modprobe.d/blacklist-nouveau.conf " + dir + "/first && grep -qx 'blacklist nouveau' " + dir + "/first")
	for want, command := range map[string]string{
		"not a derivative of Debian or RHEL": "OS_RELEASE=" + dir + "/alpine " + script + "tools",
		"is not a version":                   script + "driver",
		"is not a checksum":                  driver("") + "driver",
		"is not NVIDIA_SHA256":               driver(strings.Repeat("0", 64)) + "driver",
	} {
		if out, code := h.try(command); code != 1 || !strings.Contains(out, want) {
			t.Errorf("%s exits %d and prints %s, want 1 and %q", command, code, out, want)
		}
	}
	if out, code := h.try("cat " + dir + "/installed"); code == 0 {
		t.Errorf("the installer ran: %s", out)
	}
	h.run(driver(sum) + "driver")
	if got := h.output("cat " + dir + "/installed"); got != "--silent --dkms" {
		t.Errorf("arguments of the installer = %q, want --silent --dkms", got)
	}
	if got := h.output("cat " + dir + "/called"); got != "update-initramfs -u -k all\nupdate-initramfs -u -k all\nmodinfo -F version nvidia" {
		t.Errorf("programs that were called = %q", got)
	}
}
