package compose

import (
	"maps"
	"slices"
	"strings"
)

// keys says which keys a mapping may have. The zero value allows anything.
type keys struct {
	// fields are the keys that a mapping may have, nil for any.
	fields map[string]keys
	// each is what the values of a mapping with free keys may have.
	each *keys
	// item is what the items of a list may have.
	item *keys
}

func only(names ...string) keys {
	fields := make(map[string]keys, len(names))
	for _, name := range names {
		fields[name] = keys{}
	}
	return keys{fields: fields}
}

func (k keys) with(name string, value keys) keys {
	k.fields[name] = value
	return k
}

func listOf(item keys) keys { return keys{item: &item} }
func mapOf(value keys) keys { return keys{each: &value} }

// serviceKeys are the keys of a Compose service that mean something on a
// single host.
func serviceKeys() keys {
	device := only("capabilities", "driver", "count", "device_ids", "options")
	reservations := only().with("devices", listOf(device))
	resources := only().with("limits", only("cpus", "memory", "pids")).with("reservations", reservations)
	volume := only("type", "source", "target", "read_only", "consistency").
		with("bind", only("propagation", "create_host_path", "recursive", "selinux")).
		with("volume", only("labels", "nocopy", "subpath")).
		with("tmpfs", only("size", "mode")).
		with("image", only("subpath"))
	return only(
		"annotations", "cap_add", "cap_drop", "cgroup", "command", "cpus", "cpuset", "dns", "dns_opt", "dns_search",
		"domainname", "entrypoint", "environment", "extra_hosts", "group_add", "hostname", "image", "init", "ipc",
		"labels", "mem_limit", "memswap_limit", "network_mode", "oom_score_adj", "pid", "pids_limit", "platform",
		"privileged", "pull_policy", "read_only", "restart", "runtime", "security_opt", "shm_size", "stdin_open",
		"stop_grace_period", "stop_signal", "sysctls", "tmpfs", "tty", "user", "userns_mode", "uts", "working_dir",
	).
		with("depends_on", mapOf(only("condition", "restart", "required"))).
		with("deploy", only().with("resources", resources)).
		with("devices", listOf(only("source", "target", "permissions"))).
		with("env_file", listOf(only("path", "required", "format"))).
		with("gpus", listOf(device)).
		with("healthcheck", only("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable")).
		with("logging", only("driver", "options")).
		with("ports", listOf(only("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"))).
		with("ulimits", mapOf(only("soft", "hard"))).
		with("volumes", listOf(volume))
}

// cure says why a key that Compose knows means nothing on a single host, and
// what to do instead. It is "" for a key that is merely unknown.
func cure(path string) string {
	return map[string]string{ //nolint:gosec // G101 takes Compose's key "secrets" for a secret
		"attach":                               "the output goes to the journal",
		"blkio_config":                         "set IOWeight and the like in x-dockhost.unit.Service",
		"build":                                "a host builds no images: push the image to a registry and name it in image",
		"cgroup_parent":                        "the container lives in the cgroup of its own unit: set Slice in x-dockhost.unit.Service",
		"configs":                              "mount a file of the host with volumes",
		"container_name":                       "the key of the service is the name of the container",
		"cpu_count":                            "this is for Windows: use cpus",
		"cpu_percent":                          "this is for Windows: use cpus",
		"cpu_period":                           "use cpus",
		"cpu_quota":                            "use cpus",
		"cpu_shares":                           "set CPUWeight in x-dockhost.unit.Service",
		"credential_spec":                      "this is for Windows",
		"deploy.endpoint_mode":                 "this is for Swarm",
		"deploy.labels":                        "use labels",
		"deploy.mode":                          "this is for Swarm",
		"deploy.placement":                     "this is for Swarm",
		"deploy.replicas":                      "each name is one container: write a second service",
		"deploy.restart_policy":                "use restart",
		"deploy.rollback_config":               "this is for Swarm",
		"deploy.update_config":                 "this is for Swarm",
		"develop":                              "this is for development",
		"expose":                               "containers of a host reach each other's ports without it",
		"extends":                              "write the service out, or use YAML anchors",
		"external_links":                       "use network_mode with a network that exists",
		"isolation":                            "this is for Windows",
		"label_file":                           "use labels",
		"links":                                "use network_mode with a network that exists: its containers find each other by name",
		"mac_address":                          "create the network with the address beforehand",
		"mem_reservation":                      "set MemoryLow in x-dockhost.unit.Service",
		"mem_swappiness":                       "set MemorySwapMax in x-dockhost.unit.Service",
		"models":                               "run the model in a container of its own",
		"networks":                             "use network_mode: bridge, none, host, container:NAME, service:NAME or the name of a network that exists",
		"oom_kill_disable":                     "set OOMScoreAdjust in x-dockhost.unit.Service, or oom_score_adj",
		"post_start":                           "use the entrypoint of the image",
		"pre_start":                            "use the entrypoint of the image",
		"pre_stop":                             "use the entrypoint of the image",
		"profiles":                             "every service here runs: leave out what must not",
		"provider":                             "only containers run here",
		"scale":                                "each name is one container: write a second service",
		"secrets":                              "mount a file of the host with volumes",
		"storage_opt":                          "configure the storage driver of Docker",
		"use_api_socket":                       "mount /var/run/docker.sock with volumes if you must",
		"volume_driver":                        "create the volume beforehand",
		"volumes_from":                         "name the same volumes in both services",
		"device_cgroup_rules":                  "name the devices in devices",
		"deploy.resources.reservations.cpus":   "set CPUWeight in x-dockhost.unit.Service",
		"deploy.resources.reservations.memory": "set MemoryLow in x-dockhost.unit.Service",
		"deploy.resources.reservations.generic_resources": "this is for Swarm",
	}[path]
}

// checkKeys notes each key below a spot that is not allowed there, and returns
// the tree without these and without Compose's own extension keys.
func (r *report) checkKeys(at spot, allowed keys, path string) spot {
	switch {
	case at.isMapping() && allowed.fields != nil:
		at = at.without(func(key string) bool { return strings.HasPrefix(key, "x-") })
		at = r.knownFields(at, allowed.fields, path)
	case at.isMapping() && allowed.each != nil:
		each := map[string]keys{}
		for name := range at.fields() {
			each[name] = *allowed.each
		}
		at = r.knownFields(at, each, path)
	case at.isList() && allowed.item != nil:
		list := *at.node
		list.Content = slices.Clone(list.Content)
		for i, item := range at.items() {
			list.Content[i] = r.checkKeys(item, *allowed.item, path).node
		}
		at.node = &list
	}
	return at
}

func (r *report) knownFields(at spot, allowed map[string]keys, path string) spot {
	for name, value := range at.fields() {
		if _, ok := allowed[name]; !ok {
			r.unknownKey(value, name, slices.Collect(maps.Keys(allowed)), cure(dotted(path, name)))
		}
	}
	at = at.without(func(name string) bool { _, ok := allowed[name]; return !ok })
	content := slices.Clone(at.node.Content)
	for i := 0; i+1 < len(content); i += 2 {
		name := content[i].Value
		value := spot{path: join(at.path, name), key: content[i], node: content[i+1]}
		content[i+1] = r.checkKeys(value, allowed[name], dotted(path, name)).node
	}
	at.node.Content = content
	return at
}

func dotted(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// unknownKey notes a key that is not allowed, with the cure or with the
// allowed key that it looks like.
func (r *report) unknownKey(at spot, name string, allowed []string, cure string) {
	near := nearest(name, allowed)
	switch {
	case cure != "":
		r.errorf(at, "cannot use %q on a single host: %s", name, cure)
	case near != "":
		r.errorf(at, "unknown key %q (did you mean %q?)", shorten(name), near)
	default:
		r.errorf(at, "unknown key %q", shorten(name))
	}
}

// nearest returns the one of some words that a word is a misspelling of, or "".
func nearest(word string, words []string) string {
	best, bestDistance := "", 3
	if len(word) < 5 {
		bestDistance = 2
	}
	if len(word) > maxShown {
		return ""
	}
	for _, candidate := range slices.Sorted(slices.Values(words)) {
		if d := distance(word, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's: how many bytes must be changed, added or removed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
