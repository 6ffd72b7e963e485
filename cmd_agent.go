package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/engine/registry"
	"github.com/dockhost/dockhost/systemd"
)

func agentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "run the node agent",
		Long: `Runs the containers that user data assigns to this host, each in a unit
dockhost@NAME.service. It keeps the last known good assignment for the next boot.
dockhost.service runs this command; SIGHUP (systemctl reload dockhost) makes it
read the user data again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAgent(cmd.Context()) },
	}
}

func runAgent(ctx context.Context) error {
	docker, err := newEngine()
	if err != nil {
		return err
	}
	defer docker.Close()
	units := &systemd.Manager{}
	defer units.Close()
	listener, err := apiListener(ctx)
	if err != nil {
		return err
	}
	log := newLogger("dockhost")
	return agent.New(agent.Options{
		Version:  version,
		Engine:   docker,
		Store:    docker,
		PullSize: registry.Registries{Engine: docker}.PullSize,
		Units:    units,
		Status:   newGatherer(docker, units),
		GPUs:     canHaveGPUs,
		Notify:   systemd.Notifier{},
		Find:     datasource.Find,
		Reload:   onHangup(ctx),
		Log:      log,
	}).Run(ctx, listener)
}

// apiListener returns the socket from dockhost.socket, or a new one if that unit
// is not used.
func apiListener(ctx context.Context) (net.Listener, error) {
	listener, err := systemd.Listener()
	if listener != nil || err != nil {
		return listener, err
	}
	path := runDir.Socket()
	// An agent that was killed leaves its socket.
	_ = os.Remove(path)
	var config net.ListenConfig
	if listener, err = config.Listen(ctx, "unix", path); err != nil {
		return nil, err
	}
	return listener, os.Chmod(path, 0o600)
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
