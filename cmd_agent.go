package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/engine/registry"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/systemd"
)

func agentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "run the node agent",
		Long: `Runs the containers that user data assigns to this host, each in a unit
dockhost@NAME.service. It keeps the last known good assignment for the next boot.
dockhost.service runs this command; SIGHUP (systemctl reload dockhost) makes it
read the user data again. A host has one agent: another one says which process it is,
and ends.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAgent(cmd.Context()) },
	}
}

func runAgent(ctx context.Context) error {
	unlock, err := runDir.LockAgent()
	if err != nil {
		return explainAgent(err)
	}
	defer unlock()
	docker, err := newEngine()
	if err != nil {
		return err
	}
	defer docker.Close()
	units := &systemd.Manager{}
	defer units.Close()
	socket, err := openSocket(ctx)
	if err != nil {
		return err
	}
	defer socket.Close()
	log := newLogger("dockhost")
	return agent.New(agent.Options{
		Version:  version,
		Engine:   docker,
		Store:    docker,
		PullSize: registry.Registries{Engine: docker}.PullSize,
		Latest:   registry.Registries{Engine: docker}.Digest,
		Units:    units,
		Status:   newGatherer(docker, units),
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
