package datasource

import (
	"encoding/json"
	"strings"

	"github.com/dockhost/dockhost/cloudinit"
)

// Where cloud-init keeps what it fetched.
const (
	fetchedUserData = "/var/lib/cloud/instance/user-data.txt"
	fetchedID       = "/var/lib/cloud/data/instance-id"
	fetchedStatus   = "/run/cloud-init/status.json"
	fetchedValues   = "/run/cloud-init/instance-data-sensitive.json"
)

// initStatus is the part of cloud-init's status.json that says how its stage
// "init" went. After it the user data is on disk.
type initStatus struct {
	V1 struct {
		Datasource string `json:"datasource"`
		Init       struct {
			Finished *float64 `json:"finished"`
			Errors   []string `json:"errors"`
		} `json:"init"`
	} `json:"v1"`
}

// fetchedBefore returns what cloud-init fetched from a datasource in this boot,
// or nil. Files below /var/lib/cloud may belong to another boot, or to another
// instance if an image was made of a live host. Files below /run belong to this
// boot and name the datasource and the instance.
func fetchedBefore(h *host, k kind) *cloudinit.UserData {
	var status initStatus
	raw, err := readFile(h.root, fetchedStatus)
	if err != nil || json.Unmarshal(raw, &status) != nil {
		return nil
	}
	init := status.V1.Init
	if init.Finished == nil || len(init.Errors) > 0 || className(status.V1.Datasource) != k.name {
		return nil
	}
	// cloud-init does not keep GCE's declaration.
	if k.name == "GCE" {
		return nil
	}
	raw, err = readFile(h.root, fetchedValues)
	values, ok := parseObject(raw)
	if err != nil || !ok {
		return nil
	}
	v1, _ := values["v1"].(map[string]any)
	id, _ := v1["instance_id"].(string)
	if id == "" || id != h.line(fetchedID) || id != h.line("/run/cloud-init/.instance-id") {
		return nil
	}
	raw, err = readFile(h.root, fetchedUserData)
	if err != nil {
		return nil
	}
	return &cloudinit.UserData{
		Datasource: k.name, How: "what cloud-init fetched in this boot", InstanceID: id, Path: fetchedUserData, Raw: raw,
		Metadata: map[string]any{"v1": v1, "ds": values["ds"]},
	}
}

// className makes "Ec2" of "DataSourceEc2Local [...]".
func className(text string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(text, "DataSource"), " ")
	for _, suffix := range []string{"Local", "Net"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}
