package supervisor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"
)

// namedControllers are the v1 trees in which the container is to lie in its
// unit, as systemd-docker's --cgroups names them: none where that is all of
// them, as it is on v2.
func (s *Supervisor) namedControllers() ([]string, error) {
	if s.spec.Run == nil || len(s.spec.Run.Controllers) == 0 {
		return nil, nil
	}
	named := s.spec.Run.Controllers
	if s.Cgroups.Unified() {
		s.Log.Info("this host has one cgroup tree, in which the container lies in its unit with all controllers",
			zap.Strings("asked_for", named))
		return nil, nil
	}
	for _, controller := range named {
		if !s.Cgroups.Mounted(controller) {
			return nil, fmt.Errorf("cannot use cgroup controller %q: this host has no tree for it (see: ls /sys/fs/cgroup)", controller)
		}
	}
	if !slices.Contains(named, "name=systemd") {
		s.Log.Warn("systemd does not see the container's processes (add name=systemd to the controllers)", zap.Strings("controllers", named))
	}
	if lost := lostLimits(s.spec.HostConfig.Resources, named); len(lost) > 0 {
		s.Log.Warn("the container's own limits do not hold in its unit (set them in the unit, or name no controllers)", zap.Strings("controllers", lost))
	}
	return named, nil
}

// lostLimits returns the named controllers in which the container has limits:
// the OCI runtime sets them where Docker put the container.
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
		has := func(tree string) bool { return slices.Contains(strings.Split(tree, ","), limit.controller) }
		if limit.set && slices.ContainsFunc(named, has) {
			lost = append(lost, limit.controller)
		}
	}
	return lost
}
