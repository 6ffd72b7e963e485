package policy

import (
	"cmp"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// readOnlySuffix restricts a path in a rule to read-only mounts.
const readOnlySuffix = ":ro"

// check collects the refusals for one assignment.
type check struct {
	*Policy
	// where is the place in the user data that is judged now.
	where string
	// assigned has the names of the containers in the assignment.
	assigned map[string]bool
	refusals Refusals
}

func (c *check) refuse(rule, what string) {
	c.refusals = append(c.refusals, c.where+": "+what+" is not allowed here ("+c.why(rule)+")")
}

// flag judges a thing that is either used or not.
func (c *check) flag(rule string, used bool, what string) {
	if used && !c.allows(rule, func(string) bool { return false }) {
		c.refuse(rule, what)
	}
}

// word judges a value by the patterns of a rule.
func (c *check) word(rule, value, what string) {
	if !c.allows(rule, func(entry string) bool { return matches(entry, value) }) {
		c.refuse(rule, what+" "+document.Shorten(strconv.Quote(value)))
	}
}

func matches(pattern, value string) bool {
	matched, err := path.Match(pattern, value)
	return err == nil && matched
}

func (c *check) container(container *spec.Container) {
	host := container.HostConfig
	c.image(container.Image)
	c.flag("privileged", host.Privileged, "privileged")
	c.namespaces(host)
	c.networks(container)
	c.mounts(container)
	c.devices(container)
	for _, name := range host.CapAdd {
		if name = capability(name); !slices.Contains(ownCapabilities(), name) {
			c.capability(name)
		}
	}
	c.security(host)
	c.runtime(container)
	for _, name := range slices.Sorted(maps.Keys(host.Annotations)) {
		c.word("annotations", name, "the annotation")
	}
	c.logging(host.LogConfig)
	c.ports(host)
	for _, file := range container.EnvFiles {
		c.path("env_files", file.Path, true, "the env_file")
	}
	c.files(container)
	c.unit(container.Unit)
	c.update(container.Update)
}

// update judges the settings of updates by which the agent, as root, opens a file of the
// host or sends requests. A command that says whether the container may be stopped runs
// in the container, like a health check.
func (c *check) update(settings *spec.Update) {
	if settings == nil {
		return
	}
	if lock := settings.Lock; lock != nil && lock.File != "" {
		c.path("lock_files", lock.File, true, "the lock file for updates")
	}
	if lock := settings.FleetLock; lock != nil {
		host := ""
		if address, err := url.Parse(lock.BaseURL); err == nil {
			host = address.Host
		}
		c.word("fleet_locks", host, "the fleet_lock at")
	}
}

// files judges the secrets, the configs and the hooks of a container.
func (c *check) files(container *spec.Container) {
	for _, file := range container.Files {
		if file.Path != "" {
			c.path("secret_files", file.Path, true, "the file of a secret or config")
		}
		if file.Credential != "" {
			c.word("credentials", file.Credential, "the credential")
		}
	}
	for _, hook := range slices.Concat(container.PostStart, container.PreStop) {
		c.flag("privileged", hook.Privileged, "a privileged hook")
	}
}

// runtime judges the runtime of a container. A list of runtimes applies to a
// container without a runtime key, too: it uses runc. The rule false forbids the
// key alone.
func (c *check) runtime(container *spec.Container) {
	runtime := cmp.Or(container.Runtime, container.HostConfig.Runtime)
	if runtime != "" || len(c.rules["runtimes"].entries) > 0 {
		c.word("runtimes", cmp.Or(runtime, "runc"), "the runtime")
	}
}

// imageID matches what Docker accepts as the id of an image on the host, or as the
// beginning of one. That image may come from anywhere.
var imageID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{1,64}$`)

// image judges where an image comes from: "HOST" allows a whole registry,
// "HOST/PATH" what is below a path, and each * matches within one part.
func (c *check) image(image string) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil || imageID.MatchString(image) {
		c.flag("registries", true, "an image without a registry")
		c.flag("images_without_digest", true, "an image without a digest")
		return
	}
	parts := strings.Split(named.Name(), "/")
	allowed := c.allows("registries", func(entry string) bool {
		patterns := strings.Split(entry, "/")
		if len(patterns) > len(parts) {
			return false
		}
		for i, pattern := range patterns {
			if !matches(pattern, parts[i]) {
				return false
			}
		}
		return true
	})
	if !allowed {
		c.refuse("registries", "the image "+document.Shorten(named.Name()))
	}
	_, digested := named.(reference.Digested)
	c.flag("images_without_digest", !digested, "an image without a digest (write "+document.Shorten(named.Name())+"@sha256:...)")
}

// hexOnly matches what Docker may also take as the id of a network.
var hexOnly = regexp.MustCompile(`^[0-9a-f]+$`)

func (c *check) namespaces(host *container.HostConfig) {
	network := host.NetworkMode
	c.flag("host_network", network.IsHost(), "network_mode: host")
	c.flag("host_network", network.IsUserDefined() && hexOnly.MatchString(string(network)), "network_mode with what may be the id of the host's network")
	if network.IsUserDefined() && string(network) != spec.DefaultNetwork {
		c.word("networks", string(network), "the network")
	}
	c.flag("host_pid", host.PidMode.IsHost(), "pid: host")
	c.flag("host_ipc", host.IpcMode.IsHost(), "ipc: host")
	c.flag("host_uts", host.UTSMode.IsHost(), "uts: host")
	c.flag("host_userns", host.UsernsMode.IsHost(), "userns_mode: host")
	c.flag("host_cgroup", host.CgroupnsMode.IsHost(), "cgroup: host")
	for key, mode := range map[string]string{"network_mode": string(network), "ipc": string(host.IpcMode), "pid": string(host.PidMode)} {
		// A container of the same assignment is judged on its own.
		if name, joins := strings.CutPrefix(mode, "container:"); joins && !c.assigned[name] {
			c.flag("other_containers", true, key+": container:"+document.Shorten(name)+", which the user data does not declare,")
		}
	}
	c.flag("other_containers", len(host.VolumesFrom)+len(host.Links) > 0, "what belongs to another container")
}

// networks judges the networks of a container beside the main one, and what is made for
// it. A network with a bridge or a subnet of its own changes the host's network.
func (c *check) networks(container *spec.Container) {
	for i := range container.Networks {
		n := &container.Networks[i]
		if main := n.Name == string(container.HostConfig.NetworkMode); !main && n.Name != spec.DefaultNetwork {
			c.word("networks", n.Name, "the network")
		}
		c.flag("host_network", len(n.Options) > 0, "driver_opts of the network "+document.Shorten(n.Name))
		c.flag("host_network", n.IPAM != nil, "ipam of the network "+document.Shorten(n.Name))
	}
}

func (c *check) mounts(container *spec.Container) {
	for _, v := range container.Volumes {
		if len(v.Options) > 0 { // they may name any device and path
			c.path("host_mounts", "/", false, "a volume with driver_opts, which may mount")
		}
	}
	for _, text := range container.HostConfig.Binds {
		b := shortBind(text)
		c.source(b.source, b.readOnly)
	}
	for _, m := range container.HostConfig.Mounts {
		switch {
		case m.Type == mount.TypeBind, m.Type == mount.TypeCluster, m.Type == mount.TypeNamedPipe:
			c.source(m.Source, longBind(m).readOnly)
		case m.Type == mount.TypeVolume && m.VolumeOptions != nil && m.VolumeOptions.DriverConfig != nil:
			// A driver's options may name any device and path.
			c.path("host_mounts", "/", false, "a volume with a driver of its own, which may mount")
		case m.Type == mount.TypeVolume && m.Source != "":
			c.word("volumes", m.Source, "the volume")
		}
	}
	for _, m := range container.Mounts {
		c.disk(m)
	}
}

// source judges the source of a mount: a path of the host, or the name of a
// volume. A device is judged as a device, too.
func (c *check) source(source string, readOnly bool) {
	if !path.IsAbs(source) {
		if source != "" {
			c.word("volumes", source, "the volume")
		}
		return
	}
	source = path.Clean(source) // Docker cleans the path before it follows links
	c.path("host_mounts", source, readOnly, "a mount of")
	real := c.real(source)
	if below("/dev", real) || below(real, "/dev") {
		c.word("devices", real, "the device")
	}
}

// path judges a path of the host by the directories of a rule, after its symbolic
// links are followed.
func (c *check) path(rule, name string, readOnly bool, what string) {
	real := c.real(name)
	allowed := c.allows(rule, func(entry string) bool {
		directory, onlyRead := strings.CutSuffix(entry, readOnlySuffix)
		return (readOnly || !onlyRead) && below(c.real(directory), real)
	})
	if allowed {
		return
	}
	what += " " + document.Shorten(name)
	if clean := path.Clean(name); real != clean {
		what += ", which is " + document.Shorten(real) + ","
	}
	c.refuse(rule, what)
}

// real returns where a path leads.
func (c *check) real(name string) string {
	if c.resolve == nil {
		return path.Clean("/" + name)
	}
	return c.resolve(name)
}

// below reports whether a path is a directory or below it.
func below(directory, name string) bool {
	return directory == "/" || name == directory || strings.HasPrefix(name, directory+"/")
}

func (c *check) devices(container *spec.Container) {
	resources := &container.HostConfig.Resources
	for _, device := range resources.Devices {
		c.word("devices", c.real(device.PathOnHost), "the device")
	}
	for _, rule := range resources.DeviceCgroupRules {
		c.word("devices", rule, "the device rule")
	}
	gpu := strings.Contains(path.Base(container.Runtime), "nvidia")
	devices := func(ids []string) {
		for _, id := range ids {
			if !spec.IsCDI(id) || strings.HasPrefix(id, "nvidia.com/") || strings.Contains(id, "/gpu=") {
				gpu = true
			} else {
				c.word("devices", id, "the device")
			}
		}
	}
	for _, request := range resources.DeviceRequests {
		if request.Driver != "cdi" {
			gpu = true
			continue
		}
		devices(request.DeviceIDs)
	}
	if container.GPU != nil {
		for _, request := range container.GPU.Requests {
			gpu = gpu || request.Count != 0
			devices(request.Devices)
		}
	}
	c.flag("gpus", gpu, "a GPU")
}

// ownCapabilities are the capabilities that Docker gives every container
// (moby: oci/caps/defaults.go).
func ownCapabilities() []string {
	return []string{
		"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
		"NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
	}
}

func capability(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "CAP_") }

// capability judges a capability. A pattern with * does not match ALL, which must
// be named.
func (c *check) capability(name string) {
	allowed := c.allows("capabilities", func(entry string) bool {
		return capability(entry) == name || name != "ALL" && matches(capability(entry), name)
	})
	if !allowed {
		c.refuse("capabilities", "the capability "+document.Shorten(name))
	}
}

// security judges what changes or removes the confinement of a container.
func (c *check) security(host *container.HostConfig) {
	for _, option := range host.SecurityOpt {
		name, value, _ := strings.Cut(strings.Replace(option, ":", "=", 1), "=")
		switch {
		case name == "no-new-privileges", name == "seccomp" && value == "builtin":
		case name == "seccomp" && strings.HasPrefix(value, "{"):
			c.word("security_options", "seccomp=profile", "the security option")
		default:
			c.word("security_options", name+"="+value, "the security option")
		}
	}
	if host.MaskedPaths != nil || host.ReadonlyPaths != nil {
		c.word("security_options", "systempaths=unconfined", "the security option")
	}
}

// firstFreePort is the first port that needs no privilege to listen on.
const firstFreePort = 1024

func (c *check) ports(host *container.HostConfig) {
	for _, bindings := range host.PortBindings {
		for _, binding := range bindings {
			first, _, _ := strings.Cut(binding.HostPort, "-")
			number, err := strconv.Atoi(first)
			c.flag("privileged_ports", err == nil && number > 0 && number < firstFreePort, "port "+first+" of the host")
		}
	}
}

// registries judges where the registry logins come from.
func (c *check) registries(logins map[string]spec.Registry) {
	for _, host := range slices.Sorted(maps.Keys(logins)) {
		login := logins[host]
		c.where = "registries." + host
		if login.PasswordFile != "" {
			c.path("password_files", login.PasswordFile, true, "the password_file")
		}
		if login.PasswordCredential != "" {
			c.word("credentials", login.PasswordCredential, "the credential")
		}
		if login.CredentialHelper != "" {
			c.word("credential_helpers", login.CredentialHelper, "the credential helper")
		}
		for _, name := range slices.Sorted(maps.Keys(login.Environment)) {
			c.word("credential_helper_environment", name, "the variable of a credential helper")
		}
	}
}

// plainLogOptions are the options of a logging driver that say what it keeps of the
// container's output, and nothing about where it goes.
func plainLogOptions() []string {
	return []string{"compress", "env", "env-regex", "labels", "labels-regex", "max-buffer-size", "max-file", "max-size", "mode", "tag"}
}

// logging judges where the output of a container goes. Options without a driver are
// those of the host's own driver.
func (c *check) logging(log container.LogConfig) {
	if log.Type != "" {
		c.word("log_drivers", log.Type, "the logging driver")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(log.Config)) {
		if !slices.Contains(plainLogOptions(), name) {
			c.word("log_drivers", "", "the option "+document.Shorten(name)+" of the host's own logging driver")
		}
	}
}
