package compose

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/dockhost/dockhost/spec"
)

// facts say what a container is, by Compose's keys, in a form in which Compose's
// project and dockhost's container can be compared.
type facts map[string]any

// showFact returns a fact as JSON. What is empty is "": Docker makes no difference.
func showFact(fact any) string {
	raw, err := json.Marshal(fact)
	if err != nil {
		return err.Error()
	}
	switch text := string(raw); text {
	case "null", "[]", "{}", `""`, "0", "false":
		return ""
	default:
		return text
	}
}

// composeFacts returns what Compose makes of a service, as docker compose passes
// it on to the Engine (pkg/compose/create.go).
func composeFacts(project *types.Project, name string) facts {
	s := project.Services[name]
	f := facts{
		"image": s.Image, "platform": s.Platform, "runtime": s.Runtime, "pull_policy": s.PullPolicy,
		"container_name": s.ContainerName,
		"command":        s.Command, "entrypoint": s.Entrypoint, "working_dir": s.WorkingDir, "user": s.User,
		"environment": variableFact(s.Environment), "labels": s.Labels, "annotations": s.Annotations,
		"hostname": s.Hostname, "domainname": s.DomainName, "dns": s.DNS, "dns_opt": s.DNSOpts, "dns_search": s.DNSSearch,
		"extra_hosts": sortedFact(s.ExtraHosts.AsList(":")), "tty": s.Tty, "stdin_open": s.StdinOpen, "init": s.Init,
		"privileged": s.Privileged, "read_only": s.ReadOnly, "cap_add": s.CapAdd, "cap_drop": s.CapDrop,
		"security_opt": securityFact(s.SecurityOpt), "group_add": s.GroupAdd, "sysctls": s.Sysctls,
		"pid": modeFact(s.Pid), "ipc": modeFact(s.Ipc), "uts": s.Uts, "userns_mode": s.UserNSMode, "cgroup": s.Cgroup,
		"stop_signal": s.StopSignal, "stop_grace_period": composeSeconds(s.StopGracePeriod), "restart": composeRestart(&s),
		"ulimits": composeUlimits(&s), "shm_size": int64(s.ShmSize), "oom_score_adj": s.OomScoreAdj,
		"cpus": composeCPUs(&s), "cpuset": s.CPUSet, "mem_limit": composeMemory(&s), "memswap_limit": int64(s.MemSwapLimit), "pids_limit": composePids(&s),
		"healthcheck": composeHealth(s.HealthCheck), "devices": composeDevices(&s), "gpus": composeGPUs(&s),
		"ports": composePorts(&s), "expose": composeExposed(&s), "volumes": composeMounts(project, &s), "tmpfs": sortedFact(s.Tmpfs),
		"networks": composeEndpoints(project, &s), "depends_on": composeDependencies(&s),
		"secrets": composeSecrets(project, &s), "configs": composeConfigs(project, &s),
		"post_start": composeHooks(s.PostStart), "pre_stop": composeHooks(s.PreStop),
	}
	if s.PullPolicy == "" {
		f["pull_policy"] = types.PullPolicyMissing
	}
	if s.Logging != nil {
		f["logging"] = []any{s.Logging.Driver, s.Logging.Options}
	}
	return f
}

// dockhostFacts returns the same of a container that dockhost runs.
func dockhostFacts(c *spec.Container) facts {
	config, host := c.Config, c.HostConfig
	f := facts{
		"image": config.Image, "platform": c.Platform, "runtime": c.Runtime, "pull_policy": string(c.PullPolicy),
		"container_name": dockhostContainerName(c),
		"command":        config.Cmd, "entrypoint": config.Entrypoint, "working_dir": config.WorkingDir, "user": config.User,
		"environment": dockhostEnvironment(c), "labels": labelFact(config.Labels), "annotations": host.Annotations,
		"hostname": config.Hostname, "domainname": config.Domainname, "dns": host.DNS, "dns_opt": host.DNSOptions, "dns_search": host.DNSSearch,
		"extra_hosts": sortedFact(host.ExtraHosts), "tty": config.Tty, "stdin_open": config.OpenStdin, "init": host.Init,
		"privileged": host.Privileged, "read_only": host.ReadonlyRootfs, "cap_add": host.CapAdd, "cap_drop": host.CapDrop,
		"security_opt": securityFact(host.SecurityOpt), "group_add": host.GroupAdd, "sysctls": host.Sysctls,
		"pid": string(host.PidMode), "ipc": string(host.IpcMode), "uts": string(host.UTSMode), "userns_mode": string(host.UsernsMode),
		"cgroup": string(host.CgroupnsMode), "stop_signal": config.StopSignal, "stop_grace_period": config.StopTimeout, "restart": c.Restart,
		"ulimits": dockhostUlimits(host), "shm_size": host.ShmSize, "oom_score_adj": host.OomScoreAdj,
		"cpus": host.NanoCPUs, "cpuset": host.CpusetCpus, "mem_limit": host.Memory, "memswap_limit": host.MemorySwap, "pids_limit": host.PidsLimit,
		"healthcheck": dockhostHealth(config.Healthcheck), "devices": host.Devices, "gpus": dockhostGPUs(c),
		"ports": dockhostPorts(host.PortBindings), "expose": dockhostExposed(config.ExposedPorts), "volumes": dockhostMounts(host), "tmpfs": dockhostTmpfs(host),
		"networks": dockhostEndpoints(c), "depends_on": dockhostDependencies(c),
		"secrets": dockhostSecrets(c), "configs": dockhostConfigs(c),
		"post_start": dockhostPostStart(c), "pre_stop": dockhostPreStop(c),
	}
	if host.LogConfig.Type != "" || len(host.LogConfig.Config) > 0 {
		f["logging"] = []any{host.LogConfig.Type, host.LogConfig.Config}
	}
	return f
}

func sortedFact(list []string) []string { return slices.Sorted(slices.Values(list)) }

// variableFact returns "NAME=VALUE", or "NAME" for a variable that has no value.
func variableFact(env types.MappingWithEquals) []string {
	var list []string
	for name, value := range env {
		if value == nil {
			list = append(list, name)
		} else {
			list = append(list, name+"="+*value)
		}
	}
	return sortedFact(list)
}

// dockhostEnvironment reads the files of variables as the supervisor does.
func dockhostEnvironment(c *spec.Container) []string {
	env := types.MappingWithEquals{}
	for _, file := range c.EnvFiles {
		vars, err := dockhostEnvFile(file)
		if err != nil {
			return []string{err.Error()}
		}
		for name, value := range vars {
			env[name] = &value
		}
	}
	return variableFact(env.OverrideBy(types.NewMappingWithEquals(c.Config.Env)))
}

// labelFact leaves out the labels that dockhost and Compose add.
func labelFact(labels map[string]string) map[string]string {
	declared := maps.Clone(labels)
	maps.DeleteFunc(declared, func(name, _ string) bool {
		return strings.HasPrefix(name, "dockhost.") || strings.HasPrefix(name, "com.docker.compose.")
	})
	return declared
}

func securityFact(options []string) []string {
	var list []string
	for _, option := range options {
		if name, value, found := strings.Cut(option, ":"); found && !strings.Contains(name, "=") {
			option = name + "=" + value
		}
		list = append(list, strings.TrimSuffix(option, "=true"))
	}
	return list
}

// modeFact returns whose namespace is shared: a service is its container.
func modeFact(mode string) string {
	if name, found := strings.CutPrefix(mode, types.ServicePrefix); found {
		return types.ContainerPrefix + name
	}
	return mode
}

func composeSeconds(duration *types.Duration) *int {
	if duration == nil {
		return nil
	}
	whole := int(time.Duration(*duration) / time.Second)
	return &whole
}

// composeRestart returns systemd's Restart= for what Docker would do.
func composeRestart(s *types.ServiceConfig) string {
	policy := s.Restart
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		policy = s.Deploy.RestartPolicy.Condition
	}
	policy, _, _ = strings.Cut(policy, ":")
	switch policy {
	case types.RestartPolicyUnlessStopped, "any":
		return "always"
	case "none":
		return "no"
	}
	return policy
}

func composeUlimits(s *types.ServiceConfig) map[string][2]int64 {
	limits := map[string][2]int64{}
	for name, limit := range s.Ulimits {
		soft, hard := limit.Soft, limit.Hard
		if limit.Single != 0 {
			soft, hard = limit.Single, limit.Single
		}
		limits[name] = [2]int64{int64(soft), int64(hard)}
	}
	return limits
}

func dockhostUlimits(host *container.HostConfig) map[string][2]int64 {
	limits := map[string][2]int64{}
	for _, limit := range host.Ulimits {
		limits[limit.Name] = [2]int64{limit.Soft, limit.Hard}
	}
	return limits
}

// composeLimits returns deploy.resources.limits.
func composeLimits(s *types.ServiceConfig) types.Resource {
	if s.Deploy == nil || s.Deploy.Resources.Limits == nil {
		return types.Resource{}
	}
	return *s.Deploy.Resources.Limits
}

func composeCPUs(s *types.ServiceConfig) int64 {
	limit := composeLimits(s).NanoCPUs
	return int64(max(s.CPUS, limit.Value()) * 1e9)
}

func composeMemory(s *types.ServiceConfig) int64 {
	return max(int64(s.MemLimit), int64(composeLimits(s).MemoryBytes))
}

func composePids(s *types.ServiceConfig) int64 { return max(s.PidsLimit, composeLimits(s).Pids) }

func composeHealth(check *types.HealthCheckConfig) facts {
	switch {
	case check == nil:
		return nil
	case check.Disable:
		return facts{"test": []string{"NONE"}}
	}
	retries := 0
	if check.Retries != nil {
		retries = int(*check.Retries)
	}
	return facts{
		"test": check.Test, "retries": retries, "interval": composeTime(check.Interval), "timeout": composeTime(check.Timeout),
		"start_period": composeTime(check.StartPeriod), "start_interval": composeTime(check.StartInterval),
	}
}

func composeTime(duration *types.Duration) string {
	if duration == nil {
		return time.Duration(0).String()
	}
	return time.Duration(*duration).String()
}

func dockhostHealth(check *container.HealthConfig) facts {
	switch {
	case check == nil:
		return nil
	case slices.Equal(check.Test, []string{"NONE"}):
		return facts{"test": check.Test}
	}
	return facts{
		"test": check.Test, "retries": check.Retries, "interval": check.Interval.String(), "timeout": check.Timeout.String(),
		"start_period": check.StartPeriod.String(), "start_interval": check.StartInterval.String(),
	}
}

func composeDevices(s *types.ServiceConfig) []container.DeviceMapping {
	var devices []container.DeviceMapping
	for _, device := range s.Devices {
		mapping := container.DeviceMapping{PathOnHost: device.Source, PathInContainer: device.Target, CgroupPermissions: device.Permissions}
		if mapping.CgroupPermissions == "" {
			mapping.CgroupPermissions = "rwm"
		}
		devices = append(devices, mapping)
	}
	return devices
}

// composeGPUs returns how many GPUs are asked for, and which.
func composeGPUs(s *types.ServiceConfig) []any {
	requests := slices.Clone(s.Gpus)
	if s.Deploy != nil && s.Deploy.Resources.Reservations != nil {
		requests = append(requests, s.Deploy.Resources.Reservations.Devices...)
	}
	var gpus []any
	for _, request := range requests {
		gpus = append(gpus, int64(request.Count), sortedFact(request.IDs))
	}
	return gpus
}

func dockhostGPUs(c *spec.Container) []any {
	var gpus []any
	if c.GPU != nil {
		for _, request := range c.GPU.Requests {
			gpus = append(gpus, request.Count, sortedFact(request.Devices))
		}
	}
	for _, request := range c.HostConfig.DeviceRequests {
		gpus = append(gpus, request.Count, sortedFact(request.DeviceIDs))
	}
	return gpus
}

func composePorts(s *types.ServiceConfig) []string {
	var ports []string
	for _, port := range s.Ports {
		ports = append(ports, fmt.Sprintf("%s:%s:%d/%s", port.HostIP, port.Published, port.Target, port.Protocol))
	}
	return sortedFact(ports)
}

func dockhostPorts(bindings nat.PortMap) []string {
	var ports []string
	for port, hosts := range bindings {
		for _, host := range hosts {
			ports = append(ports, fmt.Sprintf("%s:%s:%s", host.HostIP, host.HostPort, port))
		}
	}
	return sortedFact(ports)
}

// composeExposed returns the ports that the container is said to listen at.
func composeExposed(s *types.ServiceConfig) []string {
	exposed := nat.PortSet{}
	for _, port := range s.Ports {
		exposed[nat.Port(strconv.FormatUint(uint64(port.Target), 10)+"/"+port.Protocol)] = struct{}{}
	}
	for _, value := range s.Expose {
		protocol, ports := nat.SplitProtoPort(value)
		first, last, err := nat.ParsePortRange(ports)
		if err != nil {
			return []string{err.Error()}
		}
		for port := first; port <= last; port++ {
			exposed[nat.Port(strconv.FormatUint(port, 10)+"/"+protocol)] = struct{}{}
		}
	}
	return dockhostExposed(exposed)
}

func dockhostExposed(ports nat.PortSet) []string {
	var exposed []string
	for port := range ports {
		exposed = append(exposed, string(port))
	}
	return sortedFact(exposed)
}

func dockhostTmpfs(host *container.HostConfig) []string {
	var list []string
	for target, options := range host.Tmpfs {
		if options != "" {
			target += ":" + options
		}
		list = append(list, path.Clean(target))
	}
	return sortedFact(list)
}
