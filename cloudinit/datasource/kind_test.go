package datasource

import (
	"slices"
	"strings"
	"testing"
)

// captured is a platform by its own marks.
type captured struct {
	name string
	tree map[string]string
	// kinds are the names of what is tried, in order.
	kinds []string
}

// capturedLocal are platforms whose user data is on the host. Those of
// metadata services stand beside their sources.
func capturedLocal() []captured {
	return []captured{
		{"nothing", nil, nil},
		{"a container", map[string]string{"/proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1"}, nil},
		{"bare metal", map[string]string{"dmi:sys_vendor": "Dell Inc.", "dmi:product_name": "PowerEdge R640", "dmi:product_serial": "7XJ2K13", "dmi:chassis_asset_tag": "Not Specified"}, nil},
		{"bare metal with a seed", map[string]string{"dmi:sys_vendor": "Supermicro", seedsPath + "nocloud-net/user-data": "", seedsPath + "nocloud-net/meta-data": ""}, []string{"NoCloud"}},
		{"KubeVirt, cloudInitNoCloud", map[string]string{"dmi:sys_vendor": "KubeVirt", "dmi:product_name": "None", "/dev/vdb": "cidata.iso.gz"}, []string{"NoCloud"}},
		{"KubeVirt, cloudInitConfigDrive", map[string]string{"dmi:sys_vendor": "KubeVirt", "dmi:product_name": "None", "/dev/vdb": "config-2.iso.gz"}, []string{"ConfigDrive"}},
		{"Proxmox", map[string]string{"dmi:sys_vendor": "QEMU", "dmi:product_name": "Standard PC (i440FX + PIIX, 1996)", "/dev/sr0": "cidata.iso.gz"}, []string{"NoCloud"}},
		{"Proxmox, as udev knows it", map[string]string{
			"dmi:sys_vendor": "QEMU", "/dev/sr0": "cidata.iso.gz", "/sys/class/block/sr0/dev": "11:0\n",
			"/run/udev/data/b11:0": "S:disk/by-label/cidata\nE:ID_FS_LABEL=cidata\nE:ID_FS_TYPE=iso9660\n",
		}, []string{"NoCloud"}},
		{"QEMU with fw_cfg", map[string]string{
			"dmi:sys_vendor": "QEMU", "/sys/firmware/qemu_fw_cfg/by_name/opt/com.github.dockhost/user-data/raw": "",
			"/sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw": "{}", // Ignition's
		}, []string{"FwCfg"}},
		{"QEMU with a serial number", map[string]string{"dmi:sys_vendor": "QEMU", "dmi:product_serial": "ds=nocloud;s=http://10.0.2.2:8000/"}, []string{"NoCloud"}},
		{"VMware", map[string]string{"dmi:sys_vendor": "VMware, Inc.", "dmi:product_name": "VMware Virtual Platform"}, []string{"VMware", "OVF"}},
		{"VMware with an OVF disc", map[string]string{"dmi:product_name": "VMware20,1", "/dev/sr0": "ovf.iso.gz"}, []string{"VMware", "OVF"}},
		{"VirtualBox with an OVF disc", map[string]string{"dmi:product_name": "VirtualBox", "/dev/sr0": "ovf.iso.gz"}, []string{"OVF"}},
		{"LXD, a container", map[string]string{lxdSocket: ""}, []string{"LXD"}},
		{"LXD, a virtual machine", map[string]string{"dmi:board_name": "LXD", "dmi:sys_vendor": "QEMU"}, []string{"LXD"}},
		{"a kernel with the URL of a cloud-config", map[string]string{"/proc/cmdline": "cloud-config-url=http://10.0.0.1/c"}, []string{"Cmdline"}},
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range capturedLocal() {
		t.Run(tt.name, func(t *testing.T) {
			chosen, err := choose(newHost(tree(t, tt.tree)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := namesOf(chosen); !slices.Equal(got, tt.kinds) {
				t.Errorf("choose() = %q, want %q", got, tt.kinds)
			}
		})
	}
}

func namesOf(chosen []found) (names []string) {
	for _, k := range chosen {
		names = append(names, k.name)
	}
	return names
}

func TestChoosePinned(t *testing.T) {
	seeded := map[string]string{seedsPath + "nocloud/user-data": "", seedsPath + "nocloud/meta-data": "", lxdSocket: ""}
	tests := []struct {
		name    string
		names   []string
		cmdline string
		want    []string
		how     string
	}{
		{"found", nil, "", []string{"NoCloud", "LXD"}, "a seed directory"},
		{"pinned", []string{"LXD"}, "", []string{"LXD"}, "the configuration"},
		{"ordered, in any case", []string{"lxd", "NOCLOUD"}, "", []string{"LXD", "NoCloud"}, "the configuration"},
		{"by the kernel", nil, "ds=configdrive", []string{"ConfigDrive"}, "the kernel's command line"},
		{"by the kernel, with words", nil, "ro ds=nocloud-net;i=x", []string{"NoCloud"}, "the kernel's command line"},
		{"by ci.ds", nil, "ci.ds=LXD", []string{"LXD"}, "the kernel's command line"},
		{"the configuration counts more", []string{"LXD"}, "ds=nocloud", []string{"LXD"}, "the configuration"},
		{"cloud-init's own business", nil, "ds=None", []string{"NoCloud", "LXD"}, "a seed directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, seeded)
			put(t, root, "/proc/cmdline", tt.cmdline)
			chosen, err := choose(newHost(root), tt.names)
			if err != nil {
				t.Fatal(err)
			}
			if got := namesOf(chosen); !slices.Equal(got, tt.want) || chosen[0].how != tt.how {
				t.Errorf("choose(%q) = %q by %q, want %q by %q", tt.names, got, chosen[0].how, tt.want, tt.how)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"NoClout": `unknown datasource "NoClout": did you mean NoCloud? (known: NoCloud, ConfigDrive, `,
		"zzz":     `unknown datasource "zzz" (known: NoCloud, `,
		"":        `unknown datasource "" (known:`,
	} {
		if _, err := CheckName(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckName(%q): %v, want %q", name, err, want)
		}
	}
	if _, _, err := Find(t.Context(), Options{Root: t.TempDir(), Names: []string{"NoClout"}}); err == nil || !strings.Contains(err.Error(), "did you mean") {
		t.Errorf("Find() with an unknown name: %v", err)
	}
}

func TestSplitArgs(t *testing.T) {
	const line = `BOOT_IMAGE=/v ro "ds=nocloud;h=a b" x="1 2" y`
	want := []string{"BOOT_IMAGE=/v", "ro", "ds=nocloud;h=a b", "x=1 2", "y"}
	if got := splitArgs(line); !slices.Equal(got, want) {
		t.Errorf("splitArgs(%q) = %q, want %q", line, got, want)
	}
}

func TestUnsetDMI(t *testing.T) {
	h := newHost(tree(t, map[string]string{"dmi:product_serial": "\xff\xff\xff", "dmi:product_uuid": "\xff"}))
	if got := h.dmi("product_serial") + h.dmi("none"); got != "" {
		t.Errorf("dmi() = %q, want none", got)
	}
	if got := h.uuid("Own"); got != "own" {
		t.Errorf("uuid() = %q, want the fallback", got)
	}
}

func TestExpandDMI(t *testing.T) {
	h := newHost(tree(t, map[string]string{"dmi:sys_vendor": "ACME", "dmi:product_uuid": "U", "dmi:board_serial": "B"}))
	const text = "http://x/__dmi.system-manufacturer__/__dmi.system-uuid__/__dmi.baseboard-serial-number__/__dmi.chassis-version__/__dmi.no-such__"
	const want = "http://x/ACME/U/B//__dmi.no-such__"
	if got := expandDMI(h, text); got != want {
		t.Errorf("expandDMI() = %q, want %q", got, want)
	}
}
