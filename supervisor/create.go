package supervisor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/needs"
	"github.com/dockhost/dockhost/supervisor/owner"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// containerMaker creates and removes containers.
type containerMaker interface {
	inspector
	Image(ctx context.Context, ref string) (engine.Image, error)
	Create(ctx context.Context, req engine.CreateRequest) (string, []string, error)
	Remove(ctx context.Context, id string) error
	RemoveWithVolumes(ctx context.Context, id string) error
	ListByLabel(ctx context.Context, label, value string) ([]engine.Container, error)
	Info(ctx context.Context) (engine.Info, error)
	RemoveEndpoint(ctx context.Context, network, name string) error
	supplier
}

// maker creates the container with its placement, and removes both, also those
// that a killed supervisor left.
type maker struct {
	engine    containerMaker
	container *spec.Container
	unit      *unit
	dir       rundir.Dir
	report    *reporter
	log       *zap.Logger
	// credentials is the directory of the unit's credentials.
	credentials string
	// inJournal says that the journal gets the container's output from this process.
	inJournal bool
	// keptVolumes are the anonymous volumes of the container that is replaced, by
	// path.
	keptVolumes map[string]string
	// placed is the placement of the container.
	placed placement.Placement
}

// creation is what a container is created from, besides its declaration.
type creation struct {
	image engine.Image
	// gpus are the GPUs that the container gets.
	gpus attachment.Attachment
	// sockets are those of the unit's socket units; nil for none.
	sockets *placement.Sockets
	// host is what the request takes from the host; create fills in the rest.
	host request.Host
}

// created is a container that was created.
type created struct {
	id string
	// env are the variables that the container was created with.
	env []string
}

// create creates the container and writes its placement for dockhost-runtime.
func (m *maker) create(ctx context.Context, c creation) (created, error) {
	if err := m.container.CheckReadiness(c.image.Healthcheck); err != nil {
		return created{}, err
	}
	if m.container.Run == nil {
		// In hand-written units, a foreign platform is a warning, as in docker run.
		if err := needs.Platform(m.container, c.image.Platform); err != nil {
			return created{}, err
		}
	}
	c.host.Image = pinnedImage(m.container.Pin, c.image)
	if err := m.supply(ctx); err != nil {
		return created{}, err
	}
	m.report.state.Digest, m.report.state.ImageID = c.image.Digest, c.image.ID
	if m.container.Name == "" {
		if err := m.removeNameless(ctx); err != nil {
			return created{}, err
		}
	}
	var err error
	if c.host.InheritedVolumes, err = m.inheritedVolumes(ctx); err != nil {
		return created{}, err
	}
	if c.host.AnonymousVolumes, err = m.anonymousVolumes(ctx, c.image, c.host.InheritedVolumes); err != nil {
		return created{}, err
	}
	if c.host.FilesDir, err = writeFiles(m.dir, m.container, m.credentials); err != nil {
		return created{}, err
	}
	if err := makeSources(m.unit.cgroups.Root, m.container); err != nil {
		return created{}, errors.Join(err, m.removeFiles())
	}
	made, err := m.createOnce(ctx, c.host)
	if errors.Is(err, engine.ErrConflict) {
		if err := m.freeName(ctx); err != nil {
			return created{}, err
		}
		made, err = m.createOnce(ctx, c.host)
	}
	if err != nil {
		return created{}, errors.Join(explainNeeds(ctx, m.container, err), m.removeFiles())
	}
	m.report.state.ContainerID, m.report.state.Volumes = made.id, m.volumes(c.host.AnonymousVolumes)
	if err := errors.Join(m.place(ctx, made.id, c), writeCIDFile(m.container, made.id)); err != nil {
		return created{}, errors.Join(err, m.remove(ctx, made.id), m.removeFiles())
	}
	return made, nil
}

// pinnedImage returns the reference of the image that a container is pinned to: with its
// repository, as docker ps shows it, if the host knows it by that.
func pinnedImage(pin *spec.Pin, image engine.Image) string {
	if pin == nil {
		return ""
	}
	if _, digest, found := strings.Cut(pin.Ref, "@"); found && slices.Contains(image.Digests, digest) {
		return pin.Ref
	}
	return image.ID
}

// volumes returns the names of an assigned container's anonymous volumes, by path.
func (m *maker) volumes(paths []string) map[string]string {
	if m.container.Run != nil {
		return nil
	}
	volumes := map[string]string{}
	for _, path := range paths {
		volumes[path] = spec.VolumeName(m.container.Name, path)
	}
	return volumes
}

// createOnce asks the Engine for the container. The error is [engine.ErrConflict] if
// the name is taken.
func (m *maker) createOnce(ctx context.Context, host request.Host) (created, error) {
	req, err := m.request(host)
	if err != nil {
		return created{}, err
	}
	id, warnings, err := m.engine.Create(ctx, req)
	for _, warning := range warnings {
		m.log.Warn("docker warns", zap.String("warning", warning))
	}
	return created{id: id, env: req.Config.Env}, err
}

// request returns the request to the Engine.
func (m *maker) request(host request.Host) (engine.CreateRequest, error) {
	env, err := m.fileEnv()
	if err != nil {
		return engine.CreateRequest{}, err
	}
	host.Unit = m.unit.name
	host.Supervisor = owner.Self(m.unit.cgroups.Root)
	host.ConfigHash = m.report.state.ConfigHash
	host.FileEnv = env
	host.KeptVolumes = m.keptVolumes
	host.Logging = m.onceInJournal()
	return request.Make(m.container, host), nil
}

// fileEnv returns the variables of the env files.
func (m *maker) fileEnv() ([]string, error) {
	var env []string
	for _, file := range m.container.EnvFiles {
		vars, err := needs.ReadEnvFile(file, m.container.EnvGrants)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			env = append(env, name+"="+vars[name])
		}
	}
	return env, nil
}

// place writes the placement, from which dockhost-runtime learns the
// container's cgroup.
func (m *maker) place(ctx context.Context, id string, c creation) error {
	if !m.unit.exists() {
		return nil
	}
	runtime, args, err := m.runtimeProgram(ctx)
	if err != nil {
		return err
	}
	m.placed = placement.Placement{
		Unit:        m.unit.name,
		CgroupPath:  m.unit.cgroup + "/" + containerLeaf,
		Controllers: m.unit.controllers,
		Runtime:     runtime,
		RuntimeArgs: args,
		Edits:       c.gpus.Edits,
		GPUs:        c.gpus.GPUs,
		Devices:     c.gpus.Devices,
		Exclusive:   m.container.GPU != nil && m.container.GPU.Exclusive,
		Sockets:     c.sockets,
		Binds:       placedBinds(m.container.Granted),
	}
	return placement.Write(m.dir.RuntimeDir(), id, m.placed)
}

// remove removes a container of this unit. Only `dockhost run --rm` removes its
// anonymous volumes, as `docker run --rm` does.
func (m *maker) remove(ctx context.Context, id string) error {
	if m.container.Run != nil && !keeps(m.container) {
		return m.engine.RemoveWithVolumes(ctx, id)
	}
	return m.engine.Remove(ctx, id)
}

// removeFiles removes the secrets and configs.
func (m *maker) removeFiles() error {
	if len(m.container.Files) == 0 {
		return nil
	}
	return m.dir.RemoveFiles(m.container.Name)
}

// discard removes the container, unless it is kept, with its placement and id
// files. bounded limits the time, for a Docker that may not answer.
func (m *maker) discard(ctx context.Context, id string, bounded bool) {
	if err := removeIDFiles(m.container); err != nil {
		m.log.Warn("file not removed", zap.Error(err))
	}
	if bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lostTimeout)
		defer cancel()
	}
	if !keeps(m.container) {
		if err := m.remove(ctx, id); err != nil {
			m.log.Warn("container not removed, the next start will", zap.Error(err))
			return
		}
	}
	if err := m.removeFiles(); err != nil {
		m.log.Warn("secrets not removed", zap.Error(err))
	}
	if err := placement.Remove(m.dir.RuntimeDir(), id); err != nil {
		m.log.Warn("placement not removed", zap.Error(err))
	}
	m.unit.prune()
}
