package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/systemd"
)

// supervisorLeaf and containerLeaf are the cgroups below the unit's.
const (
	supervisorLeaf = placement.SupervisorLeaf
	containerLeaf  = "container"
)

// unitReader describes a unit of systemd.
type unitReader interface {
	Unit(ctx context.Context, name string) (systemd.Unit, error)
}

// unit is the systemd unit that the supervisor runs in.
type unit struct {
	cgroups systemd.Cgroups
	manager unitReader
	// own is the manager of this unit: the system's, or a user's.
	own unitReader
	log *zap.Logger
	// name and cgroup are "" where `dockhost run` was called outside a unit.
	name   string
	cgroup string
	// controllers names the cgroup v1 hierarchies in which the container is
	// placed in the unit; none means all.
	controllers []string
}

// enter finds the unit that this process runs in and moves the process into the
// supervisor's own cgroup below it.
func (u *unit) enter(c *spec.Container) error {
	var err error
	u.name, u.cgroup, err = u.cgroups.OwnUnit()
	if errors.Is(err, systemd.ErrNoService) && c.Run != nil {
		return nil // in the foreground of a terminal or a script
	}
	if err != nil {
		return err
	}
	if u.controllers, err = u.namedControllers(c); err != nil {
		return err
	}
	// Where the unit has User= without Delegate=, or ProtectControlGroups=,
	// dockhost-runtime moves the process.
	err = u.cgroups.EnterLeaf(u.cgroup, supervisorLeaf)
	if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return err
	}
	return nil
}

// checkOwn returns an error if this process runs an assigned container, and is not in
// the unit of that container: a second supervisor would disturb the first.
func (u *unit) checkOwn(c *spec.Container) error {
	if c.Run != nil {
		return nil
	}
	own := spec.UnitName(c.Name)
	name, _, err := u.cgroups.OwnUnit()
	if errors.Is(err, systemd.ErrNoService) || err == nil && name != own {
		return fmt.Errorf("container %q runs in %s alone (start it with: systemctl start %s)", c.Name, own, own)
	}
	return nil
}

// exists says whether the supervisor runs in a unit.
func (u *unit) exists() bool { return u.name != "" }

// read returns the unit as systemd knows it.
func (u *unit) read(ctx context.Context) (systemd.Unit, error) {
	return u.own.Unit(ctx, u.name)
}

// isActive says whether a unit is active, in the system's manager or in the one of
// this unit. Without an answer it counts as active.
func (u *unit) isActive(ctx context.Context, name string) bool {
	for _, manager := range []unitReader{u.manager, u.own} {
		properties, err := manager.Unit(ctx, name)
		if err == nil && properties.Active() || err != nil && !errors.Is(err, systemd.ErrNoUnit) {
			return true
		}
	}
	return false
}

// memory returns the memory use of the unit's cgroup and of those above it.
func (u *unit) memory() []systemd.Memory { return u.cgroups.Memory(u.cgroup) }

// prune removes the container's empty cgroups: a runtime that was killed has
// not called dockhost-runtime's hook.
func (u *unit) prune() {
	if u.cgroup != "" {
		u.cgroups.Prune(u.cgroup)
	}
}

// advise warns, once, about settings that a hand-written unit needs whose main
// process this is. Without them the container runs, but systemd may touch its cgroups, and signals its
// processes directly.
func (u *unit) advise(ctx context.Context, c *spec.Container) {
	if c.Run == nil || !u.exists() {
		return
	}
	properties, err := u.read(ctx)
	if err != nil || properties.MainPID != os.Getpid() {
		return // the unit is of another program: a shell script, cron
	}
	var lines []string
	if !properties.Delegate {
		lines = append(lines, "Delegate=yes")
	}
	if properties.KillMode == "control-group" {
		lines = append(lines, "KillMode=mixed")
	}
	if len(lines) > 0 {
		u.log.Warn("the [Service] section of the unit lacks what a container needs: add these lines",
			zap.String("lines", strings.Join(lines, " ")), zap.String("unit", u.name))
	}
}

// adviseDevices warns about a device filter on the unit, which also applies to
// the container's cgroup below it.
func (u *unit) adviseDevices(ctx context.Context) {
	properties, err := u.read(ctx)
	if err == nil && properties.LimitsDevices() {
		u.log.Warn("systemd may refuse the container its GPUs: remove DevicePolicy=, DeviceAllow= and PrivateDevices= from the unit",
			zap.String("unit", u.name), zap.String("device_policy", properties.DevicePolicy))
	}
}

// blocksDevices says whether systemd's device filter makes each start of a container
// fail: on cgroup v1 a cgroup cannot allow more devices than the one above it.
func (u *unit) blocksDevices(ctx context.Context) bool {
	if !u.exists() || u.cgroups.Unified() {
		return false
	}
	properties, err := u.read(ctx)
	return err == nil && properties.LimitsDevices()
}

// namedControllers returns the cgroup v1 hierarchies that systemd-docker's
// --cgroups names; nil means all of them, and the only one on cgroup v2.
func (u *unit) namedControllers(c *spec.Container) ([]string, error) {
	if c.Run == nil || len(c.Run.Controllers) == 0 {
		return nil, nil
	}
	named := c.Run.Controllers
	if u.cgroups.Unified() {
		u.log.Info("this host has one cgroup hierarchy: the container runs in its unit with all controllers", zap.Strings("asked_for", named))
		return nil, nil
	}
	for _, controller := range named {
		if !u.cgroups.Mounted(controller) {
			return nil, fmt.Errorf("cannot use cgroup controller %q: this host has no hierarchy for it (see: ls /sys/fs/cgroup)", controller)
		}
	}
	if !slices.Contains(named, "name=systemd") {
		u.log.Warn("systemd does not see the container's processes (add name=systemd to the controllers)", zap.Strings("controllers", named))
	}
	if lost := lostLimits(c.HostConfig.Resources, named); len(lost) > 0 {
		u.log.Warn("the container's own limits do not apply in its unit (set them in the unit, or name no controllers)", zap.Strings("controllers", lost))
	}
	return named, nil
}

// lostLimits returns those of the named controllers for which the container has
// limits: the OCI runtime sets the limits in Docker's own cgroup.
func lostLimits(limits container.Resources, named []string) []string {
	var lost []string
	for _, limit := range []struct {
		controller string
		set        bool
	}{
		{"memory", limits.Memory != 0 || limits.MemoryReservation != 0 || limits.MemorySwap != 0},
		{"cpu", limits.NanoCPUs != 0 || limits.CPUQuota != 0 || limits.CPUShares != 0},
		{"cpuset", limits.CpusetCpus != "" || limits.CpusetMems != ""},
		{"pids", limits.PidsLimit != nil && *limits.PidsLimit > 0},
	} {
		hasController := func(hierarchy string) bool { return slices.Contains(strings.Split(hierarchy, ","), limit.controller) }
		if limit.set && slices.ContainsFunc(named, hasController) {
			lost = append(lost, limit.controller)
		}
	}
	return lost
}
