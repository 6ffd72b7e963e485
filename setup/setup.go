// Package setup registers dockhost-runtime with Docker: it owns the member
// runtimes.dockhost of /etc/docker/daemon.json, and nothing else in that
// file. It never restarts Docker, and leaves a file that it does not
// understand as it is.
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
	// runtimeName is what Docker knows dockhost-runtime by.
	runtimeName = "dockhost"
	// dockerUnit is Docker's unit, on each distribution that has one.
	dockerUnit = "docker.service"
	configPath = "/etc/docker/daemon.json"
	// proofTimeout bounds the wait for Docker to take the configuration in:
	// its reload is a signal, so systemd cannot say when it is done.
	proofTimeout  = 15 * time.Second
	proofInterval = 100 * time.Millisecond
)

// runtimeLister asks the Engine which runtimes it has: the path of each by
// its name.
type runtimeLister interface {
	Runtimes(ctx context.Context) (map[string]string, error)
}

// reloader reloads a systemd unit and waits until the job is done.
type reloader interface {
	ReloadUnit(ctx context.Context, name string) error
}

// Options say what is set up, and where.
type Options struct {
	// Root is put before each path of the host; "" is the running system.
	Root string
	// RuntimePath is dockhost-runtime's absolute path, as Docker sees it.
	RuntimePath string
	Log         *zap.Logger
}

// Setup registers dockhost-runtime with Docker, once for each host or image.
type Setup struct {
	Options
	docker   runtimeLister
	systemd  reloader
	validate func(ctx context.Context, file string) error
}

// New returns a Setup. It speaks to docker and systemd only on a host that
// systemd runs: where it does not, as in an image build, both may be nil.
func New(options Options, docker runtimeLister, systemd reloader) *Setup {
	validate := validateWithDockerd
	if options.Root != "" {
		validate = func(context.Context, string) error { return nil }
	}
	return &Setup{Options: options, docker: docker, systemd: systemd, validate: validate}
}

// Check returns what is missing, each with its cure, and changes nothing. The
// error is that of a daemon.json which cannot be read or understood.
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
	have, err := s.docker.Runtimes(ctx)
	switch {
	case err != nil:
		missing = append(missing, fmt.Sprintf("Docker does not say which runtimes it has: %v (run: systemctl start %s)", err, dockerUnit))
	case have[runtimeName] != s.RuntimePath:
		missing = append(missing, fmt.Sprintf("runtime %q is not registered with Docker as %s (run: dockhost setup)", runtimeName, s.RuntimePath))
	}
	return missing, nil
}

// Apply registers the runtime in daemon.json and has Docker take it in. It is
// idempotent. Where Docker does not run, it has the runtime at its next start.
// What daemon.json was before the first Apply stays beside it, as
// daemon.json.dockhost-backup.
func (s *Setup) Apply(ctx context.Context) error {
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

// Remove takes the runtime out of daemon.json and reloads Docker, which
// forgets the runtime then, or, if it was the only one in the file, when it is
// restarted. A file that holds nothing else, and that was not there before
// Apply, goes too; a backup stays, and is not put back, since the file may
// have been edited since. Containers that were made with the runtime cannot be
// started any more.
func (s *Setup) Remove(ctx context.Context) error {
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

// settle reloads Docker, unless it has the runtime already, and proves that
// it has it then.
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
	s.Log.Info("docker has taken its configuration in")
	return nil
}

// forget reloads Docker, if it has the runtime. There is no proof: a reload
// leaves the runtimes as they are where daemon.json has none.
func (s *Setup) forget(ctx context.Context) error {
	path, answers, err := s.loaded(ctx)
	if err != nil || !answers || path == "" {
		return err
	}
	if err := s.systemd.ReloadUnit(ctx, dockerUnit); err != nil {
		return fmt.Errorf("reload %s: %w", dockerUnit, err)
	}
	s.Log.Info("docker forgets the runtime when it is restarted, if not before")
	return nil
}

// loaded returns the path that Docker has the runtime with, or "", and false
// where Docker does not run and so reads daemon.json when it starts. The error
// is that of ctx alone.
func (s *Setup) loaded(ctx context.Context) (path string, answers bool, err error) {
	if !s.booted() {
		s.Log.Info("docker reads its configuration at its next start: systemd does not run here")
		return "", false, nil
	}
	have, err := s.docker.Runtimes(ctx)
	if ctx.Err() != nil {
		return "", false, ctx.Err()
	}
	if err != nil {
		s.Log.Warn("docker reads its configuration at its next start: it does not answer", zap.Error(err))
		return "", false, nil
	}
	return have[runtimeName], true, nil
}

// prove waits until Docker has the runtime.
func (s *Setup) prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	ticker := time.NewTicker(proofInterval)
	defer ticker.Stop()
	var last map[string]string
	for {
		have, err := s.docker.Runtimes(ctx)
		if err == nil {
			last = have
		}
		if last[runtimeName] == s.RuntimePath {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if last != nil && errors.Is(err, context.DeadlineExceeded) {
				err = nil // an answer that came tells more than one cut short
			}
			return s.notTaken(last[runtimeName], err)
		}
	}
}

// notTaken says that Docker was reloaded and has the runtime with another path
// or, for "", not at all; or that it does not answer.
func (s *Setup) notTaken(have string, err error) error {
	const cure = "(see what it says of daemon.json and its own flags, such as --add-runtime and --config-file: journalctl -u " + dockerUnit + ")"
	switch {
	case err != nil:
		return fmt.Errorf("prove that Docker has runtime %q: %w %s", runtimeName, err, cure)
	case have == "":
		return fmt.Errorf("%s was reloaded, but Docker has no runtime %q %s", dockerUnit, runtimeName, cure)
	default:
		return fmt.Errorf("%s was reloaded, but Docker has runtime %q as %s, not as %s %s", dockerUnit, runtimeName, have, s.RuntimePath, cure)
	}
}

// runtimeInstalled says whether what is registered is there: Docker finds out
// only when it starts a container.
func (s *Setup) runtimeInstalled() error {
	info, err := os.Stat(filepath.Join(s.Root, s.RuntimePath))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing (install the package dockhost again)", s.RuntimePath)
	}
	if err != nil {
		return fmt.Errorf("look for the runtime: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is not executable (install the package dockhost again)", s.RuntimePath)
	}
	return nil
}

// booted tells whether systemd runs the host, as sd_booted(3) does.
func (s *Setup) booted() bool {
	info, err := os.Lstat(filepath.Join(s.Root, "/run/systemd/system"))
	return err == nil && info.IsDir()
}

func (s *Setup) configPath() string { return filepath.Join(s.Root, configPath) }
