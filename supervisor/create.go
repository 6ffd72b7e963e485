package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// create makes the container and says to dockhost-runtime where it is born.
func (s *Supervisor) create(ctx context.Context, image engine.Image) (string, error) {
	if err := s.spec.CheckReadiness(image.Healthcheck); err != nil {
		return "", err
	}
	s.state.Digest = image.Digest
	made, err := s.request()
	if err != nil {
		return "", err
	}
	if s.spec.Name == "" {
		if err := s.removeNameless(ctx); err != nil {
			return "", err
		}
	}
	id, warnings, err := s.Engine.Create(ctx, made)
	if errors.Is(err, engine.ErrConflict) {
		if err := s.freeName(ctx); err != nil {
			return "", err
		}
		id, warnings, err = s.Engine.Create(ctx, made)
	}
	if err != nil {
		return "", err
	}
	for _, warning := range warnings {
		s.Log.Warn("docker warns", zap.String("warning", warning))
	}
	s.state.ContainerID = id
	if err := errors.Join(s.place(ctx, id), s.writeCIDFile(id)); err != nil {
		return "", errors.Join(err, s.Engine.Remove(ctx, id))
	}
	return id, nil
}

// request is what the Engine is asked for.
func (s *Supervisor) request() (engine.CreateRequest, error) {
	env, err := s.fileEnv()
	if err != nil {
		return engine.CreateRequest{}, err
	}
	made := request.Make(s.spec, request.Host{
		Unit:         s.unit,
		Supervisor:   self(s.Cgroups.Root),
		ConfigHash:   s.state.ConfigHash,
		FileEnv:      env,
		NotifySocket: s.readiness.socket(),
		Watchdog:     s.Watchdog,
	})
	s.env = made.Config.Env
	return made, nil
}

// fileEnv returns the variables of the env files.
func (s *Supervisor) fileEnv() ([]string, error) {
	var env []string
	for _, file := range s.spec.EnvFiles {
		vars, err := readEnvFile(file)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			env = append(env, name+"="+vars[name])
		}
	}
	return env, nil
}

// readEnvFile names the file and not what it holds: the parser's errors quote
// lines, which may be secrets.
func readEnvFile(file spec.EnvFile) (map[string]string, error) {
	f, err := os.Open(file.Path)
	if errors.Is(err, os.ErrNotExist) && !file.Required {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read env_file: %w", err)
	}
	defer f.Close()
	vars := map[string]string{}
	if err := dotenv.ParseWithFormat(f, file.Path, vars, nil, file.Format); err != nil {
		return nil, fmt.Errorf("read env_file %q: it is not lines of NAME=VALUE", file.Path)
	}
	return vars, nil
}

// place tells dockhost-runtime where the container is born.
func (s *Supervisor) place(ctx context.Context, id string) error {
	if s.unit == "" {
		return nil
	}
	runtime, err := s.runtimeProgram(ctx)
	if err != nil {
		return err
	}
	dir := s.Dir.RuntimeDir()
	// tmpfiles.d makes the directory at boot, with its group.
	if err := os.MkdirAll(dir, 0o770); err != nil { //nolint:gosec // group docker may speak to Docker already
		return fmt.Errorf("place the container: %w", err)
	}
	return placement.Write(dir, id, placement.Placement{
		Unit:        s.unit,
		CgroupPath:  s.cgroup + "/" + containerLeaf,
		Controllers: s.controllers,
		Runtime:     runtime,
		Edits:       s.attached.Edits,
		GPUs:        s.attached.GPUs,
		Devices:     s.attached.Devices,
		Exclusive:   s.spec.GPU != nil && s.spec.GPU.Exclusive,
	})
}

// runtimeProgram is the OCI runtime that dockhost-runtime execs: the program
// that Docker knows by the name that was asked for, or the one of that name in
// PATH.
func (s *Supervisor) runtimeProgram(ctx context.Context) (string, error) {
	name := s.spec.Runtime
	if name == "" {
		return "", nil
	}
	runtimes, err := s.Engine.Runtimes(ctx)
	if err != nil {
		return "", err
	}
	if path := runtimes[name]; path != "" {
		return path, nil
	}
	return name, nil
}
