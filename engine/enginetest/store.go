package enginetest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
)

// Images lists the references of the images that the host has, sorted.
func (s *Server) Images() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []string
	for ref := range s.images {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	return refs
}

// Calls returns the number of requests so far.
func (s *Server) Calls() int { return int(s.calls.Load()) }

func (s *Server) serveImages(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []image.Summary{}
	for ref, one := range s.images {
		list = append(list, image.Summary{
			ID: imageID(ref), RepoTags: []string{ref}, RepoDigests: []string{repoDigest(ref)}, Size: max(one.Size, 1), SharedSize: -1, Created: time.Now().Unix(),
		})
	}
	slices.SortFunc(list, func(a, b image.Summary) int { return cmp.Compare(a.ID, b.ID) })
	answer(w, http.StatusOK, list)
}

// serveRemoveImage rejects the removal of an image that a container uses, running or
// not, as moby does without force.
func (s *Server) serveRemoveImage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("ref")
	for ref, one := range s.images {
		if ref != normal(name) && imageID(ref) != name {
			continue
		}
		for _, b := range s.boxes {
			if normal(b.config.Image) == ref {
				refuse(w, http.StatusConflict, "conflict: unable to delete %s (must be forced) - container %s is using its referenced image", name, b.id)
				return
			}
		}
		if one.Undeletable != "" {
			refuse(w, http.StatusInternalServerError, "%s", one.Undeletable)
			return
		}
		delete(s.images, ref)
		answer(w, http.StatusOK, []image.DeleteResponse{{Untagged: ref}, {Deleted: imageID(ref)}})
		return
	}
	refuse(w, http.StatusNotFound, "No such image: %s", name)
}

func (s *Server) routesOfStore(mux *http.ServeMux) {
	mux.HandleFunc("GET /images/json", s.serveImages)
	mux.HandleFunc("DELETE /images/{ref...}", s.serveRemoveImage)
	for path, body := range map[string]any{
		"POST /build/prune": build.CachePruneReport{}, "POST /networks/prune": network.PruneReport{},
		"GET /system/df": types.DiskUsage{},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, body) })
	}
}

// repoDigest returns the digest of an image in its repository.
func repoDigest(ref string) string {
	repository, _, _ := strings.Cut(normal(ref), "@")
	repository = repository[:strings.LastIndex(repository, ":")]
	return repository + "@" + digestOf(ref)
}
