package datasource

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/cloudinit"
)

// tree makes files below a new root: by their paths, or DMI's fields by
// "dmi:FIELD", or an image from testdata by a device "/dev/sr0".
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		if field, ok := strings.CutPrefix(name, "dmi:"); ok {
			name, text = "/sys/class/dmi/id/"+field, text+"\n"
		}
		if block, ok := strings.CutPrefix(name, "/dev/"); ok && strings.HasSuffix(text, ".gz") {
			put(t, root, "/sys/class/block/"+block+"/size", "1000\n")
			text = image(t, text)
		}
		put(t, root, name, text)
	}
	return root
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func image(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// v1 returns one of the values for templates.
func v1(t *testing.T, data *cloudinit.UserData, name string) any {
	t.Helper()
	values, ok := data.Metadata["v1"].(map[string]any)
	if !ok {
		t.Fatalf("Metadata = %v, want v1 in it", data.Metadata)
	}
	return values[name]
}

const (
	vmwareName = "VMware7,1"
	seedsPath  = "/var/lib/cloud/seed/"
	uuid       = "4C4C4544-0042-3510-8051-C4C04F4E4A31"
)

// rpctool stands for VMware's program: it answers as the lines of a here
// document say.
func rpctool(values map[string]string) string {
	var script strings.Builder
	script.WriteString("#!/bin/sh\nfor last; do :; done\ncase \"$last\" in\n")
	for name, value := range values {
		fmt.Fprintf(&script, "'info-get guestinfo.%s') cat <<'EOF'\n%s\nEOF\n;;\n", name, value)
	}
	script.WriteString("*) echo 'No value found' >&2; exit 1;;\nesac\n")
	return script.String()
}

func TestLocal(t *testing.T) {
	const config = "#cloud-config\n"
	tests := []struct {
		name string
		tree map[string]string
		// what is found
		datasource, id, path, raw string
		how                       string
		values                    map[string]any
	}{
		{
			"a disc, iso9660",
			map[string]string{"/dev/sr0": "cidata.iso.gz"},
			"NoCloud", "i-disc", "/dev/sr0:/user-data", config + "# from a disc\n", "a disc labelled cidata in /dev/sr0",
			map[string]any{"local_hostname": "disc", "region": "r1", "cloud_id": "nocloud", "cloud_name": "unknown", "platform": "nocloud", "subplatform": "config-disk (/dev/sr0)"},
		},
		{
			"a disc, FAT",
			map[string]string{"/dev/vdb": "cidata.vfat.gz"},
			"NoCloud", "i-disc", "/dev/vdb:/user-data", config + "# from a disc\n", "a disc labelled cidata in /dev/vdb", nil,
		},
		{
			"the last disc is the first",
			map[string]string{"/dev/vdb": "cidata.vfat.gz", "/dev/vdc": "cidata.iso.gz", "/dev/vda": "cidata.iso.gz"},
			"NoCloud", "i-disc", "/dev/vdc:/user-data", config + "# from a disc\n", "", nil,
		},
		{
			"a seed directory and a disc",
			map[string]string{
				"/dev/sr0": "cidata.iso.gz", seedsPath + "nocloud/user-data": "x", seedsPath + "nocloud/meta-data": "instance-id: i-seed",
			},
			"NoCloud", "i-seed", "/dev/sr0:/user-data", config + "# from a disc\n", "",
			map[string]any{"local_hostname": "disc"},
		},
		{
			"the kernel's command line",
			map[string]string{"/proc/cmdline": "ro quiet ds=nocloud;i=i-words;h=words.example\n"},
			"NoCloud", "i-words", "the kernel's command line", "", "the kernel's command line",
			map[string]any{"local_hostname": "words"},
		},
		{
			"the kernel's command line names a directory",
			map[string]string{
				"/proc/cmdline": `ro "ds=nocloud-net;s=file:///srv/seed;i=i-words"`, "/srv/seed/user-data": "u", "/srv/seed/meta-data": "instance-id: other",
			},
			"NoCloud", "i-words", "/srv/seed/user-data", "u", "the kernel's command line", nil,
		},
		{
			"SMBIOS, with its own values in the path",
			map[string]string{
				"dmi:product_serial": "ds=nocloud;s=/srv/__dmi.chassis-asset-tag__/", "dmi:chassis_asset_tag": "rack-7",
				"/srv/rack-7/user-data": "u", "/srv/rack-7/meta-data": "instance-id: i-7",
			},
			"NoCloud", "i-7", "/srv/rack-7/user-data", "u", "the serial number in SMBIOS", nil,
		},
		{
			"config-2",
			map[string]string{"/dev/sr0": "config-2.iso.gz"},
			"ConfigDrive", "83679162-1378-4288-a2d4-70e13ec132aa", "/dev/sr0:/openstack/latest/user_data", config + "# from config-2\n", "a disc labelled config-2 in /dev/sr0",
			map[string]any{"local_hostname": "drive", "availability_zone": "nova", "platform": "openstack", "cloud_name": "configdrive"},
		},
		{
			"config-2 of EC2's form",
			map[string]string{"/dev/vdb": "config-2-ec2.vfat.gz"},
			"ConfigDrive", "i-ec2form", "/dev/vdb:/ec2/latest/user-data", config + "# of the form of EC2\n", "", nil,
		},
		{
			"/config-drive without user data",
			map[string]string{"/config-drive/openstack/latest/meta_data.json": `{"uuid": "u-1"}`},
			"ConfigDrive", "u-1", "/config-drive/openstack/latest/meta_data.json", "", "the directory /config-drive", nil,
		},
		{
			"Azure",
			map[string]string{"/dev/sr0": "azure.iso.gz", "dmi:chassis_asset_tag": azureTag, "dmi:product_uuid": uuid},
			"Azure", strings.ToLower(uuid), "/dev/sr0:/ovf-env.xml", config + "# from Azure\n", "",
			map[string]any{"local_hostname": "azure-host", "cloud_id": "azure"},
		},
		{
			"Azure with the id of before",
			map[string]string{
				"/dev/sr0": "azure.iso.gz", "dmi:chassis_asset_tag": azureTag, "dmi:product_uuid": uuid,
				"/var/lib/cloud/data/instance-id": "44454c4c-4200-1035-8051-c4c04f4e4a31\n",
			},
			"Azure", "44454c4c-4200-1035-8051-c4c04f4e4a31", "/dev/sr0:/ovf-env.xml", config + "# from Azure\n", "", nil,
		},
		{
			"OVF",
			map[string]string{"/dev/sr0": "ovf.iso.gz"},
			"OVF", "i-ovf", "/dev/sr0:/ovf-env.xml", config + "# from an OVF\n", "/dev/sr0:/ovf-env.xml",
			map[string]any{"local_hostname": "ovf"},
		},
		{
			"guestinfo",
			map[string]string{
				"dmi:product_name": vmwareName, "dmi:product_uuid": uuid,
				"/usr/bin/vmware-rpctool": rpctool(map[string]string{"userdata": "I2Nsb3VkLWNvbmZpZwo=", "userdata.encoding": "base64", "metadata": "local-hostname: esx"}),
			},
			"VMware", strings.ToLower(uuid), "guestinfo.userdata", config, "DMI product name VMware7,1",
			map[string]any{"local_hostname": "esx", "platform": "vmware"},
		},
		{
			"guestinfo by vmtoolsd, gzip",
			map[string]string{
				"dmi:product_name":  vmwareName,
				"/usr/bin/vmtoolsd": rpctool(map[string]string{"userdata": gz64(config), "userdata.encoding": "gz+b64", "metadata": `{"instance-id": "i-vm"}`}),
			},
			"VMware", "i-vm", "guestinfo.userdata", config, "", nil,
		},
		{
			"guestinfo where vmware-rpctool fails",
			map[string]string{
				"dmi:product_name":        vmwareName,
				"/usr/bin/vmware-rpctool": "#!/bin/sh\nexit 2\n",
				"/usr/bin/vmtoolsd":       rpctool(map[string]string{"userdata": "plain", "metadata": "instance-id: i-vm"}),
			},
			"VMware", "i-vm", "guestinfo.userdata", "plain", "", nil,
		},
		{
			"OVF from VMware's host",
			map[string]string{
				"dmi:product_name": vmwareName,
				"/usr/bin/vmware-rpctool": rpctool(map[string]string{"ovfEnv": `<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1">` +
					`<PropertySection><Property oe:key="user-data" oe:value="#cloud-config"/></PropertySection></Environment>`}),
			},
			"OVF", "iid-dsovf", "guestinfo.ovfEnv", "#cloud-config", "", nil,
		},
		{
			"fw_cfg",
			map[string]string{
				"/sys/firmware/qemu_fw_cfg/by_name/opt/com.github.dockhost/user-data/raw": "u", "dmi:product_uuid": uuid,
			},
			"FwCfg", strings.ToLower(uuid), "/sys/firmware/qemu_fw_cfg/by_name/opt/com.github.dockhost/user-data/raw", "u", "QEMU fw_cfg opt/com.github.dockhost/user-data", nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, tt.tree)
			executable(t, root)
			source, data, err := Find(t.Context(), Options{Root: root})
			if err != nil {
				t.Fatal(err)
			}
			if source.Name() != tt.datasource || data.Datasource != tt.datasource || data.InstanceID != tt.id || data.Path != tt.path || string(data.Raw) != tt.raw {
				t.Errorf("Find() = %s, %+v with %q, want %s, %q, %q with %q", source.Name(), data, data.Raw, tt.datasource, tt.id, tt.path, tt.raw)
			}
			if data.How == "" || tt.how != "" && data.How != tt.how {
				t.Errorf("How = %q, want %q", data.How, tt.how)
			}
			for name, want := range tt.values {
				if got := v1(t, data, name); got != want {
					t.Errorf("v1.%s = %v, want %v", name, got, want)
				}
			}
			if got := v1(t, data, "instance-id"); got != tt.id {
				t.Errorf("v1.instance-id = %v, want %q", got, tt.id)
			}
		})
	}
}

const azureXML = `<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure"><wa:ProvisioningSection>` +
	`<wa:LinuxProvisioningConfigurationSet><wa:CustomData>dQ==</wa:CustomData></wa:LinuxProvisioningConfigurationSet></wa:ProvisioningSection></Environment>`

// TestAzureBaked: what an image has of the machine that it was made of is not
// this machine's.
func TestAzureBaked(t *testing.T) {
	root := tree(t, map[string]string{
		"dmi:chassis_asset_tag": azureTag, "dmi:product_uuid": uuid, "/var/lib/cloud/data/instance-id": "another", "/var/lib/waagent/ovf-env.xml": azureXML,
	})
	if data, err := (azureDisc{newHost(root)}).Read(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("Read() = %+v, %v, want ErrNotFound", data, err)
	}
}

func gz64(text string) string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return base64Of(packed.Bytes())
}

func TestLocalErrors(t *testing.T) {
	tests := []struct {
		name     string
		tree     map[string]string
		notFound bool
		want     string
	}{
		{"config-2 that is empty", map[string]string{"/dev/sr0": "cidata.iso.gz", "/run/udev/data/b11:0": "E:ID_FS_TYPE=iso9660\nE:ID_FS_LABEL=config-2\n", "/sys/class/block/sr0/dev": "11:0\n"}, true, `"/dev/sr0" has neither openstack/latest/meta_data.json nor`},
		{"user data without meta-data", map[string]string{"/config-drive/openstack/latest/user_data": canary}, true, `"/config-drive" has user data but no openstack/latest/meta_data.json (create it`},
		{"no tools", map[string]string{"dmi:product_name": vmwareName}, true, "install open-vm-tools"},
		{"emptied guestinfo", map[string]string{"dmi:product_name": vmwareName, "/usr/bin/vmware-rpctool": rpctool(map[string]string{"userdata": "---", "metadata": "a: b"})}, true, "guestinfo.userdata was emptied"},
		{"no base64", map[string]string{"dmi:product_name": vmwareName, "/usr/bin/vmware-rpctool": rpctool(map[string]string{"userdata": canary + "!", "userdata.encoding": "b64"})}, false, "guestinfo.userdata: not base64"},
		{"a tool that fails", map[string]string{"dmi:product_name": vmwareName, "/usr/bin/vmware-rpctool": "#!/bin/sh\necho " + canary + "\nexit 3\n"}, false, "vmware-rpctool info-get guestinfo.metadata: exit status 3"},
		{"no XML", map[string]string{seedsPath + "ovf/ovf-env.xml": "<" + canary}, false, "ovf-env.xml: not the XML of an OVF environment"},
		{"seedfrom of no kind", map[string]string{"/proc/cmdline": "ds=nocloud;s=ftp://" + canary + "/"}, false, "seedfrom is neither a directory nor"},
		{"seedfrom an empty directory", map[string]string{"/proc/cmdline": "ds=nocloud;s=/none/"}, true, `seedfrom "/none/"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, tt.tree)
			executable(t, root)
			_, data, err := Find(t.Context(), Options{Root: root})
			if err == nil {
				t.Fatalf("Find() = %+v, want an error", data)
			}
			if errors.Is(err, ErrNotFound) != tt.notFound || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("Find(): %v, want %q (ErrNotFound: %v) and no user data", err, tt.want, tt.notFound)
			}
		})
	}
}

// TestKnownDisc: what udev knows is not opened.
func TestKnownDisc(t *testing.T) {
	root := tree(t, map[string]string{
		"/dev/vda": "cidata.iso.gz", "/sys/class/block/vda/dev": "254:0\n", "/run/udev/data/b254:0": "E:ID_FS_TYPE=ext4\nE:ID_FS_LABEL=root\n",
		"/dev/fd0": "cidata.iso.gz",
	})
	if _, data, err := Find(t.Context(), Options{Root: root}); !errors.Is(err, ErrNotFound) {
		t.Errorf("Find() = %+v, %v, want ErrNotFound", data, err)
	}
}

// TestDamagedDiscs cuts images off: an error or nothing, and no panic.
func TestDamagedDiscs(t *testing.T) {
	for _, name := range []string{"cidata.iso.gz", "cidata.vfat.gz", "config-2.iso.gz"} {
		whole := image(t, name)
		for size := 512; size < len(whole); size += len(whole) / 40 {
			root := tree(t, map[string]string{"/sys/class/block/sr0/size": "1000", "/dev/sr0": whole[:size]})
			_, _, err := Find(context.Background(), Options{Root: root})
			if err != nil && strings.Contains(err.Error(), "from a disc") {
				t.Errorf("%s of %d bytes: the error has user data: %v", name, size, err)
			}
		}
	}
}

func base64Of(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

// executable makes VMware's programs executable.
func executable(t *testing.T, root string) {
	t.Helper()
	for _, tool := range []string{"vmware-rpctool", "vmtoolsd"} {
		if err := os.Chmod(filepath.Join(root, "/usr/bin", tool), 0o755); !absent(err) && err != nil {
			t.Fatal(err)
		}
	}
}
