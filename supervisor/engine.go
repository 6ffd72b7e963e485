package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
)

// dockerEngine is what the supervisor calls on Docker Engine; each of its parts
// takes the part of it that it needs. [engine.Client] implements it.
type dockerEngine interface {
	pinger
	imageSource
	containerMaker
	containerRunner
	containerWatcher
	outputSource
	resizer
	CloseIdle()
}

// pinger says whether the Engine answers, and where it listens.
type pinger interface {
	Ping(ctx context.Context) error
	Host() string
}

// inspector describes a container.
type inspector interface {
	Inspect(ctx context.Context, id string) (engine.Container, error)
}

// containerRunner acts on a container that was created.
type containerRunner interface {
	Start(ctx context.Context, id string) error
	portHolder
	stopEngine
	reloadEngine
}

// containerWatcher tells what happens to a container.
type containerWatcher interface {
	inspector
	eventSource
	Wait(ctx context.Context, id string) <-chan engine.Exit
	WaitEnded(ctx context.Context, id string) <-chan engine.Exit
	Listed(ctx context.Context, id string) (bool, error)
	Info(ctx context.Context) (engine.Info, error)
}

// eventSource sends the named events of a container. It closes the channel when
// the Engine goes away.
type eventSource interface {
	Events(ctx context.Context, id string, actions ...string) <-chan engine.Event
}

// deniedTries is how often awaitEngine tries again after Docker's socket was not
// permitted. systemd sets the group of docker.socket just after its creation.
const deniedTries = 4

// awaitEngine returns nil once the Engine answers, and an error when ctx ends
// before, or when this user may not use it.
func awaitEngine(ctx context.Context, docker pinger, report *reporter) error {
	tries := backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}
	for denied := 0; ; {
		err := docker.Ping(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if errors.Is(err, engine.ErrDenied) {
			if denied++; denied > deniedTries {
				return fmt.Errorf("cannot use Docker at %s: permission denied (be root or a member of the group docker; in a unit, write SupplementaryGroups=docker in its [Service] section)", docker.Host())
			}
		}
		pause := tries.Step()
		report.notify.ExtendTimeout(pause + timeoutMargin)
		report.notify.Status(fmt.Sprintf("waiting for Docker at %s: %s", docker.Host(), firstLine(err.Error())))
		waitErr := backoff.Pause(ctx, pause)
		report.trouble("docker does not answer, trying again",
			fmt.Errorf("wait for Docker at %s (is docker.service running?): %w", docker.Host(), err))
		if waitErr != nil {
			return waitErr
		}
	}
}
