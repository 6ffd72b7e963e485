package datasource

import (
	"context"
	"fmt"

	"github.com/dockhost/dockhost/cloudinit"
)

// configDrive is OpenStack's ConfigDrive datasource: a disc labelled config-2
// or a directory with the same files.
type configDrive struct{ host *host }

func detectConfigDrive(h *host) (string, bool) {
	for _, dir := range configDirs(h) {
		if h.exists(dir.path("openstack")) || h.exists(dir.path("ec2")) {
			return "the directory " + dir.dir, true
		}
	}
	return "a disc labelled config-2", len(configDiscs(h)) > 0
}

const configSeed = "/var/lib/cloud/seed/config_drive"

func configDirs(h *host) []directory {
	return []directory{{h.root, configSeed}, {h.root, "/config-drive"}}
}

func configDiscs(h *host) []*disc { return h.labelled("config-2", "CONFIG-2") }

func (c configDrive) Name() string { return "ConfigDrive" }

func (c configDrive) Read(context.Context) (*cloudinit.UserData, error) {
	var incomplete []string
	for _, dir := range configDirs(c.host) {
		data, reason, err := c.readFrom(dir)
		if data != nil || err != nil {
			return data, err
		}
		if reason != "" {
			incomplete = append(incomplete, reason)
		}
	}
	for _, d := range configDiscs(c.host) {
		data, reason, err := c.readFrom(d)
		if err != nil {
			return nil, err
		}
		if data != nil {
			data.How = "a disc labelled config-2 in " + d.device
			return data, nil
		}
		incomplete = append(incomplete, reason)
	}
	return nil, notFound(incomplete...)
}

// readFrom reads OpenStack's newest version in one place, or EC2's form if it is
// missing. Without data and without an error, the reason says what is missing, or
// is "" for an empty place.
func (c configDrive) readFrom(place files) (data *cloudinit.UserData, reason string, err error) {
	user, path, userErr := firstOf(place, "openstack/latest/user_data", "ec2/latest/user-data")
	text, metaPath, metaErr := firstOf(place, "openstack/latest/meta_data.json", "ec2/latest/meta-data.json")
	switch {
	case absent(metaErr) && absent(userErr):
		if _, ok := place.(*disc); ok {
			reason = fmt.Sprintf("%q has neither openstack/latest/meta_data.json nor ec2/latest/meta-data.json", place.path(""))
		}
		return nil, reason, nil
	case absent(metaErr):
		return nil, fmt.Sprintf("%q has user data but no openstack/latest/meta_data.json (create it, for example with {\"uuid\": \"my-host\"})", place.path("")), nil
	case metaErr != nil:
		return nil, "", metaErr
	case absent(userErr): // an instance without user data
		path = metaPath
	case userErr != nil:
		return nil, "", userErr
	}
	m, err := parseMeta(text)
	if err != nil {
		return nil, "", err
	}
	// OpenStack's names to cloud-init's (helpers/openstack.py, KEY_COPIES).
	for name, from := range map[string]string{"instance-id": "uuid", "local-hostname": "hostname"} {
		if value := m.text(from); value != "" {
			m[name] = value
		}
	}
	delete(m, "random_seed") // raw bytes for the kernel
	id := m.instanceID("iid-dsconfigdrive")
	return &cloudinit.UserData{
		Datasource: "ConfigDrive", InstanceID: id, Path: path, Raw: user,
		Metadata: m.values(c.host, cloudNames{name: "openstack", cloud: "configdrive", sub: driveSub(place)}),
	}, "", nil
}

func driveSub(place files) string {
	if d, ok := place.(*disc); ok {
		return "config-disk (" + d.device + ")"
	}
	return "seed-dir (" + place.path("") + ")"
}
