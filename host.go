package main

import (
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// The environment is read here and nowhere else.

// runDir is the directory by which the programs meet.
const runDir = rundir.Dir(rundir.Path)

// cgroupRoot is where the cgroup trees are mounted.
const cgroupRoot = "/sys/fs/cgroup"

// libexec is the path of a program that systemd and Docker call: for
// /usr/bin/dockhost below /usr/libexec/dockhost, and for /opt/bin/dockhost, on
// hosts whose /usr is read-only, below /opt/libexec/dockhost.
func libexec(program string) string {
	prefix := "/usr"
	// There is no /proc to tell in some builds of images.
	if own, err := os.Executable(); err == nil {
		prefix = filepath.Dir(filepath.Dir(own))
	}
	return filepath.Join(prefix, "libexec/dockhost", program)
}

// newEngine connects the programs to Docker as the docker command would be. The
// logins of the assignment come first.
func newEngine() (*engine.Client, error) {
	return engine.New(engine.FromEnvironment(os.Getenv, runDir.LoginsDir()))
}

// newLogger logs to the journal, or to standard error outside systemd; with
// DOCKHOST_DEBUG set, everything.
func newLogger(identifier string) *zap.Logger {
	return systemd.NewLogger(identifier, os.Getenv("DOCKHOST_DEBUG") != "", os.Stderr)
}

func newGatherer(docker *engine.Client, units *systemd.Manager) status.Gatherer {
	return status.Gatherer{Dir: runDir, Engine: docker, Units: units, Runtime: spec.RuntimeName}
}
