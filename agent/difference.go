package agent

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/spec"
)

// difference says how two declarations of a container differ, by key and never by value,
// since values may be secrets: "image 1.4 to 1.5, environment changed (PORT)". Keys are
// those of Compose where the declaration has Docker's.
func difference(old, next *spec.Container) string {
	if old.Config == nil || next.Config == nil {
		return "the file with its declaration was damaged"
	}
	var clauses []string
	if old.Image != next.Image {
		from, to := shortImages(old.Image, next.Image)
		clauses = append(clauses, "image "+from+" to "+to)
	} else if !reflect.DeepEqual(old.Pin, next.Pin) {
		clauses = append(clauses, "another image of "+next.Image)
	}
	before, after := members(old), members(next)
	keys := slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)))
	slices.Sort(keys)
	var changed []string
	for _, key := range slices.Compact(keys) {
		if string(before[key]) == string(after[key]) || key == "Image" || key == "pin" || key == "image" {
			continue
		}
		word := composeKey(key)
		if key == "Env" {
			word += " (" + strings.Join(changedVariables(old.Config.Env, next.Config.Env), ", ") + ")"
		}
		changed = append(changed, word)
	}
	slices.Sort(changed)
	if changed = slices.Compact(changed); len(changed) > 0 {
		clauses = append(clauses, strings.Join(changed, ", ")+" changed")
	}
	return strings.Join(clauses, ", ")
}

// shortImages returns the tags of two images of the same repository, otherwise the whole
// references.
func shortImages(old, next string) (from, to string) {
	repository, tag, isTag := cutLast(old, ":")
	newRepository, newTag, isNewTag := cutLast(next, ":")
	if isTag && isNewTag && repository == newRepository && !strings.ContainsAny(tag+newTag, "/@") {
		return tag, newTag
	}
	return old, next
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// members returns the keys of a declaration, with those of Docker's structs, and their
// values.
func members(c *spec.Container) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	raw, err := json.Marshal(c)
	if err != nil || json.Unmarshal(raw, &all) != nil {
		return nil
	}
	for _, part := range []string{"config", "host_config", "networking"} {
		inner := map[string]json.RawMessage{}
		_ = json.Unmarshal(all[part], &inner)
		delete(all, part)
		maps.Copy(all, inner)
	}
	return all
}

// changedVariables returns the names of the environment variables that differ, sorted.
func changedVariables(old, next []string) []string {
	values := func(env []string) map[string]string {
		byName := map[string]string{}
		for _, variable := range env {
			name, value, _ := strings.Cut(variable, "=")
			byName[name] = "=" + value
		}
		return byName
	}
	before, after := values(old), values(next)
	var names []string
	for name, value := range after {
		if before[name] != value {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, remains := after[name]; !remains {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// composeKey returns Compose's key for a key of Docker's API, otherwise the key itself.
func composeKey(key string) string {
	for docker, compose := range map[string]string{
		"Env": "environment", "Cmd": "command", "Entrypoint": "entrypoint", "Healthcheck": "healthcheck", "Labels": "labels",
		"PortBindings": "ports", "ExposedPorts": "ports", "Binds": "volumes", "Mounts": "volumes", "Volumes": "volumes",
		"LogConfig": "logging", "NetworkMode": "networks", "EndpointsConfig": "networks", "Memory": "mem_limit",
		"NanoCpus": "cpus", "CapAdd": "cap_add", "CapDrop": "cap_drop", "Devices": "devices", "User": "user",
		"WorkingDir": "working_dir", "StopSignal": "stop_signal", "StopTimeout": "stop_grace_period", "Privileged": "privileged",
		"ReadonlyRootfs": "read_only", "Tmpfs": "tmpfs", "ExtraHosts": "extra_hosts", "Dns": "dns", "ShmSize": "shm_size",
		"Ulimits": "ulimits", "Sysctls": "sysctls", "SecurityOpt": "security_opt", "files": "secrets or configs",
	} {
		if key == docker {
			return compose
		}
	}
	return key
}
