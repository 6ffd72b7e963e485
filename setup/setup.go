// Package setup registers dockhost-runtime with Docker. It owns the member
// runtimes.dockhost of /etc/docker/daemon.json and changes nothing else in that file.
// It never restarts Docker, and does not change a file that it cannot parse.
package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

const (
	// runtimeName is the name of dockhost-runtime in Docker.
	runtimeName = "dockhost"
	// dockerUnit is Docker's unit on all distributions.
	dockerUnit = "docker.service"
	configPath = "/etc/docker/daemon.json"
	// proofTimeout bounds the wait until Docker has loaded the configuration. Its
	// reload is a signal, so systemd does not know when it is done.
	proofTimeout  = 15 * time.Second
	proofInterval = 100 * time.Millisecond
)

// runtimeLister returns the path of each runtime of the Engine, by its name.
type runtimeLister interface {
	Runtimes(ctx context.Context) (map[string]string, error)
}

// reloader reloads a systemd unit and waits for the job.
type reloader interface {
	ReloadUnit(ctx context.Context, name string) error
}

// Options say what to register, and where.
type Options struct {
	// Root is a prefix of the host's paths, "" for the running system.
	Root string
	// RuntimePath is the absolute path of dockhost-runtime on the host.
	RuntimePath string
	Log         *zap.Logger
}

// Setup registers dockhost-runtime with Docker, once per host or image.
type Setup struct {
	Options
	docker   runtimeLister
	systemd  reloader
	validate func(ctx context.Context, file string) error
}

// New returns a Setup. It calls docker and systemd only on a host that systemd has
// booted. Elsewhere, as in an image build, both may be nil.
func New(options Options, docker runtimeLister, systemd reloader) *Setup {
	validate := validateWithDockerd
	if options.Root != "" {
		validate = func(context.Context, string) error { return nil }
	}
	return &Setup{Options: options, docker: docker, systemd: systemd, validate: validate}
}

// Check returns what is missing, each with what to do, and changes nothing. The error
// says why daemon.json cannot be read or parsed.
func (s *Setup) Check(ctx context.Context) ([]string, error) {
	var missing []string
	if err := s.runtimeInstalled(); err != nil {
		missing = append(missing, err.Error())
	}
	config, err := readConfig(s.configPath())
	if err != nil {
		return nil, err
	}
	path, err := registered(config.text)
	if err != nil {
		return nil, config.at(err)
	}
	if path != s.RuntimePath {
		missing = append(missing, fmt.Sprintf("%s does not register runtime %q as %s (run: dockhost setup)", s.configPath(), runtimeName, s.RuntimePath))
	}
	if !s.booted() {
		return missing, nil
	}
	runtimes, err := s.docker.Runtimes(ctx)
	switch {
	case isForeign(err):
		missing = append(missing, err.Error())
	case err != nil:
		missing = append(missing, fmt.Sprintf("cannot list Docker's runtimes: %v (run: systemctl start %s)", err, dockerUnit))
	case runtimes[runtimeName] != s.RuntimePath:
		missing = append(missing, fmt.Sprintf("runtime %q is not registered with Docker as %s (run: dockhost setup)", runtimeName, s.RuntimePath))
	}
	return missing, nil
}

// Apply registers the runtime in daemon.json and makes Docker load it. It is
// idempotent. If Docker does not run, it loads the runtime at its next start. The
// first Apply keeps the old file as daemon.json.dockhost-backup.
func (s *Setup) Apply(ctx context.Context) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.runtimeInstalled(); err != nil {
		return err
	}
	config, err := readConfig(s.configPath())
	if err != nil {
		return err
	}
	text, err := register(config.text, s.RuntimePath)
	if err != nil {
		return config.at(err)
	}
	if !bytes.Equal(text, config.text) {
		if err := config.replace(ctx, text, s.validate); err != nil {
			return err
		}
		s.Log.Info("registered the runtime", zap.String("file", config.file), zap.String("runtime_path", s.RuntimePath))
	}
	return s.settle(ctx)
}

// Remove removes the runtime from daemon.json and reloads Docker. Docker forgets the
// runtime at the reload, or, if it was the only one in the file, at its next restart.
// Remove deletes a file that is then empty, unless it existed before Apply. It keeps
// the backup but does not restore it, since the file may have been edited.
// Containers that were created with the runtime can no longer be started.
func (s *Setup) Remove(ctx context.Context) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	config, err := readConfig(s.configPath())
	if err != nil {
		return err
	}
	text, err := unregister(config.text)
	if err != nil {
		return config.at(err)
	}
	if !bytes.Equal(text, config.text) {
		if holdsNothing(text) && !config.backedUp() {
			err = config.remove()
		} else {
			err = config.replace(ctx, text, s.validate)
		}
		if err != nil {
			return err
		}
		s.Log.Info("removed the runtime", zap.String("file", config.file))
	}
	return s.forget(ctx)
}

// settle reloads Docker, unless it has loaded the runtime already, and verifies the
// result.
func (s *Setup) settle(ctx context.Context) error {
	path, answers, err := s.loaded(ctx)
	if err != nil || !answers || path == s.RuntimePath {
		return err
	}
	if err := s.systemd.ReloadUnit(ctx, dockerUnit); err != nil {
		return fmt.Errorf("reload %s: %w", dockerUnit, err)
	}
	if err := s.prove(ctx); err != nil {
		return err
	}
	s.Log.Info("docker has loaded the configuration")
	return nil
}

// forget reloads Docker if it has loaded the runtime. It does not verify the result: if
// daemon.json has no runtimes, a reload does not change them.
func (s *Setup) forget(ctx context.Context) error {
	path, answers, err := s.loaded(ctx)
	if err != nil || !answers || path == "" {
		return err
	}
	if err := s.systemd.ReloadUnit(ctx, dockerUnit); err != nil {
		return fmt.Errorf("reload %s: %w", dockerUnit, err)
	}
	s.Log.Info("docker forgets the runtime at its next restart, if not before")
	return nil
}

// loaded returns the path of the runtime that Docker has loaded, or "". answers is false
// if Docker does not run; it then reads daemon.json when it starts. The error is that of
// ctx, or says that another program answers instead of Docker.
func (s *Setup) loaded(ctx context.Context) (path string, answers bool, err error) {
	if !s.booted() {
		s.Log.Info("docker will load the configuration at its next start: systemd does not run here")
		return "", false, nil
	}
	runtimes, err := s.docker.Runtimes(ctx)
	if ctx.Err() != nil {
		return "", false, ctx.Err()
	}
	if isForeign(err) {
		return "", false, err
	}
	if err != nil {
		s.Log.Warn("docker will load the configuration at its next start: it does not answer", zap.Error(err))
		return "", false, nil
	}
	return runtimes[runtimeName], true, nil
}

// isForeign says whether an error means that another program answers at Docker's socket.
func isForeign(err error) bool {
	foreign, ok := errors.AsType[interface {
		error
		NotDocker() bool
	}](err)
	return ok && foreign.NotDocker()
}

// prove waits until Docker has loaded the runtime.
func (s *Setup) prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	ticker := time.NewTicker(proofInterval)
	defer ticker.Stop()
	var last map[string]string
	for {
		runtimes, err := s.docker.Runtimes(ctx)
		if err == nil {
			last = runtimes
		}
		if last[runtimeName] == s.RuntimePath {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if last != nil && errors.Is(err, context.DeadlineExceeded) {
				err = nil // the last answer says more than the timeout
			}
			return s.notLoaded(last[runtimeName], err)
		}
	}
}

// notLoaded says that Docker does not answer, or that it was reloaded and has the
// runtime with another path or, if path is "", not at all.
func (s *Setup) notLoaded(path string, err error) error {
	const cure = "(look for messages about daemon.json and flags such as --add-runtime and --config-file: journalctl -u " + dockerUnit + ")"
	switch {
	case err != nil:
		return fmt.Errorf("verify that Docker has runtime %q: %w %s", runtimeName, err, cure)
	case path == "":
		return fmt.Errorf("%s was reloaded, but Docker has no runtime %q %s", dockerUnit, runtimeName, cure)
	default:
		return fmt.Errorf("%s was reloaded, but Docker has runtime %q as %s, not as %s %s", dockerUnit, runtimeName, path, s.RuntimePath, cure)
	}
}

// runtimeInstalled returns an error if the runtime's file is missing or not executable.
// Docker would notice that only when it starts a container.
func (s *Setup) runtimeInstalled() error {
	info, err := os.Stat(filepath.Join(s.Root, s.RuntimePath))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing (install the package dockhost again)", s.RuntimePath)
	}
	if err != nil {
		return fmt.Errorf("find the runtime: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is not executable (install the package dockhost again)", s.RuntimePath)
	}
	return nil
}

// booted says whether systemd has booted the host, as sd_booted(3) does.
func (s *Setup) booted() bool {
	info, err := os.Lstat(filepath.Join(s.Root, "/run/systemd/system"))
	return err == nil && info.IsDir()
}

func (s *Setup) configPath() string { return filepath.Join(s.Root, configPath) }
