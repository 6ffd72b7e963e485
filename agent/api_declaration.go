package agent

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/spec"
)

// checkLocal returns everything that prevents the agent from running a container
// that dockhostctl run declares, by the flags of docker run. It quotes no value that
// may be secret.
func checkLocal(name string, c *spec.Container) error {
	if c.Config == nil || c.HostConfig == nil {
		return errors.New("the declaration holds no container")
	}
	errs := []error{spec.CheckName(name)}
	if c.Name != name {
		errs = append(errs, fmt.Errorf("the container is called %q and was sent as %q", c.Name, name))
	}
	if _, err := reference.ParseNormalizedNamed(c.Image); err != nil {
		errs = append(errs, fmt.Errorf("cannot use %q as an image reference: %w", c.Image, err))
	}
	if _, err := spec.ParseNotify(string(c.Notify)); err != nil {
		errs = append(errs, fmt.Errorf("--sdnotify: %w", err))
	}
	if c.Notify == spec.NotifyOff {
		errs = append(errs, errors.New("--sdnotify off: the unit waits until the container reports that it is ready (leave it out, or use another mode)"))
	}
	switch c.PullPolicy {
	case spec.PullMissing, spec.PullAlways, spec.PullNever:
	default:
		errs = append(errs, fmt.Errorf("--pull: cannot use %q: use missing, always or never", c.PullPolicy))
	}
	if c.PullStallTimeout <= 0 {
		errs = append(errs, errors.New("the declaration has no stall timeout for pulls"))
	}
	if !spec.IsStartLimit(c.Unit) {
		errs = append(errs, fmt.Errorf("unit settings cannot be declared this way (use: systemctl edit dockhost@%s)", name))
	}
	if c.Reload != nil && c.Reload.Signal != "" && !spec.IsSignal(c.Reload.Signal) {
		errs = append(errs, errors.New("--reload-signal: write the name or the number of a signal, such as HUP"))
	}
	switch c.Restart {
	case "", "no", "always", "on-failure":
	default:
		errs = append(errs, errors.New("the declaration has an unknown Restart=: use no, always or on-failure"))
	}
	return errors.Join(append(errs, checkFields(c), checkHost(c), checkRun(c.Run))...)
}

// checkFields refuses what docker run has no flag for, by its name in JSON. Of a field
// that is not listed, nobody has checked that its value cannot make another file or
// setting.
func checkFields(c *spec.Container) error {
	flags := []string{
		"Name", "Image", "Platform", "PullPolicy", "PullStallTimeout", "Notify", "Reload", "Runtime", "Restart", "Unit", "GPU", "Run",
		"Config", "HostConfig", "Networking",
	}
	var errs []error
	value := reflect.ValueOf(*c)
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if slices.Contains(flags, field.Name) || value.Field(i).IsZero() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		errs = append(errs, fmt.Errorf("%s cannot be declared this way: docker run has no flag for it (write a Compose file in %s)", name, filesDir))
	}
	return errors.Join(errs...)
}

// checkHost refuses what the supervisor and systemd decide.
func checkHost(c *spec.Container) error {
	var errs []error
	if policy := c.HostConfig.RestartPolicy.Name; policy != "" && policy != "no" {
		errs = append(errs, fmt.Errorf("--restart %s: systemd restarts the container, and Docker must not (leave it out)", policy))
	}
	if c.HostConfig.CgroupParent != "" {
		errs = append(errs, errors.New("--cgroup-parent: the container lives in the cgroup of its unit (leave it out)"))
	}
	if c.Runtime == "dockhost" || c.HostConfig.Runtime != "" {
		errs = append(errs, errors.New("--runtime: name the runtime that dockhost calls, such as runc or nvidia, or leave it out"))
	}
	for label := range c.Config.Labels {
		if strings.HasPrefix(label, "dockhost.") {
			errs = append(errs, fmt.Errorf("--label: cannot use %q: names that begin with \"dockhost.\" are reserved", label))
		}
	}
	return errors.Join(errs...)
}

// checkRun refuses options that only make sense while docker run waits for the end of
// the container, which a unit creates again at each start. The option to keep the
// container is allowed: it is docker run's default.
func checkRun(run *spec.Run) error {
	if run == nil {
		return nil
	}
	var errs []error
	if run.CIDFile != "" {
		errs = append(errs, errors.New("--cidfile: the container is created again at each start (ask for its id with: docker inspect -f '{{.Id}}' NAME)"))
	}
	if run.PIDFile != "" {
		errs = append(errs, errors.New("--pid-file: the container is created again at each start (ask for its pid with: docker inspect -f '{{.State.Pid}}' NAME)"))
	}
	if run.Quiet || run.Detach {
		errs = append(errs, errors.New("--logs=false: the output goes to the journal of the unit (leave it out)"))
	} else if run.Stdout != run.Stderr {
		errs = append(errs, errors.New("--attach: both stdout and stderr go to the journal of the unit (leave it out)"))
	}
	if len(run.Controllers) > 0 {
		errs = append(errs, errors.New("--cgroups: the container lies in its unit in all hierarchies (leave it out)"))
	}
	return errors.Join(errs...)
}

// normalize drops options without a meaning for a container of the agent: it is
// always removed at its end, and its output is always relayed.
func normalize(c *spec.Container) {
	c.Run, c.Pin = nil, nil
	c.HostConfig.AutoRemove = false
	c.HostConfig.RestartPolicy.Name = "no"
}
