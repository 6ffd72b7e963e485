package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/spec"
)

// The agent and the supervisor compute the same hash of a container, although the
// supervisor reads it from a file.
func TestContainer(t *testing.T) {
	dir := Dir(t.TempDir())
	grace := 3
	c := &spec.Container{
		Name: "web", Image: "nginx", PullPolicy: spec.PullMissing, Notify: spec.NotifyHealthy,
		Config: &container.Config{Env: []string{"A=b"}, Entrypoint: []string{}, StopTimeout: &grace, ExposedPorts: nat.PortSet{"80/tcp": {}}},
		HostConfig: &container.HostConfig{
			PortBindings: nat.PortMap{"80/tcp": []nat.PortBinding{{HostPort: "80"}}}, Tmpfs: map[string]string{"/tmp": ""},
			Resources: container.Resources{Memory: 1 << 40, NanoCPUs: 5e8},
		},
		Networking: &network.NetworkingConfig{},
	}
	if err := dir.WriteContainer(c); err != nil {
		t.Fatal(err)
	}
	got, err := dir.Container("web")
	if err != nil || got.Hash() != c.Hash() {
		t.Errorf("Container() = %+v, %v, want hash %s", got, err, c.Hash())
	}
	info, err := os.Stat(filepath.Join(string(dir), "containers/web.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600: the environment may hold secrets", info.Mode(), err)
	}
	if names, err := dir.Containers(); err != nil || !cmp.Equal(names, []string{"web"}) {
		t.Errorf("Containers() = %v, %v", names, err)
	}
	if err := dir.RemoveContainer("web"); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Container("web"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Container() = %v, want ErrNotExist", err)
	}
	if err := dir.RemoveContainer("web"); err != nil {
		t.Errorf("RemoveContainer() of nothing = %v", err)
	}
}

func TestContainerNotAssigned(t *testing.T) {
	_, err := Dir(t.TempDir()).Container("web")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `no container "web" is assigned`) {
		t.Errorf("Container() = %v, want an error that says that none is assigned", err)
	}
}

// dockhost run hands its container over in memory, by a link in /proc.
func TestReadDeclarationFromMemory(t *testing.T) {
	fd, err := unix.MemfdCreate("container", 0)
	if err != nil {
		t.Fatal(err)
	}
	memory := os.NewFile(uintptr(fd), "container")
	defer memory.Close()
	if _, err := memory.WriteString(`{"name": "web"}`); err != nil {
		t.Fatal(err)
	}
	c, err := ReadDeclaration(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil || c.Name != "web" {
		t.Errorf("ReadDeclaration() = %+v, %v, want web", c, err)
	}
}
