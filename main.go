// Command dockhost runs containers in the systemd units of this host. The
// binary is three programs, and the name that it is called by chooses one:
// dockhost, which units start; dockhostctl, which people use; and
// systemd-docker, which existing units call. dockhost-agent and dockhost-supervise,
// which stay in memory, are other programs: this one links the parser of docker/cli.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	_ "time/tzdata" // for windows of updates, in an image without the package tzdata

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/ctl"
	"github.com/dockhost/dockhost/internal/commandline"
)

// Set by the linker (see the Makefile).
var (
	version = "devel"
	commit  = "unknown"
	date    = "unknown"
)

func main() {
	os.Exit(run(os.Args))
}

// run is main with an exit status.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	program, args := filepath.Base(args[0]), args[1:]
	switch {
	case program == "dockhostctl":
		return ctl.Execute(ctx, args, ctlHost())
	case program == "systemd-docker", asSystemdDocker(args):
		return report(systemdDocker(ctx.Done(), args))
	}
	dockhost := dockhostCommand()
	dockhost.SetArgs(args)
	return report(dockhost.ExecuteContext(ctx))
}

// report prints the error of dockhost and returns its exit status.
func report(err error) int {
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(os.Stderr, "dockhost: %v\n", err)
	return 1
}

// exitNotWell is the exit status of dockhost, and of dockhostctl, when it has shown what
// is not well.
const exitNotWell = 3

// exitStatus ends dockhost with this status. The reason is already printed.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// dockhostCommand returns the program dockhost with all its commands.
func dockhostCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "dockhost",
		Short:         "run containers in the systemd units of this host",
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("dockhost {{.Version}}\n")
	root.AddCommand(agentCommand(), runCommand(), setupCommand(), gpuCommand())
	commandline.Strict(root)
	return root
}

// versionText follows the program's name in the output of --version.
func versionText() string { return fmt.Sprintf("%s (commit %s, %s)", version, commit, date) }
