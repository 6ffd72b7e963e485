package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/spec"
)

const (
	// gpuCheckTimeout is how long a check may take: without persistence mode, a
	// GPU that nobody uses takes seconds to wake up.
	gpuCheckTimeout = 30 * time.Second
	// silentChecks is how many checks without an answer count as a loss.
	silentChecks = 2
)

// watchGPUs checks the container's devices at its interval, until ctx ends.
// Where nobody asked for that there is nothing to do, and nothing wakes the
// supervisor.
func (s *Supervisor) watchGPUs(ctx context.Context) {
	if s.spec.GPU == nil || s.spec.GPU.Check == 0 {
		return
	}
	asked, err := s.gpuCheck()
	if err != nil {
		s.Log.Warn("the GPUs are not checked", zap.Error(err))
		return
	}
	go s.checkGPUs(ctx, asked)
}

func (s *Supervisor) checkGPUs(ctx context.Context, asked attachment.Check) {
	silent, told := 0, ""
	for s.pause(ctx, s.spec.GPU.Check); ctx.Err() == nil; s.pause(ctx, s.spec.GPU.Check) {
		found, err := s.checkOnce(ctx, asked)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			silent, told = 0, ""
		case errors.Is(err, errSilent) && silent+1 >= silentChecks:
			found.Lost = err.Error()
		case errors.Is(err, errSilent):
			silent++
			continue
		default:
			// That it cannot be found out is no loss.
			if err.Error() != told {
				told = err.Error()
				s.Log.Warn("the GPUs cannot be checked", zap.Error(err))
			}
			continue
		}
		s.call(ctx, func() { s.gpuFound(found.Lost) })
	}
}

// errSilent means that a check did not end: a GPU that hangs holds up whoever
// opens it.
var errSilent = fmt.Errorf("a process that opens its devices gets no answer within %s", gpuCheckTimeout)

// gpuCheck is what there is to check.
func (s *Supervisor) gpuCheck() (attachment.Check, error) {
	var edits struct {
		Linux struct {
			Devices []attachment.Node `json:"devices"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(s.attached.Edits, &edits); err != nil {
		return attachment.Check{}, fmt.Errorf("read the container's devices: %w", err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return attachment.Check{}, fmt.Errorf("read the clock: %w", err)
	}
	check := attachment.Check{Nodes: edits.Linux.Devices, Since: now.Nano() / 1000, Buses: s.attached.Buses}
	for _, name := range s.attached.Devices {
		check.NVIDIA = check.NVIDIA || strings.HasPrefix(name, "nvidia.com/gpu=")
	}
	return check, nil
}

// checkOnce asks `dockhost gpu check`. The error says why there was no answer.
func (s *Supervisor) checkOnce(ctx context.Context, asked attachment.Check) (attachment.Found, error) {
	if s.paused.Load() {
		return attachment.Found{}, nil // whoever enters its cgroup would be paused, too
	}
	asked.Pid = int(s.gpuPid.Load())
	input, err := json.Marshal(asked)
	if err != nil {
		return attachment.Found{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.gpuCheckTimeout)
	defer cancel()
	out, err := s.runCheck(ctx, input)
	if err != nil {
		return attachment.Found{}, err
	}
	var found attachment.Found
	if err := json.Unmarshal(out, &found); err != nil {
		return attachment.Found{}, fmt.Errorf("read what %s gpu check printed: %w", s.Program, err)
	}
	return found, nil
}

// gpuFound takes note of what a check has found: "" is that all is well.
func (s *Supervisor) gpuFound(lost string) {
	if s.state.GPU == lost {
		return
	}
	s.state.GPU = lost
	s.saveState()
	switch {
	case lost == "":
		s.Log.Info("the container's GPUs are well again")
	case s.spec.GPU.OnLoss == spec.LossRestart:
		s.mustEnd = fmt.Errorf("container lost a GPU, and was ended to be started anew: %s", lost)
	default:
		s.Log.Error("the container has lost a GPU (start it anew with: systemctl restart "+s.unit+")", zap.String("lost", lost))
	}
	if s.life.phase == phaseRunning {
		s.Notify.Status(s.runningStatus())
	}
}

// endForced stops a container that must not go on, so that systemd starts it
// anew.
func (s *Supervisor) endForced(ctx context.Context, c *running) (int, error) {
	why := s.mustEnd
	code, err := s.stop(ctx, c)
	return max(code, 1), errors.Join(why, err)
}
