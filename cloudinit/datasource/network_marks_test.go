package datasource

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// hostWith makes a host of its files; a name without a slash is a field of DMI.
func hostWith(t *testing.T, files map[string]string) *host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		if filepath.Base(name) == name {
			name = "/sys/class/dmi/id/" + name
		}
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return newHost(root)
}

// Each platform is found by its own marks, as its machines have them, and no
// other one is.
func TestNetworkMarks(t *testing.T) {
	tests := []struct {
		name, want, how string
		files           map[string]string
	}{
		{"Nitro", "Ec2", "DMI sys vendor Amazon EC2", map[string]string{
			"sys_vendor": "Amazon EC2", "product_name": "t3.small", "product_uuid": "ec2a1e5f-1f2b-3c4d-9a8b-0123456789ab",
			"product_serial": "ec2a1e5f-1f2b-3c4d-9a8b-0123456789ab", "chassis_asset_tag": "Amazon EC2", "bios_vendor": "Amazon EC2",
		}},
		{"Xen", "Ec2", "/sys/hypervisor/uuid", map[string]string{
			"sys_vendor": "Xen", "product_name": "HVM domU", "product_uuid": "EC2E1916-9099-7CAF-FD21-012345ABCDEF",
			"/sys/hypervisor/uuid": "ec2e1916-9099-7caf-fd21-012345abcdef",
		}},
		{"Xen, DMI alone", "Ec2", "DMI product uuid ec2*", map[string]string{"sys_vendor": "Xen", "product_uuid": "EC2E1916-9099-7CAF-FD21-012345ABCDEF"}},
		{"Xen, the other byte order", "Ec2", "DMI product uuid ????2?ec*", map[string]string{"sys_vendor": "Xen", "product_uuid": "45E12AEC-DCD1-B213-94ED-012345ABCDEF"}},
		{"no vendor", "Ec2", "DMI product serial ec2*", map[string]string{"product_serial": "ec2e1916-9099-7caf-fd21-012345abcdef"}},
		{"Outscale", "Ec2", "DMI product name 3DS Outscale VM", map[string]string{"sys_vendor": "3DS Outscale", "product_name": "3DS Outscale VM"}},
		{"e24cloud", "Ec2", "DMI sys vendor e24cloud", map[string]string{"sys_vendor": "e24cloud"}},
		{"ZStack", "Ec2", "DMI chassis asset tag 123456.zstack.io", map[string]string{"chassis_asset_tag": "123456.zstack.io"}},
		{"Brightbox", "Ec2", "DMI product serial *.brightbox.com", map[string]string{"product_serial": "srv-otuxg.gb1.brightbox.com"}},
		{"GCE", "GCE", "DMI product name Google Compute Engine", map[string]string{
			"sys_vendor": "Google", "product_name": "Google Compute Engine", "product_serial": "GoogleCloud-0123456789ABCDEF", "bios_vendor": "Google",
			"product_uuid": "ec2a1e5f-1f2b-3c4d-9a8b-0123456789ab", // by chance
		}},
		{"GCE by serial", "GCE", "DMI product serial GoogleCloud-*", map[string]string{"product_serial": "GoogleCloud-0123456789ABCDEF"}},
		{"Azure", "Azure", "DMI chassis asset tag 7783-7084-3265-9085-8269-3286-77", map[string]string{
			"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77",
		}},
		{"Hyper-V at home", "", "", map[string]string{"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine", "chassis_asset_tag": "4711-0815"}},
		{"OpenStack", "OpenStack", "DMI product name OpenStack Nova", map[string]string{"sys_vendor": "OpenStack Foundation", "product_name": "OpenStack Nova"}},
		{"RDO", "OpenStack", "DMI product name OpenStack Compute", map[string]string{"sys_vendor": "RDO", "product_name": "OpenStack Compute"}},
		{"Open Telekom Cloud", "OpenStack", "DMI chassis asset tag OpenTelekomCloud", map[string]string{"product_name": "c3.large", "chassis_asset_tag": "OpenTelekomCloud"}},
		{"Huawei Cloud", "OpenStack", "DMI chassis asset tag HUAWEICLOUD", map[string]string{"chassis_asset_tag": "HUAWEICLOUD"}},
		{"SAP", "OpenStack", "DMI chassis asset tag SAP CCloud VM", map[string]string{"sys_vendor": "VMware, Inc.", "chassis_asset_tag": "SAP CCloud VM"}},
		{"Samsung", "OpenStack", "DMI chassis asset tag Samsung Cloud Platform", map[string]string{"chassis_asset_tag": "Samsung Cloud Platform"}},
		{"DigitalOcean", "DigitalOcean", "DMI sys vendor DigitalOcean", map[string]string{"sys_vendor": "DigitalOcean", "product_name": "Droplet", "product_serial": "4711"}},
		{"Hetzner", "Hetzner", "DMI sys vendor Hetzner", map[string]string{"sys_vendor": "Hetzner", "product_name": "vServer", "product_serial": "4711"}},
		{"Vultr", "Vultr", "DMI sys vendor Vultr", map[string]string{"sys_vendor": "Vultr", "product_name": "VC2"}},
		{"Vultr's metal", "Vultr", "the kernel's command line", map[string]string{"sys_vendor": "Supermicro", "/proc/cmdline": "quiet vultr ro"}},
		{"Vultr's file", "Vultr", "/etc/vultr", map[string]string{"/etc/vultr": ""}},
		{"Oracle", "Oracle", "DMI chassis asset tag OracleCloud.com", map[string]string{"sys_vendor": "QEMU", "product_name": "Standard PC (i440FX + PIIX, 1996)", "chassis_asset_tag": "OracleCloud.com"}},
		{"Scaleway", "Scaleway", "DMI sys vendor Scaleway", map[string]string{"sys_vendor": "Scaleway", "product_name": "SCW-DEV1-S"}},
		{"Scaleway's metal", "Scaleway", "the kernel's command line", map[string]string{"/proc/cmdline": "ro scaleway boot=local"}},
		{"Scaleway's file", "Scaleway", "/var/run/scaleway", map[string]string{"/var/run/scaleway": ""}},
		{"Exoscale", "Exoscale", "DMI product name Exoscale Compute Platform", map[string]string{"sys_vendor": "Exoscale", "product_name": "Exoscale Compute Platform"}},
		{"UpCloud", "UpCloud", "DMI sys vendor UpCloud", map[string]string{"sys_vendor": "UpCloud", "product_name": "Server"}},
		{"Akamai", "Akamai", "DMI sys vendor Akamai", map[string]string{"sys_vendor": "Akamai", "product_name": "Compute Instance"}},
		{"Linode", "Akamai", "DMI sys vendor Linode", map[string]string{"sys_vendor": "Linode"}},
		{"Alibaba Cloud", "AliYun", "DMI product name Alibaba Cloud ECS", map[string]string{"sys_vendor": "Alibaba Cloud", "product_name": "Alibaba Cloud ECS"}},
		{"CloudStack", "CloudStack", "DMI product name CloudStack KVM Hypervisor", map[string]string{"sys_vendor": "Apache Software Foundation", "product_name": "CloudStack KVM Hypervisor"}},
		{"a laptop", "", "", map[string]string{"sys_vendor": "LENOVO", "product_name": "20XW", "product_uuid": "ec2a1e5f-1f2b-3c4d-9a8b-0123456789ab", "/proc/cmdline": "ro quiet"}},
		{"QEMU", "", "", map[string]string{"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)"}},
		{"nothing", "", "", nil},
	}
	var found []string
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := hostWith(t, tt.files)
			got := map[string]string{}
			for _, k := range networkKinds() {
				if how, ok := k.detect(h); ok {
					got[k.name] = how
					found = append(found, k.name)
				}
			}
			want := map[string]string{}
			if tt.want != "" {
				want[tt.want] = tt.how
			}
			if !maps.Equal(got, want) {
				t.Errorf("detected %v, want %v", got, want)
			}
		})
	}
	slices.Sort(found)
	if found = slices.Compact(found); !slices.Equal(found, names(platforms())) {
		t.Errorf("only %v are in this test", found)
	}
}
