package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/needs"
)

// preparer checks, without disturbing the old container, that its successor can
// run.
type preparer struct {
	engine imageSource
	// gpus returns why a container cannot have its GPUs; nil where GPUs are not
	// checked.
	gpus func(ctx context.Context, c *spec.Container) error
	// root is a prefix of the host's paths.
	root     string
	units    unitManager
	puller   *puller
	deployer *deployer
	store    *store
}

// prepare returns the image of the successor when Docker answers, the runtimes, files, credentials, devices,
// external networks and external volumes are there, the ports and GPUs of the successor are
// free, its image is on the host and for the host's platform, and the image can
// report readiness as the successor declares it.
func (p *preparer) prepare(ctx context.Context, old, next *spec.Container, step func(update.Step)) (engine.Image, error) {
	step(update.Step{Phase: update.PhaseChecking, Doing: "waiting for Docker"})
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 5 * time.Second}
	for p.engine.Ping(ctx) != nil {
		if err := tries.Wait(ctx); err != nil {
			return engine.Image{}, err
		}
	}
	runtimes, err := p.engine.Runtimes(ctx)
	if err != nil {
		return engine.Image{}, err
	}
	if _, registered := runtimes[spec.RuntimeName]; !registered {
		err := fmt.Errorf("runtime %q is not registered with Docker (run: dockhost setup)", spec.RuntimeName)
		return engine.Image{}, cure.By(err, cure.Cure{Kind: cure.Docker, Name: "daemon"})
	}
	if err := errors.Join(checkPorts(ctx, old, next), needs.Runtime(next, runtimes), needs.Check(ctx, next, privateDirectories...)); err != nil {
		return engine.Image{}, err
	}
	if err := errors.Join(p.checkSupplies(ctx, next), p.checkCredentials(ctx, next)); err != nil {
		return engine.Image{}, err
	}
	if next.GPU != nil && p.gpus != nil {
		if err := p.gpus(ctx, next); err != nil {
			return engine.Image{}, err
		}
	}
	image, err := p.ensureImage(ctx, old, next, step)
	if err != nil {
		return engine.Image{}, err
	}
	return image, errors.Join(needs.Platform(next, image.Platform), next.CheckReadiness(image.Healthcheck))
}

// privateDirectories are those that dockhost.service has for itself
// (PrivateTmp=), so that the agent does not see what a container would.
var privateDirectories = []string{"/tmp", "/var/tmp"} //nolint:gochecknoglobals // a constant

// checkPorts returns an error for each port that the successor publishes, the old
// container does not, and another program uses.
func checkPorts(ctx context.Context, old, next *spec.Container) error {
	published := engine.HostPorts(old.HostConfig.PortBindings)
	var errs []error
	for _, port := range engine.HostPorts(next.HostConfig.PortBindings) {
		isOurs := slices.ContainsFunc(published, func(p engine.Port) bool { return p.Proto == port.Proto && p.Number == port.Number })
		if !isOurs && port.InUse(ctx) {
			err := fmt.Errorf("port %s is already in use on this host (stop what uses it: ss -lnp 'sport = :%d')", port, port.Number)
			errs = append(errs, cure.By(err, cure.Cure{Kind: cure.Port, Name: port.String()}))
		}
	}
	return errors.Join(errs...)
}

// checkSupplies returns an error for each network and volume that must exist and does
// not. The supervisor creates the others.
func (p *preparer) checkSupplies(ctx context.Context, next *spec.Container) error {
	var errs []error
	network := func(name string) {
		_, err := p.engine.Network(ctx, name)
		if errors.Is(err, engine.ErrNotFound) {
			err = spec.MissingNetwork(name)
		}
		errs = append(errs, err)
	}
	for _, n := range next.Networks {
		if n.External {
			network(n.Name)
		}
	}
	if mode := next.HostConfig.NetworkMode; mode != "" && len(next.Networks) == 0 && mode.IsUserDefined() {
		network(mode.NetworkName())
	}
	for _, v := range next.Volumes {
		if !v.External {
			continue
		}
		_, err := p.engine.Volume(ctx, v.Name)
		if errors.Is(err, engine.ErrNotFound) {
			err = spec.MissingVolume(v.Name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkCredentials checks the secrets and configs that are systemd credentials.
func (p *preparer) checkCredentials(ctx context.Context, next *spec.Container) error {
	if !slices.ContainsFunc(next.Files, func(f spec.File) bool { return f.Credential != "" }) {
		return nil
	}
	version, err := p.units.Version(ctx)
	if err != nil {
		return err
	}
	given, err := p.units.Credentials(ctx, spec.UnitName(next.Name))
	if err != nil {
		return err
	}
	return needs.Credentials(p.root, next, version, given)
}

// ensureImage returns the image of the successor, and pulls it if the pull policy
// says so. A pull may take long, so the old container is started before it.
func (p *preparer) ensureImage(ctx context.Context, old, next *spec.Container, step func(update.Step)) (engine.Image, error) {
	for _, name := range next.ImageNames() {
		image, err := p.engine.ImageOf(ctx, name, next.PullRef())
		if err == nil && (next.PullPolicy != spec.PullAlways || next.Pin != nil) {
			return image, nil
		}
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return engine.Image{}, err
		}
	}
	if next.PullRef() == "" {
		err := fmt.Errorf("the host has lost image %s of %q, which is from no registry (load it with: docker load)", next.Pin.ID, next.Image)
		return engine.Image{}, cure.By(err, cure.Cure{Kind: cure.Docker, Name: "image"})
	}
	if next.PullPolicy == spec.PullNever {
		err := fmt.Errorf("the host has no image %q and pull_policy is never (load it with: docker load)", next.Image)
		return engine.Image{}, cure.By(err, cure.Cure{Kind: cure.Docker, Name: "image"})
	}
	if err := p.deployer.ensureRunning(ctx, old); err != nil {
		return engine.Image{}, err
	}
	step(update.Step{Phase: update.PhasePulling, Doing: "pulling " + next.PullRef()})
	return p.puller.pull(ctx, next, step)
}

// machine returns the machine-id of the host.
func (p *preparer) machine() string { return p.store.file.machineID() }
