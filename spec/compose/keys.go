package compose

import "github.com/dockhost/dockhost/internal/document"

// serviceKeys returns the keys of a Compose service that have a use on a single
// host.
func serviceKeys() document.Keys {
	device := document.Only("capabilities", "driver", "count", "device_ids", "options")
	reservations := document.Only().With("devices", document.ListOf(device))
	resources := document.Only().With("limits", document.Only("cpus", "memory", "pids")).With("reservations", reservations)
	volume := document.Only("type", "source", "target", "read_only", "consistency").
		With("bind", document.Only("propagation", "create_host_path", "recursive", "selinux")).
		With("volume", document.Only("labels", "nocopy", "subpath")).
		With("tmpfs", document.Only("size", "mode")).
		With("image", document.Only("subpath"))
	update := document.Only("delay", "failure_action", "max_failure_ratio", "monitor", "order", "parallelism")
	hook := document.Only("command", "user", "privileged", "working_dir", "environment")
	reference := document.Only("source", "target", "uid", "gid", "mode")
	return document.Only(
		"annotations", "cap_add", "cap_drop", "cgroup", "command", "container_name", "cpus", "cpuset", "dns", "dns_opt", "dns_search",
		"domainname", "entrypoint", "environment", "expose", "extra_hosts", "group_add", "hostname", "image", "init", "ipc",
		"labels", "links", "mac_address", "mem_limit", "memswap_limit", "network_mode", "oom_score_adj", "pid", "pids_limit", "platform",
		"profiles", "privileged", "pull_policy", "read_only", "restart", "runtime", "scale", "security_opt", "shm_size", "stdin_open",
		"stop_grace_period", "stop_signal", "sysctls", "tmpfs", "tty", "user", "userns_mode", "uts", "volumes_from", "working_dir",
	).
		With("configs", document.ListOf(reference)).
		With("depends_on", document.MapOf(document.Only("condition", "restart", "required"))).
		With("deploy", document.Only("mode", "replicas").With("resources", resources).
			With("restart_policy", document.Only("condition", "delay")).With("rollback_config", update).With("update_config", update)).
		With("devices", document.ListOf(document.Only("source", "target", "permissions"))).
		With("env_file", document.ListOf(document.Only("path", "required", "format"))).
		With("gpus", document.ListOf(device)).
		With("healthcheck", document.Only("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable")).
		With("networks", document.MapOf(document.Only(
			"aliases", "driver_opts", "gw_priority", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address", "priority",
		))).
		With("logging", document.Only("driver", "options")).
		With("ports", document.ListOf(document.Only("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"))).
		With("post_start", document.ListOf(hook)).
		With("pre_stop", document.ListOf(hook)).
		With("secrets", document.ListOf(reference)).
		With("ulimits", document.MapOf(document.Only("soft", "hard"))).
		With("volumes", document.ListOf(volume))
}

// cure says what to do instead of using a key that Compose knows and a single
// host has no use for. It returns "" for an unknown key.
func cure(path string) string {
	return map[string]string{
		"attach":                               "the output always goes to the journal",
		"blkio_config":                         "set IOWeight and similar in x-dockhost.unit.Service",
		"build":                                "build the image elsewhere, push it to a registry, and name it in image",
		"cgroup_parent":                        "the container is in the cgroup of its own unit: set Slice in x-dockhost.unit.Service",
		"cpu_count":                            "this is for Windows: use cpus",
		"cpu_percent":                          "this is for Windows: use cpus",
		"cpu_period":                           "use cpus",
		"cpu_quota":                            "use cpus",
		"cpu_shares":                           "set CPUWeight in x-dockhost.unit.Service",
		"credential_spec":                      "this is for Windows",
		"deploy.endpoint_mode":                 "this is for Swarm",
		"deploy.labels":                        "use labels",
		"deploy.placement":                     "this is for Swarm",
		"deploy.restart_policy.max_attempts":   "set StartLimitBurst and StartLimitIntervalSec in x-dockhost.unit.Unit, or use restart: on-failure:COUNT",
		"deploy.restart_policy.window":         "set StartLimitIntervalSec in x-dockhost.unit.Unit",
		"develop":                              "this is for development",
		"extends":                              "write the service out, or use YAML anchors",
		"external_links":                       "use networks with an external network: its containers find each other by name",
		"isolation":                            "this is for Windows",
		"label_file":                           "use labels",
		"mem_reservation":                      "set MemoryLow in x-dockhost.unit.Service",
		"mem_swappiness":                       "set MemorySwapMax in x-dockhost.unit.Service",
		"models":                               "run the model in a container of its own",
		"oom_kill_disable":                     "use oom_score_adj: -1000 protects the container's processes",
		"pre_start":                            "use the entrypoint of the image",
		"provider":                             "dockhost only runs containers",
		"storage_opt":                          "configure Docker's storage driver",
		"use_api_socket":                       "mount /var/run/docker.sock with volumes",
		"volume_driver":                        "create the volume with docker volume create",
		"device_cgroup_rules":                  "list the devices in devices",
		"deploy.resources.reservations.cpus":   "set CPUWeight in x-dockhost.unit.Service",
		"deploy.resources.reservations.memory": "set MemoryLow in x-dockhost.unit.Service",
		"deploy.resources.reservations.generic_resources": "this is for Swarm",
	}[path]
}
