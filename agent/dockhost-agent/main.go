// Command dockhost-agent is the node agent, the main process of dockhost.service.
// It stays resident as root. So it is a program of its own, without the flags of the
// docker command and the libraries that their parser needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // for windows of updates, in an image without the package tzdata

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/registry"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// version is set by the linker (see the Makefile).
var version = "devel"

// runDir is the directory where agent, supervisors and dockhostctl meet.
const runDir = rundir.Dir(rundir.Path)

func main() {
	os.Exit(run(os.Args))
}

// run is main with an exit status.
func run(args []string) int {
	work := runAgent
	switch {
	case len(args) == 3 && args[1] == "reload":
		work = func(ctx context.Context) error { return reload(ctx, args[2]) }
	case len(args) != 1:
		fmt.Fprintf(os.Stderr, "dockhost: %s takes no arguments but reload PID (dockhost.service starts it)\n", args[0])
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := work(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "dockhost: %v\n", err)
		return 1
	}
	return 0
}

func runAgent(ctx context.Context) error {
	unlock, err := runDir.LockAgent()
	if err != nil {
		return explainAgent(err)
	}
	defer unlock()
	docker, err := engine.New(engine.FromEnvironment(os.Getenv, runDir.LoginsDir()))
	if err != nil {
		return err
	}
	defer docker.Close()
	docker.RememberInfo()
	units := &systemd.Manager{}
	defer units.Close()
	socket, err := openSocket(ctx)
	if err != nil {
		return err
	}
	defer socket.Close()
	log := systemd.NewLogger("dockhost", os.Getenv("INVOCATION_ID"), os.Getenv("DOCKHOST_DEBUG") != "", os.Stderr)
	return agent.New(agent.Options{
		Version:  version,
		Engine:   docker,
		Store:    docker,
		PullSize: registry.Registries{Engine: docker}.PullSize,
		Latest:   registry.Registries{Engine: docker}.Digest,
		Units:    units,
		Status:   status.Gatherer{Dir: runDir, Engine: docker, Units: units, Runtime: spec.RuntimeName},
		Changes:  docker.Changes,
		GPUs:     canHaveGPUs,
		Notify:   systemd.Notifier{},
		Find:     datasource.Find,
		Reload:   onHangup(ctx),
		SystemdStart: func() time.Duration {
			began, err := units.Began(ctx)
			if err != nil {
				log.Debug("not known when systemd started", zap.Error(err))
			}
			return began
		},
		Log: log,
	}).Run(ctx, socket)
}

// explainAgent adds to an error which unit the agent that runs is in, and what to do.
func explainAgent(err error) error {
	var runs *rundir.AgentRunsError
	if !errors.As(err, &runs) || runs.PID == 0 {
		return err
	}
	unit := systemd.Cgroups{}.UnitOf(runs.PID)
	switch unit {
	case "dockhost.service":
		return fmt.Errorf("%w in %s (to read the user data again, run: systemctl reload dockhost)", err, unit)
	case "":
		return fmt.Errorf("%w (stop it with: kill %d)", err, runs.PID)
	}
	return fmt.Errorf("%w in %s (stop it with: kill %d)", err, unit, runs.PID)
}

// openSocket returns the socket from dockhost.socket, or a new one if that unit is not
// used.
func openSocket(ctx context.Context) (*agent.Socket, error) {
	passed, err := systemd.Listener()
	if err != nil {
		return nil, err
	}
	return agent.OpenSocket(ctx, "", runDir.Socket(), passed)
}

// onHangup returns a channel that receives a value for each SIGHUP. Signals that
// arrive while one waits to be received are dropped.
func onHangup(ctx context.Context) <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	reload := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				select {
				case reload <- struct{}{}:
				default:
				}
			}
		}
	}()
	return reload
}
