package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd"
)

// freeName removes the container that has the name, so that one can be made
// anew: what was changed then takes effect. One that somebody looks after is
// left alone, and so is a stranger's, unless it has ended and this unit's
// author named it himself.
func (s *Supervisor) freeName(ctx context.Context) error {
	found, err := s.Engine.Inspect(ctx, s.spec.Name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case found.Labels[request.LabelSupervisor] != "" || found.Labels[request.LabelUnit] != "":
		if err := s.checkOwner(ctx, found); err != nil {
			return err
		}
	case found.Running || s.spec.Run == nil:
		return fmt.Errorf("a container named %q exists that dockhost did not make (remove it: docker rm -f %s)", s.spec.Name, s.spec.Name)
	}
	return s.removeLeftover(ctx, found)
}

// removeNameless removes what this unit left under names that Docker chose:
// no conflict of names would tell.
func (s *Supervisor) removeNameless(ctx context.Context) error {
	if s.unit == "" {
		return nil
	}
	left, err := s.Engine.ListByLabel(ctx, request.LabelUnit, s.unit)
	if err != nil {
		return err
	}
	for _, container := range left {
		if looksAfter(s.Cgroups.Root, container.Labels[request.LabelSupervisor]) {
			continue // another command of this unit
		}
		if err := s.removeLeftover(ctx, container); err != nil {
			return err
		}
	}
	return nil
}

func (s *Supervisor) removeLeftover(ctx context.Context, left engine.Container) error {
	s.Log.Info("removing leftover container", zap.String("container_id", left.ID))
	if err := s.Engine.Remove(ctx, left.ID); err != nil {
		return err
	}
	return placement.Remove(s.Dir.RuntimeDir(), left.ID)
}

// checkOwner returns an error when a container that dockhost made is still
// looked after: by its supervisor, or by systemd, where that one has handed it
// over.
func (s *Supervisor) checkOwner(ctx context.Context, found engine.Container) error {
	supervisor, unit := found.Labels[request.LabelSupervisor], found.Labels[request.LabelUnit]
	alive := looksAfter(s.Cgroups.Root, supervisor)
	switch {
	case unit == "" && alive:
		return fmt.Errorf("a container named %q belongs to process %s (end that, or use another name)", s.spec.Name, pidOf(supervisor))
	case unit == s.unit && alive:
		return fmt.Errorf("a container named %q belongs to process %s of this unit (use another name)", s.spec.Name, pidOf(supervisor))
	case unit == "" || unit == s.unit:
		return nil
	case alive:
	case !found.Running:
		return nil
	default:
		owner, err := s.Units.Unit(ctx, unit)
		if errors.Is(err, systemd.ErrNoUnit) || err == nil && !owner.Active() {
			return nil
		}
	}
	return fmt.Errorf("a container named %q belongs to %s (stop that unit, or use another name)", s.spec.Name, unit)
}

// self identifies this process for as long as the host is not booted anew:
// "PID/START/BOOT", where START is in clock ticks since the boot (proc(5)).
func self(root string) string { return identify(root, os.Getpid()) }

// looksAfter says whether the supervisor of that label runs, and is another
// one than this.
func looksAfter(root, label string) bool {
	pid, err := strconv.Atoi(pidOf(label))
	return err == nil && pid != os.Getpid() && identify(root, pid) == label
}

func pidOf(label string) string {
	pid, _, _ := strings.Cut(label, "/")
	return pid
}

// identify returns "" for a process that is not there.
func identify(root string, pid int) string {
	stat, err := os.ReadFile(filepath.Join(root, "/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	// The second field, the name, may hold spaces and parentheses.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const start = 22 - 3
	boot, err := os.ReadFile(filepath.Join(root, "/proc/sys/kernel/random/boot_id"))
	if err != nil || len(fields) <= start {
		return ""
	}
	return fmt.Sprintf("%d/%s/%s", pid, fields[start], bytes.TrimSpace(boot))
}
