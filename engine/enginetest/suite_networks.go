package enginetest

import (
	"errors"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/dockhost/dockhost/engine"
)

// namedVolumes checks that a volume is created once, with its labels.
func (s *suite) namedVolumes() {
	const name, label = "dockhost-suite-named", "dockhost.suite"
	if _, err := s.engine.Volume(s.Context(), name); !errors.Is(err, engine.ErrNotFound) {
		s.Fatalf("Volume() = %v, want ErrNotFound", err)
	}
	for _, value := range []string{"first", "second"} {
		if err := s.engine.CreateVolume(s.Context(), engine.Volume{Name: name, Labels: map[string]string{label: value}}); err != nil {
			s.Fatal(err)
		}
	}
	s.Cleanup(func() { _ = s.engine.RemoveVolume(s.T.Context(), name) })
	if v, err := s.engine.Volume(s.Context(), name); err != nil || v.Labels[label] != "first" || v.Driver != "local" {
		s.Errorf("Volume() = %+v, %v, want the first", v, err)
	}
}

// addNetwork creates a network that is removed after the test.
func (s *suite) addNetwork(name string) {
	s.Helper()
	if err := s.engine.CreateNetwork(s.Context(), name, network.CreateOptions{Driver: "bridge", Labels: map[string]string{"dockhost.suite": name}}); err != nil {
		s.Fatal(err)
	}
}

// networks checks that a network is found by its name and label, and that it is removed
// only when no container is on it, not even one that does not run.
func (s *suite) networks() {
	const name = "dockhost-suite"
	if _, err := s.engine.Network(s.Context(), name); !errors.Is(err, engine.ErrNotFound) {
		s.Fatalf("Network() = %v, want ErrNotFound", err)
	}
	s.addNetwork(name)
	if n, err := s.engine.Network(s.Context(), name); err != nil || n.Name != name || n.Driver != "bridge" {
		s.Errorf("Network() = %+v, %v", n, err)
	}
	if all, err := s.engine.NetworksByLabel(s.Context(), "dockhost.suite"); err != nil || len(all) != 1 || all[0].Labels["dockhost.suite"] != name {
		s.Errorf("NetworksByLabel() = %+v, %v, want %s", all, err, name)
	}
	if err := s.engine.RemoveEndpoint(s.Context(), name, "none"); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("RemoveEndpoint() = %v, want ErrNotFound", err)
	}
	id := s.createOnNetworks(name)
	if err := s.engine.RemoveUnusedNetwork(s.Context(), name); !errors.Is(err, engine.ErrConflict) {
		s.Errorf("RemoveUnusedNetwork() with a container = %v, want ErrConflict", err)
	}
	if err := s.engine.Remove(s.Context(), id); err != nil {
		s.Fatal(err)
	}
	for range 2 {
		if err := s.engine.RemoveUnusedNetwork(s.Context(), name); err != nil {
			s.Errorf("RemoveUnusedNetwork() = %v", err)
		}
	}
}

// severalNetworks checks that a container is on several networks from its start.
func (s *suite) severalNetworks() {
	names := []string{"dockhost-suite-1", "dockhost-suite-2"}
	for _, name := range names {
		s.addNetwork(name)
	}
	id := s.createOnNetworks(names...)
	for _, name := range names {
		if err := s.engine.RemoveUnusedNetwork(s.Context(), name); !errors.Is(err, engine.ErrConflict) {
			s.Errorf("RemoveUnusedNetwork(%q) = %v, want ErrConflict", name, err)
		}
	}
	if err := s.engine.Remove(s.Context(), id); err != nil {
		s.Fatal(err)
	}
	for _, name := range names {
		if err := s.engine.RemoveUnusedNetwork(s.Context(), name); err != nil {
			s.Errorf("RemoveUnusedNetwork(%q) = %v", name, err)
		}
	}
}

// createOn creates a container on networks.
func (s *suite) createOnNetworks(names ...string) string {
	s.Helper()
	endpoints := map[string]*network.EndpointSettings{}
	for _, name := range names {
		endpoints[name] = &network.EndpointSettings{Aliases: []string{"suite"}}
	}
	id, _, err := s.engine.Create(s.Context(), engine.CreateRequest{
		Config: &container.Config{Image: s.host.App}, HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode(names[0])},
		Networking: &network.NetworkingConfig{EndpointsConfig: endpoints},
	})
	if err != nil {
		s.Fatalf("Create() = %v", err)
	}
	s.Cleanup(func() { _ = s.engine.Remove(s.T.Context(), id) })
	return id
}
