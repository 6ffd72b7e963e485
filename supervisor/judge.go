package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/spec"
)

const (
	// codeTimeout is how long Docker may take to report the exit code of a
	// container whose process has ended.
	codeTimeout = 30 * time.Second
	// dockerUnit is Docker's unit on every distribution that has one.
	dockerUnit = "docker.service"
	// leaveTimeout is how long Docker may take to answer before it counts as
	// stopping: with socket activation, systemd accepts the connection.
	leaveTimeout = 2 * time.Second
)

// judge decides why a container ended.
type judge struct {
	engine    judgeEngine
	container *spec.Container
	unit      *unit
	log       *zap.Logger
	// codeTimeout is [codeTimeout], except in tests.
	codeTimeout time.Duration
}

// judgeEngine is what the judge asks Docker Engine.
type judgeEngine interface {
	inspector
	Ping(ctx context.Context) error
	Info(ctx context.Context) (engine.Info, error)
}

// exited is the ending of a container that nobody stopped.
func (j *judge) exited(ctx context.Context, c *running, code int) ending {
	if code == 0 {
		journal.Exited.Log(j.log, zap.Int("exit_code", 0))
		return ending{}
	}
	return ending{code: code, err: j.explain(ctx, c, code)}
}

// takenAlong is the ending of a container that Docker stopped with itself. It is
// a failure whatever the exit code, so that Restart=on-failure starts it again.
func takenAlong(code int) ending {
	return ending{code: max(code, 1), err: fromOutside(fmt.Errorf("docker stopped and took the container along (exit code %d)", code))}
}

// outlivesDocker says whether Docker lets its containers run when it stops
// (live-restore).
func (j *judge) outlivesDocker(ctx context.Context) bool {
	info, err := j.engine.Info(ctx)
	return err == nil && info.LiveRestore
}

// dockerLeft says whether Docker itself stopped after the supervisor began to
// listen. Without live-restore it then stops its containers like docker stop,
// and may still answer, or answer again; but systemd knows.
func (j *judge) dockerLeft(ctx context.Context, c *running) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if docker, err := j.unit.manager.Unit(ctx, dockerUnit); err == nil && docker.LeftActive.After(c.listeningSince) {
		return true
	}
	return j.engine.Ping(ctx) != nil
}

// errOutOfMemory means that the kernel killed a process of the container.
var errOutOfMemory = errors.New("out of memory")

// explain returns why the container ended with a code that is not 0.
func (j *judge) explain(ctx context.Context, c *running, code int) error {
	ended, err := j.engine.Inspect(ctx, c.id)
	if errors.Is(err, engine.ErrNotFound) || ended.Status == container.StateRemoving {
		return fromOutside(fmt.Errorf("container was removed by docker rm (exit code %d)", code))
	}
	limit := ""
	if err == nil {
		limit = j.memoryLimit(c.memory, ended)
	}
	switch {
	case limit != "" && code == exitKilled && !c.signs.killed:
		return fmt.Errorf("container was killed: %w (exit code %d): %s", errOutOfMemory, code, limit)
	case limit != "" && code != exitKilled:
		return fmt.Errorf("container ended with exit code %d, after one of its processes was killed (%w): %s", code, errOutOfMemory, limit)
	case code == exitKilled || c.signs.signaled && isSignal(code):
		// A process in the container cannot send its first process SIGKILL (pid_namespaces(7)).
		return fromOutside(killedBy(code))
	case isSignal(code):
		return killedBy(code)
	}
	return fmt.Errorf("container ended with exit code %d", code)
}

// isSignal reports whether an exit code says that a signal ended the process.
func isSignal(code int) bool { return code > 128 && code < 128+65 }

func killedBy(code int) error {
	return fmt.Errorf("container was killed by signal %d (exit code %d)", code-128, code)
}
