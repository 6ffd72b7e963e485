// Command dockhost runs containers in the systemd units of this host. It is
// three programs in one file: dockhost, which systemd runs, dockhostctl, which
// people run, and systemd-docker, whose command lines are still in many units.
// The name that it is called by decides.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
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
	program := dockhost()
	if filepath.Base(args[0]) == "dockhostctl" {
		program = dockhostctl()
	}
	program.SetArgs(args[1:])
	var err error
	if filepath.Base(args[0]) == "systemd-docker" || program.Name() == "dockhost" && asSystemdDocker(args[1:]) {
		err = systemdDocker(args[1:])
	} else {
		err = program.ExecuteContext(ctx)
	}
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", program.Name(), err)
	return 1
}

// exitStatus ends the program with this status, and without a word: whoever
// returns it has said what there is to say.
type exitStatus int

// exitWith returns nil for 0.
func exitWith(code int) error {
	if code == 0 {
		return nil
	}
	return exitStatus(code)
}

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// dockhost is what systemd runs.
func dockhost() *cobra.Command {
	root := program("dockhost", "run containers in the systemd units of this host")
	root.AddCommand(agentCommand(), runCommand(), setupCommand(), gpuHelperCommand())
	return root
}

// dockhostctl is what people run.
func dockhostctl() *cobra.Command {
	root := program("dockhostctl", "run containers on this host, and say how they fare")
	root.AddCommand(statusCommand(), gpuCommand(), userDataCommand(), declareCommand(), removeCommand(), gcCommand(), validateCommand(), renderCommand(), convertCommand())
	return root
}

func program(name, short string) *cobra.Command {
	root := &cobra.Command{
		Use:           name,
		Short:         short,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate(fmt.Sprintf("%s %s (commit %s, %s)\n", name, version, commit, date))
	return root
}
