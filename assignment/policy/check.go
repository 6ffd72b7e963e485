package policy

import (
	"cmp"
	"maps"
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

// readOnlySuffix makes a path of a rule good for read-only mounts alone.
const readOnlySuffix = ":ro"

// check gathers what one assignment asks for and may not.
type check struct {
	*Policy
	where    string
	assigned map[string]bool
	refusals Refusals
}

func (c *check) refuse(rule, what string) {
	c.refusals = append(c.refusals, c.where+": "+what+" is not allowed here ("+c.why(rule)+")")
}

// flag judges what is asked for or not.
func (c *check) flag(rule string, asked bool, what string) {
	if asked && !c.judge(rule, func(string) bool { return false }) {
		c.refuse(rule, what)
	}
}

// word judges a value by the patterns of a rule.
func (c *check) word(rule, value, what string) {
	if !c.judge(rule, func(entry string) bool { return matches(entry, value) }) {
		c.refuse(rule, what+" "+document.Shorten(strconv.Quote(value)))
	}
}

func matches(pattern, value string) bool {
	matched, err := path.Match(pattern, value)
	return err == nil && matched
}

func (c *check) container(made *spec.Container) {
	host := made.HostConfig
	c.image(made.Image)
	c.flag("privileged", host.Privileged, "privileged")
	c.namespaces(host)
	c.mounts(made)
	c.devices(made)
	for _, name := range host.CapAdd {
		if name = capability(name); !slices.Contains(ownCapabilities(), name) {
			c.capability(name)
		}
	}
	c.security(host)
	c.runtime(made)
	for _, name := range slices.Sorted(maps.Keys(host.Annotations)) {
		c.word("annotations", name, "the annotation")
	}
	if driver := host.LogConfig.Type; driver != "" {
		c.word("log_drivers", driver, "the logging driver")
	}
	c.ports(host)
	for _, file := range made.EnvFiles {
		c.path("env_files", file.Path, true, "the env_file")
	}
	c.unit(made.Unit)
}

// runtime judges what runs the container. A list of runtimes is about runc as
// well; false is about what is asked for.
func (c *check) runtime(made *spec.Container) {
	asked := cmp.Or(made.Runtime, made.HostConfig.Runtime)
	if asked != "" || len(c.rules["runtimes"].entries) > 0 {
		c.word("runtimes", cmp.Or(asked, "runc"), "the runtime")
	}
}

// imageID is how Docker takes the id of an image that the host has, which comes
// from anywhere.
var imageID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{12,64}$`)

// image judges where an image comes from: "HOST" allows a whole registry,
// "HOST/PATH" what is below a path, and each * stands for one part.
func (c *check) image(image string) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil || imageID.MatchString(image) {
		c.flag("registries", true, "an image without a registry")
		c.flag("images_without_digest", true, "an image without a digest")
		return
	}
	parts := strings.Split(named.Name(), "/")
	allowed := c.judge("registries", func(entry string) bool {
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

// hexOnly is how Docker would also take the id of a network.
var hexOnly = regexp.MustCompile(`^[0-9a-f]+$`)

func (c *check) namespaces(host *container.HostConfig) {
	network := host.NetworkMode
	c.flag("host_network", network.IsHost(), "network_mode: host")
	c.flag("host_network", network.IsUserDefined() && hexOnly.MatchString(string(network)), "network_mode with what may be the id of the host's network")
	if network.IsUserDefined() {
		c.word("networks", string(network), "the network")
	}
	c.flag("host_pid", host.PidMode.IsHost(), "pid: host")
	c.flag("host_ipc", host.IpcMode.IsHost(), "ipc: host")
	c.flag("host_uts", host.UTSMode.IsHost(), "uts: host")
	c.flag("host_userns", host.UsernsMode.IsHost(), "userns_mode: host")
	c.flag("host_cgroup", host.CgroupnsMode.IsHost(), "cgroup: host")
	for key, mode := range map[string]string{"network_mode": string(network), "ipc": string(host.IpcMode), "pid": string(host.PidMode)} {
		// A container of the same assignment is judged itself.
		if name, joins := strings.CutPrefix(mode, "container:"); joins && !c.assigned[name] {
			c.flag("other_containers", true, key+": container:"+document.Shorten(name)+", which the user data does not declare,")
		}
	}
	c.flag("other_containers", len(host.VolumesFrom)+len(host.Links) > 0, "what belongs to another container")
}

func (c *check) mounts(made *spec.Container) {
	for _, bind := range made.HostConfig.Binds {
		parts := strings.SplitN(bind, ":", 3)
		readOnly := len(parts) == 3 && slices.Contains(strings.Split(parts[2], ","), "ro")
		c.source(parts[0], readOnly)
	}
	for _, m := range made.HostConfig.Mounts {
		switch {
		case m.Type == mount.TypeBind, m.Type == mount.TypeCluster, m.Type == mount.TypeNamedPipe:
			c.source(m.Source, m.ReadOnly)
		case m.Type == mount.TypeVolume && m.VolumeOptions != nil && m.VolumeOptions.DriverConfig != nil:
			// A driver's options may name any device and path.
			c.path("host_mounts", "/", false, "a volume with a driver of its own, which may mount")
		case m.Type == mount.TypeVolume && m.Source != "":
			c.word("volumes", m.Source, "the volume")
		}
	}
	for _, m := range made.Mounts {
		c.word("disks", m.What, "the disk")
		c.path("host_mounts", m.Where, false, "a mount at")
	}
}

// source judges what is mounted: a path of the host, or the name of a volume.
// A device is one wherever it is mounted from.
func (c *check) source(source string, readOnly bool) {
	if !path.IsAbs(source) {
		if source != "" {
			c.word("volumes", source, "the volume")
		}
		return
	}
	source = path.Clean(source) // as Docker does, before it follows links
	c.path("host_mounts", source, readOnly, "a mount of")
	real := c.real(source)
	if below("/dev", real) || below(real, "/dev") {
		c.word("devices", real, "the device")
	}
}

// path judges a path of the host by the directories of a rule. The path is
// taken for where it leads.
func (c *check) path(rule, asked string, readOnly bool, what string) {
	real := c.real(asked)
	allowed := c.judge(rule, func(entry string) bool {
		directory, onlyRead := strings.CutSuffix(entry, readOnlySuffix)
		return (readOnly || !onlyRead) && below(c.real(directory), real)
	})
	if allowed {
		return
	}
	what += " " + document.Shorten(asked)
	if clean := path.Clean(asked); real != clean {
		what += ", which is " + document.Shorten(real) + ","
	}
	c.refuse(rule, what)
}

func (c *check) real(asked string) string {
	if c.resolve == nil {
		return path.Clean("/" + asked)
	}
	return c.resolve(asked)
}

// below reports whether a path is a directory or below it.
func below(directory, name string) bool {
	return directory == "/" || name == directory || strings.HasPrefix(name, directory+"/")
}

func (c *check) devices(made *spec.Container) {
	resources := &made.HostConfig.Resources
	for _, device := range resources.Devices {
		c.word("devices", c.real(device.PathOnHost), "the device")
	}
	for _, rule := range resources.DeviceCgroupRules {
		c.word("devices", rule, "the device rule")
	}
	gpu := strings.Contains(path.Base(made.Runtime), "nvidia")
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
	if made.GPU != nil {
		for _, request := range made.GPU.Requests {
			gpu = gpu || request.Count != 0
			devices(request.Devices)
		}
	}
	c.flag("gpus", gpu, "a GPU")
}

// ownCapabilities are those that Docker gives every container
// (moby: oci/caps/defaults.go).
func ownCapabilities() []string {
	return []string{
		"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
		"NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
	}
}

func capability(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "CAP_") }

// capability judges a capability. Only by its name is ALL allowed: no * is
// meant to be it.
func (c *check) capability(name string) {
	allowed := c.judge("capabilities", func(entry string) bool {
		return capability(entry) == name || name != "ALL" && matches(capability(entry), name)
	})
	if !allowed {
		c.refuse("capabilities", "the capability "+document.Shorten(name))
	}
}

// security judges what takes the container's confinement away, or changes it.
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

// firstFreePort is where the ports begin that anyone may listen at.
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

// unit judges settings as "KEY" and "SECTION.KEY". The limit of starts is what
// restart: on-failure:COUNT sets.
func (c *check) unit(settings []spec.UnitSetting) {
	for _, setting := range settings {
		name := setting.Section + "." + setting.Key
		if name == "Unit.StartLimitIntervalSec" || name == "Unit.StartLimitBurst" {
			continue
		}
		allowed := c.judge("unit_settings", func(entry string) bool { return matches(entry, setting.Key) || matches(entry, name) })
		if !allowed {
			c.refuse("unit_settings", "the unit setting "+document.Shorten(name))
		}
	}
}

// registries judges where logins come from.
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
