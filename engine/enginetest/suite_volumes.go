package enginetest

import (
	"errors"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/engine"
)

// createWith creates a container of the test image that is removed after the test.
func (s *suite) createWith(config container.Config, host container.HostConfig) engine.Container {
	s.Helper()
	config.Image = s.host.App
	id, _, err := s.engine.Create(s.Context(), engine.CreateRequest{Config: &config, HostConfig: &host})
	if err != nil {
		s.Fatalf("Create() = %v", err)
	}
	s.Cleanup(func() { _ = s.engine.Remove(s.T.Context(), id) })
	made, err := s.engine.Inspect(s.Context(), id)
	if err != nil {
		s.Fatalf("Inspect() = %v", err)
	}
	return made
}

// anonymousVolumes checks that a volume without a name outlives Remove, that another
// container can continue with it, and that only RemoveWithVolumes of the container
// that it was created for removes it.
func (s *suite) anonymousVolumes() {
	first := s.createWith(container.Config{Volumes: map[string]struct{}{"/data": {}}}, container.HostConfig{})
	volume := first.Volumes["/data"]
	if len(first.Volumes) != 1 || volume == "" {
		s.Fatalf("volumes = %v, want one at /data", first.Volumes)
	}
	if err := s.engine.Remove(s.Context(), first.ID); err != nil {
		s.Fatal(err)
	}
	second := s.createWith(container.Config{}, container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: "/data"}}})
	if second.Volumes["/data"] != volume {
		s.Errorf("volumes of the second container = %v, want %s at /data", second.Volumes, volume)
	}
	if err := s.engine.RemoveVolume(s.Context(), volume); !errors.Is(err, engine.ErrConflict) {
		s.Errorf("RemoveVolume() of a volume in use = %v, want ErrConflict", err)
	}
	if err := s.engine.RemoveWithVolumes(s.Context(), second.ID); err != nil {
		s.Error(err)
	}
	if err := s.engine.RemoveVolume(s.Context(), volume); err != nil {
		s.Errorf("RemoveVolume() = %v, want nil: RemoveWithVolumes keeps what was mounted by name", err)
	}
	third := s.createWith(container.Config{Volumes: map[string]struct{}{"/data": {}}}, container.HostConfig{})
	if err := s.engine.RemoveWithVolumes(s.Context(), third.ID); err != nil {
		s.Error(err)
	}
	if err := s.engine.RemoveVolume(s.Context(), third.Volumes["/data"]); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("RemoveVolume() after RemoveWithVolumes = %v, want ErrNotFound", err)
	}
}

// labelledVolumes checks that the Engine creates a named volume with the labels of
// the mount, and finds it by them.
func (s *suite) labelledVolumes() {
	const label, name = "dockhost.suite", "dockhost-suite"
	labels := map[string]string{label: "yes"}
	made := s.createWith(container.Config{}, container.HostConfig{Mounts: []mount.Mount{
		{Type: mount.TypeVolume, Source: name, Target: "/data", VolumeOptions: &mount.VolumeOptions{Labels: labels}},
	}})
	if len(made.Volumes) != 0 {
		s.Errorf("anonymous volumes = %v, want none", made.Volumes)
	}
	if err := s.engine.RemoveWithVolumes(s.Context(), made.ID); err != nil {
		s.Fatal(err)
	}
	for value, want := range map[string]int{"yes": 1, "": 1, "no": 0} {
		volumes, err := s.engine.VolumesByLabel(s.Context(), label, value)
		if err != nil || len(volumes) != want || want == 1 && (volumes[0].Name != name || volumes[0].Labels[label] != "yes") {
			s.Errorf("VolumesByLabel(%q, %q) = %+v, %v, want %d volumes", label, value, volumes, err, want)
		}
	}
	if err := s.engine.RemoveVolume(s.Context(), name); err != nil {
		s.Error(err)
	}
}
