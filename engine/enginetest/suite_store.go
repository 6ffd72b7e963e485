package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
)

// store checks lists of images and containers.
func (s *suite) store() {
	images, err := s.engine.Images(s.Context(), false)
	i := slices.IndexFunc(images, func(image engine.StoredImage) bool { return slices.Contains(image.Tags, s.host.App) })
	if err != nil || i < 0 {
		s.Fatalf("Images() = %+v, %v, want them to contain %s", images, err, s.host.App)
	}
	if app := images[i]; !strings.HasPrefix(app.ID, "sha256:") || app.Size <= 0 || app.Created.IsZero() {
		s.Errorf("Images() has %+v, want an id, a size and a time", app)
	}
	runs := s.start(container.Config{Labels: map[string]string{"enginetest": "store"}})
	ended := s.run("-exit-after", "10ms", "-exit-code", "3")
	s.ends(ended, 3)
	if c := s.listed(runs.id); c.Ended || c.ImageID != images[i].ID || c.Labels["enginetest"] != "store" || !strings.HasPrefix(c.Name, "enginetest-") {
		s.Errorf("Containers() has %+v, want it running, of %s", c, images[i].ID)
	}
	// A list may show the exit later than Wait.
	for deadline := time.Now().Add(patience); !s.listed(ended.id).Ended; {
		if time.Now().After(deadline) {
			s.Fatalf("Containers() has %+v, want it ended", s.listed(ended.id))
		}
	}
	if c := s.listed(ended.id); c.EndedFor > 2*patience {
		s.Errorf("Containers() has %+v, want a recent exit", c)
	}
	if err := s.engine.RemoveEnded(s.Context(), runs.id); !errors.Is(err, engine.ErrConflict) {
		s.Errorf("RemoveEnded() of a running container = %v, want ErrConflict", err)
	}
	if err := s.engine.RemoveEnded(s.Context(), ended.id); err != nil {
		s.Errorf("RemoveEnded() = %v", err)
	}
	if _, err := s.engine.Usage(s.Context()); err != nil {
		s.Errorf("Usage() = %v", err)
	}
	if _, err := s.engine.PruneBuildCache(s.Context(), 10000*time.Hour); err != nil {
		s.Errorf("PruneBuildCache() = %v", err)
	}
	if _, err := s.engine.PruneNetworks(s.Context(), 10000*time.Hour); err != nil {
		s.Errorf("PruneNetworks() = %v", err)
	}
	if _, err := s.engine.PruneVolumes(s.Context(), func(engine.Volume) bool { return false }); err != nil {
		s.Errorf("PruneVolumes() = %v", err)
	}
}

// listed returns a container from the list.
func (s *suite) listed(id string) engine.StoredContainer {
	s.Helper()
	containers, err := s.engine.Containers(s.Context())
	i := slices.IndexFunc(containers, func(c engine.StoredContainer) bool { return c.ID == id })
	if err != nil || i < 0 {
		s.Fatalf("Containers() = %+v, %v, want them to contain %s", containers, err, id)
	}
	return containers[i]
}

func (s *suite) list() {
	mark := fmt.Sprint(time.Now().UnixNano())
	labels := map[string]string{"enginetest": mark}
	runs := s.start(container.Config{Labels: labels})
	rests := s.create(container.Config{Labels: labels})
	s.create(container.Config{Labels: map[string]string{"enginetest": mark + "-other"}})
	containers, err := s.engine.ListByLabel(s.Context(), "enginetest", mark)
	if err != nil || len(containers) != 2 {
		s.Fatalf("ListByLabel() = %+v, %v, want two containers", containers, err)
	}
	for _, c := range containers {
		want := map[string]string{runs.id: container.StateRunning, rests: container.StateCreated}[c.ID]
		if c.Status != want || c.Running != (c.ID == runs.id) || c.Labels["enginetest"] != mark || !strings.HasPrefix(c.Name, "enginetest-") {
			s.Errorf("ListByLabel() has %+v, want it %s", c, want)
		}
	}
	for id, want := range map[string]bool{runs.id: true, rests: true, strings.Repeat("0", 64): false} {
		if listed, err := s.engine.Listed(s.Context(), id); err != nil || listed != want {
			s.Errorf("Listed(%s) = %t, %v, want %t", id, listed, err, want)
		}
	}
}

// removeImage checks that an image that a container uses is kept.
func (s *suite) removeImage() {
	if err := s.engine.Pull(s.Context(), engine.PullRequest{Ref: s.host.Private, StallTimeout: patience}, func(engine.Progress) {}); err != nil {
		s.Fatal(err)
	}
	image, err := s.engine.Image(s.Context(), s.host.App)
	if err != nil {
		s.Fatal(err)
	}
	s.create(container.Config{})
	if err := s.engine.RemoveImage(s.Context(), image.ID); !errors.Is(err, engine.ErrConflict) {
		s.Errorf("RemoveImage() of an image in use = %v, want ErrConflict", err)
	}
	if image, err = s.engine.Image(s.Context(), s.host.Private); err != nil {
		s.Fatal(err)
	}
	for range 2 { // the second time the image does not exist
		if err := s.engine.RemoveImage(s.Context(), image.ID); err != nil {
			s.Errorf("RemoveImage() = %v", err)
		}
	}
	if _, err := s.engine.Image(s.Context(), s.host.Private); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Image(%q) = %v, want ErrNotFound", s.host.Private, err)
	}
}
