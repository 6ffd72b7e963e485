package enginetest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// Networks lists the names of the networks, sorted.
func (s *Server) Networks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.networks))
}

// AddNetwork adds a network that dockhost did not make.
func (s *Server) AddNetwork(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.networks[name] = network.Inspect{Name: name, Driver: "bridge"}
}

// KeepEndpoint adds an endpoint with a key to a network, as an Engine keeps that of a
// container that does not exist any more. The key is the container's id, or begins with
// "ep-".
func (s *Server) KeepEndpoint(networkName, key, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[networkName]
	n.Containers = map[string]network.EndpointResource{key: {Name: name}}
	s.networks[networkName] = n
}

// takenEndpoint returns a network that has an endpoint of a container's name, or "". The
// caller holds the lock.
func (s *Server) takenEndpoint(b *box) string {
	for _, name := range slices.Sorted(maps.Keys(b.endpoints)) {
		for _, endpoint := range s.networks[name].Containers {
			if endpoint.Name == b.name {
				return name
			}
		}
	}
	return ""
}

// serveDisconnect removes an endpoint by force, if there is no container of its name.
func (s *Server) serveDisconnect(w http.ResponseWriter, r *http.Request) {
	var request network.DisconnectOptions
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoints := s.networks[r.PathValue("name")].Containers
	for key, endpoint := range endpoints {
		if endpoint.Name == request.Container && request.Force && s.lookup(request.Container) == nil {
			delete(endpoints, key)
			w.WriteHeader(http.StatusOK)
			return
		}
	}
	refuse(w, http.StatusForbidden, "endpoint %s not found", request.Container)
}

// missingNetwork returns a network of a container that does not exist, or "". The
// caller holds the lock.
func (s *Server) missingNetwork(b *box) string {
	for _, name := range slices.Sorted(maps.Keys(b.endpoints)) {
		if _, exists := s.networks[name]; !exists && container.NetworkMode(name).IsUserDefined() {
			return name
		}
	}
	return ""
}

func (s *Server) routesOfNetworks(mux *http.ServeMux) {
	mux.HandleFunc("GET /networks", s.serveNetworks)
	mux.HandleFunc("GET /networks/{name}", s.serveNetwork)
	mux.HandleFunc("POST /networks/create", s.serveCreateNetwork)
	mux.HandleFunc("POST /networks/{name}/disconnect", s.serveDisconnect)
	mux.HandleFunc("DELETE /networks/{name}", s.serveRemoveNetwork)
}

func (s *Server) serveNetworks(w http.ResponseWriter, r *http.Request) {
	wanted, err := filters.FromJSON(r.URL.Query().Get("filters"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []network.Inspect{}
	for _, n := range s.networks {
		if wanted.MatchKVList("label", n.Labels) {
			list = append(list, n)
		}
	}
	answer(w, http.StatusOK, list)
}

func (s *Server) serveNetwork(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, exists := s.networks[r.PathValue("name")]
	if !exists {
		refuse(w, http.StatusNotFound, "network %s not found", r.PathValue("name"))
		return
	}
	answer(w, http.StatusOK, n)
}

func (s *Server) serveCreateNetwork(w http.ResponseWriter, r *http.Request) {
	var request network.CreateRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.networks[request.Name]; exists {
		refuse(w, http.StatusConflict, "network with name %s already exists", request.Name)
		return
	}
	made := network.Inspect{
		Name: request.Name, Driver: request.Driver, Internal: request.Internal, Attachable: request.Attachable,
		Options: request.Options, Labels: request.Labels,
	}
	if request.IPAM != nil {
		made.IPAM = *request.IPAM
	}
	s.networks[request.Name] = made
	answer(w, http.StatusCreated, network.CreateResponse{ID: request.Name})
}

func (s *Server) serveRemoveNetwork(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.networks[name]; !exists {
		refuse(w, http.StatusNotFound, "network %s not found", name)
		return
	}
	for _, b := range s.boxes {
		if _, isOn := b.endpoints[name]; isOn && b.state.Running {
			refuse(w, http.StatusForbidden, "error while removing network: network %s has active endpoints", name)
			return
		}
	}
	delete(s.networks, name)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) serveVolume(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("name")
	labels, exists := s.volumes[name]
	if !exists {
		refuse(w, http.StatusNotFound, "get %s: no such volume", name)
		return
	}
	answer(w, http.StatusOK, map[string]any{"Name": name, "Driver": "local", "Labels": labels})
}

func (s *Server) serveCreateVolume(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Name   string
		Labels map[string]string
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.volumes[request.Name]; !exists {
		s.volumes[request.Name] = request.Labels
	}
	answer(w, http.StatusCreated, map[string]any{"Name": request.Name, "Driver": "local", "Labels": s.volumes[request.Name]})
}
