package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
)

// Network is a network on the host.
type Network struct {
	Name, Driver         string
	Internal, EnableIPv6 bool
	IPAM                 network.IPAM
	Options, Labels      map[string]string
}

// networkID matches a part of an id that nobody takes for a name.
var networkID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// Network returns the network of a name, or of an id. The error is [ErrNotFound] if it
// does not exist. Unlike Docker, it takes no short part of an id: a name may look like
// one.
func (c *Client) Network(ctx context.Context, name string) (Network, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api().NetworkInspect(ctx, name, network.InspectOptions{})
	if err != nil {
		return Network{}, fmt.Errorf("inspect network %q: %w", name, translate(err))
	}
	if isID := networkID.MatchString(name) && strings.HasPrefix(found.ID, name); found.Name != name && !isID {
		return Network{}, fmt.Errorf("inspect network %q: %w", name, ErrNotFound)
	}
	return networkFrom(found), nil
}

func networkFrom(found network.Summary) Network {
	return Network{
		Name: found.Name, Driver: found.Driver, Internal: found.Internal, EnableIPv6: found.EnableIPv6, IPAM: found.IPAM,
		Options: found.Options, Labels: found.Labels,
	}
}

// CreateNetwork creates a network. Docker 20.10 takes a name that another network
// has already: the caller makes sure that it is free.
func (c *Client) CreateNetwork(ctx context.Context, name string, options network.CreateOptions) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := c.api().NetworkCreate(ctx, name, options); err != nil {
		return fmt.Errorf("create network %q: %w", name, translate(err))
	}
	return nil
}

// NetworksByLabel returns the networks that have a label, sorted by name.
func (c *Client) NetworksByLabel(ctx context.Context, label string) ([]Network, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api().NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", translate(err))
	}
	networks := make([]Network, 0, len(found))
	for _, n := range found {
		networks = append(networks, networkFrom(n))
	}
	slices.SortFunc(networks, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	return networks, nil
}

// RemoveUnusedNetwork removes a network. The error is [ErrConflict] if a container,
// running or not, is on it. It is not an error if the network does not exist.
func (c *Client) RemoveUnusedNetwork(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	users, err := c.api().ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("network", name))})
	if err != nil {
		return fmt.Errorf("list containers: %w", translate(err))
	}
	if len(users) > 0 {
		return fmt.Errorf("remove network %q: %w", name, classified{errors.New("it has containers"), ErrConflict})
	}
	if err := translate(c.api().NetworkRemove(ctx, name)); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove network %q: %w", name, err)
	}
	return nil
}

// severalEndpoints is the first version of the API that takes more than one network
// when it creates a container (Docker 25.0).
const severalEndpoints = "1.44"

// mainNetwork returns a request for an Engine of this version, and the networks to
// which the container is connected after it is created.
func mainNetwork(req CreateRequest, version string) (CreateRequest, map[string]*network.EndpointSettings, error) {
	if req.Networking == nil {
		return req, nil, nil
	}
	main := req.HostConfig.NetworkMode.NetworkName()
	for name, endpoint := range req.Networking.EndpointsConfig {
		if endpoint.GwPriority != 0 && versions.LessThan(version, "1.48") {
			return req, nil, fmt.Errorf("this Docker Engine does not support gw_priority of network %q (it needs Docker 28.0 or later)", name)
		}
		if endpoint.MacAddress != "" && name != main && versions.LessThan(version, severalEndpoints) {
			return req, nil, fmt.Errorf("this Docker Engine does not support the mac_address in network %q, which is not the main one (it needs Docker 25.0 or later)", name)
		}
	}
	if len(req.Networking.EndpointsConfig) < 2 || !versions.LessThan(version, severalEndpoints) {
		return req, nil, nil
	}
	others := maps.Clone(req.Networking.EndpointsConfig)
	networking := *req.Networking
	networking.EndpointsConfig = map[string]*network.EndpointSettings{main: others[main]}
	delete(others, main)
	req.Networking = &networking
	return req, others, nil
}

// connect connects a container that was created to more networks.
func (c *Client) connect(ctx context.Context, id string, endpoints map[string]*network.EndpointSettings) error {
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		if err := c.api().NetworkConnect(ctx, name, id, endpoints[name]); err != nil {
			return fmt.Errorf("connect to network %q: %w", name, translate(err))
		}
	}
	return nil
}
