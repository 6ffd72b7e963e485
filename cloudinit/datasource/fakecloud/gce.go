package fakecloud

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gce has cloud.google.com/compute/docs/metadata: without its header, or
// through a proxy, a request is forbidden; a directory needs its slash; a
// request that waits for a change is answered when the tag is another.
func (s *Service) gce(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	w.Header().Set("Server", "Metadata Server for VM")
	if r.Header.Get("Metadata-Flavor") != "Google" || forwarded(r) {
		http.Error(w, "", http.StatusForbidden)
		return
	}
	at, ok := strings.CutPrefix(r.URL.Path, "/computeMetadata/v1/")
	if !ok {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	query := r.URL.Query()
	if query.Get("wait_for_change") != "true" {
		s.serveGCE(w, r, at)
		return
	}
	wait, err := strconv.Atoi(query.Get("timeout_sec"))
	if err != nil {
		wait = 300
	}
	timeout := time.NewTimer(time.Duration(wait) * time.Second)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		raw, status := s.gceValue(at, query.Get("recursive") == "true")
		if status != http.StatusOK || tag(raw) != query.Get("last_etag") {
			s.serveGCE(w, r, at)
			return
		}
		look := time.NewTimer(200 * time.Millisecond)
		select {
		case <-r.Context().Done():
			return
		case <-timeout.C:
			s.serveGCE(w, r, at)
			return
		case <-changed:
		case <-look.C:
		}
		look.Stop()
	}
}

func (s *Service) serveGCE(w http.ResponseWriter, r *http.Request, at string) {
	raw, status := s.gceValue(at, r.URL.Query().Get("recursive") == "true")
	switch status {
	case http.StatusOK:
		w.Header().Set("ETag", tag(raw))
		write(w, raw)
	case http.StatusMovedPermanently:
		http.Redirect(w, r, r.URL.Path+"/", status) //nolint:gosec // as the real one does
	default:
		http.Error(w, "", status)
	}
}

// gceValue is what is at a path: JSON of a directory, the text of a value.
func (s *Service) gceValue(at string, recursive bool) ([]byte, int) {
	instance, err := s.read()
	if err != nil {
		return nil, http.StatusServiceUnavailable
	}
	attributes := map[string]any{}
	for name, value := range instance.Attributes {
		attributes[name] = value
	}
	if instance.UserData != nil {
		attributes["user-data"] = string(instance.UserData)
	}
	if instance.Encoding != "" {
		attributes["user-data-encoding"] = instance.Encoding
	}
	if instance.Declaration != "" {
		attributes["gce-container-declaration"] = instance.Declaration
	}
	var value any = map[string]any{"instance": map[string]any{
		"id": json.Number(instance.ID), "hostname": instance.Hostname + ".c.project.internal",
		"zone": "projects/1/zones/us-central1-a", "attributes": attributes,
	}}
	for key := range strings.SplitSeq(strings.TrimSuffix(at, "/"), "/") {
		directory, _ := value.(map[string]any)
		if value = directory[key]; value == nil {
			return nil, http.StatusNotFound
		}
	}
	directory, ok := value.(map[string]any)
	switch {
	case !ok:
		raw, _ := value.(string)
		if number, is := value.(json.Number); is {
			raw = number.String()
		}
		return []byte(raw), http.StatusOK
	case !strings.HasSuffix(at, "/"):
		return nil, http.StatusMovedPermanently
	case recursive:
		raw, _ := json.Marshal(directory)
		return raw, http.StatusOK
	}
	return []byte(strings.Join(slices.Sorted(maps.Keys(directory)), "\n")), http.StatusOK
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
