package main

import (
	"os"
	"os/user"
	"path/filepath"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/supervisor"
	"github.com/dockhost/dockhost/systemd"
)

// The environment is read here and nowhere else.

// runDir is the directory by which the programs meet.
const runDir = rundir.Dir(rundir.Path)

// newEngine connects the programs to Docker as the docker command would be:
// by DOCKER_HOST, with the logins of DOCKER_CONFIG or the home directory. The
// logins of the assignment come first.
func newEngine() (*engine.Client, error) {
	return engine.New(engine.Options{
		Host:       os.Getenv("DOCKER_HOST"),
		ConfigDirs: []string{runDir.LoginsDir(), dockerConfigDir()},
	})
}

func dockerConfigDir() string {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	home := os.Getenv("HOME")
	if home == "" {
		// systemd sets no HOME for a service of root's.
		if u, err := user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	return filepath.Join(home, ".docker")
}

// newLogger logs to the journal, or to standard error outside systemd; with
// DOCKHOST_DEBUG set, everything.
func newLogger(identifier string) *zap.Logger {
	level := zapcore.InfoLevel
	if os.Getenv("DOCKHOST_DEBUG") != "" {
		level = zapcore.DebugLevel
	}
	return systemd.NewLogger(identifier, level, os.Stderr)
}

func newGatherer(docker *engine.Client, units *systemd.Manager) status.Gatherer {
	return status.Gatherer{Dir: runDir, Engine: docker, Units: units, Runtime: supervisor.RuntimeName}
}
