// Package ctl is the program dockhostctl: its commands, each in a file of its
// own, and what they print. Commands about running containers ask the agent
// over its local socket; they never change the host themselves. Commands about
// files (validate, render, convert) need no host at all.
package ctl

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/doctor"
	"github.com/dockhost/dockhost/doctor/bugreport"
	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/internal/commandline"
)

// Host is what main passes in: everything that comes from the process's
// environment, and what this package must not import.
type Host struct {
	// Version follows the program's name in the output of --version.
	Version string
	// Socket is the path of the agent's socket.
	Socket string
	// StatusWithoutAgent gathers what systemd and Docker know. The command
	// status calls it when the agent does not answer.
	StatusWithoutAgent func(ctx context.Context) (api.Status, error)
	// Details returns what a container's cgroup uses, and the last lines of its output.
	Details func(ctx context.Context, c api.Container) api.Details
	// Usage returns what a container's cgroup uses; false if it does not run.
	Usage func(c api.Container) (api.Usage, bool)
	// Become replaces this process by another program, and returns only if that fails.
	Become func(command ...string) error
	// Width returns the width of the terminal that Out is, 0 if Out is not a terminal.
	Width func() int
	// GPUs inspects the GPUs of this host.
	GPUs func() (gpu.Report, error)
	// Diagnose makes checks of this host. It gets a function for the status of the
	// host's containers.
	Diagnose func(ctx context.Context, status func(context.Context) (api.Status, error), checks []doctor.Check) (doctor.Report, error)
	// Bugreport gathers a report about this host, with its secrets masked.
	Bugreport func(ctx context.Context, status func(context.Context) (api.Status, error)) (bugreport.Report, error)
	// DockerHost is the value of DOCKER_HOST.
	DockerHost string
	// DockerConfig is the directory of Docker's config.json.
	DockerConfig string
	// Color reports whether Out is a terminal that shows colors.
	Color bool
	// Settings returns the settings of the agent on this host, or their defaults.
	Settings func(defaults bool) ([]Setting, error)
	// ContainersDir is the directory of Compose files, /etc/dockhost/containers.
	ContainersDir string
	// Exec runs a command in a container, and returns its exit status. Terminal reports
	// whether both In and Out are a terminal.
	Exec     func(ctx context.Context, request ExecRequest) (int, error)
	Terminal bool
	// Interactive reports whether Err is a terminal; it then gets progress.
	Interactive bool

	In       io.Reader
	Out, Err io.Writer
	// raw is Out before it is cleaned.
	raw io.Writer
}

// Execute runs dockhostctl with the arguments that follow the program's name.
// It prints errors to [Host.Err] and returns the exit status.
func Execute(ctx context.Context, args []string, host Host) int {
	host.raw, host.Out, host.Err = host.Out, &cleaner{out: host.Out}, &cleaner{out: host.Err}
	root := host.command() //nolint:contextcheck // commands get ctx from ExecuteContext
	root.SetArgs(args)
	root.SetIn(host.In)
	root.SetOut(host.Out)
	root.SetErr(host.Err)
	err := checkWord(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if text := problems(err); text != "" {
		fmt.Fprint(host.Err, text)
	}
	return exitStatus(err)
}

// command returns dockhostctl with all its commands.
func (h Host) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "dockhostctl",
		Short:         "inspect and manage the containers of this host",
		Version:       h.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("dockhostctl {{.Version}}\n")
	root.SetUsageTemplate(root.UsageTemplate() + "{{if not .HasParent}}" + exitHelp() + "{{end}}")
	root.AddCommand(
		h.statusCommand(), h.logsCommand(), h.topCommand(), h.waitCommand(), h.gpuCommand(), h.userDataCommand(),
		h.runCommand(), h.removeCommand(), h.gcCommand(),
		h.doctorCommand(), h.bugreportCommand(), h.eventsCommand(), h.changesCommand(), h.analyzeCommand(),
		h.startCommand(), h.stopCommand(), h.restartCommand(), h.reloadCommand(),
		h.execCommand(), h.pullCommand(), h.applyCommand(), h.versionCommand(), h.configCommand(),
		h.updateCommand(), h.rollbackCommand(), h.historyCommand(), h.holdCommand(), h.unholdCommand(),
		validateCommand(), renderCommand(), convertCommand(),
	)
	commandline.Strict(root)
	return root
}
