package engine

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

const mac = "02:42:00:00:00:01"

// Docker 20.10 has a MAC address for the container, but none for each network.
func TestCreateFitsVersion(t *testing.T) {
	for version, wantOld := range map[string]bool{"1.41": true, "1.44": false} {
		body := struct {
			MacAddress       string
			NetworkingConfig network.NetworkingConfig
		}{}
		client := versioned(t, version, func(r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&body) })
		req := CreateRequest{
			Name: "web", Config: &container.Config{Image: "nginx"}, HostConfig: &container.HostConfig{NetworkMode: "front"},
			Networking: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"front": {MacAddress: mac}}},
		}
		if _, _, err := client.Create(t.Context(), req); err != nil {
			t.Fatalf("Create() at API %s = %v", version, err)
		}
		endpoint := body.NetworkingConfig.EndpointsConfig["front"].MacAddress
		if inConfig := body.MacAddress == mac; inConfig != wantOld || (endpoint == mac) == wantOld {
			t.Errorf("Create() at API %s requests %q, and %q in the network", version, body.MacAddress, endpoint)
		}
		if req.Networking.EndpointsConfig["front"].MacAddress != mac {
			t.Errorf("Create() at API %s changed its argument", version)
		}
	}
}

// Docker before 25.0 takes one network when it creates a container.
func TestCreateConnects(t *testing.T) {
	for version, want := range map[string]string{"1.41": "back,front/connect", "1.44": "back+front"} {
		var got []string
		client := versioned(t, version, func(r *http.Request) {
			var body struct{ NetworkingConfig network.NetworkingConfig }
			_ = json.NewDecoder(r.Body).Decode(&body)
			if name, isConnect := strings.CutPrefix(r.URL.Path, "/v"+version+"/networks/"); isConnect {
				got = append(got, name)
				return
			}
			got = append(got, strings.Join(slices.Sorted(maps.Keys(body.NetworkingConfig.EndpointsConfig)), "+"))
		})
		req := CreateRequest{
			Name: "web", Config: &container.Config{Image: "nginx"}, HostConfig: &container.HostConfig{NetworkMode: "back"},
			Networking: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"back": {}, "front": {}}},
		}
		if _, _, err := client.Create(t.Context(), req); err != nil {
			t.Fatalf("Create() at API %s = %v", version, err)
		}
		if joined := strings.Join(got, ","); joined != want {
			t.Errorf("Create() at API %s requests %q, want %q", version, joined, want)
		}
		req.Networking.EndpointsConfig["front"].GwPriority = 1
		if _, _, err := client.Create(t.Context(), req); err == nil || !strings.Contains(err.Error(), "gw_priority") {
			t.Errorf("Create() with gw_priority at API %s = %v, want an error", version, err)
		}
	}
}

func TestCreateRefusesUnsupportedAnnotations(t *testing.T) {
	req := CreateRequest{
		Name: "web", Config: &container.Config{Image: "nginx"}, HostConfig: &container.HostConfig{Annotations: map[string]string{"a": "b"}},
	}
	if _, _, err := versioned(t, "1.41", nil).Create(t.Context(), req); err == nil || !strings.Contains(err.Error(), "annotations") {
		t.Errorf("Create() with annotations at API 1.41 = %v, want an error", err)
	}
	if _, _, err := versioned(t, "1.43", nil).Create(t.Context(), req); err != nil {
		t.Errorf("Create() with annotations at API 1.43 = %v", err)
	}
}

// versioned returns a client of an Engine with an API version. The Engine calls
// created for each request to create a container.
func versioned(t *testing.T, version string, created func(*http.Request)) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", version)
		if strings.HasSuffix(r.URL.Path, "/connect") && created != nil {
			created(r)
		}
		if strings.HasSuffix(r.URL.Path, "/containers/create") {
			if created != nil {
				created(r)
			}
			_, _ = w.Write([]byte(`{"Id": "0123"}`))
		}
	}))
	t.Cleanup(server.Close)
	client, err := New(Options{Host: "tcp://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
