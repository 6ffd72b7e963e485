package enginetest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/dockhost/dockhost/engine"
)

// Image is an image of the fake.
type Image struct {
	// Run is the program. It returns the exit status. It must return when ctx ends,
	// which stands for SIGKILL.
	Run func(ctx context.Context, p *Process) int
	// Exec runs a command in a container and returns the exit status. It may be
	// nil.
	Exec func(p *Process, command []string, out io.Writer) int
	// Healthcheck says that the image has a health check. Run reports its results.
	Healthcheck bool
	// Volumes are the paths of the image's VOLUME.
	Volumes []string
	// Platform is "OS/ARCHITECTURE", or "".
	Platform string
	// Layers are the digests of the layers' contents that inspect returns.
	Layers []string
	// Pid is the process ID that inspect returns, 1 if it is 0.
	Pid int
	// Networks are the container's networks that inspect returns.
	Networks map[string]*network.EndpointSettings
	// Size is the size in a list. Undeletable is the error of its removal.
	Size        int64
	Undeletable string
	// StartError is the error of each start of its containers.
	StartError string

	// Login is the login that the registry requires, the zero value for none.
	Login engine.Login
	// Broken makes a pull fail half way, Stalling makes it hang there. TooLarge makes it
	// fail when it is unpacked.
	Broken, Stalling, TooLarge bool
	// Pace is how long a pull pauses before each of the last nine parts.
	Pace time.Duration
}

// digestOf returns the registry's digest of an image.
func digestOf(ref string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(normal(ref)))) }

// normal returns the full reference with its tag.
func normal(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.TagNameOnly(named).String()
}

// imageID returns the ID of an image.
func imageID(ref string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("image "+normal(ref))))
}

func (s *Server) serveImage(w http.ResponseWriter, r *http.Request) {
	ref := strings.TrimSuffix(r.PathValue("ref"), "/json")
	s.mu.Lock()
	defer s.mu.Unlock()
	for known := range s.images {
		if imageID(known) == ref {
			ref = known
		}
	}
	image, found := s.images[normal(ref)]
	if !found {
		refuse(w, http.StatusNotFound, "No such image: %s", ref)
		return
	}
	config := map[string]any{}
	if image.Healthcheck {
		config["Healthcheck"] = map[string]any{"Test": []string{"CMD", "check"}}
	}
	volumes := map[string]any{}
	for _, path := range image.Volumes {
		volumes[path] = map[string]any{}
	}
	config["Volumes"] = volumes
	system, architecture, _ := strings.Cut(image.Platform, "/")
	answer(w, http.StatusOK, map[string]any{
		"Id": imageID(ref), "Config": config, "RepoDigests": []string{repoDigest(ref)}, "Os": system, "Architecture": architecture,
		"RootFS": map[string]any{"Type": "layers", "Layers": image.Layers},
	})
}

// servePull answers as moby does: errors before the manifest is known are responses,
// later ones are part of the stream.
func (s *Server) servePull(w http.ResponseWriter, r *http.Request) {
	ref := r.URL.Query().Get("fromImage") + ":" + r.URL.Query().Get("tag")
	s.mu.Lock()
	image, found := s.registry[normal(ref)]
	trouble := s.trouble
	s.mu.Unlock()
	switch {
	case trouble != "":
		refuse(w, http.StatusInternalServerError, "%s", trouble)
		return
	case !found:
		refuse(w, http.StatusNotFound, "manifest for %s not found: manifest unknown: manifest unknown", ref)
		return
	case image.Login.Username != "" && !sameLogin(image.Login, loginOf(r)):
		refuse(w, http.StatusInternalServerError, "Head %q: no basic auth credentials", ref)
		return
	}
	out := json.NewEncoder(w)
	for _, m := range halfWay(r.URL.Query().Get("tag")) {
		_ = out.Encode(m)
	}
	flush(w)
	switch {
	case image.Stalling:
		<-r.Context().Done()
		return
	case image.Broken:
		_ = out.Encode(jsonmessage.JSONMessage{Error: &jsonmessage.JSONError{Message: "unknown blob"}})
		return
	}
	if image.TooLarge {
		_ = out.Encode(jsonmessage.JSONMessage{Error: &jsonmessage.JSONError{Message: "failed to register layer: write /usr/bin/x: no space left on device"}})
		return
	}
	for part := int64(2); part <= 10 && image.Pace > 0; part++ {
		time.Sleep(image.Pace) //nolint:forbidigo // a client that disconnects does not matter
		_ = out.Encode(jsonmessage.JSONMessage{ID: "aaaa", Status: "Downloading", Progress: &jsonmessage.JSONProgress{Current: 10 * part, Total: 100}})
		flush(w)
	}
	s.AddImage(ref, image)
	_ = out.Encode(jsonmessage.JSONMessage{ID: "aaaa", Status: "Download complete"})
	_ = out.Encode(jsonmessage.JSONMessage{ID: "aaaa", Status: "Pull complete"})
	_ = out.Encode(jsonmessage.JSONMessage{Status: "Status: Downloaded newer image for " + ref})
}

func sameLogin(a, b engine.Login) bool { return a.Username == b.Username && a.Password == b.Password }

// halfWay is the beginning of a pull: one layer exists, the other one is arriving.
func halfWay(tag string) []jsonmessage.JSONMessage {
	return []jsonmessage.JSONMessage{
		{ID: tag, Status: "Pulling from somewhere"},
		{ID: "aaaa", Status: "Pulling fs layer"},
		{ID: "bbbb", Status: "Already exists"},
		{ID: "aaaa", Status: "Downloading", Progress: &jsonmessage.JSONProgress{Current: 10, Total: 100}},
	}
}

func loginOf(r *http.Request) engine.Login {
	auth, err := registry.DecodeAuthConfig(r.Header.Get(registry.AuthHeader))
	if err != nil {
		return engine.Login{}
	}
	return engine.Login{Username: auth.Username, Password: auth.Password}
}
