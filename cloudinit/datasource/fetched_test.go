package datasource

import (
	"maps"
	"testing"

	"github.com/dockhost/dockhost/cloudinit"
)

// fetchedTree is what cloud-init 25.1 leaves on an instance of EC2.
func fetchedTree() map[string]string {
	return map[string]string{
		"/run/cloud-init/status.json":                  `{"v1": {"datasource": "DataSourceEc2Local", "init": {"errors": [], "finished": 7.1, "start": 6.2}, "stage": "modules-config"}}`,
		"/run/cloud-init/instance-data-sensitive.json": `{"v1": {"instance_id": "i-0123", "region": "eu-west-1"}, "ds": {"meta_data": {"ami-id": "ami-1"}}, "sensitive_keys": []}`,
		"/run/cloud-init/.instance-id":                 "i-0123\n",
		"/var/lib/cloud/data/instance-id":              "i-0123\n",
		"/var/lib/cloud/instance/user-data.txt":        "#cloud-config\n",
	}
}

func TestFetchedBefore(t *testing.T) {
	ec2 := kind{name: "Ec2"}
	tests := []struct {
		name string
		kind kind
		// but is what is otherwise; "" removes the file.
		but  map[string]string
		want bool
	}{
		{"in this boot", ec2, nil, true},
		{"in another boot", ec2, map[string]string{"/run/cloud-init/status.json": "", "/run/cloud-init/.instance-id": "", "/run/cloud-init/instance-data-sensitive.json": ""}, false},
		{"not yet", ec2, map[string]string{"/run/cloud-init/status.json": `{"v1": {"datasource": "DataSourceEc2Local", "init": {"errors": [], "finished": null}}}`}, false},
		{"with errors", ec2, map[string]string{"/run/cloud-init/status.json": `{"v1": {"datasource": "DataSourceEc2Local", "init": {"errors": ["x"], "finished": 1}}}`}, false},
		{"by another datasource", kind{name: "OpenStack"}, nil, false},
		{"by the fallback", ec2, map[string]string{"/run/cloud-init/status.json": `{"v1": {"datasource": "DataSourceNone", "init": {"errors": [], "finished": 1}}}`}, false},
		{"for another instance", ec2, map[string]string{"/var/lib/cloud/data/instance-id": "i-baked\n"}, false},
		{"for an instance not yet known", ec2, map[string]string{"/run/cloud-init/.instance-id": "i-other\n"}, false},
		{"and removed", ec2, map[string]string{"/var/lib/cloud/instance/user-data.txt": ""}, false},
		{"damaged", ec2, map[string]string{"/run/cloud-init/instance-data-sensitive.json": "{"}, false},
		{"GCE, whose declaration is not in it", kind{name: "GCE"}, map[string]string{"/run/cloud-init/status.json": `{"v1": {"datasource": "DataSourceGCELocal", "init": {"errors": [], "finished": 1}}}`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := fetchedTree()
			maps.Copy(files, tt.but)
			maps.DeleteFunc(files, func(_, text string) bool { return text == "" })
			data := fetchedBefore(newHost(tree(t, files)), tt.kind)
			if (data != nil) != tt.want {
				t.Fatalf("fetchedBefore() = %+v, want any: %v", data, tt.want)
			}
			if data != nil && (data.InstanceID != "i-0123" || string(data.Raw) != "#cloud-config\n" || v1(t, data, "region") != "eu-west-1") {
				t.Errorf("fetchedBefore() = %+v, want cloud-init's", data)
			}
		})
	}
}

// A number in cloud-init's values is rendered as cloud-init renders it, without a
// fraction.
func TestFetchedNumber(t *testing.T) {
	files := fetchedTree()
	files["/run/cloud-init/instance-data-sensitive.json"] = `{"v1": {"instance_id": "i-0123"}, "ds": {"meta_data": {"index": 2, "of": [1.5]}}}`
	files["/var/lib/cloud/instance/user-data.txt"] = "## template: jinja\n#cloud-config\ndockhost: {x: '{{ ds.meta_data.index }}-{{ ds.meta_data.of[0] }}'}\n"
	data := fetchedBefore(newHost(tree(t, files)), kind{name: "Ec2"})
	section, err := data.Section(t.Context(), cloudinit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if x := section.Node.Content[1].Value; x != "2-1.5" {
		t.Errorf("x = %q, want 2-1.5", x)
	}
}

// TestFetchedIsNotLocal: a seed that was changed after cloud-init read it is
// read itself.
func TestFetchedIsNotLocal(t *testing.T) {
	files := fetchedTree()
	files["/run/cloud-init/status.json"] = `{"v1": {"datasource": "DataSourceNoCloud [seed=/var/lib/cloud/seed/nocloud]", "init": {"errors": [], "finished": 1}}}`
	files[seedsPath+"nocloud/user-data"], files[seedsPath+"nocloud/meta-data"] = "changed", "instance-id: i-0123"
	for _, fetched := range []bool{false, true} {
		_, data, err := Find(t.Context(), Options{Root: tree(t, files), Fetched: fetched})
		if err != nil || string(data.Raw) != "changed" {
			t.Errorf("Find() with Fetched: %v = %+v, %v, want the seed itself", fetched, data, err)
		}
	}
}

func TestFetchedAfterRedaction(t *testing.T) {
	files := fetchedTree()
	files["/run/cloud-init/status.json"] = `{"v1": {"datasource": "DataSourceVMware [seed=guestinfo]", "init": {"errors": [], "finished": 1}}}`
	files["dmi:product_name"] = vmwareName
	files["/usr/bin/vmware-rpctool"] = rpctool(map[string]string{"userdata": "---", "metadata": "redact: [userdata]"})
	root := tree(t, files)
	executable(t, root)
	_, data, err := Find(t.Context(), Options{Root: root})
	if err != nil || data.Path != fetchedUserData {
		t.Errorf("Find() = %+v, %v, want what cloud-init took", data, err)
	}
}
