package supervisor

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// imageWithVolume is an image app:1 with VOLUME /data, whose program exits with 1.
func (r *rig) imageWithVolume() {
	image := r.app()
	image.Volumes = []string{"/data"}
	image.Run = func(context.Context, *enginetest.Process) int { return 1 }
	r.server.AddImage("app:1", image)
}

// An assigned container mounts the same volumes after each exit. They have a name, the
// container's label, and no other container's.
func TestVolumesOutliveAssignedContainer(t *testing.T) {
	r := newRig(t)
	r.imageWithVolume()
	r.spec.Config.Volumes = map[string]struct{}{"/declared": {}}
	for range 2 {
		r.start().exits(1, "exit code 1")
	}
	volumes, err := r.engine().VolumesByLabel(t.Context(), spec.LabelVolumeContainer, "app")
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{}
	for _, volume := range volumes {
		paths[volume.Name] = volume.Labels[spec.LabelVolumePath]
	}
	if diff := cmp.Diff(map[string]string{"app__data": "/data", "app__declared": "/declared"}, paths); diff != "" {
		t.Errorf("volumes of the container (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"app__data", "app__declared"}, r.server.Volumes()); diff != "" {
		t.Errorf("volumes of the host (-want +got):\n%s", diff)
	}
}

// dockhost run --rm removes the anonymous volumes with the container, as docker run
// --rm does.
func TestVolumesEndWithRunRm(t *testing.T) {
	r := newRig(t)
	r.imageWithVolume()
	r.spec.Run = newRun()
	r.start().exits(1, "exit code 1")
	if left := r.server.Volumes(); len(left) > 0 {
		t.Errorf("volumes of the host = %v, want none", left)
	}
}

// Without --rm the next container continues with the volumes of the one that it
// replaces, at the same paths, also when the supervisor of the first was killed.
func TestVolumesAreCarriedOver(t *testing.T) {
	for _, name := range []string{"app", ""} {
		t.Run("named "+name, func(t *testing.T) {
			r := newRig(t)
			r.imageWithVolume()
			r.spec.Name = name
			r.spec.Run = newRun()
			r.spec.Run.Keep = true
			r.spec.Config.Volumes = map[string]struct{}{"/declared": {}}
			var first []string
			for i := range 3 {
				r.start().exits(1, "exit code 1")
				if i == 0 {
					first = r.server.Volumes()
				}
			}
			if len(first) != 2 {
				t.Fatalf("volumes of the first container = %v, want 2", first)
			}
			if diff := cmp.Diff(first, r.server.Volumes()); diff != "" {
				t.Errorf("volumes of the host (-first +third):\n%s", diff)
			}
			r.spec.Config = &container.Config{Image: "app:1"}
			r.start().exits(1, "exit code 1")
			if diff := cmp.Diff(first, r.server.Volumes()); diff != "" {
				t.Errorf("volumes of the host without the declared one (-first +last):\n%s", diff)
			}
			mounted, err := r.engine().ListByLabel(t.Context(), "dockhost.unit", unitName)
			if err != nil || len(mounted) != 1 {
				t.Fatalf("ListByLabel() = %v, %v, want one container", mounted, err)
			}
			last, err := r.engine().Inspect(t.Context(), mounted[0].ID)
			if paths := slices.Collect(maps.Keys(last.Volumes)); err != nil || !slices.Equal(paths, []string{"/data"}) {
				t.Errorf("volumes of the last container = %v, %v, want one at /data", last.Volumes, err)
			}
		})
	}
}

// What --volumes-from brings is not hidden by a volume of the container's own.
func TestVolumesOfOtherContainer(t *testing.T) {
	r := newRig(t)
	r.imageWithVolume()
	_, _, err := r.engine().Create(t.Context(), engine.CreateRequest{
		Name: "other", Config: &container.Config{Image: "app:1", Volumes: map[string]struct{}{"/data": {}}}, HostConfig: &container.HostConfig{},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.spec.HostConfig.VolumesFrom = []string{"other:ro"}
	r.start().exits(1, "exit code 1")
	if volumes, err := r.engine().VolumesByLabel(t.Context(), spec.LabelVolumeContainer, "app"); err != nil || len(volumes) > 0 {
		t.Errorf("volumes of the container = %v, %v, want none", volumes, err)
	}
	r.spec.HostConfig.VolumesFrom = []string{"absent"}
	r.start().exits(ExitNotRun, `use the volumes of another container: inspect container "absent"`)
}

// A container with volumes_from mounts the volumes of the other one's image too, before
// those of its own image. It waits until that image is there.
func TestVolumesOfOtherImageAreInherited(t *testing.T) {
	r := newRig(t)
	r.imageWithVolume()
	r.spec.VolumesFrom = []spec.VolumesFrom{{Container: "db", Image: "db:1"}, {Container: "web", Image: "db:1"}}
	r.start().exits(ExitNotRun, `the host has no image "db:1" yet (it comes with the container db)`)
	other := r.app()
	other.Volumes = []string{"/data", "/more"}
	r.server.AddImage("db:1", other)
	r.start().exits(1, "exit code 1")
	if diff := cmp.Diff([]string{"db__data", "db__more"}, r.server.Volumes()); diff != "" {
		t.Errorf("volumes of the host (-want +got):\n%s", diff)
	}
}
