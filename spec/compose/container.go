package compose

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/strslice"

	"github.com/dockhost/dockhost/spec"
)

// container converts the declaration. The result is valid only if no problem was
// reported.
func (d *declaration) container() spec.Container {
	c := spec.Container{
		Name:       d.name,
		Image:      d.image(),
		Platform:   d.platform(),
		PullPolicy: d.pullPolicy(),
		Runtime:    d.runtime(),
		EnvFiles:   d.envFiles(),
		Files:      d.files(),
		Config:     d.config(),
		HostConfig: d.hostConfig(),
	}
	c.Config.ExposedPorts, c.HostConfig.PortBindings = d.ports()
	c.Config.ExposedPorts = d.expose(c.Config.ExposedPorts)
	c.PostStart, c.PreStop = d.hooks("post_start", d.service.PostStart), d.hooks("pre_stop", d.service.PreStop)
	d.linkVolumes()
	c.ContainerName = d.containerName()
	c.Networking, c.Networks = d.networking(c.HostConfig.NetworkMode)
	c.Volumes = d.volumesUsed
	c.DependsOn = d.dependsOn()
	d.applyRestart(&c)
	d.checkDeploy()
	d.applyRestartPolicy(&c)
	d.applyDockhost(&c)
	d.applyUpdate(&c)
	d.applyGPU(&c)
	return c
}

// image returns the image reference.
func (d *declaration) image() string {
	at := d.field("image")
	switch {
	case d.noImage:
	case !at.Present():
		d.Errorf(d.at, "no image: add image: with an image reference")
	case at.IsScalar() && at.Text() == "":
		d.Errorf(at, "no image: write an image reference")
	case d.service.Image != "":
		if _, err := reference.ParseNormalizedNamed(d.service.Image); err != nil {
			d.Errorf(at, "cannot use %q as an image reference: %v", document.Shorten(d.service.Image), err)
		}
	}
	return d.service.Image
}

var platform = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$`)

func (d *declaration) platform() string {
	if p := d.service.Platform; p != "" && !platform.MatchString(p) {
		d.Errorf(d.field("platform"), "cannot use %q as a platform: write OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64", document.Shorten(p))
	}
	return d.service.Platform
}

func (d *declaration) pullPolicy() spec.PullPolicy {
	switch policy := d.service.PullPolicy; policy {
	case "", "missing", "if_not_present":
		return spec.PullMissing
	case "always":
		return spec.PullAlways
	case "never":
		return spec.PullNever
	default:
		if _, found := spec.PullPolicy(policy).Interval(); found {
			return spec.PullPolicy(policy)
		}
		d.Errorf(d.field("pull_policy"), "cannot use %q: use missing, always, never, daily, weekly or every_TIME such as every_12h", document.Shorten(policy))
		return spec.PullMissing
	}
}

// runtime returns the runtime that dockhost-runtime executes.
func (d *declaration) runtime() string {
	name := d.service.Runtime
	switch {
	case name == "dockhost":
		d.Errorf(d.field("runtime"), "dockhost already runs every container: leave this out, or name the runtime that dockhost calls, such as runc or nvidia")
	case strings.HasPrefix(name, "io.containerd."):
		d.Errorf(d.field("runtime"), "cannot use %q, a containerd shim: name a runtime in /etc/docker/daemon.json", document.Shorten(name))
	}
	return name
}

func (d *declaration) config() *container.Config {
	s := &d.service
	return &container.Config{
		Hostname:    s.Hostname,
		Domainname:  s.DomainName,
		User:        s.User,
		Tty:         s.Tty,
		OpenStdin:   s.StdinOpen,
		Env:         d.environment(),
		Cmd:         strslice.StrSlice(s.Command),
		Healthcheck: d.healthcheck(),
		Image:       s.Image,
		WorkingDir:  d.workingDir(),
		Entrypoint:  strslice.StrSlice(s.Entrypoint),
		Labels:      d.labels(),
		StopSignal:  d.stopSignal(),
		StopTimeout: d.stopTimeout(),
	}
}

func (d *declaration) workingDir() string {
	if dir := d.service.WorkingDir; dir != "" && !path.IsAbs(dir) {
		d.Errorf(d.field("working_dir"), "cannot use %q: write an absolute path", document.Shorten(dir))
	}
	return d.service.WorkingDir
}

// labels returns the labels of the container. Labels that begin with "dockhost."
// are the supervisor's.
func (d *declaration) labels() map[string]string {
	for _, name := range slices.Sorted(maps.Keys(d.service.Labels)) {
		if strings.HasPrefix(name, "dockhost.") {
			d.Errorf(d.field("labels"), "cannot use the label %q: names that begin with \"dockhost.\" are reserved", document.Shorten(name))
		}
	}
	return d.service.Labels
}

func (d *declaration) stopSignal() string {
	if s := d.service.StopSignal; s != "" && !spec.IsSignal(strings.ToUpper(s)) {
		d.Errorf(d.field("stop_signal"), "cannot use %q as a signal: write a name such as SIGTERM, or a number", document.Shorten(s))
	}
	return d.service.StopSignal
}

// stopTimeout returns the grace period, rounded up to whole seconds.
func (d *declaration) stopTimeout() *int {
	if d.service.StopGracePeriod == nil {
		return nil
	}
	grace := time.Duration(*d.service.StopGracePeriod)
	if grace < 0 {
		d.Errorf(d.field("stop_grace_period"), "cannot be negative")
	}
	seconds := int(grace / time.Second)
	if grace%time.Second > 0 {
		seconds++
	}
	return &seconds
}

func (d *declaration) hostConfig() *container.HostConfig {
	s := &d.service
	binds, mounts := d.volumes()
	host := &container.HostConfig{
		Annotations:    s.Annotations,
		Binds:          binds,
		Mounts:         mounts,
		Tmpfs:          d.tmpfs(),
		CapAdd:         s.CapAdd,
		CapDrop:        s.CapDrop,
		DNS:            d.dns(),
		DNSOptions:     s.DNSOpts,
		DNSSearch:      s.DNSSearch,
		ExtraHosts:     d.extraHosts(),
		GroupAdd:       s.GroupAdd,
		Init:           s.Init,
		LogConfig:      d.logConfig(),
		OomScoreAdj:    d.oomScoreAdj(),
		Privileged:     s.Privileged,
		ReadonlyRootfs: s.ReadOnly,
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		ShmSize:        d.bytes("shm_size", int64(s.ShmSize)),
		Sysctls:        s.Sysctls,
		Resources:      d.resources(),
	}
	d.applyNamespaces(host)
	d.applySecurity(host)
	return host
}

func (d *declaration) logConfig() container.LogConfig {
	logging := d.service.Logging
	if logging == nil {
		return container.LogConfig{}
	}
	return container.LogConfig{Type: logging.Driver, Config: logging.Options}
}

// applySecurity sets security_opt, as Docker's CLI does.
func (d *declaration) applySecurity(host *container.HostConfig) {
	options := d.service.SecurityOpt
	for i, option := range options {
		at := d.entry("security_opt", i, len(options))
		name, value, found := strings.Cut(option, "=")
		if !found {
			name, value, _ = strings.Cut(option, ":")
		}
		switch {
		case option == "systempaths=unconfined":
			// An empty list masks nothing; an absent list means Docker's default.
			host.MaskedPaths, host.ReadonlyPaths = []string{}, []string{}
			continue
		case !slices.Contains([]string{"apparmor", "label", "no-new-privileges", "seccomp", "writable-cgroups"}, name):
			d.Errorf(at, "unknown security option %q", document.Shorten(name))
		case name == "seccomp" && value != "unconfined" && value != "builtin" && !strings.HasPrefix(value, "{"):
			d.Errorf(at, "cannot read a seccomp profile from a file: write seccomp=unconfined, seccomp=builtin, or the profile itself as JSON after seccomp=")
		}
		if !found && value != "" {
			option = name + "=" + value
		}
		host.SecurityOpt = append(host.SecurityOpt, option)
	}
}
