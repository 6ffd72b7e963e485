package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/supervisor"
	"github.com/dockhost/dockhost/systemd"
)

func superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "supervise NAME",
		Short: "run one assigned container within its own unit",
		Long: `Runs the assigned container NAME in the cgroup of the unit that it is called
from, and ends as the container ends: with its exit status, 128+n when signal n
killed it, 0 after a stop that was asked for unless it had to be killed (137),
and 125 when it could not be run.
It is the service dockhost@NAME.service.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runSupervisor(cmd.Context(), args[0]) },
	}
}

func runSupervisor(ctx context.Context, name string) error {
	docker, err := newEngine()
	if err != nil {
		return err
	}
	defer docker.Close()
	units := &systemd.Manager{}
	defer units.Close()
	log := newLogger("dockhost")
	code, err := supervisor.New(supervisor.Options{
		Name:   name,
		Dir:    runDir,
		Engine: docker,
		Notify: systemd.Notifier{},
		Units:  units,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Log:    log,
	}).Run(ctx)
	if err != nil {
		log.Error("container failed", zap.String("container", name), zap.Error(err))
	}
	return exitWith(code)
}
