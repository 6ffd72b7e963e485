package datasource

import (
	"maps"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// metaData is an instance's meta-data by cloud-init's names: "instance-id",
// "local-hostname".
type metaData map[string]any

// parseMeta reads meta-data, which is YAML or JSON. Empty is empty.
func parseMeta(raw []byte) (metaData, error) {
	const file = "meta-data"
	m := metaData{}
	top, err := document.Parse(file, raw)
	if err != nil || top == nil || document.IsNull(top) {
		return m, err
	}
	if top.Kind != yaml.MappingNode {
		return nil, document.ProblemAt(file, top, "not a mapping: write lines of KEY: VALUE, such as instance-id: my-host")
	}
	if err := top.Decode(&m); err != nil {
		return nil, document.ProblemAt(file, top, "a key or a value has an unknown YAML type") // err quotes values
	}
	for _, name := range []string{"instance-id", "local-hostname"} { // as written: 0017 is a name, not 15
		_, value := document.LookUp(top, name)
		switch {
		case value == nil:
		case document.IsNull(value) || value.Kind == yaml.ScalarNode && value.Value == "":
			delete(m, name)
		case value.Kind != yaml.ScalarNode:
			return nil, document.ProblemAt(file, value, name+" is not a string")
		default:
			m[name] = value.Value
		}
	}
	return m, nil
}

// under returns m with the keys that only other has. As in cloud-init, mappings
// in both are merged the same way.
func (m metaData) under(other metaData) metaData {
	merged := maps.Clone(other)
	if merged == nil {
		merged = metaData{}
	}
	for key, value := range m {
		mine, ok := value.(map[string]any)
		theirs, both := merged[key].(map[string]any)
		if ok && both {
			value = map[string]any(metaData(mine).under(theirs))
		}
		merged[key] = value
	}
	return merged
}

// text returns a value that is a string, or "".
func (m metaData) text(name string) string {
	text, _ := m[name].(string)
	return text
}

// instanceID returns the instance-id. If it is missing it sets the fallback.
func (m metaData) instanceID(fallback string) string {
	if id := m.text("instance-id"); id != "" {
		return id
	}
	m["instance-id"] = fallback
	return fallback
}

// cloudNames are what cloud-init calls a datasource in v1.
type cloudNames struct{ name, cloud, sub string }

// values returns what templates may use, by cloud-init's names
// (cloudinit/sources/__init__.py, _get_standardized_metadata).
func (m metaData) values(h *host, p cloudNames) map[string]any {
	hostname := m.text("local-hostname")
	if hostname == "" {
		hostname = h.line("/proc/sys/kernel/hostname")
	}
	hostname, _, _ = strings.Cut(hostname, ".")
	if cloud := m.text("cloud-name"); cloud != "" {
		p.cloud = strings.ToLower(cloud)
	}
	zone := m["availability-zone"]
	if zone == nil {
		zone = m["availability_zone"]
	}
	if placement, ok := m["placement"].(map[string]any); ok && zone == nil {
		zone = placement["availability-zone"]
	}
	v1 := map[string]any{
		"instance-id": m["instance-id"], "instance_id": m["instance-id"],
		"local-hostname": hostname, "local_hostname": hostname,
		"cloud-name": p.cloud, "cloud_name": p.cloud, "cloud_id": idOfCloud(p, m.text("region")),
		"platform": p.name, "subplatform": p.sub,
		"region":            m["region"],
		"availability-zone": zone, "availability_zone": zone,
	}
	maps.Copy(v1, h.values())
	return map[string]any{"v1": v1, "ds": map[string]any{"meta_data": map[string]any(m)}}
}

// values are the keys of v1 that come from the host, not from a datasource.
func (h *host) values() map[string]any {
	release := h.osRelease()
	return map[string]any{
		"distro": release["ID"], "distro_version": release["VERSION_ID"], "distro_release": release["VERSION_CODENAME"],
		"kernel_release": h.line("/proc/sys/kernel/osrelease"),
	}
}

// idOfCloud is cloud-init's canonical_cloud_id, for clouds without regions of
// another name.
func idOfCloud(p cloudNames, region string) string {
	if p.cloud == "" || p.cloud == "unknown" {
		return p.name
	}
	if p.cloud == "azure" && strings.HasPrefix(region, "china") {
		return "azure-china"
	}
	return p.cloud
}
