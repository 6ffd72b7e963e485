package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/spec"
)

const (
	// gpuCheckTimeout bounds one check: without persistence mode, an idle GPU
	// takes seconds to wake up.
	gpuCheckTimeout = 30 * time.Second
	// silentChecks is how many checks without an answer count as a loss.
	silentChecks = 2
)

// errSilent means that a check did not end: a GPU that hangs blocks every
// process that opens it.
var errSilent = fmt.Errorf("a process that opens its devices gets no answer within %s", gpuCheckTimeout)

// gpuWatch checks the GPUs of a running container in its own goroutine.
type gpuWatch struct {
	// gpu is the container's request; nil where it has no GPUs.
	gpu     *spec.GPUNeeds
	unit    *unit
	program gpuProgram
	report  *reporter
	inbox   *inbox
	log     *zap.Logger
	// timeout is [gpuCheckTimeout], except in tests.
	timeout time.Duration
	// pid is the process whose GPUs are checked, and paused says that someone has
	// paused the container.
	pid    atomic.Int64
	paused atomic.Bool
}

// start checks the attached GPUs at the declared interval, until ctx ends.
// Without an interval nothing wakes the supervisor.
func (w *gpuWatch) start(ctx context.Context, attached attachment.Attachment) {
	if w.gpu == nil || w.gpu.Check == 0 {
		return
	}
	check, err := checkOf(attached)
	if err != nil {
		w.log.Warn("the GPUs are not checked", zap.Error(err))
		return
	}
	go w.run(ctx, check)
}

// checkOf returns what to check.
func checkOf(attached attachment.Attachment) (attachment.Check, error) {
	var edits struct {
		Linux struct {
			Devices []attachment.Node `json:"devices"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(attached.Edits, &edits); err != nil {
		return attachment.Check{}, fmt.Errorf("read the container's devices: %w", err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return attachment.Check{}, fmt.Errorf("read the clock: %w", err)
	}
	check := attachment.Check{Nodes: edits.Linux.Devices, Since: now.Nano() / 1000, Buses: attached.Buses}
	for _, name := range attached.Devices {
		check.NVIDIA = check.NVIDIA || strings.HasPrefix(name, "nvidia.com/gpu=")
	}
	return check, nil
}

func (w *gpuWatch) run(ctx context.Context, check attachment.Check) {
	silent, logged := 0, ""
	for pause(ctx, w.gpu.Check); ctx.Err() == nil; pause(ctx, w.gpu.Check) {
		result, err := w.once(ctx, check)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			silent, logged = 0, ""
		case errors.Is(err, errSilent) && silent+1 >= silentChecks:
			result.Lost = err.Error()
		case errors.Is(err, errSilent):
			silent++
			continue
		default:
			// A check that cannot be made does not mean a loss.
			if err.Error() != logged {
				logged = err.Error()
				w.log.Warn("the GPUs cannot be checked", zap.Error(err))
			}
			continue
		}
		w.inbox.do(ctx, func() { w.checked(result.Lost) })
	}
}

// once asks `dockhost gpu check`. The error says why there was no answer.
func (w *gpuWatch) once(ctx context.Context, check attachment.Check) (attachment.Found, error) {
	if w.paused.Load() {
		return attachment.Found{}, nil // a process that enters its cgroup would be paused as well
	}
	check.Pid = int(w.pid.Load())
	input, err := json.Marshal(check)
	if err != nil {
		return attachment.Found{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	out, err := w.program.check(ctx, input)
	if err != nil {
		return attachment.Found{}, err
	}
	var result attachment.Found
	if err := json.Unmarshal(out, &result); err != nil {
		return attachment.Found{}, fmt.Errorf("read what %s gpu check printed: %w", w.program, err)
	}
	return result, nil
}

// checked reports the result of a check; lost is "" when all is well.
func (w *gpuWatch) checked(lost string) {
	if !w.report.gpuLost(lost) {
		return
	}
	switch {
	case lost == "":
		w.log.Info("the container's GPUs are well again")
	case w.gpu.OnLoss == spec.LossRestart:
		w.inbox.endContainer(fromOutside(fmt.Errorf("container lost a GPU, and was stopped so that systemd starts it again: %s", lost)))
	default:
		w.log.Error("the container has lost a GPU (restart it with: systemctl restart "+w.unit.name+")", zap.String("lost", lost))
	}
	w.report.showRunning()
}
