package enginetest

import (
	"maps"
	"net/http"
	"path/filepath"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"
)

// SetDefaultRuntime sets the runtime of containers that name none.
func (s *Server) SetDefaultRuntime(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.defaultRuntime = name
	s.reloaded()
}

// UseContainerdStore has the server say that containerd's image store has the images.
func (s *Server) UseContainerdStore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshotter = true
}

// BecomePodman has the server say that it is Podman.
func (s *Server) BecomePodman() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.podman = true
	s.runtimes = map[string]string{"crun": "/usr/bin/crun"}
}

func (s *Server) serveInfo(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := system.Info{
		ServerVersion: serverVersion, DockerRootDir: filepath.Dir(s.socket), LiveRestoreEnabled: s.restores,
		DefaultRuntime: s.defaultRuntime, Runtimes: map[string]system.RuntimeWithStatus{},
	}
	info.RegistryConfig = &registry.ServiceConfig{IndexConfigs: map[string]*registry.IndexInfo{}}
	for _, host := range s.trusted {
		info.RegistryConfig.IndexConfigs[host] = &registry.IndexInfo{Name: host}
	}
	if s.snapshotter {
		info.Driver, info.DriverStatus = "overlayfs", [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}}
	}
	for name, path := range maps.All(s.runtimes) {
		info.Runtimes[name] = system.RuntimeWithStatus{Runtime: system.Runtime{Path: path, Args: s.runtimeArgs[name]}}
	}
	answer(w, http.StatusOK, info)
}

func (s *Server) serveVersion(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := types.Version{Version: serverVersion, APIVersion: s.newestAPI, MinAPIVersion: s.oldestAPI, Components: []types.ComponentVersion{{Name: "Engine", Version: serverVersion}}}
	if s.podman {
		version = types.Version{Version: "5.4.2", APIVersion: "1.41", MinAPIVersion: "1.24", Components: []types.ComponentVersion{{Name: "Podman Engine", Version: "5.4.2"}}}
	}
	answer(w, http.StatusOK, version)
}
