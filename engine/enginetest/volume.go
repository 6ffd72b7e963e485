package enginetest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
)

// mountVolumes returns the volumes of a new container, and creates those that do not
// exist. The caller holds the lock.
func (s *Server) mountVolumes(id string, config *container.Config, host *container.HostConfig, image Image) []container.MountPoint {
	var points []container.MountPoint
	add := func(name, target string, labels map[string]string) {
		target = path.Clean(target)
		if slices.ContainsFunc(points, func(p container.MountPoint) bool { return p.Destination == target }) {
			return
		}
		own := name == ""
		if own {
			name = fmt.Sprintf("%x", sha256.Sum256([]byte(id+target)))
		}
		if _, exists := s.volumes[name]; !exists {
			s.volumes[name] = labels
		}
		// RW stands for "created without a name", which the Engine keeps elsewhere.
		points = append(points, container.MountPoint{Type: mount.TypeVolume, Name: name, Destination: target, RW: own})
	}
	for _, bind := range host.Binds {
		if source, rest, _ := strings.Cut(bind, ":"); !path.IsAbs(source) {
			target, _, _ := strings.Cut(rest, ":")
			add(source, target, nil)
		}
	}
	for _, m := range host.Mounts {
		if m.Type == mount.TypeVolume {
			var labels map[string]string
			if m.VolumeOptions != nil {
				labels = m.VolumeOptions.Labels
			}
			add(m.Source, m.Target, labels)
		}
	}
	for _, target := range append(slices.Sorted(maps.Keys(config.Volumes)), image.Volumes...) {
		add("", target, nil)
	}
	return points
}

// unmountVolumes removes the volumes of a removed container that were created without
// a name. The caller holds the lock.
func (s *Server) unmountVolumes(b *box) {
	for _, point := range b.mounts {
		if point.RW && s.userOf(point.Name) == nil {
			delete(s.volumes, point.Name)
		}
	}
}

// userOf returns a container that mounts a volume, nil for none. The caller holds the
// lock.
func (s *Server) userOf(name string) *box {
	for _, b := range s.boxes {
		if slices.ContainsFunc(b.mounts, func(p container.MountPoint) bool { return p.Name == name }) {
			return b
		}
	}
	return nil
}

func (s *Server) serveVolumes(w http.ResponseWriter, r *http.Request) {
	wanted, err := filters.FromJSON(r.URL.Query().Get("filters"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	response := volume.ListResponse{Volumes: []*volume.Volume{}}
	for name, labels := range s.volumes {
		unused := len(wanted.Get("dangling")) == 0 || s.userOf(name) == nil
		if wanted.MatchKVList("label", labels) && unused {
			response.Volumes = append(response.Volumes, &volume.Volume{Name: name, Driver: "local", Labels: labels})
		}
	}
	answer(w, http.StatusOK, response)
}

func (s *Server) serveRemoveVolume(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.volumes[name]; !exists {
		refuse(w, http.StatusNotFound, "get %s: no such volume", name)
		return
	}
	if user := s.userOf(name); user != nil {
		refuse(w, http.StatusConflict, "remove %s: volume is in use - [%s]", name, user.id)
		return
	}
	delete(s.volumes, name)
	w.WriteHeader(http.StatusNoContent)
}

// Volumes returns the names of the volumes, sorted.
func (s *Server) Volumes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.volumes))
}
