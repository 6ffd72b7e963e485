package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/dockhost/dockhost/agent"
	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/ctl"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// This file turns the environment and the paths of the host into values for the
// commands. Only package main reads the environment.

// runDir is the directory where agent, supervisors and dockhostctl meet.
const runDir = rundir.Dir(rundir.Path)

// cgroupRoot is the mount point of the cgroup file systems.
const cgroupRoot = "/sys/fs/cgroup"

// libexec returns the path of a program that systemd and Docker call. It
// follows dockhost's own prefix: /usr/bin/dockhost uses /usr/libexec/dockhost,
// and /opt/bin/dockhost, for hosts whose /usr is read-only, uses
// /opt/libexec/dockhost.
func libexec(program string) string {
	prefix := "/usr"
	// Some image builds have no /proc, which os.Executable needs.
	if own, err := os.Executable(); err == nil {
		prefix = filepath.Dir(filepath.Dir(own))
	}
	return filepath.Join(prefix, "libexec/dockhost", program)
}

// newEngine connects to Docker as the docker command would. Logins of the
// assignment come first.
func newEngine() (*engine.Client, error) {
	return engine.New(engine.FromEnvironment(os.Getenv, runDir.LoginsDir()))
}

// newLogger logs to the journal, or to standard error outside systemd. If
// DOCKHOST_DEBUG is set, it logs debug messages too.
func newLogger(identifier string) *zap.Logger {
	return systemd.NewLogger(identifier, os.Getenv("INVOCATION_ID"), os.Getenv("DOCKHOST_DEBUG") != "", os.Stderr)
}

func newGatherer(docker *engine.Client, units *systemd.Manager) status.Gatherer {
	return status.Gatherer{Dir: runDir, Engine: docker, Units: units, Runtime: spec.RuntimeName}
}

// ctlHost returns what dockhostctl needs of this host.
func ctlHost() ctl.Host {
	return ctl.Host{
		Version:            versionText(),
		Socket:             runDir.Socket(),
		StatusWithoutAgent: statusWithoutAgent,
		Details:            containerDetails,
		Usage:              func(c api.Container) (api.Usage, bool) { return status.Usage("", c.Cgroup) },
		Become:             replaceProcess,
		Width:              terminalWidth,
		GPUs:               gpuReport,
		Diagnose:           diagnose,
		Bugreport:          reportBug,
		DockerHost:         os.Getenv("DOCKER_HOST"),
		DockerConfig:       engine.ConfigDir(os.Getenv),
		Color:              term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "",
		Settings:           settings,
		ContainersDir:      "/etc/dockhost/containers",
		Exec:               dockerExec,
		Terminal:           isTerminal(),
		Interactive:        term.IsTerminal(int(os.Stderr.Fd())),
		In:                 os.Stdin,
		Out:                os.Stdout,
		Err:                os.Stderr,
	}
}

// mayUseDocker reports whether this user may use Docker's socket, as far as that is known.
func mayUseDocker() bool {
	if os.Getenv("DOCKER_HOST") != "" || os.Getenv("DOCKER_CONTEXT") != "" {
		return true // the docker command says more about it
	}
	return !errors.Is(unix.Access("/var/run/docker.sock", unix.R_OK|unix.W_OK), unix.EACCES)
}

// statusWithoutAgent returns what systemd and Docker know, and what the agent has left on
// the disk.
func statusWithoutAgent(ctx context.Context) (api.Status, error) {
	docker, err := newEngine()
	if err != nil {
		return api.Status{}, err
	}
	defer docker.Close()
	units := &systemd.Manager{}
	defer units.Close()
	left, err := agent.Left("")
	return status.WithoutAgent(ctx, newGatherer(docker, units), left, err), nil
}

// containerDetails returns what is known about the unit of a container.
func containerDetails(ctx context.Context, c api.Container) api.Details {
	return status.Gatherer{}.Details(ctx, c)
}

// terminalWidth returns the width of the terminal, 0 if standard output is not one.
func terminalWidth() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// gpuReport inspects the GPUs of this host.
func gpuReport() (gpu.Report, error) {
	machine := gpu.Machine{Root: "/"}
	inventory, err := machine.Inspect()
	if err != nil {
		return gpu.Report{}, err
	}
	return machine.Gather(inventory, runDir)
}
