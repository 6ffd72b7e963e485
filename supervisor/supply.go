package supervisor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/request"
)

// supplier finds and creates what a container needs besides its image.
type supplier interface {
	Network(ctx context.Context, name string) (engine.Network, error)
	CreateNetwork(ctx context.Context, name string, options network.CreateOptions) error
	Volume(ctx context.Context, name string) (engine.Volume, error)
	CreateVolume(ctx context.Context, volume engine.Volume) error
}

// supply creates the networks and volumes of the container that do not exist. One
// that exists is used as it is.
func (m *maker) supply(ctx context.Context) error {
	var errs []error
	for i := range m.container.Networks {
		errs = append(errs, m.supplyNetwork(ctx, &m.container.Networks[i]))
	}
	for i := range m.container.Volumes {
		errs = append(errs, m.supplyVolume(ctx, &m.container.Volumes[i]))
	}
	return errors.Join(errs...)
}

func (m *maker) supplyNetwork(ctx context.Context, declared *spec.Network) error {
	found, err := m.engine.Network(ctx, declared.Name)
	switch {
	case err == nil:
		m.warn("network", declared.Name, networkDifferences(declared, &found))
		return nil
	case !errors.Is(err, engine.ErrNotFound):
		return err
	case declared.External:
		return spec.MissingNetwork(declared.Name)
	}
	unlock, err := m.dir.LockNetworks(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := m.engine.Network(ctx, declared.Name); !errors.Is(err, engine.ErrNotFound) {
		return err // another supervisor has created it
	}
	m.log.Info("creating network", zap.String("network", declared.Name))
	return m.engine.CreateNetwork(ctx, declared.Name, request.Network(declared))
}

func (m *maker) supplyVolume(ctx context.Context, declared *spec.Volume) error {
	found, err := m.engine.Volume(ctx, declared.Name)
	switch {
	case err == nil:
		m.warn("volume", declared.Name, volumeDifferences(declared, &found))
		return nil
	case !errors.Is(err, engine.ErrNotFound):
		return err
	case declared.External:
		return spec.MissingVolume(declared.Name)
	}
	m.log.Info("creating volume", zap.String("volume", declared.Name))
	return m.engine.CreateVolume(ctx, request.Volume(declared))
}

// warn logs in what an existing network or volume differs from its declaration.
func (m *maker) warn(kind, name string, differences []string) {
	if len(differences) > 0 {
		m.log.Warn("existing "+kind+" differs from its declaration and is used as it is",
			zap.String(kind, name), zap.String("differs", strings.Join(differences, ", ")))
	}
}

func networkDifferences(declared *spec.Network, found *engine.Network) []string {
	if declared.External {
		return nil
	}
	var differences []string
	differs := func(is bool, what string) {
		if is {
			differences = append(differences, what)
		}
	}
	differs(found.Driver != "bridge", "driver")
	differs(declared.Internal != found.Internal, "internal")
	differs(declared.EnableIPv6 && !found.EnableIPv6, "enable_ipv6")
	differs(lacks(found.Options, declared.Options), "driver_opts")
	if declared.IPAM != nil {
		for _, pool := range declared.IPAM.Config {
			differs(!slices.ContainsFunc(found.IPAM.Config, func(p network.IPAMConfig) bool { return p.Subnet == pool.Subnet }), "ipam")
		}
	}
	return differences
}

func volumeDifferences(declared *spec.Volume, found *engine.Volume) []string {
	var differences []string
	if !declared.External && found.Driver != "local" {
		differences = append(differences, "driver")
	}
	if !declared.External && lacks(found.Options, declared.Options) {
		differences = append(differences, "driver_opts")
	}
	return differences
}

// lacks reports whether a map lacks an entry of another one.
func lacks(found, declared map[string]string) bool {
	for name, value := range declared {
		if found[name] != value {
			return true
		}
	}
	return false
}
