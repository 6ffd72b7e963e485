package datasource

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"path"
	"strings"
)

// metadata returns the variables of templates by cloud-init's names and rules:
// "v1" has the same names on all platforms, "ds" is the platform's own. The
// caller must not use doc afterwards. The user data is left out.
func (s *service) metadata(doc map[string]any, id, base string) map[string]any {
	m := s.meta
	hostname := text(look(doc, m.hostname))
	if !m.wholeHostname {
		hostname = shortName(hostname)
	}
	zone := path.Base("/" + text(look(doc, m.zone)))
	if zone == "/" {
		zone = ""
	}
	region := strings.ToLower(text(look(doc, m.region)))
	if region == "" && m.regionOf != nil {
		region = m.regionOf(zone)
	}
	cloud := m.cloud
	if cloud == "" {
		cloud = strings.ToLower(s.name)
	}
	v1 := map[string]any{
		"instance_id": id,
		"cloud_name":  cloud,
		"cloud_id":    cloudID(cloud, region),
		"platform":    strings.ToLower(s.name),
		"subplatform": "metadata (" + base + ")",
	}
	for name, value := range map[string]string{"local_hostname": hostname, "availability_zone": zone, "region": region} {
		if value != "" {
			v1[name] = value
		}
	}
	for _, name := range []string{"instance_id", "cloud_name", "local_hostname", "availability_zone"} {
		if value, ok := v1[name]; ok {
			v1[strings.ReplaceAll(name, "_", "-")] = value
		}
	}
	maps.Copy(v1, s.host.values())
	return map[string]any{"v1": v1, "ds": s.templateData(doc)}
}

// templateData returns "ds": the meta-data, or the part that cloud-init uses.
func (s *service) templateData(doc map[string]any) map[string]any {
	m := s.meta
	named := make(map[string]any)
	for name, at := range m.names {
		if value := look(doc, at); value != nil {
			named[name] = value
		}
	}
	if zone, ok := named["availability-zone"].(string); ok {
		named["availability-zone"] = path.Base(zone)
	}
	data := named
	if !m.only {
		remove(doc, s.platform.userData.in)
		maps.Copy(doc, named)
		data = doc
	}
	data, _ = plain(data).(map[string]any)
	for key := m.below; key != ""; {
		var last string
		key, last = cutLast(key)
		data = map[string]any{last: data}
	}
	return data
}

// cutLast splits "a.b" into "a" and "b", and "b" into "" and "b".
func cutLast(key string) (before, last string) {
	i := strings.LastIndex(key, ".")
	return key[:max(i, 0)], key[i+1:]
}

// remove removes the value at a path of keys.
func remove(doc map[string]any, at string) {
	parent, last := cutLast(at)
	if parent != "" {
		doc, _ = look(doc, parent).(map[string]any)
	}
	delete(doc, last)
}

// plain turns numbers that are stored as text into numbers, and keys into text.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, element := range value {
			value[key] = plain(element)
		}
	case map[any]any:
		named := make(map[string]any, len(value))
		for key, element := range value {
			named[fmt.Sprint(key)] = plain(element)
		}
		return named
	case []any:
		for i, element := range value {
			value[i] = plain(element)
		}
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return n
		}
		if f, err := value.Float64(); err == nil {
			return f
		}
		return value.String()
	}
	return value
}

// shortName is the host's name without its domain; an address becomes a name.
func shortName(hostname string) string {
	if ip := net.ParseIP(hostname); ip != nil && ip.To4() != nil {
		return "ip-" + strings.ReplaceAll(hostname, ".", "-")
	}
	short, _, _ := strings.Cut(hostname, ".")
	return short
}

// cloudID returns cloud-init's canonical_cloud_id: the cloud, or a separate part
// of it.
func cloudID(cloud, region string) string {
	switch {
	case cloud == "aws" && strings.HasPrefix(region, "cn-"):
		return "aws-china"
	case cloud == "aws" && strings.HasPrefix(region, "us-gov-"):
		return "aws-gov"
	case cloud == "azure" && strings.HasPrefix(region, "china"):
		return "azure-china"
	}
	return cloud
}

// withoutLetter makes eu-west-1 of eu-west-1a.
func withoutLetter(zone string) string { return zone[:max(len(zone)-1, 0)] }

// withoutLastPart makes us-central1 of us-central1-a.
func withoutLastPart(zone string) string { return zone[:max(strings.LastIndex(zone, "-"), 0)] }
