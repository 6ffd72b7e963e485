package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/setup"
	"github.com/dockhost/dockhost/systemd"
)

func setupCommand() *cobra.Command {
	var check, remove bool
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "register dockhost's OCI runtime with Docker",
		Long: `Registers dockhost-runtime in /etc/docker/daemon.json, reloads Docker's
configuration without a restart, and checks that Docker knows the runtime. All
other settings in the file stay. Running it again changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSetup(cmd, check, remove) },
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; list what is missing, and exit with 3 if something is")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the runtime from Docker's configuration")
	cmd.MarkFlagsMutuallyExclusive("check", "remove")
	return cmd
}

// errNotRoot says who may run setup.
var errNotRoot = errors.New("setup changes Docker's configuration, which only root may do (run: sudo dockhost setup)")

func runSetup(cmd *cobra.Command, check, remove bool) error {
	if os.Geteuid() != 0 && !check {
		return errNotRoot
	}
	docker, err := newEngine()
	if err != nil {
		return err
	}
	defer docker.Close()
	units := &systemd.Manager{}
	defer units.Close()
	s := setup.New(setup.Options{RuntimePath: libexec("dockhost-runtime"), Log: newLogger("dockhost")}, docker, units)
	switch {
	case check:
		return checkSetup(cmd.Context(), cmd, s)
	case remove:
		return s.Remove(cmd.Context())
	}
	return s.Apply(cmd.Context())
}

func checkSetup(ctx context.Context, cmd *cobra.Command, s *setup.Setup) error {
	missing, err := s.Check(ctx)
	for _, line := range missing {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	if err == nil && len(missing) > 0 {
		err = exitStatus(exitNotWell)
	}
	return err
}
