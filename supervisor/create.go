package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// create makes the container and says to dockhost-runtime where it is born.
func (s *Supervisor) create(ctx context.Context, image engine.Image) (string, error) {
	if err := s.spec.CheckReadiness(image.Healthcheck); err != nil {
		return "", err
	}
	s.state.Digest = image.Digest
	request, err := s.request()
	if err != nil {
		return "", err
	}
	if s.spec.Name == "" {
		if err := s.removeNameless(ctx); err != nil {
			return "", err
		}
	}
	id, warnings, err := s.Engine.Create(ctx, request)
	if errors.Is(err, engine.ErrConflict) {
		if err := s.freeName(ctx); err != nil {
			return "", err
		}
		id, warnings, err = s.Engine.Create(ctx, request)
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

// request is what the Engine is asked for: what was declared, and what makes
// the container this unit's.
func (s *Supervisor) request() (engine.CreateRequest, error) {
	config, host := *s.spec.Config, *s.spec.HostConfig
	env, err := s.environment(config.Env)
	if err != nil {
		return engine.CreateRequest{}, err
	}
	config.Env = env
	config.Labels = maps.Clone(config.Labels)
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	config.Labels[LabelConfigHash] = s.state.ConfigHash
	config.Labels[LabelSupervisor] = self(s.Cgroups.Root)
	host.Runtime = s.spec.Runtime
	if s.unit != "" {
		config.Labels[LabelUnit] = s.unit
		host.Runtime = RuntimeName
		host.CgroupParent = placement.CgroupParent(s.unit)
	}
	s.readiness.prepare(&config, &host)
	s.env = config.Env
	host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
	return engine.CreateRequest{
		Name: s.spec.Name, Platform: s.spec.Platform, Config: &config, HostConfig: &host, Networking: s.spec.Networking,
	}, nil
}

// environment adds the variables of the env files before the declared ones,
// which win, as Compose has it.
func (s *Supervisor) environment(declared []string) ([]string, error) {
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
	return append(env, declared...), nil
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
